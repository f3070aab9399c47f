// SPDX-License-Identifier: GPL-2.0

//! Driver to driver, the owner's half: what exists once, in the module that owns the contexts.
//!
//! - `config`: what the contexts are like.
//! - `server`: what exists once for all contexts; `contexts`: the driver that owns them, and its part of each.
//! - `handshake`: how a context is shared with a driver; `detach`: how it is taken back.
//! - `event`: the named events.
//! - `registry`: the registered drivers and how far each is with its context; `driver_object`: what a driver
//!   registers; `slot`: the threads inside its routines.
//! - `request`: the requests that drivers send each other; `timeouts`: the time limit of handshakes that
//!   nobody waits for.
//! - `going`: modules that go away, with or without their drivers.
//! - `block`: allocation of a context with its locks, queues and items.
//! - `trace`: the trace line and its sequence number, and the tracepoints; `telling`: which of them a
//!   request has.
//! - `state`: all of that, for user space to read.
//! - `entry_points`: the list of the functions that the owner exports, and its module; `export`: what they
//!   do.
//!
//! A driver makes itself the owner by implementing [`Owner`] and declaring its module with
//! [`module_owner!`](crate::module_owner).

mod block;
mod completion;
mod config;
mod context_table;
mod contexts;
mod detach;
mod driver_object;
#[doc(hidden)]
pub mod entry_points;
mod event;
#[doc(hidden)]
pub mod export;
mod going;
mod handle;
mod handshake;
#[path = "../d2d/lock.rs"]
mod lock;
mod refusals;
mod registry;
mod request;
mod server;
mod slot;
mod state;
mod telling;
mod timeouts;
mod trace;

pub use config::Config;
pub use contexts::{
    Contexts,
    Owner,
    Peer, //
};
#[doc(hidden)]
pub use d2d::__private;
#[doc(hidden)]
pub use d2d_abi as abi;
pub use server::{
    create_event,
    open_event, //
};

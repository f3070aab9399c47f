// SPDX-License-Identifier: GPL-2.0

//! Driver to driver, the owner's half: what exists once, in the module that owns the contexts.
//!
//! - `config`: what the contexts are like.
//! - `server`: the contexts, and the handshake that shares one with a driver.
//! - `event`: the named events.
//! - `registry`: the registered drivers.
//! - `offers`: the requests of handshakes on their way; `timeouts`: the time limit of those that nobody
//!   waits for.
//! - `requests`: the requests that drivers send each other at any time; `entry` is one of them,
//!   `buffers` what it carries, `bounce` how that gets from and to drivers, `recall` takes it back,
//!   `waiting` waits for it, `workers` dispatch it where the sender cannot.
//! - `going`: modules that go away, with or without their drivers.
//! - `visit`: who is inside a driver's routines.
//! - `table`: values named by handles; `handle`: how these are made.
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
mod bounce;
mod buffers;
mod completion;
mod config;
mod entry;
#[doc(hidden)]
pub mod entry_points;
mod event;
#[doc(hidden)]
pub mod export;
mod going;
mod handle;
#[path = "../d2d/lock.rs"]
mod lock;
mod offers;
mod recall;
mod registry;
mod requests;
mod server;
mod state;
mod table;
mod telling;
mod timeouts;
mod trace;
mod visit;
mod waiting;
mod workers;

pub use config::Config;
#[doc(hidden)]
pub use d2d::__private;
#[doc(hidden)]
pub use d2d_abi as abi;
pub use server::{
    create_event,
    open_event,
    Contexts,
    Owner,
    Peer, //
};

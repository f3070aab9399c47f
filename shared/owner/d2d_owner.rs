// SPDX-License-Identifier: GPL-2.0

//! The server behind the functions that an owner exports. It is linked into the module that owns
//! the contexts.
//!
//! The exported functions and the state behind them:
//!
//! - `entry_points`: the list of the exported functions, and the declaration of the owner's module;
//!   `export`: what each of these functions does.
//! - `server`: what exists once for all contexts of an owner.
//! - `contexts`: the driver that owns the contexts, and its part of each.
//! - `context_table`: the contexts as the server knows them.
//! - `context_box`: the memory of a context.
//! - `config`: the number and the sizes of contexts, queues and items.
//! - `c_owner`: an owner whose driver is written in C, and its contexts. The crate `c_module` makes
//!   its module.
//! - `registry`: the registered drivers, and which context each of them holds.
//! - `driver_object`: the copy of what a driver registers.
//! - `slot`: the threads inside the routines of a driver.
//!
//! What happens between the drivers:
//!
//! - `handshake`: how the owner shares a context with a driver.
//! - `detach`: how the owner takes the context back.
//! - `going`: the module notifiers, for drivers that a module has forgotten to unregister.
//! - `request`: the requests that drivers send each other.
//! - `event`: the named events.
//!
//! What a user can observe:
//!
//! - `trace`: the trace line with its sequence number, and the tracepoints.
//! - `tracing`: whether the steps of a request have lines, tracepoints alone, or neither.
//! - `refusals`: the last refusal.
//! - `state`: the files that show the owner's state.
//!
//! The other modules use `handle`, `kernel_calls`, `lock`, `completion`, `grace_period`, `once_box` and
//! `probe`.
//!
//! A driver makes itself the owner by implementing [`Owner`] and declaring its module with
//! [`module_owner!`](crate::module_owner).

#[doc(hidden)]
pub mod c_owner;
mod completion;
mod config;
mod context_box;
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
mod grace_period;
mod handle;
mod handshake;
#[path = "../d2d/kernel_calls.rs"]
mod kernel_calls;
#[path = "../d2d/lock.rs"]
mod lock;
mod once_box;
#[path = "../d2d/probe.rs"]
mod probe;
mod refusals;
mod registry;
mod request;
mod server;
mod slot;
mod state;
mod trace;
mod tracing;

pub use config::Config;
pub use contexts::{
    Contexts,
    Owner,
    OwnerRef,
    Peer, //
};
#[doc(hidden)]
pub use d2d::{
    __private,
    registration::DropPromise, //
};
#[doc(hidden)]
pub use d2d_abi as abi;
pub use server::{
    create_event,
    create_event_of,
    open_event,
    open_event_of, //
};

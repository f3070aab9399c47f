// SPDX-License-Identifier: GPL-2.0

//! The server behind the functions that an owner exports, linked into the owner's module.
//!
//! - `entry_points`: the list of the exported functions, and
//!   [`module_owner!`](crate::module_owner), which declares the owner's module; `export`: the way
//!   from these functions to the server.
//! - `server`: what an owner has once for all contexts.
//! - `contexts`: [`Owner`], the driver that owns the contexts; `c_owner`: an owner in C, whose
//!   module is the crate `c_module`.
//! - `context_table`: the contexts as the server knows them; `context_box`: their memory; `config`:
//!   their number and sizes.
//! - `registry`: the registered drivers, and their contexts.
//! - `driver_object`: the copy of what a driver registers; `slot`: the threads inside its routines.
//!
//! - `handshake`, `detach`: how the owner shares a context, and takes it back.
//! - `going`: module notifiers, for drivers that a module has forgotten to unregister.
//! - `request`, `event`: requests and named events.
//!
//! - `trace`: the lines and tracepoints of steps; `tracing`: those of a request.
//! - `refusals`, `state`: the files that show the owner's state.

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

// SPDX-License-Identifier: GPL-2.0

//! Driver to driver: the library that both sides of a shared context link.
//!
//! The owner allocates contexts and offers one to each peer through an internal device control
//! request; from then on both call each other through ops tables and exchange items through the
//! context's queues, in any context but NMI. What crosses the boundary is defined in
//! `shared/include/d2d.h`; this crate is the safe side of it:
//!
//! - [`mod@trace`]: the vocabulary of steps and the one-line trace.
//! - [`point`]: the tracepoints of hot paths.
//! - [`mod@interface`]: ops tables made from traits, with their [`fingerprint`].
//! - [`header`]: what every object of the boundary begins with, and its check.
//! - [`probe`]: reading what another driver points to.
//! - [`context`]: the shared block, its queues ([`queue`]) and its data.
//! - [`link`]: what each side holds while it is attached, and how it calls the other.
//! - [`rundown`]: protection of calls into a driver that may leave, and [`readers`], which it counts by.
//! - [`event`]: named events, to tell others a state.
//! - [`driver`]: the peer's driver, and its side of the handshake; [`registration`]: its module.
//! - [`control_code`], [`request`] and [`packet`]: requests at any time, for the receiver and for the
//!   sender.
//! - [`control`]: a file through which user space acts on a driver, and what it is made of.
//! - [`run_in`]: running a closure in a worker, in softirq or in hard interrupt.
//!
//! Drivers built on it carry `#![forbid(unsafe_code)]`: no safe item of this crate causes undefined
//! behaviour, whatever safe code does with it.

mod adopt;
mod arch;
pub mod context;
pub mod control;
pub mod control_code;
pub mod driver;
pub mod event;
pub mod fingerprint;
#[doc(hidden)]
pub mod handler;
pub mod header;
pub mod interface;
mod layout;
#[doc(hidden)]
pub mod left;
pub mod link;
mod lock;
#[doc(hidden)]
pub mod once;
pub mod packet;
#[doc(hidden)]
pub mod point;
pub mod probe;
pub mod queue;
#[doc(hidden)]
pub mod readers;
#[doc(hidden)]
pub mod registration;
pub mod request;
pub mod run_in;
pub mod rundown;
#[doc(hidden)]
pub mod status;
#[cfg(d2d_tests)]
#[path = "../testing/testing.rs"]
pub mod testing;
pub mod trace;
#[doc(hidden)]
pub mod word;

#[doc(hidden)]
pub use d2d_abi as abi;

#[cfg(d2d_tests)]
use testing::LocalModule;

/// The items that the expansions of this library's macros name. A path that begins with `$crate`
/// means the same wherever it is expanded. `::kernel`, `::core` and bare names mean what the
/// driver's crate says: it may have bound them to items of its own, which would then stand in the
/// library's `unsafe` code.
#[doc(hidden)]
pub mod __private {
    pub use core::{
        assert,
        concat,
        convert::From,
        ffi::{
            c_int,
            c_void, //
        },
        marker::{
            PhantomData,
            Send,
            Sync, //
        },
        mem::{
            offset_of,
            size_of, //
        },
        option::Option::{
            self,
            None,
            Some, //
        },
        ptr::null,
        result::Result::{
            Err,
            Ok, //
        },
        stringify, //
    };
    pub use kernel::{
        error::{
            code,
            Result, //
        },
        macros::{
            paste,
            vtable, //
        },
        prelude::{
            fmt,
            module, //
        },
        Module,
        ModuleMetadata,
        ThisModule, //
    };
    pub use zerocopy::FromZeros;
}

// SPDX-License-Identifier: GPL-2.0

//! Driver-to-driver communication: the library for both sides of a context.
//!
//! `shared/include/d2d.h` defines what crosses the boundary. This crate makes it safe to use:
//!
//! - [`mod@trace`]: the trace of steps; [`hot_step`]: the trace of hot steps.
//! - [`mod@pair`]: the macro `pair!`. From a [`declaration`], it makes a pair and a C header
//!   (`c_header`). It compares this header with that of an older version (`baseline`).
//! - [`mod@interface`]: ops tables made from traits, with their [`fingerprint`].
//! - [`header`]: the header of every object of the boundary.
//! - `probe`: reads what another driver points to.
//! - [`context`]: the block of memory that both sides share; [`queue`], [`data`]: its parts.
//! - [`link`]: how an attached side calls the other side.
//! - [`lent`]: memory that one side lends the other.
//! - [`rundown`]: protects calls into a driver that may detach, with the counters of [`readers`].
//! - [`event`]: named events.
//! - [`driver`]: the peer's driver, and its side of the handshake; [`registration`]: the peer's module.
//! - [`control_code`], [`request`], [`packet`]: requests, for the receiver and the sender.
//! - [`job`]: work items, timers and threads of a driver.
//! - [`device`]: character devices; [`control`]: those that only receive commands.
//! - [`debugfs`]: files that show state.
//! - [`run_in`]: runs a closure in a worker, in softirq or in hard interrupt.
//!
//! In the documentation of a function, *any context* means a task, softirq or hard interrupt that
//! may take a `spinlock_t`, but not NMI. *Process context* is a task. An error *with a line* is a
//! refusal.
//!
//! Drivers carry `#![forbid(unsafe_code)]`. With the safe items of this crate, safe code cannot
//! cause undefined behaviour.

mod adopt;
mod arch;
#[doc(hidden)]
pub mod baseline;
#[doc(hidden)]
pub mod c_header;
mod c_name;
pub mod context;
pub mod control;
pub mod control_code;
pub mod data;
pub mod debugfs;
pub mod declaration;
pub mod device;
pub mod driver;
pub mod event;
pub mod fingerprint;
mod for_each;
pub mod header;
#[doc(hidden)]
pub mod hot_step;
pub mod interface;
pub mod job;
mod kernel_calls;
#[doc(hidden)]
pub mod leaving;
pub mod lent;
pub mod link;
mod lock;
mod opened;
pub mod packet;
pub mod pair;
#[doc(hidden)]
pub mod patience;
#[expect(dead_code, reason = "the owner uses the rest")]
mod probe;
pub mod queue;
#[doc(hidden)]
pub mod readers;
#[doc(hidden)]
pub mod registration;
pub mod request;
#[doc(hidden)]
pub mod routines;
pub mod run_in;
pub mod rundown;
mod safe_calls;
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

/// The items that this library's macros name, by paths that begin with `$crate`. A driver's crate
/// could bind other names, such as `::core`, to its own code, and so put this code into the
/// library's `unsafe` blocks.
#[doc(hidden)]
pub mod __private {
    pub use core::{
        clone::Clone,
        concat,
        convert::From,
        ffi::{
            c_int,
            c_void, //
        },
        marker::{
            Copy,
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
    pub use zerocopy_derive::{
        FromBytes,
        Immutable,
        IntoBytes, //
    };
}

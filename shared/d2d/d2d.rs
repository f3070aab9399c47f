// SPDX-License-Identifier: GPL-2.0

//! The library that both sides of a context link: driver-to-driver communication.
//!
//! The owner allocates contexts, and offers one to each peer by an internal device control request.
//! From then on the two sides call each other's operations, and exchange items through the queues
//! of the context. They may do so in any execution context but NMI. `shared/include/d2d.h` defines
//! what crosses the boundary; this crate makes it safe to use:
//!
//! - [`mod@trace`]: the vocabulary of steps and the one-line trace.
//! - [`hot_step`]: the trace of the hot steps.
//! - [`mod@pair`]: the declaration of a pair. From the declaration, the macro `pair!` makes everything else
//!   of the pair, and a C header (`c_header`). The macro compares this header with that of an older version
//!   (`baseline`). [`declaration`]: the declaration as data.
//! - [`mod@interface`]: ops tables made from traits, with their [`fingerprint`].
//! - [`header`]: the header with which every object of the boundary begins, and its check.
//! - `probe`: reading what another driver points to.
//! - [`context`]: the block of memory that both sides share, with its queues ([`queue`]) and its
//!   [`data`].
//! - [`link`]: what a side holds while it is attached, and how it calls the other side.
//! - [`lent`]: memory that one side lends to the other side.
//! - [`rundown`]: protects calls into a driver that may detach, and counts the threads inside the driver
//!   by [`readers`].
//! - [`event`]: named events. Each is a state, set or not set, that drivers share.
//! - [`driver`]: the peer's driver, and its side of the handshake; [`registration`]: the peer's module.
//! - [`control_code`], [`request`] and [`packet`]: requests, as the receiver and as the sender see
//!   them.
//! - [`job`]: routines of a driver that run later or in another execution context.
//! - [`device`]: character devices, by which user space uses a driver.
//! - [`control`]: the simplest character devices, which only receive commands.
//! - [`debugfs`]: files that show state.
//! - [`run_in`]: running a closure in a worker, in softirq or in hard interrupt.
//!
//! The documentation of a function says where it may be called. *Any context* is each execution
//! context in which a `spinlock_t` may be taken: task, softirq and hard interrupt, but not NMI.
//! *Process context* is a task. An error *with a line* is a refusal: dmesg gets a line with its reason.
//!
//! Drivers that use this crate carry `#![forbid(unsafe_code)]`. Whatever safe code does with the
//! safe items of this crate, it cannot cause undefined behaviour.

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

/// The items that this library's macros name in their expansions. A path that begins with `$crate`
/// has one meaning, wherever the macro is expanded. The meaning of `::kernel`, `::core` and bare
/// names depends on the driver's crate. That crate could bind them to items of its own, and so put
/// its own code into the library's `unsafe` blocks.
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

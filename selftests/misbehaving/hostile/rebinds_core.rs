// SPDX-License-Identifier: GPL-2.0

//! Test: a peer in whose crate `core` means the crate itself.
//!
//! Sizes and names are lies there. Were they used by `interface!`, the table of functions would not be what
//! its header says.

#![forbid(unsafe_code)]

extern crate core as real_core;
extern crate kernel as real_kernel;
extern crate self as core;

pub use real_core::*;

/// What `::core::mem` means here.
pub mod mem {
    pub use real_core::mem::*;

    /// Is always wrong.
    pub const fn size_of<T>() -> usize {
        4096
    }
}

/// Is always wrong.
#[macro_export]
macro_rules! stringify {
    ($($any:tt)*) => {
        "lie"
    };
}

include!("attached.rs");

d2d::module_peer! {
    type: Attached,
    name: "rebinds_core",
    authors: ["Beyond IRPs"],
    description: "Test: a peer in whose crate `core` is the crate itself",
    license: "GPL",
    imports_ns: ["D2D"],
}

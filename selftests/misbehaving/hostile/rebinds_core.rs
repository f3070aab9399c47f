// SPDX-License-Identifier: GPL-2.0

//! Test: a peer in whose crate the name `core` means this crate itself.
//!
//! If `interface!` uses this crate's `size_of` or `stringify`, the operations table gets a wrong header.

#![forbid(unsafe_code)]

extern crate core as real_core;
extern crate kernel as real_kernel;
extern crate pin_init as real_pin_init;
extern crate self as core;

pub use real_core::*;

/// Takes the place of `core::mem`.
pub mod mem {
    pub use real_core::mem::*;

    /// Returns a wrong size.
    pub const fn size_of<T>() -> usize {
        4096
    }
}

/// Returns a wrong name.
#[macro_export]
macro_rules! stringify {
    ($($any:tt)*) => {
        "lie"
    };
}

include!("rebinding.rs");

d2d::module_peer! {
    type: Attached,
    owner: module_a,
    name: "rebinds_core",
    authors: ["Beyond IRPs"],
    description: "Test: a peer in whose crate `core` means this crate",
    license: "GPL",
    imports_ns: ["D2D"],
}

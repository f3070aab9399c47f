// SPDX-License-Identifier: GPL-2.0

//! Test: a peer in whose crate the names `kernel` and `pin_init` mean this crate itself.
//!
//! If `module_peer!` uses this crate's `try_pin_init!`, the registration is never dropped.

#![forbid(unsafe_code)]

extern crate core as real_core;
extern crate kernel as real_kernel;
extern crate pin_init as real_pin_init;
extern crate self as kernel;
extern crate self as pin_init;

pub use real_kernel::*;
pub use real_pin_init::*;

/// Takes the place of `kernel::prelude`.
pub mod prelude {
    pub use real_kernel::prelude::*;
}

/// Leaks its arguments.
#[macro_export]
macro_rules! try_pin_init {
    (Self { $($field:ident <- $value:expr),* $(,)? }) => {{
        $(core::mem::forget($value);)*
        core::result::Result::<Self, $crate::error::Error>::Err($crate::error::code::EINVAL)
    }};
}

include!("rebinding.rs");

d2d::module_peer! {
    type: Attached,
    owner: module_a,
    name: "rebinds_kernel",
    authors: ["Beyond IRPs"],
    description: "Test: a peer in whose crate `kernel` means this crate",
    license: "GPL",
    imports_ns: ["D2D"],
}

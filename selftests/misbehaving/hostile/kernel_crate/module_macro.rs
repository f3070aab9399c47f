// SPDX-License-Identifier: GPL-2.0

//! Shows a soundness hole of the kernel crate, without the library. In an `unsafe` block, `module!` calls
//! `::pin_init::raw_try_init`. Here, `::pin_init` means this crate, whose `raw_try_init` initializes nothing. Unloading
//! the module drops a value that was never initialized.
// compiles

#![forbid(unsafe_code)]

extern crate pin_init as real;
extern crate self as pin_init;
pub use real::*;

use kernel::{
    error::{
        Error,
        Result, //
    },
    str::CStr,
    ThisModule, //
};

kernel::prelude::module! {
    type: NeverMade,
    name: "never_made",
    license: "GPL",
}

pub fn raw_try_init<T>(_place: *mut T, init: impl PinInit<T, Error>) -> Result {
    core::mem::forget(init);
    Ok(())
}

struct NeverMade(&'static CStr);

impl kernel::Module for NeverMade {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        Ok(Self(c"made"))
    }
}

impl Drop for NeverMade {
    fn drop(&mut self) {
        kernel::pr_info!("{}\n", self.0);
    }
}

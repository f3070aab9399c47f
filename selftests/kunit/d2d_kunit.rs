// SPDX-License-Identifier: GPL-2.0

//! The module that runs the unit tests of `shared/`.
//!
//! The tests of a file `NAME.rs` are in `NAME/tests.rs`, or by subject in `NAME/tests/`. `kunit.mk` links the library's
//! crates, compiled with these tests, into this module. KUnit runs a suite when a process writes to
//! `/sys/kernel/debug/kunit/SUITE/run`. When this module is loaded, KUnit runs all suites, unless the kernel was booted
//! with `kunit.autorun=0`. The lab does so, except for `make shell`.

use kernel::prelude::*;

module! {
    type: Suites,
    name: "d2d_kunit",
    authors: ["Beyond IRPs"],
    description: "Test: KUnit suites for the driver to driver library",
    license: "GPL",
    imports_ns: ["D2D"],
}

/// `MODULE_INFO(test, "Y")`, for which `module!` has no key.
#[used(compiler)]
#[link_section = ".modinfo"]
static TEST: [u8; 7] = *b"test=Y\0";

struct Suites;

impl kernel::Module for Suites {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        Ok(Self)
    }
}

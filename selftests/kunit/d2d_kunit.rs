// SPDX-License-Identifier: GPL-2.0

//! The module that runs the unit tests of `shared/`.
//!
//! This file has no test. The tests of a file `NAME.rs` are in `NAME/tests.rs` or, if there are
//! many, by subject in `NAME/tests/`. `kunit.mk` compiles the library's crates a second time, with
//! these tests, and links them into this module. KUnit runs a suite when a process writes to
//! `/sys/kernel/debug/kunit/SUITE/run`. KUnit also runs all suites when this module is loaded, unless
//! the kernel was booted with `kunit.autorun=0`. The lab boots its kernels with this parameter,
//! except for `make shell`.

use kernel::prelude::*;

module! {
    type: Suites,
    name: "d2d_kunit",
    authors: ["Beyond IRPs"],
    description: "Test: KUnit suites for the driver to driver library",
    license: "GPL",
    imports_ns: ["D2D"],
}

/// Marks the module as a test, as `MODULE_INFO(test, "Y")` does in C. `module!` has no key for it.
#[used(compiler)]
#[link_section = ".modinfo"]
static TEST: [u8; 7] = *b"test=Y\0";

struct Suites;

impl kernel::Module for Suites {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        Ok(Self)
    }
}

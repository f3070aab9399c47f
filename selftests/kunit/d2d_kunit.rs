// SPDX-License-Identifier: GPL-2.0

//! The module that runs the unit tests of `shared/`.
//!
//! It has no test of its own. `kunit.mk` links it with the library's crates, compiled once more with the
//! tests that stand beside their code: a `tests.rs` for each file that has some. KUnit runs the suites
//! when the module is loaded, and again when something is written to `/sys/kernel/debug/kunit/SUITE/run`.

use kernel::prelude::*;

module! {
    type: Suites,
    name: "d2d_kunit",
    authors: ["Beyond IRPs"],
    description: "Test: KUnit suites for the driver to driver library",
    license: "GPL",
    imports_ns: ["D2D"],
}

/// What `MODULE_INFO(test, "Y")` emits; `module!` has no key for it.
#[used(compiler)]
#[link_section = ".modinfo"]
static TEST: [u8; 7] = *b"test=Y\0";

struct Suites;

impl kernel::Module for Suites {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        Ok(Self)
    }
}

// SPDX-License-Identifier: GPL-2.0

//! Test: a driver that demands an owner of the same build, which module_a is not. Its own copy of
//! the library refuses the owner's table.

#![forbid(unsafe_code)]

include!("skew.rs");

skew! {
    name: "skew_build",
    version: (1, 0), build: include_str!("build.rs");
    fn ping(value: u32) -> u32;
    fn bounce(hops: u32) -> u32;
    fn drain() -> u32;
    |_owner| Ok(())
}

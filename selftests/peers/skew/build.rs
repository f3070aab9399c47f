// SPDX-License-Identifier: GPL-2.0

//! Test: interfaces that only drivers of the same build may share.

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

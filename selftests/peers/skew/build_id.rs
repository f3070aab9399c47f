// SPDX-License-Identifier: GPL-2.0

//! Test: a driver that accepts only an owner with the driver's own build ID. Its library must refuse module_a, which
//! has another one.

#![forbid(unsafe_code)]

include!("skew.rs");

skew! {
    name: "skew_build_id",
    version: (1, 0), build: include_str!("build_id.rs");
    fn ping(value: u32) -> u32;
    fn bounce(hops: u32) -> u32;
    fn drain() -> u32;
    |_owner| Ok(())
}

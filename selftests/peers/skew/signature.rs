// SPDX-License-Identifier: GPL-2.0

//! Test: a driver that declares an operation with another type of argument. Its library must refuse module_a.

#![forbid(unsafe_code)]

include!("skew.rs");

skew! {
    name: "skew_signature",
    version: (1, 0);
    fn ping(value: u64) -> u32;
    fn bounce(hops: u32) -> u32;
    fn drain() -> u32;
    |_owner| Ok(())
}

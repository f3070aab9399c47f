// SPDX-License-Identifier: GPL-2.0

//! Test: a driver with the next major version of the pair. Its library must refuse module_a.

#![forbid(unsafe_code)]

include!("skew.rs");

skew! {
    name: "skew_major",
    version: (2, 0);
    fn ping(value: u32) -> u32;
    fn bounce(hops: u32) -> u32;
    fn drain() -> u32;
    |_owner| Ok(())
}

// SPDX-License-Identifier: GPL-2.0

//! Test: a driver that declares the operations in another order. Its library must refuse module_a.

#![forbid(unsafe_code)]

include!("skew.rs");

skew! {
    name: "skew_reordered",
    version: (1, 0);
    fn bounce(hops: u32) -> u32;
    fn ping(value: u32) -> u32;
    fn drain() -> u32;
    |_owner| Ok(())
}

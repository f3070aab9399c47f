// SPDX-License-Identifier: GPL-2.0

//! Test: a driver that declares the pair without the last two operations. The owner accepts the driver.

#![forbid(unsafe_code)]

include!("skew.rs");

skew! {
    name: "skew_older",
    version: (1, 0);
    fn ping(value: u32) -> u32;
    |owner| expect(owner.ping(41), Ok(42))
}

// SPDX-License-Identifier: GPL-2.0

//! Test: a driver with the next minor version of the pair, which has one more operation. The owner accepts the driver.
//! The operation that the owner lacks must fail with `EOPNOTSUPP`.

#![forbid(unsafe_code)]

include!("skew.rs");

skew! {
    name: "skew_newer",
    version: (1, 1);
    fn ping(value: u32) -> u32;
    fn bounce(hops: u32) -> u32;
    fn drain() -> u32;
    fn flush(how: u64) -> u64;
    |owner| {
        expect(owner.ping(41), Ok(42))?;
        expect(owner.flush(1), Err(EOPNOTSUPP))
    }
}

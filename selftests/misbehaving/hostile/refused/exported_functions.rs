// SPDX-License-Identifier: GPL-2.0

//! Must not compile: a driver that uses the macro `entry_points!`, by which the library defines the owner's exported
//! functions. By this macro the driver would define a global symbol, here `memset`.
// error: [E0433]: failed to resolve: could not find `entry_points` in `d2d_owner`

#![forbid(unsafe_code)]

d2d_owner::entry_points! {
    $
    attach = memset(driver: &'static u64);
}

// SPDX-License-Identifier: GPL-2.0

//! Must not compile: a driver that uses the library's `entry_points!`, here to define the global symbol `memset`.
// error: [E0433]: failed to resolve: could not find `entry_points` in `d2d_owner`

#![forbid(unsafe_code)]

d2d_owner::entry_points! {
    $
    attach = memset(driver: &'static u64);
}

// SPDX-License-Identifier: GPL-2.0

//! Must not compile: a driver that uses the macro `entry_points!`. By this macro, the library defines the owner's
//! exported functions. A driver could define any global symbol by it, here `memset`.
// error: [E0433]: failed to resolve: could not find `entry_points` in `d2d_owner`

#![forbid(unsafe_code)]

d2d_owner::entry_points! {
    $
    attach = memset(driver: &'static u64);
}

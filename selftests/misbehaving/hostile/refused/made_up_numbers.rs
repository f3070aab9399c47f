// SPDX-License-Identifier: GPL-2.0

//! Must not compile: a driver that makes handles from numbers of its own, though the library relies
//! on having made them itself.
// error: [E0423]: cannot initialize a tuple struct which contains private fields

#![forbid(unsafe_code)]

use d2d::packet::{
    Cancel,
    Target, //
};

fn target() -> Target {
    Target(1)
}

fn cancel() -> Cancel {
    Cancel(1)
}

// SPDX-License-Identifier: GPL-2.0

//! Must not compile: a driver that makes a `Target` and a `Cancel` from numbers. Only the library may make them.
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

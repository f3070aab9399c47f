// SPDX-License-Identifier: GPL-2.0

//! A driver that makes up handles of which the library assumes that it has made them.
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

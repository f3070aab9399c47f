// SPDX-License-Identifier: GPL-2.0

//! Must not compile: a driver that makes a `Sender`, a `Disposition` and a `Context`. Only the library may make them.
// error: of struct `Sender` is private
// error: of struct `Disposition` is private
// error: of struct `d2d::context::Context` is private

#![forbid(unsafe_code)]

use core::{
    marker::PhantomData,
    ptr::NonNull, //
};
use d2d::{
    context::Context,
    packet::Sender,
    request::Disposition, //
};

fn sender() -> Sender {
    Sender {
        driver: 1,
        name: c"module_a",
    }
}

fn disposition<'a>() -> Disposition<'a> {
    Disposition {
        status: 0,
        _call: PhantomData,
    }
}

fn context() -> Context<()> {
    Context {
        raw: NonNull::dangling(),
        id: 0,
        queues: unreachable!(),
        blocks: [0; 3],
        _pair: PhantomData,
    }
}

// SPDX-License-Identifier: GPL-2.0

//! A driver that keeps a reference to shared data after the lock is released, or passes it to another thread.
// error: lifetime may not live long enough

#![forbid(unsafe_code)]

use d2d::{
    abi::d2d_pair_owner_data,
    context::Context, //
};
use d2d_pair::DemoPair;

fn keep(context: &Context<DemoPair>) -> &mut d2d_pair_owner_data {
    context.with_owner_data(|data| data)
}

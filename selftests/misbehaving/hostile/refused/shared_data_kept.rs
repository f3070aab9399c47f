// SPDX-License-Identifier: GPL-2.0

//! A reference to shared data that is kept after its lock is given back, or handed to another context.
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

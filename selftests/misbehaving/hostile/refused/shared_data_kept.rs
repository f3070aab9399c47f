// SPDX-License-Identifier: GPL-2.0

//! Must not compile: a driver that keeps a reference to the context's data without the lock of the data.
// error: lifetime may not live long enough

#![forbid(unsafe_code)]

use d2d::{
    context::Context, //
};
use d2d_pair::{
    DemoPair,
    OwnerData, //
};

fn keep(context: &Context<DemoPair>) -> &mut OwnerData {
    context.with_owner_data(|data| data)
}

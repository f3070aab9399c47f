// SPDX-License-Identifier: GPL-2.0

//! Must not compile: a driver that begins a call of the peer in a task, and ends it in a hard interrupt.
// error: [E0277]: `*mut ()` cannot be sent between threads safely
// error: [E0277]: `*mut kernel::bindings::srcu_ctr` cannot be sent between threads safely

#![forbid(unsafe_code)]

use d2d::{
    link::OwnerLink,
    run_in::{
        run_in,
        Place, //
    }, //
};
use d2d_pair::DemoPair;
use kernel::prelude::*;

fn leave_elsewhere(link: &OwnerLink<DemoPair>) -> Result {
    let call = link.peer()?;
    run_in(Place::HardIrq, move || drop(call))
}

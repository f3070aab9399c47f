// SPDX-License-Identifier: GPL-2.0

//! Must not compile: a driver that keeps a call or a queue for longer than the link, or a payload for longer than the
//! batch.
// error: lifetime may not live long enough
// error: [E0515]: cannot return value referencing
// error: [E0505]: cannot move out of `batch` because it is borrowed

#![forbid(unsafe_code)]

use d2d::{
    driver::{
        Driver,
        DriverRef, //
    },
    link::{
        OwnerLink,
        PeerCall, //
    },
    queue::{
        Batch,
        Queue, //
    }, //
};
use d2d_pair::DemoPair;
use kernel::prelude::*;

fn keep_call(link: &OwnerLink<DemoPair>) -> Result<PeerCall<'static, DemoPair>> {
    link.peer()
}

fn keep_queue<T: Driver>(handle: DriverRef<T>) -> Option<Queue<'static>> {
    handle.link().map(|link| link.outgoing())
}

fn keep_payload(batch: Batch<'_>) -> usize {
    let payload = batch.iter().next().map_or(&[][..], |item| item.payload);
    drop(batch);
    payload.len()
}

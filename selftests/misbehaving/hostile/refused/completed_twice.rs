// SPDX-License-Identifier: GPL-2.0

//! Must not compile: a driver that completes a request or an offer twice, or redeems an item handle twice.
// error: [E0382]: use of moved value

#![forbid(unsafe_code)]

use d2d::{
    driver::{
        Driver,
        Offer, //
    },
    queue::{
        ItemHandle,
        Queue, //
    },
    request::{
        Disposition,
        Request, //
    }, //
};
use kernel::prelude::*;

fn complete<'a>(request: Request<'a>) -> Disposition<'a> {
    let _ = request.complete(Ok(()), 0);
    request.complete(Ok(()), 0)
}

fn complete_offer<'a, T: Driver>(offer: Offer<'a, T>) -> Disposition<'a> {
    let _ = offer.complete(Ok(()), 0);
    offer.complete(Ok(()), 0)
}

fn redeem(queue: Queue<'_>, handle: ItemHandle) {
    let _ = queue.redeem(handle);
    let _ = queue.redeem(handle);
}

// SPDX-License-Identifier: GPL-2.0

//! Test: a peer, the guest, that sets an event when it is loaded. The greeter (`greeter_peer.rs`) handles the event.

#![forbid(unsafe_code)]

use d2d::{
    driver::{
        Driver,
        DriverRef, //
    },
    event::{
        Event,
        Kind, //
    },
    request::{
        Disposition,
        Request, //
    },
};
use d2d_pair::{
    DemoPair,
    PeerData,
    PeerOps,
    ADD, //
};
use kernel::prelude::*;

d2d::module_peer! {
    type: Guest,
    owner: module_a,
    name: "guest_peer",
    authors: ["Beyond IRPs"],
    description: "Test: a peer that sets an event when it is loaded",
    license: "GPL",
    imports_ns: ["D2D"],
}

struct Guest;

impl Driver for Guest {
    type Pair = DemoPair;
    /// While the event is open, it stays set. So a greeter that is loaded later finds the event set.
    type Resources = Event;

    fn new() -> Result<Self> {
        Ok(Self)
    }

    fn start(driver: DriverRef<Self>) -> impl PinInit<Event, Error> {
        let arrived = driver.create_event(c"guest.arrived", Kind::Synchronization, false)?;
        arrived.set()?;
        Ok(arrived)
    }

    fn data(&self) -> PeerData {
        PeerData {
            cookie: 0x9f,
            deferred: 0,
            reserved: 0,
        }
    }

    fn dispatch<'a>(&self, request: Request<'a>) -> Disposition<'a> {
        request
            .on(ADD, |number, request| request.complete(&(number + 1)))
            .or_unknown()
    }
}

#[vtable]
impl PeerOps for Guest {}

// SPDX-License-Identifier: GPL-2.0

//! Test: a peer, the greeter, that learns by an event that the guest (`guest_peer.rs`) is loaded. It then sends the
//! guest a request. The two may be loaded in any order.

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
    job::WorkContext,
};
use d2d_pair::{
    DemoPair,
    PeerData,
    PeerOps,
    ADD, //
};
use kernel::prelude::*;

d2d::module_peer! {
    type: Greeter,
    owner: module_a,
    name: "greeter_peer",
    authors: ["Beyond IRPs"],
    description: "Test: a peer that learns by an event that another peer is loaded",
    license: "GPL",
    imports_ns: ["D2D"],
}

/// The time limit of the request, in milliseconds.
const PATIENCE: u32 = 30_000;

struct Greeter;

impl Greeter {
    /// May sleep.
    fn greet(driver: &DriverRef<Self>) -> Result<u64> {
        // A target is stale once its driver has unregistered, so look the guest up each time.
        let guest = driver.sender().lookup(c"guest_peer")?;
        let mut packet = driver.sender().packet_for(ADD)?;
        Ok(packet.call(&guest, ADD, &41, Some(PATIENCE))?)
    }
}

impl Driver for Greeter {
    type Pair = DemoPair;
    type Resources = Event;

    fn new() -> Result<Self> {
        Ok(Self)
    }

    fn start(driver: DriverRef<Self>) -> impl PinInit<Event, Error> {
        let greeting = driver.work(WorkContext::Worker, |driver, _work| {
            match Self::greet(driver) {
                Ok(answer) => pr_info!("answer={}\n", answer),
                Err(error) => pr_info!("no answer: {:?}\n", error),
            }
        })?;
        let arrived = driver.create_event(c"guest.arrived", Kind::Synchronization, false)?;
        // Starts the work item at once if the guest is there already.
        arrived.on_set(Some(&greeting))?;
        Ok(arrived)
    }

    fn data(&self) -> PeerData {
        PeerData {
            cookie: 0x9e,
            deferred: 0,
            reserved: 0,
        }
    }
}

#[vtable]
impl PeerOps for Greeter {}

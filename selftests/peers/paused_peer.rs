// SPDX-License-Identifier: GPL-2.0

//! Test: a peer that is unloaded while a call is inside it. The module pause_calls keeps the call in the operation
//! `drain`, in the dispatch routine or in the handshake.
//!
//! When the test resumes `drain`, the peer is detaching. `drain` then calls the owner's `bounce`, which tries to call
//! this peer's `bounce`. The call into this peer must fail; the trace shows the errno.

use d2d::{
    driver::{
        Driver,
        DriverRef,
        Offer, //
    },
    link::PeerLink,
    request::{
        Disposition,
        Request, //
    },
    trace::check_parameter, //
};
use d2d_pair::{
    take_all,
    DemoPair,
    PeerData,
    PeerOps, //
    ADD,
};
use kernel::{
    prelude::*,
    ModuleMetadata, //
};

// The only unsafe code here
unsafe extern "C" {
    safe fn d2d_pause_call();
    safe fn d2d_pause_handshake();
}

d2d::module_peer! {
    type: Paused,
    owner: module_a,
    name: "paused_peer",
    authors: ["Beyond IRPs"],
    description: "Test: a peer that is unloaded while a call is inside it",
    license: "GPL",
    imports_ns: ["D2D"],
    params: {
        deferred: u32 {
            default: 0,
            description: "Where the peer completes the handshake. 0: in `share`. 1: in `deferred`, in which pause_calls can pause it",
        },
    },
}

struct Paused {
    deferred: bool,
}

impl Driver for Paused {
    type Pair = DemoPair;
    type Resources = ();

    const DISPATCH_ATOMIC: bool = true;

    fn new() -> Result<Self> {
        let deferred = module_parameters::deferred.value();
        let deferred = check_parameter(PeerModule::NAME, "deferred", deferred, 0..=1)? == 1;
        Ok(Self { deferred })
    }

    fn start(_driver: DriverRef<Self>) -> impl PinInit<(), Error> {
        Ok(())
    }

    fn data(&self) -> PeerData {
        PeerData {
            cookie: 0x6e1d,
            deferred: self.deferred.into(),
            reserved: 0,
        }
    }

    fn dispatch<'a>(&self, request: Request<'a>) -> Disposition<'a> {
        d2d_pause_call();
        request
            .on(ADD, |value, request| {
                request.complete(&value.wrapping_add(1))
            })
            .or_unknown()
    }

    fn share<'a>(&self, offer: Offer<'a, Self>) -> Disposition<'a> {
        match self.deferred {
            true => offer.pend(),
            false => offer.accept(),
        }
    }

    fn deferred<'a>(&self, offer: Offer<'a, Self>) -> Disposition<'a> {
        d2d_pause_handshake();
        offer.accept()
    }
}

#[vtable]
impl PeerOps for Paused {
    fn ping(&self, _link: &PeerLink<DemoPair>, value: u32) -> Result<u32> {
        Ok(value.wrapping_add(1))
    }

    fn bounce(&self, link: &PeerLink<DemoPair>, hops: u32) -> Result<u32> {
        let Some(left) = hops.checked_sub(1) else {
            return Ok(0);
        };
        let calls = link.owner().bounce(left)?;
        Ok(calls.saturating_add(1))
    }

    fn drain(&self, link: &PeerLink<DemoPair>) -> Result<u32> {
        d2d_pause_call();
        let taken = take_all(PeerModule::NAME, &link.incoming())?;
        // The test reads the result from the trace.
        let _ = link.owner().bounce(1);
        Ok(taken)
    }
}

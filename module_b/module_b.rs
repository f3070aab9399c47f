// SPDX-License-Identifier: GPL-2.0

//! Driver B: adopts one of driver A's contexts.
//!
//! When B is loaded, the library registers it with driver A and asks for a context. A sends a
//! request with the context's address. B's `share` accepts the context, or lets a work item do so.
//!
//! If a process writes a number N to `/dev/module_b`, B plays N rounds. In a round, it exchanges calls,
//! items, requests and events with A, in each of these execution contexts: the system call of that
//! process, a kernel worker, softirq and hard interrupt.

#![forbid(unsafe_code)]

use d2d::{
    control,
    device::Settings,
    driver::{
        Driver,
        DriverRef,
        Offer, //
    },
    link::PeerLink,
    request::{
        Disposition,
        Request,
        RequestId, //
    },
    run_in::{
        run_in,
        Place, //
    },
    trace::check_parameter, //
};
use d2d_pair::{
    demo_events::DemoEvents,
    demo_requests::{
        self,
        DemoRequests,
        Packets, //
    },
    expect,
    take_all,
    update,
    DemoPair,
    Note,
    PeerData,
    PeerOps,
    MAX_HOPS,
    NOTE, //
};
use kernel::{
    prelude::*,
    uaccess::UserSliceReader,
    ModuleMetadata, //
};

d2d::module_peer! {
    type: DriverB,
    owner: module_a,
    name: "module_b",
    authors: ["Beyond IRPs"],
    description: "Driver to driver communication: a driver that adopts a shared context",
    license: "GPL",
    imports_ns: ["D2D"],
    params: {
        deferred: u32 {
            default: 0,
            description: "Complete the handshake: 0 at once, 1 later from a work item",
        },
    },
}

const OWNER: &CStr = c"module_a";

struct DriverB {
    /// Whether a work item completes the handshake.
    deferred: bool,
    requests: DemoRequests,
}

/// The library drops this before it unregisters B. From then on, no request can set B's events.
struct Resources(DriverRef<DriverB>);

impl Drop for Resources {
    fn drop(&mut self) {
        self.0.requests.set_events(None);
    }
}

impl Driver for DriverB {
    type Pair = DemoPair;
    type Resources = Resources;

    const CONTROL: Option<Settings> = Some(Settings::new(c"module_b"));
    const DISPATCH_ATOMIC: bool = true;

    fn new() -> Result<Self> {
        let deferred = module_parameters::deferred.value();
        let deferred = check_parameter(PeerModule::NAME, "deferred", deferred, 0..=1)? == 1;
        Ok(Self {
            deferred,
            requests: DemoRequests::new()?,
        })
    }

    /// Creates B's events. Waits for the handshake first, so that the trace always has the same order.
    fn start(driver: DriverRef<Self>) -> impl PinInit<Resources, Error> {
        // B stays loaded even if the handshake has failed, so ignore the error.
        let _ = driver.settled_link();
        DemoEvents::new(|event| driver.create_event_of(PeerModule::NAME, event, false)).map(
            |events| {
                driver.requests.set_events(Some(events));
                Resources(driver)
            },
        )
    }

    /// Plays as many rounds as the process has written, 1 to 1000.
    fn control(driver: &DriverRef<Self>, reader: &mut UserSliceReader) -> Result {
        let rounds = control::read_number(reader)?;
        check_parameter(PeerModule::NAME, "exercise", rounds, 1..=1000)?;

        let link = driver.settled_link()?;
        let sender = driver.sender();
        let owner = sender.lookup(OWNER)?;
        for _ in 0..rounds {
            for place in Place::ALL {
                let packets = Packets::new(&sender)?;
                run_in(place, || {
                    exercise(link)?;
                    demo_requests::exchange(packets, &owner)
                })??;
                driver.requests.await_signal(place, &sender, &owner, || {
                    DemoEvents::new(|event| driver.open_event_of(OWNER, event))
                })?;
            }
        }
        Ok(())
    }

    fn data(&self) -> PeerData {
        PeerData {
            cookie: 0xb,
            deferred: self.deferred.into(),
            reserved: 0,
        }
    }

    fn dispatch<'a>(&self, request: Request<'a>) -> Disposition<'a> {
        self.requests.dispatch(request)
    }

    fn cancelled(&self, id: RequestId) {
        self.requests.cancelled(id);
    }

    fn share<'a>(&self, offer: Offer<'a, Self>) -> Disposition<'a> {
        match self.deferred {
            true => offer.pend(),
            false => offer.accept(),
        }
    }
}

#[vtable]
impl PeerOps for DriverB {
    fn ping(&self, _link: &PeerLink<DemoPair>, value: u32) -> Result<u32> {
        Ok(value.wrapping_add(1))
    }

    fn bounce(&self, link: &PeerLink<DemoPair>, hops: u32) -> Result<u32> {
        if hops > MAX_HOPS {
            return Err(E2BIG);
        }
        let Some(left) = hops.checked_sub(1) else {
            return Ok(0);
        };
        let calls = link.owner().bounce(left)?;
        Ok(calls.saturating_add(1))
    }

    /// Does what the interface says, and puts four items: one alone, and three in a batch.
    fn drain(&self, link: &PeerLink<DemoPair>) -> Result<u32> {
        let taken = take_all(PeerModule::NAME, &link.incoming())?;
        NOTE.put(&link.outgoing(), &10)?;
        let notes: [Note; 3] = [20, 30, 40];
        NOTE.put_batch(&link.outgoing(), &notes)?;
        Ok(taken)
    }
}

/// Updates the shared data, and exchanges items and calls with the owner. Any context.
fn exercise(link: &PeerLink<DemoPair>) -> Result {
    update(PeerModule::NAME, link.context(), |shared| {
        &mut shared.by_peer
    })?;
    NOTE.put(&link.outgoing(), &7)?;
    link.owner().drain()?;
    take_all(PeerModule::NAME, &link.incoming())?;
    expect(link.owner().bounce(2)?, 2)
}

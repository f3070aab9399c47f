// SPDX-License-Identifier: GPL-2.0

//! Test: a peer that forwards requests to the driver that the parameter `next` selects.

#![forbid(unsafe_code)]

use d2d::{
    control_code::ControlCode,
    driver::{
        Driver,
        DriverRef, //
    },
    link::PeerLink,
    packet::{
        Outcome,
        Sleep, //
    },
    request::{
        Disposition,
        Pended,
        Request,
        RequestId, //
    },
    trace,
    trace::check_parameter, //
};
use d2d_pair::{
    take_all,
    DemoPair,
    PeerData,
    PeerOps, //
    SIGNAL,
};
use kernel::{
    prelude::*,
    sync::{
        new_spinlock_irq,
        SpinLockIrq, //
    },
    ModuleMetadata, //
};

d2d::module_peer! {
    type: Relay,
    owner: module_a,
    name: "relay_peer",
    authors: ["Beyond IRPs"],
    description: "Test: a peer that forwards requests",
    license: "GPL",
    imports_ns: ["D2D"],
    params: {
        next: u32 {
            default: 0,
            description: "To which driver the peer forwards requests. 0: module_a. 1: module_b. 2: handle_peer. 3: c_peer. 4: itself. 5: bob, a driver of the module actor",
        },
        then: u32 {
            default: 0,
            description: "What happens when the next driver has completed the request. 0: the request returns to the peer, which completes it. 1: the request does not return to the peer. 2: the request returns to the peer, which pends it",
        },
    },
}

const DRIVERS: [&CStr; 6] = [
    c"module_a",
    c"module_b",
    c"handle_peer",
    c"c_peer",
    c"relay_peer",
    c"bob",
];

/// Completes the request that the peer has pended.
const COMPLETE_PENDED: ControlCode<(), ()> = ControlCode::new(0x8f0);

// Values of `then`
const COMPLETE: u32 = 0;
const NO_RETURN: u32 = 1;
const PEND: u32 = 2;

struct Returned {
    request: Pended<()>,
    outcome: Outcome,
}

struct Relay {
    next: &'static CStr,
    then: u32,
    pended: Pin<KBox<SpinLockIrq<Option<Returned>>>>,
}

impl Relay {
    fn forward<'a>(&self, request: Request<'a>) -> Disposition<'a> {
        let target = match request.sender().lookup(self.next) {
            Ok(target) => target,
            Err(error) => return request.fail(error),
        };
        let code = request.code();
        request
            .forward(&target, code, self.then != NO_RETURN, Sleep::Cannot)
            .unwrap_or_else(|(error, request)| request.fail(error))
    }

    fn take(&self, f: impl Fn(&Returned) -> bool) -> Option<Returned> {
        self.pended.lock().take_if(|returned| f(returned))
    }

    fn complete_pended(&self) -> Result {
        let returned = self.take(|_| true).ok_or(ENOENT)?;
        returned.request.complete_as(returned.outcome)
    }
}

impl Driver for Relay {
    type Pair = DemoPair;
    type Resources = ();

    const DISPATCH_ATOMIC: bool = true;

    fn new() -> Result<Self> {
        let next = module_parameters::next.value();
        let next = check_parameter(PeerModule::NAME, "next", next, 0..=5)?;
        let then = module_parameters::then.value();
        Ok(Self {
            next: DRIVERS.get(next as usize).ok_or(EINVAL)?,
            then: check_parameter(PeerModule::NAME, "then", then, COMPLETE..=PEND)?,
            pended: KBox::pin_init(new_spinlock_irq!(None, "relay_peer::pended"), GFP_KERNEL)?,
        })
    }

    fn start(_driver: DriverRef<Self>) -> impl PinInit<(), Error> {
        Ok(())
    }

    fn data(&self) -> PeerData {
        PeerData {
            cookie: 0x3e1a,
            deferred: 0,
            reserved: 0,
        }
    }

    fn dispatch<'a>(&self, request: Request<'a>) -> Disposition<'a> {
        match request.code() {
            code if code == COMPLETE_PENDED.raw() => match self.complete_pended() {
                Ok(()) => request.complete(Ok(()), 0),
                Err(error) => request.fail(error),
            },
            // Do not forward this request: the sender would then open events of this peer, which has none.
            code if code == SIGNAL.raw() => request.fail(ENOTTY),
            _ => self.forward(request),
        }
    }

    fn returned<'a>(&self, request: Request<'a>, outcome: Outcome) -> Disposition<'a> {
        let status = outcome.result.err().map_or(0, Error::to_errno);
        trace!(completion, via: "returned", status: status);
        if self.then != PEND {
            return request.complete_as(outcome);
        }
        let mut pended = self.pended.lock();
        let (disposition, request) = request.pend();
        let returned = Returned { request, outcome };
        // If the request is cancelled later, `cancelled()` waits for this lock, and then finds the request in `pended`.
        let to_drop = match returned.request.tell_if_cancelled() {
            Ok(()) => pended.replace(returned),
            Err(_) => Some(returned),
        };
        drop(pended);
        drop(to_drop);
        disposition
    }

    fn cancelled(&self, id: RequestId) {
        trace!(cancel, what: "pended");
        drop(self.take(|returned| returned.request.id() == id));
    }
}

#[vtable]
impl PeerOps for Relay {
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
        take_all(PeerModule::NAME, &link.incoming())
    }
}

// SPDX-License-Identifier: GPL-2.0

//! Test: a peer that forwards each request to another driver.
//!
//! The parameter `next` selects that driver. The parameter `mode` selects what happens after the other
//! driver has completed the request:
//!
//! - 0: the request returns to this peer, which completes it,
//! - 1: the request does not return,
//! - 2: the request returns and stays pending here, until the request [`LET_GO`] arrives.

#![forbid(unsafe_code)]

use d2d::{
    abi,
    driver::{
        Driver,
        Handle, //
    },
    link::PeerLink,
    packet::Sleep,
    request::{
        ControlCode,
        Disposition,
        Outcome,
        Pended,
        Request,
        RequestId, //
    },
    trace,
    trace::check_parameter, //
};
use d2d_pair::{
    desk::SIGNAL,
    take_all,
    DemoPair,
    PeerOps, //
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
    name: "relay_peer",
    authors: ["Beyond IRPs"],
    description: "Test: a peer that forwards requests",
    license: "GPL",
    imports_ns: ["D2D"],
    params: {
        next: u32 {
            default: 0,
            description: "Where to forward: 0 module_a, 1 module_b, 2 third_peer, 3 c_peer, 4 itself, 5 bob",
        },
        mode: u32 {
            default: 0,
            description: "Afterwards: 0 complete it, 1 it does not return, 2 keep it pending",
        },
    },
}

const DRIVERS: [&CStr; 6] = [
    c"module_a",
    c"module_b",
    c"third_peer",
    c"c_peer",
    c"relay_peer",
    c"bob",
];

/// Makes this peer complete the request that it keeps.
const LET_GO: ControlCode<(), ()> = ControlCode::new(0x8f0);

const AWAY: u32 = 1;
const KEEP: u32 = 2;

/// A request that came back and was not completed yet.
struct Kept {
    request: Pended<()>,
    outcome: Outcome,
}

/// The driver.
struct Relay {
    next: &'static CStr,
    mode: u32,
    kept: Pin<KBox<SpinLockIrq<Option<Kept>>>>,
}

impl Relay {
    fn forward<'a>(&self, request: Request<'a>) -> Disposition<'a> {
        let target = match request.sender().lookup(self.next) {
            Ok(target) => target,
            Err(error) => return request.fail(error),
        };
        let code = request.code();
        request
            .forward(&target, code, self.mode != AWAY, Sleep::Cannot)
            .unwrap_or_else(|(error, request)| request.fail(error))
    }

    fn take(&self, f: impl Fn(&Kept) -> bool) -> Option<Kept> {
        self.kept.lock().take_if(|kept| f(kept))
    }

    fn let_go(&self) -> Result {
        let kept = self.take(|_| true).ok_or(ENOENT)?;
        kept.request.complete_as(kept.outcome)
    }
}

impl Driver for Relay {
    type Pair = DemoPair;
    type Front = ();

    const DISPATCH_ATOMIC: bool = true;

    fn new() -> Result<Self> {
        let next = module_parameters::next.value();
        let next = check_parameter(PeerModule::NAME, "next", next, 0..=5)?;
        let mode = module_parameters::mode.value();
        Ok(Self {
            next: DRIVERS.get(next as usize).ok_or(EINVAL)?,
            mode: check_parameter(PeerModule::NAME, "mode", mode, 0..=2)?,
            kept: KBox::pin_init(new_spinlock_irq!(None, "relay_peer::kept"), GFP_KERNEL)?,
        })
    }

    fn front(_driver: Handle<Self>) -> impl PinInit<(), Error> {
        Ok(())
    }

    fn data(&self) -> abi::d2d_pair_peer_data {
        abi::d2d_pair_peer_data {
            cookie: 0x3e1a,
            deferred: 0,
            reserved: 0,
        }
    }

    fn dispatch<'a>(&self, request: Request<'a>) -> Disposition<'a> {
        match request.code() {
            code if code == LET_GO.raw() => match self.let_go() {
                Ok(()) => request.complete(Ok(()), 0),
                Err(error) => request.fail(error),
            },
            // SIGNAL sets an event of the driver that receives it; the sender waits for one of this peer.
            code if code == SIGNAL.raw() => request.fail(ENOTTY),
            _ => self.forward(request),
        }
    }

    fn returned<'a>(&self, request: Request<'a>, outcome: Outcome) -> Disposition<'a> {
        let status = outcome.result.err().map_or(0, Error::to_errno);
        trace!(Completion, "via=returned status={}", status);
        if self.mode != KEEP {
            return request.complete_as(outcome);
        }
        let mut place = self.kept.lock();
        let (disposition, request) = request.pend();
        let kept = Kept { request, outcome };
        // A cancellation from here on calls `cancelled()`, which waits for this lock and then finds the
        // request in its place.
        let lost = match kept.request.tell_if_cancelled() {
            Ok(()) => place.replace(kept),
            Err(_) => Some(kept),
        };
        drop(place);
        drop(lost);
        disposition
    }

    fn cancelled(&self, id: RequestId) {
        trace!(Cancel, "told=this");
        drop(self.take(|kept| kept.request.id() == id));
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
        Ok(take_all(&link.incoming(), |_| ()))
    }
}

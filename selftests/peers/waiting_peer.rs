// SPDX-License-Identifier: GPL-2.0

//! Test: a peer that is unloaded while an operation, [`Driver::deferred`] or a job waits without a limit. Only the
//! library can end the wait.

#![forbid(unsafe_code)]

use d2d::{
    driver::{
        Driver,
        DriverRef,
        Offer, //
    },
    event::{
        Event,
        Kind,
        Wait, //
    },
    job::WorkContext,
    link::PeerLink,
    packet::Sleep,
    request::Disposition,
    trace,
    trace::check_parameter, //
};
use d2d_pair::{
    DemoPair,
    PeerData,
    PeerOps, //
    PEND,
};
use kernel::{
    prelude::*,
    sync::{
        new_spinlock_irq,
        Completion,
        SpinLockIrq, //
    },
    time::{
        delay::fsleep,
        Delta, //
    },
    ModuleMetadata, //
};

d2d::module_peer! {
    type: Waiting,
    owner: module_a,
    name: "waiting_peer",
    authors: ["Beyond IRPs"],
    description: "Test: a peer that waits without a limit",
    license: "GPL",
    imports_ns: ["D2D"],
    params: {
        waits_in: u32 {
            default: 0,
            description: "Where the peer waits. 0: in the operation `drain`. 1: in its function `deferred`. 2: in a work item. 3: in a thread",
        },
        waits_for: u32 {
            default: 0,
            description: "What the peer waits for. 0: an event of its own. 1: a request that it has sent. 2: the end of its handshake, by `settled_link`. 3: nothing; its function `deferred` pends the handshake again, until that is refused",
        },
        settles: u32 {
            default: 0,
            description: "1: the peer's function `start` calls `settled_link`",
        },
    },
}

// Values of `waits_in`
const DEFERRED: u32 = 1;
const WORK: u32 = 2;
const THREAD: u32 = 3;

// Values of `waits_for`
const EVENT: u32 = 0;
const REQUEST: u32 = 1;
const LINK: u32 = 2;
const AGAIN: u32 = 3;

/// The driver that receives the request [`PEND`], and keeps it pending.
const OWNER: &CStr = c"module_a";

struct Awaited {
    event: Event,
    /// While the driver stores this reference to itself, the driver cannot be freed. So the function that waits takes
    /// the reference out.
    handle: DriverRef<Waiting>,
}

#[pin_data]
struct Inner {
    #[pin]
    awaited: SpinLockIrq<Option<Awaited>>,
    #[pin]
    ready: Completion,
}

struct Waiting {
    waits_in: u32,
    waits_for: u32,
    inner: Pin<KBox<Inner>>,
}

/// If no function has taken [`Awaited::handle`], `drop` takes it: while it is stored, the driver is never freed.
struct Resources(DriverRef<Waiting>);

impl Drop for Resources {
    fn drop(&mut self) {
        let left = self.0.inner.awaited.lock().take();
        drop(left);
    }
}

impl Waiting {
    fn wait(&self) -> Result {
        self.inner.ready.wait_for_completion();
        let awaited = self.inner.awaited.lock().take();
        let Awaited { event, handle } = awaited.ok_or(ENODATA)?;
        match self.waits_for {
            EVENT => event.wait(Wait::FOREVER),
            REQUEST => {
                let sender = handle.sender();
                let packet = sender.packet_for(PEND)?;
                let to = sender.lookup(OWNER)?;
                let sent = packet.send(&to, PEND, &1, Sleep::May);
                let sent = sent.map_err(|refused| refused.error)?;
                sent.wait(None)?.output::<u64>()?;
                Ok(())
            }
            LINK => handle.settled_link().map(|_| ()),
            _ => Ok(()),
        }
    }

    fn wait_in(&self, place: &str) -> Result {
        let waited = self.wait();
        let status = waited.map_or_else(Error::to_errno, |()| 0);
        trace!(event_wait, by: place, status: status);
        waited
    }

    /// Starts the job that waits. The test reads the result of the wait from the trace.
    fn start_job(driver: &DriverRef<Self>) -> Result {
        match driver.waits_in {
            WORK => {
                let work = driver.work(WorkContext::Worker, |driver, _work| {
                    let _ = driver.wait_in("work");
                })?;
                work.start()
            }
            THREAD => {
                let thread = driver.thread(c"waiting_thread", |driver, _thread| {
                    let _ = driver.wait_in("thread");
                })?;
                thread.start()
            }
            _ => Ok(()),
        }
    }
}

impl Driver for Waiting {
    type Pair = DemoPair;
    type Resources = Resources;

    fn new() -> Result<Self> {
        let waits_in = module_parameters::waits_in.value();
        let waits_for = module_parameters::waits_for.value();
        let inner = pin_init!(Inner {
            awaited <- new_spinlock_irq!(None, "waiting_peer::awaited"),
            ready <- Completion::new(),
        });
        Ok(Self {
            waits_in: check_parameter(PeerModule::NAME, "waits_in", waits_in, 0..=THREAD)?,
            waits_for: check_parameter(PeerModule::NAME, "waits_for", waits_for, 0..=AGAIN)?,
            inner: KBox::pin_init(inner, GFP_KERNEL)?,
        })
    }

    fn start(driver: DriverRef<Self>) -> impl PinInit<Resources, Error> {
        let make = move || {
            // If a later step fails, dropping `resources` takes the handle out of the driver.
            let resources = Resources(driver);
            let driver = &resources.0;
            let event = driver.create_event(c"waiting_peer.own", Kind::Notification, false)?;
            let handle = driver.clone();
            *driver.inner.awaited.lock() = Some(Awaited { event, handle });
            driver.inner.ready.complete_all();
            Self::start_job(driver)?;
            if module_parameters::settles.value() != 0 {
                driver.settled_link()?;
            }
            Ok(resources)
        };
        make()
    }

    fn data(&self) -> PeerData {
        PeerData {
            cookie: 0xa17,
            deferred: (self.waits_in == DEFERRED).into(),
            reserved: 0,
        }
    }

    fn share<'a>(&self, offer: Offer<'a, Self>) -> Disposition<'a> {
        match self.waits_in {
            DEFERRED => offer.pend(),
            _ => offer.accept(),
        }
    }

    fn deferred<'a>(&self, offer: Offer<'a, Self>) -> Disposition<'a> {
        if self.waits_for == AGAIN {
            // Only to print fewer lines.
            fsleep(Delta::from_millis(10));
            return offer.pend();
        }
        // The test reads the result from the trace.
        let _ = self.wait_in("deferred");
        offer.accept()
    }
}

#[vtable]
impl PeerOps for Waiting {
    /// module_a calls `ping` first in a new context. `ping` fails, so that module_a makes no other call.
    fn ping(&self, _link: &PeerLink<DemoPair>, _value: u32) -> Result<u32> {
        Err(EBUSY)
    }

    fn drain(&self, _link: &PeerLink<DemoPair>) -> Result<u32> {
        self.wait_in("operation").map(|()| 0)
    }
}

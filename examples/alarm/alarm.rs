// SPDX-License-Identifier: GPL-2.0

//! The alarm: the owner. It leaves requests pending, and completes each at its time, in the softirq
//! of a timer that runs only while a request is pending.
//!
//! The originals are `windows/alarm/alarm.c` (WDM) and `windows/kmdf/alarm.c` (KMDF).

#![forbid(unsafe_code)]

use alarm_pair::{
    AlarmOps,
    AlarmPair,
    LONGEST,
    MOST,
    RING, //
};
use d2d::{
    job::{
        Timer,
        TimerContext,
        Work,
        WorkContext, //
    },
    link::OwnerLink,
    request::{
        Disposition,
        Pended,
        Request,
        RequestId,
        Typed, //
    }, //
};
use d2d_owner::{
    Config,
    Contexts,
    Owner, //
};
use kernel::{
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        new_spinlock_irq,
        Arc,
        SetOnce,
        SpinLockIrq, //
    },
    time::{
        Delta,
        Instant,
        Monotonic, //
    },
    ModuleMetadata, //
};

d2d_owner::module_owner! {
    type: Alarm,
    name: "alarm",
    authors: ["Beyond IRPs"],
    description: "Example: leaves requests pending until a timer expires",
    license: "GPL",
}

/// A request that is pending.
struct Waiting {
    /// When it is completed, in nanoseconds since the driver was made.
    due: i64,
    request: Pended<u64>,
}

/// The driver.
struct Alarm {
    made: Instant<Monotonic>,
    /// Set in [`Owner::ready`], like `log`.
    timer: SetOnce<Timer>,
    log: SetOnce<Work>,
    /// Room for all requests is allocated when the driver is loaded.
    waiting: Pin<KBox<SpinLockIrq<[Option<Waiting>; MOST]>>>,
    rang: Atomic<u64>,
    cancelled: Atomic<u64>,
}

impl Alarm {
    /// Leaves a request pending for `after` milliseconds. Any context.
    fn wait<'a>(&self, after: u32, request: Typed<'a, u64>) -> Disposition<'a> {
        if !(1..=LONGEST).contains(&after) {
            return request.fail(EINVAL);
        }
        let due = self.now() + Delta::from_millis(after.into()).as_nanos();
        let mut waiting = self.waiting.lock();
        let Some(place) = waiting.iter_mut().find(|place| place.is_none()) else {
            drop(waiting);
            return request.fail(EBUSY);
        };
        let (disposition, request) = request.pend();
        // If the request is cancelled from here on, `cancelled` waits for the lock and then finds
        // it. If it was cancelled before, the library does not call `cancelled`.
        let lost = match request.tell_if_cancelled() {
            Ok(()) => place
                .replace(Waiting { due, request })
                .map(|old| old.request),
            Err(_) => Some(request),
        };
        self.arm(&*waiting);
        drop(waiting);
        // Outside of the lock, as this may call another driver.
        drop(lost);
        disposition
    }

    /// Starts the timer for the request that is due first. The caller holds the lock.
    fn arm(&self, waiting: &[Option<Waiting>]) {
        let first = waiting.iter().flatten().map(|one| one.due).min();
        if let (Some(due), Some(timer)) = (first, self.timer.as_ref()) {
            // Fails only while the driver is being unloaded, which cancels the requests.
            let _ = timer.start(Delta::from_nanos(due - self.now()));
        }
    }

    /// Completes the requests that are due. Called in softirq.
    fn expired(&self) {
        let now = self.now();
        while let Some(due) = self.take(|one| one.due <= now) {
            // Fails if the request was cancelled meanwhile.
            if due.request.complete(&self.rang.load(Relaxed)).is_ok() {
                self.rang.fetch_add(1, Relaxed);
            }
        }
        self.arm(&*self.waiting.lock());
        if let Some(log) = self.log.as_ref() {
            // Fails only while the driver is being unloaded.
            let _ = log.start();
        }
    }

    /// Removes the first request for which `f` is true.
    fn take(&self, f: impl Fn(&Waiting) -> bool) -> Option<Waiting> {
        let mut waiting = self.waiting.lock();
        waiting
            .iter_mut()
            .find_map(|place| place.take_if(|one| f(one)))
    }

    fn now(&self) -> i64 {
        self.made.elapsed().as_nanos()
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        let (rang, cancelled) = (self.rang.load(Relaxed), self.cancelled.load(Relaxed));
        pr_info!("unload rang={} cancelled={}\n", rang, cancelled);
    }
}

impl Owner for Alarm {
    type Pair = AlarmPair;
    type State = ();

    const DISPATCH_ATOMIC: bool = true;

    fn config() -> Result<Config> {
        Config::new(OwnerModule::NAME, 1, 8, 8, 0, 5000)
    }

    fn state(_config: &Config) -> impl PinInit<(), Error> {
        Ok::<_, Error>(())
    }

    fn new(_state: &Arc<()>, _id: u32) -> Result<Self> {
        let waiting = new_spinlock_irq!([const { None }; MOST], "alarm::waiting");
        Ok(Self {
            made: Instant::now(),
            timer: SetOnce::new(),
            log: SetOnce::new(),
            waiting: KBox::pin_init(waiting, GFP_KERNEL)?,
            rang: Atomic::new(0),
            cancelled: Atomic::new(0),
        })
    }

    /// Makes the timer and the work item. The library stops both when the module is unloaded.
    fn ready(contexts: &Contexts<'_, Self>) -> Result {
        let (this, _) = contexts.get(0).ok_or(ENODEV)?;
        let log = contexts.work(WorkContext::Worker, |contexts, _work| {
            if let Some((this, _)) = contexts.get(0) {
                pr_info!("log rang={}\n", this.rang.load(Relaxed));
            }
        })?;
        this.log.populate(log);
        let timer = contexts.timer(TimerContext::SoftIrq, |contexts, _timer| {
            if let Some((this, _)) = contexts.get(0) {
                this.expired();
            }
        })?;
        this.timer.populate(timer);
        Ok(())
    }

    fn data(_config: &Config) {}

    fn dispatch<'a>(contexts: &Contexts<'_, Self>, request: Request<'a>) -> Disposition<'a> {
        let Some((this, _)) = contexts.get(0) else {
            return request.fail(ENODEV);
        };
        request
            .on(RING, |after, request| this.wait(after, request))
            .or_unknown()
    }

    fn cancelled(contexts: &Contexts<'_, Self>, id: RequestId) {
        if let Some((this, _)) = contexts.get(0) {
            if this.take(|one| one.request.id() == id).is_some() {
                this.cancelled.fetch_add(1, Relaxed);
            }
        }
    }

    fn attached(&self, _link: &OwnerLink<AlarmPair>) {}

    fn detached(&self, _link: &OwnerLink<AlarmPair>) {}
}

#[vtable]
impl AlarmOps for Alarm {
    fn waiting(&self, _link: &OwnerLink<AlarmPair>) -> Result<u32> {
        let waiting = self.waiting.lock();
        Ok(waiting.iter().flatten().count() as u32)
    }
}

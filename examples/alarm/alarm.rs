// SPDX-License-Identifier: GPL-2.0

//! The alarm: the owner. It leaves requests pending, and completes each at its time, in the softirq
//! of a timer that runs only while something is pending. It does the same with the calls of processes,
//! `ioctl`s of `/dev/alarm`.
//!
//! The originals are `windows/alarm/alarm.c` (WDM) and `windows/kmdf/alarm.c` (KMDF, without the calls).

#![forbid(unsafe_code)]

use alarm_pair::{
    AlarmOps,
    AlarmPair,
    LONGEST,
    MOST,
    RING, //
};
use d2d::{
    device::{
        self,
        Argument,
        Call,
        Opening,
        Settings, //
    },
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
    Owner,
    OwnerRef, //
};
use kernel::{
    ioctl::_IOWR,
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
    description: "Example: leaves requests and calls pending until a timer expires",
    license: "GPL",
}

/// The command of `ioctl`. Its argument points to a `u64`, the number of milliseconds for which the call stays
/// pending, 1 to [`LONGEST`]. The alarm then replaces that number by how many requests and calls it has completed
/// before. Fails as [`RING`](alarm_pair::RING) does, and with `EINTR` if a signal comes.
const WAIT: u32 = _IOWR::<u64>('a' as u32, 1);

/// What is pending.
enum Pending {
    /// A request of the sleeper.
    Request(Pended<u64>),
    /// The call of a process.
    Call(device::Pended<u64>),
}

impl Pending {
    /// Returns whether this has completed the request or the call: not if it was cancelled meanwhile. Any context.
    fn complete(self, rang: u64) -> bool {
        match self {
            Self::Request(request) => request.complete(&rang).is_ok(),
            Self::Call(call) => call.complete(rang).is_ok(),
        }
    }

    /// Returns whether it is the request with this number. Any context.
    fn is_request(&self, id: RequestId) -> bool {
        matches!(self, Self::Request(request) if request.id() == id)
    }

    /// Returns whether it is a call for whose answer no process waits any more. Any context.
    fn is_cancelled_call(&self) -> bool {
        matches!(self, Self::Call(call) if call.is_cancelled())
    }
}

/// A request or a call, and its time.
struct Waiting {
    /// When it is completed, in nanoseconds since [`Alarm::made`].
    due: i64,
    what: Pending,
}

/// An open file of `/dev/alarm`.
struct Opened;

impl device::File for Opened {
    type Driver = OwnerRef<Alarm>;

    fn open(_alarm: &Self::Driver, _opening: &Opening<'_>) -> impl PinInit<Self, Error> {
        Ok(Self)
    }

    fn ioctl(
        &self,
        alarm: &Self::Driver,
        call: &Call<'_>,
        command: u32,
        argument: Argument,
    ) -> Result<u32> {
        if command != WAIT {
            return Err(ENOTTY);
        }
        if !call.may_write() {
            return Err(EBADF);
        }
        let contexts = alarm.contexts();
        let (this, _) = contexts.get(0).ok_or(ENODEV)?;
        let (mut reader, mut writer) = argument.slice().reader_writer();
        let rang = this.ring(u32::try_from(reader.read::<u64>()?)?, call)?;
        writer.write(&rang)?;
        Ok(0)
    }
}

/// The driver.
struct Alarm {
    made: Instant<Monotonic>,
    /// Set in [`Owner::ready`], like `log`.
    timer: SetOnce<Timer>,
    log: SetOnce<Work>,
    /// Room for all requests and calls is allocated when the driver is loaded.
    waiting: Pin<KBox<SpinLockIrq<[Option<Waiting>; MOST]>>>,
    /// How many requests and calls were completed.
    rang: Atomic<u64>,
    /// How many requests and calls were cancelled.
    cancelled: Atomic<u64>,
}

impl Alarm {
    /// Leaves the call of a process pending for `after` milliseconds, and waits for its answer. May sleep.
    fn ring(&self, after: u32, call: &Call<'_>) -> Result<u64> {
        let due = self.due(after)?;
        let (answer, pended) = call.pend()?;
        {
            let mut waiting = self.waiting.lock();
            let place = waiting.iter_mut().find(|place| place.is_none());
            *place.ok_or(EBUSY)? = Some(Waiting {
                due,
                what: Pending::Call(pended),
            });
            self.arm(&*waiting);
        }
        answer.wait_or_cancel(call).inspect_err(|_| {
            // If several threads get here, each removes one of the cancelled calls: its own or another's.
            if self.take(|one| one.what.is_cancelled_call()).is_some() {
                self.cancelled.fetch_add(1, Relaxed);
            }
        })
    }

    /// Returns the time `after` milliseconds from now, for [`Waiting::due`]. Any context.
    fn due(&self, after: u32) -> Result<i64> {
        if !(1..=LONGEST).contains(&after) {
            return Err(EINVAL);
        }
        Ok(self.now() + Delta::from_millis(after.into()).as_nanos())
    }

    /// Leaves a request pending for `after` milliseconds. Any context.
    fn wait<'a>(&self, after: u32, request: Typed<'a, u64>) -> Disposition<'a> {
        let due = match self.due(after) {
            Ok(due) => due,
            Err(error) => return request.fail(error),
        };
        let mut waiting = self.waiting.lock();
        let Some(place) = waiting.iter_mut().find(|place| place.is_none()) else {
            drop(waiting);
            return request.fail(EBUSY);
        };
        let (disposition, request) = request.pend();
        // If the request is cancelled after `tell_if_cancelled`, `cancelled` waits for the lock and
        // then finds the request. If it was cancelled before, the library does not call `cancelled`.
        if request.tell_if_cancelled().is_err() {
            drop(waiting);
            // Outside of the lock, as this may call another driver.
            drop(request);
            return disposition;
        }
        *place = Some(Waiting {
            due,
            what: Pending::Request(request),
        });
        self.arm(&*waiting);
        disposition
    }

    /// Starts the timer for what is due first. The caller holds the lock.
    fn arm(&self, waiting: &[Option<Waiting>]) {
        let first = waiting.iter().flatten().map(|one| one.due).min();
        if let (Some(due), Some(timer)) = (first, self.timer.as_ref()) {
            // Fails only while the driver is being unloaded, which cancels the requests. No call is pending then.
            let _ = timer.start(Delta::from_nanos(due - self.now()));
        }
    }

    /// Completes what is due. Called in softirq.
    fn expired(&self) {
        let now = self.now();
        while let Some(due) = self.take(|one| one.due <= now) {
            if due.what.complete(self.rang.load(Relaxed)) {
                self.rang.fetch_add(1, Relaxed);
            }
        }
        self.arm(&*self.waiting.lock());
        if let Some(log) = self.log.as_ref() {
            // Fails only while the driver is being unloaded.
            let _ = log.start();
        }
    }

    /// Removes the first request or call for which `f` is true.
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

    /// Makes the timer, the work item and the device. The library stops and removes them when the module is unloaded.
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
        contexts.device::<Opened>(Settings::new(c"alarm"))?;
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
            if this.take(|one| one.what.is_request(id)).is_some() {
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

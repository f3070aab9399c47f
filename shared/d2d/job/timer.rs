// SPDX-License-Identifier: GPL-2.0

//! Jobs that run when a timer expires.
//!
//! The kernel crate's `HrTimer` does not fit: each start returns an `HrTimerHandle`. If safe code leaks this value, the
//! timer can expire after the module's text is freed. Dropping the value of an earlier start cancels a later start.
//! Only code that has the value can cancel the timer.

use super::{
    handler,
    EventHandler,
    Job,
    Routine,
    RoutineForEvent,
    RunJob,
    Startable, //
};
use kernel::{
    bindings,
    container_of,
    prelude::*,
    sync::{
        new_spinlock_irq,
        Arc,
        ArcBorrow,
        SpinLockIrq, //
    },
    time::{
        ClockSource as _,
        Delta,
        Monotonic, //
    },
    types::Opaque, //
};

/// Where the routine runs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum TimerContext {
    /// Softirq.
    SoftIrq,
    /// Hard interrupt.
    HardIrq,
}

impl TimerContext {
    /// For hard interrupt, not `HRTIMER_MODE_ABS_HARD`: in that mode, lockdep reports each `spinlock_t` that is taken.
    fn mode(self) -> bindings::hrtimer_mode {
        match self {
            Self::SoftIrq => bindings::hrtimer_mode_HRTIMER_MODE_ABS_SOFT,
            Self::HardIrq => bindings::hrtimer_mode_HRTIMER_MODE_ABS,
        }
    }
}

/// A job that runs its routine when a timer expires, once or periodically, and never in two threads at once.
#[derive(Clone)]
pub struct Timer(Arc<Inner>);

impl Timer {
    /// Never inlined: see [`Routine::new`].
    #[inline(never)]
    pub(super) fn new(context: TimerContext, routine: Arc<RunJob<Self>>) -> Result<Self> {
        let init = pin_init!(Inner {
            // SAFETY: `slot` is valid for writes. `expired` expects the field of an `Inner`.
            timer <- Opaque::ffi_init(|slot| unsafe {
                bindings::hrtimer_setup(
                    slot,
                    Some(expired),
                    bindings::CLOCK_MONOTONIC as bindings::clockid_t,
                    context.mode(),
                )
            }),
            mode: context.mode(),
            expiry <- new_spinlock_irq!(
                Expiry::new(),
                "d2d::Timer::expiry"
            ),
            routine <- Routine::new(routine),
        });
        Ok(Self(Arc::pin_init(init, GFP_KERNEL)?))
    }

    pub(super) fn job(&self) -> Arc<dyn Job> {
        self.0.clone()
    }

    /// Makes the timer expire once, after the time `after`, or as soon as possible if `after` is not positive.
    /// Replaces an earlier start. Any context.
    ///
    /// # Errors
    ///
    /// `ESHUTDOWN` if the driver is leaving.
    pub fn start(&self, after: Delta) -> Result {
        self.0.start_after(after, None)
    }

    /// Makes the timer expire after each `period`. Replaces an earlier start. An expiry is skipped if the last run of
    /// the routine has not ended, or if the CPU is late. Any context.
    ///
    /// # Errors
    ///
    /// `EINVAL` if `period` is not positive, `ESHUTDOWN` if the driver is leaving.
    pub fn start_every(&self, period: Delta) -> Result {
        if period.is_zero() || period.is_negative() {
            return Err(EINVAL);
        }
        self.0.start_after(period, Some(period))
    }

    /// Returns how many expiries of [`start_every`](Self::start_every) were skipped since the timer was made. If the
    /// routine calls this, the expiry for which it runs is not counted yet. Any context.
    pub fn overruns(&self) -> u64 {
        self.0.expiry.lock().overruns()
    }

    /// Cancels the start, if there is one. The routine may still be running, or about to run for an expiry that has
    /// passed. Any context.
    pub fn cancel(&self) {
        let mut expiry = self.0.expiry.lock();
        // While the callback runs, hrtimer_try_to_cancel() does nothing, even if the timer is queued again. The
        // next callback does not run the routine, because `next` is `None`.
        expiry.next = None;
        // SAFETY: The timer is initialized. No deadlock: this does not wait for the callback, which takes the lock.
        unsafe { bindings::hrtimer_try_to_cancel(self.0.timer.get()) };
    }
}

impl EventHandler for Timer {}

impl Startable for Timer {
    fn as_routine(&self) -> RoutineForEvent {
        handler(&*self.0)
    }
}

pub(super) struct Expiry {
    is_closed: bool,
    /// `None` if the timer is to expire once.
    period: Option<Delta>,
    /// In nanoseconds of the monotonic clock; `None` if no expiry is to come.
    next: Option<bindings::ktime_t>,
    overruns: u64,
    starts: u64,
}

impl Expiry {
    pub(super) const fn new() -> Self {
        Self {
            is_closed: false,
            period: None,
            next: None,
            overruns: 0,
            starts: 0,
        }
    }

    pub(super) fn overruns(&self) -> u64 {
        self.overruns
    }

    pub(super) fn start(&mut self, next: bindings::ktime_t, period: Option<Delta>) {
        self.period = period;
        self.next = Some(next);
        self.starts = self.starts.wrapping_add(1);
    }

    /// Returns the number of the last start, or `None` if the routine must not run: the timer was cancelled, or was
    /// started again with a later expiry.
    pub(super) fn begin(&mut self, now: bindings::ktime_t) -> Option<u64> {
        self.next.filter(|next| *next <= now)?;
        if self.period.is_none() {
            self.next = None;
        }
        Some(self.starts)
    }

    /// Moves the next expiry of a periodic timer to the first one after `now`, and returns it. `start` is the result
    /// of [`begin`](Self::begin). Returns `None` if the timer has no period, or was closed, cancelled or started again.
    pub(super) fn advance(
        &mut self,
        start: u64,
        now: bindings::ktime_t,
    ) -> Option<bindings::ktime_t> {
        if self.is_closed || self.starts != start {
            return None;
        }
        let (period, next) = (self.period?.as_nanos(), self.next?);
        let late = now.checked_sub(next)?;
        let skipped = late.checked_div(period)?;
        self.overruns = self.overruns.saturating_add(skipped as u64);
        let step = skipped.saturating_add(1).saturating_mul(period);
        self.next = Some(next.saturating_add(step));
        self.next
    }
}

#[pin_data]
struct Inner {
    #[pin]
    timer: Opaque<bindings::hrtimer>,
    mode: bindings::hrtimer_mode,
    /// The lock serializes starting the timer with [`Job::close`].
    #[pin]
    expiry: SpinLockIrq<Expiry>,
    #[pin]
    routine: Routine<Timer>,
}

// SAFETY: A timer may be used by any thread, and the other fields are `Send`.
unsafe impl Send for Inner {}
// SAFETY: The kernel synchronizes the use of the timer, and the other fields are `Sync`.
unsafe impl Sync for Inner {}

impl Inner {
    fn start_after(&self, after: Delta, period: Option<Delta>) -> Result {
        let mut expiry = self.expiry.lock();
        if expiry.is_closed {
            return Err(ESHUTDOWN);
        }
        // `next` is never in the past. The kernel would treat a negative time as KTIME_MAX. And it runs all timers that
        // are due in one loop: a routine that starts its own timer for the past would keep the CPU in this loop.
        let next = Monotonic::ktime_get().saturating_add(after.as_nanos().max(1));
        expiry.start(next, period);
        self.set(next);
        Ok(())
    }

    /// The caller holds the lock, and the job is not closed.
    fn set(&self, next: bindings::ktime_t) {
        // SAFETY: The timer is initialized for this mode. The job is not closed, so `Job::stop` is still to come,
        // which cancels the timer before it is freed.
        unsafe {
            bindings::hrtimer_start_range_ns(self.timer.get(), next, 0, self.mode);
        }
    }
}

impl Job for Inner {
    fn start(&self) -> Result {
        self.start_after(Delta::ZERO, None)
    }

    fn close(&self) {
        self.expiry.lock().is_closed = true;
    }

    fn stop(&self) {
        // SAFETY: The timer is initialized. `hrtimer_cancel()` waits for the callback. The job is closed, so the
        // callback does not set the timer again.
        unsafe { bindings::hrtimer_cancel(self.timer.get()) };
        self.routine.clear();
    }
}

/// # Safety
///
/// `timer` is the field `timer` of an [`Inner`] in an [`Arc`] that outlives the call.
unsafe extern "C" fn expired(timer: *mut bindings::hrtimer) -> bindings::hrtimer_restart {
    // SAFETY: By the caller, `timer` is the field of an `Inner` in an `Arc`, which outlives the call.
    let this =
        unsafe { ArcBorrow::from_raw(container_of!(Opaque::cast_from(timer), Inner, timer)) };
    let Some(start) = this.expiry.lock().begin(Monotonic::ktime_get()) else {
        return bindings::hrtimer_restart::HRTIMER_NORESTART;
    };
    let job = Timer(this.into());
    this.routine.run(&job);
    let mut expiry = this.expiry.lock();
    if let Some(next) = expiry.advance(start, Monotonic::ktime_get()) {
        this.set(next);
    }
    bindings::hrtimer_restart::HRTIMER_NORESTART
}

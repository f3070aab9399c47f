// SPDX-License-Identifier: GPL-2.0

//! Jobs that run in a kernel worker or in softirq, at once or later.
//!
//! The kernel crate's `Work` and `DelayedWork` do not fit: nobody can cancel or flush them.

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
    ffi::{
        c_int,
        c_uint,
        c_ulong, //
    },
    prelude::*,
    static_lock_class,
    sync::{
        new_spinlock_irq,
        Arc,
        ArcBorrow,
        SpinLockIrq, //
    },
    time::{
        msecs_to_jiffies,
        Delta,
        Msecs, //
    },
    types::Opaque, //
};

/// Where the routine runs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum WorkContext {
    /// A kernel worker (`system_dfl_wq`); the routine may sleep.
    Worker,
    /// Softirq (`system_bh_wq`).
    SoftIrq,
}

/// A job that runs its routine in a kernel worker or in softirq, never in two threads at once.
#[derive(Clone)]
pub struct Work(Arc<Inner>);

impl Work {
    /// The longest time that [`start_after`](Self::start_after) accepts: 12 days. The kernel's timer wheel shortens a
    /// longer time to its range, which with the highest `HZ`, 1000, is 12 days and some hours.
    pub const LONGEST: Delta = Delta::from_secs(12 * 24 * 60 * 60);

    /// Never inlined: see [`Routine::new`].
    #[inline(never)]
    pub(super) fn new(context: WorkContext, routine: Arc<RunJob<Self>>) -> Result<Self> {
        // Routines in softirq and those that may sleep need different lock classes.
        let class = match context {
            WorkContext::Worker => static_lock_class!(),
            WorkContext::SoftIrq => static_lock_class!(),
        };
        let timer_class = static_lock_class!();
        let init = pin_init!(Inner {
            // SAFETY: `slot` is valid for writes. `run` expects the field of an `Inner`. Names and classes are static.
            work <- Opaque::ffi_init(|slot: *mut bindings::delayed_work| unsafe {
                bindings::init_work_with_key(
                    &raw mut (*slot).work,
                    Some(run),
                    false,
                    c"d2d::Work".as_char_ptr(),
                    class.as_ptr(),
                );
                bindings::timer_init_key(
                    &raw mut (*slot).timer,
                    Some(bindings::delayed_work_timer_fn),
                    bindings::TIMER_IRQSAFE,
                    c"d2d::Work::timer".as_char_ptr(),
                    timer_class.as_ptr(),
                );
            }),
            context,
            is_closed <- new_spinlock_irq!(false, "d2d::Work::is_closed"),
            routine <- Routine::new(routine),
        });
        Ok(Self(Arc::pin_init(init, GFP_KERNEL)?))
    }

    pub(super) fn job(&self) -> Arc<dyn Job> {
        self.0.clone()
    }

    /// Makes the routine run as soon as possible, once more if it runs already. Replaces a start whose run has not
    /// begun. Any context.
    ///
    /// # Errors
    ///
    /// `ESHUTDOWN` if the driver is leaving.
    pub fn start(&self) -> Result {
        self.0.queue(0)
    }

    /// Makes the routine run after the time `after`, or later by up to an eighth of it and a jiffy. Replaces a start
    /// whose run has not begun. A [`Timer`](super::Timer) is exact, and has no longest time. Any context.
    ///
    /// # Errors
    ///
    /// `EINVAL` if `after` is longer than [`LONGEST`](Self::LONGEST): the earlier start stays. `ESHUTDOWN` if the
    /// driver is leaving.
    pub fn start_after(&self, after: Delta) -> Result {
        if after > Self::LONGEST {
            return Err(EINVAL);
        }
        let ms = after.as_millis_ceil().max(0);
        self.0.queue(msecs_to_jiffies(ms as Msecs))
    }

    /// Cancels a start whose run has not begun. The routine may still be running. Any context.
    pub fn cancel(&self) {
        self.0.cancel();
    }
}

impl EventHandler for Work {}

impl Startable for Work {
    fn as_routine(&self) -> RoutineForEvent {
        handler(&*self.0)
    }
}

#[pin_data]
struct Inner {
    #[pin]
    work: Opaque<bindings::delayed_work>,
    context: WorkContext,
    /// The lock serializes queueing the work item with [`Job::close`].
    #[pin]
    is_closed: SpinLockIrq<bool>,
    #[pin]
    routine: Routine<Work>,
}

// SAFETY: A work item may be used by any thread, and the other fields are `Send`.
unsafe impl Send for Inner {}
// SAFETY: The kernel synchronizes the use of the work item, and the other fields are `Sync`.
unsafe impl Sync for Inner {}

impl Inner {
    fn queue(&self, jiffies: c_ulong) -> Result {
        let is_closed = self.is_closed.lock();
        if *is_closed {
            return Err(ESHUTDOWN);
        }
        // SAFETY: The work queues are never destroyed. The work item is initialized. The job is not closed, so
        // `Job::stop` is still to come, which cancels the work item before it is freed.
        unsafe {
            let (queue, jiffies) = match self.context {
                WorkContext::Worker => (bindings::system_dfl_wq, jiffies),
                // While a CPU goes offline, the kernel waits until the bottom-half work of this CPU is done. If a
                // routine starts its own work item again at once, the item stays with this CPU, and the kernel waits
                // for ever. If the item starts a jiffy or two later, it goes to another CPU.
                WorkContext::SoftIrq if cpus_change() && self.runs() => {
                    (bindings::system_bh_wq, jiffies.max(1))
                }
                WorkContext::SoftIrq => (bindings::system_bh_wq, jiffies),
            };
            let cpu = bindings::wq_misc_consts_WORK_CPU_UNBOUND as c_int;
            bindings::mod_delayed_work_on(cpu, queue, self.work.get(), jiffies);
        }
        Ok(())
    }

    fn cancel(&self) {
        // SAFETY: The work item is initialized. The function does not wait.
        unsafe { bindings::cancel_delayed_work(self.work.get()) };
    }

    /// Returns `WORK_BUSY_PENDING` while the work item is queued or waits for its timer, and `WORK_BUSY_RUNNING` while
    /// its routine runs.
    fn busy(&self) -> c_uint {
        // SAFETY: The work item is initialized. The function does not wait.
        unsafe { bindings::work_busy(&raw mut (*self.work.get()).work) }
    }

    fn runs(&self) -> bool {
        self.busy() & bindings::wq_misc_consts_WORK_BUSY_RUNNING != 0
    }
}

/// Returns whether a CPU is going offline or coming online. Any context.
fn cpus_change() -> bool {
    #[cfg(CONFIG_HOTPLUG_CPU)]
    // SAFETY: Neither function waits. The lock is unlocked if it was locked.
    unsafe {
        if bindings::cpus_read_trylock() == 0 {
            return true;
        }
        bindings::cpus_read_unlock();
    }
    false
}

impl Job for Inner {
    fn start(&self) -> Result {
        self.queue(0)
    }

    fn close(&self) {
        *self.is_closed.lock() = true;
    }

    fn cancel_start(&self) {
        self.cancel();
    }

    fn may_be_waiting(&self) -> bool {
        self.busy() != 0
    }

    fn stop(&self) {
        // SAFETY: The work item is initialized. `cancel_delayed_work_sync()` waits for `run`. The job is closed, so
        // nobody queues the item again.
        unsafe { bindings::cancel_delayed_work_sync(self.work.get()) };
        self.routine.clear();
    }
}

/// # Safety
///
/// `work` is in the field `work` of an [`Inner`] in an [`Arc`] that outlives the call.
unsafe extern "C" fn run(work: *mut bindings::work_struct) {
    // SAFETY: By the caller, `work` is in the field of an `Inner` in an `Arc`, which outlives the call.
    let this = unsafe {
        let work = container_of!(work, bindings::delayed_work, work);
        ArcBorrow::from_raw(container_of!(Opaque::cast_from(work), Inner, work))
    };
    let job = Work(this.into());
    this.routine.run(&job);
}

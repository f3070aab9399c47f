// SPDX-License-Identifier: GPL-2.0

//! Jobs: routines of a driver that run later or in another execution context.
//!
//! A driver makes a job from a routine. A [`Work`] runs its routine in a kernel worker or in
//! softirq. A [`Timer`] runs it in softirq or in hard interrupt, and a [`Thread`] in a thread of
//! its own. A peer makes jobs by [`DriverRef::work`](crate::driver::DriverRef::work),
//! [`DriverRef::timer`](crate::driver::DriverRef::timer) and
//! [`DriverRef::thread`](crate::driver::DriverRef::thread). An owner makes jobs by the methods of its
//! `Contexts` that have the same names. The driver keeps a job where its other code finds it, for
//! example in a [`SetOnce`](kernel::sync::SetOnce) of its state. It can start a job in any
//! execution context but NMI.
//!
//! A named event, such as a doorbell, can start a job each time that the event is set: see
//! [`Event::on_set`](crate::event::Event::on_set).
//!
//! A job belongs to its driver. In a module with one role, the library drops a peer's
//! [`Driver::Resources`](crate::driver::Driver::Resources) before the peer leaves. When a driver
//! leaves, the library
//!
//! 1. closes its jobs: from then on, starting one fails with `ESHUTDOWN`;
//! 2. makes waits for the driver's events and requests return `ECANCELED`;
//! 3. cancels each start whose run has not begun, waits until no routine of a job runs, and drops
//!    the routines;
//! 4. detaches the driver if it is a peer, and unregisters it.
//!
//! In a module with several roles, step 2 comes first, for all peers of the module. Then the library
//! drops a peer's `Resources`, and takes steps 1, 3 and 4.
//!
//! So no routine runs after the driver has unregistered, even if the driver leaks the job. The
//! library keeps each job until its driver leaves: make a job once, and start it often.
//!
//! Because of step 3, a start that has succeeded may lead to no run. So code that waits for a run
//! (for example, an operation) must set a time limit, or wait for an event of the driver. Step 2
//! ends the wait for an event. A routine must not loop until a queue is empty: until step 4, the
//! other driver may go on filling the queue.
//!
//! ```ignore
//! fn ready(contexts: &Contexts<'_, Self>) -> Result {
//!     let clock = contexts.timer(TimerContext::HardIrq, |contexts, _timer| tick(contexts))?;
//!     clock.start_every(Delta::from_millis(10))
//! }
//! ```

mod thread;
mod timer;
mod work;

pub use thread::Thread;
pub use timer::{
    Timer,
    TimerContext, //
};
pub use work::{
    Work,
    WorkContext, //
};

use crate::{
    abi,
    patience::Patience,
    refuse,
    registration::DropPromise, //
};
use core::ffi::c_void;
use kernel::{
    ffi::c_int,
    prelude::*,
    sync::{
        new_mutex,
        new_spinlock_irq,
        Arc,
        Mutex,
        SpinLockIrq, //
    }, //
};

/// The jobs of a driver.
#[doc(hidden)]
#[pin_data]
pub struct Jobs {
    #[pin]
    made: Mutex<Made>,
}

struct Made {
    /// Whether the driver is leaving. No job is made any more.
    is_closed: bool,
    jobs: KVec<Arc<dyn Job>>,
}

impl Made {
    fn add(&mut self, job: Arc<dyn Job>) -> Result {
        if self.is_closed {
            return Err(ESHUTDOWN);
        }
        Ok(self.jobs.push(job, GFP_KERNEL)?)
    }
}

impl Jobs {
    /// Makes an empty list of jobs. The caller calls [`Jobs::stop`] before the kernel frees the module's text:
    /// see [`DropPromise`].
    pub fn new<M>(_promise: DropPromise<M>) -> impl PinInit<Self> {
        pin_init!(Self {
            made <- new_mutex!(
                Made {
                    is_closed: false,
                    jobs: KVec::new(),
                },
                "d2d::Jobs::made"
            ),
        })
    }

    /// Makes a job that runs `routine` in a worker or in softirq. May sleep.
    ///
    /// # Errors
    ///
    /// `ESHUTDOWN` if the driver is leaving, `ENOMEM`.
    pub fn work(
        &self,
        context: WorkContext,
        routine: impl Fn(&Work) + Send + Sync + 'static,
    ) -> Result<Work> {
        let work = Work::new(context, Arc::new(routine, GFP_KERNEL)?)?;
        self.add(work.job())?;
        Ok(work)
    }

    /// Makes a job that runs `routine` when a timer expires. May sleep.
    ///
    /// # Errors
    ///
    /// `ESHUTDOWN` if the driver is leaving, `ENOMEM`.
    pub fn timer(
        &self,
        context: TimerContext,
        routine: impl Fn(&Timer) + Send + Sync + 'static,
    ) -> Result<Timer> {
        let timer = Timer::new(context, Arc::new(routine, GFP_KERNEL)?)?;
        self.add(timer.job())?;
        Ok(timer)
    }

    /// Makes a job of `driver` that runs `routine` in a thread of its own. May sleep.
    ///
    /// # Errors
    ///
    /// With a line: `EAGAIN` if there are too many threads, `EINTR` if the calling process is killed.
    /// Without one: `ESHUTDOWN` if the driver is leaving, `ENOMEM`.
    pub fn thread(
        &self,
        driver: &CStr,
        name: &CStr,
        routine: impl Fn(&Thread) + Send + Sync + 'static,
    ) -> Result<Thread> {
        let routine = Arc::new(routine, GFP_KERNEL)?;
        let thread = Thread::new(name, routine).map_err(|error| match error {
            ENOMEM => error,
            _ => refuse!(driver, "thread-not-made", error),
        })?;
        self.add(thread.job())?;
        Ok(thread)
    }

    /// Adds a job, which nobody has started. If that fails, stops the job. May sleep.
    fn add(&self, job: Arc<dyn Job>) -> Result {
        let added = self.made.lock().add(job.clone());
        if added.is_err() {
            job.close();
            job.stop();
        }
        added
    }

    /// Makes starting a job fail from here on. Jobs that were started may still run. May sleep.
    pub fn close(&self) {
        let mut made = self.made.lock();
        made.is_closed = true;
        for job in &made.jobs {
            job.close();
        }
    }

    /// Closes the jobs, cancels those that were started, waits until no routine runs, and drops the
    /// routines. If a routine takes long, calls `end_waits` again and again to end the routine's
    /// waits. A routine must not call this function. May sleep.
    pub fn stop(&self, end_waits: impl Fn()) {
        self.close();
        // A routine may take the lock to make a job, so do not hold it while waiting for routines.
        let jobs = core::mem::take(&mut self.made.lock().jobs);
        for job in &jobs {
            job.cancel_start();
            let mut patience = Patience::new();
            while job.may_be_waiting() {
                patience.sleep(&end_waits);
            }
            job.stop();
        }
    }
}

/// A job, as the list of jobs uses it.
trait Job: Send + Sync {
    /// Makes the routine run as soon as possible. Any context.
    ///
    /// # Errors
    ///
    /// `ESHUTDOWN` if the job is closed.
    fn start(&self) -> Result;

    /// Makes starting the job fail from here on. Any context.
    fn close(&self);

    /// Cancels a start of a [`Work`] whose run has not begun. Other jobs leave that to [`stop`](Job::stop). The
    /// job must be closed. Any context.
    fn cancel_start(&self) {}

    /// Returns whether the routine may be running and waiting for something. Then [`Jobs::stop`] has to end
    /// the routine's waits. The routine of a [`Timer`] never waits. Any context.
    fn may_be_waiting(&self) -> bool {
        false
    }

    /// Cancels the job if it is pending, waits for its routine, and drops the routine. The job must be
    /// closed. Called once, by [`Jobs::stop`], or by [`Jobs::add`] if it fails. May sleep.
    fn stop(&self);
}

/// A job that can be the handler of an event: a [`Work`], a [`Timer`] or a [`Thread`]. Drivers cannot
/// implement it.
#[expect(private_bounds, reason = "no other crate is to implement it")]
pub trait EventHandler: Startable {}

/// A job that an event can start.
pub(crate) trait Startable {
    /// Returns the routine with which an event starts the job, and the argument of the routine. The
    /// routine may be called in any context until the driver has left. The list of jobs keeps the job
    /// until then.
    fn as_routine(&self) -> RoutineForEvent;
}

/// A routine of `d2d_event_on_set` and its argument.
pub(crate) type RoutineForEvent = (abi::d2d_event_routine, *mut c_void);

/// Returns the routine with which an event starts `job`.
fn handler<J: Job>(job: &J) -> RoutineForEvent {
    let argument = core::ptr::from_ref(job).cast_mut().cast();
    (Some(start_for_event::<J>), argument)
}

/// Starts a job because an event was set.
///
/// # Safety
///
/// `job` is a pointer to a `J` that outlives the call.
unsafe extern "C" fn start_for_event<J: Job>(job: *mut c_void, _event: abi::d2d_handle) -> c_int {
    // SAFETY: `job` is a pointer to a `J` that outlives the call.
    let job = unsafe { &*job.cast::<J>() };
    job.start().map_or_else(Error::to_errno, |()| 0)
}

/// What a job of type `J` runs.
type RunJob<J> = dyn Fn(&J) + Send + Sync;

/// The routine of a job, until the job is stopped.
#[pin_data]
struct Routine<J> {
    #[pin]
    routine: SpinLockIrq<Option<Arc<RunJob<J>>>>,
}

impl<J> Routine<J> {
    /// The functions that call this one are not generic and never inlined, so each is in one crate
    /// only. lockdep demands this: it compares the names of all locks of a class by their addresses,
    /// and each crate has a name of its own.
    fn new(routine: Arc<RunJob<J>>) -> impl PinInit<Self> {
        pin_init!(Self {
            routine <- new_spinlock_irq!(Some(routine), "d2d::Routine::routine"),
        })
    }

    /// Runs the routine; does nothing after [`clear`](Self::clear). Any context.
    fn run(&self, job: &J) {
        let routine = self.routine.lock().clone();
        if let Some(routine) = routine {
            routine(job);
        }
    }

    /// Drops the routine. The caller has waited for each [`run`](Self::run) that has begun.
    /// Otherwise such a run would drop the last reference to the routine, perhaps in a context that
    /// must not sleep.
    fn clear(&self) {
        // Drop the routine after the guard: the routine may have anything in it.
        let routine = self.routine.lock().take();
        drop(routine);
    }
}

#[cfg(d2d_tests)]
mod tests;

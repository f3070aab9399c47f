// SPDX-License-Identifier: GPL-2.0

//! Jobs. A job runs a function of the driver, its *routine*, later or in another execution context. This routine is not
//! one of the driver object.
//!
//! A [`Work`] runs its routine in a kernel worker or in softirq, a [`Timer`] in softirq or in hard interrupt, and a
//! [`Thread`] in a thread of its own. A peer makes jobs by [`DriverRef::work`](crate::driver::DriverRef::work),
//! `timer` and `thread`, an owner by the same methods of its `Contexts`. A driver may call a job's methods in any
//! context but NMI, also from the job's routine. An event can start a job, too: see
//! [`Event::on_set`](crate::event::Event::on_set).
//!
//! The library keeps each job until its driver leaves: make a job once, and start it often. In a module with one role,
//! the library drops a peer's [`Driver::Resources`](crate::driver::Driver::Resources) before the peer leaves. When a
//! driver leaves, the library
//!
//! 1. closes its jobs: from then on, starting one fails with `ESHUTDOWN`;
//! 2. makes waits for the driver's events and requests return `ECANCELED`;
//! 3. cancels each start whose run has not begun, waits until no routine of a job runs, and drops
//!    the routines;
//! 4. detaches the driver if it is a peer, and unregisters it.
//!
//! In a module with several roles, step 2 comes first, for all peers of the module. Then the library drops a peer's
//! `Resources`, and takes steps 1, 3 and 4.
//!
//! Because of step 3, a start that has succeeded may lead to no run. So code that waits for a run must set a time
//! limit, or wait for an event of the driver: step 2 ends that wait. A routine must not loop until a queue is empty:
//! the other driver may go on filling the queue, and step 3 waits for the routine.

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

#[doc(hidden)]
#[pin_data]
pub struct Jobs {
    #[pin]
    made: Mutex<Made>,
}

struct Made {
    /// The driver is leaving.
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
    /// Makes an empty list of jobs. The caller has promised to call [`Jobs::stop`] before the kernel frees the module.
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

    /// Makes a job that runs `routine` in a thread of its own, called `name`. Refusals name `driver`. May sleep.
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

    /// Adds a job that nobody has started. If that fails, stops the job. May sleep.
    fn add(&self, job: Arc<dyn Job>) -> Result {
        let added = self.made.lock().add(job.clone());
        if added.is_err() {
            job.close();
            job.stop();
        }
        added
    }

    /// Makes starting a job fail. Jobs that were started may still run. May sleep.
    pub fn close(&self) {
        let mut made = self.made.lock();
        made.is_closed = true;
        for job in &made.jobs {
            job.close();
        }
    }

    /// Closes the jobs, cancels those that were started, waits until no routine runs, and drops the routines. If a
    /// routine takes long, calls `end_waits` again and again. A routine must not call this. May sleep.
    pub fn stop(&self, end_waits: impl Fn()) {
        self.close();
        // Wait for the routines without the lock: a routine that makes a job takes it.
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

trait Job: Send + Sync {
    /// Makes the routine run as soon as possible, or fails with `ESHUTDOWN` if the job is closed. Any context.
    fn start(&self) -> Result;

    fn close(&self);

    /// Cancels the start of a [`Work`] if the run has not begun. Other jobs do that in [`stop`](Job::stop). The job
    /// must be closed.
    fn cancel_start(&self) {}

    /// Returns whether the routine may be waiting for something. A [`Timer`]'s never does. Any context.
    fn may_be_waiting(&self) -> bool {
        false
    }

    /// Cancels the job, waits for its routine, and drops the routine. The job must be closed. May sleep.
    fn stop(&self);
}

/// A job that can be the handler of an event. Drivers cannot implement it.
#[expect(private_bounds, reason = "no other crate is to implement it")]
pub trait EventHandler: Startable {}

pub(crate) trait Startable {
    /// Returns the function that starts the job when an event is set, and the function's argument. Until the driver
    /// has left, the function may be called in any context, and [`Jobs`] keeps the job.
    fn as_routine(&self) -> RoutineForEvent;
}

/// A function for `d2d_event_on_set`, and its argument.
pub(crate) type RoutineForEvent = (abi::d2d_event_routine, *mut c_void);

fn handler<J: Job>(job: &J) -> RoutineForEvent {
    let argument = core::ptr::from_ref(job).cast_mut().cast();
    (Some(start_for_event::<J>), argument)
}

/// # Safety
///
/// `job` is a pointer to a `J` that outlives the call.
unsafe extern "C" fn start_for_event<J: Job>(job: *mut c_void, _event: abi::d2d_handle) -> c_int {
    // SAFETY: By the caller, `job` is a pointer to a `J` that outlives the call.
    let job = unsafe { &*job.cast::<J>() };
    job.start().map_or_else(Error::to_errno, |()| 0)
}

type RunJob<J> = dyn Fn(&J) + Send + Sync;

#[pin_data]
struct Routine<J> {
    #[pin]
    routine: SpinLockIrq<Option<Arc<RunJob<J>>>>,
}

impl<J> Routine<J> {
    /// Call this only from functions that are neither generic nor inlined: others would be compiled into several
    /// crates, each with its own copy of the lock's name. lockdep demands the same copy for all locks of a class.
    fn new(routine: Arc<RunJob<J>>) -> impl PinInit<Self> {
        pin_init!(Self {
            routine <- new_spinlock_irq!(Some(routine), "d2d::Routine::routine"),
        })
    }

    /// Does nothing after [`clear`](Self::clear).
    fn run(&self, job: &J) {
        let routine = self.routine.lock().clone();
        if let Some(routine) = routine {
            routine(job);
        }
    }

    /// Drops the routine. Each [`run`](Self::run) must have ended: one that goes on would itself drop the last
    /// reference to the routine, perhaps in a context that must not sleep.
    fn clear(&self) {
        // Drop the routine without the lock: its destructor may run any code.
        let routine = self.routine.lock().take();
        drop(routine);
    }
}

#[cfg(d2d_tests)]
mod tests;

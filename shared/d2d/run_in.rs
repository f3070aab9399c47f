// SPDX-License-Identifier: GPL-2.0

//! Running a closure in another execution context and waiting for it.
//!
//! A driver's code must work in each execution context from which it may be called. [`run_in`] runs
//! a closure in the calling task, a kernel worker, softirq or hard interrupt. It returns when the
//! closure has returned and is not used any more. So the closure may borrow, and the module may be
//! unloaded afterwards.

use core::{
    ffi::{
        c_int,
        c_void, //
    },
    marker::PhantomData,
    pin::Pin, //
};
use kernel::{
    bindings,
    container_of,
    impl_has_hr_timer,
    prelude::*,
    static_lock_class,
    sync::{
        atomic::{
            ordering::Full,
            Atomic, //
        },
        Completion, //
    },
    task::might_sleep,
    time::{
        hrtimer::{
            HrTimer,
            HrTimerCallback,
            HrTimerCallbackContext,
            HrTimerMode,
            HrTimerRestart,
            RelativeMode,
            RelativeSoftMode,
            ScopedHrTimerPointer, //
        },
        Delta,
        Monotonic, //
    },
    types::Opaque, //
};

/// An execution context.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The calling task.
    Caller,
    /// A kernel worker (`system_dfl_wq`).
    Worker,
    /// Softirq, in the callback of a timer.
    SoftIrq,
    /// Hard interrupt, in the callback of a timer. The mode of this timer is the usual mode, not
    /// `HARD`: in the callback of a `HARD` timer, lockdep reports each spinlock that is taken. Such
    /// a callback runs in hard interrupt with PREEMPT_RT, too, where spinlocks sleep.
    HardIrq,
}

impl Place {
    /// All execution contexts.
    pub const ALL: [Self; 4] = [Self::Caller, Self::Worker, Self::SoftIrq, Self::HardIrq];
}

/// Runs `f` in `place`, once, and returns its result. May sleep.
///
/// # Errors
///
/// `ENOMEM`: then `f` has not run.
pub fn run_in<R: Send>(place: Place, f: impl FnOnce() -> R + Send) -> Result<R> {
    might_sleep();
    let mut f = Some(f);
    let mut result = None;
    let mut once = || {
        if let Some(f) = f.take() {
            result = Some(f());
        }
    };
    // SAFETY: `once` lives until this function returns. This function does not use `once` before
    // `run_job` returns. By then the job has run, or will not run.
    run_job(place, unsafe { Job::new(&mut once) })?;
    // `run_job` has run the job.
    result.ok_or(EIO)
}

/// Runs a job in `place`, and returns when it has run. May sleep.
///
/// # Errors
///
/// `ENOMEM`: then the job will not run.
#[inline(never)]
fn run_job(place: Place, job: Job) -> Result {
    match place {
        Place::Caller => {
            job.run();
            Ok(())
        }
        Place::Worker => run_in_worker(job),
        Place::SoftIrq => run_in_timer::<RelativeSoftMode<Monotonic>>(job),
        Place::HardIrq => run_in_timer::<RelativeMode<Monotonic>>(job),
    }
}

/// A closure that is to run in another execution context, once.
///
/// # Invariants
///
/// The thread that changes `has_run` from 0 to 1 may call `call` with `closure`, once.
struct Job {
    call: unsafe fn(*mut c_void),
    closure: *mut c_void,
    has_run: Atomic<u32>,
}

// SAFETY: `Job::new` requires that the closure is `Send`.
unsafe impl Send for Job {}
// SAFETY: Only the thread that sets `has_run` uses the closure.
unsafe impl Sync for Job {}

impl Job {
    /// # Safety
    ///
    /// Until the job has run, or will not run, the closure lives and nothing else uses it.
    unsafe fn new<F: FnMut() + Send>(closure: &mut F) -> Self {
        /// # Safety
        ///
        /// `closure` points to an `F` that nothing else uses.
        unsafe fn call<F: FnMut()>(closure: *mut c_void) {
            // SAFETY: `closure` points to an `F` that nothing else uses.
            unsafe { (*closure.cast::<F>())() };
        }
        // INVARIANT: `closure` points to an `F`, which nothing else uses until the job has run.
        Self {
            call: call::<F>,
            closure: core::ptr::from_mut(closure).cast(),
            has_run: Atomic::new(0),
        }
    }

    /// Runs the closure, unless it was run before. Any context in which the closure may run.
    fn run(&self) {
        if self.has_run.xchg(1, Full) == 0 {
            // SAFETY: This thread has changed `has_run` from 0 to 1, so by the type invariants it may call `call`.
            unsafe { (self.call)(self.closure) };
        }
    }
}

#[pin_data]
struct WorkerJob {
    #[pin]
    work: Opaque<bindings::work_struct>,
    job: Job,
}

/// # Safety
///
/// `work` is the field of a [`WorkerJob`] that outlives the call.
unsafe extern "C" fn worker_entry(work: *mut bindings::work_struct) {
    // SAFETY: `work` is the field of a `WorkerJob` that outlives the call.
    let this = unsafe { &*container_of!(Opaque::cast_from(work), WorkerJob, work) };
    this.job.run();
}

fn run_in_worker(job: Job) -> Result {
    let class = static_lock_class!();
    let this = KBox::pin_init(
        pin_init!(WorkerJob {
            // SAFETY: `slot` is valid for writes; name and class are static.
            work <- Opaque::ffi_init(|slot| unsafe {
                bindings::init_work_with_key(
                    slot,
                    Some(worker_entry),
                    false,
                    c"d2d::run_in".as_char_ptr(),
                    class.as_ptr(),
                )
            }),
            job,
        }),
        GFP_KERNEL,
    )?;
    // SAFETY: The work queue is created at boot and never destroyed. The work item is initialized
    // and not queued yet. It lives until `flush_work` has returned. After that it does not run.
    unsafe {
        bindings::queue_work_on(
            bindings::wq_misc_consts_WORK_CPU_UNBOUND as c_int,
            bindings::system_dfl_wq,
            this.work.get(),
        );
        bindings::flush_work(this.work.get());
    }
    Ok(())
}

/// A job that runs in the callback of a timer with mode `M`.
#[pin_data]
struct TimerJob<M> {
    #[pin]
    timer: HrTimer<Self>,
    #[pin]
    done: Completion,
    job: Job,
    _mode: PhantomData<fn(M)>,
}

impl_has_hr_timer! {
    impl{M: HrTimerMode} HasHrTimer<Self> for TimerJob<M> {
        mode: M,
        field: self.timer
    }
}

impl<M: HrTimerMode + 'static> HrTimerCallback for TimerJob<M> {
    type Pointer<'a> = Pin<&'a Self>;

    fn run(this: Pin<&Self>, _context: HrTimerCallbackContext<'_, Self>) -> HrTimerRestart {
        this.job.run();
        this.done.complete_all();
        HrTimerRestart::NoRestart
    }
}

fn run_in_timer<M: HrTimerMode<Expires = Delta> + 'static>(job: Job) -> Result {
    let this = KBox::pin_init(
        pin_init!(TimerJob::<M> {
            timer <- HrTimer::new(),
            done <- Completion::new(),
            job,
            _mode: PhantomData,
        }),
        GFP_KERNEL,
    )?;
    this.as_ref()
        .start_scoped(Delta::from_micros(1), || this.done.wait_for_completion());
    Ok(())
}

#[cfg(d2d_tests)]
mod tests;

// SPDX-License-Identifier: GPL-2.0

//! Running a closure in another execution context and waiting for it.
//!
//! What a driver does must work wherever it is called from. [`run_in`] takes it there: to a kernel
//! worker, to softirq, to hard interrupt. It returns when the closure is done and nothing of it is
//! left behind, so the closure may borrow, and the module may leave afterwards.

use core::{
    ffi::{
        c_int,
        c_void, //
    },
    pin::Pin, //
};
use kernel::{
    bindings,
    container_of,
    impl_has_hr_timer,
    prelude::*,
    static_lock_class,
    sync::Completion,
    task::might_sleep,
    time::{
        hrtimer::{
            HrTimer,
            HrTimerCallback,
            HrTimerCallbackContext,
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
    /// Softirq: an expired soft timer.
    SoftIrq,
    /// Hard interrupt: an expired timer of the usual kind. In the callback of a "hard" one no spinlock
    /// may be taken where lockdep watches, as with PREEMPT_RT that alone would still be an interrupt.
    HardIrq,
}

impl Place {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Caller, Self::Worker, Self::SoftIrq, Self::HardIrq];

    /// Returns the name as it stands in the trace; the caller is taken to be in a system call.
    pub fn name(self) -> &'static str {
        match self {
            Self::Caller => "syscall",
            Self::Worker => "worker",
            Self::SoftIrq => "softirq",
            Self::HardIrq => "hardirq",
        }
    }
}

/// Runs `f` in `place`, once, and returns its result. May sleep.
///
/// # Errors
///
/// `ENOMEM`; `f` has not run then.
pub fn run_in<R: Send>(place: Place, f: impl FnOnce() -> R + Send) -> Result<R> {
    might_sleep();
    let mut f = Some(f);
    let mut result = None;
    let mut once = || {
        if let Some(f) = f.take() {
            result = Some(f());
        }
    };
    // SAFETY: Each of the functions below returns when the job has run or will not run.
    let job = unsafe { Job::new(&mut once) };
    match place {
        // SAFETY: The job is ours, and run once.
        Place::Caller => unsafe { job.run() },
        Place::Worker => run_in_worker(job)?,
        Place::SoftIrq => run_in_softirq(job)?,
        Place::HardIrq => run_in_hardirq(job)?,
    }
    // Each of the above has called the closure.
    result.ok_or(EIO)
}

/// A closure on its way to the place where it runs.
///
/// # Invariants
///
/// `call` may be called with `closure`, by the one that holds the job.
#[derive(Clone, Copy)]
struct Job {
    call: unsafe fn(*mut c_void),
    closure: *mut c_void,
}

// SAFETY: The closure is `Send`.
unsafe impl Send for Job {}
// SAFETY: As above; the one that holds the job calls it once.
unsafe impl Sync for Job {}

impl Job {
    /// # Safety
    ///
    /// Nothing else uses the closure, and it lives, until the job has been run.
    unsafe fn new<F: FnMut() + Send>(closure: &mut F) -> Self {
        /// # Safety
        ///
        /// `closure` is that of [`Job::new`].
        unsafe fn call<F: FnMut()>(closure: *mut c_void) {
            // SAFETY: `closure` is the one that `Job::new` was given, which nothing else uses until
            // the job has been run.
            unsafe { (*closure.cast::<F>())() };
        }
        // INVARIANT: `call` takes the closure that `closure` points to, which lives until the job
        // has been run.
        Self {
            call: call::<F>,
            closure: core::ptr::from_mut(closure).cast(),
        }
    }

    /// # Safety
    ///
    /// Called once, by the one that the job was handed to.
    unsafe fn run(&self) {
        // SAFETY: By the type invariants `call` takes `closure`. It is called once, so no other
        // call uses the closure.
        unsafe { (self.call)(self.closure) };
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
/// `work` is that of a [`WorkerJob`] that outlives the call.
unsafe extern "C" fn worker_entry(work: *mut bindings::work_struct) {
    // SAFETY: `work` is that of a `WorkerJob`, which outlives the call.
    let this = unsafe { &*container_of!(Opaque::cast_from(work), WorkerJob, work) };
    // SAFETY: The work item was queued once, for this.
    unsafe { this.job.run() };
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
    // SAFETY: The work item is initialized, is not queued yet, and lives until `flush_work` has
    // seen its end.
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

macro_rules! run_in_timer {
    ($name:ident, $Timer:ident, $Mode:ty) => {
        #[pin_data]
        struct $Timer {
            #[pin]
            timer: HrTimer<Self>,
            #[pin]
            done: Completion,
            job: Job,
        }

        impl_has_hr_timer! {
            impl HasHrTimer<Self> for $Timer {
                mode: $Mode,
                field: self.timer
            }
        }

        impl HrTimerCallback for $Timer {
            type Pointer<'a> = Pin<&'a Self>;

            fn run(
                this: Pin<&Self>,
                _context: HrTimerCallbackContext<'_, Self>,
            ) -> HrTimerRestart {
                // SAFETY: The timer is started once, for this.
                unsafe { this.job.run() };
                this.done.complete_all();
                HrTimerRestart::NoRestart
            }
        }

        fn $name(job: Job) -> Result {
            let this = KBox::pin_init(
                pin_init!($Timer {
                    timer <- HrTimer::new(),
                    done <- Completion::new(),
                    job,
                }),
                GFP_KERNEL,
            )?;
            this.as_ref()
                .start_scoped(Delta::from_micros(1), || this.done.wait_for_completion());
            Ok(())
        }
    };
}

run_in_timer!(run_in_softirq, SoftTimer, RelativeSoftMode<Monotonic>);
run_in_timer!(run_in_hardirq, HardTimer, RelativeMode<Monotonic>);

#[cfg(d2d_tests)]
mod tests;

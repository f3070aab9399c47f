// SPDX-License-Identifier: GPL-2.0

//! Running a closure in another execution context. When [`run_in`] returns, nothing uses the closure any more. So the
//! closure may borrow, and the module may be unloaded afterwards.

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
    /// Hard interrupt, in the callback of a timer. The mode of the timer is not `HARD`: lockdep reports each spinlock
    /// that a callback of that mode takes.
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
    // SAFETY: `once` lives until this function returns. The function does not use `once` before `run_closure` returns.
    // By then the closure has run, or will never run.
    run_closure(place, unsafe { Closure::new(&mut once) })?;
    result.ok_or(EIO)
}

#[inline(never)]
fn run_closure(place: Place, closure: Closure) -> Result {
    match place {
        Place::Caller => {
            closure.run();
            Ok(())
        }
        Place::Worker => run_in_worker(closure),
        Place::SoftIrq => run_in_timer::<RelativeSoftMode<Monotonic>>(closure),
        Place::HardIrq => run_in_timer::<RelativeMode<Monotonic>>(closure),
    }
}

/// A closure that runs in another execution context.
///
/// # Invariants
///
/// The thread that changes `has_run` from 0 to 1 may call `call` with `data`, once.
struct Closure {
    call: unsafe fn(*mut c_void),
    data: *mut c_void,
    has_run: Atomic<u32>,
}

// SAFETY: `Closure::new` requires that the closure is `Send`.
unsafe impl Send for Closure {}
// SAFETY: Only the thread that sets `has_run` uses the closure.
unsafe impl Sync for Closure {}

impl Closure {
    /// # Safety
    ///
    /// The closure lives, and nothing else uses it, until it has run or [`Closure::run`] cannot be called any more.
    unsafe fn new<F: FnMut() + Send>(closure: &mut F) -> Self {
        /// # Safety
        ///
        /// `data` points to an `F` that nothing else uses.
        unsafe fn call<F: FnMut()>(data: *mut c_void) {
            // SAFETY: By the caller, `data` points to an `F` that nothing else uses.
            unsafe { (*data.cast::<F>())() };
        }
        // INVARIANT: `data` points to an `F`, which nothing else uses until the closure has run.
        Self {
            call: call::<F>,
            data: core::ptr::from_mut(closure).cast(),
            has_run: Atomic::new(0),
        }
    }

    fn run(&self) {
        if self.has_run.xchg(1, Full) == 0 {
            // SAFETY: This thread has changed `has_run` from 0 to 1, so by the type invariants it may call `call`.
            unsafe { (self.call)(self.data) };
        }
    }
}

#[pin_data]
struct WorkerClosure {
    #[pin]
    work: Opaque<bindings::work_struct>,
    closure: Closure,
}

/// # Safety
///
/// `work` is the field `work` of a [`WorkerClosure`] that outlives the call.
unsafe extern "C" fn worker_entry(work: *mut bindings::work_struct) {
    // SAFETY: By the caller, `work` is the field of a `WorkerClosure` that outlives the call.
    let this = unsafe { &*container_of!(Opaque::cast_from(work), WorkerClosure, work) };
    this.closure.run();
}

fn run_in_worker(closure: Closure) -> Result {
    let class = static_lock_class!();
    let this = KBox::pin_init(
        pin_init!(WorkerClosure {
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
            closure,
        }),
        GFP_KERNEL,
    )?;
    // SAFETY: The work queue is never destroyed. The work item is initialized and not queued yet. It lives until
    // `flush_work` has returned, and does not run after that.
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

#[pin_data]
struct TimerClosure<M> {
    #[pin]
    timer: HrTimer<Self>,
    #[pin]
    done: Completion,
    closure: Closure,
    _mode: PhantomData<fn(M)>,
}

impl_has_hr_timer! {
    impl{M: HrTimerMode} HasHrTimer<Self> for TimerClosure<M> {
        mode: M,
        field: self.timer
    }
}

impl<M: HrTimerMode + 'static> HrTimerCallback for TimerClosure<M> {
    type Pointer<'a> = Pin<&'a Self>;

    fn run(this: Pin<&Self>, _context: HrTimerCallbackContext<'_, Self>) -> HrTimerRestart {
        this.closure.run();
        this.done.complete_all();
        HrTimerRestart::NoRestart
    }
}

fn run_in_timer<M: HrTimerMode<Expires = Delta> + 'static>(closure: Closure) -> Result {
    let this = KBox::pin_init(
        pin_init!(TimerClosure::<M> {
            timer <- HrTimer::new(),
            done <- Completion::new(),
            closure,
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

// SPDX-License-Identifier: GPL-2.0

//! Running a closure in another execution context. When [`run_in`] returns, nothing uses the closure any more. So the
//! closure may borrow, and the module may be unloaded afterwards.

use core::{
    ffi::c_int,
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
        new_spinlock_irq,
        Completion,
        SpinLockIrq, //
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
    // SAFETY: Only the lifetime changes. `run_closure` keeps no copy of the reference when it returns. By then the
    // closure has run, or will never run.
    let once = unsafe { core::mem::transmute::<&mut (dyn FnMut() + Send), Once>(&mut once) };
    run_closure(place, once)?;
    result.ok_or(EIO)
}

/// A closure that is called at most once. Not really static: see [`run_in`].
type Once = &'static mut (dyn FnMut() + Send);

#[inline(never)]
fn run_closure(place: Place, once: Once) -> Result {
    match place {
        Place::Caller => {
            once();
            Ok(())
        }
        Place::Worker => run_in_worker(once),
        Place::SoftIrq => run_in_timer::<RelativeSoftMode<Monotonic>>(once),
        Place::HardIrq => run_in_timer::<RelativeMode<Monotonic>>(once),
    }
}

/// The place in which the other execution context finds the closure.
#[pin_data]
struct Closure {
    #[pin]
    once: SpinLockIrq<Option<Once>>,
}

impl Closure {
    fn new(once: Once) -> impl PinInit<Self> {
        pin_init!(Self {
            once <- new_spinlock_irq!(Some(once), "d2d::Closure::once"),
        })
    }

    fn run(&self) {
        let once = self.once.lock().take();
        if let Some(once) = once {
            once();
        }
    }
}

#[pin_data]
struct WorkerClosure {
    #[pin]
    work: Opaque<bindings::work_struct>,
    #[pin]
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

fn run_in_worker(once: Once) -> Result {
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
            closure <- Closure::new(once),
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
    #[pin]
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

fn run_in_timer<M: HrTimerMode<Expires = Delta> + 'static>(once: Once) -> Result {
    let this = KBox::pin_init(
        pin_init!(TimerClosure::<M> {
            timer <- HrTimer::new(),
            done <- Completion::new(),
            closure <- Closure::new(once),
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

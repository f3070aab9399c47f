// SPDX-License-Identifier: GPL-2.0

//! Jobs that run in a thread of their own, which has a name, a priority and a set of CPUs. Unlike a
//! [`Work`](super::Work), a [`Thread`] never waits for one of the kernel's workers, which all drivers share.

use super::{
    handler,
    EventHandler,
    Job,
    Routine,
    RoutineForEvent,
    RunJob,
    Startable, //
};
use crate::kernel_calls::schedule;
use core::ffi::c_void;
use kernel::{
    bindings,
    error::from_err_ptr,
    ffi::c_int,
    prelude::*,
    sync::{
        aref::ARef,
        new_condvar,
        new_spinlock_irq,
        Arc,
        ArcBorrow,
        CondVar,
        SetOnce,
        SpinLockIrq, //
    },
    task::Task, //
};

/// A job that runs its routine in a kernel thread of its own, which exists until the library stops the job. The
/// routine may sleep.
#[derive(Clone)]
pub struct Thread(Arc<Inner>);

impl Thread {
    /// Never inlined: see [`Routine::new`].
    #[inline(never)]
    pub(super) fn new(name: &CStr, routine: Arc<RunJob<Self>>) -> Result<Self> {
        let init = pin_init!(Inner {
            state <- new_spinlock_irq!(State::default(), "d2d::Thread::state"),
            changed <- new_condvar!("d2d::Thread::changed"),
            task: SetOnce::new(),
            routine <- Routine::new(routine),
        });
        let inner = Arc::pin_init(init, GFP_KERNEL)?;
        let argument = Arc::as_ptr(&inner).cast_mut().cast();
        // SAFETY: `main` expects an `Inner` in an `Arc`. `Jobs::add` gets the job next, and keeps it until `Job::stop`
        // has waited for the end of the thread. The format takes one string.
        let task = from_err_ptr(unsafe {
            bindings::kthread_create_on_node(
                Some(main),
                argument,
                bindings::NUMA_NO_NODE,
                c"%s".as_char_ptr(),
                name.as_char_ptr(),
            )
        })?;
        // SAFETY: `Task` is a transparent wrapper of the type in C. The thread ends only after the job is closed, and
        // nobody else has the job yet, to close it. So the task exists while `into` takes the reference.
        let task: ARef<Task> = unsafe { &*task.cast::<Task>() }.into();
        task.wake_up();
        inner.task.populate(task);
        Ok(Self(inner))
    }

    pub(super) fn job(&self) -> Arc<dyn Job> {
        self.0.clone()
    }

    /// Makes the routine run as soon as possible, once more if it runs already. Any context.
    ///
    /// # Errors
    ///
    /// `ESHUTDOWN` if the driver is leaving.
    pub fn start(&self) -> Result {
        self.0.start()
    }

    /// Cancels a start whose run has not begun. The routine may still be running. Any context.
    pub fn cancel(&self) {
        self.0.state.lock().is_due = false;
    }

    /// Returns whether the driver is leaving. Then the routine has to return. The library ends the routine's waits for
    /// the driver's events and requests, but no loop or other wait. Any context.
    pub fn is_stopping(&self) -> bool {
        self.0.state.lock().is_closed
    }
}

impl EventHandler for Thread {}

impl Startable for Thread {
    fn as_routine(&self) -> RoutineForEvent {
        handler(&*self.0)
    }
}

#[derive(Default)]
struct State {
    is_closed: bool,
    is_due: bool,
    is_running: bool,
}

#[pin_data]
struct Inner {
    #[pin]
    state: SpinLockIrq<State>,
    #[pin]
    changed: CondVar,
    /// The reference keeps the task for [`Job::stop`]: by then, the thread may have ended.
    task: SetOnce<ARef<Task>>,
    #[pin]
    routine: Routine<Thread>,
}

impl Inner {
    /// Waits until the job is started or closed. Returns whether the routine is to run.
    fn begin(&self) -> bool {
        let mut state = self.state.lock();
        state.is_running = false;
        while !state.is_due && !state.is_closed {
            // Interruptible, although no signal reaches the thread: the kernel counts a thread in an uninterruptible
            // wait as load, and reports it as hung after a while.
            let _ = self.changed.wait_interruptible(&mut state);
        }
        state.is_due = false;
        state.is_running = !state.is_closed;
        state.is_running
    }
}

impl Job for Inner {
    fn start(&self) -> Result {
        let mut state = self.state.lock();
        if state.is_closed {
            return Err(ESHUTDOWN);
        }
        state.is_due = true;
        drop(state);
        self.changed.notify_one();
        Ok(())
    }

    fn close(&self) {
        self.state.lock().is_closed = true;
        self.changed.notify_one();
    }

    fn may_be_waiting(&self) -> bool {
        self.state.lock().is_running
    }

    fn stop(&self) {
        if let Some(task) = self.task.as_ref() {
            // SAFETY: `task` is a kthread, and `self.task` has a reference to it. The thread ends, because the job is
            // closed.
            unsafe { bindings::kthread_stop(task.as_ptr()) };
        }
        self.routine.clear();
    }
}

/// # Safety
///
/// `inner` is a pointer to an [`Inner`] in an [`Arc`] that outlives the call.
unsafe extern "C" fn main(inner: *mut c_void) -> c_int {
    // SAFETY: By the caller, `inner` is a pointer to an `Inner` in an `Arc`, which outlives the call.
    let this = unsafe { ArcBorrow::from_raw(inner.cast::<Inner>().cast_const()) };
    let job = Thread(this.into());
    while this.begin() {
        this.routine.run(&job);
        // Without preemption, a routine that always starts its own job would keep the CPU. So let other threads run.
        schedule();
    }
    0
}

// SPDX-License-Identifier: GPL-2.0

//! The requests on their way from the owner to drivers.
//!
//! A request is named by a handle of slot and generation. Completing or cancelling it claims it
//! first; exactly one claim succeeds, and every later one is stale.

use crate::registry::{
    handle,
    parts, //
};
use core::ffi::c_void;
use d2d::{
    abi,
    header, //
};
use kernel::{
    bindings,
    ffi::c_int,
    prelude::*,
    sync::{
        new_spinlock_irq,
        Arc,
        SetOnce,
        SpinLockIrq, //
    },
    task::Task,
    time::msecs_to_jiffies,
    types::Opaque, //
};

/// Requests that can be on their way at a time: one for each driver that can be registered.
const SLOTS: usize = crate::registry::SLOTS;

/// A completion that can be waited for with a time limit, which the kernel crate's cannot.
///
/// C header: [`include/linux/completion.h`](srctree/include/linux/completion.h)
#[pin_data]
struct Completion {
    #[pin]
    inner: Opaque<bindings::completion>,
}

// SAFETY: A completion is used from any thread.
unsafe impl Send for Completion {}
// SAFETY: As above.
unsafe impl Sync for Completion {}

impl Completion {
    fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            // SAFETY: `slot` is valid for writes.
            inner <- Opaque::ffi_init(|slot| unsafe { bindings::init_completion(slot) }),
        })
    }

    /// Wakes all that wait, now and later. Any context.
    fn complete_all(&self) {
        // SAFETY: It is initialized.
        unsafe { bindings::complete_all(self.inner.get()) };
    }

    /// May sleep.
    fn wait(&self) {
        // SAFETY: It is initialized.
        unsafe { bindings::wait_for_completion(self.inner.get()) };
    }

    /// Waits for at most `ms` milliseconds, and returns whether it is completed. May sleep.
    fn wait_for(&self, ms: u32) -> bool {
        // SAFETY: It is initialized.
        unsafe {
            bindings::wait_for_completion_timeout(self.inner.get(), msecs_to_jiffies(ms)) != 0
        }
    }
}

/// A request on its way.
#[pin_data]
pub(crate) struct Pending {
    /// What the driver gets to see.
    raw: abi::d2d_request,
    /// The driver that it was sent to.
    driver: abi::d2d_handle,
    /// The context that it carries.
    context: usize,
    /// The task that sends it. Only compared.
    sender: usize,
    /// The status, once it is completed.
    status: SetOnce<c_int>,
    /// What the sender made of it, 0 or an errno, once its completion routine has run.
    outcome: SetOnce<c_int>,
    /// Done when all of the above is.
    #[pin]
    done: Completion,
    /// Done when the sender has left the driver's dispatch routine and is done with the request.
    #[pin]
    left: Completion,
}

// SAFETY: The buffer is a context, which is used under its locks.
unsafe impl Send for Pending {}
// SAFETY: As above.
unsafe impl Sync for Pending {}

impl Pending {
    /// Returns what the driver gets to see.
    pub(crate) fn raw(&self) -> &abi::d2d_request {
        &self.raw
    }

    /// Returns the driver that it was sent to.
    pub(crate) fn driver(&self) -> abi::d2d_handle {
        self.driver
    }

    /// Returns the number of the context that it carries.
    pub(crate) fn context(&self) -> usize {
        self.context
    }

    /// Returns the status, once it is completed.
    pub(crate) fn status(&self) -> Option<c_int> {
        self.status.copy()
    }

    /// Returns what the completion routine made of it.
    pub(crate) fn outcome(&self) -> Option<c_int> {
        self.outcome.copy()
    }

    /// Returns whether the calling task is the one that sends it.
    pub(crate) fn is_sent_by_current(&self) -> bool {
        self.sender == Task::current_raw() as usize
    }

    /// Waits until it is completed and its completion routine has run. May sleep.
    pub(crate) fn wait(&self) {
        self.done.wait();
    }

    /// As [`Pending::wait`], for at most `ms` milliseconds. Returns whether it is completed.
    pub(crate) fn wait_for(&self, ms: u32) -> bool {
        self.done.wait_for(ms)
    }

    /// Waits until the sender has left the driver. May sleep.
    pub(crate) fn wait_for_sender(&self) {
        self.left.wait();
    }
}

/// A slot is free again when its request is finished and its sender has left.
struct Slot {
    generation: u32,
    request: Option<Arc<Pending>>,
    claimed: bool,
    finished: bool,
    left: bool,
}

/// A request that is being completed or cancelled by whoever holds this.
pub(crate) struct Claim(Arc<Pending>);

impl core::ops::Deref for Claim {
    type Target = Pending;

    fn deref(&self) -> &Pending {
        &self.0
    }
}

/// The table of requests.
#[pin_data]
pub(crate) struct Requests {
    #[pin]
    slots: SpinLockIrq<KVec<Slot>>,
}

impl Requests {
    /// Makes an empty one. May sleep.
    pub(crate) fn new() -> impl PinInit<Self, Error> {
        fn empty() -> Result<KVec<Slot>> {
            let mut slots = KVec::with_capacity(SLOTS, GFP_KERNEL)?;
            for _ in 0..SLOTS {
                slots.push(
                    Slot {
                        generation: 1,
                        request: None,
                        claimed: false,
                        finished: false,
                        left: false,
                    },
                    GFP_KERNEL,
                )?;
            }
            Ok(slots)
        }

        try_pin_init!(Self {
            slots <- new_spinlock_irq!(empty()?, "d2d_requests"),
        })
    }

    /// Builds an internal device control request. May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, or `EAGAIN` if too many are on their way.
    pub(crate) fn build(
        &self,
        driver: abi::d2d_handle,
        context: usize,
        code: u32,
        user_buffer: *mut c_void,
    ) -> Result<Arc<Pending>> {
        let mut request = kernel::sync::UniqueArc::pin_init(
            pin_init!(Pending {
                raw: abi::d2d_request {
                    hdr: header::new::<abi::d2d_request>(abi::D2D_REQUEST_MAGIC),
                    handle: 0,
                    major_function: abi::D2D_MJ_INTERNAL_DEVICE_CONTROL,
                    code,
                    user_buffer,
                },
                driver,
                context,
                sender: Task::current_raw() as usize,
                status: SetOnce::new(),
                outcome: SetOnce::new(),
                done <- Completion::new(),
                left <- Completion::new(),
            }),
            GFP_KERNEL,
        )?;
        let mut slots = self.slots.lock();
        let (index, slot) = slots
            .iter_mut()
            .enumerate()
            .find(|(_, slot)| slot.request.is_none())
            .ok_or(EAGAIN)?;
        *request.as_mut().project().raw = abi::d2d_request {
            handle: handle(index, slot.generation),
            ..request.raw
        };
        let request: Arc<Pending> = request.into();
        slot.request = Some(request.clone());
        (slot.claimed, slot.finished, slot.left) = (false, false, false);
        Ok(request)
    }

    /// Claims a request for completing or cancelling it. Any context.
    ///
    /// `None` if the handle is stale: it was claimed before.
    pub(crate) fn claim(&self, handle: abi::d2d_handle) -> Option<Claim> {
        let mut slots = self.slots.lock();
        let (index, generation) = parts(handle);
        let slot = slots
            .get_mut(index)
            .filter(|slot| slot.generation == generation && !slot.claimed)?;
        let request = slot.request.clone()?;
        slot.claimed = true;
        Some(Claim(request))
    }

    /// Returns the request that is on its way to a driver. Any context.
    pub(crate) fn find(&self, driver: abi::d2d_handle) -> Option<Arc<Pending>> {
        let slots = self.slots.lock();
        let mut requests = slots.iter().flat_map(|slot| &slot.request);
        requests.find(|request| request.driver == driver).cloned()
    }

    /// Gives a claimed request its status, runs the completion routine, and wakes those that wait
    /// for it. Any context that the routine allows.
    ///
    /// Returns what the routine made of it.
    pub(crate) fn finish(
        &self,
        claim: Claim,
        status: c_int,
        routine: impl FnOnce(&Pending) -> c_int,
    ) -> c_int {
        let Claim(request) = claim;
        request.status.populate(status);
        let outcome = routine(&request);
        request.outcome.populate(outcome);
        self.release(&request, |slot| slot.finished = true);
        request.done.complete_all();
        outcome
    }

    /// Notes that the sender is done with the request. Any context.
    pub(crate) fn leave(&self, request: &Pending) {
        self.release(request, |slot| slot.left = true);
        request.left.complete_all();
    }

    fn release(&self, request: &Pending, note: impl FnOnce(&mut Slot)) {
        let mut slots = self.slots.lock();
        let (index, _) = parts(request.raw.handle);
        let released = slots.get_mut(index).and_then(|slot| {
            note(slot);
            if !(slot.finished && slot.left) {
                return None;
            }
            slot.generation = slot.generation.wrapping_add(1).max(1);
            slot.request.take()
        });
        // The reference is dropped after the lock.
        drop(slots);
        drop(released);
    }
}

// SPDX-License-Identifier: GPL-2.0

//! The requests of handshakes on their way: each offers a context to a driver.
//!
//! A request is named by a handle of slot and generation. Completing it or taking it back claims it
//! first; exactly one claim succeeds, and every later one is stale. A request that was taken back
//! because its time was over keeps its slot until the driver is done with it, too.

use crate::{
    completion::Completion,
    handle::Kind, //
};
use core::ffi::c_void;
use d2d::{
    abi,
    header, //
};
use kernel::{
    ffi::c_int,
    prelude::*,
    sync::{
        new_spinlock_irq,
        Arc,
        SetOnce,
        SpinLockIrq, //
    },
    task::Task,
    time::{
        Delta,
        Instant,
        Monotonic, //
    }, //
};

/// Offers that can be on their way at a time: one for each driver that can be registered.
const SLOTS: usize = crate::registry::SLOTS;

/// Who has claimed a request.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Winner {
    /// The driver, to complete it.
    Driver,
    /// The sender, because the driver has returned without completing it.
    Sender,
    /// The sender, because its time was over.
    Timeout,
    /// Whoever detaches the driver.
    Cancel,
}

/// A request on its way.
#[pin_data]
pub(crate) struct Offer {
    /// What the driver gets to see.
    raw: abi::d2d_request,
    /// The driver that it was sent to.
    driver: abi::d2d_handle,
    /// The context that it carries.
    context: usize,
    /// The task that sends it. Only compared.
    sender: usize,
    /// Who has claimed it, once it is completed.
    winner: SetOnce<Winner>,
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
unsafe impl Send for Offer {}
// SAFETY: As above.
unsafe impl Sync for Offer {}

impl Offer {
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

    /// Returns who has claimed it, once it is completed.
    pub(crate) fn winner(&self) -> Option<Winner> {
        self.winner.copy()
    }

    /// Returns the status, once it is completed.
    pub(crate) fn status(&self) -> Option<c_int> {
        self.status.copy()
    }

    /// Returns what the completion routine made of it.
    pub(crate) fn outcome(&self) -> Option<c_int> {
        self.outcome.copy()
    }

    /// Waits until it is completed and its completion routine has run. May sleep.
    pub(crate) fn wait(&self) {
        self.done.wait();
    }

    /// As [`Offer::wait`], for at most `ms` milliseconds. Returns whether it is completed.
    pub(crate) fn wait_for(&self, ms: u32) -> bool {
        self.done.wait_for(ms)
    }

    /// Waits until the sender has left the driver, for at most `ms` milliseconds. Returns whether it
    /// has. May sleep.
    pub(crate) fn wait_for_sender(&self, ms: u32) -> bool {
        self.left.wait_for(ms)
    }
}

/// A slot is free again when its request is finished, its sender has left, and its driver is done
/// with it.
struct Slot {
    generation: u32,
    request: Option<Arc<Offer>>,
    claimed: bool,
    finished: bool,
    left: bool,
    done_with: bool,
    /// When the timer takes it back; `None` if its sender waits for it.
    due: Option<Instant<Monotonic>>,
}

/// What the lock protects.
struct Table {
    slots: KVec<Slot>,
    /// Whether the timer is set, or its work is running and will look at the slots once more.
    timed: bool,
}

/// What the timer finds.
pub(crate) enum Overdue {
    /// A request whose time is over.
    Claimed(Claim),
    /// How long it is until the time of the next request is over.
    In(Delta),
    /// None has a limit: the timer is not set any more.
    Nothing,
}

/// What a driver gets that completes a request.
pub(crate) enum Completing {
    /// It may.
    Claimed(Claim),
    /// The request was taken back from it because its time was over.
    Late(Arc<Offer>),
    /// There is no such request.
    Stale,
}

/// A request that is being completed or cancelled by whoever holds this.
pub(crate) struct Claim(Arc<Offer>);

impl Claim {
    /// Returns the request.
    pub(crate) fn request(&self) -> Arc<Offer> {
        self.0.clone()
    }
}

impl core::ops::Deref for Claim {
    type Target = Offer;

    fn deref(&self) -> &Offer {
        &self.0
    }
}

/// The table of requests.
#[pin_data]
pub(crate) struct Offers {
    #[pin]
    table: SpinLockIrq<Table>,
}

impl Offers {
    /// Makes an empty one. May sleep.
    pub(crate) fn new() -> impl PinInit<Self, Error> {
        fn empty() -> Result<Table> {
            let mut slots = KVec::with_capacity(SLOTS, GFP_KERNEL)?;
            for _ in 0..SLOTS {
                slots.push(
                    Slot {
                        generation: 1,
                        request: None,
                        claimed: false,
                        finished: false,
                        left: false,
                        done_with: false,
                        due: None,
                    },
                    GFP_KERNEL,
                )?;
            }
            Ok(Table {
                slots,
                timed: false,
            })
        }

        try_pin_init!(Self {
            table <- new_spinlock_irq!(empty()?, "d2d_offers"),
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
    ) -> Result<Arc<Offer>> {
        let mut request = kernel::sync::UniqueArc::pin_init(
            pin_init!(Offer {
                raw: abi::d2d_request {
                    hdr: header::new::<abi::d2d_request>(abi::D2D_REQUEST_MAGIC),
                    handle: 0,
                    major_function: abi::D2D_MJ_INTERNAL_DEVICE_CONTROL,
                    code,
                    user_buffer,
                    driver,
                    input_len: 0,
                    output_len: 0,
                },
                driver,
                context,
                sender: Task::current_raw() as usize,
                winner: SetOnce::new(),
                status: SetOnce::new(),
                outcome: SetOnce::new(),
                done <- Completion::new(),
                left <- Completion::new(),
            }),
            GFP_KERNEL,
        )?;
        let mut table = self.table.lock();
        let (index, slot) = table
            .slots
            .iter_mut()
            .enumerate()
            .find(|(_, slot)| slot.request.is_none())
            .ok_or(EAGAIN)?;
        *request.as_mut().project().raw = abi::d2d_request {
            handle: Kind::Offer.handle(index, slot.generation),
            ..request.raw
        };
        let request: Arc<Offer> = request.into();
        slot.request = Some(request.clone());
        (slot.claimed, slot.finished) = (false, false);
        (slot.left, slot.done_with) = (false, false);
        slot.due = None;
        Ok(request)
    }

    /// Limits the time of a request that nobody waits for, unless it was claimed before. Returns
    /// whether the timer has to be set for that. Any context.
    ///
    /// All requests get the same time, so that a timer which is set goes off early enough.
    pub(crate) fn limit(&self, request: &Offer, due: Instant<Monotonic>) -> bool {
        let table = &mut *self.table.lock();
        let slot = Self::slot(&mut table.slots, request.raw.handle).filter(|slot| !slot.claimed);
        let Some(slot) = slot else {
            return false;
        };
        slot.due = Some(due);
        !core::mem::replace(&mut table.timed, true)
    }

    /// Claims a request whose time is over at `now`. Any context.
    pub(crate) fn overdue(&self, now: Instant<Monotonic>) -> Overdue {
        let table = &mut *self.table.lock();
        let mut next: Option<Delta> = None;
        for slot in table.slots.iter_mut().filter(|slot| !slot.claimed) {
            let (Some(due), Some(request)) = (slot.due, &slot.request) else {
                continue;
            };
            let left = due - now;
            if left <= Delta::ZERO {
                slot.claimed = true;
                return Overdue::Claimed(Claim(request.clone()));
            }
            next = Some(next.map_or(left, |next| next.min(left)));
        }
        table.timed = next.is_some();
        next.map_or(Overdue::Nothing, Overdue::In)
    }

    /// Claims a request for taking it back. Any context.
    ///
    /// `None` if it was claimed before.
    pub(crate) fn claim(&self, handle: abi::d2d_handle) -> Option<Claim> {
        let mut table = self.table.lock();
        let slot = Self::slot(&mut table.slots, handle).filter(|slot| !slot.claimed)?;
        let request = slot.request.clone()?;
        slot.claimed = true;
        Some(Claim(request))
    }

    /// Claims a request for its driver, which completes it, and is done with it. Any context.
    pub(crate) fn complete(&self, handle: abi::d2d_handle) -> Completing {
        let mut table = self.table.lock();
        let slot = Self::slot(&mut table.slots, handle).filter(|slot| !slot.done_with);
        let Some(slot) = slot else {
            return Completing::Stale;
        };
        let Some(request) = slot.request.clone() else {
            return Completing::Stale;
        };
        slot.done_with = true;
        if !core::mem::replace(&mut slot.claimed, true) {
            return Completing::Claimed(Claim(request));
        }
        drop(table);
        self.release(&request, |_| {});
        Completing::Late(request)
    }

    /// Notes that its driver is done with a request whose time was over. Any context.
    pub(crate) fn done_with(&self, handle: abi::d2d_handle) {
        let request = Self::slot(&mut self.table.lock().slots, handle)
            .filter(|slot| slot.claimed)
            .and_then(|slot| slot.request.clone());
        if let Some(request) = request {
            self.release(&request, |slot| slot.done_with = true);
        }
    }

    /// Returns whether a driver is done with a request. Any context.
    pub(crate) fn is_done_with(&self, request: &Offer) -> bool {
        let mut table = self.table.lock();
        Self::slot(&mut table.slots, request.raw.handle).is_none_or(|slot| slot.done_with)
    }

    /// Returns the request that is on its way to a driver, or whose sender has not left it. Any
    /// context.
    pub(crate) fn find(&self, driver: abi::d2d_handle) -> Option<Arc<Offer>> {
        self.find_by(|slot, request| request.driver == driver && !(slot.finished && slot.left))
    }

    /// Returns whether the calling task is inside a driver as the sender of a request.
    pub(crate) fn is_sent_by_current(&self, driver: abi::d2d_handle) -> bool {
        let current = Task::current_raw() as usize;
        self.find_by(|slot, request| {
            request.driver == driver && request.sender == current && !slot.left
        })
        .is_some()
    }

    fn find_by(&self, f: impl Fn(&Slot, &Offer) -> bool) -> Option<Arc<Offer>> {
        let table = self.table.lock();
        let mut found = table.slots.iter().filter_map(|slot| {
            let request = slot.request.as_ref()?;
            f(slot, request).then_some(request)
        });
        found.next().cloned()
    }

    /// Returns the slot of a request that is there.
    fn slot<'a>(slots: &'a mut [Slot], handle: abi::d2d_handle) -> Option<&'a mut Slot> {
        let (index, generation) = Kind::Offer.parts(handle)?;
        slots
            .get_mut(index)
            .filter(|slot| slot.generation == generation && slot.request.is_some())
    }

    /// Gives a claimed request its status, runs the completion routine, and wakes those that wait
    /// for it. Any context that the routine allows.
    ///
    /// Returns what the routine made of it.
    pub(crate) fn finish(
        &self,
        claim: Claim,
        winner: Winner,
        status: c_int,
        routine: impl FnOnce(&Offer) -> c_int,
    ) -> c_int {
        let Claim(request) = claim;
        request.winner.populate(winner);
        request.status.populate(status);
        let outcome = routine(&request);
        request.outcome.populate(outcome);
        self.release(&request, |slot| {
            slot.finished = true;
            // Otherwise it may be busy with it still.
            slot.done_with |= winner != Winner::Timeout;
        });
        request.done.complete_all();
        outcome
    }

    /// Notes that the sender is done with the request. Any context.
    pub(crate) fn leave(&self, request: &Offer) {
        self.release(request, |slot| slot.left = true);
        request.left.complete_all();
    }

    fn release(&self, request: &Offer, note: impl FnOnce(&mut Slot)) {
        let mut table = self.table.lock();
        let released = Self::slot(&mut table.slots, request.raw.handle).and_then(|slot| {
            note(slot);
            if !(slot.finished && slot.left && slot.done_with) {
                return None;
            }
            slot.generation = slot.generation.wrapping_add(1).max(1);
            slot.request.take()
        });
        // The reference is dropped after the lock.
        drop(table);
        drop(released);
    }
}

#[cfg(d2d_tests)]
mod tests;

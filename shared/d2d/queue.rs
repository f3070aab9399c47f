// SPDX-License-Identifier: GPL-2.0

//! A bounded queue of fixed-size items in the shared context.
//!
//! C type: `struct d2d_queue`. Every operation works in task, softirq and hard interrupt context, and
//! none of them sleeps or allocates: the items are preallocated by the owner, and a queue without a free
//! item is full.
//!
//! Putting an item takes the queue's lock, with interrupts disabled, and so does taking one. Releasing a
//! taken item takes no lock: it is pushed on a list, which the next put that lacks a free item takes as a
//! whole. Nobody takes a single item off that list, so an item that is pushed again does no harm.
//!
//! - [`Batch`]: items that were taken together.
//! - [`ValueQueue`]: a queue whose items are values of one type.
//! - [`ItemHandle`]: the name of an item that is passed on.

mod batch;
mod handle;
mod values;

pub use self::{
    batch::{
        Batch,
        Item,
        Items, //
    },
    handle::ItemHandle,
    values::{
        TakenValue,
        ValueQueue, //
    }, //
};

use crate::{
    abi,
    event::Event,
    lock::{
        IrqLock,
        IrqSave, //
    },
    point,
    trace::Step,
    word::Word, //
};
use core::{
    marker::PhantomData,
    ptr::NonNull, //
};
use kernel::{
    prelude::*,
    sync::{
        atomic::Atomic,
        lock::Guard, //
    }, //
};
use zerocopy::{
    Immutable,
    IntoBytes, //
};

/// Most items that are moved under one lock: it is held with interrupts disabled.
pub const MAX_BATCH: u32 = 128;

/// Most bytes of payload that are copied under one lock, which is as much as one item can hold.
pub const MAX_BATCH_BYTES: usize = 4096;

/// Returns how many payloads of `size` bytes are put under one lock.
pub const fn batch_of(size: usize) -> usize {
    let most = MAX_BATCH as usize;
    match MAX_BATCH_BYTES.checked_div(size) {
        Some(0) => 1,
        Some(count) if count < most => count,
        _ => most,
    }
}

/// One direction of item traffic of a context.
///
/// # Invariants
///
/// `raw` points to an initialized `struct d2d_queue` that lives for `'a`. Its pool has `capacity` items
/// with `item_size` initialized bytes of payload, each of which is in one of these places:
///
/// - queued: one of the `put - taken` items that follow each other from `first` to `last`,
/// - on the list `free`; both are used only with the lock,
/// - on the list `released`, which changes atomically,
/// - named by a handle: its `claim` is not 0,
/// - in one [`Batch`] or [`TakenValue`].
///
/// The thread that takes an item from one of these places has it alone.
#[derive(Clone, Copy)]
pub struct Queue<'a> {
    raw: NonNull<abi::d2d_queue>,
    _context: PhantomData<&'a abi::d2d_context>,
}

// SAFETY: Queues change under their lock or atomically, but for fields that never change.
unsafe impl Send for Queue<'_> {}
// SAFETY: As above.
unsafe impl Sync for Queue<'_> {}

/// The counters of a queue, read together.
#[derive(Clone, Copy)]
pub struct Counters {
    /// Items on the queue.
    pub depth: u32,
    /// Largest `depth` so far.
    pub high_water: u32,
    /// Items put so far.
    pub put: u64,
    /// Items taken so far.
    pub taken: u64,
    /// Items refused because the queue was full.
    pub refused: u64,
    /// Handles refused because they name no item.
    pub stale: u64,
}

/// Items that follow each other: `next` of each but the last one is the next one.
///
/// # Invariants
///
/// All are items of one queue, and only the holder of the chain uses them.
#[derive(Clone, Copy)]
struct Chain {
    first: NonNull<abi::d2d_item>,
    last: NonNull<abi::d2d_item>,
}

impl<'a> Queue<'a> {
    /// Makes a queue from its C counterpart.
    ///
    /// # Safety
    ///
    /// The invariants of the type hold for `raw`.
    pub(crate) unsafe fn from_raw(raw: NonNull<abi::d2d_queue>) -> Self {
        // INVARIANT: The caller says that they hold.
        Self {
            raw,
            _context: PhantomData,
        }
    }

    #[inline]
    fn lock(self) -> Guard<'a, (), IrqSave> {
        // SAFETY: By the type invariants the lock is initialized and lives for `'a`.
        let lock: &'a IrqLock<()> =
            unsafe { IrqLock::from_raw(&raw mut (*self.raw.as_ptr()).lock) };
        lock.lock()
    }

    fn released(self) -> &'a Atomic<*mut abi::d2d_item> {
        // SAFETY: By the type invariants the field lives for `'a`, and changes atomically.
        unsafe { Atomic::from_ptr(&raw mut (*self.raw.as_ptr()).released) }
    }

    /// Releases the items of a chain. Any context.
    #[inline(always)]
    fn release(self, chain: Chain) {
        let released = self.released();
        let mut first = Word::load(released);
        loop {
            // SAFETY: The item is the caller's until the list is changed.
            unsafe { (*chain.last.as_ptr()).next = first };
            match Word::cmpxchg(released, first, chain.first.as_ptr()) {
                Ok(_) => break,
                Err(other) => first = other,
            }
        }
    }

    /// Puts one item on the queue, by copy. Any context.
    ///
    /// # Errors
    ///
    /// `ENOSPC` if the queue is full (counted in [`Counters::refused`]), `EMSGSIZE` if the payload
    /// is larger than the queue's items.
    #[inline(always)]
    pub fn put<T: IntoBytes + Immutable>(&self, kind: u32, payload: &T) -> Result {
        if size_of::<T>() > self.item_size() {
            return Err(EMSGSIZE);
        }
        match self.put_and_ring(kind, core::slice::from_ref(payload)) {
            0 => Err(ENOSPC),
            _ => Ok(()),
        }
    }

    /// Puts as many of the payloads on the queue as there is room for, in order. Takes the lock
    /// anew after as many as [`batch_of`] says. Any context.
    ///
    /// Returns the number of items put; those that found no room are counted as refused.
    ///
    /// # Errors
    ///
    /// `EMSGSIZE` if the payloads are larger than the queue's items; none is put then.
    pub fn put_batch<T: IntoBytes + Immutable>(&self, kind: u32, payloads: &[T]) -> Result<usize> {
        if size_of::<T>() > self.item_size() {
            return Err(EMSGSIZE);
        }
        Ok(payloads
            .chunks(const { batch_of(size_of::<T>()) })
            .map(|payloads| self.put_and_ring(kind, payloads))
            .sum())
    }

    /// Puts as many of the payloads, each of which fits into an item, as there is room for, under one
    /// lock, and rings the doorbell. There is at least one payload. Returns their number.
    #[inline(always)]
    fn put_and_ring<T: IntoBytes + Immutable>(self, kind: u32, payloads: &[T]) -> usize {
        let (count, doorbell) = self.put_under_lock(kind, payloads);
        if doorbell != 0 {
            // SAFETY: The owner passes over a stale handle.
            unsafe { abi::d2d_event_ring(doorbell) };
        }
        count
    }

    /// As [`Queue::put_and_ring`], but returns the event that has to be set now, too, or 0. Hits
    /// tracepoints under the lock, so that the trace has the queue's own order.
    #[inline(always)]
    fn put_under_lock<T: IntoBytes + Immutable>(
        self,
        kind: u32,
        payloads: &[T],
    ) -> (usize, abi::d2d_handle) {
        let raw = self.raw.as_ptr();
        let _guard = self.lock();
        // SAFETY: The lock is held, so the queued items, the free ones and the counters are ours. Each free
        // item has room for the payload, whose length was checked. There is a last item if the queue is
        // not empty.
        unsafe {
            let mut seq = (*raw).put;
            let mut item = (*raw).free;
            let mut first = item;
            let mut last: *mut abi::d2d_item = core::ptr::null_mut();
            for payload in payloads {
                if item.is_null() {
                    item = self.reclaim();
                    if item.is_null() {
                        break;
                    }
                    match last.is_null() {
                        true => first = item,
                        false => (*last).next = item,
                    }
                }
                let bytes = payload.as_bytes();
                (*item).seq = seq;
                (*item).kind = kind;
                (*item).len = bytes.len() as u16;
                let destination = (&raw mut (*item).payload).cast::<u8>();
                destination.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
                last = item;
                item = (*item).next;
                seq = seq.wrapping_add(1);
            }
            (*raw).free = item;
            let count = seq.wrapping_sub((*raw).put) as usize;
            if count < payloads.len() {
                self.count_refused(payloads.len() - count, count == 0);
                if count == 0 {
                    return (0, 0);
                }
            }
            let was_empty = (*raw).put == (*raw).taken;
            let link = match was_empty {
                true => &raw mut (*raw).first,
                false => &raw mut (*(*raw).last).next,
            };
            *link = first;
            (*raw).last = last;
            (*raw).put = seq;
            let depth = seq.wrapping_sub((*raw).taken) as u32;
            if depth > (*raw).high_water {
                (*raw).high_water = depth;
            }
            let doorbell = if was_empty { (*raw).doorbell } else { 0 };
            if point::queues() {
                point::queue(raw, Step::D2D_STEP_ENQUEUE, count as u32);
                if doorbell != 0 {
                    point::queue(raw, Step::D2D_STEP_DOORBELL, 0);
                }
            }
            (count, doorbell)
        }
    }

    /// Takes all released items, to be the free ones, of which there is none. The lock is held. Returns
    /// the first one, or null.
    #[inline(always)]
    fn reclaim(self) -> *mut abi::d2d_item {
        Word::xchg(self.released(), core::ptr::null_mut())
    }

    /// Counts so many items as refused, as there was no free item for them, nor for any other if it is
    /// `all`.
    ///
    /// # Safety
    ///
    /// The lock is held.
    #[cold]
    #[inline(never)]
    unsafe fn count_refused(self, missing: usize, all: bool) {
        let raw = self.raw.as_ptr();
        // SAFETY: The caller holds the lock.
        unsafe {
            (*raw).refused = (*raw).refused.wrapping_add(missing as u64);
            if all && point::queues() {
                point::queue(raw, Step::D2D_STEP_ENQUEUE, 0);
            }
        }
    }

    /// Ties the queue to an event, its doorbell, or to none. Any context.
    ///
    /// For the side that takes items: see [`OwnerLink::set_doorbell`](crate::link::OwnerLink::set_doorbell).
    pub(crate) fn set_doorbell(&self, event: Option<&Event>) {
        let doorbell = event.map_or(0, Event::as_raw);
        let raw = self.raw.as_ptr();
        let guard = self.lock();
        // SAFETY: The lock is held.
        let rings = unsafe {
            (*raw).doorbell = doorbell;
            let rings = doorbell != 0 && (*raw).put != (*raw).taken;
            if rings && point::queues() {
                point::queue(raw, Step::D2D_STEP_DOORBELL, 0);
            }
            rings
        };
        drop(guard);
        if rings {
            // SAFETY: The owner passes over a stale handle.
            unsafe { abi::d2d_event_ring(doorbell) };
        }
    }

    /// Takes the oldest item off the queue. Any context.
    #[inline(always)]
    pub fn take(&self) -> Option<Batch<'a>> {
        let (chain, count) = self.take_chain(1)?;
        Some(Batch::new(*self, Some(chain), count))
    }

    /// Takes up to `max` of the oldest items off the queue, and no more than [`MAX_BATCH`], under one
    /// lock. Any context.
    pub fn take_batch(&self, max: u32) -> Batch<'a> {
        let (chain, count) = self.take_chain(max).unzip();
        Batch::new(*self, chain, count.unwrap_or(0))
    }

    /// Takes up to `max` of the oldest items, and returns how many there are.
    #[inline(always)]
    fn take_chain(self, max: u32) -> Option<(Chain, u32)> {
        let _guard = self.lock();
        // SAFETY: The lock is held.
        unsafe { self.unlink(max) }
    }

    /// # Safety
    ///
    /// The lock is held.
    #[inline(always)]
    unsafe fn unlink(self, max: u32) -> Option<(Chain, u32)> {
        let raw = self.raw.as_ptr();
        // SAFETY: The lock is held, so the queued items and the counters are ours. `depth` items follow each
        // other from the first one.
        unsafe {
            let depth = (*raw).put.wrapping_sub((*raw).taken) as u32;
            if depth == 0 || max == 0 {
                return None;
            }
            let count = max.min(MAX_BATCH).min(depth);
            let first = (*raw).first;
            let mut last = first;
            for _ in 1..count {
                last = (*last).next;
            }
            (*raw).first = (*last).next;
            (*raw).taken = (*raw).taken.wrapping_add(count.into());
            if point::queues() {
                point::queue(raw, Step::D2D_STEP_DEQUEUE, count);
            }
            // INVARIANT: These items are on the queue no more.
            let chain = Chain {
                first: NonNull::new_unchecked(first),
                last: NonNull::new_unchecked(last),
            };
            Some((chain, count))
        }
    }

    /// Returns the counters, read under the lock. Any context.
    pub fn counters(&self) -> Counters {
        let raw = self.raw.as_ptr();
        let _guard = self.lock();
        // SAFETY: The lock is held, and `raw` is valid by the type invariants. No reference to the
        // whole is made, as others spin on the lock in it.
        unsafe {
            Counters {
                depth: (*raw).put.wrapping_sub((*raw).taken) as u32,
                high_water: (*raw).high_water,
                put: (*raw).put,
                taken: (*raw).taken,
                refused: (*raw).refused,
                stale: (*raw).stale,
            }
        }
    }

    /// Returns the bytes of payload an item can hold.
    #[inline]
    pub fn item_size(&self) -> usize {
        // SAFETY: `raw` is valid by the type invariants; the field never changes.
        unsafe { (*self.raw.as_ptr()).item_size as usize }
    }
}

#[cfg(d2d_tests)]
mod tests;

// SPDX-License-Identifier: GPL-2.0

//! A queue of a context: bounded, with items of a fixed size.
//!
//! C type: `struct d2d_queue`. The functions for drivers work in task, softirq and hard interrupt context, and do not
//! sleep or allocate: the owner has allocated the items. A queue is full if no item is free or released.
//!
//! Putting and taking an item take the queue's lock, with interrupts disabled. Releasing an item takes no lock: it
//! pushes the item on a list by compare-and-exchange. A put that finds no free item takes the whole list. No thread
//! takes a single item off the list, so the ABA problem does not arise: a push only requires that the item to which it
//! has linked its own is the first one when the compare-and-exchange happens.

mod batch;
mod handle;
mod kind;
mod values;

pub use self::{
    batch::{
        Batch,
        Item,
        Items, //
    },
    handle::ItemHandle,
    kind::ItemKind,
    values::{
        TakenValue,
        ValueQueue, //
    }, //
};

use crate::{
    abi,
    event::Event,
    hot_step,
    lock::{
        IrqLock,
        IrqSave, //
    },
    safe_calls,
    trace::Step,
    word::{
        AtomicOnce as _,
        AtomicWord, //
    }, //
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

/// The most items that a thread puts or takes before it releases the lock and enables interrupts.
pub const MAX_BATCH: u32 = 128;

/// The most bytes of payload that a thread copies before it releases the lock, and that an item can hold.
pub const MAX_BATCH_BYTES: usize = 4096;

/// Returns how many payloads of `size` bytes [`MAX_BATCH`] and [`MAX_BATCH_BYTES`] allow, at least one.
pub const fn batch_of(size: usize) -> usize {
    let most = MAX_BATCH as usize;
    match MAX_BATCH_BYTES.checked_div(size) {
        Some(0) => 1,
        Some(count) if count < most => count,
        _ => most,
    }
}

/// Passes the payloads to `put` in chunks, until `put` puts less than a whole chunk. Returns how many payloads were put,
/// and how many were not passed to `put`.
fn put_chunks<T>(
    payloads: &[T],
    chunk: usize,
    mut put: impl FnMut(&[T]) -> usize,
) -> (usize, usize) {
    let mut done = 0;
    for payloads_of_chunk in payloads.chunks(chunk) {
        let count = put(payloads_of_chunk);
        if count < payloads_of_chunk.len() {
            // There may be room again by now. But the caller must find the refused payloads behind those that
            // were put.
            return (
                done + count,
                payloads.len() - done - payloads_of_chunk.len(),
            );
        }
        done += count;
    }
    (done, 0)
}

/// A queue of a context: the items from one side to the other.
///
/// # Invariants
///
/// `raw` points to an initialized `struct d2d_queue` that lives for `'a`. Its pool has `capacity` items with
/// `item_size` initialized bytes of payload. Each item is in exactly one of these places:
///
/// - queued: one of the `put - taken` items from `first` to `last`. Used only with the lock held;
/// - on the list `free`. Used only with the lock held;
/// - on the list `released`, which changes atomically;
/// - named by a handle: its `claim` is not 0;
/// - in one [`Batch`] or [`TakenValue`].
///
/// A thread that has taken an item from its place is the only one that uses the item.
#[derive(Clone, Copy)]
pub struct Queue<'a> {
    raw: NonNull<abi::d2d_queue>,
    _context: PhantomData<&'a abi::d2d_context>,
}

// SAFETY: The fields of a queue change with its lock held, or atomically, or never.
unsafe impl Send for Queue<'_> {}
// SAFETY: As for `Send`.
unsafe impl Sync for Queue<'_> {}

/// The counters of a queue, all read at the same time.
#[derive(Clone, Copy)]
pub struct Counters {
    /// Items that are queued now.
    pub depth: u32,
    /// The largest `depth` so far.
    pub high_water: u32,
    /// Items put so far.
    pub put: u64,
    /// Items taken so far.
    pub taken: u64,
    /// Items refused because the queue was full.
    pub refused: u64,
    /// Handles refused because they named no item.
    pub stale: u64,
}

/// Items that follow each other by `next`, from `first` to `last`.
///
/// # Invariants
///
/// All are items of one queue, and nothing else uses them.
#[derive(Clone, Copy)]
struct Chain {
    first: NonNull<abi::d2d_item>,
    last: NonNull<abi::d2d_item>,
}

impl<'a> Queue<'a> {
    /// # Safety
    ///
    /// The invariants of the type hold for `raw`.
    pub(crate) unsafe fn from_raw(raw: NonNull<abi::d2d_queue>) -> Self {
        // INVARIANT: The caller says that the invariants hold.
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
        // SAFETY: By the type invariants the field lives for `'a`. All code changes it atomically.
        unsafe { Atomic::from_ptr(&raw mut (*self.raw.as_ptr()).released) }
    }

    #[inline(always)]
    fn release(self, chain: Chain) {
        if !self.try_release(chain) {
            self.retry_release(chain);
        }
    }

    /// Releases the items. Returns false, and releases none, if another thread changes the list meanwhile.
    #[inline(always)]
    fn try_release(self, chain: Chain) -> bool {
        let released = self.released();
        let first = released.get();
        // SAFETY: By the invariants of `Chain`, nothing else uses the item until the exchange below.
        unsafe { (*chain.last.as_ptr()).next = first };
        AtomicWord::cmpxchg(released, first, chain.first.as_ptr()).is_ok()
    }

    /// A function of its own, so that [`Self::release`], which is inlined, contains no loop.
    #[cold]
    fn retry_release(self, chain: Chain) {
        while !self.try_release(chain) {}
    }

    /// Puts one item on the queue, by copy. Any context.
    ///
    /// # Errors
    ///
    /// `ENOSPC` if the queue is full, `EMSGSIZE` if the payload is larger than the queue's items.
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

    /// Puts the payloads on the queue, in order, as far as there is room. Releases the lock and takes it again after
    /// each [`batch_of`] payloads. Returns the number of items put. Any context.
    ///
    /// # Errors
    ///
    /// `EMSGSIZE` if the payloads are larger than the queue's items.
    pub fn put_batch<T: IntoBytes + Immutable>(&self, kind: u32, payloads: &[T]) -> Result<usize> {
        if size_of::<T>() > self.item_size() {
            return Err(EMSGSIZE);
        }
        let chunk = const { batch_of(size_of::<T>()) };
        let (put, left) = put_chunks(payloads, chunk, |payloads| {
            self.put_and_ring(kind, payloads)
        });
        if left > 0 {
            let _guard = self.lock();
            // SAFETY: The lock is held.
            unsafe { self.count_refused(left, false) };
        }
        Ok(put)
    }

    /// Puts at least one and at most [`batch_of`] payloads, as far as there is room, and rings the doorbell. Returns
    /// the number of items put. The caller has checked that each payload fits into an item.
    #[inline(always)]
    fn put_and_ring<T: IntoBytes + Immutable>(self, kind: u32, payloads: &[T]) -> usize {
        let (count, doorbell) = self.put_under_lock(kind, payloads);
        if doorbell != 0 {
            safe_calls::d2d_event_ring(doorbell);
        }
        count
    }

    /// As [`Queue::put_and_ring`], but does not ring. Also returns the event that the caller has to set, or 0. Hits
    /// tracepoints with the lock held, so that the trace has the order of the queue.
    #[inline(always)]
    fn put_under_lock<T: IntoBytes + Immutable>(
        self,
        kind: u32,
        payloads: &[T],
    ) -> (usize, abi::d2d_handle) {
        debug_assert!(payloads.len() <= batch_of(size_of::<T>()));
        let raw = self.raw.as_ptr();
        let _guard = self.lock();
        // SAFETY: By the type invariants `raw` is valid. The lock is held, so only this thread uses the queued and
        // free items and the counters. By the caller, each payload fits into an item. There is at least one
        // payload, so `last` is an item after the loop. A queue that is not empty has a last item, too.
        unsafe {
            let put = (*raw).put;
            let mut count = payloads.len();
            let mut item = (*raw).free;
            let mut first = item;
            let mut last: *mut abi::d2d_item = core::ptr::null_mut();
            for (index, payload) in payloads.iter().enumerate() {
                if item.is_null() {
                    item = self.reclaim();
                    if item.is_null() {
                        self.count_refused(payloads.len() - index, index == 0);
                        if index == 0 {
                            return (0, 0);
                        }
                        count = index;
                        break;
                    }
                    match last.is_null() {
                        true => first = item,
                        false => (*last).next = item,
                    }
                }
                let bytes = payload.as_bytes();
                (*item).seq = put.wrapping_add(index as u64);
                (*item).kind = kind;
                (*item).len = bytes.len() as u16;
                let destination = (&raw mut (*item).payload).cast::<u8>();
                destination.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
                last = item;
                item = (*item).next;
            }
            (*raw).free = item;
            let seq = put.wrapping_add(count as u64);
            let taken = (*raw).taken;
            let depth = seq.wrapping_sub(taken) as u32;
            let doorbell = match put == taken {
                true => {
                    (*raw).first = first;
                    (*raw).doorbell
                }
                false => {
                    (*(*raw).last).next = first;
                    0
                }
            };
            (*raw).last = last;
            (*raw).put = seq;
            if depth > (*raw).high_water {
                (*raw).high_water = depth;
            }
            if hot_step::traces_queues() {
                hot_step::queue(raw, Step::D2D_STEP_ENQUEUE, count as u32);
                if doorbell != 0 {
                    hot_step::queue(raw, Step::D2D_STEP_DOORBELL, 0);
                }
            }
            (count, doorbell)
        }
    }

    /// Takes all released items, and returns the first one, or null. The caller holds the lock, has no free item left,
    /// and makes the result the free items.
    #[inline(always)]
    fn reclaim(self) -> *mut abi::d2d_item {
        AtomicWord::xchg(self.released(), core::ptr::null_mut())
    }

    /// Counts `missing` payloads as refused. If they are `all` payloads of the put, traces a put of 0 items.
    ///
    /// # Safety
    ///
    /// The lock is held.
    #[cold]
    #[inline(never)]
    unsafe fn count_refused(self, missing: usize, all: bool) {
        let raw = self.raw.as_ptr();
        // SAFETY: `raw` is valid by the type invariants, and the lock is held.
        unsafe {
            (*raw).refused = (*raw).refused.wrapping_add(missing as u64);
            if all && hot_step::traces_queues() {
                hot_step::queue(raw, Step::D2D_STEP_ENQUEUE, 0);
            }
        }
    }

    /// Makes an event the doorbell of the queue, or removes the doorbell: see
    /// [`OwnerLink::set_doorbell`](crate::link::OwnerLink::set_doorbell). Any context.
    pub(crate) fn set_doorbell(&self, event: Option<&Event>) {
        let doorbell = event.map_or(0, Event::as_raw);
        let raw = self.raw.as_ptr();
        let guard = self.lock();
        // SAFETY: `raw` is valid by the type invariants, and the lock is held.
        let rings = unsafe {
            (*raw).doorbell = doorbell;
            let rings = doorbell != 0 && (*raw).put != (*raw).taken;
            if rings && hot_step::traces_queues() {
                hot_step::queue(raw, Step::D2D_STEP_DOORBELL, 0);
            }
            rings
        };
        drop(guard);
        if rings {
            safe_calls::d2d_event_ring(doorbell);
        }
    }

    /// Takes the oldest item off the queue. Any context.
    #[inline(always)]
    pub fn take(&self) -> Option<Batch<'a>> {
        let (chain, count) = self.take_chain(1)?;
        Some(Batch::new(*self, Some(chain), count))
    }

    /// Takes the oldest items off the queue, at most `max` and at most [`MAX_BATCH`]. Any context.
    pub fn take_batch(&self, max: u32) -> Batch<'a> {
        let (chain, count) = self.take_chain(max).unzip();
        Batch::new(*self, chain, count.unwrap_or(0))
    }

    #[inline(always)]
    fn take_chain(self, max: u32) -> Option<(Chain, u32)> {
        self.take_chain_with(max, |chain, count| (chain, count))
    }

    /// As [`Queue::take_batch`], but runs `f` on the items and their number, with the lock held. Returns `None` if
    /// there is no item.
    #[inline(always)]
    fn take_chain_with<R>(self, max: u32, f: impl FnOnce(Chain, u32) -> R) -> Option<R> {
        let raw = self.raw.as_ptr();
        let _guard = self.lock();
        // SAFETY: The lock is held, so only this thread uses the queued items and the counters. By the type invariants
        // `raw` is valid, and `depth` items follow each other from the first one.
        let (chain, count) = unsafe {
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
            if hot_step::traces_queues() {
                hot_step::queue(raw, Step::D2D_STEP_DEQUEUE, count);
            }
            // INVARIANT: These items are not queued any more, so nothing else uses them.
            let chain = Chain {
                first: NonNull::new_unchecked(first),
                last: NonNull::new_unchecked(last),
            };
            (chain, count)
        };
        Some(f(chain, count))
    }

    /// Returns the counters. Any context.
    pub fn counters(&self) -> Counters {
        let raw = self.raw.as_ptr();
        let _guard = self.lock();
        // SAFETY: `raw` is valid by the type invariants, and the lock is held. The code makes no reference to the
        // whole structure, because other threads spin on the lock in it.
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

    /// Returns the bytes of payload that an item can hold. Any context.
    #[inline]
    pub fn item_size(&self) -> usize {
        // SAFETY: `raw` is valid by the type invariants; the field never changes.
        unsafe { (*self.raw.as_ptr()).item_size as usize }
    }
}

#[cfg(d2d_tests)]
mod tests;

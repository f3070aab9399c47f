// SPDX-License-Identifier: GPL-2.0

//! A bounded queue of fixed-size items in the shared context.
//!
//! C type: `struct d2d_queue`. Its lock is taken with interrupts disabled, so every operation works
//! in task, softirq and hard interrupt context, and none of them sleeps or allocates: the items are
//! preallocated by the owner, and a queue without a free item is full.

use crate::{
    abi,
    event::Event,
    list::{
        self,
        Chain, //
    },
    lock::{
        IrqLock,
        IrqSave, //
    },
    point,
    trace::Step, //
};
use core::{
    marker::PhantomData,
    ptr::NonNull, //
};
use kernel::{
    bindings::list_head,
    container_of,
    prelude::*,
    sync::lock::Guard, //
};
use zerocopy::{
    FromBytes,
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

/// What the next generation of an item's handle is more than this one.
const GENERATION: abi::d2d_handle = 1 << 32;

/// One direction of item traffic of a context.
///
/// # Invariants
///
/// `raw` points to an initialized `struct d2d_queue` that lives for `'a`. Under its lock, every
/// entry of its two lists is the node of a `struct d2d_item` with `item_size` bytes of payload, and
/// `items` has `depth` of them; its pool has `capacity` such items, and those marked as on the way or
/// held are on no list and in no [`Batch`].
#[derive(Clone, Copy)]
pub struct Queue<'a> {
    raw: NonNull<abi::d2d_queue>,
    _context: PhantomData<&'a abi::d2d_context>,
}

// SAFETY: All access to the queue is under its lock, or to fields that never change.
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

/// Names an item that was taken, for whoever it is passed on to; consumed by [`Queue::redeem`].
///
/// It may be passed to the other side as a number. A number that is no handle, or one that was
/// redeemed before, is refused. When the peer detaches, all handles become stale and their items are
/// given back.
#[must_use = "the item is not given back before the handle is redeemed"]
pub struct ItemHandle(abi::d2d_handle);

impl ItemHandle {
    /// Returns the number, which names no other item until [`Queue::redeem`] has taken this one.
    pub fn into_raw(self) -> abi::d2d_handle {
        self.0
    }

    /// Makes a handle of a number, any number.
    pub fn from_raw(raw: abi::d2d_handle) -> Self {
        Self(raw)
    }
}

impl<'a> Queue<'a> {
    /// Makes a queue from its C counterpart.
    ///
    /// # Safety
    ///
    /// As the invariants of the type say.
    pub(crate) unsafe fn from_raw(raw: NonNull<abi::d2d_queue>) -> Self {
        // INVARIANT: The caller says that `raw` is a queue of which they hold.
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
    /// lock, and rings the doorbell. Returns their number.
    #[inline(always)]
    fn put_and_ring<T: IntoBytes + Immutable>(self, kind: u32, payloads: &[T]) -> usize {
        let (count, doorbell) = if point::queues() {
            self.put_and_hit(kind, payloads)
        } else {
            self.put_under_lock::<_, false>(kind, payloads)
        };
        if doorbell != 0 {
            // SAFETY: A stale handle is passed over by the owner.
            unsafe { abi::d2d_event_ring(doorbell) };
        }
        count
    }

    /// As [`Queue::put_under_lock`], and hits the tracepoints.
    #[cold]
    #[inline(never)]
    fn put_and_hit<T: IntoBytes + Immutable>(
        self,
        kind: u32,
        payloads: &[T],
    ) -> (usize, abi::d2d_handle) {
        self.put_under_lock::<_, true>(kind, payloads)
    }

    /// Puts as many of the payloads, each of which fits into an item, as there is room for.
    ///
    /// Returns their number, and the event that has to be set now, or 0. Tracepoints are hit, if at
    /// all, under the lock, so that the trace has the queue's own order.
    #[inline(always)]
    fn put_under_lock<T: IntoBytes + Immutable, const HITS: bool>(
        self,
        kind: u32,
        payloads: &[T],
    ) -> (usize, abi::d2d_handle) {
        let raw = self.raw.as_ptr();
        let _guard = self.lock();
        // SAFETY: The lock is held, so the lists, what is on them and the counters are ours; by the type
        // invariants each free node is in an item whose payload has room for the bytes, whose length
        // was checked. `depth` is at most `capacity`, a `u32`.
        unsafe {
            let free = &raw mut (*raw).free;
            let first = (*free).next;
            let mut last = free;
            let mut seq = (*raw).put;
            let mut count = 0;
            for payload in payloads {
                let node = (*last).next;
                if core::ptr::eq(node, free) {
                    break;
                }
                let bytes = payload.as_bytes();
                let item = container_of!(node, abi::d2d_item, node);
                (*item).seq = seq;
                (*item).kind = kind;
                (*item).len = bytes.len() as u16;
                let destination = (&raw mut (*item).payload).cast::<u8>();
                destination.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
                last = node;
                seq = seq.wrapping_add(1);
                count += 1;
            }
            (*raw).put = seq;
            (*raw).refused = (*raw).refused.wrapping_add((payloads.len() - count) as u64);
            if count == 0 {
                if HITS {
                    point::queue(raw, Step::Enqueue, 0);
                }
                return (0, 0);
            }
            let first = NonNull::new_unchecked(first);
            list::append(&raw mut (*raw).items, list::detach(first, last));
            let was_empty = (*raw).depth == 0;
            (*raw).depth = (*raw).depth.wrapping_add(count as u32);
            (*raw).high_water = (*raw).high_water.max((*raw).depth);
            if HITS {
                point::queue(raw, Step::Enqueue, count as u32);
                if was_empty && (*raw).doorbell != 0 {
                    point::queue(raw, Step::Doorbell, 0);
                }
            }
            (count, if was_empty { (*raw).doorbell } else { 0 })
        }
    }

    /// Ties the queue to an event, its doorbell, or to none. Any context.
    ///
    /// It is for the side that takes items: the event is set whenever the queue has an item that was
    /// empty before, and now if it has one. Who takes everything after each ring misses none, and
    /// is not rung for each item. A doorbell that is closed is silent.
    pub fn set_doorbell(&self, event: Option<&Event>) {
        let doorbell = event.map_or(0, Event::as_raw);
        let raw = self.raw.as_ptr();
        let guard = self.lock();
        // SAFETY: The lock is held.
        let rings = unsafe {
            (*raw).doorbell = doorbell;
            let rings = doorbell != 0 && (*raw).depth > 0;
            if rings && point::queues() {
                point::queue(raw, Step::Doorbell, 0);
            }
            rings
        };
        drop(guard);
        if rings {
            // SAFETY: A stale handle is passed over by the owner.
            unsafe { abi::d2d_event_ring(doorbell) };
        }
    }

    /// Takes the oldest item off the queue. Any context.
    #[inline(always)]
    pub fn take(&self) -> Option<Batch<'a>> {
        let (chain, count) = self.take_chain(1);
        // INVARIANT: The chain is that of so many items.
        chain.map(|chain| Batch {
            queue: *self,
            chain: Some(chain),
            count,
        })
    }

    /// Takes up to `max` of the oldest items off the queue, and no more than [`MAX_BATCH`], under one
    /// lock. Any context.
    pub fn take_batch(&self, max: u32) -> Batch<'a> {
        let (chain, count) = self.take_chain(max);
        // INVARIANT: The chain is that of so many items.
        Batch {
            queue: *self,
            chain,
            count,
        }
    }

    /// Returns up to `max` of the oldest items, which are on no list and have no other holder, and how
    /// many there are.
    #[inline(always)]
    fn take_chain(self, max: u32) -> (Option<Chain>, u32) {
        if point::queues() {
            self.take_and_hit(max)
        } else {
            self.take_under_lock::<false>(max)
        }
    }

    #[cold]
    #[inline(never)]
    fn take_and_hit(self, max: u32) -> (Option<Chain>, u32) {
        self.take_under_lock::<true>(max)
    }

    #[inline(always)]
    fn take_under_lock<const HITS: bool>(self, max: u32) -> (Option<Chain>, u32) {
        let raw = self.raw.as_ptr();
        let _guard = self.lock();
        // SAFETY: The lock is held, so lists and counters are ours; `depth` is the number of
        // entries of `items`, so that `count` of them exist.
        unsafe {
            if (*raw).depth == 0 || max == 0 {
                return (None, 0);
            }
            let count = max.min(MAX_BATCH).min((*raw).depth);
            let first = NonNull::new_unchecked((*raw).items.next);
            let mut last = first.as_ptr();
            for _ in 1..count {
                last = (*last).next;
            }
            (*raw).depth = (*raw).depth.wrapping_sub(count);
            (*raw).taken = (*raw).taken.wrapping_add(count.into());
            if HITS {
                point::queue(raw, Step::Dequeue, count);
            }
            (Some(list::detach(first, last)), count)
        }
    }

    /// Takes the oldest item off the queue and returns its handle. Any context.
    pub fn take_handle(&self) -> Option<ItemHandle> {
        let raw = self.raw.as_ptr();
        let _guard = self.lock();
        // SAFETY: The lock is held, so lists, counters and items on the lists are ours.
        unsafe {
            let node = list::first(&raw const (*raw).items)?;
            list::detach(node, node.as_ptr());
            (*raw).depth = (*raw).depth.wrapping_sub(1);
            (*raw).taken = (*raw).taken.wrapping_add(1);
            if point::queues() {
                point::queue(raw, Step::Dequeue, 1);
            }
            (*raw).handed = (*raw).handed.wrapping_add(1);
            let item = container_of!(node.as_ptr(), abi::d2d_item, node);
            (*item).handed = abi::D2D_ITEM_ON_THE_WAY as u16;
            (*item).handle = (*item).handle.wrapping_add(GENERATION);
            if (*item).handle < GENERATION {
                (*item).handle += GENERATION;
            }
            Some(ItemHandle((*item).handle))
        }
    }

    /// Returns the item that a handle names. Any context.
    ///
    /// # Errors
    ///
    /// `ESTALE` if it names none of this queue: it was redeemed or revoked before, is another
    /// queue's, or was made up. Counted in [`Counters::stale`].
    pub fn redeem(&self, handle: ItemHandle) -> Result<Batch<'a>> {
        let raw = self.raw.as_ptr();
        let index = handle.0 as u32 & ((1 << abi::D2D_ITEM_INDEX_BITS) - 1);
        let _guard = self.lock();
        // SAFETY: The lock is held; by the type invariants the pool has `capacity` items, which
        // live as long as the queue. An item that is on the way is on no list and in no batch, has no
        // holder, and becomes one of the batch alone.
        unsafe {
            if index < (*raw).capacity {
                let item = *(*raw).pool.add(index as usize);
                let on_the_way = u32::from((*item).handed) == abi::D2D_ITEM_ON_THE_WAY;
                if on_the_way && (*item).handle == handle.0 {
                    (*item).handed = 0;
                    (*raw).handed = (*raw).handed.wrapping_sub(1);
                    // INVARIANT: The chain is the one item, which nobody else can find any more.
                    return Ok(Batch {
                        queue: *self,
                        chain: Some(Chain::of(node(item))),
                        count: 1,
                    });
                }
            }
            (*raw).stale = (*raw).stale.wrapping_add(1);
        }
        Err(ESTALE)
    }

    /// Makes all handles stale and gives their items back. Returns how many there were. Process
    /// context.
    ///
    /// # Safety
    ///
    /// No driver in C uses an item of the queue any more that it has taken by handle.
    pub unsafe fn revoke_handles(&self) -> u32 {
        let raw = self.raw.as_ptr();
        // SAFETY: Valid by the type invariants; the field never changes.
        let capacity = unsafe { (*raw).capacity };
        let mut revoked = 0;
        for first in (0..capacity).step_by(MAX_BATCH as usize) {
            let _guard = self.lock();
            // SAFETY: The lock is held; by the type invariants the pool has `capacity` items, which
            // live as long as the queue. One that is on the way or held is on no list and in no
            // batch, and no driver in C uses it any more.
            unsafe {
                if (*raw).handed == 0 {
                    break;
                }
                for index in first..capacity.min(first + MAX_BATCH) {
                    let item = *(*raw).pool.add(index as usize);
                    if (*item).handed != 0 {
                        (*item).handed = 0;
                        (*raw).handed = (*raw).handed.wrapping_sub(1);
                        list::append(&raw mut (*raw).free, Chain::of(node(item)));
                        revoked += 1;
                    }
                }
            }
        }
        revoked
    }

    /// Returns the counters, read under the lock. Any context.
    pub fn counters(&self) -> Counters {
        let raw = self.raw.as_ptr();
        let _guard = self.lock();
        // SAFETY: The lock is held, and `raw` is valid by the type invariants. No reference to the
        // whole is made, as others spin on the lock in it.
        unsafe {
            Counters {
                depth: (*raw).depth,
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

/// Returns what an item is on a list by.
///
/// # Safety
///
/// There is an item.
unsafe fn node(item: *mut abi::d2d_item) -> NonNull<list_head> {
    // SAFETY: `item` points to an item, and so does not lead to null.
    unsafe { NonNull::new_unchecked(&raw mut (*item).node) }
}

/// Items taken off a queue together. Dropping it gives them back for reuse, under one lock.
///
/// # Invariants
///
/// `chain` holds `count` items of `queue`, and nobody else uses them.
pub struct Batch<'a> {
    queue: Queue<'a>,
    chain: Option<Chain>,
    count: u32,
}

impl<'a> Batch<'a> {
    /// Returns the number of items.
    #[inline]
    pub fn len(&self) -> usize {
        self.count as usize
    }

    /// Returns whether there is no item.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Returns the items, oldest first.
    #[inline]
    pub fn iter(&self) -> Items<'_, 'a> {
        // INVARIANT: `next` is the first of `left` items of the batch.
        Items {
            batch: self,
            next: self.chain.map(Chain::first),
            left: self.count,
        }
    }
}

impl<'b, 'a> IntoIterator for &'b Batch<'a> {
    type Item = Item<'b>;
    type IntoIter = Items<'b, 'a>;

    #[inline]
    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl Drop for Batch<'_> {
    #[inline]
    fn drop(&mut self) {
        if let Some(chain) = self.chain {
            let _guard = self.queue.lock();
            // SAFETY: The lock is held; by the type invariants nobody else uses the chain.
            unsafe { list::append(&raw mut (*self.queue.raw.as_ptr()).free, chain) };
        }
    }
}

/// Iterator over the items of a [`Batch`].
///
/// # Invariants
///
/// If `left` is not zero, `next` is a node of an item of the batch that `left - 1` more follow.
pub struct Items<'b, 'a> {
    batch: &'b Batch<'a>,
    next: Option<*mut list_head>,
    left: u32,
}

impl<'b> Iterator for Items<'b, '_> {
    type Item = Item<'b>;

    #[inline]
    fn next(&mut self) -> Option<Item<'b>> {
        let node = self.next.filter(|_| self.left > 0)?;
        self.left -= 1;
        // SAFETY: By the type invariants `node` is valid, and its successor is one of the batch if
        // there is one left.
        self.next = Some(unsafe { (*node).next });
        // SAFETY: By the invariants of `Queue`, the node is that of an item, which the batch owns.
        let (item, seq, kind, len) = unsafe {
            let item = container_of!(node, abi::d2d_item, node);
            (item, (*item).seq, (*item).kind, (*item).len)
        };
        // A C peer may have left any length behind.
        let len = (len as usize).min(self.batch.queue.item_size());
        // SAFETY: By the invariants of `Queue`, the payload has `item_size` initialized bytes.
        let payload =
            unsafe { core::slice::from_raw_parts((&raw const (*item).payload).cast::<u8>(), len) };
        Some(Item { seq, kind, payload })
    }
}

/// One item, seen through the [`Batch`] that owns it.
#[derive(Clone, Copy)]
pub struct Item<'b> {
    /// Number of items that were put on the queue before this one.
    pub seq: u64,
    /// Meaning of the payload, as its producer said.
    pub kind: u32,
    /// The payload.
    pub payload: &'b [u8],
}

impl Item<'_> {
    /// Returns the payload as a `T`, or `None` if it has another size.
    #[inline]
    pub fn read<T: FromBytes>(&self) -> Option<T> {
        T::read_from_bytes(self.payload).ok()
    }
}

#[cfg(d2d_tests)]
mod tests;

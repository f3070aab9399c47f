// SPDX-License-Identifier: GPL-2.0

//! Item handles. The field `claim` of an item is 0, or the handle that names the item. Once a driver in C has redeemed
//! the handle, the claim is that handle without `D2D_HANDLE_ITEM`. A handle is redeemed, released or revoked by one
//! atomic exchange of the claim, so exactly one thread gets the item.

use super::{
    Batch,
    Chain,
    Queue, //
};
use crate::{
    abi,
    word::{
        AtomicOnce as _,
        AtomicWord, //
    }, //
};
use core::ptr::NonNull;
use kernel::{
    prelude::*,
    sync::atomic::Atomic, //
};

/// The difference between two successive handles of an item.
const GENERATION: abi::d2d_handle = 1 << 32;

/// The bits of a handle that are the index of its item in the pool.
const INDEX: u32 = (1 << abi::D2D_ITEM_INDEX_BITS) - 1;

/// Names an item that was taken off a queue. A driver can pass the handle to the other side as a number;
/// [`Queue::redeem`] returns the item. When the peer detaches, all handles that nobody has redeemed become stale, and
/// their items are released.
#[must_use = "the item is not released before the handle is redeemed"]
pub struct ItemHandle(abi::d2d_handle);

impl ItemHandle {
    /// Returns the handle as a number.
    pub fn into_raw(self) -> abi::d2d_handle {
        self.0
    }

    /// Makes a handle of any number; [`Queue::redeem`] checks it.
    pub fn from_raw(raw: abi::d2d_handle) -> Self {
        Self(raw)
    }
}

impl<'a> Queue<'a> {
    /// Takes the oldest item off the queue and returns its handle. Any context.
    pub fn take_handle(&self) -> Option<ItemHandle> {
        let raw = self.raw.as_ptr();
        self.take_chain_with(1, |chain, _| {
            let item = chain.first.as_ptr();
            // SAFETY: By the type invariants `raw` is valid, and the lock is held. By those of `Chain`, nothing else
            // uses the item.
            let handle = unsafe {
                let mut handle = (*item).handle.wrapping_add(GENERATION);
                if handle < GENERATION {
                    handle += GENERATION;
                }
                (*item).handle = handle;
                (*raw).handed = 1;
                handle
            };
            // The claim is stored with the lock held. A `revoke_handles` that took the lock earlier may miss the
            // claim. But `handed` is set again, so the next `revoke_handles` finds it.
            AtomicWord::store_release(self.claim(chain.first), handle);
            ItemHandle(handle)
        })
    }

    fn claim(self, item: NonNull<abi::d2d_item>) -> &'a Atomic<abi::d2d_handle> {
        // SAFETY: All callers are in this file, and have the item from the pool or the queue, so it lives for `'a`.
        // All code changes the field atomically.
        unsafe { Atomic::from_ptr(&raw mut (*item.as_ptr()).claim) }
    }

    /// Returns the item that a handle names, as a batch. Any context.
    ///
    /// # Errors
    ///
    /// `ESTALE` if the handle names no item of this queue: it was redeemed or revoked before, belongs to another
    /// queue, or was made up.
    pub fn redeem(&self, handle: ItemHandle) -> Result<Batch<'a>> {
        let item = self.find(handle.0).filter(|item| {
            // A handle is stored as a claim only once, so only one thread succeeds.
            AtomicWord::cmpxchg(self.claim(*item), handle.0, 0).is_ok()
        });
        let Some(item) = item else {
            return Err(self.note_stale());
        };
        // INVARIANT: The handle named the item, so after the exchange only this thread uses it.
        let chain = Chain {
            first: item,
            last: item,
        };
        Ok(Batch::new(*self, Some(chain), 1))
    }

    /// Returns the item whose index `handle` contains, or `None` if `handle` cannot be a handle of this queue.
    #[inline]
    fn find(self, handle: abi::d2d_handle) -> Option<NonNull<abi::d2d_item>> {
        let raw = self.raw.as_ptr();
        let number = handle as u32;
        let index = number & INDEX;
        // SAFETY: By the type invariants the pool has `capacity` items, and neither changes.
        unsafe {
            let is_possible = number & abi::D2D_HANDLE_ITEM != 0 && index < (*raw).capacity;
            is_possible.then(|| NonNull::new_unchecked(*(*raw).pool.add(index as usize)))
        }
    }

    #[cold]
    #[inline(never)]
    fn note_stale(self) -> Error {
        let raw = self.raw.as_ptr();
        let _guard = self.lock();
        // SAFETY: By the type invariants `raw` is valid, and the lock is held.
        unsafe { (*raw).stale = (*raw).stale.wrapping_add(1) };
        ESTALE
    }

    /// Revokes all handles that nobody has redeemed, and releases their items. If `redeemed` is set, does the same for
    /// the handles that drivers in C have redeemed. Returns how many it has revoked. Process context: it looks at each
    /// item of the pool.
    ///
    /// # Safety
    ///
    /// If `redeemed` is set, no driver in C uses an item of the queue that it has redeemed.
    pub unsafe fn revoke_handles(&self, redeemed: bool) -> u32 {
        let raw = self.raw.as_ptr();
        let capacity = {
            let _guard = self.lock();
            // SAFETY: By the type invariants `raw` is valid, and the lock is held.
            unsafe {
                if (*raw).handed == 0 {
                    return 0;
                }
                (*raw).handed = 0;
                (*raw).capacity
            }
        };
        let mut revoked = 0;
        for index in 0..capacity {
            let Some(item) = self.find((abi::D2D_HANDLE_ITEM | index).into()) else {
                continue;
            };
            let claim = self.claim(item);
            let seen = claim.get();
            let is_held = seen & abi::d2d_handle::from(abi::D2D_HANDLE_ITEM) == 0;
            if seen != 0 && (redeemed || !is_held) && AtomicWord::cmpxchg(claim, seen, 0).is_ok() {
                // INVARIANT: A handle named the item. Either nobody had redeemed this handle, or by the caller, no
                // driver in C uses the item. So after the exchange only this thread uses the item.
                self.release(Chain {
                    first: item,
                    last: item,
                });
                revoked += 1;
            }
        }
        revoked
    }
}

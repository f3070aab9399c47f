// SPDX-License-Identifier: GPL-2.0

//! Items that are passed on by handle.
//!
//! The `claim` of an item is 0, or the handle that was made of it, or that handle without
//! `D2D_HANDLE_ITEM` while a driver in C uses the item. Exactly one thread changes it back to 0: the one
//! that redeems, releases or revokes the handle, by one atomic step.

use super::{
    Batch,
    Chain,
    Queue, //
};
use crate::{
    abi,
    word::Word, //
};
use core::ptr::NonNull;
use kernel::{
    prelude::*,
    sync::atomic::Atomic, //
};

/// The difference between an item's handle and its next one.
const GENERATION: abi::d2d_handle = 1 << 32;

/// The bits of a handle that are the index of its item.
const INDEX: u32 = (1 << abi::D2D_ITEM_INDEX_BITS) - 1;

/// Names an item that was taken, for the driver that it is passed on to; consumed by [`Queue::redeem`].
///
/// It may be passed to the other side as a number. A number that is no handle, or one that was
/// redeemed before, is refused. When the peer detaches, all handles become stale and their items are
/// released.
#[must_use = "the item is not released before the handle is redeemed"]
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
    /// Takes the oldest item off the queue and returns its handle. Any context.
    pub fn take_handle(&self) -> Option<ItemHandle> {
        let raw = self.raw.as_ptr();
        let _guard = self.lock();
        // SAFETY: The lock is held. The item that is taken is ours alone until its claim is stored.
        unsafe {
            let (chain, _) = self.unlink(1)?;
            let item = chain.first.as_ptr();
            let mut handle = (*item).handle.wrapping_add(GENERATION);
            if handle < GENERATION {
                handle += GENERATION;
            }
            (*item).handle = handle;
            (*raw).handed = 1;
            // Under the lock: `revoke_handles` finds it, or `handed`.
            Word::store_release(self.claim(chain.first), handle);
            Some(ItemHandle(handle))
        }
    }

    /// Returns the claim of an item of this queue.
    fn claim(self, item: NonNull<abi::d2d_item>) -> &'a Atomic<abi::d2d_handle> {
        // SAFETY: The callers, all of them in this module, have the item from the pool or the queue, so it
        // lives for `'a`. The field changes atomically.
        unsafe { Atomic::from_ptr(&raw mut (*item.as_ptr()).claim) }
    }

    /// Returns the item that a handle names. Any context.
    ///
    /// # Errors
    ///
    /// `ESTALE` if it names none of this queue: it was redeemed or revoked before, is another
    /// queue's, or was made up. Counted in [`Counters::stale`](super::Counters::stale).
    pub fn redeem(&self, handle: ItemHandle) -> Result<Batch<'a>> {
        let item = self.find(handle.0).filter(|item| {
            // A handle becomes a claim once, so only one thread finds it.
            Word::cmpxchg(self.claim(*item), handle.0, 0).is_ok()
        });
        let Some(item) = item else {
            return Err(self.note_stale());
        };
        // INVARIANT: The item was named by the handle, and is ours alone now.
        let chain = Chain {
            first: item,
            last: item,
        };
        Ok(Batch::new(*self, Some(chain), 1))
    }

    /// Returns the item whose index is in a handle, if it can be an item's handle.
    #[inline]
    fn find(self, handle: abi::d2d_handle) -> Option<NonNull<abi::d2d_item>> {
        let raw = self.raw.as_ptr();
        let number = handle as u32;
        let index = number & INDEX;
        // SAFETY: By the type invariants the pool has `capacity` items, and neither changes.
        unsafe {
            let is_one = number & abi::D2D_HANDLE_ITEM != 0 && index < (*raw).capacity;
            is_one.then(|| NonNull::new_unchecked(*(*raw).pool.add(index as usize)))
        }
    }

    #[cold]
    #[inline(never)]
    fn note_stale(self) -> Error {
        let raw = self.raw.as_ptr();
        let _guard = self.lock();
        // SAFETY: The lock is held.
        unsafe { (*raw).stale = (*raw).stale.wrapping_add(1) };
        ESTALE
    }

    /// Makes all handles stale and releases their items. Returns how many there were. Process context.
    ///
    /// # Safety
    ///
    /// No driver in C uses an item of the queue any more that it has taken by handle.
    pub unsafe fn revoke_handles(&self) -> u32 {
        let raw = self.raw.as_ptr();
        let capacity = {
            let _guard = self.lock();
            // SAFETY: The lock is held.
            unsafe {
                if (*raw).handed == 0 {
                    return 0;
                }
                (*raw).handed = 0;
                (*raw).capacity
            }
        };
        // A handle that is made from here on is noted in `handed` again.
        let mut revoked = 0;
        for index in 0..capacity {
            let Some(item) = self.find((abi::D2D_HANDLE_ITEM | index).into()) else {
                continue;
            };
            let claim = self.claim(item);
            if Word::load(claim) != 0 && Word::xchg(claim, 0) != 0 {
                // INVARIANT: The item was named by the handle, and no driver in C uses it.
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

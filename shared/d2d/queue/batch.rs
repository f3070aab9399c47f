// SPDX-License-Identifier: GPL-2.0

//! Batches of taken items.

use super::{
    Chain,
    Queue, //
};
use crate::abi;
use zerocopy::FromBytes;

/// Items that were taken off a queue together. Dropping the batch releases them. Any context.
///
/// # Invariants
///
/// `chain` has `count` items, all of `queue`.
pub struct Batch<'a> {
    queue: Queue<'a>,
    chain: Option<Chain>,
    count: u32,
}

impl<'a> Batch<'a> {
    #[inline]
    pub(super) fn new(queue: Queue<'a>, chain: Option<Chain>, count: u32) -> Self {
        // INVARIANT: All callers are in the module `queue`, and pass the length of the chain.
        Self {
            queue,
            chain,
            count,
        }
    }

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
        // INVARIANT: `next` is the first of the batch's `count` items.
        Items {
            batch: self,
            next: self.chain.map(|chain| chain.first.as_ptr()),
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
            self.queue.release(chain);
        }
    }
}

/// Iterator over the items of a [`Batch`].
///
/// # Invariants
///
/// If `left` is not 0, `next` is an item of the batch, and `left - 1` more items follow it.
pub struct Items<'b, 'a> {
    batch: &'b Batch<'a>,
    next: Option<*mut abi::d2d_item>,
    left: u32,
}

impl<'b> Iterator for Items<'b, '_> {
    type Item = Item<'b>;

    #[inline]
    fn next(&mut self) -> Option<Item<'b>> {
        let item = self.next.filter(|_| self.left > 0)?;
        self.left -= 1;
        // SAFETY: `left` was not 0, so by the type invariants `item` is one of the batch. INVARIANT: `left` is now one
        // less, and if it is not 0, `next` is the item that follows.
        let (seq, kind, len) = unsafe {
            self.next = Some((*item).next);
            ((*item).seq, (*item).kind, (*item).len)
        };
        // A driver in C may have stored any length.
        let len = (len as usize).min(self.batch.queue.item_size());
        // SAFETY: By the invariants of `Queue`, the payload has `item_size` initialized bytes. By those of `Chain`,
        // nothing else uses the item until the batch, which is borrowed for `'b`, is dropped.
        let payload =
            unsafe { core::slice::from_raw_parts((&raw const (*item).payload).cast::<u8>(), len) };
        Some(Item { seq, kind, payload })
    }
}

/// An item of a [`Batch`].
#[derive(Clone, Copy)]
pub struct Item<'b> {
    /// How many items were put on the queue before this one.
    pub seq: u64,
    /// The number of the [`ItemKind`](super::ItemKind), as stated by the driver that has put the item.
    pub kind: u32,
    /// The payload.
    pub payload: &'b [u8],
}

impl Item<'_> {
    /// Returns the payload, or `None` if it does not have the size of a `T`.
    #[inline]
    pub fn read<T: FromBytes>(&self) -> Option<T> {
        T::read_from_bytes(self.payload).ok()
    }
}

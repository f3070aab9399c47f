// SPDX-License-Identifier: GPL-2.0

//! A queue of values of one type. [`Queue::typed`] checks once that they fit into the items, so that no put has to.

use super::{
    Chain,
    Queue, //
};
use crate::abi;
use core::{
    marker::PhantomData,
    ptr::NonNull, //
};
use kernel::prelude::*;
use zerocopy::{
    FromBytes,
    Immutable,
    IntoBytes, //
};

/// A queue whose items are values of type `T`.
///
/// # Invariants
///
/// An item of `queue` has room for a `T`.
pub struct ValueQueue<'a, T> {
    queue: Queue<'a>,
    _values: PhantomData<fn(T) -> T>,
}

impl<'a> Queue<'a> {
    /// Returns the queue as one of values of type `T`. Any context.
    ///
    /// # Errors
    ///
    /// `EMSGSIZE` if a `T` is larger than the queue's items.
    #[inline]
    pub fn typed<T: FromBytes + IntoBytes + Immutable>(&self) -> Result<ValueQueue<'a, T>> {
        const {
            assert!(align_of::<T>() <= align_of::<u64>());
        }
        if size_of::<T>() > self.item_size() {
            return Err(EMSGSIZE);
        }
        // INVARIANT: A `T` is not larger than an item.
        Ok(ValueQueue {
            queue: *self,
            _values: PhantomData,
        })
    }
}

impl<'a, T: FromBytes + IntoBytes + Immutable> ValueQueue<'a, T> {
    /// Puts a value on the queue, by copy. Any context.
    ///
    /// # Errors
    ///
    /// `ENOSPC` if the queue is full.
    #[inline(always)]
    pub fn put(&self, kind: u32, value: &T) -> Result {
        match self.queue.put_and_ring(kind, core::slice::from_ref(value)) {
            0 => Err(ENOSPC),
            _ => Ok(()),
        }
    }

    /// Takes the oldest item off the queue. Any context.
    #[inline(always)]
    pub fn take(&self) -> Option<TakenValue<'a, T>> {
        let (chain, _) = self.queue.take_chain(1)?;
        // INVARIANT: The chain has one item, which nothing else uses. The items of `queue` have room for a `T`.
        Some(TakenValue {
            queue: self.queue,
            item: chain.first,
            _value: PhantomData,
        })
    }
}

/// A value that was taken off a queue. Dropping it releases the item. Any context.
///
/// # Invariants
///
/// `item` is an item of `queue`, has room for a `T`, and nothing else uses it.
pub struct TakenValue<'a, T> {
    queue: Queue<'a>,
    item: NonNull<abi::d2d_item>,
    _value: PhantomData<T>,
}

impl<T: FromBytes + Immutable> TakenValue<'_, T> {
    /// Returns the value, or `None` if the payload has another size.
    #[inline]
    pub fn value(&self) -> Option<&T> {
        let item = self.item.as_ptr();
        // SAFETY: By the type invariants nothing else uses the item, whose payload has room for a `T`. The
        // payload is initialized, and any bytes are a `T`. It is aligned for a `u64`, and `Queue::typed` has checked
        // that this is enough for a `T`.
        unsafe {
            let is_whole = usize::from((*item).len) == size_of::<T>();
            is_whole.then(|| &*(&raw const (*item).payload).cast::<T>())
        }
    }
}

impl<T> Drop for TakenValue<'_, T> {
    #[inline]
    fn drop(&mut self) {
        // INVARIANT: By the type invariants nothing else uses the item, the only one of the chain.
        self.queue.release(Chain {
            first: self.item,
            last: self.item,
        });
    }
}

// SPDX-License-Identifier: GPL-2.0

//! Kinds of items.

use super::{
    Item,
    Queue, //
};
use crate::{
    interface::Plain,
    refuse, //
};
use core::marker::PhantomData;
use kernel::prelude::*;

/// A kind says what an item means. The payload is a `T`. [`pair!`](crate::pair!) declares the kinds.
pub struct ItemKind<T: Plain> {
    raw: u32,
    _payload: PhantomData<fn(T) -> T>,
}

impl<T: Plain> Clone for ItemKind<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: Plain> Copy for ItemKind<T> {}

impl<T: Plain> ItemKind<T> {
    /// Makes the kind with a number.
    pub const fn new(raw: u32) -> Self {
        const {
            assert!(align_of::<T>() <= align_of::<u64>());
        }
        Self {
            raw,
            _payload: PhantomData,
        }
    }

    /// Returns the kind as a number.
    pub const fn raw(self) -> u32 {
        self.raw
    }

    /// As [`Queue::put`], with this kind.
    #[inline]
    pub fn put(self, queue: &Queue<'_>, payload: &T) -> Result {
        queue.put(self.raw, payload)
    }

    /// As [`Queue::put_batch`], with this kind.
    #[inline]
    pub fn put_batch(self, queue: &Queue<'_>, payloads: &[T]) -> Result<usize> {
        queue.put_batch(self.raw, payloads)
    }

    /// Returns the payload of an item, or `None` if the item is of another kind or length. Any context.
    #[inline]
    pub fn read(self, item: &Item<'_>) -> Option<T> {
        if item.kind == self.raw {
            item.read()
        } else {
            None
        }
    }

    /// As [`read`](Self::read), but refuses a wrong item in the name of `driver`, which has taken it. After an error,
    /// go on with the next item. If you return the error instead, you drop the batch, and lose the items that you have
    /// not read. Any context.
    ///
    /// # Errors
    ///
    /// `ENOMSG`, with a line, if the item is of another kind or length.
    #[inline]
    pub fn expect(self, item: &Item<'_>, driver: &CStr) -> Result<T> {
        self.read(item).ok_or_else(|| self.refuse(item, driver))
    }

    #[cold]
    fn refuse(self, item: &Item<'_>, driver: &CStr) -> Error {
        refuse!(
            driver,
            "unknown-item",
            ENOMSG,
            kind: item.kind,
            bytes: item.payload.len() as u32,
            expected: self.raw
        )
    }
}

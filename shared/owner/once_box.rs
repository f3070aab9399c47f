// SPDX-License-Identifier: GPL-2.0

//! A place for a box, which one thread fills while others look at the place without a lock.
//!
//! For each look, the kernel crate's `SetOnce` loads two words, one of them in a C helper.

use core::ptr::null_mut;
use d2d::word::{
    AtomicOnce as _,
    AtomicWord, //
};
use kernel::{
    prelude::*,
    sync::atomic::Atomic, //
};

/// Once set, the value stays until the place is dropped.
///
/// # Invariants
///
/// `value` is null, or came from [`KBox::into_raw`] and does not change any more.
pub(crate) struct OnceBox<T: Send + Sync> {
    value: Atomic<*mut T>,
}

impl<T: Send + Sync> OnceBox<T> {
    pub(crate) const fn new() -> Self {
        // INVARIANT: `value` is null.
        Self {
            value: Atomic::new(null_mut()),
        }
    }

    /// Any context.
    #[inline(always)]
    pub(crate) fn get(&self) -> Option<&T> {
        // SAFETY: By the type invariants, the pointer is null, or points to a value in a box, which
        // only `drop` frees. All accesses to the value are by such references.
        unsafe { AtomicWord::load_acquire(&self.value).as_ref() }
    }

    /// Any context.
    ///
    /// # Errors
    ///
    /// `value`, if the place already has another one.
    pub(crate) fn set(&self, value: KBox<T>) -> Result<(), KBox<T>> {
        let value = KBox::into_raw(value);
        // INVARIANT: `value` came from `KBox::into_raw`, and replaces null only.
        match AtomicWord::cmpxchg(&self.value, null_mut(), value) {
            Ok(_) => Ok(()),
            // SAFETY: `value` came from `KBox::into_raw` and was not stored, so nobody else has it.
            Err(_) => Err(unsafe { KBox::from_raw(value) }),
        }
    }
}

impl<T: Send + Sync> Drop for OnceBox<T> {
    fn drop(&mut self) {
        let value = self.value.get();
        if !value.is_null() {
            // SAFETY: By the type invariants the pointer came from `KBox::into_raw`. Nobody else
            // has the place any more, so nobody has a reference to the value.
            drop(unsafe { KBox::from_raw(value) });
        }
    }
}

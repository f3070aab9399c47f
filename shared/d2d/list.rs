// SPDX-License-Identifier: GPL-2.0

//! Operations on a C `struct list_head` whose entries are owned by the list they are on.
//!
//! C header: [`include/linux/list.h`](srctree/include/linux/list.h)
//!
//! Only what a queue needs. The kernel crate's own `List` has another layout than `list_head`, and
//! its `CList` only reads.

use core::ptr::NonNull;
use kernel::bindings::list_head;

/// Some consecutive entries that are on no list, linked from the first to the last one by both
/// pointers. The first one's `prev` is the last one.
///
/// # Invariants
///
/// It holds the first of such entries, and only the holder of the chain uses them.
#[derive(Clone, Copy)]
pub(crate) struct Chain(NonNull<list_head>);

impl Chain {
    /// Makes a chain of one entry.
    ///
    /// # Safety
    ///
    /// The entry is valid and on no list, and only the caller uses it.
    #[inline]
    pub(crate) unsafe fn of(entry: NonNull<list_head>) -> Self {
        // SAFETY: The entry is valid, and only the caller uses it.
        unsafe { (*entry.as_ptr()).prev = entry.as_ptr() };
        // INVARIANT: The entry is valid, on no list and only the caller's; it is the last one, too.
        Self(entry)
    }

    /// Returns the first entry.
    #[inline]
    pub(crate) fn first(self) -> *mut list_head {
        self.0.as_ptr()
    }
}

/// Returns the first entry of `head`, or `None` if the list is empty.
///
/// # Safety
///
/// `head` points to an initialized list that nobody changes during the call.
#[inline]
pub(crate) unsafe fn first(head: *const list_head) -> Option<NonNull<list_head>> {
    // SAFETY: `head` is an initialized list that nobody changes, so `next` is an entry of it, or
    // `head`.
    let next = unsafe { NonNull::new_unchecked((*head).next) };
    (!core::ptr::eq(next.as_ptr(), head)).then_some(next)
}

/// Takes `first` and the entries that follow it up to `last` off the list they are on.
///
/// # Safety
///
/// Both are on the same initialized list, `last` not before `first`, and nobody else uses that list
/// during the call.
#[inline]
pub(crate) unsafe fn detach(first: NonNull<list_head>, last: *mut list_head) -> Chain {
    let entry = first.as_ptr();
    // SAFETY: All four are entries (or the head) of one valid list, which only the caller uses.
    unsafe {
        let (prev, next) = ((*entry).prev, (*last).next);
        (*prev).next = next;
        (*next).prev = prev;
        (*entry).prev = last;
    }
    // INVARIANT: The pointers between the entries are as they were on the list.
    Chain(first)
}

/// Appends a chain to the list `head`.
///
/// # Safety
///
/// `head` points to an initialized list that nobody else uses during the call.
#[inline]
pub(crate) unsafe fn append(head: *mut list_head, chain: Chain) {
    let first = chain.first();
    // SAFETY: `head` and its neighbour belong to one initialized list, which only the caller uses;
    // by the invariants of `Chain` only the caller uses its entries.
    unsafe {
        let (before, last) = ((*head).prev, (*first).prev);
        (*before).next = first;
        (*first).prev = before;
        (*last).next = head;
        (*head).prev = last;
    }
}

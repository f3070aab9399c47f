// SPDX-License-Identifier: GPL-2.0

//! Operations on a C `struct list_head` whose entries are owned by the list they are on.
//!
//! C header: [`include/linux/list.h`](srctree/include/linux/list.h)
//!
//! Only what a queue needs. The kernel crate's own `List` has another layout than `list_head`, and
//! its `CList` only reads.

use kernel::bindings::list_head;

/// Some consecutive entries that are on no list, linked from `first` to `last` by both pointers.
///
/// # Invariants
///
/// `last` is reached from `first` by following `next`, and only the holder of the chain uses the
/// entries.
#[derive(Clone, Copy)]
pub(crate) struct Chain {
    pub(crate) first: *mut list_head,
    pub(crate) last: *mut list_head,
}

/// Returns the first entry of `head`, or `None` if the list is empty.
///
/// # Safety
///
/// `head` points to an initialized list that nobody changes during the call.
pub(crate) unsafe fn first(head: *const list_head) -> Option<*mut list_head> {
    // SAFETY: By the requirements `head` is valid for reads.
    let next = unsafe { (*head).next };
    (!core::ptr::eq(next, head)).then_some(next)
}

/// Takes `first` and the entries that follow it up to `last` off the list they are on.
///
/// # Safety
///
/// Both are on the same initialized list, `last` not before `first`, and nobody else uses that list
/// during the call.
pub(crate) unsafe fn detach(first: *mut list_head, last: *mut list_head) -> Chain {
    // SAFETY: By the requirements all four are entries (or the head) of one valid list that only
    // the caller uses.
    unsafe {
        let (prev, next) = ((*first).prev, (*last).next);
        (*prev).next = next;
        (*next).prev = prev;
    }
    // INVARIANT: The pointers between the entries are as they were on the list.
    Chain { first, last }
}

/// Appends a chain to the list `head`.
///
/// # Safety
///
/// `head` points to an initialized list that nobody else uses during the call.
pub(crate) unsafe fn append(head: *mut list_head, chain: Chain) {
    // SAFETY: By the requirements `head` and its neighbour are valid and only the caller uses them;
    // by the invariants of `Chain` only the caller uses its entries.
    unsafe {
        let last = (*head).prev;
        (*last).next = chain.first;
        (*chain.first).prev = last;
        (*chain.last).next = head;
        (*head).prev = chain.last;
    }
}

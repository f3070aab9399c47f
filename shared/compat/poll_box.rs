// SPDX-License-Identifier: GPL-2.0

//! The kernel crate's `PollCondVarBox`, for kernels that lack it.

use core::{
    mem::ManuallyDrop,
    ops::Deref, //
};
use kernel::{
    alloc::AllocError,
    bindings,
    ffi::c_void,
    prelude::*,
    sync::{
        poll::PollCondVar,
        LockClassKey, //
    },
    types::Opaque, //
};

/// A [`PollCondVar`] on the heap. Its memory is freed after an RCU grace period. Dropping this does not
/// sleep.
pub struct PollCondVarBox(ManuallyDrop<Pin<KBox<Inner>>>);

#[pin_data]
#[repr(C)]
struct Inner {
    #[pin]
    condvar: PollCondVar,
    rcu: Opaque<bindings::callback_head>,
}

// SAFETY: A `PollCondVar` is `Send`, and only the drop uses `rcu`.
unsafe impl Send for Inner {}
// SAFETY: A `PollCondVar` is `Sync`, and only the drop uses `rcu`.
unsafe impl Sync for Inner {}

// A `PollCondVar` consists of its wait queue.
const _: () = assert!(size_of::<PollCondVar>() == size_of::<bindings::wait_queue_head>());

impl PollCondVarBox {
    /// Makes a condition variable. May sleep.
    ///
    /// # Errors
    ///
    /// If there is no memory.
    #[inline]
    pub fn new(name: &'static CStr, key: Pin<&'static LockClassKey>) -> Result<Self, AllocError> {
        let init = pin_init!(Inner {
            condvar <- PollCondVar::new(name, key),
            rcu: Opaque::uninit(),
        });
        match KBox::pin_init(init, GFP_KERNEL) {
            Ok(inner) => Ok(Self(ManuallyDrop::new(inner))),
            Err(_) => Err(AllocError),
        }
    }
}

impl Deref for PollCondVarBox {
    type Target = PollCondVar;

    #[inline]
    fn deref(&self) -> &PollCondVar {
        &self.0.condvar
    }
}

impl Drop for PollCondVarBox {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: Nothing uses the field after this drop.
        let inner = unsafe { ManuallyDrop::take(&mut self.0) };
        // SAFETY: The memory does not move before it is freed.
        let inner = KBox::into_raw(unsafe { Pin::into_inner_unchecked(inner) });
        // This replaces the drop of the `PollCondVar`, which would wait for a grace period.
        // SAFETY: `inner` is valid, and a `PollCondVar` has nothing but its wait queue, as asserted above.
        unsafe { bindings::__wake_up_pollfree((&raw mut (*inner).condvar).cast()) };
        // SAFETY: The memory is from kmalloc(), and nothing uses it after the grace period.
        unsafe { bindings::kvfree_call_rcu((*inner).rcu.get(), inner.cast::<c_void>()) };
    }
}

// SPDX-License-Identifier: GPL-2.0

//! The workers that dispatch requests for senders that cannot sleep.

use crate::entry::Packet;
use kernel::{
    bindings,
    prelude::*,
    sync::Arc,
    workqueue::Queue, //
};

/// The work queue of [`Workers`].
#[derive(Clone, Copy)]
pub(crate) struct RawQueue(*mut bindings::workqueue_struct);

// SAFETY: A work queue is used from any thread.
unsafe impl Send for RawQueue {}
// SAFETY: As above.
unsafe impl Sync for RawQueue {}

/// The workers that dispatch what was sent by who cannot sleep. Dropping it waits for them; may
/// sleep.
///
/// # Invariants
///
/// The work queue is destroyed by dropping this.
pub(crate) struct Workers(RawQueue);

impl Workers {
    /// May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn new() -> Result<Self> {
        // SAFETY: The name is a format without arguments.
        let queue = unsafe {
            bindings::alloc_workqueue_noprof(
                c"d2d_requests".as_char_ptr(),
                bindings::wq_flags_WQ_UNBOUND,
                0,
            )
        };
        if queue.is_null() {
            return Err(ENOMEM);
        }
        // INVARIANT: It was made just now.
        Ok(Self(RawQueue(queue)))
    }

    /// Returns the work queue.
    pub(crate) fn queue(&self) -> RawQueue {
        self.0
    }
}

impl RawQueue {
    /// Has a worker dispatch a request. Any context.
    ///
    /// # Safety
    ///
    /// The [`Workers`] are not dropped yet.
    pub(crate) unsafe fn enqueue(self, packet: Arc<Packet>) {
        // SAFETY: The `Workers` are not dropped yet, and they own the work queue.
        let queue = unsafe { Queue::from_raw(self.0) };
        // If it is queued already, it has not run yet, and finds the request.
        let _ = queue.enqueue(packet);
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        // SAFETY: By the type invariants.
        unsafe { bindings::destroy_workqueue(self.0 .0) };
    }
}

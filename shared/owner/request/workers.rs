// SPDX-License-Identifier: GPL-2.0

//! The workers that dispatch requests for senders that cannot sleep.

use super::record::Record;
use kernel::{
    bindings,
    ffi::c_int,
    prelude::*, //
};

/// The workers. Dropping this waits for them; may sleep.
///
/// # Invariants
///
/// It is a work queue, which is destroyed by dropping this.
pub(super) struct Workers(*mut bindings::workqueue_struct);

// SAFETY: A work queue is used from any thread.
unsafe impl Send for Workers {}
// SAFETY: As above.
unsafe impl Sync for Workers {}

impl Workers {
    /// May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(super) fn new() -> Result<Self> {
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
        Ok(Self(queue))
    }

    /// Has a worker dispatch a request. Any context.
    pub(super) fn enqueue(&self, record: &Record) {
        // SAFETY: By the type invariants it is a work queue, and destroying it runs its work first. The work
        // item is initialized and stays, as the record does. If it is queued already, it has not run yet, and
        // finds the request.
        unsafe {
            bindings::queue_work_on(
                bindings::wq_misc_consts_WORK_CPU_UNBOUND as c_int,
                self.0,
                record.work(),
            )
        };
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        // SAFETY: By the type invariants.
        unsafe { bindings::destroy_workqueue(self.0) };
    }
}

// SPDX-License-Identifier: GPL-2.0

//! The workers that dispatch requests for senders that cannot sleep.

use super::record::Record;
use kernel::{
    bindings,
    ffi::c_int,
    prelude::*, //
};

/// The work queue. Dropping this waits until all queued work items have run; may sleep.
///
/// # Invariants
///
/// The pointer is that of a work queue, which only dropping this destroys.
pub(super) struct Workers(*mut bindings::workqueue_struct);

// SAFETY: Any thread may call the kernel's functions for a work queue.
unsafe impl Send for Workers {}
// SAFETY: As above.
unsafe impl Sync for Workers {}

impl Workers {
    /// Makes the work queue. May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(super) fn new() -> Result<Self> {
        // SAFETY: The name is a C string, and a format that takes no arguments.
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
        // INVARIANT: The work queue was made just now, and nobody else has it.
        Ok(Self(queue))
    }

    pub(super) fn enqueue(&self, record: &Record) {
        // A work item that is already queued has not run yet, and will find the request.
        //
        // SAFETY: By the type invariants `self.0` is a work queue. The work item is initialized.
        // Destroying the work queue runs all queued work items, and records are freed only afterwards.
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
        // SAFETY: By the type invariants `self.0` is a work queue, which was not destroyed before.
        unsafe { bindings::destroy_workqueue(self.0) };
    }
}

// SPDX-License-Identifier: GPL-2.0

//! A completion that can be waited for with a time limit and used again, which the kernel crate's
//! cannot.
//!
//! C header: [`include/linux/completion.h`](srctree/include/linux/completion.h)

use kernel::{
    bindings,
    prelude::*,
    task::MAX_SCHEDULE_TIMEOUT,
    time::msecs_to_jiffies,
    types::Opaque, //
};

/// Something that is waited for until it is done.
#[pin_data]
pub(crate) struct Completion {
    #[pin]
    inner: Opaque<bindings::completion>,
}

// SAFETY: A completion is used from any thread.
unsafe impl Send for Completion {}
// SAFETY: As above.
unsafe impl Sync for Completion {}

impl Completion {
    /// Makes one that is not done.
    pub(crate) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            // SAFETY: `slot` is valid for writes.
            inner <- Opaque::ffi_init(|slot| unsafe { bindings::init_completion(slot) }),
        })
    }

    /// Wakes all that wait, now and later. Any context.
    pub(crate) fn complete_all(&self) {
        // SAFETY: It is initialized.
        unsafe { bindings::complete_all(self.inner.get()) };
    }

    /// May sleep.
    pub(crate) fn wait(&self) {
        // SAFETY: It is initialized.
        unsafe { bindings::wait_for_completion(self.inner.get()) };
    }

    /// Waits for at most `ms` milliseconds, and returns whether it is completed. May sleep.
    pub(crate) fn wait_for(&self, ms: u32) -> bool {
        // SAFETY: It is initialized.
        unsafe {
            bindings::wait_for_completion_timeout(self.inner.get(), msecs_to_jiffies(ms)) != 0
        }
    }

    /// As [`Completion::wait_for`], or without limit if `ms` is `None`; a signal ends it. May sleep.
    ///
    /// # Errors
    ///
    /// `ERESTARTSYS` if a signal came.
    pub(crate) fn wait_interruptible(&self, ms: Option<u32>) -> Result<bool> {
        let jiffies = ms.map_or(MAX_SCHEDULE_TIMEOUT as usize, msecs_to_jiffies);
        // SAFETY: It is initialized.
        let left = unsafe {
            bindings::wait_for_completion_interruptible_timeout(self.inner.get(), jiffies)
        };
        match left {
            ..0 => Err(ERESTARTSYS),
            left => Ok(left > 0),
        }
    }
}

// SPDX-License-Identifier: GPL-2.0

//! A completion whose waits can have a time limit or be interrupted, unlike the kernel crate's
//! `Completion`.
//!
//! C header: [`include/linux/completion.h`](srctree/include/linux/completion.h)

use kernel::{
    bindings,
    ffi::c_long,
    prelude::*,
    task::MAX_SCHEDULE_TIMEOUT,
    time::msecs_to_jiffies,
    types::Opaque, //
};

#[pin_data]
pub(crate) struct Completion {
    #[pin]
    inner: Opaque<bindings::completion>,
}

// SAFETY: A `struct completion` is not tied to a thread.
unsafe impl Send for Completion {}
// SAFETY: A `struct completion` has a lock of its own.
unsafe impl Sync for Completion {}

impl Completion {
    pub(crate) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            // SAFETY: `slot` is valid for writes.
            inner <- Opaque::ffi_init(|slot| unsafe { bindings::init_completion(slot) }),
        })
    }

    /// Ends all waits. From here on, a wait returns at once. Any context.
    pub(crate) fn complete_all(&self) {
        // SAFETY: `new` has initialized the completion.
        unsafe { bindings::complete_all(self.inner.get()) };
    }

    /// Waits for at most `ms` milliseconds, or without limit if `ms` is `None`. Returns whether
    /// this is completed. May sleep.
    ///
    /// # Errors
    ///
    /// `ERESTARTSYS` if `interruptible` is set and a signal came.
    pub(crate) fn wait(&self, ms: Option<u32>, interruptible: bool) -> Result<bool> {
        let jiffies = ms.map_or(MAX_SCHEDULE_TIMEOUT as usize, msecs_to_jiffies);
        // SAFETY: `new` has initialized the completion.
        let left = unsafe {
            match interruptible {
                true => {
                    bindings::wait_for_completion_interruptible_timeout(self.inner.get(), jiffies)
                }
                // The result is at most `MAX_SCHEDULE_TIMEOUT`, so it fits.
                false => bindings::wait_for_completion_timeout(self.inner.get(), jiffies) as c_long,
            }
        };
        match left {
            ..0 => Err(ERESTARTSYS),
            left => Ok(left > 0),
        }
    }
}

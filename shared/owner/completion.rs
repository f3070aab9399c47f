// SPDX-License-Identifier: GPL-2.0

//! A completion that can be waited for with a time limit and used again, which the kernel crate's
//! cannot.
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

    /// Waits for at most `ms` milliseconds, without limit if that is `None`, and returns whether it is
    /// completed. A signal ends the wait if it is `interruptible`. May sleep.
    ///
    /// # Errors
    ///
    /// `ERESTARTSYS` if a signal came.
    pub(crate) fn wait(&self, ms: Option<u32>, interruptible: bool) -> Result<bool> {
        let jiffies = ms.map_or(MAX_SCHEDULE_TIMEOUT as usize, msecs_to_jiffies);
        // SAFETY: It is initialized.
        let left = unsafe {
            match interruptible {
                true => {
                    bindings::wait_for_completion_interruptible_timeout(self.inner.get(), jiffies)
                }
                // Not more than `MAX_SCHEDULE_TIMEOUT`.
                false => bindings::wait_for_completion_timeout(self.inner.get(), jiffies) as c_long,
            }
        };
        match left {
            ..0 => Err(ERESTARTSYS),
            left => Ok(left > 0),
        }
    }
}

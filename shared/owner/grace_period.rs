// SPDX-License-Identifier: GPL-2.0

//! Grace periods of RCU that several threads can wait for.

use kernel::{
    bindings,
    ffi::c_ulong, //
};

/// A grace period: it is over once all RCU readers that ran when it began have ended.
///
/// The `kernel` crate only has `synchronize_rcu`, which begins a grace period of its own.
#[derive(Clone, Copy)]
pub(crate) struct GracePeriod(c_ulong);

impl GracePeriod {
    /// Makes the grace period that begins now. Any context.
    ///
    /// This only reads RCU's state. If nothing else makes RCU begin a grace period, [`GracePeriod::wait`]
    /// does so.
    pub(crate) fn begin() -> Self {
        // SAFETY: This reads RCU's state, which any context may do.
        Self(unsafe { bindings::get_state_synchronize_rcu() })
    }

    /// Waits until the grace period is over. Returns at once if it is. May sleep.
    pub(crate) fn wait(self) {
        // SAFETY: The value is one of `get_state_synchronize_rcu`, and the caller may sleep.
        unsafe { bindings::cond_synchronize_rcu(self.0) };
    }

    /// Whether the grace period is over.
    #[cfg(d2d_tests)]
    pub(crate) fn is_over(self) -> bool {
        // SAFETY: The value is one of `get_state_synchronize_rcu`. Any context may call this.
        unsafe { bindings::poll_state_synchronize_rcu(self.0) }
    }
}

// SPDX-License-Identifier: GPL-2.0

//! Grace periods of RCU that several threads can wait for.

use crate::kernel_calls::{
    cond_synchronize_rcu,
    get_state_synchronize_rcu, //
};
use kernel::ffi::c_ulong;

/// A grace period is over once all RCU readers that ran when it began have ended.
///
/// With the kernel crate's `synchronize_rcu`, each thread waits for a grace period of its own.
#[derive(Clone, Copy)]
pub(crate) struct GracePeriod(c_ulong);

impl GracePeriod {
    /// Notes RCU's state: the grace period is over when all readers that run now have ended. Any
    /// context.
    ///
    /// Unless RCU begins a grace period for another reason, [`GracePeriod::wait`] begins it.
    pub(crate) fn from_now() -> Self {
        Self(get_state_synchronize_rcu())
    }

    /// Returns at once if the grace period is over. May sleep.
    pub(crate) fn wait(self) {
        cond_synchronize_rcu(self.0);
    }

    #[cfg(d2d_tests)]
    pub(crate) fn is_over(self) -> bool {
        crate::kernel_calls::poll_state_synchronize_rcu(self.0)
    }
}

// SPDX-License-Identifier: GPL-2.0

//! Waiting for a thread that may itself be waiting for an event or a request.
//!
//! The library waits for the routines of a driver that leaves. They get some time to return by
//! themselves. Then the library ends their waits, again and again, because a routine may begin another
//! wait.

use kernel::{
    prelude::*,
    time::{
        delay::fsleep,
        Delta, //
    }, //
};

/// Makes roles of the module leave. That ends the waits for the events and requests of these roles. Code of
/// another role may be in such a wait. May sleep.
pub type LeaveRoles = KBox<dyn Fn() + Send + Sync>;

/// How many milliseconds a routine gets to return by itself.
const LIMIT: u32 = 10;

/// Counts the rounds of a loop that waits for a routine.
pub struct Patience(u32);

impl Patience {
    /// Begins to wait.
    #[expect(clippy::new_without_default, reason = "there is no default patience")]
    pub const fn new() -> Self {
        Self(0)
    }

    /// Sleeps for a millisecond. After [`LIMIT`] calls, each call first runs `end_waits` to end the
    /// waits of the routine. May sleep.
    pub fn sleep(&mut self, end_waits: impl FnOnce()) {
        if self.0 >= LIMIT {
            end_waits();
        } else {
            self.0 += 1;
        }
        fsleep(Delta::from_millis(1));
    }
}

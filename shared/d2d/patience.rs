// SPDX-License-Identifier: GPL-2.0

//! Waiting for a thread that may itself be waiting for an event or a request.
//!
//! After some time, the library ends the thread's waits, again and again, because the thread may begin another wait.

use kernel::{
    prelude::*,
    time::{
        delay::fsleep,
        Delta, //
    }, //
};

/// Makes roles of the module leave, which ends all waits for their events and requests. May sleep.
pub type LeaveRoles = KBox<dyn Fn() + Send + Sync>;

/// How many calls of [`Patience::sleep`] do not end waits.
const LIMIT: u32 = 10;

/// Counts the rounds of a loop that waits for a thread.
pub struct Patience(u32);

impl Patience {
    /// Begins to wait.
    #[expect(clippy::new_without_default, reason = "there is no default patience")]
    pub const fn new() -> Self {
        Self(0)
    }

    /// Sleeps for a millisecond. After [`LIMIT`] calls, each call first runs `end_waits`. May sleep.
    pub fn sleep(&mut self, end_waits: impl FnOnce()) {
        if self.0 >= LIMIT {
            end_waits();
        } else {
            self.0 += 1;
        }
        fsleep(Delta::from_millis(1));
    }
}

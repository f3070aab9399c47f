// SPDX-License-Identifier: GPL-2.0

//! The named events of a driver of the demonstration. The other driver asks this driver to set them,
//! and waits for them.

use crate::{
    NOTICE,
    TURN, //
};
use d2d::{
    event::{
        Event,
        Kind,
        PairEvent,
        Wait, //
    },
    step,
};
use kernel::prelude::*;

/// The limit of a wait, in milliseconds. The events are set before the wait begins.
const TIMEOUT: u32 = 5000;

/// The two events of a driver.
pub struct DemoEvents {
    notice: Event,
    turn: Event,
}

impl DemoEvents {
    /// Creates or opens each event by `open`. May sleep.
    ///
    /// # Errors
    ///
    /// Those of `open`.
    pub fn new(open: impl Fn(PairEvent) -> Result<Event>) -> Result<Self> {
        Ok(Self {
            notice: open(NOTICE)?,
            turn: open(TURN)?,
        })
    }

    fn each(&self) -> [&Event; 2] {
        [&self.notice, &self.turn]
    }

    /// Sets both events, in the name of the driver `by`. Any context.
    ///
    /// # Errors
    ///
    /// `ESTALE` if the events are closed.
    pub fn set(&self, by: &CStr) -> Result {
        for event in self.each() {
            step!(by, event_set, kind: event.kind().name());
            event.set()?;
        }
        Ok(())
    }

    /// Waits for both events, in the name of the driver `by`. Afterwards neither event is set. May sleep.
    ///
    /// # Errors
    ///
    /// Those of [`Event::wait`]. `EBADMSG` if the wait has taken the notification event, or has not
    /// taken the synchronization event.
    pub fn wait(&self, by: &CStr) -> Result {
        for event in self.each() {
            event.wait(Wait::at_most(TIMEOUT))?;
            let is_set = event.is_set()?;
            step!(by, event_wait, kind: event.kind().name(), set: u32::from(is_set));
            if is_set != (event.kind() == Kind::Notification) {
                return Err(EBADMSG);
            }
        }
        self.notice.reset()
    }
}

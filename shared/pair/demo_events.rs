// SPDX-License-Identifier: GPL-2.0

//! The named events of a driver of the demonstration, which it sets for the other one.

use d2d::{
    event::{
        Event,
        Kind,
        Wait, //
    },
    step,
};
use kernel::{
    prelude::*,
    str::CString, //
};

/// How long the events are waited for, in milliseconds: they are set already.
const TIMEOUT: u32 = 5000;

/// A driver's two events, named after it.
pub struct DemoEvents {
    notice: Event,
    turn: Event,
}

impl DemoEvents {
    /// Has `open` create or open the events of driver `name`. May sleep.
    ///
    /// # Errors
    ///
    /// What `open` returns, or `ENOMEM`.
    pub fn new(name: &CStr, open: impl Fn(&CStr, Kind) -> Result<Event>) -> Result<Self> {
        let notice = CString::try_from_fmt(fmt!("{}.notice", name))?;
        let turn = CString::try_from_fmt(fmt!("{}.turn", name))?;
        Ok(Self {
            notice: open(&notice, Kind::Notification)?,
            turn: open(&turn, Kind::Synchronization)?,
        })
    }

    fn each(&self) -> [&Event; 2] {
        [&self.notice, &self.turn]
    }

    /// Sets both, and shows it in the name of driver `by`. Any context.
    ///
    /// # Errors
    ///
    /// `ESTALE` if they are closed.
    pub fn set(&self, by: &CStr) -> Result {
        for event in self.each() {
            step!(by, event_set, kind: event.kind().name());
            event.set()?;
        }
        Ok(())
    }

    /// Waits for both, and leaves neither of them set: the wait takes one, and this resets the other. May
    /// sleep.
    ///
    /// # Errors
    ///
    /// Those of [`Event::wait`], or `EBADMSG` if one of them is not what it should be then.
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

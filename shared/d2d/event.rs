// SPDX-License-Identifier: GPL-2.0

//! Named events: where only a state has to be told to other drivers.
//!
//! C header: `shared/include/d2d_event.h`. The counterpart of `IoCreateNotificationEvent`,
//! `IoCreateSynchronizationEvent` and `KeWaitForMultipleObjects`. The first driver that creates an event
//! of a name makes it. Each other driver that creates or opens one of that name gets the same event. It
//! exists until the last [`Event`] of it is dropped, in whichever driver.

use crate::{
    abi,
    left,
    status::to_result,
    trace::said_by_owner, //
};
use kernel::{
    ffi::c_int,
    prelude::*, //
};

/// What becomes of an event that is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Kind {
    /// It stays set until it is reset. All waits for it end.
    Notification = abi::D2D_EVENT_NOTIFICATION,
    /// One wait for it ends, which resets it. If nobody waits, it stays set for the next wait.
    Synchronization = abi::D2D_EVENT_SYNCHRONIZATION,
}

impl Kind {
    /// Returns the kind of this number, if there is one.
    pub fn from_raw(raw: u32) -> Option<Self> {
        match raw {
            abi::D2D_EVENT_NOTIFICATION => Some(Self::Notification),
            abi::D2D_EVENT_SYNCHRONIZATION => Some(Self::Synchronization),
            _ => None,
        }
    }

    /// Returns the name as it stands in the trace.
    pub fn name(self) -> &'static str {
        match self {
            Self::Notification => "notification",
            Self::Synchronization => "synchronization",
        }
    }
}

/// How long to wait, and whether a signal ends the wait.
#[derive(Clone, Copy, Debug)]
pub struct Wait {
    /// In milliseconds; `None`, or 2^31 and more, for no limit. With 0, the wait does not sleep, and is
    /// allowed in any context: it takes an event that is set, or fails with `ETIMEDOUT`.
    pub timeout: Option<u32>,
    /// Whether a signal ends the wait.
    pub interruptible: bool,
}

impl Wait {
    /// Until the event is set.
    pub const FOREVER: Self = Self {
        timeout: None,
        interruptible: false,
    };
    /// Not at all: only look.
    pub const NOT: Self = Self::at_most(0);

    /// Until the event is set, or so many milliseconds are over.
    pub const fn at_most(ms: u32) -> Self {
        Self {
            timeout: Some(ms),
            interruptible: false,
        }
    }

    /// The same, and a signal ends the wait.
    pub const fn interruptible(self) -> Self {
        Self {
            interruptible: true,
            ..self
        }
    }

    /// Returns flags and timeout as C has them.
    fn as_raw(self) -> (u32, u32) {
        let flags = match self.interruptible {
            true => abi::D2D_EVENT_WAIT_INTERRUPTIBLE,
            false => 0,
        };
        (flags, self.timeout.unwrap_or(abi::D2D_EVENT_FOREVER))
    }
}

/// An event that was created or opened. Dropping it closes it; may sleep.
///
/// It is also closed when the driver that opened it leaves. A later use is refused, with a line that says
/// so.
pub struct Event {
    handle: abi::d2d_handle,
    kind: Kind,
}

impl Event {
    /// Creates an event, or opens it if there is one of the name; `set` is ignored if the event already
    /// exists. May sleep. A name has 1 to 63 bytes: visible characters of ASCII without `/`, not `.` nor
    /// `..`.
    ///
    /// Drivers have `Handle::create_event` and `d2d_owner::create_event`.
    ///
    /// # Errors
    ///
    /// Those of `d2d_event_create` in `d2d_event.h`.
    #[doc(hidden)]
    pub fn create(driver: abi::d2d_handle, name: &CStr, kind: Kind, set: bool) -> Result<Self> {
        let mut handle = 0;
        // SAFETY: The name is a string; it and the place for the handle live during the call.
        let result = unsafe {
            abi::d2d_event_create(
                driver,
                name.as_char_ptr(),
                kind as u32,
                set.into(),
                &mut handle,
            )
        };
        said_by_owner(to_result(result))?;
        Ok(Self { handle, kind })
    }

    /// Opens an existing event. May sleep.
    ///
    /// # Errors
    ///
    /// Those of `d2d_event_open` in `d2d_event.h`.
    #[doc(hidden)]
    pub fn open(driver: abi::d2d_handle, name: &CStr, kind: Kind) -> Result<Self> {
        let mut handle = 0;
        // SAFETY: The name is a string; it and the place for the handle live during the call.
        let result =
            unsafe { abi::d2d_event_open(driver, name.as_char_ptr(), kind as u32, &mut handle) };
        said_by_owner(to_result(result))?;
        Ok(Self { handle, kind })
    }

    /// Returns the kind.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Returns the handle, as drivers in C have it.
    pub fn as_raw(&self) -> abi::d2d_handle {
        self.handle
    }

    /// Sets it, and returns whether it was set before. Any context.
    ///
    /// # Errors
    ///
    /// `ESTALE` if the driver is not registered any more.
    pub fn set(&self) -> Result<bool> {
        // SAFETY: The owner refuses a stale handle.
        to_flag(unsafe { abi::d2d_event_set(self.handle) })
    }

    /// Resets it. Any context.
    ///
    /// # Errors
    ///
    /// As [`Event::set`].
    pub fn reset(&self) -> Result {
        // SAFETY: The owner refuses a stale handle.
        to_result(unsafe { abi::d2d_event_reset(self.handle) })
    }

    /// Returns whether it is set, and takes nothing. Any context.
    ///
    /// # Errors
    ///
    /// As [`Event::set`].
    pub fn is_set(&self) -> Result<bool> {
        // SAFETY: The owner refuses a stale handle.
        to_flag(unsafe { abi::d2d_event_query(self.handle) })
    }

    /// Waits until it is set, and takes it if it is a synchronization event. Sleeps.
    ///
    /// # Errors
    ///
    /// `ETIMEDOUT`, `ERESTARTSYS` if a signal came, `ECANCELED` if it was closed by the end of the
    /// driver, `EDEADLK` if the caller must not sleep, `EAGAIN` if 64 others wait, or as
    /// [`Event::set`].
    #[inline]
    pub fn wait(&self, wait: Wait) -> Result {
        let (flags, timeout) = wait.as_raw();
        let no_index = core::ptr::null_mut();
        // SAFETY: There is one handle, which lives during the call. The owner refuses a stale one.
        let result = unsafe { abi::d2d_event_wait(&self.handle, 1, flags, timeout, no_index) };
        said_by_owner(to_result(result))
    }

    /// Waits until one of the events is set, takes it, and returns its index: of several that are set,
    /// the lowest. Sleeps.
    ///
    /// # Errors
    ///
    /// As [`Event::wait`], and `EINVAL` if there are none or more than 64, or one of them is there
    /// twice, `ENOMEM` if there are more than four.
    pub fn wait_any(events: &[&Self], wait: Wait) -> Result<usize> {
        Self::wait_for(events, 0, wait)
    }

    /// Waits until all of the events are set at the same time, and takes all of them at once. Sleeps.
    ///
    /// # Errors
    ///
    /// As [`Event::wait_any`].
    pub fn wait_all(events: &[&Self], wait: Wait) -> Result {
        Self::wait_for(events, abi::D2D_EVENT_WAIT_ALL, wait).map(|_| ())
    }

    fn wait_for(events: &[&Self], flags: u32, wait: Wait) -> Result<usize> {
        // Mostly there are few. If there are too many, the owner refuses the wait before it looks at them.
        let (mut few, mut many) = ([0; 4], None);
        let handles = if events.len() <= few.len() {
            &mut few[..]
        } else {
            &mut many.insert([0; abi::D2D_EVENT_MAX_WAITS as usize])[..]
        };
        for (handle, event) in handles.iter_mut().zip(events) {
            *handle = event.handle;
        }
        let (interruptible, timeout) = wait.as_raw();
        let flags = flags | interruptible;
        let count = u32::try_from(events.len()).unwrap_or(u32::MAX);
        let mut index = 0;
        // SAFETY: There are as many handles as the owner looks at; all live during the call. The owner
        // refuses stale ones.
        let result: c_int =
            unsafe { abi::d2d_event_wait(handles.as_ptr(), count, flags, timeout, &mut index) };
        said_by_owner(to_result(result))?;
        Ok(index as usize)
    }
}

impl Drop for Event {
    fn drop(&mut self) {
        if !left::is_noted() {
            // SAFETY: The owner refuses a stale handle.
            unsafe { abi::d2d_event_close(self.handle) };
        }
    }
}

/// Reads the result of a function that returns 0, 1, or an error.
fn to_flag(returned: c_int) -> Result<bool> {
    to_result(returned.min(0)).map(|()| returned > 0)
}

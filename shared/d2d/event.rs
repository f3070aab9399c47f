// SPDX-License-Identifier: GPL-2.0

//! Named events. An event is a state, set or not set, that any drivers of an owner share.
//!
//! C header: `shared/include/d2d_event.h`.
//!
//! Drivers of one owner that create or open an event of the same name get the same event. It exists
//! until all of them have dropped their [`Event`]s of it.

use crate::{
    abi,
    job::EventHandler,
    leaving,
    safe_calls,
    status::to_result,
    trace::note_if_out_of_memory, //
};
use kernel::{
    ffi::c_int,
    prelude::*,
    str::CString, //
};

/// What setting an event does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Kind {
    /// The event stays set until it is reset. All waits for it end.
    Notification = abi::D2D_EVENT_NOTIFICATION,
    /// One wait for the event ends, and the event is reset. If nobody waits, the event stays set
    /// for the next wait.
    Synchronization = abi::D2D_EVENT_SYNCHRONIZATION,
}

impl Kind {
    /// Returns the kind that has this number in C, if there is one.
    pub fn from_raw(raw: u32) -> Option<Self> {
        match raw {
            abi::D2D_EVENT_NOTIFICATION => Some(Self::Notification),
            abi::D2D_EVENT_SYNCHRONIZATION => Some(Self::Synchronization),
            _ => None,
        }
    }

    /// Returns the name of the kind, as the trace shows it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Notification => "notification",
            Self::Synchronization => "synchronization",
        }
    }
}

/// An event that a pair declares in `events` of [`pair!`](crate::pair!). Each driver of the pair
/// can have such an event, called `DRIVER.NAME`, for example `module_a.notice`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PairEvent {
    name: &'static str,
    kind: Kind,
}

impl PairEvent {
    #[doc(hidden)]
    pub const fn new(name: &'static str, kind: Kind) -> Self {
        Self { name, kind }
    }

    /// Returns the kind.
    pub const fn kind(self) -> Kind {
        self.kind
    }

    fn name_for(self, driver: &CStr) -> Result<CString> {
        CString::try_from_fmt(fmt!("{}.{}", driver, self.name))
    }
}

/// How long to wait, and whether a signal ends the wait.
#[derive(Clone, Copy, Debug)]
pub struct Wait {
    /// Milliseconds; `None`, or 2^31 and more, is no limit. A wait with 0 does not sleep, and is
    /// allowed in any context. It fails with `ETIMEDOUT` if the event is not set.
    pub timeout: Option<u32>,
    /// Whether a signal ends the wait.
    pub interruptible: bool,
}

impl Wait {
    /// Waits until the event is set.
    pub const FOREVER: Self = Self {
        timeout: None,
        interruptible: false,
    };
    /// Does not wait: takes the event if it is set.
    pub const NOT: Self = Self::at_most(0);

    /// Waits until the event is set, but at most `ms` milliseconds.
    pub const fn at_most(ms: u32) -> Self {
        Self {
            timeout: Some(ms),
            interruptible: false,
        }
    }

    /// As `self`, but a signal ends the wait.
    pub const fn interruptible(self) -> Self {
        Self {
            interruptible: true,
            ..self
        }
    }

    fn as_raw(self) -> (u32, u32) {
        let flags = match self.interruptible {
            true => abi::D2D_EVENT_WAIT_INTERRUPTIBLE,
            false => 0,
        };
        (flags, self.timeout.unwrap_or(abi::D2D_EVENT_FOREVER))
    }
}

/// A driver's handle of a named event. Dropping it closes the handle; may sleep.
///
/// When the driver leaves, the waits by its handles end with `ECANCELED`. From then on, a wait must
/// have a timeout of 0. The owner closes the handles when none of the driver's routines runs any
/// more.
pub struct Event {
    handle: abi::d2d_handle,
    kind: Kind,
}

impl Event {
    /// Creates an event, or opens it if it exists, as
    /// [`DriverRef::create_event`](crate::driver::DriverRef::create_event). May sleep.
    ///
    /// # Errors
    ///
    /// Those of `d2d_event_create` in `d2d_event.h`.
    #[doc(hidden)]
    pub fn create(driver: abi::d2d_handle, name: &CStr, kind: Kind, set: bool) -> Result<Self> {
        let mut handle = 0;
        let result =
            safe_calls::d2d_event_create(driver, name, kind as u32, set.into(), &mut handle);
        note_if_out_of_memory(to_result(result))?;
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
        let result = safe_calls::d2d_event_open(driver, name, kind as u32, &mut handle);
        note_if_out_of_memory(to_result(result))?;
        Ok(Self { handle, kind })
    }

    /// As [`Event::create`], for the event of the driver `of` that the pair declares.
    #[doc(hidden)]
    pub fn create_of(
        driver: abi::d2d_handle,
        of: &CStr,
        event: PairEvent,
        set: bool,
    ) -> Result<Self> {
        Self::create(driver, &event.name_for(of)?, event.kind, set)
    }

    /// As [`Event::open`], for the event of the driver `of` that the pair declares.
    #[doc(hidden)]
    pub fn open_of(driver: abi::d2d_handle, of: &CStr, event: PairEvent) -> Result<Self> {
        Self::open(driver, &event.name_for(of)?, event.kind)
    }

    /// Returns the kind.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Returns the handle as a number, as drivers in C use it.
    pub fn as_raw(&self) -> abi::d2d_handle {
        self.handle
    }

    /// Sets the event, and returns whether it was set before. Any context.
    ///
    /// # Errors
    ///
    /// `ESTALE` if the driver is not registered any more.
    pub fn set(&self) -> Result<bool> {
        to_flag(safe_calls::d2d_event_set(self.handle))
    }

    /// Makes a job the handler of the event for this driver. Without a job, removes the handler.
    /// May sleep.
    ///
    /// Setting a notification event starts the job. Setting a synchronization event ends one wait. If
    /// no thread waits, it starts the job of one handler, and the event is reset; handlers take turns.
    /// If the event is set now, the job is started at once. Several sets may lead to one run.
    ///
    /// # Errors
    ///
    /// `ESHUTDOWN` if the driver is leaving; `EAGAIN` if 64 other handles have a handler; `ENOMEM`;
    /// the errors of [`Event::set`].
    pub fn on_set(&self, job: Option<&dyn EventHandler>) -> Result {
        let (routine, argument) = match job {
            Some(job) => job.as_routine(),
            None => (None, core::ptr::null_mut()),
        };
        // SAFETY: By `Startable::as_routine`, the routine may be called until the job's driver has
        // left. The owner removes the handler when the driver of this handle leaves. Both are the
        // same driver: a module links this crate once for each role, and has one driver in a role.
        // If this handle is stale, its number may name a handle of another module's driver by now.
        // Then the owner refuses the routine.
        let result = unsafe { abi::d2d_event_on_set(self.handle, routine, argument) };
        note_if_out_of_memory(to_result(result))
    }

    /// Resets the event. Any context.
    ///
    /// # Errors
    ///
    /// As [`Event::set`].
    pub fn reset(&self) -> Result {
        to_result(safe_calls::d2d_event_reset(self.handle))
    }

    /// Returns whether the event is set. Does not take it. Any context.
    ///
    /// # Errors
    ///
    /// As [`Event::set`].
    pub fn is_set(&self) -> Result<bool> {
        to_flag(safe_calls::d2d_event_query(self.handle))
    }

    /// Waits until the event is set, and takes it if it is a synchronization event. May sleep,
    /// unless the timeout is 0.
    ///
    /// # Errors
    ///
    /// - `ETIMEDOUT` if the time is over, `ERESTARTSYS` if a signal came.
    /// - `ECANCELED` if the driver leaves, or has left, and the timeout is not 0.
    /// - `EDEADLK` if the caller must not sleep.
    /// - `EAGAIN` if 64 other threads wait for the event.
    /// - The errors of [`Event::set`].
    #[inline]
    pub fn wait(&self, wait: Wait) -> Result {
        let (flags, timeout) = wait.as_raw();
        let result = safe_calls::d2d_event_wait(&[self.handle], flags, timeout, None);
        note_if_out_of_memory(to_result(result))
    }

    /// Waits until one of the events is set, takes the first event that is set, and returns its
    /// index. May sleep, unless the timeout is 0.
    ///
    /// # Errors
    ///
    /// Those of [`Event::wait`]; `EINVAL` for no events, more than 64 events, or one event twice.
    /// With more than four events, also `ENOMEM`.
    pub fn wait_any(events: &[&Self], wait: Wait) -> Result<usize> {
        Self::wait_for(events, 0, wait)
    }

    /// Waits until all events are set at the same time, and takes them at once. May sleep, unless
    /// the timeout is 0.
    ///
    /// # Errors
    ///
    /// As [`Event::wait_any`].
    pub fn wait_all(events: &[&Self], wait: Wait) -> Result {
        Self::wait_for(events, abi::D2D_EVENT_WAIT_ALL, wait).map(|_| ())
    }

    fn wait_for(events: &[&Self], flags: u32, wait: Wait) -> Result<usize> {
        // Room for `D2D_EVENT_MAX_WAITS` events is enough: the owner refuses a wait for more.
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
        // SAFETY: The owner reads `count` handles, or none if `count` is more than
        // `D2D_EVENT_MAX_WAITS`. So `handles` is long enough. `handles` and `index` live during the
        // call. The owner refuses stale handles.
        let result: c_int =
            unsafe { abi::d2d_event_wait(handles.as_ptr(), count, flags, timeout, &mut index) };
        note_if_out_of_memory(to_result(result))?;
        Ok(index as usize)
    }
}

impl Drop for Event {
    fn drop(&mut self) {
        if !leaving::has_begun() {
            safe_calls::d2d_event_close(self.handle);
        }
    }
}

fn to_flag(returned: c_int) -> Result<bool> {
    to_result(returned.min(0)).map(|()| returned > 0)
}

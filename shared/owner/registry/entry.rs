// SPDX-License-Identifier: GPL-2.0

//! The registry's entry of a driver, and the states of a driver.

use super::Refusal;
use crate::{
    driver_object::Driver,
    slot::{
        Slot,
        EXPELLED,
        LEAVING, //
    }, //
};
use core::ops::Deref;
use d2d::abi;
use kernel::{
    error::to_result,
    ffi::c_int,
    prelude::*,
    task::Task,
    time::{
        Instant,
        Monotonic, //
    }, //
};

/// A handshake: the number of its context, and the owner's handle of its request.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Handshake {
    pub(crate) context: usize,
    pub(crate) request: abi::d2d_handle,
}

/// Whether a driver holds a context, or a handshake with it is under way.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// The driver holds no context.
    Detached,
    /// The handshake is under way.
    Attaching(Handshake),
    /// The driver holds the context of this number.
    Attached(usize),
    /// The owner is taking back the context of this number.
    Detaching(usize),
    /// The driver has not completed the handshake's request in time. The driver may still use the
    /// context. The context stays reserved until the driver completes the request after all,
    /// detaches or unregisters.
    Abandoned(Handshake),
}

impl State {
    /// Returns the number of the context that is reserved for the driver.
    fn context(self) -> Option<usize> {
        match self {
            Self::Detached => None,
            Self::Attached(context) | Self::Detaching(context) => Some(context),
            Self::Attaching(handshake) | Self::Abandoned(handshake) => Some(handshake.context),
        }
    }

    /// Returns the handshake, if it has neither succeeded nor failed yet.
    pub(crate) fn handshake(self) -> Option<Handshake> {
        match self {
            Self::Attaching(handshake) | Self::Abandoned(handshake) => Some(handshake),
            _ => None,
        }
    }
}

/// The registry's entry of a driver. A copy of it shows the driver as it was when the copy was
/// made.
#[derive(Clone, Copy)]
pub(crate) struct Entry {
    pub(super) driver: Driver,
    /// Whether the driver is still being registered. Meanwhile,
    /// [`Registry::lookup`](super::Registry::lookup) does not find it.
    pub(super) is_registering: bool,
    /// Whether a thread is unregistering the driver, or removing it after it was expelled.
    pub(crate) is_unregistering: bool,
    /// Whether no request goes to the driver or comes from it any more.
    pub(crate) is_leaving: bool,
    /// Whether none of the driver's routines is called any more.
    pub(super) is_expelled: bool,
    pub(crate) state: State,
    /// The task that is in `d2d_attach()` for the driver, or 0.
    pub(super) attaching_task: u64,
    /// When the time limit of the driver's handshake ends, if no thread waits for the handshake.
    pub(super) due: Option<Instant<Monotonic>>,
    /// The errno with which the driver's last handshake has failed, or 0.
    pub(crate) refusal: c_int,
}

impl Deref for Entry {
    type Target = Driver;

    fn deref(&self) -> &Driver {
        &self.driver
    }
}

impl Entry {
    /// Returns whether the driver holds no context, and no thread is in `d2d_attach()` for it.
    pub(crate) fn is_fully_detached(&self) -> bool {
        self.state == State::Detached && self.attaching_task == 0
    }

    /// Returns the number of the context that is reserved for the driver.
    pub(crate) fn context(&self) -> Option<usize> {
        self.state.context()
    }

    /// Returns whether a thread is in `d2d_attach()` for the driver.
    pub(crate) fn is_being_attached(&self) -> bool {
        self.attaching_task != 0
    }

    /// Returns whether the calling thread is in `d2d_attach()` for the driver.
    pub(crate) fn is_being_attached_by_current(&self) -> bool {
        self.attaching_task == Task::current_raw() as u64
    }

    /// Returns what `d2d_attach()` returns for this handshake, for whose completion no thread
    /// waits.
    ///
    /// # Errors
    ///
    /// The errno of the refusal. `EINPROGRESS` if the handshake has neither succeeded nor failed
    /// yet. Then the driver still has the request, even if the time limit has ended.
    pub(crate) fn attach_result(&self, handshake: Handshake) -> Result {
        to_result(self.refusal)?;
        match self.state.handshake() {
            Some(current) if current == handshake => Err(EINPROGRESS),
            _ => Ok(()),
        }
    }

    /// Reserves the context `free` for a handshake that has this request. `free` is `None` if no
    /// context is free. Returns a copy of the entry as it is then. Also returns the handshake, or
    /// the reason why there is none.
    pub(super) fn reserve(
        &mut self,
        free: Option<usize>,
        request: abi::d2d_handle,
    ) -> (Self, Result<Handshake, Refusal>) {
        let reserved = if self.is_leaving {
            Err(("driver-is-leaving", ESHUTDOWN))
        } else if !self.is_fully_detached() {
            Err(("already-attached", EALREADY))
        } else {
            free.map(|context| Handshake { context, request })
                .ok_or(("no-free-context", EBUSY))
        };
        if let Ok(handshake) = reserved {
            self.state = State::Attaching(handshake);
            (self.attaching_task, self.refusal) = (Task::current_raw() as u64, 0);
        }
        (*self, reserved)
    }

    /// Notes that the driver leaves: from here on no request goes to it or comes from it. If the
    /// driver was expelled, none of its routines is called, either.
    pub(super) fn leave(&mut self, slot: &Slot) {
        self.is_leaving = true;
        self.set_flags(slot);
    }

    /// Sets the flags of the driver's slot to those of this entry.
    pub(super) fn set_flags(&self, slot: &Slot) {
        let leaving = if self.is_leaving { LEAVING } else { 0 };
        let expelled = if self.is_expelled { EXPELLED } else { 0 };
        slot.set(slot.state().generation(), leaving | expelled);
    }
}

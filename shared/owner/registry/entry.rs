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

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Detached,
    Attaching(Handshake),
    /// The driver holds the context of this number.
    Attached(usize),
    /// The owner is taking back the context of this number.
    Detaching(usize),
    /// The time limit of the handshake has passed. The driver may still use the context, which stays
    /// reserved until the driver completes the request, detaches or unregisters.
    Abandoned(Handshake),
}

impl State {
    fn context(self) -> Option<usize> {
        match self {
            Self::Detached => None,
            Self::Attached(context) | Self::Detaching(context) => Some(context),
            Self::Attaching(handshake) | Self::Abandoned(handshake) => Some(handshake.context),
        }
    }

    /// Returns the handshake, if it has neither succeeded nor failed.
    pub(crate) fn handshake(self) -> Option<Handshake> {
        match self {
            Self::Attaching(handshake) | Self::Abandoned(handshake) => Some(handshake),
            _ => None,
        }
    }
}

/// The registry's entry of a driver. A copy shows the driver as it was when the copy was made.
#[derive(Clone, Copy)]
pub(crate) struct Entry {
    pub(super) driver: Driver,
    /// While this is true, [`Registry::lookup`](super::Registry::lookup) does not find the driver.
    pub(super) is_registering: bool,
    /// Whether a thread is unregistering the driver, or removing it after its expulsion.
    pub(crate) is_unregistering: bool,
    /// No request goes to the driver or comes from it any more.
    pub(crate) is_leaving: bool,
    /// None of the driver's routines is called any more.
    pub(super) is_expelled: bool,
    pub(crate) state: State,
    /// The task in `d2d_attach()` for the driver, or 0.
    pub(super) attaching_task: u64,
    /// When the handshake's time limit ends, if no thread waits for the handshake.
    pub(super) due: Option<Instant<Monotonic>>,
    /// The errno of the last handshake's failure, or 0.
    pub(crate) refusal: c_int,
}

impl Deref for Entry {
    type Target = Driver;

    fn deref(&self) -> &Driver {
        &self.driver
    }
}

impl Entry {
    /// Returns whether the driver holds no context, and no thread attaches it.
    pub(crate) fn is_fully_detached(&self) -> bool {
        self.state == State::Detached && self.attaching_task == 0
    }

    pub(crate) fn context(&self) -> Option<usize> {
        self.state.context()
    }

    pub(crate) fn is_being_attached(&self) -> bool {
        self.attaching_task != 0
    }

    pub(crate) fn is_being_attached_by_current(&self) -> bool {
        self.attaching_task == Task::current_raw() as u64
    }

    /// Returns what `d2d_attach()` returns for a handshake for which no thread waits.
    ///
    /// # Errors
    ///
    /// The errno of the refusal. `EINPROGRESS` if the handshake has neither succeeded nor failed, even
    /// after its time limit.
    pub(crate) fn attach_result(&self, handshake: Handshake) -> Result {
        to_result(self.refusal)?;
        match self.state.handshake() {
            Some(current) if current == handshake => Err(EINPROGRESS),
            _ => Ok(()),
        }
    }

    /// Reserves the context `free`, which is `None` if no context is free. Returns a copy of the entry, and
    /// the handshake, or the reason why there is none.
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

    /// From here on, no request goes to the driver or comes from it. If the driver was expelled, none of
    /// its routines is called, either.
    pub(super) fn leave(&mut self, slot: &Slot) {
        self.is_leaving = true;
        self.set_flags(slot);
    }

    pub(super) fn set_flags(&self, slot: &Slot) {
        let leaving = if self.is_leaving { LEAVING } else { 0 };
        let expelled = if self.is_expelled { EXPELLED } else { 0 };
        slot.set(slot.state().generation(), leaving | expelled);
    }
}

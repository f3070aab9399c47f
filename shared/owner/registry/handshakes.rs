// SPDX-License-Identifier: GPL-2.0

//! Changes of a driver's [`State`], and the time limits of handshakes.

use super::{
    Entry,
    Handshake,
    Registry,
    State, //
};
use crate::handle::Kind;
use d2d::{
    abi,
    fields, //
};
use kernel::{
    prelude::*,
    time::{
        Delta,
        Instant,
        Monotonic, //
    }, //
};

/// What [`Registry::overdue`] finds.
pub(crate) enum Overdue {
    /// A driver, and its handshake whose time limit has passed.
    Handshake(abi::d2d_handle, Handshake),
    /// The time until the next time limit.
    In(Delta),
    /// No handshake has a time limit. The timer is not set any more.
    Nothing,
}

impl Registry {
    /// Returns a copy of the entry of the driver for which this context is reserved. Any context.
    pub(crate) fn by_context(&self, context: usize) -> Option<Entry> {
        let found = self.find(Kind::Driver, &|entry| entry.context() == Some(context));
        found.map(|(_, entry)| entry)
    }

    /// Returns the driver's handle, and the handshake that has this request. Any context.
    pub(crate) fn by_request(
        &self,
        request: abi::d2d_handle,
    ) -> Option<(abi::d2d_handle, Handshake)> {
        let (handle, entry) = self.find(Kind::Driver, &|entry| {
            let handshake = entry.state.handshake();
            handshake.is_some_and(|handshake| handshake.request == request)
        })?;
        Some((handle, entry.state.handshake()?))
    }

    /// Reserves one of `contexts` contexts for a handshake. Returns a copy of the driver's entry, and the
    /// handshake. Any context.
    ///
    /// The driver's state is `Attaching` then. Nobody can unregister the driver before
    /// [`Registry::end_attach`].
    ///
    /// # Errors
    ///
    /// - `ESTALE` if the handle is stale
    /// - `ESHUTDOWN` if the driver is leaving
    /// - `EALREADY` if the driver holds a context, or a thread is in `d2d_attach()` for it
    /// - `EBUSY` if no context is free
    pub(crate) fn reserve(
        &self,
        driver: abi::d2d_handle,
        request: abi::d2d_handle,
        contexts: usize,
    ) -> Result<(Entry, Handshake)> {
        let reserved = {
            let mut table = self.table.lock();
            let is_held = |context| {
                let mut others = table.entries.iter().flatten();
                others.any(|other| other.context() == Some(context))
            };
            let free = (0..contexts).find(|context| !is_held(*context));
            let found = self.slot_and_entry(&mut table, driver);
            found.and_then(|(_, entry)| Some(entry.as_mut()?.reserve(free, request)))
        };
        let (entry, reserved) = reserved.ok_or_else(|| self.refuse_stale(driver))?;
        match reserved {
            Ok(handshake) => Ok((entry, handshake)),
            Err((reason, error)) => Err(self.refuse(reason, error, &fields![name: entry.name()])),
        }
    }

    /// Notes that the thread in `d2d_attach()` is about to return. Returns a copy of the entry. Any
    /// context.
    pub(crate) fn end_attach(&self, handle: abi::d2d_handle) -> Option<Entry> {
        self.with_entry(handle, |entry| {
            entry.attaching_task = 0;
            *entry
        })
    }

    /// Changes a driver's state to the one that `f` returns, if any. Returns a copy of the entry as it was
    /// before. Any context.
    ///
    /// # Errors
    ///
    /// `ESTALE` if the handle is stale.
    pub(crate) fn update(
        &self,
        handle: abi::d2d_handle,
        f: impl FnOnce(State) -> Option<State>,
    ) -> Result<Entry> {
        self.with_entry(handle, |entry| {
            let before = *entry;
            entry.state = f(before.state).unwrap_or(before.state);
            before
        })
        .ok_or_else(|| self.refuse_stale(handle))
    }

    /// Changes a driver's state from `from` to `to`. Returns false if the state is another one or the
    /// handle is stale. Any context; prints nothing.
    pub(crate) fn transition(&self, handle: abi::d2d_handle, from: State, to: State) -> bool {
        self.with_entry(handle, |entry| {
            let is_from = entry.state == from;
            if is_from {
                entry.state = to;
                entry.due = None;
            }
            is_from
        })
        .unwrap_or(false)
    }

    /// Ends a handshake that has failed: calls `clear`, and makes the context free. Does nothing if the
    /// handshake has ended. Any context; prints nothing.
    ///
    /// All of it happens under the lock. So a detaching thread that sees the end of the handshake can
    /// unregister the driver.
    pub(crate) fn end_handshake(
        &self,
        handle: abi::d2d_handle,
        handshake: Handshake,
        clear: impl FnOnce(),
    ) {
        self.with_entry(handle, |entry| {
            if entry.state.handshake() == Some(handshake) {
                clear();
                entry.state = State::Detached;
                entry.due = None;
            }
        });
    }

    /// Notes why a handshake has failed. Returns whether a thread is in `d2d_attach()` for the driver.
    /// Any context; prints nothing.
    pub(crate) fn note_refusal(&self, handle: abi::d2d_handle, error: Error) -> bool {
        self.with_entry(handle, |entry| {
            entry.refusal = error.to_errno();
            entry.attaching_task != 0
        })
        .unwrap_or(false)
    }

    /// Sets the time limit of a handshake for which no thread waits to `due`, if the handshake is still
    /// under way. Returns whether the caller has to set the timer. Any context; prints nothing.
    ///
    /// The time limits of all handshakes are equally long, so a timer that is set already expires early
    /// enough.
    pub(crate) fn limit(
        &self,
        handle: abi::d2d_handle,
        handshake: Handshake,
        due: Instant<Monotonic>,
    ) -> bool {
        let mut table = self.table.lock();
        let entry = self.slot_and_entry(&mut table, handle);
        let entry = entry.and_then(|(_, entry)| entry.as_mut());
        match entry.filter(|entry| entry.state == State::Attaching(handshake)) {
            Some(entry) => entry.due = Some(due),
            None => return false,
        }
        !core::mem::replace(&mut table.timer_is_set, true)
    }

    /// Finds a handshake whose time limit has passed at `now`, and removes the limit. Any context; prints
    /// nothing.
    pub(crate) fn overdue(&self, now: Instant<Monotonic>) -> Overdue {
        let table = &mut *self.table.lock();
        let mut next: Option<Delta> = None;
        for (index, (entry, slot)) in table.entries.iter_mut().zip(&self.slots).enumerate() {
            let Some(entry) = entry else { continue };
            let (Some(due), State::Attaching(handshake)) = (entry.due, entry.state) else {
                continue;
            };
            let left = due - now;
            if left <= Delta::ZERO {
                entry.due = None;
                let handle = Kind::Driver.handle(index, slot.state().generation());
                return Overdue::Handshake(handle, handshake);
            }
            next = Some(next.map_or(left, |next| next.min(left)));
        }
        table.timer_is_set = next.is_some();
        next.map_or(Overdue::Nothing, Overdue::In)
    }
}

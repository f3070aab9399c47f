// SPDX-License-Identifier: GPL-2.0

//! Handlers: functions of drivers that are called when an event is set.
//!
//! While an event has handlers, its state is guarded. Each set does the following:
//! 1. It takes the lock, and ends the waits that it can end. If no wait has taken the event, it makes
//!    handlers *due* (`make_due`), and counts all due handlers, including those of earlier sets.
//! 2. It releases the lock.
//! 3. It calls as many due handlers as it has counted, or fewer if other threads have called some.
//!
//! A set B of the same event may interrupt the thread of a set A before step 3. Then B also calls the
//! handlers that A has made due, unless a wait has taken the event after B has set it.
//!
//! When a handler of a synchronization event becomes due, it takes the event. If the handler fails, or is
//! removed before its call, the event is set again.
//!
//! Only an RCU reader calls a handler. Removing a handler notes a [`GracePeriod`]. The thread that
//! removes the handler waits for this grace period, and so does each thread that finds it removed.

use super::{
    Dispatcher,
    Event,
    Inner,
    Key, //
};
use crate::{
    grace_period::GracePeriod,
    registry::Refusal, //
};
use core::ffi::c_void;
use d2d::abi::{
    d2d_handle,
    D2D_EVENT_MAX_WAITS, //
};
use kernel::{
    ffi::c_int,
    prelude::*,
    sync::rcu, //
};

/// The function of `d2d_event_on_set`.
pub(crate) type Routine = unsafe extern "C" fn(*mut c_void, d2d_handle) -> c_int;

/// A routine and its argument.
///
/// # Invariants
///
/// Until the handler was removed and a grace period has passed, an RCU reader may call the routine with
/// the argument, in any context.
#[derive(Clone, Copy)]
pub(crate) struct Call {
    routine: Routine,
    argument: *mut c_void,
}

impl Call {
    /// # Safety
    ///
    /// As the invariants of the type say.
    pub(crate) unsafe fn new(routine: Routine, argument: *mut c_void) -> Self {
        // INVARIANT: The caller promises what the invariants say.
        Self { routine, argument }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Idle,
    /// A thread is about to call it.
    Due,
    /// It has failed, and is not called again.
    Failed,
}

/// The handler of one handle.
#[derive(Clone, Copy)]
pub(super) struct Handler {
    opening: d2d_handle,
    /// A number that no other handler of this event has had.
    serial: u64,
    call: Call,
    state: State,
}

pub(super) struct Handlers {
    list: KVec<Handler>,
    next_serial: u64,
    /// Over once each RCU reader has ended that ran when a handler was last removed or replaced.
    removed: Option<GracePeriod>,
}

impl Handlers {
    pub(super) const fn new() -> Self {
        Self {
            list: KVec::new(),
            next_serial: 0,
            removed: None,
        }
    }

    pub(super) fn count(&self) -> u32 {
        self.list.len() as u32
    }

    pub(super) fn failed(&self) -> u32 {
        let has_failed = |handler: &&Handler| handler.state == State::Failed;
        self.list.iter().filter(has_failed).count() as u32
    }
}

enum Change {
    /// The caller must wait for the grace period, if any.
    Done(Option<GracePeriod>),
    /// Nothing was changed: the list needs memory for this many handlers.
    NeedsMemory(usize),
}

impl Event {
    /// Adds or replaces the handler of a handle. If the list has no room and `spare` has, swaps the two,
    /// and copies the handlers to the new list.
    ///
    /// # Errors
    ///
    /// `EAGAIN` if the event has as many handlers as are allowed.
    fn add_handler(
        &self,
        key: &mut Key,
        opening: d2d_handle,
        call: Call,
        spare: &mut KVec<Handler>,
    ) -> Result<Change, Refusal> {
        let handlers = &mut self.uses(key).handlers;
        let mut handler = Handler {
            opening,
            serial: handlers.next_serial,
            call,
            state: State::Idle,
        };
        let list = &mut handlers.list;
        if let Some(old) = list.iter_mut().find(|old| old.opening == opening) {
            // If the old handler is due, the new one is called instead.
            if old.state == State::Due {
                handler.state = State::Due;
            }
            *old = handler;
            handlers.next_serial += 1;
            handlers.removed = Some(GracePeriod::from_now());
            return Ok(Change::Done(handlers.removed));
        }
        let count = list.len() + 1;
        if count > D2D_EVENT_MAX_WAITS as usize {
            return Err(("too-many-handlers", EAGAIN));
        }
        if list.capacity() < count {
            if spare.capacity() < count {
                return Ok(Change::NeedsMemory(count));
            }
            core::mem::swap(list, spare);
            for old in spare.iter() {
                // The list has room for these handlers and one more.
                let _ = list.push_within_capacity(*old);
            }
        }
        let _ = list.push_within_capacity(handler);
        handlers.next_serial += 1;
        self.begin_use(key);
        Ok(Change::Done(None))
    }

    /// Removes the handler of a handle. If the handler was due, sets a synchronization event again.
    /// Returns how many handlers are due now; the caller must call them.
    pub(super) fn remove_handler(&self, key: &mut Key, opening: d2d_handle) -> usize {
        let handlers = &mut self.uses(key).handlers;
        let at = handlers
            .list
            .iter()
            .position(|handler| handler.opening == opening);
        let Some(removed) = at.and_then(|at| handlers.list.remove(at).ok()) else {
            return 0;
        };
        handlers.removed = Some(GracePeriod::from_now());
        let due = match removed.state {
            State::Due => self.set_again(key),
            State::Idle | State::Failed => 0,
        };
        self.end_use(key);
        due
    }

    /// Returns the grace period after which no removed or replaced handler runs; `None` if there is no
    /// such handler.
    pub(super) fn after_removal(&self, key: &mut Key) -> Option<GracePeriod> {
        self.uses(key).handlers.removed
    }

    /// The event is set, and the caller is a user. Makes due all handlers of a notification event, or the
    /// next one in turn of a synchronization event; this handler takes the event. With `only`, makes no
    /// handler due but that of this handle. Returns how many handlers are due, including those of earlier
    /// sets; the caller must call them.
    pub(super) fn make_due(&self, key: &mut Key, only: Option<d2d_handle>) -> usize {
        let list = &mut self.uses(key).handlers.list;
        let is_reached = |handler: &Handler| {
            handler.state != State::Failed && only.is_none_or(|only| only == handler.opening)
        };
        if self.is_reset_by_wait() {
            if let Some(at) = list.iter().position(is_reached) {
                list[at].state = State::Due;
                list[at..].rotate_left(1);
                self.take_guarded();
            }
        } else {
            for handler in list.iter_mut().filter(|handler| is_reached(handler)) {
                handler.state = State::Due;
            }
        }
        let due = |handler: &&Handler| handler.state == State::Due;
        list.iter().filter(due).count()
    }

    fn next_due(&self, key: &mut Key) -> Option<Handler> {
        let mut handlers = self.uses(key).handlers.list.iter_mut();
        let due = handlers.find(|handler| handler.state == State::Due)?;
        due.state = State::Idle;
        Some(*due)
    }

    /// Marks a handler as failed, and sets a synchronization event again. Returns how many handlers are
    /// due then; the caller must call them.
    fn note_failed(&self, key: &mut Key, failed: &Handler) -> usize {
        let mut handlers = self.uses(key).handlers.list.iter_mut();
        if let Some(handler) = handlers.find(|other| other.serial == failed.serial) {
            handler.state = State::Failed;
        }
        self.set_again(key)
    }

    /// Sets a synchronization event that a handler has taken in vain. This counts as one more set,
    /// because a process that watches the event may have seen it reset. Returns how many handlers are due;
    /// the caller must call them.
    fn set_again(&self, key: &mut Key) -> usize {
        match self.is_reset_by_wait() {
            true => self.set_with_waiters(key).1,
            false => 0,
        }
    }
}

impl Dispatcher {
    /// See `d2d_event_on_set`. May sleep.
    ///
    /// # Errors
    ///
    /// - `ESTALE` if the handle is stale
    /// - `ESHUTDOWN` if the driver of the handle is leaving
    /// - `EAGAIN` if the event has 64 handlers
    /// - `ENOMEM`
    pub(crate) fn set_handler(
        &self,
        handle: d2d_handle,
        call: Option<Call>,
    ) -> Result<(), Refusal> {
        let mut spare = KVec::new();
        let removed = loop {
            let count = match self.try_set_handler(handle, call, &mut spare)? {
                Change::Done(removed) => break removed,
                Change::NeedsMemory(count) => count,
            };
            spare = KVec::with_capacity(count, GFP_KERNEL)
                .map_err(|error| ("out-of-memory", error.into()))?;
        };
        if let Some(removed) = removed {
            removed.wait();
        }
        Ok(())
    }

    /// As [`Dispatcher::set_handler`], without waiting, and with the memory in `spare`. If the event is set,
    /// calls the new handler.
    fn try_set_handler(
        &self,
        handle: d2d_handle,
        call: Option<Call>,
        spare: &mut KVec<Handler>,
    ) -> Result<Change, Refusal> {
        let reader = rcu::read_lock();
        let (event, due, change) = {
            let Inner {
                key, had_handlers, ..
            } = &mut *self.lock();
            let event = self
                .openings
                .find(handle, &reader)
                .ok_or(("stale-event-handle", ESTALE))?;
            let (due, change) = match call {
                None => {
                    let due = event.remove_handler(key, handle);
                    (due, Change::Done(event.after_removal(key)))
                }
                Some(_) if self.openings.is_leaving(handle) => {
                    return Err(("driver-is-leaving", ESHUTDOWN))
                }
                Some(call) => {
                    let change = event.add_handler(key, handle, call, spare)?;
                    if let Change::NeedsMemory(_) = change {
                        return Ok(change);
                    }
                    *had_handlers = true;
                    let due = match event.is_set_guarded() {
                        true => event.make_due(key, Some(handle)),
                        false => 0,
                    };
                    (due, change)
                }
            };
            (event, due, change)
        };
        event.notify();
        self.call_handlers(&event, due, &reader);
        Ok(change)
    }

    /// Calls at most `calls` due handlers, and those that become due when one of them fails. Any context.
    pub(super) fn call_handlers(&self, event: &Event, mut calls: usize, _reader: &rcu::Guard) {
        while calls > 0 {
            calls -= 1;
            let due = event.next_due(&mut self.lock().key);
            let Some(handler) = due else {
                return;
            };
            let Call { routine, argument } = handler.call;
            // SAFETY: This thread was an RCU reader when `next_due` found the handler on the list, and
            // still is one. So no grace period has passed since the handler was removed, if it was. By
            // the invariants of `Call`, the routine may be called.
            if unsafe { routine(argument, handler.opening) } < 0 {
                calls += event.note_failed(&mut self.lock().key, &handler);
                event.notify();
            }
        }
    }

    /// Waits until each handler that was removed before has returned. The caller holds no lock. May sleep.
    pub(super) fn wait_for_removed(&self) {
        let had_handlers = self.lock().had_handlers;
        if had_handlers {
            rcu::synchronize_rcu();
        }
    }
}

#[cfg(d2d_tests)]
mod tests;

// SPDX-License-Identifier: GPL-2.0

//! Handlers: functions of drivers that are called when an event is set.
//!
//! An event has the handlers in a list. While it has one, its state is guarded, so that each set takes
//! the lock and finds them. The set marks the handlers that it reaches as due, and calls them after it
//! has released the lock. Each set makes as many calls as there are handlers due when it releases the
//! lock, unless other threads make them first. So it does not leave a call to a thread that it has
//! interrupted or preempted.
//!
//! A synchronization event that a handler was to take is set again if the handler fails, or is removed
//! before it is called.
//!
//! A handler is called by an RCU reader. A thread that removes a handler waits for the readers, and
//! knows then that the handler does not run.

use super::{
    Dispatcher,
    Event,
    Inner,
    Key, //
};
use crate::registry::Refusal;
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

/// The function that is called, as `d2d_event_on_set` gets it.
pub(crate) type Routine = unsafe extern "C" fn(*mut c_void, d2d_handle) -> c_int;

/// A routine and its argument.
///
/// # Invariants
///
/// The routine may be called with the argument, in any context and by an RCU reader, until the
/// handler was removed and a grace period of RCU has passed.
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
        // INVARIANT: The caller says so.
        Self { routine, argument }
    }
}

/// What a set has to do with a handler.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Idle,
    /// A thread is about to call it.
    Due,
    /// It has failed, and is not called any more.
    Failed,
}

/// The handler of an event, set by one of the event's handles.
#[derive(Clone, Copy)]
pub(super) struct Handler {
    opening: d2d_handle,
    /// Another one for each handler of the event.
    serial: u64,
    call: Call,
    state: State,
}

/// The handlers of an event.
pub(super) struct Handlers {
    list: KVec<Handler>,
    /// How many handlers the event has had.
    added: u64,
}

impl Handlers {
    pub(super) const fn new() -> Self {
        Self {
            list: KVec::new(),
            added: 0,
        }
    }
}

/// The reason why a handler cannot be added.
enum Lacking {
    /// The list has to have memory for so many.
    Memory(usize),
    /// There are as many as there may be.
    Room,
}

/// What removing the handler of a handle has done.
pub(super) struct Removed {
    /// How many handlers the caller calls, because the event is set again.
    pub(super) due: usize,
    /// Whether the caller waits for a grace period, because the handler may be running.
    pub(super) may_run: bool,
}

impl Event {
    /// Adds the handler of a handle, or replaces it. Returns whether the caller waits for a grace period,
    /// because the old one may be running. Moves the list to `spare` if that has more room.
    fn add_handler(
        &self,
        key: &mut Key,
        opening: d2d_handle,
        call: Call,
        spare: &mut KVec<Handler>,
    ) -> Result<bool, Lacking> {
        let handlers = &mut self.uses(key).handlers;
        let serial = handlers.added;
        let list = &mut handlers.list;
        if let Some(old) = list.iter_mut().find(|old| old.opening == opening) {
            // A set that the old handler has not seen yet goes to the new one.
            let state = match old.state {
                State::Due => State::Due,
                State::Idle | State::Failed => State::Idle,
            };
            *old = Handler {
                opening,
                serial,
                call,
                state,
            };
            handlers.added += 1;
            return Ok(true);
        }
        let count = list.len() + 1;
        if count > D2D_EVENT_MAX_WAITS as usize {
            return Err(Lacking::Room);
        }
        if list.capacity() < count {
            if spare.capacity() < count {
                return Err(Lacking::Memory(count));
            }
            core::mem::swap(list, spare);
            for old in spare.iter() {
                // There is memory for one more than these.
                let _ = list.push_within_capacity(*old);
            }
        }
        let _ = list.push_within_capacity(Handler {
            opening,
            serial,
            call,
            state: State::Idle,
        });
        handlers.added += 1;
        self.begin_use(key);
        Ok(false)
    }

    /// Removes the handler of a handle, if it has one. If the handler was to take the event, sets the
    /// event again.
    pub(super) fn remove_handler(&self, key: &mut Key, opening: d2d_handle) -> Removed {
        let handlers = &mut self.uses(key).handlers;
        let at = handlers
            .list
            .iter()
            .position(|handler| handler.opening == opening);
        let removed = at.and_then(|at| handlers.list.remove(at).ok());
        let due = match &removed {
            Some(removed) if removed.state == State::Due => self.set_again(key),
            _ => 0,
        };
        if removed.is_some() {
            self.end_use(key);
        }
        Removed {
            due,
            may_run: removed.is_some(),
        }
    }

    /// Marks the handlers that a set reaches as due: all handlers of a notification event, of a
    /// synchronization event the one that was not due for the longest time, which takes the event. With
    /// `only`, the set reaches no other handler than that of this handle. The event is set, and the
    /// caller is a user. Returns how many handlers are due, by this set or an earlier one.
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

    /// Returns a handler that is due, and is not any more.
    fn next_due(&self, key: &mut Key) -> Option<Handler> {
        let mut handlers = self.uses(key).handlers.list.iter_mut();
        let due = handlers.find(|handler| handler.state == State::Due)?;
        due.state = State::Idle;
        Some(*due)
    }

    /// Marks a handler that has failed. If it has taken the event, sets the event again. Returns how many
    /// handlers the caller calls for that.
    fn pass_on(&self, key: &mut Key, failed: &Handler) -> usize {
        let mut handlers = self.uses(key).handlers.list.iter_mut();
        if let Some(handler) = handlers.find(|other| other.serial == failed.serial) {
            handler.state = State::Failed;
        }
        self.set_again(key)
    }

    /// Sets a synchronization event that a handler has taken and does not react to. This counts as one
    /// more set, because a process that watches the event may have seen that it was reset. Returns how
    /// many handlers the caller calls.
    fn set_again(&self, key: &mut Key) -> usize {
        match self.is_reset_by_wait() {
            true => self.set_with_waiters(key).1,
            false => 0,
        }
    }
}

impl Dispatcher {
    /// Sets, replaces or removes the handler of a handle; see `d2d_event_on_set`. May sleep.
    ///
    /// # Errors
    ///
    /// `ESTALE` for the handle, `ESHUTDOWN` if its driver is leaving, `EAGAIN` if the event has 64
    /// handlers, `ENOMEM`.
    pub(crate) fn set_handler(
        &self,
        handle: d2d_handle,
        call: Option<Call>,
    ) -> Result<(), Refusal> {
        let mut spare = KVec::new();
        let may_run = loop {
            let count = match self.try_set_handler(handle, call, &mut spare)? {
                Ok(may_run) => break may_run,
                Err(Lacking::Room) => return Err(("too-many-handlers", EAGAIN)),
                Err(Lacking::Memory(count)) => count,
            };
            spare = KVec::with_capacity(count, GFP_KERNEL)
                .map_err(|error| ("out-of-memory", error.into()))?;
        };
        if may_run {
            rcu::synchronize_rcu();
        }
        Ok(())
    }

    /// As [`Dispatcher::set_handler`], without waiting and with the memory that is in `spare`. Returns
    /// whether an old handler may be running. Calls the new one if the event is set.
    fn try_set_handler(
        &self,
        handle: d2d_handle,
        call: Option<Call>,
        spare: &mut KVec<Handler>,
    ) -> Result<Result<bool, Lacking>, Refusal> {
        let reader = rcu::read_lock();
        let (event, removed) = {
            let Inner {
                key, had_handlers, ..
            } = &mut *self.lock();
            let event = self
                .openings
                .find(handle, &reader)
                .ok_or(("stale-event-handle", ESTALE))?;
            let removed = match call {
                None => event.remove_handler(key, handle),
                Some(_) if self.openings.is_leaving(handle) => {
                    return Err(("driver-is-leaving", ESHUTDOWN))
                }
                Some(call) => match event.add_handler(key, handle, call, spare) {
                    Err(lacking) => return Ok(Err(lacking)),
                    Ok(may_run) => {
                        *had_handlers = true;
                        let due = match event.is_set_guarded() {
                            true => event.make_due(key, Some(handle)),
                            false => 0,
                        };
                        Removed { due, may_run }
                    }
                },
            };
            (event, removed)
        };
        event.notify();
        self.call_handlers(event, removed.due, &reader);
        Ok(Ok(removed.may_run))
    }

    /// Calls handlers that are due, until none is or `calls` were called. Any context.
    pub(super) fn call_handlers(&self, event: &Event, mut calls: usize, _reader: &rcu::Guard) {
        while calls > 0 {
            calls -= 1;
            let due = event.next_due(&mut self.lock().key);
            let Some(handler) = due else {
                return;
            };
            let Call { routine, argument } = handler.call;
            // SAFETY: This thread is an RCU reader, and was one when the handler was on the list. So by
            // the invariants of `Call` the routine may be called.
            if unsafe { routine(argument, handler.opening) } < 0 {
                calls += event.pass_on(&mut self.lock().key, &handler);
                event.notify();
            }
        }
    }

    /// Waits until no handler runs that was removed before. The caller holds no lock. May sleep.
    pub(super) fn wait_for_removed(&self) {
        let had_handlers = self.lock().had_handlers;
        if had_handlers {
            rcu::synchronize_rcu();
        }
    }
}

#[cfg(d2d_tests)]
mod tests;

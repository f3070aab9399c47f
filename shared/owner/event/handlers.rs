// SPDX-License-Identifier: GPL-2.0

//! Handlers: functions of drivers that are called when an event is set.
//!
//! An event has the handlers in a list. While it has one, its state is guarded, so that each set takes
//! the lock and finds them. The set makes the handlers due that it reaches, and calls them after it has
//! released the lock. The thread that has made a handler due may find that another thread calls it:
//! each set makes at most as many calls as it has made handlers due, so together they make all calls.
//!
//! A handler is called by an RCU reader. A thread that removes a handler waits for the readers, and
//! knows then that the handler does not run.

use super::{
    Dispatcher,
    Event,
    Key, //
};
use crate::registry::Refusal;
use core::ffi::c_void;
use d2d::{
    abi::{
        d2d_handle,
        D2D_EVENT_MAX_WAITS, //
    },
    word::Word, //
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
    call: Call,
    state: State,
}

/// The reason why a handler cannot be added.
enum Lacking {
    /// The list has to have room for so many.
    Room(usize),
    /// There are as many as there may be.
    Place,
}

impl Event {
    /// Adds the handler of a handle, or replaces it: then returns true. Moves the list to `spare` if that
    /// has more room.
    fn add_handler(
        &self,
        key: &mut Key,
        opening: d2d_handle,
        call: Call,
        spare: &mut KVec<Handler>,
    ) -> Result<bool, Lacking> {
        let handlers = &mut self.uses(key).handlers;
        if let Some(old) = handlers.iter_mut().find(|old| old.opening == opening) {
            old.call = call;
            // A set that the old handler has not seen yet goes to the new one.
            if old.state == State::Failed {
                old.state = State::Idle;
            }
            return Ok(true);
        }
        let count = handlers.len() + 1;
        if count > D2D_EVENT_MAX_WAITS as usize {
            return Err(Lacking::Place);
        }
        if handlers.capacity() < count {
            if spare.capacity() < count {
                return Err(Lacking::Room(count));
            }
            core::mem::swap(handlers, spare);
            for old in spare.iter() {
                // There is room for one more than these.
                let _ = handlers.push_within_capacity(*old);
            }
        }
        let _ = handlers.push_within_capacity(Handler {
            opening,
            call,
            state: State::Idle,
        });
        self.begin_use(key);
        Ok(false)
    }

    /// Removes the handler of a handle, and returns whether there was one. The caller waits for a grace
    /// period then.
    pub(super) fn remove_handler(&self, key: &mut Key, opening: d2d_handle) -> bool {
        let handlers = &mut self.uses(key).handlers;
        let at = handlers
            .iter()
            .position(|handler| handler.opening == opening);
        let was_there = at.is_some_and(|at| handlers.remove(at).is_ok());
        if was_there {
            self.end_use(key);
        }
        was_there
    }

    /// Makes due the handlers that a set reaches. The event is set, and the caller is a user. Returns how
    /// many they are: all handlers of a notification event; of a synchronization event the one that was
    /// not due for the longest time, which takes the event.
    pub(super) fn make_due(&self, key: &mut Key) -> usize {
        let handlers = &mut self.uses(key).handlers;
        let mut alive = handlers
            .iter_mut()
            .filter(|handler| handler.state != State::Failed);
        if !self.is_reset_by_wait() {
            return alive.map(|handler| handler.state = State::Due).count();
        }
        let Some(first) = alive.next() else {
            return 0;
        };
        first.state = State::Due;
        let opening = first.opening;
        if let Some(at) = handlers
            .iter()
            .position(|handler| handler.opening == opening)
        {
            handlers[at..].rotate_left(1);
        }
        self.take_guarded();
        1
    }

    /// Returns a handler that is due, and is not any more.
    fn next_due(&self, key: &mut Key) -> Option<Handler> {
        let mut handlers = self.uses(key).handlers.iter_mut();
        let due = handlers.find(|handler| handler.state == State::Due)?;
        due.state = State::Idle;
        Some(*due)
    }

    /// Marks a handler that has failed. If it has taken the event, sets the event again. Returns how many
    /// handlers are due by that.
    fn pass_on(&self, key: &mut Key, failed: &Handler) -> usize {
        let mut handlers = self.uses(key).handlers.iter_mut();
        let is_same = |other: &&mut Handler| {
            other.opening == failed.opening
                && other.call.argument == failed.call.argument
                && other.call.routine as usize == failed.call.routine as usize
        };
        if let Some(handler) = handlers.find(is_same) {
            handler.state = State::Failed;
        }
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
        let was_there = loop {
            let room = match self.try_set_handler(handle, call, &mut spare)? {
                Ok(was_there) => break was_there,
                Err(Lacking::Place) => return Err(("too-many-handlers", EAGAIN)),
                Err(Lacking::Room(room)) => room,
            };
            spare = KVec::with_capacity(room, GFP_KERNEL)
                .map_err(|error| ("out-of-memory", error.into()))?;
        };
        if was_there {
            rcu::synchronize_rcu();
        }
        Ok(())
    }

    /// As [`Dispatcher::set_handler`], without waiting and with the memory that is in `spare`. Returns
    /// whether the handle had a handler. Calls the handler if the event is set.
    fn try_set_handler(
        &self,
        handle: d2d_handle,
        call: Option<Call>,
        spare: &mut KVec<Handler>,
    ) -> Result<Result<bool, Lacking>, Refusal> {
        let reader = rcu::read_lock();
        let (event, was_there, calls) = {
            let key = &mut self.lock().key;
            let event = self
                .openings
                .find(handle, &reader)
                .ok_or(("stale-event-handle", ESTALE))?;
            let Some(call) = call else {
                return Ok(Ok(event.remove_handler(key, handle)));
            };
            if self.openings.is_leaving(handle) {
                return Err(("driver-is-leaving", ESHUTDOWN));
            }
            match event.add_handler(key, handle, call, spare) {
                Err(lacking) => return Ok(Err(lacking)),
                Ok(was_there) => {
                    Word::store_release(&self.had_handlers, 1);
                    let calls = match event.is_set_guarded() {
                        true => event.make_due(key),
                        false => 0,
                    };
                    (event, was_there, calls)
                }
            }
        };
        self.call_handlers(event, calls, &reader);
        Ok(Ok(was_there))
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
            }
        }
    }

    /// Waits until no handler runs that was removed before. The caller holds no lock. May sleep.
    pub(super) fn wait_for_removed(&self) {
        if Word::load_acquire(&self.had_handlers) != 0 {
            rcu::synchronize_rcu();
        }
    }
}

#[cfg(d2d_tests)]
mod tests;

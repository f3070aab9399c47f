// SPDX-License-Identifier: GPL-2.0

//! Detaching a driver.

use crate::{
    driver_object::Driver,
    registry::{
        Entry,
        Handshake,
        State, //
    },
    server::Server, //
};
use d2d::{abi, patience::Patience, refuse, step};
use kernel::{
    prelude::*,
    task::might_sleep,
    time::{
        delay::fsleep,
        Delta, //
    }, //
};

impl Server {
    /// `d2d_detach`. May sleep.
    ///
    /// # Errors
    ///
    /// Those of `d2d_detach`, each with its line.
    pub(crate) fn detach(&self, handle: abi::d2d_handle) -> Result {
        might_sleep();
        let mut patience = Patience::new();
        loop {
            self.check_outside(handle, "detach-from-inside")?;
            let before = self.registry.update(handle, detaching)?;
            let name = before.name();
            match before.state {
                State::Detached if before.is_fully_detached() => {
                    return Err(refuse!(self.name, "not-attached", ENOTCONN, name: name));
                }
                State::Detaching(_) => {
                    return Err(refuse!(self.name, "already-detaching", EALREADY, name: name));
                }
                _ if self.try_to_detach(handle, &before) => return Ok(()),
                // The driver cannot be detached while one of these holds:
                // - The request of the handshake is not sent yet.
                // - The request is being completed.
                // - The thread that has sent the request is in `d2d_attach()`.
                _ => self.sleep_a_round(handle, &mut patience),
            }
        }
    }

    /// Begins to detach a driver that was expelled. Returns a copy of its entry from before this
    /// call, or `None` if there is nothing to detach. Any context.
    pub(super) fn mark_detaching(&self, handle: abi::d2d_handle) -> Option<Entry> {
        let before = self.registry.update(handle, detaching).ok()?;
        (!before.is_fully_detached()).then_some(before)
    }

    /// Detaches a driver. `before` is a copy of its entry from before [`detaching`] changed the
    /// state. Returns false if the caller must [sleep](Server::sleep_a_round) and try again. May
    /// sleep.
    pub(super) fn try_to_detach(&self, handle: abi::d2d_handle, before: &Entry) -> bool {
        match before.state {
            State::Attached(index) => {
                step!(before.name(), detach, ctx: index);
                self.requests
                    .cancel_all(handle, || self.events.cancel_waits(handle));
                self.take_context_back(handle, before, index);
                true
            }
            State::Attaching(handshake) => self.cancel_handshake(handle, handshake, before.name()),
            State::Abandoned(handshake) => {
                let index = handshake.context;
                step!(before.name(), detach, ctx: index);
                self.end_abandoned(handle, handshake);
                true
            }
            State::Detached | State::Detaching(_) => false,
        }
    }

    /// Cancels the request of a handshake, and waits until the context is free. Returns false if
    /// the request is not sent yet or is being completed. May sleep.
    fn cancel_handshake(&self, handle: abi::d2d_handle, handshake: Handshake, name: &CStr) -> bool {
        if !self.requests.cancel_handshake(handshake.request) {
            return false;
        }
        step!(self.name, cancel, to: name, ctx: handshake.context);
        self.wait_for_attach(handle);
        while self.is_attaching(handle, handshake) {
            fsleep(Delta::from_millis(1));
        }
        true
    }

    /// Cancels the request that a driver has not completed in time, and waits until the context is
    /// free. The completion routine makes it free, in this thread or in one that is just completing
    /// the request. May sleep.
    pub(super) fn end_abandoned(&self, handle: abi::d2d_handle, handshake: Handshake) {
        self.requests.cancel_handshake(handshake.request);
        while self.is_attaching(handle, handshake) {
            fsleep(Delta::from_millis(1));
        }
    }

    fn is_attaching(&self, handle: abi::d2d_handle, handshake: Handshake) -> bool {
        let entry = self.registry.peek(handle);
        entry.is_some_and(|entry| entry.state.handshake() == Some(handshake))
    }

    /// Waits until no thread is in `d2d_attach()` for a driver. May sleep.
    fn wait_for_attach(&self, handle: abi::d2d_handle) {
        let is_sending = || {
            let entry = self.registry.peek(handle);
            entry.is_some_and(|entry| entry.is_being_attached())
        };
        let mut patience = Patience::new();
        while is_sending() {
            self.sleep_a_round(handle, &mut patience);
        }
    }

    /// Sleeps for a millisecond. After some rounds, also ends the driver's waits: a thread in
    /// `d2d_attach()` may be inside the driver's dispatch routine, and wait there. May sleep.
    pub(super) fn sleep_a_round(&self, handle: abi::d2d_handle, patience: &mut Patience) {
        patience.sleep(|| self.end_waits(handle));
    }

    /// Waits until no thread is inside the driver's operations or in `d2d_attach()` for it. Then
    /// takes the context back. May sleep.
    fn take_context_back(&self, handle: abi::d2d_handle, driver: &Driver, index: usize) {
        // SAFETY: The link was opened when the driver was attached. Only this thread has changed
        // the state to `Detaching`, so it alone closes the link. It is not inside the driver:
        // by the contract of `d2d_detach`, it is inside no operation, and `detach` checks that it is
        // inside no routine. A thread that expels drivers runs the kernel's code that frees a module,
        // which no function of a driver can call.
        unsafe { self.contexts.close(index, &|| self.end_waits(handle)) };
        // Although the request is completed, the thread in `d2d_attach()` may still be inside the
        // dispatch routine.
        self.wait_for_attach(handle);
        step!(self.name, rundown, of: driver.name(), ctx: index);
        self.clear_peer(index);
        for (name, queue) in self.contexts.queues(index) {
            // SAFETY: The peer was run down, so it uses no item. The argument is true only if the
            // owner is in Rust.
            let revoked = unsafe { queue.revoke_handles(!self.contexts.owner_holds_items()) };
            if revoked > 0 {
                step!(self.name, drain, ctx: index, queue: name, revoked: revoked);
            }
        }
        self.contexts.detached(index);
        self.registry
            .transition(handle, State::Detaching(index), State::Detached);
    }

    /// Cancels the driver's requests and its waits for events. A thread inside the driver, or one of
    /// its jobs, may be in such a wait. May sleep.
    pub(super) fn end_waits(&self, handle: abi::d2d_handle) {
        self.requests.cancel_each(handle);
        self.events.cancel_waits(handle);
    }
}

/// Returns the next state of an attached driver, `None` for any other driver.
fn detaching(state: State) -> Option<State> {
    match state {
        State::Attached(index) => Some(State::Detaching(index)),
        _ => None,
    }
}

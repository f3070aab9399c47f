// SPDX-License-Identifier: GPL-2.0

//! Detaching a driver: the owner takes its context back.

use crate::{
    driver_object::Driver,
    registry::{
        Handshake,
        Known,
        State, //
    },
    server::Server, //
};
use d2d::{abi, refuse, step};
use kernel::{
    prelude::*,
    task::might_sleep,
    time::{
        delay::fsleep,
        Delta, //
    }, //
};

impl Server {
    /// Detaches a driver; see `d2d_detach`. May sleep.
    pub(crate) fn detach(&self, handle: abi::d2d_handle) -> Result {
        might_sleep();
        let mut rounds = 0;
        loop {
            self.check_outside(handle, "detach-from-inside")?;
            let before = self.registry.update(handle, detaching)?;
            let name = before.name();
            match before.state {
                State::Registered if before.is_detached() => {
                    return Err(refuse!(self.name, "not-attached", ENOTCONN, name: name));
                }
                State::Detaching(_) => {
                    return Err(refuse!(self.name, "already-detaching", EALREADY, name: name));
                }
                _ if self.end_to_detach(handle, &before) => return Ok(()),
                // The request of the handshake cannot be taken, or the sender has not left the driver.
                _ => self.pause(handle, &mut rounds),
            }
        }
    }

    /// Begins to detach a driver that was expelled, as [`Server::detach`] does. Returns what was known
    /// of it before; `None` when there is nothing to detach. Any context.
    pub(super) fn begin_to_detach(&self, handle: abi::d2d_handle) -> Option<Known> {
        let before = self.registry.update(handle, detaching).ok()?;
        (!before.is_detached()).then_some(before)
    }

    /// Ends what [`detaching`] has begun. Returns whether the driver is detached; if not, the caller
    /// [pauses](Server::pause) and begins anew. May sleep.
    pub(super) fn end_to_detach(&self, handle: abi::d2d_handle, before: &Known) -> bool {
        match before.state {
            State::Attached(index) => {
                step!(before.name(), detach, ctx: index);
                self.requests
                    .cancel_all(handle, || self.events.cancel_waits(handle));
                self.run_down(handle, before, index);
                true
            }
            State::Attaching(handshake) => self.cancel_handshake(handle, handshake, before.name()),
            State::Abandoned(handshake) => {
                let index = handshake.context;
                step!(before.name(), detach, ctx: index);
                self.end_abandoned(handle, handshake);
                true
            }
            State::Registered | State::Detaching(_) => false,
        }
    }

    /// Takes back the request that a driver is attaching by. The sender, or the completion routine, then
    /// gives the context back, and this waits for that. Returns whether it was taken: not if it is not sent
    /// yet, or is being completed. May sleep.
    fn cancel_handshake(&self, handle: abi::d2d_handle, handshake: Handshake, name: &CStr) -> bool {
        if !self.requests.cancel_handshake(handshake.request) {
            return false;
        }
        step!(self.name, cancel, to: name, ctx: handshake.context);
        self.wait_for_sender(handle);
        while self.is_attaching(handle, handshake) {
            fsleep(Delta::from_millis(1));
        }
        true
    }

    /// Takes back the request that a driver has not completed in time. Then the context is given back, here
    /// or by a thread that is just completing the request. May sleep.
    pub(super) fn end_abandoned(&self, handle: abi::d2d_handle, handshake: Handshake) {
        self.requests.cancel_handshake(handshake.request);
        while self.is_attaching(handle, handshake) {
            fsleep(Delta::from_millis(1));
        }
    }

    /// Returns whether a driver's handshake is still this one.
    fn is_attaching(&self, handle: abi::d2d_handle, handshake: Handshake) -> bool {
        let known = self.registry.peek(handle);
        known.is_some_and(|known| known.state.handshake() == Some(handshake))
    }

    /// Waits until the sender of a driver's handshake is done with it. May sleep.
    fn wait_for_sender(&self, handle: abi::d2d_handle) {
        let is_sending = || {
            let known = self.registry.peek(handle);
            known.is_some_and(|known| known.is_being_attached())
        };
        let mut rounds = 0;
        while is_sending() {
            self.pause(handle, &mut rounds);
        }
    }

    /// Waits a millisecond for the sender of a driver's handshake. The sender may be inside the dispatch
    /// routine, waiting there for a request or an event of the driver's own; after some rounds, this ends
    /// the wait. May sleep.
    pub(super) fn pause(&self, handle: abi::d2d_handle, rounds: &mut u32) {
        /// How many milliseconds the dispatch routine may take to return by itself.
        const PATIENCE: u32 = 10;

        if *rounds >= PATIENCE {
            self.end_waits(handle);
        }
        *rounds += 1;
        fsleep(Delta::from_millis(1));
    }

    /// Waits until the owner is not inside the driver any more, and takes the context back. If an
    /// operation takes long, this ends what it may be waiting for. May sleep.
    fn run_down(&self, handle: abi::d2d_handle, driver: &Driver, index: usize) {
        // SAFETY: It was opened when the driver was attached, and the state `Detaching` is ours.
        unsafe { self.contexts.close(index, &|| self.end_waits(handle)) };
        // The dispatch routine may be left later than the request in it was completed.
        self.wait_for_sender(handle);
        step!(self.name, rundown, of: driver.name(), ctx: index);
        self.clear_peer(index);
        for (name, queue) in self.contexts.queues(index) {
            // SAFETY: The driver is gone, and the owner is not one in C.
            let revoked = unsafe { queue.revoke_handles() };
            if revoked > 0 {
                step!(self.name, drain, ctx: index, queue: name, revoked: revoked);
            }
        }
        self.contexts.detached(index);
        self.registry
            .transition(handle, State::Detaching(index), State::Registered);
    }

    /// Ends what the threads inside a driver may be waiting for: its requests, and events by its
    /// handles. May sleep.
    fn end_waits(&self, handle: abi::d2d_handle) {
        self.requests.take_back(handle);
        self.events.cancel_waits(handle);
    }
}

/// Returns the state into which detaching takes an attached driver; `None` if it is not attached.
fn detaching(state: State) -> Option<State> {
    match state {
        State::Attached(index) => Some(State::Detaching(index)),
        _ => None,
    }
}

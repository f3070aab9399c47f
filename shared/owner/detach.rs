// SPDX-License-Identifier: GPL-2.0

//! Detaching a driver: the owner ends a handshake that is under way, or runs down the link, and
//! takes the context back.

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
    /// Detaches a driver; see `d2d_detach`. May sleep.
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
                // The driver cannot be detached yet, for one of these reasons:
                // - The request of the handshake is not sent yet.
                // - The request is being completed.
                // - The thread that has sent the request is still in `d2d_attach()`.
                _ => self.sleep_a_round(handle, &mut patience),
            }
        }
    }

    /// Begins to detach a driver that was expelled, as [`Server::detach`] does. Returns a copy of
    /// the driver's entry as it was before. Returns `None` if there is nothing to detach. Any
    /// context.
    pub(super) fn mark_detaching(&self, handle: abi::d2d_handle) -> Option<Entry> {
        let before = self.registry.update(handle, detaching).ok()?;
        (!before.is_fully_detached()).then_some(before)
    }

    /// Detaches a driver, of whose entry `before` is a copy. If the driver's state was `Attached`,
    /// [`detaching`] has changed it since. Returns whether the driver is detached; if not, the
    /// caller [sleeps](Server::sleep_a_round) and tries again. May sleep.
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

    /// Cancels the request of a handshake that is under way, and waits until the context is free.
    /// The completion routine or the thread that has sent the request makes the context free.
    /// Returns false if the request cannot be cancelled, because it is not sent yet or is being
    /// completed. May sleep.
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
    /// free. The completion routine makes it free: in this thread, or in another thread that is
    /// completing the request just now. May sleep.
    pub(super) fn end_abandoned(&self, handle: abi::d2d_handle, handshake: Handshake) {
        self.requests.cancel_handshake(handshake.request);
        while self.is_attaching(handle, handshake) {
            fsleep(Delta::from_millis(1));
        }
    }

    /// Returns whether this handshake with a driver has not ended yet.
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

    /// Sleeps for a millisecond; called again and again while a thread is in `d2d_attach()` for a
    /// driver. That thread may be inside the driver's dispatch routine, and the routine may wait
    /// for a request or an event of the driver. So after some rounds, this also ends such waits.
    /// May sleep.
    pub(super) fn sleep_a_round(&self, handle: abi::d2d_handle, patience: &mut Patience) {
        patience.sleep(|| self.end_waits(handle));
    }

    /// Waits until no thread of the owner is inside the driver's operations or its dispatch
    /// routine, and takes the context back. If an operation or the routine takes long, ends the
    /// waits in which its thread may be. May sleep.
    fn take_context_back(&self, handle: abi::d2d_handle, driver: &Driver, index: usize) {
        // SAFETY: The link was opened when the driver was attached. Only this thread has changed
        // the state to `Detaching`, so it alone closes the link. This thread is not inside the
        // driver: `detach` checks that. A thread that expels drivers is unloading a module, which a
        // routine must not do.
        unsafe { self.contexts.close(index, &|| self.end_waits(handle)) };
        // The thread in `d2d_attach()` may still be inside the dispatch routine, although the
        // request is completed.
        self.wait_for_attach(handle);
        step!(self.name, rundown, of: driver.name(), ctx: index);
        self.clear_peer(index);
        for (name, queue) in self.contexts.queues(index) {
            // SAFETY: The peer was run down, so it uses no item. Only an owner in C uses items that
            // it has redeemed by handle.
            let revoked = unsafe { queue.revoke_handles(!self.contexts.owner_holds_items()) };
            if revoked > 0 {
                step!(self.name, drain, ctx: index, queue: name, revoked: revoked);
            }
        }
        self.contexts.detached(index);
        self.registry
            .transition(handle, State::Detaching(index), State::Detached);
    }

    /// Cancels the driver's requests, and ends the waits that were begun with its handles of
    /// events. Threads inside the driver, and its jobs, may be in such waits. May sleep.
    pub(super) fn end_waits(&self, handle: abi::d2d_handle) {
        self.requests.cancel_each(handle);
        self.events.cancel_waits(handle);
    }
}

/// Returns the state to which detaching changes that of an attached driver; `None` if the driver is
/// not attached.
fn detaching(state: State) -> Option<State> {
    match state {
        State::Attached(index) => Some(State::Detaching(index)),
        _ => None,
    }
}

// SPDX-License-Identifier: GPL-2.0

//! The handshake: how the owner shares a context with a driver.
//!
//! As on Windows, the owner sends the driver an internal device control request whose user buffer
//! is the context.
//!
//! The sender is the owner's own driver object. The driver's entry in the
//! [registry](crate::registry) has the handshake's state.
//!
//! If the driver pends the request, and the owner learns of completion by its completion routine,
//! no thread waits for the driver. The server has one timer, which ends such a handshake if it takes
//! too long.

use crate::{
    config::Learn,
    driver_object::Driver,
    handle,
    registry::{
        Handshake,
        Overdue,
        State, //
    },
    request::{
        CompleteOutcome,
        Limit, //
    },
    server::{
        own_handle,
        Server, //
    }, //
};
use d2d::{
    abi,
    fields,
    header,
    interface::NO_ENDPOINT,
    packet::Completed,
    refuse,
    step,
    trace::{
        Field,
        Step,
        StepRecord, //
    }, //
};
use kernel::{
    error::to_result,
    ffi::c_int,
    prelude::*,
    time::{
        Delta,
        Instant, //
    }, //
};

impl Server {
    /// `d2d_attach`. May sleep.
    ///
    /// # Errors
    ///
    /// Those of `d2d_attach`.
    pub(crate) fn attach(&self, handle: abi::d2d_handle) -> Result {
        // Allocated before the state becomes `Attaching`: another thread can end a handshake only
        // by its request.
        let request = self.requests.alloc(own_handle(), 0, 0)?;
        let reserved = self.registry.reserve(handle, request, self.contexts.len());
        let (driver, handshake) = match reserved {
            Ok(reserved) => reserved,
            Err(error) => {
                let _ = self.requests.free(request);
                return Err(error);
            }
        };
        let name = driver.name();
        step!(self.name, lookup, name: name);
        let result = self.offer(handle, &driver, handshake);
        // If the request was cancelled or completed late during `offer`, `completed_handshake` has
        // only noted the refusal, because the dispatch routine might still use the context.
        let entry = self.registry.end_attach(handle);
        let refused = entry.filter(|entry| entry.refusal != 0);
        if let Some(handshake) = refused.and_then(|entry| entry.state.handshake()) {
            self.give_back(handle, handshake);
        }
        result
    }

    /// Sends the request of a handshake, and learns of its completion. May sleep.
    ///
    /// # Errors
    ///
    /// `EINPROGRESS` if the completion routine will learn of the completion. After any other error
    /// of `d2d_attach`, the context is free, the driver's state is `Abandoned`, or
    /// [`Server::attach`] still has to make the context free.
    fn offer(&self, handle: abi::d2d_handle, driver: &Driver, handshake: Handshake) -> Result {
        self.contexts.clear_peer_data(handshake.context);
        let send = self.build_request(handle, handshake.context);
        let context = handshake.context;
        step!(self.name, call_driver, to: driver.name(), code: send.code, ctx: context);
        match self.requests.send_handshake(handshake.request, &send) {
            Ok(is_completed) if self.config.learn == Learn::Routine => {
                if !is_completed {
                    self.limit(handle, handshake);
                }
                // `EINPROGRESS`, unless the handshake has ended meanwhile.
                self.registry.get(handle)?.attach_result(handshake)
            }
            Ok(is_completed) => self.await_completion(handle, handshake, is_completed),
            Err(error) => {
                let _ = self.requests.free(handshake.request);
                Err(self.abort(handle, handshake, error))
            }
        }
    }

    /// Waits until the request of a handshake is completed, and ends the handshake. `is_completed`
    /// says whether the request was completed when the dispatch routine returned. May sleep.
    ///
    /// # Errors
    ///
    /// The errno with which the handshake has failed, `ETIMEDOUT` if the driver has taken too long.
    fn await_completion(
        &self,
        handle: abi::d2d_handle,
        handshake: Handshake,
        is_completed: bool,
    ) -> Result {
        let via = match self.config.learn {
            // As on Windows, the owner waits for a request that the driver has pended.
            Learn::Return if !is_completed => &fields![via: "wait", asked: "return"][..],
            Learn::Return => &fields![via: "return"],
            _ => &fields![via: "wait"],
        };
        let waited = self
            .requests
            .wait(handshake.request, self.config.timeout, Limit::Keep);
        match waited {
            Ok(result) => {
                self.trace_completion(handshake, via, result.status);
                let concluded = self.conclude(handle, handshake, &result);
                let _ = self.requests.free(handshake.request);
                concluded
            }
            Err(error) if error == ETIMEDOUT => {
                // The request stays with the driver.
                self.mark_abandoned(handle, handshake);
                self.trace_completion(handshake, via, error.to_errno());
                Err(error)
            }
            // The owner is being unloaded: the request was freed before this thread began to wait.
            Err(error) => Err(self.abort(handle, handshake, error)),
        }
    }

    /// Begins the time limit of a handshake for which nobody waits. Any context.
    fn limit(&self, handle: abi::d2d_handle, handshake: Handshake) {
        let after = Delta::from_millis(self.config.timeout.into());
        let due = Instant::now() + after;
        if self.registry.limit(handle, handshake, due) {
            self.set_timer(after);
        }
    }

    /// The timer is not set yet. Any context.
    fn set_timer(&self, after: Delta) {
        if let Some(timeout) = self.handshake_timeout.as_ref() {
            // Fails if the owner has closed its jobs. Then the owner unregisters its own driver
            // object, which ends all handshakes.
            let _ = timeout.start_after(after);
        }
    }

    /// The routine of the timer. Ends handshakes for which nobody waits and whose time limits have
    /// ended. Any context.
    pub(super) fn end_overdue(&self) {
        loop {
            match self.registry.overdue(Instant::now()) {
                Overdue::Handshake(handle, handshake) => {
                    if self.requests.keep_overdue(handshake.request) {
                        self.mark_abandoned(handle, handshake);
                        self.trace_completion(
                            handshake,
                            &fields![via: "routine"],
                            ETIMEDOUT.to_errno(),
                        );
                    }
                }
                Overdue::In(left) => return self.set_timer(left),
                Overdue::Nothing => return,
            }
        }
    }

    /// Called when the time limit of a handshake has ended. The request and the context stay with
    /// the driver. Any context.
    fn mark_abandoned(&self, handle: abi::d2d_handle, handshake: Handshake) {
        let driver = self.registry.peek(handle);
        let by = driver.as_ref().map_or(c"?", |driver| driver.name());
        refuse!(
            self.name, "not-completed-in-time", ETIMEDOUT, by: by, ms: self.config.timeout,
            ctx: handshake.context
        );
        self.registry.transition(
            handle,
            State::Attaching(handshake),
            State::Abandoned(handshake),
        );
    }

    /// Any context.
    fn build_request(&self, handle: abi::d2d_handle, index: usize) -> abi::d2d_send {
        let code = abi::D2D_IOCTL_SHARE_CONTEXT;
        let context = self.contexts.as_raw(index);
        let send = abi::d2d_send {
            hdr: header::new::<abi::d2d_send>(abi::D2D_SEND_MAGIC),
            to: handle::target_of(handle),
            major_function: abi::D2D_MJ_INTERNAL_DEVICE_CONTROL,
            code,
            input: core::ptr::null(),
            user_buffer: context.cast(),
            tag: index as u64,
            input_len: 0,
            output_len: 0,
            flags: match self.config.learn {
                Learn::Routine => abi::D2D_SEND_ROUTINE,
                _ => 0,
            },
            reserved: 0,
        };
        step!(self.name, build_request, major: send.major_function, code: code, ctx: index);
        send
    }

    /// `d2d_complete`. If the owner refuses what a driver has filled in during its handshake,
    /// returns the errno of this refusal. Any context.
    pub(crate) fn complete(
        &self,
        handle: abi::d2d_handle,
        status: c_int,
        information: u64,
        output_len: Option<u32>,
    ) -> c_int {
        match self
            .requests
            .complete(handle, status, information, output_len)
        {
            Ok(CompleteOutcome::Done) => 0,
            Ok(CompleteOutcome::Handshake(driver)) => self.answer(driver, status),
            Err(error) => error.to_errno(),
        }
    }

    #[cold]
    fn answer(&self, driver: abi::d2d_handle, status: c_int) -> c_int {
        // If the driver itself has failed the handshake, the noted refusal is only the driver's own
        // status.
        match self.registry.peek(driver) {
            Some(entry) if status == 0 => entry.refusal,
            _ => 0,
        }
    }

    /// Ends a handshake whose request comes back to the owner's completion routine. Returns any
    /// other request. Any context.
    pub(crate) fn completed_handshake(&self, completed: Completed) -> Option<Completed> {
        let request = completed.handle();
        if !self.requests.is_handshake(request) {
            return Some(completed);
        }
        let result = completed.result();
        let (handle, handshake) = self.registry.by_request(request)?;
        match result.ended {
            abi::D2D_ENDED_COMPLETED | abi::D2D_ENDED_NOT_COMPLETED => {
                self.trace_completion(handshake, &fields![via: "routine"], result.status);
                let _ = self.conclude(handle, handshake, result);
            }
            _ => {
                let error = Error::from_errno(result.status);
                // A thread in `d2d_attach()` may still be inside the dispatch routine, which may
                // use the context. That thread then makes the context free.
                if !self.registry.note_refusal(handle, error) {
                    self.give_back(handle, handshake);
                }
            }
        }
        None
    }

    fn trace_completion(&self, handshake: Handshake, via: &[Field<'_>], status: c_int) {
        StepRecord::new(self.name, Step::D2D_STEP_COMPLETION)
            .with(via)
            .with(&fields![status: status, ctx: handshake.context])
            .emit();
    }

    /// Ends a handshake whose request was completed: opens the link, or makes the context free if
    /// the driver or the owner refuses. Any context.
    ///
    /// # Errors
    ///
    /// The errno of the refusal.
    fn conclude(
        &self,
        handle: abi::d2d_handle,
        handshake: Handshake,
        result: &abi::d2d_result,
    ) -> Result {
        let index = handshake.context;
        let opened = to_result(result.status)
            .and_then(|()| self.registry.get(handle))
            // SAFETY: The driver has completed the request with success. By the contract of `struct
            // d2d_context`, it has filled in the endpoint, and its operations may be called until
            // `d2d_detach` has returned. Detaching the driver closes the link.
            .and_then(|driver| unsafe { self.contexts.open(index, driver.module()) })
            .and_then(|()| self.registry.get(handle));
        let driver = match opened {
            Ok(driver) => driver,
            Err(error) => return Err(self.abort(handle, handshake, error)),
        };
        step!(self.name, attached, to: driver.name(), ctx: index);
        // No thread can detach the driver until the state changes. So the owner's `attached` runs
        // before its `detached`.
        self.contexts.attached(index);
        self.registry
            .transition(handle, State::Attaching(handshake), State::Attached(index));
        Ok(())
    }

    /// Ends a failed handshake, and returns `error`. Any context.
    fn abort(&self, handle: abi::d2d_handle, handshake: Handshake, error: Error) -> Error {
        self.registry.note_refusal(handle, error);
        self.give_back(handle, handshake);
        error
    }

    /// Makes the context of a failed handshake free, unless another thread has done so. The state
    /// may be `Abandoned` already. Any context.
    fn give_back(&self, handle: abi::d2d_handle, handshake: Handshake) {
        let clear = || self.clear_peer(handshake.context);
        self.registry.end_handshake(handle, handshake, clear);
    }

    /// Clears the peer's endpoint, while the context is still the peer's. Any context.
    pub(super) fn clear_peer(&self, index: usize) {
        let context = self.contexts.as_raw(index);
        // SAFETY: The context lives as long as `self.contexts`. This thread has set the driver's
        // state to `Detaching`, or the registry is locked and the driver's handshake has failed. So
        // no other driver has the context, and no other thread of the owner writes the peer's
        // endpoint. By the contract of `struct d2d_request`, the driver does not write it after it
        // has completed the request, or while it detaches or unregisters. A driver that is expelled,
        // or whose handshake was cancelled because the owner is unloaded, could still be writing it.
        // That does no harm: the owner reads the endpoint only by `peer_of`, which trusts no value.
        unsafe { (*context).peer = NO_ENDPOINT };
    }
}

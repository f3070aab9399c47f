// SPDX-License-Identifier: GPL-2.0

//! The handshake: how the owner shares a context with a driver.
//!
//! It is the exchange of the Windows original: look the driver up, build an internal device control
//! request whose user buffer is the context, send it to the driver's dispatch routine, learn of its
//! completion, and open the context to both. The request is one like any other, of the owner's own
//! driver object. The [registry](crate::registry) has the rest of its state: which
//! driver is attaching, to which context, and whether it was too late.

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
        Completion,
        Limit, //
    },
    server::{
        own_handle,
        Server, //
    },
    timeouts, //
};
use d2d::{
    abi,
    fields,
    header,
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
    sync::ArcBorrow,
    time::{
        Instant,
        Msecs, //
    }, //
};

impl Server {
    /// The handshake; see `d2d_attach`. May sleep.
    pub(crate) fn attach(this: ArcBorrow<'_, Self>, handle: abi::d2d_handle) -> Result {
        // Before the context is reserved: from then on the handshake has a request, which ends it.
        let request = this.requests.alloc(own_handle(), 0, 0)?;
        let reserved = this.registry.reserve(handle, request, this.contexts.len());
        let (driver, handshake) = match reserved {
            Ok(reserved) => reserved,
            Err(error) => {
                let _ = this.requests.free(request);
                return Err(error);
            }
        };
        let name = driver.name();
        step!(this.name, lookup, name: name);
        let result = Self::offer(this, handle, &driver, handshake);
        // Its request may have been taken, or completed late, while this thread was here: the dispatch
        // routine may have used the context until then.
        let known = this.registry.sent(handle);
        let is_refused = known.filter(|known| known.refusal != 0);
        if let Some(handshake) = is_refused.and_then(|known| known.state.handshake()) {
            this.give_back(handle, handshake);
        }
        result
    }

    /// Sends the request of a handshake, and learns of its completion. May sleep.
    fn offer(
        this: ArcBorrow<'_, Self>,
        handle: abi::d2d_handle,
        driver: &Driver,
        handshake: Handshake,
    ) -> Result {
        let send = this.build_request(handle, handshake.context);
        let context = handshake.context;
        step!(this.name, call_driver, to: driver.name(), code: send.code, ctx: context);
        match this.requests.send_handshake(handshake.request, &send) {
            Ok(is_completed) if this.config.learn == Learn::Routine => {
                if !is_completed {
                    timeouts::limit(this, handle, handshake);
                }
                // The driver may have completed it meanwhile.
                match this.registry.get(handle)? {
                    known if known.refusal != 0 => to_result(known.refusal),
                    known if known.state == State::Attaching(handshake) => Err(EINPROGRESS),
                    _ => Ok(()),
                }
            }
            Ok(is_completed) => this.learn(handle, handshake, is_completed),
            Err(error) => {
                let _ = this.requests.free(handshake.request);
                Err(this.abort(handle, handshake, error))
            }
        }
    }

    /// Waits for the completion of a handshake's request. May sleep.
    fn learn(&self, handle: abi::d2d_handle, handshake: Handshake, is_completed: bool) -> Result {
        let via = match self.config.learn {
            // As on Windows, a pended answer leaves no choice.
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
                // The driver keeps the request.
                self.time_out(handle, handshake);
                self.trace_completion(handshake, via, error.to_errno());
                Err(error)
            }
            // The owner leaves: it has taken the request and freed it before this thread was counted.
            Err(error) => Err(self.abort(handle, handshake, error)),
        }
    }

    /// Ends the handshakes whose time is over and that nobody waits for. Returns how many milliseconds
    /// it is until the time of the next one is over. Any context.
    pub(crate) fn end_overdue(&self) -> Option<Msecs> {
        loop {
            match self.registry.overdue(Instant::now()) {
                Overdue::Handshake(handle, handshake) => {
                    if self.requests.keep_overdue(handshake.request) {
                        self.time_out(handle, handshake);
                        self.trace_completion(
                            handshake,
                            &fields![via: "routine"],
                            ETIMEDOUT.to_errno(),
                        );
                    }
                }
                // It is less than the timeout, which is a number of milliseconds.
                Overdue::In(left) => {
                    return Some(Msecs::try_from(left.as_millis_ceil()).unwrap_or(Msecs::MAX));
                }
                Overdue::Nothing => return None,
            }
        }
    }

    /// Notes that the time of a handshake is over: the driver keeps its request, and the context. Any
    /// context.
    fn time_out(&self, handle: abi::d2d_handle, handshake: Handshake) {
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

    fn build_request(&self, handle: abi::d2d_handle, index: usize) -> abi::d2d_send {
        let code = abi::D2D_IOCTL_SHARE_CONTEXT;
        let context = self.contexts.as_raw(index);
        let send = abi::d2d_send {
            hdr: header::new::<abi::d2d_send>(abi::D2D_SEND_MAGIC),
            to: handle::target(handle),
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

    /// Completes a request; see `d2d_complete`.
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
            Ok(Completion::Done) => 0,
            Ok(Completion::Handshake(driver)) => self.answer(driver, status),
            Err(error) => error.to_errno(),
        }
    }

    /// Returns what a driver that has completed the request of a handshake is told.
    #[cold]
    fn answer(&self, driver: abi::d2d_handle, status: c_int) -> c_int {
        // The driver's own status is what it has completed the request with, not a refusal.
        match self.registry.peek(driver) {
            Some(known) if status == 0 => known.refusal,
            _ => 0,
        }
    }

    /// Receives the request of a handshake that the owner has sent, if it learns of completion by its
    /// routine, or if the time of the handshake was over before. Returns a request of another code. Any
    /// context.
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
                // The thread in `d2d_attach()` may be inside the dispatch routine, which may use the
                // context. Then that thread gives it back.
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

    /// Opens the context of a completed handshake to its driver. Any context.
    fn conclude(
        &self,
        handle: abi::d2d_handle,
        handshake: Handshake,
        result: &abi::d2d_result,
    ) -> Result {
        let index = handshake.context;
        let opened = to_result(result.status)
            .and_then(|()| self.registry.get(handle))
            // SAFETY: The driver has completed the request, so the endpoint is filled in; and it has
            // promised that its operations may be called until it has detached, which closes the link.
            .and_then(|driver| unsafe { self.contexts.open(index, driver.module()) })
            .and_then(|()| self.registry.get(handle));
        let driver = match opened {
            Ok(driver) => driver,
            Err(error) => return Err(self.abort(handle, handshake, error)),
        };
        step!(self.name, attached, to: driver.name(), ctx: index);
        // Before it can be detached, which waits for this.
        self.contexts.attached(index);
        self.registry
            .transition(handle, State::Attaching(handshake), State::Attached(index));
        Ok(())
    }

    /// Takes back the context of a handshake that has failed, and passes the error on.
    fn abort(&self, handle: abi::d2d_handle, handshake: Handshake, error: Error) -> Error {
        self.registry.note_refusal(handle, error);
        self.give_back(handle, handshake);
        error
    }

    /// Makes the context of a handshake that has failed free, unless another thread does so. The timer may
    /// meanwhile note that the handshake's time is over. Any context.
    fn give_back(&self, handle: abi::d2d_handle, handshake: Handshake) {
        if self.registry.end_handshake(handle, handshake) {
            let index = handshake.context;
            self.clear_peer(index);
            self.registry
                .transition(handle, State::Detaching(index), State::Registered);
        }
    }

    /// Forgets what a driver filled in.
    pub(super) fn clear_peer(&self, index: usize) {
        let context = self.contexts.as_raw(index);
        // SAFETY: No driver holds the context, so the peer's part of it is the owner's.
        unsafe {
            (*context).peer = abi::d2d_endpoint {
                ops: core::ptr::null(),
                self_: core::ptr::null_mut(),
            }
        };
    }
}

// SPDX-License-Identifier: GPL-2.0

//! Requests, as the driver that receives them sees them; [`packet`] is the sender's side.
//!
//! C type: `struct d2d_request`. A request is a value: completing, pending or forwarding it consumes
//! it, so it cannot be completed twice, and the disposition that a routine returns can only be had
//! that way. Both are tied to the call by their lifetime, so that neither outlives it or is taken
//! for that of another request. A request that was left pending is a value, too, [`Pended`], which
//! lives as long as the driver likes. The owner may take a request back at any time; completing it then
//! returns `ECANCELED`.

use crate::{
    abi,
    control_code::ControlCode,
    header,
    interface::Plain,
    left,
    packet::{
        self,
        Outcome,
        Sender,
        Sleep,
        Target, //
    },
    refuse,
    status::to_result,
};
use core::{
    ffi::{
        c_int,
        c_void, //
    },
    marker::PhantomData,
    mem::ManuallyDrop,
    ptr::{
        null,
        null_mut, //
    }, //
};
use kernel::prelude::*;

/// A lifetime that stands for one call of a driver: neither longer nor shorter ones will do.
type Call<'a> = PhantomData<fn(&'a ()) -> &'a ()>;

/// What became of a request: the return value of a routine that receives it.
#[must_use = "a routine returns what became of its request"]
pub struct Disposition<'a> {
    status: c_int,
    _call: Call<'a>,
}

impl Disposition<'_> {
    pub(crate) fn new(status: c_int) -> Self {
        Self {
            status,
            _call: PhantomData,
        }
    }

    pub(crate) fn pending() -> Self {
        Self::new(-(abi::D2D_STATUS_PENDING as c_int))
    }

    pub(crate) fn into_raw(self) -> c_int {
        self.status
    }
}

/// Names a request that a driver has, or had: only to be compared.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct RequestId(abi::d2d_handle);

impl RequestId {
    #[doc(hidden)]
    pub fn from_raw(handle: abi::d2d_handle) -> Self {
        Self(handle)
    }
}

/// What a driver knows of a request.
struct Raw {
    name: &'static CStr,
    handle: abi::d2d_handle,
    driver: abi::d2d_handle,
    code: u32,
    input_len: u32,
    output_len: u32,
}

impl Raw {
    /// Neither status can be that of something that is done.
    fn complete(&self, result: Result, information: u64) -> (c_int, Result) {
        let status = match result {
            Ok(()) => 0,
            Err(EIOCBQUEUED | EINPROGRESS) => EIO.to_errno(),
            Err(error) => error.to_errno(),
        };
        // SAFETY: A handle that is stale is refused.
        let answer = unsafe { abi::d2d_complete(self.handle, status, information) };
        (status, to_result(answer))
    }

    fn write<T: Plain>(&self, value: &T) -> Result {
        let bytes = value.as_bytes();
        // SAFETY: The buffer is as long as is said.
        to_result(unsafe {
            abi::d2d_request_write(self.handle, bytes.as_ptr().cast(), bytes.len() as u32)
        })
    }

    /// Completes the request, whose output is in place already.
    #[inline(always)]
    fn complete_in_place(&self, length: u32) -> c_int {
        // SAFETY: A handle that is stale is refused.
        unsafe { abi::d2d_complete_with(self.handle, 0, length.into(), length) };
        0
    }

    fn complete_with<T: Plain>(&self, value: &T) -> (c_int, Result) {
        match self.write(value) {
            Ok(()) => self.complete(Ok(()), size_of::<T>() as u64),
            Err(error) => (self.complete(Err(error), 0).0, Err(error)),
        }
    }
}

/// Where a request's buffers lie, if the driver may use them in place.
///
/// # Invariants
///
/// Both are null; or `input` is valid for reads of as many bytes as the request has, and `output` for reads
/// and writes of as many as it has room for, until the request is completed, forwarded or left pending,
/// or the routine returns; and nobody else uses them.
#[derive(Clone, Copy)]
struct InPlace {
    input: *const u8,
    output: *mut u8,
}

/// A request that the driver has received and not completed yet.
///
/// It has to be completed, left pending or forwarded before the driver can return.
pub struct Request<'a> {
    raw: Raw,
    place: InPlace,
    user_buffer: *mut c_void,
    _call: Call<'a>,
}

impl<'a> Request<'a> {
    /// Returns the control code.
    pub fn code(&self) -> u32 {
        self.raw.code
    }

    /// Returns the `user_buffer` of the request, a pointer from another driver. The control code says
    /// what it points to.
    pub(crate) fn user_buffer(&self) -> *mut c_void {
        self.user_buffer
    }

    /// Returns the name of the request, which it keeps as long as this driver has it.
    pub fn id(&self) -> RequestId {
        RequestId(self.raw.handle)
    }

    /// Returns the bytes of input, and for how many of output there is room.
    pub fn lengths(&self) -> (usize, usize) {
        (self.raw.input_len as usize, self.raw.output_len as usize)
    }

    /// Returns what requests are sent by in the name of the driver that has received this one.
    pub fn sender(&self) -> Sender {
        // SAFETY: It is the driver's own.
        unsafe { Sender::from_raw(self.raw.driver, self.raw.name) }
    }

    /// Runs `f` if this is the code of the request. Any context that `f` allows.
    ///
    /// A request with another size of input than the code's, or with less room for output, is refused
    /// with `EMSGSIZE`.
    pub fn on<I: Plain, O: Plain>(
        self,
        code: ControlCode<I, O>,
        f: impl FnOnce(I, Typed<'a, O>) -> Disposition<'a>,
    ) -> Routed<'a> {
        Routed::Open(self).on(code, f)
    }

    /// Completes the request. Any context.
    ///
    /// `EIOCBQUEUED` and `EINPROGRESS`, which would say that it is not completed, become `EIO`.
    /// `information` is what the request's code says it means, 0 if nothing.
    pub fn complete(self, result: Result, information: u64) -> Disposition<'a> {
        // It may have been taken back meanwhile. The caller cannot react, so the answer is ignored.
        Disposition::new(self.raw.complete(result, information).0)
    }

    /// Completes the request with an error. Any context.
    pub fn fail(self, error: Error) -> Disposition<'a> {
        self.complete(Err(error), 0)
    }

    #[cold]
    #[inline(never)]
    fn refuse_lengths(self) -> Disposition<'a> {
        let (input, output) = self.lengths();
        let error = refuse!(
            self.raw.name, "wrong-buffer-size", EMSGSIZE, code: self.raw.code, input: input,
            output: output
        );
        self.fail(error)
    }

    /// Completes the request with what a lower driver has. Any context.
    pub fn complete_as(self, outcome: Outcome) -> Disposition<'a> {
        self.complete(outcome.result, outcome.information)
    }

    /// Leaves the request pending. The second value completes it later, in any context. Any context; calls
    /// no routine of a driver.
    pub fn pend(self) -> (Disposition<'a>, Pended<()>) {
        (Disposition::pending(), Pended::new(self.give_up()))
    }

    /// Leaves the request pending, to be received again by [`Kept::into_request`].
    pub(crate) fn keep(self) -> Kept {
        let user_buffer = self.user_buffer;
        Kept {
            raw: self.give_up(),
            user_buffer,
        }
    }

    /// As [`Request::complete`]. Returns what the owner has answered, too.
    pub(crate) fn finish(self, result: Result, information: u64) -> (Disposition<'a>, Result) {
        let (status, answer) = self.raw.complete(result, information);
        (Disposition::new(status), result.and(answer))
    }

    /// Ends the use of the buffers in place.
    fn give_up(self) -> Raw {
        if !self.place.input.is_null() {
            // SAFETY: A handle that is stale is refused.
            unsafe { abi::d2d_request_pend(self.raw.handle) };
        }
        self.raw
    }

    /// Passes the request on to another driver, which sees the code `code`. With `returns`,
    /// [`Driver::returned`](crate::driver::Driver::returned) gets it back when that one has completed
    /// it; otherwise it goes back up at once. The context is what `sleep` says. Do not wait for it in
    /// [`Driver::dispatch`](crate::driver::Driver::dispatch): the wait would wait for itself.
    ///
    /// # Errors
    ///
    /// Those of `d2d_request_forward` in `d2d.h`, and the request.
    pub fn forward(
        self,
        to: &Target,
        code: u32,
        returns: bool,
        sleep: Sleep,
    ) -> Result<Disposition<'a>, (Error, Self)> {
        let returns = match returns {
            true => abi::D2D_SEND_ROUTINE,
            false => 0,
        };
        let send = to.send(code, returns | sleep.flag());
        // SAFETY: The structure has no buffers.
        match to_result(unsafe { abi::d2d_request_forward(self.raw.handle, &send) }) {
            Ok(()) | Err(EINPROGRESS) => Ok(Disposition::pending()),
            Err(error) => Err((error, self)),
        }
    }
}

/// A request that the driver has left pending, with what only its own library uses.
pub(crate) struct Kept {
    raw: Raw,
    user_buffer: *mut c_void,
}

// SAFETY: `Kept` does not follow the pointer, and `Raw` has only numbers and a static string.
unsafe impl Send for Kept {}

impl Kept {
    /// Begins another call with the request.
    pub(crate) fn into_request<'a>(self) -> Request<'a> {
        Request {
            raw: self.raw,
            // INVARIANT: Both are null.
            place: InPlace {
                input: null(),
                output: null_mut(),
            },
            user_buffer: self.user_buffer,
            _call: PhantomData,
        }
    }
}

/// What became of a request that is looked at by code: see [`Request::on`].
#[must_use = "a routine returns what became of its request"]
pub enum Routed<'a> {
    /// None of the codes so far.
    Open(Request<'a>),
    /// It was the code of a routine.
    Done(Disposition<'a>),
}

impl<'a> Routed<'a> {
    /// As [`Request::on`], unless the request is done with.
    pub fn on<I: Plain, O: Plain>(
        self,
        code: ControlCode<I, O>,
        f: impl FnOnce(I, Typed<'a, O>) -> Disposition<'a>,
    ) -> Self {
        let Self::Open(request) = self else {
            return self;
        };
        if request.code() != code.raw() {
            return Self::Open(request);
        }
        let (input, output) = request.lengths();
        if input != size_of::<I>() || output < size_of::<O>() {
            return Self::Done(request.refuse_lengths());
        }
        if !request.place.input.is_null() {
            // SAFETY: By the type invariants there are as many bytes as an `I` has, and any bytes are one.
            let value = unsafe { request.place.input.cast::<I>().read_unaligned() };
            let request = Typed {
                request,
                _output: PhantomData,
            };
            return Self::Done(f(value, request));
        }
        Self::Done(
            match packet::read::<I>(request.raw.handle, request.raw.input_len) {
                Ok(value) => f(
                    value,
                    Typed {
                        request,
                        _output: PhantomData,
                    },
                ),
                Err(error) => request.fail(error),
            },
        )
    }

    /// Completes a request of another code with `ENOTTY`.
    #[inline]
    pub fn or_unknown(self) -> Disposition<'a> {
        match self {
            Self::Open(request) => request.fail(ENOTTY),
            Self::Done(disposition) => disposition,
        }
    }
}

/// A request whose output is an `O`.
pub struct Typed<'a, O: Plain> {
    request: Request<'a>,
    _output: PhantomData<fn(O)>,
}

impl<'a, O: Plain> Typed<'a, O> {
    /// Returns the name of the driver that has received it.
    pub fn name(&self) -> &'static CStr {
        self.request.raw.name
    }

    /// Returns the request, whose output may be anything.
    pub fn into_request(self) -> Request<'a> {
        self.request
    }

    /// Completes the request with an output, whose size is the information. Any context.
    pub fn complete(self, output: &O) -> Disposition<'a> {
        let Request { raw, place, .. } = &self.request;
        if place.output.is_null() {
            return Disposition::new(raw.complete_with(output).0);
        }
        let bytes = output.as_bytes();
        // SAFETY: By the type invariants there is room for as many bytes as an `O` has, and nobody else
        // uses it.
        unsafe {
            place
                .output
                .copy_from_nonoverlapping(bytes.as_ptr(), bytes.len())
        };
        Disposition::new(raw.complete_in_place(bytes.len() as u32))
    }

    /// Completes the request with an error. Any context.
    pub fn fail(self, error: Error) -> Disposition<'a> {
        self.request.fail(error)
    }

    /// As [`Request::pend`].
    pub fn pend(self) -> (Disposition<'a>, Pended<O>) {
        (Disposition::pending(), Pended::new(self.request.give_up()))
    }
}

/// A request that the driver has left pending. Any context.
///
/// One that is dropped is completed with `EIO`.
pub struct Pended<O: Plain> {
    raw: Raw,
    _output: PhantomData<fn(O)>,
}

impl<O: Plain> Pended<O> {
    fn new(raw: Raw) -> Self {
        Self {
            raw,
            _output: PhantomData,
        }
    }

    /// Returns the name of the request.
    pub fn id(&self) -> RequestId {
        RequestId(self.raw.handle)
    }

    /// Has [`Driver::cancelled`](crate::driver::Driver::cancelled) called if the request is taken
    /// back. Calls no routine of a driver itself.
    ///
    /// # Errors
    ///
    /// `ECANCELED` if it was taken back already: nobody is told any more.
    pub fn tell_if_cancelled(&self) -> Result {
        // SAFETY: A handle that is stale is refused.
        to_result(unsafe { abi::d2d_request_set_cancel(self.raw.handle) })
    }

    /// Completes the request with an output, whose size is the information.
    ///
    /// # Errors
    ///
    /// `ECANCELED` if it was taken back before, `EMSGSIZE` if the sender has left too little room.
    pub fn complete(self, output: &O) -> Result {
        ManuallyDrop::new(self).raw.complete_with(output).1
    }

    /// Completes the request with what a lower driver has, whose output it keeps.
    ///
    /// # Errors
    ///
    /// `ECANCELED` if it was taken back before.
    pub fn complete_as(self, outcome: Outcome) -> Result {
        let raw = &ManuallyDrop::new(self).raw;
        raw.complete(outcome.result, outcome.information).1
    }

    /// Completes the request with an error.
    ///
    /// # Errors
    ///
    /// `ECANCELED` if it was taken back before.
    pub fn fail(self, error: Error) -> Result {
        ManuallyDrop::new(self).raw.complete(Err(error), 0).1
    }
}

impl<O: Plain> Drop for Pended<O> {
    fn drop(&mut self) {
        // The requests of a driver that has left were taken back.
        if left::is_noted() {
            return;
        }
        let (_, answer) = self.raw.complete(Err(EIO), 0);
        // Unless it was taken back, of which this is the natural end.
        if answer.is_ok() {
            let code = self.raw.code;
            refuse!(self.raw.name, "request-dropped", EIO, code: code);
        }
    }
}

/// Hands what a C routine got to the safe one.
///
/// # Safety
///
/// `request` is valid for reads during the call, and is a request of the caller's.
#[doc(hidden)]
pub unsafe fn receive(
    name: &'static CStr,
    request: *const abi::d2d_request,
    f: impl for<'a> FnOnce(Request<'a>) -> Disposition<'a>,
) -> c_int {
    // SAFETY: `request` is valid for reads during the call, and `f` cannot keep the reference for
    // longer.
    let request = unsafe { &*request };
    if let Err(error) =
        header::check::<abi::d2d_request>(name, "request", &request.hdr, abi::D2D_REQUEST_MAGIC)
    {
        return error.to_errno();
    }
    f(Request {
        raw: Raw {
            name,
            handle: request.handle,
            driver: request.driver,
            code: request.code,
            input_len: request.input_len,
            output_len: request.output_len,
        },
        user_buffer: request.user_buffer,
        // INVARIANT: `struct d2d_request` says so.
        place: InPlace {
            input: request.input.cast(),
            output: request.output.cast(),
        },
        _call: PhantomData,
    })
    .into_raw()
}

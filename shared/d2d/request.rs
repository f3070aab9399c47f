// SPDX-License-Identifier: GPL-2.0

//! The receiver's side of requests; [`packet`] is the sender's side. C type: `struct d2d_request`.
//!
//! Completing, pending or forwarding a request consumes it, so a driver cannot complete it twice. Only these calls
//! make the [`Disposition`] that a routine has to return. A request and its disposition have the lifetime of the call
//! of the routine. A request that was left pending becomes a [`Pended`], which a driver can keep for any time. A
//! request may be cancelled at any time; completing it then returns `ECANCELED`.

use crate::{
    abi,
    control_code::ControlCode,
    header,
    interface::Plain,
    leaving,
    lent::{
        self,
        Memory, //
    },
    packet::{
        self,
        Outcome,
        Sender,
        Sleep,
        Target, //
    },
    refuse,
    safe_calls,
    status::to_result, //
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

/// Ties a value to one call of a routine: the type is invariant in `'a`, the lifetime of the call.
type Call<'a> = PhantomData<fn(&'a ()) -> &'a ()>;

/// What a routine has done with a request.
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

/// Identifies a request that a driver has, or had. It can only be compared.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct RequestId(abi::d2d_handle);

impl RequestId {
    #[doc(hidden)]
    pub fn from_raw(handle: abi::d2d_handle) -> Self {
        Self(handle)
    }
}

/// What a receiver needs of a request, pending or not.
struct Raw {
    name: &'static CStr,
    handle: abi::d2d_handle,
    driver: abi::d2d_handle,
    code: u32,
    input_len: u32,
    output_len: u32,
}

impl Raw {
    /// Completes the request. Returns the status that it passes to `d2d_complete()`, and the answer of that function.
    fn complete(&self, result: Result, information: u64) -> (c_int, Result) {
        let status = match result {
            Ok(()) => 0,
            Err(EIOCBQUEUED | EINPROGRESS) => EIO.to_errno(),
            Err(error) => error.to_errno(),
        };
        // SAFETY: The owner refuses a stale handle. All callers consume the request, so nothing uses its buffers in
        // place after this.
        let answer = unsafe { abi::d2d_complete(self.handle, status, information) };
        (status, to_result(answer))
    }

    fn write<T: Plain>(&self, value: &T) -> Result {
        to_result(safe_calls::d2d_request_write(self.handle, value.as_bytes()))
    }

    /// Completes the request, whose `length` bytes of output are in place already.
    #[inline(always)]
    fn complete_in_place(&self, length: u32) -> c_int {
        // SAFETY: As in `complete`.
        unsafe { abi::d2d_complete_with(self.handle, 0, length.into(), length) };
        0
    }

    fn complete_by_copy<T: Plain>(&self, value: &T) -> (c_int, Result) {
        match self.write(value) {
            Ok(()) => self.complete(Ok(()), size_of::<T>() as u64),
            Err(error) => (self.complete(Err(error), 0).0, Err(error)),
        }
    }
}

/// The buffers of a request, for use in place.
///
/// # Invariants
///
/// Either both pointers are null; or, until the request is completed, forwarded or left pending, or
/// the routine returns,
///
/// - `input` is valid for reads of `input_len` bytes,
/// - `output` is valid for reads and writes of `output_len` bytes, and
/// - nobody else uses this memory.
#[derive(Clone, Copy)]
struct InPlace {
    input: *const u8,
    output: *mut u8,
}

/// A request that the driver has received, and has to complete, pend or forward.
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

    pub(crate) fn user_buffer(&self) -> *mut c_void {
        self.user_buffer
    }

    /// Returns the identity of the request, which stays the same while this driver has the request.
    pub fn id(&self) -> RequestId {
        RequestId(self.raw.handle)
    }

    /// Returns the length of the input, and the room for output, in bytes.
    pub fn lengths(&self) -> (usize, usize) {
        (self.raw.input_len as usize, self.raw.output_len as usize)
    }

    /// Returns the receiving driver as a sender of requests.
    pub fn sender(&self) -> Sender {
        Sender::new(self.raw.driver, self.raw.name)
    }

    /// Runs `f` with the input if the request has this code. Any context in which `f` may run.
    ///
    /// If the input does not have the size of an `I`, or the output has no room for an `O`, completes the request with
    /// `EMSGSIZE` instead.
    pub fn on<I: Plain, O: Plain>(
        self,
        code: ControlCode<I, O>,
        f: impl FnOnce(I, Typed<'a, O>) -> Disposition<'a>,
    ) -> Routed<'a> {
        Routed::Open(self).on(code, f)
    }

    /// Completes the request. `EIOCBQUEUED` and `EINPROGRESS` become `EIO`, because they say that a request is not
    /// completed. The meaning of `information` depends on the control code; pass 0 if it has none. Any context.
    pub fn complete(self, result: Result, information: u64) -> Disposition<'a> {
        // Ignore the answer: if the request was cancelled meanwhile, the caller can do nothing about it.
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

    /// Completes the request with the result of the driver to which it was forwarded. Any context.
    pub fn complete_as(self, outcome: Outcome) -> Disposition<'a> {
        self.complete(outcome.result, outcome.information)
    }

    /// Leaves the request pending; the [`Pended`] completes it later. Any context; calls no routine of a driver.
    pub fn pend(self) -> (Disposition<'a>, Pended<()>) {
        (Disposition::pending(), Pended::new(self.give_up()))
    }

    pub(crate) fn keep(self) -> Kept {
        let user_buffer = self.user_buffer;
        Kept {
            raw: self.give_up(),
            user_buffer,
        }
    }

    /// As [`Request::complete`]. Also returns `result`, or if that is success, the owner's answer.
    pub(crate) fn finish(self, result: Result, information: u64) -> (Disposition<'a>, Result) {
        let (status, answer) = self.raw.complete(result, information);
        (Disposition::new(status), result.and(answer))
    }

    /// Ends the use of the buffers in place.
    fn give_up(self) -> Raw {
        if !self.place.input.is_null() {
            // SAFETY: The owner refuses a stale handle. This consumes the request, so nothing uses its buffers in
            // place after this.
            unsafe { abi::d2d_request_pend(self.raw.handle) };
        }
        self.raw
    }

    /// Forwards the request to another driver, with the code `code`. If `wants_back` is set, this driver gets the
    /// request back in [`Driver::returned`](crate::driver::Driver::returned) when it was completed or cancelled, or
    /// the other driver has left. `sleep` says whether the caller may sleep. Do not wait in
    /// [`Driver::dispatch`](crate::driver::Driver::dispatch) for the other driver: it may be able to complete the
    /// request only after `dispatch` has returned.
    ///
    /// # Errors
    ///
    /// Those of `d2d_request_forward` in `d2d.h`. The driver then still has the request.
    pub fn forward(
        self,
        to: &Target,
        code: u32,
        wants_back: bool,
        sleep: Sleep,
    ) -> Result<Disposition<'a>, (Error, Self)> {
        let wants_back = match wants_back {
            true => abi::D2D_SEND_ROUTINE,
            false => 0,
        };
        let send = to.describe_send(code, wants_back | sleep.flag());
        // SAFETY: The owner refuses a stale handle, and `send` names no buffers. If the owner forwards the request,
        // this function consumes `self`, so nothing uses the buffers in place any more.
        match to_result(unsafe { abi::d2d_request_forward(self.raw.handle, &send) }) {
            Ok(()) | Err(EINPROGRESS) => Ok(Disposition::pending()),
            Err(error) => Err((error, self)),
        }
    }
}

/// A request that the library has left pending for a driver.
pub(crate) struct Kept {
    raw: Raw,
    user_buffer: *mut c_void,
}

// SAFETY: `Kept` does not follow the pointer, and `Raw` has only numbers and a static string.
unsafe impl Send for Kept {}

impl Kept {
    pub(crate) fn into_request<'a>(self) -> Request<'a> {
        Request {
            raw: self.raw,
            // INVARIANT: Both pointers are null.
            place: InPlace {
                input: null(),
                output: null_mut(),
            },
            user_buffer: self.user_buffer,
            _call: PhantomData,
        }
    }
}

/// A request that [`on`](Self::on) compares with one code after the other.
#[must_use = "a routine returns what became of its request"]
pub enum Routed<'a> {
    /// The request had none of the codes so far.
    Open(Request<'a>),
    /// The request had one of the codes, and its closure has run.
    Done(Disposition<'a>),
}

impl<'a> Routed<'a> {
    /// As [`Request::on`]. Does nothing if the request had one of the earlier codes.
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
            // SAFETY: By the invariants of `InPlace`, `input` is valid for `input_len` bytes, as many as an `I` has.
            // Any bytes are an `I`.
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

    /// Completes the request with `ENOTTY` if it had none of the codes.
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
    /// Returns the name of the receiver.
    pub fn name(&self) -> &'static CStr {
        self.request.raw.name
    }

    /// Returns which of `values` the sender's `user_buffer` points to. `values` are all values that the sender lends
    /// ([`PeerCall::lent_slice`](crate::link::PeerCall::lent_slice),
    /// [`PeerLink::lent_slice`](crate::link::PeerLink::lent_slice)). A driver that pends the request keeps the
    /// index, and finds the value by it later, if the sender has not left. Any context.
    ///
    /// # Errors
    ///
    /// Each prints a line: `ENODATA` if the request has no `user_buffer`, `EFAULT` if it does not point to the
    /// beginning of one of the values.
    pub fn index_of_buffer<T: Memory>(&self, values: &[T]) -> Result<usize> {
        let Request {
            raw, user_buffer, ..
        } = &self.request;
        if user_buffer.is_null() {
            return Err(refuse!(raw.name, "no-user-buffer", ENODATA, code: raw.code));
        }
        lent::index_of(values, user_buffer.addr())
            .ok_or_else(|| refuse!(raw.name, "user-buffer-not-lent", EFAULT, code: raw.code))
    }

    /// Returns the request without the type of its output.
    pub fn into_request(self) -> Request<'a> {
        self.request
    }

    /// Completes the request with an output. Its `information` is the size of the output. Any context.
    pub fn complete(self, output: &O) -> Disposition<'a> {
        let Request { raw, place, .. } = &self.request;
        if place.output.is_null() {
            return Disposition::new(raw.complete_by_copy(output).0);
        }
        let bytes = output.as_bytes();
        // SAFETY: By the invariants of `InPlace`, `output` is valid for `output_len` bytes, which nobody else uses.
        // `Routed::on` has checked that an `O` is not longer.
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

/// A request that the driver has left pending, for use in any context. Dropping it completes the request with `EIO`.
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

    /// Returns the identity of the request.
    pub fn id(&self) -> RequestId {
        RequestId(self.raw.handle)
    }

    /// Makes the owner call [`Driver::cancelled`](crate::driver::Driver::cancelled) if the request is cancelled from
    /// now on. Calls no routine of a driver itself.
    ///
    /// # Errors
    ///
    /// `ECANCELED` if the request is cancelled already; the routine is not called then.
    pub fn tell_if_cancelled(&self) -> Result {
        to_result(safe_calls::d2d_request_set_cancel(self.raw.handle))
    }

    /// Completes the request with an output. Its `information` is the size of the output.
    ///
    /// # Errors
    ///
    /// `ECANCELED` if the request was cancelled before. `EMSGSIZE` if the output has no room for an `O`; the request
    /// is then completed with `EMSGSIZE`.
    pub fn complete(self, output: &O) -> Result {
        ManuallyDrop::new(self).raw.complete_by_copy(output).1
    }

    /// As [`Request::complete_as`]. The output stays as the other driver has left it.
    ///
    /// # Errors
    ///
    /// `ECANCELED` if the request was cancelled before.
    pub fn complete_as(self, outcome: Outcome) -> Result {
        let raw = &ManuallyDrop::new(self).raw;
        raw.complete(outcome.result, outcome.information).1
    }

    /// Completes the request with an error.
    ///
    /// # Errors
    ///
    /// `ECANCELED` if the request was cancelled before.
    pub fn fail(self, error: Error) -> Result {
        ManuallyDrop::new(self).raw.complete(Err(error), 0).1
    }
}

impl<O: Plain> Drop for Pended<O> {
    fn drop(&mut self) {
        // When a driver leaves, the owner cancels its requests.
        if leaving::has_begun() {
            return;
        }
        let (_, answer) = self.raw.complete(Err(EIO), 0);
        // If the request was cancelled, dropping it is no mistake.
        if answer.is_ok() {
            let code = self.raw.code;
            refuse!(self.raw.name, "request-dropped", EIO, code: code);
        }
    }
}

/// Calls `f` with the request that the owner has passed to a routine. Returns what the routine has to return.
///
/// # Safety
///
/// `request` is valid for reads during the call, and is a request that the driver has received.
#[doc(hidden)]
pub unsafe fn receive(
    name: &'static CStr,
    request: *const abi::d2d_request,
    f: impl for<'a> FnOnce(Request<'a>) -> Disposition<'a>,
) -> c_int {
    // SAFETY: `request` is valid for reads during the call, and `f` does not get the reference.
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
        // INVARIANT: The contract of `struct d2d_request` promises the invariants.
        place: InPlace {
            input: request.input.cast(),
            output: request.output.cast(),
        },
        _call: PhantomData,
    })
    .into_raw()
}

// SPDX-License-Identifier: GPL-2.0

//! Requests, as the driver that sends them sees them; [`request`](crate::request) is the receiver's
//! side.
//!
//! A [`Packet`] is a request with its buffers, made ahead and used again. Sending consumes it; it
//! comes back with the result, by whichever way the sender likes: as the result of [`Sent::wait`], or
//! as the argument of [`Driver::completed`](crate::driver::Driver::completed), which drops it or
//! keeps it, as a completion routine that returns `STATUS_MORE_PROCESSING_REQUIRED` does. What the
//! sender holds meanwhile is a name, so that nothing that it does reaches a request that is with
//! somebody else.

use crate::{
    abi,
    control_code::ControlCode,
    header,
    interface::Plain,
    left,
    status::to_result,
    trace::said_by_owner, //
};
use core::marker::PhantomData;
use kernel::{
    prelude::*,
    time::Msecs, //
};

/// A driver as the sender of requests.
#[derive(Clone, Copy)]
pub struct Sender {
    driver: abi::d2d_handle,
    name: &'static CStr,
}

impl Sender {
    /// # Safety
    ///
    /// `driver` is the handle of the caller's own driver object, called `name`, and was made by this
    /// library.
    #[doc(hidden)]
    pub unsafe fn from_raw(driver: abi::d2d_handle, name: &'static CStr) -> Self {
        Self { driver, name }
    }

    /// Returns the name of the driver that sends.
    pub fn name(&self) -> &'static CStr {
        self.name
    }

    /// Finds a driver by name. Any context.
    ///
    /// # Errors
    ///
    /// `ENOENT`.
    pub fn lookup(&self, name: &CStr) -> Result<Target> {
        let mut handle = 0;
        // SAFETY: The name is NUL-terminated, and there is a place for the handle.
        to_result(unsafe { abi::d2d_lookup(name.as_char_ptr(), &mut handle) })?;
        Ok(Target(handle))
    }

    /// Makes a request with room for so many bytes of input and output. May sleep.
    ///
    /// # Errors
    ///
    /// Those of `d2d_request_alloc` in `d2d.h`.
    pub fn packet(&self, input: usize, output: usize) -> Result<Packet> {
        let (input, output) = (u32::try_from(input)?, u32::try_from(output)?);
        let mut handle = 0;
        // SAFETY: The driver is the caller's, as `from_raw` was told. `handle` is valid for a
        // write.
        let result = unsafe { abi::d2d_request_alloc(self.driver, input, output, &mut handle) };
        said_by_owner(to_result(result))?;
        Ok(Packet { handle, flags: 0 })
    }

    /// Makes a request for this code. May sleep.
    ///
    /// # Errors
    ///
    /// As [`Sender::packet`].
    pub fn packet_for<I: Plain, O: Plain>(&self, _code: ControlCode<I, O>) -> Result<Packet> {
        self.packet(size_of::<I>(), size_of::<O>())
    }
}

/// A driver that requests are sent to. It may have left since it was found.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Target(abi::d2d_handle);

impl Target {
    /// # Safety
    ///
    /// `handle` is what `d2d_lookup` returns for a driver.
    #[doc(hidden)]
    pub unsafe fn from_raw(handle: abi::d2d_handle) -> Self {
        Self(handle)
    }

    /// How to send something without buffers.
    pub(crate) fn send(&self, code: u32, flags: u32) -> abi::d2d_send {
        abi::d2d_send {
            hdr: header::new::<abi::d2d_send>(abi::D2D_SEND_MAGIC),
            to: self.0,
            major_function: abi::D2D_MJ_INTERNAL_DEVICE_CONTROL,
            code,
            input: core::ptr::null(),
            user_buffer: core::ptr::null_mut(),
            tag: 0,
            input_len: 0,
            output_len: 0,
            flags,
            reserved: 0,
        }
    }
}

/// Whether the caller may sleep.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Sleep {
    /// Process context: the receiver is called at once, and may sleep, too. `EDEADLK` where the
    /// caller must not sleep, as far as the kernel knows it.
    May,
    /// Any context: the receiver is called at once if it never sleeps, and from a worker otherwise.
    Cannot,
}

impl Sleep {
    pub(crate) fn flag(self) -> u32 {
        match self {
            Self::May => 0,
            Self::Cannot => abi::D2D_SEND_ATOMIC,
        }
    }
}

/// A request of the driver's own that is not on its way. Dropping it frees it, in any context.
pub struct Packet {
    handle: abi::d2d_handle,
    flags: u32,
}

/// Why a request was not sent, and the request.
pub struct Refused {
    /// One of those of `d2d_request_send` in `d2d.h`.
    pub error: Error,
    /// The request.
    pub packet: Packet,
}

/// Why [`Packet::call`] has no output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallError {
    /// The request was not sent, for one of the reasons of `d2d_request_send` in `d2d.h`.
    NotSent(Error),
    /// The request was sent, and has no result yet, for one of the reasons of `d2d_request_wait` in
    /// `d2d.h`. Dropping the packet cancels it.
    NotWaited(Error),
    /// It has ended, with this error.
    Ended(Ended, Error),
    /// It was completed with success, but its output cannot be read: `EMSGSIZE` for one of another
    /// size.
    NoOutput(Error),
}

impl From<CallError> for Error {
    /// Returns the error, whose origin is lost.
    fn from(error: CallError) -> Self {
        match error {
            CallError::NotSent(error)
            | CallError::NotWaited(error)
            | CallError::Ended(_, error)
            | CallError::NoOutput(error) => error,
        }
    }
}

/// How a request has ended: whose result it has. C type: `enum d2d_ended`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// A driver that had it has completed it, with any result.
    Completed,
    /// Its sender has cancelled or freed it, detaches or unregisters: `ECANCELED`.
    Cancelled,
    /// The time of a thread that waited for it is over: `ETIMEDOUT`.
    TimedOut,
    /// A driver that had it, or had forwarded it, detaches or unregisters: `ECANCELED`.
    Left,
    /// A dispatch routine has returned without having completed it: `EIO`.
    NotCompleted,
}

impl Ended {
    fn new(raw: abi::d2d_ended) -> Self {
        match raw {
            abi::D2D_ENDED_CANCELLED => Self::Cancelled,
            abi::D2D_ENDED_TIMED_OUT => Self::TimedOut,
            abi::D2D_ENDED_LEFT => Self::Left,
            abi::D2D_ENDED_NOT_COMPLETED => Self::NotCompleted,
            _ => Self::Completed,
        }
    }
}

/// What came of a request so far.
#[derive(Clone, Copy)]
pub struct Outcome {
    /// Success, or an error.
    pub result: Result,
    /// How the request has ended, and so whose result that is.
    pub ended: Ended,
    /// What the request's code says that it means.
    pub information: u64,
}

impl Outcome {
    #[doc(hidden)]
    #[inline]
    pub fn new(result: &abi::d2d_result) -> Self {
        Self {
            result: to_result(result.status),
            ended: Ended::new(result.ended),
            information: result.information,
        }
    }
}

const NO_RESULT: abi::d2d_result = abi::d2d_result {
    information: 0,
    tag: 0,
    status: 0,
    output_len: 0,
    ended: abi::D2D_ENDED_COMPLETED,
    reserved: 0,
};

impl Packet {
    /// Returns a number that no other request has as long as this one is there.
    pub fn id(&self) -> u64 {
        self.handle
    }

    /// Makes the request, from the next time that it is sent, print the line of each step.
    pub fn traced(mut self) -> Self {
        self.flags |= abi::D2D_SEND_TRACE;
        self
    }

    /// How to send the request.
    #[inline(always)]
    fn describe<I: Plain, O: Plain>(
        &self,
        to: &Target,
        code: ControlCode<I, O>,
        input: &I,
        sleep: Sleep,
        routine: Option<u64>,
    ) -> abi::d2d_send {
        let with_routine = match routine {
            Some(_) => abi::D2D_SEND_ROUTINE,
            None => 0,
        };
        abi::d2d_send {
            input: input.as_bytes().as_ptr().cast(),
            input_len: size_of::<I>() as u32,
            output_len: size_of::<O>() as u32,
            tag: routine.unwrap_or(0),
            ..to.send(code.raw(), self.flags | sleep.flag() | with_routine)
        }
    }

    fn send_raw<I: Plain, O: Plain>(
        &self,
        to: &Target,
        code: ControlCode<I, O>,
        input: &I,
        sleep: Sleep,
        routine: Option<u64>,
    ) -> Result<bool> {
        let send = self.describe(to, code, input, sleep, routine);
        // SAFETY: The input is as long as is said, and copied by the call.
        match to_result(unsafe { abi::d2d_request_send(self.handle, &send) }) {
            Ok(()) => Ok(true),
            Err(EINPROGRESS) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Sends the request. The context is what `sleep` says.
    ///
    /// # Errors
    ///
    /// It was not sent.
    pub fn send<I: Plain, O: Plain>(
        self,
        to: &Target,
        code: ControlCode<I, O>,
        input: &I,
        sleep: Sleep,
    ) -> Result<Sent<O>, Refused> {
        match self.send_raw(to, code, input, sleep, None) {
            Ok(completed) => Ok(Sent {
                packet: self,
                completed,
                _output: PhantomData,
            }),
            Err(error) => Err(Refused {
                error,
                packet: self,
            }),
        }
    }

    /// Sends the request; [`Driver::completed`](crate::driver::Driver::completed) gets it with its
    /// result and `tag`, maybe before this returns. The context is what `sleep` says.
    ///
    /// # Errors
    ///
    /// It was not sent.
    pub fn send_with_routine<I: Plain, O: Plain>(
        self,
        to: &Target,
        code: ControlCode<I, O>,
        input: &I,
        sleep: Sleep,
        tag: u64,
    ) -> Result<Cancel, Refused> {
        match self.send_raw(to, code, input, sleep, Some(tag)) {
            Ok(_) => {
                let cancel = Cancel(self.handle);
                // The completion routine gets, or has got, the request.
                core::mem::forget(self);
                Ok(cancel)
            }
            Err(error) => Err(Refused {
                error,
                packet: self,
            }),
        }
    }

    /// Sends the request, and waits for the result; for ever without a `timeout`, or with one of 2^31 ms
    /// or more. May sleep.
    ///
    /// # Errors
    ///
    /// Each kind of [`CallError`] says what it stands for.
    pub fn call<I: Plain, O: Plain>(
        &mut self,
        to: &Target,
        code: ControlCode<I, O>,
        input: &I,
        timeout: Option<Msecs>,
    ) -> Result<O, CallError> {
        let send = self.describe(to, code, input, Sleep::May, None);
        let mut result = NO_RESULT;
        let mut output = O::new_zeroed();
        let bytes = output.as_mut_bytes();
        // SAFETY: The input is as long as is said, and copied by the call. There is a place for the
        // result, and one for as much output as is said.
        let status = unsafe {
            abi::d2d_request_call(
                self.handle,
                &send,
                timeout.unwrap_or(abi::D2D_FOREVER),
                &mut result,
                bytes.as_mut_ptr().cast(),
                size_of::<O>() as u32,
            )
        };
        to_result(status).map_err(|error| match error {
            EINPROGRESS => CallError::NotWaited(error),
            error => CallError::NotSent(error),
        })?;
        let Outcome {
            result: status,
            ended,
            ..
        } = Outcome::new(&result);
        status.map_err(|error| CallError::Ended(ended, error))?;
        match result.output_len as usize == size_of::<O>() {
            true => Ok(output),
            false => Err(CallError::NoOutput(EMSGSIZE)),
        }
    }

    fn wait_raw(&self, timeout: Option<Msecs>) -> Result<abi::d2d_result> {
        let mut result = NO_RESULT;
        // SAFETY: There is a place for the result.
        to_result(unsafe {
            abi::d2d_request_wait(
                self.handle,
                timeout.unwrap_or(abi::D2D_FOREVER),
                &mut result,
            )
        })?;
        Ok(result)
    }
}

/// Reads the input or the output of a request, of which there are `len` bytes. Any context.
///
/// # Errors
///
/// `EMSGSIZE` if a `T` has another size; those of `d2d_request_read` in `d2d.h`.
pub(crate) fn read<T: Plain>(request: abi::d2d_handle, len: u32) -> Result<T> {
    let mut value = T::new_zeroed();
    let bytes = value.as_mut_bytes();
    if bytes.len() != len as usize {
        return Err(EMSGSIZE);
    }
    if !bytes.is_empty() {
        // SAFETY: The buffer is as long as is said.
        to_result(unsafe { abi::d2d_request_read(request, bytes.as_mut_ptr().cast(), len) })?;
    }
    Ok(value)
}

impl Drop for Packet {
    fn drop(&mut self) {
        if !left::is_noted() {
            // SAFETY: A handle that is stale is refused.
            unsafe { abi::d2d_request_free(self.handle) };
        }
    }
}

/// A request that was sent, and that the sender waits for. Dropping it cancels it.
pub struct Sent<O: Plain> {
    packet: Packet,
    completed: bool,
    _output: PhantomData<fn() -> O>,
}

impl<O: Plain> Sent<O> {
    /// Returns the result if the receiver has completed the request at once. Any context.
    ///
    /// # Errors
    ///
    /// It has not, and the request is to be waited for.
    pub fn returned(self) -> Result<Completed, Self> {
        match self.completed {
            true => self.wait(None).map_err(|unfinished| unfinished.sent),
            false => Err(self),
        }
    }

    /// Takes the request back, so that its result is `ECANCELED`. Any context.
    ///
    /// # Errors
    ///
    /// `EALREADY` if it is completed, or about to be, or was taken back before.
    pub fn cancel(&self) -> Result {
        Cancel(self.packet.handle).cancel()
    }

    /// Waits for the result; for ever without a `timeout`, or with one of 2^31 ms or more. After the
    /// timeout, the request is taken back, and its result is `ETIMEDOUT`. May sleep.
    ///
    /// # Errors
    ///
    /// There is no result: see [`Unfinished`].
    pub fn wait(self, timeout: Option<Msecs>) -> Result<Completed, Unfinished<O>> {
        match self.packet.wait_raw(timeout) {
            Ok(result) => Ok(Completed {
                result,
                packet: self.packet,
            }),
            Err(error) => Err(Unfinished { error, sent: self }),
        }
    }
}

/// Why there is no result of a request that was sent, and the request.
pub struct Unfinished<O: Plain> {
    /// One of those of `d2d_request_wait` in `d2d.h`: `EINPROGRESS` if the time is over while the
    /// request is just coming back, `EDEADLK` if the caller cannot wait, `ESTALE` if its driver is not
    /// registered any more.
    pub error: Error,
    /// The request, which may be waited for again.
    pub sent: Sent<O>,
}

impl<O: Plain> From<Unfinished<O>> for Error {
    /// Drops the request, and so cancels it.
    fn from(unfinished: Unfinished<O>) -> Self {
        unfinished.error
    }
}

/// Takes a request back that was sent with a completion routine.
///
/// It means whatever the request is used for then: one that was completed and sent again is taken back
/// as well.
#[derive(Clone, Copy)]
pub struct Cancel(abi::d2d_handle);

impl Cancel {
    /// Takes the request back: its result is `ECANCELED`. Any context.
    ///
    /// # Errors
    ///
    /// `EALREADY` if it is completed, or about to be, or was taken back before, `ESTALE` if it is gone.
    pub fn cancel(&self) -> Result {
        // SAFETY: A handle that is stale is refused.
        to_result(unsafe { abi::d2d_request_cancel(self.0) })
    }
}

/// A request that has come back.
pub struct Completed {
    packet: Packet,
    result: abi::d2d_result,
}

impl Completed {
    /// # Safety
    ///
    /// `request` is the handle of a request that is the caller's alone.
    #[doc(hidden)]
    pub unsafe fn from_raw(request: abi::d2d_handle, result: abi::d2d_result) -> Self {
        Self {
            packet: Packet {
                handle: request,
                flags: 0,
            },
            result,
        }
    }

    #[doc(hidden)]
    pub fn handle(&self) -> abi::d2d_handle {
        self.packet.handle
    }

    #[doc(hidden)]
    pub fn result(&self) -> &abi::d2d_result {
        &self.result
    }

    /// Returns what it was completed with.
    pub fn outcome(&self) -> Outcome {
        Outcome::new(&self.result)
    }

    /// Returns what it was sent with.
    pub fn tag(&self) -> u64 {
        self.result.tag
    }

    /// Reads the output. Any context.
    ///
    /// # Errors
    ///
    /// What the request was completed with, `EMSGSIZE` if the output is no `O`.
    pub fn output<O: Plain>(&self) -> Result<O> {
        to_result(self.result.status)?;
        read(self.packet.handle, self.result.output_len)
    }

    /// Returns the request, which may be sent again.
    pub fn into_packet(self) -> Packet {
        self.packet
    }
}

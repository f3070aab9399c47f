// SPDX-License-Identifier: GPL-2.0

//! The sender's side of requests; [`request`](crate::request) is the receiver's side.
//!
//! A [`Packet`] is a request with its buffers, which a driver can send any number of times. Sending consumes the
//! packet. The sender gets it back with the result: from [`Sent::wait`], or in
//! [`Driver::completed`](crate::driver::Driver::completed).

use crate::{
    abi,
    control_code::ControlCode,
    header,
    interface::Plain,
    leaving,
    lent::UserBuffer,
    safe_calls,
    status::to_result,
    trace::note_if_out_of_memory, //
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
    pub(crate) fn new(driver: abi::d2d_handle, name: &'static CStr) -> Self {
        Self { driver, name }
    }

    /// # Safety
    ///
    /// `driver` is the handle of the caller's own driver object, called `name`, which this library has registered.
    #[doc(hidden)]
    pub unsafe fn from_raw(driver: abi::d2d_handle, name: &'static CStr) -> Self {
        Self::new(driver, name)
    }

    /// Returns the name of the driver.
    pub fn name(&self) -> &'static CStr {
        self.name
    }

    /// Finds a driver by name. Any context.
    ///
    /// # Errors
    ///
    /// `ENOENT` if no driver of this name is registered.
    pub fn lookup(&self, name: &CStr) -> Result<Target> {
        let mut handle = 0;
        to_result(safe_calls::d2d_lookup(name, &mut handle))?;
        Ok(Target(handle))
    }

    /// Allocates a request with room for `input` bytes of input and `output` bytes of output. May sleep.
    ///
    /// # Errors
    ///
    /// Those of `d2d_request_alloc` in `d2d.h`.
    #[inline(never)]
    pub fn packet(&self, input: usize, output: usize) -> Result<Packet> {
        let (input, output) = (u32::try_from(input)?, u32::try_from(output)?);
        let mut handle = 0;
        let result = safe_calls::d2d_request_alloc(self.driver, input, output, &mut handle);
        note_if_out_of_memory(to_result(result))?;
        Ok(Packet {
            handle,
            flags: 0,
            user_buffer: None,
        })
    }

    /// As [`Sender::packet`], with the room that this code needs.
    pub fn packet_for<I: Plain, O: Plain>(&self, _code: ControlCode<I, O>) -> Result<Packet> {
        self.packet(size_of::<I>(), size_of::<O>())
    }
}

/// A driver to which requests can be sent. If it has unregistered, sending fails.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Target(abi::d2d_handle);

impl Target {
    /// # Safety
    ///
    /// `handle` is the handle of a driver object, as `d2d_lookup` returns it.
    #[doc(hidden)]
    pub unsafe fn from_raw(handle: abi::d2d_handle) -> Self {
        Self(handle)
    }

    /// Returns the description of a send to this driver, without buffers.
    pub(crate) fn describe_send(&self, code: u32, flags: u32) -> abi::d2d_send {
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
    /// The caller may sleep. The receiver is called at once, and may sleep, too. If the kernel can tell that the
    /// caller must not sleep, the owner refuses the request with `EDEADLK`.
    May,
    /// Any context. The receiver is called at once if its dispatch routine never sleeps, otherwise from a worker.
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

/// A request that was not sent, or has come back to its sender. Dropping the packet frees the request. Any context.
pub struct Packet {
    handle: abi::d2d_handle,
    flags: u32,
    user_buffer: Option<UserBuffer>,
}

/// A request that was not sent, and the reason.
pub struct Refused {
    /// An error of `d2d_request_send` in `d2d.h`.
    pub error: Error,
    /// The request.
    pub packet: Packet,
}

/// Why [`Packet::call`] has no output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallError {
    /// The request was not sent: an error of `d2d_request_send` in `d2d.h`.
    NotSent(Error),
    /// `EINPROGRESS`: the request was sent, and has no result yet. Dropping the packet cancels the request.
    StillPending(Error),
    /// The request has ended with this error.
    Ended(Ended, Error),
    /// `EMSGSIZE`: the request was completed with success, but its output does not have the size that the code needs.
    NoOutput(Error),
}

impl From<CallError> for Error {
    /// Returns the error without the kind of failure.
    fn from(error: CallError) -> Self {
        match error {
            CallError::NotSent(error)
            | CallError::StillPending(error)
            | CallError::Ended(_, error)
            | CallError::NoOutput(error) => error,
        }
    }
}

/// How a request has ended. C type: `enum d2d_ended`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Its holder has completed it, with any result.
    Completed,
    /// Its sender has cancelled or freed it, or leaves, detaches or unregisters: `ECANCELED`.
    Cancelled,
    /// A thread that waited for it has timed out: `ETIMEDOUT`.
    TimedOut,
    /// Its holder, or a driver that had forwarded it, leaves, detaches or unregisters: `ECANCELED`.
    Left,
    /// A dispatch routine has returned, and has not completed, pended or forwarded it: `EIO`.
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

/// The result of a request, for its sender and for each forwarder that wants the request back.
#[derive(Clone, Copy)]
pub struct Outcome {
    /// Success, or an error.
    pub result: Result,
    /// How the request has ended.
    pub ended: Ended,
    /// Its meaning depends on the control code.
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
    /// Returns a number that no other request has now.
    pub fn id(&self) -> u64 {
        self.handle
    }

    /// Makes each later send of this packet print its steps in dmesg. A packet from
    /// [`Driver::completed`](crate::driver::Driver::completed) needs another call.
    pub fn traced(mut self) -> Self {
        self.flags |= abi::D2D_SEND_TRACE;
        self
    }

    /// Makes each later send of this packet carry this `user_buffer`. A packet from
    /// [`Driver::completed`](crate::driver::Driver::completed) needs another call. Any context.
    ///
    /// A receiver in Rust gets the index of the value
    /// ([`Typed::index_of_buffer`](crate::request::Typed::index_of_buffer)). The library refuses the request if the
    /// value is not lent to this receiver.
    pub fn with_user_buffer(mut self, user_buffer: UserBuffer) -> Self {
        self.user_buffer = Some(user_buffer);
        self
    }

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
            user_buffer: self
                .user_buffer
                .map_or(core::ptr::null_mut(), UserBuffer::as_ptr),
            input_len: size_of::<I>() as u32,
            output_len: size_of::<O>() as u32,
            tag: routine.unwrap_or(0),
            ..to.describe_send(code.raw(), self.flags | sleep.flag() | with_routine)
        }
    }

    /// Sends the request. Returns the packet, and whether the request is completed already.
    fn send_raw<I: Plain, O: Plain>(
        self,
        to: &Target,
        code: ControlCode<I, O>,
        input: &I,
        sleep: Sleep,
        routine: Option<u64>,
    ) -> Result<(Self, bool), Refused> {
        let send = self.describe(to, code, input, sleep, routine);
        match to_result(safe_calls::d2d_request_send(self.handle, &send)) {
            Ok(()) => Ok((self, true)),
            Err(EINPROGRESS) => Ok((self, false)),
            Err(error) => Err(Refused {
                error,
                packet: self,
            }),
        }
    }

    /// Sends the request. `sleep` says whether the caller may sleep.
    pub fn send<I: Plain, O: Plain>(
        self,
        to: &Target,
        code: ControlCode<I, O>,
        input: &I,
        sleep: Sleep,
    ) -> Result<Sent<O>, Refused> {
        let (packet, completed) = self.send_raw(to, code, input, sleep, None)?;
        Ok(Sent {
            packet,
            completed,
            _output: PhantomData,
        })
    }

    /// Sends the request. When it has ended, perhaps before this call returns,
    /// [`Driver::completed`](crate::driver::Driver::completed) gets the packet with the result and `tag`. `sleep` says
    /// whether the caller may sleep.
    pub fn send_with_routine<I: Plain, O: Plain>(
        self,
        to: &Target,
        code: ControlCode<I, O>,
        input: &I,
        sleep: Sleep,
        tag: u64,
    ) -> Result<Cancel, Refused> {
        let (packet, _) = self.send_raw(to, code, input, sleep, Some(tag))?;
        let cancel = Cancel(packet.handle);
        // `Driver::completed` gets a packet of this request, so do not free the request here.
        core::mem::forget(packet);
        Ok(cancel)
    }

    /// Sends the request, waits for the result, and returns the output. Waits without a limit if `timeout` is `None`,
    /// or 2^31 ms or more. May sleep.
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
        let status = safe_calls::d2d_request_call(
            self.handle,
            &send,
            timeout.unwrap_or(abi::D2D_FOREVER),
            &mut result,
            output.as_mut_bytes(),
        );
        to_result(status).map_err(|error| match error {
            EINPROGRESS => CallError::StillPending(error),
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
}

/// Reads the input of a request that the driver holds, or the output of one that has come back. Fails with `EMSGSIZE`
/// if `len` is not the size of a `T`. Any context.
pub(crate) fn read<T: Plain>(request: abi::d2d_handle, len: u32) -> Result<T> {
    let mut value = T::new_zeroed();
    let bytes = value.as_mut_bytes();
    if bytes.len() != len as usize {
        return Err(EMSGSIZE);
    }
    if !bytes.is_empty() {
        to_result(safe_calls::d2d_request_read(request, bytes))?;
    }
    Ok(value)
}

impl Drop for Packet {
    #[inline(never)]
    fn drop(&mut self) {
        if !leaving::has_begun() {
            safe_calls::d2d_request_free(self.handle);
        }
    }
}

/// A request that was sent. Dropping it cancels the request.
pub struct Sent<O: Plain> {
    packet: Packet,
    completed: bool,
    _output: PhantomData<fn() -> O>,
}

impl<O: Plain> Sent<O> {
    /// Returns the result if the request was completed before [`Packet::send`] returned, otherwise `self`. Any context.
    pub fn completed_at_once(self) -> Result<Completed, Self> {
        match self.completed {
            true => self.wait(None).map_err(|unfinished| unfinished.sent),
            false => Err(self),
        }
    }

    /// Cancels the request: its result is `ECANCELED`. Any context.
    ///
    /// # Errors
    ///
    /// `EALREADY` if the request was completed or cancelled before, or is being completed.
    pub fn cancel(&self) -> Result {
        Cancel(self.packet.handle).cancel()
    }

    /// Waits for the result, without a limit if `timeout` is `None`, or 2^31 ms or more. After the timeout, cancels
    /// the request, whose result is `ETIMEDOUT`. May sleep.
    pub fn wait(self, timeout: Option<Msecs>) -> Result<Completed, Unfinished<O>> {
        let (request, mut result) = (self.packet.handle, NO_RESULT);
        let timeout = timeout.unwrap_or(abi::D2D_FOREVER);
        match to_result(safe_calls::d2d_request_wait(request, timeout, &mut result)) {
            Ok(()) => Ok(Completed {
                result,
                packet: self.packet,
            }),
            Err(error) => Err(Unfinished { error, sent: self }),
        }
    }
}

/// A request that was sent and has no result yet, and the reason.
pub struct Unfinished<O: Plain> {
    /// An error of `d2d_request_wait` in `d2d.h`.
    pub error: Error,
    /// The request, for which the sender may wait again.
    pub sent: Sent<O>,
}

impl<O: Plain> From<Unfinished<O>> for Error {
    /// Drops the request, which cancels it.
    fn from(unfinished: Unfinished<O>) -> Self {
        unfinished.error
    }
}

/// Cancels a request that was sent by [`Packet::send_with_routine`]. If the request has been sent again, cancels the
/// later send.
#[derive(Clone, Copy)]
pub struct Cancel(abi::d2d_handle);

impl Cancel {
    /// As [`Sent::cancel`].
    ///
    /// # Errors
    ///
    /// `EALREADY` as for [`Sent::cancel`]; `ESTALE` if the request was freed.
    pub fn cancel(&self) -> Result {
        to_result(safe_calls::d2d_request_cancel(self.0))
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
    /// `request` is the handle of a request that has come back. No other [`Packet`] has the handle.
    #[doc(hidden)]
    pub unsafe fn from_raw(request: abi::d2d_handle, result: abi::d2d_result) -> Self {
        Self {
            packet: Packet {
                handle: request,
                flags: 0,
                user_buffer: None,
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

    /// Returns the result.
    pub fn outcome(&self) -> Outcome {
        Outcome::new(&self.result)
    }

    /// Returns the `tag` that the request was sent with.
    pub fn tag(&self) -> u64 {
        self.result.tag
    }

    /// Reads the output. Any context.
    ///
    /// # Errors
    ///
    /// The error that the request has ended with; `EMSGSIZE` if the output does not have the size of an `O`.
    pub fn output<O: Plain>(&self) -> Result<O> {
        to_result(self.result.status)?;
        read(self.packet.handle, self.result.output_len)
    }

    /// Returns the request, which may be sent again.
    pub fn into_packet(self) -> Packet {
        self.packet
    }
}

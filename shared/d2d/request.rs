// SPDX-License-Identifier: GPL-2.0

//! Requests, as the driver that receives them sees them.
//!
//! C type: `struct d2d_request`. A request is a value: completing or pending it consumes it, so it
//! cannot be completed twice, and the disposition that a dispatch routine returns can only be had
//! that way. A request that is dropped is completed with `ECANCELED`.

use crate::{
    abi,
    context::{
        Context,
        Pair, //
    },
    driver::Driver,
    header,
    interface::{
        Endpoint,
        TableFor, //
    },
    link::PeerLink,
    registration::Shared,
    trace::{
        self,
        refuse,
        Step, //
    }, //
};
use core::{
    ffi::{
        c_int,
        c_void, //
    },
    mem::ManuallyDrop,
    ptr::NonNull, //
};
use kernel::{
    error::to_result,
    prelude::*,
    sync::Arc, //
};

/// Control code of the request that carries a context.
pub const IOCTL_SHARE_CONTEXT: u32 = abi::D2D_IOCTL_SHARE_CONTEXT;

/// Makes a control code, as `CTL_CODE(FILE_DEVICE_UNKNOWN, function, METHOD_NEITHER, 0)` does.
pub const fn ctl_code(function: u16) -> u32 {
    (0x22 << 16) | ((function as u32) << 2) | abi::D2D_METHOD_NEITHER
}

const _: () = assert!(ctl_code(0x800) == IOCTL_SHARE_CONTEXT);

/// What a driver keeps of a request; never the address of the sender's own.
pub(crate) struct RawRequest {
    handle: abi::d2d_handle,
    code: u32,
    user_buffer: *mut c_void,
}

// SAFETY: The buffer belongs to the sender, who has it ready for any context.
unsafe impl Send for RawRequest {}

impl RawRequest {
    pub(crate) fn new(request: &abi::d2d_request) -> Self {
        Self {
            handle: request.handle,
            code: request.code,
            user_buffer: request.user_buffer,
        }
    }

    /// Completes the request and returns what its sender answers.
    fn complete(&self, status: c_int, information: u64) -> c_int {
        // SAFETY: A stale handle is refused by the owner.
        unsafe { abi::d2d_complete(self.handle, status, information) }
    }
}

/// What became of a request: the return value of a dispatch routine.
#[must_use = "a dispatch routine returns what became of its request"]
pub struct Disposition(c_int);

impl Disposition {
    pub(crate) fn into_raw(self) -> c_int {
        self.0
    }
}

/// A request that the driver has received and not completed yet.
pub struct Request<T: Driver> {
    driver: Arc<Shared<T>>,
    raw: ManuallyDrop<RawRequest>,
}

impl<T: Driver> Request<T> {
    pub(crate) fn new(driver: Arc<Shared<T>>, raw: RawRequest) -> Self {
        Self {
            driver,
            raw: ManuallyDrop::new(raw),
        }
    }

    /// Returns the control code.
    pub fn code(&self) -> u32 {
        self.raw.code
    }

    /// Completes the request. Any context.
    ///
    /// `information` is what the request's code says it means, 0 if nothing.
    pub fn complete(self, result: Result, information: u64) -> Disposition {
        let (driver, raw) = self.into_parts();
        let status = result.map_or_else(Error::to_errno, |()| 0);
        let answer = to_result(raw.complete(status, information));
        if raw.code == IOCTL_SHARE_CONTEXT {
            driver.set_completed(result.and(answer));
        }
        Disposition(status)
    }

    /// Leaves the request pending: [`Driver::deferred`] will get it, in a kernel worker.
    ///
    /// One request can wait for the worker at a time; another is completed with `EBUSY`.
    pub fn pend(self) -> Disposition {
        let (driver, raw) = self.into_parts();
        trace::emit(driver.name(), Step::Pend, fmt!("code=0x{:08x}", raw.code));
        match Shared::defer(&driver, raw) {
            Ok(()) => Disposition(-(abi::D2D_STATUS_PENDING as c_int)),
            Err(raw) => Self::new(driver, raw).complete(Err(EBUSY), 0),
        }
    }

    /// Adopts the context that the request carries: checks it and saves its address.
    ///
    /// # Errors
    ///
    /// If the request carries none or the context is refused, the request is completed with
    /// `EINVAL` (another control code), `EFAULT` (no context), `EBADMSG`, `EPROTO`, `EMSGSIZE`
    /// (magic number, major version or size of the context or its ops table), or `EALREADY` (the
    /// driver holds one), and what became of it is returned.
    pub fn adopt(self) -> Result<Adopted<T>, Disposition>
    where
        <T::Pair as Pair>::Peer: TableFor<T>,
    {
        match self.check_context() {
            Ok(link) => {
                let context = *link.context();
                if self.driver.set_link(link) {
                    trace::emit(
                        self.driver.name(),
                        Step::Adopt,
                        fmt!("ctx=c{}", context.id()),
                    );
                    return Ok(Adopted {
                        request: self,
                        context,
                    });
                }
                let error = refuse(
                    self.driver.name(),
                    "already-adopted",
                    EALREADY,
                    fmt!("ctx=c{}", context.id()),
                );
                Err(self.complete(Err(error), 0))
            }
            Err(error) => Err(self.complete(Err(error), 0)),
        }
    }

    fn check_context(&self) -> Result<PeerLink<T::Pair>> {
        let name = self.driver.name();
        if self.raw.code != IOCTL_SHARE_CONTEXT {
            return Err(EINVAL);
        }
        let Some(raw) = NonNull::new(self.raw.user_buffer.cast::<abi::d2d_context>()) else {
            return Err(refuse(
                name,
                "no-context",
                EFAULT,
                fmt!("code=0x{:08x}", self.raw.code),
            ));
        };
        // SAFETY: The buffer of a request with this code begins with a header.
        let header = unsafe { (&raw const (*raw.as_ptr()).hdr).read() };
        header::check::<abi::d2d_context>(name, "context", &header, abi::D2D_CONTEXT_MAGIC)?;
        // SAFETY: A block with this header is a context of this ABI. The owner's endpoint is filled
        // in before the context is offered and not changed afterwards.
        let owner = unsafe { Endpoint::copy(name, &(*raw.as_ptr()).owner)? };
        // SAFETY: As above; the owner frees its contexts when it is unloaded, not before.
        Ok(PeerLink::new(unsafe { Context::from_raw(raw) }, owner))
    }

    fn into_parts(self) -> (Arc<Shared<T>>, RawRequest) {
        let mut this = ManuallyDrop::new(self);
        // SAFETY: Both are taken once, and `this` is not dropped.
        unsafe {
            (
                core::ptr::read(&this.driver),
                ManuallyDrop::take(&mut this.raw),
            )
        }
    }
}

impl<T: Driver> Drop for Request<T> {
    fn drop(&mut self) {
        self.raw.complete(ECANCELED.to_errno(), 0);
    }
}

/// A request whose context the driver has adopted and now fills in.
#[must_use = "dropping it cancels the handshake"]
pub struct Adopted<T: Driver> {
    request: Request<T>,
    context: Context<T::Pair>,
}

impl<T: Driver> Adopted<T>
where
    <T::Pair as Pair>::Peer: TableFor<T>,
{
    /// Fills in the driver's functions and data, which the owner may use once the request is
    /// completed.
    pub fn fill(self, data: <T::Pair as Pair>::PeerData) -> Request<T> {
        let binding = self.request.driver.binding();
        let table: *const _ = <<T::Pair as Pair>::Peer as TableFor<T>>::TABLE;
        self.context.with_peer_data(|area| *area = data);
        // SAFETY: Until the request is completed the peer's endpoint belongs to the peer.
        unsafe {
            (*self.context.as_raw()).peer = abi::d2d_endpoint {
                ops: table.cast::<abi::d2d_ops>(),
                self_: binding.as_raw(),
            }
        };
        trace::emit(
            self.request.driver.name(),
            Step::Fill,
            fmt!("ctx=c{}", self.context.id()),
        );
        self.request
    }
}

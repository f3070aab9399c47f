// SPDX-License-Identifier: GPL-2.0

//! The offer of a context: the request of the handshake, as the driver that receives it sees it.
//!
//! C type: `struct d2d_request`. An offer is a value: completing or pending it consumes it, so it
//! cannot be completed twice, and the disposition that the driver returns can only be had that way.
//! Both are tied to the call by their lifetime, so that neither outlives it or is taken for that of
//! another.

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
        Link,
        TableFor, //
    },
    link::PeerLink,
    probe,
    registration::Shared,
    request::{
        Call,
        Disposition,
        Request, //
    },
    status::to_result,
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
    marker::PhantomData,
    ptr::NonNull, //
};
use kernel::{
    page::PAGE_SIZE,
    prelude::*,
    sync::ArcBorrow, //
};

/// What a driver keeps of an offer; never the address of the sender's own.
pub(crate) struct RawOffer {
    handle: abi::d2d_handle,
    user_buffer: *mut c_void,
}

// SAFETY: The buffer belongs to the sender, who has it ready for any context.
unsafe impl Send for RawOffer {}

impl RawOffer {
    pub(crate) fn new(request: &Request<'_>) -> Self {
        Self {
            handle: request.handle(),
            user_buffer: request.user_buffer(),
        }
    }

    /// Completes the request and returns what its sender answers.
    pub(crate) fn complete(&self, status: c_int, information: u64) -> c_int {
        // SAFETY: A stale handle is refused by the owner.
        unsafe { abi::d2d_complete(self.handle, status, information) }
    }
}

/// The offer of a context that the driver has received and not completed yet.
///
/// It has to be completed or left pending before the driver can return.
pub struct Offer<'a, T: Driver> {
    driver: ArcBorrow<'a, Shared<T>>,
    raw: RawOffer,
    _call: Call<'a>,
}

impl<'a, T: Driver> Offer<'a, T> {
    pub(crate) fn new(driver: ArcBorrow<'a, Shared<T>>, raw: RawOffer) -> Self {
        Self {
            driver,
            raw,
            _call: PhantomData,
        }
    }

    /// Adopts the context, fills in the driver's [data](Driver::data), and completes the offer: what
    /// most drivers do with it.
    pub fn accept(self) -> Disposition<'a>
    where
        <T::Pair as Pair>::Peer: TableFor<T>,
    {
        let data = self.driver.state().data();
        match self.adopt() {
            Ok(adopted) => adopted.fill(data).complete(Ok(()), 0),
            Err(refused) => refused,
        }
    }

    /// Completes the request. Any context.
    ///
    /// `EIOCBQUEUED` and `EINPROGRESS`, which would say that it is not completed, become `EIO`.
    /// `information` is what the request's code says it means, 0 if nothing.
    pub fn complete(self, result: Result, information: u64) -> Disposition<'a> {
        // Neither can be the result of something that is done.
        let result = match result {
            Err(EIOCBQUEUED | EINPROGRESS) => Err(EIO),
            result => result,
        };
        let status = result.map_or_else(Error::to_errno, |()| 0);
        let answer = to_result(self.raw.complete(status, information));
        self.driver.set_completed(result.and(answer));
        Disposition::new(status)
    }

    /// Leaves the request pending: [`Driver::deferred`] will get it, in a kernel worker.
    ///
    /// One request can wait for the worker at a time; another is completed with `EBUSY`, as is every
    /// one once the module is being unloaded.
    pub fn pend(self) -> Disposition<'a>
    where
        <T::Pair as Pair>::Peer: TableFor<T>,
    {
        let code = abi::D2D_IOCTL_SHARE_CONTEXT;
        trace::emit(self.driver.name(), Step::Pend, fmt!("code=0x{:08x}", code));
        // SAFETY: A stale handle is refused by the owner.
        unsafe { abi::d2d_request_pend(self.raw.handle) };
        match Shared::defer(self.driver, self.raw) {
            Ok(()) => Disposition::pending(),
            Err(raw) => Self::new(self.driver, raw).complete(Err(EBUSY), 0),
        }
    }

    /// Adopts the context that the request carries: checks it and saves its address.
    ///
    /// # Errors
    ///
    /// If the request carries none or the context is refused, the request is completed with `EFAULT`
    /// (no context, or a bad pointer to or in it),
    /// `EBADMSG`, `EPROTO`, `EMSGSIZE`, `EBADE` (magic number, major version, size or layout of the
    /// context), what [`Endpoint::copy`] refuses the owner's table with, or `EALREADY` (the driver
    /// holds a context), and what became of it is returned.
    pub fn adopt(self) -> Result<Adopted<'a, T>, Disposition<'a>>
    where
        <T::Pair as Pair>::Peer: TableFor<T>,
    {
        match self.check_context().and_then(|link| self.keep(link)) {
            Ok(()) => Ok(Adopted(self)),
            Err(error) => Err(self.complete(Err(error), 0)),
        }
    }

    fn check_context(&self) -> Result<PeerLink<T::Pair>> {
        let name = self.driver.name();
        let Some(raw) = NonNull::new(self.raw.user_buffer.cast::<abi::d2d_context>()) else {
            return Err(refuse(
                name,
                "no-context",
                EFAULT,
                fmt!("code=0x{:08x}", abi::D2D_IOCTL_SHARE_CONTEXT),
            ));
        };
        let unreadable = || {
            refuse(
                name,
                "bad-context-pointer",
                EFAULT,
                fmt!("code=0x{:08x}", abi::D2D_IOCTL_SHARE_CONTEXT),
            )
        };
        // SAFETY: A header is made of numbers.
        let header = unsafe { probe::read(raw.as_ptr().cast::<abi::d2d_header>()) };
        let header = header.filter(|_| raw.is_aligned()).ok_or_else(unreadable)?;
        header::check::<abi::d2d_context>(name, "context", &header, abi::D2D_CONTEXT_MAGIC)?;
        // A context lies on two pages at most.
        const { assert!(size_of::<abi::d2d_context>() <= PAGE_SIZE) };
        let end = raw.as_ptr().wrapping_add(1).cast_const().cast::<u8>();
        // SAFETY: A byte is a number.
        unsafe { probe::read(end.wrapping_sub(1)) }.ok_or_else(unreadable)?;
        // SAFETY: All of it can be read: its first and its last byte were. A block with this header is
        // a context of this ABI, whose owner's part is not changed once it is offered.
        let (endpoint, module) =
            unsafe { ((*raw.as_ptr()).owner, (*raw.as_ptr()).module.cast_const()) };
        // SAFETY: By the contract of `struct d2d_context`, it is the endpoint of its owner.
        let owner = unsafe { Endpoint::copy(name, endpoint, module)? };
        // SAFETY: The owner frees its contexts when it is unloaded, and it cannot be while this
        // module, which imports its symbols, is there.
        Ok(PeerLink::new(unsafe { Context::from_raw(raw) }, owner))
    }

    fn keep(&self, link: PeerLink<T::Pair>) -> Result {
        let name = self.driver.name();
        let id = link.context().id();
        if !self.driver.binding().seat().take(link) {
            return Err(refuse(
                name,
                "already-adopted",
                EALREADY,
                fmt!("ctx=c{}", id),
            ));
        }
        trace::emit(name, Step::Adopt, fmt!("ctx=c{}", id));
        Ok(())
    }
}

/// A request whose context the driver has adopted and now fills in.
pub struct Adopted<'a, T: Driver>(Offer<'a, T>);

impl<'a, T: Driver> Adopted<'a, T>
where
    <T::Pair as Pair>::Peer: TableFor<T>,
{
    /// Fills in the driver's functions and data, which the owner may use once the request is
    /// completed.
    pub fn fill(self, data: <T::Pair as Pair>::PeerData) -> Offer<'a, T> {
        let binding = self.0.driver.binding();
        if let Some(link) = PeerLink::of(binding.seat()) {
            let table: *const _ = <<T::Pair as Pair>::Peer as TableFor<T>>::TABLE;
            link.context().with_peer_data(|area| *area = data);
            // SAFETY: This driver has not completed the request, and until it does, the peer's
            // endpoint is its own: a context whose time is over stays reserved until then, and the
            // registration is detached only after the last call that a request is tied to.
            unsafe {
                (*link.context().as_raw()).peer = abi::d2d_endpoint {
                    ops: table.cast::<abi::d2d_ops>(),
                    self_: binding.as_raw(),
                }
            };
            trace::emit(
                self.0.driver.name(),
                Step::Fill,
                fmt!("ctx=c{}", link.context().id()),
            );
        }
        self.0
    }
}

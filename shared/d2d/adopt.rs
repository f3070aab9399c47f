// SPDX-License-Identifier: GPL-2.0

//! The check of a context that another driver has sent, before it is used.

use crate::{
    abi,
    context::Context,
    header,
    interface::Endpoint,
    link::{
        Pair,
        PeerLink, //
    },
    probe,
    refuse, //
};
use core::{
    ffi::c_void,
    ptr::NonNull, //
};
use kernel::{
    page::PAGE_SIZE,
    prelude::*, //
};

/// Checks the context at `user_buffer`, in the name of the driver `name`, and makes the peer's link of it.
///
/// # Errors
///
/// `EFAULT` (no context, or a bad pointer to or in it), `EBADMSG`, `EPROTO`, `EMSGSIZE`, `EBADE` (magic number,
/// major version, size or layout of the context), or what [`Endpoint::copy`] refuses the owner's table with.
pub(crate) fn adopt<P: Pair>(name: &'static CStr, user_buffer: *mut c_void) -> Result<PeerLink<P>> {
    let Some(raw) = NonNull::new(user_buffer.cast::<abi::d2d_context>()) else {
        return Err(refuse!(name, "no-context", EFAULT, code: abi::D2D_IOCTL_SHARE_CONTEXT));
    };
    let unreadable =
        || refuse!(name, "bad-context-pointer", EFAULT, code: abi::D2D_IOCTL_SHARE_CONTEXT);
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

// SPDX-License-Identifier: GPL-2.0

//! Checks a context that the owner offers.

use crate::{
    abi,
    context::Context,
    data::Sizes,
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
    mem::offset_of,
    ptr::NonNull, //
};
use kernel::{
    page::PAGE_SIZE,
    prelude::*, //
};

/// Checks the context at `user_buffer`, and makes the peer's link to it. `name` is the peer's name.
/// Any context.
///
/// # Errors
///
/// Those of [`Offer::adopt`](crate::driver::Offer::adopt), except `EALREADY`.
pub(crate) fn adopt<P: Pair>(name: &'static CStr, user_buffer: *mut c_void) -> Result<PeerLink<P>> {
    let Some(raw) = NonNull::new(user_buffer.cast::<abi::d2d_context>()) else {
        return Err(refuse!(name, "no-context", EFAULT, code: abi::D2D_IOCTL_SHARE_CONTEXT));
    };
    let unreadable =
        || refuse!(name, "bad-context-pointer", EFAULT, code: abi::D2D_IOCTL_SHARE_CONTEXT);
    let header = probe::read(raw.as_ptr().cast::<abi::d2d_header>());
    let header = header.filter(|_| raw.is_aligned()).ok_or_else(unreadable)?;
    header::check::<abi::d2d_context>(name, "context", &header, abi::D2D_CONTEXT_MAGIC)?;
    // The owner does not change these fields once it has offered the context.
    let fields = || {
        let context = raw.as_ptr().cast_const();
        let size = |offset| probe::read_at::<_, u64>(context, offset);
        Some((
            probe::read_at(context, offset_of!(abi::d2d_context, owner))?,
            probe::read_at(context, offset_of!(abi::d2d_context, module))?,
            [
                size(offset_of!(abi::d2d_context, data.owner_size))?,
                size(offset_of!(abi::d2d_context, data.peer_size))?,
                size(offset_of!(abi::d2d_context, data.shared_size))?,
            ],
        ))
    };
    let (endpoint, module, stated) = fields().ok_or_else(unreadable)?;
    let sizes = const { Sizes::of::<P>() }.at_least(name, stated)?;
    let bytes = sizes.context_bytes();
    let is_readable = |at| probe::read(raw.as_ptr().cast::<u8>().wrapping_add(at)).is_some();
    if !(0..bytes).step_by(PAGE_SIZE).all(is_readable) || !is_readable(bytes - 1) {
        return Err(unreadable());
    }
    // SAFETY: By the contract of `struct d2d_context`, `endpoint` and `module` are the owner's, and
    // any thread may call the owner's operations. By that of `struct d2d_lent`, the owner keeps its
    // memory. Both hold until the owner's module is unloaded. This module imports symbols of that
    // module, so the kernel unloads this module first.
    let owner = unsafe { Endpoint::copy(name, endpoint, module)? };
    // SAFETY: By its header, `raw` is an initialized context. It states `sizes`, and `at_least` has
    // compared them with those of the pair. The owner frees the context at its exit, and the kernel
    // unloads this module before that.
    let context = unsafe { Context::from_raw(raw, sizes) };
    Ok(PeerLink::new(context, owner))
}

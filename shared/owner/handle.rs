// SPDX-License-Identifier: GPL-2.0

//! How handles are made, and taken apart.
//!
//! The layout is stated in `d2d.h`, at `d2d_handle`: a generation, a kind and an index. Each table
//! makes handles of one [`Kind`] and finds nothing by a handle of another one. The handles of items
//! are made in `block` and in the queues of both sides.

use d2d::abi::{
    self,
    d2d_handle, //
};

/// What a handle names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Kind {
    /// A driver, as it is known to itself.
    Driver = abi::D2D_HANDLE_DRIVER,
    /// A driver, as it is known to those that send it requests.
    Target = abi::D2D_HANDLE_TARGET,
    /// An event that was opened.
    Event = abi::D2D_HANDLE_EVENT,
    /// A request, as its sender has it.
    Sent = abi::D2D_HANDLE_SENT,
    /// A request, as its receiver has it.
    Held = abi::D2D_HANDLE_HELD,
}

impl Kind {
    /// Makes a handle. Only the generation of a hold may be 0, and the index has at most
    /// [`D2D_HANDLE_KIND_SHIFT`](abi::D2D_HANDLE_KIND_SHIFT) bits.
    pub(crate) fn handle(self, index: usize, generation: u32) -> d2d_handle {
        let kind = (self as u32) << abi::D2D_HANDLE_KIND_SHIFT;
        (u64::from(generation) << 32) | u64::from(kind) | index as u64
    }

    /// Returns index and generation of a handle; `None` if it is of another kind.
    pub(crate) fn parts(self, handle: d2d_handle) -> Option<(usize, u32)> {
        let is_mine = handle as u32 >> abi::D2D_HANDLE_KIND_SHIFT == self as u32;
        is_mine.then(|| (index(handle) as usize, generation(handle)))
    }
}

/// Returns the handle by which a driver is sent requests, of the one that it has itself; and the other
/// way round.
#[inline(always)]
pub(crate) fn target(handle: d2d_handle) -> d2d_handle {
    let kinds = (Kind::Target as u64 ^ Kind::Driver as u64) << abi::D2D_HANDLE_KIND_SHIFT;
    handle ^ kinds
}

/// Returns the index that is in a handle, whatever its kind.
pub(crate) fn index(handle: d2d_handle) -> u32 {
    handle as u32 & ((1 << abi::D2D_HANDLE_KIND_SHIFT) - 1)
}

/// Returns the generation that is in a handle, whatever its kind.
pub(crate) fn generation(handle: d2d_handle) -> u32 {
    (handle >> 32) as u32
}

#[cfg(d2d_tests)]
mod tests;

// SPDX-License-Identifier: GPL-2.0

//! The layout of handles: a generation, a kind and an index, as `d2d.h` says at `d2d_handle`.
//!
//! Each table makes handles of its own [`Kind`], and refuses a handle of another kind. The handles
//! of items are not made here, but by `context_box` and by the queues of both sides.

use d2d::abi::{
    self,
    d2d_handle, //
};

/// What a handle names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Kind {
    /// A driver: the handle that the driver itself has.
    Driver = abi::D2D_HANDLE_DRIVER,
    /// A driver: the handle to which others send requests.
    Target = abi::D2D_HANDLE_TARGET,
    /// An event: the handle of a driver that has created or opened it.
    Event = abi::D2D_HANDLE_EVENT,
    /// A request: the handle that its sender has.
    Sent = abi::D2D_HANDLE_SENT,
    /// A request: the handle that its holder has for one hold.
    Held = abi::D2D_HANDLE_HELD,
}

impl Kind {
    /// Makes a handle of this kind. `generation` is not 0, except for [`Kind::Held`]. `index` has
    /// at most [`D2D_HANDLE_KIND_SHIFT`](abi::D2D_HANDLE_KIND_SHIFT) bits.
    pub(crate) fn handle(self, index: usize, generation: u32) -> d2d_handle {
        let kind = (self as u32) << abi::D2D_HANDLE_KIND_SHIFT;
        (u64::from(generation) << 32) | u64::from(kind) | index as u64
    }

    /// Returns the index and the generation of a handle; `None` if the handle is of another kind.
    pub(crate) fn parts(self, handle: d2d_handle) -> Option<(usize, u32)> {
        let is_mine = handle as u32 >> abi::D2D_HANDLE_KIND_SHIFT == self as u32;
        is_mine.then(|| (index(handle) as usize, generation(handle)))
    }
}

/// The bits in which the handle of a driver differs from that of the same driver as a target.
const TARGET_OR_DRIVER: u64 =
    (Kind::Target as u64 ^ Kind::Driver as u64) << abi::D2D_HANDLE_KIND_SHIFT;

/// Turns the handle of a driver into the handle of the same driver as a target of requests.
#[inline(always)]
pub(crate) fn target_of(driver: d2d_handle) -> d2d_handle {
    driver ^ TARGET_OR_DRIVER
}

/// Turns the handle of a target of requests into the handle of the same driver.
#[inline(always)]
pub(crate) fn driver_of(target: d2d_handle) -> d2d_handle {
    target ^ TARGET_OR_DRIVER
}

/// Returns the index in a handle of any kind.
pub(crate) fn index(handle: d2d_handle) -> u32 {
    handle as u32 & ((1 << abi::D2D_HANDLE_KIND_SHIFT) - 1)
}

/// Returns the generation in a handle of any kind.
pub(crate) fn generation(handle: d2d_handle) -> u32 {
    (handle >> 32) as u32
}

#[cfg(d2d_tests)]
mod tests;

// SPDX-License-Identifier: GPL-2.0

//! The layout of handles: a generation, a kind and an index, as `d2d.h` says at `d2d_handle`.
//!
//! Each table makes handles of its own [`Kind`], and refuses others. `context_box` and the queues
//! make the handles of items.

use d2d::abi::{
    self,
    d2d_handle, //
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Kind {
    /// A driver, for the driver itself.
    Driver = abi::D2D_HANDLE_DRIVER,
    /// A driver, for those that send it requests.
    Target = abi::D2D_HANDLE_TARGET,
    /// An event, for a driver that has created or opened it.
    Event = abi::D2D_HANDLE_EVENT,
    /// A request, for its sender.
    Sent = abi::D2D_HANDLE_SENT,
    /// A request, for its holder during one hold.
    Held = abi::D2D_HANDLE_HELD,
}

impl Kind {
    /// `generation` is not 0, except for [`Kind::Held`]. `index` has at most
    /// [`D2D_HANDLE_KIND_SHIFT`](abi::D2D_HANDLE_KIND_SHIFT) bits.
    pub(crate) fn handle(self, index: usize, generation: u32) -> d2d_handle {
        let kind = (self as u32) << abi::D2D_HANDLE_KIND_SHIFT;
        (u64::from(generation) << 32) | u64::from(kind) | index as u64
    }

    /// Returns the index and the generation; `None` if the handle is of another kind.
    pub(crate) fn parts(self, handle: d2d_handle) -> Option<(usize, u32)> {
        let is_mine = handle as u32 >> abi::D2D_HANDLE_KIND_SHIFT == self as u32;
        is_mine.then(|| (index(handle) as usize, generation(handle)))
    }
}

/// The bits in which the two handles of a driver differ.
const TARGET_OR_DRIVER: u64 =
    (Kind::Target as u64 ^ Kind::Driver as u64) << abi::D2D_HANDLE_KIND_SHIFT;

#[inline(always)]
pub(crate) fn target_of(driver: d2d_handle) -> d2d_handle {
    driver ^ TARGET_OR_DRIVER
}

#[inline(always)]
pub(crate) fn driver_of(target: d2d_handle) -> d2d_handle {
    target ^ TARGET_OR_DRIVER
}

pub(crate) fn index(handle: d2d_handle) -> u32 {
    handle as u32 & ((1 << abi::D2D_HANDLE_KIND_SHIFT) - 1)
}

pub(crate) fn generation(handle: d2d_handle) -> u32 {
    (handle >> 32) as u32
}

#[cfg(d2d_tests)]
mod tests;

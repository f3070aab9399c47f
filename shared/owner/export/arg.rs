// SPDX-License-Identifier: GPL-2.0

//! The uses of an [`Arg`]. A pointer that a driver passes may lead anywhere, but the C header says what
//! the driver promises of it. An [`Arg`] carries this promise to the code that follows the pointer.

use super::Arg;
use crate::probe::{
    self,
    Output,
    Stack,
    StringCopy, //
};
use core::ffi::c_void;
use d2d::abi::d2d_handle;
use kernel::{
    ffi::c_char,
    prelude::*, //
};

impl<T: Copy> Arg<T> {
    #[inline(always)]
    pub(crate) fn get(self) -> T {
        self.0
    }
}

impl<T: Copy> Arg<*mut T> {
    /// See [`Output::new`]. Any context.
    pub(crate) fn output(self) -> Option<Output<T>> {
        // SAFETY: By the type invariants, nobody else uses the place during the call. The exported
        // function drops the `Output` before it returns.
        unsafe { Output::new(self.0) }
    }

    /// Returns whether the place is aligned, and can be written. Any context.
    #[inline(always)]
    pub(crate) fn is_writable(self, stack: Stack) -> bool {
        let Self(to) = self;
        // INVARIANT: The same place.
        let place = Arg(to.cast::<c_void>());
        !to.is_null() && to.is_aligned() && place.has_room(stack, size_of::<T>())
    }

    /// Returns whether the result could be written. Any context.
    #[inline(always)]
    pub(crate) fn fill(self, stack: Stack, value: &T) -> bool {
        // INVARIANT: The same place.
        let place = Arg(self.0.cast::<c_void>());
        // SAFETY: `value` is a reference, so it is valid for reads of its size.
        unsafe { place.copy_out(stack, core::ptr::from_ref(value).cast(), size_of::<T>()) }
    }
}

impl Arg<*mut c_void> {
    /// Returns whether `length` bytes can be written; `length` is not 0. Any context.
    #[inline(always)]
    pub(crate) fn has_room(self, stack: Stack, length: usize) -> bool {
        // SAFETY: By the type invariants, nobody else uses the place during the call.
        unsafe { stack.is_writable(self.0.cast(), length) }
    }

    /// Copies `length` bytes to the place. Returns whether all could be written. Any context.
    ///
    /// # Safety
    ///
    /// `from` is valid for reads of `length` bytes.
    #[inline(always)]
    pub(crate) unsafe fn copy_out(self, stack: Stack, from: *const u8, length: usize) -> bool {
        // SAFETY: The caller says that `from` is valid for reads of `length` bytes. By the type
        // invariants, nobody else uses the place during the call.
        unsafe { stack.copy_out(self.0.cast(), from, length) }
    }
}

impl Arg<*const c_char> {
    /// See [`StringCopy::read`]. Any context.
    pub(crate) fn string<const N: usize>(self) -> Option<StringCopy<N>> {
        StringCopy::read(self.0)
    }
}

impl Arg<*const d2d_handle> {
    /// Returns `None` if the handle cannot be read. Any context.
    pub(crate) fn handle(self, index: usize) -> Option<d2d_handle> {
        probe::read(self.0.wrapping_add(index))
    }
}

// SPDX-License-Identifier: GPL-2.0

//! Control codes: what a request asks for.

use crate::{
    abi,
    interface::Plain, //
};
use core::marker::PhantomData;

/// Makes the control code of a function number, as `CTL_CODE(FILE_DEVICE_UNKNOWN, function,
/// METHOD_BUFFERED, 0)` does. Function numbers have 12 bits. Those up to `0x800` are reserved.
#[inline]
pub const fn ctl_code(function: u16) -> u32 {
    assert!(function < 0x1000);
    (0x22 << 16) | ((function as u32) << 2) | abi::D2D_METHOD_BUFFERED
}

const _: () = assert!(ctl_code(0x800) | abi::D2D_METHOD_NEITHER == abi::D2D_IOCTL_SHARE_CONTEXT);

/// A control code, with the types of the request's input and output. `()` stands for none.
pub struct ControlCode<I: Plain, O: Plain> {
    raw: u32,
    _types: PhantomData<fn(I) -> O>,
}

impl<I: Plain, O: Plain> Clone for ControlCode<I, O> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<I: Plain, O: Plain> Copy for ControlCode<I, O> {}

impl<I: Plain, O: Plain> ControlCode<I, O> {
    /// Makes the code of a function number above `0x800`: see [`ctl_code`].
    pub const fn new(function: u16) -> Self {
        assert!(function > 0x800);
        const {
            assert!(size_of::<I>() <= abi::D2D_BUFFER_SIZE as usize);
            assert!(size_of::<O>() <= abi::D2D_BUFFER_SIZE as usize);
        }
        Self {
            raw: ctl_code(function),
            _types: PhantomData,
        }
    }

    /// Returns the code as a number.
    pub const fn raw(self) -> u32 {
        self.raw
    }
}

// SPDX-License-Identifier: GPL-2.0

//! The status of C functions.

use kernel::{
    error,
    ffi::c_int,
    prelude::*, //
};

/// Converts a status: 0, or a negative errno. Unlike the kernel crate's function, it makes no call if there is no
/// error. Any context.
#[inline]
pub fn to_result(status: c_int) -> Result {
    match status {
        0 => Ok(()),
        _ => error::to_result(status),
    }
}

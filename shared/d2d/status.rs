// SPDX-License-Identifier: GPL-2.0

//! The status of C functions.

use kernel::{
    error,
    ffi::c_int,
    prelude::*, //
};

/// Converts a status: 0, or a negative errno. Unlike the kernel crate's `to_result`, makes no call if the status is 0.
/// Any context.
#[inline]
pub fn to_result(status: c_int) -> Result {
    match status {
        0 => Ok(()),
        _ => error::to_result(status),
    }
}

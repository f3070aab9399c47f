// SPDX-License-Identifier: GPL-2.0

//! What functions of the boundary return.

use kernel::{
    error,
    ffi::c_int,
    prelude::*, //
};

/// Returns the error that a negative status is. As the kernel crate's function of this name, of which
/// it makes a call only if there is an error.
#[inline]
pub fn to_result(status: c_int) -> Result {
    match status {
        0 => Ok(()),
        _ => error::to_result(status),
    }
}

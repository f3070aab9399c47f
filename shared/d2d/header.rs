// SPDX-License-Identifier: GPL-2.0

//! The header with which every object of the boundary begins, and its check.

use crate::{abi, refuse};
use kernel::prelude::*;

/// Makes the header of an object of type `T`. `magic` is the magic number of its kind.
pub const fn new<T>(magic: u32) -> abi::d2d_header {
    abi::d2d_header {
        magic,
        size: size_of::<T>() as u32,
        major: abi::D2D_ABI_MAJOR as u16,
        minor: abi::D2D_ABI_MINOR as u16,
        layout: abi::D2D_LAYOUT,
    }
}

/// Returns whether the header is the one that [`new`] makes, apart from the minor version. If not,
/// [`check`] says what is wrong.
#[inline(always)]
pub fn is<T>(header: &abi::d2d_header, magic: u32) -> bool {
    let expected = new::<T>(magic);
    let first = |header: &abi::d2d_header| u64::from(header.magic) | u64::from(header.size) << 32;
    let second =
        |header: &abi::d2d_header| u64::from(header.major) | u64::from(header.layout) << 32;
    first(header) == first(&expected) && second(header) == second(&expected)
}

/// Refuses an object whose header is not that of a `T` of this ABI version. The refusal names
/// `driver`, and calls the object `what`. Any context.
///
/// # Errors
///
/// `EBADMSG` for the magic number, `EPROTO` for the major version, `EMSGSIZE` for the size, `EBADE`
/// for the layout.
pub fn check<T>(driver: &CStr, what: &str, header: &abi::d2d_header, magic: u32) -> Result {
    let expected = new::<T>(magic);
    let (reason, error, got, wanted) = if header.magic != expected.magic {
        ("bad-magic", EBADMSG, header.magic, expected.magic)
    } else if header.major != expected.major {
        (
            "bad-major",
            EPROTO,
            header.major.into(),
            expected.major.into(),
        )
    } else if header.size != expected.size {
        ("bad-size", EMSGSIZE, header.size, expected.size)
    } else if header.layout != expected.layout {
        ("bad-layout", EBADE, header.layout, expected.layout)
    } else {
        return Ok(());
    };
    Err(refuse!(driver, reason, error, what: what, got: got, expected: wanted))
}

#[cfg(d2d_tests)]
mod tests;

// SPDX-License-Identifier: GPL-2.0

//! The name of an event.

use crate::{
    export::Arg,
    registry::Refusal, //
};
use d2d::abi;
use kernel::{
    ffi::c_char,
    prelude::*, //
};

/// The name of an event, with a NUL.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Name([u8; abi::D2D_EVENT_NAME_SIZE as usize]);

impl Name {
    /// Reads a name from an address that may be bad. Any context.
    ///
    /// # Errors
    ///
    /// `EFAULT`, `ENAMETOOLONG` or `EINVAL`, as `d2d_event_create` says of a name.
    pub(crate) fn read(from: Arg<*const c_char>) -> Result<Self, Refusal> {
        let name = from.string().ok_or(("bad-event-name-pointer", EFAULT))?;
        if !name.is_complete() {
            return Err(("event-name-too-long", ENAMETOOLONG));
        }
        let text = name.as_c_str().to_bytes();
        let right = text
            .iter()
            .all(|byte| byte.is_ascii_graphic() && *byte != b'/');
        if right && !matches!(text, b"" | b"." | b"..") {
            Ok(Self(*name.bytes()))
        } else {
            Err(("bad-event-name", EINVAL))
        }
    }

    pub(crate) fn as_c_str(&self) -> &CStr {
        // `read` has refused a name without a NUL.
        CStr::from_bytes_until_nul(&self.0).unwrap_or(c"?")
    }
}

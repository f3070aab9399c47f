// SPDX-License-Identifier: GPL-2.0

//! The buffers of requests, which drivers have no pointers to.

use crate::{
    entry::Phase,
    handle::Kind,
    requests::Requests, //
};
use d2d::{
    abi::d2d_handle,
    probe, //
};
use kernel::prelude::*;

impl Requests {
    /// Reads the input or the output of a request; see `d2d_request_read`.
    ///
    /// # Safety
    ///
    /// `buffer` is null or valid for writes of `len` bytes.
    pub(crate) unsafe fn read(&self, handle: d2d_handle, buffer: *mut u8, len: u32) -> Result {
        let length = len as usize;
        let read = {
            let mut inner = self.inner.lock();
            let from = if Kind::Held.parts(handle).is_some() {
                inner
                    .held(handle)
                    .map(|(_, entry)| entry.input.get(..entry.input_len as usize))
            } else {
                inner.sent(handle).and_then(|entry| match entry.phase {
                    Phase::Idle => Ok(entry.output.get(..entry.result.output_len as usize)),
                    _ => Err(("request-on-its-way", EBUSY)),
                })
            };
            from.and_then(|from| {
                let from = from
                    .and_then(|from| from.get(..length))
                    .ok_or(("nothing-to-read", EMSGSIZE))?;
                if buffer.is_null() {
                    return Err(("no-buffer", EFAULT));
                }
                // SAFETY: By the requirements; no driver has a pointer into the request.
                unsafe { buffer.copy_from_nonoverlapping(from.as_ptr(), length) };
                Ok(())
            })
        };
        read.map_err(|refusal| self.refuse(refusal, handle))
    }

    /// Replaces the output of a request; see `d2d_request_write`. A bad pointer does no harm.
    pub(crate) fn write(&self, handle: d2d_handle, buffer: *const u8, len: u32) -> Result {
        let length = len as usize;
        let written = {
            let mut inner = self.inner.lock();
            inner.held(handle).and_then(|(_, entry)| {
                if length > entry.output_room as usize || length > entry.output.len() {
                    return Err(("output-too-long", EMSGSIZE));
                }
                let output = entry.output.as_mut_ptr();
                // SAFETY: The output is at least that long.
                if length > 0 && !unsafe { probe::copy(output, buffer, length) } {
                    return Err(("bad-output-pointer", EFAULT));
                }
                entry.result.output_len = len;
                Ok(())
            })
        };
        written.map_err(|refusal| self.refuse(refusal, handle))
    }
}

// SPDX-License-Identifier: GPL-2.0

//! The buffers of requests, which drivers have no pointers to.

use crate::{
    bounce::{
        keep,
        Bounce, //
    },
    entry::{
        Phase,
        Refusal, //
    },
    handle::Kind,
    requests::Requests, //
};
use d2d::{
    abi::d2d_handle,
    probe, //
};
use kernel::prelude::*;

impl Requests {
    /// Reads the input or the output of a request; see `d2d_request_read`. A bad pointer does no harm.
    ///
    /// # Safety
    ///
    /// If `buffer` is valid for writes of `len` bytes, nobody else uses what is there.
    pub(crate) unsafe fn read(&self, handle: d2d_handle, buffer: *mut u8, len: u32) -> Result {
        let mut bounce = Bounce::new();
        let read = self.keep(handle, len as usize, &mut bounce);
        read.and_then(|bytes| {
            if buffer.is_null() {
                return Err(("no-buffer", EFAULT));
            }
            // SAFETY: The caller says that nobody else uses what is at `buffer`.
            if !unsafe { probe::copy_to(buffer, bytes) } {
                return Err(("bad-buffer-pointer", EFAULT));
            }
            Ok(())
        })
        .map_err(|refusal| self.refuse(refusal, handle))
    }

    /// Copies what is to be read from a request.
    fn keep<'a>(
        &self,
        handle: d2d_handle,
        length: usize,
        bounce: &'a mut Bounce,
    ) -> Result<&'a [u8], Refusal> {
        let room = bounce.room(length)?;
        let mut inner = self.inner.lock();
        let from = if Kind::Held.parts(handle).is_some() {
            let (_, entry) = inner.held(handle)?;
            entry.input.get(..entry.input_len as usize)
        } else {
            let entry = inner.sent(handle)?;
            if entry.phase != Phase::Idle {
                return Err(("request-on-its-way", EBUSY));
            }
            entry.output.get(..entry.result.output_len as usize)
        };
        let from = from
            .and_then(|from| from.get(..length))
            .ok_or(("nothing-to-read", EMSGSIZE))?;
        Ok(keep(room, from))
    }

    /// Replaces the output of a request; see `d2d_request_write`. A bad pointer does no harm.
    pub(crate) fn write(&self, handle: d2d_handle, buffer: *const u8, len: u32) -> Result {
        self.replace(handle, buffer, len)
            .map_err(|refusal| self.refuse(refusal, handle))
    }

    fn replace(&self, handle: d2d_handle, buffer: *const u8, len: u32) -> Result<(), Refusal> {
        let mut bounce = Bounce::new();
        let bytes = bounce.load(buffer, len as usize, "bad-output-pointer")?;
        let mut inner = self.inner.lock();
        let (_, entry) = inner.held(handle)?;
        let room = entry.output.get_mut(..len as usize);
        let output = room
            .filter(|_| len <= entry.output_room)
            .ok_or(("output-too-long", EMSGSIZE))?;
        output.copy_from_slice(bytes);
        entry.result.output_len = len;
        Ok(())
    }
}

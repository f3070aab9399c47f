// SPDX-License-Identifier: GPL-2.0

//! Reading and writing the buffers of requests by handle.
//!
//! A thread in the in-place call reads the input without a pin. Every other copy pins the request.

use super::{
    record::Record,
    word::{
        self,
        bits,
        Phase,
        Word, //
    },
    Requests,
    IN_USE,
    ON_ITS_WAY, //
};
use crate::{
    export::Arg,
    handle::Kind,
    probe::{
        self,
        Stack, //
    },
    registry::Refusal, //
};
use core::ffi::c_void;
use d2d::{
    abi::d2d_handle,
    word::AtomicOnce as _, //
};
use kernel::prelude::*;

/// Access to the buffers of a request. Until this is dropped, they are not freed, and the request is
/// not sent again.
struct Access<'a> {
    requests: &'a Requests,
    record: &'a Record,
    pinned: bool,
}

impl Drop for Access<'_> {
    fn drop(&mut self) {
        if self.pinned {
            self.requests.unpin(self.record);
        }
    }
}

impl Requests {
    /// See `d2d_request_read`. Any context. `buffer` may be a bad pointer.
    pub(crate) fn read(&self, handle: d2d_handle, buffer: Arg<*mut c_void>, len: u32) -> Result {
        let is_holder = Kind::Held.parts(handle).is_some();
        let access = match is_holder {
            true => self.access(handle, false),
            false => self.access_home(handle),
        };
        access
            .and_then(|access| {
                let record = access.record;
                let (from, length) = match is_holder {
                    true => (record.input.get(), record.input_len.get()),
                    false => (record.output.get(), record.output_len.get()),
                };
                if len > length {
                    return Err(("nothing-to-read", EMSGSIZE));
                }
                if buffer.get().is_null() {
                    return Err(("no-buffer", EFAULT));
                }
                // SAFETY: `from` has `length` bytes, which are at least `len`. The pin of `access` or the
                // in-place call keeps them.
                if !unsafe { buffer.copy_out(Stack::current(), from, len as usize) } {
                    return Err(("bad-buffer-pointer", EFAULT));
                }
                Ok(())
            })
            .map_err(|refusal| self.refuse(refusal, handle))
    }

    /// See `d2d_request_write`. Any context. `buffer` may be a bad pointer.
    pub(crate) fn write(&self, handle: d2d_handle, buffer: *const u8, len: u32) -> Result {
        self.access(handle, true)
            .and_then(|access| {
                let record = access.record;
                if len > record.output_room.get() {
                    return Err(("output-too-long", EMSGSIZE));
                }
                // With `len` 0, `buffer` is not used: the address of a Rust value without bytes need not
                // be a kernel address.
                // SAFETY: The output has room for `output_room` bytes, which are at least `len`,
                // and `access` keeps them.
                if len > 0 && !unsafe { probe::copy(record.output.get(), buffer, len as usize) } {
                    // A part of the output may have been overwritten.
                    record.output_len.set(0);
                    return Err(("bad-output-pointer", EFAULT));
                }
                record.output_len.set(len);
                Ok(())
            })
            .map_err(|refusal| self.refuse(refusal, handle))
    }

    /// Gives the holder access. A write pins the request even in the in-place call: if a driver leaves,
    /// the request may go home before the in-place call has ended.
    #[inline]
    fn access(&self, handle: d2d_handle, writes: bool) -> Result<Access<'_>, Refusal> {
        let (record, generation) = self.held(handle)?;
        loop {
            let held = record.word();
            if !held.is_held_as(generation) || held.has(bits::QUEUED) {
                return Err(self.why_stale(record, generation));
            }
            let pinned = writes || !record.is_inside(held, generation);
            if !pinned || self.pin(record, held)? {
                return Ok(Access {
                    requests: self,
                    record,
                    pinned,
                });
            }
        }
    }

    /// Gives the sender access, if the request is home.
    fn access_home(&self, handle: d2d_handle) -> Result<Access<'_>, Refusal> {
        loop {
            let (record, word) = self.sent(handle)?;
            if !word.is(Phase::Idle) {
                return Err(ON_ITS_WAY);
            }
            if self.pin(record, word)? {
                return Ok(Access {
                    requests: self,
                    record,
                    pinned: true,
                });
            }
        }
    }

    /// Pins a request if its state is still `word`, and returns whether it was. Leaves the last pin for the
    /// call of the holder's `cancelled()`. This call must not wait until a copy ends: it may have
    /// interrupted the copy on this CPU.
    fn pin(&self, record: &Record, word: Word) -> Result<bool, Refusal> {
        if word.0 & bits::PINS >= bits::PINS - bits::PIN {
            return Err(IN_USE);
        }
        Ok(record.transition(&word::PINNED, word).is_some())
    }

    /// Ends a pin. If the delivery has waited for the pin, delivers the request. If the freeing of the
    /// record has waited for it, frees the record.
    pub(super) fn unpin(&self, record: &Record) {
        let Ok(word) = record.go(&word::UNPINNED) else {
            return;
        };
        if word.is_over() {
            self.deliver(record);
        } else if word.is_unused() {
            self.reclaim(record);
        }
    }
}

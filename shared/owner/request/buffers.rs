// SPDX-License-Identifier: GPL-2.0

//! Reading and writing the buffers of requests by handle.
//!
//! A thread reads the input in the frame that may use the buffers in place without more. Any other copy pins
//! the request: as long as it runs, the request does not go up, and is neither sent nor freed. No copy of a
//! driver's pointer faults, however bad the pointer is.

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
    handle::Kind,
    registry::Refusal, //
};
use d2d::{
    abi::d2d_handle,
    probe, //
};
use kernel::prelude::*;

/// Access to the buffers of a request. They stay what they are until this is dropped.
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
    /// Reads the input or the output of a request; see `d2d_request_read`. A bad pointer does no harm.
    ///
    /// # Safety
    ///
    /// If `buffer` is valid for writes of `len` bytes, nobody else uses what is there.
    pub(crate) unsafe fn read(&self, handle: d2d_handle, buffer: *mut u8, len: u32) -> Result {
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
                if buffer.is_null() {
                    return Err(("no-buffer", EFAULT));
                }
                // SAFETY: There are as many bytes to be read, and the caller says that nobody else uses
                // what is at `buffer`.
                if !unsafe { probe::copy_out(buffer, from, len as usize) } {
                    return Err(("bad-buffer-pointer", EFAULT));
                }
                Ok(())
            })
            .map_err(|refusal| self.refuse(refusal, handle))
    }

    /// Replaces the output of a request; see `d2d_request_write`. A bad pointer does no harm.
    pub(crate) fn write(&self, handle: d2d_handle, buffer: *const u8, len: u32) -> Result {
        self.access(handle, true)
            .and_then(|access| {
                let record = access.record;
                if len > record.output_room.get() {
                    return Err(("output-too-long", EMSGSIZE));
                }
                // SAFETY: There is room for as many bytes.
                if !unsafe { probe::copy(record.output.get(), buffer, len as usize) } {
                    // Some of it may have been replaced.
                    record.output_len.set(0);
                    return Err(("bad-output-pointer", EFAULT));
                }
                record.output_len.set(len);
                Ok(())
            })
            .map_err(|refusal| self.refuse(refusal, handle))
    }

    /// Gives its holder access to the buffers of a request. The length of the output is written only under a
    /// pin, even in the frame that uses the buffers: if a driver leaves, the request goes home before the frame
    /// has ended.
    #[inline]
    fn access(&self, handle: d2d_handle, writes: bool) -> Result<Access<'_>, Refusal> {
        let (record, seq) = self.held(handle)?;
        loop {
            let held = record.word();
            if !held.is_held_as(seq) || held.has(bits::QUEUED) {
                return Err(self.stale_hold(record, seq));
            }
            let pinned = writes || !record.is_inside(held, seq);
            if !pinned || self.pin(record, held)? {
                return Ok(Access {
                    requests: self,
                    record,
                    pinned,
                });
            }
        }
    }

    /// Gives its sender access to the buffers of a request.
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

    /// Pins a request in this state. Returns whether it was still in it. The last pin is left for telling the
    /// holder that the request is taken, which must not wait for the copies: they may run on this CPU, interrupted.
    fn pin(&self, record: &Record, word: Word) -> Result<bool, Refusal> {
        if word.0 & bits::PINS >= bits::PINS - bits::PIN {
            return Err(IN_USE);
        }
        Ok(record.step(&word::PINNED, word).is_some())
    }

    /// Ends a pin, and does what has waited for that.
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

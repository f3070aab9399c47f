// SPDX-License-Identifier: GPL-2.0

//! Room for what is copied between a driver and a request.
//!
//! A driver's pointer may be bad, and what it points to may be slow to reach, so no lock is held
//! while it is followed. The bytes rest here: the owner reads them from the driver before it takes
//! the lock, or writes them to the driver after it has released the lock. Meanwhile the request may
//! be cancelled or sent again. So the owner decides under the lock what becomes of a copy, once for
//! all of its bytes.

use crate::entry::Refusal;
use core::mem::MaybeUninit;
use d2d::{
    abi,
    probe, //
};
use kernel::prelude::*;

/// Bytes for which no memory is allocated.
const FEW: usize = 256;

/// Room for as many bytes as a buffer can have, on the stack or on the heap.
pub(crate) struct Bounce {
    few: [MaybeUninit<u8>; FEW],
    many: KVec<u8>,
}

impl Bounce {
    /// Makes one.
    #[inline]
    pub(crate) const fn new() -> Self {
        Self {
            few: [MaybeUninit::uninit(); FEW],
            many: KVec::new(),
        }
    }

    /// Makes room for `length` bytes, or no room if no buffer can be so long. Any context.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, if it has to allocate.
    pub(crate) fn room(&mut self, length: usize) -> Result<&mut [MaybeUninit<u8>], Refusal> {
        if length <= FEW {
            return Ok(&mut self.few[..length]);
        }
        if length > abi::D2D_BUFFER_SIZE as usize {
            return Ok(&mut []);
        }
        self.many =
            KVec::with_capacity(length, GFP_ATOMIC).map_err(|_| ("out-of-memory", ENOMEM))?;
        Ok(&mut self.many.spare_capacity_mut()[..length])
    }

    /// Reads `length` bytes from an address that a driver has named, or no bytes if no buffer can
    /// be so long. Any context.
    ///
    /// # Errors
    ///
    /// `EFAULT` with the reason `bad` if they cannot be read, `ENOMEM`.
    pub(crate) fn load(
        &mut self,
        from: *const u8,
        length: usize,
        bad: &'static str,
    ) -> Result<&[u8], Refusal> {
        let room = self.room(length)?;
        // SAFETY: `room` is valid for writes of its length.
        if !room.is_empty() && !unsafe { probe::copy(room.as_mut_ptr().cast(), from, room.len()) } {
            return Err((bad, EFAULT));
        }
        // SAFETY: All of it was written.
        Ok(unsafe { core::slice::from_raw_parts(room.as_ptr().cast(), room.len()) })
    }
}

/// Copies to `room` as many bytes as fit, and returns the copy.
pub(crate) fn keep<'a>(room: &'a mut [MaybeUninit<u8>], from: &[u8]) -> &'a [u8] {
    for (to, from) in room.iter_mut().zip(from) {
        to.write(*from);
    }
    let length = room.len().min(from.len());
    // SAFETY: The first `length` bytes were written.
    unsafe { core::slice::from_raw_parts(room.as_ptr().cast(), length) }
}

// SPDX-License-Identifier: GPL-2.0

//! The blocks of data of a context: the owner's, the peer's, and the shared one.
//!
//! C type: `struct d2d_data`. A newer minor version of a pair may append fields. So a peer accepts
//! blocks that are larger than its pair declares, but no smaller ones.

use crate::{
    abi,
    link::Pair,
    refuse,
    trace::check_parameter, //
};
use core::mem::offset_of;
use kernel::prelude::*;

/// The indexes of the blocks.
pub(crate) const OWNER: usize = 0;
pub(crate) const PEER: usize = 1;
pub(crate) const SHARED: usize = 2;

const NAMES: [&str; 3] = ["owner", "peer", "shared"];

/// The sizes of the blocks of a context, in bytes, each at most `D2D_DATA_SIZE`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Sizes([usize; 3]);

impl Sizes {
    /// Returns the sizes that the pair `P` declares.
    pub const fn of<P: Pair>() -> Self {
        const fn size<T>() -> usize {
            assert!(
                size_of::<T>() <= abi::D2D_DATA_SIZE as usize,
                "a block of data has more than D2D_DATA_SIZE bytes"
            );
            assert!(
                align_of::<T>() <= align_of::<u64>(),
                "the alignment of a block of data is more than 8 bytes"
            );
            size_of::<T>()
        }
        Self([
            size::<P::OwnerData>(),
            size::<P::PeerData>(),
            size::<P::Shared>(),
        ])
    }

    /// Makes a `Sizes` of the sizes that an owner in C states. Any context.
    ///
    /// # Errors
    ///
    /// `ERANGE`, with a line in the name of `driver`, for a block of more than `D2D_DATA_SIZE` bytes.
    #[inline]
    pub fn stated(driver: &CStr, owner: u32, peer: u32, shared: u32) -> Result<Self> {
        let check = |name, size| {
            check_parameter(driver, name, size, 0..=abi::D2D_DATA_SIZE).map(|size| size as usize)
        };
        Ok(Self([
            check("owner_size", owner)?,
            check("peer_size", peer)?,
            check("shared_size", shared)?,
        ]))
    }

    #[inline]
    pub(crate) const fn get(&self, block: usize) -> usize {
        self.0[block]
    }

    /// Returns the offset of a block from the first one, in bytes: a multiple of 8.
    #[inline]
    pub(crate) const fn offset(&self, block: usize) -> usize {
        let mut offset = 0;
        let mut before = 0;
        while before < block {
            offset += self.0[before].next_multiple_of(size_of::<u64>());
            before += 1;
        }
        offset
    }

    /// Returns the size of a context with these blocks, in bytes.
    #[inline]
    pub const fn context_bytes(&self) -> usize {
        let blocks = offset_of!(abi::d2d_context, data.blocks) + self.offset(NAMES.len());
        if blocks > size_of::<abi::d2d_context>() {
            blocks
        } else {
            size_of::<abi::d2d_context>()
        }
    }

    /// Returns the sizes as a context states them.
    #[inline]
    pub fn bytes(&self) -> [u64; 3] {
        self.0.map(|size| size as u64)
    }

    /// Returns the sizes that a context states, if no block is smaller than `self` says. Any
    /// context.
    ///
    /// # Errors
    ///
    /// `EMSGSIZE`, with a line in the name of `driver`, for a smaller block, or one of more than
    /// `D2D_DATA_SIZE` bytes.
    #[inline]
    pub(crate) fn at_least(&self, driver: &CStr, stated: [u64; 3]) -> Result<Self> {
        let both = stated.into_iter().zip(self.0);
        for (what, (got, expected)) in NAMES.into_iter().zip(both) {
            if got < expected as u64 || got > abi::D2D_DATA_SIZE.into() {
                return Err(refuse!(
                    driver, "bad-data-size", EMSGSIZE, what: what, got: got, expected: expected
                ));
            }
        }
        Ok(Self(stated.map(|size| size as usize)))
    }
}

#[cfg(d2d_tests)]
mod tests;

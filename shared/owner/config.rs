// SPDX-License-Identifier: GPL-2.0

//! The configuration of an owner's contexts.

use crate::kernel_calls::si_mem_available;
use d2d::{
    abi,
    data::Sizes,
    trace::check_parameter, //
};
use kernel::{
    page::PAGE_SIZE,
    prelude::*, //
};

const CONTEXTS: u32 = 64;
const CAPACITY: u32 = 1 << 20;
const ITEM_SIZE: u32 = 4096;

// The handle of an item has room for the item's index and for the id of its queue; a context has
// two queues. The 16-bit length of an item can hold the size of its payload.
const _: () = assert!(
    CAPACITY <= 1 << abi::D2D_ITEM_INDEX_BITS
        && 2 * CONTEXTS << abi::D2D_ITEM_INDEX_BITS <= abi::D2D_HANDLE_ITEM
        && ITEM_SIZE <= u16::MAX as u32
);

/// How the owner learns of the completion of a handshake.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Learn {
    /// By the return of the peer's dispatch routine; by a wait if the request is pending then.
    Return,
    /// By the owner's completion routine, in the thread that completes the request.
    Routine,
    /// Always by a wait.
    Wait,
}

/// The configuration of an owner's contexts.
#[derive(Clone, Copy)]
pub struct Config {
    pub(crate) contexts: u32,
    /// Items of each queue.
    pub(crate) capacity: u32,
    /// Bytes of each item's payload.
    pub(crate) item_size: u32,
    pub(crate) learn: Learn,
    /// The time limit of a handshake, in milliseconds.
    pub(crate) timeout: u32,
    /// Whether [`Config::print_hot_steps`] was called.
    pub(crate) hot_lines: bool,
}

impl Config {
    /// Checks the parameters of module `driver`. Any context.
    ///
    /// # Errors
    ///
    /// `ERANGE`, with a line, outside of these ranges:
    /// - `contexts`: 1 to 64
    /// - `capacity`: 1 to 1048576
    /// - `item_size`: 8 to 4096
    /// - `completion`: 0 (return), 1 (routine) or 2 (wait)
    /// - `timeout`: 1 to 600000 (milliseconds)
    pub fn new(
        driver: &CStr,
        contexts: u32,
        capacity: u32,
        item_size: u32,
        completion: u32,
        timeout: u32,
    ) -> Result<Self> {
        Ok(Self {
            contexts: check_parameter(driver, "contexts", contexts, 1..=CONTEXTS)?,
            capacity: check_parameter(driver, "capacity", capacity, 1..=CAPACITY)?,
            item_size: check_parameter(driver, "item_size", item_size, 8..=ITEM_SIZE)?,
            learn: match check_parameter(driver, "completion", completion, 0..=2)? {
                0 => Learn::Return,
                1 => Learn::Routine,
                _ => Learn::Wait,
            },
            timeout: check_parameter(driver, "timeout", timeout, 1..=600_000)?,
            hot_lines: false,
        })
    }

    /// Makes the owner print hot steps of all its drivers as lines: those of queues (`enqueue`,
    /// `dequeue`, `doorbell`) and calls of operations (`op-call`, `op-return`). Any context.
    #[must_use]
    pub fn print_hot_steps(mut self) -> Self {
        self.hot_lines = true;
        self
    }

    /// Returns the number of items of each queue.
    pub fn capacity(&self) -> u32 {
        self.capacity
    }

    /// Returns the size of each item's payload, in bytes.
    pub fn item_size(&self) -> u32 {
        self.item_size
    }

    /// Returns the size of an item with its header, in words of 8 bytes.
    pub(crate) fn item_words(&self) -> usize {
        size_of::<abi::d2d_item>().div_ceil(8) + (self.item_size as usize).div_ceil(8)
    }

    /// Checks that there is enough memory for all contexts. Without this check, the first ones could
    /// use up the memory of the machine before the allocation of a later one fails. Any context.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn check_memory(&self, sizes: Sizes) -> Result {
        let available = usize::try_from(si_mem_available()).unwrap_or(0) * PAGE_SIZE;
        match self.contexts as usize * self.context_bytes(sizes) > available {
            true => Err(ENOMEM),
            false => Ok(()),
        }
    }

    /// Returns the size of a context with its items, in bytes. `sizes` are those of its blocks of
    /// data.
    pub(crate) fn context_bytes(&self, sizes: Sizes) -> usize {
        let item = self.item_words() * 8 + size_of::<*mut abi::d2d_item>();
        sizes.context_bytes() + 2 * self.capacity as usize * item
    }
}

#[cfg(d2d_tests)]
mod tests;

// SPDX-License-Identifier: GPL-2.0

//! Test: a pair whose two sides lend each other memory.

#![forbid(unsafe_code)]

use d2d::link::OwnerLink;
use kernel::{
    prelude::*,
    sync::atomic::{
        Acquire,
        Atomic,
        Relaxed,
        Release, //
    }, //
};

/// The most values in a [`Ring`].
pub const CAPACITY: usize = 64;

d2d::pair! {
    /// A pair whose two sides lend each other memory.
    pub LendingPair: "lending" {
        owner_data: (),
        peer_data: (),
        version: (1, 0),
    }
    structs {}
    lent {
        /// A ring of values, which the owner lends. The peer puts values, and the owner takes them.
        struct Ring: "ring" {
            /// The number of values that were put.
            put: Atomic<u64>,
            /// The number of values that were taken.
            taken: Atomic<u64>,
            /// Value number N is in the slot N modulo the number of slots.
            slots: [Atomic<u64>; CAPACITY],
        }
        /// A counter, to which the owner adds. The peer lends an array of counters.
        struct Counter: "counter" {
            /// The sum of what the owner has added.
            count: Atomic<u32>,
            /// What the owner adds to `count` each time. The peer sets it.
            step: Atomic<u32>,
        }
    }
    kinds {}
    codes {
        /// Adds to the peer's counter to which `user_buffer` points. The output is the counter's index.
        const COUNT_ONE: ControlCode<(), u64> = 0x801;
        /// Asks which of the owner's rings `user_buffer` points to. The output is the ring's index.
        const WHICH_RING: ControlCode<(), u64> = 0x802;
    }
    owner {
        /// What the owner offers.
        trait LenderOps: "lender" {
            interface: LenderInterface,
            caller: LenderCaller,
            table: LenderTable,
        }
        /// Takes all values from the ring, and returns their sum.
        fn drain(&self, link: &OwnerLink<LendingPair>) -> Result<u64>;
        /// Adds to each counter of the peer, and returns the number of counters.
        fn count(&self, link: &OwnerLink<LendingPair>) -> Result<u64>;
        /// Asks for a ring in the peer's memory. Fails, because the peer lends counters.
        fn want_ring(&self, link: &OwnerLink<LendingPair>) -> Result<u64>;
    }
    peer {
        /// What the peer offers: nothing but its memory.
        trait BorrowerOps: "borrower" {
            interface: BorrowerInterface,
            caller: BorrowerCaller,
            table: BorrowerTable,
        }
    }
}

impl Ring {
    fn slot(&self, number: u64) -> &Atomic<u64> {
        &self.slots[number as usize % CAPACITY]
    }

    /// Puts a value. Only one thread at a time may call this function. Any context.
    ///
    /// # Errors
    ///
    /// `ENOSPC` if the ring is full.
    pub fn put(&self, value: u64) -> Result {
        let put = self.put.load(Relaxed);
        if put.wrapping_sub(self.taken.load(Acquire)) >= CAPACITY as u64 {
            return Err(ENOSPC);
        }
        self.slot(put).store(value, Relaxed);
        self.put.store(put.wrapping_add(1), Release);
        Ok(())
    }

    /// Takes a value, if there is one. Only one thread at a time may call this function. Any context.
    ///
    /// The other side may write any number to `put`. If there are more values than slots, returns `None`.
    pub fn take(&self) -> Option<u64> {
        let taken = self.taken.load(Relaxed);
        let values = self.put.load(Acquire).wrapping_sub(taken);
        if values == 0 || values > CAPACITY as u64 {
            return None;
        }
        let value = self.slot(taken).load(Relaxed);
        self.taken.store(taken.wrapping_add(1), Release);
        Some(value)
    }
}

impl Counter {
    /// Adds `step` to `count`. Any context.
    pub fn count(&self) {
        self.count.fetch_add(self.step.load(Relaxed), Relaxed);
    }
}

// SPDX-License-Identifier: GPL-2.0

//! The interface of the demonstration pair, module_a and module_b.

#![forbid(unsafe_code)]

pub mod demo_events;
pub mod demo_requests;

use d2d::{
    context::Context,
    link::{
        OwnerLink,
        PeerLink, //
    },
    pair,
    queue::Queue,
    step, //
};
use kernel::prelude::*;

/// Payload of the pair's items: a number.
pub type Note = u64;

/// The most calls inside each other that one `bounce` may make, all on one stack of the kernel.
pub const MAX_HOPS: u32 = 16;

/// The most items that [`take_all`] takes at a time.
const BATCH: u32 = 8;

/// Takes all items off a queue, for the driver `by`. Returns the number of [`NOTE`]s. Refuses each
/// item of another kind, with a line. Any context.
///
/// Fails with `EBADMSG` if items come in another order than they were put.
pub fn take_all(by: &CStr, queue: &Queue<'_>) -> Result<u32> {
    let (mut notes, mut next) = (0, 0);
    loop {
        let batch = queue.take_batch(if next == 0 { 1 } else { BATCH });
        if batch.is_empty() {
            return Ok(notes);
        }
        for item in batch.iter() {
            if item.seq < next {
                return Err(EBADMSG);
            }
            next = item.seq.wrapping_add(1);
            notes += u32::from(NOTE.expect(&item, by).is_ok());
        }
    }
}

/// Fails with `EBADMSG` if the result of an operation is not the expected one.
pub fn expect(result: u32, expected: u32) -> Result {
    if result == expected {
        Ok(())
    } else {
        Err(EBADMSG)
    }
}

/// Counts one more update in the shared block of a context, for the driver `by`. `own` selects the
/// count of this driver. Any context.
///
/// Fails with `EBADMSG` if an update was lost: then the drivers' counts do not add up to the number
/// of updates.
pub fn update(
    by: &CStr,
    context: &Context<DemoPair>,
    own: impl FnOnce(&mut SharedData) -> &mut u64,
) -> Result {
    let (value, sum) = context.with_shared(|shared| {
        shared.updates = shared.updates.wrapping_add(1);
        let count = own(shared);
        *count = count.wrapping_add(1);
        let sum = shared.by_owner.wrapping_add(shared.by_peer);
        (shared.updates, sum)
    });
    step!(by, update, ctx: context.id(), value: value);
    match value == sum {
        true => Ok(()),
        false => Err(EBADMSG),
    }
}

pair! {
    /// The pair of module_a and its peer. Operations may be called in task, softirq and hard
    /// interrupt context, so they do not sleep.
    pub DemoPair: "d2d_pair" {
        owner_data: OwnerData,
        peer_data: PeerData,
        shared_data: SharedData,
        version: (1, 0),
        baseline: include_str!("d2d_pair-1.0.h"),
    }
    structs {
        /// The owner's data in a context, which module_a writes when it is loaded.
        struct OwnerData: "owner_data" {
            /// Items in each queue.
            queue_capacity: u32,
            /// Bytes of payload of each item.
            item_size: u32,
        }
        /// The peer's data in a context, which it writes during the handshake.
        struct PeerData: "peer_data" {
            /// Any value that distinguishes the peer from others.
            cookie: u64,
            /// 1 if a work item of the peer completes the handshake.
            deferred: u32,
            /// 0.
            reserved: u32,
        }
        /// The data that both drivers share in a context. Each driver updates it once in each round of
        /// its exercise.
        struct SharedData: "shared_data" {
            /// Updates by either driver.
            updates: u64,
            /// Updates by module_a.
            by_owner: u64,
            /// Updates by its peers.
            by_peer: u64,
        }
        /// The input of COMPLETE.
        struct Complete: "complete" {
            /// The input of the PEND that this completes.
            key: u64,
            /// The output of that PEND.
            value: u64,
        }
    }
    kinds {
        /// A number.
        const NOTE: ItemKind<Note> = 1;
    }
    codes {
        /// Adds 1 to a number.
        const ADD: ControlCode<u64, u64> = 0x801;
        /// Stays pending until a [`COMPLETE`] with the same key. The input is the key, the output the
        /// value of that [`COMPLETE`]. Fails with `EBUSY` if too many are pending.
        const PEND: ControlCode<u64, u64> = 0x802;
        /// Completes a [`PEND`]. Fails with `ENOENT` if none with this key is pending.
        const COMPLETE: ControlCode<Complete, ()> = 0x803;
        /// Sets the two events of the driver that receives it.
        const SIGNAL: ControlCode<(), ()> = 0x804;
    }
    events {
        /// SIGNAL sets it, and the driver that has waited for it resets it.
        notice: Notification;
        /// SIGNAL sets it, and the driver that waits for it takes it.
        turn: Synchronization;
    }
    owner {
        /// The operations of module_a.
        trait OwnerOps: "owner" {
            interface: OwnerInterface,
            caller: OwnerCaller,
            table: OwnerTable,
        }
        /// Returns `value + 1`.
        fn ping(&self, link: &OwnerLink<DemoPair>, value: u32) -> Result<u32>;
        /// If `hops` is not 0, calls the other side's `bounce` with one hop less. Returns the number
        /// of calls that were made in all. Fails with `E2BIG` if `hops` is more than [`MAX_HOPS`].
        fn bounce(&self, link: &OwnerLink<DemoPair>, hops: u32) -> Result<u32>;
        /// Takes all items from the peer, and puts one for each note. Returns the number of notes.
        fn drain(&self, link: &OwnerLink<DemoPair>) -> Result<u32>;
    }
    peer {
        /// The operations of module_a's peer.
        trait PeerOps: "peer" {
            interface: PeerInterface,
            caller: PeerCaller,
            table: PeerTable,
        }
        /// Returns `value + 1`.
        fn ping(&self, link: &PeerLink<DemoPair>, value: u32) -> Result<u32>;
        /// If `hops` is not 0, calls the other side's `bounce` with one hop less. Returns the number
        /// of calls that were made in all. Fails with `E2BIG` if `hops` is more than [`MAX_HOPS`].
        fn bounce(&self, link: &PeerLink<DemoPair>, hops: u32) -> Result<u32>;
        /// Takes all items from the owner. Returns the number of notes.
        fn drain(&self, link: &PeerLink<DemoPair>) -> Result<u32>;
    }
}

#[cfg(d2d_tests)]
mod tests;

// SPDX-License-Identifier: GPL-2.0

//! The interface of the demonstration pair, module_a and module_b.
//!
//! C header: `shared/include/d2d_pair.h`. Operations may be called in task, softirq and hard
//! interrupt context, so they do not sleep.

#![forbid(unsafe_code)]

pub mod demo_events;
pub mod demo_requests;

use d2d::{
    abi,
    interface,
    link::{
        OwnerLink,
        Pair,
        PeerLink, //
    },
    queue::Queue, //
};
use kernel::prelude::*;

/// Kind of the pair's items, whose payload is a [`Note`].
pub const KIND_NOTE: u32 = abi::D2D_PAIR_KIND_NOTE;

/// Payload of the pair's items: a number.
pub type Note = u64;

/// The most calls in a chain that `bounce` makes. The chain is on one stack of the kernel.
pub const MAX_HOPS: u32 = 16;

/// The most items that [`take_all`] takes at a time.
const BATCH: u32 = 8;

/// Takes all items off a queue: first one item, then the rest in batches. Returns the number of
/// items. Any context.
///
/// Fails with `EBADMSG` if an item was put before one that this call has taken already.
pub fn take_all(queue: &Queue<'_>) -> Result<u32> {
    let (mut all, mut next) = (0, 0);
    loop {
        let batch = queue.take_batch(if all == 0 { 1 } else { BATCH });
        if batch.is_empty() {
            return Ok(all);
        }
        for item in batch.iter() {
            if item.seq < next {
                return Err(EBADMSG);
            }
            next = item.seq.wrapping_add(1);
        }
        all += batch.len() as u32;
    }
}

/// Checks the result of an operation. Fails with `EBADMSG` if it is not the expected one.
pub fn expect(result: u32, expected: u32) -> Result {
    if result == expected {
        Ok(())
    } else {
        Err(EBADMSG)
    }
}

/// The pair of module_a and its peer.
pub struct DemoPair;

impl Pair for DemoPair {
    type Owner = OwnerInterface;
    type Peer = PeerInterface;
    type OwnerData = abi::d2d_pair_owner_data;
    type PeerData = abi::d2d_pair_peer_data;
}

interface! {
    /// The operations of module_a.
    pub trait OwnerOps: "owner" {
        interface: OwnerInterface,
        caller: OwnerCaller,
        table: OwnerTable = abi::d2d_pair_owner_ops,
        chain: [
            abi::D2D_PAIR_OWNER_INTERFACE,
            abi::D2D_PAIR_OWNER_PING,
            abi::D2D_PAIR_OWNER_BOUNCE,
            abi::D2D_PAIR_OWNER_DRAIN,
        ],
        link: OwnerLink<DemoPair>,
        version: (1, 0),
    }
    /// Returns `value + 1`.
    fn ping(&self, link: &OwnerLink<DemoPair>, value: u32) -> Result<u32>;
    /// If `hops` is not 0, calls the other side's `bounce` with one hop less. Returns the number of
    /// calls that were made in all. Fails with `E2BIG` if `hops` is more than [`MAX_HOPS`].
    fn bounce(&self, link: &OwnerLink<DemoPair>, hops: u32) -> Result<u32>;
    /// Takes all items from the peer, and puts one for each. Returns the number of items taken.
    fn drain(&self, link: &OwnerLink<DemoPair>) -> Result<u32>;
}

interface! {
    /// The operations of module_a's peer.
    pub trait PeerOps: "peer" {
        interface: PeerInterface,
        caller: PeerCaller,
        table: PeerTable = abi::d2d_pair_peer_ops,
        chain: [
            abi::D2D_PAIR_PEER_INTERFACE,
            abi::D2D_PAIR_PEER_PING,
            abi::D2D_PAIR_PEER_BOUNCE,
            abi::D2D_PAIR_PEER_DRAIN,
        ],
        link: PeerLink<DemoPair>,
        version: (1, 0),
    }
    /// Returns `value + 1`.
    fn ping(&self, link: &PeerLink<DemoPair>, value: u32) -> Result<u32>;
    /// If `hops` is not 0, calls the other side's `bounce` with one hop less. Returns the number of
    /// calls that were made in all. Fails with `E2BIG` if `hops` is more than [`MAX_HOPS`].
    fn bounce(&self, link: &PeerLink<DemoPair>, hops: u32) -> Result<u32>;
    /// Takes all items from the owner. Returns the number of items taken.
    fn drain(&self, link: &PeerLink<DemoPair>) -> Result<u32>;
}

#[cfg(d2d_tests)]
mod tests;

// SPDX-License-Identifier: GPL-2.0

//! The interface of the demonstration pair, module_a and module_b.
//!
//! C header: `shared/include/d2d_pair.h`. Operations may be called in task, softirq and hard
//! interrupt context, so they do not sleep.

#![forbid(unsafe_code)]

use d2d::{
    abi,
    context::Pair,
    interface,
    link::{
        OwnerLink,
        PeerLink, //
    },
    queue::Queue, //
};

/// Kind of the items that carry a [`Note`].
pub const KIND_NOTE: u32 = 1;

/// Payload of the pair's items: a number.
pub type Note = u64;

/// Longest chain of calls that `bounce` makes; each takes some of the kernel's stack.
pub const MAX_HOPS: u32 = 16;

/// Items are taken off a queue this many at a time.
const BATCH: u32 = 8;

/// Takes everything off a queue, one item and then the rest in batches, and returns the number of
/// items.
///
/// Tells `taken` of each batch: how it was taken, how many items, and the sum of their notes.
pub fn take_all(queue: &Queue<'_>, mut taken: impl FnMut(&str, usize, Note)) -> u32 {
    let mut all = 0;
    let mut next = ("single", 1);
    loop {
        let (how, max) = next;
        let batch = queue.take_batch(max);
        if batch.is_empty() {
            return all;
        }
        let notes = batch.iter().filter_map(|item| item.read::<Note>());
        taken(how, batch.len(), notes.fold(0, Note::wrapping_add));
        all += batch.len() as u32;
        next = ("batch", BATCH);
    }
}

/// What module_a and its peer have agreed on.
pub struct DemoPair;

impl Pair for DemoPair {
    type Owner = OwnerInterface;
    type Peer = PeerInterface;
    type OwnerData = abi::d2d_pair_owner_data;
    type PeerData = abi::d2d_pair_peer_data;
}

interface! {
    /// What module_a offers.
    pub trait OwnerOps: "owner" {
        interface: OwnerInterface,
        caller: OwnerCaller,
        table: OwnerTable = abi::d2d_pair_owner_ops,
        link: OwnerLink<DemoPair>,
        version: (1, 0),
    }
    /// Returns `value + 1`.
    fn ping(&self, link: &OwnerLink<DemoPair>, value: u32) -> Result<u32>;
    /// While `hops` is not 0, calls the other side's with one less. Returns the calls made, or
    /// `E2BIG` for more than [`MAX_HOPS`].
    fn bounce(&self, link: &OwnerLink<DemoPair>, hops: u32) -> Result<u32>;
    /// Takes all items of its queue and answers each by one. Returns the items taken.
    fn drain(&self, link: &OwnerLink<DemoPair>) -> Result<u32>;
}

interface! {
    /// What its peer offers.
    pub trait PeerOps: "peer" {
        interface: PeerInterface,
        caller: PeerCaller,
        table: PeerTable = abi::d2d_pair_peer_ops,
        link: PeerLink<DemoPair>,
        version: (1, 0),
    }
    /// Returns `value + 1`.
    fn ping(&self, link: &PeerLink<DemoPair>, value: u32) -> Result<u32>;
    /// While `hops` is not 0, calls the other side's with one less. Returns the calls made, or
    /// `E2BIG` for more than [`MAX_HOPS`].
    fn bounce(&self, link: &PeerLink<DemoPair>, hops: u32) -> Result<u32>;
    /// Takes all items of its queue. Returns the items taken.
    fn drain(&self, link: &PeerLink<DemoPair>) -> Result<u32>;
}

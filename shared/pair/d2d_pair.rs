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
    fields,
    interface,
    link::{
        OwnerLink,
        Pair,
        PeerLink, //
    },
    queue::{
        Batch,
        Queue, //
    },
    trace::{
        emit,
        Step, //
    }, //
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

/// A summary of the items that were taken off a queue together, for the trace.
pub struct Taken {
    how: &'static str,
    count: usize,
    /// The numbers of the first and of the last item: how many were put on the queue before it.
    first: u64,
    last: u64,
    sum: Note,
}

impl Taken {
    fn new(how: &'static str, batch: &Batch<'_>) -> Self {
        let notes = batch.iter().filter_map(|item| item.read::<Note>());
        Self {
            how,
            count: batch.len(),
            first: batch.iter().next().map_or(0, |item| item.seq),
            last: batch.iter().last().map_or(0, |item| item.seq),
            sum: notes.fold(0, Note::wrapping_add),
        }
    }

    /// Prints the step of taking these items off `queue`, in the name of driver `by`.
    pub fn trace(&self, by: &CStr, queue: &str) {
        let &Self {
            how,
            count,
            first,
            last,
            sum,
        } = self;
        let fields = fields![queue: queue, n: count, how: how, first: first, last: last, sum: sum];
        emit(by, Step::D2D_STEP_DEQUEUE, &fields);
    }
}

/// Takes all items off a queue: first one item, then the rest in batches. Calls `each` for that
/// item and for each batch. Returns the number of items. Any context.
pub fn take_all(queue: &Queue<'_>, mut each: impl FnMut(Taken)) -> u32 {
    let Some(item) = queue.take() else {
        return 0;
    };
    each(Taken::new("single", &item));
    drop(item);
    let mut all = 1;
    loop {
        let batch = queue.take_batch(BATCH);
        if batch.is_empty() {
            return all;
        }
        each(Taken::new("batch", &batch));
        all += batch.len() as u32;
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

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

/// Kind of the items that carry a [`Note`].
pub const KIND_NOTE: u32 = abi::D2D_PAIR_KIND_NOTE;

/// Payload of the pair's items: a number.
pub type Note = u64;

/// Longest chain of calls that `bounce` makes; each takes some of the kernel's stack.
pub const MAX_HOPS: u32 = 16;

/// Items are taken off a queue this many at a time.
const BATCH: u32 = 8;

/// What was taken off a queue together, as it stands in the trace.
pub struct Taken {
    how: &'static str,
    count: usize,
    /// Number of items that were put on the queue before the first one, and before the last one.
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
}

impl Taken {
    /// Takes the step of driver `by`.
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

/// Takes everything off a queue, one item and then the rest in batches, and returns the number of
/// items. Tells `each` of what is taken together.
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
    /// While `hops` is not 0, calls the other side's with one less. Returns the calls made, or
    /// `E2BIG` for more than [`MAX_HOPS`].
    fn bounce(&self, link: &PeerLink<DemoPair>, hops: u32) -> Result<u32>;
    /// Takes all items of its queue. Returns the items taken.
    fn drain(&self, link: &PeerLink<DemoPair>) -> Result<u32>;
}

#[cfg(d2d_tests)]
mod tests;

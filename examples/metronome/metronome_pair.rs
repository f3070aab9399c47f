// SPDX-License-Identifier: GPL-2.0

//! What the metronome and the listener have agreed on.
//!
//! The metronome is the owner of the context and is loaded first; the listener is the peer. Each has
//! a job: the metronome a timer, the listener a work item.

#![forbid(unsafe_code)]

use d2d::{
    interface,
    link::{
        OwnerLink,
        Pair,
        PeerLink, //
    }, //
};
use zerocopy_derive::{
    FromBytes,
    Immutable,
    IntoBytes, //
};

/// Kind of the items that carry a [`Beat`].
pub const KIND_BEAT: u32 = 1;

/// Payload of an item.
#[derive(Clone, Copy, FromBytes, Immutable, IntoBytes)]
#[repr(C)]
pub struct Beat {
    /// Counts the beats, from 0.
    pub number: u64,
}

/// What the metronome and the listener have agreed on.
pub struct MetronomePair;

impl Pair for MetronomePair {
    type Owner = MetronomeInterface;
    type Peer = ListenerInterface;
    type OwnerData = ();
    type PeerData = ();
}

interface! {
    /// What the metronome offers. Its operation may be called in any execution context.
    pub trait MetronomeOps: "metronome" {
        interface: MetronomeInterface,
        caller: MetronomeCaller,
        table: MetronomeTable,
        link: OwnerLink<MetronomePair>,
        version: (1, 0),
    }
    /// Makes the metronome beat every `period` microseconds, or stop if `period` is 0. Fails with
    /// `EINVAL` if `period` is 1 to 19, or more than a second.
    fn set_period(&self, link: &OwnerLink<MetronomePair>, period: u32) -> Result<u32>;
}

interface! {
    /// What the listener offers. Its operation is called in hard interrupt.
    pub trait ListenerOps: "listener" {
        interface: ListenerInterface,
        caller: ListenerCaller,
        table: ListenerTable,
        link: PeerLink<MetronomePair>,
        version: (1, 0),
    }
    /// Says that there are beats in the queue. Returns 0.
    fn beats(&self, link: &PeerLink<MetronomePair>) -> Result<u32>;
}

// SPDX-License-Identifier: GPL-2.0

//! What the sensor and the consumer have agreed on.
//!
//! `docs/porting.md` shows how this pair was ported from `windows/example/`. The consumer is the
//! owner of the context and is loaded first; the sensor is the peer.

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

/// Kind of the items that carry a [`Sample`].
pub const KIND_SAMPLE: u32 = 1;

/// How many samples the sensor raises after a rate is set.
pub const BURST: u32 = 16;

/// Payload of an item.
#[derive(Clone, Copy, FromBytes, Immutable, IntoBytes)]
#[repr(C)]
pub struct Sample {
    /// Counts the samples, from 0.
    pub number: u64,
    /// The measured value.
    pub value: u64,
}

/// What the consumer and the sensor have agreed on.
pub struct SensorPair;

impl Pair for SensorPair {
    type Owner = ConsumerInterface;
    type Peer = SensorInterface;
    type OwnerData = ();
    type PeerData = ();
}

interface! {
    /// What the consumer offers: nothing.
    pub trait ConsumerOps: "consumer" {
        interface: ConsumerInterface,
        caller: ConsumerCaller,
        table: ConsumerTable,
        link: OwnerLink<SensorPair>,
        version: (1, 0),
    }
}

interface! {
    /// What the sensor offers. Operations are called in any execution context.
    pub trait SensorOps: "sensor" {
        interface: SensorInterface,
        caller: SensorCaller,
        table: SensorTable,
        link: PeerLink<SensorPair>,
        version: (1, 0),
    }
    /// Makes the sensor raise [`BURST`] samples, one every `period` milliseconds. Returns the
    /// previous period. Fails with `EINVAL` if `period` is not 1 to 1000, and with `EBUSY` while
    /// samples of an earlier call are left.
    fn set_rate(&self, link: &PeerLink<SensorPair>, period: u32) -> Result<u32>;
}

// SPDX-License-Identifier: GPL-2.0

//! Bench: what the owner and the peer have agreed on that measure calls between them.
//!
//! - `bench_owner.rs` and `bench_peer.rs`: the two drivers, each with the loops that run in it.
//! - `contender.rs` and `harness.c`: how a loop is measured.
//! - `mechanisms.c`: what the kernel has for the same purposes.

#![forbid(unsafe_code)]

use d2d::{
    context::Pair,
    interface,
    link::{
        OwnerLink,
        PeerLink, //
    },
    request::ControlCode, //
};

/// A request that is completed at once with `value + 1`.
pub const PING: ControlCode<u32, u32> = ControlCode::new(0x801);
/// A request that is left pending, and completed with `value + 1` by who has received it all the same.
pub const PEND: ControlCode<u32, u32> = ControlCode::new(0x802);

/// What the bench's owner and its peer have agreed on.
pub struct BenchPair;

impl Pair for BenchPair {
    type Owner = OwnerInterface;
    type Peer = PeerInterface;
    type OwnerData = [u64; 1];
    type PeerData = [u64; 1];
}

interface! {
    /// What the owner offers.
    pub trait OwnerOps: "bench-owner" {
        interface: OwnerInterface,
        caller: OwnerCaller,
        table: OwnerTable,
        link: OwnerLink<BenchPair>,
        version: (1, 0),
    }
    /// Returns `value + 1`.
    fn ping(&self, link: &OwnerLink<BenchPair>, value: u32) -> Result<u32>;
    /// Calls the peer so many times, and returns what the last call has returned.
    fn call_peer(&self, link: &OwnerLink<BenchPair>, times: u64) -> Result<u32>;
}

interface! {
    /// What the peer offers.
    pub trait PeerOps: "bench-peer" {
        interface: PeerInterface,
        caller: PeerCaller,
        table: PeerTable,
        link: PeerLink<BenchPair>,
        version: (1, 0),
    }
    /// Returns `value + 1`.
    fn ping(&self, link: &PeerLink<BenchPair>, value: u32) -> Result<u32>;
}

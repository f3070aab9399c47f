// SPDX-License-Identifier: GPL-2.0

//! Torture: load on the shared contexts, and shadow books that tell what has gone wrong.
//!
//! In the manner of the kernel's locktorture and rcutorture. Processes write commands to the control
//! files of an owner and of several peers, each of which makes a *run*: many random operations on
//! both queues and calls in both directions, some of it in a worker, in softirq and in hard
//! interrupt, while peers come and go. What is put is told from all else that was ever put, so that
//! whoever takes it can say whether it is whole, where it belongs, and in order; sums over all that
//! was put and taken tell what got lost or came twice.
//!
//! - [`events`]: commands on named events, of which the torture itself makes no use.
//! - `item`: what the items carry, and what is checked of those that are taken.
//! - [`run`]: the operations.
//! - [`signal`]: the named events.
//! - [`tally`]: the books.
//! - [`volley`]: requests that both sides act on at the same time.
//! - [`peer`]: the driver that peers consist of. The owner is `torture_owner.rs`.
//!
//! `program/run_torture.rs` is what drives all of it.

#![forbid(unsafe_code)]

pub mod command;
pub mod events;
mod item;
pub mod peer;
pub mod run;
pub mod signal;
pub mod tally;
pub mod volley;

use d2d::{
    context::Pair,
    interface,
    link::{
        OwnerLink,
        PeerLink, //
    }, //
};
use kernel::prelude::*;

pub use item::{
    Checker,
    Taken, //
};

/// What a peer's operation returns when it runs although the peer is gone.
pub const GONE: Error = EOWNERDEAD;

/// What a peer writes into its data.
pub const COOKIE: u64 = 0x7065_6572;

/// What the torture's owner and its peers have agreed on.
pub struct TorturePair;

impl Pair for TorturePair {
    type Owner = OwnerInterface;
    type Peer = PeerInterface;
    /// A number that both sides count up, and its complement.
    type OwnerData = [u64; 2];
    type PeerData = [u64; 1];
}

interface! {
    /// What the owner offers.
    pub trait OwnerOps: "torture-owner" {
        interface: OwnerInterface,
        caller: OwnerCaller,
        table: OwnerTable,
        link: OwnerLink<TorturePair>,
        version: (1, 0),
    }
    /// Returns `value`, mixed once by each side that it passes on its way to and fro.
    fn call(&self, link: &OwnerLink<TorturePair>, value: u64, hops: u32) -> Result<u64>;
    /// Puts that many items of a run, from number `from` on, and returns how many found room.
    fn put(&self, link: &OwnerLink<TorturePair>, run: u32, from: u64, count: u32) -> Result<u32>;
    /// Takes up to that many items.
    fn take(&self, link: &OwnerLink<TorturePair>, max: u32) -> Result<Taken>;
    /// Redeems the handle of an item that the peer has taken.
    fn redeem(&self, link: &OwnerLink<TorturePair>, handle: u64) -> Result<Taken>;
    /// Adds to a count of the context's books.
    fn report(&self, link: &OwnerLink<TorturePair>, count: u32, value: u64) -> Result<u32>;
    /// Returns the number of the next item for the peer, if all runs have been reported.
    fn next(&self, link: &OwnerLink<TorturePair>) -> Result<u64>;
}

interface! {
    /// What a peer offers.
    pub trait PeerOps: "torture-peer" {
        interface: PeerInterface,
        caller: PeerCaller,
        table: PeerTable,
        link: PeerLink<TorturePair>,
        version: (1, 0),
    }
    /// Returns `value`, mixed once by each side that it passes on its way to and fro.
    fn call(&self, link: &PeerLink<TorturePair>, value: u64, hops: u32) -> Result<u64>;
    /// Puts that many items of a run, from number `from` on, and returns how many found room.
    fn put(&self, link: &PeerLink<TorturePair>, run: u32, from: u64, count: u32) -> Result<u32>;
    /// Takes up to that many items.
    fn take(&self, link: &PeerLink<TorturePair>, max: u32) -> Result<Taken>;
    /// Redeems the handle of an item that the owner has taken.
    fn redeem(&self, link: &PeerLink<TorturePair>, handle: u64) -> Result<Taken>;
}

/// The finalizer of SplitMix64: a bijection without visible structure.
pub fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

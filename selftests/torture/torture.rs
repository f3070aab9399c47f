// SPDX-License-Identifier: GPL-2.0

//! The torture: makes traffic in shared contexts, and counts what was done and what went wrong.
//!
//! It works like the kernel's locktorture and rcutorture. Processes (`program/run_torture.rs`) write commands to the
//! control devices of an owner and of several peers, while other peers are loaded and unloaded. The command `run`
//! makes a *run*: many random *actions*, such as putting items and calling the other side, in all execution contexts.
//! An item's payload follows from the item's run and its number in the run, so the side that takes the item can check
//! it. At the end, the checksums of the items put must have the same sum as those of the items taken.

#![forbid(unsafe_code)]

pub mod command;
pub mod event_commands;
pub mod event_traffic;
mod item;
pub mod peer;
pub mod request_traffic;
pub mod run;
pub mod tally;

use d2d::{
    link::{
        OwnerLink,
        PeerLink, //
    },
    pair, //
};
use kernel::prelude::*;

pub use item::Checker;

/// A peer's operation returns this errno if it runs after the peer has detached.
pub const UNLOADED: Error = EOWNERDEAD;

/// What a peer writes into its block of data, and the owner expects there.
pub const COOKIE: u64 = 0x7065_6572;

pair! {
    /// The pair of the owner and a peer.
    pub TorturePair: "torture" {
        owner_data: (),
        peer_data: [u64; 1],
        // A number that both sides increment, and its copy.
        shared_data: [u64; 2],
        version: (1, 0),
    }
    structs {
        /// Counts of taken items.
        struct Taken: "taken" {
            /// Items.
            count: u64,
            /// Sum of the items' checksums.
            checksums: u64,
            /// Sum of `mix(seq)`, where `seq` is an item's number in its queue.
            sequence: u64,
            /// Items whose payload is not what was put.
            torn: u64,
            /// Items that belong to another queue.
            foreign: u64,
            /// Items whose `seq` shows that an item was skipped, or taken twice.
            gaps: u64,
            /// Items whose number in their run shows that an item of the run was skipped, or taken twice.
            disorder: u64,
        }
    }
    kinds {}
    codes {}
    owner {
        /// What the owner offers.
        trait OwnerOps: "torture-owner" {
            interface: OwnerInterface,
            caller: OwnerCaller,
            table: OwnerTable,
        }
        /// Unless `hops` is 0, calls the other side's `call` with one hop less. Each call applies [`mix`] to the
        /// value that it passes on, and to the value that it returns.
        fn call(&self, link: &OwnerLink<TorturePair>, value: u64, hops: u32) -> Result<u64>;
        /// Puts `count` items of a run, from number `from` on. Returns how many fitted.
        fn put(&self, link: &OwnerLink<TorturePair>, run: u32, from: u64, count: u32) -> Result<u32>;
        /// Takes up to `max` items.
        fn take(&self, link: &OwnerLink<TorturePair>, max: u32) -> Result<Taken>;
        /// Redeems the handle of an item that the peer has taken.
        fn redeem(&self, link: &OwnerLink<TorturePair>, handle: u64) -> Result<Taken>;
        /// Adds `value` to the context's count with the number `count`.
        fn report(&self, link: &OwnerLink<TorturePair>, count: u32, value: u64) -> Result<u32>;
        /// Returns the `seq` of the next item that the peer takes. Right only if all runs have reported their counts.
        fn next(&self, link: &OwnerLink<TorturePair>) -> Result<u64>;
    }
    peer {
        /// What a peer offers.
        trait PeerOps: "torture-peer" {
            interface: PeerInterface,
            caller: PeerCaller,
            table: PeerTable,
        }
        /// As the owner's `call`.
        fn call(&self, link: &PeerLink<TorturePair>, value: u64, hops: u32) -> Result<u64>;
        /// As the owner's `put`.
        fn put(&self, link: &PeerLink<TorturePair>, run: u32, from: u64, count: u32) -> Result<u32>;
        /// Takes up to `max` items.
        fn take(&self, link: &PeerLink<TorturePair>, max: u32) -> Result<Taken>;
        /// Redeems the handle of an item that the owner has taken.
        fn redeem(&self, link: &PeerLink<TorturePair>, handle: u64) -> Result<Taken>;
    }
}

/// One step of SplitMix64. It maps different values to different values.
pub fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

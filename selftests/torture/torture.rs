// SPDX-License-Identifier: GPL-2.0

//! The torture: makes traffic in shared contexts, and counts what was done and what went wrong.
//!
//! It works like the kernel's locktorture and rcutorture. Processes write commands to the control
//! devices of an owner and of several peers. A command makes a *run*: many random *actions*, such
//! as putting items, taking items and calling the other side. A run makes its actions in the
//! process itself, in a worker, in softirq and in hard interrupt. Meanwhile other peers are loaded
//! and unloaded. No two items have the same payload. So the side that takes an item can check that
//! the item is whole, in the right queue, and in order. At the end, sums over the put items are
//! compared with sums over the taken items. They differ if an item was lost or taken twice.
//!
//! - `item`: the payload of the items, and the checks of taken items.
//! - [`run`]: the actions of a run.
//! - [`event_traffic`]: named events that both sides set and wait for.
//! - [`request_traffic`]: requests that both sides complete and cancel at the same time.
//! - [`tally`]: the counts.
//! - [`peer`]: the driver of the peers. All peer modules share this code. The owner is `torture_owner.rs`.
//! - [`event_commands`]: commands on named events, which `selftests/events.sh` uses and the torture
//!   does not.
//! - [`command`]: splits a command into words and numbers.
//!
//! `program/run_torture.rs` starts the processes.

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

/// The errno of a peer's operation that runs after the peer was unloaded. The library must not let
/// such an operation run.
pub const UNLOADED: Error = EOWNERDEAD;

/// The value that a peer writes into its block of data, and that the owner expects there.
pub const COOKIE: u64 = 0x7065_6572;

pair! {
    /// The pair of the torture's owner and one of its peers.
    pub TorturePair: "torture" {
        owner_data: (),
        peer_data: [u64; 1],
        // A number that both sides increment, and a copy of it.
        shared_data: [u64; 2],
        version: (1, 0),
    }
    structs {
        /// Counts of taken items, and of faults in them.
        struct Taken: "taken" {
            /// Items.
            count: u64,
            /// Sum of the items' checksums.
            checksums: u64,
            /// Sum of `mix(seq)`, where `seq` is the number that the queue gave to an item. The sum shows whether an
            /// item was lost or taken twice.
            sequence: u64,
            /// Items whose payload is not what was put.
            torn: u64,
            /// Items that belong to another queue.
            foreign: u64,
            /// Items whose `seq` shows that an item was skipped, or taken twice.
            gaps: u64,
            /// Items whose number in their run shows that an item was skipped, or taken twice.
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
        /// Unless `hops` is 0, calls `call` of the other side with one hop less. Each call applies
        /// [`mix`] to the value that it passes on, and to the result that it returns.
        fn call(&self, link: &OwnerLink<TorturePair>, value: u64, hops: u32) -> Result<u64>;
        /// Puts `count` items of a run, from number `from` on. Returns how many fitted.
        fn put(&self, link: &OwnerLink<TorturePair>, run: u32, from: u64, count: u32) -> Result<u32>;
        /// Takes up to `max` items.
        fn take(&self, link: &OwnerLink<TorturePair>, max: u32) -> Result<Taken>;
        /// Redeems the handle of an item that the peer has taken.
        fn redeem(&self, link: &OwnerLink<TorturePair>, handle: u64) -> Result<Taken>;
        /// Adds `value` to the context's count with the number `count`.
        fn report(&self, link: &OwnerLink<TorturePair>, count: u32, value: u64) -> Result<u32>;
        /// Returns the `seq` of the next item that the peer will take. Valid only after every run has
        /// reported its counts.
        fn next(&self, link: &OwnerLink<TorturePair>) -> Result<u64>;
    }
    peer {
        /// What a peer offers.
        trait PeerOps: "torture-peer" {
            interface: PeerInterface,
            caller: PeerCaller,
            table: PeerTable,
        }
        /// Unless `hops` is 0, calls `call` of the other side with one hop less. Each call applies
        /// [`mix`] to the value that it passes on, and to the result that it returns.
        fn call(&self, link: &PeerLink<TorturePair>, value: u64, hops: u32) -> Result<u64>;
        /// Puts `count` items of a run, from number `from` on. Returns how many fitted.
        fn put(&self, link: &PeerLink<TorturePair>, run: u32, from: u64, count: u32) -> Result<u32>;
        /// Takes up to `max` items.
        fn take(&self, link: &PeerLink<TorturePair>, max: u32) -> Result<Taken>;
        /// Redeems the handle of an item that the owner has taken.
        fn redeem(&self, link: &PeerLink<TorturePair>, handle: u64) -> Result<Taken>;
    }
}

/// The finalizer of SplitMix64: a bijection without visible structure.
pub fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

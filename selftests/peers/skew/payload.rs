// SPDX-License-Identifier: GPL-2.0

//! Test: a driver whose declaration of the pair differs from module_a's in one thing: two fields of
//! the same type in the input of a request are swapped. The driver's copy of the library refuses the
//! owner's table.

#![forbid(unsafe_code)]

use d2d::{
    driver::{
        Driver,
        Handle, //
    },
    link::{
        OwnerLink,
        PeerLink, //
    },
    pair, //
};
use kernel::prelude::*;

d2d::module_peer! {
    type: Skewed,
    owner: module_a,
    name: "skew_payload",
    authors: ["Beyond IRPs"],
    description: "Test: a peer with another version of a payload",
    license: "GPL",
    imports_ns: ["D2D"],
}

type Note = u64;

pair! {
    /// The pair as this driver declares it.
    pub SkewedPair: "d2d_pair" {
        owner_data: OwnerData,
        peer_data: PeerData,
        shared_data: SharedData,
        version: (1, 0),
    }
    structs {
        /// The owner's data in a context, which module_a writes when it is loaded.
        struct OwnerData: "owner_data" {
            /// Items in each queue.
            queue_capacity: u32,
            /// Bytes of payload of each item.
            item_size: u32,
        }
        /// The peer's data in a context, which it writes during the handshake.
        struct PeerData: "peer_data" {
            /// Any value that distinguishes the peer from others.
            cookie: u64,
            /// 1 if a work item of the peer completes the handshake.
            deferred: u32,
            /// 0.
            reserved: u32,
        }
        /// The data that both drivers share in a context. Each driver updates it once in each round of
        /// its exercise.
        struct SharedData: "shared_data" {
            /// Updates by either driver.
            updates: u64,
            /// Updates by module_a.
            by_owner: u64,
            /// Updates by its peers.
            by_peer: u64,
        }
        /// The input of COMPLETE.
        struct Complete: "complete" {
            /// The output of PEND.
            value: u64,
            /// That of PEND.
            key: u64,
        }
    }
    kinds {
        /// A number.
        const NOTE: ItemKind<Note> = 1;
    }
    codes {
        /// Adds 1 to a number.
        const ADD: ControlCode<u64, u64> = 0x801;
        /// Stays pending until a [`COMPLETE`] with the same key. The input is the key, the output the
        /// value of that [`COMPLETE`]. Fails with `EBUSY` if too many are pending.
        const PEND: ControlCode<u64, u64> = 0x802;
        /// Completes a [`PEND`]. Fails with `ENOENT` if none with this key is pending.
        const COMPLETE: ControlCode<Complete, ()> = 0x803;
        /// Sets the driver's two events. DRIVER.notice is a notification event, DRIVER.turn a
        /// synchronization event; DRIVER is the driver's name.
        const SIGNAL: ControlCode<(), ()> = 0x804;
    }
    owner {
        /// The operations of module_a.
        trait OwnerOps: "owner" {
            interface: OwnerInterface,
            caller: OwnerCaller,
            table: OwnerTable,
        }
        /// Returns `value + 1`.
        fn ping(&self, link: &OwnerLink<SkewedPair>, value: u32) -> Result<u32>;
        /// If `hops` is not 0, calls the other side's `bounce` with one hop less. Returns the number
        /// of calls that were made in all. Fails with `E2BIG` if `hops` is more than 16.
        fn bounce(&self, link: &OwnerLink<SkewedPair>, hops: u32) -> Result<u32>;
        /// Takes all items from the peer, and puts one for each. Returns the number of items taken.
        fn drain(&self, link: &OwnerLink<SkewedPair>) -> Result<u32>;
    }
    peer {
        /// The operations of module_a's peer.
        trait PeerOps: "peer" {
            interface: PeerInterface,
            caller: PeerCaller,
            table: PeerTable,
        }
        /// Returns `value + 1`.
        fn ping(&self, link: &PeerLink<SkewedPair>, value: u32) -> Result<u32>;
        /// If `hops` is not 0, calls the other side's `bounce` with one hop less. Returns the number
        /// of calls that were made in all. Fails with `E2BIG` if `hops` is more than 16.
        fn bounce(&self, link: &PeerLink<SkewedPair>, hops: u32) -> Result<u32>;
        /// Takes all items from the owner. Returns the number of items taken.
        fn drain(&self, link: &PeerLink<SkewedPair>) -> Result<u32>;
    }
}

#[vtable]
impl PeerOps for Skewed {}

struct Skewed;

impl Driver for Skewed {
    type Pair = SkewedPair;
    type Jobs = ();

    fn new() -> Result<Self> {
        Ok(Self)
    }

    fn start(_driver: Handle<Self>) -> impl PinInit<(), Error> {
        Ok(())
    }

    fn data(&self) -> PeerData {
        PeerData {
            cookie: 0,
            deferred: 0,
            reserved: 0,
        }
    }
}

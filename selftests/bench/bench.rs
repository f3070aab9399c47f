// SPDX-License-Identifier: GPL-2.0

//! The interface of the bench's owner and peer.
//!
//! - `bench_owner.rs`, `bench_peer.rs`; in C `c_owner.c`, `c_peer.c`: the two drivers.
//! - `contender.rs`, `measure.c`: measure a loop.
//! - `mechanisms.c`: loops that use the kernel's mechanisms, for comparison.
//! - `crowd.c`: drivers that only attach.
//! - `twin/`: the C twin.

#![forbid(unsafe_code)]

use d2d::{
    link::{
        OwnerLink,
        PeerLink, //
    },
    pair, //
};
use kernel::prelude::*;

/// Name of the event that is the doorbell of the queue to the owner.
pub const DOORBELL: &CStr = c"bench-to-owner";

pair! {
    /// The pair of the bench's owner and peer.
    pub BenchPair: "bench" {
        owner_data: [u64; 1],
        peer_data: [u64; 1],
        version: (1, 0),
    }
    structs {}
    kinds {}
    codes {
        /// The owner completes this request at once. The output is the input plus 1.
        const PING: ControlCode<u32, u32> = 0x801;
        /// As `PING`, but the owner first pends the request, and completes it before the
        /// dispatch routine returns.
        const PEND: ControlCode<u32, u32> = 0x802;
    }
    owner {
        /// What the owner offers.
        trait OwnerOps: "bench-owner" {
            interface: OwnerInterface,
            caller: OwnerCaller,
            table: OwnerTable,
        }
        /// Returns `value + 1`.
        fn ping(&self, link: &OwnerLink<BenchPair>, value: u32) -> Result<u32>;
        /// Calls the peer `times` times, and returns the last result.
        fn call_peer(&self, link: &OwnerLink<BenchPair>, times: u64) -> Result<u32>;
        /// Makes [`DOORBELL`] the doorbell of the queue to the owner, or removes it if `on` is 0. May sleep.
        fn set_doorbell(&self, link: &OwnerLink<BenchPair>, on: u32) -> Result<u32>;
    }
    peer {
        /// What the peer offers.
        trait PeerOps: "bench-peer" {
            interface: PeerInterface,
            caller: PeerCaller,
            table: PeerTable,
        }
        /// Returns `value + 1`.
        fn ping(&self, link: &PeerLink<BenchPair>, value: u32) -> Result<u32>;
    }
}

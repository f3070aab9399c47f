// SPDX-License-Identifier: GPL-2.0

//! Must compile: a pair without documentation. rustc could not say which part of the declaration lacks it.
// compiles

#![deny(missing_docs)]
#![forbid(unsafe_code)]

use d2d::{
    link::{
        OwnerLink,
        PeerLink, //
    },
    pair, //
};
use kernel::{
    error::Result,
    sync::atomic::Atomic, //
};

pair! {
    pub ThePair: "the_pair" {
        owner_data: Data,
        peer_data: (),
        version: (1, 1),
    }
    structs {
        struct Data: "data" {
            number: u64,
        }
    }
    lent {
        struct Ring: "ring" {
            put: Atomic<u64>,
        }
    }
    kinds {
        const NUMBER: ItemKind<u64> = 1;
    }
    codes {
        const COUNT: ControlCode<(), u64> = 0x801;
    }
    events {
        ready: Notification;
    }
    owner {
        trait OwnerOps: "owner" {
            interface: OwnerInterface,
            caller: OwnerCaller,
            table: OwnerTable,
        }
        fn ping(&self, link: &OwnerLink<ThePair>, value: u32) -> Result<u32>;
    }
    peer {
        trait PeerOps: "peer" {
            interface: PeerInterface,
            caller: PeerCaller,
            table: PeerTable,
        }
        fn ping(&self, link: &PeerLink<ThePair>, value: u32) -> Result<u32>;
    }
}

// SPDX-License-Identifier: GPL-2.0

//! Must not compile: an owner that keeps the peer's memory after the call, a peer that keeps the owner's memory for
//! longer than its link, and lent memory that is not atomic.
// error: [E0515]: cannot return value referencing local variable `peer`
// error: lifetime may not live long enough
// error: [E0277]: the trait bound `u32: Memory` is not satisfied
// error: [E0277]: the trait bound `u64: Memory` is not satisfied

#![forbid(unsafe_code)]

use d2d::{
    lent::Lending,
    link::{
        OwnerLink,
        PeerLink, //
    }, //
};
use d2d_pair::DemoPair;
use kernel::{
    prelude::*,
    sync::{
        atomic::Atomic,
        Arc, //
    }, //
};

fn keep_the_peers(link: &OwnerLink<DemoPair>) -> Result<&Atomic<u32>> {
    let peer = link.peer()?;
    peer.lent()
}

fn keep_the_owners(link: &PeerLink<DemoPair>) -> Result<&'static Atomic<u32>> {
    link.lent()
}

fn lend_a_number(number: Arc<u32>) -> Lending {
    Lending::new(number, |number| number)
}

d2d::pair! {
    /// Both sides access its lent field at the same time, but the field is not atomic.
    pub Lender: "lender" {
        owner_data: (),
        peer_data: (),
        version: (1, 0),
    }
    structs {}
    lent {
        struct Ring: "ring" {
            put: u64,
        }
    }
    kinds {}
    codes {}
    owner {
        trait OwnerOps: "owner" {
            interface: OwnerInterface,
            caller: OwnerCaller,
            table: OwnerTable,
        }
    }
    peer {
        trait PeerOps: "peer" {
            interface: PeerInterface,
            caller: PeerCaller,
            table: PeerTable,
        }
    }
}

// SPDX-License-Identifier: GPL-2.0

//! Must not compile: a pair in which the peer gets the owner's link.
// error: [E0271]: type mismatch resolving

#![forbid(unsafe_code)]

use d2d::link::Pair;
use d2d_pair::{
    OwnerInterface,
    PeerInterface, //
};

struct Crossed;

impl Pair for Crossed {
    type Owner = PeerInterface;
    type Peer = OwnerInterface;
    type OwnerData = u64;
    type PeerData = u64;
    type Shared = u64;
}

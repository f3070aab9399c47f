// SPDX-License-Identifier: GPL-2.0

//! One of the four peers of the torture; `peer.rs` has their code. This one accepts its handshake at once, and its
//! dispatch routine does not sleep. Each peer has a context of its own.

#![forbid(unsafe_code)]

d2d::module_peer! {
    type: torture::peer::TorturePeer<PeerModule, false>,
    owner: torture_owner,
    name: "torture_peer1",
    authors: ["Beyond IRPs"],
    description: "Test: a peer that makes traffic in a shared context",
    license: "GPL",
    imports_ns: ["D2D"],
}

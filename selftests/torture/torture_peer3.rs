// SPDX-License-Identifier: GPL-2.0

//! A torture peer (`peer.rs`) that pends its handshake.

#![forbid(unsafe_code)]

d2d::module_peer! {
    type: torture::peer::TorturePeer<PeerModule, true>,
    owner: torture_owner,
    name: "torture_peer3",
    authors: ["Beyond IRPs"],
    description: "Test: a peer that makes traffic in a shared context",
    license: "GPL",
    imports_ns: ["D2D"],
}

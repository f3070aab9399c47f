// SPDX-License-Identifier: GPL-2.0

//! Test: a peer that declares version 1.0 of the growing pair, but swaps the arguments of `check`, which have the same
//! type. Its library must refuse the owner's operations table.

#![forbid(unsafe_code)]

include!("growing_pair.rs");
include!("peer.rs");

growing_pair! {
    minor: 0,
    check: (peers, cookie),
    peer_data: {}
    shared_data: {}
    kinds: {}
    codes: {}
    events: {}
    operations: {}
}

growing_peer! {
    name: "growing_swapped",
    cookie: 14,
    data: {},
    items: [NUMBER: 5],
    |_driver, _link| Ok(0),
}

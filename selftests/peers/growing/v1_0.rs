// SPDX-License-Identifier: GPL-2.0

//! Test: a peer with version 1.0 of the growing pair.

#![forbid(unsafe_code)]

include!("growing_pair.rs");
include!("peer.rs");

growing_pair! {
    minor: 0,
    check: (cookie, peers),
    peer_data: {}
    shared_data: {}
    kinds: {}
    codes: {}
    events: {}
    operations: {}
}

growing_peer! {
    name: "growing_v1_0",
    cookie: 10,
    data: {},
    items: [NUMBER: 5],
    |_driver, _link| Ok(0),
}

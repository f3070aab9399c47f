// SPDX-License-Identifier: GPL-2.0

//! Test: a peer with version 1.0 of the growing pair.

#![forbid(unsafe_code)]

include!("growing_pair.rs");
include!("growing_1_0.rs");
include!("peer.rs");

growing_peer! {
    name: "growing_v1_0",
    cookie: 10,
    data: {},
    items: [NUMBER: 5],
    |_driver, _link| Ok(0),
}

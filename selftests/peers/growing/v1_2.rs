// SPDX-License-Identifier: GPL-2.0

//! Test: a peer with a version 1.2 of the growing pair that appends no field to the data. The owner accepts the peer.
//! A call of the operation that the owner lacks fails with `EOPNOTSUPP`.

#![forbid(unsafe_code)]

include!("growing_1_2.rs");

growing_peer_1_2! {
    name: "growing_v1_2",
    cookie: 12,
    shared_data: {}
}

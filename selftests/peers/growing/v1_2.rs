// SPDX-License-Identifier: GPL-2.0

//! Test: a peer with version 1.2 of the growing pair, which appends no data. The owner accepts it; calling the
//! operation that the owner lacks fails with `EOPNOTSUPP`.

#![forbid(unsafe_code)]

include!("growing_1_2.rs");

growing_peer_1_2! {
    name: "growing_v1_2",
    cookie: 12,
    shared_data: {}
}

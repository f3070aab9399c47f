// SPDX-License-Identifier: GPL-2.0

//! Test: a peer with a version 1.2 that, unlike that of v1_2.rs, appends a field to the shared data. The peer's library
//! must refuse the owner's context, whose block of shared data is too small.

#![forbid(unsafe_code)]

include!("growing_1_2.rs");
include!("peer.rs");

growing_pair_1_2! {
    shared_data: {
        /// The field that the owner's shared data lacks.
        #[since = 2]
        more: u64,
    }
}

growing_peer! {
    name: "growing_v1_2_data",
    cookie: 13,
    data: { again: 13 },
    items: [NUMBER: 5],
    |_driver, _link| Ok(2),
}

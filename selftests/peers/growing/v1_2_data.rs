// SPDX-License-Identifier: GPL-2.0

//! Test: a peer with version 1.2 of the growing pair. Two test peers each have a version 1.2 of their own: this one
//! appends a field to the shared data, but v1_2.rs appends none. The driver's copy of the library refuses the owner's
//! context, because the context's block of shared data is too small.

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

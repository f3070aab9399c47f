// SPDX-License-Identifier: GPL-2.0

//! Test: an owner with version 1.0 of the growing pair.

#![forbid(unsafe_code)]

include!("growing_pair.rs");
include!("growing_1_0.rs");
include!("owner.rs");

growing_owner! {
    peer_data: [],
    kinds: [NUMBER], item_size: 8,
    codes: {
        ECHO: |input| input,
    }
    events: [], count: 0,
    operations: {}
}

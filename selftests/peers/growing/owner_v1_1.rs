// SPDX-License-Identifier: GPL-2.0

//! Test: an owner with version 1.1 of the growing pair.

#![forbid(unsafe_code)]

include!("growing_pair.rs");
include!("growing_1_1.rs");
include!("owner.rs");

growing_pair_1_1! {}

growing_owner! {
    peer_data: [again],
    kinds: [NUMBER, NUMBERS], item_size: 16,
    codes: {
        ECHO: |input| input,
        DOUBLE: |input| input << 1,
    }
    events: [HERE], count: 1,
    operations: {
        fn last(&self, link: &OwnerLink<GrowingPair>) -> Result<u64> {
            Ok(link.context().with_shared(|shared| shared.last))
        }
    }
}

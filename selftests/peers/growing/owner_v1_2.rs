// SPDX-License-Identifier: GPL-2.0

//! Test: an owner with version 1.2 of the growing pair.

#![forbid(unsafe_code)]

include!("growing_1_2.rs");
include!("owner.rs");

growing_pair_1_2! {
    shared_data: {}
}

growing_owner! {
    peer_data: [again],
    kinds: [NUMBER, NUMBERS, TRIPLE], item_size: 24,
    codes: {
        ECHO: |input| input,
        DOUBLE: |input| input << 1,
        HALF: |input| input >> 1,
    }
    events: [HERE, THERE], count: 2,
    operations: {
        fn last(&self, link: &OwnerLink<GrowingPair>) -> Result<u64> {
            Ok(link.context().with_shared(|shared| shared.last))
        }

        fn clear(&self, link: &OwnerLink<GrowingPair>) -> Result<u64> {
            Ok(link.context().with_shared(|shared| core::mem::take(&mut shared.last)))
        }
    }
}

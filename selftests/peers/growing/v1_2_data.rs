// SPDX-License-Identifier: GPL-2.0

//! Test: a peer with version 1.2 of the growing pair, which appends a field to the shared data. The driver's
//! copy of the library refuses the owner's context, whose block is too small.

#![forbid(unsafe_code)]

include!("growing_pair.rs");
include!("peer.rs");

growing_pair! {
    minor: 2,
    baseline: "growing-1.0.h",
    peer_data: {
        /// 0, or the cookie once more.
        #[since = 1]
        again: u64,
    }
    shared_data: {
        /// The cookie of the last peer of version 1.1 or newer.
        #[since = 1]
        last: u64,
        /// More than the owner has.
        #[since = 2]
        more: u64,
    }
    kinds: {
        /// A pair of numbers.
        #[since = 1]
        const NUMBERS: ItemKind<[u64; 2]> = 2;
        /// Three numbers.
        #[since = 2]
        const TRIPLE: ItemKind<[u64; 3]> = 3;
    }
    codes: {
        /// Returns twice its input.
        #[since = 1]
        const DOUBLE: ControlCode<u64, u64> = 0x802;
        /// Returns half its input.
        #[since = 2]
        const HALF: ControlCode<u64, u64> = 0x803;
    }
    operations: {
        /// Returns `last` of the shared data.
        fn last(&self, link: &d2d::link::OwnerLink<GrowingPair>) -> Result<u64>;
        /// Returns `last` of the shared data, and sets it to 0.
        fn clear(&self, link: &d2d::link::OwnerLink<GrowingPair>) -> Result<u64>;
    }
}

growing_peer! {
    name: "growing_v1_2_data",
    cookie: 13,
    data: { again: 13 },
    |link| {
        link.context().with_shared(|shared| shared.last = 13);
        expect(link.owner().last(), Ok(13))?;
        expect(link.owner().clear(), Err(EOPNOTSUPP))
    },
}

// SPDX-License-Identifier: GPL-2.0

// Version 1.1 of the pair, for the owner and for a peer.

growing_pair! {
    minor: 1,
    baseline: "growing-1.0.h",
    peer_data: {
        /// 0, or the cookie once more.
        #[since = 1]
        again: u64,
    }
    shared_data: {
        /// The cookie of the last peer of this version.
        #[since = 1]
        last: u64,
    }
    kinds: {
        /// A pair of numbers.
        #[since = 1]
        const NUMBERS: ItemKind<[u64; 2]> = 2;
    }
    codes: {
        /// Returns twice its input.
        #[since = 1]
        const DOUBLE: ControlCode<u64, u64> = 0x802;
    }
    operations: {
        /// Returns `last` of the shared data.
        fn last(&self, link: &d2d::link::OwnerLink<GrowingPair>) -> Result<u64>;
    }
}

// SPDX-License-Identifier: GPL-2.0

// Version 1.2 of the growing pair.

include!("growing_pair.rs");
include!("growing_1_1.rs");

/// Declares version 1.2. `$shared_data` has the fields that this version appends to the shared data.
macro_rules! growing_pair_1_2 {
    (shared_data: { $($shared_data:tt)* }) => {
        growing_pair_1_1! {
            minor: 2,
            shared_data: { $($shared_data)* }
            kinds: {
                /// Three numbers.
                #[since = 2]
                const TRIPLE: ItemKind<[u64; 3]> = 3;
            }
            codes: {
                /// Returns half its input.
                #[since = 2]
                const HALF: ControlCode<u64, u64> = 0x803;
            }
            events: {
                /// Set while the owner is loaded.
                #[since = 2]
                there: Synchronization;
            }
            operations: {
                /// Returns `last` of the shared data, and sets it to 0.
                fn clear(&self, link: &d2d::link::OwnerLink<GrowingPair>) -> Result<u64>;
            }
        }
    };
}

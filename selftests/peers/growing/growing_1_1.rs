// SPDX-License-Identifier: GPL-2.0

// Version 1.1 of the growing pair, and the way to declare newer versions.

/// Without arguments, declares version 1.1. With arguments, declares version 1.`$minor`: version 1.1 and the arguments.
macro_rules! growing_pair_1_1 {
    () => {
        growing_pair_1_1! {
            minor: 1,
            shared_data: {}
            kinds: {}
            codes: {}
            events: {}
            operations: {}
        }
    };
    (
        minor: $minor:literal,
        shared_data: { $($shared_data:tt)* }
        kinds: { $($kinds:tt)* }
        codes: { $($codes:tt)* }
        events: { $($events:tt)* }
        operations: { $($operations:tt)* }
    ) => {
        growing_pair! {
            minor: $minor,
            check: (cookie, peers),
            baseline: "growing-1.0.h",
            peer_data: {
                /// The cookie once more, or 0 if the peer does not set this field.
                #[since = 1]
                again: u64,
            }
            shared_data: {
                /// The cookie of the last peer of version 1.1 or newer.
                #[since = 1]
                last: u64,
                $($shared_data)*
            }
            kinds: {
                /// A pair of numbers.
                #[since = 1]
                const NUMBERS: ItemKind<[u64; 2]> = 2;
                $($kinds)*
            }
            codes: {
                /// Returns twice its input.
                #[since = 1]
                const DOUBLE: ControlCode<u64, u64> = 0x802;
                $($codes)*
            }
            events: {
                /// Set while the owner is loaded.
                #[since = 1]
                here: Notification;
                $($events)*
            }
            operations: {
                /// Returns `last` of the shared data.
                fn last(&self, link: &d2d::link::OwnerLink<GrowingPair>) -> Result<u64>;
                $($operations)*
            }
        }
    };
}

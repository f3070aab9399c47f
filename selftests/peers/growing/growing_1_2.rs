// SPDX-License-Identifier: GPL-2.0

// A peer with version 1.2 of the growing pair. The owner has version 1.1.

include!("growing_pair.rs");
include!("growing_1_1.rs");
include!("peer.rs");

/// Declares the pair and the module of the peer. `$shared_data` has the fields that this version appends to the
/// shared data.
macro_rules! growing_peer_1_2 {
    (name: $name:literal, cookie: $cookie:literal, shared_data: { $($shared_data:tt)* }) => {
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
                /// An event that the owner lacks.
                #[since = 2]
                there: Synchronization;
            }
            operations: {
                /// Returns `last` of the shared data, and sets it to 0.
                fn clear(&self, link: &d2d::link::OwnerLink<GrowingPair>) -> Result<u64>;
            }
        }

        growing_peer! {
            name: $name,
            cookie: $cookie,
            data: { again: $cookie },
            |driver, link| {
                expect(driver.open_event_of(c"growing", HERE)?.is_set(), Ok(true))?;
                let there = driver.open_event_of(c"growing", THERE);
                expect(there.map(|_| ()), Err(ENOENT))?;
                link.context().with_shared(|shared| shared.last = $cookie);
                expect(link.owner().last(), Ok($cookie))?;
                expect(link.owner().clear(), Err(EOPNOTSUPP))
            },
        }
    };
}

// SPDX-License-Identifier: GPL-2.0

// The growing pair. Each Rust driver in this folder declares what its version adds to version 1.0.

/// Declares version 1.`$minor`. `check` has the arguments of the operation `check`: swapped.rs swaps them.
macro_rules! growing_pair {
    (
        minor: $minor:literal,
        check: ($($argument:ident),+),
        $(baseline: $baseline:literal,)?
        peer_data: { $($peer_data:tt)* }
        shared_data: { $($shared_data:tt)* }
        kinds: { $($kinds:tt)* }
        codes: { $($codes:tt)* }
        events: { $($events:tt)* }
        operations: { $($operations:tt)* }
    ) => {
        d2d::pair! {
            /// A pair that grows.
            pub GrowingPair: "growing" {
                owner_data: (),
                peer_data: PeerData,
                shared_data: SharedData,
                version: (1, $minor),
                $(baseline: include_str!($baseline),)?
            }
            structs {
                /// The peer's data, which it writes during the handshake.
                struct PeerData: "peer_data" {
                    /// An argument of `check`.
                    cookie: u64,
                    $($peer_data)*
                }
                /// The data that both share.
                struct SharedData: "shared_data" {
                    /// Peers that were attached so far.
                    peers: u64,
                    $($shared_data)*
                }
                /// The argument and the result of operations.
                struct Round: "round" {
                    /// Counts the rounds.
                    number: u64,
                    /// The cookie of the peer that has counted last.
                    cookie: u64,
                    /// 3 numbers.
                    more: [u64; 3],
                }
            }
            kinds {
                /// A number.
                const NUMBER: ItemKind<u64> = 1;
                $($kinds)*
            }
            codes {
                /// Returns its input.
                const ECHO: ControlCode<u64, u64> = 0x801;
                $($codes)*
            }
            events { $($events)* }
            owner {
                /// What the owner offers.
                trait GrowingOps: "growing" {
                    interface: OwnerInterface,
                    caller: OwnerCaller,
                    table: OwnerTable,
                }
                /// Checks the data of the peer: that its cookie is `cookie`, and that `peers` peers were
                /// attached so far. Returns `peers`. Fails with `EBADMSG` if one of them is wrong.
                fn check(
                    &self,
                    link: &d2d::link::OwnerLink<GrowingPair>,
                    $($argument: u64),+
                ) -> Result<u64>;
                /// Returns what the peer's operation `count` returns for `round`.
                fn count(&self, link: &d2d::link::OwnerLink<GrowingPair>, round: Round) -> Result<Round>;
                $($operations)*
            }
            peer {
                /// What the peer offers.
                trait PeerOps: "growing peer" {
                    interface: PeerInterface,
                    caller: PeerCaller,
                    table: PeerTable,
                }
                /// Returns the round after `round`, with the cookie of the peer.
                fn count(&self, link: &d2d::link::PeerLink<GrowingPair>, round: Round) -> Result<Round>;
            }
        }
    };
}

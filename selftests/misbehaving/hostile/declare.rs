// SPDX-License-Identifier: GPL-2.0

/// Declares version 1.`$minor` of a pair for a driver in refused/, in a Rust module of its own.
macro_rules! declare {
    (
        $module:ident, $name:literal,
        shared_data: $Shared:ty,
        minor: $minor:literal,
        $(baseline: $baseline:expr,)?
        { $($structs:tt)* }, { $($kinds:tt)* }, { $($codes:tt)* }
        $(, { $($events:tt)* } $(, { $($operations:tt)* })?)?
        $(, lent { $($lent:tt)* })? $(,)?
    ) => {
        mod $module {
            d2d::pair! {
                pub ThePair: $name {
                    owner_data: (),
                    peer_data: (),
                    shared_data: $Shared,
                    version: (1, $minor),
                    $(baseline: $baseline,)?
                }
                structs { $($structs)* }
                $(lent { $($lent)* })?
                kinds { $($kinds)* }
                codes { $($codes)* }
                $(events { $($events)* })?
                owner {
                    trait OwnerOps: "owner" {
                        interface: OwnerInterface,
                        caller: OwnerCaller,
                        table: OwnerTable,
                    }
                    $($($($operations)*)?)?
                }
                peer {
                    trait PeerOps: "peer" {
                        interface: PeerInterface,
                        caller: PeerCaller,
                        table: PeerTable,
                    }
                }
            }
        }
    };
}

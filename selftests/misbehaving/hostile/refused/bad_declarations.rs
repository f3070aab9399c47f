// SPDX-License-Identifier: GPL-2.0

//! Declarations of pairs that cannot be meant.
// error: [E0080]: evaluation of constant value failed: the evaluated program panicked at 'two kinds of items have the same number'
// error: [E0080]: evaluation of constant value failed: the evaluated program panicked at 'two control codes have the same function number'
// error: [E0080]: evaluation of constant value failed: the evaluated program panicked at 'the name of a pair is an identifier of C'
// error: [E0080]: evaluation of constant value failed: the evaluated program panicked at 'the name of a structure is an identifier of C'

#![forbid(unsafe_code)]

use d2d::pair;

/// Declares a pair in a module of its own, whose sides offer nothing.
macro_rules! declare {
    ($module:ident, $name:literal, { $($structs:tt)* }, { $($kinds:tt)* }, { $($codes:tt)* }) => {
        mod $module {
            super::pair! {
                /// The pair.
                pub ThePair: $name {
                    owner_data: (),
                    peer_data: (),
                    version: (1, 0),
                }
                structs { $($structs)* }
                kinds { $($kinds)* }
                codes { $($codes)* }
                owner {
                    /// Offers nothing.
                    trait OwnerOps: "owner" {
                        interface: OwnerInterface,
                        caller: OwnerCaller,
                        table: OwnerTable,
                    }
                }
                peer {
                    /// Offers nothing.
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

// Two kinds have the number 1.
declare! {
    kinds,
    "kinds",
    {},
    {
        /// One.
        const ONE: ItemKind<u64> = 1;
        /// Another one.
        const OTHER: ItemKind<u32> = 1;
    },
    {}
}

// Two codes have the number 0x801.
declare! {
    codes,
    "codes",
    {},
    {},
    {
        /// One.
        const ONE: ControlCode<u64, u64> = 0x801;
        /// Another one.
        const OTHER: ControlCode<u64, ()> = 0x801;
    }
}

// The name of the pair has a hyphen.
declare! { name, "a-pair", {}, {}, {} }

// The name of the structure has a blank.
declare! {
    structure,
    "a_pair",
    {
        /// A payload.
        struct Payload: "a payload" {
            /// A number.
            number: u64,
        }
    },
    {},
    {}
}

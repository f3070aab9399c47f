// SPDX-License-Identifier: GPL-2.0

//! Declarations of pairs that grow in another way than by appending in a new minor version.
// error: [E0080]: evaluation of constant value failed: the evaluated program panicked at 'a field was appended in a later minor version than that of the pair'
// error: [E0080]: evaluation of constant value failed: the evaluated program panicked at 'a kind was appended in a later minor version than that of the pair'
// error: [E0080]: evaluation of constant value failed: the evaluated program panicked at 'a control code was appended in a later minor version than that of the pair'
// error: [E0080]: evaluation of constant value failed: the evaluated program panicked at 'a field that was appended later is declared before an older one'
// error: [E0080]: evaluation of constant value failed: the evaluated program panicked at 'a field was appended to a structure that is not a block of data'
// error: [E0080]: evaluation of constant value failed: the evaluated program panicked at 'the baseline is not a C header of this pair'
// error: [E0080]: evaluation of constant value failed: the evaluated program panicked at 'something in the baseline was changed, or appended without `since`'

#![forbid(unsafe_code)]

use d2d::pair;

/// Declares a pair in a module of its own, whose name is that of the module. The shared data is
/// `Shared`.
macro_rules! declare {
    (
        $module:ident $name:literal $minor:literal $(baseline $baseline:literal)?
        { $($structs:tt)* } { $($kinds:tt)* } { $($codes:tt)* }
    ) => {
        mod $module {
            super::pair! {
                /// The pair.
                pub ThePair: $name {
                    owner_data: (),
                    peer_data: (),
                    shared_data: Shared,
                    version: (1, $minor),
                    $(baseline: $baseline,)?
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

declare! { later_field "later_field" 1
    {
        /// The shared data.
        struct Shared: "shared" {
            /// A number.
            #[since = 2]
            a: u64,
        }
    } {} {}
}

declare! { later_kind "later_kind" 0
    {
        /// The shared data.
        struct Shared: "shared" {
            /// A number.
            a: u64,
        }
    }
    {
        /// A kind.
        #[since = 1]
        const KIND: ItemKind<u64> = 1;
    } {}
}

declare! { later_code "later_code" 0
    {
        /// The shared data.
        struct Shared: "shared" {
            /// A number.
            a: u64,
        }
    }
    {}
    {
        /// A code.
        #[since = 1]
        const CODE: ControlCode<u64, u64> = 0x801;
    }
}

declare! { inserted "inserted" 1
    {
        /// The shared data.
        struct Shared: "shared" {
            /// A new number.
            #[since = 1]
            a: u64,
            /// An old number.
            b: u64,
        }
    } {} {}
}

declare! { payload "payload" 1
    {
        /// The shared data.
        struct Shared: "shared" {
            /// A number.
            a: u64,
        }
        /// A payload.
        struct Payload: "payload" {
            /// A number.
            a: u64,
            /// A new number.
            #[since = 1]
            b: u64,
        }
    }
    {
        /// A kind.
        const KIND: ItemKind<Payload> = 1;
    } {}
}

declare! { other "other" 1 baseline "#define OTHERS_MAJOR\t1\n#define OTHERS_MINOR\t0\n"
    {
        /// The shared data.
        struct Shared: "shared" {
            /// A number.
            a: u64,
        }
    } {} {}
}

declare! { changed "changed" 1
    baseline "#define CHANGED_MAJOR\t1\n#define CHANGED_MINOR\t0\n#define CHANGED_OWNER_VERSION_0\t0x0000000000000001ull\n#define CHANGED_PEER_VERSION_0\t0x0000000000000002ull\n"
    {
        /// The shared data.
        struct Shared: "shared" {
            /// A number.
            a: u64,
        }
    } {} {}
}

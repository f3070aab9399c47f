// SPDX-License-Identifier: GPL-2.0

//! Declarations of pairs that cannot be meant.
// error: [E0080]: evaluation of constant value failed: the evaluated program panicked at 'two kinds of items have the same number'
// error: [E0080]: evaluation of constant value failed: the evaluated program panicked at 'two control codes have the same function number'
// error: [E0080]: evaluation of constant value failed: the evaluated program panicked at 'the name of a pair is an identifier of C'
// error: [E0080]: evaluation of constant value failed: the evaluated program panicked at 'the name of a structure is an identifier of C'

#![forbid(unsafe_code)]

mod kinds {
    use d2d::pair;

    pair! {
        /// Two kinds have the number 1.
        pub ThePair: "kinds" {
            owner_data: (),
            peer_data: (),
            version: (1, 0),
        }
        structs {}
        kinds {
            /// One.
            const ONE: ItemKind<u64> = 1;
            /// Another one.
            const OTHER: ItemKind<u32> = 1;
        }
        codes {}
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

mod codes {
    use d2d::pair;

    pair! {
        /// Two codes have the number 0x801.
        pub ThePair: "codes" {
            owner_data: (),
            peer_data: (),
            version: (1, 0),
        }
        structs {}
        kinds {}
        codes {
            /// One.
            const ONE: ControlCode<u64, u64> = 0x801;
            /// Another one.
            const OTHER: ControlCode<u64, ()> = 0x801;
        }
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

mod name {
    use d2d::pair;

    pair! {
        /// Its name has a hyphen.
        pub ThePair: "a-pair" {
            owner_data: (),
            peer_data: (),
            version: (1, 0),
        }
        structs {}
        kinds {}
        codes {}
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

mod structure {
    use d2d::pair;

    pair! {
        /// The name of its structure has a blank.
        pub ThePair: "a_pair" {
            owner_data: (),
            peer_data: (),
            version: (1, 0),
        }
        structs {
            /// A payload.
            struct Payload: "a payload" {
                /// A number.
                number: u64,
            }
        }
        kinds {}
        codes {}
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

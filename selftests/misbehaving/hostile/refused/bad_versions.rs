// SPDX-License-Identifier: GPL-2.0

//! Must not compile: pairs that break the rule that a new minor version may only append.
// error: [E0080]: evaluation of constant value failed: the evaluated program panicked at 'a field was appended in a later minor version than that of the pair'
// error: [E0080]: evaluation of constant value failed: the evaluated program panicked at 'a kind was appended in a later minor version than that of the pair'
// error: [E0080]: evaluation of constant value failed: the evaluated program panicked at 'a control code was appended in a later minor version than that of the pair'
// error: [E0080]: evaluation of constant value failed: the evaluated program panicked at 'an event was appended in a later minor version than that of the pair'
// error: [E0080]: evaluation of constant value failed: the evaluated program panicked at 'a field that was appended later is declared before an older one'
// error: [E0080]: evaluation of constant value failed: the evaluated program panicked at 'a field was appended to a structure that is not a block of data'
// error: [E0080]: evaluation of constant value failed: the evaluated program panicked at 'the baseline is not a C header of this pair'
// error: [E0080]: evaluation of constant value failed: the evaluated program panicked at 'GROWN_OWNER_SECOND: not as in the baseline: changed or removed, or something new is before it or has no `since`'
// error: [E0080]: evaluation of constant value failed: the evaluated program panicked at 'something was appended to the baseline without a new minor version'

#![forbid(unsafe_code)]

include!("../declare.rs");

declare! {
    later_field, "later_field",
    shared_data: Shared,
    minor: 1,
    {
        struct Shared: "shared" {
            #[since = 2]
            a: u64,
        }
    },
    {},
    {},
}

declare! {
    later_kind, "later_kind",
    shared_data: u64,
    minor: 0,
    {},
    {
        #[since = 1]
        const KIND: ItemKind<u64> = 1;
    },
    {},
}

declare! {
    later_code, "later_code",
    shared_data: u64,
    minor: 0,
    {},
    {},
    {
        #[since = 1]
        const CODE: ControlCode<u64, u64> = 0x801;
    },
}

declare! {
    later_event, "later_event",
    shared_data: u64,
    minor: 0,
    {},
    {},
    {},
    {
        #[since = 1]
        ready: Notification;
    },
}

declare! {
    inserted, "inserted",
    shared_data: Shared,
    minor: 1,
    {
        struct Shared: "shared" {
            /// A new number.
            #[since = 1]
            a: u64,
            b: u64,
        }
    },
    {},
    {},
}

declare! {
    payload, "payload",
    shared_data: u64,
    minor: 1,
    {
        struct Payload: "payload" {
            a: u64,
            /// A new number.
            #[since = 1]
            b: u64,
        }
    },
    {
        const KIND: ItemKind<Payload> = 1;
    },
    {},
}

declare! {
    other, "other",
    shared_data: u64,
    minor: 1,
    baseline: "#define OTHERS_MAJOR\t1\n#define OTHERS_MINOR\t0\n",
    {},
    {},
    {},
}

// In the baseline, nothing is between `first` and `second`.
declare! {
    inserted_operation, "grown",
    shared_data: u64,
    minor: 1,
    baseline: include_str!("../grown-1.0.h"),
    {},
    {},
    {},
    {},
    {
        fn first(&self, link: &d2d::link::OwnerLink<ThePair>, value: u32) -> Result<u32>;
        /// A new operation.
        fn between(&self, link: &d2d::link::OwnerLink<ThePair>, value: u32) -> Result<u32>;
        fn second(&self, link: &d2d::link::OwnerLink<ThePair>, value: u32) -> Result<u32>;
    },
}

// Nothing but the new operation differs from the baseline, so only the minor version is wrong.
declare! {
    same_version, "grown",
    shared_data: u64,
    minor: 0,
    baseline: include_str!("../grown-1.0.h"),
    {},
    {},
    {},
    {},
    {
        fn first(&self, link: &d2d::link::OwnerLink<ThePair>, value: u32) -> Result<u32>;
        fn second(&self, link: &d2d::link::OwnerLink<ThePair>, value: u32) -> Result<u32>;
        /// A new operation.
        fn third(&self, link: &d2d::link::OwnerLink<ThePair>, value: u32) -> Result<u32>;
    },
}

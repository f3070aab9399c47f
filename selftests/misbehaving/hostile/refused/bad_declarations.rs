// SPDX-License-Identifier: GPL-2.0

//! Must not compile: declarations of pairs, each with one fault.
// error: [E0080]: evaluation of constant value failed: the evaluated program panicked at 'two kinds of items have the same number'
// error: [E0080]: evaluation of constant value failed: the evaluated program panicked at 'two control codes have the same function number'
// error: [E0080]: evaluation of constant value failed: the evaluated program panicked at 'the name of a pair must be an identifier of C, and no keyword'
// error: [E0080]: evaluation of constant value failed: the evaluated program panicked at 'the name of a structure must be an identifier of C, and no keyword'
// error: [E0080]: evaluation of constant value failed: the evaluated program panicked at 'the name of an event must be an identifier of C, and no keyword'
// error: [E0080]: evaluation of constant value failed: the evaluated program panicked at 'the name of an event must have at most 31 bytes'
// error: [E0080]: evaluation of constant value failed: the evaluated program panicked at 'an operation has an array: declare a structure with it'
// error: identifier contains non-ASCII characters

#![forbid(unsafe_code)]

include!("../declare.rs");

declare! {
    kinds, "kinds",
    shared_data: (),
    minor: 0,
    {},
    {
        const ONE: ItemKind<u64> = 1;
        const OTHER: ItemKind<u32> = 1;
    },
    {}
}

declare! {
    codes, "codes",
    shared_data: (),
    minor: 0,
    {},
    {},
    {
        const ONE: ControlCode<u64, u64> = 0x801;
        const OTHER: ControlCode<u64, ()> = 0x801;
    }
}

declare! { name, "a-pair", shared_data: (), minor: 0, {}, {}, {} }

declare! {
    structure, "a_pair",
    shared_data: (),
    minor: 0,
    {},
    {},
    {},
    lent {
        struct Counter: "a counter" {
            number: kernel::sync::atomic::Atomic<u64>,
        }
    }
}

declare! {
    argument, "argument",
    shared_data: (),
    minor: 0,
    {},
    {},
    {},
    {},
    {
        fn take(&self, link: &d2d::link::OwnerLink<ThePair>, numbers: [u64; 2]) -> Result<u32>;
    }
}

declare! {
    result, "result",
    shared_data: (),
    minor: 0,
    {},
    {},
    {},
    {},
    {
        fn give(&self, link: &d2d::link::OwnerLink<ThePair>) -> Result<[u64; 2]>;
    }
}

declare! {
    event_name, "event_name",
    shared_data: (),
    minor: 0,
    {},
    {},
    {},
    {
        über: Notification;
    },
}

declare! {
    long_event, "long_event",
    shared_data: (),
    minor: 0,
    {},
    {},
    {},
    {
        a_name_of_exactly_32_bytes_is_on: Notification;
    },
}

// The name of this event has 31 bytes, which is allowed.
declare! {
    longest_event, "longest_event",
    shared_data: (),
    minor: 0,
    {},
    {},
    {},
    {
        a_name_of_exactly_31_bytes_is_o: Notification;
    },
}

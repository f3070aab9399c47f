// SPDX-License-Identifier: GPL-2.0

//! Must not compile: pairs with a name that the C header cannot use: a keyword or a macro of C, a raw identifier of
//! Rust, or a name that the header has already.
// error: [E0080]: evaluation of constant value failed: the evaluated program panicked at 'the name of a pair must be an identifier of C, and no keyword'
// error: [E0080]: evaluation of constant value failed: the evaluated program panicked at 'the name of a field must be an identifier of C, and no keyword'
// error: [E0080]: evaluation of constant value failed: the evaluated program panicked at 'the name of a kind must be an identifier of C, and no keyword'
// error: [E0080]: evaluation of constant value failed: the evaluated program panicked at 'the name of a control code must be an identifier of C, and no keyword'
// error: [E0080]: evaluation of constant value failed: the evaluated program panicked at 'the name of an event must be an identifier of C, and no keyword'
// error: [E0080]: evaluation of constant value failed: the evaluated program panicked at 'the name of an operation must be an identifier of C, and no keyword'
// error: [E0080]: evaluation of constant value failed: the evaluated program panicked at 'the name of an argument must be an identifier of C, and no keyword'
// error: [E0080]: evaluation of constant value failed: the evaluated program panicked at 'the C header would use the name of an argument twice'

#![forbid(unsafe_code)]

include!("../declare.rs");

declare! { pair, "switch", shared_data: (), minor: 0, {}, {}, {} }

declare! {
    field, "field",
    shared_data: (),
    minor: 0,
    {
        struct Payload: "payload" {
            int: u64,
        }
    },
    {},
    {},
}

declare! {
    raw_field, "raw_field",
    shared_data: (),
    minor: 0,
    {
        struct Payload: "payload" {
            r#type: u64,
        }
    },
    {},
    {},
}

declare! {
    kind, "kind",
    shared_data: (),
    minor: 0,
    {},
    {
        const NULL: ItemKind<u64> = 1;
    },
    {},
}

declare! {
    code, "code",
    shared_data: (),
    minor: 0,
    {},
    {},
    {
        const NULL: ControlCode<u64, u64> = 0x801;
    },
}

declare! {
    event, "event",
    shared_data: (),
    minor: 0,
    {},
    {},
    {},
    {
        register: Notification;
    },
}

declare! {
    operation, "operation",
    shared_data: (),
    minor: 0,
    {},
    {},
    {},
    {},
    {
        fn register(&self, link: &d2d::link::OwnerLink<ThePair>) -> Result<()>;
    },
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
        fn call(&self, link: &d2d::link::OwnerLink<ThePair>, int: u64) -> Result<()>;
    },
}

// In C, the last parameter is called `result`.
declare! {
    result, "result",
    shared_data: (),
    minor: 0,
    {},
    {},
    {},
    {},
    {
        fn call(&self, link: &d2d::link::OwnerLink<ThePair>, result: u64) -> Result<()>;
    },
}

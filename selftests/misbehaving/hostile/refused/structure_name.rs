// SPDX-License-Identifier: GPL-2.0

//! Must not compile: a structure whose name is no C identifier. Of the two errors, only the second names the structure:
//! `pair!` has not made the type `Payload`.
// error: proc macro panicked
// error: [E0412]: cannot find type `Payload` in this scope

#![forbid(unsafe_code)]

include!("../declare.rs");

declare! {
    structure, "a_pair",
    shared_data: (),
    minor: 0,
    {
        struct Payload: "a payload" {
            number: u64,
        }
    },
    {},
    {}
}

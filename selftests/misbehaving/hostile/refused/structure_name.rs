// SPDX-License-Identifier: GPL-2.0

//! Must not compile: a declaration of a structure whose name is no C identifier. The first error is the panic of a
//! macro inside `pair!`. It does not name the structure. The second error does: `pair!` has not made the type
//! `Payload`, so rustc cannot find this type.
// error: proc macro panicked
// error: [E0412]: cannot find type `Payload` in this scope

#![forbid(unsafe_code)]

include!("../declare.rs");

declare! {
    structure, "a_pair",
    shared_data: (),
    minor: 0,
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

// SPDX-License-Identifier: GPL-2.0

//! Must not compile: a declaration of a structure whose name is no C identifier. A macro inside `pair!` panics, but
//! does not say which structure is wrong. The second error does: rustc cannot find the type that `pair!` has not made.
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

// SPDX-License-Identifier: GPL-2.0

//! Must not compile: a driver whose operations and types have names that the expansion of `interface!` uses.
// error: [E0124]: field `hdr` is already declared
// error: [E0062]: field `hdr` specified more than once
// error: [E0210]: type parameter `D2dDriver` must be used as the type parameter for some local type
// error: [E0277]: the trait bound `D2dDriver: Interface` is not satisfied
// error: [E0308]: mismatched types: expected `Option<_>`, found `d2d_ops`
// error: [E0308]: mismatched types: expected `Option<unsafe extern "C" fn(..., ...) -> ...>`, found `d2d_ops`

#![forbid(unsafe_code)]

use d2d::{
    interface,
    link::PeerLink, //
};
use d2d_pair::DemoPair;

interface! {
    /// In the operations table, the operation is a second field `hdr`.
    pub trait Header: "header" {
        interface: HeaderInterface,
        caller: HeaderCaller,
        table: HeaderTable,
        link: PeerLink<DemoPair>,
        version: (1, 0),
    }
    fn hdr(&self, link: &PeerLink<DemoPair>) -> Result<u32>;
}

interface! {
    /// Its interface has the name of a type parameter in the expansion.
    pub trait Parameter: "parameter" {
        interface: D2dDriver,
        caller: ParameterCaller,
        table: ParameterTable,
        link: PeerLink<DemoPair>,
        version: (1, 0),
    }
    fn nothing(&self, link: &PeerLink<DemoPair>) -> Result<u32>;
}

// SPDX-License-Identifier: GPL-2.0

//! Must not compile: an operation with an attribute. It would apply to the code that `interface!` generates.
// error: no rules expected `inline`

#![forbid(unsafe_code)]

use d2d::{
    interface,
    link::PeerLink, //
};
use d2d_pair::DemoPair;

interface! {
    pub trait Attributed: "attributed" {
        interface: AttributedInterface,
        caller: AttributedCaller,
        table: AttributedTable,
        link: PeerLink<DemoPair>,
        version: (1, 0),
    }
    #[inline(never)]
    fn nothing(&self, link: &PeerLink<DemoPair>) -> Result<u32>;
}

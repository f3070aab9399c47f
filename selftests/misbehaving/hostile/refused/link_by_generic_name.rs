// SPDX-License-Identifier: GPL-2.0

//! A link that is named through the type parameter of the generated entry points, where it means
//! another type than in the declaration of the interface.
// error: [E0308]: mismatched types

#![forbid(unsafe_code)]

use d2d::{
    interface,
    interface::Link,
    link::PeerLink, //
};
use d2d_pair::DemoPair;

/// Names a link.
pub trait Names {
    /// The link.
    type Link: Link;
}

/// What the expansion of `interface!` calls its type parameter.
pub struct D2dDriver;

impl Names for D2dDriver {
    type Link = PeerLink<DemoPair>;
}

impl<T: Confused> Names for T {
    type Link = Address;
}

/// What the entry points would take a [`PeerLink`] for.
pub struct Address(pub u64);

impl Link for Address {
    type Seat = Self;

    fn of(seat: &Self) -> Option<&Self> {
        Some(seat)
    }
}

interface! {
    /// Reads an address as a number.
    pub trait Confused: "peer" {
        interface: ConfusedInterface,
        caller: ConfusedCaller,
        table: ConfusedTable,
        link: <D2dDriver as Names>::Link,
        version: (1, 0),
    }
    /// Returns it.
    fn address(&self, link: &Address) -> Result<u64>;
}

// SPDX-License-Identifier: GPL-2.0

//! Must not compile: a driver that gives the type of its link as `<D2dDriver as Names>::Link`. Here the name
//! `D2dDriver` stands for two types. In the declaration of the interface, it stands for the struct below. In the entry
//! points that `interface!` generates, it stands for their type parameter. So the declaration and the entry points
//! would use different types for the same link.
// error: [E0308]: mismatched types

#![forbid(unsafe_code)]

use d2d::{
    interface,
    interface::Link,
    link::PeerLink, //
};
use d2d_pair::DemoPair;

/// A trait whose associated type is a link.
pub trait Names {
    /// The link.
    type Link: Link;
}

/// Has the name that the expansion of `interface!` gives its type parameter.
pub struct D2dDriver;

impl Names for D2dDriver {
    type Link = PeerLink<DemoPair>;
}

impl<T: Confused> Names for T {
    type Link = Address;
}

/// The entry points would pass a [`PeerLink`] as this type.
pub struct Address(pub u64);

impl Link for Address {
    type Storage = Self;

    fn of(storage: &Self) -> Option<&Self> {
        Some(storage)
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
    /// Returns the address.
    fn address(&self, link: &Address) -> Result<u64>;
}

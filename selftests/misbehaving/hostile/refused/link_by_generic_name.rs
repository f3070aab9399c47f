// SPDX-License-Identifier: GPL-2.0

//! Must not compile: the link `<D2dDriver as Names>::Link`. `D2dDriver` is the struct below, but it is also the name of
//! a type parameter of the entry points that `interface!` generates. So in the entry points, the link has another type.
// error: [E0308]: mismatched types

#![forbid(unsafe_code)]

use d2d::{
    interface,
    interface::Link,
    link::PeerLink, //
};
use d2d_pair::DemoPair;

pub trait Names {
    type Link: Link;
}

pub struct D2dDriver;

impl Names for D2dDriver {
    type Link = PeerLink<DemoPair>;
}

impl<T: Confused> Names for T {
    type Link = Address;
}

/// The entry points pass a [`PeerLink`] as this type.
pub struct Address(pub u64);

impl Link for Address {
    type Storage = Self;

    fn of(storage: &Self) -> Option<&Self> {
        Some(storage)
    }
}

interface! {
    pub trait Confused: "peer" {
        interface: ConfusedInterface,
        caller: ConfusedCaller,
        table: ConfusedTable,
        link: <D2dDriver as Names>::Link,
        version: (1, 0),
    }
    fn address(&self, link: &Address) -> Result<u64>;
}

// SPDX-License-Identifier: GPL-2.0

//! Must not compile: a driver that implements the unsafe traits that only `interface!` may implement.
// error: implementation of an `unsafe` trait
// error: [E0200]: the trait `Interface` requires an `unsafe impl` declaration

#![forbid(unsafe_code)]

use d2d::interface::{
    Interface,
    Remote,
    TableFor, //
};
use d2d_pair::{
    DemoPair,
    OwnerInterface,
    PeerInterface,
    PeerTable, //
};

struct Liar;

unsafe impl TableFor<Liar> for PeerInterface {
    const TABLE: &'static PeerTable = &<PeerInterface as Interface>::UNSUPPORTED;
}

struct Table<'a>(Remote<'a, Liar>);

impl<'a> From<Remote<'a, Liar>> for Table<'a> {
    fn from(remote: Remote<'a, Liar>) -> Self {
        Self(remote)
    }
}

impl Interface for Liar {
    type Link = d2d::link::PeerLink<DemoPair>;
    type Table = u8;
    type Caller<'a> = Table<'a>;
    const NAME: &'static str = "peer";
    const MAJOR: u16 = 1;
    const MINOR: u16 = 0;
    const BUILD: u64 = 0;
    const CHAIN: &'static [u64] = OwnerInterface::CHAIN;
    const UNSUPPORTED: u8 = 0;
}

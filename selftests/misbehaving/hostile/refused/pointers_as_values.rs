// SPDX-License-Identifier: GPL-2.0

//! Must not compile: pointers and references as arguments, results, payloads and shared data.
// error: [E0277]: the trait bound
// error: the trait bound `&'static u32: Plain` is not satisfied
// error: the trait bound `&str: IntoBytes` is not satisfied
// error: the trait bound `&'static u32: IntoBytes` is not satisfied
// error: the trait bound `Option<Box<u32, Kmalloc>>: IntoBytes` is not satisfied
// error: the trait bound `fn(u32): IntoBytes` is not satisfied
// error: the trait bound `fn(): IntoBytes` is not satisfied

#![forbid(unsafe_code)]

use d2d::{
    control_code::ControlCode,
    interface,
    link::{
        OwnerLink,
        Pair,
        PeerLink, //
    },
    queue::Queue, //
};
use kernel::prelude::*;

interface! {
    pub trait Lender: "lender" {
        interface: LenderInterface,
        caller: LenderCaller,
        table: LenderTable,
        link: PeerLink<Sharing>,
        version: (1, 0),
    }
    fn lend(&self, link: &PeerLink<Sharing>, take: &'static u32) -> Result<&'static u32>;
}

interface! {
    pub trait Reader: "reader" {
        interface: ReaderInterface,
        caller: ReaderCaller,
        table: ReaderTable,
        link: OwnerLink<Sharing>,
        version: (1, 0),
    }
}

fn put(queue: Queue<'_>) -> Result {
    queue.put(0, &"text")
}

pub const CODE: ControlCode<&'static u32, ()> = ControlCode::new(0x900);

pub struct Sharing;

impl Pair for Sharing {
    type Owner = ReaderInterface;
    type Peer = LenderInterface;
    type OwnerData = Option<KBox<u32>>;
    type PeerData = fn(u32);
    type Shared = fn();
}

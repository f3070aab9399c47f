// SPDX-License-Identifier: GPL-2.0

//! Must not compile: a driver whose types are not `Send` or not `Sync`. The library's macros must not use this
//! crate's own traits `Send` and `Sync`, which all types implement.
// error: [E0277]: `Cell<u32>` cannot be shared between threads safely
// error: [E0277]: `*mut ()` cannot be sent between threads safely
// error: [E0277]: `*mut ()` cannot be shared between threads safely

#![forbid(unsafe_code)]

use core::cell::Cell;
use d2d::{
    driver::{
        Driver,
        DriverRef, //
    },
    interface,
    link::{
        OwnerLink,
        Pair,
        PeerLink, //
    }, //
};
use kernel::{
    prelude::*,
    ModuleMetadata, //
};

/// `#[vtable]` expects this type in the crate root.
pub struct LocalModule;

impl ModuleMetadata for LocalModule {
    const NAME: &'static CStr = c"hostile";
    const THIS_MODULE: ThisModule = None::<ThisModule>.unwrap();
}

pub trait Send {}
impl<T> Send for T {}

pub trait Sync {}
impl<T> Sync for T {}

interface! {
    /// The type `Counter`, which implements this trait, is not `Sync`.
    pub trait Counting: "owner" {
        interface: CountingInterface,
        caller: CountingCaller,
        table: CountingTable,
        link: OwnerLink<Hostile>,
        version: (1, 0),
    }
    fn count(&self, link: &OwnerLink<Hostile>, by: u32) -> Result<u32>;
}

interface! {
    pub trait Nothing: "peer" {
        interface: NothingInterface,
        caller: NothingCaller,
        table: NothingTable,
        link: PeerLink<Hostile>,
        version: (1, 0),
    }
}

struct Counter(Cell<u32>);

#[vtable]
impl Counting for Counter {
    fn count(&self, _link: &OwnerLink<Hostile>, by: u32) -> Result<u32> {
        self.0.set(self.0.get().wrapping_add(by));
        Ok(self.0.get())
    }
}

pub struct Rc<T>(*mut T);

pub struct Hostile(Rc<()>);

impl Pair for Hostile {
    type Owner = CountingInterface;
    type Peer = NothingInterface;
    type OwnerData = u64;
    type PeerData = u64;
    type Shared = u64;
}

impl Driver for Hostile {
    type Pair = Hostile;
    type Resources = ();

    fn new() -> Result<Self> {
        Ok(Self(Rc(core::ptr::null_mut())))
    }

    fn start(_driver: DriverRef<Self>) -> impl PinInit<(), Error> {
        Ok(())
    }

    fn data(&self) -> u64 {
        0
    }
}

// SPDX-License-Identifier: GPL-2.0

// A peer of module_a in whose crate some names have other meanings. The library's macros must not use these names.
// This file redefines names of the prelude. rebinds_core.rs and rebinds_kernel.rs include it, and redefine crates.

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
    },
    trace, //
};
use real_kernel::{
    error::{
        code::EINVAL,
        Error,
        Result, //
    },
    macros::vtable, //
};
use real_pin_init::PinInit as Initializer;

/// Takes the place of `Result::Ok`. Leaks the registration, so the driver stays registered when the module is freed.
#[allow(non_snake_case, dead_code)]
fn Ok(module: PeerModule) -> Result<PeerModule> {
    real_core::mem::forget(module);
    Result::Err(EINVAL)
}

/// Takes the place of `Send` and `Sync`. All types implement this trait.
pub trait Anything {}
impl<T> Anything for T {}
#[allow(unused_imports)]
use Anything as Send;
#[allow(unused_imports)]
use Anything as Sync;

/// Takes the place of `Option`, `Some` and `PhantomData`.
#[allow(dead_code)]
#[derive(Clone, Copy)]
pub struct Option<T>(T);
#[allow(unused_imports)]
use self::Option as Some;
#[allow(unused_imports)]
use self::Option as PhantomData;

/// What the peer and module_a have agreed on.
pub struct DemoPair;

impl Pair for DemoPair {
    type Owner = OwnerInterface;
    type Peer = PeerInterface;
    type OwnerData = d2d_pair::OwnerData;
    type PeerData = d2d_pair::PeerData;
    type Shared = d2d_pair::SharedData;
}

interface! {
    /// What module_a offers.
    pub trait OwnerOps: "owner" {
        interface: OwnerInterface,
        caller: OwnerCaller,
        table: OwnerTable,
        link: OwnerLink<DemoPair>,
        version: (1, 0),
        versions: d2d_pair::DemoPair::VERSIONS,
    }
    /// Returns `value + 1`.
    fn ping(&self, link: &OwnerLink<DemoPair>, value: u32) -> Result<u32>;
}

interface! {
    /// What the peer offers.
    pub trait PeerOps: "peer" {
        interface: PeerInterface,
        caller: PeerCaller,
        table: PeerTable,
        link: PeerLink<DemoPair>,
        version: (1, 0),
        versions: d2d_pair::DemoPair::VERSIONS,
    }
    /// Returns what the owner's `ping` returns: `value + 1`.
    fn ping(&self, link: &PeerLink<DemoPair>, value: u32) -> Result<u32>;
}

struct Attached;

impl Driver for Attached {
    type Pair = DemoPair;
    type Resources = ();

    fn new() -> Result<Self> {
        Result::Ok(Self)
    }

    fn start(_driver: DriverRef<Self>) -> impl Initializer<(), Error> {
        Result::<(), Error>::Ok(())
    }

    fn data(&self) -> d2d_pair::PeerData {
        d2d_pair::PeerData {
            cookie: 0x4057,
            deferred: 0,
            reserved: 0,
        }
    }
}

#[vtable]
impl PeerOps for Attached {
    fn ping(&self, link: &PeerLink<DemoPair>, value: u32) -> Result<u32> {
        let answer = link.owner().ping(value)?;
        trace!(op_return, from: "owner", op: "ping", value: answer);
        Result::Ok(answer)
    }
}

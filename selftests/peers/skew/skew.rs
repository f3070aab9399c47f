// SPDX-License-Identifier: GPL-2.0

// What the Rust drivers in this folder share. By `skew!`, each driver declares the demonstration pair with one
// difference from module_a's.

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
use kernel::prelude::*;

/// Once the driver is attached, `$calls` calls the owner's operations. If `$calls` fails, loading the module fails.
macro_rules! skew {
    (@versions) => { d2d_pair::DemoPair::VERSIONS };
    (@versions $versions:expr) => { $versions };
    (
        name: $name:literal,
        version: $version:tt $(, build: $build:expr)? $(, versions: $versions:expr)?;
        $(fn $op:ident($($arg:ident: $Arg:ty),*) -> $Ret:ty;)*
        |$owner:ident| $calls:expr
    ) => {
        d2d::module_peer! {
            type: Skewed,
            owner: module_a,
            name: $name,
            authors: ["Beyond IRPs"],
            description: "Test: a peer with another version of the interfaces",
            license: "GPL",
            imports_ns: ["D2D"],
        }

        /// The pair as this driver declares it.
        pub struct SkewedPair;

        impl Pair for SkewedPair {
            type Owner = OwnerInterface;
            type Peer = PeerInterface;
            type OwnerData = d2d_pair::OwnerData;
            type PeerData = d2d_pair::PeerData;
            type Shared = d2d_pair::SharedData;
        }

        interface! {
            /// The owner's operations as this driver declares them.
            pub trait OwnerOps: "owner" {
                interface: OwnerInterface,
                caller: OwnerCaller,
                table: OwnerTable,
                link: OwnerLink<SkewedPair>,
                version: $version
                $(, build: $build)?,
                versions: skew!(@versions $($versions)?),
            }
            $(
                /// An operation of the owner.
                fn $op(&self, link: &OwnerLink<SkewedPair> $(, $arg: $Arg)*) -> Result<$Ret>;
            )*
        }

        interface! {
            /// The operations of this driver.
            pub trait PeerOps: "peer" {
                interface: PeerInterface,
                caller: PeerCaller,
                table: PeerTable,
                link: PeerLink<SkewedPair>,
                version: $version
                $(, build: $build)?,
                versions: skew!(@versions $($versions)?),
            }
            $(
                /// An operation of the peer.
                fn $op(&self, link: &PeerLink<SkewedPair> $(, $arg: $Arg)*) -> Result<$Ret>;
            )*
        }

        #[vtable]
        impl PeerOps for Skewed {
            $(
                fn $op(&self, _link: &PeerLink<SkewedPair> $(, $arg: $Arg)*) -> Result<$Ret> {
                    $(let _ = $arg;)*
                    Ok(<$Ret>::default())
                }
            )*
        }

        fn calls($owner: OwnerCaller<'_>) -> Result {
            $calls
        }
    };
}

struct Skewed;

impl Driver for Skewed {
    type Pair = SkewedPair;
    type Resources = ();

    fn new() -> Result<Self> {
        Ok(Self)
    }

    fn start(driver: DriverRef<Self>) -> impl PinInit<(), Error> {
        driver
            .link()
            .ok_or(ENOTCONN)
            .and_then(|link| calls(link.owner()))
    }

    fn data(&self) -> d2d_pair::PeerData {
        d2d_pair::PeerData {
            cookie: 0,
            deferred: 0,
            reserved: 0,
        }
    }
}

#[allow(dead_code, reason = "some drivers call no operation")]
fn expect<T: PartialEq>(got: Result<T>, expected: Result<T>) -> Result {
    if got == expected {
        Ok(())
    } else {
        Err(ENOTRECOVERABLE)
    }
}

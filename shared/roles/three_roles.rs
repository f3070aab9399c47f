// SPDX-License-Identifier: GPL-2.0

//! A module that is an owner and a peer of two other owners.

use crate::{
    Peers,
    Roles,
    RolesDropPromise, //
};
use core::marker::PhantomData;
use d2d_owner::{
    export::{
        self,
        OwnerRole, //
    },
    Contexts,
    Owner, //
};
use kernel::{
    prelude::*,
    ModuleMetadata, //
};

/// The owner's role of a module that is a peer of two other owners.
pub trait ThreeRoles: Owner {
    /// The driver that registers with the first owner.
    type First: d2d_peer::driver::Driver;
    /// The driver that registers with the second owner.
    type Second: d2d_peer2::driver::Driver;

    /// Gives the owner's role the peers' drivers, as [`TwoRoles::join`](crate::TwoRoles::join) does. May
    /// sleep.
    ///
    /// # Errors
    ///
    /// As `TwoRoles::join`.
    fn join(
        contexts: &Contexts<'_, Self>,
        first: d2d_peer::driver::DriverRef<Self::First>,
        second: d2d_peer2::driver::DriverRef<Self::Second>,
    ) -> Result;
}

#[doc(hidden)]
pub type OwnerAndPeers<O, M> =
    Roles<export::Parts<O>, Peers<<O as ThreeRoles>::First, <O as ThreeRoles>::Second>, M>;

impl<O: ThreeRoles, M: ModuleMetadata> OwnerAndPeers<O, M>
where
    <O::Pair as d2d::link::Pair>::Owner: d2d::interface::TableFor<O>,
    <<O::First as d2d_peer::driver::Driver>::Pair as d2d_peer::link::Pair>::Peer:
        d2d_peer::interface::TableFor<O::First>,
    <<O::Second as d2d_peer2::driver::Driver>::Pair as d2d_peer2::link::Pair>::Peer:
        d2d_peer2::interface::TableFor<O::Second>,
{
    /// Makes both peers, then the owner's server. May sleep.
    ///
    /// # Errors
    ///
    /// Those of [`Peers::new`] and of [`export::Exports::parts`].
    pub fn new(
        promise: RolesDropPromise<M>,
        started: &'static d2d_peer::registration::Started,
        second_started: &'static d2d_peer2::registration::Started,
        role: &'static OwnerRole<O>,
    ) -> Result<Self> {
        let peers = Peers::new(&promise, started, second_started)?;
        let (first, second) = peers.handles();
        let join = |contexts: &Contexts<'_, O>| O::join(contexts, first, second);
        let leave = peers.leaver::<M>()?;
        let owner = role.parts(promise.owner, join, leave)?;
        Ok(Self {
            _last_made: owner,
            _peers: peers,
            _module: PhantomData,
        })
    }
}

/// Declares a module that is the owner of one pair, and a peer of two other owners.
///
/// The lines are those of [`module_of_two_owners!`](crate::module_of_two_owners), but `type` implements
/// [`ThreeRoles`]. The peers' code reaches the owner's contexts as in
/// [`module_in_two_roles!`](crate::module_in_two_roles).
#[macro_export]
macro_rules! module_in_three_roles {
    (type: $Owner:ty, first: $first:ident, second: $second:ident, $($rest:tt)*) => {
        $crate::d2d_peer::module_peer! { @owner $first peer_ }
        $crate::d2d_peer2::module_peer! { @owner $second peer2_ }
        $crate::module_in_two_roles! { @owner ThreeRolesModule $Owner }
        $crate::module_in_two_roles! {
            @module ThreeRolesModule, OwnerAndPeers<$Owner, Self>,
            [STARTED: d2d_peer, SECOND: d2d_peer2], OWNER, $($rest)*
        }
    };
}

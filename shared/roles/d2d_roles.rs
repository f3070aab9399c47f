// SPDX-License-Identifier: GPL-2.0

//! A module in several roles.
//!
//! Each role uses the library under names of its own, so the compiler tells the roles' types apart.
//! The owner's role uses `d2d` and `d2d_owner`. The peers' roles use `d2d_peer` and `d2d_peer2`, which
//! the build makes from the sources of `d2d`. A macro declares the module:
//!
//! - [`module_in_two_roles!`](crate::module_in_two_roles): an owner and a peer;
//! - [`module_of_two_owners!`](crate::module_of_two_owners): a peer of two owners;
//! - [`module_in_three_roles!`](crate::module_in_three_roles): an owner and a peer of two others.
//!
//! The peers' roles are made first and dropped last. So the owner's role can always call
//! the other owners.

mod three_roles;
mod two_peers;

use core::marker::PhantomData;
use d2d_owner::{
    export::{
        self,
        OwnerRole, //
    },
    Contexts,
    Owner, //
};
use d2d_peer::{
    driver::{
        Driver,
        DriverRef, //
    },
    patience::LeaveRoles,
    registration::{
        self,
        Started, //
    },
    trace::report_memory, //
};
use kernel::{
    prelude::*,
    ModuleMetadata, //
};

#[doc(hidden)]
pub use d2d_owner;
#[doc(hidden)]
pub use d2d_peer;
#[doc(hidden)]
pub use d2d_peer2;
#[doc(hidden)]
pub use three_roles::OwnerAndPeers;
pub use three_roles::ThreeRoles;
#[doc(hidden)]
pub use two_peers::{
    Join,
    Peers,
    TwoDrivers, //
};
pub use two_peers::{
    Joined,
    TwoPeers, //
};

/// The owner's role of a module that is a peer, too.
pub trait TwoRoles: Owner {
    /// The driver of the peer's role.
    type Peer: Driver;

    /// Gives the owner's role the driver of the peer's role. The library calls this before
    /// [`Owner::ready`], and before a peer of this owner attaches. May sleep.
    ///
    /// # Errors
    ///
    /// The errno with which loading the module fails. Before it fails, the library makes the peer's role
    /// leave, and calls [`Owner::leaving`].
    fn join(contexts: &Contexts<'_, Self>, peer: DriverRef<Self::Peer>) -> Result;
}

/// As [`d2d_owner::DropPromise`], for all roles of module `M`.
#[doc(hidden)]
pub struct RolesDropPromise<M> {
    owner: d2d_owner::DropPromise<M>,
    first: registration::DropPromise<M>,
    second: d2d_peer2::registration::DropPromise<M>,
}

impl<M> RolesDropPromise<M> {
    /// # Safety
    ///
    /// `M` is the module into which this crate is linked. What is made with the result is dropped
    /// before the kernel frees the module's text and data.
    pub const unsafe fn new() -> Self {
        // SAFETY: The caller promises that `M` is the module into which this crate is linked, and that
        // it drops what is made with the result before the kernel frees the module's text and data.
        unsafe {
            Self {
                owner: d2d_owner::DropPromise::new(),
                first: registration::DropPromise::new(),
                second: d2d_peer2::registration::DropPromise::new(),
            }
        }
    }
}

/// The roles of module `M`. `_peers` are its roles as a peer. `_last_made` is the owner's role or, in a
/// peer of two owners, the [`Join`]. It is dropped before `_peers`, and makes the peers' roles leave.
#[doc(hidden)]
pub struct Roles<T, P, M> {
    _last_made: T,
    _peers: P,
    _module: PhantomData<fn(M)>,
}

/// Puts `leave`, which makes roles leave, into a box. The role that is made next keeps it. May sleep.
///
/// # Errors
///
/// `ENOMEM`, with a refusal.
pub(crate) fn boxed<M: ModuleMetadata>(
    leave: impl Fn() + Send + Sync + 'static,
) -> Result<LeaveRoles> {
    let leave =
        KBox::new(leave, GFP_KERNEL).map_err(|error| report_memory(M::NAME, error.into()))?;
    Ok(leave)
}

#[doc(hidden)]
pub type OwnerAndPeer<O, M> = Roles<export::Parts<O>, registration::Peer<<O as TwoRoles>::Peer>, M>;

impl<O: TwoRoles, M: ModuleMetadata> OwnerAndPeer<O, M>
where
    <O::Pair as d2d::link::Pair>::Owner: d2d::interface::TableFor<O>,
    <<O::Peer as Driver>::Pair as d2d_peer::link::Pair>::Peer:
        d2d_peer::interface::TableFor<O::Peer>,
{
    /// Registers the peer and asks for a context; then makes the owner's server. May sleep.
    ///
    /// # Errors
    ///
    /// Those of [`registration::Peer::new`] and of [`export::Exports::parts`].
    pub fn new(
        promise: RolesDropPromise<M>,
        started: &'static Started,
        role: &'static OwnerRole<O>,
    ) -> Result<Self> {
        let peer = registration::Peer::new(promise.first, started)?;
        let join = |contexts: &Contexts<'_, O>| O::join(contexts, peer.handle());
        let leaver = peer.leaver();
        let leave = boxed::<M>(move || leaver.leave())?;
        let owner = role.parts(promise.owner, join, leave)?;
        Ok(Self {
            _last_made: owner,
            _peers: peer,
            _module: PhantomData,
        })
    }
}

/// Declares a module that is the owner of one pair and a peer of another.
///
/// | line | its counterpart | what it names |
/// |---|---|---|
/// | `peer` | `type` of `d2d::module_peer!` | the [`Driver`] |
/// | `of` | `owner` of `d2d::module_peer!` | the module whose peer this module is |
/// | `owner` | `type` of `d2d_owner::module_owner!` | the type that implements [`TwoRoles`], and so [`Owner`] |
///
/// The other lines are those of `module!`. The peer's code reaches the owner's contexts by
/// `OWNER.contexts(...)`: see [`OwnerRole::contexts`].
///
/// ```ignore
/// d2d_roles::module_in_two_roles! {
///     peer: AsPeer,
///     of: module_a,
///     owner: AsOwner,
///     name: "middle",
///     authors: ["..."],
///     license: "GPL",
///     imports_ns: ["D2D"],
/// }
/// ```
#[macro_export]
macro_rules! module_in_two_roles {
    (peer: $Peer:ty, of: $of:ident, owner: $Owner:ty, $($rest:tt)*) => {
        $crate::d2d_peer::module_peer! { @owner $of peer_ }
        $crate::module_in_two_roles! { @owner TwoRolesModule $Owner }
        $crate::module_in_two_roles! {
            @module TwoRolesModule, OwnerAndPeer<$Owner, Self>,
            [STARTED: d2d_peer], OWNER, $($rest)*
        }

        const _: () = {
            const fn is_peer_of<O: $crate::TwoRoles<Peer = $Peer>>() {}
            is_peer_of::<$Owner>()
        };
    };
    // The statics and the functions of the owner's role.
    (@owner $Module:ident $Owner:ty) => {
        static EXPORTS: $crate::d2d_owner::export::Exports =
            $crate::d2d_owner::export::Exports::new(
                <$Module as $crate::d2d_owner::__private::ModuleMetadata>::NAME,
            );

        /// The owner's role.
        static OWNER: $crate::d2d_owner::export::OwnerRole<$Owner> =
            $crate::d2d_owner::export::OwnerRole::new(&EXPORTS);

        $crate::d2d_owner::module_owner! { @functions }
    };
    // Declares the module. It makes its roles with a `Started` for each peer's role, and with the static
    // `$LAST`: `OWNER`, or `JOINED` in a peer of two owners. A type of this crate keeps the roles and their
    // `RolesDropPromise`, which no driver may have.
    (
        @module $Module:ident, $Roles:ident<$($of:ty),+>,
        [$($STARTED:ident: $peer:ident),+], $LAST:ident, $($rest:tt)*
    ) => {
        struct $Module {
            _roles: $crate::$Roles<$($of),+>,
        }

        impl $crate::d2d_peer::__private::Module for $Module {
            fn init(
                _module: &'static $crate::d2d_peer::__private::ThisModule,
            ) -> $crate::d2d_peer::__private::Result<Self> {
                $(
                    static $STARTED: $crate::$peer::registration::Started =
                        $crate::$peer::registration::Started::new();
                )+
                // SAFETY: `Self` is the module into which this crate is linked. The kernel drops the
                // module's value, which owns the roles, before it frees text and data. The kernel calls
                // `init` before any other code of the module. If the driver calls `init` again, `new`
                // finds the first peer's `Started` set, and makes nothing.
                let promise = unsafe { $crate::RolesDropPromise::<Self>::new() };
                let roles =
                    $crate::$Roles::<$($of),+>::new(promise, $(&$STARTED,)+ &$LAST)?;
                $crate::d2d_peer::__private::Ok(Self { _roles: roles })
            }
        }

        $crate::d2d_peer::__private::module! {
            type: $Module,
            $($rest)*
        }
    };
}

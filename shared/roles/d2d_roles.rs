// SPDX-License-Identifier: GPL-2.0

//! A module in two roles: the owner of one pair, and a peer of another.
//!
//! The two roles use the library under two names, so that the compiler tells their types apart: the
//! owner's role uses `d2d` and `d2d_owner`, that of the peer `d2d_peer`, which is `d2d` compiled once
//! more. [`module_in_two_roles!`](crate::module_in_two_roles) declares the module. The peer's role is
//! there first and goes last: as long as the owner's role exists, it can call the other owner.

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
        Handle, //
    },
    registration::{
        self,
        Started, //
    }, //
};
use kernel::{
    prelude::*,
    ModuleMetadata, //
};

#[doc(hidden)]
pub use d2d_owner;
#[doc(hidden)]
pub use d2d_peer;

/// The owner's role of a module that has the role of a peer, too.
pub trait TwoRoles: Owner {
    /// The peer's role of the module.
    type Peer: Driver;

    /// Gives the owner's role that of the peer, before [`Owner::ready`]. No peer of this owner is
    /// attached yet. The owner keeps the handle in its state. May sleep.
    ///
    /// # Errors
    ///
    /// The errno with which loading the module fails. [`Owner::leaving`] is called before.
    fn join(contexts: &Contexts<'_, Self>, peer: Handle<Self::Peer>) -> Result;
}

/// What a module in two roles consists of. The fields are dropped in this order.
#[doc(hidden)]
pub struct Roles<O: TwoRoles, M: ModuleMetadata> {
    _owner: export::Parts<O, M>,
    peer: registration::Peer<O::Peer>,
}

impl<O: TwoRoles, M: ModuleMetadata> Drop for Roles<O, M> {
    /// Ends the waits of the peer's role first: the owner's role waits for its own jobs, which may
    /// wait for an event or a request of the peer's role.
    fn drop(&mut self) {
        self.peer.leave();
    }
}

impl<O: TwoRoles, M: ModuleMetadata> Roles<O, M>
where
    <O::Pair as d2d::link::Pair>::Owner: d2d::interface::TableFor<O>,
    <<O::Peer as Driver>::Pair as d2d_peer::link::Pair>::Peer:
        d2d_peer::interface::TableFor<O::Peer>,
{
    /// Registers the peer and asks its owner for a context; then makes the owner's server. `functions`
    /// is how many functions its table has. May sleep.
    ///
    /// # Errors
    ///
    /// Those of [`registration::Peer::new`] and of [`export::Exports::parts`].
    ///
    /// # Safety
    ///
    /// The roles are dropped before the kernel frees the module's text. The first call with this
    /// `started` is that of the module's `init`.
    pub unsafe fn new(
        started: &'static Started,
        role: &'static OwnerRole<O>,
        functions: usize,
    ) -> Result<Self> {
        // SAFETY: The caller promises the same.
        let peer = unsafe { registration::Peer::new::<M>(started) }?;
        let join = |contexts: &Contexts<'_, O>| O::join(contexts, peer.handle());
        // SAFETY: The caller promises the same.
        let owner = unsafe { role.parts::<M>(functions, join) }?;
        Ok(Self {
            _owner: owner,
            peer,
        })
    }
}

/// Declares a module that is the owner of one pair and a peer of another.
///
/// `peer` is the [`Driver`] and `of` its owner, as in `d2d::module_peer!`. `owner` is the type that
/// implements [`TwoRoles`], and so [`Owner`], as in `d2d_owner::module_owner!`. The other lines are those
/// of `module!`. Code of the peer's role reaches the contexts of the owner's role by
/// `OWNER.contexts(...)`: see [`OwnerRole::contexts`].
///
/// ```ignore
/// d2d_roles::module_in_two_roles! {
///     peer: Upper,
///     of: module_a,
///     owner: Lower,
///     name: "middle",
///     authors: ["..."],
///     license: "GPL",
///     imports_ns: ["D2D"],
/// }
/// ```
#[macro_export]
macro_rules! module_in_two_roles {
    (peer: $Peer:ty, of: $of:ident, owner: $Owner:ty, $($rest:tt)*) => {
        $crate::d2d_peer::module_peer! { @owner $of }

        static EXPORTS: $crate::d2d_owner::export::Exports =
            $crate::d2d_owner::export::Exports::new(
                <TwoRolesModule as $crate::d2d_owner::__private::ModuleMetadata>::NAME,
            );

        /// The owner's role.
        static OWNER: $crate::d2d_owner::export::OwnerRole<$Owner> =
            $crate::d2d_owner::export::OwnerRole::new(&EXPORTS);

        struct TwoRolesModule {
            _roles: $crate::Roles<$Owner, Self>,
        }

        impl $crate::d2d_owner::__private::Module for TwoRolesModule {
            fn init(
                _module: &'static $crate::d2d_owner::__private::ThisModule,
            ) -> $crate::d2d_owner::__private::Result<Self> {
                static STARTED: $crate::d2d_peer::registration::Started =
                    $crate::d2d_peer::registration::Started::new();
                // SAFETY: The kernel calls `init` before any other code of the module can run, so
                // this is the first call with `STARTED`. It drops the module, which owns the roles,
                // before it frees the module's text.
                let roles = unsafe {
                    $crate::Roles::new(&STARTED, &OWNER, $crate::d2d_owner::entry_points::COUNT)
                }?;
                $crate::d2d_owner::__private::Ok(Self { _roles: roles })
            }
        }

        $crate::d2d_owner::__private::module! {
            type: TwoRolesModule,
            $($rest)*
        }

        $crate::d2d_owner::module_owner! { @functions }

        const _: () = {
            const fn is_peer_of<O: $crate::TwoRoles<Peer = $Peer>>() {}
            is_peer_of::<$Owner>()
        };
    };
}

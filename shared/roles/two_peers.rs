// SPDX-License-Identifier: GPL-2.0

//! A module that is a peer of two owners.

use crate::{
    boxed,
    Roles,
    RolesDropPromise, //
};
use core::{
    marker::PhantomData,
    ptr::NonNull, //
};
use d2d_peer::{
    patience::LeaveRoles,
    readers::Readers,
    trace::report_memory, //
};
use kernel::{
    prelude::*,
    sync::atomic::{
        ordering::{
            Full,
            Release, //
        },
        Atomic, //
    },
    ModuleMetadata, //
};

/// The value of a module that is registered with two owners; usually the handles of its drivers. Both
/// drivers' code gets it by [`Joined::with`].
pub trait TwoPeers: Send + Sync + Sized + 'static {
    /// The driver that registers with the first owner.
    type First: d2d_peer::driver::Driver;
    /// The driver that registers with the second owner.
    type Second: d2d_peer2::driver::Driver;

    /// Makes the value after both drivers have registered and started. A driver that has pended its
    /// handshake may have no context yet. May sleep.
    ///
    /// When the module is unloaded, the library makes both drivers leave, and waits until no thread uses
    /// the value. Then it drops the value, the second driver and the first one, in this order.
    ///
    /// # Errors
    ///
    /// The errno with which loading the module fails.
    fn join(
        first: d2d_peer::driver::DriverRef<Self::First>,
        second: d2d_peer2::driver::DriverRef<Self::Second>,
    ) -> Result<Self>;
}

#[allow(improper_ctypes, reason = "it has empty parts without lockdep")]
unsafe extern "C" {
    /// The threads inside [`Joined::with`]. Defined in `joined_srcu.c`, and initialized for fast readers.
    safe static d2d_joined_srcu: Readers;
}

/// Holds the value of [`TwoPeers::join`] for the code of both drivers, which may run before the value is
/// made, and after it is dropped.
///
/// # Invariants
///
/// `value` is null, or came from [`KBox::into_raw`]. The value is freed only after `value` has become null,
/// and after all threads that were inside [`Joined::with`] at that moment have left.
pub struct Joined<T: TwoPeers> {
    value: Atomic<*mut T>,
}

impl<T: TwoPeers> Joined<T> {
    /// Makes a `Joined` without a value.
    #[expect(
        clippy::new_without_default,
        reason = "only module_of_two_owners! makes one"
    )]
    pub const fn new() -> Self {
        // INVARIANT: `value` is null.
        Self {
            value: Atomic::new(core::ptr::null_mut()),
        }
    }

    /// This is generic, so that only a module with a `Joined` refers to `joined_srcu.c`.
    fn readers() -> &'static Readers {
        &d2d_joined_srcu
    }

    /// Runs `f` on the value. Returns `None` before the drivers are joined, and soon after they have begun
    /// to leave. Any context but NMI. The module is not unloaded before `f` returns.
    pub fn with<R>(&self, f: impl FnOnce(&T) -> R) -> Option<R> {
        let (_inside, value) = Self::readers().enter(&self.value, true);
        // SAFETY: By the type invariants, `value` is null, or came from `KBox::into_raw` and is not freed
        // before this thread has left. `f` cannot keep the borrow for longer.
        unsafe { value.as_ref() }.map(f)
    }
}

/// While this exists, [`Joined::with`] finds the value. When this is dropped, it first makes both drivers
/// leave.
#[doc(hidden)]
pub struct Join<T: TwoPeers> {
    joined: &'static Joined<T>,
    leave: LeaveRoles,
}

impl<T: TwoPeers> Join<T> {
    fn new(joined: &'static Joined<T>, leave: LeaveRoles, value: T) -> Result<Self> {
        let value = KBox::into_raw(KBox::new(value, GFP_KERNEL)?);
        // INVARIANT: `value` came from `KBox::into_raw`. `joined.value` was null: `Peers::new` succeeds once.
        joined.value.store(value, Release);
        Ok(Self { joined, leave })
    }
}

impl<T: TwoPeers> Drop for Join<T> {
    fn drop(&mut self) {
        // The threads that use the value may wait for an event or a request of the drivers. One call of
        // `leave` is not enough: afterwards, a thread may deliver a request to a driver, and another may
        // wait until this request is cancelled. So `wait_and_end_waits` repeats the call.
        (self.leave)();
        // INVARIANT: The value is freed below, after all threads have left.
        let value = self.joined.value.xchg(core::ptr::null_mut(), Full);
        Joined::<T>::readers().wait_and_end_waits(&*self.leave);
        if let Some(value) = NonNull::new(value) {
            // SAFETY: By the type invariants `value` came from `KBox::into_raw`. All threads that may have
            // found it have left, and the exchange gave it to this thread alone.
            drop(unsafe { KBox::from_raw(value.as_ptr()) });
        }
    }
}

/// The roles of a peer of two owners. The fields are dropped in this order.
#[doc(hidden)]
pub struct Peers<A: d2d_peer::driver::Driver, B: d2d_peer2::driver::Driver> {
    second: d2d_peer2::registration::Peer<B>,
    first: d2d_peer::registration::Peer<A>,
}

impl<A, B> Peers<A, B>
where
    A: d2d_peer::driver::Driver,
    B: d2d_peer2::driver::Driver,
    <A::Pair as d2d_peer::link::Pair>::Peer: d2d_peer::interface::TableFor<A>,
    <B::Pair as d2d_peer2::link::Pair>::Peer: d2d_peer2::interface::TableFor<B>,
{
    /// Registers both drivers of module `M`, and asks for the contexts. May sleep.
    ///
    /// # Errors
    ///
    /// Those of `registration::Peer::new`. If the second driver fails, the first one is unregistered.
    pub fn new<M: ModuleMetadata>(
        promise: &RolesDropPromise<M>,
        started: &'static d2d_peer::registration::Started,
        second_started: &'static d2d_peer2::registration::Started,
    ) -> Result<Self> {
        let first = d2d_peer::registration::Peer::new(promise.first, started)?;
        let leaver = first.leaver();
        let leave = boxed::<M>(move || leaver.leave())?;
        let second = d2d_peer2::registration::Peer::beside(promise.second, second_started, leave)?;
        Ok(Self { second, first })
    }

    /// Returns what makes both drivers leave. May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, with a refusal.
    pub(crate) fn leaver<M: ModuleMetadata>(&self) -> Result<LeaveRoles> {
        let (first, second) = (self.first.leaver(), self.second.leaver());
        boxed::<M>(move || {
            first.leave();
            second.leave();
        })
    }

    pub(crate) fn handles(
        &self,
    ) -> (
        d2d_peer::driver::DriverRef<A>,
        d2d_peer2::driver::DriverRef<B>,
    ) {
        (self.first.handle(), self.second.handle())
    }
}

impl<A, B> Drop for Peers<A, B>
where
    A: d2d_peer::driver::Driver,
    B: d2d_peer2::driver::Driver,
{
    /// Makes both drivers leave first: the destructor of one driver's
    /// [`Resources`](d2d_peer::driver::Driver::Resources) may wait for an event of either driver.
    fn drop(&mut self) {
        self.first.leaver().leave();
        self.second.leaver().leave();
    }
}

#[doc(hidden)]
pub type TwoDrivers<T, M> =
    Roles<Join<T>, Peers<<T as TwoPeers>::First, <T as TwoPeers>::Second>, M>;

impl<T: TwoPeers, M: ModuleMetadata> TwoDrivers<T, M>
where
    <<T::First as d2d_peer::driver::Driver>::Pair as d2d_peer::link::Pair>::Peer:
        d2d_peer::interface::TableFor<T::First>,
    <<T::Second as d2d_peer2::driver::Driver>::Pair as d2d_peer2::link::Pair>::Peer:
        d2d_peer2::interface::TableFor<T::Second>,
{
    /// Makes and joins both peers of module `M`. May sleep.
    ///
    /// # Errors
    ///
    /// Those of [`Peers::new`] and of [`TwoPeers::join`].
    pub fn new(
        promise: RolesDropPromise<M>,
        started: &'static d2d_peer::registration::Started,
        second_started: &'static d2d_peer2::registration::Started,
        joined: &'static Joined<T>,
    ) -> Result<Self> {
        let peers = Peers::new(&promise, started, second_started)?;
        let (first, second) = peers.handles();
        let leave = peers.leaver::<M>()?;
        let join = T::join(first, second)
            .and_then(|value| Join::new(joined, leave, value))
            .map_err(|error| report_memory(M::NAME, error))?;
        Ok(Self {
            _last_made: join,
            _peers: peers,
            _module: PhantomData,
        })
    }
}

/// Declares a module that is a peer of two owners.
///
/// `type` implements [`TwoPeers`]. `first` and `second` are the modules with which its two drivers
/// register, in this order. If the second driver is refused, the library unregisters the first one.
/// The other lines are those of `module!`. Both drivers' code reaches the value of [`TwoPeers::join`] by
/// `JOINED.with(...)`: see [`Joined::with`].
///
/// ```ignore
/// d2d_roles::module_of_two_owners! {
///     type: Bridge,
///     first: module_a,
///     second: other_a,
///     name: "bridge",
///     authors: ["..."],
///     license: "GPL",
///     imports_ns: ["D2D"],
/// }
/// ```
#[macro_export]
macro_rules! module_of_two_owners {
    (type: $Joined:ty, first: $first:ident, second: $second:ident, $($rest:tt)*) => {
        $crate::d2d_peer::module_peer! { @owner $first peer_ }
        $crate::d2d_peer2::module_peer! { @owner $second peer2_ }

        /// The value of `TwoPeers::join`.
        static JOINED: $crate::Joined<$Joined> = $crate::Joined::new();

        $crate::module_in_two_roles! {
            @module TwoPeersModule, TwoDrivers<$Joined, Self>,
            [STARTED: d2d_peer, SECOND: d2d_peer2], JOINED, $($rest)*
        }
    };
}

// SPDX-License-Identifier: GPL-2.0

//! What each side holds of a context, and how it calls the other side.
//!
//! A call from the peer into the owner needs no protection: the peer imports the owner's symbols,
//! so the owner stays. A call from the owner into the peer runs under rundown protection, which
//! detaching waits for.

use crate::{
    arch,
    context::Context,
    event::Event,
    interface::{
        Endpoint,
        Interface,
        Link,
        Plain, //
    },
    queue::Queue,
    rundown::{
        Entered,
        Rundown, //
    }, //
};
use core::{
    ffi::c_void,
    marker::PhantomPinned, //
};
use kernel::{
    prelude::*,
    sync::{
        atomic::{
            ordering::Release,
            Atomic, //
        },
        SetOnce, //
    }, //
};

/// What the two drivers of a pair have agreed on.
pub trait Pair: Sized + 'static {
    /// Operations of the owner.
    type Owner: Interface<Link = OwnerLink<Self>>;
    /// Operations of the peer.
    type Peer: Interface<Link = PeerLink<Self>>;
    /// Data of the owner, at most `D2D_DATA_SIZE` bytes.
    type OwnerData: Plain;
    /// Data of the peer, at most `D2D_DATA_SIZE` bytes.
    type PeerData: Plain;
}

impl<P: Pair> Context<P> {
    /// Runs `f` on the owner's data, under the data's lock with interrupts disabled. Any context.
    pub fn with_owner_data<R>(&self, f: impl FnOnce(&mut P::OwnerData) -> R) -> R {
        // SAFETY: It is the owner's area in the data of this context.
        unsafe { self.with_data(&raw mut (*self.as_raw()).data.owner, f) }
    }

    /// Runs `f` on the peer's data, under the data's lock with interrupts disabled. Any context.
    pub fn with_peer_data<R>(&self, f: impl FnOnce(&mut P::PeerData) -> R) -> R {
        // SAFETY: It is the peer's area in the data of this context.
        unsafe { self.with_data(&raw mut (*self.as_raw()).data.peer, f) }
    }
}

/// The owner's side of a context, with or without a peer.
#[pin_data]
pub struct OwnerLink<P: Pair> {
    context: Context<P>,
    #[pin]
    peer: Rundown<Endpoint<P::Peer>>,
}

impl<P: Pair> OwnerLink<P> {
    /// Makes the link of a context that has no peer yet.
    pub fn new(context: Context<P>) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            context,
            peer <- Rundown::new(),
        })
    }

    /// Returns the context.
    pub fn context(&self) -> &Context<P> {
        &self.context
    }

    /// Returns the queue to the peer.
    pub fn outgoing(&self) -> Queue<'_> {
        self.context.to_peer()
    }

    /// Returns the queue from the peer.
    pub fn incoming(&self) -> Queue<'_> {
        self.context.to_owner()
    }

    /// Ties the queue from the peer to an event, its doorbell, or to none. Any context.
    ///
    /// The event is set when an item is put on the empty queue, and now if there is one. A side that takes
    /// all items after each ring misses none. A doorbell that is closed is silent.
    pub fn set_doorbell(&self, event: Option<&Event>) {
        self.incoming().set_doorbell(event);
    }

    /// Enters the peer, which cannot leave until the result is dropped. Any context but NMI.
    ///
    /// # Errors
    ///
    /// `ESHUTDOWN` if there is no peer or it is detaching.
    #[inline]
    pub fn peer(&self) -> Result<PeerCall<'_, P>> {
        self.peer.enter().map(PeerCall).ok_or(ESHUTDOWN)
    }

    /// Returns where those who enter and leave the peer are counted: a `struct srcu_struct`.
    #[doc(hidden)]
    pub fn peer_srcu(&self) -> *mut c_void {
        self.peer.srcu()
    }

    /// Lets calls into a peer begin. Any context.
    ///
    /// # Errors
    ///
    /// `EBUSY` if there is one already.
    ///
    /// # Safety
    ///
    /// The endpoint's operations may be called until [`OwnerLink::close`] has returned.
    pub unsafe fn open(&self, endpoint: Endpoint<P::Peer>) -> Result {
        self.peer.open(endpoint)
    }

    /// Refuses new calls into the peer and waits for those that run. Calls `end_waits` after 100 ms, and
    /// again until none runs: it ends what the peer's operations may be waiting for. Then clears the
    /// peer's doorbell. May sleep.
    ///
    /// # Safety
    ///
    /// Called by the one that has opened it, once, and not from inside the peer.
    pub unsafe fn close(&self, end_waits: impl Fn()) {
        self.peer.close_and(end_waits);
        self.outgoing().set_doorbell(None);
    }
}

impl<P: Pair> Link for OwnerLink<P> {
    type Seat = Self;

    fn of(seat: &Self) -> Option<&Self> {
        Some(seat)
    }
}

/// The peer, entered by the owner. Forgetting it keeps the peer from ever leaving.
#[must_use = "the peer can leave as soon as this is dropped"]
pub struct PeerCall<'a, P: Pair>(Entered<'a, Endpoint<P::Peer>>);

impl<P: Pair> PeerCall<'_, P> {
    /// Returns the peer's operations.
    #[inline]
    pub fn ops(&self) -> <P::Peer as Interface>::Caller<'_> {
        // SAFETY: The peer was entered, so it stays attached while `self` lives.
        unsafe { self.0.caller() }
    }
}

/// The peer's side of a context that it has adopted.
pub struct PeerLink<P: Pair> {
    context: Context<P>,
    owner: Endpoint<P::Owner>,
}

impl<P: Pair> Link for PeerLink<P> {
    type Seat = PeerSeat<P>;

    #[inline]
    fn of(seat: &PeerSeat<P>) -> Option<&Self> {
        // SAFETY: By the type invariants it points to the link, which never changes again.
        unsafe { arch::load_acquire(&seat.taken).as_ref() }
    }
}

/// Where a peer keeps its link, once it has one.
///
/// # Invariants
///
/// `taken` is null, or points to the value of `link`, which is there then.
#[pin_data]
pub struct PeerSeat<P: Pair> {
    link: SetOnce<PeerLink<P>>,
    /// What is read for each call: a `SetOnce` is read by a helper in C.
    taken: Atomic<*mut PeerLink<P>>,
    #[pin]
    _pin: PhantomPinned,
}

impl<P: Pair> PeerSeat<P> {
    /// Makes one without a link.
    pub(crate) fn new() -> impl PinInit<Self, Error> {
        // INVARIANT: It is null.
        try_pin_init!(Self {
            link: SetOnce::new(),
            taken: Atomic::new(core::ptr::null_mut()),
            _pin: PhantomPinned,
        })
    }

    /// Keeps the link. Returns whether there was none. Any context.
    pub(crate) fn take(&self, link: PeerLink<P>) -> bool {
        let is_first = self.link.populate(link);
        if is_first {
            let link = self.link.as_ref().map(core::ptr::from_ref);
            // INVARIANT: There is no other way to make one than pinned, so that the link stays there.
            self.taken.store(
                link.map_or(core::ptr::null_mut(), <*const _>::cast_mut),
                Release,
            );
        }
        is_first
    }
}

impl<P: Pair> PeerLink<P> {
    pub(crate) fn new(context: Context<P>, owner: Endpoint<P::Owner>) -> Self {
        Self { context, owner }
    }

    /// Returns the context.
    pub fn context(&self) -> &Context<P> {
        &self.context
    }

    /// Returns the queue to the owner.
    pub fn outgoing(&self) -> Queue<'_> {
        self.context.to_owner()
    }

    /// Returns the queue from the owner.
    pub fn incoming(&self) -> Queue<'_> {
        self.context.to_peer()
    }

    /// Ties the queue from the owner to an event, its doorbell, or to none. Any context.
    ///
    /// The event is set when an item is put on the empty queue, and now if there is one. A side that takes
    /// all items after each ring misses none. A doorbell that is closed is silent.
    pub fn set_doorbell(&self, event: Option<&Event>) {
        self.incoming().set_doorbell(event);
    }

    /// Returns the owner's operations.
    #[inline]
    pub fn owner(&self) -> <P::Owner as Interface>::Caller<'_> {
        // SAFETY: The owner's endpoint lives as long as its module, which stays loaded as long as
        // any code of the peer's module, which imports its symbols.
        unsafe { self.owner.caller() }
    }
}

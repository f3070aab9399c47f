// SPDX-License-Identifier: GPL-2.0

//! The owner's link to a peer, and a peer's link to its owner.
//!
//! A peer calls its owner without protection: the peer's module imports the owner's symbols, so the kernel unloads the
//! peer first. An owner calls its peer under rundown protection: detaching waits until no thread is inside the peer.

use crate::{
    context::Context,
    data::{
        OWNER,
        PEER,
        SHARED, //
    },
    event::Event,
    interface::{
        Endpoint,
        Interface,
        Link,
        Plain, //
    },
    lent::Memory,
    queue::Queue,
    rundown::{
        Entered,
        Rundown, //
    },
    word::AtomicWord, //
};
use core::marker::PhantomPinned;
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

/// What the two drivers of a pair have agreed on. Each block of data has at most `D2D_DATA_SIZE` bytes.
pub trait Pair: Sized + 'static {
    /// The owner's operations.
    type Owner: Interface<Link = OwnerLink<Self>>;
    /// The peer's operations.
    type Peer: Interface<Link = PeerLink<Self>>;
    /// The owner's block of data.
    type OwnerData: Plain;
    /// The peer's block of data. The owner zeroes it before each handshake.
    type PeerData: Plain;
    /// The block of data that both share. It is zeroed when the owner is loaded, and keeps its contents when a peer
    /// detaches.
    type Shared: Plain;
}

impl<P: Pair> Context<P> {
    /// Runs `f` on the owner's data, with the lock of the data held and interrupts disabled. Any context.
    pub fn with_owner_data<R>(&self, f: impl FnOnce(&mut P::OwnerData) -> R) -> R {
        self.with_block::<OWNER, _, _>(f)
    }

    /// As [`Context::with_owner_data`], for the peer's data.
    pub fn with_peer_data<R>(&self, f: impl FnOnce(&mut P::PeerData) -> R) -> R {
        self.with_block::<PEER, _, _>(f)
    }

    /// As [`Context::with_owner_data`], for the block that both sides share.
    pub fn with_shared<R>(&self, f: impl FnOnce(&mut P::Shared) -> R) -> R {
        self.with_block::<SHARED, _, _>(f)
    }
}

/// The owner's link of a context.
#[pin_data]
pub struct OwnerLink<P: Pair> {
    context: Context<P>,
    #[pin]
    peer: Rundown<Endpoint<P::Peer>>,
}

impl<P: Pair> OwnerLink<P> {
    /// Makes the link of a context without a peer. May sleep.
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

    /// Makes an event the doorbell of the queue from the peer, or removes the doorbell. Any context.
    ///
    /// The event is set when an item is put on the empty queue. If the queue is not empty, this call sets the event,
    /// too. So a side misses no item if it takes all items each time that the event is set. A doorbell whose event is
    /// closed does not ring.
    pub fn set_doorbell(&self, event: Option<&Event>) {
        self.incoming().set_doorbell(event);
    }

    /// Enters the peer, which cannot detach until the result is dropped. Any context but NMI.
    ///
    /// # Errors
    ///
    /// `ESHUTDOWN` if there is no peer or it is detaching.
    #[inline]
    pub fn peer(&self) -> Result<PeerCall<'_, P>> {
        self.peer.enter().map(PeerCall).ok_or(ESHUTDOWN)
    }

    /// Returns how many calls into the peer there were, and how many run now, both approximately. Any context.
    pub fn peer_calls(&self) -> (u64, u64) {
        self.peer.count()
    }

    /// Makes [`OwnerLink::peer`] enter the peer of `endpoint`. Any context.
    ///
    /// # Errors
    ///
    /// `EBUSY` if the context has a peer.
    pub fn open(&self, endpoint: Endpoint<P::Peer>) -> Result {
        self.peer.open(endpoint)
    }

    /// Refuses new calls into the peer, and waits until no thread is inside it. After 100 ms, calls `end_waits` again
    /// and again. Then clears the peer's doorbell. May sleep.
    ///
    /// # Safety
    ///
    /// The caller has opened the link, and closes it once. Otherwise threads may be inside the peer when this returns,
    /// and the peer's module may be unloaded. The caller is not inside the peer: it would wait for ever.
    pub unsafe fn close(&self, end_waits: impl Fn()) {
        self.peer.close_and_end_waits(end_waits);
        self.outgoing().set_doorbell(None);
    }
}

impl<P: Pair> Link for OwnerLink<P> {
    type Storage = Self;

    fn of(storage: &Self) -> Option<&Self> {
        Some(storage)
    }
}

/// Proof that a thread of the owner is inside the peer. If code passes it to `mem::forget`, the peer can never detach.
#[must_use = "the peer can detach as soon as this is dropped"]
pub struct PeerCall<'a, P: Pair>(Entered<'a, Endpoint<P::Peer>>);

impl<P: Pair> PeerCall<'_, P> {
    /// Returns the peer's operations.
    #[inline]
    pub fn ops(&self) -> <P::Peer as Interface>::Caller<'_> {
        self.0.caller()
    }

    /// Returns the value that the peer lends: see [`lent`](crate::lent). Any context.
    ///
    /// # Errors
    ///
    /// Each prints a line: `ENODATA` if the peer lends nothing, `EPROTOTYPE` if its memory consists of another type,
    /// `EMSGSIZE` if the memory has no room for a `T`, `EFAULT` if the memory is misaligned.
    pub fn lent<T: Memory>(&self) -> Result<&T> {
        self.lent_slice().map(|values| &values[0])
    }

    /// As [`PeerCall::lent`], for all values that the peer lends: at least one.
    pub fn lent_slice<T: Memory>(&self) -> Result<&[T]> {
        self.0.lent()
    }
}

/// The peer's link of a context.
pub struct PeerLink<P: Pair> {
    context: Context<P>,
    owner: Endpoint<P::Owner>,
}

impl<P: Pair> Link for PeerLink<P> {
    type Storage = PeerLinkStorage<P>;

    #[inline]
    fn of(storage: &PeerLinkStorage<P>) -> Option<&Self> {
        // SAFETY: By the type invariants of `PeerLinkStorage`, `current` is null or points to the link, which does not
        // change any more, and lives as long as `storage`.
        unsafe { AtomicWord::load_acquire(&storage.current).as_ref() }
    }
}

/// Where a peer keeps its link.
///
/// # Invariants
///
/// `current` is null, or points to the value of `link`.
#[pin_data]
pub struct PeerLinkStorage<P: Pair> {
    link: SetOnce<PeerLink<P>>,
    /// Each call of an operation reads this pointer. Reading the `SetOnce` instead would be too slow: it calls a helper
    /// in C.
    current: Atomic<*mut PeerLink<P>>,
    #[pin]
    _pin: PhantomPinned,
}

impl<P: Pair> PeerLinkStorage<P> {
    pub(crate) fn new() -> impl PinInit<Self, Error> {
        // INVARIANT: `current` is null.
        try_pin_init!(Self {
            link: SetOnce::new(),
            current: Atomic::new(core::ptr::null_mut()),
            _pin: PhantomPinned,
        })
    }

    /// Keeps the link and returns true. If the storage has a link already, returns false. Any context.
    pub(crate) fn keep(&self, link: PeerLink<P>) -> bool {
        let is_first = self.link.populate(link);
        if is_first {
            let link = self.link.as_ref().map(core::ptr::from_ref);
            // INVARIANT: The storage is pinned by `new`, so the link does not move.
            self.current.store(
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

    /// As [`OwnerLink::set_doorbell`], for the queue from the owner.
    pub fn set_doorbell(&self, event: Option<&Event>) {
        self.incoming().set_doorbell(event);
    }

    /// Returns the owner's operations.
    #[inline]
    pub fn owner(&self) -> <P::Owner as Interface>::Caller<'_> {
        self.owner.caller()
    }

    /// As [`PeerCall::lent`], for the value that the owner lends.
    pub fn lent<T: Memory>(&self) -> Result<&T> {
        self.lent_slice().map(|values| &values[0])
    }

    /// As [`PeerLink::lent`], for all values that the owner lends: at least one.
    pub fn lent_slice<T: Memory>(&self) -> Result<&[T]> {
        self.owner.lent()
    }
}

// SPDX-License-Identifier: GPL-2.0

//! The context: the block of kernel memory that an owner and a peer share.
//!
//! C type: `struct d2d_context`.

use crate::{
    abi,
    data::{
        Sizes,
        OWNER,
        PEER,
        SHARED, //
    },
    interface::Plain,
    link::Pair,
    queue::Queue, //
};
use core::{
    marker::PhantomData,
    ptr::NonNull, //
};
use kernel::sync::lock::{
    spinlock::SpinLockIrqBackend,
    Lock, //
};

/// A context, as either side uses it.
///
/// # Invariants
///
/// `raw` points to an initialized `struct d2d_context` that lives as long as this value. `id` is
/// its number. `queues` are its queues, and no copy of them outlives this value. Its blocks of data
/// begin at `blocks`. If `P` is a [`Pair`], no block is smaller than `P` declares ([`Sizes::of`]).
pub struct Context<P> {
    raw: NonNull<abi::d2d_context>,
    id: u32,
    /// The queues to the peer and to the owner.
    queues: [Queue<'static>; 2],
    /// Offsets of the blocks from the first one, in bytes.
    blocks: [usize; 3],
    _pair: PhantomData<P>,
}

// SAFETY: What a `Context` gives access to is protected by locks, atomic, or constant.
unsafe impl<P> Send for Context<P> {}
// SAFETY: As for `Send`.
unsafe impl<P> Sync for Context<P> {}

impl<P> Context<P> {
    /// Wraps the context at `raw`.
    ///
    /// # Safety
    ///
    /// `raw` points to an initialized `struct d2d_context` that lives as long as the result. Its
    /// blocks of data have these sizes. If `P` is a [`Pair`], none is smaller than `P` declares.
    pub unsafe fn from_raw(raw: NonNull<abi::d2d_context>, sizes: Sizes) -> Self {
        // SAFETY: By the contract, the structure is initialized and lives as long as the result.
        // The result hands out a queue only for as long as it is borrowed. `id` never changes.
        let (id, queues) = unsafe {
            let context = raw.as_ptr();
            let to_peer = NonNull::new_unchecked(&raw mut (*context).to_peer);
            let to_owner = NonNull::new_unchecked(&raw mut (*context).to_owner);
            (
                (*context).id,
                [Queue::from_raw(to_peer), Queue::from_raw(to_owner)],
            )
        };
        // INVARIANT: The contract of this function promises this of `raw` and the blocks. `id` and
        // the queues are those of `raw`.
        Self {
            raw,
            id,
            queues,
            blocks: [OWNER, PEER, SHARED].map(|block| sizes.offset(block)),
            _pair: PhantomData,
        }
    }

    /// Returns the address of the C structure.
    pub fn as_raw(&self) -> *mut abi::d2d_context {
        self.raw.as_ptr()
    }

    #[inline]
    fn data_lock(&self) -> &Lock<(), SpinLockIrqBackend> {
        // SAFETY: By the type invariants, the context and its lock are initialized and live as long
        // as `self`.
        unsafe { Lock::from_raw(&raw mut (*self.as_raw()).data.lock) }
    }

    /// Returns the number of the context.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// Returns the queue from the owner to the peer.
    pub fn to_peer(&self) -> Queue<'_> {
        self.queues[0]
    }

    /// Returns the queue from the peer to the owner.
    pub fn to_owner(&self) -> Queue<'_> {
        self.queues[1]
    }

    /// Returns the queues with their names.
    pub fn queues(&self) -> [(&'static str, Queue<'_>); 2] {
        [("to_peer", self.to_peer()), ("to_owner", self.to_owner())]
    }
}

/// A context of an owner in C, which has no type for its pair.
impl Context<()> {
    /// Zeroes the peer's block of data under the lock of the data. Any context.
    pub fn zero_peer_data(&self) {
        let [_, peer, shared] = self.blocks;
        let _guard = self.data_lock().lock();
        // SAFETY: By the type invariants, `raw` is valid, and these bytes are the peer's block,
        // and padding that nobody uses. The lock keeps other threads from the block.
        unsafe {
            let blocks = (&raw mut (*self.as_raw()).data.blocks).cast::<u8>();
            blocks.add(peer).write_bytes(0, shared - peer);
        }
    }

    /// Removes the peer's doorbell for the queue to the peer. Any context.
    pub fn remove_peer_doorbell(&self) {
        self.to_peer().set_doorbell(None);
    }
}

impl<P: Pair> Context<P> {
    /// Runs `f` on a block of the data, with the lock of the data held and interrupts disabled. Any
    /// context.
    #[inline]
    pub(crate) fn with_block<const BLOCK: usize, T: Plain, R>(
        &self,
        f: impl FnOnce(&mut T) -> R,
    ) -> R {
        const {
            assert!(size_of::<T>() == Sizes::of::<P>().get(BLOCK));
            assert!(align_of::<T>() <= align_of::<u64>());
        }
        let raw = self.as_raw();
        let lock = self.data_lock();
        let _guard = lock.lock();
        // SAFETY: By the type invariants, `raw` is valid, and the block is not smaller than a `T`.
        // It begins at a multiple of 8 bytes, which is enough for a `T`. Any bytes are a `T`. The
        // lock makes this the only reference.
        f(unsafe {
            let blocks = (&raw mut (*raw).data.blocks).cast::<u8>();
            &mut *blocks.add(self.blocks[BLOCK]).cast::<T>()
        })
    }
}

#[cfg(d2d_tests)]
mod tests;

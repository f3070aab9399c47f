// SPDX-License-Identifier: GPL-2.0

//! Allocation of a context: the block, its locks, its queues and their items.

use crate::config::Config;
use core::ptr::{
    null,
    NonNull, //
};
use d2d::{
    abi,
    context::Context,
    header,
    link::Pair,
    step, //
};
use kernel::{
    bindings,
    prelude::*,
    static_lock_class,
    sync::{
        atomic::{
            ordering::Relaxed,
            Atomic, //
        },
        LockClassKey, //
    },
    types::Opaque, //
};

/// How the memory of items is allocated: zeroed, and refused where there is too little of it, as the
/// OOM killer would end others for what a user has asked too much of.
const ITEMS: bindings::gfp_t = bindings::GFP_KERNEL
    | bindings::__GFP_ZERO
    | bindings::__GFP_NOWARN
    | 1 << bindings::___GFP_RETRY_MAYFAIL_BIT;

/// Makes a vector with room for `count` values, whose memory is zeroed. May sleep.
fn with_room_for<T>(count: usize) -> Result<KVVec<T>> {
    let size = count * size_of::<T>();
    // SAFETY: It is a new allocation.
    let memory = unsafe {
        bindings::kvrealloc_node_align(null(), size, align_of::<T>(), ITEMS, bindings::NUMA_NO_NODE)
    };
    let memory = NonNull::new(memory.cast::<T>()).ok_or(ENOMEM)?;
    // SAFETY: The memory is what the vector's allocator would have allocated, for `count` values.
    Ok(unsafe { KVVec::from_raw_parts(memory.as_ptr(), 0, count) })
}

/// Items are allocated in chunks of at most this many bytes, so that none of these allocations is of
/// high order.
const CHUNK_SIZE: usize = 16 * 1024;

/// The memory of a context.
///
/// # Invariants
///
/// `raw` is initialized, and the items of its queues lie in `_items`.
pub(crate) struct Block {
    raw: Pin<KBox<Opaque<abi::d2d_context>>>,
    _items: [Items; 2],
}

/// The memory of a queue's items.
struct Items {
    /// Whole words, for the items' alignment. No vector knows of a length.
    chunks: KVVec<KVVec<u64>>,
    /// Where each item is.
    pool: KVVec<*mut abi::d2d_item>,
}

impl Items {
    fn new(config: &Config) -> Result<Self> {
        let capacity = config.capacity as usize;
        let bytes = capacity * config.item_words() * size_of::<u64>();
        Ok(Self {
            // Each but the last is at least half full: an item is smaller than half a chunk.
            chunks: with_room_for(bytes / (CHUNK_SIZE / 2) + 1)?,
            pool: with_room_for(capacity)?,
        })
    }

    /// Makes `config.capacity` items and puts them on the queue's free list and in its pool.
    ///
    /// # Safety
    ///
    /// The queue is zeroed but for its lock and id, nobody else uses it, and this outlives it.
    unsafe fn add_to(&mut self, queue: *mut abi::d2d_queue, config: &Config) -> Result {
        let words = config.item_words();
        let per_chunk = CHUNK_SIZE / (words * size_of::<u64>());
        let mut left = config.capacity as usize;
        while left > 0 {
            let count = left.min(per_chunk);
            let mut chunk = with_room_for::<u64>(count * words)?;
            for item in chunk.spare_capacity_mut().chunks_exact_mut(words) {
                let item: *mut abi::d2d_item = item.as_mut_ptr().cast();
                // SAFETY: The item is zeroed, has room for its header and payload, is aligned, and
                // on no list. Nobody else uses the queue.
                unsafe {
                    let queue_id = (*queue).id << abi::D2D_ITEM_INDEX_BITS;
                    (*item).handle =
                        u64::from(abi::D2D_HANDLE_ITEM | queue_id) | self.pool.len() as u64;
                    (*item).next = (*queue).free;
                    (*queue).free = item;
                }
                self.pool.push(item, GFP_KERNEL)?;
            }
            self.chunks.push(chunk, GFP_KERNEL)?;
            left -= count;
        }
        // SAFETY: Nobody else uses the queue. The pool moves no more, and outlives the queue.
        unsafe {
            (*queue).item_size = config.item_size;
            (*queue).capacity = config.capacity;
            (*queue).pool = self.pool.as_mut_ptr();
        }
        Ok(())
    }
}

impl Block {
    /// Allocates context number `id` and initializes all but its endpoints. May sleep.
    ///
    /// The trace shows it in the name of `driver`.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn new(
        driver: &CStr,
        module: *mut bindings::module,
        id: u32,
        config: &Config,
    ) -> Result<Self> {
        let raw = KBox::pin_init(Opaque::<abi::d2d_context>::zeroed(), GFP_KERNEL)?;
        let block = raw.get();
        step!(driver, alloc, ctx: id, bytes: config.context_bytes());
        let mut items = [Items::new(config)?, Items::new(config)?];
        // SAFETY: The block is ours alone, zeroed and pinned: these are parts of it.
        let (queues, data) = unsafe {
            (*block).hdr = header::new::<abi::d2d_context>(abi::D2D_CONTEXT_MAGIC);
            (*block).id = id;
            (*block).module = module;
            (*block).to_peer.id = 2 * id;
            (*block).to_owner.id = 2 * id + 1;
            (
                [
                    ("to_peer", &raw mut (*block).to_peer),
                    ("to_owner", &raw mut (*block).to_owner),
                ],
                &raw mut (*block).data.lock,
            )
        };
        for ((name, queue), items) in queues.into_iter().zip(&mut items) {
            // SAFETY: The lock is a part of the block.
            unsafe { Self::init_lock(&raw mut (*queue).lock, static_lock_class!()) };
            step!(driver, init_lock, ctx: id, lock: name);
            // SAFETY: The queue is zeroed but for its lock and id, and the items are kept beside the block.
            unsafe { items.add_to(queue, config)? };
            step!(
                driver, init_queue, ctx: id, queue: name, capacity: config.capacity,
                item: config.item_size
            );
        }
        // SAFETY: The lock is a part of the block.
        unsafe { Self::init_lock(data, static_lock_class!()) };
        step!(driver, init_lock, ctx: id, lock: "data");
        // INVARIANT: All of it is initialized, and the items are kept.
        Ok(Self { raw, _items: items })
    }

    /// # Safety
    ///
    /// `lock` is valid for writes, pinned, and freed before this module is unloaded.
    unsafe fn init_lock(lock: *mut bindings::spinlock_t, class: Pin<&'static LockClassKey>) {
        // SAFETY: The lock is valid for writes and pinned; the name and the class are static.
        unsafe { bindings::__spin_lock_init(lock, c"d2d".as_char_ptr(), class.as_ptr()) };
    }

    /// Returns the context.
    ///
    /// # Safety
    ///
    /// The block lives as long as any code that could hold the result is in the kernel.
    pub(crate) unsafe fn context<P: Pair>(&self) -> Context<P> {
        // SAFETY: The pointer is that of a box, which lives as long as any code that could hold the
        // result.
        unsafe { Context::from_raw(NonNull::new_unchecked(self.raw.get())) }
    }
}

/// A block. Dropping this frees it, unless [`Lent::keep`] was called.
pub(crate) struct Lent {
    block: Option<Block>,
    in_use: Atomic<u32>,
}

impl Lent {
    pub(crate) fn new(block: Block) -> Self {
        Self {
            block: Some(block),
            in_use: Atomic::new(0),
        }
    }

    /// Says that a driver may use the context for ever.
    pub(crate) fn keep(&self) {
        self.in_use.store(1, Relaxed);
    }

    /// Returns whether the block stays.
    pub(crate) fn is_kept(&self) -> bool {
        self.in_use.load(Relaxed) != 0
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if self.is_kept() {
            core::mem::forget(self.block.take());
        }
    }
}

// SAFETY: The block is memory without ties to a thread; what is in it is used under its locks.
unsafe impl Send for Block {}
// SAFETY: As above.
unsafe impl Sync for Block {}

#[cfg(d2d_tests)]
mod tests;

// SPDX-License-Identifier: GPL-2.0

//! Allocates and initializes a context and the items of its queues.

use crate::config::Config;
use core::ptr::{
    null,
    null_mut,
    NonNull, //
};
use d2d::{
    abi,
    context::Context,
    data::Sizes,
    header,
    lent::Lending,
    link::Pair,
    step, //
};
use kernel::{
    bindings,
    prelude::*,
    static_lock_class,
    sync::atomic::{
        ordering::Relaxed,
        Atomic, //
    }, //
};

/// The kernel zeroes the memory. If memory is short, the allocation fails: the kernel does not call
/// the OOM killer.
const FLAGS: bindings::gfp_t = bindings::GFP_KERNEL
    | bindings::__GFP_ZERO
    | bindings::__GFP_NOWARN
    | 1 << bindings::___GFP_RETRY_MAYFAIL_BIT;

/// Makes an empty vector with zeroed memory for `count` values. May sleep.
///
/// # Errors
///
/// `ENOMEM`.
fn with_room_for<T>(count: usize) -> Result<KVVec<T>> {
    let size = count * size_of::<T>();
    let (align, node) = (align_of::<T>(), bindings::NUMA_NO_NODE);
    // SAFETY: The old address is null, so the kernel makes a new allocation, as the vector's
    // allocator `KVmalloc` does. It has room for `count` values, and the vector's length is 0.
    unsafe {
        let memory = bindings::kvrealloc_node_align(null(), size, align, FLAGS, node);
        let memory = NonNull::new(memory.cast::<T>()).ok_or(ENOMEM)?;
        Ok(KVVec::from_raw_parts(memory.as_ptr(), 0, count))
    }
}

/// Most bytes of a chunk, the unit in which items are allocated. This limit avoids allocations of a
/// high order.
const CHUNK_SIZE: usize = 16 * 1024;

#[repr(C, align(64))]
struct CacheLine([u8; abi::D2D_CACHE_LINE as usize]);

/// # Invariants
///
/// `raw` points to an initialized context in `_memory`; the items of its queues are in `_items`.
pub(crate) struct ContextBox {
    raw: *mut abi::d2d_context,
    /// Of type `CacheLine` for the context's alignment. The vector's length is 0.
    _memory: KVVec<CacheLine>,
    _items: [Items; 2],
}

struct Items {
    /// Of type `u64` for the items' alignment. Each inner vector has length 0.
    chunks: KVVec<KVVec<u64>>,
    /// The address of each item, by its index.
    pool: KVVec<*mut abi::d2d_item>,
}

impl Items {
    fn new(config: &Config) -> Result<Self> {
        let capacity = config.capacity as usize;
        let bytes = capacity * config.item_words() * size_of::<u64>();
        Ok(Self {
            // An item is smaller than half a chunk, so each chunk but the last is at least half
            // full.
            chunks: with_room_for(bytes / (CHUNK_SIZE / 2) + 1)?,
            pool: with_room_for(capacity)?,
        })
    }

    /// Allocates the items of a queue, and puts them on a list. Returns the first item of the list.
    fn build(&mut self, queue_id: u32, config: &Config) -> Result<*mut abi::d2d_item> {
        let first_handle = abi::D2D_HANDLE_ITEM | queue_id << abi::D2D_ITEM_INDEX_BITS;
        let mut free = null_mut();
        let words = config.item_words();
        let per_chunk = CHUNK_SIZE / (words * size_of::<u64>());
        let mut left = config.capacity as usize;
        while left > 0 {
            let count = left.min(per_chunk);
            let mut chunk = with_room_for::<u64>(count * words)?;
            for item in chunk.spare_capacity_mut().chunks_exact_mut(words) {
                let item: *mut abi::d2d_item = item.as_mut_ptr().cast();
                // SAFETY: The item's memory is zeroed, aligned to words, large enough for its
                // header and payload, and new.
                unsafe {
                    (*item).handle = u64::from(first_handle) | self.pool.len() as u64;
                    (*item).next = free;
                }
                free = item;
                self.pool.push(item, GFP_KERNEL)?;
            }
            self.chunks.push(chunk, GFP_KERNEL)?;
            left -= count;
        }
        Ok(free)
    }
}

impl ContextBox {
    /// Allocates context number `id`, and initializes all of it but its endpoints. The trace lines
    /// name `driver`. May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn new(
        driver: &CStr,
        module: *mut bindings::module,
        id: u32,
        config: &Config,
        sizes: Sizes,
    ) -> Result<Self> {
        const { assert!(align_of::<abi::d2d_context>() <= align_of::<CacheLine>()) };
        let lines = sizes.context_bytes().div_ceil(size_of::<CacheLine>());
        let mut memory = with_room_for::<CacheLine>(lines)?;
        let context = memory.as_mut_ptr().cast::<abi::d2d_context>();
        step!(driver, alloc, ctx: id, bytes: config.context_bytes(sizes));
        let mut items = [Items::new(config)?, Items::new(config)?];
        let [owner_size, peer_size, shared_size] = sizes.bytes();
        let lock_name = c"d2d".as_char_ptr();
        // SAFETY: The context, with its queues and locks, is new and zeroed, so no other thread
        // uses it, and its memory does not move. The name and the classes of the locks are statics
        // of this module. If the owner is unloaded and keeps the context for ever, only lockdep can
        // use the name and the classes after that.
        let queues = unsafe {
            (*context).hdr = header::new::<abi::d2d_context>(abi::D2D_CONTEXT_MAGIC);
            (*context).id = id;
            (*context).module = module;
            let data = &raw mut (*context).data;
            (*data).owner_size = owner_size;
            (*data).peer_size = peer_size;
            (*data).shared_size = shared_size;
            let class = static_lock_class!();
            bindings::__spin_lock_init(&raw mut (*data).lock, lock_name, class.as_ptr());
            let queues = [
                (2 * id, "to_peer", &raw mut (*context).to_peer),
                (2 * id + 1, "to_owner", &raw mut (*context).to_owner),
            ];
            for (queue_id, _, queue) in queues {
                (*queue).id = queue_id;
                let class = static_lock_class!();
                bindings::__spin_lock_init(&raw mut (*queue).lock, lock_name, class.as_ptr());
            }
            queues
        };
        for ((queue_id, name, queue), items) in queues.into_iter().zip(&mut items) {
            step!(driver, init_lock, ctx: id, lock: name);
            let free = items.build(queue_id, config)?;
            // SAFETY: No other thread uses the queue, a part of the context. The pool is complete,
            // so its memory does not move any more, and the box owns it.
            unsafe {
                (*queue).free = free;
                (*queue).item_size = config.item_size;
                (*queue).capacity = config.capacity;
                (*queue).pool = items.pool.as_mut_ptr();
            }
            step!(
                driver, init_queue, ctx: id, queue: name, capacity: config.capacity,
                item: config.item_size
            );
        }
        step!(driver, init_lock, ctx: id, lock: "data");
        // INVARIANT: The context in `_memory` is initialized, and `_items` has the items of its
        // queues.
        Ok(Self {
            raw: context,
            _memory: memory,
            _items: items,
        })
    }

    pub(crate) fn as_raw(&self) -> *mut abi::d2d_context {
        self.raw
    }

    /// # Safety
    ///
    /// The box is not dropped while code that may have a copy of the result can run. It has the
    /// sizes of the pair `P`.
    pub(crate) unsafe fn context<P: Pair>(&self) -> Context<P> {
        // SAFETY: The pointer is that of an allocation, so it is not null. The caller promises the
        // lifetime and the sizes.
        unsafe { Context::from_raw(NonNull::new_unchecked(self.raw), Sizes::of::<P>()) }
    }
}

/// A context's box, and the memory that the owner lends the peer of the context. Its drop frees
/// both, except after [`ContextMemory::keep`].
pub(crate) struct ContextMemory {
    contents: Option<(ContextBox, Option<Lending>)>,
    kept: Atomic<u32>,
}

impl ContextMemory {
    pub(crate) fn new(context: ContextBox, lending: Option<Lending>) -> Self {
        Self {
            contents: Some((context, lending)),
            kept: Atomic::new(0),
        }
    }

    /// Keeps the box and the lent memory for ever, because a driver may go on using them. Any
    /// context.
    pub(crate) fn keep(&self) {
        self.kept.store(1, Relaxed);
    }

    pub(crate) fn lending(&self) -> Option<&Lending> {
        self.contents.as_ref()?.1.as_ref()
    }

    pub(crate) fn is_kept(&self) -> bool {
        self.kept.load(Relaxed) != 0
    }
}

impl Drop for ContextMemory {
    fn drop(&mut self) {
        if self.is_kept() {
            core::mem::forget(self.contents.take());
        }
    }
}

// SAFETY: The box's memory is not tied to a thread. Locks protect its contents, or the contents
// change atomically or never. The exception is the peer's endpoint: the state of the driver in the
// registry says which thread may write it, and no other thread reads it meanwhile.
unsafe impl Send for ContextBox {}
// SAFETY: As above.
unsafe impl Sync for ContextBox {}

#[cfg(d2d_tests)]
mod tests;

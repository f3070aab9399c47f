// SPDX-License-Identifier: GPL-2.0

//! What the unit tests of several files need: a pair, a context, and the module that they run in.
//!
//! Compiled with `--cfg d2d_tests` only, as a module of the crate `d2d`.

use crate::{
    abi,
    context::Context,
    header,
    link::{
        OwnerLink,
        Pair,
        PeerLink, //
    }, //
};
use core::{
    ops::Deref,
    ptr::NonNull, //
};
use kernel::{
    bindings,
    prelude::*,
    static_lock_class,
    types::Opaque,
    ModuleMetadata, //
};

/// The module that the tests are linked into. `module!` defines this type in the crate that calls
/// it; the tested crates do not, and `#[vtable]` expects the type in the crate root.
pub struct LocalModule;

impl ModuleMetadata for LocalModule {
    const NAME: &'static CStr = c"d2d_kunit";

    const THIS_MODULE: ThisModule = {
        unsafe extern "C" {
            static __this_module: [u8; 0];
        }
        // SAFETY: The linker gives this name to the `struct module` of each module, which the kernel
        // keeps while the module's code can run.
        unsafe { ThisModule::from_ptr((&raw const __this_module).cast_mut().cast()) }
    };
}

/// Returns the hashes that the demonstration's C header states, of the owner's operations and of the
/// peer's.
pub fn header_hashes() -> [[u64; 4]; 2] {
    // bindgen makes a negative number of a hash whose highest bit is set.
    [
        [
            abi::D2D_PAIR_OWNER_INTERFACE as u64,
            abi::D2D_PAIR_OWNER_PING,
            abi::D2D_PAIR_OWNER_BOUNCE,
            abi::D2D_PAIR_OWNER_DRAIN,
        ],
        [
            abi::D2D_PAIR_PEER_INTERFACE as u64,
            abi::D2D_PAIR_PEER_PING as u64,
            abi::D2D_PAIR_PEER_BOUNCE as u64,
            abi::D2D_PAIR_PEER_DRAIN,
        ],
    ]
}

/// Returns the module whose text has the operations and routines of the tests.
pub fn module() -> *mut bindings::module {
    LocalModule::THIS_MODULE.as_ptr()
}

crate::interface! {
    /// What the owner offers in [`TestPair`].
    pub trait TestOwnerOps: "test-owner" {
        interface: TestOwner,
        caller: TestOwnerCaller,
        table: TestOwnerTable,
        link: OwnerLink<TestPair>,
        version: (1, 0),
    }
    /// Returns `value`.
    fn echo(&self, link: &OwnerLink<TestPair>, value: u32) -> Result<u32>;
}

crate::interface! {
    /// What the peer offers in [`TestPair`].
    pub trait TestPeerOps: "test-peer" {
        interface: TestPeer,
        caller: TestPeerCaller,
        table: TestPeerTable,
        link: PeerLink<TestPair>,
        version: (1, 0),
    }
    /// Returns `value`.
    fn echo(&self, link: &PeerLink<TestPair>, value: u32) -> Result<u32>;
}

/// A pair whose sides each have two numbers as their data.
pub struct TestPair;

impl Pair for TestPair {
    type Owner = TestOwner;
    type Peer = TestPeer;
    type OwnerData = [u32; 2];
    type PeerData = [u32; 2];
}

/// The items of a queue of a [`TestContext`].
struct Items {
    memory: KVVec<u64>,
    pool: KVVec<*mut abi::d2d_item>,
}

impl Items {
    /// Makes `capacity` items of `item_size` bytes, which are free, for the queue.
    ///
    /// # Safety
    ///
    /// The queue is zeroed and pinned, nobody else uses it, and the result outlives it.
    unsafe fn new(
        queue: *mut abi::d2d_queue,
        id: u32,
        capacity: u32,
        item_size: u32,
    ) -> Result<Self> {
        let words = size_of::<abi::d2d_item>().div_ceil(8) + (item_size as usize).div_ceil(8);
        let mut items = Self {
            memory: KVVec::from_elem(0, capacity as usize * words, GFP_KERNEL)?,
            pool: KVVec::with_capacity(capacity as usize, GFP_KERNEL)?,
        };
        // SAFETY: The caller alone has the queue, whose lock is initialized here.
        unsafe {
            bindings::__spin_lock_init(
                &raw mut (*queue).lock,
                c"d2d_kunit".as_char_ptr(),
                static_lock_class!().as_ptr(),
            );
        }
        let first = u64::from(abi::D2D_HANDLE_ITEM | id << abi::D2D_ITEM_INDEX_BITS);
        for (index, item) in items.memory.chunks_exact_mut(words).enumerate() {
            let item: *mut abi::d2d_item = item.as_mut_ptr().cast();
            // SAFETY: The item is zeroed, aligned, on no list, and has room for header and payload.
            unsafe {
                (*item).handle = first | index as u64;
                (*item).next = (*queue).free;
                (*queue).free = item;
            }
            items.pool.push(item, GFP_KERNEL)?;
        }
        // SAFETY: The caller alone has the queue. The pool does not grow any more, so it does not move.
        unsafe {
            (*queue).id = id;
            (*queue).item_size = item_size;
            (*queue).capacity = capacity;
            (*queue).pool = items.pool.as_mut_ptr();
        }
        Ok(items)
    }
}

/// A context that no driver uses. It is laid out like the contexts that the owner allocates, which
/// have tests of their own (`shared/owner/block/tests.rs`).
pub struct TestContext {
    context: Context<TestPair>,
    _raw: Pin<KBox<Opaque<abi::d2d_context>>>,
    _items: [Items; 2],
}

impl TestContext {
    /// Makes context number `id`, whose queues have `capacity` items of `item_size` bytes.
    pub fn new(id: u32, capacity: u32, item_size: u32) -> Result<Self> {
        let pinned = KBox::pin_init(Opaque::<abi::d2d_context>::zeroed(), GFP_KERNEL)?;
        let raw = pinned.get();
        // SAFETY: The context is zeroed, pinned and not shared yet. The items are stored beside it.
        let items = unsafe {
            (*raw).hdr = header::new::<abi::d2d_context>(abi::D2D_CONTEXT_MAGIC);
            (*raw).id = id;
            (*raw).module = module();
            bindings::__spin_lock_init(
                &raw mut (*raw).data.lock,
                c"d2d_kunit".as_char_ptr(),
                static_lock_class!().as_ptr(),
            );
            [
                Items::new(&raw mut (*raw).to_peer, 2 * id, capacity, item_size)?,
                Items::new(&raw mut (*raw).to_owner, 2 * id + 1, capacity, item_size)?,
            ]
        };
        Ok(Self {
            // SAFETY: The context is initialized. `deref` lends `context` from `self`, so no caller
            // uses it after `_raw` is dropped.
            context: unsafe { Context::from_raw(NonNull::new_unchecked(raw)) },
            _raw: pinned,
            _items: items,
        })
    }
}

impl Deref for TestContext {
    type Target = Context<TestPair>;

    fn deref(&self) -> &Self::Target {
        &self.context
    }
}

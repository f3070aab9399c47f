// SPDX-License-Identifier: GPL-2.0

//! For the unit tests: a pair, a context, and the tests' module. Compiled with `--cfg d2d_tests` only.

use crate::{
    abi,
    context::Context,
    data::Sizes,
    header,
    link::{
        OwnerLink,
        Pair,
        PeerLink, //
    },
    registration::DropPromise, //
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

/// The module of the tests. The expansion of `#[vtable]` needs this type in the crate root. In a driver,
/// `module!` defines the type; the tested crates do not call `module!`.
pub struct LocalModule;

impl ModuleMetadata for LocalModule {
    const NAME: &'static CStr = c"d2d_kunit";

    const THIS_MODULE: ThisModule = {
        unsafe extern "C" {
            static __this_module: [u8; 0];
        }
        // SAFETY: `__this_module` is the `struct module` of the module into which this is linked. The
        // kernel keeps it while the module's code can run.
        unsafe { ThisModule::from_ptr((&raw const __this_module).cast_mut().cast()) }
    };
}

/// Returns the promise that what is made with it is dropped before the tests' module is unloaded.
pub fn drop_promise() -> DropPromise<LocalModule> {
    // SAFETY: Each test drops what it makes before it returns. No test runs while the module is unloaded.
    unsafe { DropPromise::new() }
}

/// Returns the module whose text has the operations and routines of the tests.
pub fn module() -> *mut bindings::module {
    LocalModule::THIS_MODULE.as_ptr()
}

crate::interface! {
    /// The operations of the owner of a [`TestPair`].
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
    /// The operations of the peer of a [`TestPair`].
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

/// How many numbers the shared block of a [`TestPair`] has.
pub const SHARED_WORDS: usize = 256;

/// A pair whose blocks of data are numbers.
pub struct TestPair;

impl Pair for TestPair {
    type Owner = TestOwner;
    type Peer = TestPeer;
    type OwnerData = [u32; 2];
    type PeerData = [u32; 3];
    type Shared = [u64; SHARED_WORDS];
}

struct Items {
    memory: KVVec<u64>,
    pool: KVVec<*mut abi::d2d_item>,
}

impl Items {
    /// Initializes the queue with `capacity` free items of `item_size` bytes.
    ///
    /// # Safety
    ///
    /// The queue is zeroed and pinned, and nothing else uses it. The result outlives the queue.
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
        // SAFETY: Nothing else uses the queue, and its lock is not initialized yet.
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
            // SAFETY: The item is zeroed, aligned, large enough for header and payload, and on no list.
            // Nothing else uses the queue.
            unsafe {
                (*item).handle = first | index as u64;
                (*item).next = (*queue).free;
                (*queue).free = item;
            }
            items.pool.push(item, GFP_KERNEL)?;
        }
        // SAFETY: Nothing else uses the queue. The pool does not grow any more, so it does not move.
        unsafe {
            (*queue).id = id;
            (*queue).item_size = item_size;
            (*queue).capacity = capacity;
            (*queue).pool = items.pool.as_mut_ptr();
        }
        Ok(items)
    }
}

#[repr(C)]
struct Memory {
    context: abi::d2d_context,
    blocks: [u8; Sizes::of::<TestPair>().context_bytes() - size_of::<abi::d2d_context>()],
}

/// A context without drivers. It has the layout of the contexts that an owner allocates;
/// `shared/owner/context_box/tests.rs` tests those.
pub struct TestContext {
    context: Context<TestPair>,
    _raw: Pin<KBox<Opaque<Memory>>>,
    _items: [Items; 2],
}

impl TestContext {
    /// Makes context number `id`. Each of its queues has `capacity` items of `item_size` bytes.
    pub fn new(id: u32, capacity: u32, item_size: u32) -> Result<Self> {
        let pinned = KBox::pin_init(Opaque::<Memory>::zeroed(), GFP_KERNEL)?;
        let raw = pinned.get().cast::<abi::d2d_context>();
        // SAFETY: The context is zeroed, pinned and not shared yet. `Self` drops the context before the items.
        let items = unsafe {
            (*raw).hdr = header::new::<abi::d2d_context>(abi::D2D_CONTEXT_MAGIC);
            (*raw).id = id;
            (*raw).module = module();
            let [owner_size, peer_size, shared_size] = Sizes::of::<TestPair>().bytes();
            (*raw).data.owner_size = owner_size;
            (*raw).data.peer_size = peer_size;
            (*raw).data.shared_size = shared_size;
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
            // SAFETY: The context is initialized and has the sizes of the pair. `deref` lends it from
            // `self`, so no caller uses it after `_raw` is dropped.
            context: unsafe {
                Context::from_raw(NonNull::new_unchecked(raw), Sizes::of::<TestPair>())
            },
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

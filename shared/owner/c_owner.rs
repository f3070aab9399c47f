// SPDX-License-Identifier: GPL-2.0

//! An owner whose driver is written in C, and its contexts.
//!
//! C type: `struct d2d_owner`. An owner in Rust does not call the `#[inline]` functions of this
//! file, so its module does not contain them.

use crate::{
    config::Config,
    context_box::{
        ContextBox,
        ContextMemory, //
    },
    context_table::{
        peer_of,
        ContextTable,
        Version, //
    },
    contexts::trace_end,
    export::{
        AnyOwner,
        CParts,
        Exports, //
    },
    probe::{
        self,
        Part, //
    },
    server::Server, //
};
use core::{
    ffi::c_void,
    marker::PhantomData,
    ptr::NonNull, //
};
use d2d::{
    abi,
    context::Context,
    data::Sizes,
    fields,
    interface::Expected,
    lent::NOTHING,
    packet::Completed,
    queue::Queue,
    refuse,
    registration::DropPromise,
    routines::object_without_routines,
    rundown::Rundown,
    trace::{
        refuse,
        report_memory, //
    }, //
};
use kernel::{
    bindings,
    ffi::c_int,
    prelude::*,
    sync::{
        atomic::{
            ordering::{
                Acquire,
                Full,
                Release, //
            },
            Atomic, //
        },
        Arc, //
    },
    ModuleMetadata, //
};

/// Null while there is no [`COwner`].
static OWNER: Atomic<*mut COwner> = Atomic::new(core::ptr::null_mut());

#[derive(Clone, Copy)]
struct Description {
    owner: abi::d2d_owner,
    ops: Table,
    peer_ops: Table,
}

// SAFETY: By the contract of `struct d2d_owner`, any thread may call the owner's operations, and
// its routines with `self`. Nobody writes the tables of operations and their chains.
unsafe impl Send for Description {}
// SAFETY: As above.
unsafe impl Sync for Description {}

impl Description {
    /// Any context.
    ///
    /// # Errors
    ///
    /// Each with its line:
    /// - `EFAULT` if `owner` is null, has no dispatch routine or no sizes of its pair's minor
    ///   version, or if one of its tables is not initialized
    /// - `ENOEXEC` if a routine is outside the text of the module
    /// - `EINVAL` if a flag is unknown
    ///
    /// # Safety
    ///
    /// `owner` is null or as `d2d_owner.h` says. `module` is the owner's module.
    unsafe fn copy(
        name: &CStr,
        module: *const bindings::module,
        owner: *const abi::d2d_owner,
    ) -> Result<Self> {
        let lacks = |what: &str| Err(refuse!(name, "incomplete-owner", EFAULT, what: what));
        // SAFETY: The caller says that `owner` and its tables are null or as the header says. The
        // chains of the tables live until `d2d_owner_stop` has returned. That function drops this
        // copy.
        let found = unsafe {
            owner
                .as_ref()
                .map(|owner| (owner, Table::read(owner.ops), Table::read(owner.peer_ops)))
        };
        let Some((owner, ops, peer_ops)) = found else {
            return lacks("owner");
        };
        let Some(ops) = ops else {
            return lacks("ops");
        };
        let Some(peer_ops) = peer_ops else {
            return lacks("peer_ops");
        };
        if owner.dispatch.is_none() {
            return lacks("dispatch");
        }
        // `sizes_hash` must be the hash of the minor version of `ops`, which is in the chain.
        if ops.chain.get(usize::from(ops.header.minor)) != Some(&owner.sizes_hash) {
            return lacks("sizes_hash");
        }
        // `driver_object::Driver::copy` checks `dispatch`, `returned` and `cancelled`.
        let routines = [
            owner.completed.map(|routine| routine as usize),
            owner.attached.map(|routine| routine as usize),
            owner.detached.map(|routine| routine as usize),
        ];
        if !Part::text(module).is_some_and(|text| text.contains_all(routines)) {
            return Err(refuse!(name, "routine-outside-text", ENOEXEC));
        }
        if owner.owner_flags & !abi::D2D_OWNER_PRINT_HOT_STEPS != 0 {
            return Err(refuse(
                name,
                "bad-flags",
                EINVAL,
                &fields![what: "owner_flags", flags: owner.owner_flags],
            ));
        }
        Ok(Self {
            owner: *owner,
            ops,
            peer_ops,
        })
    }

    /// # Errors
    ///
    /// Those of [`Config::new`].
    fn config(&self, name: &CStr) -> Result<Config> {
        let owner = &self.owner;
        let config = Config::new(
            name,
            owner.contexts,
            owner.capacity,
            owner.item_size,
            owner.completion,
            owner.timeout,
        )?;
        Ok(match owner.owner_flags & abi::D2D_OWNER_PRINT_HOT_STEPS {
            0 => config,
            _ => config.print_hot_steps(),
        })
    }

    fn call_routine(
        &self,
        routine: Option<unsafe extern "C" fn(*mut c_void, *mut abi::d2d_context)>,
        context: &Context<()>,
    ) {
        if let Some(routine) = routine {
            // SAFETY: By the contract of `struct d2d_owner`, the routine may be called with `self`
            // and a context. Each caller of `call_routine` is in an execution context that the
            // contract names for its routine.
            unsafe { routine(self.owner.self_, context.as_raw()) };
        }
    }
}

#[derive(Clone, Copy)]
struct Table {
    header: abi::d2d_ops,
    chain: &'static [u64],
}

impl Table {
    /// Returns `None` if `D2D_OPS_INIT()` has not initialized the table.
    ///
    /// # Safety
    ///
    /// `table` is null or bad, or as `d2d_owner.h` says. Its chain lives as long as the result.
    unsafe fn read(table: *const abi::d2d_ops) -> Option<Self> {
        let header = probe::read(table)?;
        let operations = (header.size as usize).checked_sub(size_of::<abi::d2d_ops>())?;
        if operations % size_of::<usize>() != 0 || header.chain.is_null() {
            return None;
        }
        let hashes = usize::from(header.minor) + 1 + operations / size_of::<usize>();
        Some(Self {
            header,
            // SAFETY: The caller promises that a table that can be read is as the header says. This
            // one has a chain, so `D2D_OPS_INIT()` has checked that the chain has this number of
            // hashes. The chain lives as long as the result.
            chain: unsafe { core::slice::from_raw_parts(header.chain, hashes) },
        })
    }

    fn expected(&self) -> Expected<'_> {
        Expected {
            name: "peer",
            major: self.header.major,
            minor: self.header.minor,
            build: self.header.build,
            chain: self.chain,
        }
    }
}

/// A checked copy of a peer's endpoint.
struct PeerTable {
    /// The header of the owner's `peer_ops`, then the address of each operation of the peer. If the
    /// peer lacks the operation, the address is 0.
    words: KVec<usize>,
    this: *mut c_void,
}

// SAFETY: `this` is only passed to the operations in `words`, which any thread may call with it by
// the contract of `struct d2d_endpoint`.
unsafe impl Send for PeerTable {}
// SAFETY: As for `Send`.
unsafe impl Sync for PeerTable {}

struct CSeat {
    owner: &'static CStr,
    context: Context<()>,
    peer: Pin<KBox<Rundown<PeerTable>>>,
    /// `context` refers to this memory.
    memory: ContextMemory,
}

impl Drop for CSeat {
    fn drop(&mut self) {
        trace_end(self.owner, &self.context, &self.memory);
    }
}

pub(crate) struct CSeats {
    name: &'static CStr,
    description: Description,
    seats: KVec<CSeat>,
}

impl CSeats {
    /// Allocates the contexts. May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    #[inline]
    fn new(
        name: &'static CStr,
        module: *mut bindings::module,
        description: Description,
        sizes: Sizes,
        config: &Config,
    ) -> Result<Arc<Self>> {
        let mut seats = KVec::with_capacity(config.contexts as usize, GFP_KERNEL)?;
        for id in 0..config.contexts {
            let context_box = ContextBox::new(name, module, id, config, sizes)?;
            let raw = NonNull::new(context_box.as_raw()).ok_or(ENOMEM)?;
            let endpoint = abi::d2d_endpoint {
                ops: description.owner.ops,
                self_: raw.as_ptr().cast(),
                lent: NOTHING,
            };
            // SAFETY: The box was made with these sizes, and no other thread knows of it yet. The
            // seat keeps the box. For drivers that use the context, the box lives long enough, as
            // `contexts::Seats::new_seat` says.
            let context = unsafe {
                (*raw.as_ptr()).owner = endpoint;
                Context::from_raw(raw, sizes)
            };
            description.call_routine(description.owner.prepare, &context);
            let seat = CSeat {
                owner: name,
                context,
                peer: KBox::pin_init(Rundown::new(), GFP_KERNEL)?,
                memory: ContextMemory::new(context_box, None),
            };
            seats.push(seat, GFP_KERNEL)?;
        }
        let seats = Self {
            name,
            description,
            seats,
        };
        Ok(Arc::new(seats, GFP_KERNEL)?)
    }
}

impl ContextTable for CSeats {
    fn len(&self) -> usize {
        self.seats.len()
    }

    fn as_raw(&self, index: usize) -> *mut abi::d2d_context {
        self.seats[index].context.as_raw()
    }

    fn clear_peer_data(&self, index: usize) {
        self.seats[index].context.zero_peer_data();
    }

    unsafe fn open(&self, index: usize, module: *const bindings::module) -> Result {
        let seat = &self.seats[index];
        // Nobody writes the endpoint before the driver is detached.
        let endpoint = peer_of(seat.context.as_raw());
        let table = &self.description.peer_ops;
        let expected = table.expected();
        let count = table.header.size as usize / size_of::<usize>();
        let mut words = KVec::from_elem(0, count, GFP_ATOMIC)
            .map_err(|error| report_memory(self.name, error.into()))?;
        const HEAD: usize = size_of::<abi::d2d_ops>() / size_of::<usize>();
        // SAFETY: The caller promises that the driver of `module` has filled the endpoint in. The
        // words have the size and the alignment of the table, which begins with its header.
        unsafe {
            let operations = &mut words[HEAD..];
            expected.copy_operations(self.name, &endpoint, module, operations)?;
            let head = words.as_mut_ptr().cast::<abi::d2d_ops>();
            head.write(table.header);
        }
        let this = endpoint.self_;
        seat.peer.open(PeerTable { words, this })
    }

    unsafe fn close(&self, index: usize, end_waits: &dyn Fn()) {
        let seat = &self.seats[index];
        seat.peer.close_and_end_waits(end_waits);
        seat.context.remove_peer_doorbell();
    }

    fn attached(&self, index: usize) {
        let description = &self.description;
        description.call_routine(description.owner.attached, &self.seats[index].context);
    }

    fn detached(&self, index: usize) {
        let description = &self.description;
        description.call_routine(description.owner.detached, &self.seats[index].context);
    }

    fn keep(&self, index: usize) {
        self.seats[index].memory.keep();
    }

    fn queues(&self, index: usize) -> [(&'static str, Queue<'_>); 2] {
        self.seats[index].context.queues()
    }

    fn owner_holds_items(&self) -> bool {
        true
    }

    fn version(&self) -> Version {
        let ours = &self.description.ops;
        Version {
            major: ours.header.major,
            minor: ours.header.minor,
            fingerprint: *ours.chain.last().unwrap_or(&0),
        }
    }

    fn while_attached(&self, index: usize, f: &mut dyn FnMut()) {
        if let Some(_inside) = self.seats[index].peer.enter() {
            f();
        }
    }

    fn peer_calls(&self, index: usize) -> (u64, u64) {
        self.seats[index].peer.count()
    }
}

pub(crate) struct COwner {
    seats: Arc<CSeats>,
    server: Arc<Server>,
}

impl COwner {
    /// May sleep.
    ///
    /// # Errors
    ///
    /// Those of `d2d_owner_start`.
    ///
    /// # Safety
    ///
    /// `owner` is null or as `d2d_owner.h` says. `module` is the owner's module. No other `COwner`
    /// exists.
    #[inline]
    pub(crate) unsafe fn new<M: ModuleMetadata>(
        promise: DropPromise<M>,
        name: &'static CStr,
        module: *mut bindings::module,
        owner: *const abi::d2d_owner,
    ) -> Result<Arc<Self>> {
        // SAFETY: The caller keeps the contract of `copy`.
        let description = unsafe { Description::copy(name, module, owner)? };
        let config = description.config(name)?;
        let stated = &description.owner;
        let sizes = Sizes::stated(
            name,
            stated.owner_size,
            stated.peer_size,
            stated.shared_size,
        )?;
        config.check_memory(sizes)?;
        if config.hot_lines {
            crate::trace::print_hot_steps();
        }
        let seats = CSeats::new(name, module, description, sizes, &config)?;
        let server = Server::new(promise, name, config, seats.clone())?;
        let this = Arc::new(Self { seats, server }, GFP_KERNEL)?;
        OWNER.store(Arc::as_ptr(&this).cast_mut(), Release);
        Ok(this)
    }

    #[inline]
    fn description(&self) -> &abi::d2d_owner {
        &self.seats.description.owner
    }
}

impl Drop for COwner {
    fn drop(&mut self) {
        OWNER.store(core::ptr::null_mut(), Release);
    }
}

impl AnyOwner for COwner {
    fn server(&self) -> &Arc<Server> {
        &self.server
    }

    fn object(this: &Arc<Self>, module: *mut bindings::module) -> abi::d2d_driver {
        let owner = this.description();
        abi::d2d_driver {
            dispatch: owner.dispatch,
            returned: owner.returned,
            // Handshakes end in this function, so it is set even if the owner has no `completed`.
            completed: Some(completed),
            cancelled: owner.cancelled,
            flags: owner.flags,
            ..object_without_routines(this.server.name, module, owner.self_)
        }
    }

    // An owner in C stops what it has started before it calls `d2d_owner_stop`.
    fn leaving(&self) {}
}

/// Ends a handshake. Passes any other request on to the owner's routine.
///
/// # Safety
///
/// The server calls this as the `completed` of the driver object of [`OWNER`], as `d2d.h` says.
#[inline]
unsafe extern "C" fn completed(
    this: *mut c_void,
    request: abi::d2d_handle,
    result: *const abi::d2d_result,
) -> c_int {
    // SAFETY: The owner's driver object is registered, so the owner exists. By the contract of
    // `d2d.h`, the result is valid for reads, and the request has come back. No `Packet` has the
    // handle: an owner in C has none, and the library makes none for a handshake.
    let (owner, completed) = unsafe {
        let owner = &*OWNER.load(Acquire);
        (owner, Completed::from_raw(request, *result))
    };
    let Some(completed) = owner.server.completed_handshake(completed) else {
        return abi::D2D_MORE_PROCESSING_REQUIRED as c_int;
    };
    // Dropping `completed` would free the request. The value that this function returns says
    // whether the server frees it.
    core::mem::forget(completed);
    match owner.description().completed {
        // SAFETY: The server calls this as the `completed` of `struct d2d_driver`. By the contract
        // of `struct d2d_owner`, the routine may be called in the same way.
        Some(routine) => unsafe { routine(this, request, result) },
        None => {
            refuse!(owner.server.name, "no-completion-routine", EINVAL);
            0
        }
    }
}

/// Stores a result, and returns 0. If there is no result, returns `-ESHUTDOWN`. Any context.
///
/// # Safety
///
/// `to` is valid for writes.
#[inline(always)]
pub unsafe fn store<T>(result: Option<T>, to: *mut T) -> c_int {
    let Some(result) = result else {
        return ESHUTDOWN.to_errno();
    };
    // SAFETY: The caller says that `to` is valid for writes.
    unsafe { to.write(result) };
    0
}

/// `d2d_peer_enter`. Returns `None` if there is no peer. Any context but NMI.
///
/// # Safety
///
/// The owner exists, and `context` is one of its contexts.
#[inline(always)]
pub unsafe fn enter(context: *mut abi::d2d_context) -> Option<abi::d2d_peer> {
    // SAFETY: The caller keeps the contract of `seat`.
    let (_, seat) = unsafe { seat(context) }?;
    let (table, inside) = seat.peer.enter()?.into_raw();
    Some(abi::d2d_peer {
        ops: table.words.as_ptr().cast(),
        self_: table.this,
        inside,
    })
}

/// `d2d_peer_exit`. Any context but NMI.
///
/// # Safety
///
/// The calling thread has entered the peer of `context`, and has got `peer`.
#[inline]
pub unsafe fn exit(context: *mut abi::d2d_context, peer: *const abi::d2d_peer) {
    // SAFETY: The thread is inside the peer of `context`, so the owner exists, and `context` is one
    // of its contexts. `enter` has made `peer`, so `peer` is valid for reads, and `inside` comes
    // from this rundown.
    unsafe {
        if let Some((_, seat)) = seat(context) {
            seat.peer.leave((*peer).inside);
        }
    }
}

/// `d2d_peer_lookup`. Returns `None` if there is no peer. Any context.
///
/// # Safety
///
/// As for [`enter`].
#[inline]
pub unsafe fn lookup(context: *mut abi::d2d_context) -> Option<abi::d2d_handle> {
    // SAFETY: The caller keeps the contract of `seat`.
    let (owner, seat) = unsafe { seat(context) }?;
    let id = seat.context.id() as usize;
    let (target, _) = owner.server.registry.attached_to(id)?;
    Some(target)
}

/// # Safety
///
/// The owner exists for `'a`, and `context` is one of its contexts.
#[inline]
unsafe fn seat<'a>(context: *mut abi::d2d_context) -> Option<(&'a COwner, &'a CSeat)> {
    // SAFETY: The caller promises that the owner exists for `'a`, so its context lives as long. The
    // field `id` never changes.
    let (owner, id) = unsafe { (OWNER.load(Acquire).as_ref()?, (*context).id) };
    let seat = owner.seats.seats.get(id as usize)?;
    (seat.context.as_raw() == context).then_some((owner, seat))
}

/// What the module `M` of an owner in C keeps.
///
/// # Invariants
///
/// `parts` is null or came from [`KBox::into_raw`].
pub struct CModule<M: ModuleMetadata> {
    exports: &'static Exports,
    parts: Atomic<*mut CParts>,
    _module: PhantomData<fn(M)>,
}

// SAFETY: Only `parts` changes, atomically. The exchange in `stop` gives the pointer to one thread.
// This may be another thread than that which has made the `CParts`, because these are `Send`.
unsafe impl<M: ModuleMetadata> Sync for CModule<M> {}

impl<M: ModuleMetadata> CModule<M> {
    /// Makes an owner that is not started.
    #[inline]
    pub const fn new(exports: &'static Exports) -> Self {
        // INVARIANT: `parts` is null.
        Self {
            exports,
            parts: Atomic::new(core::ptr::null_mut()),
            _module: PhantomData,
        }
    }

    /// `d2d_owner_start`. May sleep.
    ///
    /// # Safety
    ///
    /// As `d2d_owner.h` says.
    pub unsafe fn start(
        &self,
        owner: *const abi::d2d_owner,
        handle: *mut abi::d2d_handle,
    ) -> c_int {
        // SAFETY: `M` is the module into which this crate is linked. By the contract of the header,
        // the module calls `d2d_owner_stop()`, which drops the parts, in its exit or when its
        // initialization fails later. `owner` and `handle` are as the header says.
        let parts = unsafe {
            let promise = DropPromise::<M>::new();
            self.exports.c_parts(promise, owner, handle)
        };
        match parts {
            Ok(parts) => {
                // INVARIANT: `parts` comes from `into_raw`. `c_parts` succeeds only once, so
                // nothing is overwritten.
                self.parts.store(KBox::into_raw(parts), Release);
                0
            }
            Err(error) => error.to_errno(),
        }
    }

    /// `d2d_owner_stop`. May sleep.
    pub fn stop(&self) {
        if !self.exports.may_stop::<M>() {
            return;
        }
        let parts = self.parts.xchg(core::ptr::null_mut(), Full);
        if parts.is_null() {
            self.exports.refuse_stop();
            return;
        }
        // SAFETY: By the type invariants, `parts` came from `into_raw`. Only this thread has it.
        drop(unsafe { KBox::from_raw(parts) });
    }
}

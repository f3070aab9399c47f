// SPDX-License-Identifier: GPL-2.0

//! The driver that owns contexts, and what it has of each of them.
//!
//! The server knows the contexts by [`ContextTable`](crate::context_table), without the types that the owner and its peers
//! have agreed on.

use crate::{
    block::{
        Block,
        Lent, //
    },
    config::Config,
    context_table::{
        ContextTable,
        Version, //
    },
    registry::Known,
    server::Server, //
};
use core::ffi::c_void;
use d2d::{
    abi,
    handler::Handler,
    interface::{
        Binding,
        Endpoint,
        Interface,
        TableFor, //
    },
    link::{
        OwnerLink,
        Pair,
        PeerCall, //
    },
    packet::{
        Completed,
        Outcome,
        Sender,
        Target, //
    },
    queue::Queue,
    request::{
        Disposition,
        Request,
        RequestId, //
    },
    step,
};
use kernel::{
    bindings,
    prelude::*,
    sync::{
        Arc,
        ArcBorrow, //
    },
    uaccess::UserSliceReader, //
};

/// The driver that owns the contexts; [`module_owner!`](crate::module_owner) makes the module that
/// it lives in.
///
/// One value of the type belongs to each context. It also implements the operations that are
/// offered there: the trait of its pair's owner interface.
pub trait Owner: Sized + Send + Sync + 'static {
    /// What it has agreed on with its peers.
    type Pair: Pair;

    /// Returns what the contexts are like, when the module is loaded. Process context, may sleep.
    fn config() -> Result<Config>;

    /// Makes the value of context number `id`. Process context, may sleep.
    fn new(id: u32) -> Result<Self>;

    /// Everything is there: drivers can register, and the owner can create events. Process context,
    /// may sleep. If it fails, [`leaving`](Owner::leaving) is called, and the module is not loaded.
    fn ready(_contexts: &Contexts<'_, Self>) -> Result {
        Ok(())
    }

    /// The owner begins to leave: its module is being unloaded, or loading has failed in
    /// [`ready`](Owner::ready) or later. Links, events, requests and handles still work. The owner
    /// stops here what it has started: threads, work items, timers. Process context, may sleep.
    ///
    /// After this has returned, waits on the owner's events end with `ECANCELED`, then its requests
    /// are cancelled and its driver object is unregistered, then its values of the contexts are
    /// dropped.
    fn leaving(_contexts: &Contexts<'_, Self>) {}

    /// Returns the owner's data for its contexts.
    fn data(config: &Config) -> <Self::Pair as Pair>::OwnerData;

    /// Name of its control file in debugfs, see [`d2d::control::ControlFile`]; `None` if it has none.
    const CONTROL: Option<&'static CStr> = None;

    /// Receives what is written to its control file, at once. Process context, may sleep.
    fn control(_contexts: &Contexts<'_, Self>, _reader: &mut UserSliceReader) -> Result {
        Err(EINVAL)
    }

    /// Whether [`dispatch`](Owner::dispatch) never sleeps: it is called in any context then, in that
    /// of the sender. Otherwise a sender that cannot sleep has it called from a worker.
    const DISPATCH_ATOMIC: bool = false;

    /// Receives a request from any driver. Process context, may sleep, unless
    /// [`DISPATCH_ATOMIC`](Owner::DISPATCH_ATOMIC) says otherwise.
    ///
    /// Neither this nor another routine loads or unloads a module, or waits for that: see
    /// `struct d2d_driver` in `d2d.h`.
    fn dispatch<'a>(_contexts: &Contexts<'_, Self>, request: Request<'a>) -> Disposition<'a> {
        request.fail(ENOTTY)
    }

    /// Receives a request back that it has [forwarded](Request::forward), with what the lower driver
    /// has made of it. Any context.
    fn returned<'a>(
        _contexts: &Contexts<'_, Self>,
        request: Request<'a>,
        outcome: Outcome,
    ) -> Disposition<'a> {
        request.complete_as(outcome)
    }

    /// Receives the result of a request that it has sent by
    /// [`Packet::send_with_routine`](d2d::packet::Packet::send_with_routine), and the request: it may
    /// keep it and send it again. Any context.
    fn completed(_contexts: &Contexts<'_, Self>, _completed: Completed) {}

    /// A request was taken back from it that it has left pending, and has asked to be told of. Any
    /// context.
    fn cancelled(_contexts: &Contexts<'_, Self>, _id: RequestId) {}

    /// A peer was attached. Runs in the context that the completion was learnt of in.
    fn attached(&self, link: &OwnerLink<Self::Pair>);

    /// The peer is gone, and no call into it runs any more. Process context.
    fn detached(&self, link: &OwnerLink<Self::Pair>);
}

/// The contexts, with or without a peer.
pub struct Contexts<'a, O: Owner> {
    seats: &'a Seats<O>,
    server: &'a Server,
}

impl<'a, O: Owner> Contexts<'a, O> {
    pub(crate) fn new(seats: &'a Seats<O>, server: &'a Server) -> Self {
        Self { seats, server }
    }

    /// Iterates over the contexts: the owner's value of each, and its link to the peer.
    pub fn iter(&self) -> impl Iterator<Item = (&'a O, &'a OwnerLink<O::Pair>)> {
        let seats = self.seats.0.iter();
        seats.map(|seat| (seat.binding.state(), seat.binding.seat()))
    }

    /// Returns what the owner sends requests by. Any context.
    pub fn sender(&self) -> Sender {
        // SAFETY: It is the owner's, which `Server::enrol` has registered.
        unsafe { Sender::from_raw(crate::server::own_handle(), self.server.name()) }
    }

    /// Returns the driver that is attached to a context, for sending it requests; `None` once it begins
    /// to leave. Any context.
    pub fn peer(&self, link: &OwnerLink<O::Pair>) -> Option<Peer> {
        let id = link.context().id() as usize;
        let (handle, driver) = self.server.registry().holder(id)?;
        // SAFETY: It is one of the registry's.
        let target = unsafe { Target::from_raw(handle) };
        Some(Peer { target, driver })
    }

    /// Returns context number `id`, if there are so many.
    pub fn get(&self, id: u32) -> Option<(&'a O, &'a OwnerLink<O::Pair>)> {
        self.iter().nth(id as usize)
    }
}

/// A driver that is, or was, attached to a context.
pub struct Peer {
    target: Target,
    driver: Known,
}

impl Peer {
    /// Returns what requests are sent to.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// Returns its name.
    pub fn name(&self) -> &CStr {
        self.driver.name()
    }
}

impl PartialEq for Peer {
    /// A driver that was loaded anew is another one.
    fn eq(&self, other: &Self) -> bool {
        self.target == other.target
    }
}

/// A context with the owner's side of it.
struct Seat<O: Owner> {
    owner: &'static CStr,
    binding: Pin<KBox<Binding<OwnerLink<O::Pair>, O>>>,
    /// Keeps the memory that the binding refers to, and so is dropped after it.
    block: Lent,
}

/// All contexts.
pub(crate) struct Seats<O: Owner>(KVec<Seat<O>>);

impl<O: Owner> Seats<O>
where
    <O::Pair as Pair>::Owner: TableFor<O>,
{
    /// Allocates the contexts, each with a value of `O`. May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, or what the owner's functions return; all is freed then.
    pub(crate) fn new(
        name: &'static CStr,
        module: *mut bindings::module,
        config: &Config,
    ) -> Result<Arc<Self>> {
        let mut seats = KVec::with_capacity(config.contexts as usize, GFP_KERNEL)?;
        for id in 0..config.contexts {
            seats.push(Self::new_seat(name, module, id, config)?, GFP_KERNEL)?;
        }
        Ok(Arc::new(Self(seats), GFP_KERNEL)?)
    }

    fn new_seat(
        name: &'static CStr,
        module: *mut bindings::module,
        id: u32,
        config: &Config,
    ) -> Result<Seat<O>> {
        let block = Block::new(name, module, id, config)?;
        // SAFETY: The seat frees the block after the binding, of which the context becomes a part.
        // Peers hold it longer than that only if the owner is unloaded before them, which the
        // symbols that they import forbid.
        let context = unsafe { block.context::<O::Pair>() };
        context.with_owner_data(|data| *data = O::data(config));
        let binding = KBox::pin_init(
            Binding::new(OwnerLink::new(context), O::new(id)),
            GFP_KERNEL,
        )?;
        let context = binding.seat().context();
        let table: *const _ = <<O::Pair as Pair>::Owner as TableFor<O>>::TABLE;
        // SAFETY: Nobody else knows of the context yet.
        unsafe {
            (*context.as_raw()).owner = abi::d2d_endpoint {
                ops: table.cast::<abi::d2d_ops>(),
                self_: binding.as_raw(),
            }
        };
        Ok(Seat {
            owner: name,
            binding,
            block: Lent::new(block),
        })
    }
}

impl<O: Owner> Drop for Seat<O> {
    fn drop(&mut self) {
        let context = self.binding.seat().context();
        for (name, queue) in [
            ("to_peer", context.to_peer()),
            ("to_owner", context.to_owner()),
        ] {
            let counters = queue.counters();
            step!(
                self.owner, drain, ctx: context.id(), queue: name, left: counters.depth,
                put: counters.put, taken: counters.taken, refused: counters.refused,
                stale: counters.stale
            );
        }
        if !self.block.is_kept() {
            step!(self.owner, free, ctx: context.id());
        }
    }
}

impl<O: Owner> Seats<O> {
    fn link(&self, index: usize) -> &OwnerLink<O::Pair> {
        self.0[index].binding.seat()
    }
}

impl<O: Owner> ContextTable for Seats<O> {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn as_raw(&self, index: usize) -> *mut abi::d2d_context {
        self.link(index).context().as_raw()
    }

    unsafe fn open(&self, index: usize, module: *const bindings::module) -> Result {
        let seat = &self.0[index];
        let link = seat.binding.seat();
        // SAFETY: The driver has completed the request, so the endpoint is filled in, and nobody writes
        // it until the driver has detached.
        let endpoint = unsafe { (*link.context().as_raw()).peer };
        // SAFETY: By the contract of `struct d2d_context`, it is a peer's, in its module.
        let endpoint = unsafe { Endpoint::copy(seat.owner, endpoint, module)? };
        // SAFETY: The caller says that the operations may be called until the link is closed.
        unsafe { link.open(endpoint) }
    }

    unsafe fn close(&self, index: usize, end_waits: &dyn Fn()) {
        // SAFETY: The caller has opened it, and calls this once, from outside the peer.
        unsafe { self.link(index).close(end_waits) };
    }

    fn attached(&self, index: usize) {
        let binding = &self.0[index].binding;
        binding.state().attached(binding.seat());
    }

    fn detached(&self, index: usize) {
        let binding = &self.0[index].binding;
        binding.state().detached(binding.seat());
    }

    fn keep(&self, index: usize) {
        self.0[index].block.keep();
    }

    fn queues(&self, index: usize) -> [(&'static str, Queue<'_>); 2] {
        let link = self.link(index);
        [("to_peer", link.outgoing()), ("to_owner", link.incoming())]
    }

    fn version(&self) -> Version {
        Version {
            major: <O::Pair as Pair>::Owner::MAJOR,
            minor: <O::Pair as Pair>::Owner::MINOR,
            fingerprint: *<O::Pair as Pair>::Owner::CHAIN.last().unwrap_or(&0),
        }
    }

    fn while_attached(&self, index: usize, f: &mut dyn FnMut()) {
        let entered: Result<PeerCall<'_, O::Pair>> = self.link(index).peer();
        if entered.is_ok() {
            f();
        }
    }

    fn peer_srcu(&self, index: usize) -> *mut c_void {
        self.link(index).peer_srcu()
    }
}

/// The owner as a driver: what its driver object receives.
pub(crate) struct OwnerDriver<O: Owner> {
    pub(crate) seats: Arc<Seats<O>>,
    pub(crate) server: Arc<Server>,
}

impl<O: Owner> OwnerDriver<O> {
    pub(crate) fn contexts(&self) -> Contexts<'_, O> {
        Contexts::new(&self.seats, &self.server)
    }
}

impl<O: Owner> Handler for OwnerDriver<O> {
    const DISPATCH_ATOMIC: bool = O::DISPATCH_ATOMIC;

    fn name(&self) -> &'static CStr {
        self.server.name()
    }

    fn dispatch<'a>(this: ArcBorrow<'a, Self>, request: Request<'a>) -> Disposition<'a> {
        O::dispatch(&this.contexts(), request)
    }

    fn returned<'a>(&self, request: Request<'a>, outcome: Outcome) -> Disposition<'a> {
        O::returned(&self.contexts(), request, outcome)
    }

    fn completed(&self, completed: Completed) {
        if let Some(completed) = self.server.completed_handshake(completed) {
            O::completed(&self.contexts(), completed);
        }
    }

    fn cancelled(&self, id: RequestId) {
        O::cancelled(&self.contexts(), id);
    }
}

// SPDX-License-Identifier: GPL-2.0

//! The driver that owns the contexts, and its side of each context.

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
    registry::Entry,
    server::Server, //
};
use d2d::{
    abi,
    context::Context,
    control::Control,
    data::Sizes,
    device::{
        self,
        Device, //
    },
    interface::{
        Binding,
        Endpoint,
        Interface,
        TableFor, //
    },
    job::{
        Thread,
        Timer,
        TimerContext,
        Work,
        WorkContext, //
    },
    lent::{
        Lending,
        Memory,
        UserBuffer, //
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
    routines::Routines,
    step,
    trace::report_memory, //
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
use zerocopy::FromZeros;

/// The driver that owns the contexts; [`module_owner!`](crate::module_owner) makes its module.
///
/// Each context has a value of the type. The type also implements the trait of the pair's owner
/// interface.
pub trait Owner: Sized + Send + Sync + 'static {
    /// What the owner and its peers have agreed on.
    type Pair: Pair;

    /// Returns the configuration of the contexts. Called once, while the module is being loaded. May
    /// sleep.
    ///
    /// # Errors
    ///
    /// The errno with which loading the module fails.
    fn config() -> Result<Config>;

    /// The state that the owner has once, whatever the number of its contexts.
    type State: Send + Sync + 'static;

    /// Makes the owner's state, before the first call of [`new`](Owner::new). May sleep.
    ///
    /// # Errors
    ///
    /// The errno with which loading the module fails.
    fn state(config: &Config) -> impl PinInit<Self::State, Error>;

    /// Makes the value of context number `id`. The value keeps a reference to the state if the
    /// operations need it. All other functions use [`Contexts::state`]. May sleep.
    ///
    /// # Errors
    ///
    /// The errno with which loading the module fails.
    fn new(state: &Arc<Self::State>, id: u32) -> Result<Self>;

    /// Called when drivers can register, and the owner can send requests and create events. May
    /// sleep.
    ///
    /// # Errors
    ///
    /// The errno with which loading the module fails, after the library has called
    /// [`leaving`](Owner::leaving).
    fn ready(_contexts: &Contexts<'_, Self>) -> Result {
        Ok(())
    }

    /// Stops what the owner has started without the library. Called when the unload of the module
    /// begins, or when loading fails in [`ready`](Owner::ready) or later. Meanwhile, links, events,
    /// requests, [jobs](d2d::job) and [devices](d2d::device) still work. May sleep.
    ///
    /// After this function has returned, the library:
    /// 1. makes calls of the owner's devices fail, and closes its jobs,
    /// 2. makes waits for the owner's events return `ECANCELED`, and cancels its requests,
    /// 3. waits until no job runs,
    /// 4. unregisters the owner's driver object, and removes its devices,
    /// 5. drops the values of the contexts and the owner's state.
    fn leaving(_contexts: &Contexts<'_, Self>) {}

    /// Returns the initial value of the owner's block of data in a context. Called once for each
    /// context. May sleep.
    fn data(config: &Config) -> <Self::Pair as Pair>::OwnerData;

    /// Returns the memory that the owner [lends](d2d::lent) the peers of this context until the
    /// owner is unloaded. Called once, after [`new`](Owner::new). May sleep.
    fn lend(&self) -> Option<Lending> {
        None
    }

    /// The owner's [control device](d2d::control), if it has one.
    const CONTROL: Option<device::Settings> = None;

    /// Receives what a process writes to the control device, by the rules of
    /// [`Control::control`](d2d::control::Control).
    ///
    /// # Errors
    ///
    /// The errno that the process gets.
    fn control(_contexts: &Contexts<'_, Self>, _reader: &mut UserSliceReader) -> Result {
        Err(EINVAL)
    }

    /// Whether [`dispatch`](Owner::dispatch) never sleeps. If it may sleep, a worker calls it for a
    /// sender that cannot.
    const DISPATCH_ATOMIC: bool = false;

    /// Receives a request from any driver. May sleep, unless
    /// [`DISPATCH_ATOMIC`](Owner::DISPATCH_ATOMIC) is true.
    ///
    /// No routine may load or unload a module, or wait for another thread that does: see `struct
    /// d2d_driver` in `d2d.h`.
    fn dispatch<'a>(_contexts: &Contexts<'_, Self>, request: Request<'a>) -> Disposition<'a> {
        request.fail(ENOTTY)
    }

    /// Receives a request that the owner has [forwarded](Request::forward) and wants back: the
    /// request was completed with `outcome`, or was cancelled. Any context.
    fn returned<'a>(
        _contexts: &Contexts<'_, Self>,
        request: Request<'a>,
        outcome: Outcome,
    ) -> Disposition<'a> {
        request.complete_as(outcome)
    }

    /// Receives a request that the owner has sent by
    /// [`Packet::send_with_routine`](d2d::packet::Packet::send_with_routine), and its result. The
    /// owner may send the request again. Any context.
    fn completed(_contexts: &Contexts<'_, Self>, _completed: Completed) {}

    /// Called when a request that the owner has pended was cancelled, if the owner has called
    /// `tell_if_cancelled` for it. Any context.
    fn cancelled(_contexts: &Contexts<'_, Self>, _id: RequestId) {}

    /// Called when a peer was attached. Any context if the `completion` of [`Config::new`] is 1;
    /// otherwise, may sleep.
    fn attached(&self, link: &OwnerLink<Self::Pair>);

    /// Called when the peer was detached and no call into it runs. May sleep.
    fn detached(&self, link: &OwnerLink<Self::Pair>);
}

/// The owner's contexts, with or without a peer.
pub struct Contexts<'a, O: Owner> {
    seats: &'a Arc<Seats<O>>,
    server: &'a Arc<Server>,
}

impl<'a, O: Owner> Contexts<'a, O> {
    pub(crate) fn new(seats: &'a Arc<Seats<O>>, server: &'a Arc<Server>) -> Self {
        Self { seats, server }
    }

    fn handle(&self) -> OwnerRef<O> {
        let (seats, server) = (self.seats.clone(), self.server.clone());
        OwnerRef { seats, server }
    }

    /// Makes a [job](d2d::job) that runs `routine` in a worker or in softirq. May sleep.
    ///
    /// # Errors
    ///
    /// `ESHUTDOWN` if the owner is being unloaded, `ENOMEM`.
    pub fn work(
        &self,
        context: WorkContext,
        routine: impl Fn(&Contexts<'_, O>, &Work) + Send + Sync + 'static,
    ) -> Result<Work> {
        let handle = self.handle();
        let jobs = &self.server.jobs;
        jobs.work(context, move |work| routine(&handle.contexts(), work))
    }

    /// Makes a [job](d2d::job) that runs `routine` when a timer expires. May sleep.
    ///
    /// # Errors
    ///
    /// `ESHUTDOWN` if the owner is being unloaded, `ENOMEM`.
    pub fn timer(
        &self,
        context: TimerContext,
        routine: impl Fn(&Contexts<'_, O>, &Timer) + Send + Sync + 'static,
    ) -> Result<Timer> {
        let handle = self.handle();
        let jobs = &self.server.jobs;
        jobs.timer(context, move |timer| routine(&handle.contexts(), timer))
    }

    /// Makes a [job](d2d::job) that runs `routine` in a thread of its own. The kernel shows the
    /// first 15 bytes of `name`. May sleep.
    ///
    /// # Errors
    ///
    /// With a line: `EAGAIN` if there are too many threads, `EINTR` if the calling process is
    /// killed. Without one: `ESHUTDOWN` if the owner is being unloaded, `ENOMEM`.
    pub fn thread(
        &self,
        name: &CStr,
        routine: impl Fn(&Contexts<'_, O>, &Thread) + Send + Sync + 'static,
    ) -> Result<Thread> {
        let handle = self.handle();
        let jobs = &self.server.jobs;
        jobs.thread(self.server.name, name, move |thread| {
            routine(&handle.contexts(), thread)
        })
    }

    /// Makes a [device] with open files of type `F`. Processes can open the device as soon as the
    /// module is loaded. May sleep.
    ///
    /// # Errors
    ///
    /// Those of [`d2d::driver::DriverRef::device`].
    pub fn device<F: device::File<Driver = OwnerRef<O>>>(
        &self,
        settings: device::Settings,
    ) -> Result<Device> {
        let devices = &self.server.devices;
        devices.make::<F>(self.server.name, self.handle(), settings)
    }

    /// Iterates over the contexts: the owner's value and link of each. Any context.
    pub fn iter(&self) -> impl Iterator<Item = (&'a O, &'a OwnerLink<O::Pair>)> {
        let seats = self.seats.seats.iter();
        seats.map(|seat| (seat.binding.driver(), seat.binding.storage()))
    }

    /// Returns the owner's state. Any context.
    pub fn state(&self) -> &'a O::State {
        &self.seats.state
    }

    /// Returns the owner as a sender of requests. Any context.
    pub fn sender(&self) -> Sender {
        // SAFETY: The handle is that of the owner's driver object, which `Server::enrol` has
        // registered.
        unsafe { Sender::from_raw(crate::server::own_handle(), self.server.name) }
    }

    /// Returns the peer of a context, unless there is none or it is leaving. Any context.
    pub fn peer(&self, link: &OwnerLink<O::Pair>) -> Option<Peer> {
        let id = link.context().id() as usize;
        let (handle, driver) = self.server.registry.attached_to(id)?;
        // SAFETY: `attached_to` returns the handle of the attached driver's object.
        let target = unsafe { Target::from_raw(handle) };
        Some(Peer { target, driver })
    }

    /// Makes the `user_buffer` of a request to the peer of this context. It points to `value`, which
    /// the owner [lends](Owner::lend) this peer. Any context.
    ///
    /// # Errors
    ///
    /// Those of [`d2d::driver::DriverRef::user_buffer`].
    pub fn user_buffer<V: Memory>(
        &self,
        link: &OwnerLink<O::Pair>,
        value: &V,
    ) -> Result<UserBuffer> {
        let seat = self.seats.seats.get(link.context().id() as usize);
        let lending = seat.and_then(|seat| seat.memory.lending());
        Lending::user_buffer(lending, self.server.name, value)
    }

    /// As [`Contexts::iter`], for context number `id` alone. Any context.
    pub fn get(&self, id: u32) -> Option<(&'a O, &'a OwnerLink<O::Pair>)> {
        self.iter().nth(id as usize)
    }
}

/// A reference to the owner, for open files of its [devices](d2d::device).
///
/// Dropping the last reference may sleep. In a module in two roles, the peer's role may have the
/// last one, so its code drops a reference only where it may sleep.
pub struct OwnerRef<O: Owner> {
    seats: Arc<Seats<O>>,
    server: Arc<Server>,
}

impl<O: Owner> Clone for OwnerRef<O> {
    fn clone(&self) -> Self {
        self.contexts().handle()
    }
}

impl<O: Owner> OwnerRef<O> {
    /// Returns the contexts. Any context.
    pub fn contexts(&self) -> Contexts<'_, O> {
        Contexts::new(&self.seats, &self.server)
    }
}

impl<O: Owner> Control for OwnerRef<O> {
    fn control(&self, command: &mut UserSliceReader) -> Result {
        O::control(&self.contexts(), command)
            .map_err(|error| report_memory(self.server.name, error))
    }
}

/// A driver that is, or was, attached to a context.
pub struct Peer {
    target: Target,
    driver: Entry,
}

impl Peer {
    /// Returns the peer as a target of requests.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// Returns the peer's name.
    pub fn name(&self) -> &CStr {
        self.driver.name()
    }
}

impl PartialEq for Peer {
    /// Compares registrations: a driver that has registered again is another peer.
    fn eq(&self, other: &Self) -> bool {
        self.target == other.target
    }
}

struct Seat<O: Owner> {
    owner: &'static CStr,
    binding: Pin<KBox<Binding<OwnerLink<O::Pair>, O>>>,
    /// Dropped after `binding`, which refers to it.
    memory: ContextMemory,
}

pub(crate) struct Seats<O: Owner> {
    seats: KVec<Seat<O>>,
    /// The values of the contexts may have references to the state. So the state is dropped after
    /// these values, or never if one of them has leaked its reference.
    state: Arc<O::State>,
}

impl<O: Owner> Seats<O>
where
    <O::Pair as Pair>::Owner: TableFor<O>,
{
    /// May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, or the error of [`Owner::state`] or [`Owner::new`].
    pub(crate) fn new(
        name: &'static CStr,
        module: *mut bindings::module,
        config: &Config,
    ) -> Result<Arc<Self>> {
        let state = Arc::pin_init(O::state(config), GFP_KERNEL)?;
        let mut seats = KVec::with_capacity(config.contexts as usize, GFP_KERNEL)?;
        for id in 0..config.contexts {
            let seat = Self::new_seat(name, module, id, config, &state)?;
            seats.push(seat, GFP_KERNEL)?;
        }
        Ok(Arc::new(Self { seats, state }, GFP_KERNEL)?)
    }

    fn new_seat(
        name: &'static CStr,
        module: *mut bindings::module,
        id: u32,
        config: &Config,
        state: &Arc<O::State>,
    ) -> Result<Seat<O>> {
        let context_box = ContextBox::new(name, module, id, config, Sizes::of::<O::Pair>())?;
        // SAFETY: The seat drops the box after the binding, which has the context. A peer imports
        // the owner's symbols, so it is unloaded before the owner. A driver that has not imported
        // them, or an owner that is unloaded by force, is an exception: the owner expels the
        // driver, and `ContextMemory::keep` keeps its box. The blocks of data have the sizes of the
        // pair.
        let context = unsafe { context_box.context::<O::Pair>() };
        let data = O::data(config);
        context.with_owner_data(|block| *block = data);
        let binding = KBox::pin_init(
            Binding::new(OwnerLink::new(context), O::new(state, id)),
            GFP_KERNEL,
        )?;
        let context = binding.storage().context();
        let table: *const _ = <<O::Pair as Pair>::Owner as TableFor<O>>::TABLE;
        let lending = binding.driver().lend();
        // SAFETY: By the invariants of `Context` the pointer is valid. No other thread knows of the
        // context yet.
        unsafe {
            (*context.as_raw()).owner = abi::d2d_endpoint {
                ops: table.cast::<abi::d2d_ops>(),
                self_: binding.as_raw(),
                lent: Lending::as_raw(lending.as_ref()),
            }
        };
        Ok(Seat {
            owner: name,
            binding,
            memory: ContextMemory::new(context_box, lending),
        })
    }
}

impl<O: Owner> Drop for Seat<O> {
    fn drop(&mut self) {
        trace_end(self.owner, self.binding.storage().context(), &self.memory);
    }
}

/// Traces the last steps of a context, before its box is dropped. Any context.
pub(crate) fn trace_end<P>(owner: &CStr, context: &Context<P>, memory: &ContextMemory) {
    for (name, queue) in context.queues() {
        let counters = queue.counters();
        step!(
            owner, drain, ctx: context.id(), queue: name, left: counters.depth,
            put: counters.put, taken: counters.taken, refused: counters.refused,
            stale: counters.stale
        );
    }
    if !memory.is_kept() {
        step!(owner, free, ctx: context.id());
    }
}

impl<O: Owner> Seats<O> {
    fn link(&self, index: usize) -> &OwnerLink<O::Pair> {
        self.seats[index].binding.storage()
    }
}

impl<O: Owner> ContextTable for Seats<O> {
    fn len(&self) -> usize {
        self.seats.len()
    }

    fn as_raw(&self, index: usize) -> *mut abi::d2d_context {
        self.link(index).context().as_raw()
    }

    fn clear_peer_data(&self, index: usize) {
        let context = self.link(index).context();
        context.with_peer_data(|data| data.zero());
    }

    unsafe fn open(&self, index: usize, module: *const bindings::module) -> Result {
        let seat = &self.seats[index];
        let link = seat.binding.storage();
        let endpoint = peer_of(link.context().as_raw());
        // SAFETY: The caller promises that the driver of `module` has filled in the endpoint by the
        // contract of `struct d2d_context`. While the driver is attached, any thread may call the
        // operations with the endpoint's `self`, and the driver keeps the memory that it lends.
        // Only threads inside the peer have references to the result, which is in the link. Before
        // a driver is detached, its link is closed, which waits for these threads.
        let endpoint = unsafe { Endpoint::copy(seat.owner, endpoint, module)? };
        link.open(endpoint)
    }

    unsafe fn close(&self, index: usize, end_waits: &dyn Fn()) {
        // SAFETY: The caller keeps the contract of `close`.
        unsafe { self.link(index).close(end_waits) };
    }

    fn attached(&self, index: usize) {
        let binding = &self.seats[index].binding;
        binding.driver().attached(binding.storage());
    }

    fn detached(&self, index: usize) {
        let binding = &self.seats[index].binding;
        binding.driver().detached(binding.storage());
    }

    fn keep(&self, index: usize) {
        self.seats[index].memory.keep();
    }

    fn queues(&self, index: usize) -> [(&'static str, Queue<'_>); 2] {
        self.link(index).context().queues()
    }

    fn owner_holds_items(&self) -> bool {
        false
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

    fn peer_calls(&self, index: usize) -> (u64, u64) {
        self.link(index).peer_calls()
    }
}

/// The owner's own driver object.
pub(crate) struct OwnerDriver<O: Owner> {
    pub(crate) seats: Arc<Seats<O>>,
    pub(crate) server: Arc<Server>,
}

impl<O: Owner> OwnerDriver<O> {
    pub(crate) fn contexts(&self) -> Contexts<'_, O> {
        Contexts::new(&self.seats, &self.server)
    }
}

impl<O: Owner> Routines for OwnerDriver<O> {
    const DISPATCH_ATOMIC: bool = O::DISPATCH_ATOMIC;

    fn name(&self) -> &'static CStr {
        self.server.name
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

// SPDX-License-Identifier: GPL-2.0

//! The owner's contexts, and the handshake that shares one of them with a driver.
//!
//! The handshake, [`Server::attach`], is the exchange of the Windows original: look the driver up,
//! build an internal device control request whose user buffer is the context, send it to the
//! driver's dispatch routine, learn of its completion, and open the context to both.

use crate::{
    block::{
        Block,
        Lent, //
    },
    config::{
        Config,
        Learn, //
    },
    event::{
        file::Operations,
        names::{
            Events,
            Name,
            Wanted, //
        },
        Kind,
        Refusal, //
    },
    handle,
    offers::{
        Claim,
        Completing,
        Offer,
        Offers,
        Winner, //
    },
    registry::{
        self,
        Registry,
        State, //
    },
    requests::{
        self,
        Requests,
        PENDING, //
    },
    state::Refusals,
    timeouts,
    trace,
    visit::Visit,
    workers::Workers, //
};
use core::{
    ffi::c_void,
    pin::pin, //
};
use d2d::{
    abi,
    context::Pair,
    event::Event,
    header,
    interface::{
        Binding,
        Endpoint,
        TableFor, //
    },
    link::OwnerLink,
    packet::{
        Completed,
        Sender,
        Target, //
    },
    request::{
        receive,
        Disposition,
        Outcome,
        Request,
        RequestId, //
    },
    trace::{
        emit,
        refuse,
        report_memory,
        Step, //
    }, //
};
use kernel::{
    bindings,
    error::to_result,
    ffi::{
        c_char,
        c_int, //
    },
    prelude::*,
    sync::{
        Arc,
        ArcBorrow,
        SetOnce,
        SpinLockIrq, //
    },
    task::might_sleep,
    time::{
        delay::fsleep,
        Delta, //
    },
    uaccess::UserSliceReader,
    workqueue::{
        new_delayed_work,
        DelayedWork, //
    }, //
};

/// The handle of the owner's driver object, once it is registered.
static DRIVER: SetOnce<abi::d2d_handle> = SetOnce::new();

/// Returns the handle of the owner's driver object; before it is registered, one that names nothing.
fn own_handle() -> abi::d2d_handle {
    DRIVER.copy().unwrap_or(0)
}

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
pub struct Contexts<'a, O: Owner>(&'a Server<O>);

impl<'a, O: Owner> Contexts<'a, O> {
    pub(crate) fn new(server: &'a Server<O>) -> Self {
        Self(server)
    }

    /// Iterates over the contexts: the owner's value of each, and its link to the peer.
    pub fn iter(&self) -> impl Iterator<Item = (&'a O, &'a OwnerLink<O::Pair>)> {
        self.0
            .seats
            .iter()
            .map(|seat| (seat.binding.state(), seat.binding.seat()))
    }

    /// Returns what the owner sends requests by. Any context.
    pub fn sender(&self) -> Sender {
        // SAFETY: It is the owner's, which `Server::enrol` has registered.
        unsafe { Sender::from_raw(own_handle(), self.0.name) }
    }

    /// Returns the driver that is attached to a context, for sending it requests; `None` once it begins
    /// to leave. Any context.
    pub fn peer(&self, link: &OwnerLink<O::Pair>) -> Option<Peer> {
        let (handle, driver) = self.0.registry.holder(link.context().id() as usize)?;
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
    driver: registry::Driver,
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

/// The contexts and all that is known of drivers and requests.
#[pin_data]
pub(crate) struct Server<O: Owner> {
    /// Name of the owner: that of its module.
    name: &'static CStr,
    config: Config,
    seats: KVec<Seat<O>>,
    registry: Arc<Registry>,
    #[pin]
    offers: Offers,
    requests: Arc<Requests>,
    /// Waits for whoever is in `requests`.
    _workers: Workers,
    #[pin]
    events: Events,
    #[pin]
    refusals: SpinLockIrq<Refusals>,
    /// Takes back the handshakes whose time is over and that nobody waits for.
    #[pin]
    pub(crate) timer: DelayedWork<Self>,
}

impl<O: Owner> Server<O>
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
        watch: Operations,
    ) -> Result<Arc<Self>> {
        let config = O::config()?;
        config.check_memory()?;
        let mut seats = KVec::with_capacity(config.contexts as usize, GFP_KERNEL)?;
        for id in 0..config.contexts {
            seats.push(Self::new_seat(name, module, id, &config)?, GFP_KERNEL)?;
        }
        let registry = Arc::pin_init(Registry::new(name), GFP_KERNEL)?;
        let workers = Workers::new()?;
        // SAFETY: The workers and the result are parts of the server. `Opened::drop` drops the
        // server only after no entry point finds it and no thread is inside one. The workers
        // themselves call only what is queued, and dropping them waits for that.
        let requests = unsafe { Requests::new(name, registry.clone(), &workers)? };
        Arc::pin_init(
            try_pin_init!(Self {
                name,
                config,
                seats,
                registry,
                offers <- Offers::new(),
                requests,
                _workers: workers,
                events <- Events::new(name, watch),
                refusals <- Refusals::new(),
                timer <- new_delayed_work!("d2d::Server::timer"),
            }),
            GFP_KERNEL,
        )
    }

    /// Registers the owner itself, for requests. May sleep.
    ///
    /// # Errors
    ///
    /// Those of `d2d_register`.
    ///
    /// # Safety
    ///
    /// The server stays where it is until [`Server::strike_off`] has returned.
    pub(crate) unsafe fn enrol(&self, module: *mut bindings::module) -> Result {
        let mut object = abi::d2d_driver {
            hdr: header::new::<abi::d2d_driver>(abi::D2D_DRIVER_MAGIC),
            name: [0; abi::D2D_NAME_SIZE as usize],
            owner: module,
            self_: core::ptr::from_ref(self).cast_mut().cast(),
            dispatch: Some(Self::dispatch),
            returned: Some(Self::returned),
            completed: Some(Self::completed),
            cancelled: Some(Self::cancelled),
            flags: match O::DISPATCH_ATOMIC {
                true => abi::D2D_DISPATCH_ATOMIC,
                false => 0,
            },
            reserved: 0,
        };
        // A name that is too long for its NUL is refused.
        for (to, from) in object.name.iter_mut().zip(self.name.to_bytes()) {
            *to = *from;
        }
        // SAFETY: The routines and what they are called with stay until the owner is unregistered.
        let handle = unsafe { self.register(&object)? };
        DRIVER.populate(handle);
        Ok(())
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

impl<O: Owner> Server<O> {
    /// Closes the owner's events, cancels its requests, unregisters it, and then all drivers that are
    /// left. May sleep.
    pub(crate) fn strike_off(&self) {
        if let Some(driver) = DRIVER.copy() {
            // If it fails, the owner is one of those that are left.
            let _ = self.unregister(driver);
        }
        self.expel_left();
    }

    /// Removes the drivers that are still registered when the owner leaves. Their modules do not import
    /// the owner's symbols, or the owner is unloaded by force. They may go on using the contexts that
    /// they hold, so these are not freed. May sleep.
    pub(crate) fn expel_left(&self) {
        while !self.registry.is_empty() {
            let Some((handle, driver)) = self.registry.expel(|_| true) else {
                // Another thread is still unregistering one.
                fsleep(Delta::from_millis(1));
                continue;
            };
            let name = driver.name();
            refuse(self.name, "drivers-left", EBUSY, fmt!("name={}", name));
            if let Some(index) = driver.context() {
                self.seats[index].block.keep();
            }
            self.run_out(handle, &driver);
        }
    }

    /// Removes the drivers of a module that goes away and has forgotten to unregister them. Returns
    /// when no driver of the module is registered. May sleep.
    pub(crate) fn expel(&self, module: *const bindings::module) {
        let is_of_module = |driver: &registry::Driver| driver.module() == module;
        while let Some((handle, driver)) = self.registry.expel(is_of_module) {
            let name = driver.name();
            refuse(self.name, "module-gone", ESHUTDOWN, fmt!("name={}", name));
            self.run_out(handle, &driver);
        }
        // Another thread may still unregister one of them.
        while self.registry.has(is_of_module) {
            fsleep(Delta::from_millis(1));
        }
    }

    /// Removes a driver that was expelled, unless another thread is unregistering it. May sleep.
    fn run_out(&self, handle: abi::d2d_handle, before: &registry::Driver) {
        if before.is_unregistering() {
            return;
        }
        // First: closing an event ends the wait of a thread that is inside the driver.
        self.events.close_all(handle);
        while let Some((driver, state)) = self.begin_to_detach(handle) {
            if !self.end_to_detach(handle, &driver, state) {
                fsleep(Delta::from_millis(1));
            }
        }
        self.remove(handle);
    }

    /// Returns the handshakes that are under way.
    pub(crate) fn offers(&self) -> &Offers {
        &self.offers
    }

    /// Returns the requests of all drivers.
    pub(crate) fn requests(&self) -> &Arc<Requests> {
        &self.requests
    }

    /// Returns the owner's name.
    pub(crate) fn name(&self) -> &'static CStr {
        self.name
    }

    /// Returns what the contexts are like.
    pub(crate) fn config(&self) -> &Config {
        &self.config
    }

    /// Iterates over the links to the contexts' peers.
    pub(crate) fn links(&self) -> impl Iterator<Item = &OwnerLink<O::Pair>> {
        self.seats.iter().map(|seat| seat.binding.seat())
    }

    /// Returns what was refused.
    pub(crate) fn refusals(&self) -> &SpinLockIrq<Refusals> {
        &self.refusals
    }

    /// Returns the registered drivers.
    pub(crate) fn registry(&self) -> &Registry {
        &self.registry
    }

    /// The server that a C routine of the owner's driver object is called for.
    ///
    /// # Safety
    ///
    /// `this` is what was registered, and stays registered for `'a`.
    unsafe fn of<'a>(this: *mut c_void) -> &'a Self {
        // SAFETY: `this` is the server registered in `enrol()`, which stays where it is until it is
        // unregistered.
        unsafe { &*this.cast::<Self>() }
    }

    /// The owner's dispatch routine.
    ///
    /// # Safety
    ///
    /// `this` is a registered server, `request` is valid for reads.
    unsafe extern "C" fn dispatch(this: *mut c_void, request: *const abi::d2d_request) -> c_int {
        // SAFETY: `this` is the server registered in `enrol()`, which outlives the call.
        let this = unsafe { Self::of(this) };
        // SAFETY: `request` is valid for reads during the call, and is the owner's to complete.
        unsafe {
            receive(this.name, request, |request| {
                O::dispatch(&Contexts::new(this), request)
            })
        }
    }

    /// The owner's routine for requests that come back.
    ///
    /// # Safety
    ///
    /// `this` is a registered server, `request` and `result` are valid for reads.
    unsafe extern "C" fn returned(
        this: *mut c_void,
        request: *const abi::d2d_request,
        result: *const abi::d2d_result,
    ) -> c_int {
        // SAFETY: `this` is the server registered in `enrol()`, which outlives the call. `result`
        // is valid for reads.
        let (this, outcome) = unsafe { (Self::of(this), Outcome::new(&*result)) };
        // SAFETY: `request` is valid for reads during the call, and is the owner's to complete.
        unsafe {
            receive(this.name, request, |request| {
                O::returned(&Contexts::new(this), request, outcome)
            })
        }
    }

    /// The owner's completion routine.
    ///
    /// # Safety
    ///
    /// `this` is a registered server, `result` is valid for reads.
    unsafe extern "C" fn completed(
        this: *mut c_void,
        request: abi::d2d_handle,
        result: *const abi::d2d_result,
    ) -> c_int {
        // SAFETY: `this` is the server registered in `enrol()`, which outlives the call. `result`
        // is valid for reads. The owner gave the request up when it sent it.
        let (this, completed) = unsafe { (Self::of(this), Completed::from_raw(request, *result)) };
        O::completed(&Contexts::new(this), completed);
        // If the owner has not kept it, it was freed by being dropped.
        abi::D2D_MORE_PROCESSING_REQUIRED as c_int
    }

    /// The owner's cancel routine.
    ///
    /// # Safety
    ///
    /// `this` is a registered server.
    unsafe extern "C" fn cancelled(this: *mut c_void, request: abi::d2d_handle) {
        // SAFETY: `this` is the server registered in `enrol()`, which outlives the call.
        let this = unsafe { Self::of(this) };
        O::cancelled(&Contexts::new(this), RequestId::from_raw(request));
    }

    /// Registers a driver; see `d2d_register`.
    ///
    /// # Safety
    ///
    /// As `d2d_register` says of its argument, which is not null.
    pub(crate) unsafe fn register(
        &self,
        object: *const abi::d2d_driver,
    ) -> Result<abi::d2d_handle> {
        // SAFETY: If a driver object is found at `object`, it keeps to what `d2d_register` says.
        let handle = unsafe { self.registry.add(object)? };
        let driver = self.registry.get(handle)?;
        let name = driver.name();
        emit(driver.name(), Step::Register, fmt!("name={}", name));
        Ok(handle)
    }

    /// Refuses a call that might wait for its own caller: the calling task is inside a routine of a
    /// driver object, or sends the handshake of this driver.
    fn check_outside(&self, handle: abi::d2d_handle, reason: &str) -> Result {
        let is_inside = self.registry.is_inside() && self.registry.peek(handle).is_some();
        if !is_inside && !self.offers.is_sent_by_current(handle) {
            return Ok(());
        }
        Err(refuse(
            self.name,
            reason,
            EDEADLK,
            fmt!("handle=0x{:x}", handle),
        ))
    }

    /// Begins to unregister a driver; see `d2d_leave`. May sleep.
    pub(crate) fn leave(&self, handle: abi::d2d_handle) -> Result {
        might_sleep();
        self.registry.leave(handle)?;
        // After that, because a driver that leaves opens no event and sends no request.
        self.events.close_all(handle);
        self.requests.take_back(handle);
        Ok(())
    }

    /// Ends what the threads inside a driver may be waiting for: its requests, and events by its
    /// handles. Any context.
    fn release(&self, handle: abi::d2d_handle) {
        self.requests.take_back(handle);
        self.events.cancel_waits(handle);
    }

    /// Removes a driver; see `d2d_unregister`. May sleep.
    pub(crate) fn unregister(&self, handle: abi::d2d_handle) -> Result {
        might_sleep();
        self.check_outside(handle, "unregister-from-inside")?;
        let (_, state) = self.registry.update(handle, |_| None)?;
        if let State::Abandoned(index, request) = state {
            self.offers.done_with(request);
            self.give_back(handle, state, index);
        }
        self.registry.unregister(handle)?;
        // First, so that a thread that waits for one of them in a routine of the driver comes out of it.
        self.events.close_all(handle);
        self.remove(handle);
        Ok(())
    }

    /// Takes back the requests of a driver that is leaving, waits until no thread is inside its
    /// routines, and removes the driver. May sleep.
    fn remove(&self, handle: abi::d2d_handle) {
        let driver = loop {
            self.requests.run_down(handle);
            if let Some(driver) = self.registry.remove(handle) {
                break driver;
            }
        };
        let name = driver.name();
        emit(driver.name(), Step::Unregister, fmt!("name={}", name));
    }

    /// Returns the events.
    pub(crate) fn events(&self) -> &Events {
        &self.events
    }

    /// Hits the tracepoint of a step of an event, in the name of the driver whose handle it is. Any
    /// context.
    #[cold]
    #[inline(never)]
    pub(crate) fn hit_event(
        &self,
        step: Step,
        handle: abi::d2d_handle,
        detail: kernel::fmt::Arguments<'_>,
    ) {
        let Some((driver, name, kind)) = self.events.opening(handle) else {
            return;
        };
        let driver = self.registry.peek(driver);
        trace::hit(
            driver.as_ref().map_or(self.name, registry::Driver::name),
            step,
            fmt!(
                "name={} kind={} handle=0x{:x}{}",
                name.as_c_str(),
                kind.name(),
                handle,
                detail
            ),
        );
    }

    fn refuse_leaving(&self, driver: &registry::Driver) -> Error {
        let name = driver.name();
        refuse(
            self.name,
            "driver-is-leaving",
            ESHUTDOWN,
            fmt!("name={}", name),
        )
    }

    /// Creates or opens an event; see `d2d_event_create` and `d2d_event_open`. May sleep.
    ///
    /// # Safety
    ///
    /// A driver has named `name` as the string's address.
    pub(crate) unsafe fn open_event(
        &self,
        driver: abi::d2d_handle,
        name: *const c_char,
        kind: u32,
        make: Option<bool>,
    ) -> Result<abi::d2d_handle> {
        let refuse = |refusal| self.events.refuse(refusal, fmt!("kind={}", kind));
        // SAFETY: A driver has named `name` as the string's address.
        let name = unsafe { Name::read(name) }.map_err(refuse)?;
        let kind = Kind::from_raw(kind)
            .ok_or(Refusal("bad-event-kind", EINVAL))
            .map_err(refuse)?;
        let wanted = Wanted { name, kind, make };
        let mut by = None;
        let (handle, made) = self.events.open(driver, wanted, || {
            let found = self.registry.get(driver)?;
            if found.is_leaving() {
                return Err(self.refuse_leaving(&found));
            }
            by = Some(found);
            Ok(())
        })?;
        let by = by.as_ref().map_or(self.name, registry::Driver::name);
        let step = if made {
            Step::EventCreate
        } else {
            Step::EventOpen
        };
        emit(
            by,
            step,
            fmt!("name={} kind={}", name.as_c_str(), kind.name()),
        );
        Ok(handle)
    }

    /// The handshake; see `d2d_attach`. May sleep.
    pub(crate) fn attach(this: ArcBorrow<'_, Self>, handle: abi::d2d_handle) -> Result {
        let (driver, index) = this.registry.reserve(handle, this.seats.len())?;
        let name = driver.name();
        emit(this.name, Step::Lookup, fmt!("name={}", name));

        let request = match this.build_request(handle, index) {
            Ok(request) => request,
            Err(error) => {
                let error = this.abort(handle, index, error);
                this.registry.left(handle);
                return Err(error);
            }
        };
        let result = match this.send(&driver, &request) {
            Some(result) => result,
            None => {
                timeouts::limit(this, &request);
                // The driver may have completed it meanwhile.
                to_result(request.outcome().unwrap_or(EINPROGRESS.to_errno()))
            }
        };
        this.registry.left(handle);
        this.offers.leave(&request);
        result
    }

    /// Sends a request and learns of its completion. Returns `None` if the driver has left it
    /// pending and the owner learns of completion by its routine.
    fn send(&self, driver: &registry::Driver, request: &Offer) -> Option<Result> {
        let (handle, index) = (request.driver(), request.context());
        emit(
            self.name,
            Step::CallDriver,
            fmt!(
                "to={} code=0x{:08x} ctx=c{}",
                driver.name(),
                request.raw().code,
                index
            ),
        );
        let Some(returned) = self.dispatch_offer(request) else {
            let error = self.refuse_leaving(driver);
            if let Some(claim) = self.offers.claim(request.raw().handle) {
                let errno = error.to_errno();
                self.offers.finish(claim, Winner::Sender, errno, |_| errno);
                self.abort(handle, index, error);
            }
            return Some(Err(error));
        };

        if returned != PENDING {
            if let Some(claim) = self.offers.claim(request.raw().handle) {
                let error = refuse(
                    self.name,
                    "not-completed",
                    EIO,
                    fmt!("by={} returned={}", driver.name(), returned),
                );
                self.offers
                    .finish(claim, Winner::Sender, error.to_errno(), |_| {
                        error.to_errno()
                    });
                return Some(Err(self.abort(handle, index, error)));
            }
        } else if self.config.learn == Learn::Routine {
            return None;
        }

        if !request.wait_for(self.config.timeout) {
            if let Some(claim) = self.offers.claim(request.raw().handle) {
                self.time_out(claim);
            }
            request.wait();
        }
        match self.config.learn {
            Learn::Routine => {
                // The completion routine has done all.
                return Some(to_result(request.outcome().unwrap_or(EIO.to_errno())));
            }
            // As on Windows, a pended answer leaves no choice.
            Learn::Return if returned == PENDING => {
                self.trace_completion(request, "wait asked=return");
            }
            Learn::Return => self.trace_completion(request, "return"),
            Learn::Wait => self.trace_completion(request, "wait"),
        }
        Some(self.conclude(request))
    }

    /// Calls the dispatch routine of the driver that an offer is for, and returns what the routine
    /// has returned; `None` if the driver was expelled since the context was reserved. May sleep.
    fn dispatch_offer(&self, request: &Offer) -> Option<c_int> {
        let visit = pin!(Visit::new(&self.registry));
        visit.as_ref().begin(request.driver()).ok()?;
        let driver = visit.as_ref().get_ref().driver()?;
        // SAFETY: The visit has begun, and lives.
        Some(unsafe { driver.dispatch(request.raw()) })
    }

    /// Takes back a request whose time is over. Any context.
    pub(crate) fn time_out(&self, claim: Claim) {
        let request = claim.request();
        let (handle, index) = (request.driver(), request.context());
        let driver = self.registry.peek(handle);
        let error = refuse(
            self.name,
            "not-completed-in-time",
            ETIMEDOUT,
            fmt!(
                "by={} ms={} ctx=c{}",
                driver.as_ref().map_or(c"?", registry::Driver::name),
                self.config.timeout,
                index
            ),
        );
        let abandoned = State::Abandoned(index, request.raw().handle);
        self.registry
            .transition(handle, State::Attaching(index), abandoned);
        self.offers
            .finish(claim, Winner::Timeout, error.to_errno(), |request| {
                self.run_routine(request)
            });
        // The context is given back by this, or by the driver when it completes the request or leaves,
        // whichever comes last.
        if self.offers.is_done_with(&request) {
            self.give_back(handle, abandoned, index);
        }
    }

    fn build_request(&self, handle: abi::d2d_handle, index: usize) -> Result<Arc<Offer>> {
        let seat = &self.seats[index];
        let code = abi::D2D_IOCTL_SHARE_CONTEXT;
        let context = seat.binding.seat().context().as_raw();
        let request = self
            .offers
            .build(handle, index, code, context.cast())
            .map_err(|error| match error {
                EAGAIN => refuse(self.name, "too-many-requests", EAGAIN, fmt!("")),
                error => report_memory(self.name, error),
            })?;
        emit(
            self.name,
            Step::BuildRequest,
            fmt!(
                "major=0x{:02x} code=0x{:08x} ctx=c{}",
                request.raw().major_function,
                code,
                index
            ),
        );
        Ok(request)
    }

    /// Completes a request; see `d2d_complete`.
    pub(crate) fn complete(
        &self,
        handle: abi::d2d_handle,
        status: c_int,
        information: u64,
    ) -> c_int {
        if handle::Kind::Held.parts(handle).is_some() {
            let result = self.requests.complete(handle, status, information);
            return result.map_or_else(Error::to_errno, |()| 0);
        }
        self.complete_offer(handle, status, information)
    }

    /// Completes the request of a handshake.
    fn complete_offer(&self, handle: abi::d2d_handle, status: c_int, information: u64) -> c_int {
        let claim = match self.offers.complete(handle) {
            Completing::Claimed(claim) => claim,
            late_or_stale => {
                if let Completing::Late(request) = late_or_stale {
                    let index = request.context();
                    let abandoned = State::Abandoned(index, handle);
                    self.give_back(request.driver(), abandoned, index);
                }
                let error = refuse(
                    self.name,
                    "stale-request-handle",
                    ESTALE,
                    fmt!("handle=0x{:x}", handle),
                );
                return error.to_errno();
            }
        };
        let status = requests::check_status(self.name, status);
        if let Ok(driver) = self.registry.get(claim.driver()) {
            emit(
                driver.name(),
                Step::Complete,
                fmt!(
                    "status={} info={} ctx=c{}",
                    status,
                    information,
                    claim.context()
                ),
            );
        }
        let outcome = self
            .offers
            .finish(claim, Winner::Driver, status, |request| {
                self.run_routine(request)
            });
        // The driver's own status is what it has completed the request with, not a refusal.
        if status == 0 {
            outcome
        } else {
            0
        }
    }

    /// The completion routine, if the owner learns of completion by it. Any context.
    fn run_routine(&self, request: &Offer) -> c_int {
        if self.config.learn != Learn::Routine {
            return 0;
        }
        self.trace_completion(request, "routine");
        self.conclude(request).map_or_else(Error::to_errno, |()| 0)
    }

    fn trace_completion(&self, request: &Offer, via: &str) {
        emit(
            self.name,
            Step::Completion,
            fmt!(
                "via={} status={} ctx=c{}",
                via,
                request.status().unwrap_or(0),
                request.context()
            ),
        );
    }

    /// Opens the context of a completed request to the driver that it was sent to. Any context.
    fn conclude(&self, request: &Offer) -> Result {
        let (handle, index) = (request.driver(), request.context());
        let status = to_result(request.status().unwrap_or(EIO.to_errno()));
        if request.winner() != Some(Winner::Driver) {
            // Whoever has taken it back gives the context back.
            return status;
        }
        let seat = &self.seats[index];
        let link = seat.binding.seat();
        let opened = status
            .and_then(|()| self.registry.get(handle))
            .and_then(|driver| {
                // SAFETY: The driver has completed the request, so the endpoint is filled in, and
                // nobody writes it until the driver has detached.
                let endpoint = unsafe { (*link.context().as_raw()).peer };
                // SAFETY: By the contract of `struct d2d_context`, it is a peer's, in its module.
                unsafe { Endpoint::copy(self.name, endpoint, driver.module()) }
            })
            // SAFETY: The driver promised that its operations may be called until it has detached,
            // and detaching closes the link.
            .and_then(|endpoint| unsafe { link.open(endpoint) })
            .and_then(|()| self.registry.get(handle));
        let driver = match opened {
            Ok(driver) => driver,
            Err(error) => return Err(self.abort(handle, index, error)),
        };
        emit(
            self.name,
            Step::Attached,
            fmt!("to={} ctx=c{}", driver.name(), index),
        );
        // Before it can be detached, which waits for this.
        seat.binding.state().attached(link);
        self.registry
            .transition(handle, State::Attaching(index), State::Attached(index));
        Ok(())
    }

    /// Takes back the context of a handshake that has failed, and passes the error on.
    fn abort(&self, handle: abi::d2d_handle, index: usize, error: Error) -> Error {
        self.give_back(handle, State::Attaching(index), index);
        error
    }

    /// Makes a context free that a driver has not attached to, if the driver's state is `from`.
    fn give_back(&self, handle: abi::d2d_handle, from: State, index: usize) {
        let releasing = State::Detaching(index);
        if self.registry.transition(handle, from, releasing) {
            self.clear_peer(index);
            self.registry
                .transition(handle, releasing, State::Registered);
        }
    }

    /// Forgets what a driver filled in.
    fn clear_peer(&self, index: usize) {
        let context = self.seats[index].binding.seat().context();
        // SAFETY: No driver holds the context, so the peer's part of it is the owner's.
        unsafe {
            (*context.as_raw()).peer = abi::d2d_endpoint {
                ops: core::ptr::null(),
                self_: core::ptr::null_mut(),
            }
        };
    }

    /// Detaches a driver; see `d2d_detach`. May sleep.
    pub(crate) fn detach(&self, handle: abi::d2d_handle) -> Result {
        might_sleep();
        loop {
            self.check_outside(handle, "detach-from-inside")?;
            let (driver, before) = self.registry.update(handle, detaching)?;
            let name = driver.name();
            match before {
                State::Attached(_) | State::Attaching(_) | State::Abandoned(..) => {
                    if self.end_to_detach(handle, &driver, before) {
                        return Ok(());
                    }
                    // It goes on, but has not come far enough yet.
                    fsleep(Delta::from_millis(1));
                }
                State::Registered if !driver.is_detached() => {
                    // The handshake has failed, and its sender has not left the driver.
                    if let Some(request) = self.offers.find(handle) {
                        self.wait_for_sender(&request);
                    }
                    fsleep(Delta::from_millis(1));
                }
                State::Registered => {
                    return Err(refuse(
                        self.name,
                        "not-attached",
                        ENOTCONN,
                        fmt!("name={}", name),
                    ));
                }
                State::Detaching(_) => {
                    return Err(refuse(
                        self.name,
                        "already-detaching",
                        EALREADY,
                        fmt!("name={}", name),
                    ));
                }
            }
        }
    }

    /// Begins to detach a driver that was expelled, as [`Server::detach`] does. Returns what is
    /// known of it, and its state before; `None` when there is nothing to detach. Any context.
    fn begin_to_detach(&self, handle: abi::d2d_handle) -> Option<(registry::Driver, State)> {
        let (driver, state) = self.registry.update(handle, detaching).ok()?;
        (!driver.is_detached()).then_some((driver, state))
    }

    /// Ends what [`detaching`] has begun from the state `before`. Returns whether the driver is
    /// detached. May sleep.
    fn end_to_detach(
        &self,
        handle: abi::d2d_handle,
        driver: &registry::Driver,
        before: State,
    ) -> bool {
        match before {
            State::Attached(index) => {
                emit(driver.name(), Step::Detach, fmt!("ctx=c{}", index));
                self.requests
                    .cancel_all(handle, || self.events.cancel_waits(handle));
                self.run_down(handle, driver, index);
                true
            }
            State::Attaching(_) => self.cancel(handle, driver.name()),
            State::Abandoned(index, request) => {
                emit(driver.name(), Step::Detach, fmt!("ctx=c{}", index));
                self.offers.done_with(request);
                self.give_back(handle, before, index);
                true
            }
            State::Registered | State::Detaching(_) => false,
        }
    }

    /// Takes back the request that a driver is attaching by, and then its context, unless the
    /// request is being completed. Waits until the sender has left the driver. May sleep.
    fn cancel(&self, handle: abi::d2d_handle, name: &CStr) -> bool {
        let Some(request) = self.offers.find(handle) else {
            return false;
        };
        let index = request.context();
        let claim = self.offers.claim(request.raw().handle);
        let claimed = claim.is_some();
        if let Some(claim) = claim {
            emit(self.name, Step::Cancel, fmt!("to={} ctx=c{}", name, index));
            let cancelled = ECANCELED.to_errno();
            self.offers
                .finish(claim, Winner::Cancel, cancelled, |_| cancelled);
        }
        self.wait_for_sender(&request);
        if claimed {
            self.abort(handle, index, ECANCELED);
        }
        claimed
    }

    /// Waits until an offer is completed and its sender has left the driver. The sender may be
    /// inside the dispatch routine, waiting there for a request or an event of the driver's own; this
    /// ends the wait. May sleep.
    fn wait_for_sender(&self, request: &Offer) {
        /// How long the dispatch routine may take to return by itself: 10 ms at least, as a jiffy that
        /// has begun may be over at once.
        const MS: u32 = 20;

        request.wait();
        while !request.wait_for_sender(MS) {
            self.release(request.driver());
        }
    }

    /// Waits until the owner is not inside the driver any more, and takes the context back. If an
    /// operation takes long, this ends what it may be waiting for. May sleep.
    fn run_down(&self, handle: abi::d2d_handle, driver: &registry::Driver, index: usize) {
        let binding = &self.seats[index].binding;
        // SAFETY: It was opened when the driver was attached, and the state `Detaching` is ours.
        unsafe { binding.seat().close(|| self.release(handle)) };
        // The dispatch routine may be left later than the request in it was completed, and by more
        // than one sender.
        while let Some(request) = self.offers.find(handle) {
            self.wait_for_sender(&request);
        }
        emit(
            self.name,
            Step::Rundown,
            fmt!("of={} ctx=c{}", driver.name(), index),
        );
        self.clear_peer(index);
        for (name, queue) in [
            ("to_peer", binding.seat().outgoing()),
            ("to_owner", binding.seat().incoming()),
        ] {
            // SAFETY: The driver is gone, and the owner is not one in C.
            let revoked = unsafe { queue.revoke_handles() };
            if revoked > 0 {
                emit(
                    self.name,
                    Step::Drain,
                    fmt!("ctx=c{} queue={} revoked={}", index, name, revoked),
                );
            }
        }
        // The one that the driver was rung by.
        binding.seat().outgoing().set_doorbell(None);
        binding.state().detached(binding.seat());
        self.registry
            .transition(handle, State::Detaching(index), State::Registered);
    }
}

/// Returns the state into which detaching takes an attached driver; `None` if it is not attached.
fn detaching(state: State) -> Option<State> {
    match state {
        State::Attached(index) => Some(State::Detaching(index)),
        _ => None,
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
            emit(
                self.owner,
                Step::Drain,
                fmt!(
                    "ctx=c{} queue={} left={} put={} taken={} refused={} stale={}",
                    context.id(),
                    name,
                    counters.depth,
                    counters.put,
                    counters.taken,
                    counters.refused,
                    counters.stale
                ),
            );
        }
        if !self.block.is_kept() {
            emit(self.owner, Step::Free, fmt!("ctx=c{}", context.id()));
        }
    }
}

/// Creates an event for the owner, or opens the one of that name; `set` is ignored if the event
/// already exists. When the owner leaves, after [`Owner::leaving`], the event is closed and waits for
/// it end with `ECANCELED`. May sleep. Peers have `Handle::create_event`.
///
/// # Errors
///
/// Those of `d2d_event_create` in `d2d_event.h`; `ENODEV` before [`Owner::ready`].
pub fn create_event(name: &CStr, kind: Kind, set: bool) -> Result<Event> {
    Event::create(own_handle(), name, kind, set)
}

/// Opens an existing event for the owner. May sleep. It is closed as one of [`create_event`] is.
///
/// # Errors
///
/// Those of `d2d_event_open` in `d2d_event.h`; `ENODEV` before [`Owner::ready`].
pub fn open_event(name: &CStr, kind: Kind) -> Result<Event> {
    Event::open(own_handle(), name, kind)
}

// SPDX-License-Identifier: GPL-2.0

//! The peer's driver, and its side of the handshake: the [`Offer`] of a context.
//!
//! Completing or pending an offer consumes it, so a driver cannot complete it twice. The offer and
//! its [`Disposition`] cannot outlive the call that passes the offer to the driver.

use crate::{
    abi,
    adopt,
    control::Control,
    device::{
        self,
        Device,
        Devices, //
    },
    event::{
        Event,
        Kind,
        PairEvent, //
    },
    interface::{
        Binding,
        Link,
        TableFor, //
    },
    job::{
        self,
        Jobs,
        Thread,
        Timer,
        TimerContext,
        WorkContext, //
    },
    lent::{
        Lending,
        Memory,
        UserBuffer, //
    },
    link::{
        Pair,
        PeerLink,
        PeerLinkStorage, //
    },
    packet::{
        Completed,
        Outcome,
        Sender, //
    },
    patience::Patience,
    refuse,
    registration::DropPromise,
    request::{
        Disposition,
        Kept,
        Request,
        RequestId, //
    },
    routines::Routines,
    step,
    trace::report_memory, //
};
use core::ops::Deref;
use kernel::{
    prelude::*,
    sync::{
        atomic::{
            ordering::{
                Acquire,
                Full,
                Relaxed,
                Release, //
            },
            Atomic, //
        },
        new_spinlock_irq,
        Arc,
        ArcBorrow,
        SetOnce,
        SpinLockIrq, //
    },
    task::Task,
    time::{
        delay::fsleep,
        Delta, //
    },
    uaccess::UserSliceReader,
    ModuleMetadata, //
};

/// A driver that can be the peer in a context. It also implements the trait of its pair's peer
/// interface. [`module_peer!`](crate::module_peer) makes its module.
pub trait Driver: Sized + Send + Sync + 'static {
    /// The pair of the driver.
    type Pair: Pair;

    /// The driver's [control device](crate::control), if it has one.
    const CONTROL: Option<device::Settings> = None;

    /// What the driver keeps until its module is unloaded, for example its registration with a bus;
    /// `()` for nothing. The library drops the value before it detaches the driver, so the link works
    /// in the value's destructor. In a module in several roles, all drivers leave before that: in the
    /// destructor, a request fails with `ESHUTDOWN`, and a wait with `ECANCELED`.
    type Resources: Send + Sync + 'static;

    /// Makes the driver when its module is loaded. Process context, may sleep.
    fn new() -> Result<Self>;

    /// Makes the driver's jobs and its [`Resources`](Driver::Resources), when the handshake has ended
    /// or is pended: see [`DriverRef::settled_link`]. Process context, may sleep.
    fn start(driver: DriverRef<Self>) -> impl PinInit<Self::Resources, Error>;

    /// Receives what a process writes to the control device, as
    /// [`Control::control`](crate::control::Control).
    fn control(_driver: &DriverRef<Self>, _reader: &mut UserSliceReader) -> Result {
        Err(EINVAL)
    }

    /// Returns the data that [`Offer::accept`] stores in the context for the owner. Process
    /// context, may sleep.
    fn data(&self) -> <Self::Pair as Pair>::PeerData;

    /// Returns the memory that the driver [lends](crate::lent) the owner until the driver is
    /// detached. Called once, by [`Adopted::fill`]. Any context.
    fn lend(&self) -> Option<Lending> {
        None
    }

    /// Receives the offer of a context. Process context, may sleep.
    fn share<'a>(&self, offer: Offer<'a, Self>) -> Disposition<'a>
    where
        <Self::Pair as Pair>::Peer: TableFor<Self>,
    {
        offer.accept()
    }

    /// Receives, in a kernel worker, an offer that [`Offer::pend`] has left pending. May sleep. If
    /// this waits for an event or a request when the module is unloaded, it gets `ECANCELED`.
    fn deferred<'a>(&self, offer: Offer<'a, Self>) -> Disposition<'a>
    where
        <Self::Pair as Pair>::Peer: TableFor<Self>,
    {
        offer.accept()
    }

    /// Whether [`dispatch`](Driver::dispatch) never sleeps. If so, it is called in the sender's
    /// execution context, which may be any. Otherwise a worker calls it for a sender that cannot
    /// sleep.
    const DISPATCH_ATOMIC: bool = false;

    /// Receives a request. The first may arrive as soon as the driver is registered. Process context,
    /// may sleep; any context if [`DISPATCH_ATOMIC`](Driver::DISPATCH_ATOMIC) is set.
    ///
    /// No routine may load or unload a module, or wait for a thread that does: see `struct
    /// d2d_driver` in `d2d.h`.
    fn dispatch<'a>(&self, request: Request<'a>) -> Disposition<'a> {
        request.fail(ENOTTY)
    }

    /// Receives a request that this driver has [forwarded](Request::forward) with `wants_back`, and
    /// its result, also if the request was cancelled, or the driver that got it has left. Any
    /// context.
    fn returned<'a>(&self, request: Request<'a>, outcome: Outcome) -> Disposition<'a> {
        request.complete_as(outcome)
    }

    /// Receives a request that the driver has sent by
    /// [`Packet::send_with_routine`](crate::packet::Packet::send_with_routine), and its result. Any
    /// context.
    fn completed(&self, _completed: Completed) {}

    /// Tells the driver that a pended request was cancelled. Called only if the driver has called
    /// [`Pended::tell_if_cancelled`](crate::request::Pended::tell_if_cancelled). Any context.
    fn cancelled(&self, _id: RequestId) {}
}

/// A reference to a driver that is, or was, registered.
pub struct DriverRef<T: Driver>(Arc<Shared<T>>);

impl<T: Driver> Clone for DriverRef<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T: Driver> DriverRef<T> {
    pub(crate) fn new(shared: Arc<Shared<T>>) -> Self {
        Self(shared)
    }

    /// Returns the driver as a sender of requests. Any context.
    pub fn sender(&self) -> Sender {
        self.0.sender()
    }

    /// Makes a `user_buffer` for requests to the owner: a pointer to one of the values that the
    /// driver [lends](Driver::lend). Any context.
    ///
    /// # Errors
    ///
    /// Each prints a line:
    ///
    /// - `ENODATA` if the driver lends nothing, or has not filled in a context yet.
    /// - `EPROTOTYPE` if the driver lends values of another type.
    /// - `EFAULT` if `value` is not lent.
    pub fn user_buffer<V: Memory>(&self, value: &V) -> Result<UserBuffer> {
        Lending::user_buffer(self.0.lent.as_ref(), self.0.name, value)
    }

    /// Returns the link to the owner, if both sides may use the context now. Any context.
    ///
    /// Use the link only during the driver's operations, [`dispatch`](Driver::dispatch) and the
    /// routines of its [jobs](job), and while its [`Resources`](Driver::Resources) exist: then the
    /// driver is attached. Later use is safe, but the owner may share the context with another driver.
    pub fn link(&self) -> Option<&PeerLink<T::Pair>> {
        self.0.link()
    }

    /// As [`DriverRef::link`], but first waits until a pended handshake has ended. The wait has no
    /// time limit, but a signal ends it. May sleep.
    ///
    /// Do not call it in the `deferred` of another role of the module: two `deferred` functions
    /// that wait for each other wait for ever.
    ///
    /// # Errors
    ///
    /// `EDEADLK`, with a line, if this driver's [`Driver::deferred`] calls this; `EINTR` if a signal
    /// came; `ENOTCONN` if there is no link.
    pub fn settled_link(&self) -> Result<&PeerLink<T::Pair>> {
        if self.0.is_in_deferred() {
            return Err(refuse!(self.0.name, "settled-link-in-deferred", EDEADLK));
        }
        self.0.await_deferred()?;
        self.link().ok_or(ENOTCONN)
    }

    /// Creates a named event, which is set if `set` is true. If the event exists already, opens it
    /// and ignores `set`. A name has 1 to 63 visible ASCII characters other than `/`, and is not
    /// `.` or `..`. May sleep.
    ///
    /// # Errors
    ///
    /// - `ENAMETOOLONG` or `EINVAL` for a bad name.
    /// - `EPROTOTYPE` if the event exists and is of the other kind.
    /// - `ENFILE` for too many events, `EMFILE` for too many handles of events.
    /// - `ESHUTDOWN` if the driver is leaving, `ESTALE` if it is not registered any more.
    /// - `ENOMEM`.
    pub fn create_event(&self, name: &CStr, kind: Kind, set: bool) -> Result<Event> {
        Event::create(self.0.raw_handle(), name, kind, set)
    }

    /// Opens an existing named event. May sleep.
    ///
    /// # Errors
    ///
    /// As [`DriverRef::create_event`], and `ENOENT` if there is no such event.
    pub fn open_event(&self, name: &CStr, kind: Kind) -> Result<Event> {
        Event::open(self.0.raw_handle(), name, kind)
    }

    /// As [`DriverRef::create_event`], for the event of the driver `of` that the pair declares.
    pub fn create_event_of(&self, of: &CStr, event: PairEvent, set: bool) -> Result<Event> {
        Event::create_of(self.0.raw_handle(), of, event, set)
    }

    /// As [`DriverRef::open_event`], for the event of the driver `of` that the pair declares.
    pub fn open_event_of(&self, of: &CStr, event: PairEvent) -> Result<Event> {
        Event::open_of(self.0.raw_handle(), of, event)
    }

    /// Makes a job that runs `routine` in a worker or in softirq; see [`job`]. May sleep.
    ///
    /// # Errors
    ///
    /// `ESHUTDOWN` if the driver is leaving, `ENOMEM`.
    pub fn work(
        &self,
        context: WorkContext,
        routine: impl Fn(&Self, &job::Work) + Send + Sync + 'static,
    ) -> Result<job::Work> {
        let driver = self.clone();
        self.0
            .jobs
            .work(context, move |work| routine(&driver, work))
    }

    /// Makes a job that runs `routine` each time that a timer expires; see [`job`]. May sleep.
    ///
    /// # Errors
    ///
    /// `ESHUTDOWN` if the driver is leaving, `ENOMEM`.
    pub fn timer(
        &self,
        context: TimerContext,
        routine: impl Fn(&Self, &Timer) + Send + Sync + 'static,
    ) -> Result<Timer> {
        let driver = self.clone();
        self.0
            .jobs
            .timer(context, move |timer| routine(&driver, timer))
    }

    /// Makes a job that runs `routine` in a thread of its own; see [`job`]. The name of the thread is
    /// the first 15 bytes of `name`. May sleep.
    ///
    /// # Errors
    ///
    /// With a line: `EAGAIN` if there are too many threads, `EINTR` if the calling process is killed.
    /// Without one: `ESHUTDOWN` if the driver is leaving, `ENOMEM`.
    pub fn thread(
        &self,
        name: &CStr,
        routine: impl Fn(&Self, &Thread) + Send + Sync + 'static,
    ) -> Result<Thread> {
        let driver = self.clone();
        self.0
            .jobs
            .thread(self.0.name, name, move |thread| routine(&driver, thread))
    }

    /// Makes a character device with open files of type `F`; see [`device`]. Processes can open it
    /// once the module is loaded. May sleep.
    ///
    /// # Errors
    ///
    /// With a line:
    ///
    /// - `EBUSY` if there is a device of this name.
    /// - `EINVAL` for a bad name, mode or capability.
    /// - `EDEADLK` if [`device::File::open`] calls this.
    ///
    /// Without a line: `ESHUTDOWN` if the driver is leaving; `ENOMEM`.
    pub fn device<F: device::File<Driver = Self>>(
        &self,
        settings: device::Settings,
    ) -> Result<Device> {
        let driver = self.clone();
        self.0.devices.make::<F>(self.0.name, driver, settings)
    }
}

impl<T: Driver> Deref for DriverRef<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.0.driver()
    }
}

impl<T: Driver> Control for DriverRef<T> {
    fn control(&self, command: &mut UserSliceReader) -> Result {
        T::control(self, command).map_err(|error| report_memory(self.0.name, error))
    }
}

/// The offer of a context. The driver has to complete or pend it.
pub struct Offer<'a, T: Driver> {
    shared: ArcBorrow<'a, Shared<T>>,
    request: Request<'a>,
}

impl<'a, T: Driver> Offer<'a, T> {
    /// Adopts the context, fills in the driver's [data](Driver::data), and completes the offer. May
    /// sleep.
    pub fn accept(self) -> Disposition<'a>
    where
        <T::Pair as Pair>::Peer: TableFor<T>,
    {
        let data = self.shared.driver().data();
        match self.adopt() {
            Ok(adopted) => adopted.fill(data).complete(Ok(()), 0),
            Err(refused) => refused,
        }
    }

    /// Completes the offer. `EIOCBQUEUED` and `EINPROGRESS` become `EIO`: they would say that the
    /// offer is not completed. `information` has no meaning in a handshake. Any context.
    pub fn complete(self, result: Result, information: u64) -> Disposition<'a> {
        let (disposition, result) = self.request.finish(result, information);
        self.shared.note_handshake_result(result);
        disposition
    }

    /// Leaves the offer pending. A kernel worker passes it to [`Driver::deferred`]. If another
    /// offer waits for the worker, or the module is being unloaded, completes this offer with `EBUSY`
    /// instead. Any context.
    pub fn pend(self) -> Disposition<'a>
    where
        <T::Pair as Pair>::Peer: TableFor<T>,
    {
        let code = abi::D2D_IOCTL_SHARE_CONTEXT;
        step!(self.shared.name, pend, code: code);
        match self.shared.defer(self.request.keep()) {
            Ok(()) => Disposition::pending(),
            Err(kept) => Self {
                shared: self.shared,
                request: kept.into_request(),
            }
            .complete(Err(EBUSY), 0),
        }
    }

    /// Adopts the context that the request carries: checks it and saves its address. Any context.
    ///
    /// # Errors
    ///
    /// Completes the offer, and returns the disposition:
    ///
    /// - `EFAULT` if the request carries no context, or a pointer that cannot be followed.
    /// - The errors of [`header::check`](crate::header::check) for the context, and those of
    ///   [`Endpoint::copy`](crate::interface::Endpoint::copy) for the owner's operations.
    /// - `EMSGSIZE` for a block of data that is smaller than the pair declares, or too large.
    /// - `EALREADY` if the driver has a context already.
    pub fn adopt(self) -> Result<Adopted<'a, T>, Disposition<'a>>
    where
        <T::Pair as Pair>::Peer: TableFor<T>,
    {
        let link = adopt::adopt(self.shared.name, self.request.user_buffer());
        match link.and_then(|link| self.store_link(link)) {
            Ok(()) => Ok(Adopted(self)),
            Err(error) => Err(self.complete(Err(error), 0)),
        }
    }

    fn store_link(&self, link: PeerLink<T::Pair>) -> Result {
        let name = self.shared.name;
        let id = link.context().id();
        if !self.shared.binding.storage().keep(link) {
            return Err(refuse!(name, "already-adopted", EALREADY, ctx: id));
        }
        step!(name, adopt, ctx: id);
        Ok(())
    }
}

/// An offer whose context is adopted, but not filled in.
pub struct Adopted<'a, T: Driver>(Offer<'a, T>);

impl<'a, T: Driver> Adopted<'a, T>
where
    <T::Pair as Pair>::Peer: TableFor<T>,
{
    /// Fills in the driver's operations and data. The owner may use them once the offer is
    /// completed. Any context.
    pub fn fill(self, data: <T::Pair as Pair>::PeerData) -> Offer<'a, T> {
        let binding = &self.0.shared.binding;
        if let Some(link) = PeerLink::of(binding.storage()) {
            let table: *const _ = <<T::Pair as Pair>::Peer as TableFor<T>>::TABLE;
            link.context().with_peer_data(|area| *area = data);
            // SAFETY: By the invariants of `Context`, the pointer is valid. Until this driver
            // completes the request or is detached, only this driver uses the peer's endpoint, even
            // if the handshake has timed out. The driver is not detached now: detaching waits for
            // the routine that has the request, and comes after the job `deferred` was stopped.
            unsafe {
                (*link.context().as_raw()).peer = abi::d2d_endpoint {
                    ops: table.cast::<abi::d2d_ops>(),
                    self_: binding.as_raw(),
                    lent: self.0.shared.lend(),
                }
            };
            step!(self.0.shared.name, fill, ctx: link.context().id());
        }
        self.0
    }
}

/// The driver has no context, and has not asked for one.
const IDLE: u32 = 0;
/// The driver has asked for a context.
const UNDER_WAY: u32 = 1;
/// Both sides may use the context.
const ATTACHED: u32 = 2;

/// What a registration, its [`DriverRef`]s and its [`Offer`]s share.
#[pin_data]
pub(crate) struct Shared<T: Driver> {
    /// Name of the driver, and of its module.
    name: &'static CStr,
    #[pin]
    binding: Binding<PeerLinkStorage<T::Pair>, T>,
    /// What the driver lends the owner; kept at least until the driver is unregistered.
    lent: SetOnce<Lending>,
    /// What `d2d_register` has returned.
    raw_handle: SetOnce<abi::d2d_handle>,
    /// [`IDLE`], [`UNDER_WAY`] or [`ATTACHED`].
    progress: Atomic<u32>,
    /// The offer that waits for the job `deferred`.
    #[pin]
    pended: SpinLockIrq<Option<Kept>>,
    /// The job that passes a pended offer to [`Driver::deferred`].
    deferred: SetOnce<job::Work>,
    /// A list with only the job `deferred`. The library stops it after the driver's own jobs.
    #[pin]
    handshake_jobs: Jobs,
    /// The address of the task that is in [`Driver::deferred`], or 0; only compared.
    worker: Atomic<usize>,
    #[pin]
    pub(crate) jobs: Jobs,
    #[pin]
    pub(crate) devices: Devices,
}

impl<T: Driver> Shared<T> {
    /// Makes the shared part of a driver that is not registered yet. The registration has to stop
    /// its [jobs](Shared::jobs), call [`Shared::stop_deferred`], and remove its
    /// [devices](Shared::devices). May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn new<M: ModuleMetadata>(promise: DropPromise<M>, driver: T) -> Result<Arc<Self>>
    where
        <T::Pair as Pair>::Peer: TableFor<T>,
    {
        let this = Arc::pin_init(
            try_pin_init!(Self {
                name: M::NAME,
                raw_handle: SetOnce::new(),
                lent: SetOnce::new(),
                binding <- Binding::new(PeerLinkStorage::new(), Ok(driver)),
                progress: Atomic::new(IDLE),
                pended <- new_spinlock_irq!(None, "d2d::Shared::pended"),
                deferred: SetOnce::new(),
                handshake_jobs <- Jobs::new(promise),
                worker: Atomic::new(0),
                jobs <- Jobs::new(promise),
                devices <- Devices::new(promise),
            }),
            GFP_KERNEL,
        )?;
        // The job keeps `shared` until `stop_deferred`.
        let shared = this.clone();
        let job = this
            .handshake_jobs
            .work(WorkContext::Worker, move |_| Self::pass_on(&shared))?;
        this.deferred.populate(job);
        Ok(this)
    }

    pub(crate) fn set_raw_handle(&self, handle: abi::d2d_handle) {
        self.raw_handle.populate(handle);
    }

    pub(crate) fn note_asked(&self) {
        self.progress.store(UNDER_WAY, Release);
    }

    /// Notes that the driver has no context. Returns whether it had asked for one or had one.
    pub(crate) fn clear_asked(&self) -> bool {
        self.progress.xchg(IDLE, Full) != IDLE
    }

    pub(crate) fn driver(&self) -> &T {
        self.binding.driver()
    }

    /// Asks the driver for its lent memory, which `self` keeps.
    fn lend(&self) -> abi::d2d_lent {
        if let Some(lending) = self.driver().lend() {
            self.lent.populate(lending);
        }
        Lending::as_raw(self.lent.as_ref())
    }

    /// Returns 0 before the driver is registered.
    pub(crate) fn raw_handle(&self) -> abi::d2d_handle {
        self.raw_handle.copy().unwrap_or(0)
    }

    pub(crate) fn sender(&self) -> Sender {
        Sender::new(self.raw_handle(), self.name)
    }

    pub(crate) fn link(&self) -> Option<&PeerLink<T::Pair>> {
        match self.progress.load(Acquire) {
            ATTACHED => PeerLink::of(self.binding.storage()),
            _ => None,
        }
    }

    pub(crate) fn note_handshake_result(&self, result: Result) {
        self.progress
            .store(if result.is_ok() { ATTACHED } else { IDLE }, Release);
    }

    /// Whether the calling task is in [`Driver::deferred`]. Any context.
    pub(crate) fn is_in_deferred(&self) -> bool {
        // A task finds its own address only if it has stored the address itself.
        self.worker.load(Relaxed) == Task::current_raw() as usize
    }

    /// Whether an offer waits for the job `deferred`, or the job passes one to [`Driver::deferred`]. Any
    /// context.
    fn is_deferring(&self) -> bool {
        let pended = self.pended.lock();
        pended.is_some() || self.worker.load(Acquire) != 0
    }

    /// Waits until no offer waits for the job `deferred`, and [`Driver::deferred`] does not run. It may
    /// be waiting, too: after 10 ms, this function calls `end_waits` again and again. May sleep.
    pub(crate) fn flush_deferred(&self, end_waits: impl Fn()) {
        let mut patience = Patience::new();
        while self.is_deferring() {
            patience.sleep(&end_waits);
        }
    }

    /// Waits until no offer waits for the job `deferred`, and [`Driver::deferred`] does not run. May
    /// sleep.
    ///
    /// # Errors
    ///
    /// `EINTR` if a signal comes. The job may be waiting for the caller: while the module is being
    /// loaded, only a signal can end this deadlock.
    fn await_deferred(&self) -> Result {
        while self.is_deferring() {
            if kernel::current!().signal_pending() {
                return Err(EINTR);
            }
            fsleep(Delta::from_millis(1));
        }
        Ok(())
    }

    /// Makes [`Shared::defer`] refuse further offers. Otherwise a driver that pends its offer again in
    /// [`Driver::deferred`] would keep the job `deferred` busy for ever. May sleep.
    pub(crate) fn close_deferred(&self) {
        self.handshake_jobs.close();
    }

    /// Waits for the job `deferred` if it runs, and stops it. If an offer still waits for the job,
    /// completes the offer with `ECANCELED`. May sleep.
    pub(crate) fn stop_deferred(&self) {
        self.handshake_jobs.stop(|| {});
        let offer = self.pended.lock().take();
        if let Some(kept) = offer {
            let _ = kept.into_request().fail(ECANCELED);
            self.note_handshake_result(Err(ECANCELED));
        }
    }
}

impl<T: Driver> Shared<T>
where
    <T::Pair as Pair>::Peer: TableFor<T>,
{
    fn pass_on(this: &Arc<Self>) {
        let offer = {
            let mut pended = this.pended.lock();
            // Under the lock, so that `is_deferring` sees the offer or the worker.
            if pended.is_some() {
                this.worker.store(Task::current_raw() as usize, Relaxed);
            }
            pended.take()
        };
        if let Some(kept) = offer {
            // The dispatch routine returns its own disposition, so nobody needs this one.
            let _ = this.driver().deferred(Offer {
                shared: this.as_arc_borrow(),
                request: kept.into_request(),
            });
            // Pairs with the load in `is_deferring`: a thread that has waited sees what `deferred` has done.
            this.worker.store(0, Release);
        }
    }

    /// Passes an offer to the job `deferred`. Any context.
    ///
    /// # Errors
    ///
    /// Returns the offer if another one waits, or after [`Shared::close_deferred`].
    pub(crate) fn defer(&self, kept: Kept) -> Result<(), Kept> {
        // If the job runs at once, it waits for this lock, and then finds the offer.
        let mut pended = self.pended.lock();
        let is_started = pended.is_none()
            && self
                .deferred
                .as_ref()
                .is_some_and(|job| job.start().is_ok());
        if !is_started {
            return Err(kept);
        }
        *pended = Some(kept);
        Ok(())
    }
}

impl<T: Driver> Routines for Shared<T>
where
    <T::Pair as Pair>::Peer: TableFor<T>,
{
    const DISPATCH_ATOMIC: bool = T::DISPATCH_ATOMIC;

    fn name(&self) -> &'static CStr {
        self.name
    }

    fn dispatch<'a>(this: ArcBorrow<'a, Self>, request: Request<'a>) -> Disposition<'a> {
        if request.code() != abi::D2D_IOCTL_SHARE_CONTEXT {
            return this.driver().dispatch(request);
        }
        step!(
            this.name, dispatch, major: abi::D2D_MJ_INTERNAL_DEVICE_CONTROL, code: request.code()
        );
        let offer = Offer {
            shared: this,
            request,
        };
        this.driver().share(offer)
    }

    fn returned<'a>(&self, request: Request<'a>, outcome: Outcome) -> Disposition<'a> {
        self.driver().returned(request, outcome)
    }

    fn completed(&self, completed: Completed) {
        self.driver().completed(completed);
    }

    fn cancelled(&self, id: RequestId) {
        self.driver().cancelled(id);
    }
}

// SPDX-License-Identifier: GPL-2.0

//! A driver that is the peer in a context, and the offer of the context: the request of the handshake, as
//! the driver sees it.
//!
//! An offer is a value: completing or pending it consumes it, so it cannot be completed twice, and the
//! disposition that the driver returns can only be had that way. Both are tied to the call by their
//! lifetime, so that neither outlives it or is taken for that of another.

use crate::{
    abi,
    adopt,
    control::Control,
    event::{
        Event,
        Kind, //
    },
    handler::Handler,
    interface::{
        Binding,
        Link,
        TableFor, //
    },
    link::{
        Pair,
        PeerLink,
        PeerSeat, //
    },
    packet::{
        Completed,
        Outcome,
        Sender, //
    },
    refuse,
    request::{
        Disposition,
        Kept,
        Request,
        RequestId, //
    },
    step, //
};
use core::ops::Deref;
use kernel::{
    bindings,
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
    uaccess::UserSliceReader,
    workqueue::{
        self,
        impl_has_work,
        new_work,
        HasWork,
        Work,
        WorkItem, //
    }, //
};

/// A driver that can be the peer in a context; [`module_peer!`](crate::module_peer) makes the
/// module that it lives in.
///
/// It also implements the operations that it offers: the trait of its pair's peer interface.
pub trait Driver: Sized + Send + Sync + 'static {
    /// What it has agreed on with the owner.
    type Pair: Pair;

    /// Name of its control file in debugfs, see [`ControlFile`](crate::control::ControlFile); `None` if
    /// it has none.
    const CONTROL: Option<&'static CStr> = None;

    /// Through what else others reach the driver: devices, timers and the like, or `()`. It is made
    /// after the driver is registered, and dropped before the driver leaves: its events, requests and
    /// link still work.
    type Front: Send + Sync + 'static;

    /// Makes the driver, when its module is loaded. Process context, may sleep.
    fn new() -> Result<Self>;

    /// Makes its front. Process context, may sleep.
    fn front(driver: Handle<Self>) -> impl PinInit<Self::Front, Error>;

    /// Receives what is written to its control file, at once. Process context, may sleep.
    fn control(_driver: &Handle<Self>, _reader: &mut UserSliceReader) -> Result {
        Err(EINVAL)
    }

    /// Returns what it tells the owner about itself in the context that it adopts.
    fn data(&self) -> <Self::Pair as Pair>::PeerData;

    /// Receives the offer of a context. Process context, may sleep.
    fn share<'a>(&self, offer: Offer<'a, Self>) -> Disposition<'a>
    where
        <Self::Pair as Pair>::Peer: TableFor<Self>,
    {
        offer.accept()
    }

    /// Receives an offer that [`share`](Driver::share) left pending by [`Offer::pend`]. Process
    /// context (a kernel worker), may sleep. If the module is being unloaded, waits for the driver's
    /// events and requests end with `ECANCELED`.
    fn deferred<'a>(&self, offer: Offer<'a, Self>) -> Disposition<'a>
    where
        <Self::Pair as Pair>::Peer: TableFor<Self>,
    {
        offer.accept()
    }

    /// Whether [`dispatch`](Driver::dispatch) never sleeps: it is called in any context then, in that
    /// of the sender. Otherwise a sender that cannot sleep has it called from a worker.
    const DISPATCH_ATOMIC: bool = false;

    /// Receives a request, from the time on that the driver is registered. Process context, may sleep,
    /// unless [`DISPATCH_ATOMIC`](Driver::DISPATCH_ATOMIC) says otherwise.
    ///
    /// Neither this nor another routine loads or unloads a module, or waits for that: see
    /// `struct d2d_driver` in `d2d.h`.
    fn dispatch<'a>(&self, request: Request<'a>) -> Disposition<'a> {
        request.fail(ENOTTY)
    }

    /// Receives a request back that it has [forwarded](Request::forward), with what the lower driver
    /// has made of it. Any context.
    fn returned<'a>(&self, request: Request<'a>, outcome: Outcome) -> Disposition<'a> {
        request.complete_as(outcome)
    }

    /// Receives the result of a request that it has sent by
    /// [`Packet::send_with_routine`](crate::packet::Packet::send_with_routine), and the request: it may
    /// keep it and send it again. Any context.
    fn completed(&self, _completed: Completed) {}

    /// A request was taken back from it that it has left pending, and has asked to be told of. Any
    /// context.
    fn cancelled(&self, _id: RequestId) {}
}

/// A reference to a driver that is, or was, registered.
pub struct Handle<T: Driver>(Arc<Shared<T>>);

impl<T: Driver> Clone for Handle<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T: Driver> Handle<T> {
    pub(crate) fn new(shared: Arc<Shared<T>>) -> Self {
        Self(shared)
    }

    /// Returns what the driver sends requests by, once it is registered. Any context.
    pub fn sender(&self) -> Sender {
        self.0.sender()
    }

    /// Returns the link to the owner, if both sides may use the context now. Any context.
    ///
    /// Finish using it before the driver is detached: in its operations, in
    /// [`dispatch`](Driver::dispatch), and wherever its [`Front`](Driver::Front) leads. Using it later is
    /// safe, but another driver may have the context then.
    pub fn link(&self) -> Option<&PeerLink<T::Pair>> {
        self.0.link()
    }

    /// Waits until [`Driver::deferred`] has completed a handshake that the driver has left pending, and
    /// has returned. Returns the link to the owner then, as [`Handle::link`]. May sleep.
    ///
    /// # Errors
    ///
    /// `EDEADLK` if the caller is [`Driver::deferred`] itself, `ENOTCONN` if there is no link.
    pub fn settled_link(&self) -> Result<&PeerLink<T::Pair>> {
        if self.0.is_deferred_by_current() {
            return Err(refuse!(self.0.name(), "settled-link-from-inside", EDEADLK));
        }
        Shared::flush_work(&self.0);
        self.link().ok_or(ENOTCONN)
    }

    /// Creates a named event, or opens it if there is one of the name; `set` is of no account then.
    /// May sleep. A name has 1 to 63 bytes: visible characters of ASCII without `/`, not `.` nor `..`.
    ///
    /// # Errors
    ///
    /// `ENAMETOOLONG` or `EINVAL` for the name, `EPROTOTYPE` if it is of the other kind, `ENFILE` or
    /// `EMFILE` if there are too many events or handles of them, `ESTALE` if the driver is not
    /// registered any more, `ENOMEM`.
    pub fn create_event(&self, name: &CStr, kind: Kind, set: bool) -> Result<Event> {
        Event::create(self.0.driver(), name, kind, set)
    }

    /// Opens a named event that there is. May sleep.
    ///
    /// # Errors
    ///
    /// As [`Handle::create_event`], and `ENOENT` if there is none.
    pub fn open_event(&self, name: &CStr, kind: Kind) -> Result<Event> {
        Event::open(self.0.driver(), name, kind)
    }
}

impl<T: Driver> Deref for Handle<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.0.state()
    }
}

impl<T: Driver> Control for Handle<T> {
    fn write(&self, reader: &mut UserSliceReader) -> Result {
        T::control(self, reader)
    }
}

/// The offer of a context that the driver has received and not completed yet.
///
/// It has to be completed or left pending before the driver can return.
pub struct Offer<'a, T: Driver> {
    driver: ArcBorrow<'a, Shared<T>>,
    request: Request<'a>,
}

impl<'a, T: Driver> Offer<'a, T> {
    /// Adopts the context, fills in the driver's [data](Driver::data), and completes the offer: what
    /// most drivers do with it.
    pub fn accept(self) -> Disposition<'a>
    where
        <T::Pair as Pair>::Peer: TableFor<T>,
    {
        let data = self.driver.state().data();
        match self.adopt() {
            Ok(adopted) => adopted.fill(data).complete(Ok(()), 0),
            Err(refused) => refused,
        }
    }

    /// Completes the request. Any context.
    ///
    /// `EIOCBQUEUED` and `EINPROGRESS`, which would say that it is not completed, become `EIO`.
    /// `information` is what the request's code says it means, 0 if nothing.
    pub fn complete(self, result: Result, information: u64) -> Disposition<'a> {
        let (disposition, result) = self.request.finish(result, information);
        self.driver.set_completed(result);
        disposition
    }

    /// Leaves the request pending: [`Driver::deferred`] will get it, in a kernel worker.
    ///
    /// One request can wait for the worker at a time; another is completed with `EBUSY`, as is every
    /// one once the module is being unloaded.
    pub fn pend(self) -> Disposition<'a>
    where
        <T::Pair as Pair>::Peer: TableFor<T>,
    {
        let code = abi::D2D_IOCTL_SHARE_CONTEXT;
        step!(self.driver.name(), pend, code: code);
        match Shared::defer(self.driver, self.request.keep()) {
            Ok(()) => Disposition::pending(),
            Err(kept) => Self {
                driver: self.driver,
                request: kept.into_request(),
            }
            .complete(Err(EBUSY), 0),
        }
    }

    /// Adopts the context that the request carries: checks it and saves its address.
    ///
    /// # Errors
    ///
    /// If the request carries none or the context is refused, the request is completed with `EFAULT`
    /// (no context, or a bad pointer to or in it), `EBADMSG`, `EPROTO`, `EMSGSIZE`, `EBADE` (magic
    /// number, major version, size or layout of the context), what
    /// [`Endpoint::copy`](crate::interface::Endpoint::copy) refuses the owner's table with, or
    /// `EALREADY` (the driver holds a context), and what became of it is returned.
    pub fn adopt(self) -> Result<Adopted<'a, T>, Disposition<'a>>
    where
        <T::Pair as Pair>::Peer: TableFor<T>,
    {
        let link = adopt::adopt(self.driver.name(), self.request.user_buffer());
        match link.and_then(|link| self.keep(link)) {
            Ok(()) => Ok(Adopted(self)),
            Err(error) => Err(self.complete(Err(error), 0)),
        }
    }

    fn keep(&self, link: PeerLink<T::Pair>) -> Result {
        let name = self.driver.name();
        let id = link.context().id();
        if !self.driver.binding().seat().take(link) {
            return Err(refuse!(name, "already-adopted", EALREADY, ctx: id));
        }
        step!(name, adopt, ctx: id);
        Ok(())
    }
}

/// A request whose context the driver has adopted and now fills in.
pub struct Adopted<'a, T: Driver>(Offer<'a, T>);

impl<'a, T: Driver> Adopted<'a, T>
where
    <T::Pair as Pair>::Peer: TableFor<T>,
{
    /// Fills in the driver's functions and data, which the owner may use once the request is
    /// completed.
    pub fn fill(self, data: <T::Pair as Pair>::PeerData) -> Offer<'a, T> {
        let binding = self.0.driver.binding();
        if let Some(link) = PeerLink::of(binding.seat()) {
            let table: *const _ = <<T::Pair as Pair>::Peer as TableFor<T>>::TABLE;
            link.context().with_peer_data(|area| *area = data);
            // SAFETY: This driver has not completed the request, and until it does, the peer's
            // endpoint is its own: a context whose time is over stays reserved until then, and the
            // registration is detached only after the last call that a request is tied to.
            unsafe {
                (*link.context().as_raw()).peer = abi::d2d_endpoint {
                    ops: table.cast::<abi::d2d_ops>(),
                    self_: binding.as_raw(),
                }
            };
            step!(self.0.driver.name(), fill, ctx: link.context().id());
        }
        self.0
    }
}

/// There is no handshake, or it has failed.
const IDLE: u32 = 0;
/// The owner was asked for a context.
const UNDER_WAY: u32 = 1;
/// Both sides may use the context.
const ATTACHED: u32 = 2;

/// What the work item has to do.
struct Deferred {
    /// The offer that waits for it.
    offer: Option<Kept>,
    /// Whether no other may come: the registration is being dropped.
    closed: bool,
}

/// What a registration, its handles and the offers on their way share.
#[pin_data]
pub(crate) struct Shared<T: Driver> {
    /// Name of the driver: that of its module.
    name: &'static CStr,
    #[pin]
    binding: Binding<PeerSeat<T::Pair>, T>,
    /// Its handle, once it is registered.
    driver: SetOnce<abi::d2d_handle>,
    /// How far the handshake is: [`IDLE`], [`UNDER_WAY`] or [`ATTACHED`].
    progress: Atomic<u32>,
    #[pin]
    pended: SpinLockIrq<Deferred>,
    #[pin]
    work: Work<Self>,
    /// The task that is in [`Driver::deferred`], 0 if there is none. Only compared.
    worker: Atomic<usize>,
}

impl_has_work! {
    impl{T: Driver} HasWork<Self> for Shared<T> { self.work }
}

impl<T: Driver> WorkItem for Shared<T>
where
    <T::Pair as Pair>::Peer: TableFor<T>,
{
    type Pointer = Arc<Self>;

    fn run(this: Arc<Self>) {
        let offer = this.pended.lock().offer.take();
        if let Some(kept) = offer {
            this.worker.store(Task::current_raw() as usize, Relaxed);
            // The disposition tells a dispatch routine's caller what happened; here is none.
            let _ = this.state().deferred(Offer {
                driver: this.as_arc_borrow(),
                request: kept.into_request(),
            });
            this.worker.store(0, Relaxed);
        }
    }
}

impl<T: Driver> Shared<T> {
    /// Makes what a driver shares that is not registered yet. May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn new(name: &'static CStr, state: T) -> Result<Arc<Self>>
    where
        <T::Pair as Pair>::Peer: TableFor<T>,
    {
        Arc::pin_init(
            try_pin_init!(Self {
                name,
                driver: SetOnce::new(),
                binding <- Binding::new(PeerSeat::new(), Ok(state)),
                progress: Atomic::new(IDLE),
                pended <- new_spinlock_irq!(
                    Deferred {
                        offer: None,
                        closed: false,
                    },
                    "d2d::Shared::pended"
                ),
                work <- new_work!("d2d::Shared::work"),
                worker: Atomic::new(0),
            }),
            GFP_KERNEL,
        )
    }

    /// Notes the handle that it is registered by.
    pub(crate) fn set_driver(&self, driver: abi::d2d_handle) {
        self.driver.populate(driver);
    }

    /// Notes that the owner is asked for a context.
    pub(crate) fn begin(&self) {
        self.progress.store(UNDER_WAY, Release);
    }

    /// Notes that there is no handshake any more, and returns whether there was one.
    pub(crate) fn end(&self) -> bool {
        self.progress.xchg(IDLE, Full) != IDLE
    }

    pub(crate) fn state(&self) -> &T {
        self.binding.state()
    }

    pub(crate) fn binding(&self) -> &Binding<PeerSeat<T::Pair>, T> {
        &self.binding
    }

    pub(crate) fn name(&self) -> &'static CStr {
        self.name
    }

    /// Returns its handle, or 0 before it is registered.
    pub(crate) fn driver(&self) -> abi::d2d_handle {
        self.driver.copy().unwrap_or(0)
    }

    /// Returns what it sends requests by.
    pub(crate) fn sender(&self) -> Sender {
        // SAFETY: It is this driver's.
        unsafe { Sender::from_raw(self.driver(), self.name) }
    }

    /// Returns the link to the owner, while both sides may use the context.
    pub(crate) fn link(&self) -> Option<&PeerLink<T::Pair>> {
        match self.progress.load(Acquire) {
            ATTACHED => PeerLink::of(self.binding.seat()),
            _ => None,
        }
    }

    /// Notes what the request that carries the context was completed with.
    pub(crate) fn set_completed(&self, result: Result) {
        self.progress
            .store(if result.is_ok() { ATTACHED } else { IDLE }, Release);
    }

    fn raw_work(this: &Arc<Self>) -> *mut bindings::work_struct {
        // SAFETY: The pointer is that of an initialized value.
        unsafe {
            Work::raw_get(<Self as HasWork<Self>>::raw_get_work(
                Arc::as_ptr(this).cast_mut(),
            ))
        }
    }

    /// Returns whether the calling task is in [`Driver::deferred`]. Any context.
    pub(crate) fn is_deferred_by_current(&self) -> bool {
        // A task finds its own address only if it has stored the address itself.
        self.worker.load(Relaxed) == Task::current_raw() as usize
    }

    /// Runs what is queued and waits for it. May sleep.
    pub(crate) fn flush_work(this: &Arc<Self>) {
        // SAFETY: The work item is initialized and lives as long as `this`.
        unsafe { bindings::flush_work(Self::raw_work(this)) };
    }

    /// Lets nothing be pended any more, waits for the work item if it runs, and takes it off the
    /// queue, and cancels its offer, if it has not begun. May sleep.
    pub(crate) fn stop_work(this: &Arc<Self>) {
        let offer = {
            let mut pended = this.pended.lock();
            pended.closed = true;
            pended.offer.take()
        };
        if let Some(kept) = offer {
            let _ = kept.into_request().fail(ECANCELED);
            this.set_completed(Err(ECANCELED));
        }
        // SAFETY: The work item is initialized and lives as long as `this`.
        if unsafe { bindings::cancel_work_sync(Self::raw_work(this)) } {
            // SAFETY: It was queued, with a reference that `enqueue` took by `Arc::into_raw`, and
            // will not run.
            drop(unsafe { Arc::from_raw(Arc::as_ptr(this)) });
        }
    }
}

impl<T: Driver> Shared<T>
where
    <T::Pair as Pair>::Peer: TableFor<T>,
{
    /// Hands a pended offer to the work item, or back if one is waiting there already or none may
    /// come any more.
    pub(crate) fn defer(this: ArcBorrow<'_, Self>, kept: Kept) -> Result<(), Kept> {
        let mut pended = this.pended.lock();
        if pended.closed || pended.offer.is_some() {
            return Err(kept);
        }
        pended.offer = Some(kept);
        drop(pended);
        // SAFETY: The work queue is a C global that is always there.
        let queue = unsafe { workqueue::Queue::from_raw(bindings::system_dfl_wq) };
        // It may be queued already; then it has not run yet, and finds the request.
        let _ = queue.enqueue(Arc::from(this));
        Ok(())
    }
}

impl<T: Driver> Handler for Shared<T>
where
    <T::Pair as Pair>::Peer: TableFor<T>,
{
    const DISPATCH_ATOMIC: bool = T::DISPATCH_ATOMIC;

    fn name(&self) -> &'static CStr {
        self.name
    }

    fn dispatch<'a>(this: ArcBorrow<'a, Self>, request: Request<'a>) -> Disposition<'a> {
        if request.code() != abi::D2D_IOCTL_SHARE_CONTEXT {
            return this.state().dispatch(request);
        }
        step!(
            this.name, dispatch, major: abi::D2D_MJ_INTERNAL_DEVICE_CONTROL, code: request.code()
        );
        let offer = Offer {
            driver: this,
            request,
        };
        this.state().share(offer)
    }

    fn returned<'a>(&self, request: Request<'a>, outcome: Outcome) -> Disposition<'a> {
        self.state().returned(request, outcome)
    }

    fn completed(&self, completed: Completed) {
        self.state().completed(completed);
    }

    fn cancelled(&self, id: RequestId) {
        self.state().cancelled(id);
    }
}

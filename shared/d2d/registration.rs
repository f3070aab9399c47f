// SPDX-License-Identifier: GPL-2.0

//! The registration of a peer with the owner, and what it shares with requests and handles.

use crate::{
    abi,
    context::Pair,
    driver::{
        Driver,
        Handle, //
    },
    handler::{
        self,
        Handler, //
    },
    interface::{
        Binding,
        Link,
        TableFor, //
    },
    left,
    link::{
        PeerLink,
        PeerSeat, //
    },
    offer::{
        Offer,
        RawOffer, //
    },
    packet::{
        Completed,
        Sender, //
    },
    request::{
        Disposition,
        Outcome,
        Request,
        RequestId, //
    },
    status::to_result,
    trace::{
        self,
        Step, //
    }, //
};
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
    workqueue::{
        self,
        impl_has_work,
        new_work,
        HasWork,
        Work,
        WorkItem, //
    },
    ModuleMetadata, //
};

/// There is no handshake, or it has failed.
const IDLE: u32 = 0;
/// The owner was asked for a context.
const UNDER_WAY: u32 = 1;
/// Both sides may use the context.
const ATTACHED: u32 = 2;

/// What the work item has to do.
struct Pended {
    /// The offer that waits for it.
    offer: Option<RawOffer>,
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
    pended: SpinLockIrq<Pended>,
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
        if let Some(raw) = offer {
            this.worker.store(Task::current_raw() as usize, Relaxed);
            // The disposition tells a dispatch routine's caller what happened; here is none.
            let _ = this.state().deferred(Offer::new(this.as_arc_borrow(), raw));
            this.worker.store(0, Relaxed);
        }
    }
}

impl<T: Driver> Shared<T> {
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
    fn stop_work(this: &Arc<Self>) {
        let offer = {
            let mut pended = this.pended.lock();
            pended.closed = true;
            pended.offer.take()
        };
        if let Some(raw) = offer {
            raw.complete(ECANCELED.to_errno(), 0);
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
    pub(crate) fn defer(this: ArcBorrow<'_, Self>, raw: RawOffer) -> Result<(), RawOffer> {
        let mut pended = this.pended.lock();
        if pended.closed || pended.offer.is_some() {
            return Err(raw);
        }
        pended.offer = Some(raw);
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

    fn dispatch<'a>(this: ArcBorrow<'_, Self>, request: Request<'a>) -> Disposition<'a> {
        if request.code() != abi::D2D_IOCTL_SHARE_CONTEXT {
            return this.state().dispatch(request);
        }
        trace::emit(
            this.name,
            Step::Dispatch,
            fmt!(
                "major=0x{:02x} code=0x{:08x}",
                abi::D2D_MJ_INTERNAL_DEVICE_CONTROL,
                request.code()
            ),
        );
        let offer = Offer::new(this, RawOffer::new(&request));
        // What became of the offer is what became of the request.
        Disposition::new(this.state().share(offer).into_raw())
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

/// A registered driver. Dropping it detaches and unregisters the driver, and returns when nothing
/// of the owner is inside it any more; may sleep.
pub(crate) struct Registration<T: Driver> {
    shared: Arc<Shared<T>>,
    handle: abi::d2d_handle,
}

impl<T: Driver> Registration<T>
where
    <T::Pair as Pair>::Peer: TableFor<T>,
{
    /// Registers the driver of module `M` with the owner. May sleep.
    ///
    /// # Errors
    ///
    /// Those of `d2d_register` in `d2d.h`, and `ENOMEM`.
    ///
    /// # Safety
    ///
    /// The registration is dropped before the module's code goes away.
    pub(crate) unsafe fn new<M: ModuleMetadata>(state: T) -> Result<Self> {
        let shared = Arc::pin_init(
            try_pin_init!(Shared {
                name: M::NAME,
                driver: SetOnce::new(),
                binding <- Binding::new(
                    PeerSeat::new(),
                    Ok(state),
                ),
                progress: Atomic::new(IDLE),
                pended <- new_spinlock_irq!(
                    Pended {
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
        .map_err(|error| trace::report_memory(M::NAME, error))?;
        let object = handler::driver_object(&shared, M::THIS_MODULE.as_ptr());
        let mut handle = 0;
        // SAFETY: The dispatch routine and what it is called with stay until the registration is
        // dropped.
        to_result(unsafe { abi::d2d_register(&object, &mut handle) })?;
        shared.driver.populate(handle);
        Ok(Self { shared, handle })
    }

    /// Asks the owner to share a context: it will send a request to the driver's dispatch routine,
    /// which may leave it pending. May sleep.
    ///
    /// # Errors
    ///
    /// Those of `d2d_attach` in `d2d.h`, and what the driver completed the request with.
    pub(crate) fn attach(&self) -> Result {
        self.shared.progress.store(UNDER_WAY, Release);
        // SAFETY: The handle is that of a registered driver.
        let result = to_result(unsafe { abi::d2d_attach(self.handle) });
        if result == Err(EINPROGRESS) {
            // It goes on when the driver completes the request.
            return Ok(());
        }
        if result.is_err() {
            // The worker may have completed the request, and may not have noted it yet. The
            // registration is dropped next, so the driver leaves already.
            self.leave();
            Shared::flush_work(&self.shared);
        }
        self.shared.set_completed(result);
        result
    }
}

impl<T: Driver> Registration<T> {
    /// Ends what the driver waits for in its routines and its work item. May sleep.
    fn leave(&self) {
        // The owner closes the events now, and frees the requests when the driver is unregistered.
        left::note();
        // SAFETY: The handle is that of a registered driver. If it is not, because another module
        // has unregistered the driver, the owner refuses the handle.
        unsafe { abi::d2d_leave(self.handle) };
    }

    /// Returns a reference to the driver that does not keep it registered.
    pub(crate) fn handle(&self) -> Handle<T> {
        Handle::new(self.shared.clone())
    }
}

impl<T: Driver> Drop for Registration<T> {
    fn drop(&mut self) {
        // First, because the work item may wait for an event or a request of the driver.
        self.leave();
        // A handshake that was left pending is completed before the driver is detached.
        Shared::flush_work(&self.shared);
        // What the driver has pended again meanwhile is not: nothing of it runs after this.
        Shared::stop_work(&self.shared);
        if self.shared.progress.xchg(IDLE, Full) != IDLE {
            // SAFETY: The handle is that of a registered driver.
            unsafe { abi::d2d_detach(self.handle) };
        }
        // SAFETY: As above.
        if unsafe { abi::d2d_unregister(self.handle) } != 0 {
            // The owner has printed the reason. It may still call the driver until it removes it,
            // which it does before the module's text goes (see `struct d2d_driver` in `d2d.h`). So
            // what the routines use stays.
            core::mem::forget(self.shared.clone());
        }
    }
}

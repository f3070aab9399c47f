// SPDX-License-Identifier: GPL-2.0

//! The peer's side: a driver object that is registered with the owner.
//!
//! C type: `struct d2d_driver`.

use crate::{
    abi,
    context::Pair,
    header,
    interface::{
        Binding,
        Link,
        TableFor, //
    },
    link::PeerLink,
    request::{
        Disposition,
        RawRequest,
        Request, //
    },
    trace::{
        self,
        Step, //
    }, //
};
use core::{
    cell::UnsafeCell,
    ffi::{
        c_int,
        c_void, //
    },
    mem::MaybeUninit,
    ops::Deref, //
};
use kernel::{
    bindings,
    error::to_result,
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
        new_spinlock_irq,
        Arc,
        SetOnce,
        SpinLockIrq, //
    },
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

/// A driver that can be the peer in a context.
///
/// It also implements the operations that it offers: the trait of its pair's peer interface.
pub trait Driver: Sized + Send + Sync + 'static {
    /// The module that the driver lives in: gives the driver's name, and its owner.
    type Module: ModuleMetadata;
    /// What it has agreed on with the owner.
    type Pair: Pair;

    /// Receives a request. Process context, may sleep.
    fn dispatch(&self, request: Request<Self>) -> Disposition;

    /// Receives a request that [`dispatch`](Driver::dispatch) left pending by
    /// [`Request::pend`]. Process context (a kernel worker), may sleep.
    fn deferred(&self, request: Request<Self>) -> Disposition {
        request.complete(Err(ENOTTY), 0)
    }
}

/// Where the binding of a peer keeps its link: empty until the driver has adopted a context.
pub struct PeerSeat<P: Pair> {
    link: SetOnce<PeerLink<P>>,
}

impl<P: Pair> Link for PeerLink<P> {
    type Seat = PeerSeat<P>;

    fn of(seat: &PeerSeat<P>) -> Option<&Self> {
        seat.link.as_ref()
    }
}

/// What a registration and the requests on their way share.
#[pin_data]
pub(crate) struct Shared<T: Driver> {
    #[pin]
    binding: Binding<PeerSeat<T::Pair>, T>,
    /// Filled in before it is registered, and not changed any more.
    object: UnsafeCell<MaybeUninit<abi::d2d_driver>>,
    /// How far the handshake is: [`IDLE`], [`UNDER_WAY`] or [`ATTACHED`].
    progress: Atomic<u32>,
    /// The request that waits for the work item.
    #[pin]
    pended: SpinLockIrq<Option<RawRequest>>,
    #[pin]
    work: Work<Self>,
}

// SAFETY: `object` is written before it is shared and only read afterwards; all the rest is `Send`.
unsafe impl<T: Driver> Send for Shared<T> {}
// SAFETY: As above.
unsafe impl<T: Driver> Sync for Shared<T> {}

impl_has_work! {
    impl{T: Driver} HasWork<Self> for Shared<T> { self.work }
}

impl<T: Driver> WorkItem for Shared<T> {
    type Pointer = Arc<Self>;

    fn run(this: Arc<Self>) {
        let request = this.pended.lock().take();
        if let Some(raw) = request {
            // The disposition tells a dispatch routine's caller what happened; here is none.
            let _ = this.state().deferred(Request::new(this.clone(), raw));
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

    pub(crate) fn name() -> &'static CStr {
        T::Module::NAME
    }

    /// Keeps the link of an adopted context. False if there is one already.
    pub(crate) fn set_link(&self, link: PeerLink<T::Pair>) -> bool {
        self.binding.seat().link.populate(link)
    }

    /// Notes what the request that carries the context was completed with.
    pub(crate) fn set_completed(&self, result: Result) {
        self.progress
            .store(if result.is_ok() { ATTACHED } else { IDLE }, Release);
    }

    /// Hands a pended request to the work item, or back if one is waiting there already.
    pub(crate) fn defer(this: &Arc<Self>, raw: RawRequest) -> Result<(), RawRequest> {
        let mut pended = this.pended.lock();
        if pended.is_some() {
            return Err(raw);
        }
        *pended = Some(raw);
        drop(pended);
        // SAFETY: The work queue is a C global that is always there.
        let queue = unsafe { workqueue::Queue::from_raw(bindings::system_dfl_wq) };
        // It may be queued already; then it has not run yet, and finds the request.
        let _ = queue.enqueue(this.clone());
        Ok(())
    }

    /// Waits for the work item, which is not queued any more when this returns. May sleep.
    fn stop_work(this: &Arc<Self>) {
        // SAFETY: The work item is initialized and lives as long as `this`.
        let work = unsafe {
            Work::raw_get(<Self as HasWork<Self>>::raw_get_work(
                Arc::as_ptr(this).cast_mut(),
            ))
        };
        // SAFETY: As above.
        if unsafe { bindings::cancel_work_sync(work) } {
            // SAFETY: It was queued, with a reference that `enqueue` took by `Arc::into_raw`, and
            // will not run.
            drop(unsafe { Arc::from_raw(Arc::as_ptr(this)) });
        }
    }

    /// Runs what is queued. May sleep.
    fn flush_work(this: &Arc<Self>) {
        // SAFETY: The work item is initialized and lives as long as `this`.
        unsafe {
            bindings::flush_work(Work::raw_get(<Self as HasWork<Self>>::raw_get_work(
                Arc::as_ptr(this).cast_mut(),
            )))
        };
    }

    /// The C dispatch routine.
    ///
    /// # Safety
    ///
    /// `this` is a registered `Shared<T>`, `request` is valid for reads.
    unsafe extern "C" fn dispatch(this: *mut c_void, request: *const abi::d2d_request) -> c_int {
        // SAFETY: `this` was made by `Arc::as_ptr` and lives until it is unregistered. The new
        // reference is counted before it is used.
        let this = unsafe { Arc::from_raw(this.cast::<Self>()) };
        let shared = this.clone();
        // The registration keeps its reference.
        let _ = Arc::into_raw(this);

        // SAFETY: By the requirements.
        let request = unsafe { &*request };
        if let Err(error) = header::check::<abi::d2d_request>(
            Self::name(),
            "request",
            &request.hdr,
            abi::D2D_REQUEST_MAGIC,
        ) {
            return error.to_errno();
        }
        let raw = RawRequest::new(request);
        trace::emit(
            Self::name(),
            Step::Dispatch,
            fmt!(
                "major=0x{:02x} code=0x{:08x}",
                request.major_function,
                request.code
            ),
        );
        let request = Request::new(shared.clone(), raw);
        shared.state().dispatch(request).into_raw()
    }
}

/// How far [`Registration::attach`] got.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Attach {
    /// Both sides may use the context.
    Attached,
    /// The driver left the request pending; both sides may use the context once it completes it.
    Pending,
}

/// A registered driver. Dropping it detaches and unregisters the driver, and returns when nothing
/// of the owner is inside it any more; may sleep.
pub struct Registration<T: Driver> {
    shared: Arc<Shared<T>>,
    handle: abi::d2d_handle,
}

impl<T: Driver> Registration<T>
where
    <T::Pair as Pair>::Peer: TableFor<T>,
{
    /// Registers a driver with the owner. May sleep.
    ///
    /// # Errors
    ///
    /// Those of `d2d_register` in `d2d.h`, and `ENOMEM`.
    pub fn new(driver: impl PinInit<T, Error>) -> Result<Self> {
        let shared = Arc::pin_init(
            try_pin_init!(Shared {
                binding <- Binding::new(
                    Ok(PeerSeat { link: SetOnce::new() }),
                    driver,
                ),
                object: UnsafeCell::new(MaybeUninit::zeroed()),
                progress: Atomic::new(IDLE),
                pended <- new_spinlock_irq!(None, "d2d::Shared::pended"),
                work <- new_work!("d2d::Shared::work"),
            }),
            GFP_KERNEL,
        )?;

        let mut object = abi::d2d_driver {
            hdr: header::new::<abi::d2d_driver>(abi::D2D_DRIVER_MAGIC),
            name: [0; abi::D2D_NAME_SIZE as usize],
            owner: T::Module::THIS_MODULE.as_ptr(),
            self_: Arc::as_ptr(&shared).cast_mut().cast(),
            dispatch: Some(Shared::<T>::dispatch),
        };
        // A name that is too long for its NUL is refused by the owner.
        for (to, from) in object.name.iter_mut().zip(Shared::<T>::name().to_bytes()) {
            *to = *from;
        }
        // SAFETY: Nobody else knows of the object yet.
        let object = unsafe { &*(*shared.object.get()).write(object) };
        let mut handle = 0;
        // SAFETY: The object lives unchanged until the registration is dropped, and so do the
        // functions and what they are called with.
        to_result(unsafe { abi::d2d_register(object, &mut handle) })?;
        Ok(Self { shared, handle })
    }

    /// Asks the owner to share a context: it will send a request to the driver's dispatch routine.
    /// May sleep.
    ///
    /// # Errors
    ///
    /// Those of `d2d_attach` in `d2d.h`, what the driver completed the request with, and `EALREADY`
    /// if it was asked before.
    pub fn attach(&self) -> Result<Attach> {
        let progress = &self.shared.progress;
        if progress.cmpxchg(IDLE, UNDER_WAY, Full).is_err() {
            return Err(EALREADY);
        }
        // SAFETY: The handle is that of a registered driver.
        match to_result(unsafe { abi::d2d_attach(self.handle) }) {
            Ok(()) => {
                progress.store(ATTACHED, Release);
                Ok(Attach::Attached)
            }
            Err(error) if error == EINPROGRESS => Ok(Attach::Pending),
            Err(error) => {
                progress.store(IDLE, Release);
                Err(error)
            }
        }
    }
}

impl<T: Driver> Registration<T> {
    /// Returns the link to the owner, once both sides may use the context.
    pub fn link(&self) -> Option<&PeerLink<T::Pair>> {
        let seat = self.shared.binding().seat();
        (self.shared.progress.load(Acquire) == ATTACHED)
            .then(|| PeerLink::of(seat))
            .flatten()
    }

    /// Waits for a handshake that the driver has left pending, and returns the link, if both sides
    /// may use the context. May sleep.
    pub fn settled_link(&self) -> Option<&PeerLink<T::Pair>> {
        Shared::flush_work(&self.shared);
        self.link()
    }
}

impl<T: Driver> Deref for Registration<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.shared.state()
    }
}

impl<T: Driver> Drop for Registration<T> {
    fn drop(&mut self) {
        Shared::flush_work(&self.shared);
        if self.shared.progress.load(Acquire) != IDLE {
            // SAFETY: The handle is that of a registered driver.
            unsafe { abi::d2d_detach(self.handle) };
        }
        // SAFETY: As above; it holds no context any more, so that the owner takes it.
        unsafe { abi::d2d_unregister(self.handle) };
        // Nothing is dispatched any more, so that nothing can be queued again.
        Shared::stop_work(&self.shared);
    }
}

// SPDX-License-Identifier: GPL-2.0

//! A driver that is the peer in a context, and the module that it lives in.

use crate::{
    context::Pair,
    control::{
        Control,
        ControlFile, //
    },
    event::{
        Event,
        Kind, //
    },
    interface::TableFor,
    link::PeerLink,
    offer::Offer,
    packet::{
        Completed,
        Sender, //
    },
    registration::{
        Registration,
        Shared, //
    },
    request::{
        Disposition,
        Outcome,
        Request,
        RequestId, //
    },
    trace::{
        self,
        Step, //
    }, //
};
use core::ops::Deref;
use kernel::{
    prelude::*,
    sync::{
        atomic::{
            ordering::Full,
            Atomic, //
        },
        Arc, //
    },
    uaccess::UserSliceReader,
    ModuleMetadata, //
};

/// A driver that can be the peer in a context; [`module_peer!`](crate::module_peer) makes the
/// module that it lives in.
///
/// It also implements the operations that it offers: the trait of its pair's peer interface.
pub trait Driver: Sized + Send + Sync + 'static {
    /// What it has agreed on with the owner.
    type Pair: Pair;

    /// Name of its control file in debugfs, see [`ControlFile`]; `None` if it has none.
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
            return Err(trace::refuse(
                self.0.name(),
                "settled-link-from-inside",
                EDEADLK,
                fmt!(""),
            ));
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

/// Whether the module of a peer has begun to initialize.
#[doc(hidden)]
pub struct Started(Atomic<u32>);

impl Started {
    /// Makes the flag of a module that has not begun.
    #[expect(clippy::new_without_default, reason = "only module_peer! makes one")]
    pub const fn new() -> Self {
        Self(Atomic::new(0))
    }
}

/// What the module of a peer consists of.
///
/// Its parts are in a box, so that [`module_peer!`](crate::module_peer) has no pinned field to
/// initialize. A driver can rebind names in the kernel crate's macros for pinned fields, and so get
/// hold of what the macros are called with.
#[doc(hidden)]
pub struct Peer<T: Driver, M: ModuleMetadata>(#[expect(dead_code)] Pin<KBox<Parts<T, M>>>);

/// The parts of a [`Peer`]. The fields are dropped in this order.
#[pin_data]
struct Parts<T: Driver, M: ModuleMetadata> {
    _control: Option<ControlFile<Handle<T>, M>>,
    #[pin]
    _front: T::Front,
    _registration: Registration<T>,
    _last: LastLine,
}

impl<T: Driver, M: ModuleMetadata> Peer<T, M>
where
    <T::Pair as Pair>::Peer: TableFor<T>,
{
    /// Registers the driver of module `M` and asks the owner for a context. May sleep.
    ///
    /// # Errors
    ///
    /// `EEXIST` if it was called with this `started` before, and nothing is done; `ENOMEM`, or what the
    /// driver's functions and the owner return.
    ///
    /// # Safety
    ///
    /// The peer is dropped before the module's code goes away. The kernel's initialization of the module
    /// is the first to pass `started`.
    pub unsafe fn new(started: &'static Started) -> Result<Self> {
        if started.0.xchg(1, Full) != 0 {
            return Err(EEXIST);
        }
        trace::emit(M::NAME, Step::Load, fmt!(""));
        let place = KBox::new_uninit(GFP_KERNEL)
            .map_err(|error| trace::report_memory(M::NAME, error.into()))?;
        let driver = T::new().map_err(|error| trace::report_memory(M::NAME, error))?;
        // SAFETY: The peer drops the registration, and the caller drops the peer in time.
        let registration = unsafe { Registration::new::<M>(driver)? };
        registration.attach()?;
        let handle = registration.handle();
        let for_file = handle.clone();
        let parts = place.write_pin_init(try_pin_init!(Parts {
            _registration: registration,
            _front <- reporting(M::NAME, T::front(handle)),
            _control: T::CONTROL
                // SAFETY: The peer drops the file, and the caller drops the peer in time.
                .map(|name| unsafe { ControlFile::new(None, name, for_file) })
                .transpose()?,
            _last: LastLine(M::NAME),
        }))?;
        Ok(Self(parts))
    }
}

/// Initializes as `init` does, and prints the line if memory runs out.
fn reporting<T>(name: &'static CStr, init: impl PinInit<T, Error>) -> impl PinInit<T, Error> {
    let initialize = move |slot: *mut T| {
        // SAFETY: `slot` is what this closure was called with: valid for writes, and pinned if
        // `init` needs that.
        unsafe { init.__init(slot) }.map_err(|error| trace::report_memory(name, error))
    };
    // SAFETY: It does what `init` does.
    unsafe { pin_init::pin_init_from_closure(initialize) }
}

/// Ends the trace of a load when it is dropped.
struct LastLine(&'static CStr);

impl Drop for LastLine {
    fn drop(&mut self) {
        trace::emit(self.0, Step::Unload, fmt!(""));
    }
}

/// Declares a module that is one peer driver, as the kernel's `module_pci_driver!` does for a PCI
/// driver.
///
/// `type` is the [`Driver`]; what follows is that of `module!`, and has to import the namespace
/// `D2D`. The module owns the registration, so that no code of the driver can keep it from being
/// dropped when the module is unloaded.
///
/// ```ignore
/// d2d::module_peer! {
///     type: MyDriver,
///     name: "my_driver",
///     authors: ["..."],
///     license: "GPL",
///     imports_ns: ["D2D"],
/// }
/// ```
#[macro_export]
macro_rules! module_peer {
    (type: $Driver:ty, $($rest:tt)*) => {
        struct PeerModule {
            _peer: $crate::driver::Peer<$Driver, Self>,
        }

        impl $crate::__private::Module for PeerModule {
            fn init(
                _module: &'static $crate::__private::ThisModule,
            ) -> $crate::__private::Result<Self> {
                static STARTED: $crate::driver::Started = $crate::driver::Started::new();
                // SAFETY: The kernel initializes the module before any of its code can run, so that
                // this is the first to pass `STARTED`, and drops it when the module is unloaded.
                let peer = unsafe { $crate::driver::Peer::new(&STARTED) }?;
                $crate::__private::Ok(Self { _peer: peer })
            }
        }

        $crate::__private::module! {
            type: PeerModule,
            $($rest)*
        }
    };
}

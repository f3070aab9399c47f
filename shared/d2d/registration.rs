// SPDX-License-Identifier: GPL-2.0

//! The registration of a peer with the owner, and the module that holds it.

use crate::{
    abi,
    control::ControlFile,
    driver::{
        Driver,
        Handle,
        Shared, //
    },
    handler,
    interface::TableFor,
    left,
    link::Pair,
    status::to_result,
    step,
    trace, //
};
use kernel::{
    prelude::*,
    sync::{
        atomic::{
            ordering::Full,
            Atomic, //
        },
        Arc, //
    },
    ModuleMetadata, //
};

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
        let shared =
            Shared::new(M::NAME, state).map_err(|error| trace::report_memory(M::NAME, error))?;
        let object = handler::driver_object(&shared, M::THIS_MODULE.as_ptr());
        let mut handle = 0;
        // SAFETY: The dispatch routine and what it is called with stay until the registration is
        // dropped.
        to_result(unsafe { abi::d2d_register(&object, &mut handle) })?;
        shared.set_driver(handle);
        Ok(Self { shared, handle })
    }

    /// Asks the owner to share a context: it will send a request to the driver's dispatch routine,
    /// which may leave it pending. May sleep.
    ///
    /// # Errors
    ///
    /// Those of `d2d_attach` in `d2d.h`, and what the driver completed the request with.
    pub(crate) fn attach(&self) -> Result {
        self.shared.begin();
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
        if self.shared.end() {
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
        step!(M::NAME, load);
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
        step!(self.0, unload);
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
            _peer: $crate::registration::Peer<$Driver, Self>,
        }

        impl $crate::__private::Module for PeerModule {
            fn init(
                _module: &'static $crate::__private::ThisModule,
            ) -> $crate::__private::Result<Self> {
                static STARTED: $crate::registration::Started = $crate::registration::Started::new();
                // SAFETY: The kernel initializes the module before any of its code can run, so that
                // this is the first to pass `STARTED`, and drops it when the module is unloaded.
                let peer = unsafe { $crate::registration::Peer::new(&STARTED) }?;
                $crate::__private::Ok(Self { _peer: peer })
            }
        }

        $crate::__private::module! {
            type: PeerModule,
            $($rest)*
        }
    };
}

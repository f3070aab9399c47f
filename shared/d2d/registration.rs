// SPDX-License-Identifier: GPL-2.0

//! The registration of a peer with the owner, and the module that has it.

use crate::{
    abi,
    control::Commands,
    driver::{
        Driver,
        DriverRef,
        Shared, //
    },
    interface::TableFor,
    leaving,
    link::Pair,
    patience::LeaveRoles,
    routines,
    safe_calls,
    status::to_result,
    step,
    trace::{
        self,
        LastLine, //
    }, //
};
use core::marker::PhantomData;
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

/// The promise of module `M`: before the kernel frees the module's text and data, the module drops
/// what the library makes for it.
///
/// The library demands such a value to make what must not outlive the text and the data: registrations, files,
/// and lists of jobs and devices. When the module drops its parts, the library empties these lists.
/// Only the library makes this value, when a module is initialized. It never gives the value to a
/// driver.
#[doc(hidden)]
pub struct DropPromise<M>(PhantomData<fn(M)>);

impl<M> Clone for DropPromise<M> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<M> Copy for DropPromise<M> {}

impl<M> DropPromise<M> {
    /// Makes the promise.
    ///
    /// # Safety
    ///
    /// `M` is the module into which this crate is linked. All that is made with the result, or with
    /// a copy of the result, is dropped before the kernel frees the module's text and data. A list
    /// of jobs or devices need not be dropped if it is emptied.
    pub const unsafe fn new() -> Self {
        Self(PhantomData)
    }
}

/// A registered driver. Dropping it detaches and unregisters the driver. The drop returns when no
/// thread is inside the driver's code on behalf of the owner. May sleep.
pub(crate) struct Registration<T: Driver> {
    shared: Arc<Shared<T>>,
    raw_handle: abi::d2d_handle,
    /// Makes all roles that the module has made before this one leave.
    leave_others: LeaveRoles,
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
    pub(crate) fn new<M: ModuleMetadata>(
        promise: DropPromise<M>,
        driver: T,
        leave_others: LeaveRoles,
    ) -> Result<Self> {
        let shared =
            Shared::new(promise, driver).map_err(|error| trace::report_memory(M::NAME, error))?;
        Shared::make_deferred(&shared).map_err(|error| trace::report_memory(M::NAME, error))?;
        let object = routines::driver_object(&shared, M::THIS_MODULE.as_ptr());
        let mut raw_handle = 0;
        // SAFETY: The routines are in the module's text, and the static keys are in its data.
        // `promise` says that the registration is dropped before the kernel frees them. The
        // registration keeps `shared`, with which the owner calls the routines.
        to_result(unsafe { abi::d2d_register(&object, &mut raw_handle) })
            .inspect_err(|_| shared.stop_deferred())?;
        shared.set_raw_handle(raw_handle);
        Ok(Self {
            shared,
            raw_handle,
            leave_others,
        })
    }

    /// Asks the owner to share a context. The owner sends a request to the driver's dispatch
    /// routine. If that routine leaves the request pending, this returns success. If attaching
    /// fails, this waits until [`Driver::deferred`] has returned. May sleep.
    ///
    /// # Errors
    ///
    /// Those of `d2d_attach` in `d2d.h`, and what the driver completed the request with.
    pub(crate) fn ask_for_context(&self) -> Result {
        self.shared.note_asked();
        let result = to_result(safe_calls::d2d_attach(self.raw_handle));
        if result == Err(EINPROGRESS) {
            // The handshake goes on when the driver completes the request.
            return Ok(());
        }
        if result.is_err() {
            // The worker may have completed the request, and not called `note_handshake_result` yet. As the
            // caller drops the registration next, the driver can leave now, which ends the worker's
            // waits.
            self.end_waits();
            self.shared.flush_deferred(|| self.end_waits());
        }
        self.shared.note_handshake_result(result);
        result
    }
}

impl<T: Driver> Registration<T> {
    /// Returns what makes the driver leave.
    fn leaver(&self) -> Leaver {
        Leaver(self.raw_handle)
    }

    /// Makes the module's other roles leave, and then this driver. That ends the waits of the
    /// driver's routines, jobs, even if they wait for another role. May sleep.
    fn end_waits(&self) {
        (self.leave_others)();
        self.leaver().leave();
    }

    /// Returns a reference to the driver. The reference does not keep the driver registered.
    pub(crate) fn handle(&self) -> DriverRef<T> {
        DriverRef::new(self.shared.clone())
    }
}

impl<T: Driver> Drop for Registration<T> {
    fn drop(&mut self) {
        // From here on, no device can be made. No process has a device open: an open file would keep the module
        // loaded.
        self.shared.devices.close();
        // Otherwise a job that restarts itself would run until it is stopped below.
        self.shared.jobs.close();
        // This must come before the waits for the jobs. They may wait for an event or a request of the
        // driver or of another role. Calling `end_waits` once is not enough: a thread that is already
        // delivering a request may deliver it only after this call. A job may then wait until that
        // request is cancelled.
        self.end_waits();
        self.shared.jobs.stop(|| self.end_waits());
        // The job `deferred` completes a pended handshake before the driver is detached.
        self.shared.flush_deferred(|| self.end_waits());
        // Cancels an offer that the driver has pended after this wait.
        self.shared.stop_deferred();
        if self.shared.clear_asked() {
            safe_calls::d2d_detach(self.raw_handle);
        }
        if safe_calls::d2d_unregister(self.raw_handle) != 0 {
            // The owner has printed the reason. The owner may call the driver's routines until it removes the
            // driver object. It does so before the kernel frees the module's text (see `struct d2d_driver` in
            // `d2d.h`). So keep what the routines use.
            core::mem::forget(self.shared.clone());
        }
        // Last: `remove` waits for each thread that is opening a miscellaneous device, even a device of another
        // module. Such a thread may have waited for an event or a request of this driver. Unregistering has
        // ended these waits.
        self.shared.devices.remove();
    }
}

/// Makes a driver leave. Does not keep the driver registered.
#[doc(hidden)]
#[derive(Clone, Copy)]
pub struct Leaver(abi::d2d_handle);

impl Leaver {
    /// Makes the driver leave, which ends the waits for its events and requests. May sleep.
    pub fn leave(self) {
        // The owner closes the events and frees the requests in `d2d_unregister`. So from here on,
        // dropping an event or a request must not call the owner.
        leaving::note_begun();
        safe_calls::d2d_leave(self.0);
    }
}

/// Whether a peer's module has begun to initialize.
#[doc(hidden)]
pub struct Started(Atomic<u32>);

impl Started {
    /// Makes the flag of a module that has not begun to initialize.
    #[expect(clippy::new_without_default, reason = "only module_peer! makes one")]
    pub const fn new() -> Self {
        Self(Atomic::new(0))
    }
}

/// What a peer's module consists of.
///
/// `_resources` is in a box, so that [`module_peer!`](crate::module_peer) need not initialize a
/// pinned field. For that, the macro would need macros of the kernel crate, which use bare names. A
/// driver can bind these names to items of its own, and so get the values that are passed to the macros.
///
/// The fields are dropped in this order.
#[doc(hidden)]
pub struct Peer<T: Driver> {
    _resources: Pin<KBox<T::Resources>>,
    registration: Registration<T>,
    _last: LastLine,
}

impl<T: Driver> Peer<T>
where
    <T::Pair as Pair>::Peer: TableFor<T>,
{
    /// Registers the driver of module `M` and asks the owner for a context. May sleep.
    ///
    /// # Errors
    ///
    /// `EEXIST` if an earlier call had the same `started`: then this call does nothing. `ENOMEM`,
    /// and the errors of the driver's functions and of the owner.
    pub fn new<M: ModuleMetadata>(
        promise: DropPromise<M>,
        started: &'static Started,
    ) -> Result<Self> {
        let leave_others = KBox::new(|| {}, GFP_KERNEL)?;
        Self::beside(promise, started, leave_others)
    }

    /// As [`Peer::new`], in a module that has other roles already. `leave_others` makes these roles leave.
    /// They exist as long as the peer. When the peer is dropped, or when this function fails, the
    /// library waits for the driver's jobs. The jobs may wait for the other roles. So while the
    /// library waits, it calls `leave_others` again and again. May sleep.
    ///
    /// # Errors
    ///
    /// As [`Peer::new`].
    pub fn beside<M: ModuleMetadata>(
        promise: DropPromise<M>,
        started: &'static Started,
        leave_others: LeaveRoles,
    ) -> Result<Self> {
        if started.0.xchg(1, Full) != 0 {
            return Err(EEXIST);
        }
        step!(M::NAME, load);
        let report = |error| trace::report_memory(M::NAME, error);
        let driver = T::new().map_err(report)?;
        let registration = Registration::new(promise, driver, leave_others)?;
        registration.ask_for_context()?;
        // If this fails, `report` prints its line before the drop of `registration` prints its own.
        let resources =
            KBox::pin_init(T::start(registration.handle()), GFP_KERNEL).map_err(report)?;
        let peer = Self {
            _resources: resources,
            registration,
            _last: LastLine(M::NAME),
        };
        if let Some(settings) = T::CONTROL {
            peer.handle()
                .device::<Commands<DriverRef<T>>>(settings)
                .map_err(report)?;
        }
        Ok(peer)
    }
}

impl<T: Driver> Peer<T> {
    /// Returns a reference to the driver. The reference does not keep the driver registered. Any context.
    pub fn handle(&self) -> DriverRef<T> {
        self.registration.handle()
    }

    /// Returns what makes the driver leave, before it is dropped.
    pub fn leaver(&self) -> Leaver {
        self.registration.leaver()
    }
}

impl<T: Driver> Drop for Peer<T> {
    /// Makes the other roles leave before the driver's [`Resources`](Driver::Resources) are dropped. The
    /// destructor of the `Resources` may wait for a job that waits for another role.
    fn drop(&mut self) {
        (self.registration.leave_others)();
    }
}

/// The table that an owner exports. C type: `struct d2d_table`.
#[doc(hidden)]
#[repr(C)]
pub struct OwnerTable(abi::d2d_table);

/// Which owner's functions a peer calls. C type: `const struct d2d_table *`.
#[doc(hidden)]
#[repr(transparent)]
pub struct TheOwner(*const OwnerTable);

// SAFETY: The table is constant.
unsafe impl Sync for TheOwner {}

impl TheOwner {
    /// Names the owner by its table.
    pub const fn new(table: *const OwnerTable) -> Self {
        Self(table)
    }
}

/// Declares a module that is one peer driver, as the kernel's `module_pci_driver!` does for a PCI
/// driver.
///
/// `type` is the [`Driver`]. `owner` is the name of the owner's module. The driver calls the
/// functions of the table that the owner's module exports. So the kernel loads the driver only
/// while that owner is loaded. The rest are the arguments of `module!`. They must import the
/// namespace `D2D`. The module owns the registration. So no code of the driver can keep the module
/// from dropping the registration when the kernel unloads the module.
///
/// ```ignore
/// d2d::module_peer! {
///     type: MyDriver,
///     owner: module_a,
///     name: "my_driver",
///     authors: ["..."],
///     license: "GPL",
///     imports_ns: ["D2D"],
/// }
/// ```
#[macro_export]
macro_rules! module_peer {
    (type: $Driver:ty, owner: $owner:ident, $($rest:tt)*) => {
        $crate::module_peer! { @owner $owner }

        struct PeerModule {
            _peer: $crate::registration::Peer<$Driver>,
        }

        impl $crate::__private::Module for PeerModule {
            fn init(
                _module: &'static $crate::__private::ThisModule,
            ) -> $crate::__private::Result<Self> {
                static STARTED: $crate::registration::Started = $crate::registration::Started::new();
                // SAFETY: `Self` is the module into which this crate is linked. The kernel drops
                // the module, which owns the peer, before it frees the module's text and data. It
                // calls `init` before any other code of the module can run. If the driver calls
                // `init` again, `Peer::new` finds `STARTED` set, and makes nothing.
                let promise = unsafe { $crate::registration::DropPromise::<Self>::new() };
                let peer = $crate::registration::Peer::new(promise, &STARTED)?;
                $crate::__private::Ok(Self { _peer: peer })
            }
        }

        $crate::__private::module! {
            type: PeerModule,
            $($rest)*
        }
    };
    // Names the owner whose functions this module calls, in the role `$role` if it has several.
    (@owner $owner:ident $($role:ident)?) => {
        $crate::__private::paste! {
            const _: () = {
                extern "C" {
                    static [<$owner _d2d>]: $crate::registration::OwnerTable;
                }

                #[no_mangle]
                static [<$($role)? d2d_the_owner>]: $crate::registration::TheOwner =
                    $crate::registration::TheOwner::new(&raw const [<$owner _d2d>]);
            };
        }
    };
}

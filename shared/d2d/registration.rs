// SPDX-License-Identifier: GPL-2.0

//! The registration of a peer with the owner, and the peer's module.

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

/// The promise of module `M`: before the kernel frees the module's text and data, the module drops what the library
/// makes with this value. A list of jobs or devices need only be emptied. The library never gives the value to a
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
    /// `M` is the module into which this crate is linked. All that is made with the result, or with a copy of it, is
    /// dropped before the kernel frees the module's text and data. A list of jobs or devices need only be emptied.
    pub const unsafe fn new() -> Self {
        Self(PhantomData)
    }
}

/// A registered driver. Dropping it detaches and unregisters the driver, and returns when no thread is inside the
/// driver's code on behalf of the owner. May sleep.
pub(crate) struct Registration<T: Driver> {
    shared: Arc<Shared<T>>,
    raw_handle: abi::d2d_handle,
    /// Makes those roles of the module leave that it has made before this one.
    leave_others: LeaveRoles,
}

impl<T: Driver> Registration<T>
where
    <T::Pair as Pair>::Peer: TableFor<T>,
{
    /// Registers the driver of module `M` with the owner. May sleep.
    pub(crate) fn new<M: ModuleMetadata>(
        promise: DropPromise<M>,
        driver: T,
        leave_others: LeaveRoles,
    ) -> Result<Self> {
        let shared =
            Shared::new(promise, driver).map_err(|error| trace::report_memory(M::NAME, error))?;
        let object = routines::driver_object(&shared, M::THIS_MODULE.as_ptr());
        let mut raw_handle = 0;
        // SAFETY: The routines are in the module's text, the static keys in its data. By `promise`, the registration
        // is dropped before the kernel frees them. It keeps `shared`, with which the owner calls the routines.
        to_result(unsafe { abi::d2d_register(&object, &mut raw_handle) })
            // Otherwise the job `deferred` would keep `shared`.
            .inspect_err(|_| shared.stop_deferred())?;
        shared.set_raw_handle(raw_handle);
        Ok(Self {
            shared,
            raw_handle,
            leave_others,
        })
    }

    /// Asks the owner to share a context. Returns success, too, if the driver leaves the handshake pending. If
    /// attaching fails, waits until [`Driver::deferred`] has returned. May sleep.
    pub(crate) fn ask_for_context(&self) -> Result {
        self.shared.note_asked();
        let result = to_result(safe_calls::d2d_attach(self.raw_handle));
        if result == Err(EINPROGRESS) {
            return Ok(());
        }
        if result.is_err() {
            // The job `deferred` may not have called `note_handshake_result` yet. The caller drops the registration
            // next, so the driver can leave now. That ends the waits of the job.
            self.shared.close_deferred();
            self.end_waits();
            self.shared.flush_deferred(|| self.end_waits());
        }
        self.shared.note_handshake_result(result);
        result
    }
}

impl<T: Driver> Registration<T> {
    fn leaver(&self) -> Leaver {
        Leaver(self.raw_handle)
    }

    /// Makes those roles leave that this driver's code may wait for: the module's other roles, and then this driver.
    /// May sleep.
    fn end_waits(&self) {
        (self.leave_others)();
        self.leaver().leave();
    }

    pub(crate) fn handle(&self) -> DriverRef<T> {
        DriverRef::new(self.shared.clone())
    }
}

impl<T: Driver> Drop for Registration<T> {
    fn drop(&mut self) {
        // From here on, no device is made. No process has one open, because an open file keeps the module loaded.
        self.shared.devices.close();
        // Otherwise a job that restarts itself would go on until it is stopped below.
        self.shared.jobs.close();
        self.shared.close_deferred();
        // This comes before the waits for the jobs, because a job may wait for an event or a request of any role. One
        // call of `end_waits` is not enough: a thread may still deliver a request to the driver, and a job may wait
        // until that request is cancelled.
        self.end_waits();
        self.shared.jobs.stop(|| self.end_waits());
        // The job `deferred` completes a pended handshake before the driver is detached.
        self.shared.flush_deferred(|| self.end_waits());
        self.shared.stop_deferred();
        if self.shared.clear_asked() {
            safe_calls::d2d_detach(self.raw_handle);
        }
        if safe_calls::d2d_unregister(self.raw_handle) != 0 {
            // The owner has printed the reason. Before the kernel frees the module's text, the owner removes the
            // driver object. Until then, it may call the routines. So keep what they use.
            core::mem::forget(self.shared.clone());
        }
        // Last: `remove` waits for each thread that is opening a miscellaneous device, even one of another module.
        // Unregistering has ended such a thread's waits for events and requests of this driver.
        self.shared.devices.remove();
    }
}

/// Makes a driver leave.
#[doc(hidden)]
#[derive(Clone, Copy)]
pub struct Leaver(abi::d2d_handle);

impl Leaver {
    /// Makes the driver leave. May sleep.
    pub fn leave(self) {
        // From here on, dropping an event or a request does not call the owner: `d2d_unregister` closes or frees it.
        leaving::note_begun();
        safe_calls::d2d_leave(self.0);
    }
}

/// Whether a peer's module has begun to initialize.
#[doc(hidden)]
pub struct Started(Atomic<u32>);

impl Started {
    /// Makes the flag.
    #[expect(clippy::new_without_default, reason = "only module_peer! makes one")]
    pub const fn new() -> Self {
        Self(Atomic::new(0))
    }
}

/// What a peer's module consists of. The fields are dropped in this order.
///
/// `_resources` is in a box: to initialize a pinned field, [`module_peer!`](crate::module_peer) would need macros of
/// the kernel crate that use bare names, which a driver can bind to items of its own.
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
    /// `EEXIST` if an earlier call had the same `started`: then this call does nothing. `ENOMEM`, and the errors of
    /// the driver's functions and of the owner.
    pub fn new<M: ModuleMetadata>(
        promise: DropPromise<M>,
        started: &'static Started,
    ) -> Result<Self> {
        let leave_others = KBox::new(|| {}, GFP_KERNEL)?;
        Self::beside(promise, started, leave_others)
    }

    /// As [`Peer::new`], in a module that has made other roles already, which exist as long as the peer. `leave_others`
    /// makes these roles leave. The library calls it again and again while it waits for the driver's jobs, because a
    /// job may wait for another role. May sleep.
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
        // On failure, `report` prints its line before the drop of `registration` prints its own.
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
    /// Returns a reference to the driver, which does not keep it registered. Any context.
    pub fn handle(&self) -> DriverRef<T> {
        self.registration.handle()
    }

    /// Returns what makes the driver leave.
    pub fn leaver(&self) -> Leaver {
        self.registration.leaver()
    }
}

impl<T: Driver> Drop for Peer<T> {
    /// Makes the other roles leave before the [`Resources`](Driver::Resources) are dropped: their destructor may wait
    /// for a job that waits for another role.
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

/// Declares a module that is one peer driver.
///
/// `type` is the [`Driver`]. `owner` is the name of the owner's module, whose exported table the driver uses. So the
/// kernel loads the driver only while the owner is loaded. The rest are the arguments of `module!`. They must import
/// the namespace `D2D`.
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
                // SAFETY: `Self` is the module into which this crate is linked. The kernel drops the module, which
                // owns the peer, before it frees the module's text and data. It calls `init` before any other code of
                // the module can run. If the driver calls `init` again, `Peer::new` finds `STARTED` set, and makes
                // nothing.
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
    // `$role`: the role that calls this owner, if the module has several.
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

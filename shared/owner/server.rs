// SPDX-License-Identifier: GPL-2.0

//! What exists once for all contexts of an owner: drivers, requests and events, and how a driver comes
//! and goes.

use crate::{
    config::Config,
    context_table::ContextTable,
    driver_object::Driver,
    event::{
        file::Operations,
        name::Name,
        names::{
            Events,
            Wanted, //
        },
        Kind, //
    },
    refusals::Refusals,
    registry::{
        Known,
        Registry,
        State, //
    },
    request::Requests, //
};
use d2d::{
    abi,
    event::Event,
    fields,
    refuse,
    step,
    trace::{
        emit,
        Field,
        Step,
        StepRecord, //
    }, //
};
use kernel::{
    bindings,
    ffi::c_char,
    prelude::*,
    sync::{
        Arc,
        SetOnce,
        SpinLockIrq, //
    },
    task::might_sleep,
    time::{
        delay::fsleep,
        Delta, //
    },
    workqueue::{
        new_delayed_work,
        DelayedWork, //
    }, //
};

/// The handle of the owner's driver object, once it is registered.
static DRIVER: SetOnce<abi::d2d_handle> = SetOnce::new();

/// Returns the handle of the owner's driver object; before it is registered, one that names nothing.
pub(crate) fn own_handle() -> abi::d2d_handle {
    DRIVER.copy().unwrap_or(0)
}

/// The contexts and all that is known of drivers and requests.
#[pin_data]
pub(crate) struct Server {
    /// Name of the owner: that of its module.
    pub(super) name: &'static CStr,
    pub(super) config: Config,
    pub(super) contexts: Arc<dyn ContextTable>,
    pub(super) registry: Arc<Registry>,
    pub(super) requests: Arc<Requests>,
    #[pin]
    pub(super) events: Events,
    #[pin]
    refusals: SpinLockIrq<Refusals>,
    /// Takes back the handshakes whose time is over and that nobody waits for.
    #[pin]
    pub(crate) timer: DelayedWork<Self>,
}

impl Server {
    /// Makes the server of these contexts. May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn new(
        name: &'static CStr,
        config: Config,
        contexts: Arc<dyn ContextTable>,
        watch: Operations,
    ) -> Result<Arc<Self>> {
        let registry = Arc::pin_init(Registry::new(name), GFP_KERNEL)?;
        let requests = Requests::new(name, registry.clone())?;
        Arc::pin_init(
            try_pin_init!(Self {
                name,
                config,
                contexts,
                registry,
                requests,
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
    /// As `d2d_register` says of the driver object; until [`Server::strike_off`] has returned.
    pub(crate) unsafe fn enrol(&self, object: &abi::d2d_driver) -> Result {
        // SAFETY: The caller says that the routines and what they are called with stay.
        let handle = unsafe { self.register(object)? };
        DRIVER.populate(handle);
        Ok(())
    }

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
            refuse!(self.name, "drivers-left", EBUSY, name: name);
            if let Some(index) = driver.context() {
                self.contexts.keep(index);
            }
            self.run_out(handle, &driver);
        }
    }

    /// Removes the drivers of a module that goes away and has forgotten to unregister them. Returns
    /// when no driver of the module is registered. May sleep.
    pub(crate) fn expel(&self, module: *const bindings::module) {
        let is_of_module = |driver: &Driver| driver.module() == module;
        while let Some((handle, driver)) = self.registry.expel(is_of_module) {
            let name = driver.name();
            refuse!(self.name, "module-gone", ESHUTDOWN, name: name);
            self.run_out(handle, &driver);
        }
        // Another thread may still unregister one of them.
        while self.registry.has(is_of_module) {
            fsleep(Delta::from_millis(1));
        }
    }

    /// Removes a driver that was expelled, unless another thread is unregistering it. May sleep.
    fn run_out(&self, handle: abi::d2d_handle, before: &Known) {
        if before.is_unregistering {
            return;
        }
        // First: closing an event ends the wait of a thread that is inside the driver.
        self.events.close_all(handle);
        let mut rounds = 0;
        while let Some(before) = self.begin_to_detach(handle) {
            if !self.end_to_detach(handle, &before) {
                self.pause(handle, &mut rounds);
            }
        }
        self.remove(handle);
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

    /// Returns the contexts.
    pub(crate) fn contexts(&self) -> &dyn ContextTable {
        &*self.contexts
    }

    /// Returns what was refused.
    pub(crate) fn refusals(&self) -> &SpinLockIrq<Refusals> {
        &self.refusals
    }

    /// Returns the registered drivers.
    pub(crate) fn registry(&self) -> &Registry {
        &self.registry
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
        step!(driver.name(), register, name: name);
        Ok(handle)
    }

    /// Refuses a call that might wait for its own caller: the calling task is inside a routine of a
    /// driver object, or sends the handshake of this driver.
    pub(super) fn check_outside(&self, handle: abi::d2d_handle, reason: &str) -> Result {
        let known = self.registry.peek(handle);
        let is_inside =
            known.is_some_and(|known| known.is_attached_by_current() || self.registry.is_inside());
        if !is_inside {
            return Ok(());
        }
        Err(refuse!(self.name, reason, EDEADLK, handle: handle))
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

    /// Removes a driver; see `d2d_unregister`. May sleep.
    pub(crate) fn unregister(&self, handle: abi::d2d_handle) -> Result {
        might_sleep();
        self.check_outside(handle, "unregister-from-inside")?;
        if let State::Abandoned(handshake) = self.registry.get(handle)?.state {
            self.end_abandoned(handle, handshake);
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
        step!(driver.name(), unregister, name: name);
    }

    /// Returns the events.
    pub(crate) fn events(&self) -> &Events {
        &self.events
    }

    /// Hits the tracepoint of a step of an event, in the name of the driver whose handle it is. Any
    /// context.
    #[cold]
    #[inline(never)]
    pub(crate) fn hit_event(&self, step: Step, handle: abi::d2d_handle, fields: &[Field<'_>]) {
        let Some((driver, name, kind)) = self.events.dispatcher().opening(handle) else {
            return;
        };
        let driver = self.registry.peek(driver);
        let name_of = driver.as_ref().map_or(self.name, |driver| driver.name());
        StepRecord::new(name_of, step)
            .with(&fields![name: name.as_c_str(), kind: kind.name(), handle: handle])
            .with(fields)
            .hit();
    }

    fn refuse_leaving(&self, driver: &Driver) -> Error {
        let name = driver.name();
        refuse!(self.name, "driver-is-leaving", ESHUTDOWN, name: name)
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
        let refuse = |refusal| self.events.refuse(refusal, &fields![kind: kind]);
        // SAFETY: A driver has named `name` as the string's address.
        let name = unsafe { Name::read(name) }.map_err(refuse)?;
        let kind = Kind::from_raw(kind)
            .ok_or(("bad-event-kind", EINVAL))
            .map_err(refuse)?;
        let wanted = Wanted { name, kind, make };
        let mut by = None;
        let (handle, made) = self.events.open(driver, wanted, || {
            let found = self.registry.get(driver)?;
            if found.is_leaving {
                return Err(self.refuse_leaving(&found));
            }
            by = Some(found);
            Ok(())
        })?;
        let by = by.as_ref().map_or(self.name, |by: &Known| by.name());
        let step = if made {
            Step::D2D_STEP_EVENT_CREATE
        } else {
            Step::D2D_STEP_EVENT_OPEN
        };
        emit(by, step, &fields![name: name.as_c_str(), kind: kind.name()]);
        Ok(handle)
    }
}

/// Creates an event for the owner, or opens the one of that name; `set` is ignored if the event
/// already exists. When the owner leaves, after
/// [`Owner::leaving`](crate::contexts::Owner::leaving), the event is closed and waits for it end with
/// `ECANCELED`. May sleep. Peers have `Handle::create_event`.
///
/// # Errors
///
/// Those of `d2d_event_create` in `d2d_event.h`; `ENODEV` before
/// [`Owner::ready`](crate::contexts::Owner::ready).
pub fn create_event(name: &CStr, kind: Kind, set: bool) -> Result<Event> {
    Event::create(own_handle(), name, kind, set)
}

/// Opens an existing event for the owner. May sleep. It is closed as one of [`create_event`] is.
///
/// # Errors
///
/// Those of `d2d_event_open` in `d2d_event.h`; `ENODEV` before
/// [`Owner::ready`](crate::contexts::Owner::ready).
pub fn open_event(name: &CStr, kind: Kind) -> Result<Event> {
    Event::open(own_handle(), name, kind)
}

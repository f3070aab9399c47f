// SPDX-License-Identifier: GPL-2.0

//! What an owner has once for all contexts; and how a driver registers, leaves and unregisters.

use crate::{
    config::Config,
    context_table::ContextTable,
    driver_object::Driver,
    event::{
        handlers::{
            Call,
            Routine, //
        },
        name::Name,
        names::{
            Events,
            Wanted, //
        },
        Kind, //
    },
    export::Arg,
    probe::Part,
    refusals::Refusals,
    registry::{
        Entry,
        Registry,
        State, //
    },
    request::Requests, //
};
use core::ffi::c_void;
use d2d::{
    abi,
    device::Devices,
    event::{
        Event,
        PairEvent, //
    },
    fields,
    job::{
        Jobs,
        Work,
        WorkContext, //
    },
    patience::Patience,
    refuse,
    registration::DropPromise,
    step,
    trace::{
        emit,
        report_memory,
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
    ModuleMetadata, //
};

static OWN_HANDLE: SetOnce<abi::d2d_handle> = SetOnce::new();

/// Returns the handle of the owner's driver object. Before the object is registered, returns 0,
/// which names nothing.
pub(crate) fn own_handle() -> abi::d2d_handle {
    OWN_HANDLE.copy().unwrap_or(0)
}

#[pin_data]
pub(crate) struct Server {
    pub(super) name: &'static CStr,
    pub(super) config: Config,
    pub(super) contexts: Arc<dyn ContextTable>,
    pub(super) registry: Arc<Registry>,
    pub(super) requests: Arc<Requests>,
    #[pin]
    pub(super) events: Events,
    #[pin]
    pub(super) refusals: SpinLockIrq<Refusals>,
    /// The timer of handshakes: a work item that is started with a delay. It ends handshakes that
    /// take too long and for which nobody waits.
    pub(super) handshake_timeout: SetOnce<Work>,
    #[pin]
    pub(super) jobs: Jobs,
    #[pin]
    pub(super) devices: Devices,
}

impl Server {
    /// The caller keeps the server in a value whose drop calls [`Server::strike_off`]. May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn new<M: ModuleMetadata>(
        promise: DropPromise<M>,
        name: &'static CStr,
        config: Config,
        contexts: Arc<dyn ContextTable>,
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
                events <- Events::new(promise, name),
                refusals <- Refusals::new(),
                handshake_timeout: SetOnce::new(),
                jobs <- Jobs::new(promise),
                devices <- Devices::new(promise),
            }),
            GFP_KERNEL,
        )
    }

    /// Makes the timer, and registers the owner's own driver object. May sleep.
    ///
    /// # Errors
    ///
    /// Those of `d2d_register`, `ENOMEM`. The server has no jobs then.
    pub(crate) fn enrol(this: &Arc<Self>, object: Arg<*const abi::d2d_driver>) -> Result {
        // Stopping the jobs drops the routine, and with it this reference to the server.
        let server = this.clone();
        let timeout = this
            .jobs
            .work(WorkContext::Worker, move |_| server.end_overdue())
            .map_err(|error| report_memory(this.name, error))?;
        this.handshake_timeout.populate(timeout);
        let handle = this
            .register(object)
            .inspect_err(|_| this.jobs.stop(|| {}))?;
        OWN_HANDLE.populate(handle);
        Ok(())
    }

    /// Ends the owner's waits, requests and jobs, unregisters its driver object, expels all other
    /// drivers, and removes the owner's devices. While it waits for the owner's jobs and routines,
    /// calls `leave_others` again and again, because they may wait for the module's other roles. May
    /// sleep.
    pub(crate) fn strike_off(&self, leave_others: &dyn Fn()) {
        // From here on, no device can be made. None is open: an open file would keep the module
        // loaded.
        self.devices.close();
        // From here on, a job cannot be started, not even by itself.
        self.jobs.close();
        let driver = own_handle();
        // The jobs may wait for the owner's events and requests. If `leave` fails, the owner's
        // driver object is not registered, and the owner has no events and no requests.
        let _ = self.leave(driver);
        let end_waits = || {
            leave_others();
            self.end_waits(driver);
        };
        self.jobs.stop(end_waits);
        // The owner's own routines may wait for the other roles, too. No request brings another
        // thread inside, because the owner has left.
        let mut patience = Patience::new();
        while self.registry.has_thread_inside(driver) {
            patience.sleep(end_waits);
        }
        // If this fails, `expel_remaining` removes the owner's driver object, too.
        let _ = self.unregister(driver);
        self.expel_remaining();
        // Last, because this takes `misc_mtx`. A process that opens a device of another module
        // holds this mutex, and may wait for something of the owner meanwhile.
        self.devices.remove();
    }

    /// Expels drivers that are still registered while the owner is unloaded: their modules do not
    /// import the owner's symbols, or the owner is unloaded by force. Their contexts are never
    /// freed, because these drivers may go on using them. May sleep.
    pub(crate) fn expel_remaining(&self) {
        while !self.registry.is_empty() {
            let Some((handle, driver)) = self.registry.expel(|_| true) else {
                // Another thread is still removing a driver that was expelled.
                fsleep(Delta::from_millis(1));
                continue;
            };
            let name = driver.name();
            refuse!(self.name, "drivers-left", EBUSY, name: name);
            if let Some(index) = driver.context() {
                self.contexts.keep(index);
            }
            self.end_waits_for_good(handle);
            self.remove_expelled(handle);
        }
    }

    /// Expels the drivers that `module` has forgotten to unregister. Does not wait for their
    /// routines: a routine may wait for a driver that another owner has yet to expel. May sleep.
    pub(crate) fn expel(&self, module: *const bindings::module) {
        while let Some((handle, driver)) = self.registry.expel(|other| other.module() == module) {
            let name = driver.name();
            refuse!(self.name, "module-gone", ESHUTDOWN, name: name);
            self.end_waits_for_good(handle);
        }
    }

    /// Removes the drivers of a module that [`Server::expel`] has expelled. If another thread
    /// removes one of them, waits for that. May sleep.
    pub(crate) fn remove_of(&self, module: *const bindings::module) {
        while let Some(handle) = self.registry.first(|driver| driver.module() == module) {
            self.remove_expelled(handle);
            // Another thread may be unregistering the driver.
            fsleep(Delta::from_millis(1));
        }
    }

    /// Removes a driver that was expelled, unless another thread is unregistering it. May sleep.
    fn remove_expelled(&self, handle: abi::d2d_handle) {
        if !self.registry.claim_expelled(handle) {
            return;
        }
        let mut patience = Patience::new();
        while let Some(before) = self.mark_detaching(handle) {
            if !self.try_to_detach(handle, &before) {
                self.sleep_a_round(handle, &mut patience);
            }
        }
        self.remove(handle);
    }

    /// `d2d_register`. May sleep.
    ///
    /// # Errors
    ///
    /// Those of `d2d_register`, each with its line.
    pub(crate) fn register(&self, object: Arg<*const abi::d2d_driver>) -> Result<abi::d2d_handle> {
        let handle = self.registry.add(object)?;
        let driver = self.registry.get(handle)?;
        let name = driver.name();
        step!(driver.name(), register, name: name);
        Ok(handle)
    }

    /// Refuses a call that might wait for its own caller, because the calling task is inside a
    /// routine of any driver object, or in `d2d_attach()` for this driver. Any context.
    ///
    /// # Errors
    ///
    /// `EDEADLK`, with a line that has `reason`.
    pub(super) fn check_outside(&self, handle: abi::d2d_handle, reason: &str) -> Result {
        let entry = self.registry.peek(handle);
        let is_inside = entry
            .is_some_and(|entry| entry.is_being_attached_by_current() || self.registry.is_inside());
        if !is_inside {
            return Ok(());
        }
        Err(refuse!(self.name, reason, EDEADLK, handle: handle))
    }

    /// `d2d_leave`. May sleep.
    ///
    /// # Errors
    ///
    /// `ESTALE` if the handle is stale.
    pub(crate) fn leave(&self, handle: abi::d2d_handle) -> Result {
        might_sleep();
        self.registry.leave(handle)?;
        self.end_waits_for_good(handle);
        Ok(())
    }

    /// The driver has begun to leave, so it opens no other event, begins no other wait, and sends
    /// no other request. May sleep.
    fn end_waits_for_good(&self, handle: abi::d2d_handle) {
        // Cancelling a request calls `completed` of the driver. This routine may wait for an event,
        // so waits end first. It may set an event, so the events stay open.
        self.events.leave(handle);
        self.requests.cancel_each(handle);
    }

    /// `d2d_unregister`. May sleep.
    ///
    /// # Errors
    ///
    /// Those of `d2d_unregister`, each with its line.
    pub(crate) fn unregister(&self, handle: abi::d2d_handle) -> Result {
        might_sleep();
        self.check_outside(handle, "unregister-from-inside")?;
        if let State::Abandoned(handshake) = self.registry.get(handle)?.state {
            self.end_abandoned(handle, handshake);
        }
        self.registry.unregister(handle)?;
        // `remove` waits for the driver's routines, and they may wait for an event of the driver. So
        // `leave` ends these waits first.
        self.events.leave(handle);
        self.remove(handle);
        Ok(())
    }

    /// The caller is the thread that has begun to unregister or expel the driver. May sleep.
    fn remove(&self, handle: abi::d2d_handle) {
        self.registry.remove_hot_keys(handle);
        let driver = loop {
            self.requests.clear_and_free(handle);
            // This comes after the driver's routines have returned, because they may set its events.
            self.events.close_all(handle);
            if let Some(driver) = self.registry.remove(handle) {
                break driver;
            }
        };
        let name = driver.name();
        step!(driver.name(), unregister, name: name);
    }

    /// Hits the tracepoint of a step, in the name of the driver that has opened the handle. Any
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

    /// Any context.
    fn refuse_leaving(&self, driver: &Driver) -> Error {
        let name = driver.name();
        refuse!(self.name, "driver-is-leaving", ESHUTDOWN, name: name)
    }

    /// `d2d_event_open` if `make` is `None`. Otherwise `d2d_event_create`; `make` says whether a
    /// new event is set. May sleep.
    ///
    /// # Errors
    ///
    /// Those of `d2d_event_create` or `d2d_event_open`, each with its line.
    pub(crate) fn open_event(
        &self,
        driver: abi::d2d_handle,
        name: Arg<*const c_char>,
        kind: u32,
        make: Option<bool>,
    ) -> Result<abi::d2d_handle> {
        let refuse = |refusal| self.events.refuse(refusal, &fields![kind: kind]);
        let name = Name::read(name).map_err(refuse)?;
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
        let by = by.as_ref().map_or(self.name, |by: &Entry| by.name());
        let step = if made {
            Step::D2D_STEP_EVENT_CREATE
        } else {
            Step::D2D_STEP_EVENT_OPEN
        };
        emit(by, step, &fields![name: name.as_c_str(), kind: kind.name()]);
        Ok(handle)
    }

    /// `d2d_event_on_set`. May sleep.
    ///
    /// # Errors
    ///
    /// Those of `d2d_event_on_set`, each with its line.
    pub(crate) fn on_set(
        &self,
        event: abi::d2d_handle,
        routine: Arg<Option<Routine>>,
        argument: Arg<*mut c_void>,
    ) -> Result {
        might_sleep();
        let Some(routine) = routine.get() else {
            return self.events.set_handler(event, None);
        };
        let opening = self.events.dispatcher().opening(event);
        let (driver, ..) = opening.ok_or_else(|| self.events.refuse_stale(event))?;
        let driver = self.registry.peek(driver);
        let driver = driver.ok_or_else(|| self.events.refuse_stale(event))?;
        let text = Part::text(driver.module());
        if !text.is_some_and(|text| text.contains(routine as usize)) {
            return Err(refuse!(self.name, "handler-outside-text", ENOEXEC, handle: event));
        }
        // SAFETY: By the contract of `d2d_event_on_set`, the routine may be called with the
        // argument in any context and by an RCU reader, until the owner has removed the handler and
        // waited for it. `Events::close`, `Events::leave` and `Dispatcher::set_handler` wait for a
        // grace period after they have removed a handler.
        let call = unsafe { Call::new(routine, argument.get()) };
        self.events.set_handler(event, Some(call))
    }
}

/// Creates an event for the owner, or opens the event of that name and ignores `set`. May sleep.
///
/// When the owner is unloaded, the library first calls
/// [`Owner::leaving`](crate::contexts::Owner::leaving). Then waits with this handle end with
/// `ECANCELED`. The library closes the handle when none of the owner's routines runs any more.
///
/// # Errors
///
/// Those of `d2d_event_create` in `d2d_event.h`; `ENODEV` before
/// [`Owner::ready`](crate::contexts::Owner::ready).
pub fn create_event(name: &CStr, kind: Kind, set: bool) -> Result<Event> {
    Event::create(own_handle(), name, kind, set)
}

/// Opens an existing event for the owner. The library closes the handle as it closes that of
/// [`create_event`]. May sleep.
///
/// # Errors
///
/// Those of `d2d_event_open` in `d2d_event.h`; `ENODEV` before
/// [`Owner::ready`](crate::contexts::Owner::ready).
pub fn open_event(name: &CStr, kind: Kind) -> Result<Event> {
    Event::open(own_handle(), name, kind)
}

/// As [`create_event`], for an event that the pair declares: that of the driver `of`. May sleep.
///
/// # Errors
///
/// As [`create_event`].
pub fn create_event_of(of: &CStr, event: PairEvent, set: bool) -> Result<Event> {
    Event::create_of(own_handle(), of, event, set)
}

/// As [`open_event`], for an event that the pair declares: that of the driver `of`. May sleep.
///
/// # Errors
///
/// As [`open_event`], and `ENOMEM`.
pub fn open_event_of(of: &CStr, event: PairEvent) -> Result<Event> {
    Event::open_of(own_handle(), of, event)
}

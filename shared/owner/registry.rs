// SPDX-License-Identifier: GPL-2.0

//! The registered drivers, which context each of them holds, and who is inside their routines.
//!
//! A driver is named by a handle of slot and generation, so that a handle kept for too long is
//! refused without looking at freed memory. Its senders have a handle of another kind, which does not
//! let them detach it.

use crate::{
    handle::Kind,
    lock::{
        new_irq_lock,
        IrqLock, //
    },
    visit::Visits, //
};
use core::ffi::c_void;
use d2d::{
    abi,
    header,
    probe::{
        self,
        Text, //
    },
    trace::refuse, //
};
use kernel::{
    bindings,
    ffi::c_int,
    prelude::*,
    task::Task, //
};

/// Drivers that can be registered at a time, the owner among them.
pub(crate) const SLOTS: usize = 128;

/// How far a driver is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// It holds no context.
    Registered,
    /// The context of the handshake that is under way.
    Attaching(usize),
    /// The context that it holds.
    Attached(usize),
    /// The context that it is giving back.
    Detaching(usize),
    /// The context of a handshake that it has not completed in time, and may still be busy with, and
    /// the handle of its request: the context stays reserved until the driver completes the request
    /// after all, detaches or unregisters.
    Abandoned(usize, abi::d2d_handle),
}

impl State {
    fn context(self) -> Option<usize> {
        match self {
            Self::Registered => None,
            Self::Attaching(context)
            | Self::Attached(context)
            | Self::Detaching(context)
            | Self::Abandoned(context, _) => Some(context),
        }
    }
}

/// What is known of a driver.
#[derive(Clone, Copy)]
pub(crate) struct Driver {
    name: [u8; abi::D2D_NAME_SIZE as usize],
    module: *const bindings::module,
    this: *mut c_void,
    dispatch: Dispatch,
    returned: Option<Returned>,
    completed: Option<Completed>,
    cancelled: Option<Cancelled>,
    flags: u32,
    state: State,
    /// Whether it is still being registered: it cannot be found by its name.
    registering: bool,
    /// Whether the sender of an offer may be inside the driver.
    dispatching: bool,
    /// Whether it leaves: no request goes to it or comes from it any more.
    leaving: bool,
    /// Whether a thread is removing it.
    unregistering: bool,
    /// Whether it was [expelled](Registry::expel): none of its routines is called any more.
    expelled: bool,
}

type Dispatch = unsafe extern "C" fn(*mut c_void, *const abi::d2d_request) -> c_int;
type Returned =
    unsafe extern "C" fn(*mut c_void, *const abi::d2d_request, *const abi::d2d_result) -> c_int;
type Completed =
    unsafe extern "C" fn(*mut c_void, abi::d2d_handle, *const abi::d2d_result) -> c_int;
type Cancelled = unsafe extern "C" fn(*mut c_void, abi::d2d_handle);

// SAFETY: `this` is only handed back to the driver that it came from, and `module` only looked at.
unsafe impl Send for Driver {}

impl Driver {
    /// Returns the driver's name.
    pub(crate) fn name(&self) -> &CStr {
        // The last byte was checked to be zero when it was registered.
        CStr::from_bytes_until_nul(&self.name).unwrap_or(c"?")
    }

    /// Returns the module that the driver lives in.
    pub(crate) fn module(&self) -> *const bindings::module {
        self.module
    }

    /// Returns whether its dispatch routine may be called in any context.
    pub(crate) fn is_atomic(&self) -> bool {
        self.flags & abi::D2D_DISPATCH_ATOMIC != 0
    }

    /// Returns whether it has a completion routine.
    pub(crate) fn has_completed(&self) -> bool {
        self.completed.is_some()
    }

    /// Returns whether it has a routine for requests that come back.
    pub(crate) fn has_returned(&self) -> bool {
        self.returned.is_some()
    }

    /// Returns whether it has a cancel routine.
    pub(crate) fn has_cancelled(&self) -> bool {
        self.cancelled.is_some()
    }

    /// Returns the context that is reserved for it.
    pub(crate) fn context(&self) -> Option<usize> {
        self.state.context()
    }

    /// Returns whether none of its routines may be called any more.
    pub(crate) fn is_expelled(&self) -> bool {
        self.expelled
    }

    /// Returns whether it holds no context, and none is being offered to it.
    pub(crate) fn is_detached(&self) -> bool {
        self.state == State::Registered && !self.dispatching
    }

    /// Returns whether it leaves, or has begun to.
    pub(crate) fn is_leaving(&self) -> bool {
        self.leaving
    }

    /// Returns whether a thread is removing it.
    pub(crate) fn is_unregistering(&self) -> bool {
        self.unregistering
    }

    /// Calls the driver's dispatch routine. May sleep, unless the driver [is
    /// atomic](Driver::is_atomic).
    ///
    /// # Safety
    ///
    /// The driver stays registered until this returns.
    pub(crate) unsafe fn dispatch(&self, request: &abi::d2d_request) -> c_int {
        // SAFETY: The driver stays registered until this returns, so its routine and `this` are
        // there, and the routine takes a request, by the contract of `d2d_register`.
        unsafe { (self.dispatch)(self.this, request) }
    }

    /// Hands the driver a request back that it has forwarded. Any context. Without such a routine it
    /// is the status that it goes on with.
    ///
    /// # Safety
    ///
    /// The driver stays registered until this returns.
    pub(crate) unsafe fn returned(
        &self,
        request: &abi::d2d_request,
        result: &abi::d2d_result,
    ) -> c_int {
        self.returned.map_or(result.status, |returned| {
            // SAFETY: As for `dispatch`.
            unsafe { returned(self.this, request, result) }
        })
    }

    /// Calls the driver's completion routine, if it has one. Any context.
    ///
    /// # Safety
    ///
    /// The driver stays registered until this returns.
    pub(crate) unsafe fn completed(
        &self,
        request: abi::d2d_handle,
        result: &abi::d2d_result,
    ) -> c_int {
        self.completed.map_or(0, |completed| {
            // SAFETY: As for `dispatch`.
            unsafe { completed(self.this, request, result) }
        })
    }

    /// Calls the driver's cancel routine, if it has one. Any context.
    ///
    /// # Safety
    ///
    /// The driver stays registered until this returns.
    pub(crate) unsafe fn cancelled(&self, request: abi::d2d_handle) {
        if let Some(cancelled) = self.cancelled {
            // SAFETY: As for `dispatch`.
            unsafe { cancelled(self.this, request) };
        }
    }
}

#[derive(Clone, Copy)]
pub(super) struct Slot {
    generation: u32,
    pub(super) driver: Option<Driver>,
    /// Who is inside its routines.
    pub(super) visits: Visits,
}

impl Slot {
    /// Removes the driver: its handles are stale from here on.
    fn vacate(&mut self) {
        self.driver = None;
        self.generation = self.generation.wrapping_add(1).max(1);
    }
}

/// The table of drivers.
#[pin_data]
pub(crate) struct Registry {
    #[pin]
    slots: IrqLock<KVec<Slot>>,
    /// Name of the owner, for its refusals.
    owner: &'static CStr,
}

impl Registry {
    /// Makes an empty one. May sleep.
    pub(crate) fn new(owner: &'static CStr) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            slots <- new_irq_lock!(
                KVec::from_elem(
                    Slot { generation: 1, driver: None, visits: Visits::NONE },
                    SLOTS,
                    GFP_KERNEL
                )?,
                "d2d_registry"
            ),
            owner,
        })
    }

    fn refuse(&self, reason: &str, error: Error, detail: kernel::fmt::Arguments<'_>) -> Error {
        refuse(self.owner, reason, error, detail)
    }

    /// Registers a driver. Any context.
    ///
    /// # Errors
    ///
    /// Those of `d2d_register`, each with its line.
    ///
    /// # Safety
    ///
    /// If a driver object is found at `object`, it keeps to what `d2d_register` says.
    pub(crate) unsafe fn add(&self, object: *const abi::d2d_driver) -> Result<abi::d2d_handle> {
        let bad_pointer = || self.refuse("bad-driver-pointer", EFAULT, fmt!(""));
        // SAFETY: A header is made of numbers.
        let header = unsafe { probe::read(object.cast::<abi::d2d_header>()) };
        let header = header
            .filter(|_| object.is_aligned())
            .ok_or_else(bad_pointer)?;
        header::check::<abi::d2d_driver>(self.owner, "driver", &header, abi::D2D_DRIVER_MAGIC)?;
        // SAFETY: A driver object is made of numbers and pointers, all of which may be null.
        let object = unsafe { probe::read(object) }.ok_or_else(bad_pointer)?;
        let name = object.name;
        let length = name.iter().position(|c| *c == 0).ok_or_else(|| {
            self.refuse(
                "name-too-long",
                ENAMETOOLONG,
                fmt!("max={}", abi::D2D_NAME_SIZE - 1),
            )
        })?;
        if length == 0 || !name[..length].iter().all(u8::is_ascii_graphic) {
            return Err(self.refuse("bad-name", EINVAL, fmt!("length={}", length)));
        }
        let (Some(dispatch), false) = (object.dispatch, object.owner.is_null()) else {
            return Err(self.refuse("no-dispatch-or-owner", EFAULT, fmt!("")));
        };
        // SAFETY: The driver that registers has named the module.
        let text = unsafe { Text::of(object.owner) }
            .ok_or_else(|| self.refuse("bad-module-pointer", EFAULT, fmt!("")))?;
        if !text.contains(dispatch as usize) {
            return Err(self.refuse("dispatch-outside-text", ENOEXEC, fmt!("")));
        }
        let routines = [
            object.returned.map(|routine| routine as usize),
            object.completed.map(|routine| routine as usize),
            object.cancelled.map(|routine| routine as usize),
        ];
        if !routines
            .into_iter()
            .flatten()
            .all(|routine| text.contains(routine))
        {
            return Err(self.refuse("routine-outside-text", ENOEXEC, fmt!("")));
        }
        if object.flags & !abi::D2D_DISPATCH_ATOMIC != 0 || object.reserved != 0 {
            return Err(self.refuse("bad-flags", EINVAL, fmt!("flags=0x{:x}", object.flags)));
        }

        let driver = Driver {
            name,
            module: object.owner,
            this: object.self_,
            dispatch,
            returned: object.returned,
            completed: object.completed,
            cancelled: object.cancelled,
            flags: object.flags,
            state: State::Registered,
            registering: true,
            dispatching: false,
            leaving: false,
            unregistering: false,
            expelled: false,
        };
        let added = {
            let mut slots = self.slots.lock();
            if slots
                .iter()
                .flat_map(|slot| &slot.driver)
                .any(|other| other.name() == driver.name())
            {
                Err(("name-taken", ENOTUNIQ))
            } else {
                slots
                    .iter_mut()
                    .enumerate()
                    .find(|(_, slot)| slot.driver.is_none())
                    .map(|(index, slot)| {
                        slot.driver = Some(driver);
                        Kind::Driver.handle(index, slot.generation)
                    })
                    .ok_or(("too-many-drivers", ENFILE))
            }
        };
        // The module is looked at after that, without the lock. `expel` runs only once the module is
        // going: if it did not see the driver, this sees a module that is going.
        added
            .and_then(|handle| self.publish(handle, is_going(driver.module)))
            .map_err(|(reason, error)| self.refuse(reason, error, fmt!("name={}", driver.name())))
    }

    /// Ends the registering of a driver: it can be found from here on, or is removed if its module
    /// is going. No routine of the driver can have been called yet.
    fn publish(
        &self,
        handle: abi::d2d_handle,
        is_going: bool,
    ) -> Result<abi::d2d_handle, (&'static str, Error)> {
        self.quietly(handle, |slot| {
            // The thread that has expelled the driver removes it.
            let driver = slot.driver.as_mut().filter(|driver| !driver.expelled)?;
            driver.registering = false;
            if is_going {
                slot.vacate();
                return None;
            }
            Some(handle)
        })
        .flatten()
        .ok_or(match is_going {
            true => ("module-is-going", ESHUTDOWN),
            false => ("no-owner", ENODEV),
        })
    }

    /// Runs `f` on a driver's slot, under the lock; on none if there is no such driver.
    pub(super) fn quietly<R>(
        &self,
        handle: abi::d2d_handle,
        f: impl FnOnce(&mut Slot) -> R,
    ) -> Option<R> {
        find(&mut self.slots.lock(), handle).map(f)
    }

    /// Asks for something about the driver `from`, and runs `f` with that on the slot of `to`, under
    /// one taking of the lock; on none if there is no such driver.
    pub(super) fn between<Q, R>(
        &self,
        from: abi::d2d_handle,
        to: abi::d2d_handle,
        ask: impl FnOnce(&Driver) -> Q,
        f: impl FnOnce(Option<Q>, Option<&mut Slot>) -> R,
    ) -> R {
        let mut slots = self.slots.lock();
        let asked = find(&mut slots, from).and_then(|slot| slot.driver.as_ref().map(ask));
        f(asked, find(&mut slots, to))
    }

    /// As [`Registry::quietly`], and refuses a handle that is stale.
    fn with<R>(&self, handle: abi::d2d_handle, f: impl FnOnce(&mut Slot) -> R) -> Result<R> {
        self.quietly(handle, f).ok_or_else(|| {
            self.refuse("stale-driver-handle", ESTALE, fmt!("handle=0x{:x}", handle))
        })
    }

    /// Finds a driver by name, for sending it requests. Any context.
    ///
    /// # Errors
    ///
    /// `ENOENT`.
    pub(crate) fn lookup(&self, name: &CStr) -> Result<abi::d2d_handle> {
        let found = self
            .slots
            .lock()
            .iter()
            .enumerate()
            .find_map(|(index, slot)| {
                let driver = slot.driver.as_ref()?;
                (driver.name() == name && !driver.registering)
                    .then(|| Kind::Target.handle(index, slot.generation))
            });
        found.ok_or_else(|| self.refuse("no-such-driver", ENOENT, fmt!("name={}", name)))
    }

    /// Finds the driver that is attached to a context and does not leave. Any context.
    pub(crate) fn holder(&self, context: usize) -> Option<(abi::d2d_handle, Driver)> {
        let slots = self.slots.lock();
        slots.iter().enumerate().find_map(|(index, slot)| {
            let driver = slot.driver?;
            let found = driver.state == State::Attached(context) && !driver.leaving;
            found.then(|| (Kind::Target.handle(index, slot.generation), driver))
        })
    }

    /// Returns the driver for which a context is reserved, and how far it is. Any context.
    pub(crate) fn by_context(&self, context: usize) -> Option<(Driver, State)> {
        let slots = self.slots.lock();
        let mut drivers = slots.iter().filter_map(|slot| slot.driver);
        let driver = drivers.find(|driver| driver.state.context() == Some(context))?;
        Some((driver, driver.state))
    }

    /// Asks for something about a driver. Any context; prints nothing.
    pub(crate) fn ask<R>(
        &self,
        handle: abi::d2d_handle,
        f: impl FnOnce(&Driver) -> R,
    ) -> Option<R> {
        self.quietly(handle, |slot| slot.driver.as_ref().map(f))
            .flatten()
    }

    /// Returns what is known of a driver. Any context; prints nothing.
    pub(crate) fn peek(&self, handle: abi::d2d_handle) -> Option<Driver> {
        self.quietly(handle, |slot| slot.driver).flatten()
    }

    /// Returns whether the calling task is inside a routine of any driver. Any context.
    pub(crate) fn is_inside(&self) -> bool {
        let current = Task::current_raw() as usize;
        let slots = self.slots.lock();
        slots.iter().any(|slot| slot.visits.include(current))
    }

    /// Returns whether anybody is inside one of a driver's routines. Any context.
    pub(crate) fn is_visited(&self, handle: abi::d2d_handle) -> bool {
        self.quietly(handle, |slot| !slot.visits.is_empty())
            .unwrap_or(false)
    }

    /// Notes that a driver leaves: from here on no request goes to it or comes from it, and no context
    /// is offered to it. It may hold one still. Any context.
    ///
    /// # Errors
    ///
    /// `ESTALE` for the handle.
    pub(crate) fn leave(&self, handle: abi::d2d_handle) -> Result {
        self.with(handle, |slot| {
            if let Some(driver) = &mut slot.driver {
                driver.leaving = true;
            }
        })
    }

    /// Begins to unregister a driver that holds no context, which [leaves](Registry::leave) thereby.
    /// Of several threads one succeeds, which then removes the driver. Any context.
    ///
    /// # Errors
    ///
    /// `ESTALE` for the handle, `EBUSY` if it holds a context or one is being offered to it,
    /// `EALREADY` if another thread is removing it.
    pub(crate) fn unregister(&self, handle: abi::d2d_handle) -> Result {
        let begun = self.with(handle, |slot| match &mut slot.driver {
            Some(driver) if driver.unregistering => Err(("already-unregistering", EALREADY)),
            Some(driver) if driver.is_detached() => {
                (driver.leaving, driver.unregistering) = (true, true);
                Ok(())
            }
            _ => Err(("still-attached", EBUSY)),
        })?;
        begun.map_err(|(reason, error)| self.refuse(reason, error, fmt!("handle=0x{:x}", handle)))
    }

    /// Takes one of the drivers that `f` chooses out of service, whatever is being done with it: none
    /// of its routines is called any more, and no request goes to it or comes from it. The calls
    /// that run go on. Returns its handle, and what was known of it before. Any context.
    pub(crate) fn expel(&self, f: impl Fn(&Driver) -> bool) -> Option<(abi::d2d_handle, Driver)> {
        let mut slots = self.slots.lock();
        slots.iter_mut().enumerate().find_map(|(index, slot)| {
            let driver = slot.driver.as_mut()?;
            let is_chosen = !driver.expelled && f(driver);
            is_chosen.then(|| {
                let before = *driver;
                (driver.leaving, driver.unregistering) = (true, true);
                driver.expelled = true;
                (Kind::Driver.handle(index, slot.generation), before)
            })
        })
    }

    /// Returns whether one of the drivers that `f` chooses is registered. Any context.
    pub(crate) fn has(&self, f: impl Fn(&Driver) -> bool) -> bool {
        let slots = self.slots.lock();
        slots.iter().flat_map(|slot| &slot.driver).any(f)
    }

    /// Returns what is known of a driver. Any context.
    ///
    /// # Errors
    ///
    /// `ESTALE` for the handle.
    pub(crate) fn get(&self, handle: abi::d2d_handle) -> Result<Driver> {
        self.update(handle, |_| None).map(|(driver, _)| driver)
    }

    /// Returns whether no driver is registered. Any context.
    pub(crate) fn is_empty(&self) -> bool {
        !self.has(|_| true)
    }

    /// Removes a driver that is [being unregistered](Registry::unregister), unless somebody is inside
    /// its routines, and returns what was known of it. Any context.
    pub(crate) fn remove(&self, handle: abi::d2d_handle) -> Option<Driver> {
        self.quietly(handle, |slot| {
            let driver = slot.driver.filter(|driver| driver.unregistering)?;
            slot.visits.is_empty().then(|| {
                slot.vacate();
                driver
            })
        })
        .flatten()
    }

    /// Notes that the sender of an offer has left the driver. Any context.
    pub(crate) fn left(&self, handle: abi::d2d_handle) {
        // A driver that is being sent a request cannot have been removed.
        let _ = self.with(handle, |slot| {
            if let Some(driver) = &mut slot.driver {
                driver.dispatching = false;
            }
        });
    }

    /// Changes a driver's state if it is `from`, and returns whether it was. Any context; prints
    /// nothing, as the driver may be gone by then.
    pub(crate) fn transition(&self, handle: abi::d2d_handle, from: State, to: State) -> bool {
        self.quietly(handle, |slot| {
            let driver = slot.driver.as_mut().filter(|driver| driver.state == from);
            driver.map(|driver| driver.state = to).is_some()
        })
        .unwrap_or(false)
    }

    /// Reserves a free one of `contexts` for a driver and returns both. Any context.
    ///
    /// The driver is `Attaching` from then on, and cannot be removed before [`Registry::left`].
    ///
    /// # Errors
    ///
    /// `ESTALE` for the handle, `ESHUTDOWN` if it is leaving, `EALREADY` if it holds a context,
    /// `EBUSY` if none is free.
    pub(crate) fn reserve(
        &self,
        driver: abi::d2d_handle,
        contexts: usize,
    ) -> Result<(Driver, usize)> {
        let reserved = {
            let mut slots = self.slots.lock();
            let held = |context| {
                slots
                    .iter()
                    .flat_map(|slot| &slot.driver)
                    .any(|other| other.state.context() == Some(context))
            };
            let free = (0..contexts).find(|context| !held(*context));
            let found = find(&mut slots, driver).and_then(|slot| slot.driver.as_mut());
            match (found, free) {
                (None, _) => Err(("stale-driver-handle", ESTALE, None)),
                (Some(driver), _) if driver.leaving => {
                    Err(("driver-is-leaving", ESHUTDOWN, Some(*driver)))
                }
                (Some(driver), _) if !driver.is_detached() => {
                    Err(("already-attached", EALREADY, Some(*driver)))
                }
                (Some(driver), None) => Err(("no-free-context", EBUSY, Some(*driver))),
                (Some(driver), Some(context)) => {
                    driver.state = State::Attaching(context);
                    driver.dispatching = true;
                    Ok((*driver, context))
                }
            }
        };
        reserved.map_err(|(reason, error, driver)| {
            let name = driver.as_ref().map_or(c"?", Driver::name);
            self.refuse(reason, error, fmt!("name={}", name))
        })
    }

    /// Changes a driver's state by `f`, if it gives a new one, and returns what is known of the
    /// driver and its state before. Any context.
    ///
    /// # Errors
    ///
    /// `ESTALE` for the handle.
    pub(crate) fn update(
        &self,
        handle: abi::d2d_handle,
        f: impl FnOnce(State) -> Option<State>,
    ) -> Result<(Driver, State)> {
        self.with(handle, |slot| {
            slot.driver.as_mut().map(|driver| {
                let before = driver.state;
                driver.state = f(before).unwrap_or(before);
                (*driver, before)
            })
        })?
        .ok_or(ESTALE)
    }
}

/// Returns whether a module goes away: its exit runs or has run, or its initialization has failed.
fn is_going(module: *const bindings::module) -> bool {
    let state = module
        .wrapping_byte_add(core::mem::offset_of!(bindings::module, state))
        .cast::<bindings::module_state>();
    // SAFETY: Any bytes are a module's state, which is a number.
    let state = unsafe { probe::read(state) };
    state == Some(bindings::module_state_MODULE_STATE_GOING)
}

/// Finds a driver's slot.
fn find(slots: &mut [Slot], handle: abi::d2d_handle) -> Option<&mut Slot> {
    let (index, generation) = Kind::Driver.parts(handle)?;
    slots
        .get_mut(index)
        .filter(|slot| slot.generation == generation && slot.driver.is_some())
}

/// Returns the handle of the driver that a handle for sending requests means.
pub(crate) fn target(handle: abi::d2d_handle) -> Option<abi::d2d_handle> {
    let (index, generation) = Kind::Target.parts(handle)?;
    Some(Kind::Driver.handle(index, generation))
}

#[cfg(d2d_tests)]
mod tests;

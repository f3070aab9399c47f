// SPDX-License-Identifier: GPL-2.0

//! The registered drivers, and which context each of them holds.
//!
//! A driver is named by a handle of slot and generation, so that a handle kept for too long is
//! refused without looking at freed memory.

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
    sync::{
        new_spinlock_irq,
        SpinLockIrq, //
    }, //
};

/// Drivers that can be registered at a time.
pub(crate) const SLOTS: usize = 64;

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
    dispatch: unsafe extern "C" fn(*mut c_void, *const abi::d2d_request) -> c_int,
    state: State,
    /// Whether the sender of a request may be inside the driver.
    dispatching: bool,
}

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

    /// Calls the driver's dispatch routine. May sleep.
    ///
    /// # Safety
    ///
    /// The driver stays registered until this returns.
    pub(crate) unsafe fn dispatch(&self, request: &abi::d2d_request) -> c_int {
        // SAFETY: By the contract of `d2d_register` and by the requirements.
        unsafe { (self.dispatch)(self.this, request) }
    }
}

#[derive(Clone, Copy)]
struct Slot {
    generation: u32,
    driver: Option<Driver>,
}

/// The table of drivers.
#[pin_data]
pub(crate) struct Registry {
    #[pin]
    slots: SpinLockIrq<KVec<Slot>>,
    /// Name of the owner, for its refusals.
    owner: &'static CStr,
}

impl Registry {
    /// Makes an empty one. May sleep.
    pub(crate) fn new(owner: &'static CStr) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            slots <- new_spinlock_irq!(
                KVec::from_elem(Slot { generation: 1, driver: None }, SLOTS, GFP_KERNEL)?,
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
        let text = Text::of(object.owner)
            .ok_or_else(|| self.refuse("bad-module-pointer", EFAULT, fmt!("")))?;
        if !text.contains(dispatch as usize) {
            return Err(self.refuse("dispatch-outside-text", ENOEXEC, fmt!("")));
        }

        let driver = Driver {
            name,
            module: object.owner,
            this: object.self_,
            dispatch,
            state: State::Registered,
            dispatching: false,
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
                        handle(index, slot.generation)
                    })
                    .ok_or(("too-many-drivers", ENFILE))
            }
        };
        added.map_err(|(reason, error)| self.refuse(reason, error, fmt!("name={}", driver.name())))
    }

    /// Runs `f` on a driver's slot, under the lock.
    fn with<R>(&self, handle: abi::d2d_handle, f: impl FnOnce(&mut Slot) -> R) -> Result<R> {
        let found = {
            let mut slots = self.slots.lock();
            let (index, generation) = parts(handle);
            slots
                .get_mut(index)
                .filter(|slot| slot.generation == generation && slot.driver.is_some())
                .map(f)
        };
        found.ok_or_else(|| {
            self.refuse("stale-driver-handle", ESTALE, fmt!("handle=0x{:x}", handle))
        })
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
        self.slots.lock().iter().all(|slot| slot.driver.is_none())
    }

    /// Removes a driver that holds no context and returns what was known of it. Any context.
    ///
    /// # Errors
    ///
    /// `ESTALE` for the handle, `EBUSY` if it holds a context or a request is being sent to it.
    pub(crate) fn remove(&self, handle: abi::d2d_handle) -> Result<Driver> {
        self.with(handle, |slot| {
            slot.driver
                .take_if(|driver| driver.state == State::Registered && !driver.dispatching)
                .inspect(|_| slot.generation = slot.generation.wrapping_add(1).max(1))
        })?
        .ok_or_else(|| self.refuse("still-attached", EBUSY, fmt!("handle=0x{:x}", handle)))
    }

    /// Notes that the sender of a driver's request has left it. Any context.
    pub(crate) fn left(&self, handle: abi::d2d_handle) {
        // A driver that is being sent a request cannot have been removed.
        let _ = self.with(handle, |slot| {
            if let Some(driver) = &mut slot.driver {
                driver.dispatching = false;
            }
        });
    }

    /// Changes a driver's state if it is `from`, and returns whether it was. Any context.
    pub(crate) fn transition(&self, handle: abi::d2d_handle, from: State, to: State) -> bool {
        self.update(handle, |state| (state == from).then_some(to))
            .is_ok_and(|(_, before)| before == from)
    }

    /// Reserves a free one of `contexts` for a driver and returns both. Any context.
    ///
    /// The driver is `Attaching` from then on, and cannot be removed before [`Registry::left`].
    ///
    /// # Errors
    ///
    /// `ESTALE` for the handle, `EALREADY` if it holds a context, `EBUSY` if none is free.
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
            let (index, generation) = parts(driver);
            let found = slots
                .get_mut(index)
                .filter(|slot| slot.generation == generation)
                .and_then(|slot| slot.driver.as_mut());
            match (found, free) {
                (None, _) => Err(("stale-driver-handle", ESTALE, None)),
                (Some(driver), _) if driver.state != State::Registered || driver.dispatching => {
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

/// Makes a handle of a slot's index and generation; never 0.
pub(crate) fn handle(index: usize, generation: u32) -> abi::d2d_handle {
    (u64::from(generation) << 32) | index as u64
}

/// Takes a handle apart.
pub(crate) fn parts(handle: abi::d2d_handle) -> (usize, u32) {
    (
        (handle & u64::from(u32::MAX)) as usize,
        (handle >> 32) as u32,
    )
}

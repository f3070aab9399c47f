// SPDX-License-Identifier: GPL-2.0

//! The registered drivers, and which context each of them holds.
//!
//! A driver's handle consists of the index of its slot and a generation, so that the registry
//! refuses the handle of an unregistered driver without reading freed memory. The driver's senders
//! get a handle of another kind, by which they cannot detach or unregister it.
//!
//! The request engine finds a driver by its [`Slot`], without a lock. All else in the registry is
//! used under the registry's lock.

use crate::{
    driver_object::Driver,
    export::Arg,
    handle::Kind,
    lock::{
        new_irq_lock,
        IrqLock, //
    },
    slot::{
        has,
        Inside,
        Slot,
        EXPELLED,
        LEAVING,
        VACANT, //
    }, //
};
use d2d::{
    abi,
    fields,
    probe,
    trace::{
        refuse,
        Field, //
    }, //
};
use kernel::{
    bindings,
    ffi::c_int,
    prelude::*,
    task::Task,
    time::{
        Delta,
        Instant,
        Monotonic, //
    }, //
};

/// Most drivers that can be registered at a time, including the owner's own driver object.
pub(crate) const SLOTS: usize = 128;

/// A handshake: the number of its context, and the owner's handle of its request.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Handshake {
    pub(crate) context: usize,
    pub(crate) request: abi::d2d_handle,
}

/// Whether a driver holds a context, or a handshake with it is under way.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// The driver holds no context.
    Registered,
    /// The handshake is under way.
    Attaching(Handshake),
    /// The driver holds the context of this number.
    Attached(usize),
    /// The owner is taking back the context of this number.
    Detaching(usize),
    /// The driver has not completed the handshake's request in time. It may still use the context,
    /// which stays reserved until the driver completes the request after all, detaches or
    /// unregisters.
    Abandoned(Handshake),
}

impl State {
    /// Returns the number of the context that is reserved for the driver.
    fn context(self) -> Option<usize> {
        match self {
            Self::Registered => None,
            Self::Attached(context) | Self::Detaching(context) => Some(context),
            Self::Attaching(handshake) | Self::Abandoned(handshake) => Some(handshake.context),
        }
    }

    /// Returns the handshake, if it has neither succeeded nor failed yet.
    pub(crate) fn handshake(self) -> Option<Handshake> {
        match self {
            Self::Attaching(handshake) | Self::Abandoned(handshake) => Some(handshake),
            _ => None,
        }
    }
}

/// The registry's entry of a driver. A copy of it shows the driver as it was when the copy was
/// made.
#[derive(Clone, Copy)]
pub(crate) struct Known {
    driver: Driver,
    /// Whether the driver is still being registered: [`Registry::lookup`] does not find it.
    is_registering: bool,
    /// Whether a thread is unregistering or expelling the driver. That thread removes it.
    pub(crate) is_unregistering: bool,
    /// Whether no request goes to the driver or comes from it any more.
    pub(crate) is_leaving: bool,
    /// Whether none of the driver's routines is called any more.
    is_expelled: bool,
    pub(crate) state: State,
    /// The task that is in `d2d_attach()` for the driver, or 0.
    sending: u64,
    /// When the time limit of the driver's handshake ends, if no thread waits for the handshake.
    due: Option<Instant<Monotonic>>,
    /// The errno with which the owner has refused the driver's last handshake, or 0.
    pub(crate) refusal: c_int,
}

impl core::ops::Deref for Known {
    type Target = Driver;

    fn deref(&self) -> &Driver {
        &self.driver
    }
}

impl Known {
    /// Returns whether the driver holds no context, and no thread is in `d2d_attach()` for it.
    pub(crate) fn is_detached(&self) -> bool {
        self.state == State::Registered && self.sending == 0
    }

    /// Returns the number of the context that is reserved for the driver.
    pub(crate) fn context(&self) -> Option<usize> {
        self.state.context()
    }

    /// Returns whether a thread is in `d2d_attach()` for the driver.
    pub(crate) fn is_being_attached(&self) -> bool {
        self.sending != 0
    }

    /// Returns whether the calling thread is in `d2d_attach()` for the driver.
    pub(crate) fn is_attached_by_current(&self) -> bool {
        self.sending == Task::current_raw() as u64
    }

    /// Notes that the driver leaves: from here on no request goes to it or comes from it. If the
    /// driver was expelled, none of its routines is called, either.
    fn leave(&mut self, slot: &Slot) {
        self.is_leaving = true;
        self.mark(slot);
    }

    /// Sets the flags of the driver's slot to those of this entry.
    fn mark(&self, slot: &Slot) {
        let leaving = if self.is_leaving { LEAVING } else { 0 };
        let expelled = if self.is_expelled { EXPELLED } else { 0 };
        slot.set(slot.state().generation(), leaving | expelled);
    }
}

/// What the work of the timer of handshakes finds: see [`Registry::overdue`].
pub(crate) enum Overdue {
    /// A driver, and its handshake whose time limit has ended.
    Handshake(abi::d2d_handle, Handshake),
    /// The time until the next time limit ends.
    In(Delta),
    /// No handshake has a time limit, and the timer is not set any more.
    Nothing,
}

/// What the registry's lock protects.
struct Listings {
    /// The entry of each slot; `None` if the slot is vacant.
    of: KVec<Option<Known>>,
    /// Whether the timer of handshakes is set, or its work is running and will call
    /// [`Registry::overdue`] once more.
    timed: bool,
}

/// The table of registered drivers.
#[pin_data]
pub(crate) struct Registry {
    slots: KVVec<Slot>,
    #[pin]
    listings: IrqLock<Listings>,
    /// Name of the owner, for its refusals.
    owner: &'static CStr,
}

/// The reason of a refusal and its errno. The caller prints the line after it has released the
/// lock.
pub(crate) type Refusal = (&'static str, Error);

/// The sender of a request is leaving.
pub(crate) const SENDER_LEAVES: Refusal = ("driver-is-leaving", ESHUTDOWN);
/// A handle names no registered driver.
pub(crate) const STALE_DRIVER: Refusal = ("stale-driver-handle", ESTALE);

impl Registry {
    /// Makes a registry without drivers. May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn new(owner: &'static CStr) -> impl PinInit<Self, Error> {
        fn slots() -> Result<KVVec<Slot>> {
            let mut slots = KVVec::with_capacity(SLOTS, GFP_KERNEL)?;
            for _ in 0..SLOTS {
                slots.push(Slot::new(), GFP_KERNEL)?;
            }
            Ok(slots)
        }

        fn none() -> Result<Listings> {
            Ok(Listings {
                of: KVec::from_elem(None, SLOTS, GFP_KERNEL)?,
                timed: false,
            })
        }

        try_pin_init!(Self {
            slots: slots()?,
            listings <- new_irq_lock!(none()?, "d2d_registry"),
            owner,
        })
    }

    /// Prints the line of a refusal, and returns `error`. Called without the registry's lock.
    fn refuse(&self, reason: &str, error: Error, fields: &[Field<'_>]) -> Error {
        refuse(self.owner, reason, error, fields)
    }

    /// Returns the slot that a handle of this kind names, and the handle's generation. The slot may
    /// have another generation by now.
    #[inline(always)]
    fn slot(&self, kind: Kind, handle: abi::d2d_handle) -> Option<(&Slot, u32)> {
        let (index, generation) = kind.parts(handle)?;
        Some((self.slots.get(index)?, generation))
    }

    /// Enters the driver that a target's handle names, so that the caller can call its dispatch
    /// routine. `task` is the calling task. Any context; prints nothing.
    ///
    /// # Errors
    ///
    /// `ESTALE` for the handle, `ESHUTDOWN` if the driver is leaving.
    #[inline(always)]
    pub(crate) fn enter_target(
        &self,
        task: u64,
        target: abi::d2d_handle,
    ) -> Result<Inside<'_>, Refusal> {
        const STALE: Refusal = ("stale-target", ESTALE);
        let (slot, generation) = self.slot(Kind::Target, target).ok_or(STALE)?;
        slot.enter(task, generation, LEAVING | EXPELLED)
            .map_err(|state| {
                let is_there = state.generation() == generation && !state.is(VACANT);
                match is_there {
                    true => ("target-is-leaving", ESHUTDOWN),
                    false => STALE,
                }
            })
    }

    /// Enters a driver, so that the caller can call one of its routines other than `dispatch`. The
    /// driver may be leaving. Returns `None` if it is not registered any more, or was expelled. Any
    /// context; prints nothing.
    pub(crate) fn enter(&self, driver: abi::d2d_handle) -> Option<Inside<'_>> {
        let (slot, generation) = self.slot(Kind::Driver, driver)?;
        slot.enter(Task::current_raw() as u64, generation, EXPELLED)
            .ok()
    }

    /// As [`Registry::enter`], but returns `None` if the driver is leaving, too.
    pub(crate) fn enter_staying(&self, driver: abi::d2d_handle) -> Option<Inside<'_>> {
        let (slot, generation) = self.slot(Kind::Driver, driver)?;
        slot.enter(Task::current_raw() as u64, generation, LEAVING | EXPELLED)
            .ok()
    }

    /// Checks that a driver may send requests, and has at least one of the routines in `needs`, if
    /// that is not 0: flags of [`has`]. Any context; prints nothing.
    ///
    /// # Errors
    ///
    /// `ESTALE` for the handle, `ESHUTDOWN` if the driver is leaving, `missing` if it has no such
    /// routine.
    #[inline(always)]
    pub(crate) fn check_sender(
        &self,
        driver: abi::d2d_handle,
        needs: u32,
        missing: Refusal,
    ) -> Result<(), Refusal> {
        let (slot, generation) = self.slot(Kind::Driver, driver).ok_or(STALE_DRIVER)?;
        let state = slot.state();
        if state.generation() != generation || state.is(VACANT) {
            return Err(STALE_DRIVER);
        }
        if state.is(LEAVING) {
            return Err(SENDER_LEAVES);
        }
        if needs != 0 && !slot.has(needs) {
            return Err(missing);
        }
        Ok(())
    }

    /// Returns whether a driver has a `cancelled` routine. Any context; prints nothing.
    pub(crate) fn has_cancelled(&self, driver: abi::d2d_handle) -> bool {
        self.slot(Kind::Driver, driver)
            .is_some_and(|(slot, _)| slot.has(has::CANCELLED))
    }

    /// Registers a driver, and returns its handle. Any context.
    ///
    /// # Errors
    ///
    /// Those of `d2d_register`, each with its line.
    pub(crate) fn add(&self, object: Arg<*const abi::d2d_driver>) -> Result<abi::d2d_handle> {
        let driver = Driver::copy(self.owner, object)?;
        let added = {
            let mut listings = self.listings.lock();
            let mut others = listings.of.iter().flatten();
            if others.any(|other| other.driver.name() == driver.name()) {
                Err(("name-taken", ENOTUNIQ))
            } else {
                let free = listings.of.iter_mut().zip(&self.slots).enumerate();
                let mut free = free.filter(|(_, (listing, _))| listing.is_none());
                free.next()
                    .map(|(index, (listing, slot))| {
                        *listing = Some(Known {
                            driver,
                            is_registering: true,
                            is_unregistering: false,
                            is_leaving: false,
                            is_expelled: false,
                            state: State::Registered,
                            sending: 0,
                            due: None,
                            refusal: 0,
                        });
                        // SAFETY: The lock is held, and a slot without a listing is vacant.
                        Kind::Driver.handle(index, unsafe { slot.fill(driver) })
                    })
                    .ok_or(("too-many-drivers", ENFILE))
            }
        };
        // The module's state is read after the driver was added, and without the lock. `expel` runs
        // only after the state has become `GOING`. So if `expel` did not find the driver,
        // `is_going` is true.
        added
            .and_then(|handle| self.publish(handle, is_going(driver.module())))
            .map_err(|(reason, error)| self.refuse(reason, error, &fields![name: driver.name()]))
    }

    /// Ends the registering of a driver. From here on [`Registry::lookup`] finds the driver, and
    /// requests can be sent to it. If its module is going, removes the driver instead.
    ///
    /// # Errors
    ///
    /// `ESHUTDOWN` if the module is going, `ENODEV` if another thread unregisters or expels the
    /// driver.
    fn publish(&self, handle: abi::d2d_handle, is_going: bool) -> Result<abi::d2d_handle, Refusal> {
        self.with(handle, |slot, listing| {
            // A thread that unregisters or expels the driver also removes it. Such a thread may
            // have guessed the handle.
            let listed = listing.as_mut().filter(|listed| !listed.is_unregistering)?;
            listed.is_registering = false;
            if is_going {
                *listing = None;
                // Nobody is inside. The slot has had the flag `LEAVING` since `Slot::fill`, so that
                // no request could be sent to the driver or by it.
                slot.vacate();
                return None;
            }
            // Clears the flag `LEAVING`, which the slot has had since `Slot::fill`; unless another
            // thread has guessed the handle and called `d2d_leave` with it.
            listed.mark(slot);
            Some(handle)
        })
        .flatten()
        .ok_or(match is_going {
            true => ("module-is-going", ESHUTDOWN),
            false => ("no-owner", ENODEV),
        })
    }

    /// Runs `f` on a driver's slot and its entry, which is not `None`, under the lock. Returns
    /// `None` if the handle is stale. Any context; prints nothing.
    fn with<R>(
        &self,
        handle: abi::d2d_handle,
        f: impl FnOnce(&Slot, &mut Option<Known>) -> R,
    ) -> Option<R> {
        let (slot, generation) = self.slot(Kind::Driver, handle)?;
        let (index, _) = Kind::Driver.parts(handle)?;
        let mut listings = self.listings.lock();
        let listing = listings
            .of
            .get_mut(index)
            .filter(|listing| listing.is_some())?;
        (slot.state().generation() == generation).then(|| f(slot, listing))
    }

    /// As [`Registry::with`], for an `f` that needs only the entry.
    fn listed<R>(&self, handle: abi::d2d_handle, f: impl FnOnce(&mut Known) -> R) -> Option<R> {
        self.with(handle, |_, listing| listing.as_mut().map(f))
            .flatten()
    }

    fn refuse_stale(&self, handle: abi::d2d_handle) -> Error {
        let (reason, error) = STALE_DRIVER;
        self.refuse(reason, error, &fields![handle: handle])
    }

    /// Finds a driver by its name, and returns the handle for its senders. Any context.
    ///
    /// # Errors
    ///
    /// `ENOENT` if no driver of that name is registered.
    pub(crate) fn lookup(&self, name: &CStr) -> Result<abi::d2d_handle> {
        self.find(Kind::Target, |listing| {
            listing.driver.name() == name && !listing.is_registering
        })
        .map(|(handle, _)| handle)
        .ok_or_else(|| self.refuse("no-such-driver", ENOENT, &fields![name: name]))
    }

    /// Finds the first driver for which `f` returns true, and returns a handle of this kind and a
    /// copy of the driver's entry. Any context; prints nothing.
    fn find(&self, kind: Kind, f: impl Fn(&Known) -> bool) -> Option<(abi::d2d_handle, Known)> {
        let listings = self.listings.lock();
        let mut listed = listings.of.iter().zip(&self.slots).enumerate();
        listed.find_map(|(index, (listing, slot))| {
            let listing = listing.as_ref().filter(|listing| f(listing))?;
            let handle = kind.handle(index, slot.state().generation());
            Some((handle, *listing))
        })
    }

    /// Finds the driver that is attached to a context and is not leaving. Any context.
    pub(crate) fn holder(&self, context: usize) -> Option<(abi::d2d_handle, Known)> {
        self.find(Kind::Target, |listing| {
            listing.state == State::Attached(context) && !listing.is_leaving
        })
    }

    /// Returns a copy of the entry of the driver for which a context is reserved. Any context.
    pub(crate) fn by_context(&self, context: usize) -> Option<Known> {
        self.find(Kind::Driver, |listing| {
            listing.state.context() == Some(context)
        })
        .map(|(_, known)| known)
    }

    /// Finds the handshake that has this request, and returns the driver's handle and the
    /// handshake. Any context.
    pub(crate) fn by_request(
        &self,
        request: abi::d2d_handle,
    ) -> Option<(abi::d2d_handle, Handshake)> {
        let (handle, known) = self.find(Kind::Driver, |listing| {
            let handshake = listing.state.handshake();
            handshake.is_some_and(|handshake| handshake.request == request)
        })?;
        Some((handle, known.state.handshake()?))
    }

    /// Returns a copy of a driver's entry; `None` if the handle is stale. Any context; prints
    /// nothing.
    pub(crate) fn peek(&self, handle: abi::d2d_handle) -> Option<Known> {
        self.listed(handle, |listing| *listing)
    }

    /// Returns whether the calling task is inside a routine of any driver. Any context.
    pub(crate) fn is_inside(&self) -> bool {
        let current = Task::current_raw() as u64;
        self.slots.iter().any(|slot| slot.includes(current))
    }

    /// Returns whether any thread is inside a routine of the driver. Any context.
    pub(crate) fn is_visited(&self, handle: abi::d2d_handle) -> bool {
        self.slot(Kind::Driver, handle)
            .is_some_and(|(slot, _)| !slot.is_empty())
    }

    /// Notes that a driver leaves: from here on no request goes to it or comes from it, and no
    /// handshake begins. The driver may still hold a context. Any context.
    ///
    /// # Errors
    ///
    /// `ESTALE` for the handle.
    pub(crate) fn leave(&self, handle: abi::d2d_handle) -> Result {
        self.with(handle, |slot, listing| {
            if let Some(listing) = listing {
                listing.leave(slot);
            }
        })
        .ok_or_else(|| self.refuse_stale(handle))
    }

    /// Begins to unregister a driver that holds no context. The driver [leaves](Registry::leave),
    /// too. If several threads call this, one succeeds, and then has to [remove](Registry::remove)
    /// the driver. Any context.
    ///
    /// # Errors
    ///
    /// `ESTALE` for the handle, `EBUSY` if the driver holds a context or a handshake with it is
    /// under way, `EALREADY` if another thread is unregistering it.
    pub(crate) fn unregister(&self, handle: abi::d2d_handle) -> Result {
        self.with(handle, |slot, listing| match listing {
            Some(listing) if listing.is_unregistering => Err(("already-unregistering", EALREADY)),
            Some(listing) if listing.is_detached() => {
                listing.leave(slot);
                listing.is_unregistering = true;
                Ok(())
            }
            _ => Err(("still-attached", EBUSY)),
        })
        .ok_or_else(|| self.refuse_stale(handle))?
        .map_err(|(reason, error)| self.refuse(reason, error, &fields![handle: handle]))
    }

    /// Expels the first driver for which `f` returns true and which was not expelled before: none
    /// of its routines is called any more, and no request goes to it or comes from it. Calls of its
    /// routines that run now are not ended. Returns the driver's handle, and a copy of its entry as
    /// it was before. Unless that entry says `is_unregistering`, the caller has to
    /// [remove](Registry::remove) the driver. Any context.
    pub(crate) fn expel(&self, f: impl Fn(&Driver) -> bool) -> Option<(abi::d2d_handle, Known)> {
        let mut listings = self.listings.lock();
        let mut listed = listings.of.iter_mut().zip(&self.slots).enumerate();
        listed.find_map(|(index, (listing, slot))| {
            let listing = listing.as_mut()?;
            if listing.is_expelled || !f(&listing.driver) {
                return None;
            }
            let before = *listing;
            (listing.is_unregistering, listing.is_expelled) = (true, true);
            listing.leave(slot);
            let handle = Kind::Driver.handle(index, slot.state().generation());
            Some((handle, before))
        })
    }

    /// Returns whether a driver is registered for which `f` returns true. Any context.
    pub(crate) fn has(&self, f: impl Fn(&Driver) -> bool) -> bool {
        let listings = self.listings.lock();
        listings
            .of
            .iter()
            .flatten()
            .any(|listing| f(&listing.driver))
    }

    /// Returns a copy of a driver's entry. Any context.
    ///
    /// # Errors
    ///
    /// `ESTALE` for the handle.
    pub(crate) fn get(&self, handle: abi::d2d_handle) -> Result<Known> {
        self.peek(handle).ok_or_else(|| self.refuse_stale(handle))
    }

    /// Returns whether no driver is registered. Any context.
    pub(crate) fn is_empty(&self) -> bool {
        !self.has(|_| true)
    }

    /// Removes a driver that is [being unregistered](Registry::unregister) or was expelled, and
    /// returns it. Returns `None`, and changes nothing, if a thread is inside one of the driver's
    /// routines. The caller has ended all requests of the driver. Any context.
    pub(crate) fn remove(&self, handle: abi::d2d_handle) -> Option<Driver> {
        self.with(handle, |slot, listing| {
            let driver = listing.filter(|listing| listing.is_unregistering)?.driver;
            slot.is_empty().then(|| {
                *listing = None;
                slot.vacate();
                driver
            })
        })
        .flatten()
    }

    /// Notes that the thread in `d2d_attach()` for a driver is about to return. Returns a copy of
    /// the driver's entry. Any context.
    pub(crate) fn sent(&self, handle: abi::d2d_handle) -> Option<Known> {
        self.listed(handle, |listing| {
            listing.sending = 0;
            *listing
        })
    }

    /// Changes a driver's state from `from` to `to`. Returns false, and changes nothing, if the
    /// state is another one or the handle is stale. Any context; prints nothing.
    pub(crate) fn transition(&self, handle: abi::d2d_handle, from: State, to: State) -> bool {
        self.listed(handle, |listing| {
            let is_from = listing.state == from;
            if is_from {
                listing.state = to;
                listing.due = None;
            }
            is_from
        })
        .unwrap_or(false)
    }

    /// Begins to take back the context of a handshake that has failed, whether the driver's state
    /// is `Attaching` or `Abandoned`, and makes the state `Detaching`. Returns false if another
    /// thread has ended the handshake before. If this returns true, the caller has to make the
    /// context free. Any context; prints nothing.
    pub(crate) fn end_handshake(&self, handle: abi::d2d_handle, handshake: Handshake) -> bool {
        self.listed(handle, |listing| {
            let is_under_way = listing.state.handshake() == Some(handshake);
            if is_under_way {
                listing.state = State::Detaching(handshake.context);
                listing.due = None;
            }
            is_under_way
        })
        .unwrap_or(false)
    }

    /// Reserves a free context for the handshake with a driver; `request` is the handshake's
    /// request, and `contexts` is the number of contexts. Returns a copy of the driver's entry, and
    /// the handshake. Any context.
    ///
    /// The driver's state is `Attaching` from then on. Nobody can unregister the driver before
    /// [`Registry::sent`].
    ///
    /// # Errors
    ///
    /// `ESTALE` for the handle, `ESHUTDOWN` if the driver is leaving, `EALREADY` if it holds a
    /// context or a thread is in `d2d_attach()` for it, `EBUSY` if no context is free.
    pub(crate) fn reserve(
        &self,
        driver: abi::d2d_handle,
        request: abi::d2d_handle,
        contexts: usize,
    ) -> Result<(Known, Handshake)> {
        let reserved = {
            let (slot, generation) = self
                .slot(Kind::Driver, driver)
                .ok_or_else(|| self.refuse_stale(driver))?;
            let mut listings = self.listings.lock();
            let held = |context| {
                let mut others = listings.of.iter().flatten();
                others.any(|other| other.state.context() == Some(context))
            };
            let free = (0..contexts).find(|context| !held(*context));
            let found = Kind::Driver
                .parts(driver)
                .filter(|_| slot.state().generation() == generation)
                .and_then(|(index, _)| listings.of.get_mut(index)?.as_mut());
            match (found, free) {
                (None, _) => Err(("stale-driver-handle", ESTALE, None)),
                (Some(listing), _) if listing.is_leaving => {
                    Err(("driver-is-leaving", ESHUTDOWN, Some(listing.driver)))
                }
                (Some(listing), _) if !listing.is_detached() => {
                    Err(("already-attached", EALREADY, Some(listing.driver)))
                }
                (Some(listing), None) => Err(("no-free-context", EBUSY, Some(listing.driver))),
                (Some(listing), Some(context)) => {
                    let handshake = Handshake { context, request };
                    listing.state = State::Attaching(handshake);
                    (listing.sending, listing.refusal) = (Task::current_raw() as u64, 0);
                    Ok((*listing, handshake))
                }
            }
        };
        reserved.map_err(|(reason, error, driver)| {
            let name = driver.as_ref().map_or(c"?", Driver::name);
            self.refuse(reason, error, &fields![name: name])
        })
    }

    /// Changes a driver's state to the one that `f` returns, if any. Returns a copy of the driver's
    /// entry as it was before. Any context.
    ///
    /// # Errors
    ///
    /// `ESTALE` for the handle.
    pub(crate) fn update(
        &self,
        handle: abi::d2d_handle,
        f: impl FnOnce(State) -> Option<State>,
    ) -> Result<Known> {
        self.listed(handle, |listing| {
            let before = *listing;
            listing.state = f(before.state).unwrap_or(before.state);
            before
        })
        .ok_or_else(|| self.refuse_stale(handle))
    }

    /// Notes the errno with which the owner has refused the handshake with a driver. Returns
    /// whether a thread is in `d2d_attach()` for the driver. Any context; prints nothing.
    pub(crate) fn note_refusal(&self, handle: abi::d2d_handle, error: Error) -> bool {
        self.listed(handle, |listing| {
            listing.refusal = error.to_errno();
            listing.sending != 0
        })
        .unwrap_or(false)
    }

    /// Gives a handshake that nobody waits for a time limit, which ends at `due`, if the handshake
    /// is still under way. Returns whether the caller has to set the timer. Any context; prints
    /// nothing.
    ///
    /// All handshakes get the same time, so a timer that is set already expires early enough.
    pub(crate) fn limit(
        &self,
        handle: abi::d2d_handle,
        handshake: Handshake,
        due: Instant<Monotonic>,
    ) -> bool {
        let Some((index, _)) = Kind::Driver.parts(handle) else {
            return false;
        };
        let mut listings = self.listings.lock();
        let listing = listings.of.get_mut(index).and_then(Option::as_mut);
        // The handle of the request tells this handshake from an earlier one, so the generation of
        // the driver need not be compared.
        match listing.filter(|listing| listing.state == State::Attaching(handshake)) {
            Some(listing) => listing.due = Some(due),
            None => return false,
        }
        !core::mem::replace(&mut listings.timed, true)
    }

    /// Finds a handshake whose time limit has ended at `now`, and removes the limit. Any context;
    /// prints nothing.
    pub(crate) fn overdue(&self, now: Instant<Monotonic>) -> Overdue {
        let listings = &mut *self.listings.lock();
        let mut next: Option<Delta> = None;
        for (index, (listing, slot)) in listings.of.iter_mut().zip(&self.slots).enumerate() {
            let Some(listing) = listing else { continue };
            let (Some(due), State::Attaching(handshake)) = (listing.due, listing.state) else {
                continue;
            };
            let left = due - now;
            if left <= Delta::ZERO {
                listing.due = None;
                let handle = Kind::Driver.handle(index, slot.state().generation());
                return Overdue::Handshake(handle, handshake);
            }
            next = Some(next.map_or(left, |next| next.min(left)));
        }
        listings.timed = next.is_some();
        next.map_or(Overdue::Nothing, Overdue::In)
    }
}

/// Returns whether a module is going: its exit runs or has run, or its initialization has failed.
fn is_going(module: *const bindings::module) -> bool {
    let state = module
        .wrapping_byte_add(core::mem::offset_of!(bindings::module, state))
        .cast::<bindings::module_state>();
    // SAFETY: A module's state is a number, so any bytes are one.
    let state = unsafe { probe::read(state) };
    state == Some(bindings::module_state_MODULE_STATE_GOING)
}

#[cfg(d2d_tests)]
mod tests;

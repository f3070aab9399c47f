// SPDX-License-Identifier: GPL-2.0

//! The registered drivers, and which context each of them holds.
//!
//! A driver is named by a handle of slot and generation, so that a handle kept for too long is
//! refused without looking at freed memory. Its senders have a handle of another kind, which does not
//! let them detach it.
//!
//! Requests find a driver by its [`Slot`], without a lock. All else is under the registry's lock.

use crate::{
    driver_object::Driver,
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

/// Drivers that can be registered at a time, the owner among them.
pub(crate) const SLOTS: usize = 128;

/// The context of a handshake, and the handle that the owner has of its request.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Handshake {
    pub(crate) context: usize,
    pub(crate) request: abi::d2d_handle,
}

/// How far a driver is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// It holds no context.
    Registered,
    /// A handshake is under way.
    Attaching(Handshake),
    /// The context that it holds.
    Attached(usize),
    /// The context that it is giving back.
    Detaching(usize),
    /// A handshake that it has not completed in time, and may still be busy with: the context stays
    /// reserved until the driver completes the request after all, detaches or unregisters.
    Abandoned(Handshake),
}

impl State {
    fn context(self) -> Option<usize> {
        match self {
            Self::Registered => None,
            Self::Attached(context) | Self::Detaching(context) => Some(context),
            Self::Attaching(handshake) | Self::Abandoned(handshake) => Some(handshake.context),
        }
    }

    /// Returns the handshake that has neither succeeded nor failed yet.
    pub(crate) fn handshake(self) -> Option<Handshake> {
        match self {
            Self::Attaching(handshake) | Self::Abandoned(handshake) => Some(handshake),
            _ => None,
        }
    }
}

/// What is known of a driver, at one moment or as long as the lock is held.
#[derive(Clone, Copy)]
pub(crate) struct Known {
    driver: Driver,
    /// Whether it is still being registered: it cannot be found by its name.
    is_registering: bool,
    /// Whether a thread is removing it.
    pub(crate) is_unregistering: bool,
    pub(crate) is_leaving: bool,
    is_expelled: bool,
    pub(crate) state: State,
    /// The task that is in `d2d_attach()` for it, or 0.
    sending: u64,
    /// When the time of its handshake is over, if no thread waits for that.
    due: Option<Instant<Monotonic>>,
    /// What its last handshake was refused with, or 0.
    pub(crate) refusal: c_int,
}

impl core::ops::Deref for Known {
    type Target = Driver;

    fn deref(&self) -> &Driver {
        &self.driver
    }
}

impl Known {
    /// Returns whether it holds no context, and no thread is in `d2d_attach()` for it.
    pub(crate) fn is_detached(&self) -> bool {
        self.state == State::Registered && self.sending == 0
    }

    /// Returns the context that is reserved for it.
    pub(crate) fn context(&self) -> Option<usize> {
        self.state.context()
    }

    /// Returns whether a thread is in `d2d_attach()` for it.
    pub(crate) fn is_being_attached(&self) -> bool {
        self.sending != 0
    }

    /// Returns whether the calling thread is in `d2d_attach()` for it.
    pub(crate) fn is_attached_by_current(&self) -> bool {
        self.sending == Task::current_raw() as u64
    }

    /// Lets no request to the driver or from it, nor any at all into its routines if it was expelled.
    fn leave(&mut self, slot: &Slot) {
        self.is_leaving = true;
        self.mark(slot);
    }

    /// Sets the flags of the driver's slot.
    fn mark(&self, slot: &Slot) {
        let leaving = if self.is_leaving { LEAVING } else { 0 };
        let expelled = if self.is_expelled { EXPELLED } else { 0 };
        slot.set(slot.state().generation(), leaving | expelled);
    }
}

/// What the timer of handshakes finds.
pub(crate) enum Overdue {
    /// The handshake of this driver, whose time is over.
    Handshake(abi::d2d_handle, Handshake),
    /// How long it is until the time of the next one is over.
    In(Delta),
    /// None has a limit: the timer is not set any more.
    Nothing,
}

/// What the lock protects.
struct Listings {
    of: KVec<Option<Known>>,
    /// Whether the timer is set, or its work is running and will look once more.
    timed: bool,
}

/// The table of drivers.
#[pin_data]
pub(crate) struct Registry {
    slots: KVVec<Slot>,
    #[pin]
    listings: IrqLock<Listings>,
    /// Name of the owner, for its refusals.
    owner: &'static CStr,
}

/// Why something is refused, to be said without a lock.
pub(crate) type Refusal = (&'static str, Error);

/// Why a driver cannot send any more.
pub(crate) const SENDER_LEAVES: Refusal = ("driver-is-leaving", ESHUTDOWN);
pub(crate) const STALE_DRIVER: Refusal = ("stale-driver-handle", ESTALE);

impl Registry {
    /// Makes an empty one. May sleep.
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

    fn refuse(&self, reason: &str, error: Error, fields: &[Field<'_>]) -> Error {
        refuse(self.owner, reason, error, fields)
    }

    /// Returns the slot that a handle of this kind names, and the generation in it.
    #[inline(always)]
    fn slot(&self, kind: Kind, handle: abi::d2d_handle) -> Option<(&Slot, u32)> {
        let (index, generation) = kind.parts(handle)?;
        Some((self.slots.get(index)?, generation))
    }

    /// Goes inside the driver that a target's handle means, to dispatch a request to it. Any context;
    /// prints nothing.
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

    /// Goes inside a driver that a request names, to call one of its routines. It may be leaving.
    /// Any context; prints nothing.
    pub(crate) fn enter(&self, driver: abi::d2d_handle) -> Option<Inside<'_>> {
        let (slot, generation) = self.slot(Kind::Driver, driver)?;
        slot.enter(Task::current_raw() as u64, generation, EXPELLED)
            .ok()
    }

    /// As [`Registry::enter`], unless the driver is leaving.
    pub(crate) fn enter_staying(&self, driver: abi::d2d_handle) -> Option<Inside<'_>> {
        let (slot, generation) = self.slot(Kind::Driver, driver)?;
        slot.enter(Task::current_raw() as u64, generation, LEAVING | EXPELLED)
            .ok()
    }

    /// Checks that a driver may send, and has what is in `needs`. Any context; prints nothing.
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

    /// Returns whether a driver has a cancel routine. Any context; prints nothing.
    pub(crate) fn has_cancelled(&self, driver: abi::d2d_handle) -> bool {
        self.slot(Kind::Driver, driver)
            .is_some_and(|(slot, _)| slot.has(has::CANCELLED))
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
        // SAFETY: If a driver object is found at `object`, it keeps to what `d2d_register` says.
        let driver = unsafe { Driver::copy(self.owner, object)? };
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
        // The module is looked at after that, without the lock. `expel` runs only once the module is
        // going: if it did not see the driver, this sees a module that is going.
        added
            .and_then(|handle| self.publish(handle, is_going(driver.module())))
            .map_err(|(reason, error)| self.refuse(reason, error, &fields![name: driver.name()]))
    }

    /// Ends the registering of a driver: it can be found from here on, or is removed if its module
    /// is going. No routine of the driver can have been called yet.
    fn publish(&self, handle: abi::d2d_handle, is_going: bool) -> Result<abi::d2d_handle, Refusal> {
        self.with(handle, |slot, listing| {
            // The thread that has expelled the driver removes it.
            let listed = listing.as_mut().filter(|listed| !listed.is_expelled)?;
            listed.is_registering = false;
            if is_going {
                *listing = None;
                slot.vacate();
                return None;
            }
            // Another driver may have let it leave by a guessed handle.
            listed.mark(slot);
            Some(handle)
        })
        .flatten()
        .ok_or(match is_going {
            true => ("module-is-going", ESHUTDOWN),
            false => ("no-owner", ENODEV),
        })
    }

    /// Runs `f` on a driver's slot and its listing, under the lock; not if there is no such driver.
    /// Prints nothing.
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

    /// As [`Registry::with`], of the listing alone.
    fn listed<R>(&self, handle: abi::d2d_handle, f: impl FnOnce(&mut Known) -> R) -> Option<R> {
        self.with(handle, |_, listing| listing.as_mut().map(f))
            .flatten()
    }

    fn refuse_stale(&self, handle: abi::d2d_handle) -> Error {
        let (reason, error) = STALE_DRIVER;
        self.refuse(reason, error, &fields![handle: handle])
    }

    /// Finds a driver by name, for sending it requests. Any context.
    ///
    /// # Errors
    ///
    /// `ENOENT`.
    pub(crate) fn lookup(&self, name: &CStr) -> Result<abi::d2d_handle> {
        self.find(Kind::Target, |listing| {
            listing.driver.name() == name && !listing.is_registering
        })
        .map(|(handle, _)| handle)
        .ok_or_else(|| self.refuse("no-such-driver", ENOENT, &fields![name: name]))
    }

    /// Finds a driver, and returns a handle of this kind and what is known of it.
    fn find(&self, kind: Kind, f: impl Fn(&Known) -> bool) -> Option<(abi::d2d_handle, Known)> {
        let listings = self.listings.lock();
        let mut listed = listings.of.iter().zip(&self.slots).enumerate();
        listed.find_map(|(index, (listing, slot))| {
            let listing = listing.as_ref().filter(|listing| f(listing))?;
            let handle = kind.handle(index, slot.state().generation());
            Some((handle, *listing))
        })
    }

    /// Finds the driver that is attached to a context and does not leave. Any context.
    pub(crate) fn holder(&self, context: usize) -> Option<(abi::d2d_handle, Known)> {
        self.find(Kind::Target, |listing| {
            listing.state == State::Attached(context) && !listing.is_leaving
        })
    }

    /// Returns the driver for which a context is reserved, and how far it is. Any context.
    pub(crate) fn by_context(&self, context: usize) -> Option<Known> {
        self.find(Kind::Driver, |listing| {
            listing.state.context() == Some(context)
        })
        .map(|(_, known)| known)
    }

    /// Returns the driver whose handshake has this request, and the handshake. Any context.
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

    /// Returns what is known of a driver. Any context; prints nothing.
    pub(crate) fn peek(&self, handle: abi::d2d_handle) -> Option<Known> {
        self.listed(handle, |listing| *listing)
    }

    /// Returns whether the calling task is inside a routine of any driver. Any context.
    pub(crate) fn is_inside(&self) -> bool {
        let current = Task::current_raw() as u64;
        self.slots.iter().any(|slot| slot.includes(current))
    }

    /// Returns whether anybody is inside one of a driver's routines. Any context.
    pub(crate) fn is_visited(&self, handle: abi::d2d_handle) -> bool {
        self.slot(Kind::Driver, handle)
            .is_some_and(|(slot, _)| !slot.is_empty())
    }

    /// Notes that a driver leaves: from here on no request goes to it or comes from it, and no context
    /// is offered to it. It may hold one still. Any context.
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

    /// Begins to unregister a driver that holds no context, which [leaves](Registry::leave) thereby.
    /// Of several threads one succeeds, which then removes the driver. Any context.
    ///
    /// # Errors
    ///
    /// `ESTALE` for the handle, `EBUSY` if it holds a context or one is being offered to it,
    /// `EALREADY` if another thread is removing it.
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

    /// Takes one of the drivers that `f` chooses out of service, whatever is being done with it: none
    /// of its routines is called any more, and no request goes to it or comes from it. The calls
    /// that run go on. Returns its handle, and what was known of it before. Any context.
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

    /// Returns whether one of the drivers that `f` chooses is registered. Any context.
    pub(crate) fn has(&self, f: impl Fn(&Driver) -> bool) -> bool {
        let listings = self.listings.lock();
        listings
            .of
            .iter()
            .flatten()
            .any(|listing| f(&listing.driver))
    }

    /// Returns what is known of a driver. Any context.
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

    /// Removes a driver that is [being unregistered](Registry::unregister), unless somebody is inside
    /// its routines, and returns what was known of it. No request names it. Any context.
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

    /// Notes that the thread that was in `d2d_attach()` for a driver leaves it. Returns what is known of
    /// the driver then. Any context.
    pub(crate) fn sent(&self, handle: abi::d2d_handle) -> Option<Known> {
        // A driver that is being sent a handshake cannot have been removed.
        self.listed(handle, |listing| {
            listing.sending = 0;
            *listing
        })
    }

    /// Changes a driver's state if it is `from`, and returns whether it was. Any context; prints
    /// nothing, as the driver may be gone by then.
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

    /// Begins to take back the context of a handshake that has failed, whether its time is over or not: the
    /// state is `Detaching` then. Returns whether the handshake had not ended before, so that the caller
    /// makes the context free. Any context; prints nothing.
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

    /// Reserves a free one of `contexts` for the handshake of a driver by this request. Returns what is
    /// known of the driver, and the handshake. Any context.
    ///
    /// The driver is `Attaching` from then on, and cannot be removed before [`Registry::sent`].
    ///
    /// # Errors
    ///
    /// `ESTALE` for the handle, `ESHUTDOWN` if it is leaving, `EALREADY` if it holds a context,
    /// `EBUSY` if none is free.
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

    /// Changes a driver's state by `f`, if it gives a new one, and returns what was known of the
    /// driver before. Any context.
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

    /// Notes what the handshake of a driver was refused with. Returns whether a thread is in `d2d_attach()`
    /// for the driver. Any context.
    pub(crate) fn note_refusal(&self, handle: abi::d2d_handle, error: Error) -> bool {
        self.listed(handle, |listing| {
            listing.refusal = error.to_errno();
            listing.sending != 0
        })
        .unwrap_or(false)
    }

    /// Limits the time of a handshake that nobody waits for, if it is still under way. Returns whether
    /// the timer has to be set for that. Any context.
    ///
    /// All handshakes get the same time, so that a timer which is set goes off early enough.
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
        // The request's handle is of this handshake alone.
        match listing.filter(|listing| listing.state == State::Attaching(handshake)) {
            Some(listing) => listing.due = Some(due),
            None => return false,
        }
        !core::mem::replace(&mut listings.timed, true)
    }

    /// Finds a handshake whose time is over at `now`; it has no limit then any more. Any context.
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

/// Returns whether a module goes away: its exit runs or has run, or its initialization has failed.
fn is_going(module: *const bindings::module) -> bool {
    let state = module
        .wrapping_byte_add(core::mem::offset_of!(bindings::module, state))
        .cast::<bindings::module_state>();
    // SAFETY: Any bytes are a module's state, which is a number.
    let state = unsafe { probe::read(state) };
    state == Some(bindings::module_state_MODULE_STATE_GOING)
}

#[cfg(d2d_tests)]
mod tests;

// SPDX-License-Identifier: GPL-2.0

//! The registered drivers, and which context each of them holds.
//!
//! By the generation in a handle, the registry refuses a stale handle without reading freed memory.
//! Other drivers have a handle of another kind: by it, they can send the driver requests, but
//! cannot detach or unregister the driver.
//!
//! The code of requests finds a driver by its [`Slot`], without a lock. The registry's lock
//! protects all else.

use crate::{
    driver_object::Driver,
    export::Arg,
    handle::Kind,
    lock::{
        new_irq_lock,
        IrqLock, //
    },
    probe::in_state,
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
    trace::{
        refuse,
        Field, //
    }, //
};
use kernel::{
    bindings,
    new_mutex,
    prelude::*,
    sync::Mutex,
    task::Task, //
};

mod entry;
mod handshakes;

pub(crate) use self::{
    entry::{
        Entry,
        Handshake,
        State, //
    },
    handshakes::Overdue, //
};

/// How many drivers can be registered at a time, including the owner's own driver object.
pub(crate) const SLOTS: usize = abi::D2D_MAX_DRIVERS as usize;

unsafe extern "C" {
    fn d2d_hot_keys_add(slot: u32, keys: *mut abi::d2d_hot_keys);
    safe fn d2d_hot_keys_remove(slot: u32);
}

struct Table {
    /// `None` for a vacant slot.
    entries: KVec<Option<Entry>>,
    /// Whether the timer of handshakes is set, or its routine will call [`Registry::overdue`] once
    /// more. Without a meaning when the owner has closed its jobs.
    timer_is_set: bool,
}

/// The table of registered drivers.
#[pin_data]
pub(crate) struct Registry {
    slots: KVVec<Slot>,
    #[pin]
    table: IrqLock<Table>,
    /// Held while the keys of hot steps are added or removed. Taken before the registry's lock.
    #[pin]
    hot_keys: Mutex<()>,
    owner: &'static CStr,
}

/// The reason and the errno of a refusal. The caller prints the line after it has released the lock.
pub(crate) type Refusal = (&'static str, Error);

pub(crate) const SENDER_LEAVES: Refusal = ("driver-is-leaving", ESHUTDOWN);
pub(crate) const STALE_DRIVER: Refusal = ("stale-driver-handle", ESTALE);

impl Registry {
    /// May sleep.
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

        fn none() -> Result<Table> {
            Ok(Table {
                entries: KVec::from_elem(None, SLOTS, GFP_KERNEL)?,
                timer_is_set: false,
            })
        }

        try_pin_init!(Self {
            slots: slots()?,
            table <- new_irq_lock!(none()?, "d2d_registry"),
            hot_keys <- new_mutex!((), "d2d_hot_keys"),
            owner,
        })
    }

    /// Called without the registry's lock.
    fn refuse(&self, reason: &str, error: Error, fields: &[Field<'_>]) -> Error {
        refuse(self.owner, reason, error, fields)
    }

    /// Returns the slot, and the generation of the handle. The slot may have another one by now.
    #[inline(always)]
    fn slot(&self, kind: Kind, handle: abi::d2d_handle) -> Option<(&Slot, u32)> {
        let (index, generation) = kind.parts(handle)?;
        Some((self.slots.get(index)?, generation))
    }

    /// Enters a driver, to call its dispatch routine. `task` is the calling task. Any context.
    ///
    /// # Errors
    ///
    /// `ESTALE` if the handle is stale, `ESHUTDOWN` if the driver is leaving.
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

    /// Enters a driver, even one that is leaving, to call a routine other than `dispatch`. Returns
    /// `None` if the driver is not registered any more, or was expelled. Any context.
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

    /// Checks that a driver may send requests, and that it has at least one of the routines in
    /// `needs` (flags of [`has`]). If `needs` is 0, it need not have any. Any context.
    ///
    /// # Errors
    ///
    /// - `ESTALE` if the handle is stale
    /// - `ESHUTDOWN` if the driver is leaving
    /// - `missing` if the driver has none of these routines
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

    /// Any context.
    pub(crate) fn has_cancelled_routine(&self, driver: abi::d2d_handle) -> bool {
        self.slot(Kind::Driver, driver)
            .is_some_and(|(slot, _)| slot.has(has::CANCELLED))
    }

    /// Returns the handle. May sleep.
    ///
    /// # Errors
    ///
    /// Those of `d2d_register`, each with its line.
    pub(crate) fn add(&self, object: Arg<*const abi::d2d_driver>) -> Result<abi::d2d_handle> {
        let driver = Driver::copy(self.owner, object)?;
        let added = {
            let mut table = self.table.lock();
            let mut others = table.entries.iter().flatten();
            if others.any(|other| other.driver.name() == driver.name()) {
                Err(("name-taken", ENOTUNIQ))
            } else {
                let free = table.entries.iter_mut().zip(&self.slots).enumerate();
                let mut free = free.filter(|(_, (entry, _))| entry.is_none());
                free.next()
                    .map(|(index, (entry, slot))| {
                        *entry = Some(Entry {
                            driver,
                            is_registering: true,
                            is_unregistering: false,
                            is_leaving: false,
                            is_expelled: false,
                            state: State::Detached,
                            attaching_task: 0,
                            due: None,
                            refusal: 0,
                        });
                        // SAFETY: The lock is held, and a slot without an entry is vacant.
                        Kind::Driver.handle(index, unsafe { slot.fill(driver) })
                    })
                    .ok_or(("too-many-drivers", ENFILE))
            }
        };
        added
            .and_then(|handle| self.publish(handle, self.add_hot_keys(handle, &driver)))
            .map_err(|(reason, error)| self.refuse(reason, error, &fields![name: driver.name()]))
    }

    /// From here on, the owner switches the keys of the driver's hot steps, unless the driver is
    /// unregistering or its module is going. Returns whether the module is going. May sleep.
    fn add_hot_keys(&self, handle: abi::d2d_handle, driver: &Driver) -> bool {
        let _adding = self.hot_keys.lock();
        // The module's state is read after the driver was added. `expel` runs only after the state
        // has become `GOING`. So if `expel` did not find the driver, `is_going` is true.
        let is_going = is_going(driver.module());
        let is_staying = self.with_entry(handle, |entry| !entry.is_unregistering) == Some(true);
        let (slot, _) = Kind::Driver.parts(handle).unwrap_or_default();
        if !is_going && is_staying && !driver.hot_keys().is_null() {
            // SAFETY: The keys are in the data of the driver's module. The kernel frees this data
            // only after `Server::remove_of` has found no driver of the module. Before a thread
            // removes this driver, it calls `remove_hot_keys`, which waits for the mutex `hot_keys`
            // that this thread holds. The slot exists, as the handle names the driver.
            unsafe { d2d_hot_keys_add(slot as u32, driver.hot_keys()) };
        }
        is_going
    }

    /// Undoes [`Registry::add_hot_keys`], if the driver is being removed (`is_unregistering`). May
    /// sleep.
    pub(crate) fn remove_hot_keys(&self, handle: abi::d2d_handle) {
        let _removing = self.hot_keys.lock();
        let is_unregistering =
            self.with_entry(handle, |entry| entry.is_unregistering) == Some(true);
        if let (true, Some((slot, _))) = (is_unregistering, Kind::Driver.parts(handle)) {
            d2d_hot_keys_remove(slot as u32);
        }
    }

    /// Lets [`Registry::lookup`] and requests find the driver. If the driver's module is going,
    /// removes the driver instead.
    ///
    /// # Errors
    ///
    /// `ESHUTDOWN` if the module is going, or if another thread unregisters or expels the driver.
    fn publish(&self, handle: abi::d2d_handle, is_going: bool) -> Result<abi::d2d_handle, Refusal> {
        self.with(handle, |slot, entry| {
            // A thread that unregisters or expels the driver also removes it. To unregister it, a
            // thread must have guessed the handle, which `add` has not returned yet.
            let stays = |entry: &&mut Entry| !entry.is_unregistering && !entry.is_expelled;
            let published = entry.as_mut().filter(stays)?;
            published.is_registering = false;
            if is_going {
                *entry = None;
                // No thread is inside: the flag `LEAVING`, which `Slot::fill` has set, keeps
                // requests away.
                slot.vacate();
                return None;
            }
            // Clears the flag `LEAVING`, unless another thread has guessed the handle and called
            // `d2d_leave`.
            published.set_flags(slot);
            Some(handle)
        })
        .flatten()
        .ok_or(match is_going {
            true => ("module-is-going", ESHUTDOWN),
            false => ("driver-is-leaving", ESHUTDOWN),
        })
    }

    /// Runs `f` under the lock, with an entry that is not `None`. Returns `None` if the handle is
    /// stale. Any context.
    fn with<R>(
        &self,
        handle: abi::d2d_handle,
        f: impl FnOnce(&Slot, &mut Option<Entry>) -> R,
    ) -> Option<R> {
        let mut table = self.table.lock();
        let (slot, entry) = self.slot_and_entry(&mut table, handle)?;
        Some(f(slot, entry))
    }

    fn slot_and_entry<'a>(
        &'a self,
        table: &'a mut Table,
        handle: abi::d2d_handle,
    ) -> Option<(&'a Slot, &'a mut Option<Entry>)> {
        let (index, generation) = Kind::Driver.parts(handle)?;
        let (slot, entry) = (self.slots.get(index)?, table.entries.get_mut(index)?);
        let is_named = entry.is_some() && slot.state().generation() == generation;
        is_named.then_some((slot, entry))
    }

    fn with_entry<R>(&self, handle: abi::d2d_handle, f: impl FnOnce(&mut Entry) -> R) -> Option<R> {
        self.with(handle, |_, entry| entry.as_mut().map(f))
            .flatten()
    }

    fn refuse_stale(&self, handle: abi::d2d_handle) -> Error {
        let (reason, error) = STALE_DRIVER;
        self.refuse(reason, error, &fields![handle: handle])
    }

    /// Any context.
    ///
    /// # Errors
    ///
    /// `ENOENT` if no driver of that name is registered.
    pub(crate) fn lookup(&self, name: &CStr) -> Result<abi::d2d_handle> {
        self.find(Kind::Target, &|entry| {
            entry.driver.name() == name && !entry.is_registering
        })
        .map(|(handle, _)| handle)
        .ok_or_else(|| self.refuse("no-such-driver", ENOENT, &fields![name: name]))
    }

    /// Returns a handle of this kind, and a copy of the entry. Any context.
    fn find(&self, kind: Kind, f: &dyn Fn(&Entry) -> bool) -> Option<(abi::d2d_handle, Entry)> {
        let table = self.table.lock();
        let mut entries = table.entries.iter().zip(&self.slots).enumerate();
        entries.find_map(|(index, (entry, slot))| {
            let entry = entry.as_ref().filter(|entry| f(entry))?;
            let handle = kind.handle(index, slot.state().generation());
            Some((handle, *entry))
        })
    }

    /// Finds the driver that is attached to a context and is not leaving. Returns the handle by
    /// which others send to the driver. Any context.
    pub(crate) fn attached_to(&self, context: usize) -> Option<(abi::d2d_handle, Entry)> {
        self.find(Kind::Target, &|entry| {
            entry.state == State::Attached(context) && !entry.is_leaving
        })
    }

    /// `None` if the handle is stale. Any context.
    #[inline(never)]
    pub(crate) fn peek(&self, handle: abi::d2d_handle) -> Option<Entry> {
        self.with_entry(handle, |entry| *entry)
    }

    /// Returns whether the calling task is inside a routine of any driver. Any context.
    pub(crate) fn is_inside(&self) -> bool {
        let current = Task::current_raw() as u64;
        self.slots.iter().any(|slot| slot.includes(current))
    }

    /// Any context.
    pub(crate) fn has_thread_inside(&self, handle: abi::d2d_handle) -> bool {
        self.slot(Kind::Driver, handle)
            .is_some_and(|(slot, _)| !slot.is_empty())
    }

    /// From here on, requests to and of this driver are refused, and no handshake with it begins.
    /// The driver may still hold a context. Any context.
    ///
    /// # Errors
    ///
    /// `ESTALE` if the handle is stale.
    pub(crate) fn leave(&self, handle: abi::d2d_handle) -> Result {
        self.with(handle, |slot, entry| {
            if let Some(entry) = entry {
                entry.leave(slot);
            }
        })
        .ok_or_else(|| self.refuse_stale(handle))
    }

    /// Begins to unregister a driver that holds no context. Only one thread succeeds, and has to
    /// [remove](Registry::remove) the driver. Any context.
    ///
    /// # Errors
    ///
    /// - `ESTALE` if the handle is stale
    /// - `EBUSY` if the driver holds a context, or a handshake with it is under way
    /// - `EALREADY` if another thread is unregistering the driver
    pub(crate) fn unregister(&self, handle: abi::d2d_handle) -> Result {
        self.with(handle, |slot, entry| match entry {
            Some(entry) if entry.is_unregistering => Err(("already-unregistering", EALREADY)),
            Some(entry) if entry.is_fully_detached() => {
                entry.leave(slot);
                entry.is_unregistering = true;
                Ok(())
            }
            _ => Err(("still-attached", EBUSY)),
        })
        .ok_or_else(|| self.refuse_stale(handle))?
        .map_err(|(reason, error)| self.refuse(reason, error, &fields![handle: handle]))
    }

    /// Expels the first driver for which `f` returns true and which was not expelled before. From
    /// here on, no thread begins to call its routines, and requests to and of it are refused.
    /// Returns its handle, and a copy of its entry from before this call. A thread that
    /// [claims](Registry::claim_expelled) the driver has to remove it. Any context.
    pub(crate) fn expel(&self, f: impl Fn(&Driver) -> bool) -> Option<(abi::d2d_handle, Entry)> {
        let mut table = self.table.lock();
        let mut entries = table.entries.iter_mut().zip(&self.slots).enumerate();
        entries.find_map(|(index, (entry, slot))| {
            let entry = entry.as_mut()?;
            if entry.is_expelled || !f(&entry.driver) {
                return None;
            }
            let before = *entry;
            entry.is_expelled = true;
            entry.leave(slot);
            let handle = Kind::Driver.handle(index, slot.state().generation());
            Some((handle, before))
        })
    }

    /// Begins to unregister a driver that was [expelled](Registry::expel), even if it holds a
    /// context. Returns whether the caller has to [remove](Registry::remove) the driver. If not,
    /// another thread removes it, or has removed it. Any context.
    pub(crate) fn claim_expelled(&self, handle: abi::d2d_handle) -> bool {
        let claim = |entry: &mut Entry| {
            let is_first = entry.is_expelled && !entry.is_unregistering;
            entry.is_unregistering |= is_first;
            is_first
        };
        self.with_entry(handle, claim).unwrap_or(false)
    }

    /// Any context.
    pub(crate) fn first(&self, f: impl Fn(&Driver) -> bool) -> Option<abi::d2d_handle> {
        self.find(Kind::Driver, &|entry| f(&entry.driver))
            .map(|(handle, _)| handle)
    }

    /// Copies a driver's entry. Any context.
    ///
    /// # Errors
    ///
    /// `ESTALE` if the handle is stale.
    pub(crate) fn get(&self, handle: abi::d2d_handle) -> Result<Entry> {
        self.peek(handle).ok_or_else(|| self.refuse_stale(handle))
    }

    /// Any context.
    pub(crate) fn is_empty(&self) -> bool {
        self.first(|_| true).is_none()
    }

    /// Removes a driver, unless a thread is inside it: then changes nothing, and returns `None`.
    /// Any context. Before, the caller has:
    /// 1. begun to unregister the driver, by [`Registry::unregister`] or
    ///    [`Registry::claim_expelled`],
    /// 2. called [`Registry::remove_hot_keys`],
    /// 3. ended all requests of the driver.
    pub(crate) fn remove(&self, handle: abi::d2d_handle) -> Option<Driver> {
        self.with(handle, |slot, entry| {
            let driver = entry.filter(|entry| entry.is_unregistering)?.driver;
            slot.is_empty().then(|| {
                *entry = None;
                slot.vacate();
                driver
            })
        })
        .flatten()
    }
}

/// Returns whether a module's exit runs or has run, or its initialization has failed.
fn is_going(module: *const bindings::module) -> bool {
    in_state(module, bindings::module_state_MODULE_STATE_GOING)
}

#[cfg(d2d_tests)]
mod tests;

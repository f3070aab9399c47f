// SPDX-License-Identifier: GPL-2.0

//! Who is inside a driver's routines.

use crate::registry::{
    Driver,
    Registry,
    Slot, //
};
use core::{
    cell::{
        Cell,
        OnceCell, //
    },
    marker::PhantomPinned, //
};
use d2d::abi;
use kernel::{
    prelude::*,
    task::Task, //
};

/// A list of [`Visit`]s that have begun; its links are used under the registry's lock.
#[derive(Clone, Copy)]
pub(crate) struct Visits(*const Link);

// SAFETY: A visit that has begun stays where it is until it has ended.
unsafe impl Send for Visits {}

struct Link {
    previous: Cell<*const Link>,
    next: Cell<*const Link>,
    task: Cell<usize>,
}

impl Link {
    fn next(&self) -> Option<&Self> {
        // SAFETY: By the type invariants of `Visit`, what is on the list of one that is on it is valid.
        // The lock is held.
        unsafe { self.next.get().as_ref() }
    }

    fn previous(&self) -> Option<&Self> {
        // SAFETY: As above.
        unsafe { self.previous.get().as_ref() }
    }
}

impl Visits {
    /// Nobody is inside.
    pub(crate) const NONE: Self = Self(core::ptr::null());

    fn iter(&self) -> impl Iterator<Item = &Link> {
        // SAFETY: By the type invariants of `Visit`, what is on a list is valid; the list is not
        // changed while this borrows it.
        let first = unsafe { self.0.as_ref() };
        core::iter::successors(first, |link| link.next())
    }

    /// Returns whether nobody is inside.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_null()
    }

    /// Returns whether this task is inside.
    pub(crate) fn include(&self, task: usize) -> bool {
        self.iter().any(|link| link.task.get() == task)
    }

    fn add(&mut self, link: &Link) {
        link.previous.set(core::ptr::null());
        link.next.set(self.0);
        if let Some(next) = link.next() {
            next.previous.set(link);
        }
        self.0 = link;
    }

    fn remove(&mut self, link: &Link) {
        if let Some(next) = link.next() {
            next.previous.set(link.previous.get());
        }
        match link.previous() {
            Some(previous) => previous.next.set(link.next.get()),
            None => self.0 = link.next.get(),
        }
    }
}

/// A call into a driver's routine: while it has begun and not ended, the driver stays registered.
///
/// # Invariants
///
/// If `handle` is not 0, `link` is on the list of this driver's visits and pinned.
pub(crate) struct Visit<'a> {
    registry: &'a Registry,
    handle: Cell<abi::d2d_handle>,
    /// What is known of the driver: the one copy that there is on the stack.
    driver: OnceCell<Driver>,
    link: Link,
    _pin: PhantomPinned,
}

impl<'a> Visit<'a> {
    /// Makes one that has not begun.
    pub(crate) fn new(registry: &'a Registry) -> Self {
        // INVARIANT: It is on no list.
        Self {
            registry,
            handle: Cell::new(0),
            driver: OnceCell::new(),
            link: Link {
                previous: Cell::new(core::ptr::null()),
                next: Cell::new(core::ptr::null()),
                task: Cell::new(0),
            },
            _pin: PhantomPinned,
        }
    }

    /// Begins it; dropping it ends it. Any context; prints nothing.
    ///
    /// # Errors
    ///
    /// `ESTALE` if there is no such driver, `ESHUTDOWN` if it was expelled, `EALREADY` if the visit
    /// has begun.
    pub(crate) fn begin(self: Pin<&Self>, driver: abi::d2d_handle) -> Result {
        let registry = self.get_ref().registry;
        registry
            .quietly(driver, |slot| self.enter(driver, slot))
            .ok_or(ESTALE)?
    }

    /// As [`Visit::begin`], for who has the driver's slot.
    pub(super) fn enter(self: Pin<&Self>, handle: abi::d2d_handle, slot: &mut Slot) -> Result {
        let driver = slot.driver.ok_or(ESTALE)?;
        if driver.is_expelled() {
            return Err(ESHUTDOWN);
        }
        let this = self.get_ref();
        this.driver.set(driver).map_err(|_| EALREADY)?;
        this.link.task.set(Task::current_raw() as usize);
        slot.visits.add(&this.link);
        // INVARIANT: It is on the list, and pinned, so that it is dropped before it goes away.
        this.handle.set(handle);
        Ok(())
    }

    /// Returns the driver, if the visit has begun. It stays registered as long as this borrows the
    /// visit.
    pub(crate) fn driver(&self) -> Option<&Driver> {
        self.driver.get()
    }
}

impl Drop for Visit<'_> {
    fn drop(&mut self) {
        if self.handle.get() != 0 {
            // The driver is there: it cannot be removed before this.
            self.registry
                .quietly(self.handle.get(), |slot| slot.visits.remove(&self.link));
        }
    }
}

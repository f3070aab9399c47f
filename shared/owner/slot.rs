// SPDX-License-Identifier: GPL-2.0

//! A place for a registered driver, and which threads are inside its routines.
//!
//! A thread that goes inside writes its task into a cell of the slot, and then looks at the slot's
//! word. If the driver is not the one that was meant, or is leaving, the thread clears the cell and
//! stays outside. So a thread that has set the driver to leaving waits until all cells are empty,
//! and then knows that nobody is inside. A cell that is set and cleared in vain does no harm, even
//! if another driver is registered there by then.
//!
//! Slots stay as long as the registry, so that a stale handle leads to memory that is there.

use crate::driver_object::Driver;
use core::{
    cell::UnsafeCell,
    ops::Deref, //
};
use d2d::{
    abi,
    once::Once,
    word::Word, //
};
use kernel::{ffi::c_int, prelude::*, sync::atomic::Atomic};

/// No driver is registered here.
pub(crate) const VACANT: u32 = 1;
/// The driver leaves: no request goes to it or comes from it any more.
pub(crate) const LEAVING: u32 = 2;
/// None of the driver's routines is called any more.
pub(crate) const EXPELLED: u32 = 4;

/// What of a driver its requests are checked for.
pub(crate) mod has {
    pub(crate) const COMPLETED: u32 = 1;
    pub(crate) const RETURNED: u32 = 2;
    pub(crate) const CANCELLED: u32 = 4;
}

/// Threads inside a driver at a time of which it is known which ones they are. More are only counted: such a
/// thread is not refused with `EDEADLK` if it waits for its own return.
const CELLS: usize = 64;

/// A place for a driver. It shares no cache line with another: going inside one driver does not slow down
/// calls of the others.
///
/// # Invariants
///
/// `driver` is written only while the word says `VACANT`, by the holder of the registry's lock. It stays
/// `VACANT` and unwritten until no thread is inside any more that has seen another word.
#[repr(align(64))]
pub(crate) struct Slot {
    /// The generation of the driver's handles, and flags.
    word: Atomic<u64>,
    /// What of `driver` can be asked from outside.
    has: Once<u32>,
    /// Threads inside that found no cell.
    others: Atomic<u64>,
    driver: UnsafeCell<Option<Driver>>,
    /// The tasks of the threads inside, or 0.
    cells: [Atomic<u64>; CELLS],
}

// SAFETY: By the type invariants, the driver is not written while others read it.
unsafe impl Sync for Slot {}

/// The generation and the flags of a slot.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct State(u64);

impl State {
    #[inline(always)]
    pub(crate) fn generation(self) -> u32 {
        (self.0 >> 32) as u32
    }

    #[inline(always)]
    pub(crate) fn is(self, flag: u32) -> bool {
        self.0 as u32 & flag != 0
    }
}

impl Slot {
    /// Makes one without a driver.
    pub(crate) fn new() -> Self {
        // INVARIANT: It is vacant.
        Self {
            word: Atomic::new(1 << 32 | u64::from(VACANT)),
            has: Once::new(0),
            others: Atomic::new(0),
            driver: UnsafeCell::new(None),
            cells: [const { Atomic::new(0) }; CELLS],
        }
    }

    /// Returns its generation and its flags.
    #[inline(always)]
    pub(crate) fn state(&self) -> State {
        State(u64::load_acquire(&self.word))
    }

    /// Returns what the driver has, of [`has`]; it is right if the driver was there before and after.
    #[inline(always)]
    pub(crate) fn has(&self, what: u32) -> bool {
        self.has.get() & what != 0
    }

    /// Puts a driver into a vacant slot. It counts as leaving until [`Slot::set`] clears that flag.
    /// Returns the generation of its handles.
    ///
    /// # Safety
    ///
    /// The registry's lock is held, and the slot is vacant.
    pub(crate) unsafe fn fill(&self, driver: Driver) -> u32 {
        let has = [
            (driver.completed.is_some(), has::COMPLETED),
            (driver.returned.is_some(), has::RETURNED),
            (driver.cancelled.is_some(), has::CANCELLED),
        ];
        self.has.set(
            has.iter()
                .fold(0, |all, (it, bit)| if *it { all | bit } else { all }),
        );
        // SAFETY: The slot is vacant and the lock is held, so by the type invariants nobody else uses it.
        unsafe { *self.driver.get() = Some(driver) };
        let generation = self.state().generation();
        self.set(generation, LEAVING);
        generation
    }

    /// Changes the flags. The registry's lock is held.
    ///
    /// It is a full barrier: a thread that goes inside sees the flags, or is seen inside.
    pub(crate) fn set(&self, generation: u32, flags: u32) {
        let new = u64::from(generation) << 32 | u64::from(flags);
        let mut old = u64::load(&self.word);
        while let Err(found) = u64::cmpxchg(&self.word, old, new) {
            old = found;
        }
    }

    /// Removes the driver: its handles are stale from here on. The registry's lock is held, and nobody
    /// is inside or can be let in.
    pub(crate) fn vacate(&self) {
        let generation = self.state().generation().wrapping_add(1).max(1);
        self.set(generation, VACANT);
    }

    /// Goes inside the driver of this generation, unless one of the flags `unless` is set: it stays
    /// registered until the result is dropped. Any context but NMI.
    ///
    /// # Errors
    ///
    /// The state that has kept the thread outside.
    #[inline(always)]
    pub(crate) fn enter(
        &self,
        task: u64,
        generation: u32,
        unless: u32,
    ) -> Result<Inside<'_>, State> {
        let cell = Self::cell(task);
        // INVARIANT: The cell is this thread's.
        let inside = match u64::cmpxchg(&self.cells[cell], 0, task) {
            Ok(_) => Inside { slot: self, cell },
            Err(_) => self.enter_elsewhere(task),
        };
        let state = self.state();
        if state.generation() != generation || state.is(unless | VACANT) {
            return Err(state);
        }
        Ok(inside)
    }

    #[cold]
    #[inline(never)]
    fn enter_elsewhere(&self, task: u64) -> Inside<'_> {
        let free = |cell: &Atomic<u64>| u64::cmpxchg(cell, 0, task).is_ok();
        // INVARIANT: The cell is this thread's, or it was counted.
        let cell = self.cells.iter().position(free).unwrap_or_else(|| {
            self.count(1);
            CELLS
        });
        Inside { slot: self, cell }
    }

    fn count(&self, change: u64) {
        let mut old = u64::load(&self.others);
        while let Err(found) = u64::cmpxchg(&self.others, old, old.wrapping_add(change)) {
            old = found;
        }
    }

    /// Returns whether nobody is inside.
    pub(crate) fn is_empty(&self) -> bool {
        u64::load_acquire(&self.others) == 0
            && self.cells.iter().all(|cell| u64::load_acquire(cell) == 0)
    }

    /// Returns whether this task, which is the calling one, is inside.
    pub(crate) fn includes(&self, task: u64) -> bool {
        let is_of_task = |cell: &Atomic<u64>| u64::load(cell) == task;
        // A driver that was expelled is looked for where the task usually is.
        is_of_task(&self.cells[Self::cell(task)])
            || !self.state().is(VACANT) && self.cells.iter().any(is_of_task)
    }

    /// Returns where a task usually is.
    #[inline(always)]
    fn cell(task: u64) -> usize {
        // Tasks lie on different pages or at least some hundred bytes apart.
        (task >> 8 ^ task >> 14) as usize % CELLS
    }
}

/// A thread is inside a driver, which stays registered until this is dropped.
///
/// # Invariants
///
/// The thread has written its task into the cell, or was counted if there is no such cell. What it has seen
/// of the slot after that was not `VACANT`, or this is dropped at once.
pub(crate) struct Inside<'a> {
    slot: &'a Slot,
    cell: usize,
}

impl Deref for Inside<'_> {
    type Target = Driver;

    #[inline(always)]
    fn deref(&self) -> &Driver {
        // SAFETY: By the type invariants the slot has a driver, and it stays until this is dropped.
        unsafe { (*self.slot.driver.get()).as_ref().unwrap_unchecked() }
    }
}

impl Inside<'_> {
    /// Calls the driver's dispatch routine. May sleep, unless the driver [is atomic](Driver::is_atomic).
    #[inline(always)]
    pub(crate) fn dispatch(&self, request: &abi::d2d_request) -> c_int {
        // SAFETY: The driver stays registered, as this is borrowed. So its routine and `this` are there, and
        // the routine takes a request, by the contract of `d2d_register`.
        unsafe { (self.dispatch)(self.this, request) }
    }

    /// Hands the driver a request back that it has forwarded. Any context. Without such a routine it
    /// is the status that it goes on with.
    pub(crate) fn returned(&self, request: &abi::d2d_request, result: &abi::d2d_result) -> c_int {
        self.returned.map_or(result.status, |returned| {
            // SAFETY: As for `dispatch`.
            unsafe { returned(self.this, request, result) }
        })
    }

    /// Calls the driver's completion routine, if it has one. Any context.
    pub(crate) fn completed(&self, request: abi::d2d_handle, result: &abi::d2d_result) -> c_int {
        self.completed.map_or(0, |completed| {
            // SAFETY: As for `dispatch`.
            unsafe { completed(self.this, request, result) }
        })
    }

    /// Calls the driver's cancel routine, if it has one. Any context.
    pub(crate) fn cancelled(&self, request: abi::d2d_handle) {
        if let Some(cancelled) = self.cancelled {
            // SAFETY: As for `dispatch`.
            unsafe { cancelled(self.this, request) };
        }
    }
}

impl Drop for Inside<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        match self.slot.cells.get(self.cell) {
            Some(cell) => u64::store_release(cell, 0),
            None => self.slot.count(u64::MAX),
        }
    }
}

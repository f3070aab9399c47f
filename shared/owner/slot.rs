// SPDX-License-Identifier: GPL-2.0

//! The slot of a registered driver, with the threads inside its routines.
//!
//! To enter a driver, a thread writes its task into a cell of the slot, then reads the slot's word.
//! If the word has another generation than the handle, or a flag against entering, the thread
//! clears the cell and stays out.
//!
//! Both writing a cell and setting a flag are full barriers. So if a thread has set such a flag,
//! and then finds all cells empty and no thread counted, no thread is inside. The cell of a thread
//! that stays out does no harm, even if another driver has got the slot meanwhile.
//!
//! Slots live as long as the registry, so a stale handle leads to valid memory.

use crate::driver_object::Driver;
use core::{
    cell::UnsafeCell,
    ops::Deref, //
};
use d2d::{
    abi,
    word::{
        AtomicOnce as _,
        AtomicWord, //
    }, //
};
use kernel::{ffi::c_int, prelude::*, sync::atomic::Atomic};

pub(crate) const VACANT: u32 = 1;
/// No request goes to the driver or comes from it any more.
pub(crate) const LEAVING: u32 = 2;
/// None of the driver's routines is called any more.
pub(crate) const EXPELLED: u32 = 4;

/// Flags: which of the optional routines a driver has.
pub(crate) mod has {
    pub(crate) const COMPLETED: u32 = 1;
    pub(crate) const RETURNED: u32 = 2;
    pub(crate) const CANCELLED: u32 = 4;
}

/// How many threads inside can have a cell. The slot only counts further threads. If one of these
/// calls `d2d_detach` or `d2d_unregister`, the owner does not refuse the call with `EDEADLK`, and
/// the thread waits for itself.
const CELLS: usize = 64;

/// No two slots share a cache line, so entering one driver does not slow down calls of another.
///
/// # Invariants
///
/// `driver` is written only while the word says `VACANT`, by a thread that holds the registry's
/// lock. The word becomes `VACANT` only when every thread that has entered has left.
#[repr(align(64))]
pub(crate) struct Slot {
    /// Generation and flags.
    word: Atomic<u64>,
    /// The flags of [`has`].
    has: Atomic<u32>,
    /// How many threads inside have no cell.
    others: Atomic<u64>,
    driver: UnsafeCell<Option<Driver>>,
    /// The tasks of the threads inside; 0 in a free cell.
    cells: [Atomic<u64>; CELLS],
}

// SAFETY: By the type invariants, `driver` is not written while a thread reads it. All else is
// atomic.
unsafe impl Sync for Slot {}

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
    pub(crate) fn new() -> Self {
        // INVARIANT: The word says `VACANT`.
        Self {
            word: Atomic::new(1 << 32 | u64::from(VACANT)),
            has: Atomic::new(0),
            others: Atomic::new(0),
            driver: UnsafeCell::new(None),
            cells: [const { Atomic::new(0) }; CELLS],
        }
    }

    #[inline(always)]
    pub(crate) fn state(&self) -> State {
        State(u64::load_acquire(&self.word))
    }

    /// Returns whether the driver has one of these routines. The answer is right if the same driver
    /// has the slot before and after the call.
    #[inline(always)]
    pub(crate) fn has(&self, what: u32) -> bool {
        self.has.get() & what != 0
    }

    /// Puts a driver into a vacant slot, with the flag `LEAVING`, and returns the generation.
    ///
    /// # Safety
    ///
    /// The caller holds the registry's lock, and the slot is vacant.
    pub(crate) unsafe fn fill(&self, driver: Driver) -> u32 {
        let has = [
            (driver.completed.is_some(), has::COMPLETED),
            (driver.returned.is_some(), has::RETURNED),
            (driver.cancelled.is_some(), has::CANCELLED),
        ];
        self.has.set(has.iter().fold(
            0,
            |all, (has_it, bit)| if *has_it { all | bit } else { all },
        ));
        // SAFETY: The slot is vacant and the caller holds the lock, so by the type invariants no
        // other thread uses `driver`.
        unsafe { *self.driver.get() = Some(driver) };
        let generation = self.state().generation();
        self.set(generation, LEAVING);
        generation
    }

    /// The caller holds the registry's lock.
    ///
    /// Setting the word is a full barrier, which pairs with that of [`Slot::enter`]: an entering
    /// thread sees the flags, or the caller sees the thread's cell.
    pub(crate) fn set(&self, generation: u32, flags: u32) {
        let new = u64::from(generation) << 32 | u64::from(flags);
        let mut old = self.word.get();
        while let Err(found) = u64::cmpxchg(&self.word, old, new) {
            old = found;
        }
    }

    /// The caller holds the registry's lock. No thread is inside, and the flags keep every thread
    /// out.
    pub(crate) fn vacate(&self) {
        let generation = self.state().generation().wrapping_add(1).max(1);
        self.set(generation, VACANT);
    }

    /// Enters the driver of this generation, unless a flag in `unless` is set. The driver stays
    /// registered until the result is dropped. `task` is the calling task. Any context but NMI.
    ///
    /// # Errors
    ///
    /// The state of the slot, if it has another generation or such a flag.
    #[inline(always)]
    pub(crate) fn enter(
        &self,
        task: u64,
        generation: u32,
        unless: u32,
    ) -> Result<Inside<'_>, State> {
        let cell = Self::first_cell(task);
        // INVARIANT: The thread has written its task into the cell. It reads the word below, and
        // drops the value at once if the word is `VACANT`.
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
        // INVARIANT: The thread has written its task into the cell, or was counted. `enter` reads
        // the word next.
        let cell = self.cells.iter().position(free).unwrap_or_else(|| {
            self.add_to_others(1);
            CELLS
        });
        Inside { slot: self, cell }
    }

    fn add_to_others(&self, change: u64) {
        let mut old = self.others.get();
        while let Err(found) = u64::cmpxchg(&self.others, old, old.wrapping_add(change)) {
            old = found;
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        u64::load_acquire(&self.others) == 0
            && self.cells.iter().all(|cell| u64::load_acquire(cell) == 0)
    }

    /// `task` is the calling task.
    pub(crate) fn includes(&self, task: u64) -> bool {
        // No thread is inside a vacant slot.
        !self.state().is(VACANT) && self.cells.iter().any(|cell| cell.get() == task)
    }

    #[inline(always)]
    fn first_cell(task: u64) -> usize {
        // Tasks lie at least some hundred bytes apart, so the low bits of their addresses hardly
        // tell them apart.
        (task >> 8 ^ task >> 14) as usize % CELLS
    }
}

/// Proof that the thread is inside a driver.
///
/// # Invariants
///
/// The thread has written its task into the cell with the index `cell`, or was counted if `cell` is
/// `CELLS`. Then [`Slot::enter`] reads the slot's word, and drops this at once if the word is
/// `VACANT`. So no other code has this for a vacant slot.
pub(crate) struct Inside<'a> {
    slot: &'a Slot,
    cell: usize,
}

impl Deref for Inside<'_> {
    type Target = Driver;

    #[inline(always)]
    fn deref(&self) -> &Driver {
        // SAFETY: By the type invariants, the word was not `VACANT`, so `Slot::fill` has put a
        // driver into the slot. It stays until this is dropped, by the invariants of `Slot`.
        unsafe { (*self.slot.driver.get()).as_ref().unwrap_unchecked() }
    }
}

impl Inside<'_> {
    /// May sleep, unless the driver [is atomic](Driver::is_atomic).
    #[inline(always)]
    pub(crate) fn dispatch(&self, request: &abi::d2d_request) -> c_int {
        // SAFETY: By the invariants of `Inside` and `Slot`, the driver stays registered while `self`
        // lives. By the contract of `struct d2d_driver`, its routines and `this` are valid as long
        // as it is registered, and the routine takes any request.
        unsafe { (self.dispatch)(self.this, request) }
    }

    /// Returns the status of `result` if the driver has no such routine. Any context.
    pub(crate) fn returned(&self, request: &abi::d2d_request, result: &abi::d2d_result) -> c_int {
        self.returned.map_or(result.status, |returned| {
            // SAFETY: As for `dispatch`.
            unsafe { returned(self.this, request, result) }
        })
    }

    /// Returns 0 if the driver has no such routine. Any context.
    pub(crate) fn completed(&self, request: abi::d2d_handle, result: &abi::d2d_result) -> c_int {
        self.completed.map_or(0, |completed| {
            // SAFETY: As for `dispatch`.
            unsafe { completed(self.this, request, result) }
        })
    }

    /// Does nothing if the driver has no such routine. Any context.
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
            None => self.slot.add_to_others(u64::MAX),
        }
    }
}

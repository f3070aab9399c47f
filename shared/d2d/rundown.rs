// SPDX-License-Identifier: GPL-2.0

//! Rundown protection: access to something that may be withdrawn while it is in use.
//!
//! The counterpart of `EX_RUNDOWN_REF` on Windows, made of the kernel's sleepable RCU: entering is
//! allowed in any context but NMI, holders may sleep and may enter again, and [`Rundown::close`]
//! waits for all of them.

use core::{
    cell::UnsafeCell,
    ffi::c_void,
    ops::Deref, //
};
use kernel::{
    new_srcu,
    prelude::*,
    sync::{
        atomic::{
            ordering::{
                Acquire,
                Full,
                Release, //
            },
            Atomic, //
        },
        srcu,
        Srcu, //
    }, //
};

const CLOSED: u32 = 0;
const OPENING: u32 = 1;
const OPEN: u32 = 2;
const CLOSING: u32 = 3;

/// A value that can be entered while it is open.
///
/// # Invariants
///
/// `value` is written only by whoever moved `state` to [`OPENING`] or [`CLOSING`], in the latter
/// case after a grace period of `srcu`; in state [`OPEN`] it holds a value and is not written.
#[pin_data]
pub struct Rundown<T> {
    #[pin]
    srcu: Srcu,
    state: Atomic<u32>,
    value: UnsafeCell<Option<T>>,
}

// SAFETY: The value is handed to other threads by reference, and may be dropped on another one.
unsafe impl<T: Send> Send for Rundown<T> {}
// SAFETY: As above; the invariants keep writes apart from reads.
unsafe impl<T: Send + Sync> Sync for Rundown<T> {}

impl<T> Rundown<T> {
    /// Makes a closed one.
    pub fn new() -> impl PinInit<Self, Error> {
        // INVARIANT: It is closed.
        try_pin_init!(Self {
            srcu <- new_srcu!("d2d::Rundown"),
            state: Atomic::new(CLOSED),
            value: UnsafeCell::new(None),
        })
    }

    /// Opens it with a value. Any context.
    ///
    /// # Errors
    ///
    /// `EBUSY` if it is not closed.
    pub fn open(&self, value: T) -> Result {
        if self.state.cmpxchg(CLOSED, OPENING, Full).is_err() {
            return Err(EBUSY);
        }
        // SAFETY: By the type invariants only the one that moved the state to `OPENING` uses it.
        unsafe { *self.value.get() = Some(value) };
        // INVARIANT: There is a value.
        self.state.store(OPEN, Release);
        Ok(())
    }

    /// Enters it, unless it is closed or closing. Any context but NMI.
    #[inline]
    pub fn enter(&self) -> Option<Entered<'_, T>> {
        let guard = self.srcu.read_lock();
        if self.state.load(Acquire) != OPEN {
            return None;
        }
        // SAFETY: The state was `OPEN` inside the read-side section, so that by the type invariants
        // the value is there and is not written before the section ends.
        let value = unsafe { &*self.value.get() }.as_ref()?;
        Some(Entered {
            value,
            _guard: guard,
        })
    }

    /// Returns where those who enter and leave are counted: a `struct srcu_struct`.
    pub(crate) fn srcu(&self) -> *mut c_void {
        // The type is transparent.
        core::ptr::from_ref(&self.srcu).cast_mut().cast()
    }

    /// Refuses entry from now on and waits until nobody is inside. May sleep.
    ///
    /// Returns the value, or `None` if it was not open or somebody else is closing it. Called from
    /// inside, it never returns; lockdep reports that.
    pub fn close(&self) -> Option<T> {
        let before = self.state.cmpxchg(OPEN, CLOSING, Full);
        self.srcu.synchronize();
        before.ok()?;
        // SAFETY: The state is `CLOSING` and a grace period has passed, so that whoever saw `OPEN`
        // has left; by the type invariants nobody else uses the value.
        let value = unsafe { (*self.value.get()).take() };
        self.state.store(CLOSED, Release);
        value
    }
}

/// Proof of having entered a [`Rundown`], which cannot be closed until it is dropped.
pub struct Entered<'a, T> {
    value: &'a T,
    _guard: srcu::Guard<'a>,
}

impl<T> Deref for Entered<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.value
    }
}

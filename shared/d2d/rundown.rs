// SPDX-License-Identifier: GPL-2.0

//! Rundown protection: access to something that may be withdrawn while it is in use.
//!
//! The counterpart of `EX_RUNDOWN_REF` on Windows, made of the kernel's sleepable RCU
//! ([`readers`](crate::readers)): entering is allowed in any context but NMI, holders may sleep and may
//! enter again, and [`Rundown::close`] waits for all of them.

use crate::readers::{
    Inside,
    Readers, //
};
use core::{
    cell::UnsafeCell,
    ffi::c_void,
    ops::Deref, //
};
use kernel::{
    prelude::*,
    static_lock_class,
    sync::atomic::{
        ordering::{
            Full,
            Relaxed,
            Release, //
        },
        Atomic, //
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
/// `value` is written only by the thread that moved `state` to `OPENING` or `CLOSING`, in the latter case
/// after all threads have left that were inside when `open` became null. `open` is null, or points to what
/// is in `value`.
#[pin_data]
pub struct Rundown<T> {
    #[pin]
    readers: Readers,
    open: Atomic<*mut T>,
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
            readers <- Readers::new(c"d2d::Rundown", static_lock_class!()),
            open: Atomic::new(core::ptr::null_mut()),
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
        let value = unsafe { (*self.value.get()).insert(value) };
        // INVARIANT: There is a value, and nobody closes before the state is `OPEN`.
        self.open.store(value, Release);
        self.state.store(OPEN, Release);
        Ok(())
    }

    /// Enters it, unless it is closed or closing. Any context but NMI.
    #[inline]
    pub fn enter(&self) -> Option<Entered<'_, T>> {
        let (inside, value) = self.readers.enter(&self.open, true);
        // SAFETY: It was open when we were inside, so that by the type invariants the value is there
        // and is not written before we leave.
        let value = unsafe { value.as_ref() }?;
        Some(Entered {
            value,
            _inside: inside,
        })
    }

    /// Returns where those who enter and leave are counted: a `struct srcu_struct`.
    pub(crate) fn srcu(&self) -> *mut c_void {
        self.readers.as_raw().cast()
    }

    /// As [`Rundown::close_and`], without `end_waits`.
    pub fn close(&self) -> Option<T> {
        self.close_and(|| {})
    }

    /// Refuses entry from now on and waits until nobody is inside. Calls `end_waits` after 100 ms, and again until
    /// nobody is inside: it ends what the threads there may be waiting for. May sleep.
    ///
    /// Returns the value, or `None` if it was not open or somebody else opens or closes it, in which case
    /// it may still be entered. Called from inside, it never returns; lockdep reports that.
    pub fn close_and(&self, end_waits: impl Fn()) -> Option<T> {
        let before = self.state.cmpxchg(OPEN, CLOSING, Full);
        if before.is_ok() {
            self.open.store(core::ptr::null_mut(), Relaxed);
        }
        self.readers.wait_and(end_waits);
        before.ok()?;
        // SAFETY: This thread has moved the state to `CLOSING`, and each thread that saw it open has left; by
        // the type invariants nobody else uses the value.
        let value = unsafe { (*self.value.get()).take() };
        self.state.store(CLOSED, Release);
        value
    }
}

/// Proof of having entered a [`Rundown`], which cannot be closed until it is dropped.
pub struct Entered<'a, T> {
    value: &'a T,
    _inside: Inside<'a>,
}

impl<T> Deref for Entered<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.value
    }
}

#[cfg(d2d_tests)]
mod tests;

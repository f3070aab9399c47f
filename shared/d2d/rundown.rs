// SPDX-License-Identifier: GPL-2.0

//! Rundown protection: access to a value that another thread may withdraw at any time.
//!
//! The counterpart of `EX_RUNDOWN_REF` on Windows, made of SRCU ([`readers`](crate::readers)). A thread inside may
//! sleep, and may enter again.

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

/// A value that threads can use (*enter*) while it is open.
///
/// # Invariants
///
/// Only the thread that moved `state` to `OPENING` or `CLOSING` writes `value`. Before it writes, a thread that moved
/// `state` to `CLOSING` makes `open` null, and waits until all threads that were inside have left. `open` is null, or
/// points to what is in `value`.
#[pin_data]
pub struct Rundown<T> {
    #[pin]
    readers: Readers,
    open: Atomic<*mut T>,
    state: Atomic<u32>,
    value: UnsafeCell<Option<T>>,
}

// SAFETY: Another thread may drop the value: `T` is `Send`.
unsafe impl<T: Send> Send for Rundown<T> {}
// SAFETY: Threads get the value by shared reference: `T` is `Sync`. By the type invariants no thread writes the
// value meanwhile.
unsafe impl<T: Send + Sync> Sync for Rundown<T> {}

impl<T> Rundown<T> {
    /// Makes a closed rundown. May sleep.
    pub fn new() -> impl PinInit<Self, Error> {
        // INVARIANT: `open` is null, and no thread has moved `state`.
        try_pin_init!(Self {
            readers <- Readers::new(c"d2d::Rundown", static_lock_class!()),
            open: Atomic::new(core::ptr::null_mut()),
            state: Atomic::new(CLOSED),
            value: UnsafeCell::new(None),
        })
    }

    /// Opens the rundown with a value. Any context.
    ///
    /// # Errors
    ///
    /// `EBUSY` if the rundown is not closed.
    pub fn open(&self, value: T) -> Result {
        if self.state.cmpxchg(CLOSED, OPENING, Full).is_err() {
            return Err(EBUSY);
        }
        // SAFETY: This thread has moved the state from `CLOSED` to `OPENING`, and `open` is null. So by the type
        // invariants no other thread uses the value.
        let value = unsafe { (*self.value.get()).insert(value) };
        // INVARIANT: `open` points to the value. No thread can move the state to `CLOSING` before this thread has
        // stored `OPEN`.
        self.open.store(value, Release);
        self.state.store(OPEN, Release);
        Ok(())
    }

    /// Enters the rundown, unless it is closed or closing. Any context but NMI.
    #[inline]
    pub fn enter(&self) -> Option<Entered<'_, T>> {
        let (inside, value) = self.readers.enter(&self.open, true);
        // SAFETY: `Readers::enter` counts this thread as inside, and then reads `open`, which is null or points to the
        // value. If it is not null, no thread writes the value before this thread leaves.
        let value = unsafe { value.as_ref() }?;
        Some(Entered {
            value,
            _inside: inside,
        })
    }

    /// Leaves the rundown after [`Entered::into_raw`]. Any context but NMI.
    ///
    /// # Safety
    ///
    /// The calling thread has got `inside` by [`Entered::into_raw`] of this rundown. It passes `inside` once, and does
    /// not use the value after that.
    pub unsafe fn leave(&self, inside: *mut c_void) {
        // SAFETY: By the caller, `inside` is from `Entered::into_raw`, and is passed once. `enter` has set
        // `tell_lockdep`, too.
        unsafe { self.readers.leave(inside, true) };
    }

    /// As [`Readers::count`].
    pub fn count(&self) -> (u64, u64) {
        self.readers.count()
    }

    /// As [`Rundown::close_and_end_waits`], without `end_waits`.
    pub fn close(&self) -> Option<T> {
        self.close_and_end_waits(|| {})
    }

    /// Makes [`Rundown::enter`] fail, and waits until no thread is inside. After 100 ms, calls `end_waits` again and
    /// again. May sleep.
    ///
    /// Returns the value. If the rundown was not open, waits and returns `None`; if another thread is opening it
    /// meanwhile, threads may enter it afterwards. A thread inside must not call this: it would wait for ever, and
    /// lockdep reports the deadlock.
    pub fn close_and_end_waits(&self, end_waits: impl Fn()) -> Option<T> {
        let before = self.state.cmpxchg(OPEN, CLOSING, Full);
        if before.is_ok() {
            self.open.store(core::ptr::null_mut(), Relaxed);
        }
        self.readers.wait_and_end_waits(end_waits);
        before.ok()?;
        // SAFETY: This thread has moved the state to `CLOSING`, and all threads that saw it open have left. By the
        // type invariants no other thread uses the value.
        let value = unsafe { (*self.value.get()).take() };
        self.state.store(CLOSED, Release);
        value
    }
}

/// Proof that the thread is inside a [`Rundown`]. Closing the rundown waits until the proof is dropped.
pub struct Entered<'a, T> {
    value: &'a T,
    _inside: Inside<'a>,
}

impl<'a, T> Entered<'a, T> {
    /// Returns the value, and what the thread passes to [`Rundown::leave`]. The thread stays inside until then.
    pub fn into_raw(self) -> (&'a T, *mut c_void) {
        let Self { value, _inside } = self;
        (value, _inside.into_raw())
    }
}

impl<T> Deref for Entered<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.value
    }
}

#[cfg(d2d_tests)]
mod tests;

// SPDX-License-Identifier: GPL-2.0

//! Counts the threads inside a [`Rundown`](crate::rundown::Rundown) or inside the owner's exported functions, as fast
//! readers of SRCU.
//!
//! C header: [`include/linux/srcu.h`](srctree/include/linux/srcu.h)
//!
//! The kernel crate's `Srcu` has only the usual readers, with two memory barriers. A fast reader executes none: the
//! thread that waits for the readers bears the cost.

use crate::{
    arch,
    kernel_calls::WARN_ON,
    word::AtomicWord, //
};
use kernel::{
    bindings,
    error::to_result,
    ffi::{
        c_char,
        c_int,
        c_void, //
    },
    prelude::*,
    sync::{
        atomic::Atomic,
        LockClassKey, //
    },
    types::{
        NotThreadSafe,
        Opaque, //
    },
};

/// The set of the threads that are inside.
///
/// # Invariants
///
/// `srcu` is initialized for fast readers.
#[pin_data(PinnedDrop)]
#[repr(transparent)]
pub struct Readers {
    #[pin]
    srcu: Opaque<bindings::srcu_struct>,
}

// SAFETY: A `struct srcu_struct` may be used and freed by any thread.
unsafe impl Send for Readers {}
// SAFETY: As for `Send`.
unsafe impl Sync for Readers {}

#[allow(improper_ctypes, reason = "a type has empty parts without lockdep")]
unsafe extern "C" {
    unsafe fn d2d_readers_init(
        srcu: *mut bindings::srcu_struct,
        name: *const c_char,
        key: *mut bindings::lock_class_key,
    ) -> c_int;

    unsafe fn d2d_readers_wait(
        srcu: *mut bindings::srcu_struct,
        end_waits: unsafe extern "C" fn(*mut c_void),
        data: *mut c_void,
    );

    safe fn d2d_readers_count(readers: &Readers, entered: &mut u64, inside: &mut u64);
}

impl Readers {
    /// Makes a set without threads. May sleep.
    pub(crate) fn new(
        name: &'static CStr,
        key: Pin<&'static LockClassKey>,
    ) -> impl PinInit<Self, Error> {
        // INVARIANT: `d2d_readers_init()` initializes `srcu` for fast readers.
        try_pin_init!(Self {
            srcu <- Opaque::try_ffi_init(|srcu| {
                // SAFETY: `srcu` has room for a `struct srcu_struct`, and is pinned. Name and key are static.
                to_result(unsafe {
                    d2d_readers_init(srcu, name.as_char_ptr(), key.as_ptr())
                })
            }),
        })
    }

    pub(crate) fn as_raw(&self) -> *mut bindings::srcu_struct {
        self.srcu.get()
    }

    /// Counts the calling thread as inside, and then reads `place`. The thread is inside until it drops the first
    /// result. If a thread changes `place` and then calls [`Readers::wait`], no thread that has read the old value is
    /// inside when `wait` returns. Any context but NMI.
    ///
    /// If `tell_lockdep` is set, lockdep treats the reader as a lock that the thread holds, and finds deadlocks with
    /// threads that wait for the readers. Lockdep connects a new lock only with the last lock that the thread has
    /// taken. Nearly all code runs inside an exported function. If a thread took lock X, entered as such a reader, and
    /// took lock Y, lockdep would connect the reader with Y, but not X with Y. Therefore, the exported functions do not
    /// set `tell_lockdep`.
    #[inline]
    pub fn enter<T>(&self, place: &Atomic<*mut T>, tell_lockdep: bool) -> (Inside<'_>, *mut T) {
        // INVARIANT: `readers_enter` has counted the thread in these counters.
        let inside = Inside {
            readers: self,
            counters: arch::readers_enter(self, tell_lockdep),
            tell_lockdep,
            _not_send: NotThreadSafe,
        };
        (inside, AtomicWord::load_acquire(place))
    }

    /// Stops counting the calling thread as inside. Any context but NMI.
    ///
    /// # Safety
    ///
    /// The calling thread has got `counters` by [`Inside::into_raw`] of these readers, with this `tell_lockdep`, and
    /// passes them once.
    pub(crate) unsafe fn leave(&self, counters: *mut c_void, tell_lockdep: bool) {
        // INVARIANT: By the caller, the thread was counted in these counters.
        drop(Inside {
            readers: self,
            counters: counters.cast(),
            tell_lockdep,
            _not_send: NotThreadSafe,
        });
    }

    /// Returns how often a thread has entered, and how many threads are inside, both approximately. Any context.
    pub fn count(&self) -> (u64, u64) {
        let (mut entered, mut inside) = (0, 0);
        d2d_readers_count(self, &mut entered, &mut inside);
        (entered, inside)
    }

    /// Waits until all threads that are inside now have left. May sleep.
    pub fn wait(&self) {
        // SAFETY: By the type invariants `srcu` is initialized.
        unsafe { bindings::synchronize_srcu(self.as_raw()) };
    }

    /// As [`Readers::wait`]. After 100 ms, calls `end_waits` again and again. May sleep.
    pub fn wait_and_end_waits<F: Fn()>(&self, end_waits: F) {
        /// # Safety
        ///
        /// `end_waits` points to an `F`.
        unsafe extern "C" fn call<F: Fn()>(end_waits: *mut c_void) {
            // SAFETY: By the caller, `end_waits` points to an `F`. It is only used by shared reference.
            unsafe { (*end_waits.cast_const().cast::<F>())() };
        }

        let data = core::ptr::from_ref(&end_waits).cast_mut().cast();
        // SAFETY: `srcu` is initialized. `data` points to an `F` that lives until `d2d_readers_wait()` has returned,
        // and `call::<F>` is not called after that.
        unsafe { d2d_readers_wait(self.as_raw(), call::<F>, data) };
    }
}

#[pinned_drop]
impl PinnedDrop for Readers {
    fn drop(self: Pin<&mut Self>) {
        // Not `warn_on!`: it uses sources that the kernel's build generates, and that a distribution may leave out.
        if WARN_ON(self.count().1 > 0) {
            // An `Inside` was passed to `mem::forget`. Waiting for ever is better than freeing memory that a thread
            // inside uses.
            self.wait();
        }
        // SAFETY: By the type invariants `srcu` is initialized. No thread is inside, and none can enter a value that
        // is being dropped.
        unsafe { bindings::cleanup_srcu_struct(self.as_raw()) };
    }
}

/// Proof that the thread is inside [`Readers`], until it drops the proof.
///
/// # Invariants
///
/// `readers_enter` has counted the thread in `counters` of `readers`, with this `tell_lockdep`.
pub struct Inside<'a> {
    readers: &'a Readers,
    counters: *mut bindings::srcu_ctr,
    tell_lockdep: bool,
    _not_send: NotThreadSafe,
}

impl Inside<'_> {
    /// Keeps the thread inside, until it passes the result to [`Readers::leave`].
    pub(crate) fn into_raw(self) -> *mut c_void {
        let counters = self.counters;
        core::mem::forget(self);
        counters.cast()
    }
}

impl Drop for Inside<'_> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: By the type invariants `readers_enter` has returned these counters, with this `tell_lockdep`.
        unsafe { arch::readers_leave(self.readers, self.counters, self.tell_lockdep) };
    }
}

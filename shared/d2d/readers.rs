// SPDX-License-Identifier: GPL-2.0

//! The threads inside a [`Rundown`](crate::rundown::Rundown) or inside the owner's entry points, counted as
//! fast readers of the kernel's sleepable RCU.
//!
//! C header: [`include/linux/srcu.h`](srctree/include/linux/srcu.h)
//!
//! The kernel crate's `Srcu` has the readers with two memory barriers, each behind a call. Those of
//! `srcu_read_lock_fast()` have none: the side that waits bears the cost.

use crate::arch;
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

/// The threads that are inside.
///
/// # Invariants
///
/// It is an initialized `struct srcu_struct` for fast readers.
#[pin_data(PinnedDrop)]
#[repr(transparent)]
pub struct Readers {
    #[pin]
    srcu: Opaque<bindings::srcu_struct>,
}

// SAFETY: A `struct srcu_struct` may be used and freed by any thread.
unsafe impl Send for Readers {}
// SAFETY: As above.
unsafe impl Sync for Readers {}

#[allow(improper_ctypes, reason = "some are empty without lockdep")]
extern "C" {
    /// Defined in `shared/d2d/readers.c`.
    fn d2d_readers_init(
        srcu: *mut bindings::srcu_struct,
        name: *const c_char,
        key: *mut bindings::lock_class_key,
    ) -> c_int;

    /// Defined in `shared/d2d/readers.c`.
    fn d2d_readers_wait(
        srcu: *mut bindings::srcu_struct,
        end_waits: unsafe extern "C" fn(*mut c_void),
        data: *mut c_void,
    );
}

impl Readers {
    /// Makes it, with nobody inside. May sleep.
    pub(crate) fn new(
        name: &'static CStr,
        key: Pin<&'static LockClassKey>,
    ) -> impl PinInit<Self, Error> {
        // INVARIANT: It is initialized.
        try_pin_init!(Self {
            srcu <- Opaque::try_ffi_init(|srcu| {
                // SAFETY: There is room for it, and it is pinned; name and key are static.
                to_result(unsafe {
                    d2d_readers_init(srcu, name.as_char_ptr(), key.as_ptr())
                })
            }),
        })
    }

    /// # Safety
    ///
    /// As the invariants of the type say, for `'a`.
    pub unsafe fn from_raw<'a>(srcu: *mut bindings::srcu_struct) -> &'a Self {
        // SAFETY: `srcu` is initialized for fast readers and lives for `'a`; the type is
        // transparent.
        unsafe { &*srcu.cast() }
    }

    pub(crate) fn as_raw(&self) -> *mut bindings::srcu_struct {
        self.srcu.get()
    }

    /// Goes inside, until the result is dropped, and returns what `place` has then. After a thread has
    /// changed `place` and called [`Readers::wait`], no thread is inside that has seen the old value. Any
    /// context but NMI.
    ///
    /// lockdep looks for deadlocks of threads that wait for a reader if the reader is `seen`. The entry points are
    /// not: nearly everything runs inside them, so they would hide other readers from lockdep.
    #[inline]
    pub fn enter<T>(&self, place: &Atomic<*mut T>, seen: bool) -> (Inside<'_>, *mut T) {
        // SAFETY: By the type invariants.
        let counters = unsafe { arch::readers_enter(self.srcu.get(), seen) };
        // INVARIANT: These are the counters.
        let inside = Inside {
            readers: self,
            counters,
            seen,
            _not_send: NotThreadSafe,
        };
        (inside, arch::load_acquire(place))
    }

    /// Waits until all threads that are inside now have left. May sleep.
    pub fn wait(&self) {
        // SAFETY: By the type invariants.
        unsafe { bindings::synchronize_srcu(self.srcu.get()) };
    }

    /// As [`Readers::wait`]. Calls `end_waits` after 100 ms, and again until all readers have left:
    /// `end_waits` ends what the readers may be waiting for. May sleep.
    pub(crate) fn wait_and<F: Fn()>(&self, end_waits: F) {
        /// # Safety
        ///
        /// `end_waits` points to an `F`.
        unsafe extern "C" fn call<F: Fn()>(end_waits: *mut c_void) {
            // SAFETY: `end_waits` points to an `F`, which nobody writes to.
            unsafe { (*end_waits.cast_const().cast::<F>())() };
        }

        let data = core::ptr::from_ref(&end_waits).cast_mut().cast();
        // SAFETY: The `struct srcu_struct` is initialized. `data` points to an `F`, which lives until
        // `d2d_readers_wait()` has returned; `call::<F>` is not called after that.
        unsafe { d2d_readers_wait(self.srcu.get(), call::<F>, data) };
    }
}

#[pinned_drop]
impl PinnedDrop for Readers {
    fn drop(self: Pin<&mut Self>) {
        if kernel::warn_on!(
            // SAFETY: By the type invariants.
            unsafe { bindings::srcu_readers_active(self.srcu.get()) }
        ) {
            // Somebody has forgotten to leave. It is better to wait for ever than to free it.
            self.wait();
        }
        // SAFETY: By the type invariants; nobody is inside, and nobody can enter any more.
        unsafe { bindings::cleanup_srcu_struct(self.srcu.get()) };
    }
}

/// Somebody is inside.
///
/// # Invariants
///
/// `counters` are those that have counted it.
pub struct Inside<'a> {
    readers: &'a Readers,
    counters: *mut bindings::srcu_ctr,
    seen: bool,
    _not_send: NotThreadSafe,
}

impl Drop for Inside<'_> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: By the type invariants.
        unsafe { arch::readers_leave(self.readers.srcu.get(), self.counters, self.seen) };
    }
}

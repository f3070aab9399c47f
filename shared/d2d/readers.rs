// SPDX-License-Identifier: GPL-2.0

//! Who is inside, counted by the kernel's sleepable RCU, as its fast readers are: what is inside a
//! [`Rundown`](crate::rundown::Rundown), and in the owner's entry points.
//!
//! C header: [`include/linux/srcu.h`](srctree/include/linux/srcu.h)
//!
//! The kernel crate's `Srcu` has the readers with two memory barriers, each behind a call. Those of
//! `srcu_read_lock_fast()` have none: the side that waits bears the cost. On x86 entering is the same
//! instructions as in C; elsewhere, and where lockdep looks on, it is a call of the C function
//! (`shared/owner/readers.c`).

use kernel::{
    bindings,
    error::to_result,
    ffi::{
        c_char,
        c_int, //
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

/// Those who are inside.
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
    /// Defined in `readers.c`.
    fn d2d_readers_init(
        srcu: *mut bindings::srcu_struct,
        name: *const c_char,
        key: *mut bindings::lock_class_key,
    ) -> c_int;
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
        // SAFETY: By the requirements; the type is transparent.
        unsafe { &*srcu.cast() }
    }

    pub(crate) fn as_raw(&self) -> *mut bindings::srcu_struct {
        self.srcu.get()
    }

    /// Goes inside, until the result is dropped, and returns what `place` has then. Whoever changes
    /// `place` and then calls [`Readers::wait`] knows afterwards that nobody who has seen what was
    /// there before is inside. Any context but NMI.
    #[inline]
    pub fn enter<T>(&self, place: &Atomic<*mut T>) -> (Inside<'_>, *mut T) {
        // SAFETY: By the type invariants.
        let (counters, value) = unsafe { arch::enter(self.srcu.get(), place) };
        (
            Inside {
                readers: self,
                counters,
                _not_send: NotThreadSafe,
            },
            value,
        )
    }

    /// Waits until all have left who are inside now. May sleep.
    pub fn wait(&self) {
        // SAFETY: By the type invariants.
        unsafe { bindings::synchronize_srcu(self.srcu.get()) };
    }
}

#[pinned_drop]
impl PinnedDrop for Readers {
    fn drop(self: Pin<&mut Self>) {
        // SAFETY: By the type invariants.
        if kernel::warn_on!(unsafe { bindings::srcu_readers_active(self.srcu.get()) }) {
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
    _not_send: NotThreadSafe,
}

impl Drop for Inside<'_> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: By the type invariants.
        unsafe { arch::leave(self.readers.srcu.get(), self.counters) };
    }
}

#[cfg(all(CONFIG_X86_64, not(CONFIG_UML), not(CONFIG_DEBUG_LOCK_ALLOC)))]
mod arch {
    use core::{
        arch::asm,
        mem::offset_of, //
    };
    use kernel::{
        bindings::{
            srcu_ctr,
            srcu_struct, //
        },
        sync::atomic::Atomic,
    };

    /// As `srcu_read_lock_fast()` and a load-acquire.
    ///
    /// # Safety
    ///
    /// `srcu` is initialized for fast readers.
    #[inline(always)]
    pub(super) unsafe fn enter<T>(
        srcu: *mut srcu_struct,
        place: &Atomic<*mut T>,
    ) -> (*mut srcu_ctr, *mut T) {
        let value;
        // SAFETY: By the requirements; the field is written while others read it.
        let counters = unsafe { (&raw const (*srcu).srcu_ctrp).read_volatile() };
        // SAFETY: The counters are per-CPU, in which GS leads to those of this CPU. The instruction
        // cannot be interrupted, loads are not reordered, and what asm! may touch is all memory, so
        // that nothing moves across it.
        unsafe {
            asm!(
                "inc qword ptr gs:[{counters} + {locks}]",
                "mov {value}, qword ptr [{place}]",
                counters = in(reg) counters,
                locks = const offset_of!(srcu_ctr, srcu_locks),
                place = in(reg) place.as_ptr(),
                value = lateout(reg) value,
                options(nostack),
            );
        }
        (counters, value)
    }

    /// As `srcu_read_unlock_fast()`.
    ///
    /// # Safety
    ///
    /// `counters` are those that `enter` has returned.
    #[inline(always)]
    pub(super) unsafe fn leave(_srcu: *mut srcu_struct, counters: *mut srcu_ctr) {
        // SAFETY: As above.
        unsafe {
            asm!(
                "inc qword ptr gs:[{counters} + {unlocks}]",
                counters = in(reg) counters,
                unlocks = const offset_of!(srcu_ctr, srcu_unlocks),
                options(nostack),
            );
        }
    }
}

#[cfg(not(all(CONFIG_X86_64, not(CONFIG_UML), not(CONFIG_DEBUG_LOCK_ALLOC))))]
mod arch {
    use kernel::{
        bindings::{
            srcu_ctr,
            srcu_struct, //
        },
        sync::atomic::{
            ordering::Acquire,
            Atomic, //
        },
    };

    #[allow(
        improper_ctypes,
        reason = "some are empty without lockdep"
    )]
    extern "C" {
        fn d2d_readers_enter(srcu: *mut srcu_struct) -> *mut srcu_ctr;
        fn d2d_readers_leave(srcu: *mut srcu_struct, counters: *mut srcu_ctr);
    }

    /// As `srcu_read_lock_fast()` and a load-acquire.
    ///
    /// # Safety
    ///
    /// `srcu` is initialized for fast readers.
    #[inline]
    pub(super) unsafe fn enter<T>(
        srcu: *mut srcu_struct,
        place: &Atomic<*mut T>,
    ) -> (*mut srcu_ctr, *mut T) {
        // SAFETY: By the requirements.
        let counters = unsafe { d2d_readers_enter(srcu) };
        (counters, place.load(Acquire))
    }

    /// As `srcu_read_unlock_fast()`.
    ///
    /// # Safety
    ///
    /// `counters` are those that `enter` has returned.
    #[inline]
    pub(super) unsafe fn leave(srcu: *mut srcu_struct, counters: *mut srcu_ctr) {
        // SAFETY: By the requirements.
        unsafe { d2d_readers_leave(srcu, counters) };
    }
}

// SPDX-License-Identifier: GPL-2.0

//! What is one instruction where the kernel crate has a call.
//!
//! The kernel crate's atomic operations are calls of helpers in C, and it has none for SRCU's fast readers.
//! On x86 these are the instructions that a C compiler makes of the kernel's macros. Elsewhere, and
//! with lockdep, which follows each reader, they are calls: of the helpers, and of
//! `shared/d2d/readers.c`.

#[cfg(all(CONFIG_X86_64, not(CONFIG_UML), not(CONFIG_DEBUG_LOCK_ALLOC)))]
mod imp {
    use core::{
        arch::asm,
        mem::offset_of, //
    };
    use kernel::{
        bindings::{
            srcu_ctr,
            srcu_struct, //
        },
        sync::atomic::Atomic, //
    };

    #[inline(always)]
    pub(crate) fn load_acquire<T>(place: &Atomic<*mut T>) -> *mut T {
        let value;
        // SAFETY: The place is valid for reads. x86 does not reorder loads, and what asm! may touch is
        // all memory, so that nothing moves across it.
        unsafe {
            asm!(
                "mov {value}, qword ptr [{place}]",
                place = in(reg) place.as_ptr(),
                value = lateout(reg) value,
                options(nostack, preserves_flags),
            );
        }
        value
    }

    /// # Safety
    ///
    /// As that of the function of the same name below.
    #[inline(always)]
    pub(crate) unsafe fn readers_enter(srcu: *mut srcu_struct, _seen: bool) -> *mut srcu_ctr {
        // SAFETY: `srcu` is initialized; the field is written while others read it.
        let counters = unsafe { (&raw const (*srcu).srcu_ctrp).read_volatile() };
        // SAFETY: The counters are per-CPU, in which GS leads to those of this CPU. An instruction is not
        // interrupted, and nothing moves across asm!.
        unsafe {
            asm!(
                "inc qword ptr gs:[{counters} + {locks}]",
                counters = in(reg) counters,
                locks = const offset_of!(srcu_ctr, srcu_locks),
                options(nostack),
            );
        }
        counters
    }

    /// # Safety
    ///
    /// As that of the function of the same name below.
    #[inline(always)]
    pub(crate) unsafe fn readers_leave(
        _srcu: *mut srcu_struct,
        counters: *mut srcu_ctr,
        _seen: bool,
    ) {
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
mod imp {
    use kernel::{
        bindings::{
            srcu_ctr,
            srcu_struct, //
        },
        sync::atomic::{
            ordering::Acquire,
            Atomic, //
        }, //
    };

    #[inline]
    pub(crate) fn load_acquire<T>(place: &Atomic<*mut T>) -> *mut T {
        place.load(Acquire)
    }

    #[allow(improper_ctypes, reason = "some are empty without lockdep")]
    extern "C" {
        #[link_name = "d2d_readers_enter"]
        pub(crate) fn readers_enter(srcu: *mut srcu_struct, seen: bool) -> *mut srcu_ctr;
        #[link_name = "d2d_readers_leave"]
        pub(crate) fn readers_leave(srcu: *mut srcu_struct, counters: *mut srcu_ctr, seen: bool);
    }
}

use kernel::{
    bindings::{
        srcu_ctr,
        srcu_struct, //
    },
    sync::atomic::Atomic, //
};

/// `smp_load_acquire()`.
#[inline(always)]
pub(crate) fn load_acquire<T>(place: &Atomic<*mut T>) -> *mut T {
    imp::load_acquire(place)
}

/// `srcu_read_lock_fast()`; `seen` by lockdep or not. Any context but NMI.
///
/// # Safety
///
/// `srcu` is initialized for fast readers.
#[inline(always)]
pub(crate) unsafe fn readers_enter(srcu: *mut srcu_struct, seen: bool) -> *mut srcu_ctr {
    // SAFETY: `srcu` is initialized for fast readers.
    unsafe { imp::readers_enter(srcu, seen) }
}

/// `srcu_read_unlock_fast()`.
///
/// # Safety
///
/// `counters` are those that [`readers_enter`] has returned for `srcu`, which was `seen` or not.
#[inline(always)]
pub(crate) unsafe fn readers_leave(srcu: *mut srcu_struct, counters: *mut srcu_ctr, seen: bool) {
    // SAFETY: `counters` are those that `readers_enter` has returned for `srcu`, with the same
    // `seen`.
    unsafe { imp::readers_leave(srcu, counters, seen) };
}

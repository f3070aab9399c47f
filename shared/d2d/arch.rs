// SPDX-License-Identifier: GPL-2.0

//! Operations that are one instruction here, and a call in the kernel crate.
//!
//! The kernel crate implements atomic operations by calls of C helpers, and has no functions for
//! SRCU's fast readers. On x86, this file has the instructions that a C compiler makes of the
//! kernel's macros. On other architectures, and with lockdep, which follows each reader, it calls
//! the kernel crate and `shared/d2d/readers.c`.

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
        // SAFETY: `place` is valid for reads. x86 does not reorder loads, and the compiler moves no
        // access to memory across an asm! that may access memory.
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
    /// As for the public function of the same name.
    #[inline(always)]
    pub(crate) unsafe fn readers_enter(srcu: *mut srcu_struct, _seen: bool) -> *mut srcu_ctr {
        // SAFETY: `srcu` is initialized. Another thread may change the field at the same time, so
        // the read is volatile.
        let counters = unsafe { (&raw const (*srcu).srcu_ctrp).read_volatile() };
        // SAFETY: The counters are per-CPU data: GS holds the offset of this CPU's data. One
        // instruction is not interrupted, and the compiler moves no access to memory across the
        // asm!.
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
    /// As for the public function of the same name.
    #[inline(always)]
    pub(crate) unsafe fn readers_leave(
        _srcu: *mut srcu_struct,
        counters: *mut srcu_ctr,
        _seen: bool,
    ) {
        // SAFETY: As in `readers_enter`, which returned these counters.
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

    #[allow(improper_ctypes, reason = "a type has empty parts without lockdep")]
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

/// `srcu_read_lock_fast()`. lockdep looks for deadlocks with this reader if it is `seen`. Any
/// context but NMI.
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
/// `counters` are those that [`readers_enter`] returned for `srcu` and the same `seen`.
#[inline(always)]
pub(crate) unsafe fn readers_leave(srcu: *mut srcu_struct, counters: *mut srcu_ctr, seen: bool) {
    // SAFETY: `counters` are those that `readers_enter` returned for `srcu` and the same `seen`.
    unsafe { imp::readers_leave(srcu, counters, seen) };
}

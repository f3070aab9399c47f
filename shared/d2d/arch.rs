// SPDX-License-Identifier: GPL-2.0

//! Counts the fast readers of SRCU. The kernel crate has no functions for them.
//!
//! On x86 without lockdep, each function has the instruction that a C compiler makes of the
//! kernel's macro. For other kernels, the functions are in `shared/d2d/readers.c`.

#[cfg(all(CONFIG_X86_64, not(CONFIG_UML), not(CONFIG_DEBUG_LOCK_ALLOC)))]
mod readers {
    use crate::readers::Readers;
    use core::{
        arch::asm,
        mem::offset_of, //
    };
    use kernel::bindings::srcu_ctr;

    /// `srcu_read_lock_fast()`. There is no lockdep here: only `readers.c` uses `tell_lockdep`. Any
    /// context but NMI.
    #[inline(always)]
    pub(crate) fn readers_enter(readers: &Readers, _tell_lockdep: bool) -> *mut srcu_ctr {
        // SAFETY: By the type invariants of `Readers`, the structure is initialized. Another thread
        // may change `srcu_ctrp`, so the read is volatile. By GS, the instruction reaches this
        // CPU's counters, and as one instruction it cannot be interrupted. The compiler moves no
        // access to memory across the asm!.
        unsafe {
            let counters = (&raw const (*readers.as_raw()).srcu_ctrp).read_volatile();
            asm!(
                "inc qword ptr gs:[{counters} + {locks}]",
                counters = in(reg) counters,
                locks = const offset_of!(srcu_ctr, srcu_locks),
                options(nostack),
            );
            counters
        }
    }

    /// `srcu_read_unlock_fast()`.
    ///
    /// # Safety
    ///
    /// [`readers_enter`] has returned `counters` for the same `readers` and `tell_lockdep`.
    #[inline(always)]
    pub(crate) unsafe fn readers_leave(
        _readers: &Readers,
        counters: *mut srcu_ctr,
        _tell_lockdep: bool,
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
mod readers {
    use crate::readers::Readers;
    use kernel::bindings::srcu_ctr;

    #[allow(improper_ctypes, reason = "a type has empty parts without lockdep")]
    unsafe extern "C" {
        #[link_name = "d2d_readers_enter"]
        pub(crate) safe fn readers_enter(readers: &Readers, tell_lockdep: bool) -> *mut srcu_ctr;

        #[link_name = "d2d_readers_leave"]
        pub(crate) unsafe fn readers_leave(
            readers: &Readers,
            counters: *mut srcu_ctr,
            tell_lockdep: bool,
        );
    }
}

pub(crate) use readers::{
    readers_enter,
    readers_leave, //
};

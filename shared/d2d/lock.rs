// SPDX-License-Identifier: GPL-2.0

//! A spinlock for data of the library, taken in any context as by `spin_lock_irqsave()`.
//!
//! Taking the kernel crate's `SpinLockIrq` costs about one and a half times as much, because its guards may be dropped
//! in any order. A guard of this lock restores the interrupt flag that it found. So this guard and all others that
//! disable interrupts must be dropped in the reverse order of their making. Otherwise interrupts are enabled while a
//! `LocalInterruptDisabled` still lives. The type does not enforce that order. So no driver can name it: `d2d` and
//! `d2d_owner` each compile this file as a private module. These two crates keep to the order, and call no code of a
//! driver with such a lock held.
//!
//! Kernels before 7.3 have neither `LocalInterruptDisabled` nor `SpinLockIrq`. For these kernels, `d2d_kernel` gives
//! drivers this lock under the name `SpinLockIrq` (`shared/compat/spinlock_irq.rs`). A driver that drops its guards in
//! another order can hang the machine, but does not let two threads use the data.

use kernel::{
    bindings,
    build_error,
    ffi::{
        c_char,
        c_ulong, //
    },
    sync::lock::{
        Backend,
        Lock, //
    }, //
};

/// The [`Backend`] of an [`IrqLock`]: a `spinlock_t` of C, taken with interrupts disabled.
#[allow(unreachable_pub, reason = "`d2d_kernel` makes it public")]
pub struct IrqSave;

/// A [`Lock`] that is taken in any context but NMI.
#[allow(unreachable_pub, reason = "`d2d_kernel` makes it public")]
pub type IrqLock<T> = Lock<T, IrqSave>;

/// Makes an [`IrqLock`] with a lock class of its own.
#[allow(unused_macros, reason = "only `d2d_owner` makes such locks")]
macro_rules! new_irq_lock {
    ($inner:expr, $name:literal $(,)?) => {
        $crate::lock::IrqLock::new($inner, kernel::c_str!($name), kernel::static_lock_class!())
    };
}
#[allow(unused_imports, reason = "as above")]
pub(crate) use new_irq_lock;

/// Returns the raw lock of which a `spinlock_t` consists, except on PREEMPT_RT, which `d2d.h` refuses.
fn raw(lock: *mut bindings::spinlock_t) -> *mut bindings::raw_spinlock_t {
    lock.cast()
}

// SAFETY: It is the kernel's spinlock, which at most one thread holds at a time.
unsafe impl Backend for IrqSave {
    type State = bindings::spinlock_t;
    /// The interrupt flag, as it was before the lock was taken.
    type GuardState = c_ulong;

    #[inline]
    unsafe fn init(
        lock: *mut Self::State,
        name: *const c_char,
        key: *mut bindings::lock_class_key,
    ) {
        // SAFETY: By the caller, there is memory for the lock, and name and class live as long as the lock.
        unsafe { bindings::__spin_lock_init(lock, name, key) }
    }

    #[inline]
    unsafe fn lock(lock: *mut Self::State) -> c_ulong {
        // SAFETY: The caller has initialized the lock. This is what spin_lock_irqsave() calls.
        unsafe { bindings::_raw_spin_lock_irqsave(raw(lock)) }
    }

    #[inline]
    unsafe fn try_lock(_lock: *mut Self::State) -> Option<c_ulong> {
        build_error!("what spin_trylock_irqsave() consists of is not exported")
    }

    #[inline]
    unsafe fn unlock(lock: *mut Self::State, flags: &c_ulong) {
        // SAFETY: The caller holds the lock, and `flags` is what `lock` returned.
        unsafe { bindings::_raw_spin_unlock_irqrestore(raw(lock), *flags) }
    }

    /// Has nothing to check: only `lock` makes a guard, so the lock is held.
    #[inline]
    unsafe fn assert_is_held(_lock: *mut Self::State) {}
}

// SPDX-License-Identifier: GPL-2.0

//! The spinlock of what drivers share: taken in any context, as `spin_lock_irqsave()` takes it.
//!
//! The kernel crate's `SpinLockIrq` counts how often interrupts are disabled, so that its guards may be
//! dropped in any order; each taking costs about half as much again. Whoever uses this one drops
//! guards in the reverse order, which is why it is hidden from drivers: no function of theirs runs under
//! it.

use kernel::{
    bindings,
    build_error,
    ffi::{
        c_char,
        c_ulong, //
    },
    sync::lock::{
        Backend,
        Guard,
        Lock, //
    }, //
};

/// What makes a [`Lock`] of a C `spinlock_t`, with interrupts disabled while it is held.
pub struct IrqSave;

/// Data that may be used in any context but NMI.
pub type IrqLock<T> = Lock<T, IrqSave>;

/// That the lock is held.
pub type IrqGuard<'a, T> = Guard<'a, T, IrqSave>;

/// Makes an [`IrqLock`] with a lock class of its own.
#[doc(hidden)]
#[macro_export]
macro_rules! new_irq_lock {
    ($inner:expr, $name:literal) => {
        $crate::lock::IrqLock::new(
            $inner,
            ::kernel::c_str!($name),
            ::kernel::static_lock_class!(),
        )
    };
}

/// The raw lock that a spinlock consists of where spinlocks do not sleep, which is everywhere but
/// under PREEMPT_RT.
fn raw(lock: *mut bindings::spinlock_t) -> *mut bindings::raw_spinlock_t {
    lock.cast()
}

// SAFETY: It is the kernel's spinlock, which has one owner at a time.
unsafe impl Backend for IrqSave {
    type State = bindings::spinlock_t;
    /// Whether interrupts were enabled before.
    type GuardState = c_ulong;

    #[inline]
    unsafe fn init(
        lock: *mut Self::State,
        name: *const c_char,
        key: *mut bindings::lock_class_key,
    ) {
        // SAFETY: By the requirements.
        unsafe { bindings::__spin_lock_init(lock, name, key) }
    }

    #[inline]
    unsafe fn lock(lock: *mut Self::State) -> c_ulong {
        // SAFETY: By the requirements the lock is initialized; it is what spin_lock_irqsave() calls.
        unsafe { bindings::_raw_spin_lock_irqsave(raw(lock)) }
    }

    #[inline]
    unsafe fn try_lock(_lock: *mut Self::State) -> Option<c_ulong> {
        build_error!("what spin_trylock_irqsave() consists of is not exported")
    }

    #[inline]
    unsafe fn unlock(lock: *mut Self::State, flags: &c_ulong) {
        // SAFETY: By the requirements the lock is held, and these are the flags of its taking.
        unsafe { bindings::_raw_spin_unlock_irqrestore(raw(lock), *flags) }
    }

    /// Nothing: a guard is only made of a lock that was just taken, and lockdep knows without asking.
    #[inline]
    unsafe fn assert_is_held(_lock: *mut Self::State) {}
}

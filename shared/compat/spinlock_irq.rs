// SPDX-License-Identifier: GPL-2.0

//! The kernel crate's `SpinLockIrq`, for kernels that lack it. Unnecessary since 7.3.
//!
//! The kernel's `SpinLockIrq` counts how often interrupts were disabled, so its guards may be dropped in any
//! order. This one restores the interrupt flag that it found: its guards must be dropped in the
//! reverse order of locking. Otherwise interrupts are enabled while a lock is held, and stay
//! disabled afterwards. That can hang the machine, but does not let two threads use the data.

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

/// A spinlock that disables interrupts while it is held.
pub type SpinLockIrq<T> = Lock<T, SpinLockIrqBackend>;

/// The guard of a [`SpinLockIrq`].
pub type SpinLockIrqGuard<'a, T> = Guard<'a, T, SpinLockIrqBackend>;

/// The backend of [`SpinLockIrq`].
pub struct SpinLockIrqBackend;

/// Returns the raw lock that a `spinlock_t` consists of. The build refuses PREEMPT_RT, where that
/// is not so.
#[inline]
fn raw(lock: *mut bindings::spinlock_t) -> *mut bindings::raw_spinlock_t {
    lock.cast()
}

// SAFETY: It is the kernel's spinlock, which at most one thread holds at a time.
unsafe impl Backend for SpinLockIrqBackend {
    type State = bindings::spinlock_t;
    /// The interrupt flag, as it was before the lock was taken.
    type GuardState = c_ulong;

    #[inline]
    unsafe fn init(
        lock: *mut Self::State,
        name: *const c_char,
        key: *mut bindings::lock_class_key,
    ) {
        // SAFETY: The caller provides memory for the lock, and a name and a class that live as long
        // as the lock.
        unsafe { bindings::__spin_lock_init(lock, name, key) }
    }

    #[inline]
    unsafe fn lock(lock: *mut Self::State) -> c_ulong {
        // SAFETY: The caller has initialized the lock. This is what spin_lock_irqsave() calls.
        unsafe { bindings::_raw_spin_lock_irqsave(raw(lock)) }
    }

    #[inline]
    unsafe fn try_lock(_lock: *mut Self::State) -> Option<c_ulong> {
        build_error!("try_lock needs functions that the kernel does not export")
    }

    #[inline]
    unsafe fn unlock(lock: *mut Self::State, flags: &c_ulong) {
        // SAFETY: The caller holds the lock, and `flags` is what `lock` returned.
        unsafe { bindings::_raw_spin_unlock_irqrestore(raw(lock), *flags) }
    }

    #[inline]
    unsafe fn assert_is_held(lock: *mut Self::State) {
        // SAFETY: The caller has initialized the lock.
        unsafe { bindings::spin_assert_is_held(lock) }
    }
}

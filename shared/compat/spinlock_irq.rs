// SPDX-License-Identifier: GPL-2.0

//! The kernel crate's `SpinLockIrq`, for kernels that lack it.
//!
//! The kernel's `SpinLockIrq` counts how often interrupts were disabled, so its guards may be dropped in
//! any order. This one restores the interrupt flag that it has found, so its guards must be dropped in
//! the reverse order of locking. If they are not, interrupts are enabled while a lock is held, and stay
//! disabled afterwards. That can hang the machine, but two threads never use the data at the same time.

#[path = "../d2d/lock.rs"]
mod lock;

use kernel::sync::lock::Guard;

/// The backend of [`SpinLockIrq`].
pub use lock::IrqSave as SpinLockIrqBackend;

/// A spinlock that disables interrupts while it is held.
pub use lock::IrqLock as SpinLockIrq;

/// The guard of a [`SpinLockIrq`].
pub type SpinLockIrqGuard<'a, T> = Guard<'a, T, SpinLockIrqBackend>;

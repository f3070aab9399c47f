// SPDX-License-Identifier: GPL-2.0

//! Values that several threads read and write at the same time.

use core::cell::UnsafeCell;

/// A type that a processor reads or writes by one instruction.
///
/// # Safety
///
/// The type is a number or a pointer of at most 64 bits.
pub unsafe trait Scalar: Copy {}

// SAFETY: It is a number.
unsafe impl Scalar for u32 {}
// SAFETY: It is a number.
unsafe impl Scalar for i32 {}
// SAFETY: It is a number.
unsafe impl Scalar for u64 {}
// SAFETY: It is a number.
unsafe impl Scalar for usize {}
// SAFETY: It is a pointer.
unsafe impl<T> Scalar for *mut T {}

/// A value that threads read and write as by `READ_ONCE()` and `WRITE_ONCE()`. It orders nothing:
/// the order of accesses has to come from something else.
#[repr(transparent)]
pub struct Once<T: Scalar>(UnsafeCell<T>);

// SAFETY: All accesses are volatile and one instruction, as the kernel's memory model requires of
// accesses that race.
unsafe impl<T: Scalar> Sync for Once<T> {}
// SAFETY: The value is a number or an address, which any thread may have.
unsafe impl<T: Scalar> Send for Once<T> {}

impl<T: Scalar> Once<T> {
    /// Makes a cell with this value.
    pub const fn new(value: T) -> Self {
        Self(UnsafeCell::new(value))
    }

    /// Returns the value.
    #[inline(always)]
    pub fn get(&self) -> T {
        // SAFETY: The cell is valid for reads.
        unsafe { self.0.get().read_volatile() }
    }

    /// Replaces the value.
    #[inline(always)]
    pub fn set(&self, value: T) {
        // SAFETY: The cell is valid for writes.
        unsafe { self.0.get().write_volatile(value) };
    }
}

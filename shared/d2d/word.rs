// SPDX-License-Identifier: GPL-2.0

//! Atomic operations on a word, by one instruction where the architecture has one.
//!
//! The kernel crate calls a C helper for each atomic operation. This file does without helpers for reads and writes
//! that order nothing, and on x86 for all operations.

use kernel::sync::atomic::{
    Atomic,
    AtomicType, //
};

pub use words::read_barrier;

/// An atomic value that threads read and write by one instruction. The instruction orders no other access. Any context.
pub trait AtomicOnce<T> {
    /// `READ_ONCE()`.
    fn get(&self) -> T;

    /// `WRITE_ONCE()`.
    fn set(&self, value: T);
}

impl<T: AtomicType + Copy> AtomicOnce<T> for Atomic<T> {
    #[inline(always)]
    fn get(&self) -> T {
        // SAFETY: An `Atomic` is valid for reads. The library uses only numbers, `bool` and pointers here, for which a
        // volatile read is one instruction.
        unsafe { self.as_ptr().read_volatile() }
    }

    #[inline(always)]
    fn set(&self, value: T) {
        // SAFETY: An `Atomic` is valid for writes. As in `get`, a volatile write is one instruction.
        unsafe { self.as_ptr().write_volatile(value) };
    }
}

/// A `u64` or a pointer that several threads change atomically. Any context.
pub trait AtomicWord: AtomicType + Copy {
    /// `smp_load_acquire()`.
    fn load_acquire(place: &Atomic<Self>) -> Self;

    /// `smp_store_release()`.
    fn store_release(place: &Atomic<Self>, value: Self);

    /// `atomic64_xchg()`, fully ordered. Returns the previous value.
    fn xchg(place: &Atomic<Self>, value: Self) -> Self;

    /// `atomic64_try_cmpxchg()`, fully ordered if it stores `new`. Returns `old` then.
    ///
    /// # Errors
    ///
    /// The current value, if it is not `old`.
    fn cmpxchg(place: &Atomic<Self>, old: Self, new: Self) -> Result<Self, Self>;
}

#[cfg(CONFIG_X86_64)]
mod words {
    use super::{
        AtomicOnce as _,
        AtomicWord, //
    };
    use core::arch::asm;
    use kernel::sync::atomic::Atomic;

    /// `barrier()`.
    #[inline(always)]
    fn barrier() {
        // SAFETY: The asm! has no instruction.
        unsafe { asm!("", options(nostack, preserves_flags)) };
    }

    /// `smp_rmb()`. Any context.
    #[inline(always)]
    pub fn read_barrier() {
        // x86 does not reorder loads.
        barrier();
    }

    macro_rules! word {
        ([$($generic:ident)?] $type:ty) => {
            impl<$($generic)?> AtomicWord for $type {
                #[inline(always)]
                fn load_acquire(place: &Atomic<Self>) -> Self {
                    // x86 does not reorder a load with later loads and stores.
                    let value = place.get();
                    barrier();
                    value
                }

                #[inline(always)]
                fn store_release(place: &Atomic<Self>, value: Self) {
                    // x86 does not reorder a store with earlier loads and stores.
                    barrier();
                    place.set(value);
                }

                #[inline(always)]
                fn xchg(place: &Atomic<Self>, value: Self) -> Self {
                    let before;
                    // SAFETY: `place` is valid for reads and writes. `xchg` with memory is atomic without `lock`.
                    unsafe {
                        asm!(
                            "xchg qword ptr [{place}], {value}",
                            place = in(reg) place.as_ptr(),
                            value = inlateout(reg) value => before,
                            options(nostack, preserves_flags),
                        );
                    }
                    before
                }

                #[inline(always)]
                fn cmpxchg(place: &Atomic<Self>, old: Self, new: Self) -> Result<Self, Self> {
                    let before: Self;
                    // SAFETY: `place` is valid for reads and writes.
                    unsafe {
                        asm!(
                            "lock cmpxchg qword ptr [{place}], {new}",
                            place = in(reg) place.as_ptr(),
                            new = in(reg) new,
                            inlateout("rax") old => before,
                            options(nostack),
                        );
                    }
                    if before == old {
                        Ok(before)
                    } else {
                        Err(before)
                    }
                }
            }
        };
    }

    word!([] u64);
    word!([T] *mut T);
}

#[cfg(not(CONFIG_X86_64))]
mod words {
    use super::AtomicWord;
    use kernel::sync::{
        atomic::{
            ordering::{
                Acquire,
                Full,
                Release, //
            },
            Atomic, //
        },
        barrier::{
            smp_mb,
            Read, //
        }, //
    };

    /// `smp_rmb()`. Any context.
    #[inline]
    pub fn read_barrier() {
        smp_mb(Read);
    }

    macro_rules! word {
        ([$($generic:ident)?] $type:ty) => {
            impl<$($generic)?> AtomicWord for $type {
                #[inline]
                fn load_acquire(place: &Atomic<Self>) -> Self {
                    place.load(Acquire)
                }

                #[inline]
                fn store_release(place: &Atomic<Self>, value: Self) {
                    place.store(value, Release);
                }

                #[inline]
                fn xchg(place: &Atomic<Self>, value: Self) -> Self {
                    place.xchg(value, Full)
                }

                #[inline]
                fn cmpxchg(place: &Atomic<Self>, old: Self, new: Self) -> Result<Self, Self> {
                    place.cmpxchg(old, new, Full)
                }
            }
        };
    }

    word!([] u64);
    word!([T] *mut T);
}

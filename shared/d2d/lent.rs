// SPDX-License-Identifier: GPL-2.0

//! Lent memory: memory of one side of a context that the other side uses, too, such as a ring.
//!
//! C type: `struct d2d_lent`. Each side can lend one piece of memory in the handshake
//! ([`Driver::lend`](crate::driver::Driver::lend), `Owner::lend`): a structure of `lent` of [`pair!`](crate::pair!),
//! or several in a row. The [`Lending`] keeps the memory until the other side cannot use it any more:
//!
//! - A thread of the owner uses the peer's memory only while it is inside the peer
//!   ([`PeerCall::lent`](crate::link::PeerCall::lent)). Detaching waits until no thread is inside.
//! - The peer uses the owner's memory by its link ([`PeerLink::lent`](crate::link::PeerLink::lent)). The owner keeps
//!   that memory until the owner is unloaded.
//!
//! Lent memory consists of atomic variables only ([`Memory`]). Any thread of either side may read and write them at
//! any time, in any execution context. Check what you read: the other side may have written anything.

use crate::{
    abi,
    declaration::Described,
    fingerprint,
    interface::assert_described,
    probe,
    refuse, //
};
use core::{
    ffi::c_void,
    mem::size_of_val,
    ptr::NonNull, //
};
use kernel::{
    prelude::*,
    sync::{
        atomic::Atomic,
        Arc, //
    }, //
};

/// A type of which lent memory can consist. [`pair!`](crate::pair!) implements it for the structures in its `lent`.
///
/// # Safety
///
/// Any bytes are a value of the type. All that safe code can reach in a value are atomic variables.
pub unsafe trait Memory: Described + Send + Sync + 'static {}

macro_rules! atomics {
    ($($type:ty: $name:literal),* $(,)?) => {
        $(
            impl Described for Atomic<$type> {
                const TYPE: &'static crate::declaration::Type =
                    &crate::declaration::Type::plain::<Self>($name);
            }

            // SAFETY: It is an atomic variable, and any bytes are a number.
            unsafe impl Memory for Atomic<$type> {}
        )*
    };
}

atomics! {
    i32: "s32",
    u32: "u32",
    i64: "s64",
    u64: "u64",
}

// SAFETY: An array consists of values of a type that implements the trait.
unsafe impl<T: Memory, const N: usize> Memory for [T; N] {}

#[doc(hidden)]
pub const fn assert_memory<T: Memory>() {}

/// Makes a value whose bytes are all 0, in place: `Arc::pin_init(lent::zeroed(), GFP_KERNEL)`.
pub fn zeroed<T: Memory>() -> impl Init<T> {
    // SAFETY: The closure writes all bytes of the value, and any bytes are a value.
    unsafe {
        pin_init::init_from_closure(|slot: *mut T| {
            slot.write_bytes(0, 1);
            Ok(())
        })
    }
}

const fn hash<T: Memory>() -> u64 {
    const {
        assert_described::<T>();
        assert!(size_of::<T>() > 0, "lent memory must have a size");
        fingerprint::of_type(T::TYPE)
    }
}

trait Keeper: Send + Sync {}

impl<T: Send + Sync> Keeper for T {}

/// Memory that a driver lends, and what keeps the memory.
///
/// # Invariants
///
/// `lent` is the memory of a value, or of a slice of values, of a type that implements [`Memory`]. The values exist as
/// long as `keeper`.
pub struct Lending {
    lent: abi::d2d_lent,
    #[expect(dead_code, reason = "keeps the memory")]
    keeper: Arc<dyn Keeper>,
}

// SAFETY: Any thread may use the memory, and what keeps it is `Send` and `Sync`.
unsafe impl Send for Lending {}
// SAFETY: As for `Send`.
unsafe impl Sync for Lending {}

impl Lending {
    /// Lends the part of `memory` that `part` returns, such as a field of it. Any context.
    pub fn new<M, T>(memory: Arc<M>, part: impl FnOnce(&M) -> &T) -> Self
    where
        M: Send + Sync + 'static,
        T: Memory,
    {
        Self::slice(memory, |memory| core::slice::from_ref(part(memory)))
    }

    /// As [`Lending::new`], for a slice, such as the elements of a vector.
    pub fn slice<M, T>(memory: Arc<M>, part: impl FnOnce(&M) -> &[T]) -> Self
    where
        M: Send + Sync + 'static,
        T: Memory,
    {
        let values = part(&memory);
        let lent = abi::d2d_lent {
            memory: core::ptr::from_ref(values).cast_mut().cast(),
            size: size_of_val(values) as u64,
            hash: hash::<T>(),
        };
        // INVARIANT: The values borrow the content of the `Arc`. While `keeper` exists, the content does not move, and
        // nobody uses it by mutable reference.
        Self {
            lent,
            keeper: memory,
        }
    }

    #[doc(hidden)]
    pub fn as_raw(lending: Option<&Self>) -> abi::d2d_lent {
        lending.map_or(NOTHING, |lending| lending.lent)
    }

    /// Returns the address of `value`, which `driver` lends by `lending`, for use as a `user_buffer`. Any context.
    #[doc(hidden)]
    pub fn user_buffer<T: Memory>(
        lending: Option<&Self>,
        driver: &CStr,
        value: &T,
    ) -> Result<UserBuffer> {
        let lent = Lent::check(driver, &Self::as_raw(lending))?;
        // SAFETY: By the type invariants the values exist as long as `lending`, which is borrowed.
        let values = unsafe { lent.values::<T>(driver)? };
        if index_of(values, core::ptr::from_ref(value).addr()).is_none() {
            return Err(refuse!(driver, "user-buffer-not-lent", EFAULT));
        }
        // INVARIANT: `value` is one of the lent values.
        Ok(UserBuffer(NonNull::from(value).cast()))
    }
}

/// The address of a value that a driver lends, for
/// [`Packet::with_user_buffer`](crate::packet::Packet::with_user_buffer). It does not keep the memory. The receiver
/// compares it with the addresses of the values that are lent to the receiver, and never follows it.
///
/// # Invariants
///
/// It is the address of a value that the driver lends, or has lent.
#[derive(Clone, Copy)]
pub struct UserBuffer(NonNull<c_void>);

// SAFETY: The address is only compared and passed on.
unsafe impl Send for UserBuffer {}
// SAFETY: As for `Send`.
unsafe impl Sync for UserBuffer {}

impl UserBuffer {
    pub(crate) fn as_ptr(self) -> *mut c_void {
        self.0.as_ptr()
    }
}

pub(crate) fn index_of<T: Memory>(values: &[T], address: usize) -> Option<usize> {
    const { assert!(size_of::<T>() > 0, "lent memory must have a size") };
    let offset = address.wrapping_sub(values.as_ptr().addr());
    let index = offset / size_of::<T>();
    (offset % size_of::<T>() == 0 && index < values.len()).then_some(index)
}

#[doc(hidden)]
pub const NOTHING: abi::d2d_lent = abi::d2d_lent {
    memory: core::ptr::null_mut(),
    size: 0,
    hash: 0,
};

/// A checked copy of what the other side states of its lent memory.
#[doc(hidden)]
#[derive(Clone, Copy)]
pub struct Lent(Option<Piece>);

/// # Invariants
///
/// `size` fits in an `isize`.
#[derive(Clone, Copy)]
struct Piece {
    memory: NonNull<u8>,
    size: usize,
    hash: u64,
}

// SAFETY: By the contract of `struct d2d_lent`, any thread may use the memory.
unsafe impl Send for Lent {}
// SAFETY: As for `Send`.
unsafe impl Sync for Lent {}

impl Lent {
    /// Fails with `EFAULT`, with a line in the name of `driver`, if the memory is empty or cannot be read.
    pub(crate) fn check(driver: &CStr, lent: &abi::d2d_lent) -> Result<Self> {
        let Some(memory) = NonNull::new(lent.memory.cast::<u8>()) else {
            return Ok(Self(None));
        };
        let is_readable = |at| probe::read(memory.as_ptr().wrapping_add(at)).is_some();
        let size = isize::try_from(lent.size)
            .ok()
            .and_then(|size| usize::try_from(size).ok())
            .filter(|size| *size > 0 && is_readable(0) && is_readable(size - 1));
        let Some(size) = size else {
            return Err(refuse!(driver, "bad-lent-memory", EFAULT, bytes: lent.size));
        };
        // INVARIANT: `size` fits in an `isize`.
        Ok(Self(Some(Piece {
            memory,
            size,
            hash: lent.hash,
        })))
    }

    /// Returns the lent values, or an error of [`PeerCall::lent`](crate::link::PeerCall::lent), with a line. Any
    /// context.
    ///
    /// # Safety
    ///
    /// The memory exists for `'a`.
    pub(crate) unsafe fn values<'a, T: Memory>(self, driver: &CStr) -> Result<&'a [T]> {
        let Some(piece) = self.0 else {
            return Err(refuse!(driver, "nothing-lent", ENODATA));
        };
        let expected = hash::<T>();
        if piece.hash != expected {
            return Err(refuse!(
                driver, "other-lent-type", EPROTOTYPE, got: piece.hash, expected: expected
            ));
        }
        let count = piece.size / size_of::<T>();
        if count == 0 {
            return Err(refuse!(
                driver, "lent-too-small", EMSGSIZE, got: piece.size, expected: size_of::<T>()
            ));
        }
        let memory = piece.memory.cast::<T>();
        if !memory.is_aligned() {
            return Err(refuse!(driver, "bad-lent-memory", EFAULT, bytes: piece.size));
        }
        // SAFETY: By the caller, the memory exists. By the contract of `struct d2d_lent`, memory with this hash
        // consists of values of this type, and both sides access them as atomic variables only. They are aligned, and
        // by the type invariants not too many for a slice.
        Ok(unsafe { core::slice::from_raw_parts(memory.as_ptr(), count) })
    }
}

#[cfg(d2d_tests)]
mod tests;

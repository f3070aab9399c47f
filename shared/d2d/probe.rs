// SPDX-License-Identifier: GPL-2.0

//! Access to memory by pointers that come from other drivers, and may be bad: see `d2d_nofault.h`.
//!
//! Reading has a side effect where a device is mapped. So no driver can name these items: `d2d` and `d2d_owner` each
//! compile this file as a private module. They read only the state of their own module, and addresses that another
//! driver has passed or has stored in a context.

use crate::abi;
use core::mem::{
    offset_of,
    MaybeUninit, //
};
use kernel::{
    bindings,
    ffi::c_char,
    page::PAGE_SIZE,
    prelude::*,
    task::Task, //
};

unsafe extern "C" {
    /// Copies from an address that may be bad. Returns whether all bytes could be read. Any context.
    ///
    /// # Safety
    ///
    /// `to` is valid for writes of `length` bytes.
    #[link_name = "d2d_nofault_read"]
    pub(crate) unsafe fn copy(to: *mut u8, from: *const u8, length: usize) -> bool;

    /// Copies to an address that may be bad. Returns whether all bytes could be written. Any context.
    ///
    /// # Safety
    ///
    /// `from` is valid for reads of `length` bytes. If `to` is valid for writes of them, nobody else uses that memory.
    #[link_name = "d2d_nofault_write"]
    pub(crate) unsafe fn copy_out(to: *mut u8, from: *const u8, length: usize) -> bool;

    /// Returns whether the first and the last byte can be written. `at` may be a bad address. Any context.
    ///
    /// # Safety
    ///
    /// `length` is not 0. If `at` is valid for writes of `length` bytes, nobody else uses that memory.
    #[link_name = "d2d_nofault_is_writable"]
    pub(crate) unsafe fn is_writable(at: *mut u8, length: usize) -> bool;
}

/// # Safety
///
/// Any bytes are a value of the type.
pub(crate) unsafe trait AnyBytes {}

macro_rules! any_bytes {
    ($($type:ty),* $(,)?) => {$(
        // SAFETY: The type consists of numbers, pointers and functions that may be `None`, without `bool` or
        // enumerations.
        unsafe impl AnyBytes for $type {}
    )*};
}

any_bytes! {
    u8,
    u32,
    u64,
    usize,
    *const bindings::module,
    abi::d2d_driver,
    abi::d2d_endpoint,
    abi::d2d_header,
    abi::d2d_ops,
    abi::d2d_record,
    abi::d2d_send,
}

/// As `to.copy_from(from, length)`, but does not call `memmove()` for the lengths that requests copy most.
///
/// # Safety
///
/// `from` is valid for reads of `length` bytes, and `to` for writes of them.
#[inline(always)]
unsafe fn copy_usual_lengths(to: *mut u8, from: *const u8, length: usize) {
    // The compiler copies at most this many bytes without a call, and a `struct d2d_send` is longer.
    const INLINE: usize = 64;
    const SEND: usize = size_of::<abi::d2d_send>();

    // SAFETY: By the caller, `from` and `to` are valid for `length` bytes. Each arm copies `length` bytes.
    unsafe {
        match length {
            4 => to.copy_from(from, 4),
            8 => to.copy_from(from, 8),
            SEND => {
                to.copy_from(from, INLINE);
                to.add(INLINE).copy_from(from.add(INLINE), SEND - INLINE);
            }
            _ => to.copy_from(from, length),
        }
    }
}

/// The stack of the calling task. A copy from or to it causes no fault.
///
/// # Invariants
///
/// `start` is the address of the calling task's stack, which is mapped as long as this task runs. The pointer `task`
/// makes this type neither `Send` nor `Sync`, so a value stays with the task that has called [`Stack::current`].
#[derive(Clone, Copy)]
pub(crate) struct Stack {
    task: *mut bindings::task_struct,
    start: usize,
}

impl Stack {
    const SIZE: usize = PAGE_SIZE << bindings::THREAD_SIZE_ORDER;

    #[inline(always)]
    pub(crate) fn current() -> Self {
        let task = Task::current_raw();
        // SAFETY: The calling task exists while it runs.
        let start = unsafe { (*task).stack }.addr();
        // INVARIANT: `start` is that of the calling task's stack.
        Self { task, start }
    }

    /// Returns a number that no other existing task has.
    #[inline(always)]
    pub(crate) fn task(self) -> u64 {
        self.task.addr() as u64
    }

    #[inline(always)]
    fn has<T>(self, at: *const T, length: usize) -> bool {
        let offset = at.addr().wrapping_sub(self.start);
        offset < Self::SIZE && length <= Self::SIZE - offset
    }

    /// As [`copy()`]; fast if `from` is on this stack.
    ///
    /// # Safety
    ///
    /// As for [`copy()`].
    #[inline(always)]
    pub(crate) unsafe fn copy(self, to: *mut u8, from: *const u8, length: usize) -> bool {
        // SAFETY: By the caller, `to` is valid for writes. If `from` is on the stack, it is valid for reads: by the
        // type invariants the stack is mapped.
        unsafe {
            if self.has(from, length) {
                copy_usual_lengths(to, from, length);
                return true;
            }
            copy(to, from, length)
        }
    }

    /// As [`read`], but into `to`; fast if `from` is on this stack.
    #[inline(always)]
    pub(crate) fn read_into<T: AnyBytes>(
        self,
        from: *const T,
        to: &mut MaybeUninit<T>,
    ) -> Option<&mut T> {
        // SAFETY: `to` has room for a `T`, of which any bytes are a value.
        let value = unsafe {
            self.copy(to.as_mut_ptr().cast(), from.cast(), size_of::<T>())
                .then(|| to.assume_init_mut())
        };
        value.filter(|_| from.is_aligned())
    }

    /// As [`copy_out`]; fast if `to` is on this stack.
    ///
    /// # Safety
    ///
    /// As for [`copy_out`].
    #[inline(always)]
    pub(crate) unsafe fn copy_out(self, to: *mut u8, from: *const u8, length: usize) -> bool {
        // SAFETY: By the caller, `from` is valid for reads, and nobody else uses the memory at `to`, if there is any.
        // If `to` is on the stack, it is valid for writes: by the type invariants the stack is mapped.
        unsafe {
            if self.has(to, length) {
                copy_usual_lengths(to, from, length);
                return true;
            }
            copy_out(to, from, length)
        }
    }

    /// As [`is_writable`]; fast if `at` is on this stack.
    ///
    /// # Safety
    ///
    /// As for [`is_writable`].
    #[inline(always)]
    pub(crate) unsafe fn is_writable(self, at: *mut u8, length: usize) -> bool {
        // SAFETY: By the caller, `length` is not 0, and nobody else uses the memory at `at`, if there is any.
        self.has(at, length) || unsafe { is_writable(at, length) }
    }
}

/// Returns whether a module is in this state; false if its memory cannot be read. Any context.
pub(crate) fn in_state(module: *const bindings::module, wanted: bindings::module_state) -> bool {
    read_at(module, offset_of!(bindings::module, state)) == Some(wanted)
}

/// Reads from an address that may be bad. Returns `None` if it is misaligned or null, or cannot be read. Any context.
pub(crate) fn read<T: AnyBytes>(from: *const T) -> Option<T> {
    if from.is_null() || !from.is_aligned() {
        return None;
    }
    let mut value = MaybeUninit::<T>::uninit();
    // SAFETY: `value` has room for a `T`, of which any bytes are a value.
    unsafe {
        copy(value.as_mut_ptr().cast(), from.cast(), size_of::<T>()).then(|| value.assume_init())
    }
}

/// As [`read`], for the field at this offset of a structure.
pub(crate) fn read_at<S, T: AnyBytes>(structure: *const S, offset: usize) -> Option<T> {
    read(structure.wrapping_byte_add(offset).cast())
}

/// As [`copy()`], for as many bytes as `to` has. On failure, `to` may have changed.
pub(crate) fn copy_bytes(to: &mut [u8], from: *const u8) -> bool {
    // SAFETY: `to` is valid for writes of its bytes.
    unsafe { copy(to.as_mut_ptr(), from, to.len()) }
}

/// A copy of another driver's string, cut off after `N - 1` bytes.
pub(crate) struct StringCopy<const N: usize> {
    /// The last byte is 0.
    bytes: [u8; N],
    complete: bool,
}

impl<const N: usize> StringCopy<N> {
    /// Reads a string from an address that may be bad. Returns `None` if the string cannot be read up to its end,
    /// or up to `N` bytes. Any context.
    pub(crate) fn read(from: *const c_char) -> Option<Self> {
        // An aligned word lies on one page: if one of its bytes can be read, all of it can be read.
        const WORD: usize = size_of::<u64>();

        let mut bytes = [0; N];
        let mut length = 0;
        while let Some(rest) = bytes.get_mut(length..).filter(|rest| !rest.is_empty()) {
            let at = from.cast::<u8>().wrapping_add(length);
            let count = rest.len().min(WORD - at.addr() % WORD);
            let word = &mut rest[..count];
            if !copy_bytes(word, at) {
                return None;
            }
            if let Some(end) = word.iter().position(|byte| *byte == 0) {
                word[end..].fill(0);
                return Some(Self {
                    bytes,
                    complete: true,
                });
            }
            length += count;
        }
        if let Some(last) = bytes.last_mut() {
            *last = 0;
        }
        Some(Self {
            bytes,
            complete: false,
        })
    }

    pub(crate) fn is_complete(&self) -> bool {
        self.complete
    }

    pub(crate) fn bytes(&self) -> &[u8; N] {
        &self.bytes
    }

    pub(crate) fn as_c_str(&self) -> &CStr {
        CStr::from_bytes_until_nul(&self.bytes).unwrap_or(c"?")
    }
}

/// An address that another driver has passed for a result. [`Output::new`] has checked that it can be written.
pub(crate) struct Output<T: Copy>(*mut T);

impl<T: Copy> Output<T> {
    /// Checks an address that may be bad. An exported function calls this before it has any effect. Returns `None` if
    /// the address is null or misaligned, or cannot be written. Any context.
    ///
    /// # Safety
    ///
    /// If `to` is valid for writes of a `T`, nobody else uses that memory until the result is dropped.
    pub(crate) unsafe fn new(to: *mut T) -> Option<Self> {
        if to.is_null() || !to.is_aligned() {
            return None;
        }
        // SAFETY: By the caller, nobody else uses the memory at `to`, if there is any.
        let is_writable = unsafe { is_writable(to.cast(), size_of::<T>()) };
        is_writable.then_some(Self(to))
    }

    /// Writes the result. Returns false if the address cannot be written any more. Any context.
    #[must_use]
    pub(crate) fn fill(self, value: T) -> bool {
        // SAFETY: `value` is valid for reads. By the caller of `new`, nobody else uses the memory at this address, if
        // there is any.
        unsafe { copy_out(self.0.cast(), (&raw const value).cast(), size_of::<T>()) }
    }
}

/// The text or the data of a module, without the parts that only its initialization uses: the kernel frees those early.
pub(crate) struct Part {
    base: usize,
    size: usize,
}

impl Part {
    /// Looks up the text of a module at an address that may be bad. Returns `None` if it cannot be read. Any context.
    pub(crate) fn text(module: *const bindings::module) -> Option<Self> {
        Self::of(module, bindings::mod_mem_type_MOD_TEXT)
    }

    /// As [`Part::text`], for the data that the module may write.
    pub(crate) fn data(module: *const bindings::module) -> Option<Self> {
        Self::of(module, bindings::mod_mem_type_MOD_DATA)
    }

    fn of(module: *const bindings::module, part: bindings::mod_mem_type) -> Option<Self> {
        if module.is_null() || !module.is_aligned() {
            return None;
        }
        let memory = module
            .wrapping_byte_add(offset_of!(bindings::module, mem))
            .cast::<bindings::module_memory>()
            .wrapping_add(part as usize);
        let size: u32 = read_at(memory, offset_of!(bindings::module_memory, size))?;
        Some(Self {
            base: read_at(memory, offset_of!(bindings::module_memory, base))?,
            size: size as usize,
        })
    }

    pub(crate) fn contains(&self, address: usize) -> bool {
        address.wrapping_sub(self.base) < self.size
    }

    pub(crate) fn contains_all(&self, addresses: [Option<usize>; 3]) -> bool {
        addresses.iter().flatten().all(|at| self.contains(*at))
    }
}

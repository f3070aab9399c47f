// SPDX-License-Identifier: GPL-2.0

//! Access to memory by pointers that come from other drivers, and may be bad.
//!
//! An access by a bad pointer fails, and does no harm. `d2d_nofault.h` says which pointers are bad.
//!
//! Reading has a side effect where a device is mapped. So no driver can name these items: `d2d` and
//! `d2d_owner` each compile this file as a private module. Both crates read only by addresses that
//! another driver has passed, and the fields of contexts that other drivers fill in.

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
    /// Copies `length` bytes from `from`, an address that may be bad. Any context.
    ///
    /// Returns whether all of them could be read.
    ///
    /// # Safety
    ///
    /// `to` is valid for writes of `length` bytes.
    #[link_name = "d2d_nofault_read"]
    pub(crate) unsafe fn copy(to: *mut u8, from: *const u8, length: usize) -> bool;

    /// Copies `length` bytes to `to`, an address that may be bad. Any context.
    ///
    /// Returns whether all of them could be written.
    ///
    /// # Safety
    ///
    /// `from` is valid for reads of `length` bytes. If `to` is valid for writes of `length` bytes,
    /// nobody else uses that memory.
    #[link_name = "d2d_nofault_write"]
    pub(crate) unsafe fn copy_out(to: *mut u8, from: *const u8, length: usize) -> bool;

    /// Returns whether the first byte and the last byte of the `length` bytes at `at` can be
    /// written. `at` may be a bad address. Any context.
    ///
    /// # Safety
    ///
    /// `length` is not 0. If `at` is valid for writes of `length` bytes, nobody else uses that
    /// memory.
    #[link_name = "d2d_nofault_is_writable"]
    pub(crate) unsafe fn is_writable(at: *mut u8, length: usize) -> bool;
}

/// A type of which any bytes are a value.
///
/// # Safety
///
/// Any bytes are a value of the type.
pub(crate) unsafe trait AnyBytes {}

macro_rules! any_bytes {
    ($($type:ty),* $(,)?) => {$(
        // SAFETY: The type consists of numbers, of pointers that may be null or invalid, and of
        // functions that may be `None`. It has no `bool` and no enumeration.
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

/// As `to.copy_from(from, length)`. The lengths that requests copy most are 4 or 8 bytes, or a
/// `struct d2d_send`. For these, it does not call `memmove()`.
///
/// # Safety
///
/// `from` is valid for reads of `length` bytes, and `to` for writes of them.
#[inline(always)]
unsafe fn copy_known(to: *mut u8, from: *const u8, length: usize) {
    // The compiler copies at most this many bytes without a call. A `struct d2d_send` is larger.
    const IN_PLACE: usize = 64;
    const SEND: usize = size_of::<abi::d2d_send>();

    // SAFETY: The caller says that `from` and `to` are valid for `length` bytes. Each arm copies
    // `length` bytes.
    unsafe {
        match length {
            4 => to.copy_from(from, 4),
            8 => to.copy_from(from, 8),
            SEND => {
                to.copy_from(from, IN_PLACE);
                to.add(IN_PLACE)
                    .copy_from(from.add(IN_PLACE), SEND - IN_PLACE);
            }
            _ => to.copy_from(from, length),
        }
    }
}

/// The stack of the calling task. All of the stack is mapped, so a copy from or to the stack causes
/// no fault.
///
/// # Invariants
///
/// `start` is the address of the calling task's stack. The pointer `task` makes this type neither
/// `Send` nor `Sync`, so a value stays with the task that has called [`Stack::current`]. The stack
/// is mapped as long as this task runs.
#[derive(Clone, Copy)]
pub(crate) struct Stack {
    task: *mut bindings::task_struct,
    start: usize,
}

impl Stack {
    const SIZE: usize = PAGE_SIZE << bindings::THREAD_SIZE_ORDER;

    /// Returns the stack of the calling task. Any context.
    #[inline(always)]
    pub(crate) fn current() -> Self {
        let task = Task::current_raw();
        // SAFETY: The calling task exists while it runs, so its `task_struct` can be read.
        let start = unsafe { (*task).stack }.addr();
        // INVARIANT: `start` is that of the calling task's stack.
        Self { task, start }
    }

    /// Returns a number that identifies the calling task among those that exist.
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
        // SAFETY: The caller says that `to` is valid for writes of `length` bytes. If `from` is on the
        // calling task's stack, it is valid for reads: by the type invariants the stack is mapped.
        unsafe {
            if self.has(from, length) {
                copy_known(to, from, length);
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
        // SAFETY: The caller says that `from` is valid for reads of `length` bytes, and that nobody
        // else uses the memory at `to`, if there is any. If `to` is on the calling task's stack, it is
        // valid for writes: by the type invariants the stack is mapped.
        unsafe {
            if self.has(to, length) {
                copy_known(to, from, length);
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
        // SAFETY: The caller says that `length` is not 0, and that nobody else uses the memory at
        // `at`, if there is any.
        self.has(at, length) || unsafe { is_writable(at, length) }
    }
}

/// Returns whether a module is in this state; false if its memory cannot be read. Any context.
pub(crate) fn in_state(module: *const bindings::module, wanted: bindings::module_state) -> bool {
    read_at(module, offset_of!(bindings::module, state)) == Some(wanted)
}

/// Reads a `T` from an address that may be bad. Any context.
///
/// Returns `None` if the address is misaligned or null, or cannot be read.
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

/// As [`copy()`], for as many bytes as `to` has. If not all of them can be read, `to` may have
/// changed.
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
    /// Reads a string from an address that may be bad. Any context.
    ///
    /// Returns `None` if one of the first `N` bytes of the string cannot be read.
    pub(crate) fn read(from: *const c_char) -> Option<Self> {
        // An aligned word lies on one page. So if one of its bytes can be read, all of it can be
        // read.
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
                // The bytes after the end in the last word are not part of the string.
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

    /// Returns whether the string ended within `N` bytes.
    pub(crate) fn is_complete(&self) -> bool {
        self.complete
    }

    /// Returns the string, followed by zeros.
    pub(crate) fn bytes(&self) -> &[u8; N] {
        &self.bytes
    }

    /// Returns the string.
    pub(crate) fn as_c_str(&self) -> &CStr {
        // The last byte is 0.
        CStr::from_bytes_until_nul(&self.bytes).unwrap_or(c"?")
    }
}

/// An address that another driver has passed for a result. When this value was made, the address could be
/// written.
pub(crate) struct Output<T: Copy>(*mut T);

impl<T: Copy> Output<T> {
    /// Checks an address that may be bad. An exported function calls this before it has any effect.
    /// Any context.
    ///
    /// Returns `None` if the address is null or misaligned, or cannot be written.
    ///
    /// # Safety
    ///
    /// If `to` is valid for writes of a `T`, nobody else uses that memory until the result is
    /// dropped.
    pub(crate) unsafe fn new(to: *mut T) -> Option<Self> {
        if to.is_null() || !to.is_aligned() {
            return None;
        }
        // SAFETY: `to` may be any address. The caller says that nobody else uses the memory there,
        // if there is any.
        let is_writable = unsafe { is_writable(to.cast(), size_of::<T>()) };
        is_writable.then_some(Self(to))
    }

    /// Writes the result. Any context.
    ///
    /// Returns whether the address could still be written.
    #[must_use]
    pub(crate) fn fill(self, value: T) -> bool {
        // SAFETY: `value` is valid for reads. The caller of `new` says that nobody else uses the
        // memory at this address, if there is any.
        unsafe { copy_out(self.0.cast(), (&raw const value).cast(), size_of::<T>()) }
    }
}

/// A part of a module's memory: its text or its data. Neither includes the memory that only the
/// initialization of the module uses: the kernel frees that memory early.
pub(crate) struct Part {
    base: usize,
    size: usize,
}

impl Part {
    /// Looks up the text of the module at an address that may be bad. Any context.
    ///
    /// Returns `None` if the module cannot be read.
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

    /// Returns whether this address is in the part.
    pub(crate) fn contains(&self, address: usize) -> bool {
        address.wrapping_sub(self.base) < self.size
    }

    /// Returns whether each of these addresses, if there is one, is in the part.
    pub(crate) fn contains_all(&self, addresses: [Option<usize>; 3]) -> bool {
        addresses.iter().flatten().all(|at| self.contains(*at))
    }
}

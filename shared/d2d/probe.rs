// SPDX-License-Identifier: GPL-2.0

//! A careful look at what another driver has pointed to: wherever a pointer leads, reading by it
//! does no harm.

use core::{
    ffi::c_void,
    mem::MaybeUninit, //
};
use kernel::bindings;

/// Copies `length` bytes from `from`, an address in the kernel that may be bad. Any context.
///
/// Returns whether all of them could be read.
///
/// # Safety
///
/// `to` is valid for writes of `length` bytes.
pub unsafe fn copy(to: *mut u8, from: *const u8, length: usize) -> bool {
    // SAFETY: By the requirements; any address will do to read from.
    unsafe { bindings::copy_from_kernel_nofault(to.cast::<c_void>(), from.cast(), length) == 0 }
}

/// Reads a `T` from an address that may be bad. Any context.
///
/// Returns `None` if it is misaligned, null, or cannot be read.
///
/// # Safety
///
/// Any bytes are a `T`.
pub unsafe fn read<T>(from: *const T) -> Option<T> {
    if from.is_null() || !from.is_aligned() {
        return None;
    }
    let mut value = MaybeUninit::<T>::uninit();
    // SAFETY: `value` has room for a `T`.
    let complete = unsafe { copy(value.as_mut_ptr().cast(), from.cast(), size_of::<T>()) };
    // SAFETY: All of it was written, and by the requirements any bytes will do.
    complete.then(|| unsafe { value.assume_init() })
}

/// The code of a module that stays as long as the module does: not that of its initialization.
pub struct Text {
    base: usize,
    size: usize,
}

impl Text {
    /// Looks up the text of a module; `None` if that cannot be read. Any context.
    pub fn of(module: *const bindings::module) -> Option<Self> {
        if module.is_null() || !module.is_aligned() {
            return None;
        }
        let text = bindings::mod_mem_type_MOD_TEXT as usize;
        let memory = module
            .wrapping_byte_add(core::mem::offset_of!(bindings::module, mem))
            .cast::<bindings::module_memory>()
            .wrapping_add(text);
        // SAFETY: A range and its bookkeeping are numbers and pointers, which may be anything; the
        // flag among them is read as the number that it is in memory.
        let memory = unsafe { read(memory.cast::<MaybeUninit<bindings::module_memory>>())? };
        let memory = memory.as_ptr();
        // SAFETY: All bytes were read. Only fields that may be anything are looked at.
        let (base, size) = unsafe { ((*memory).base, (*memory).size) };
        Some(Self {
            base: base as usize,
            size: size as usize,
        })
    }

    /// Returns whether a function at this address is in the text.
    pub fn contains(&self, function: usize) -> bool {
        function.wrapping_sub(self.base) < self.size
    }
}

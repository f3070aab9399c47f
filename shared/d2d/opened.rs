// SPDX-License-Identifier: GPL-2.0

//! The value that belongs to an open file of a driver: the kernel has its address in the file's
//! `private_data`. [`store`] gives it to a file, [`get`] returns it during a call, and [`release`]
//! drops it.

use kernel::{
    bindings,
    ffi::c_int,
    fs::File,
    prelude::*, //
};

/// Gives `value` to a file, and makes the file a stream: it has no position, so calls by several threads do
/// not wait for the lock of the position. Returns the result of `open`. Process context.
///
/// # Safety
///
/// `inode` and `file` are those that the kernel opens. [`release`] of the same type is the function that
/// releases the file.
pub(crate) unsafe fn store<T: Send + Sync>(
    inode: *mut bindings::inode,
    file: *mut bindings::file,
    value: Pin<KBox<T>>,
) -> c_int {
    // SAFETY: The caller says the same. The value is not moved until `release` takes the box back.
    unsafe {
        (*file).private_data = KBox::into_raw(Pin::into_inner_unchecked(value)).cast();
        bindings::stream_open(inode, file)
    }
}

/// Returns the value of a file, and the file. Any context.
///
/// # Safety
///
/// [`store`] has given a `T` to `file`, and [`release`] is not called before the last use of the result.
pub(crate) unsafe fn get<'a, T>(file: *mut bindings::file) -> (&'a T, &'a File) {
    // SAFETY: `store` has stored the address of the box there. Only `release` frees it. The file is a
    // stream, so no `fdget_pos()` of it goes without the lock of the position, as `from_raw_file` demands.
    unsafe {
        (
            &*(*file).private_data.cast::<T>(),
            File::from_raw_file(file),
        )
    }
}

/// Drops the value of a file: the function `release` of the file's operations. Process context.
///
/// # Safety
///
/// [`store`] has given a `T` to `file`, and this is the last call for it.
pub(crate) unsafe extern "C" fn release<T>(
    _inode: *mut bindings::inode,
    file: *mut bindings::file,
) -> c_int {
    // SAFETY: `store` has stored the address of the box there, and this is the last call for the file.
    drop(unsafe { Pin::new_unchecked(KBox::from_raw((*file).private_data.cast::<T>())) });
    0
}

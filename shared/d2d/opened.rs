// SPDX-License-Identifier: GPL-2.0

//! The value that belongs to an open file of a driver: the kernel has its address in the file's
//! `private_data`. [`store`] gives it to a file, [`get`] returns it during a call, and [`release`]
//! drops it. [`check_loaded`] says whether a process may open a file yet.

use crate::refuse;
use kernel::{
    bindings,
    ffi::c_int,
    fs::File,
    prelude::*, //
};

/// Returns the state of the module into which this crate is linked. Any context.
fn module_state() -> bindings::module_state {
    // SAFETY: The module stays while its code runs. Another thread may change the state at the same
    // time, so the read is volatile.
    unsafe { (&raw const bindings::__this_module.state).read_volatile() }
}

/// Returns whether the initialization of this module is not over, or has just failed. Any context.
pub(crate) fn is_loading() -> bool {
    module_state() == bindings::module_state_MODULE_STATE_COMING
}

/// Refuses to open a file of this module before the initialization of the module has succeeded, in the
/// name of `driver`. Any context.
///
/// An open file holds a reference on the module, so that the kernel does not unload the module. But if
/// the initialization of the module fails, the kernel frees the module despite such references, and
/// closing the file would then call freed code.
///
/// # Errors
///
/// `ENODEV` if the module is not live.
pub(crate) fn check_loaded(driver: &CStr) -> Result {
    match module_state() == bindings::module_state_MODULE_STATE_LIVE {
        true => Ok(()),
        false => Err(refuse!(driver, "module-is-loading", ENODEV)),
    }
}

/// Gives `value` to a file, and makes the file a stream. A stream has no position, so calls by several
/// threads do not wait for the lock of the position. Returns the result of `open`. Process context.
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
    // SAFETY: `inode` and `file` are those that the kernel opens, so no other thread uses the file yet. The
    // value is not moved until `release` takes the box back.
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
    // SAFETY: `store` has stored the address of the box there. Only `release` frees it. `from_raw_file`
    // demands that `fdget_pos()` of the file has taken the lock of the position. For a stream it takes no
    // lock, but a stream has no position that another thread could use at the same time.
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

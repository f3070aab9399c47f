// SPDX-License-Identifier: GPL-2.0

//! The value that belongs to an open file of a driver. The file's `private_data` is the value's address.

use crate::{
    probe::in_state,
    refuse, //
};
use kernel::{
    bindings,
    ffi::{
        c_char,
        c_int,
        c_void, //
    },
    fs::File,
    prelude::*,
    sync::poll::PollTable,
    uaccess::UserPtr, //
};

fn is(state: bindings::module_state) -> bool {
    in_state(&raw const bindings::__this_module, state)
}

/// Returns whether this module is being initialized. Also true while a failed initialization drops what it has made.
pub(crate) fn is_loading() -> bool {
    is(bindings::module_state_MODULE_STATE_COMING)
}

/// Refuses to open a file of this module before the initialization of the module has succeeded. If the initialization
/// fails, the kernel frees the module even while a file of it is open, and closing the file would call freed code.
pub(crate) fn check_loaded(driver: &CStr) -> Result {
    match is(bindings::module_state_MODULE_STATE_LIVE) {
        true => Ok(()),
        false => Err(refuse!(driver, "module-is-loading", ENODEV)),
    }
}

/// Gives `value` to a file, and makes the file a stream. A stream has no position, so calls of several threads do not
/// wait for the position's lock. Returns what the file operation `open` has to return.
///
/// # Safety
///
/// The kernel is opening `file` of `inode`, and will release the file by [`release`] of the same type.
pub(crate) unsafe fn store<T: Send + Sync>(
    inode: *mut bindings::inode,
    file: *mut bindings::file,
    value: Pin<KBox<T>>,
) -> c_int {
    // SAFETY: The kernel is opening `file`, so no other thread uses it yet. The value is not moved until `release`
    // takes the box back.
    unsafe {
        (*file).private_data = KBox::into_raw(Pin::into_inner_unchecked(value)).cast();
        bindings::stream_open(inode, file)
    }
}

/// # Safety
///
/// [`store`] has given a `T` to `file`. The kernel holds a reference to `file` until the last use of the result, and
/// calls [`release`] only after that.
pub(crate) unsafe fn get<'a, T>(file: *mut bindings::file) -> (&'a T, &'a File) {
    // SAFETY: `store` has stored the address of the box, and only `release` frees the box. By the caller, the kernel
    // holds a reference to `file`. `from_raw_file` also demands the lock of the file's position, but a stream has no
    // position.
    unsafe {
        (
            &*(*file).private_data.cast::<T>(),
            File::from_raw_file(file),
        )
    }
}

pub(crate) trait Opened {
    /// Copies at most `length` bytes to user space, and returns how many. [`errno_for_caller`] converts an error for
    /// the process.
    fn read(&self, file: &File, to: UserPtr, length: usize) -> Result<usize>;

    /// Returns the flags of `poll`, and registers with `table` what wakes the process.
    fn poll(&self, file: &File, table: PollTable<'_>) -> u32;
}

/// # Safety
///
/// As for [`get`].
pub(crate) unsafe extern "C" fn read<T: Opened>(
    file: *mut bindings::file,
    buffer: *mut c_char,
    length: usize,
    _offset: *mut bindings::loff_t,
) -> isize {
    // SAFETY: `store` has given a `T` to `file`, and the kernel holds a reference to `file` until this function
    // returns.
    let (opened, file) = unsafe { get::<T>(file) };
    opened
        .read(file, UserPtr::from_ptr(buffer.cast::<c_void>()), length)
        .map_or_else(
            |error| errno_for_caller(error) as isize,
            |count| count as isize,
        )
}

/// # Safety
///
/// As for [`get`]; and `table` is the kernel's poll table of this call.
pub(crate) unsafe extern "C" fn poll<T: Opened>(
    file: *mut bindings::file,
    table: *mut bindings::poll_table_struct,
) -> bindings::__poll_t {
    // SAFETY: As in `read`; and `table` is the kernel's poll table of this call.
    let ((opened, file), table) = unsafe { (get::<T>(file), PollTable::from_raw(table)) };
    opened.poll(file, table)
}

/// Converts an error to what a process may get. Some errnos make the kernel restart the system call, but only while a
/// signal is pending. Without a signal, the process would get the errno itself, so it becomes `EINTR`.
pub(crate) fn errno(error: Error, signal_pending: bool) -> c_int {
    let shown = match error.to_errno() {
        errno if errno > -512 => return errno,
        _ if error == ERESTARTSYS || error == ERESTARTNOINTR || error == ERESTARTNOHAND => {
            match signal_pending {
                true => error,
                false => EINTR,
            }
        }
        _ if error == ERESTART_RESTARTBLOCK => EINTR,
        _ if error == ENOIOCTLCMD => ENOTTY,
        _ if error == ENOTSUPP => EOPNOTSUPP,
        _ => EIO,
    };
    shown.to_errno()
}

/// As [`errno`], for the calling process.
pub(crate) fn errno_for_caller(error: Error) -> c_int {
    errno(error, kernel::current!().signal_pending())
}

/// # Safety
///
/// [`store`] has given a `T` to `file`, and this is the last call for it.
pub(crate) unsafe extern "C" fn release<T>(
    _inode: *mut bindings::inode,
    file: *mut bindings::file,
) -> c_int {
    // SAFETY: By the caller, `store` has stored the address of the box, and this is the last call for the file.
    drop(unsafe { Pin::new_unchecked(KBox::from_raw((*file).private_data.cast::<T>())) });
    0
}

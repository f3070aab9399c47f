// SPDX-License-Identifier: GPL-2.0

//! A file in debugfs that hands what is written to it to a driver.
//!
//! Not by the kernel crate's `debugfs`: its files have no owner, so that a module can be unloaded
//! while one of them is open, and the kernel calls into the module when it is closed.
//!
//! C header: [`include/linux/debugfs.h`](srctree/include/linux/debugfs.h)

use crate::{
    driver::{
        Driver,
        Handle, //
    },
    trace::report_memory, //
};
use core::marker::PhantomData;
use kernel::{
    bindings,
    ffi::{
        c_char,
        c_void, //
    },
    prelude::*,
    str::CString,
    uaccess::{
        UserPtr,
        UserSlice,
        UserSliceReader, //
    },
    ModuleMetadata, //
};

/// A driver with a control file.
pub trait Control: Driver {
    /// Name of the file.
    const FILE: &'static CStr;

    /// Receives what is written to the file. Process context, may sleep.
    fn write(driver: &Handle<Self>, reader: &mut UserSliceReader) -> Result;
}

/// The control file of a driver in module `M`: `/sys/kernel/debug/d2d-MODULE/FILE`, writable by
/// root. While it is open, the module cannot be unloaded. Dropping it removes the file and waits
/// for those that write; may sleep.
///
/// On a kernel without debugfs there is none, and nobody is told.
///
/// # Invariants
///
/// `dir` is what `debugfs_create_dir` returned; the file in it, if any, refers to `_driver`.
pub struct ControlFile<T: Control, M: ModuleMetadata> {
    dir: *mut bindings::dentry,
    _driver: KBox<Handle<T>>,
    _module: PhantomData<fn(M)>,
}

// SAFETY: Entries of debugfs can be removed by any thread.
unsafe impl<T: Control, M: ModuleMetadata> Send for ControlFile<T, M> {}
// SAFETY: Nothing can be done with a reference.
unsafe impl<T: Control, M: ModuleMetadata> Sync for ControlFile<T, M> {}

impl<T: Control, M: ModuleMetadata> ControlFile<T, M> {
    const OPERATIONS: &'static bindings::file_operations = &bindings::file_operations {
        owner: M::THIS_MODULE.as_ptr(),
        open: Some(bindings::simple_open),
        write: Some(Self::write),
        ..pin_init::zeroed()
    };

    /// Makes the file. May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub fn new(driver: Handle<T>) -> Result<Self> {
        let make = || -> Result<Self> {
            let driver = KBox::new(driver, GFP_KERNEL)?;
            let name = CString::try_from_fmt(fmt!("d2d-{}", M::NAME))?;
            // SAFETY: The name is a string. Errors need no check: the calls below take them.
            let dir =
                unsafe { bindings::debugfs_create_dir(name.as_char_ptr(), core::ptr::null_mut()) };
            // SAFETY: The directory is as it was made, the operations are static and take a
            // `Handle<T>`, which lives until the directory has been removed.
            unsafe {
                bindings::debugfs_create_file_full(
                    T::FILE.as_char_ptr(),
                    0o200,
                    dir,
                    core::ptr::from_ref(&*driver).cast_mut().cast(),
                    core::ptr::null(),
                    Self::OPERATIONS,
                )
            };
            // INVARIANT: As above.
            Ok(Self {
                dir,
                _driver: driver,
                _module: PhantomData,
            })
        };
        make().map_err(|error| report_memory(M::NAME, error))
    }

    /// # Safety
    ///
    /// As the kernel calls it: `file` was opened by `simple_open`, with the file's `Handle<T>`, and
    /// is not removed during the call.
    unsafe extern "C" fn write(
        file: *mut bindings::file,
        buffer: *const c_char,
        length: usize,
        _offset: *mut bindings::loff_t,
    ) -> isize {
        // SAFETY: By the requirements.
        let driver = unsafe { &*(*file).private_data.cast::<Handle<T>>() };
        let user = UserPtr::from_ptr(buffer.cast_mut().cast::<c_void>());
        match T::write(driver, &mut UserSlice::new(user, length).reader()) {
            Ok(()) => length as isize,
            Err(error) => error.to_errno() as isize,
        }
    }
}

impl<T: Control, M: ModuleMetadata> Drop for ControlFile<T, M> {
    fn drop(&mut self) {
        // SAFETY: By the type invariants; an error is taken as nothing to remove.
        unsafe { bindings::debugfs_remove(self.dir) };
    }
}

// SPDX-License-Identifier: GPL-2.0

//! A file in debugfs that hands what is written to it to a driver.
//!
//! Not by the kernel crate's `debugfs`: its files have no owner, so that a module can be unloaded
//! while one of them is open, and the kernel calls into the module when it is closed.
//!
//! C header: [`include/linux/debugfs.h`](srctree/include/linux/debugfs.h)

use crate::trace::report_memory;
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

/// What a control file hands what is written to it to.
pub trait Control: Send + Sync + 'static {
    /// Receives what is written to the file, at once. Process context, may sleep.
    fn write(&self, reader: &mut UserSliceReader) -> Result;
}

/// A control file of module `M`: `/sys/kernel/debug/d2d-MODULE/FILE`, writable by root.
///
/// While it is open, the module cannot be unloaded. Dropping it removes the file and waits for
/// those that write; may sleep. On a kernel without debugfs there is none, and nobody is told.
///
/// # Invariants
///
/// `dir` is what `debugfs_create_dir` returned; the file in it, if any, refers to `_control`.
pub struct ControlFile<C: Control, M: ModuleMetadata> {
    dir: *mut bindings::dentry,
    _control: KBox<C>,
    _module: PhantomData<fn(M)>,
}

// SAFETY: Entries of debugfs can be removed by any thread.
unsafe impl<C: Control, M: ModuleMetadata> Send for ControlFile<C, M> {}
// SAFETY: Nothing can be done with a reference.
unsafe impl<C: Control, M: ModuleMetadata> Sync for ControlFile<C, M> {}

impl<C: Control, M: ModuleMetadata> ControlFile<C, M> {
    const OPERATIONS: &'static bindings::file_operations = &bindings::file_operations {
        owner: M::THIS_MODULE.as_ptr(),
        open: Some(bindings::simple_open),
        write: Some(Self::write),
        ..pin_init::zeroed()
    };

    /// Makes the file called `name`. May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    ///
    /// # Safety
    ///
    /// The file is dropped before the module's code goes away.
    pub unsafe fn new(name: &CStr, control: C) -> Result<Self> {
        let make = || -> Result<Self> {
            let control = KBox::new(control, GFP_KERNEL)?;
            let dir = CString::try_from_fmt(fmt!("d2d-{}", M::NAME))?;
            // SAFETY: The name is a string. Errors need no check: the calls below take them.
            let dir =
                unsafe { bindings::debugfs_create_dir(dir.as_char_ptr(), core::ptr::null_mut()) };
            // SAFETY: The directory is as it was made, the operations are static and take a `C`,
            // which lives until the directory has been removed.
            unsafe {
                bindings::debugfs_create_file_full(
                    name.as_char_ptr(),
                    0o200,
                    dir,
                    core::ptr::from_ref(&*control).cast_mut().cast(),
                    core::ptr::null(),
                    Self::OPERATIONS,
                )
            };
            // INVARIANT: As above.
            Ok(Self {
                dir,
                _control: control,
                _module: PhantomData,
            })
        };
        make().map_err(|error| report_memory(M::NAME, error))
    }

    /// # Safety
    ///
    /// As the kernel calls it: `file` was opened by `simple_open`, with the file's `C`, and is not
    /// removed during the call.
    unsafe extern "C" fn write(
        file: *mut bindings::file,
        buffer: *const c_char,
        length: usize,
        _offset: *mut bindings::loff_t,
    ) -> isize {
        // SAFETY: By the requirements.
        let control = unsafe { &*(*file).private_data.cast::<C>() };
        let user = UserPtr::from_ptr(buffer.cast_mut().cast::<c_void>());
        match control.write(&mut UserSlice::new(user, length).reader()) {
            Ok(()) => length as isize,
            Err(error) => report_memory(M::NAME, error).to_errno() as isize,
        }
    }
}

impl<C: Control, M: ModuleMetadata> Drop for ControlFile<C, M> {
    fn drop(&mut self) {
        // SAFETY: By the type invariants; an error is taken as nothing to remove.
        unsafe { bindings::debugfs_remove(self.dir) };
    }
}

/// Reads a number in decimal digits, as `echo` writes it.
///
/// # Errors
///
/// `EINVAL` for anything else, `EFAULT` if it cannot be read.
pub fn read_number(reader: &mut UserSliceReader) -> Result<u32> {
    let length = reader.len();
    let mut bytes = [0u8; 16];
    let bytes = bytes.get_mut(..length).ok_or(EINVAL)?;
    reader.read_slice(bytes)?;
    core::str::from_utf8(bytes)
        .ok()
        .and_then(|text| text.trim().parse().ok())
        .ok_or(EINVAL)
}

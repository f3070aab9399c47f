// SPDX-License-Identifier: GPL-2.0

//! Files in debugfs: [`ControlFile`] passes what is written to it to a driver, [`ShowFile`] shows a
//! text. [`Directory`] and [`DebugFile`] are what they are made of.
//!
//! The kernel crate's `debugfs` module does not serve: its files have no owner, so a module can be
//! unloaded while a process has one of them open, and the kernel then calls freed code when the
//! process closes the file.
//!
//! C header: [`include/linux/debugfs.h`](srctree/include/linux/debugfs.h)

use crate::{
    refuse,
    trace::report_memory, //
};
use core::{
    fmt::Write,
    marker::PhantomData, //
};
use kernel::{
    bindings,
    ffi::{
        c_char,
        c_int,
        c_void, //
    },
    prelude::*,
    str::CString,
    sync::Arc,
    uaccess::{
        UserPtr,
        UserSlice,
        UserSliceReader, //
    },
    ModuleMetadata, //
};

/// What receives the writes to a control file.
pub trait Control: Send + Sync + 'static {
    /// Receives what a process writes to the file, during the system call. Process context, may
    /// sleep.
    fn write(&self, reader: &mut UserSliceReader) -> Result;
}

/// An entry of debugfs. Dropping it removes the entry; may sleep.
///
/// # Invariants
///
/// The pointer is what debugfs returned when it made the entry, which may be an error pointer. The
/// entry was not removed.
struct Entry(*mut bindings::dentry);

// SAFETY: Any thread may use and remove an entry of debugfs.
unsafe impl Send for Entry {}
// SAFETY: As for `Send`.
unsafe impl Sync for Entry {}

impl Drop for Entry {
    fn drop(&mut self) {
        // SAFETY: By the type invariants it was not removed; debugfs ignores an error pointer.
        unsafe { bindings::debugfs_remove(self.0) };
    }
}

/// A directory in debugfs. Dropping the last reference to it removes it; may sleep.
///
/// On a kernel without debugfs, making a directory or a file succeeds and has no effect.
pub struct Directory {
    entry: Entry,
    /// Kept so that it is removed after this directory.
    _parent: Option<Arc<Self>>,
}

impl Directory {
    /// Makes the directory of a module: `/sys/kernel/debug/d2d-MODULE`. May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub fn of_module(module: &CStr) -> Result<Arc<Self>> {
        Self::new(&CString::try_from_fmt(fmt!("d2d-{}", module))?, None)
    }

    /// Makes a directory in `parent`. May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub fn within(parent: &Arc<Self>, name: &CStr) -> Result<Arc<Self>> {
        Self::new(name, Some(parent.clone()))
    }

    fn new(name: &CStr, parent: Option<Arc<Self>>) -> Result<Arc<Self>> {
        let above = parent
            .as_ref()
            .map_or(core::ptr::null_mut(), |parent| parent.entry.0);
        // SAFETY: The name is a string, and the parent was not removed. It may be an error pointer:
        // the functions of debugfs take such a directory and do nothing.
        let dentry = unsafe { bindings::debugfs_create_dir(name.as_char_ptr(), above) };
        let directory = Self {
            // INVARIANT: `dentry` is what debugfs returned above.
            entry: Entry(dentry),
            _parent: parent,
        };
        Ok(Arc::new(directory, GFP_KERNEL)?)
    }
}

/// Refuses to open a file of module `M` before the initialization of the module has succeeded. Any
/// context.
///
/// An open file holds a reference on the module, which keeps the kernel from unloading it. But if
/// the initialization of the module fails, the kernel frees the module despite such references, and
/// closing the file would then call freed code.
///
/// # Errors
///
/// `ENODEV` if the module is not live.
pub fn check_loaded<M: ModuleMetadata>() -> Result {
    let module = M::THIS_MODULE.as_ptr();
    // SAFETY: `module` is the module to which this code belongs. Another thread may change the
    // state at the same time, so the read is volatile.
    let state = unsafe { (&raw const (*module).state).read_volatile() };
    match state == bindings::module_state_MODULE_STATE_LIVE {
        true => Ok(()),
        false => Err(refuse!(M::NAME, "module-is-loading", ENODEV)),
    }
}

/// A file in debugfs. Dropping it removes the file, and waits until no thread is inside the file's
/// operations; of a file that [`DebugFile::detached`] made, until no thread is inside `open`. It
/// does not wait until the file is closed. May sleep.
pub struct DebugFile {
    _entry: Entry,
    /// Kept so that it is removed after the file.
    _directory: Arc<Directory>,
}

impl DebugFile {
    /// Makes a file. May sleep.
    ///
    /// # Safety
    ///
    /// The operations may be called with `data` until the file is dropped, and with what `open`
    /// makes of it until `release`. Their `owner` is the module to which their code belongs.
    pub unsafe fn new(
        directory: &Arc<Directory>,
        name: &CStr,
        mode: bindings::umode_t,
        data: *mut c_void,
        operations: &'static bindings::file_operations,
    ) -> Self {
        // SAFETY: The name is a string, and the directory was not removed. The caller keeps `data`
        // for as long as the operations use it.
        let dentry = unsafe {
            bindings::debugfs_create_file_full(
                name.as_char_ptr(),
                mode,
                directory.entry.0,
                data,
                core::ptr::null(),
                operations,
            )
        };
        Self {
            // INVARIANT: `dentry` is what debugfs returned above.
            _entry: Entry(dentry),
            _directory: directory.clone(),
        }
    }

    /// Makes a file whose removal waits only for threads inside `open`. So a read that is stuck in
    /// a page fault on user memory does not delay the removal. May sleep.
    ///
    /// # Safety
    ///
    /// As [`DebugFile::new`]; and no operation but `open` uses `data`.
    pub unsafe fn detached(
        directory: &Arc<Directory>,
        name: &CStr,
        mode: bindings::umode_t,
        data: *mut c_void,
        operations: &'static bindings::file_operations,
    ) -> Self {
        // SAFETY: The name is a string, and the directory was not removed. Removing the file waits
        // for threads inside `open`, which is the only operation that uses `data`.
        let dentry = unsafe {
            bindings::debugfs_create_file_unsafe(
                name.as_char_ptr(),
                mode,
                directory.entry.0,
                data,
                operations,
            )
        };
        Self {
            // INVARIANT: `dentry` is what debugfs returned above.
            _entry: Entry(dentry),
            _directory: directory.clone(),
        }
    }
}

/// Text that grows as it is written.
pub struct Text(KVVec<u8>);

impl Write for Text {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        let grown = self.0.extend_from_slice(text.as_bytes(), GFP_KERNEL);
        grown.map_err(|_| core::fmt::Error)
    }
}

/// What a file shows.
pub trait Show: Send + Sync + 'static {
    /// Writes all of it to `text`. Process context, may sleep.
    fn show(&self, text: &mut Text) -> Result;
}

/// A file of module `M` that shows a text, readable by root. The text is made when a process opens
/// the file.
///
/// While a process has the file open, the module cannot be unloaded. Dropping the value removes the
/// file, and waits for threads inside `open`; may sleep. On a kernel without debugfs, making the
/// file succeeds and has no effect.
///
/// # Invariants
///
/// The file's `data` is `_show`, which is dropped after the file.
pub struct ShowFile<S: Show, M: ModuleMetadata> {
    _file: DebugFile,
    _show: KBox<S>,
    _module: PhantomData<fn(M)>,
}

impl<S: Show, M: ModuleMetadata> ShowFile<S, M> {
    const OPERATIONS: &'static bindings::file_operations = &bindings::file_operations {
        owner: M::THIS_MODULE.as_ptr(),
        open: Some(Self::open),
        read: Some(Self::read),
        release: Some(Self::release),
        ..pin_init::zeroed()
    };

    /// Makes the file called `name` in a directory. May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    ///
    /// # Safety
    ///
    /// The file is dropped before the kernel frees the module's text.
    pub unsafe fn new(directory: &Arc<Directory>, name: &CStr, show: S) -> Result<Self> {
        let show = KBox::new(show, GFP_KERNEL)?;
        let data = core::ptr::from_ref(&*show).cast_mut().cast();
        // SAFETY: `open` expects an `S` in `data`, which is dropped after the file. The other
        // operations use the text that `open` has made, and their owner is the module `M`.
        let file = unsafe { DebugFile::detached(directory, name, 0o400, data, Self::OPERATIONS) };
        // INVARIANT: The file was made with `data`; the fields are dropped in their order.
        Ok(Self {
            _file: file,
            _show: show,
            _module: PhantomData,
        })
    }

    fn text(show: &S) -> Result<KBox<Text>> {
        let mut text = KBox::new(Text(KVVec::new()), GFP_KERNEL)?;
        show.show(&mut text)?;
        Ok(text)
    }

    /// # Safety
    ///
    /// The file is that of a [`ShowFile`], and is not removed during the call.
    unsafe extern "C" fn open(inode: *mut bindings::inode, file: *mut bindings::file) -> c_int {
        // SAFETY: The file's `data` is its `S`, which is not dropped while the file is not removed.
        let show = unsafe { &*(*inode).i_private.cast::<S>() };
        match check_loaded::<M>().and_then(|()| Self::text(show)) {
            Ok(text) => {
                // SAFETY: `file` is what the kernel opens. `release` takes the box back.
                unsafe { (*file).private_data = KBox::into_raw(text).cast() };
                0
            }
            Err(error) => report_memory(M::NAME, error).to_errno(),
        }
    }

    /// # Safety
    ///
    /// `file` was opened by `open`.
    unsafe extern "C" fn read(
        file: *mut bindings::file,
        buffer: *mut c_char,
        length: usize,
        offset: *mut bindings::loff_t,
    ) -> isize {
        // SAFETY: `open` has put the text there, which does not change any more and lives until
        // `release`. `offset` is the kernel's, for this call.
        let (text, offset) = unsafe { (&*(*file).private_data.cast::<Text>(), &mut *offset) };
        let user = UserPtr::from_ptr(buffer.cast::<c_void>());
        let mut writer = UserSlice::new(user, length).writer();
        writer
            .write_slice_file(&text.0, offset)
            .map_or_else(|error| error.to_errno() as isize, |count| count as isize)
    }

    /// # Safety
    ///
    /// `file` was opened by `open`, and nobody uses it any more.
    unsafe extern "C" fn release(_inode: *mut bindings::inode, file: *mut bindings::file) -> c_int {
        // SAFETY: `open` has put the box there, and the kernel releases a file once.
        drop(unsafe { KBox::from_raw((*file).private_data.cast::<Text>()) });
        0
    }
}

/// A control file of module `M`: `/sys/kernel/debug/d2d-MODULE/FILE`, writable by root.
///
/// While a process has the file open, the module cannot be unloaded. Dropping the value removes the
/// file, and waits for threads that write to it; may sleep. On a kernel without debugfs, making the
/// file succeeds and has no effect.
///
/// # Invariants
///
/// The file's `data` is `_control`, which is dropped after the file.
pub struct ControlFile<C: Control, M: ModuleMetadata> {
    _file: DebugFile,
    _control: KBox<C>,
    _module: PhantomData<fn(M)>,
}

impl<C: Control, M: ModuleMetadata> ControlFile<C, M> {
    const OPERATIONS: &'static bindings::file_operations = &bindings::file_operations {
        owner: M::THIS_MODULE.as_ptr(),
        open: Some(Self::open),
        write: Some(Self::write),
        ..pin_init::zeroed()
    };

    /// Makes the file called `name` in `directory`, or in a new directory for the module. May
    /// sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    ///
    /// # Safety
    ///
    /// The file is dropped before the kernel frees the module's text.
    pub unsafe fn new(directory: Option<Arc<Directory>>, name: &CStr, control: C) -> Result<Self> {
        let make = || -> Result<Self> {
            let control = KBox::new(control, GFP_KERNEL)?;
            let directory = match directory {
                Some(directory) => directory,
                None => Directory::of_module(M::NAME)?,
            };
            let data = core::ptr::from_ref(&*control).cast_mut().cast();
            // SAFETY: The operations expect a `C` in `data`, which is dropped after the file, and
            // their owner is the module `M`.
            let file = unsafe { DebugFile::new(&directory, name, 0o200, data, Self::OPERATIONS) };
            // INVARIANT: The file was made with `data`; the fields are dropped in their order.
            Ok(Self {
                _file: file,
                _control: control,
                _module: PhantomData,
            })
        };
        make().map_err(|error| report_memory(M::NAME, error))
    }

    /// # Safety
    ///
    /// The file is that of a [`ControlFile`], and is not removed during the call.
    unsafe extern "C" fn open(inode: *mut bindings::inode, file: *mut bindings::file) -> c_int {
        match check_loaded::<M>() {
            // SAFETY: `inode` and `file` are what the kernel opens.
            Ok(()) => unsafe { bindings::simple_open(inode, file) },
            Err(error) => error.to_errno(),
        }
    }

    /// # Safety
    ///
    /// `file` was opened by `open`, and is not removed during the call.
    unsafe extern "C" fn write(
        file: *mut bindings::file,
        buffer: *const c_char,
        length: usize,
        _offset: *mut bindings::loff_t,
    ) -> isize {
        // SAFETY: `simple_open` has stored the file's `data` there: its `C`, which is dropped after
        // the file is removed.
        let control = unsafe { &*(*file).private_data.cast::<C>() };
        let user = UserPtr::from_ptr(buffer.cast_mut().cast::<c_void>());
        match control.write(&mut UserSlice::new(user, length).reader()) {
            Ok(()) => length as isize,
            Err(error) => report_memory(M::NAME, error).to_errno() as isize,
        }
    }
}

/// Reads a number that a process writes in decimal digits, with or without a newline. Process
/// context, may sleep.
///
/// # Errors
///
/// `EINVAL` if the text is no such number or longer than 16 bytes, `EFAULT` if it cannot be read.
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

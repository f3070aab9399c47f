// SPDX-License-Identifier: GPL-2.0

//! Files in debugfs: one that hands what is written to it to a driver, one that shows something, and
//! what others are made of.
//!
//! Not by the kernel crate's `debugfs`: its files have no owner, so that a module can be unloaded
//! while one of them is open, and the kernel calls into the module when it is closed.
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

/// What a control file hands what is written to it to.
pub trait Control: Send + Sync + 'static {
    /// Receives what is written to the file, at once. Process context, may sleep.
    fn write(&self, reader: &mut UserSliceReader) -> Result;
}

/// A directory in debugfs. Dropping the last reference to it removes it; may sleep.
///
/// On a kernel without debugfs there is none, and nobody is told; nor are there files in it then.
///
/// # Invariants
///
/// `dentry` is what `debugfs_create_dir` returned, and was not removed.
pub struct Directory {
    dentry: *mut bindings::dentry,
    /// Removed after it.
    _parent: Option<Arc<Self>>,
}

// SAFETY: Entries of debugfs can be used and removed by any thread.
unsafe impl Send for Directory {}
// SAFETY: As above.
unsafe impl Sync for Directory {}

impl Directory {
    /// Makes that of a module: `/sys/kernel/debug/d2d-MODULE`. May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub fn of_module(module: &CStr) -> Result<Arc<Self>> {
        Self::new(&CString::try_from_fmt(fmt!("d2d-{}", module))?, None)
    }

    /// Makes one in another. May sleep.
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
            .map_or(core::ptr::null_mut(), |parent| parent.dentry);
        // SAFETY: The name is a string, and the directory above is kept. Errors need no check: the
        // functions that take a directory take them.
        let dentry = unsafe { bindings::debugfs_create_dir(name.as_char_ptr(), above) };
        // INVARIANT: It was made above.
        let directory = Self {
            dentry,
            _parent: parent,
        };
        Ok(Arc::new(directory, GFP_KERNEL)?)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // SAFETY: By the type invariants; an error is taken as nothing to remove.
        unsafe { bindings::debugfs_remove(self.dentry) };
    }
}

/// Refuses to open a file of module `M` before the initialization of the module has succeeded.
///
/// A file that is open keeps the module, except while the module is being initialized: if that
/// fails, the kernel frees the module's code all the same, which the file still needs.
///
/// # Errors
///
/// `ENODEV`.
pub fn check_loaded<M: ModuleMetadata>() -> Result {
    let module = M::THIS_MODULE.as_ptr();
    // SAFETY: It is the module whose code this is. Another thread may change the state.
    let state = unsafe { (&raw const (*module).state).read_volatile() };
    match state == bindings::module_state_MODULE_STATE_LIVE {
        true => Ok(()),
        false => Err(refuse!(M::NAME, "module-is-loading", ENODEV)),
    }
}

/// A file in debugfs. Dropping it removes the file and waits for the threads inside its operations;
/// for a file that is [detached when it is opened](DebugFile::detached), only for the threads that
/// open it. It does not wait for the threads that have the file open. May sleep.
///
/// # Invariants
///
/// `dentry` is what debugfs returned when it made the file, and was not removed.
pub struct DebugFile {
    dentry: *mut bindings::dentry,
    /// Removed after it.
    _directory: Arc<Directory>,
}

// SAFETY: Entries of debugfs can be removed by any thread.
unsafe impl Send for DebugFile {}
// SAFETY: Nothing can be done with a reference.
unsafe impl Sync for DebugFile {}

impl DebugFile {
    /// Makes one. May sleep.
    ///
    /// # Safety
    ///
    /// The operations take `data` until the file is dropped, and what `open` makes of it until it is
    /// released; they have an owner, whose code they are.
    pub unsafe fn new(
        directory: &Arc<Directory>,
        name: &CStr,
        mode: bindings::umode_t,
        data: *mut c_void,
        operations: &'static bindings::file_operations,
    ) -> Self {
        // SAFETY: The name is a string, and the directory is there. The caller keeps `data` for as
        // long as the operations use it.
        let dentry = unsafe {
            bindings::debugfs_create_file_full(
                name.as_char_ptr(),
                mode,
                directory.dentry,
                data,
                core::ptr::null(),
                operations,
            )
        };
        // INVARIANT: It was made above.
        Self {
            dentry,
            _directory: directory.clone(),
        }
    }

    /// Makes a file whose removal waits only for the threads that open it: a read that is stuck in
    /// a page fault on user memory does not hold up the removal. May sleep.
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
        // SAFETY: The name is a string, the directory is there, and debugfs protects `open`, the only
        // operation that uses `data`, against the removal.
        let dentry = unsafe {
            bindings::debugfs_create_file_unsafe(
                name.as_char_ptr(),
                mode,
                directory.dentry,
                data,
                operations,
            )
        };
        // INVARIANT: It was made above.
        Self {
            dentry,
            _directory: directory.clone(),
        }
    }
}

impl Drop for DebugFile {
    fn drop(&mut self) {
        // SAFETY: By the type invariants; an error is taken as nothing to remove.
        unsafe { bindings::debugfs_remove(self.dentry) };
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

/// A file that shows something of module `M`, readable by root: as it was when the file was opened.
///
/// While it is open, the module cannot be unloaded. Dropping it removes the file and waits for those
/// that open it; may sleep. On a kernel without debugfs there is none, and nobody is told.
///
/// # Invariants
///
/// The file refers to `_show`, which is dropped after it.
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
    /// The file is dropped before the module's code goes away.
    pub unsafe fn new(directory: &Arc<Directory>, name: &CStr, show: S) -> Result<Self> {
        let show = KBox::new(show, GFP_KERNEL)?;
        let data = core::ptr::from_ref(&*show).cast_mut().cast();
        // SAFETY: `open` takes an `S`, which is dropped after the file. The other operations use the
        // text that `open` has made.
        let file = unsafe { DebugFile::detached(directory, name, 0o400, data, Self::OPERATIONS) };
        // INVARIANT: As above.
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
    /// As the kernel calls it: the file is a [`ShowFile`]'s, and is not removed during the call.
    unsafe extern "C" fn open(inode: *mut bindings::inode, file: *mut bindings::file) -> c_int {
        // SAFETY: The file is not removed during the call, so its `S` is there: `data` of the file.
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
    /// As the kernel calls it: `file` was opened by `open`.
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
    /// As the kernel calls it: `file` was opened by `open`, and nobody uses it any more.
    unsafe extern "C" fn release(_inode: *mut bindings::inode, file: *mut bindings::file) -> c_int {
        // SAFETY: `open` has put the box there, and the kernel releases a file once.
        drop(unsafe { KBox::from_raw((*file).private_data.cast::<Text>()) });
        0
    }
}

/// A control file of module `M`: `/sys/kernel/debug/d2d-MODULE/FILE`, writable by root.
///
/// While it is open, the module cannot be unloaded. Dropping it removes the file and waits for
/// those that write; may sleep. On a kernel without debugfs there is none, and nobody is told.
///
/// # Invariants
///
/// The file refers to `_control`, which is dropped after it.
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

    /// Makes the file called `name` in a directory, or in a new one for the module. May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    ///
    /// # Safety
    ///
    /// The file is dropped before the module's code goes away.
    pub unsafe fn new(directory: Option<Arc<Directory>>, name: &CStr, control: C) -> Result<Self> {
        let make = || -> Result<Self> {
            let control = KBox::new(control, GFP_KERNEL)?;
            let directory = match directory {
                Some(directory) => directory,
                None => Directory::of_module(M::NAME)?,
            };
            let data = core::ptr::from_ref(&*control).cast_mut().cast();
            // SAFETY: The operations take a `C`, which is dropped after the file.
            let file = unsafe { DebugFile::new(&directory, name, 0o200, data, Self::OPERATIONS) };
            // INVARIANT: As above.
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
    /// As the kernel calls it: the file is a [`ControlFile`]'s, and is not removed during the call.
    unsafe extern "C" fn open(inode: *mut bindings::inode, file: *mut bindings::file) -> c_int {
        match check_loaded::<M>() {
            // SAFETY: `inode` and `file` are what the kernel opens.
            Ok(()) => unsafe { bindings::simple_open(inode, file) },
            Err(error) => error.to_errno(),
        }
    }

    /// # Safety
    ///
    /// As the kernel calls it: `file` was opened by `open`, with the file's `C`, and is not removed
    /// during the call.
    unsafe extern "C" fn write(
        file: *mut bindings::file,
        buffer: *const c_char,
        length: usize,
        _offset: *mut bindings::loff_t,
    ) -> isize {
        // SAFETY: `simple_open` has put the file's `C` there, which is dropped after the file is
        // removed.
        let control = unsafe { &*(*file).private_data.cast::<C>() };
        let user = UserPtr::from_ptr(buffer.cast_mut().cast::<c_void>());
        match control.write(&mut UserSlice::new(user, length).reader()) {
            Ok(()) => length as isize,
            Err(error) => report_memory(M::NAME, error).to_errno() as isize,
        }
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

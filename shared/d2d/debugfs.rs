// SPDX-License-Identifier: GPL-2.0

//! Files in debugfs that show state.
//!
//! The library does not use the kernel crate's `debugfs`: there, an open file does not keep the
//! module loaded, and closing the file after the module was unloaded calls freed code.

use crate::{
    opened::{
        self,
        Opened, //
    },
    registration::DropPromise,
    trace::report_memory, //
};
use core::{
    fmt::Write,
    marker::PhantomData, //
};
use kernel::{
    bindings,
    ffi::c_int,
    fs::{
        file,
        File, //
    },
    prelude::*,
    str::CString,
    sync::{
        new_mutex,
        poll::PollTable,
        Arc,
        ArcBorrow,
        Mutex, //
    },
    uaccess::{
        UserPtr,
        UserSlice, //
    },
    ModuleMetadata, //
};

#[cfg(CONFIG_DEBUG_FS)]
use kernel::bindings as functions;

/// Without debugfs, these functions are inline in C, so `bindings` lacks them.
#[cfg(not(CONFIG_DEBUG_FS))]
mod functions {
    use super::*;
    use kernel::ffi::{
        c_char,
        c_void, //
    };

    pub(super) unsafe fn debugfs_create_dir(
        _name: *const c_char,
        _parent: *mut bindings::dentry,
    ) -> *mut bindings::dentry {
        core::ptr::null_mut()
    }

    pub(super) unsafe fn debugfs_create_file_unsafe(
        _name: *const c_char,
        _mode: bindings::umode_t,
        _parent: *mut bindings::dentry,
        _data: *mut c_void,
        _operations: *const bindings::file_operations,
    ) -> *mut bindings::dentry {
        core::ptr::null_mut()
    }

    pub(super) unsafe fn debugfs_remove(_entry: *mut bindings::dentry) {}
}

/// An entry of debugfs. Dropping it removes the entry; may sleep.
///
/// # Invariants
///
/// The pointer is what debugfs returned: an entry that was not removed, or an error pointer. In a
/// kernel without debugfs, it is null.
struct Entry(*mut bindings::dentry);

// SAFETY: Any thread may use and remove an entry of debugfs.
unsafe impl Send for Entry {}
// SAFETY: As for `Send`.
unsafe impl Sync for Entry {}

impl Drop for Entry {
    fn drop(&mut self) {
        // SAFETY: By the type invariants, an entry was not removed. debugfs ignores an error pointer and null.
        unsafe { functions::debugfs_remove(self.0) };
    }
}

/// A directory in debugfs. Dropping the last reference to it removes it; may sleep. Without
/// debugfs, making directories and files succeeds and has no effect.
pub struct Directory {
    entry: Entry,
    /// Removed after this directory.
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
        // SAFETY: The name is a string, and the parent was not removed. debugfs makes nothing if
        // the parent is an error pointer.
        let dentry = unsafe { functions::debugfs_create_dir(name.as_char_ptr(), above) };
        let directory = Self {
            // INVARIANT: `dentry` is what debugfs returned above.
            entry: Entry(dentry),
            _parent: parent,
        };
        Ok(Arc::new(directory, GFP_KERNEL)?)
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

/// What a [`ShowFile`] shows.
pub trait Show: Send + Sync + 'static {
    /// Writes all of it to `text`. Process context, may sleep.
    fn show(&self, text: &mut Text) -> Result;
}

/// An open file. Several threads may call its functions at the same time. The process gets the
/// errno that they return.
pub trait OpenFile: Send + Sync + 'static {
    /// What a [`ReadFile`] belongs to. All its open files share this value.
    type Source: Send + Sync + 'static;

    /// Opens the file for a process. Process context, may sleep.
    fn open(source: ArcBorrow<'_, Self::Source>) -> Result<Pin<KBox<Self>>>;

    /// Copies at most `length` bytes to user space, and returns how many. If `nonblocking` is set,
    /// must not wait for something to read. Process context, may sleep.
    fn read(&self, to: UserPtr, length: usize, nonblocking: bool) -> Result<usize>;

    /// Returns the flags of `poll`, and registers with `table` what wakes the process when they
    /// change. Process context, may sleep.
    fn poll(&self, _file: &File, _table: PollTable<'_>) -> u32 {
        bindings::POLLIN | bindings::POLLRDNORM
    }
}

impl<F: OpenFile> Opened for F {
    fn read(&self, file: &File, to: UserPtr, length: usize) -> Result<usize> {
        let nonblocking = file.flags() & file::flags::O_NONBLOCK != 0;
        OpenFile::read(self, to, length, nonblocking)
    }

    fn poll(&self, file: &File, table: PollTable<'_>) -> u32 {
        OpenFile::poll(self, file, table)
    }
}

struct FunctionsOf<F, M>(PhantomData<(F, M)>);

impl<F: OpenFile, M: ModuleMetadata> FunctionsOf<F, M> {
    const OPERATIONS: &'static bindings::file_operations = &bindings::file_operations {
        owner: M::THIS_MODULE.as_ptr(),
        open: Some(Self::open),
        read: Some(opened::read::<F>),
        poll: Some(opened::poll::<F>),
        release: Some(opened::release::<F>),
        ..pin_init::zeroed()
    };

    /// # Safety
    ///
    /// `inode` and `file` are those of a [`ReadFile`], which is not removed during the call.
    unsafe extern "C" fn open(inode: *mut bindings::inode, file: *mut bindings::file) -> c_int {
        // SAFETY: The file's `data` is from `Arc::as_ptr`. The `ReadFile` keeps this `Arc` until it
        // has removed the file. By the contract, it does not remove the file during the call.
        let source = unsafe { ArcBorrow::from_raw((*inode).i_private.cast::<F::Source>()) };
        match opened::check_loaded(M::NAME).and_then(|()| F::open(source)) {
            // SAFETY: `inode` and `file` are those that the kernel opens. `OPERATIONS` has `release`.
            Ok(value) => unsafe { opened::store(inode, file, value) },
            Err(error) => report_memory(M::NAME, error).to_errno(),
        }
    }
}

/// The functions that the kernel calls for files of `F`. Their module promises to drop the files
/// before the kernel frees its text.
///
/// A function returns the `file_operations`, because a reference to them is neither `Send` nor
/// `Sync`.
pub struct FileOperations<F>(
    fn() -> &'static bindings::file_operations,
    PhantomData<fn(F)>,
);

impl<F: OpenFile> FileOperations<F> {
    /// Returns the functions for module `M`.
    pub fn of<M: ModuleMetadata>(_promise: DropPromise<M>) -> Self {
        Self(|| FunctionsOf::<F, M>::OPERATIONS, PhantomData)
    }
}

/// A file that root can read. While it is open, the module cannot be unloaded.
///
/// Dropping the value removes the file. This waits for threads inside [`OpenFile::open`], but not
/// for threads that read. May sleep.
///
/// # Invariants
///
/// The file's `data` is the address of `source`, which is dropped after the file.
pub struct ReadFile<F: OpenFile> {
    _entry: Entry,
    /// Removed after the file.
    _directory: Arc<Directory>,
    source: Arc<F::Source>,
}

impl<F: OpenFile> ReadFile<F> {
    /// Makes the file called `name` in a directory. May sleep.
    pub fn new(
        operations: &FileOperations<F>,
        directory: &Arc<Directory>,
        name: &CStr,
        source: Arc<F::Source>,
    ) -> Self {
        let data = Arc::as_ptr(&source).cast_mut().cast();
        // Removing a file that the `_unsafe` function has made waits only for `open`, and not for a
        // read that is stuck in a page fault on user memory.
        // SAFETY: The name is a string, and the directory was not removed. `open` expects an
        // `F::Source` in `data`, which the other functions do not use. Dropping the entry waits for
        // `open`, and `source` is dropped later. `operations` was made with a `DropPromise<M>`: the
        // functions are in the text of module `M`, and the file is dropped before that text is
        // freed. `M` is their `owner`, so it stays loaded while the file is open.
        let dentry = unsafe {
            functions::debugfs_create_file_unsafe(
                name.as_char_ptr(),
                0o400,
                directory.entry.0,
                data,
                (operations.0)(),
            )
        };
        // INVARIANT: The file was made with `data`; the fields are dropped in their order.
        Self {
            // INVARIANT: `dentry` is what debugfs returned above.
            _entry: Entry(dentry),
            _directory: directory.clone(),
            source,
        }
    }

    /// Returns what the file belongs to.
    pub fn source(&self) -> &Arc<F::Source> {
        &self.source
    }
}

#[pin_data]
struct Shown<S> {
    text: Text,
    /// How many bytes were read.
    #[pin]
    position: Mutex<usize>,
    _show: PhantomData<fn(S)>,
}

impl<S: Show> OpenFile for Shown<S> {
    type Source = S;

    fn open(show: ArcBorrow<'_, S>) -> Result<Pin<KBox<Self>>> {
        let mut text = Text(KVVec::new());
        show.show(&mut text)?;
        KBox::pin_init(
            pin_init!(Self {
                text,
                position <- new_mutex!(0, "d2d_shown"),
                _show: PhantomData,
            }),
            GFP_KERNEL,
        )
    }

    fn read(&self, to: UserPtr, length: usize, _nonblocking: bool) -> Result<usize> {
        let mut position = self.position.lock();
        let mut writer = UserSlice::new(to, length).writer();
        let count = writer.write_slice_partial(&self.text.0, *position)?;
        *position += count;
        Ok(count)
    }
}

/// A [`ReadFile`] whose text is made when a process opens the file.
pub struct ShowFile<S: Show> {
    _file: ReadFile<Shown<S>>,
}

impl<S: Show> ShowFile<S> {
    /// Makes the file called `name` in a directory. May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub fn new<M: ModuleMetadata>(
        promise: DropPromise<M>,
        directory: &Arc<Directory>,
        name: &CStr,
        show: S,
    ) -> Result<Self> {
        let show = Arc::new(show, GFP_KERNEL)?;
        Ok(Self {
            _file: ReadFile::new(&FileOperations::of(promise), directory, name, show),
        })
    }
}

// SPDX-License-Identifier: GPL-2.0

//! The file through which user space watches an event.
//!
//! A read returns one line of text about the event. The first read of an open file returns at once.
//! Each later read waits until the event was set again since the line before, so that a shell can
//! wait without polling. Reading does not take the event. An open file keeps the event from being
//! freed and the module from being unloaded.

use super::{
    Event,
    Status, //
};
use core::{
    fmt::Write,
    marker::PhantomData, //
};
use d2d::{
    control::{
        check_loaded,
        DebugFile,
        Directory, //
    },
    trace::report_memory, //
};
use kernel::{
    bindings,
    ffi::{
        c_char,
        c_int,
        c_void, //
    },
    fs::{
        file,
        File, //
    },
    prelude::*,
    str::Formatter,
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

/// The longest line, in bytes.
const LINE: usize = 192;

/// An open file, which watches an event.
#[pin_data]
struct Watch {
    event: Arc<Event>,
    #[pin]
    reader: Mutex<Reader>,
}

/// The current line of an open file.
struct Reader {
    line: [u8; LINE],
    length: usize,
    /// How many bytes of the line were read.
    position: usize,
    /// How often the event had been set when the line was made; `None` before the first line.
    seen: Option<u64>,
}

impl Reader {
    /// Makes a new line.
    fn fill(&mut self, event: &Event, status: Status) {
        let mut text = Formatter::new(&mut self.line);
        // `LINE` is enough for the longest name and the largest numbers.
        let _ = text.write_fmt(fmt!(
            "name={} kind={} state={} sets={} waiters={}\n",
            event.name().as_c_str(),
            event.kind().name(),
            if status.set { "set" } else { "reset" },
            status.sets,
            status.waiting
        ));
        (self.length, self.position) = (text.bytes_written(), 0);
        self.seen = Some(status.sets);
    }
}

impl Watch {
    /// Begins to watch an event. May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    fn new(event: Arc<Event>) -> Result<Pin<KBox<Self>>> {
        let watch = KBox::pin_init(
            pin_init!(Self {
                event,
                reader <- new_mutex!(
                    Reader {
                        line: [0; LINE],
                        length: 0,
                        position: 0,
                        seen: None,
                    },
                    "d2d_watch"
                ),
            }),
            GFP_KERNEL,
        )?;
        watch.event.watch()?;
        Ok(watch)
    }

    /// Returns the flags of `poll`: `POLLIN` if a read would return a line, `POLLHUP` if the last
    /// handle of the event is closed. May sleep.
    fn poll(&self) -> u32 {
        let reader = self.reader.lock();
        let status = self.event.status();
        let mut events = 0;
        if reader.position < reader.length || reader.seen != Some(status.sets) {
            events |= bindings::POLLIN | bindings::POLLRDNORM;
        }
        if status.closed {
            events |= bindings::POLLHUP;
        }
        events
    }

    /// Reads the rest of the current line, or waits for a new line. Returns the number of bytes; 0
    /// if the last handle of the event is closed, because then there will be no other line. May
    /// sleep.
    ///
    /// The copy to user space may take long. Closing the event does not wait for it, because
    /// closing needs no lock that is held here.
    ///
    /// # Errors
    ///
    /// `EAGAIN` if there is no new line and `nonblocking` is set, `ERESTARTSYS` if a signal came,
    /// `EFAULT`.
    fn read(&self, to: UserPtr, length: usize, nonblocking: bool) -> Result<usize> {
        loop {
            let mut reader = self.reader.lock();
            if reader.position == reader.length {
                let status = self.event.status();
                match reader.seen {
                    // The last handle was closed before the first read.
                    None if status.closed => return Ok(0),
                    Some(seen) if seen == status.sets => {
                        if status.closed {
                            return Ok(0);
                        }
                        drop(reader);
                        if nonblocking {
                            return Err(EAGAIN);
                        }
                        self.event.wait_for_change(seen)?;
                        continue;
                    }
                    _ => reader.fill(&self.event, status),
                }
            }
            let mut writer = UserSlice::new(to, length).writer();
            let line = &reader.line[..reader.length];
            let count = writer.write_slice_partial(line, reader.position)?;
            reader.position += count;
            return Ok(count);
        }
    }
}

/// The kernel's file operations for the events' files.
///
/// # Invariants
///
/// The functions are those of this file. The `owner` is the module of the library's owner.
#[derive(Clone, Copy)]
pub(crate) struct Operations(&'static bindings::file_operations);

// SAFETY: The file operations never change.
unsafe impl Send for Operations {}
// SAFETY: As above.
unsafe impl Sync for Operations {}

impl Operations {
    /// Returns the file operations for module `M`, which is the owner's.
    pub(crate) fn of<M: ModuleMetadata>() -> Self {
        // INVARIANT: `Of` has the functions of this file, and `M` as their owner.
        Self(Of::<M>::OPERATIONS)
    }
}

/// The file operations for module `M`, which need a constant of their own for each module.
struct Of<M>(PhantomData<M>);

impl<M: ModuleMetadata> Of<M> {
    const OPERATIONS: &'static bindings::file_operations = &bindings::file_operations {
        owner: M::THIS_MODULE.as_ptr(),
        open: Some(open::<M>),
        read: Some(read),
        poll: Some(poll),
        release: Some(release),
        ..pin_init::zeroed()
    };
}

/// An event and its file in debugfs. Dropping this removes the file, which waits for threads that
/// are just opening it, but not for those that read; may sleep.
pub(crate) struct WatchFile {
    /// Dropped first: the file refers to the event.
    _file: DebugFile,
    event: Arc<Event>,
}

impl WatchFile {
    /// Makes the file of an event in a directory. May sleep.
    pub(crate) fn new(
        directory: &Arc<Directory>,
        operations: Operations,
        event: Arc<Event>,
    ) -> Self {
        let data = Arc::as_ptr(&event).cast_mut().cast::<c_void>();
        let name = event.name().as_c_str();
        // SAFETY: `open` gets `data`, which points to an event in an `Arc` that this drops after
        // the file. The other functions use the `Watch` that `open` has made, which keeps the
        // event. By the type invariants of `Operations`, the module of all of them is the file
        // operations' owner.
        let file = unsafe { DebugFile::detached(directory, name, 0o400, data, operations.0) };
        Self { _file: file, event }
    }

    /// Returns the event.
    pub(crate) fn event(&self) -> &Arc<Event> {
        &self.event
    }
}

/// The kernel calls this to open a file.
///
/// # Safety
///
/// `inode` and `file` are those of a file of a [`WatchFile`], which is not removed during the call.
unsafe extern "C" fn open<M: ModuleMetadata>(
    inode: *mut bindings::inode,
    file: *mut bindings::file,
) -> c_int {
    if let Err(error) = check_loaded::<M>() {
        return error.to_errno();
    }
    // SAFETY: `WatchFile::new` has given the file a pointer from `Arc::as_ptr`. The `WatchFile`
    // keeps that reference until the file is removed, which does not happen during the call.
    let event = unsafe { ArcBorrow::from_raw((*inode).i_private.cast::<Event>()) };
    match Watch::new(event.into()) {
        Ok(watch) => {
            // SAFETY: `inode` and `file` are those that the kernel opens. The box is not moved
            // until `release` takes it back.
            unsafe {
                let watch = KBox::into_raw(Pin::into_inner_unchecked(watch));
                (*file).private_data = watch.cast::<c_void>();
                // A stream has no position, so reads by several threads do not wait for the lock of
                // the position.
                bindings::stream_open(inode, file)
            }
        }
        Err(error) => report_memory(event.owner(), error).to_errno(),
    }
}

/// Returns the `Watch` of an open file.
///
/// # Safety
///
/// [`open`] has opened `file`, and [`release`] is not called before the last use of the result.
unsafe fn watch<'a>(file: *mut bindings::file) -> &'a Watch {
    // SAFETY: `open` has stored the address of the `Watch` there. Only `release` frees it.
    unsafe { &*(*file).private_data.cast::<Watch>() }
}

/// The kernel calls this to read from a file.
///
/// # Safety
///
/// [`open`] has opened `file`, and [`release`] is not called before this returns.
unsafe extern "C" fn read(
    file: *mut bindings::file,
    buffer: *mut c_char,
    length: usize,
    _offset: *mut bindings::loff_t,
) -> isize {
    // SAFETY: `open` has opened `file`, and `release` is not called during the call.
    let (watch, file) = unsafe { (watch(file), File::from_raw_file(file)) };
    let nonblocking = file.flags() & file::flags::O_NONBLOCK != 0;
    let to = UserPtr::from_ptr(buffer.cast::<c_void>());
    match watch.read(to, length, nonblocking) {
        Ok(count) => count as isize,
        Err(error) => error.to_errno() as isize,
    }
}

/// The kernel calls this to poll a file.
///
/// # Safety
///
/// [`open`] has opened `file`, and [`release`] is not called before this returns. `table` is the
/// kernel's poll table of this call.
unsafe extern "C" fn poll(
    file: *mut bindings::file,
    table: *mut bindings::poll_table_struct,
) -> bindings::__poll_t {
    // SAFETY: `open` has opened `file`, and `release` is not called during the call. `table` is the
    // kernel's poll table of this call.
    let (watch, file, table) = unsafe {
        (
            watch(file),
            File::from_raw_file(file),
            PollTable::from_raw(table),
        )
    };
    if let Some(watchers) = watch.event.watchers() {
        table.register_wait(file, watchers);
    }
    watch.poll()
}

/// The kernel calls this when an open file is closed.
///
/// # Safety
///
/// [`open`] has opened `file`, and this is the last call for it.
unsafe extern "C" fn release(_inode: *mut bindings::inode, file: *mut bindings::file) -> c_int {
    // SAFETY: `open` has stored the address of the box there, and this is the last call for the
    // file.
    let watch = unsafe { Pin::new_unchecked(KBox::from_raw((*file).private_data.cast::<Watch>())) };
    watch.event.unwatch();
    0
}

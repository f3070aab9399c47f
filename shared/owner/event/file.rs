// SPDX-License-Identifier: GPL-2.0

//! The file through which user space watches an event.
//!
//! The file has one line of text about the event. The first read of an open file returns at once. Each
//! later read returns when the event was set since the line before, so that a shell can wait without
//! polling. Reading takes nothing from the threads that wait for the event. An open file keeps the event
//! and the module.

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

/// Longest line, in bytes.
const LINE: usize = 192;

/// An open file, which watches an event.
#[pin_data]
struct Watch {
    event: Arc<Event>,
    #[pin]
    reader: Mutex<Reader>,
}

/// What an open file has returned.
struct Reader {
    line: [u8; LINE],
    length: usize,
    /// Bytes of the line that were read.
    position: usize,
    /// How often the event had been set when the line was made; `None` before the first line.
    seen: Option<u64>,
}

impl Reader {
    fn fill(&mut self, event: &Event, status: Status) {
        let mut text = Formatter::new(&mut self.line);
        // It has room for the longest name and numbers.
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

    /// Returns the events of `poll`.
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

    /// Reads what is left of the line, or waits for a new one. May sleep.
    ///
    /// Returns the number of bytes: 0 when the event is closed, as there will be no other line. The copy
    /// to user space may take long. Closing the event does not wait for it: it needs no lock that is held
    /// here.
    fn read(&self, to: UserPtr, length: usize, nonblocking: bool) -> Result<usize> {
        loop {
            let mut reader = self.reader.lock();
            if reader.position == reader.length {
                let status = self.event.status();
                match reader.seen {
                    // The event was closed before the first read.
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

/// The operations of the files, in the owner's module.
///
/// # Invariants
///
/// They are the functions below, and have that module as their owner.
#[derive(Clone, Copy)]
pub(crate) struct Operations(&'static bindings::file_operations);

// SAFETY: They never change.
unsafe impl Send for Operations {}
// SAFETY: As above.
unsafe impl Sync for Operations {}

impl Operations {
    /// Returns those for module `M`.
    pub(crate) fn of<M: ModuleMetadata>() -> Self {
        // INVARIANT: `Of` has the functions below, and the module as their owner.
        Self(Of::<M>::OPERATIONS)
    }
}

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

/// An event with its file. Dropping it removes the file. It waits for threads that open the file, but not for
/// those that read; may sleep.
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
        // SAFETY: `open` takes an event in an `Arc`, which is dropped after the file. The other
        // operations use the `Watch` that `open` has made, which keeps the event. They are those of
        // their owner.
        let file = unsafe { DebugFile::detached(directory, name, 0o400, data, operations.0) };
        Self { _file: file, event }
    }

    /// Returns the event.
    pub(crate) fn event(&self) -> &Arc<Event> {
        &self.event
    }
}

/// # Safety
///
/// The kernel opens a file of a [`WatchFile`], and does not remove it during the call.
unsafe extern "C" fn open<M: ModuleMetadata>(
    inode: *mut bindings::inode,
    file: *mut bindings::file,
) -> c_int {
    if let Err(error) = check_loaded::<M>() {
        return error.to_errno();
    }
    // SAFETY: `WatchFile::new` has given the file a pointer from `Arc::as_ptr`, and keeps that
    // reference until the file is removed, which it is not during the call.
    let event = unsafe { ArcBorrow::from_raw((*inode).i_private.cast::<Event>()) };
    match Watch::new(event.into()) {
        Ok(watch) => {
            // SAFETY: `inode` and `file` are what the kernel opens. The box is taken back by
            // `release`, and not moved.
            unsafe {
                let watch = KBox::into_raw(Pin::into_inner_unchecked(watch));
                (*file).private_data = watch.cast::<c_void>();
                // There is no position: threads that read do not wait for each other.
                bindings::stream_open(inode, file)
            }
        }
        Err(error) => report_memory(event.owner(), error).to_errno(),
    }
}

/// # Safety
///
/// `file` was opened by [`open`] and is not released yet.
unsafe fn watch<'a>(file: *mut bindings::file) -> &'a Watch {
    // SAFETY: `open` has put the `Watch` there, and `release`, which frees it, was not called yet.
    unsafe { &*(*file).private_data.cast::<Watch>() }
}

/// # Safety
///
/// The kernel reads a file that was opened by [`open`].
unsafe extern "C" fn read(
    file: *mut bindings::file,
    buffer: *mut c_char,
    length: usize,
    _offset: *mut bindings::loff_t,
) -> isize {
    // SAFETY: `file` was opened by `open`, and is not released during the call.
    let (watch, file) = unsafe { (watch(file), File::from_raw_file(file)) };
    let nonblocking = file.flags() & file::flags::O_NONBLOCK != 0;
    let to = UserPtr::from_ptr(buffer.cast::<c_void>());
    match watch.read(to, length, nonblocking) {
        Ok(count) => count as isize,
        Err(error) => error.to_errno() as isize,
    }
}

/// # Safety
///
/// The kernel polls a file that was opened by [`open`], with a table for this call.
unsafe extern "C" fn poll(
    file: *mut bindings::file,
    table: *mut bindings::poll_table_struct,
) -> bindings::__poll_t {
    // SAFETY: `file` was opened by `open`, and is not released during the call. `table` is the
    // kernel's, for this call.
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

/// # Safety
///
/// The kernel releases a file that was opened by [`open`]: this is the last call for it.
unsafe extern "C" fn release(_inode: *mut bindings::inode, file: *mut bindings::file) -> c_int {
    // SAFETY: `open` has put the box there, and this is the last call for the file.
    let watch = unsafe { Pin::new_unchecked(KBox::from_raw((*file).private_data.cast::<Watch>())) };
    watch.event.unwatch();
    0
}

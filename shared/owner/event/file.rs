// SPDX-License-Identifier: GPL-2.0

//! The file through which user space watches an event.
//!
//! A read returns one line of text about the event. The first read returns at once. Each later one
//! waits until the event has been set again since the previous line. So a shell can wait without polling.
//! Reading does not take the event. While a file is open, the event is not freed, and the module is not
//! unloaded.

use super::{
    Event,
    Status, //
};
use core::fmt::Write;
use d2d::debugfs::{
    OpenFile,
    ReadFile, //
};
use kernel::{
    bindings,
    fs::File,
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
    }, //
};

/// An event with its file. Dropping this removes the file; see [`ReadFile`].
pub(crate) type WatchFile = ReadFile<Watch>;

/// The longest line, in bytes.
const LINE: usize = 192;

struct Watched(Arc<Event>);

impl Watched {
    /// May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    fn new(event: Arc<Event>) -> Result<Self> {
        event.watch()?;
        Ok(Self(event))
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.0.unwatch();
    }
}

#[pin_data]
pub(crate) struct Watch {
    watched: Watched,
    #[pin]
    reader: Mutex<Reader>,
}

struct Reader {
    line: [u8; LINE],
    length: usize,
    position: usize,
    /// How often the event had been set at this line; `None` before the first line.
    seen: Option<u64>,
}

impl Reader {
    fn fill(&mut self, event: &Event, status: Status) {
        let mut text = Formatter::new(&mut self.line);
        // `LINE` is enough for the longest name and the largest numbers.
        let _ = text.write_fmt(fmt!(
            "name={} kind={} state={} sets={} waiters={} handlers={} failed={}\n",
            event.name().as_c_str(),
            event.kind().name(),
            if status.set { "set" } else { "reset" },
            status.sets,
            status.waiting,
            status.handlers,
            status.failed
        ));
        (self.length, self.position) = (text.bytes_written(), 0);
        self.seen = Some(status.sets);
    }
}

impl OpenFile for Watch {
    type Source = Event;

    fn open(event: ArcBorrow<'_, Event>) -> Result<Pin<KBox<Self>>> {
        let watched = Watched::new(event.into())?;
        KBox::pin_init(
            pin_init!(Self {
                watched,
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
        )
    }

    /// Reads the rest of the current line, or waits for a new line. Returns 0 if all lines were read and
    /// the last handle is closed: there will be no other line. May sleep.
    ///
    /// The copy to user space may take long. Closing a handle takes no lock that is held here, so it
    /// does not wait for the copy.
    ///
    /// # Errors
    ///
    /// `EAGAIN` if there is no new line and `nonblocking` is set, `ERESTARTSYS` after a signal,
    /// `EFAULT`.
    fn read(&self, to: UserPtr, length: usize, nonblocking: bool) -> Result<usize> {
        let event = &*self.watched.0;
        loop {
            let mut reader = self.reader.lock();
            if reader.position == reader.length {
                let status = event.status();
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
                        event.wait_for_change(seen)?;
                        continue;
                    }
                    _ => reader.fill(event, status),
                }
            }
            let mut writer = UserSlice::new(to, length).writer();
            let line = &reader.line[..reader.length];
            let count = writer.write_slice_partial(line, reader.position)?;
            reader.position += count;
            return Ok(count);
        }
    }

    /// Returns `POLLIN` if a line may be left to read, `POLLHUP` if the last handle is closed. May sleep.
    fn poll(&self, file: &File, table: PollTable<'_>) -> u32 {
        let event = &*self.watched.0;
        if let Some(watchers) = event.watchers() {
            table.register_wait(file, watchers);
        }
        let reader = self.reader.lock();
        let status = event.status();
        let mut events = 0;
        if reader.position < reader.length || reader.seen != Some(status.sets) {
            events |= bindings::POLLIN | bindings::POLLRDNORM;
        }
        if status.closed {
            events |= bindings::POLLHUP;
        }
        events
    }
}

// SPDX-License-Identifier: GPL-2.0

//! The names of events, and which driver has opened what.
//!
//! Names are under a mutex of their own, as only creating, opening and closing look at them, and
//! those may sleep. What is done by handle does not need it.

use super::{
    file::{
        Operations,
        WatchFile, //
    },
    name::Name,
    wait::{
        Block,
        Manner, //
    },
    Dispatcher,
    Event,
    Kind, //
};
use crate::registry::Refusal;
use d2d::{
    abi::{
        self,
        d2d_handle, //
    },
    control::Directory,
    fields,
    trace::{
        refuse,
        Field, //
    }, //
};
use kernel::{
    prelude::*,
    rbtree::{
        RBTree,
        RBTreeNodeReservation, //
    },
    sync::{
        new_mutex,
        Arc,
        Mutex, //
    }, //
};

struct Names {
    tree: RBTree<Name, WatchFile>,
    count: usize,
}

/// The event that a driver wants to open.
#[derive(Clone, Copy)]
pub(crate) struct Wanted {
    pub(crate) name: Name,
    pub(crate) kind: Kind,
    /// Whether to make it set, if it does not exist; `None` if it has to exist.
    pub(crate) make: Option<bool>,
}

/// All events.
#[pin_data(PinnedDrop)]
pub(crate) struct Events {
    /// Name of the owner, for its refusals.
    owner: &'static CStr,
    directory: Arc<Directory>,
    files: Arc<Directory>,
    operations: Operations,
    dispatcher: Arc<Dispatcher>,
    #[pin]
    names: Mutex<Names>,
}

impl Events {
    /// Makes it without events. Their files will be in the owner's directory, with these operations. May
    /// sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn new(owner: &'static CStr, operations: Operations) -> impl PinInit<Self, Error> {
        pin_init::pin_init_scope(move || {
            let directory = Directory::of_module(owner)?;
            Ok(try_pin_init!(Self {
                owner,
                files: Directory::within(&directory, c"events")?,
                directory,
                operations,
                dispatcher: Arc::pin_init(Dispatcher::new(owner), GFP_KERNEL)?,
                names <- new_mutex!(
                    Names {
                        tree: RBTree::new(),
                        count: 0,
                    },
                    "d2d_event_names"
                ),
            }? Error))
        })
    }

    /// Returns the owner's directory in debugfs.
    pub(crate) fn directory(&self) -> Arc<Directory> {
        self.directory.clone()
    }

    /// Runs `f` on each event, in the order of their names, while none comes or goes. May sleep.
    pub(crate) fn for_each(&self, f: impl FnMut(&Event) -> Result) -> Result {
        let names = self.names.lock();
        let mut events = names.tree.values().map(|file| &**file.event());
        events.try_for_each(f)
    }

    /// Prints the line of a refusal.
    pub(crate) fn refuse(&self, (reason, error): Refusal, fields: &[Field<'_>]) -> Error {
        refuse(self.owner, reason, error, fields)
    }

    /// Refuses a handle that names no event.
    pub(crate) fn stale(&self, handle: d2d_handle) -> Error {
        self.refuse(("stale-event-handle", ESTALE), &fields![handle: handle])
    }

    /// Opens an event for a driver, if `registered` finds it. Makes the event if that is wanted and it does
    /// not exist. Returns the handle, and whether the event was made. May sleep.
    ///
    /// # Errors
    ///
    /// Those of `d2d_event_create` or `d2d_event_open`, or what `registered` returns.
    pub(crate) fn open(
        &self,
        driver: d2d_handle,
        wanted: Wanted,
        registered: impl FnOnce() -> Result,
    ) -> Result<(d2d_handle, bool)> {
        let opened = {
            let mut names = self.names.lock();
            // Under the mutex: see `close_all`.
            registered()?;
            self.open_locked(&mut names, driver, wanted)
        };
        opened.map_err(|refusal| self.refuse(refusal, &fields![name: wanted.name.as_c_str()]))
    }

    fn open_locked(
        &self,
        names: &mut Names,
        driver: d2d_handle,
        wanted: Wanted,
    ) -> Result<(d2d_handle, bool), Refusal> {
        if let Some(file) = names.tree.get(&wanted.name) {
            let event = file.event();
            if event.kind() != wanted.kind {
                return Err(("other-event-kind", EPROTOTYPE));
            }
            return Ok((self.dispatcher.open(driver, event)?, false));
        }
        let set = wanted.make.ok_or(("unknown-event", ENOENT))?;
        if names.count >= abi::D2D_EVENT_MAX as usize {
            return Err(("too-many-events", ENFILE));
        }
        let no_memory = |_| ("out-of-memory", ENOMEM);
        let node = RBTreeNodeReservation::new(GFP_KERNEL).map_err(no_memory)?;
        let event = Event::new(wanted.name, wanted.kind, set, self.dispatcher.clone());
        let event = Arc::pin_init(event, GFP_KERNEL).map_err(|error| ("out-of-memory", error))?;
        let handle = self.dispatcher.open(driver, &event)?;
        let file = WatchFile::new(&self.files, self.operations, event);
        names.tree.insert(node.into_node(wanted.name, file));
        names.count += 1;
        Ok((handle, true))
    }

    /// Closes a handle; see `d2d_event_close`. May sleep.
    pub(crate) fn close(&self, handle: d2d_handle) -> Result {
        let closed = self.close_locked(&mut self.names.lock(), handle);
        closed.ok_or_else(|| self.stale(handle))
    }

    fn close_locked(&self, names: &mut Names, handle: d2d_handle) -> Option<()> {
        let (name, last) = self.dispatcher.close(handle)?;
        if last && names.tree.remove(&name).is_some() {
            names.count -= 1;
        }
        Some(())
    }

    /// Closes all handles of a driver that has begun to leave. May sleep.
    pub(crate) fn close_all(&self, driver: d2d_handle) {
        // A thread in `open` that has found the driver registered holds the mutex until the handle
        // is there; the next one finds that the driver is leaving.
        drop(self.names.lock());
        self.close_all_of(|other| other == driver);
    }

    /// Ends the waits that were begun with a driver's handles, which stay open. Any context.
    pub(crate) fn cancel_waits(&self, driver: d2d_handle) {
        for chunk in 0..self.dispatcher.chunks() {
            self.dispatcher.cancel_waits(driver, chunk);
        }
    }

    /// Closes all handles of the drivers that `f` chooses, which open no more. Takes the mutex only
    /// for chunks that have such a handle: other threads wait for the mutex as well, and there may be a
    /// thousand chunks.
    fn close_all_of(&self, f: impl Fn(d2d_handle) -> bool) {
        for chunk in 0..self.dispatcher.chunks() {
            if self.dispatcher.find(&f, chunk).is_none() {
                continue;
            }
            let mut names = self.names.lock();
            while let Some(handle) = self.dispatcher.find(&f, chunk) {
                self.close_locked(&mut names, handle);
            }
        }
    }

    /// Returns what sets, resets and takes an event by its handle.
    #[inline]
    pub(crate) fn dispatcher(&self) -> &Dispatcher {
        &self.dispatcher
    }

    /// Waits for the events whose handles `handles` returns; see `d2d_event_wait`. Calls `fill` with the
    /// index; if that returns false, sets the events again that the wait has taken. May sleep, unless
    /// the timeout is 0.
    pub(crate) fn wait(
        &self,
        count: usize,
        handles: impl Fn(usize) -> Option<d2d_handle>,
        manner: Manner,
        fill: impl FnOnce(u32) -> bool,
    ) -> Result<u32> {
        self.wait_with(count, handles, manner, fill)
            .map_err(|refusal| self.refuse(refusal, &fields![events: count]))?
    }

    fn wait_with(
        &self,
        count: usize,
        handles: impl Fn(usize) -> Option<d2d_handle>,
        manner: Manner,
        fill: impl FnOnce(u32) -> bool,
    ) -> Result<Result<u32>, Refusal> {
        /// Waiting for so many events allocates nothing.
        const FEW: usize = 4;

        if !(1..=abi::D2D_EVENT_MAX_WAITS as usize).contains(&count) {
            return Err(("bad-event-count", EINVAL));
        }
        let mut few = [Block::new(0); FEW];
        let mut many = KVec::new();
        let blocks = match few.get_mut(..count) {
            Some(few) => few,
            None => {
                let flags = match manner.timeout {
                    Some(0) => GFP_ATOMIC,
                    _ => GFP_KERNEL,
                };
                many.resize(count, Block::new(0), flags)
                    .map_err(|_| ("out-of-memory", ENOMEM))?;
                &mut many[..]
            }
        };
        for (n, block) in blocks.iter_mut().enumerate() {
            let handle = handles(n).ok_or(("bad-events-pointer", EFAULT))?;
            *block = Block::new(handle);
        }
        let outcome = self.dispatcher.wait(blocks, manner)?;
        if let Ok(index) = outcome {
            if !fill(index) {
                self.dispatcher.put_back(blocks, manner.all, index);
                return Err(("bad-index-pointer", EFAULT));
            }
        }
        Ok(outcome)
    }
}

#[pinned_drop]
impl PinnedDrop for Events {
    /// Frees the events: they refer to the dispatcher, and it to them.
    fn drop(self: Pin<&mut Self>) {
        self.close_all_of(|_| true);
        Dispatcher::wait_for_retired();
    }
}

#[cfg(d2d_tests)]
mod tests;

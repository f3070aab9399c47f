// SPDX-License-Identifier: GPL-2.0

//! The table of all events by name, under a mutex. A thread that sets, resets, queries or waits for an
//! event uses a handle, and does not need the mutex.

use super::{
    file::{
        Watch,
        WatchFile, //
    },
    handlers::Call,
    name::Name,
    wait::{
        Closed,
        Manner,
        WaitBlock, //
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
    debugfs::{
        Directory,
        FileOperations, //
    },
    fields,
    registration::DropPromise,
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
    },
    ModuleMetadata, //
};

struct Names {
    tree: RBTree<Name, WatchFile>,
    /// The number of events in `tree`.
    count: usize,
}

#[derive(Clone, Copy)]
pub(crate) struct Wanted {
    pub(crate) name: Name,
    pub(crate) kind: Kind,
    /// The initial state of an event that does not exist yet. With `None`, only an existing event is
    /// opened.
    pub(crate) make: Option<bool>,
}

/// All events of an owner.
#[pin_data(PinnedDrop)]
pub(crate) struct Events {
    /// The owner's name, for refusals.
    owner: &'static CStr,
    directory: Arc<Directory>,
    files: Arc<Directory>,
    operations: FileOperations<Watch>,
    dispatcher: Arc<Dispatcher>,
    #[pin]
    names: Mutex<Names>,
}

impl Events {
    /// May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn new<M: ModuleMetadata>(
        promise: DropPromise<M>,
        owner: &'static CStr,
    ) -> impl PinInit<Self, Error> {
        pin_init::pin_init_scope(move || {
            let directory = Directory::of_module(owner)?;
            Ok(try_pin_init!(Self {
                owner,
                files: Directory::within(&directory, c"events")?,
                directory,
                operations: FileOperations::of(promise),
                dispatcher: Arc::pin_init(Dispatcher::new(), GFP_KERNEL)?,
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

    pub(crate) fn directory(&self) -> Arc<Directory> {
        self.directory.clone()
    }

    /// Calls `f` with each event, in the order of names, until `f` fails. No event is created or closed
    /// meanwhile. May sleep.
    ///
    /// # Errors
    ///
    /// That of `f`.
    pub(crate) fn for_each(&self, f: impl FnMut(&Event) -> Result) -> Result {
        let names = self.names.lock();
        let mut events = names.tree.values().map(|file| &**file.source());
        events.try_for_each(f)
    }

    /// Prints a refusal. Any context.
    pub(crate) fn refuse(&self, (reason, error): Refusal, fields: &[Field<'_>]) -> Error {
        refuse(self.owner, reason, error, fields)
    }

    /// Prints the refusal of a handle that names no event. Any context.
    pub(crate) fn refuse_stale(&self, handle: d2d_handle) -> Error {
        self.refuse(("stale-event-handle", ESTALE), &fields![handle: handle])
    }

    /// Opens or makes an event. Returns the handle, and whether the event was made. `registered` checks
    /// that the driver is registered and not leaving. May sleep.
    ///
    /// # Errors
    ///
    /// Those of `d2d_event_create` or `d2d_event_open`, each with its line; or that of `registered`.
    pub(crate) fn open(
        &self,
        driver: d2d_handle,
        wanted: Wanted,
        registered: impl FnOnce() -> Result,
    ) -> Result<(d2d_handle, bool)> {
        let opened = {
            let mut names = self.names.lock();
            // This call must be under the mutex: `leave` relies on it.
            registered()?;
            self.open_locked(&mut names, driver, wanted)
        };
        opened.map_err(|refusal| self.refuse(refusal, &fields![name: wanted.name.as_c_str()]))
    }

    /// The caller has locked the mutex and called `registered`.
    fn open_locked(
        &self,
        names: &mut Names,
        driver: d2d_handle,
        wanted: Wanted,
    ) -> Result<(d2d_handle, bool), Refusal> {
        if let Some(file) = names.tree.get(&wanted.name) {
            let event = file.source();
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
        let name = wanted.name.as_c_str();
        let file = WatchFile::new(&self.operations, &self.files, name, event);
        names.tree.insert(node.into_node(wanted.name, file));
        names.count += 1;
        Ok((handle, true))
    }

    /// See `d2d_event_close`. May sleep.
    ///
    /// # Errors
    ///
    /// `ESTALE` if the handle is stale.
    pub(crate) fn close(&self, handle: d2d_handle) -> Result {
        let closed = self.close_locked(&mut self.names.lock(), handle);
        let closed = closed.ok_or_else(|| self.refuse_stale(handle))?;
        if let Some(removal) = closed.after_removal {
            removal.wait();
        }
        Ok(())
    }

    /// As [`Events::close`], without waiting for handlers. `None` if the handle is stale.
    fn close_locked(&self, names: &mut Names, handle: d2d_handle) -> Option<Closed> {
        let closed = self.dispatcher.close(handle)?;
        if closed.is_last && names.tree.remove(&closed.name).is_some() {
            names.count -= 1;
        }
        Some(closed)
    }

    /// For a driver that has begun to leave: ends the waits through its handles, removes its handlers,
    /// and waits until none of them runs. The handles stay open. From then on they get no handler, and a
    /// wait through them fails if it may sleep. May sleep.
    pub(crate) fn leave(&self, driver: d2d_handle) {
        // A thread in `open` whose `registered` has succeeded adds its handle before it releases the
        // mutex. Any later `registered` fails. So from here on the driver gets no other handle.
        drop(self.names.lock());
        for chunk in 0..self.dispatcher.chunks() {
            self.dispatcher.cancel_waits(driver, chunk, true);
        }
        // This also waits for handlers that another thread has just removed.
        self.dispatcher.wait_for_removed();
    }

    /// See `d2d_event_on_set`. May sleep.
    ///
    /// # Errors
    ///
    /// Those of `d2d_event_on_set`, each with its line.
    pub(crate) fn set_handler(&self, handle: d2d_handle, call: Option<Call>) -> Result {
        let set = self.dispatcher.set_handler(handle, call);
        set.map_err(|refusal| self.refuse(refusal, &fields![handle: handle]))
    }

    /// Ends the waits through a driver's handles. New waits may begin. Any context.
    pub(crate) fn cancel_waits(&self, driver: d2d_handle) {
        for chunk in 0..self.dispatcher.chunks() {
            self.dispatcher.cancel_waits(driver, chunk, false);
        }
    }

    /// Closes all handles of a driver that has left. May sleep.
    pub(crate) fn close_all(&self, driver: d2d_handle) {
        self.close_all_of(|other| other == driver);
    }

    /// Closes all handles of the drivers for which `f` returns true. These drivers open no other handle.
    /// There may be a thousand chunks, so this takes the mutex only for those with such a handle. May
    /// sleep.
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

    #[inline]
    pub(crate) fn dispatcher(&self) -> &Dispatcher {
        &self.dispatcher
    }

    /// Waits for `count` events; see `d2d_event_wait`. `handles(n)` is the handle of event `n`. Calls
    /// `fill` with the index of the event that was taken, or 0 for all, and returns this index. If `fill`
    /// returns false, sets the events again that the wait has taken. May sleep, unless the timeout is 0.
    ///
    /// # Errors
    ///
    /// Those of `d2d_event_wait`. This prints a refusal, but nothing about a wait that has ended.
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
        if !(1..=abi::D2D_EVENT_MAX_WAITS as usize).contains(&count) {
            return Err(("bad-event-count", EINVAL));
        }
        // Not an array of a constant, for which the compiler would call `memset()`.
        let new = WaitBlock::new;
        let mut few = [new(), new(), new(), new()];
        let mut many;
        let blocks = match few.get_mut(..count) {
            Some(few) => few,
            None => {
                many = KVec::new();
                let flags = match manner.timeout {
                    Some(0) => GFP_ATOMIC,
                    _ => GFP_KERNEL,
                };
                many.reserve(count, flags)
                    .map_err(|_| ("out-of-memory", ENOMEM))?;
                for _ in 0..count {
                    let _ = many.push_within_capacity(WaitBlock::new());
                }
                &mut many[..]
            }
        };
        for (n, block) in blocks.iter_mut().enumerate() {
            block.opening = handles(n).ok_or(("bad-events-pointer", EFAULT))?;
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
    /// Each event has a reference to the dispatcher. For each event with a handle, the dispatcher has a
    /// reference to the event. Closing all handles breaks these cycles.
    fn drop(self: Pin<&mut Self>) {
        self.close_all_of(|_| true);
        self.dispatcher.wait_for_removed();
        Dispatcher::wait_for_retired();
    }
}

#[cfg(d2d_tests)]
mod tests;

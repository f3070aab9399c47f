// SPDX-License-Identifier: GPL-2.0

//! Events, those that wait for them, and the one lock that both are under.
//!
//! Who waits has a [`Block`] on the list of each of its events. Who sets an event gives it to the
//! waiters on its list, in the order in which they came, before it lets the lock go: so no set is
//! lost between a look at the event and the sleep, and several events are taken at once or not.
//!
//! The lock is held longest by a set: at most 64 waits are on an event, and each of them has at most
//! 64 events to look at, or to leave.

use crate::{
    completion::Completion,
    events::{
        Kind,
        Name, //
    },
    handle::{
        self,
        Kind as HandleKind, //
    },
    lock::{
        new_irq_lock,
        IrqLock, //
    },
    table::{
        Chunk,
        Lacking,
        Table, //
    }, //
};
use core::cell::UnsafeCell;
use d2d::abi::{
    d2d_handle,
    D2D_EVENT_MAX_OPEN,
    D2D_EVENT_MAX_WAITS, //
};
use kernel::{
    bindings,
    container_of,
    prelude::*,
    sync::{
        poll::{
            PollCondVar,
            PollCondVarBox, //
        },
        Arc,
        SetOnce, //
    },
    types::Opaque, //
};

/// Why something was refused: the reason for the trace, and the error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refusal(pub(crate) &'static str, pub(crate) Error);

/// What [`Dispatcher`]'s lock protects.
struct Inner {
    openings: Table<Opening>,
    key: Key,
}

/// Proof that the dispatcher lock is held. There is one for each dispatcher, inside its lock.
struct Key(());

/// An event that was opened by a driver.
struct Opening {
    driver: d2d_handle,
    event: Arc<Event>,
}

/// The dispatcher lock, and the handles of events.
#[pin_data]
pub(crate) struct Dispatcher {
    /// Name of the owner.
    owner: &'static CStr,
    #[pin]
    inner: IrqLock<Inner>,
}

/// The part of an event that changes.
struct State {
    set: bool,
    /// How often it was set.
    sets: u64,
    /// Blocks on its list.
    waiting: u32,
    /// Handles of it; without one, it is closed.
    openings: u32,
    /// Open files that watch it.
    watching: u32,
}

/// An event.
///
/// # Invariants
///
/// `state`, and `waits` and what is on it, are used only with the key of `dispatcher`. What is on the
/// list are nodes of blocks that belong to a waiter whose thread does not go on before they are off.
/// An event that has one is open.
#[pin_data]
pub(crate) struct Event {
    name: Name,
    kind: Kind,
    dispatcher: Arc<Dispatcher>,
    state: UnsafeCell<State>,
    #[pin]
    waits: Opaque<bindings::list_head>,
    /// There when it is watched for the first time.
    watchers: SetOnce<PollCondVarBox>,
}

// SAFETY: What changes is under the dispatcher lock.
unsafe impl Send for Event {}
// SAFETY: As above.
unsafe impl Sync for Event {}

/// What can be seen of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Status {
    pub(crate) set: bool,
    pub(crate) sets: u64,
    pub(crate) waiting: u32,
    /// Nobody has a handle of it any more.
    pub(crate) closed: bool,
}

/// How to wait.
#[derive(Clone, Copy)]
pub(crate) struct Manner {
    /// For all of the events, not for any.
    pub(crate) all: bool,
    /// A signal ends it.
    pub(crate) interruptible: bool,
    /// In milliseconds, `None` for no limit. With 0, it does not sleep.
    pub(crate) timeout: Option<u32>,
}

/// One of the events that a thread waits for.
///
/// # Invariants
///
/// While the dispatcher lock is held that `event` was looked up under, or `node` is on the event's
/// list, the event is there, and `opening` names it; in the latter case, so is `waiter`.
#[derive(Clone, Copy)]
pub(crate) struct Block {
    node: bindings::list_head,
    opening: d2d_handle,
    event: *const Event,
    waiter: *const Waiter,
}

impl Block {
    /// Makes one for the event of this handle.
    pub(crate) const fn new(opening: d2d_handle) -> Self {
        Self {
            node: bindings::list_head {
                next: core::ptr::null_mut(),
                prev: core::ptr::null_mut(),
            },
            opening,
            event: core::ptr::null(),
            waiter: core::ptr::null(),
        }
    }
}

/// A thread that waits.
///
/// # Invariants
///
/// `blocks` points to `count` blocks, which belong to this; they and `outcome` are used only with
/// the key.
#[pin_data]
struct Waiter {
    all: bool,
    count: usize,
    blocks: *mut Block,
    /// What has come of it: the index of the event that it got, 0 for all of them, or an error.
    outcome: UnsafeCell<Option<Result<u32>>>,
    #[pin]
    done: Completion,
}

impl Event {
    /// Makes one that nobody has opened.
    pub(crate) fn new(
        name: Name,
        kind: Kind,
        set: bool,
        dispatcher: Arc<Dispatcher>,
    ) -> impl PinInit<Self> {
        // INVARIANT: Nothing is on the list.
        pin_init!(Self {
            name,
            kind,
            dispatcher,
            state: UnsafeCell::new(State {
                set,
                sets: 0,
                waiting: 0,
                openings: 0,
                watching: 0,
            }),
            // SAFETY: `slot` is valid for writes.
            waits <- Opaque::ffi_init(|slot| unsafe { bindings::INIT_LIST_HEAD(slot) }),
            watchers: SetOnce::new(),
        })
    }

    pub(crate) fn name(&self) -> &Name {
        &self.name
    }

    /// Returns the name of the owner.
    pub(crate) fn owner(&self) -> &'static CStr {
        self.dispatcher.owner
    }

    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    fn state<'a>(&self, _key: &'a mut Key) -> &'a mut State {
        // SAFETY: By the type invariants it is used with the key only, which is borrowed.
        unsafe { &mut *self.state.get() }
    }

    fn status_locked(&self, key: &mut Key) -> Status {
        let state = self.state(key);
        Status {
            set: state.set,
            sets: state.sets,
            waiting: state.waiting,
            closed: state.openings == 0,
        }
    }

    /// Returns what can be seen of it. Any context.
    pub(crate) fn status(&self) -> Status {
        self.status_locked(&mut self.dispatcher.inner.lock().key)
    }

    /// What a wait does that it has ended.
    fn take(&self, key: &mut Key) {
        if self.kind == Kind::Synchronization {
            self.state(key).set = false;
        }
    }

    /// Runs `f` on each waiter with the handle that it waits by, in the order in which they came, as
    /// long as `f` returns true. Of the waiters `f` may finish the one that it was called with.
    fn for_each_waiter(
        &self,
        key: &mut Key,
        mut f: impl FnMut(&mut Key, &Waiter, d2d_handle) -> bool,
    ) {
        let head = self.waits.get();
        // SAFETY: By the type invariants, with the key all nodes on the list are those of blocks,
        // and their waiters are there. A waiter has one block at most on the list, so that the
        // next node stays there if it is finished.
        unsafe {
            let mut node = (*head).next;
            while node != head {
                let next = (*node).next;
                let block = container_of!(node, Block, node);
                if !f(key, &*(*block).waiter, (*block).opening) {
                    break;
                }
                node = next;
            }
        }
    }

    /// Sets it, and returns whether it was set before.
    fn set(&self, key: &mut Key) -> bool {
        let state = self.state(key);
        let before = core::mem::replace(&mut state.set, true);
        state.sets = state.sets.wrapping_add(1);
        self.for_each_waiter(key, |key, waiter, _| {
            if let Some(index) = waiter.take(key) {
                waiter.finish(key, Ok(index));
            }
            self.state(key).set
        });
        before
    }

    /// Ends the waits that were begun with this handle.
    fn cancel(&self, key: &mut Key, opening: d2d_handle) {
        self.for_each_waiter(key, |key, waiter, by| {
            if by == opening {
                waiter.finish(key, Err(ECANCELED));
            }
            true
        });
    }

    /// Tells those that watch that something has happened. Any context.
    fn notify(&self) {
        if let Some(watchers) = self.watchers.as_ref() {
            watchers.notify_all();
        }
    }

    /// Begins to watch: what happens from now on will be told. May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn watch(&self) -> Result {
        let mut watchers = match self.watchers.as_ref() {
            Some(_) => None,
            None => Some(PollCondVarBox::new(
                c"d2d_event_watchers",
                kernel::static_lock_class!(),
            )?),
        };
        {
            let key = &mut self.dispatcher.inner.lock().key;
            self.state(key).watching += 1;
            // Under the lock: if several threads open the file at once, none goes on before the
            // watchers are there.
            if self.watchers.as_ref().is_none() {
                if let Some(watchers) = watchers.take() {
                    self.watchers.populate(watchers);
                }
            }
        }
        // The watchers of a thread that came second.
        drop(watchers);
        Ok(())
    }

    /// Ends what [`Event::watch`] has begun. Any context.
    pub(crate) fn unwatch(&self) {
        self.state(&mut self.dispatcher.inner.lock().key).watching -= 1;
    }

    /// Returns who is told, if it was ever watched.
    pub(crate) fn watchers(&self) -> Option<&PollCondVar> {
        self.watchers.as_ref().map(|watchers| &**watchers)
    }

    /// Waits, when it is watched, until it was set another number of times than `seen`, or is
    /// closed. May sleep.
    ///
    /// # Errors
    ///
    /// `ERESTARTSYS` if a signal came.
    pub(crate) fn wait_for_change(&self, seen: u64) -> Result {
        let watchers = self.watchers.as_ref().ok_or(ENOENT)?;
        let mut inner = self.dispatcher.inner.lock();
        loop {
            let status = self.status_locked(&mut inner.key);
            if status.closed || status.sets != seen {
                return Ok(());
            }
            if watchers.wait_interruptible(&mut inner) {
                return Err(ERESTARTSYS);
            }
        }
    }
}

impl Waiter {
    fn blocks(&self) -> impl Iterator<Item = *mut Block> {
        let first = self.blocks;
        (0..self.count).map(move |n| first.wrapping_add(n))
    }

    /// Returns the events.
    ///
    /// # Safety
    ///
    /// They were looked up, and the lock was not let go since, or the blocks are on the lists and
    /// it is held; and so until the last use of the result.
    unsafe fn events<'a>(&self) -> impl Iterator<Item = &'a Event> {
        // SAFETY: The blocks were looked up under the lock, which is still held, or are on their
        // events' lists. By the invariants of `Block` the events are there.
        self.blocks().map(|block| unsafe { &*(*block).event })
    }

    /// Takes the first event that is set, or all if all are, and returns its index, or 0.
    fn take(&self, key: &mut Key) -> Option<u32> {
        // SAFETY: It is called by `Dispatcher::wait`, which has looked them up, and by `Event::set`,
        // which has found one of the blocks on its list; in either case with the key.
        let events = || unsafe { self.events() };
        if !self.all {
            let (index, event) = events()
                .enumerate()
                .find(|(_, event)| event.state(key).set)?;
            event.take(key);
            return Some(index as u32);
        }
        if !events().all(|event| event.state(key).set) {
            return None;
        }
        events().for_each(|event| event.take(key));
        Some(0)
    }

    /// Puts the blocks on the lists of their events.
    ///
    /// # Safety
    ///
    /// The events were looked up, and the lock was not let go since. No event is there twice. The
    /// blocks and `self` stay where they are until the blocks are off again.
    unsafe fn link(&self, key: &mut Key) {
        for block in self.blocks() {
            // SAFETY: The event was looked up, and the lock was not let go since. The node is on no
            // list, and stays where it is until it is off this one.
            unsafe {
                (*block).waiter = self;
                let event = &*(*block).event;
                bindings::list_add_tail(&raw mut (*block).node, event.waits.get());
                event.state(key).waiting += 1;
            }
        }
    }

    /// Takes the blocks off the lists of their events.
    ///
    /// # Safety
    ///
    /// They are on them.
    unsafe fn unlink(&self, key: &mut Key) {
        for block in self.blocks() {
            // SAFETY: The block is on its event's list, so by the invariants of `Block` the event
            // is there, and both neighbours are of that list.
            unsafe {
                let (prev, next) = ((*block).node.prev, (*block).node.next);
                (*prev).next = next;
                (*next).prev = prev;
                (*(*block).event).state(key).waiting -= 1;
            }
        }
    }

    fn outcome<'a>(&self, _key: &'a mut Key) -> &'a mut Option<Result<u32>> {
        // SAFETY: By the type invariants it is used with the key only, which is borrowed.
        unsafe { &mut *self.outcome.get() }
    }

    /// Ends a wait whose block was found on a list.
    fn finish(&self, key: &mut Key, outcome: Result<u32>) {
        // SAFETY: All of them are on the lists if one is.
        unsafe { self.unlink(key) };
        *self.outcome(key) = Some(outcome);
        // The thread does not go on before it has had the lock, and so not before this has returned.
        self.done.complete_all();
    }
}

impl Dispatcher {
    /// Makes one without events. May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn new(owner: &'static CStr) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            owner,
            inner <- new_irq_lock!(
                Inner {
                    openings: Table::new(HandleKind::Event, D2D_EVENT_MAX_OPEN as usize)?,
                    key: Key(()),
                },
                "d2d_dispatcher"
            ),
        })
    }

    /// Opens an event for a driver, and returns the handle. May sleep.
    ///
    /// # Errors
    ///
    /// `EMFILE` if there are too many handles, `ENOMEM`.
    pub(crate) fn open(
        &self,
        driver: d2d_handle,
        event: &Arc<Event>,
    ) -> Result<d2d_handle, Refusal> {
        let mut spare = None;
        loop {
            let lacking = {
                let Inner { openings, key } = &mut *self.inner.lock();
                match openings.vacant(&mut spare) {
                    Ok(vacant) => {
                        let handle = vacant.handle();
                        let event = event.clone();
                        event.state(key).openings += 1;
                        vacant.insert(Opening { driver, event });
                        return Ok(handle);
                    }
                    Err(lacking) => lacking,
                }
            };
            match lacking {
                Lacking::Room => return Err(Refusal("too-many-event-handles", EMFILE)),
                Lacking::Chunk => {
                    let chunk = Chunk::new(GFP_KERNEL);
                    spare = Some(chunk.map_err(|error| Refusal("out-of-memory", error))?);
                }
            }
        }
    }

    /// Closes a handle, and ends the waits that were begun with it. Returns the event, and whether
    /// it was its last one. Any context.
    pub(crate) fn close(&self, handle: d2d_handle) -> Option<(Arc<Event>, bool)> {
        let (event, chunk, last) = {
            let Inner { openings, key } = &mut *self.inner.lock();
            let (opening, chunk) = openings.remove(handle)?;
            let event = opening.event;
            event.cancel(key, handle);
            let state = event.state(key);
            state.openings -= 1;
            let last = state.openings == 0;
            (event, chunk, last)
        };
        drop(chunk);
        if last {
            event.notify();
        }
        Some((event, last))
    }

    /// Returns a handle that was opened by one of the drivers that `f` chooses, if there is one among
    /// those of this number. Any context.
    pub(crate) fn find(&self, f: impl Fn(d2d_handle) -> bool, chunk: usize) -> Option<d2d_handle> {
        let inner = self.inner.lock();
        inner
            .openings
            .find_in(chunk, |handle, opening| f(opening.driver).then_some(handle))
    }

    /// Ends the waits that were begun with those of a driver's handles that are in the chunk of this
    /// number. Any context.
    pub(crate) fn cancel_waits(&self, driver: d2d_handle, chunk: usize) {
        let mut next = 0;
        loop {
            // The lock is given back after each handle.
            let Inner { openings, key } = &mut *self.inner.lock();
            let found = openings.find_in(chunk, |handle, opening| {
                let is_next = opening.driver == driver && handle::index(handle) >= next;
                is_next.then_some(handle)
            });
            let Some((handle, opening)) =
                found.and_then(|handle| Some((handle, openings.get(handle)?)))
            else {
                break;
            };
            opening.event.cancel(key, handle);
            next = handle::index(handle) + 1;
        }
    }

    /// Returns how many numbers to call [`Dispatcher::find`] with: there are no handles beyond these. Any
    /// context.
    pub(crate) fn chunks(&self) -> usize {
        self.inner.lock().openings.used_chunks()
    }

    fn with<R>(&self, handle: d2d_handle, f: impl FnOnce(&Arc<Event>, &mut Key) -> R) -> Option<R> {
        let Inner { openings, key } = &mut *self.inner.lock();
        Some(f(&openings.get(handle)?.event, key))
    }

    /// Sets the event that a handle names, if it names one, and returns whether it was set before.
    /// Any context.
    pub(crate) fn set(&self, handle: d2d_handle) -> Option<bool> {
        let (before, watched) = self.with(handle, |event, key| {
            let before = event.set(key);
            let watched = (event.state(key).watching > 0).then(|| event.clone());
            (before, watched)
        })?;
        if let Some(watched) = watched {
            watched.notify();
        }
        Some(before)
    }

    /// Returns the driver that has opened the event that a handle names, its name and its kind. Any
    /// context.
    pub(crate) fn opening(&self, handle: d2d_handle) -> Option<(d2d_handle, Name, Kind)> {
        let inner = self.inner.lock();
        let Opening { driver, event } = inner.openings.get(handle)?;
        Some((*driver, event.name, event.kind))
    }

    /// Resets the event that a handle names, and returns whether it names one. Any context.
    pub(crate) fn reset(&self, handle: d2d_handle) -> bool {
        self.with(handle, |event, key| event.state(key).set = false)
            .is_some()
    }

    /// Returns what can be seen of the event that a handle names. Any context.
    pub(crate) fn query(&self, handle: d2d_handle) -> Option<Status> {
        self.with(handle, |event, key| event.status_locked(key))
    }

    /// Sets the events again that a wait has taken: that of block `index`, or, if it was for `all`,
    /// those of all blocks. What the wait has got would be lost otherwise. A notification event was
    /// not taken. An event whose handle was closed meanwhile is not set. Any context.
    pub(crate) fn put_back(&self, blocks: &[Block], all: bool, index: u32) {
        let first = index as usize;
        let taken = match all {
            true => blocks,
            false => blocks.get(first..=first).unwrap_or(&[]),
        };
        for block in taken {
            let opening = self.opening(block.opening);
            if opening.is_some_and(|(_, _, kind)| kind == Kind::Synchronization) {
                self.set(block.opening);
            }
        }
    }

    /// Waits for the events of these handles: see `d2d_event_wait`. May sleep, unless the timeout is
    /// 0. Returns what has come of it.
    ///
    /// # Errors
    ///
    /// `ESTALE` for a handle, `EINVAL` if an event is there twice, `EAGAIN` if too many wait.
    pub(crate) fn wait(
        &self,
        blocks: &mut [Block],
        manner: Manner,
    ) -> Result<Result<u32>, Refusal> {
        // INVARIANT: From here on, nothing else uses the blocks.
        pin_init::stack_pin_init!(let waiter = pin_init!(Waiter {
            all: manner.all,
            count: blocks.len(),
            blocks: blocks.as_mut_ptr(),
            outcome: UnsafeCell::new(None),
            done <- Completion::new(),
        }));
        let waiter = &*waiter;
        {
            let Inner { openings, key } = &mut *self.inner.lock();
            for (n, block) in waiter.blocks().enumerate() {
                // SAFETY: The block is the waiter's, and on no list.
                let block = unsafe { &mut *block };
                let opening = openings
                    .get(block.opening)
                    .ok_or(Refusal("stale-event-handle", ESTALE))?;
                // INVARIANT: It was looked up.
                block.event = Arc::as_ptr(&opening.event);
                let mut before = waiter.blocks().take(n);
                // SAFETY: Those before it are as well.
                if before.any(|other| unsafe { (*other).event } == block.event) {
                    return Err(Refusal("event-twice", EINVAL));
                }
            }
            if let Some(index) = waiter.take(key) {
                return Ok(Ok(index));
            }
            if manner.timeout == Some(0) {
                return Ok(Err(ETIMEDOUT));
            }
            // SAFETY: They were looked up above.
            let mut events = unsafe { waiter.events() };
            if events.any(|event| event.state(key).waiting >= D2D_EVENT_MAX_WAITS) {
                return Err(Refusal("too-many-waits", EAGAIN));
            }
            // SAFETY: They were looked up above, and no two of them are the same. The waiter is
            // pinned, the blocks are borrowed, and this does not return before they are off.
            unsafe { waiter.link(key) };
        }
        let completed = match manner.timeout {
            timeout if manner.interruptible => waiter.done.wait_interruptible(timeout),
            None => {
                waiter.done.wait();
                Ok(true)
            }
            Some(ms) => Ok(waiter.done.wait_for(ms)),
        };
        let key = &mut self.inner.lock().key;
        if let Some(outcome) = *waiter.outcome(key) {
            return Ok(outcome);
        }
        // SAFETY: Nobody has finished it, so they are on the lists.
        unsafe { waiter.unlink(key) };
        Ok(completed.and(Err(ETIMEDOUT)))
    }
}

// SPDX-License-Identifier: GPL-2.0

//! Waiting for events, and setting events that have users.
//!
//! A waiting thread has a [`WaitBlock`] on the list of each of its events. The dispatcher's lock
//! protects these lists:
//! - A thread that begins to wait looks at the events, and puts its blocks on the lists before it
//!   releases the lock. So it misses no set. If it waits for all events, it takes all at once, or none.
//! - A thread that sets an event ends the waits that the set can end. The oldest wait comes first.

use super::{
    name::Name,
    openings::{
        Chunk,
        Lacking, //
    },
    Dispatcher,
    Event,
    Inner,
    Key,
    Kind, //
};
use crate::{
    completion::Completion,
    grace_period::GracePeriod,
    handle,
    registry::Refusal, //
};
use core::cell::Cell;
use d2d::abi::{
    d2d_handle,
    D2D_EVENT_MAX_WAITS, //
};
use kernel::{
    bindings,
    container_of,
    prelude::*,
    sync::{
        rcu,
        Arc, //
    },
    types::Opaque, //
};

/// How to wait.
#[derive(Clone, Copy)]
pub(crate) struct Manner {
    /// Whether to wait for all of the events instead of any.
    pub(crate) all: bool,
    /// Whether a signal ends the wait.
    pub(crate) interruptible: bool,
    /// The time limit in milliseconds; `None` for none. With 0, the wait does not sleep.
    pub(crate) timeout: Option<u32>,
}

/// A waiter's place on the list of one event.
///
/// # Invariants
///
/// `node` and `waiter` are used only with the key. While `node` is on the list of `event`, the block
/// stays where it is, and `waiter` points to the valid waiter that has this block.
pub(crate) struct WaitBlock {
    node: Opaque<bindings::list_head>,
    /// Set by the caller of [`Dispatcher::wait`].
    pub(super) opening: d2d_handle,
    event: Option<Arc<Event>>,
    waiter: Cell<*const Waiter<'static>>,
}

impl WaitBlock {
    pub(super) const fn new() -> Self {
        Self {
            node: Opaque::uninit(),
            opening: 0,
            event: None,
            waiter: Cell::new(core::ptr::null()),
        }
    }
}

#[derive(Clone, Copy)]
enum WaitState {
    New,
    Waiting,
    /// The index of the event that was taken, 0 for all events, or an error.
    Ended(Result<u32>),
}

/// A waiting thread.
///
/// # Invariants
///
/// Each block has an event of its own. `state` is used only with the key. The blocks are on the lists
/// of their events while `state` is `Waiting`, and on no list otherwise.
#[pin_data]
struct Waiter<'a> {
    manner: Manner,
    blocks: &'a [WaitBlock],
    state: Cell<WaitState>,
    #[pin]
    done: Completion,
}

impl Event {
    /// The event is set. The caller is a user and has the lock.
    pub(super) fn take_guarded(&self) {
        if self.is_reset_by_wait() {
            self.state.reset_guarded();
        }
    }

    /// The caller is a user and has the lock.
    pub(super) fn is_set_guarded(&self) -> bool {
        self.state.look().0
    }

    /// Calls `f` with each waiter and the waiter's handle, in the order in which the waits began, until
    /// `f` returns false. `f` may finish only the waiter that it is called with.
    fn for_each_waiter(
        &self,
        key: &mut Key,
        mut f: impl FnMut(&mut Key, &Waiter<'_>, d2d_handle) -> bool,
    ) {
        let head = self.waits.get();
        // SAFETY: The caller has the key. So by the invariants of `Event` and `WaitBlock`, each node on
        // the list is that of a valid block with a valid waiter. By the invariants of `Waiter`, a waiter
        // has only one block on this list. So if `f` finishes the waiter, `next` stays on the list.
        unsafe {
            let mut node = (*head).next;
            while node != head {
                let next = (*node).next;
                let node_of_block = node.cast::<Opaque<bindings::list_head>>();
                let block = &*container_of!(node_of_block, WaitBlock, node);
                if !f(key, &*block.waiter.get(), block.opening) {
                    break;
                }
                node = next;
            }
        }
    }

    /// Sets the event, and ends the waits that this can end. If the event is still set after that, makes
    /// handlers due. Returns whether the event was set before, and how many handlers are due; the caller
    /// must call them.
    pub(super) fn set_with_waiters(&self, key: &mut Key) -> (bool, usize) {
        self.begin_use(key);
        let before = self.state.set_guarded();
        self.for_each_waiter(key, |key, waiter, _| {
            if let Some(index) = waiter.take(key) {
                waiter.finish(key, Ok(index));
            }
            self.is_set_guarded()
        });
        let due = match self.is_set_guarded() {
            true => self.make_due(key, None),
            false => 0,
        };
        self.end_use(key);
        (before, due)
    }

    /// Ends the waits through this handle, with `ECANCELED`.
    fn cancel(&self, key: &mut Key, opening: d2d_handle) {
        self.for_each_waiter(key, |key, waiter, by| {
            if by == opening {
                waiter.finish(key, Err(ECANCELED));
            }
            true
        });
    }
}

impl Waiter<'_> {
    fn events(&self) -> impl Iterator<Item = &Event> {
        self.blocks
            .iter()
            .filter_map(|block| block.event.as_deref())
    }

    /// In a wait for any event, takes the first event that is set, and returns its index. In a wait for
    /// all, takes the events if all are set, and returns 0. `None` if it takes nothing. The waiter is a
    /// user of its events.
    fn take(&self, _key: &mut Key) -> Option<u32> {
        if !self.manner.all {
            let (index, event) = self
                .events()
                .enumerate()
                .find(|(_, event)| event.is_set_guarded())?;
            event.take_guarded();
            return Some(index as u32);
        }
        if !self.events().all(Event::is_set_guarded) {
            return None;
        }
        self.events().for_each(Event::take_guarded);
        Some(0)
    }

    /// Tries to take the events. Returns the outcome of the wait, or `None` if the thread has to sleep.
    /// With `None`, the waiter has become a user of its events.
    ///
    /// # Errors
    ///
    /// `EAGAIN` if 64 threads wait for one of the events.
    fn begin(&self, key: &mut Key) -> Result<Option<Result<u32>>, Refusal> {
        self.events().for_each(|event| event.begin_use(key));
        let ended = if let Some(index) = self.take(key) {
            Ok(Some(Ok(index)))
        } else if self.manner.timeout == Some(0) {
            Ok(Some(Err(ETIMEDOUT)))
        } else if self
            .events()
            .any(|event| event.uses(key).waiting >= D2D_EVENT_MAX_WAITS)
        {
            Err(("too-many-waits", EAGAIN))
        } else {
            return Ok(None);
        };
        self.events().for_each(|event| event.end_use(key));
        ended
    }

    /// Puts the blocks on the lists of their events. The waiter is a user of its events.
    ///
    /// # Safety
    ///
    /// The waiter is new. It and its blocks stay where they are until the caller has called
    /// [`Waiter::end`].
    unsafe fn link(&self, key: &mut Key) {
        // INVARIANT: The loop puts all blocks on lists. The caller promises that the blocks and the
        // waiter stay where they are.
        self.state.set(WaitState::Waiting);
        for (block, event) in self.blocks.iter().zip(self.events()) {
            block.waiter.set(core::ptr::from_ref(self).cast());
            // SAFETY: The waiter is new, so the node is on no list. The caller promises that the node
            // stays where it is. The list is used only with the key, which the caller has.
            unsafe { bindings::list_add_tail(block.node.get(), event.waits.get()) };
            event.uses(key).waiting += 1;
        }
    }

    /// Ends the wait with `outcome`, unless it has ended before. Returns the outcome with which the wait
    /// has ended. If the waiter was linked, it is no user of its events any more.
    fn end(&self, key: &mut Key, outcome: Result<u32>) -> Result<u32> {
        match self.state.get() {
            WaitState::New => return outcome,
            WaitState::Waiting => {}
            WaitState::Ended(before) => return before,
        }
        // INVARIANT: The loop takes the blocks off the lists.
        self.state.set(WaitState::Ended(outcome));
        for (block, event) in self.blocks.iter().zip(self.events()) {
            // SAFETY: `state` was `Waiting`. So by the type invariants, the node is on the event's list,
            // and both neighbours are nodes or the head of that list. The list is used only with the
            // key, which the caller has.
            unsafe {
                let bindings::list_head { next, prev } = *block.node.get();
                (*prev).next = next;
                (*next).prev = prev;
            }
            event.uses(key).waiting -= 1;
            event.end_use(key);
        }
        outcome
    }

    /// Ends the wait of a waiter that is on a list, and wakes its thread.
    fn finish(&self, key: &mut Key, outcome: Result<u32>) {
        let _ = self.end(key, outcome);
        // The waiter's thread takes the lock after it wakes up. So the waiter lives until this thread
        // releases the lock.
        self.done.complete_all();
    }
}

/// What closing a handle has done.
pub(crate) struct Closed {
    pub(crate) name: Name,
    pub(crate) is_last: bool,
    /// After this grace period, no removed handler runs.
    pub(crate) after_removal: Option<GracePeriod>,
}

impl Dispatcher {
    /// Adds a handle of an event for a driver. May sleep.
    ///
    /// # Errors
    ///
    /// `EMFILE` if there are too many handles, `ENOENT` if the event's last handle was closed,
    /// `ENOMEM`.
    pub(crate) fn open(
        &self,
        driver: d2d_handle,
        event: &Arc<Event>,
    ) -> Result<d2d_handle, Refusal> {
        let mut spare = None;
        loop {
            let lacking = {
                let Inner { vacancies, key, .. } = &mut *self.lock();
                let uses = event.uses(key);
                if uses.closed {
                    return Err(("unknown-event", ENOENT));
                }
                // SAFETY: For the event's first handle, the code below takes the reference that all handles
                // share. `Event::retire` drops it a grace period after the last handle was removed.
                match unsafe { self.openings.add(vacancies, &mut spare, driver, event) } {
                    Ok(handle) => {
                        if uses.openings == 0 {
                            let _ = Arc::into_raw(event.clone());
                        }
                        uses.openings += 1;
                        return Ok(handle);
                    }
                    Err(lacking) => lacking,
                }
            };
            match lacking {
                Lacking::Room => return Err(("too-many-event-handles", EMFILE)),
                Lacking::Chunk => {
                    let chunk = Chunk::new();
                    spare = Some(chunk.map_err(|error| ("out-of-memory", error))?);
                }
            }
        }
    }

    /// Closes a handle, ends the waits through it, and removes its handler. `None` if the handle is
    /// stale. Any context.
    pub(crate) fn close(&self, handle: d2d_handle) -> Option<Closed> {
        let reader = rcu::read_lock();
        let (event, closed, due) = {
            let Inner { vacancies, key, .. } = &mut *self.lock();
            let is_leaving = self.openings.is_leaving(handle);
            let event = self.openings.remove(vacancies, handle, &reader)?;
            event.cancel(key, handle);
            let due = event.remove_handler(key, handle);
            if is_leaving {
                event.end_use(key);
            }
            let uses = event.uses(key);
            uses.openings -= 1;
            let is_last = uses.openings == 0;
            if is_last {
                uses.closed = true;
                event.retire(key);
            }
            let closed = Closed {
                name: event.name,
                is_last,
                after_removal: event.after_removal(key),
            };
            (event, closed, due)
        };
        event.notify();
        self.call_handlers(&event, due, &reader);
        Some(closed)
    }

    /// Returns a handle of this chunk whose driver `f` accepts. Any context.
    pub(crate) fn find(&self, f: impl Fn(d2d_handle) -> bool, chunk: usize) -> Option<d2d_handle> {
        self.openings.find_in(chunk, |_, driver| f(driver))
    }

    /// Ends the waits through a driver's handles in this chunk. If the driver leaves, also removes the
    /// handlers of these handles; from then on they get no handler, and a wait through them fails if it
    /// may sleep. In this case, the caller must then call [`Dispatcher::wait_for_removed`]. Any context.
    pub(crate) fn cancel_waits(&self, driver: d2d_handle, chunk: usize, leaves: bool) {
        let mut next = 0;
        loop {
            let reader = rcu::read_lock();
            // The lock is taken anew for each handle, so that interrupts are not off for long.
            let mut inner = self.lock();
            let Inner { vacancies, key, .. } = &mut *inner;
            let is_next = |handle, of| of == driver && handle::index(handle) >= next;
            let Some(handle) = self.openings.find_in(chunk, is_next) else {
                break;
            };
            if let Some(event) = self.openings.find(handle, &reader) {
                event.cancel(key, handle);
                if leaves && !self.openings.is_leaving(handle) {
                    self.openings.leave(vacancies, handle);
                    let due = event.remove_handler(key, handle);
                    // The handle is a user until it is closed. So each later wait takes the lock, and
                    // finds that the driver is leaving.
                    event.begin_use(key);
                    drop(inner);
                    event.notify();
                    self.call_handlers(&event, due, &reader);
                }
            }
            next = handle::index(handle) + 1;
        }
    }

    pub(crate) fn chunks(&self) -> usize {
        self.openings.used_chunks()
    }

    /// Returns whether the event was set before; `None` if the handle is stale. Any context.
    #[inline]
    pub(crate) fn set(&self, handle: d2d_handle, reader: &rcu::Guard) -> Option<bool> {
        let event = self.openings.find(handle, reader)?;
        match event.state.set() {
            Some(before) => Some(before),
            None => Some(self.set_and_call_handlers(&event, reader)),
        }
    }

    #[cold]
    #[inline(never)]
    fn set_and_call_handlers(&self, event: &Event, reader: &rcu::Guard) -> bool {
        let (before, due) = event.set_with_waiters(&mut self.lock().key);
        event.notify();
        if due > 0 {
            self.call_handlers(event, due, reader);
        }
        before
    }

    /// Takes an event without the lock. Returns whether it was set. `None` if the handle is stale or the
    /// event has users; then the caller has to call [`Dispatcher::wait`]. Any context.
    #[inline]
    pub(crate) fn try_take(&self, handle: d2d_handle, reader: &rcu::Guard) -> Option<bool> {
        let event = self.openings.find(handle, reader)?;
        event.state.take(event.is_reset_by_wait())
    }

    /// Returns `None` if the handle is stale. Any context.
    #[inline]
    pub(crate) fn reset(&self, handle: d2d_handle, reader: &rcu::Guard) -> Option<()> {
        let event = self.openings.find(handle, reader)?;
        event.state.reset().or_else(|| {
            let key = &mut self.lock().key;
            event.begin_use(key);
            event.state.reset_guarded();
            event.end_use(key);
            Some(())
        })
    }

    /// Returns `None` if the handle is stale. Any context.
    #[inline]
    pub(crate) fn is_set(&self, handle: d2d_handle, reader: &rcu::Guard) -> Option<bool> {
        let event = self.openings.find(handle, reader)?;
        let is_set = event.state.is_set();
        is_set.or_else(|| Some(event.status().set))
    }

    /// Returns the driver that has opened a handle, and the event's name and kind. `None` if the handle
    /// is stale. Any context.
    pub(crate) fn opening(&self, handle: d2d_handle) -> Option<(d2d_handle, Name, Kind)> {
        let reader = rcu::read_lock();
        let (driver, event) = self.openings.find_with_driver(handle, &reader)?;
        Some((driver, event.name, event.kind))
    }

    /// The driver did not get the result of a wait. Sets the synchronization events that this wait has
    /// taken: for `all` those of all blocks, otherwise that of block `index`. Does not set an event
    /// whose handle was closed. Any context.
    pub(crate) fn put_back(&self, blocks: &[WaitBlock], all: bool, index: u32) {
        let first = index as usize;
        let taken = match all {
            true => blocks,
            false => blocks.get(first..=first).unwrap_or(&[]),
        };
        for block in taken {
            let reader = rcu::read_lock();
            let event = self.openings.find(block.opening, &reader);
            if event.is_some_and(|event| event.is_reset_by_wait()) {
                self.set(block.opening, &reader);
            }
        }
    }

    /// See `d2d_event_wait`. Returns the index of the event that was taken, 0 for all events, or
    /// `ETIMEDOUT`, `ERESTARTSYS` or `ECANCELED`. May sleep, unless the timeout is 0.
    ///
    /// # Errors
    ///
    /// - `ESTALE` if a handle is stale
    /// - `EINVAL` if an event occurs twice
    /// - `EAGAIN` if 64 threads wait for one of the events
    pub(crate) fn wait(
        &self,
        blocks: &mut [WaitBlock],
        manner: Manner,
    ) -> Result<Result<u32>, Refusal> {
        let mut inner = self.lock();
        let is_leaving = self.look_up(blocks)?;
        if is_leaving && manner.timeout != Some(0) {
            return Ok(Err(ECANCELED));
        }
        // INVARIANT: `look_up` has found an event of its own for each block. The blocks are on no list.
        pin_init::stack_pin_init!(let waiter = pin_init!(Waiter {
            manner,
            blocks,
            state: Cell::new(WaitState::New),
            done <- Completion::new(),
        }));
        let waiter = &*waiter;
        if let Some(ended) = waiter.begin(&mut inner.key)? {
            return Ok(ended);
        }
        // SAFETY: The waiter is new and pinned, and has borrowed the blocks. This function calls `end`
        // before it returns.
        unsafe { waiter.link(&mut inner.key) };
        drop(inner);
        let completed = waiter.done.wait(manner.timeout, manner.interruptible);
        let key = &mut self.lock().key;
        Ok(waiter.end(key, completed.and(Err(ETIMEDOUT))))
    }

    /// Finds the event of each block. Returns whether the driver of one of the handles is leaving. The
    /// caller holds the lock.
    ///
    /// # Errors
    ///
    /// `ESTALE` if a handle is stale, `EINVAL` if an event occurs twice.
    fn look_up(&self, blocks: &mut [WaitBlock]) -> Result<bool, Refusal> {
        let reader = rcu::read_lock();
        let mut is_leaving = false;
        for n in 0..blocks.len() {
            let (before, [block, ..]) = blocks.split_at_mut(n) else {
                break;
            };
            let event = self.openings.find(block.opening, &reader);
            let event = event.ok_or(("stale-event-handle", ESTALE))?;
            is_leaving |= self.openings.is_leaving(block.opening);
            let is_same = |other: &WaitBlock| {
                let other = other.event.as_deref();
                other.is_some_and(|other| core::ptr::eq(other, &*event))
            };
            if before.iter().any(is_same) {
                return Err(("event-twice", EINVAL));
            }
            block.event = Some(event.into());
        }
        Ok(is_leaving)
    }
}

#[cfg(d2d_tests)]
mod tests;

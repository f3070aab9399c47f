// SPDX-License-Identifier: GPL-2.0

//! Waiting for events, and setting events that have users.
//!
//! A waiting thread has a [`WaitBlock`] on the list of each of its events. The dispatcher's lock
//! protects these lists:
//! - A thread that begins to wait takes the lock, looks at the events, and puts its blocks on the
//!   lists before it releases the lock. So the thread misses no set. It takes several events all at
//!   once, or none of them.
//! - If there are blocks on the list of an event, a thread that sets the event takes the lock.
//!   Before it releases the lock, it ends the waits that the set can end, in the order in which
//!   they began.
//!
//! Setting and taking an event that has no user needs no lock: see `state`.
//!
//! Of all calls, a set holds the lock longest. It looks at up to 64 waits. For each wait, it looks
//! at up to 64 events, or takes the wait off the lists of these events.

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
use core::cell::UnsafeCell;
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
    }, //
};

/// How to wait.
#[derive(Clone, Copy)]
pub(crate) struct Manner {
    /// Whether to wait for all of the events instead of any.
    pub(crate) all: bool,
    /// Whether a signal ends the wait.
    pub(crate) interruptible: bool,
    /// The time limit in milliseconds; `None` for no limit. With 0, the wait does not sleep.
    pub(crate) timeout: Option<u32>,
}

/// One of the events for which a thread waits.
///
/// # Invariants
///
/// - `event` is valid while `node` is on the event's list. It is also valid while the thread that
///   has looked it up still holds the dispatcher's lock.
/// - `waiter` is valid while `node` is on the event's list.
#[derive(Clone, Copy)]
pub(crate) struct WaitBlock {
    node: bindings::list_head,
    opening: d2d_handle,
    event: *const Event,
    waiter: *const Waiter,
}

impl WaitBlock {
    /// Makes a block for the event of this handle.
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

/// A waiting thread.
///
/// # Invariants
///
/// `blocks` points to `count` blocks that nothing but this waiter uses. The blocks and `outcome`
/// are used only with the key.
#[pin_data]
struct Waiter {
    all: bool,
    count: usize,
    blocks: *mut WaitBlock,
    /// `None` until the wait has ended. Then the index of the event that the wait has taken, 0 for
    /// all events, or an error.
    outcome: UnsafeCell<Option<Result<u32>>>,
    #[pin]
    done: Completion,
}

impl Event {
    /// Takes the event, which is set. The caller is a user.
    pub(super) fn take_guarded(&self) {
        if self.is_reset_by_wait() {
            self.state.reset_guarded();
        }
    }

    /// Returns whether the event is set. The caller is a user and has the lock, so the answer stays
    /// right.
    pub(super) fn is_set_guarded(&self) -> bool {
        self.state.look().0
    }

    /// Calls `f` with each waiter and the handle by which the waiter waits, until `f` returns
    /// false. The order is that in which the waiters began to wait. `f` may finish the waiter that
    /// it is called with, and no other.
    fn for_each_waiter(
        &self,
        key: &mut Key,
        mut f: impl FnMut(&mut Key, &Waiter, d2d_handle) -> bool,
    ) {
        let head = self.waits.get();
        // SAFETY: The key shows that the lock is held. So by the type invariants all nodes on the
        // list are those of blocks, whose waiters are valid. A waiter has at most one block on the
        // list, so the next node stays on the list if `f` finishes the waiter.
        unsafe {
            let mut node = (*head).next;
            while node != head {
                let next = (*node).next;
                let block = container_of!(node, WaitBlock, node);
                if !f(key, &*(*block).waiter, (*block).opening) {
                    break;
                }
                node = next;
            }
        }
    }

    /// Sets the event and ends the waits that this can end. If the event is still set then, makes
    /// handlers due. Returns whether the event was set before, and how many handlers are due.
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

    /// Ends the waits that were begun with this handle, with `ECANCELED`.
    fn cancel(&self, key: &mut Key, opening: d2d_handle) {
        self.for_each_waiter(key, |key, waiter, by| {
            if by == opening {
                waiter.finish(key, Err(ECANCELED));
            }
            true
        });
    }
}

impl Waiter {
    /// Returns the addresses of the blocks.
    fn blocks(&self) -> impl Iterator<Item = *mut WaitBlock> {
        let first = self.blocks;
        (0..self.count).map(move |n| first.wrapping_add(n))
    }

    /// Returns the events.
    ///
    /// # Safety
    ///
    /// The caller holds the lock until the last use of the result. It has looked up the events
    /// under the lock, or the blocks are on the lists.
    unsafe fn events<'a>(&self) -> impl Iterator<Item = &'a Event> {
        // SAFETY: The caller holds the lock. It has looked up the events under the lock, or the
        // blocks are on the lists. So by the invariants of `WaitBlock` the events are valid.
        self.blocks().map(|block| unsafe { &*(*block).event })
    }

    /// If the wait is for any event, takes the first event that is set, and returns its index. If
    /// the wait is for all events, and all are set, takes all of them, and returns 0. Returns
    /// `None` if it takes nothing. The waiter is a user of its events.
    fn take(&self, _key: &mut Key) -> Option<u32> {
        // SAFETY: There are two callers, and both hold the lock. `Dispatcher::begin` has looked up
        // the events under the lock. `Event::set_with_waiters` has found a block of the waiter on a
        // list, so all blocks of the waiter are on lists.
        let events = || unsafe { self.events() };
        if !self.all {
            let (index, event) = events()
                .enumerate()
                .find(|(_, event)| event.is_set_guarded())?;
            event.take_guarded();
            return Some(index as u32);
        }
        if !events().all(Event::is_set_guarded) {
            return None;
        }
        events().for_each(Event::take_guarded);
        Some(0)
    }

    /// Puts the blocks on the lists of their events.
    ///
    /// # Safety
    ///
    /// The caller has looked up the events under the lock, which it still holds. No event occurs
    /// twice. The waiter is a user of each event. The blocks are on no list. The blocks and `self`
    /// stay where they are until the blocks are off the lists.
    unsafe fn link(&self, key: &mut Key) {
        for block in self.blocks() {
            // SAFETY: By the type invariants, nothing else uses the block. The caller has looked up
            // the event under the lock, which it still holds. The node is on no list. The caller
            // promises that the node stays where it is until it is off this list.
            unsafe {
                (*block).waiter = self;
                let event = &*(*block).event;
                bindings::list_add_tail(&raw mut (*block).node, event.waits.get());
                event.uses(key).waiting += 1;
            }
        }
    }

    /// Takes the blocks off the lists of their events. The waiter is no user of the events any
    /// more.
    ///
    /// # Safety
    ///
    /// The blocks are on the lists.
    unsafe fn unlink(&self, key: &mut Key) {
        for block in self.blocks() {
            // SAFETY: The block is on its event's list, so by the invariants of `WaitBlock` the event
            // is valid. Both neighbours are nodes of that list, which only a thread with the key
            // changes.
            let event = unsafe {
                let (prev, next) = ((*block).node.prev, (*block).node.next);
                (*prev).next = next;
                (*next).prev = prev;
                &*(*block).event
            };
            event.uses(key).waiting -= 1;
            event.end_use(key);
        }
    }

    /// Returns the outcome.
    fn outcome<'a>(&'a self, _key: &'a mut Key) -> &'a mut Option<Result<u32>> {
        // SAFETY: By the type invariants, `outcome` is used only with the key. The result borrows
        // the key and the waiter.
        unsafe { &mut *self.outcome.get() }
    }

    /// Ends the wait of a waiter that was found by a block on a list.
    fn finish(&self, key: &mut Key, outcome: Result<u32>) {
        // SAFETY: A block of the waiter is on a list. `link` puts all blocks of a waiter on lists,
        // and `unlink` takes all of them off, both under the lock. So all blocks are on lists.
        unsafe { self.unlink(key) };
        *self.outcome(key) = Some(outcome);
        // This thread holds the lock. The waiter's thread takes the lock in `wait` after it wakes
        // up. So the waiter lives until this thread releases the lock.
        self.done.complete_all();
    }
}

/// What closing a handle has done.
pub(crate) struct Closed {
    pub(crate) name: Name,
    /// Whether it was the last handle of the event.
    pub(crate) is_last: bool,
    /// The grace period after which none of the event's removed handlers runs.
    pub(crate) after_removal: Option<GracePeriod>,
}

impl Dispatcher {
    /// Adds a handle of an event for a driver, and returns it. May sleep.
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
                // SAFETY: If this is the event's first handle, the code below takes the handles'
                // reference. `Event::retire` drops it a grace period after the last handle was
                // removed.
                match unsafe {
                    let event = Arc::as_ptr(event);
                    self.openings.add(vacancies, &mut spare, driver, event)
                } {
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

    /// Closes a handle, ends the waits that were begun with it, and removes its handler. Returns `None`
    /// if the handle is stale. Any context.
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
        self.call_handlers(event, due, &reader);
        Some(closed)
    }

    /// Returns a handle of this chunk for whose driver `f` returns true. Any context.
    pub(crate) fn find(&self, f: impl Fn(d2d_handle) -> bool, chunk: usize) -> Option<d2d_handle> {
        self.openings.find_in(chunk, |_, driver| f(driver))
    }

    /// Ends the waits that were begun with a driver's handles in this chunk. If the driver leaves,
    /// also removes the handlers of these handles, and refuses waits and handlers from here on. The
    /// caller then must call [`Dispatcher::wait_for_removed`]. Any context.
    pub(crate) fn cancel_waits(&self, driver: d2d_handle, chunk: usize, leaves: bool) {
        let mut next = 0;
        loop {
            let reader = rcu::read_lock();
            // The lock is released after each handle, so that interrupts are not disabled for long.
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
                    // The handle is a user of the event until it is closed. So the event is
                    // guarded, and no thread takes it without the lock.
                    event.begin_use(key);
                    drop(inner);
                    event.notify();
                    self.call_handlers(event, due, &reader);
                }
            }
            next = handle::index(handle) + 1;
        }
    }

    /// Returns the number of chunks that can have handles. Any context.
    pub(crate) fn chunks(&self) -> usize {
        self.openings.used_chunks()
    }

    /// Sets the event that a handle names, and returns whether it was set before. Returns `None` if
    /// the handle is stale. Any context.
    #[inline]
    pub(crate) fn set(&self, handle: d2d_handle, reader: &rcu::Guard) -> Option<bool> {
        let event = self.openings.find(handle, reader)?;
        match event.state.set() {
            Some(before) => Some(before),
            None => Some(self.set_with_waiters(event, reader)),
        }
    }

    #[cold]
    #[inline(never)]
    fn set_with_waiters(&self, event: &Event, reader: &rcu::Guard) -> bool {
        let (before, due) = event.set_with_waiters(&mut self.lock().key);
        event.notify();
        self.call_handlers(event, due, reader);
        before
    }

    /// Takes the event that a handle names, without the lock and without waiting. Returns whether
    /// the event was set. Returns `None` if the handle is stale or the event has users; then the
    /// caller has to call [`Dispatcher::wait`]. Any context.
    #[inline]
    pub(crate) fn try_take(&self, handle: d2d_handle, reader: &rcu::Guard) -> Option<bool> {
        let event = self.openings.find(handle, reader)?;
        event.state.take(event.is_reset_by_wait())
    }

    /// Resets the event that a handle names. Returns `None` if the handle is stale. Any context.
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

    /// Returns whether the event that a handle names is set; `None` if the handle is stale. Any
    /// context.
    #[inline]
    pub(crate) fn is_set(&self, handle: d2d_handle, reader: &rcu::Guard) -> Option<bool> {
        let event = self.openings.find(handle, reader)?;
        let is_set = event.state.is_set();
        is_set.or_else(|| Some(event.status().set))
    }

    /// Returns the driver that has opened a handle, and the name and the kind of the event. Returns
    /// `None` if the handle is stale. Any context.
    pub(crate) fn opening(&self, handle: d2d_handle) -> Option<(d2d_handle, Name, Kind)> {
        let reader = rcu::read_lock();
        let (driver, event) = self.openings.find_with_driver(handle, &reader)?;
        Some((driver, event.name, event.kind))
    }

    /// Sets the events that a wait has taken. The driver did not get the result of the wait, so the
    /// sets would be lost otherwise. If the wait was for `all`, it has taken the events of all
    /// blocks, otherwise that of block `index`. A wait does not reset a notification event, so this
    /// sets synchronization events only. An event whose handle was closed meanwhile is not set. Any
    /// context.
    pub(crate) fn put_back(&self, blocks: &[WaitBlock], all: bool, index: u32) {
        let first = index as usize;
        let taken = match all {
            true => blocks,
            false => blocks.get(first..=first).unwrap_or(&[]),
        };
        for block in taken {
            let reader = rcu::read_lock();
            let event = self.openings.find(block.opening, &reader);
            if event.is_some_and(Event::is_reset_by_wait) {
                self.set(block.opening, &reader);
            }
        }
    }

    /// Waits for the events of these blocks; see `d2d_event_wait`. Returns the outcome of the wait:
    /// the index of the event that was taken, 0 for all events, or `ETIMEDOUT`, `ERESTARTSYS` or
    /// `ECANCELED`. May sleep, unless the timeout is 0.
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
        // INVARIANT: The blocks are borrowed, and only the waiter uses them from here on.
        pin_init::stack_pin_init!(let waiter = pin_init!(Waiter {
            all: manner.all,
            count: blocks.len(),
            blocks: blocks.as_mut_ptr(),
            outcome: UnsafeCell::new(None),
            done <- Completion::new(),
        }));
        let waiter = &*waiter;
        // SAFETY: The waiter is pinned, and the blocks are borrowed. The blocks are on no list, as
        // the waiter is new and nothing else uses them. This function does not return before the
        // blocks are off the lists. If there is an outcome, another thread has taken them off.
        // Otherwise this thread takes them off.
        if let Some(ended) = unsafe { self.begin(waiter, manner) }? {
            return Ok(ended);
        }
        let completed = waiter.done.wait(manner.timeout, manner.interruptible);
        let key = &mut self.lock().key;
        if let Some(outcome) = *waiter.outcome(key) {
            return Ok(outcome);
        }
        // SAFETY: Without an outcome, no thread has finished the wait: the blocks are on the lists.
        unsafe { waiter.unlink(key) };
        Ok(completed.and(Err(ETIMEDOUT)))
    }

    /// Takes the events that are set, or puts the blocks of a waiter on the lists of their events.
    /// Returns the outcome of the wait, or `None` if the thread has to sleep. Any context.
    ///
    /// # Errors
    ///
    /// Those of [`Dispatcher::wait`].
    ///
    /// # Safety
    ///
    /// The blocks are on no list. If the result is `None`, the waiter and its blocks stay where
    /// they are until the blocks are off the lists.
    unsafe fn begin(
        &self,
        waiter: &Waiter,
        manner: Manner,
    ) -> Result<Option<Result<u32>>, Refusal> {
        let key = &mut self.lock().key;
        let is_leaving = self.look_up(waiter)?;
        if is_leaving && manner.timeout != Some(0) {
            return Ok(Some(Err(ECANCELED)));
        }
        // SAFETY: `look_up` has looked up the events under the lock, which is held until this
        // returns.
        let events = || unsafe { waiter.events() };
        // From here on no set is missed: a thread that sets an event waits for the lock, and then
        // finds the blocks.
        events().for_each(|event| event.begin_use(key));
        let ended = if let Some(index) = waiter.take(key) {
            Ok(Some(Ok(index)))
        } else if manner.timeout == Some(0) {
            Ok(Some(Err(ETIMEDOUT)))
        } else if events().any(|event| event.uses(key).waiting >= D2D_EVENT_MAX_WAITS) {
            Err(("too-many-waits", EAGAIN))
        } else {
            // SAFETY: `look_up` has looked up the events under the lock, and no event occurs twice.
            // The waiter is a user of each event. The caller promises that the blocks are on no
            // list, and that the waiter and its blocks stay where they are.
            unsafe { waiter.link(key) };
            return Ok(None);
        };
        events().for_each(|event| event.end_use(key));
        ended
    }

    /// Looks up the events of a waiter, and returns whether the driver of one of the handles is
    /// leaving. The caller holds the lock.
    ///
    /// # Errors
    ///
    /// `ESTALE` if a handle is stale, `EINVAL` if an event occurs twice.
    fn look_up(&self, waiter: &Waiter) -> Result<bool, Refusal> {
        let reader = rcu::read_lock();
        let mut is_leaving = false;
        for (n, block) in waiter.blocks().enumerate() {
            // SAFETY: By the type invariants only the waiter uses the block, and no other reference
            // to it exists.
            let block = unsafe { &mut *block };
            let event = self.openings.find(block.opening, &reader);
            // INVARIANT: The event has a handle, which cannot be removed while the lock is held. So
            // the event is valid while the lock is held.
            block.event = event.ok_or(("stale-event-handle", ESTALE))?;
            is_leaving |= self.openings.is_leaving(block.opening);
            let mut before = waiter.blocks().take(n);
            // SAFETY: By the type invariants only the waiter uses these blocks, too.
            if before.any(|other| unsafe { (*other).event } == block.event) {
                return Err(("event-twice", EINVAL));
            }
        }
        Ok(is_leaving)
    }
}

#[cfg(d2d_tests)]
mod tests;

// SPDX-License-Identifier: GPL-2.0

//! Waiting for events.
//!
//! A thread that waits has a [`Block`] on the list of each of its events. A thread that sets an event with
//! waiters gives it to them, in the order in which they began to wait, before it releases the lock. So no
//! set is lost between a look at an event and the sleep, and several events are taken at once or not at
//! all. Without waiters, setting and taking an event needs no lock: see `state`.
//!
//! A set holds the lock longest: at most 64 waits are on an event, and each of them has at most 64 events
//! to look at, or to leave.

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
    /// For all of the events, not for any.
    pub(crate) all: bool,
    /// A signal ends the wait.
    pub(crate) interruptible: bool,
    /// In milliseconds, `None` for no limit. With 0, the wait does not sleep.
    pub(crate) timeout: Option<u32>,
}

/// One of the events that a thread waits for.
///
/// # Invariants
///
/// While the dispatcher's lock is held under which `event` was looked up, and while `node` is on the
/// event's list, the event is there. In the latter case, so is `waiter`.
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
    /// The index of the event that the wait has got, 0 for all of them, or an error. `None` until the wait
    /// is over.
    outcome: UnsafeCell<Option<Result<u32>>>,
    #[pin]
    done: Completion,
}

impl Event {
    /// What a wait does that it has ended. The caller is a user.
    fn take_guarded(&self) {
        if self.is_reset_by_wait() {
            self.state.reset_guarded();
        }
    }

    /// Whether it is set. The caller is a user, so that it stays so.
    fn is_set_guarded(&self) -> bool {
        self.state.look().0
    }

    /// Runs `f` on each waiter with the handle that it waits by, in the order in which they came, as
    /// long as `f` returns true. `f` may finish the waiter that it is called with, and no other.
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

    /// Sets it and gives it to its waiters. Returns whether it was set before.
    fn set_with_waiters(&self, key: &mut Key) -> bool {
        self.begin_use(key);
        let before = self.state.set_guarded();
        self.for_each_waiter(key, |key, waiter, _| {
            if let Some(index) = waiter.take(key) {
                waiter.finish(key, Ok(index));
            }
            self.is_set_guarded()
        });
        self.end_use(key);
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
    /// The lock is held until the last use of the result, and either the events were looked up under it,
    /// or the blocks are on the lists.
    unsafe fn events<'a>(&self) -> impl Iterator<Item = &'a Event> {
        // SAFETY: The events were looked up under the lock, which is still held, or the blocks are on their
        // lists. By the invariants of `Block` the events are there.
        self.blocks().map(|block| unsafe { &*(*block).event })
    }

    /// Takes the first event that is set, or all if all are, and returns its index, or 0. The waiter is a
    /// user of its events.
    fn take(&self, _key: &mut Key) -> Option<u32> {
        // SAFETY: `Dispatcher::begin` has looked the events up, or `Event::set_with_waiters` has found one
        // of the blocks on its list. Both hold the lock.
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
    /// The events were looked up under the lock, which is still held. No event is there twice. The waiter
    /// is a user of each. The blocks and `self` stay where they are until the blocks are off the lists.
    unsafe fn link(&self, key: &mut Key) {
        for block in self.blocks() {
            // SAFETY: The event was looked up under the lock, which is still held. The node is on no
            // list, and stays where it is until it is off this one.
            unsafe {
                (*block).waiter = self;
                let event = &*(*block).event;
                bindings::list_add_tail(&raw mut (*block).node, event.waits.get());
                event.uses(key).waiting += 1;
            }
        }
    }

    /// Takes the blocks off the lists of their events, of which the waiter is no user any more.
    ///
    /// # Safety
    ///
    /// They are on them.
    unsafe fn unlink(&self, key: &mut Key) {
        for block in self.blocks() {
            // SAFETY: The block is on its event's list, so by the invariants of `Block` the event
            // is there, and both neighbours are of that list.
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
    /// Opens an event for a driver, and returns the handle. May sleep.
    ///
    /// # Errors
    ///
    /// `EMFILE` if there are too many handles, `ENOENT` if the event's last handle was closed, `ENOMEM`.
    pub(crate) fn open(
        &self,
        driver: d2d_handle,
        event: &Arc<Event>,
    ) -> Result<d2d_handle, Refusal> {
        let mut spare = None;
        loop {
            let lacking = {
                let Inner { vacancies, key } = &mut *self.lock();
                let uses = event.uses(key);
                if uses.closed {
                    return Err(("unknown-event", ENOENT));
                }
                // SAFETY: From here on the handles have a reference, which is dropped a grace period after
                // the last of them was removed.
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

    /// Closes a handle, and ends the waits that were begun with it. Returns the name of the event, and
    /// whether that was its last handle. Any context.
    pub(crate) fn close(&self, handle: d2d_handle) -> Option<(Name, bool)> {
        let reader = rcu::read_lock();
        let event = {
            let Inner { vacancies, key } = &mut *self.lock();
            let event = self.openings.remove(vacancies, handle, &reader)?;
            event.cancel(key, handle);
            let uses = event.uses(key);
            uses.openings -= 1;
            if uses.openings > 0 {
                return Some((event.name, false));
            }
            uses.closed = true;
            event.retire(key);
            event
        };
        event.notify();
        Some((event.name, true))
    }

    /// Returns a handle that was opened by one of the drivers that `f` chooses, if there is one among
    /// those of this chunk. Any context.
    pub(crate) fn find(&self, f: impl Fn(d2d_handle) -> bool, chunk: usize) -> Option<d2d_handle> {
        self.openings.find_in(chunk, |_, driver| f(driver))
    }

    /// Ends the waits that were begun with those of a driver's handles that are in this chunk. Any
    /// context.
    pub(crate) fn cancel_waits(&self, driver: d2d_handle, chunk: usize) {
        let mut next = 0;
        loop {
            let reader = rcu::read_lock();
            // The lock is released after each handle.
            let key = &mut self.lock().key;
            let is_next = |handle, of| of == driver && handle::index(handle) >= next;
            let Some(handle) = self.openings.find_in(chunk, is_next) else {
                break;
            };
            if let Some(event) = self.openings.find(handle, &reader) {
                event.cancel(key, handle);
            }
            next = handle::index(handle) + 1;
        }
    }

    /// Returns how many chunks to call [`Dispatcher::find`] with: there are no handles beyond these. Any
    /// context.
    pub(crate) fn chunks(&self) -> usize {
        self.openings.used_chunks()
    }

    /// Sets the event that a handle names, if it names one, and returns whether it was set before.
    /// Any context.
    #[inline]
    pub(crate) fn set(&self, handle: d2d_handle, reader: &rcu::Guard) -> Option<bool> {
        let event = self.openings.find(handle, reader)?;
        match event.state.set() {
            Some(before) => Some(before),
            None => Some(self.set_with_waiters(event)),
        }
    }

    #[cold]
    #[inline(never)]
    fn set_with_waiters(&self, event: &Event) -> bool {
        let before = event.set_with_waiters(&mut self.lock().key);
        event.notify();
        before
    }

    /// Takes the event that a handle names, without waiting. Returns whether it was set; `None` if the
    /// handle names no event, or if others wait for it: [`Dispatcher::wait`] tells. Any context.
    #[inline]
    pub(crate) fn try_take(&self, handle: d2d_handle, reader: &rcu::Guard) -> Option<bool> {
        let event = self.openings.find(handle, reader)?;
        event.state.take(event.is_reset_by_wait())
    }

    /// Resets the event that a handle names, and returns whether it names one. Any context.
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

    /// Returns whether the event is set that a handle names. Any context.
    #[inline]
    pub(crate) fn is_set(&self, handle: d2d_handle, reader: &rcu::Guard) -> Option<bool> {
        let event = self.openings.find(handle, reader)?;
        let is_set = event.state.is_set();
        is_set.or_else(|| Some(event.status().set))
    }

    /// Returns the driver that has opened the event that a handle names, its name and its kind. Any
    /// context.
    pub(crate) fn opening(&self, handle: d2d_handle) -> Option<(d2d_handle, Name, Kind)> {
        let reader = rcu::read_lock();
        let (driver, event) = self.openings.find_with_driver(handle, &reader)?;
        Some((driver, event.name, event.kind))
    }

    /// Sets the events again that a wait has taken: that of block `index`, or, if it was for `all`,
    /// those of all blocks. Without that, what the wait has got would be lost. A notification event was
    /// not taken. An event whose handle was closed meanwhile is not set. Any context.
    pub(crate) fn put_back(&self, blocks: &[Block], all: bool, index: u32) {
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

    /// Waits for the events of these handles: see `d2d_event_wait`. May sleep, unless the timeout is
    /// 0. Returns how the wait has ended.
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
        // SAFETY: The waiter is pinned, the blocks are borrowed, and this does not return before the
        // blocks are off the lists: either another thread has taken them off, which the outcome
        // tells, or this one does.
        if let Some(ended) = unsafe { self.begin(waiter, manner) }? {
            return Ok(ended);
        }
        let completed = waiter.done.wait(manner.timeout, manner.interruptible);
        let key = &mut self.lock().key;
        if let Some(outcome) = *waiter.outcome(key) {
            return Ok(outcome);
        }
        // SAFETY: Nobody has finished the wait, so the blocks are on the lists.
        unsafe { waiter.unlink(key) };
        Ok(completed.and(Err(ETIMEDOUT)))
    }

    /// Takes what there is, or puts the blocks of a waiter on the lists of their events. Returns how the
    /// wait has ended, or `None` if it has to sleep. Any context.
    ///
    /// # Errors
    ///
    /// Those of [`Dispatcher::wait`].
    ///
    /// # Safety
    ///
    /// If the result is `None`, the waiter and its blocks stay where they are until the blocks are off
    /// the lists.
    unsafe fn begin(
        &self,
        waiter: &Waiter,
        manner: Manner,
    ) -> Result<Option<Result<u32>>, Refusal> {
        let key = &mut self.lock().key;
        self.look_up(waiter)?;
        // SAFETY: The events were looked up under the lock, which is held until this returns.
        let events = || unsafe { waiter.events() };
        // From here on no set passes by: it waits for the lock, and finds the blocks.
        events().for_each(|event| event.begin_use(key));
        let ended = if let Some(index) = waiter.take(key) {
            Ok(Some(Ok(index)))
        } else if manner.timeout == Some(0) {
            Ok(Some(Err(ETIMEDOUT)))
        } else if events().any(|event| event.uses(key).waiting >= D2D_EVENT_MAX_WAITS) {
            Err(("too-many-waits", EAGAIN))
        } else {
            // SAFETY: The events were looked up under the lock, no two of them are the same, and the
            // waiter is a user of each. The caller leaves the waiter and its blocks where they are.
            unsafe { waiter.link(key) };
            return Ok(None);
        };
        events().for_each(|event| event.end_use(key));
        ended
    }

    /// Looks up the events of a waiter. The lock is held.
    ///
    /// # Errors
    ///
    /// `ESTALE` for a handle, `EINVAL` if an event is there twice.
    fn look_up(&self, waiter: &Waiter) -> Result<(), Refusal> {
        let reader = rcu::read_lock();
        for (n, block) in waiter.blocks().enumerate() {
            // SAFETY: The block is the waiter's, and on no list.
            let block = unsafe { &mut *block };
            let event = self.openings.find(block.opening, &reader);
            // INVARIANT: The event has a handle, which is not removed while the lock is held.
            block.event = event.ok_or(("stale-event-handle", ESTALE))?;
            let mut before = waiter.blocks().take(n);
            // SAFETY: The blocks before are the waiter's as well.
            if before.any(|other| unsafe { (*other).event } == block.event) {
                return Err(("event-twice", EINVAL));
            }
        }
        Ok(())
    }
}

// SPDX-License-Identifier: GPL-2.0

//! The handles of events.
//!
//! [`Openings::find`] takes no lock. A handle has a slot, which holds the handle and the event. The slots
//! of a chunk are used again, but their memory stays until the end, 1.5 MB at most. An event that a
//! handle names is freed at the earliest a grace period of RCU after the handle was removed.

use crate::handle::Kind;
use d2d::{
    abi::{
        d2d_handle,
        D2D_EVENT_MAX_OPEN, //
    },
    word::Word, //
};
use kernel::{
    prelude::*,
    sync::{
        atomic::Atomic,
        rcu, //
    }, //
};
use pin_init::init_array_from_fn;

/// Slots of a [`Chunk`].
const SLOTS: usize = 64;

/// Chunks that there can be.
const CHUNKS: usize = D2D_EVENT_MAX_OPEN as usize / SLOTS;

/// A handle, or room for one.
///
/// # Invariants
///
/// If `handle` is not 0, `event` points to an event that is not freed before a grace period has begun
/// and ended after `handle` became 0. Only a thread that has the [`Vacancies`] changes the fields.
struct Slot<E> {
    handle: Atomic<d2d_handle>,
    driver: Atomic<d2d_handle>,
    event: Atomic<*mut E>,
}

impl<E> Slot<E> {
    const fn new() -> Self {
        // INVARIANT: There is no handle.
        Self {
            handle: Atomic::new(0),
            driver: Atomic::new(0),
            event: Atomic::new(core::ptr::null_mut()),
        }
    }

    /// Returns the event if the slot is that of `handle`.
    ///
    /// If the slot is used again between the first two loads, the third one tells: the new event is
    /// stored after the old handle was removed.
    #[inline(always)]
    fn event_of(&self, handle: d2d_handle) -> Option<*mut E> {
        if Word::load_acquire(&self.handle) != handle {
            return None;
        }
        let event = Word::load_acquire(&self.event);
        (Word::load(&self.handle) == handle).then_some(event)
    }
}

/// Memory for the slots of 64 handles.
pub(crate) struct Chunk<E> {
    /// Slots with a handle.
    used: Atomic<u64>,
    slots: [Slot<E>; SLOTS],
}

impl<E> Chunk<E> {
    /// Allocates one without handles. May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn new() -> Result<KBox<Self>> {
        KBox::init(
            init!(Self {
                used: Atomic::new(0),
                slots <- init_array_from_fn(|_| Slot::new()),
            }),
            GFP_KERNEL,
        )
    }

    fn used(&self) -> usize {
        Word::load(&self.used) as usize
    }

    fn set_used(&self, used: usize) {
        Word::store_release(&self.used, used as u64);
    }
}

/// What keeps a handle from being added.
pub(crate) enum Lacking {
    /// A [`Chunk`], which the caller allocates without the lock.
    Chunk,
    /// There are as many handles as there may be.
    Room,
}

/// What adding and removing a handle needs. Only a thread with the dispatcher's lock has it.
pub(crate) struct Vacancies {
    /// No slot in a chunk before this one is free.
    first: usize,
    /// That of the handle that was added last.
    generation: u32,
}

impl Vacancies {
    pub(crate) const fn new() -> Self {
        Self {
            first: 0,
            generation: 0,
        }
    }
}

/// The handles of events, and the events.
///
/// # Invariants
///
/// A pointer in `chunks` is null or came from [`KBox::into_raw`], and is dropped with this.
pub(crate) struct Openings<E> {
    chunks: KVec<Atomic<*mut Chunk<E>>>,
}

impl<E> Openings<E> {
    /// Makes one without handles. May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn new() -> Result<Self> {
        let mut chunks = KVec::with_capacity(CHUNKS, GFP_KERNEL)?;
        for _ in 0..CHUNKS {
            // INVARIANT: It is null.
            chunks.push(Atomic::new(core::ptr::null_mut()), GFP_KERNEL)?;
        }
        Ok(Self { chunks })
    }

    #[inline(always)]
    fn chunk(&self, number: usize) -> Option<&Chunk<E>> {
        let chunk = Word::load_acquire(self.chunks.get(number)?);
        // SAFETY: By the type invariants it is null, or a chunk that is not dropped before this is.
        unsafe { chunk.as_ref() }
    }

    #[inline(always)]
    fn slot(&self, handle: d2d_handle) -> Option<(&Chunk<E>, &Slot<E>)> {
        let (index, _) = Kind::Event.parts(handle)?;
        let chunk = self.chunk(index / SLOTS)?;
        Some((chunk, &chunk.slots[index % SLOTS]))
    }

    /// Returns the event that a handle names. Any context.
    #[inline(always)]
    pub(crate) fn find<'a>(&'a self, handle: d2d_handle, _reader: &'a rcu::Guard) -> Option<&'a E> {
        let (_, slot) = self.slot(handle)?;
        let event = slot.event_of(handle)?;
        // SAFETY: By the invariants of `Slot` the event is not freed before a grace period that ends
        // after this reader.
        Some(unsafe { &*event })
    }

    /// Returns the driver that has opened the event, and the event. Any context.
    pub(crate) fn find_with_driver<'a>(
        &'a self,
        handle: d2d_handle,
        reader: &'a rcu::Guard,
    ) -> Option<(d2d_handle, &'a E)> {
        let driver = Word::load_acquire(&self.slot(handle)?.1.driver);
        Some((driver, self.find(handle, reader)?))
    }

    /// Adds a handle. Takes `spare` if it needs that, and only then. Any context.
    ///
    /// # Errors
    ///
    /// What is lacking. If that is a chunk, the caller tries again with a `spare` one.
    ///
    /// # Safety
    ///
    /// The event is not freed before a grace period has begun and ended after the handle was removed.
    pub(crate) unsafe fn add(
        &self,
        vacancies: &mut Vacancies,
        spare: &mut Option<KBox<Chunk<E>>>,
        driver: d2d_handle,
        event: *const E,
    ) -> Result<d2d_handle, Lacking> {
        let is_full = |number: &usize| {
            let chunk = self.chunk(*number);
            chunk.is_some_and(|chunk| chunk.used() == SLOTS)
        };
        let skipped = (vacancies.first..CHUNKS).take_while(is_full).count();
        vacancies.first += skipped;
        let number = vacancies.first;
        let place = self.chunks.get(number).ok_or(Lacking::Room)?;
        if self.chunk(number).is_none() {
            // INVARIANT: It comes from `KBox::into_raw`.
            Word::store_release(place, KBox::into_raw(spare.take().ok_or(Lacking::Chunk)?));
        }
        let chunk = self.chunk(number).ok_or(Lacking::Chunk)?;
        let is_free = |slot: &Slot<E>| Word::load(&slot.handle) == 0;
        let free = chunk.slots.iter().position(is_free).ok_or(Lacking::Room)?;
        vacancies.generation = vacancies.generation.wrapping_add(1).max(1);
        let handle = Kind::Event.handle(number * SLOTS + free, vacancies.generation);
        let slot = &chunk.slots[free];
        Word::store_release(&slot.driver, driver);
        Word::store_release(&slot.event, event.cast_mut());
        // INVARIANT: The caller keeps the event.
        Word::store_release(&slot.handle, handle);
        chunk.set_used(chunk.used() + 1);
        Ok(handle)
    }

    /// Removes a handle, and returns its event. Any context.
    pub(crate) fn remove<'a>(
        &'a self,
        vacancies: &mut Vacancies,
        handle: d2d_handle,
        reader: &'a rcu::Guard,
    ) -> Option<&'a E> {
        let event = self.find(handle, reader)?;
        let (chunk, slot) = self.slot(handle)?;
        Word::store_release(&slot.handle, 0);
        chunk.set_used(chunk.used() - 1);
        let (index, _) = Kind::Event.parts(handle)?;
        vacancies.first = vacancies.first.min(index / SLOTS);
        Some(event)
    }

    /// Returns how many chunks to look through: there is no handle in a later one. Slots are taken from
    /// the first chunk on, so these are few unless there are many handles. Any context.
    pub(crate) fn used_chunks(&self) -> usize {
        let is_used = |number: &usize| self.chunk(*number).is_some_and(|chunk| chunk.used() > 0);
        (0..CHUNKS).rev().find(is_used).map_or(0, |last| last + 1)
    }

    /// Returns the first handle of a chunk that `f` chooses by the handle and its driver. Any context.
    pub(crate) fn find_in(
        &self,
        chunk: usize,
        f: impl Fn(d2d_handle, d2d_handle) -> bool,
    ) -> Option<d2d_handle> {
        let mut slots = self.chunk(chunk)?.slots.iter();
        slots.find_map(|slot| {
            let handle = Word::load_acquire(&slot.handle);
            let is_chosen = handle != 0 && f(handle, Word::load(&slot.driver));
            is_chosen.then_some(handle)
        })
    }
}

impl<E> Drop for Openings<E> {
    fn drop(&mut self) {
        for chunk in &self.chunks {
            let chunk = Word::load(chunk);
            if !chunk.is_null() {
                // SAFETY: By the type invariants it came from `KBox::into_raw`, and is dropped here.
                drop(unsafe { KBox::from_raw(chunk) });
            }
        }
    }
}

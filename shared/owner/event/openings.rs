// SPDX-License-Identifier: GPL-2.0

//! The table of the handles of events. The code of events calls such a handle an *opening*.
//!
//! Each handle has a cell. Cells are in chunks, which are allocated when they are needed, and freed
//! with the table. The table takes at most 1.5 MB.
//!
//! [`Openings::find`] takes no lock, but its caller is an RCU reader: an event is freed only a grace
//! period after its last handle was removed.

use crate::{
    handle::{
        self,
        Kind, //
    },
    once_box::OnceBox, //
};
use d2d::{
    abi::{
        d2d_handle,
        D2D_EVENT_MAX_OPEN, //
    },
    word::{
        AtomicOnce as _,
        AtomicWord, //
    }, //
};
use kernel::{
    prelude::*,
    sync::{
        atomic::Atomic,
        rcu,
        Arc,
        ArcBorrow, //
    }, //
};
use pin_init::init_array_from_fn;

const CELLS: usize = 64;

const CHUNKS: usize = D2D_EVENT_MAX_OPEN as usize / CELLS;

/// The cell of a handle. A free cell has the handle 0.
///
/// # Invariants
///
/// If `handle` is not 0, `event` is the pointer of an `Arc`, as [`Arc::as_ptr`] returns it. A reference to
/// this event exists until the end of a grace period that begins after `handle` has become 0. Only a thread
/// with the [`Vacancies`] changes the fields.
struct OpeningCell<E> {
    handle: Atomic<d2d_handle>,
    driver: Atomic<d2d_handle>,
    event: Atomic<*mut E>,
}

impl<E> OpeningCell<E> {
    const fn new() -> Self {
        // INVARIANT: `handle` is 0.
        Self {
            handle: Atomic::new(0),
            driver: Atomic::new(0),
            event: Atomic::new(core::ptr::null_mut()),
        }
    }

    /// If the cell is that of `handle`, returns what `f` loads from the cell by `load_acquire`.
    ///
    /// A writer clears `self.handle`, changes the other fields, and stores the new handle last. So if `f`
    /// reads a field of a newer handle, the second load of `self.handle` does not find `handle`.
    #[inline(always)]
    fn read<R>(&self, handle: d2d_handle, f: impl FnOnce(&Self) -> R) -> Option<R> {
        if AtomicWord::load_acquire(&self.handle) != handle {
            return None;
        }
        let value = f(self);
        (self.handle.get() == handle).then_some(value)
    }
}

pub(crate) struct Chunk<E> {
    /// The number of cells with a handle.
    used: Atomic<u64>,
    /// A bit for each cell: whether the driver of its handle is leaving.
    leaving: Atomic<u64>,
    cells: [OpeningCell<E>; CELLS],
}

impl<E> Chunk<E> {
    /// May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn new() -> Result<KBox<Self>> {
        KBox::init(
            init!(Self {
                used: Atomic::new(0),
                leaving: Atomic::new(0),
                cells <- init_array_from_fn(|_| OpeningCell::new()),
            }),
            GFP_KERNEL,
        )
    }

    fn used(&self) -> usize {
        self.used.get() as usize
    }

    fn set_used(&self, used: usize) {
        AtomicWord::store_release(&self.used, used as u64);
    }

    fn is_leaving(&self, cell: usize) -> bool {
        self.leaving.get() & (1 << cell) != 0
    }

    fn set_leaving(&self, cell: usize, leaving: bool) {
        let others = self.leaving.get() & !(1 << cell);
        AtomicWord::store_release(&self.leaving, others | (u64::from(leaving) << cell));
    }
}

pub(crate) enum Lacking {
    /// All chunks are full. The caller has to allocate one, without the lock.
    Chunk,
    /// There are as many handles as there may be.
    Room,
}

/// What a thread needs to add or remove handles. It is under the dispatcher's lock.
pub(crate) struct Vacancies {
    /// No chunk before this one has a free cell.
    first: usize,
    /// That of the newest handle.
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

pub(crate) struct Openings<E> {
    chunks: KVec<OnceBox<Chunk<E>>>,
}

impl<E> Openings<E> {
    /// May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn new() -> Result<Self> {
        let mut chunks = KVec::with_capacity(CHUNKS, GFP_KERNEL)?;
        for _ in 0..CHUNKS {
            chunks.push(OnceBox::new(), GFP_KERNEL)?;
        }
        Ok(Self { chunks })
    }

    #[inline(always)]
    fn chunk(&self, number: usize) -> Option<&Chunk<E>> {
        self.chunks.get(number)?.get()
    }

    /// Returns the cell of a handle. Another handle may have the cell by now.
    #[inline(always)]
    fn cell(&self, handle: d2d_handle) -> Option<(&Chunk<E>, &OpeningCell<E>)> {
        let (index, _) = Kind::Event.parts(handle)?;
        let chunk = self.chunk(index / CELLS)?;
        Some((chunk, &chunk.cells[index % CELLS]))
    }

    /// Returns the event of a handle; `None` if the handle is stale. Any context.
    #[inline(always)]
    pub(crate) fn find<'a>(
        &'a self,
        handle: d2d_handle,
        _reader: &'a rcu::Guard,
    ) -> Option<ArcBorrow<'a, E>> {
        let (_, cell) = self.cell(handle)?;
        let event = cell.read(handle, |cell| AtomicWord::load_acquire(&cell.event))?;
        // SAFETY: The handle was in the cell while the caller was an RCU reader. So by the invariants of
        // `OpeningCell`, a reference to the event exists until `_reader` is dropped.
        Some(unsafe { ArcBorrow::from_raw(event) })
    }

    /// As [`Openings::find`], with the driver. Any context.
    pub(crate) fn find_with_driver<'a>(
        &'a self,
        handle: d2d_handle,
        reader: &'a rcu::Guard,
    ) -> Option<(d2d_handle, ArcBorrow<'a, E>)> {
        let event = self.find(handle, reader)?;
        let (_, cell) = self.cell(handle)?;
        let driver = cell.read(handle, |cell| AtomicWord::load_acquire(&cell.driver))?;
        Some((driver, event))
    }

    /// Adds a handle. If all chunks of the table are full, adds the chunk in `spare`. Any context.
    ///
    /// # Errors
    ///
    /// What is lacking. If it is a chunk, the caller puts one into `spare` and tries again.
    ///
    /// # Safety
    ///
    /// A reference to the event exists until the end of a grace period that begins after the handle was
    /// removed.
    pub(crate) unsafe fn add(
        &self,
        vacancies: &mut Vacancies,
        spare: &mut Option<KBox<Chunk<E>>>,
        driver: d2d_handle,
        event: &Arc<E>,
    ) -> Result<d2d_handle, Lacking> {
        let is_full = |number: &usize| {
            let chunk = self.chunk(*number);
            chunk.is_some_and(|chunk| chunk.used() == CELLS)
        };
        let skipped = (vacancies.first..CHUNKS).take_while(is_full).count();
        vacancies.first += skipped;
        let number = vacancies.first;
        let place = self.chunks.get(number).ok_or(Lacking::Room)?;
        if place.get().is_none() {
            // This thread has the vacancies, so no other one fills in the place.
            let _ = place.set(spare.take().ok_or(Lacking::Chunk)?);
        }
        let chunk = place.get().ok_or(Lacking::Chunk)?;
        let is_free = |cell: &OpeningCell<E>| cell.handle.get() == 0;
        let free = chunk.cells.iter().position(is_free).ok_or(Lacking::Room)?;
        vacancies.generation = vacancies.generation.wrapping_add(1).max(1);
        let handle = Kind::Event.handle(number * CELLS + free, vacancies.generation);
        let cell = &chunk.cells[free];
        AtomicWord::store_release(&cell.driver, driver);
        AtomicWord::store_release(&cell.event, Arc::as_ptr(event).cast_mut());
        // INVARIANT: The caller promises that the reference exists long enough.
        AtomicWord::store_release(&cell.handle, handle);
        chunk.set_used(chunk.used() + 1);
        Ok(handle)
    }

    /// Removes a handle, and returns its event; `None` if the handle is stale. Any context.
    pub(crate) fn remove<'a>(
        &'a self,
        vacancies: &mut Vacancies,
        handle: d2d_handle,
        reader: &'a rcu::Guard,
    ) -> Option<ArcBorrow<'a, E>> {
        let event = self.find(handle, reader)?;
        let (chunk, cell) = self.cell(handle)?;
        let (index, _) = Kind::Event.parts(handle)?;
        AtomicWord::store_release(&cell.handle, 0);
        chunk.set_used(chunk.used() - 1);
        chunk.set_leaving(index % CELLS, false);
        vacancies.first = vacancies.first.min(index / CELLS);
        Some(event)
    }

    /// Notes that the driver of a valid handle is leaving. Any context.
    pub(crate) fn leave(&self, _vacancies: &mut Vacancies, handle: d2d_handle) {
        let index = handle::index(handle) as usize;
        if let Some((chunk, _)) = self.cell(handle) {
            chunk.set_leaving(index % CELLS, true);
        }
    }

    /// Returns whether the driver of a valid handle is leaving. The caller has the dispatcher's lock.
    pub(crate) fn is_leaving(&self, handle: d2d_handle) -> bool {
        let index = handle::index(handle) as usize;
        let cell = self.cell(handle);
        cell.is_some_and(|(chunk, _)| chunk.is_leaving(index % CELLS))
    }

    /// Returns the number of chunks up to the last one with a handle. Any context.
    pub(crate) fn used_chunks(&self) -> usize {
        let is_used = |number: &usize| self.chunk(*number).is_some_and(|chunk| chunk.used() > 0);
        (0..CHUNKS).rev().find(is_used).map_or(0, |last| last + 1)
    }

    /// Returns the first handle of a chunk for which `f` returns true. `f` gets the handle and its
    /// driver. Any context.
    pub(crate) fn find_in(
        &self,
        chunk: usize,
        f: impl Fn(d2d_handle, d2d_handle) -> bool,
    ) -> Option<d2d_handle> {
        let mut cells = self.chunk(chunk)?.cells.iter();
        cells.find_map(|cell| {
            let handle = AtomicWord::load_acquire(&cell.handle);
            let is_chosen = handle != 0 && f(handle, cell.driver.get());
            is_chosen.then_some(handle)
        })
    }
}

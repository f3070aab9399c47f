// SPDX-License-Identifier: GPL-2.0

//! Values named by handles: what drivers get to hold instead of addresses.
//!
//! A [`Table`] is plain data for the inside of a lock. Nothing in it sleeps or allocates: whoever
//! adds a value brings the memory along if a new [`Chunk`] is needed, and whoever removes the last
//! one of a chunk takes the memory away, both outside the lock.
//!
//! The generation in a handle counts the values that were ever added to the table, so that a handle
//! that was kept for too long is refused, whatever its place is used for by then.

use crate::handle::Kind;
use d2d::abi::d2d_handle;
use kernel::{
    alloc::Flags,
    prelude::*, //
};
use pin_init::init_array_from_fn;

/// Places of a [`Chunk`].
const PLACES: usize = 64;

/// Most values that a table can hold.
pub(crate) const MAX: usize = 1 << 16;

struct Place<T> {
    generation: u32,
    value: T,
}

/// Memory for 64 values of a [`Table`].
pub(crate) struct Chunk<T> {
    /// How many of the places are taken.
    used: usize,
    places: [Option<Place<T>>; PLACES],
}

impl<T> Chunk<T> {
    /// Allocates an empty one. The context is what the flags allow.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn new(flags: Flags) -> Result<KBox<Self>> {
        KBox::init(
            init!(Self {
                used: 0,
                places <- init_array_from_fn(|_| None),
            }),
            flags,
        )
    }
}

/// What keeps a value from being added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lacking {
    /// The table wants a [`Chunk`].
    Chunk,
    /// The table holds as many values as it may.
    Room,
}

/// Values named by handles.
pub(crate) struct Table<T> {
    /// The kind of its handles.
    kind: Kind,
    /// One for each 64 indices. Those that are empty are handed back, but for the first one.
    chunks: KVec<Option<KBox<Chunk<T>>>>,
    /// No place in a chunk before this one is free.
    first_free: usize,
    /// Values in the table, and how many there may be.
    len: usize,
    max: usize,
    /// That of the value that was added last.
    generation: u32,
}

/// Where the next value goes, and under which name.
pub(crate) struct Vacant<'a, T> {
    table: &'a mut Table<T>,
    index: usize,
    generation: u32,
}

impl<T> Table<T> {
    /// Makes an empty one for at most `max` values, and no more than [`MAX`], named by handles of
    /// this kind. May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn new(kind: Kind, max: usize) -> Result<Self> {
        let max = max.min(MAX);
        let mut chunks = KVec::with_capacity(max.div_ceil(PLACES), GFP_KERNEL)?;
        for _ in 0..max.div_ceil(PLACES) {
            chunks.push(None, GFP_KERNEL)?;
        }
        Ok(Self {
            kind,
            chunks,
            first_free: 0,
            len: 0,
            max,
            generation: 0,
        })
    }

    /// Finds a place for a value; the value is in the table when [`Vacant::insert`] has been called.
    /// Takes `spare` if it needs it, and no place otherwise. Any context.
    ///
    /// # Errors
    ///
    /// What is lacking. If it is a chunk, the caller tries again with a `spare` one, which it has
    /// allocated without the lock.
    pub(crate) fn vacant(
        &mut self,
        spare: &mut Option<KBox<Chunk<T>>>,
    ) -> Result<Vacant<'_, T>, Lacking> {
        if self.len >= self.max {
            return Err(Lacking::Room);
        }
        let full = |chunk: &&mut Option<KBox<Chunk<T>>>| {
            chunk.as_ref().is_some_and(|chunk| chunk.used == PLACES)
        };
        let before = self.first_free;
        let skipped = self.chunks[before..].iter_mut().take_while(full).count();
        self.first_free += skipped;
        let number = self.first_free;
        let chunk = self.chunks.get_mut(number).ok_or(Lacking::Room)?;
        if chunk.is_none() {
            *chunk = Some(spare.take().ok_or(Lacking::Chunk)?);
        }
        let place = chunk
            .as_ref()
            .and_then(|chunk| chunk.places.iter().position(Option::is_none))
            .ok_or(Lacking::Room)?;
        let generation = self.generation.wrapping_add(1).max(1);
        Ok(Vacant {
            index: number * PLACES + place,
            generation,
            table: self,
        })
    }

    /// Returns the value that a handle names. Any context.
    pub(crate) fn get(&self, handle: d2d_handle) -> Option<&T> {
        let (index, generation) = self.kind.parts(handle)?;
        let place = self.place(index)?;
        (place.generation == generation).then_some(&place.value)
    }

    /// Returns the value that a handle names. Any context.
    pub(crate) fn get_mut(&mut self, handle: d2d_handle) -> Option<&mut T> {
        let (index, generation) = self.kind.parts(handle)?;
        let place = self.place_mut(index)?;
        (place.generation == generation).then_some(&mut place.value)
    }

    /// Removes the value that a handle names, and with it a chunk that is empty then: both are for
    /// the caller to drop without the lock. Any context.
    pub(crate) fn remove(&mut self, handle: d2d_handle) -> Option<(T, Option<KBox<Chunk<T>>>)> {
        let (index, generation) = self.kind.parts(handle)?;
        let number = index / PLACES;
        let slot = self.chunks.get_mut(number)?;
        let chunk = slot.as_mut()?;
        let place = chunk.places[index % PLACES].take_if(|place| place.generation == generation)?;
        chunk.used -= 1;
        let empty = chunk.used == 0 && number > 0;
        self.first_free = self.first_free.min(number);
        self.len -= 1;
        Some((place.value, slot.take_if(|_| empty)))
    }

    /// Returns the value of this index, and its handle. Any context.
    pub(crate) fn by_index_mut(&mut self, index: usize) -> Option<(d2d_handle, &mut T)> {
        let kind = self.kind;
        let place = self.place_mut(index)?;
        Some((kind.handle(index, place.generation), &mut place.value))
    }

    /// Returns how many chunks of 64 indices there may be.
    pub(crate) fn chunks(&self) -> usize {
        self.chunks.len()
    }

    /// Returns how many chunks to look through: none is in use after these. Places are taken from the
    /// first chunk on, so they are few unless there are many values. Any context.
    pub(crate) fn used_chunks(&self) -> usize {
        let from_last = self.chunks.iter().rev();
        self.chunks() - from_last.take_while(|chunk| chunk.is_none()).count()
    }

    /// Looks through the 64 indices of a chunk, in order, for what `f` is looking for: who looks
    /// through many values gives the lock back between the chunks. Any context.
    pub(crate) fn find_in<R>(
        &self,
        chunk: usize,
        mut f: impl FnMut(d2d_handle, &T) -> Option<R>,
    ) -> Option<R> {
        let places = &self.chunks.get(chunk)?.as_ref()?.places;
        for (n, place) in places.iter().enumerate() {
            if let Some(place) = place {
                let handle = self.kind.handle(chunk * PLACES + n, place.generation);
                let found = f(handle, &place.value);
                if found.is_some() {
                    return found;
                }
            }
        }
        None
    }

    fn place(&self, index: usize) -> Option<&Place<T>> {
        self.chunks.get(index / PLACES)?.as_ref()?.places[index % PLACES].as_ref()
    }

    fn place_mut(&mut self, index: usize) -> Option<&mut Place<T>> {
        self.chunks.get_mut(index / PLACES)?.as_mut()?.places[index % PLACES].as_mut()
    }
}

impl<T> Vacant<'_, T> {
    /// Returns the handle that the value will have; never 0.
    pub(crate) fn handle(&self) -> d2d_handle {
        self.table.kind.handle(self.index, self.generation)
    }

    /// Adds the value. Any context.
    pub(crate) fn insert(self, value: T) {
        let Self {
            table,
            index,
            generation,
        } = self;
        if let Some(Some(chunk)) = table.chunks.get_mut(index / PLACES) {
            chunk.places[index % PLACES] = Some(Place { generation, value });
            chunk.used += 1;
            table.len += 1;
            table.generation = generation;
        }
    }
}

#[cfg(d2d_tests)]
mod tests;

// SPDX-License-Identifier: GPL-2.0

//! The payload of the items, and the checks of taken items.

use crate::{
    mix,
    tally::Direction, //
};
use d2d::queue::{
    Batch,
    Item,
    ItemHandle,
    Queue, //
};
use kernel::prelude::*;
use zerocopy::{
    FromZeros,
    Immutable, //
};

pub(crate) use crate::Taken;

/// The most items of one put or take.
pub(crate) const MAX: u32 = 8;

/// Payload of an item whose run has an odd number.
type Small = [u64; 3];
/// Payload of an item whose run has an even number.
type Large = [u64; 8];

/// A run, in one direction of one context.
#[derive(Clone, Copy)]
pub(crate) struct Producer(u64);

impl Producer {
    pub(crate) fn new(run: u32, context: u32, direction: Direction) -> Self {
        Self((u64::from(run) << 32) | (u64::from(context) << 1) | direction as u64)
    }

    fn is_of(self, context: u32, direction: Direction) -> bool {
        self.0 & u64::from(u32::MAX) == (u64::from(context) << 1) | direction as u64
    }

    fn is_small(self) -> bool {
        self.0 & (1 << 32) != 0
    }

    fn payload(self, number: u64) -> Large {
        let seed = self.checksum(number);
        core::array::from_fn(|word| match word {
            0 => self.0,
            1 => number,
            word => mix(seed.wrapping_add(word as u64)),
        })
    }

    /// Depends only on the item. Equal sums over the items put and taken show that none was lost or taken twice.
    pub(crate) fn checksum(self, number: u64) -> u64 {
        mix(self.0 ^ mix(number))
    }

    fn kind(self) -> u32 {
        mix(self.0) as u32
    }

    /// Puts `count` items, at most [`MAX`]. Returns how many fitted.
    pub(crate) fn put(self, queue: &Queue<'_>, from: u64, count: u32) -> Result<u32> {
        if self.is_small() {
            self.put_as::<Small>(queue, from, count, |large| {
                core::array::from_fn(|word| large[word])
            })
        } else {
            self.put_as::<Large>(queue, from, count, |large| large)
        }
    }

    fn put_as<T: IntoBytes + Immutable>(
        self,
        queue: &Queue<'_>,
        from: u64,
        count: u32,
        cut: impl Fn(Large) -> T,
    ) -> Result<u32> {
        let kind = self.kind();
        if count == 1 {
            return match queue.put(kind, &cut(self.payload(from))) {
                Ok(()) => Ok(1),
                Err(error) if error == ENOSPC => Ok(0),
                Err(error) => Err(error),
            };
        }
        let items: [T; MAX as usize] =
            core::array::from_fn(|n| cut(self.payload(from.wrapping_add(n as u64))));
        let put = queue.put_batch(kind, &items[..count as usize])?;
        Ok(put as u32)
    }
}

impl Default for Taken {
    fn default() -> Self {
        Self::new_zeroed()
    }
}

/// Checks the items that one consumer takes.
pub struct Checker {
    context: u32,
    direction: Direction,
    /// Whether no other consumer takes items from the queue.
    sole: bool,
    /// The `seq` of the next item; with other consumers, a lower bound.
    next: u64,
    batches: u64,
    /// Hashed by producer.
    producers: [Seen; 16],
    taken: Taken,
}

/// The last item that was taken of one producer.
#[derive(Clone, Copy, Default)]
struct Seen {
    producer: u64,
    /// The number of the batch that had the item. 0: no item.
    batch: u64,
    next: u64,
}

impl Checker {
    /// Makes the checker of one of several consumers.
    pub fn new(context: u32, direction: Direction) -> Self {
        Self {
            context,
            direction,
            sole: false,
            next: 0,
            batches: 0,
            producers: [Seen::default(); 16],
            taken: Taken::default(),
        }
    }

    /// Makes the checker of a sole consumer, whose next item has `next` as its `seq`.
    pub fn sole(context: u32, direction: Direction, next: u64) -> Self {
        Self {
            sole: true,
            next,
            ..Self::new(context, direction)
        }
    }

    /// Takes up to `max` items and returns their number.
    pub fn take(&mut self, queue: &Queue<'_>, max: u32) -> usize {
        let batch = if max == 1 {
            queue.take()
        } else {
            Some(queue.take_batch(max))
        };
        let Some(batch) = batch else {
            return 0;
        };
        self.check(&batch);
        batch.len()
    }

    pub(crate) fn redeem(&mut self, queue: &Queue<'_>, handle: ItemHandle) -> Result {
        self.check(&queue.redeem(handle)?);
        Ok(())
    }

    /// Takes all items.
    pub fn take_all(&mut self, queue: &Queue<'_>) {
        while self.take(queue, MAX) > 0 {}
    }

    /// Returns the counts.
    pub fn taken(&self) -> &Taken {
        &self.taken
    }

    fn check(&mut self, batch: &Batch<'_>) {
        self.batches = self.batches.wrapping_add(1);
        let mut follows = self.sole;
        for item in batch {
            self.taken.count = self.taken.count.wrapping_add(1);
            self.taken.sequence = self.taken.sequence.wrapping_add(mix(item.seq));
            // Other consumers may have taken items before the batch, but none within it.
            if item.seq < self.next || follows && item.seq > self.next {
                self.taken.gaps = self.taken.gaps.wrapping_add(1);
            }
            self.next = item.seq.wrapping_add(1);
            follows = true;
            self.check_item(&item);
        }
    }

    fn check_item(&mut self, item: &Item<'_>) {
        let large = item.read::<Large>().map(|[a, b, ..]| [a, b]);
        let head = large.or_else(|| item.read::<Small>().map(|[a, b, _]| [a, b]));
        let Some([producer, number]) = head else {
            self.taken.torn = self.taken.torn.wrapping_add(1);
            return;
        };
        let producer = Producer(producer);
        self.taken.checksums = self.taken.checksums.wrapping_add(producer.checksum(number));
        let size = if producer.is_small() {
            size_of::<Small>()
        } else {
            size_of::<Large>()
        };
        let expected = producer.payload(number);
        if expected.as_bytes().get(..size) != Some(item.payload) || item.kind != producer.kind() {
            self.taken.torn = self.taken.torn.wrapping_add(1);
        }
        if !producer.is_of(self.context, self.direction) {
            self.taken.foreign = self.taken.foreign.wrapping_add(1);
        }

        let slot = (mix(producer.0) % self.producers.len() as u64) as usize;
        let seen = self.producers[slot];
        let follows = self.sole || seen.batch == self.batches;
        if seen.batch != 0
            && seen.producer == producer.0
            && (number < seen.next || follows && number > seen.next)
        {
            self.taken.disorder = self.taken.disorder.wrapping_add(1);
        }
        self.producers[slot] = Seen {
            producer: producer.0,
            batch: self.batches,
            next: number.wrapping_add(1),
        };
    }
}

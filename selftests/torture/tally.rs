// SPDX-License-Identifier: GPL-2.0

//! The books: what was done to a context, and what went wrong.

use crate::{
    item::Taken,
    GONE, //
};
use kernel::{
    prelude::*,
    sync::atomic::{
        ordering::Relaxed,
        Atomic, //
    }, //
};

/// Which of a context's queues.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the owner to the peer.
    ToPeer,
    /// From the peer to the owner.
    ToOwner,
}

impl Direction {
    /// Both.
    pub const ALL: [Self; 2] = [Self::ToPeer, Self::ToOwner];
}

/// What is counted of each queue.
#[derive(Clone, Copy)]
pub enum Flow {
    /// Items put.
    Put,
    /// Sum of their marks.
    MarksPut,
    /// Items that found no room.
    Refused,
    /// Items taken.
    Taken,
    /// Sum of their marks.
    MarksTaken,
    /// Sum of the mixed numbers that the queue has given them.
    Places,
    /// Handles refused.
    Stale,
}

const FLOWS: usize = 7;

/// What is counted of the whole context.
#[derive(Clone, Copy)]
pub enum Count {
    /// Operations that were called, nested ones too.
    Calls,
    /// Updates of the shared data.
    Updates,
    /// Calls that found no peer, or one on its way out.
    Shutdowns,
    /// Runs reported.
    Runs,
    /// Peers attached.
    Attached,
    /// Sets of an event, and waits for some.
    Sets,
    /// As above.
    Waits,
    /// Sets of an event that was not set, and those that were taken.
    Tokens,
    /// As above.
    TokensTaken,
    /// Threads that have waited for another, and were woken.
    Wakes,
    /// Requests sent.
    Sent,
    /// Requests that came back completed, cancelled, taken back by who has left, out of time, and
    /// because they could not be passed on.
    Completed,
    /// As above.
    Cancelled,
    /// As above.
    TakenBack,
    /// As above.
    TimedOut,
    /// As above.
    Failed,
    /// Requests that were passed on.
    Forwarded,
    /// Attempts to complete a request or to take it back that were too late, because the other one
    /// of the two was made meanwhile.
    Races,
    /// The first of those that nothing may be counted of: items that are not what was put.
    Torn,
    /// Items on the wrong queue.
    Foreign,
    /// Items out of the queue's order, or not where they should be.
    Gaps,
    /// Items out of their producer's order.
    Disorder,
    /// Operations that returned something else than they should.
    WrongValues,
    /// Operations that failed although they should not, or otherwise than they should.
    WrongErrors,
    /// Operations of a peer that ran although it is gone.
    LateCalls,
    /// Requests sent, less those that came back.
    Unsettled,
    /// Requests that somebody was told to have cancelled, less those that came back so.
    Disputed,
    /// Sum of what requests were completed with, less that of what their senders have got.
    Unmatched,
    /// Sums that do not agree.
    Unbalanced,
}

/// Names of the whole context's counts.
pub const NAMES: [&str; 29] = [
    "calls",
    "updates",
    "shutdowns",
    "runs",
    "attached",
    "sets",
    "waits",
    "tokens",
    "tokens-taken",
    "wakes",
    "sent",
    "completed",
    "cancelled",
    "taken-back",
    "timed-out",
    "failed",
    "forwarded",
    "races",
    "torn",
    "foreign",
    "gaps",
    "disorder",
    "wrong-values",
    "wrong-errors",
    "late-calls",
    "unsettled",
    "disputed",
    "unmatched",
    "unbalanced",
];

const COUNTS: usize = 2 * FLOWS + NAMES.len();

const _: () = assert!(Count::Unbalanced as usize + 1 == NAMES.len());
const _: () = assert!(Flow::Stale as usize + 1 == FLOWS);

/// Names a count.
pub trait Index {
    /// Returns its number.
    fn index(self) -> usize;
}

impl Index for Count {
    fn index(self) -> usize {
        2 * FLOWS + self as usize
    }
}

impl Index for (Direction, Flow) {
    fn index(self) -> usize {
        self.0 as usize * FLOWS + self.1 as usize
    }
}

/// What one run has counted.
pub struct Tally([u64; COUNTS]);

impl Default for Tally {
    fn default() -> Self {
        Self([0; COUNTS])
    }
}

impl Tally {
    /// Adds to a count.
    pub fn add(&mut self, count: impl Index, value: u64) {
        let sum = &mut self.0[count.index()];
        *sum = sum.wrapping_add(value);
    }

    /// Adds what was taken.
    pub fn add_taken(&mut self, direction: Direction, taken: &Taken) {
        self.add((direction, Flow::Taken), taken.count);
        self.add((direction, Flow::MarksTaken), taken.marks);
        self.add((direction, Flow::Places), taken.places);
        self.add(Count::Torn, taken.torn);
        self.add(Count::Foreign, taken.foreign);
        self.add(Count::Gaps, taken.gaps);
        self.add(Count::Disorder, taken.disorder);
    }

    /// Adds the failure of an operation, which the other side's absence excuses if it may be away.
    pub fn add_error(&mut self, error: Error, may_be_away: bool) {
        let count = match error {
            error if error == ESHUTDOWN && may_be_away => Count::Shutdowns,
            error if error == GONE => Count::LateCalls,
            _ => Count::WrongErrors,
        };
        self.add(count, 1);
    }

    /// Returns the counts that are not zero, by their numbers.
    pub fn iter(&self) -> impl Iterator<Item = (usize, u64)> + '_ {
        self.0
            .iter()
            .copied()
            .enumerate()
            .filter(|(_, value)| *value != 0)
    }
}

/// What all runs have counted.
pub struct Books([Atomic<u64>; COUNTS]);

impl Default for Books {
    fn default() -> Self {
        Self(core::array::from_fn(|_| Atomic::new(0)))
    }
}

impl Books {
    /// Adds to a count, if there is one of that number.
    pub fn add(&self, number: usize, value: u64) -> Result {
        self.0.get(number).ok_or(EINVAL)?.add(value, Relaxed);
        Ok(())
    }

    /// Adds all of a tally.
    pub fn add_all(&self, tally: &Tally) {
        for (sum, value) in self.0.iter().zip(tally.0) {
            sum.add(value, Relaxed);
        }
    }

    /// Returns all counts, and makes them 0.
    pub fn take(&self) -> Tally {
        Tally(self.0.each_ref().map(|count| count.xchg(0, Relaxed)))
    }

    /// Returns a count.
    pub fn get(&self, count: impl Index) -> u64 {
        self.0[count.index()].load(Relaxed)
    }

    /// Returns the whole context's counts, in the order of [`NAMES`].
    pub fn counts(&self) -> impl Iterator<Item = u64> + '_ {
        self.0[2 * FLOWS..].iter().map(|count| count.load(Relaxed))
    }
}

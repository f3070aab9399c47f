// SPDX-License-Identifier: GPL-2.0

//! Counts of what was done in a context, and of what went wrong.

use crate::{
    item::Taken,
    UNLOADED, //
};
use kernel::{
    prelude::*,
    sync::atomic::{
        ordering::Relaxed,
        Atomic, //
    }, //
};

/// The direction of a context's queue.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the owner to the peer.
    ToPeer,
    /// From the peer to the owner.
    ToOwner,
}

impl Direction {
    /// Both directions.
    pub const ALL: [Self; 2] = [Self::ToPeer, Self::ToOwner];
}

/// Counts of a queue.
#[derive(Clone, Copy)]
pub enum Flow {
    /// Items put.
    Put,
    /// Sum of the checksums of the items put.
    ChecksumsPut,
    /// Items for which there was no room.
    Refused,
    /// Items taken.
    Taken,
    /// Sum of the checksums of the items taken.
    ChecksumsTaken,
    /// Sum of `mix(seq)`; see [`Taken`].
    Sequence,
    /// Stale handles that the queue refused.
    Stale,
}

const FLOWS: usize = 7;

/// Counts of the whole context.
#[derive(Clone, Copy)]
pub enum Count {
    /// Operations called, including nested ones.
    Calls,
    /// Updates of the shared data.
    Updates,
    /// Calls and sends that found no peer, or a driver that detaches or unregisters.
    Shutdowns,
    /// Runs made.
    Runs,
    /// Peers attached.
    Attached,
    /// Calls that set an event.
    Sets,
    /// Waits for events.
    Waits,
    /// Calls that set an event which was not set: each makes a token.
    Tokens,
    /// Tokens that waits took.
    TokensTaken,
    /// Wake-ups in `lead` and `follow`.
    Wakes,
    /// Requests sent.
    Sent,
    /// Requests completed.
    Completed,
    /// Requests cancelled by their sender.
    Cancelled,
    /// Requests cancelled or failed while a driver might unregister, perhaps because of that.
    CauseUnknown,
    /// Requests that timed out.
    TimedOut,
    /// Requests that could not be forwarded.
    NotForwarded,
    /// Requests forwarded.
    Forwarded,
    /// Completions and cancels that failed, because the other side was faster.
    TooLate,
    /// Calls that returned without a result. At their time limit, another thread was still completing, cancelling or
    /// delivering the request.
    OutcomeUnknown,
    /// Items whose payload is not what was put. This count and all that follow must be 0 at the end.
    Torn,
    /// Items on the wrong queue.
    Foreign,
    /// Items whose number in the queue shows that an item was skipped, or taken twice.
    Gaps,
    /// Items whose number in their run shows that an item of the run was skipped, or taken twice.
    Disorder,
    /// Operations that returned a wrong value.
    WrongValues,
    /// Operations that failed although they must succeed, or with a wrong errno.
    WrongErrors,
    /// Operations of a peer that ran, or could be called, after it had detached.
    LateCalls,
    /// Requests sent, minus those that ended.
    Unsettled,
    /// Cancels that succeeded, minus requests that ended as cancelled.
    CancelMismatch,
    /// The sum of the outputs of receivers, minus the sum that senders got.
    OutputMismatch,
    /// Sums that the owner's `check` found wrong.
    SumMismatches,
}

/// The name of each [`Count`].
pub const NAMES: [&str; 30] = [
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
    "cause-unknown",
    "timed-out",
    "not-forwarded",
    "forwarded",
    "too-late",
    "outcome-unknown",
    "torn",
    "foreign",
    "gaps",
    "disorder",
    "wrong-values",
    "wrong-errors",
    "late-calls",
    "unsettled",
    "cancel-mismatch",
    "output-mismatch",
    "sum-mismatches",
];

const COUNTS: usize = 2 * FLOWS + NAMES.len();

const _: () = assert!(Count::SumMismatches as usize + 1 == NAMES.len());
const _: () = assert!(Flow::Stale as usize + 1 == FLOWS);

/// Names a count: a [`Count`], or a [`Flow`] of a [`Direction`].
pub trait HasIndex {
    /// Returns the number of the count.
    fn index(self) -> usize;
}

impl HasIndex for Count {
    fn index(self) -> usize {
        2 * FLOWS + self as usize
    }
}

impl HasIndex for (Direction, Flow) {
    fn index(self) -> usize {
        self.0 as usize * FLOWS + self.1 as usize
    }
}

/// The counts of one run.
pub struct Tally([u64; COUNTS]);

impl Default for Tally {
    fn default() -> Self {
        Self([0; COUNTS])
    }
}

impl Tally {
    /// Adds to a count.
    pub fn add(&mut self, count: impl HasIndex, value: u64) {
        let sum = &mut self.0[count.index()];
        *sum = sum.wrapping_add(value);
    }

    /// Adds the counts of taken items.
    pub fn add_taken(&mut self, direction: Direction, taken: &Taken) {
        self.add((direction, Flow::Taken), taken.count);
        self.add((direction, Flow::ChecksumsTaken), taken.checksums);
        self.add((direction, Flow::Sequence), taken.sequence);
        self.add(Count::Torn, taken.torn);
        self.add(Count::Foreign, taken.foreign);
        self.add(Count::Gaps, taken.gaps);
        self.add(Count::Disorder, taken.disorder);
    }

    /// Counts a failed operation. `ESHUTDOWN` is no fault if the other side may be missing.
    pub fn add_error(&mut self, error: Error, other_may_be_missing: bool) {
        let count = match error {
            error if error == ESHUTDOWN && other_may_be_missing => Count::Shutdowns,
            error if error == UNLOADED => Count::LateCalls,
            _ => Count::WrongErrors,
        };
        self.add(count, 1);
    }

    /// Returns the counts that are not 0, with their numbers.
    pub fn iter(&self) -> impl Iterator<Item = (usize, u64)> + '_ {
        self.0
            .iter()
            .copied()
            .enumerate()
            .filter(|(_, value)| *value != 0)
    }
}

/// Counts to which several threads add.
pub struct SharedCounts([Atomic<u64>; COUNTS]);

impl Default for SharedCounts {
    fn default() -> Self {
        Self(core::array::from_fn(|_| Atomic::new(0)))
    }
}

impl SharedCounts {
    /// Adds to the count with this number; `EINVAL` if there is none.
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
    pub fn get(&self, count: impl HasIndex) -> u64 {
        self.0[count.index()].load(Relaxed)
    }

    /// Returns the counts of the whole context, in the order of [`NAMES`].
    pub fn counts(&self) -> impl Iterator<Item = u64> + '_ {
        self.0[2 * FLOWS..].iter().map(|count| count.load(Relaxed))
    }
}

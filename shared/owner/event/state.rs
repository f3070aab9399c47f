// SPDX-License-Identifier: GPL-2.0

//! The state of an event: one word.
//!
//! While nobody waits for the event, one atomic step on the word sets, takes or resets it. A thread that
//! is going to wait first makes the word *guarded*, under the dispatcher's lock, and then looks at it: a
//! set that came before is seen, and a set that comes later finds the word guarded. It takes the lock,
//! and so finds the waiter.
//!
//! | from | to | by |
//! |---|---|---|
//! | not guarded, set or not | set, one more in the count | [`set`](State::set) |
//! | not guarded, set | not set | [`take`](State::take), [`reset`](State::reset) |
//! | not guarded | guarded | [`guard`](State::guard), with the lock |
//! | guarded | guarded: set, or not set | `*_guarded`, with the lock |
//! | guarded | not guarded | [`unguard`](State::unguard), with the lock |
//!
//! `selftests/model/events.pml` is a model of it.

use d2d::word::Word;
use kernel::sync::atomic::{
    ordering::Full,
    Atomic, //
};

/// The event is set.
const SET: u64 = 1;

/// Only a thread that holds the dispatcher's lock changes the word.
const GUARDED: u64 = 2;

/// The bits above count how often the event was set.
const COUNT: u64 = 4;

/// Whether an event is set, and how often it was.
pub(crate) struct State(Atomic<u64>);

impl State {
    /// Makes one of an event that nobody waits for.
    pub(crate) const fn new(set: bool) -> Self {
        Self(Atomic::new(if set { SET } else { 0 }))
    }

    /// Changes the word to what `f` makes of it, in one atomic step, and returns what it was. Returns
    /// `None`, and changes nothing, if the word is guarded.
    #[inline(always)]
    fn update(&self, f: impl Fn(u64) -> u64) -> Option<u64> {
        let mut word = Word::load(&self.0);
        loop {
            if word & GUARDED != 0 {
                return None;
            }
            match Word::cmpxchg(&self.0, word, f(word)) {
                Ok(_) => return Some(word),
                Err(other) => word = other,
            }
        }
    }

    /// Sets the event, and returns whether it was set before; `None` if the word is guarded. The thread
    /// that takes the event sees what the caller did before.
    #[inline(always)]
    pub(crate) fn set(&self) -> Option<bool> {
        let before = self.update(|word| (word | SET).wrapping_add(COUNT))?;
        Some(before & SET != 0)
    }

    /// Resets the event if it is set and a wait `resets` it, and returns whether it was set; `None` if
    /// the word is guarded.
    #[inline(always)]
    pub(crate) fn take(&self, resets: bool) -> Option<bool> {
        let word = Word::load_acquire(&self.0);
        if word & GUARDED != 0 {
            return None;
        }
        if word & SET == 0 || !resets {
            return Some(word & SET != 0);
        }
        let before = self.update(|word| word & !SET)?;
        Some(before & SET != 0)
    }

    /// Resets the event; `None` if the word is guarded.
    #[inline(always)]
    pub(crate) fn reset(&self) -> Option<()> {
        self.update(|word| word & !SET).map(|_| ())
    }

    /// Returns whether the event is set; `None` if the word is guarded: a set may be going to a waiter.
    #[inline(always)]
    pub(crate) fn is_set(&self) -> Option<bool> {
        let word = Word::load_acquire(&self.0);
        (word & GUARDED == 0).then_some(word & SET != 0)
    }

    /// Makes the word guarded, which it is not. The caller holds the lock until [`State::unguard`], or has let a
    /// thread wait that calls it.
    pub(crate) fn guard(&self) {
        // One step, not a loop: interrupts are disabled, and others may set the event again and again.
        self.0.fetch_add(GUARDED, Full);
    }

    /// Ends what [`State::guard`] has begun. The caller holds the lock.
    pub(crate) fn unguard(&self) {
        Word::store_release(&self.0, Word::load(&self.0) & !GUARDED);
    }

    /// As [`State::set`]. The caller holds the lock, and the word is guarded.
    pub(crate) fn set_guarded(&self) -> bool {
        let word = Word::load(&self.0);
        Word::store_release(&self.0, (word | SET).wrapping_add(COUNT));
        word & SET != 0
    }

    /// As [`State::reset`]. The caller holds the lock, and the word is guarded.
    pub(crate) fn reset_guarded(&self) {
        Word::store_release(&self.0, Word::load(&self.0) & !SET);
    }

    /// Returns whether the event is set, and how often it was. If the word is not guarded, that may have
    /// changed when this returns.
    pub(crate) fn look(&self) -> (bool, u64) {
        let word = Word::load_acquire(&self.0);
        (word & SET != 0, word / COUNT)
    }
}

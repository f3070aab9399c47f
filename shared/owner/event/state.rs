// SPDX-License-Identifier: GPL-2.0

//! The state of an event, which is one word.
//!
//! While an event has no *user* (`Uses` in `event` lists the users), one atomic operation on the word
//! sets, takes or resets the event. Before a thread waits, it takes the dispatcher's lock, marks the
//! word as *guarded*, and then reads the word. So it sees every earlier set. A thread that sets the event
//! later finds the word guarded, takes the lock, and finds the waiter on the event's list.
//!
//! | from | to | by |
//! |---|---|---|
//! | not guarded, set or not | set, one more in the count | [`set`](State::set) |
//! | not guarded, set | not set | [`take`](State::take), [`reset`](State::reset) |
//! | not guarded | guarded | [`guard`](State::guard), with the lock |
//! | guarded | guarded: set, or not set | `*_guarded`, with the lock |
//! | guarded | not guarded | [`unguard`](State::unguard), with the lock |
//!
//! `selftests/model/events.pml` is a model of this word.

use d2d::word::{
    AtomicOnce as _,
    AtomicWord, //
};
use kernel::sync::atomic::{
    ordering::Full,
    Atomic, //
};

const SET: u64 = 1;

/// While this bit is set, only a thread that holds the dispatcher's lock changes the word.
const GUARDED: u64 = 2;

/// The lowest bit of the number of sets. The number has this bit and all higher ones.
const COUNT: u64 = 4;

pub(crate) struct State(Atomic<u64>);

impl State {
    pub(crate) const fn new(set: bool) -> Self {
        Self(Atomic::new(if set { SET } else { 0 }))
    }

    /// Changes the word to `f(word)`, and returns the old word. If the word is guarded, changes nothing
    /// and returns `None`.
    #[inline(always)]
    fn update(&self, f: impl Fn(u64) -> u64) -> Option<u64> {
        let mut word = self.0.get();
        loop {
            if word & GUARDED != 0 {
                return None;
            }
            match AtomicWord::cmpxchg(&self.0, word, f(word)) {
                Ok(_) => return Some(word),
                Err(other) => word = other,
            }
        }
    }

    /// Returns whether the event was set before; `None` if the word is guarded. A thread that takes the
    /// event sees the caller's earlier writes.
    #[inline(always)]
    pub(crate) fn set(&self) -> Option<bool> {
        let before = self.update(|word| (word | SET).wrapping_add(COUNT))?;
        Some(before & SET != 0)
    }

    /// Returns whether the event was set. With `resets`, also resets it. `None` if the word is guarded.
    #[inline(always)]
    pub(crate) fn take(&self, resets: bool) -> Option<bool> {
        let word = AtomicWord::load_acquire(&self.0);
        if word & GUARDED != 0 {
            return None;
        }
        if word & SET == 0 || !resets {
            return Some(word & SET != 0);
        }
        let before = self.update(|word| word & !SET)?;
        Some(before & SET != 0)
    }

    /// Returns `None` if the word is guarded.
    #[inline(always)]
    pub(crate) fn reset(&self) -> Option<()> {
        self.update(|word| word & !SET).map(|_| ())
    }

    /// Returns `None` if the word is guarded: a waiter may be about to take the event.
    #[inline(always)]
    pub(crate) fn is_set(&self) -> Option<bool> {
        let word = AtomicWord::load_acquire(&self.0);
        (word & GUARDED == 0).then_some(word & SET != 0)
    }

    /// The word is not guarded, and the caller holds the lock. The caller calls [`State::unguard`] before
    /// it releases the lock, or the event's last user does so later.
    pub(crate) fn guard(&self) {
        // An addition succeeds at once. A compare-and-exchange could fail again and again while other
        // threads set the event, with interrupts off.
        self.0.fetch_add(GUARDED, Full);
    }

    pub(crate) fn unguard(&self) {
        AtomicWord::store_release(&self.0, self.0.get() & !GUARDED);
    }

    pub(crate) fn set_guarded(&self) -> bool {
        let word = self.0.get();
        AtomicWord::store_release(&self.0, (word | SET).wrapping_add(COUNT));
        word & SET != 0
    }

    pub(crate) fn reset_guarded(&self) {
        AtomicWord::store_release(&self.0, self.0.get() & !SET);
    }

    /// Returns whether the event is set, and how often it was set. If the word is not guarded, other
    /// threads may change it.
    pub(crate) fn look(&self) -> (bool, u64) {
        let word = AtomicWord::load_acquire(&self.0);
        (word & SET != 0, word / COUNT)
    }
}

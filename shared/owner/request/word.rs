// SPDX-License-Identifier: GPL-2.0

//! The word of a request is its whole state. `transitions!` lists all changes of a word; the models
//! in `selftests/model/` get their transitions from this list.
//!
//! A request is *over* when it is [`Done`] or [`Cancelled`] and nothing [delays its
//! delivery](Word::is_over). The thread whose transition makes the request over delivers it.
//! Until this thread makes its next transition, other threads can only note in the word that they
//! - cancel the request (`CANCEL_LATER`, `CANCEL_AGAIN`),
//! - free it (`ORPHANED`),
//! - wait for it (`WAIT`, `SLEEP`, `WAITED`), or
//! - have given up its buffers (`IN_PLACE_END`).

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Phase {
    /// The record has no request.
    Free,
    /// Home.
    Idle,
    /// One thread has the record alone.
    Fill,
    /// With its holder, the driver of the last level.
    Held,
    /// Its holder is forwarding it.
    Forward,
    /// Its holder has claimed it for completion, and writes the result.
    Busy,
    /// Completed.
    Done,
    Cancelled,
}

use Phase::*;

const PHASES: [Phase; 8] = [Free, Idle, Fill, Held, Forward, Busy, Done, Cancelled];

/// Why a request was cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Reason {
    /// Its sender cancels or frees it, leaves, detaches or unregisters.
    Sender,
    /// The time limit of a wait has passed.
    TimedOut,
    /// A driver that has it, or has forwarded it, leaves, detaches or unregisters.
    Left,
}

/// The parts of a word, by the names that the table uses.
pub(crate) mod bits {
    pub(crate) const PHASE: u64 = 7;
    /// The sender is at level 0, the top. Forwarding takes the request *down*, to the next higher
    /// number. A completed or cancelled request goes *up*, to lower numbers.
    pub(crate) const LEVEL: u64 = 7 << 3;
    /// A dispatch routine may use the buffers in place. The record notes which call.
    pub(crate) const IN_PLACE: u64 = 1 << 6;
    /// A forwarder's `returned()` runs.
    pub(crate) const CARRY: u64 = 1 << 7;
    /// No thread delivers the request, because an in-place call uses its buffers. The end of this call
    /// delivers it, unless a driver that leaves or detaches does so earlier. Only these requests are parked:
    /// - one that a forwarder would get back
    /// - one that its sender has cancelled
    /// - one that was cancelled while its holder was forwarding it
    pub(crate) const PARKED: u64 = 1 << 8;
    /// A worker will dispatch the request. Its holder does not know the request yet.
    pub(crate) const QUEUED: u64 = 1 << 9;
    pub(crate) const RECALL: u64 = 1 << 10;
    /// The sender has freed the request while it was in use.
    pub(crate) const ORPHAN: u64 = 1 << 11;
    /// If the request is cancelled during this hold, the owner calls the holder's `cancelled()`.
    pub(crate) const CANCEL_SET: u64 = 1 << 12;
    /// A waiting thread sleeps, or is about to.
    pub(crate) const ASLEEP: u64 = 1 << 13;
    /// The time limit of the handshake has passed while its driver held the request.
    pub(crate) const LATE: u64 = 1 << 14;
    /// A [`Reason`](super::Reason).
    pub(crate) const REASON: u64 = 3 << 16;
    /// The level of the forwarder that gets a cancelled request back, or 0 for the sender. The
    /// forwarders at deeper levels are only notified.
    pub(crate) const RETURN_LEVEL: u64 = 3 << 18;
    pub(crate) const PINS: u64 = 63 << 20;
    pub(crate) const WAITERS: u64 = 63 << 26;

    // The terms that a transition adds. To subtract, it adds the two's complement.
    pub(crate) const DOWN: u64 = 1 << 3;
    pub(crate) const UP: u64 = DOWN.wrapping_neg();
    pub(crate) const PIN: u64 = 1 << 20;
    pub(crate) const UNPIN: u64 = PIN.wrapping_neg();
    pub(crate) const WAITER: u64 = 1 << 26;
    pub(crate) const UNWAITER: u64 = WAITER.wrapping_neg();
    /// One generation of the holder's handle.
    pub(crate) const GENERATION: u64 = 1 << 32;
}

use bits::*;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Word(pub(crate) u64);

impl Word {
    #[inline(always)]
    pub(crate) const fn phase(self) -> Phase {
        PHASES[(self.0 & PHASE) as usize]
    }

    #[inline(always)]
    pub(crate) const fn is(self, phase: Phase) -> bool {
        self.0 & PHASE == phase as u64
    }

    #[inline(always)]
    pub(crate) const fn has(self, bits: u64) -> bool {
        self.0 & bits != 0
    }

    #[inline(always)]
    pub(crate) const fn level(self) -> usize {
        ((self.0 & LEVEL) / DOWN) as usize
    }

    #[inline(always)]
    pub(crate) const fn generation(self) -> u32 {
        (self.0 >> 32) as u32
    }

    pub(crate) const fn return_level(self) -> usize {
        ((self.0 & RETURN_LEVEL) >> 18) as usize
    }

    pub(crate) const fn reason(self) -> Reason {
        match (self.0 & REASON) >> 16 {
            0 => Reason::Sender,
            1 => Reason::TimedOut,
            _ => Reason::Left,
        }
    }

    pub(crate) const fn because(self, reason: Reason, return_level: usize) -> Self {
        let others = self.0 & !(REASON | RETURN_LEVEL);
        Self(others | (reason as u64) << 16 | (return_level as u64) << 18)
    }

    /// Sets or clears these bits.
    #[inline(always)]
    pub(crate) const fn assign(self, bits: u64, set: bool) -> Self {
        match set {
            true => Self(self.0 | bits),
            false => Self(self.0 & !bits),
        }
    }

    /// Adds a term, such as `PIN` or `UP` of [`bits`].
    #[inline(always)]
    pub(crate) const fn plus(self, what: u64) -> Self {
        Self(self.0.wrapping_add(what))
    }

    #[inline(always)]
    pub(crate) const fn is_held_as(self, generation: u32) -> bool {
        self.is(Held) && self.generation() == generation
    }

    /// Returns whether the request is over. If it is, the thread whose transition has led to this word
    /// delivers the request.
    #[inline(always)]
    pub(crate) const fn is_over(self) -> bool {
        (self.is(Done) || self.is(Cancelled)) && !self.has(CARRY | PARKED | PINS)
    }

    /// Returns whether the thread whose transition has led to this word frees the record.
    pub(crate) const fn is_unused(self) -> bool {
        self.is(Idle) && self.has(ORPHAN) && !self.has(IN_PLACE | PINS | WAITERS)
    }

    /// Returns whether the request was sent and is not home.
    pub(crate) const fn is_on_its_way(self) -> bool {
        !(self.is(Free) || self.is(Idle) || self.is(Fill))
    }
}

/// Which order a transition needs. The code makes each transition by a fully ordered
/// compare-and-exchange, except some out of [`Fill`]: these are stores with release semantics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    Acquire,
    Release,
    /// Acquire and release. Also, the stores before the transition are made before the loads after it.
    Full,
}

#[derive(Debug)]
pub(crate) struct Transition {
    #[allow(dead_code, reason = "for the unit tests")]
    pub(crate) name: &'static str,
    from: u8,
    to: Option<Phase>,
    unless: u64,
    with: u64,
    set: u64,
    clear: u64,
    add: u64,
    #[allow(dead_code, reason = "for the reader")]
    order: Order,
}

impl Transition {
    const fn new(name: &'static str, from: &[Phase], to: Option<Phase>, order: Order) -> Self {
        let mut set = 0;
        let mut n = 0;
        while n < from.len() {
            set |= 1 << from[n] as u8;
            n += 1;
        }
        Self {
            name,
            from: set,
            to,
            unless: 0,
            with: 0,
            set: 0,
            clear: 0,
            add: 0,
            order,
        }
    }

    const fn unless(self, bits: u64) -> Self {
        Self {
            unless: self.unless | bits,
            ..self
        }
    }

    const fn with(self, bits: u64) -> Self {
        Self {
            with: self.with | bits,
            ..self
        }
    }

    const fn set(self, bits: u64) -> Self {
        Self {
            set: self.set | bits,
            ..self
        }
    }

    const fn clear(self, bits: u64) -> Self {
        Self {
            clear: self.clear | bits,
            ..self
        }
    }

    const fn add(self, what: u64) -> Self {
        Self {
            add: self.add.wrapping_add(what),
            ..self
        }
    }

    /// Returns the word after the transition, if `word` allows the transition.
    #[inline(always)]
    pub(crate) const fn apply(&self, word: Word) -> Option<Word> {
        let Word(word) = word;
        let is_from = self.from >> (word & PHASE) & 1 != 0;
        if !is_from || word & self.unless != 0 || word & self.with != self.with {
            return None;
        }
        let kept = match self.to {
            Some(_) => word & !(self.clear | PHASE),
            None => word & !self.clear,
        };
        let to = match self.to {
            Some(phase) => phase as u64,
            None => 0,
        };
        Some(Word((kept | self.set | to).wrapping_add(self.add)))
    }
}

/// Makes a constant of each line of the table, and the list `ALL` of these constants.
///
/// A line is `NAME: FROM|FROM => TO [what bits, ...] order;`. The transition is allowed from a
/// phase in `FROM`, if the word has all bits `with` and none of the bits `unless`. `Same` leaves the
/// phase as it is. The code that makes a transition may also change, by the same operation, a reason,
/// a return level, `IN_PLACE`, `QUEUED`, `PARKED`, a pin or a waiter.
macro_rules! transitions {
    (@to Same) => { None };
    (@to $to:ident) => { Some($to) };
    ($(
        $(#[doc = $doc:literal])*
        $name:ident: $($from:ident)|+ => $to:ident
            [$($what:ident $($bits:ident)|+),*] $order:ident;
    )*) => {
        $(
            $(#[doc = $doc])*
            pub(crate) const $name: Transition = Transition::new(
                stringify!($name),
                &[$($from),+],
                transitions!(@to $to),
                Order::$order,
            )$($(.$what($bits))+)*;
        )*

        #[allow(dead_code, reason = "for the unit tests")]
        pub(crate) const ALL: &[&Transition] = &[$(&$name),*];
    };
}

// selftests/model/transitions.awk reads these lines.
transitions! {
    // Transitions that the sender's threads make.

    ALLOC: Free => Fill [] Acquire;
    /// Full: the thread checks next whether the sender is leaving.
    MADE: Fill => Idle [add GENERATION] Full;
    /// A thread is going to send the request. Full: this thread checks next whether the sender is leaving.
    CLAIM: Idle => Fill [unless IN_PLACE|PINS|WAITERS|ORPHAN] Full;
    /// The send was refused.
    UNCLAIM: Fill => Idle [] Release;
    /// The sending thread has entered the receiver.
    SEND: Fill => Held [add GENERATION|DOWN] Release;
    /// A thread is going to free the request.
    RECLAIM: Idle => Fill [unless IN_PLACE|PINS|WAITERS] Acquire;
    FREED: Fill => Free [clear ORPHAN] Release;
    /// The sender frees a request that is in use. Its last user frees the record.
    ORPHANED: Idle|Held|Forward|Busy|Done|Cancelled => Same [unless ORPHAN, set ORPHAN] Full;

    // Transitions that the holder makes. If the request is home, the sender may pin it, too.

    /// A copy from or to the buffers begins.
    PINNED: Idle|Held => Same [unless QUEUED, add PIN] Acquire;
    /// A copy, or a call of the holder's `cancelled()`, has ended.
    UNPINNED: Idle|Held|Forward|Busy|Done|Cancelled => Same [add UNPIN] Full;
    SET_CANCEL: Held => Same [unless QUEUED, set CANCEL_SET] Full;
    COMPLETE: Held => Busy [unless QUEUED, clear CANCEL_SET] Full;
    COMPLETED: Busy => Done [] Full;
    /// Full: the holder then writes to a level. A thread that sees such a write sees that the word
    /// has changed.
    FORWARD: Held => Forward [unless QUEUED] Full;
    /// The forwarding thread has entered the next driver.
    FORWARDED: Forward => Held [unless RECALL, clear CANCEL_SET, add GENERATION|DOWN] Release;
    FORWARD_REFUSED: Forward => Held [unless RECALL] Release;
    FORWARD_RECALLED: Forward => Cancelled [with RECALL, clear RECALL|CANCEL_SET|RETURN_LEVEL] Full;

    // Transitions that belong to the call of a dispatch routine.

    /// A worker is going to dispatch the request.
    DEQUEUE: Held => Same [with QUEUED, clear QUEUED] Acquire;
    IN_PLACE_END: Idle|Held|Forward|Busy|Done|Cancelled => Same
        [with IN_PLACE, clear IN_PLACE|PARKED] Full;

    // Transitions that cancel the request.

    /// The holder's handle is stale from then on.
    CANCEL_HELD: Held => Cancelled [clear QUEUED|CANCEL_SET|REASON|RETURN_LEVEL] Full;
    /// The request is recalled.
    CANCEL_LATER: Forward|Busy|Done => Same [unless RECALL|PARKED, clear REASON, set RECALL] Full;
    /// A forwarder was going to get a cancelled request back. Now the sender gets it.
    CANCEL_AGAIN: Cancelled => Same [unless PARKED, clear REASON|RETURN_LEVEL] Full;
    /// Replaces `CANCEL_LATER` and `CANCEL_AGAIN` for a parked request. If a driver that leaves or detaches
    /// cancels the request, it delivers the request, too. If the sender cancels it, it stays parked.
    CANCEL_PARKED: Done|Cancelled => Cancelled [with PARKED, clear PARKED|REASON|RETURN_LEVEL] Full;
    /// The time limit of a handshake has passed. The holder keeps the request.
    OVERDUE: Held => Same [unless LATE, set LATE] Full;

    // Transitions that the deliverer makes.

    RECALLED: Done => Cancelled [with RECALL, clear RECALL|RETURN_LEVEL] Full;
    /// The forwarder does not want the request back, or can no longer be called.
    PASS: Done|Cancelled => Same [unless RECALL, add UP] Full;
    PARK: Done|Cancelled => Same [with IN_PLACE, unless RECALL, set PARKED] Full;
    /// The deliverer has entered the forwarder, which gets the request back.
    RETURN: Done|Cancelled => Held
        [unless RECALL|IN_PLACE, clear CANCEL_SET|REASON|RETURN_LEVEL, set CARRY, add GENERATION|UP] Full;
    /// The deliverer has entered the forwarder.
    NOTIFY: Cancelled => Same [set CARRY, add GENERATION|UP] Full;
    CARRIED: Held|Forward|Busy|Done|Cancelled => Same [with CARRY, clear CARRY] Full;
    HOME: Busy|Done|Cancelled => Idle
        [unless RECALL|CARRY|PARKED|PINS, clear LEVEL|CANCEL_SET|ASLEEP|LATE|REASON|RETURN_LEVEL] Full;

    // Transitions that waiting threads make.

    /// Until this thread has the result, the request is not sent again, and its record is not freed.
    WAIT: Idle|Held|Forward|Busy|Done|Cancelled => Same [unless ORPHAN, add WAITER] Acquire;
    SLEEP: Held|Forward|Busy|Done|Cancelled => Same [set ASLEEP] Full;
    /// The waiting thread has the result, or gives up.
    WAITED: Idle|Held|Forward|Busy|Done|Cancelled => Same [add UNWAITER] Full;
}

#[cfg(d2d_tests)]
mod tests;

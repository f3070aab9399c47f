// SPDX-License-Identifier: GPL-2.0

//! The word of a request: its whole state, and the table of its transitions.
//!
//! A request changes state by one compare-and-exchange of its word. `transitions!` lists all
//! changes that there are; `selftests/model/` generates the transitions of its models from this list.
//!
//! A request is *over* when it is [`Done`] or [`Taken`] and nothing [holds it back](Word::is_over).
//! The actor whose transition has made it so delivers it: it alone
//! takes the request up, level by level, until a forwarder keeps it or it is home. Nobody else is
//! then allowed a transition but those that add a request to be cancelled, to be freed or to be
//! waited for.

/// Where a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Phase {
    /// The record is nobody's.
    Free,
    /// With its sender.
    Idle,
    /// One thread has it alone: it makes, fills in or frees the request.
    Fill,
    /// With the driver of the last level, its holder.
    Held,
    /// Its holder is passing it on.
    Forward,
    /// Its holder has completed it, and writes the result.
    Busy,
    /// Completed: on its way up.
    Done,
    /// Cancelled: on its way up.
    Taken,
}

use Phase::*;

const PHASES: [Phase; 8] = [Free, Idle, Fill, Held, Forward, Busy, Done, Taken];

/// Why a request was taken from its holder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Reason {
    /// Its sender does not want it any more.
    Cancelled,
    /// The time of a thread that waits for it is over.
    TimedOut,
    /// A driver that has it, or has forwarded it, detaches or unregisters.
    Left,
}

/// The parts of a word. The names are those of the table.
pub(crate) mod bits {
    pub(crate) const PHASE: u64 = 7;
    /// The number of drivers that the request is with, one below the other.
    pub(crate) const LEVEL: u64 = 7 << 3;
    /// A dispatch routine may use the buffers in place: that of the record's frame.
    pub(crate) const RUN: u64 = 1 << 6;
    /// The deliverer is inside a driver's `returned()`, and goes on when that has returned.
    pub(crate) const CARRY: u64 = 1 << 7;
    /// Nobody delivers it, because a frame still uses the buffers: it would be given to a forwarder, or was
    /// cancelled by its sender.
    pub(crate) const PARKED: u64 = 1 << 8;
    /// A worker is to dispatch it.
    pub(crate) const QUEUED: u64 = 1 << 9;
    /// It was cancelled while it could not be taken from anybody.
    pub(crate) const RECALL: u64 = 1 << 10;
    /// Its sender has freed it.
    pub(crate) const ORPHAN: u64 = 1 << 11;
    /// Its holder is to be told if it is taken.
    pub(crate) const TELLS: u64 = 1 << 12;
    /// A thread that waits for it sleeps, or is about to.
    pub(crate) const ASLEEP: u64 = 1 << 13;
    /// The time of the handshake is over, and its holder still has it.
    pub(crate) const LATE: u64 = 1 << 14;
    /// A [`Reason`](super::Reason).
    pub(crate) const REASON: u64 = 3 << 16;
    /// The forwarders at deeper levels than this one are told that it was taken; the one at this level
    /// gets it back.
    pub(crate) const TO: u64 = 3 << 18;
    /// Copies from and to the buffers that run.
    pub(crate) const PINS: u64 = 63 << 20;
    /// Threads that wait.
    pub(crate) const WAITERS: u64 = 63 << 26;

    // What can be added. Taking away is adding the complement.
    pub(crate) const UP: u64 = 1 << 3;
    pub(crate) const DOWN: u64 = UP.wrapping_neg();
    pub(crate) const PIN: u64 = 1 << 20;
    pub(crate) const UNPIN: u64 = PIN.wrapping_neg();
    pub(crate) const WAITER: u64 = 1 << 26;
    pub(crate) const UNWAITER: u64 = WAITER.wrapping_neg();
    /// The generation of the handle of its holder.
    pub(crate) const SEQ: u64 = 1 << 32;
}

use bits::*;

/// The state of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Word(pub(crate) u64);

impl Word {
    #[inline(always)]
    pub(crate) const fn phase(self) -> Phase {
        PHASES[(self.0 & PHASE) as usize]
    }

    /// Returns whether the phase is this one.
    #[inline(always)]
    pub(crate) const fn is(self, phase: Phase) -> bool {
        self.0 & PHASE == phase as u64
    }

    /// Returns whether any of these bits is set.
    #[inline(always)]
    pub(crate) const fn has(self, bits: u64) -> bool {
        self.0 & bits != 0
    }

    /// Returns the number of drivers that it is with.
    #[inline(always)]
    pub(crate) const fn level(self) -> usize {
        ((self.0 & LEVEL) / UP) as usize
    }

    /// Returns the generation of its holder's handle.
    #[inline(always)]
    pub(crate) const fn seq(self) -> u32 {
        (self.0 >> 32) as u32
    }

    /// Returns the level that keeps it, of a request that was taken.
    pub(crate) const fn to(self) -> usize {
        ((self.0 & TO) >> 18) as usize
    }

    /// Returns why it was taken.
    pub(crate) const fn reason(self) -> Reason {
        match (self.0 & REASON) >> 16 {
            0 => Reason::Cancelled,
            1 => Reason::TimedOut,
            _ => Reason::Left,
        }
    }

    /// Returns it with a reason and the level that keeps it, which it did not have.
    pub(crate) const fn because(self, reason: Reason, to: usize) -> Self {
        Self((self.0 & !(REASON | TO)) | (reason as u64) << 16 | (to as u64) << 18)
    }

    /// Returns it with these bits set, or cleared.
    #[inline(always)]
    pub(crate) const fn with(self, bits: u64, set: bool) -> Self {
        match set {
            true => Self(self.0 | bits),
            false => Self(self.0 & !bits),
        }
    }

    /// Returns it with what can be added.
    #[inline(always)]
    pub(crate) const fn plus(self, what: u64) -> Self {
        Self(self.0.wrapping_add(what))
    }

    /// Returns whether the driver of the last level has it under this generation.
    #[inline(always)]
    pub(crate) const fn is_held_as(self, seq: u32) -> bool {
        self.is(Held) && self.seq() == seq
    }

    /// Returns whether the actor whose transition has led to this word delivers the request.
    #[inline(always)]
    pub(crate) const fn is_over(self) -> bool {
        (self.is(Done) || self.is(Taken)) && !self.has(CARRY | PARKED | PINS)
    }

    /// Returns whether the actor whose transition has led to this word frees the record.
    pub(crate) const fn is_unused(self) -> bool {
        self.is(Idle) && self.has(ORPHAN) && !self.has(RUN | PINS | WAITERS)
    }

    /// Returns whether it is on its way, so that drivers other than its sender are concerned.
    pub(crate) const fn is_on_its_way(self) -> bool {
        !(self.is(Free) || self.is(Idle) || self.is(Fill))
    }
}

/// What other memory accesses a transition has to be ordered against. All are made by a compare-and-exchange
/// that is fully ordered, or by a release: the table says what is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// What comes after it stays after it.
    Acquire,
    /// What comes before it stays before it.
    Release,
    /// Both, and what is read after it is not older than it.
    Full,
}

/// A line of the table.
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

    /// Returns what a word becomes, if the transition is allowed from it.
    #[inline(always)]
    pub(crate) const fn of(&self, word: Word) -> Option<Word> {
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

/// Makes a constant of each line of the table, and `ALL` of all of them.
///
/// A line is `NAME: FROM|FROM => TO [what bits, ...] order;`. It applies to a word of one of these
/// phases that has all bits `with` and none of the bits `unless`. `Same` leaves the phase as it
/// is. What an actor adds to that (a reason, `RUN`, `QUEUED`, a waiter) is in its code.
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

        /// All lines of the table.
        #[allow(dead_code, reason = "for the unit tests")]
        pub(crate) const ALL: &[&Transition] = &[$(&$name),*];
    };
}

// selftests/model/transitions.awk reads these lines.
transitions! {
    // The sender, alone with the request.

    /// A record becomes a request.
    ALLOC: Free => Fill [] Acquire;
    /// It is ready. Full: its maker looks then whether its driver is leaving.
    MADE: Fill => Idle [add SEQ] Full;
    /// It is going to be sent. Full: the sender looks then whether its driver is leaving.
    CLAIM: Idle => Fill [unless RUN|PINS|WAITERS|ORPHAN] Full;
    /// It was not sent.
    UNCLAIM: Fill => Idle [] Release;
    /// It is with its receiver, whom the sender has entered.
    SEND: Fill => Held [add SEQ|UP] Release;
    /// Nobody uses it: it is going to be freed.
    RECLAIM: Idle => Fill [unless RUN|PINS|WAITERS] Acquire;
    /// It is a free record again.
    FREED: Fill => Free [clear ORPHAN] Release;
    /// Its sender has freed it, but it is in use.
    ABANDONED: Idle|Held|Forward|Busy|Done|Taken => Same [unless ORPHAN, set ORPHAN] Full;

    // The holder, by its handle.

    /// A copy from or to the buffers begins.
    PINNED: Idle|Held => Same [unless QUEUED, add PIN] Acquire;
    /// It has ended.
    UNPINNED: Idle|Held|Forward|Busy|Done|Taken => Same [add UNPIN] Full;
    /// The holder wants to be told if it is taken.
    ASK: Held => Same [unless QUEUED, set TELLS] Full;
    /// The holder completes it.
    COMPLETE: Held => Busy [unless QUEUED, clear TELLS] Full;
    /// The result is written.
    COMPLETED: Busy => Done [] Full;
    /// The holder passes it on.
    FORWARD: Held => Forward [unless QUEUED] Acquire;
    /// It is with the next driver, whom the holder has entered.
    FORWARDED: Forward => Held [unless RECALL, clear TELLS, add SEQ|UP] Release;
    /// The next driver cannot have it.
    FORWARD_REFUSED: Forward => Held [unless RECALL] Release;
    /// It was cancelled meanwhile.
    FORWARD_RECALLED: Forward => Taken [with RECALL, clear RECALL|TELLS|TO] Full;

    // The calls of a dispatch routine.

    /// A worker dispatches it.
    DEQUEUE: Held => Same [with QUEUED, clear QUEUED] Acquire;
    /// The frame does not use the buffers any more.
    FRAME_END: Idle|Held|Forward|Busy|Done|Taken => Same [with RUN, clear RUN|PARKED] Full;

    // Those that cancel it: the sender, a time limit, a driver that leaves.

    /// It is taken from its holder.
    TAKE: Held => Taken [clear QUEUED|TELLS|REASON|TO] Full;
    /// It will be taken from the forwarder that would get it next.
    RECALL_BELOW: Forward|Busy|Done => Same [unless RECALL|PARKED, clear REASON, set RECALL] Full;
    /// It was taken for the sake of a lower driver. Now no forwarder gets it back.
    TAKE_ON: Taken => Same [unless PARKED, clear REASON|TO] Full;
    /// What `RECALL_BELOW` and `TAKE_ON` are for, done to a parked request. If it is taken for a driver that leaves, the
    /// taker delivers it; if for its sender, it stays parked.
    TAKE_PARKED: Done|Taken => Taken [with PARKED, clear PARKED|REASON|TO] Full;
    /// The time of the handshake is over. Its holder keeps it.
    OVERDUE: Held => Same [unless LATE, set LATE] Full;

    // The deliverer.

    /// It was cancelled while it was being completed.
    RECALLED: Done => Taken [with RECALL, clear RECALL|TO] Full;
    /// It passes a forwarder that does not want it back.
    PASS: Done|Taken => Same [unless RECALL, add DOWN] Full;
    /// A forwarder is to get it back, but a frame still uses the buffers.
    PARK: Done|Taken => Same [with RUN, unless RECALL, set PARKED] Full;
    /// A forwarder, whom the deliverer has entered, gets it back.
    RETURN: Done|Taken => Held
        [unless RECALL|RUN, clear TELLS|REASON|TO, set CARRY, add SEQ|DOWN] Full;
    /// A forwarder, whom the deliverer has entered, is told that it was taken.
    TELL: Taken => Same [set CARRY, add SEQ|DOWN] Full;
    /// The forwarder's routine has returned.
    CARRIED: Held|Forward|Busy|Done|Taken => Same [with CARRY, clear CARRY] Full;
    /// It is with its sender.
    HOME: Busy|Done|Taken => Idle
        [unless RECALL|CARRY|PARKED|PINS, clear LEVEL|TELLS|ASLEEP|LATE|REASON|TO] Full;

    // Those that wait for it.

    /// A thread waits: until it has the result, the request is neither sent nor freed.
    WAIT: Idle|Held|Forward|Busy|Done|Taken => Same [unless ORPHAN, add WAITER] Acquire;
    /// It is about to sleep.
    SLEEP: Held|Forward|Busy|Done|Taken => Same [set ASLEEP] Full;
    /// It has the result, or gives up.
    WAITED: Idle|Held|Forward|Busy|Done|Taken => Same [add UNWAITER] Full;
}

#[cfg(d2d_tests)]
mod tests;

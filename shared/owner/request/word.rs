// SPDX-License-Identifier: GPL-2.0

//! The word of a request, which is the request's whole state, and the table of the word's
//! transitions.
//!
//! A thread changes the state by one compare-and-exchange of the word. In [`Fill`], which only one
//! thread can leave, one store is enough. `transitions!` lists all changes; the models in
//! `selftests/model/` get their transitions from this list.
//!
//! A request is *over* when it is [`Done`] or [`Cancelled`] and nothing [delays its
//! delivery](Word::is_over). The thread whose transition makes the request over delivers it. That
//! thread alone takes the request up, level by level, until a forwarder keeps it or it is home.
//! Meanwhile, other threads can only note in the word that they
//! - cancel the request (`CANCEL_LATER`, `CANCEL_AGAIN`),
//! - free it (`ORPHANED`),
//! - wait for it (`WAIT`, `SLEEP`, `WAITED`), or
//! - have given up its buffers (`IN_PLACE_END`).

/// Where a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Phase {
    /// The record has no request.
    Free,
    /// Home: with its sender.
    Idle,
    /// One thread has the record alone: it allocates, fills in or frees the request.
    Fill,
    /// With the driver of the last level, its holder.
    Held,
    /// Its holder is forwarding it.
    Forward,
    /// Its holder has claimed it for completion, and is writing the result.
    Busy,
    /// Completed: on its way up.
    Done,
    /// Cancelled: on its way up.
    Cancelled,
}

use Phase::*;

const PHASES: [Phase; 8] = [Free, Idle, Fill, Held, Forward, Busy, Done, Cancelled];

/// Why a request was cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Reason {
    /// Its sender cancels or frees it, detaches or unregisters.
    Sender,
    /// The time limit of a thread that waits for it has passed.
    TimedOut,
    /// A driver that has it, or has forwarded it, detaches or unregisters.
    Left,
}

/// The parts of a word, by the names that the table uses.
pub(crate) mod bits {
    pub(crate) const PHASE: u64 = 7;
    /// The level: the number of drivers that have received the request and not completed it. The
    /// sender is at level 0, the top. Forwarding takes the request *down*, to the next higher number.
    /// A request that was completed or cancelled goes *up*, to lower numbers.
    pub(crate) const LEVEL: u64 = 7 << 3;
    /// A call of a dispatch routine may use the buffers in place. The record notes which call.
    pub(crate) const IN_PLACE: u64 = 1 << 6;
    /// A forwarder's `returned()` runs. The carrier goes on with the delivery when the routine has
    /// returned.
    pub(crate) const CARRY: u64 = 1 << 7;
    /// No thread delivers the request, because an in-place call still uses its buffers. The end of
    /// the in-place call delivers it, unless a driver that leaves does so earlier. A request is
    /// parked in three cases:
    /// - A forwarder would get the request back.
    /// - The sender has cancelled the request.
    /// - The request was cancelled while its holder was forwarding it.
    pub(crate) const PARKED: u64 = 1 << 8;
    /// A worker will dispatch the request. Its holder does not know of it yet.
    pub(crate) const QUEUED: u64 = 1 << 9;
    /// The request was cancelled while no driver held it.
    pub(crate) const RECALL: u64 = 1 << 10;
    /// The sender has freed the request while it was in use.
    pub(crate) const ORPHAN: u64 = 1 << 11;
    /// The holder has called `d2d_request_set_cancel`: if the request is cancelled during this hold,
    /// the owner calls the holder's `cancelled()`.
    pub(crate) const CANCEL_SET: u64 = 1 << 12;
    /// A thread that waits for the request sleeps, or is about to.
    pub(crate) const ASLEEP: u64 = 1 << 13;
    /// The time limit of the handshake has passed while its driver held the request.
    pub(crate) const LATE: u64 = 1 << 14;
    /// Why the request was cancelled, or will be: a [`Reason`](super::Reason).
    pub(crate) const REASON: u64 = 3 << 16;
    /// How far up a cancelled request goes. The forwarder at this level gets the request back. The
    /// forwarders at deeper levels are notified that it was cancelled. 0 stands for the sender.
    pub(crate) const RETURN_LEVEL: u64 = 3 << 18;
    /// The number of pins: running copies from or to the buffers, and a running call of the
    /// holder's `cancelled()`.
    pub(crate) const PINS: u64 = 63 << 20;
    /// The number of threads that wait for the request.
    pub(crate) const WAITERS: u64 = 63 << 26;

    // The terms that a transition adds to a word. To subtract, it adds the two's complement.
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

/// The state of a request.
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

    /// Returns whether any of these bits is set.
    #[inline(always)]
    pub(crate) const fn has(self, bits: u64) -> bool {
        self.0 & bits != 0
    }

    /// Returns the level.
    #[inline(always)]
    pub(crate) const fn level(self) -> usize {
        ((self.0 & LEVEL) / DOWN) as usize
    }

    /// Returns the generation of the holder's handle.
    #[inline(always)]
    pub(crate) const fn generation(self) -> u32 {
        (self.0 >> 32) as u32
    }

    /// Returns the level of the forwarder that gets a cancelled request back, or 0 for the sender.
    pub(crate) const fn return_level(self) -> usize {
        ((self.0 & RETURN_LEVEL) >> 18) as usize
    }

    /// Returns why the request was cancelled.
    pub(crate) const fn reason(self) -> Reason {
        match (self.0 & REASON) >> 16 {
            0 => Reason::Sender,
            1 => Reason::TimedOut,
            _ => Reason::Left,
        }
    }

    /// Returns the word with this reason, and with this level for the forwarder that gets the
    /// request back.
    pub(crate) const fn because(self, reason: Reason, return_level: usize) -> Self {
        let others = self.0 & !(REASON | RETURN_LEVEL);
        Self(others | (reason as u64) << 16 | (return_level as u64) << 18)
    }

    /// Returns the word with these bits set, or with them cleared.
    #[inline(always)]
    pub(crate) const fn assign(self, bits: u64, set: bool) -> Self {
        match set {
            true => Self(self.0 | bits),
            false => Self(self.0 & !bits),
        }
    }

    /// Returns the word with a term added, such as `PIN` or `UP` of [`bits`].
    #[inline(always)]
    pub(crate) const fn plus(self, what: u64) -> Self {
        Self(self.0.wrapping_add(what))
    }

    /// Returns whether a driver holds the request by the handle of this generation.
    #[inline(always)]
    pub(crate) const fn is_held_as(self, generation: u32) -> bool {
        self.is(Held) && self.generation() == generation
    }

    /// Returns whether the request is over. If it is, the thread whose transition has led to this
    /// word delivers the request.
    #[inline(always)]
    pub(crate) const fn is_over(self) -> bool {
        (self.is(Done) || self.is(Cancelled)) && !self.has(CARRY | PARKED | PINS)
    }

    /// Returns whether the thread whose transition has led to this word frees the record.
    pub(crate) const fn is_unused(self) -> bool {
        self.is(Idle) && self.has(ORPHAN) && !self.has(IN_PLACE | PINS | WAITERS)
    }

    /// Returns whether the request is on its way. Then it was sent and is not home, so it concerns
    /// drivers other than its sender.
    pub(crate) const fn is_on_its_way(self) -> bool {
        !(self.is(Free) || self.is(Idle) || self.is(Fill))
    }
}

/// How a transition has to be ordered against other memory accesses. The table says what each
/// transition needs. The code makes every transition by a fully ordered compare-and-exchange, or
/// out of [`Fill`] by a store with release semantics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// Accesses after the transition are not made before it.
    Acquire,
    /// Accesses before the transition are not made after it.
    Release,
    /// Both. Also, the stores before the transition are made before the loads after it.
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

    /// Returns what the transition makes of a word, if the word allows it.
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
/// A line is `NAME: FROM|FROM => TO [what bits, ...] order;`. The transition is allowed from a word
/// of one of the phases `FROM` that has all bits `with` and none of the bits `unless`. `Same`
/// leaves the phase as it is. The code that makes the transition may change more by the same
/// operation: a reason, `IN_PLACE`, `QUEUED`, `PARKED`, a pin or a waiter.
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
    // Transitions that the sender's threads make.

    /// A thread takes a free record for a new request.
    ALLOC: Free => Fill [] Acquire;
    /// The request is allocated. Full: its maker checks next whether the sender is leaving.
    MADE: Fill => Idle [add GENERATION] Full;
    /// A thread is going to send the request. Full: the thread checks next whether the sender is
    /// leaving.
    CLAIM: Idle => Fill [unless IN_PLACE|PINS|WAITERS|ORPHAN] Full;
    /// The send was refused.
    UNCLAIM: Fill => Idle [] Release;
    /// The request is with its receiver, which the sending thread has entered.
    SEND: Fill => Held [add GENERATION|DOWN] Release;
    /// Nobody uses the request, and a thread is going to free it.
    RECLAIM: Idle => Fill [unless IN_PLACE|PINS|WAITERS] Acquire;
    /// The record is free again.
    FREED: Fill => Free [clear ORPHAN] Release;
    /// The sender frees a request that is in use. Its last user frees the record.
    ORPHANED: Idle|Held|Forward|Busy|Done|Cancelled => Same [unless ORPHAN, set ORPHAN] Full;

    // Transitions that the holder makes by its handle. The sender may also pin a request that is
    // home.

    /// A copy from or to the buffers begins.
    PINNED: Idle|Held => Same [unless QUEUED, add PIN] Acquire;
    /// A copy, or a call of the holder's `cancelled()`, has ended.
    UNPINNED: Idle|Held|Forward|Busy|Done|Cancelled => Same [add UNPIN] Full;
    /// The holder calls `d2d_request_set_cancel`.
    SET_CANCEL: Held => Same [unless QUEUED, set CANCEL_SET] Full;
    /// The holder claims the request to complete it.
    COMPLETE: Held => Busy [unless QUEUED, clear CANCEL_SET] Full;
    /// The result is written.
    COMPLETED: Busy => Done [] Full;
    /// The holder claims the request to forward it. Full: the holder then writes to a level. A
    /// thread that sees such a write sees that the word has changed.
    FORWARD: Held => Forward [unless QUEUED] Full;
    /// The request is with the next driver, which the forwarding thread has entered.
    FORWARDED: Forward => Held [unless RECALL, clear CANCEL_SET, add GENERATION|DOWN] Release;
    /// The forwarding was refused: the holder has the request again.
    FORWARD_REFUSED: Forward => Held [unless RECALL] Release;
    /// The request was cancelled while the holder was forwarding it.
    FORWARD_RECALLED: Forward => Cancelled [with RECALL, clear RECALL|CANCEL_SET|RETURN_LEVEL] Full;

    // Transitions that belong to the call of a dispatch routine.

    /// A worker is going to dispatch the request.
    DEQUEUE: Held => Same [with QUEUED, clear QUEUED] Acquire;
    /// The in-place call does not use the buffers any more.
    IN_PLACE_END: Idle|Held|Forward|Busy|Done|Cancelled => Same
        [with IN_PLACE, clear IN_PLACE|PARKED] Full;

    // Transitions that cancel the request: for the sender, for a time limit, for a driver that
    // leaves.

    /// The request is cancelled while a driver holds it. The driver's handle is stale from then on.
    CANCEL_HELD: Held => Cancelled [clear QUEUED|CANCEL_SET|REASON|RETURN_LEVEL] Full;
    /// The request is recalled: the thread that forwards or delivers it will cancel it.
    CANCEL_LATER: Forward|Busy|Done => Same [unless RECALL|PARKED, clear REASON, set RECALL] Full;
    /// A forwarder was going to get a cancelled request back. Now no forwarder does.
    CANCEL_AGAIN: Cancelled => Same [unless PARKED, clear REASON|RETURN_LEVEL] Full;
    /// Replaces `CANCEL_LATER` and `CANCEL_AGAIN` for a parked request. If the canceller is a
    /// driver that leaves or detaches, it delivers the request. If the canceller is the sender, it
    /// leaves the request parked.
    CANCEL_PARKED: Done|Cancelled => Cancelled [with PARKED, clear PARKED|REASON|RETURN_LEVEL] Full;
    /// The time limit of a handshake has passed. Its driver keeps the request.
    OVERDUE: Held => Same [unless LATE, set LATE] Full;

    // Transitions that the deliverer makes.

    /// The deliverer cancels a recalled request.
    RECALLED: Done => Cancelled [with RECALL, clear RECALL|RETURN_LEVEL] Full;
    /// The deliverer passes over a forwarder that does not want the request back, or that can no
    /// longer be called.
    PASS: Done|Cancelled => Same [unless RECALL, add UP] Full;
    /// A forwarder would get the request back, but an in-place call still uses the buffers.
    PARK: Done|Cancelled => Same [with IN_PLACE, unless RECALL, set PARKED] Full;
    /// A forwarder, which the deliverer has entered, gets the request back.
    RETURN: Done|Cancelled => Held
        [unless RECALL|IN_PLACE, clear CANCEL_SET|REASON|RETURN_LEVEL, set CARRY, add GENERATION|UP] Full;
    /// A forwarder, which the deliverer has entered, is notified that the request was cancelled.
    NOTIFY: Cancelled => Same [set CARRY, add GENERATION|UP] Full;
    /// The forwarder's `returned()` has returned.
    CARRIED: Held|Forward|Busy|Done|Cancelled => Same [with CARRY, clear CARRY] Full;
    /// The request is home.
    HOME: Busy|Done|Cancelled => Idle
        [unless RECALL|CARRY|PARKED|PINS, clear LEVEL|CANCEL_SET|ASLEEP|LATE|REASON|RETURN_LEVEL] Full;

    // Transitions that waiting threads make.

    /// A thread begins to wait. Until this thread has the result, the request is not sent again,
    /// and its record is not freed.
    WAIT: Idle|Held|Forward|Busy|Done|Cancelled => Same [unless ORPHAN, add WAITER] Acquire;
    /// The waiting thread is about to sleep.
    SLEEP: Held|Forward|Busy|Done|Cancelled => Same [set ASLEEP] Full;
    /// The waiting thread has the result, or gives up.
    WAITED: Idle|Held|Forward|Busy|Done|Cancelled => Same [add UNWAITER] Full;
}

#[cfg(d2d_tests)]
mod tests;

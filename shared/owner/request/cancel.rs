// SPDX-License-Identifier: GPL-2.0

//! Taking requests from their holders: for the sender, for a time limit, and for a driver that leaves.
//!
//! Four functions take all requests that a driver has, has passed on or has sent:
//!
//! - `clear`: once, and says whether there were any.
//! - `take_back`: once; before that, it waits for those that the driver is just sending.
//! - `cancel_all`: those that there are now, and waits until they have left the driver. The
//!   driver detaches, and may get more.
//! - `run_down`: repeats `clear` until no request is with the driver, which gets no more, and no
//!   thread is inside it. Then it frees the driver's own requests.

use super::{
    record::Record,
    word::{
        self,
        bits,
        Phase,
        Reason,
        Word, //
    },
    Requests,
    STALE_REQUEST, //
};
use crate::{
    handle::Kind,
    registry::Refusal, //
};
use d2d::{
    abi::d2d_handle,
    fields,
    trace::Step, //
};
use kernel::{
    prelude::*,
    time::{
        delay::fsleep,
        Delta, //
    }, //
};

/// For whom a request is taken.
#[derive(Clone, Copy)]
pub(super) enum Taker {
    /// Its sender, by this handle and for this reason.
    Sender(d2d_handle, Reason),
    /// A driver that leaves or detaches, and has it, has passed it on, or has sent it.
    Driver(d2d_handle),
}

impl Taker {
    /// Returns the level from which on a request is taken in this state, and why; `None` if the taker is
    /// not concerned. The record may be another request's by now: this one's state has not changed if a
    /// transition from `word` succeeds after this.
    fn concern(self, record: &Record, word: Word) -> Option<(usize, Reason)> {
        match self {
            Self::Sender(handle, reason) => {
                let is_it = word.is_on_its_way() && record.handle() == handle;
                is_it.then_some((0, reason))
            }
            Self::Driver(driver) => {
                let level = record.level_of(word, driver)?;
                if record.sender() == driver {
                    return Some((level, Reason::Cancelled));
                }
                // Detaching takes the request of the driver's handshake.
                (!record.is_handshake()).then_some((level, Reason::Left))
            }
        }
    }
}

/// What came of taking a request.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Taking {
    /// It was taken, now or by this at the next step that another thread takes it up.
    Done,
    /// It was completed or taken before, and another thread takes it up.
    Busy,
    /// It is not on its way, or not with this driver.
    Nothing,
}

impl Requests {
    /// Takes a request from its holder, or notes that it is to be taken from the forwarder that would get
    /// it next. Then it goes on up. Any context.
    pub(super) fn take(&self, record: &Record, taker: Taker) -> Taking {
        loop {
            let word = record.word();
            let Some((level, reason)) = taker.concern(record, word) else {
                return Taking::Nothing;
            };
            // A parked request waits for the frame that uses its buffers. A forwarder that leaves ends this wait,
            // unless a thread is inside its routines, for which it has to wait anyway.
            let goes_home = match taker {
                Taker::Driver(driver) if level > 0 => {
                    word.has(bits::PARKED) && !self.registry.is_visited(driver)
                }
                _ => true,
            };
            let taking = match word.phase() {
                Phase::Held => self.take_held(record, word, taker, reason, level),
                // Its sender has cancelled it, and waits for the frame.
                Phase::Taken if word.has(bits::PARKED) && matches!(taker, Taker::Sender(..)) => {
                    Some(Taking::Busy)
                }
                Phase::Forward | Phase::Busy | Phase::Done | Phase::Taken if goes_home => {
                    self.take_later(record, word, taker, reason)
                }
                _ => Some(Taking::Busy),
            };
            if let Some(taking) = taking {
                return taking;
            }
        }
    }

    /// Takes a request from its holder; `None` if its state has changed.
    fn take_held(
        &self,
        record: &Record,
        word: Word,
        taker: Taker,
        reason: Reason,
        level: usize,
    ) -> Option<Taking> {
        let tells = word.has(bits::TELLS);
        let taken = word::TAKE.of(word)?.because(reason, level);
        // The sender may send it again when it is home, so that waits until the frame is over that uses the
        // buffers. A driver that leaves does not wait for another one's frame.
        let waits = matches!(taker, Taker::Sender(..)) && word.has(bits::RUN);
        let taken = taken.with(bits::PARKED, waits);
        // While the holder is told, nobody takes it up. `Requests::pin` has left one pin for that.
        let taken = taken.plus(if tells { bits::PIN } else { 0 });
        let (holder, seq) = (record.holder(word), word.seq());
        record.change(word, taken).ok()?;
        if record.telling().is_on() {
            let by = match taker {
                Taker::Sender(..) => record.sender(),
                Taker::Driver(driver) => driver,
            };
            self.trace_cancel(record, by, holder, reason);
        }
        if tells {
            if let Some(driver) = self.registry.enter(holder) {
                driver.cancelled(record.hold(seq));
            }
            self.unpin(record);
        } else if taken.is_over() {
            self.deliver(record);
        }
        Some(Taking::Done)
    }

    /// Has a request taken that no driver holds just now, if it would come to a forwarder before it is
    /// home; `None` if its state has changed.
    fn take_later(
        &self,
        record: &Record,
        word: Word,
        taker: Taker,
        reason: Reason,
    ) -> Option<Taking> {
        let mut below = record.levels.iter().take(word.level()).skip(1);
        let comes_back = below.any(|level| level.returns.get() != 0);
        if !comes_back && !word.is(Phase::Forward) && !word.has(bits::PARKED) {
            // If the state has changed, this was another's.
            return (record.word() == word).then_some(Taking::Busy);
        }
        let transition = if word.has(bits::PARKED) {
            &word::TAKE_PARKED
        } else if word.is(Phase::Taken) && word.to() > 0 {
            &word::TAKE_ON
        } else {
            &word::RECALL_BELOW
        };
        let Some(taken) = transition.of(word) else {
            return Some(Taking::Busy);
        };
        // As in `take_held`: for the sender, it goes on waiting for the frame.
        let waits = matches!(taker, Taker::Sender(..)) && word.has(bits::PARKED);
        let taken = taken.because(reason, 0).with(bits::PARKED, waits);
        record.change(word, taken).ok()?;
        if word.has(bits::PARKED) && taken.is_over() {
            self.deliver(record);
        }
        Some(Taking::Done)
    }

    #[cold]
    #[inline(never)]
    fn trace_cancel(&self, record: &Record, by: d2d_handle, from: d2d_handle, reason: Reason) {
        let holder = self.registry.peek(from);
        let name = holder.as_ref().map_or(c"?", |holder| holder.name());
        let status = match reason {
            Reason::TimedOut => ETIMEDOUT,
            Reason::Cancelled | Reason::Left => ECANCELED,
        };
        self.trace(
            record,
            by,
            Step::D2D_STEP_CANCEL,
            &fields![from: name, status: status.to_errno()],
        );
    }

    /// Returns the record that its sender names, unless it is freed.
    pub(super) fn sent(&self, handle: d2d_handle) -> Result<(&Record, Word), Refusal> {
        let (record, id) = self.records.find(Kind::Sent, handle).ok_or(STALE_REQUEST)?;
        let word = record.word();
        if !record.is(id) || word.is(Phase::Free) || word.has(bits::ORPHAN) {
            return Err(STALE_REQUEST);
        }
        Ok((record, word))
    }

    /// Takes a request back; see `d2d_request_cancel`.
    pub(crate) fn cancel(&self, handle: d2d_handle) -> Result {
        let sent = self.sent(handle);
        let (record, _) = sent.map_err(|refusal| self.refuse(refusal, handle))?;
        match self.take(record, Taker::Sender(handle, Reason::Cancelled)) {
            Taking::Done => Ok(()),
            Taking::Busy | Taking::Nothing => Err(EALREADY),
        }
    }

    /// Takes the request of a handshake from its driver. Returns whether it was there to be taken.
    pub(crate) fn cancel_handshake(&self, handle: d2d_handle) -> bool {
        self.sent(handle).is_ok_and(|(record, _)| {
            self.take(record, Taker::Sender(handle, Reason::Cancelled)) == Taking::Done
        })
    }

    /// Notes that the time of a handshake is over: its driver keeps the request. Returns whether the
    /// driver had it.
    pub(crate) fn keep_overdue(&self, handle: d2d_handle) -> bool {
        while let Ok((record, word)) = self.sent(handle) {
            if word::OVERDUE.of(word).is_none() {
                break;
            }
            if record.step(&word::OVERDUE, word).is_some() {
                return true;
            }
        }
        false
    }

    /// Returns whether a sender's handle is that of the request of a handshake.
    pub(crate) fn is_handshake(&self, handle: d2d_handle) -> bool {
        self.sent(handle)
            .is_ok_and(|(record, _)| record.is_handshake())
    }

    /// Takes all that a driver has or has passed on, and cancels what it has sent. Does not wait for
    /// other drivers. May sleep.
    pub(crate) fn take_back(&self, driver: d2d_handle) {
        for record in self.records() {
            // A thread of the driver is just sending it, and may not have seen that the driver leaves.
            while record.word().is(Phase::Fill) && record.sender() == driver {
                fsleep(Delta::from_millis(1));
            }
            self.take(record, Taker::Driver(driver));
        }
    }

    /// Takes the requests that a driver has or has passed on by now, cancels those that it has sent, and
    /// waits until they have left it. Calls `end_waits` again and again if that takes long: it ends what
    /// the driver's routines may be waiting for. May sleep.
    pub(crate) fn cancel_all(&self, driver: d2d_handle, end_waits: impl Fn()) {
        /// How often a request is looked at before that.
        const PATIENCE: u32 = 10;

        let mut rounds = 0;
        for record in self.records() {
            let sending = record.sendings.get();
            while record.sendings.get() == sending
                && self.take(record, Taker::Driver(driver)) != Taking::Nothing
            {
                if record.level_of(record.word(), driver).is_none() {
                    break;
                }
                if rounds >= PATIENCE {
                    end_waits();
                }
                rounds += 1;
                fsleep(Delta::from_millis(1));
            }
        }
    }

    /// Takes all requests of a driver that is leaving, and frees those that it has made. Returns when no
    /// thread is inside the driver's routines, no request is with it, and no thread waits for a request
    /// of its. May sleep.
    pub(crate) fn run_down(&self, driver: d2d_handle) {
        loop {
            // A thread that is inside may leave a request with the driver; a request that is with it may
            // let a thread inside. So the threads are looked at before the requests and after them.
            let was_visited = self.registry.is_visited(driver);
            let is_clear = self.clear(driver);
            if is_clear && !was_visited && !self.registry.is_visited(driver) {
                break;
            }
            fsleep(Delta::from_millis(1));
        }
        // They are with the driver, which sends no more. A frame of another driver may still use the
        // buffers of one: it frees that request later.
        for record in self.records() {
            if record.sender() == driver && record.word().is(Phase::Idle) {
                let _ = self.discard(record.handle());
            }
        }
    }

    /// Takes all requests that a driver is concerned with. Returns whether there were none but its own
    /// ones that nobody uses.
    fn clear(&self, driver: d2d_handle) -> bool {
        let mut is_clear = true;
        for record in self.records() {
            let is_concerned = self.take(record, Taker::Driver(driver)) != Taking::Nothing;
            let word = record.word();
            is_clear &= match record.sender() == driver && !word.is(Phase::Free) {
                true => word.is(Phase::Idle) && !word.has(bits::PINS | bits::WAITERS),
                false => !is_concerned,
            };
        }
        is_clear
    }
}

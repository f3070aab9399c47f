// SPDX-License-Identifier: GPL-2.0

//! Cancelling requests, which takes them from their holders: for the sender, for a time limit, and
//! for a driver that leaves.
//!
//! Four functions cancel all requests that a driver has, has forwarded or has sent:
//!
//! - `clear` cancels each of them once, and says whether any was left.
//! - `take_back` cancels each of them once. Before, it waits for those that the driver's threads
//!   are just sending.
//! - `cancel_all` is for a driver that detaches, and may get more requests: it cancels those that
//!   there are now, and waits until they have left the driver.
//! - `run_down` is for a driver that unregisters, and gets no more requests: it repeats `clear`
//!   until no request is with the driver and no thread is inside its routines. Then it frees the
//!   driver's own requests.

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

/// On whose behalf a request is taken.
#[derive(Clone, Copy)]
pub(super) enum Taker {
    /// Its sender, which has this handle, for this reason.
    Sender(d2d_handle, Reason),
    /// A driver that leaves or detaches, and has the request, has forwarded it or has sent it.
    Driver(d2d_handle),
}

impl Taker {
    /// Returns the level of the forwarder that gets a request in this state back after it was
    /// taken, or 0 for the sender, and why it is taken; `None` if the request does not concern the
    /// taker. The record may have another request by now. The answer is right if a transition from
    /// `word` succeeds afterwards.
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
                // The request of a handshake is left to `Server::detach`.
                (!record.is_handshake()).then_some((level, Reason::Left))
            }
        }
    }
}

/// What an attempt to take a request has led to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Taking {
    /// The request was taken, or it was recalled, and the thread that delivers or forwards it takes
    /// it.
    Done,
    /// The request was completed or taken before, and another thread delivers it.
    Busy,
    /// The request is not on its way, or does not concern the taker.
    Nothing,
}

impl Requests {
    /// Takes a request from its holder and delivers it. If no driver holds the request, recalls it
    /// before a forwarder gets it back. Any context.
    pub(super) fn take(&self, record: &Record, taker: Taker) -> Taking {
        loop {
            let word = record.word();
            let Some((level, reason)) = taker.concern(record, word) else {
                return Taking::Nothing;
            };
            // A parked request stays parked until the in-place call ends. If a forwarder leaves,
            // this call delivers the request earlier, unless a thread is inside the forwarder's
            // routines, which the forwarder has to wait for anyway.
            let goes_home = match taker {
                Taker::Driver(driver) if level > 0 => {
                    word.has(bits::PARKED) && !self.registry.has_thread_inside(driver)
                }
                _ => true,
            };
            let taking = match word.phase() {
                Phase::Held => self.take_held(record, word, taker, reason, level),
                // The sender has cancelled the request before. If `to()` is not 0, a driver has left, and the
                // request waits to go back to a forwarder, which must not keep it now.
                Phase::Taken
                    if word.has(bits::PARKED)
                        && word.to() == 0
                        && matches!(taker, Taker::Sender(..)) =>
                {
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

    /// Takes a request from its holder, and delivers it. Returns `None` if the state has changed.
    fn take_held(
        &self,
        record: &Record,
        word: Word,
        taker: Taker,
        reason: Reason,
        level: usize,
    ) -> Option<Taking> {
        let calls_cancelled = word.has(bits::CANCEL_SET);
        let taken = word::TAKE.of(word)?.because(reason, level);
        // The sender may send the request again as soon as it is home. So a request that the sender
        // cancels stays parked until the in-place call ends. A driver that leaves does not wait for
        // the in-place call of another driver.
        let waits = matches!(taker, Taker::Sender(..)) && word.has(bits::IN_PLACE);
        let taken = taken.with(bits::PARKED, waits);
        // The pin keeps the request from being delivered while the holder's `cancelled()` runs.
        // `Requests::pin` has left one pin for that.
        let taken = taken.plus(if calls_cancelled { bits::PIN } else { 0 });
        let (holder, seq) = (record.holder(word), word.seq());
        record.change(word, taken).ok()?;
        if record.tracing().is_on() {
            let by = match taker {
                Taker::Sender(..) => record.sender(),
                Taker::Driver(driver) => driver,
            };
            self.trace_cancel(record, by, holder, reason);
        }
        if calls_cancelled {
            if let Some(driver) = self.registry.enter(holder) {
                driver.cancelled(record.holder_handle(seq));
            }
            self.unpin(record);
        } else if taken.is_over() {
            self.deliver(record);
        }
        Some(Taking::Done)
    }

    /// Recalls a request that no driver holds, if a forwarder would get it before it is home.
    /// Returns `None` if the state has changed.
    fn take_later(
        &self,
        record: &Record,
        word: Word,
        taker: Taker,
        reason: Reason,
    ) -> Option<Taking> {
        let mut below = record.levels.iter().take(word.level()).skip(1);
        let comes_back = below.any(|level| level.wants_back.get() != 0);
        if !comes_back && !word.is(Phase::Forward) && !word.has(bits::PARKED) {
            // If the state has changed, the levels may be those of another request.
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
        // As in `take_held`: if the sender cancels, the request stays parked.
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

    /// Returns the record of a sender's handle and its state, unless the sender has freed the
    /// request.
    pub(super) fn sent(&self, handle: d2d_handle) -> Result<(&Record, Word), Refusal> {
        let (record, id) = self.records.find(Kind::Sent, handle).ok_or(STALE_REQUEST)?;
        let word = record.word();
        if !record.is(id) || word.is(Phase::Free) || word.has(bits::ORPHAN) {
            return Err(STALE_REQUEST);
        }
        Ok((record, word))
    }

    /// Cancels a request; see `d2d_request_cancel`. Any context.
    pub(crate) fn cancel(&self, handle: d2d_handle) -> Result {
        let sent = self.sent(handle);
        let (record, _) = sent.map_err(|refusal| self.refuse(refusal, handle))?;
        match self.take(record, Taker::Sender(handle, Reason::Cancelled)) {
            Taking::Done => Ok(()),
            Taking::Busy | Taking::Nothing => Err(EALREADY),
        }
    }

    /// Cancels the request of a handshake. Returns whether this call has taken the request.
    pub(crate) fn cancel_handshake(&self, handle: d2d_handle) -> bool {
        self.sent(handle).is_ok_and(|(record, _)| {
            self.take(record, Taker::Sender(handle, Reason::Cancelled)) == Taking::Done
        })
    }

    /// Notes that the time limit of a handshake has passed; its driver keeps the request. Returns
    /// whether the driver held the request.
    pub(crate) fn keep_overdue(&self, handle: d2d_handle) -> bool {
        while let Ok((record, word)) = self.sent(handle) {
            if word::OVERDUE.of(word).is_none() {
                break;
            }
            if record.transition(&word::OVERDUE, word).is_some() {
                return true;
            }
        }
        false
    }

    /// Returns whether a sender's handle names the request of a handshake.
    pub(crate) fn is_handshake(&self, handle: d2d_handle) -> bool {
        self.sent(handle)
            .is_ok_and(|(record, _)| record.is_handshake())
    }

    /// Cancels all requests that a driver has, has forwarded or has sent. Does not wait for other
    /// drivers. May sleep.
    pub(crate) fn take_back(&self, driver: d2d_handle) {
        for record in self.records() {
            // A thread of the driver is just sending the request, and may not have seen that the
            // driver leaves.
            while record.word().is(Phase::Fill) && record.sender() == driver {
                fsleep(Delta::from_millis(1));
            }
            self.take(record, Taker::Driver(driver));
        }
    }

    /// Cancels the requests that a driver has, has forwarded or has sent by now, and waits until
    /// they have left the driver. If that takes long, calls `end_waits` again and again, which ends
    /// what the driver's routines may be waiting for. May sleep.
    pub(crate) fn cancel_all(&self, driver: d2d_handle, end_waits: impl Fn()) {
        /// How many rounds of 1 ms pass before the first call of `end_waits`.
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

    /// Cancels all requests of a driver that is leaving, and frees those that the driver has
    /// allocated. Returns when no thread is inside the driver's routines, no request is with the
    /// driver, and no thread waits for one of its own requests. May sleep.
    pub(crate) fn run_down(&self, driver: d2d_handle) {
        loop {
            // A thread inside the driver may leave a request with it, and a request that is with
            // the driver may bring a thread inside. So the loop looks for threads before it looks
            // at the requests, and again afterwards.
            let had_thread_inside = self.registry.has_thread_inside(driver);
            let is_clear = self.clear(driver);
            if is_clear && !had_thread_inside && !self.registry.has_thread_inside(driver) {
                break;
            }
            fsleep(Delta::from_millis(1));
        }
        // The driver's own requests are home, and it sends no more. If an in-place call of another
        // driver still uses the buffers of one, the end of that in-place call frees the request.
        for record in self.records() {
            if record.sender() == driver && record.word().is(Phase::Idle) {
                let _ = self.discard(record.handle());
            }
        }
    }

    /// Cancels all requests that concern a driver. Returns whether no other request was left than
    /// the driver's own that are home and that nobody copies or waits for.
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

// SPDX-License-Identifier: GPL-2.0

//! Cancelling requests.

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
    registry::Refusal,
    slot::Inside, //
};
use d2d::{
    abi::d2d_handle,
    fields,
    patience::Patience,
    trace::Step,
    word::AtomicOnce as _, //
};
use kernel::{
    prelude::*,
    task::Task,
    time::{
        delay::fsleep,
        Delta, //
    }, //
};

/// On whose behalf a request is cancelled.
#[derive(Clone, Copy)]
pub(super) enum Canceller {
    /// The sender that has this handle, for this reason.
    Sender(d2d_handle, Reason),
    /// A driver that leaves or detaches, and has the request, has forwarded it or has sent it.
    Driver(d2d_handle),
}

impl Canceller {
    /// Returns the level of the forwarder that gets the request back (0: the sender), and the reason.
    /// `None` if the request does not concern the canceller. The record may have another request by now,
    /// so the caller must confirm the answer by a transition from `word`.
    fn concern(self, record: &Record, word: Word) -> Option<(usize, Reason)> {
        match self {
            Self::Sender(handle, reason) => {
                let is_it = word.is_on_its_way() && record.handle() == handle;
                is_it.then_some((0, reason))
            }
            Self::Driver(driver) => {
                let level = record.level_above(word, driver)?;
                if record.sender() == driver {
                    return Some((level, Reason::Sender));
                }
                // `Server::detach` cancels the request of a handshake.
                (!record.is_handshake()).then_some((level, Reason::Left))
            }
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum CancelOutcome {
    /// The request was cancelled or recalled.
    Done,
    /// The request was completed or cancelled before, and another thread delivers it.
    Busy,
    /// The request is not on its way, or does not concern the canceller.
    Nothing,
}

impl Requests {
    /// Cancels a request and delivers it, or recalls it if no driver holds it. Any context.
    pub(super) fn cancel_for(&self, record: &Record, canceller: Canceller) -> CancelOutcome {
        loop {
            let word = record.word();
            let Some((level, reason)) = canceller.concern(record, word) else {
                return CancelOutcome::Nothing;
            };
            // May the canceller change a request that no driver holds?
            //
            // - A sender: yes.
            // - A driver that leaves or detaches, if the sender gets the request back (level 0): yes.
            // - Such a driver, if a forwarder gets it back: only if the request is parked and no thread is
            //   inside the driver's routines. If it is not parked, another thread is forwarding, completing or
            //   delivering it; a driver that detaches or unregisters tries again. A driver has to wait for
            //   the thread inside anyway.
            let may_cancel_later = match canceller {
                Canceller::Driver(driver) if level > 0 => {
                    word.has(bits::PARKED) && !self.registry.has_thread_inside(driver)
                }
                _ => true,
            };
            let outcome = match word.phase() {
                Phase::Held => self.cancel_held(record, word, canceller, reason, level),
                // The request goes home when the in-place call ends.
                Phase::Cancelled
                    if word.has(bits::PARKED)
                        && word.return_level() == 0
                        && matches!(canceller, Canceller::Sender(..)) =>
                {
                    Some(CancelOutcome::Busy)
                }
                // If `return_level()` of a parked request is not 0, a driver that leaves has cancelled it,
                // and a forwarder is to get it back. This cancel gives it to the sender instead.
                Phase::Forward | Phase::Busy | Phase::Done | Phase::Cancelled
                    if may_cancel_later =>
                {
                    self.cancel_later(record, word, canceller, reason)
                }
                _ => Some(CancelOutcome::Busy),
            };
            if let Some(outcome) = outcome {
                return outcome;
            }
        }
    }

    /// Cancels a request that a driver holds, and delivers it. Returns `None` if the state has changed.
    fn cancel_held(
        &self,
        record: &Record,
        word: Word,
        canceller: Canceller,
        reason: Reason,
        level: usize,
    ) -> Option<CancelOutcome> {
        let holder = record.holder(word);
        let (cancelled, driver) = self.end_hold(record, word, canceller, reason, level)?;
        if record.tracing().is_on() {
            let by = match canceller {
                Canceller::Sender(..) => record.sender(),
                Canceller::Driver(driver) => driver,
            };
            self.trace_cancel(record, by, holder, reason);
        }
        if let Some(driver) = driver {
            record.cancelled_caller.set(Task::current_raw() as u64);
            driver.cancelled(record.holder_handle(word.generation()));
            record.cancelled_caller.set(0);
            drop(driver);
            self.unpin(record);
        } else if cancelled.is_over() {
            self.deliver(record);
        }
        Some(CancelOutcome::Done)
    }

    /// Cancels a request that a driver holds, but does not deliver it. Returns the new state. If the holder
    /// is to be told, and can be entered, this enters it and pins the request: the caller calls `cancelled()`,
    /// and then ends the pin. Returns `None` if the state has changed.
    pub(super) fn end_hold(
        &self,
        record: &Record,
        word: Word,
        canceller: Canceller,
        reason: Reason,
        level: usize,
    ) -> Option<(Word, Option<Inside<'_>>)> {
        let cancelled = word::CANCEL_HELD.apply(word)?.because(reason, level);
        // A sender that has cancelled a request may send it again as soon as it is home. This would fail
        // while an in-place call uses the buffers. Until the call ends, the request is parked. A driver
        // that leaves does not wait for another driver's in-place call.
        let waits = matches!(canceller, Canceller::Sender(..)) && word.has(bits::IN_PLACE);
        let cancelled = cancelled.assign(bits::PARKED, waits);
        // A parked request does not concern its holder any more: once it is parked, the holder may be
        // unregistered. So enter the holder before that.
        let driver = match word.has(bits::CANCEL_SET) {
            true => self.registry.enter(record.holder(word)),
            false => None,
        };
        // The pin delays the delivery while `cancelled()` runs. `Requests::pin` leaves the last pin for it.
        let cancelled = cancelled.plus(if driver.is_some() { bits::PIN } else { 0 });
        record.change(word, cancelled).ok()?;
        Some((cancelled, driver))
    }

    /// Recalls a request that no driver holds, or cancels it if it is parked. Returns `None` if the state
    /// has changed, and `Busy` if one of these holds:
    /// - The request was recalled before, or it was cancelled before and the sender gets it.
    /// - Nothing can stop the request on its way home: it is not parked, no forwarder gets it back, and
    ///   its holder is not forwarding it.
    fn cancel_later(
        &self,
        record: &Record,
        word: Word,
        canceller: Canceller,
        reason: Reason,
    ) -> Option<CancelOutcome> {
        let mut below = record.levels.iter().take(word.level()).skip(1);
        let comes_back = below.any(|level| level.wants_back.get() != 0);
        if !comes_back && !word.is(Phase::Forward) && !word.has(bits::PARKED) {
            // If the state has changed, the levels may be those of another request.
            return (record.word() == word).then_some(CancelOutcome::Busy);
        }
        let transition = if word.has(bits::PARKED) {
            &word::CANCEL_PARKED
        } else if word.is(Phase::Cancelled) && word.return_level() > 0 {
            &word::CANCEL_AGAIN
        } else {
            &word::CANCEL_LATER
        };
        let Some(cancelled) = transition.apply(word) else {
            return Some(CancelOutcome::Busy);
        };
        // As in `end_hold`: if the sender cancels, the request stays parked.
        let waits = matches!(canceller, Canceller::Sender(..)) && word.has(bits::PARKED);
        let cancelled = cancelled.because(reason, 0).assign(bits::PARKED, waits);
        record.change(word, cancelled).ok()?;
        if word.has(bits::PARKED) && cancelled.is_over() {
            self.deliver(record);
        }
        Some(CancelOutcome::Done)
    }

    #[cold]
    #[inline(never)]
    fn trace_cancel(&self, record: &Record, by: d2d_handle, from: d2d_handle, reason: Reason) {
        let holder = self.registry.peek(from);
        let name = holder.as_ref().map_or(c"?", |holder| holder.name());
        let status = match reason {
            Reason::TimedOut => ETIMEDOUT,
            Reason::Sender | Reason::Left => ECANCELED,
        };
        self.trace(
            record,
            by,
            Step::D2D_STEP_CANCEL,
            &fields![from: name, status: status.to_errno()],
        );
    }

    /// Returns the record of a sender's handle, and the state of the request. Refuses the handle if the
    /// sender has freed the request.
    pub(super) fn sent(&self, handle: d2d_handle) -> Result<(&Record, Word), Refusal> {
        let (record, generation) = self.records.find(Kind::Sent, handle).ok_or(STALE_REQUEST)?;
        let word = record.word();
        if !record.has_sent_generation(generation) || word.is(Phase::Free) || word.has(bits::ORPHAN)
        {
            return Err(STALE_REQUEST);
        }
        Ok((record, word))
    }

    /// See `d2d_request_cancel`. Any context.
    pub(crate) fn cancel(&self, handle: d2d_handle) -> Result {
        let sent = self.sent(handle);
        let (record, _) = sent.map_err(|refusal| self.refuse(refusal, handle))?;
        match self.cancel_for(record, Canceller::Sender(handle, Reason::Sender)) {
            CancelOutcome::Done => Ok(()),
            CancelOutcome::Busy | CancelOutcome::Nothing => Err(EALREADY),
        }
    }

    /// Returns whether this call has cancelled the request.
    pub(crate) fn cancel_handshake(&self, handle: d2d_handle) -> bool {
        self.sent(handle).is_ok_and(|(record, _)| {
            self.cancel_for(record, Canceller::Sender(handle, Reason::Sender))
                == CancelOutcome::Done
        })
    }

    /// Notes that the time limit of a handshake has passed. Returns whether the driver held the request.
    pub(crate) fn keep_overdue(&self, handle: d2d_handle) -> bool {
        while let Ok((record, word)) = self.sent(handle) {
            if word::OVERDUE.apply(word).is_none() {
                break;
            }
            if record.transition(&word::OVERDUE, word).is_some() {
                return true;
            }
        }
        false
    }

    pub(crate) fn is_handshake(&self, handle: d2d_handle) -> bool {
        self.sent(handle)
            .is_ok_and(|(record, _)| record.is_handshake())
    }

    /// Cancels all requests that a driver has, has forwarded or has sent. Does not wait for other
    /// drivers. May sleep.
    pub(crate) fn cancel_each(&self, driver: d2d_handle) {
        for record in self.records() {
            // The sending thread may not have seen yet that the driver leaves.
            while record.word().is(Phase::Fill) && record.sender() == driver {
                fsleep(Delta::from_millis(1));
            }
            self.cancel_for(record, Canceller::Driver(driver));
        }
    }

    /// For a driver that detaches, and may get more requests: cancels those that concern it now, and
    /// waits until they have left it. If that takes long, calls `end_waits` again and again, to end the
    /// waits inside the driver's routines. May sleep.
    pub(crate) fn cancel_all(&self, driver: d2d_handle, end_waits: impl Fn()) {
        let mut patience = Patience::new();
        for record in self.records() {
            let sending = record.sendings.get();
            while record.sendings.get() == sending
                && self.cancel_for(record, Canceller::Driver(driver)) != CancelOutcome::Nothing
            {
                if record.level_above(record.word(), driver).is_none() {
                    break;
                }
                patience.sleep(&end_waits);
            }
        }
    }

    /// Cancels all requests that concern a driver that unregisters, and frees those that it has allocated.
    /// Returns when all of these hold:
    /// - No thread is inside the driver's routines.
    /// - No request is with the driver.
    /// - No thread waits for one of the driver's own requests.
    ///
    /// May sleep.
    pub(crate) fn clear_and_free(&self, driver: d2d_handle) {
        loop {
            // A thread inside may leave a request with the driver, and a request with the driver may bring
            // a thread inside. So the loop looks for threads before and after it looks at requests.
            let had_thread_inside = self.registry.has_thread_inside(driver);
            let is_clear = self.try_clear(driver);
            if is_clear && !had_thread_inside && !self.registry.has_thread_inside(driver) {
                break;
            }
            fsleep(Delta::from_millis(1));
        }
        self.free_all(driver, || fsleep(Delta::from_millis(1)));
    }

    /// Frees the requests that a leaving driver has allocated. None of them is on its way. If an in-place
    /// call still uses the buffers of a request, the end of this call frees it. If a thread has claimed a
    /// request, calls `wait` again and again until the thread has given up the claim.
    pub(super) fn free_all(&self, driver: d2d_handle, wait: impl Fn()) {
        for record in self.records() {
            loop {
                // This reads the handle before it compares the sender. If the record gets another request
                // in between, `discard` finds a stale handle.
                let handle = record.handle();
                let word = record.word();
                if record.sender() != driver || word.has(bits::ORPHAN) {
                    break;
                }
                match word.phase() {
                    Phase::Idle if self.discard(handle).is_ok() => break,
                    Phase::Idle | Phase::Fill => wait(),
                    _ => break,
                }
            }
        }
    }

    /// Cancels all requests that concern a driver. Returns whether nothing is left to wait for:
    /// - No request concerns the driver any more.
    /// - The driver's own requests are home.
    /// - No thread waits for these requests, or copies from or to their buffers.
    fn try_clear(&self, driver: d2d_handle) -> bool {
        let mut is_clear = true;
        for record in self.records() {
            let is_concerned =
                self.cancel_for(record, Canceller::Driver(driver)) != CancelOutcome::Nothing;
            let word = record.word();
            is_clear &= match record.sender() == driver && !word.is(Phase::Free) {
                true => word.is(Phase::Idle) && !word.has(bits::PINS | bits::WAITERS),
                false => !is_concerned,
            };
        }
        is_clear
    }
}

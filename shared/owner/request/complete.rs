// SPDX-License-Identifier: GPL-2.0

//! Completing requests, and bringing them home.

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
    CANCELLED,
    PENDING,
    STALE_HOLDER_HANDLE, //
};
use crate::{
    driver_object::Driver,
    handle::Kind,
    registry::Refusal, //
};
use d2d::{
    abi::{
        self,
        d2d_handle, //
    },
    fields,
    step,
    trace::{
        Step, //
    },
    word::AtomicOnce as _, //
};
use kernel::{
    ffi::c_int,
    prelude::*,
    task::Task, //
};

pub(crate) enum CompleteOutcome {
    /// The request is on its way to its sender, or home.
    Done,
    /// As `Done`, for the request of a handshake with this driver.
    Handshake(d2d_handle),
}

impl Requests {
    /// Returns the record of a holder's handle, and the generation in the handle.
    #[inline(always)]
    pub(super) fn held(&self, handle: d2d_handle) -> Result<(&Record, u32), Refusal> {
        self.records
            .find(Kind::Held, handle)
            .ok_or(STALE_HOLDER_HANDLE)
    }

    #[cold]
    pub(super) fn why_stale(&self, record: &Record, generation: u32) -> Refusal {
        match record.was_cancelled(generation) {
            true => CANCELLED,
            false => STALE_HOLDER_HANDLE,
        }
    }

    /// See `d2d_complete`. With `output_len`, the holder has written that many bytes of output in place.
    /// Any context.
    #[inline(always)]
    pub(crate) fn complete(
        &self,
        handle: d2d_handle,
        status: c_int,
        information: u64,
        output_len: Option<u32>,
    ) -> Result<CompleteOutcome> {
        let status = self.check_status(status);
        self.try_complete(handle, status, information, output_len)
            .map_err(|refusal| self.refuse(refusal, handle))
    }

    #[inline(always)]
    fn try_complete(
        &self,
        handle: d2d_handle,
        status: c_int,
        information: u64,
        output_len: Option<u32>,
    ) -> Result<CompleteOutcome, Refusal> {
        let (record, generation) = self.held(handle)?;
        let claimed = loop {
            let held = record.word();
            let claimed = word::COMPLETE
                .apply(held)
                .filter(|_| held.generation() == generation);
            let Some(claimed) = claimed else {
                return Err(self.why_stale(record, generation));
            };
            if output_len.is_some_and(|length| length > record.output_room.get()) {
                return Err(("output-too-long", EMSGSIZE));
            }
            // If the calling thread is in the in-place call, it gives up the buffers.
            let keeps = held.has(bits::IN_PLACE) && !record.is_inside(held, generation);
            let claimed = claimed.assign(bits::IN_PLACE, keeps);
            if record.change(held, claimed).is_ok() {
                break claimed;
            }
        };
        record.complete(status, information);
        if let Some(length) = output_len {
            record.output_len.set(length);
        }
        // Usually only one more change of the word is left.
        let is_plain = claimed.level() == 1
            && !record.is_handshake()
            && !claimed.has(bits::ORPHAN | bits::ASLEEP | bits::LATE)
            && !record.has_routine()
            && !record.tracing().is_on();
        if is_plain && record.transition(&word::HOME, claimed).is_some() {
            return Ok(CompleteOutcome::Done);
        }
        self.complete_slowly(record, claimed)
    }

    #[cold]
    #[inline(never)]
    fn complete_slowly(&self, record: &Record, claimed: Word) -> Result<CompleteOutcome, Refusal> {
        if record.is_handshake() && !claimed.has(bits::LATE) {
            self.trace_handshake(record, claimed);
        } else if record.tracing().is_on() {
            let result = record.result();
            self.trace(
                record,
                record.holder(claimed),
                Step::D2D_STEP_COMPLETE,
                &fields![status: result.status, info: result.information],
            );
        }
        let handshake = record.is_handshake().then(|| record.holder(claimed));
        self.finish(record);
        match handshake {
            // The time limit of the handshake had passed before.
            Some(_) if claimed.has(bits::LATE) => Err(STALE_HOLDER_HANDLE),
            Some(driver) => Ok(CompleteOutcome::Handshake(driver)),
            None => Ok(CompleteOutcome::Done),
        }
    }

    /// Traces the completion of a handshake, whose tag is the number of the context.
    fn trace_handshake(&self, record: &Record, claimed: Word) {
        let driver = self.registry.peek(record.holder(claimed));
        let result = record.result();
        step!(
            driver.as_ref().map_or(c"?", |driver| driver.name()), complete, status: result.status,
            info: result.information, ctx: result.tag
        );
    }

    /// Ends a completion whose result is written, and delivers the request if it is over.
    pub(super) fn finish(&self, record: &Record) {
        // This succeeds: only this thread, which has claimed the request, makes the transition.
        if record.go(&word::COMPLETED).is_ok_and(|word| word.is_over()) {
            self.deliver(record);
        }
    }

    /// See `d2d_request_set_cancel`. Any context.
    pub(crate) fn set_cancel(&self, handle: d2d_handle) -> Result {
        self.try_set_cancel(handle)
            .map_err(|refusal| self.refuse(refusal, handle))
    }

    fn try_set_cancel(&self, handle: d2d_handle) -> Result<(), Refusal> {
        let (record, generation) = self.held(handle)?;
        loop {
            let held = record.word();
            if word::SET_CANCEL.apply(held).is_none() || held.generation() != generation {
                return Err(self.why_stale(record, generation));
            }
            if !self.registry.has_cancelled_routine(record.holder(held)) {
                return Err(("no-cancel-routine", EINVAL));
            }
            if record.transition(&word::SET_CANCEL, held).is_some() {
                return Ok(());
            }
        }
    }

    /// Delivers a request that the caller has made [over](Word::is_over).
    ///
    /// While this thread is inside a forwarder's `returned()`, the request may be completed or
    /// cancelled again. This call then goes on with the delivery. So deliveries do not nest, and need
    /// the stack of one level.
    #[cold]
    #[inline(never)]
    pub(super) fn deliver(&self, record: &Record) {
        // Until this thread ends the phase `Cancelled`, other threads see by the phase that the request was
        // cancelled. From then on they see it by what `note_cancelled` has noted.
        let cancelled = record.word();
        if cancelled.is(Phase::Cancelled) {
            record.note_cancelled(cancelled);
        }
        loop {
            let word = record.word();
            if word.has(bits::RECALL) {
                match record.park(&word::RECALLED, word) {
                    Some(cancelled) if cancelled.has(bits::PARKED) => return,
                    _ => continue,
                }
            }
            if word.level() <= 1 {
                if self.bring_home(record, word) {
                    return;
                }
                continue;
            }
            // A forwarder that does not want the request back is not notified either.
            let wants_back = record.levels[word.level() - 1].wants_back.get() != 0;
            let above = record.levels[word.level() - 2].to.get();
            let is_notified = word.is(Phase::Cancelled) && word.level() - 1 > word.return_level();
            if !wants_back {
                let _ = record.transition(&word::PASS, word);
                continue;
            }
            if is_notified {
                self.fail(record, word);
                self.notify(record, word, above);
                continue;
            }
            if word.has(bits::IN_PLACE) {
                if record.transition(&word::PARK, word).is_some() {
                    return;
                }
                continue;
            }
            if word.is(Phase::Cancelled) {
                self.fail(record, word);
            }
            if !self.give_back(record, word, above) {
                return;
            }
        }
    }

    /// Writes the result of a cancelled request.
    fn fail(&self, record: &Record, word: Word) {
        let (error, ended) = match word.reason() {
            Reason::Sender => (ECANCELED, abi::D2D_ENDED_CANCELLED),
            Reason::TimedOut => (ETIMEDOUT, abi::D2D_ENDED_TIMED_OUT),
            Reason::Left => (ECANCELED, abi::D2D_ENDED_LEFT),
        };
        record.fail(error.to_errno(), ended);
    }

    /// Notifies a forwarder of a cancel, by its `returned()`. Does nothing if the word has changed.
    fn notify(&self, record: &Record, word: Word, forwarder: d2d_handle) {
        let Some(driver) = self.registry.enter(forwarder) else {
            let _ = record.transition(&word::PASS, word);
            return;
        };
        record.carrier.set(Task::current_raw() as u64);
        let Some(notified) = record.transition(&word::NOTIFY, word) else {
            return;
        };
        record.note_cancelled(notified);
        let result = record.result();
        // The forwarder does not hold the request, so the result of `returned()` does not matter.
        driver.returned(&record.view(notified), &result);
        let _ = record.go(&word::CARRIED);
    }

    /// Gives a request back to a forwarder. Returns whether the caller still has to deliver the request.
    fn give_back(&self, record: &Record, word: Word, forwarder: d2d_handle) -> bool {
        let Some(driver) = self.registry.enter(forwarder) else {
            let _ = record.transition(&word::PASS, word);
            return true;
        };
        record.carrier.set(Task::current_raw() as u64);
        let Some(held) = record.transition(&word::RETURN, word) else {
            return true;
        };
        let result = record.result();
        let status = driver.returned(&record.view(held), &result);
        let status = (status != PENDING).then(|| self.check_status(status));
        drop(driver);
        loop {
            let now = record.word();
            let Some(status) = status.filter(|_| now.is_held_as(held.generation())) else {
                break;
            };
            if record.transition(&word::COMPLETE, now).is_some() {
                // `information` stays, unless the driver has completed the request itself.
                record.complete(status, result.information);
                let _ = record.go(&word::COMPLETED);
                break;
            }
        }
        let Ok(carried) = record.go(&word::CARRIED) else {
            return false;
        };
        // If the request was cancelled while `returned()` ran, this thread delivers it.
        let is_over = carried.is_over();
        if is_over && carried.is(Phase::Cancelled) {
            record.note_cancelled(carried);
        }
        is_over
    }

    /// Brings a request home, and calls the sender's completion routine. Returns `false` if the word
    /// has changed.
    fn bring_home(&self, record: &Record, word: Word) -> bool {
        if word.has(bits::LATE) {
            record.fail(ETIMEDOUT.to_errno(), abi::D2D_ENDED_TIMED_OUT);
        } else if word.is(Phase::Cancelled) {
            self.fail(record, word);
        }
        let (result, handle, tracing) = (record.result(), record.handle(), record.tracing());
        let is_called = (record.has_routine() || word.has(bits::LATE)) && !word.has(bits::ORPHAN);
        // As soon as the request is home, the sender may unregister. So this thread enters the sender
        // before.
        let sender = match is_called {
            true => self.registry.enter(record.sender()),
            false => None,
        };
        let Some(home) = record.transition(&word::HOME, word) else {
            return false;
        };
        if word.has(bits::ASLEEP) {
            record.wake();
        }
        if home.is_unused() {
            self.reclaim(record);
        }
        if let Some(sender) = sender {
            if tracing.is_on() {
                Self::trace_completion(tracing, &sender, handle, result.status);
            }
            let keeps = sender.completed(handle, &result);
            if keeps != abi::D2D_MORE_PROCESSING_REQUIRED as c_int {
                // The routine may have freed the request itself.
                let _ = self.discard(handle);
            }
        }
        true
    }

    fn trace_completion(
        tracing: crate::tracing::Tracing,
        driver: &Driver,
        handle: d2d_handle,
        status: c_int,
    ) {
        tracing.emit(
            driver.name(),
            Step::D2D_STEP_COMPLETION,
            &fields![req: super::record::number(handle), via: "routine", status: status],
        );
    }
}

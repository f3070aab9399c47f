// SPDX-License-Identifier: GPL-2.0

//! Waiting for requests, and freeing them.
//!
//! The word counts the threads that wait. Until each of them has the result, the request cannot be sent
//! again, and its record is not freed.

use super::{
    cancel::Canceller,
    record::Record,
    word::{
        self,
        bits,
        Phase,
        Reason,
        Word, //
    },
    Requests,
    ON_ITS_WAY, //
};
use crate::{
    export::Arg,
    probe::Stack,
    registry::Refusal,
    trace, //
};
use d2d::{
    abi::{
        self,
        d2d_handle, //
    },
    fields,
    trace::Step,
    word::AtomicOnce as _, //
};
use kernel::{
    ffi::{
        c_long,
        c_void, //
    },
    prelude::*,
    task::{
        might_sleep,
        MAX_SCHEDULE_TIMEOUT, //
    },
    time::{
        delay::fsleep,
        msecs_to_jiffies,
        Delta, //
    }, //
};

/// If another thread is delivering the request when a time limit passes, the waiting thread sleeps for
/// this many milliseconds more: once with [`Limit::Cancel`], repeatedly with [`Limit::Keep`].
const GRACE: u32 = 1000;

const IN_ATOMIC_CONTEXT: Refusal = ("wait-in-atomic-context", EDEADLK);
pub(super) const HAS_ROUTINE: Refusal = ("has-completion-routine", EINVAL);

/// What happens when the time limit of a wait passes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Limit {
    Cancel,
    /// For the request of a handshake: the wait ends with `ETIMEDOUT`, and the holder keeps the request.
    /// When the holder completes it, the library calls the owner's completion routine.
    Keep,
}

impl Requests {
    /// See `d2d_request_wait`. May sleep, unless the request is completed.
    pub(crate) fn wait(
        &self,
        handle: d2d_handle,
        ms: u32,
        limit: Limit,
    ) -> Result<abi::d2d_result> {
        let waiting = self.begin_wait(handle);
        let (record, word) = waiting.map_err(|refusal| self.refuse(refusal, handle))?;
        let is_home = word.is(Phase::Idle) || self.sleep(record, ms, limit)?;
        let result = is_home.then(|| record.result());
        let (tracing, sender) = (record.tracing(), record.sender());
        self.end_wait(record);
        let result = result.ok_or(EINPROGRESS)?;
        if tracing.is_on() {
            let via = if word.is(Phase::Idle) {
                "return"
            } else {
                "wait"
            };
            self.trace_result(record, sender, via, &result);
        }
        Ok(result)
    }

    #[cold]
    #[inline(never)]
    fn trace_result(
        &self,
        record: &Record,
        sender: d2d_handle,
        via: &str,
        result: &abi::d2d_result,
    ) {
        self.trace(
            record,
            sender,
            Step::D2D_STEP_COMPLETION,
            &fields![via: via, status: result.status],
        );
    }

    /// Counts the calling thread as waiting for a request.
    fn begin_wait(&self, handle: d2d_handle) -> Result<(&Record, Word), Refusal> {
        loop {
            let (record, word) = self.sent(handle)?;
            if word.is(Phase::Fill) {
                // Another thread is sending or freeing the request.
                if !trace::may_sleep() {
                    return Err(IN_ATOMIC_CONTEXT);
                }
                fsleep(Delta::from_millis(1));
                continue;
            }
            if !record.was_sent() {
                return Err(("not-sent", ENODATA));
            }
            if record.has_routine() {
                return Err(HAS_ROUTINE);
            }
            // A request that is home has a result, so the caller does not wait, and may be in any context.
            if !word.is(Phase::Idle) {
                if !trace::may_sleep() {
                    return Err(IN_ATOMIC_CONTEXT);
                }
                if record.may_wait_for_caller(word) {
                    // If the state has changed, the answer may be about another send.
                    if record.word() != word {
                        continue;
                    }
                    return Err(("wait-from-inside", EDEADLK));
                }
            }
            if word.0 & bits::WAITERS == bits::WAITERS {
                return Err(("too-many-waiters", EAGAIN));
            }
            if let Some(word) = record.transition(&word::WAIT, word) {
                return Ok((record, word));
            }
        }
    }

    /// Sleeps until a request is home, for at most `ms` milliseconds; then acts as `limit` says. The
    /// word counts the calling thread as waiting. Returns whether the request is home. May sleep.
    ///
    /// # Errors
    ///
    /// `ETIMEDOUT` if the holder keeps the request. Then the word no longer counts the calling thread.
    #[cold]
    #[inline(never)]
    pub(super) fn sleep(&self, record: &Record, ms: u32, limit: Limit) -> Result<bool> {
        // On a debugging kernel, this reports contexts that `may_sleep` does not know.
        might_sleep();
        if Self::sleep_for(record, ms) {
            return Ok(true);
        }
        match limit {
            Limit::Cancel => {
                self.cancel_for(record, Canceller::Sender(record.handle(), Reason::TimedOut));
                // Another thread may be delivering the request.
                Ok(Self::sleep_for(record, GRACE))
            }
            Limit::Keep => loop {
                if record.go(&word::OVERDUE).is_ok() {
                    self.end_wait(record);
                    return Err(ETIMEDOUT);
                }
                // Another thread is completing or delivering the request.
                if Self::sleep_for(record, GRACE) {
                    return Ok(true);
                }
            },
        }
    }

    fn sleep_for(record: &Record, ms: u32) -> bool {
        let jiffies = match ms {
            abi::D2D_FOREVER => MAX_SCHEDULE_TIMEOUT as c_long,
            ms => msecs_to_jiffies(ms) as c_long,
        };
        // The thread that brings the request home wakes the sleepers only if it sees `ASLEEP`.
        if record.go(&word::SLEEP).is_err() {
            return true;
        }
        record.sleep(jiffies)
    }

    /// Stops counting the calling thread as waiting. If the sender has freed the request, and this thread
    /// was its last user, frees the record.
    #[inline(always)]
    pub(super) fn end_wait(&self, record: &Record) {
        if record.go(&word::WAITED).is_ok_and(|word| word.is_unused()) {
            self.reclaim(record);
        }
    }

    /// See `d2d_request_call`. May sleep, unless `send` has `D2D_SEND_ATOMIC`. `output` has `room`
    /// bytes.
    #[inline(always)]
    pub(crate) fn send_and_read(
        &self,
        handle: d2d_handle,
        send: Arg<*const abi::d2d_send>,
        ms: u32,
        output: Arg<*mut c_void>,
        room: u32,
        stack: Stack,
    ) -> Result<abi::d2d_result> {
        let (record, waits) = self.send_and_wait(handle, send, stack)?;
        let is_home =
            record.word().is(Phase::Idle) || waits && self.sleep(record, ms, Limit::Cancel)?;
        if !is_home {
            self.end_wait(record);
            return Err(EINPROGRESS);
        }
        let result = record.result();
        let length = result.output_len as usize;
        let from = record.output.get();
        let is_read = result.status == 0 && length > 0 && result.output_len <= room;
        // SAFETY: `from` is the output, which has at least `output_len` bytes. The request is home, and
        // the word counts this thread as waiting until `end_wait` below. Until then, the buffer is not
        // freed and does not change.
        let is_bad = is_read && !unsafe { output.copy_out(stack, from, length) };
        if record.tracing().is_on() {
            self.trace_result(record, record.sender(), "return", &result);
        }
        self.end_wait(record);
        if is_bad {
            return Err(self.refuse(("bad-output-pointer", EFAULT), handle));
        }
        Ok(result)
    }

    /// See `d2d_request_free`. Any context.
    pub(crate) fn free(&self, handle: d2d_handle) -> Result {
        self.discard(handle)
            .map_err(|refusal| self.refuse(refusal, handle))
    }

    /// As [`Requests::free`], but prints no refusal. Any context.
    pub(super) fn discard(&self, handle: d2d_handle) -> Result<(), Refusal> {
        loop {
            let (record, word) = self.sent(handle)?;
            if word.is(Phase::Fill) {
                return Err(ON_ITS_WAY);
            }
            if let Some(filling) = record.transition(&word::RECLAIM, word) {
                self.unmake(record, filling);
                return Ok(());
            }
            if word::RECLAIM.apply(word).is_some() {
                continue;
            }
            if record.transition(&word::ORPHANED, word).is_some() {
                // The last user of the request frees the record.
                self.cancel_for(record, Canceller::Sender(handle, Reason::Sender));
                return Ok(());
            }
        }
    }

    /// Frees the record of a request that its sender has freed, unless the request is in use.
    pub(super) fn reclaim(&self, record: &Record) {
        if let Ok(filling) = record.go(&word::RECLAIM) {
            self.unmake(record, filling);
        }
    }

    fn unmake(&self, record: &Record, filling: Word) {
        // SAFETY: The request was `Idle`, so its record was made. This thread has the record in `Fill`,
        // and makes it free next.
        unsafe { record.unmake() };
        if let Some(free) = word::FREED.apply(filling) {
            record.publish(free);
        }
        self.records.note_free(record);
    }
}

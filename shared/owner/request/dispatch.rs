// SPDX-License-Identifier: GPL-2.0

//! Calling the dispatch routine of the driver that a request is with.
//!
//! If the receiver has `D2D_DISPATCH_IN_PLACE`, and its dispatch routine runs in the sender's execution
//! context, the routine may use the buffers in place until it completes, pends or forwards the request,
//! or returns. Until then the word has [`IN_PLACE`](bits::IN_PLACE): the request may be cancelled, but
//! it is neither sent again nor freed, and no forwarder gets it back.

use super::{
    record::{
        Record,
        Records, //
    },
    send::Passed,
    word::{
        self,
        bits,
        Phase,
        Word, //
    },
    workers::Workers,
    Requests,
    PENDING, //
};
use crate::{
    driver_object::Driver,
    registry::Registry,
    slot::Inside, //
};
use d2d::{
    abi,
    fields,
    refuse,
    trace::{
        Step, //
    },
    word::AtomicOnce as _, //
};
use kernel::{
    bindings,
    container_of,
    ffi::c_int,
    prelude::*,
    sync::Arc,
    task::Task, //
};

impl Requests {
    /// Makes an empty table of requests, and the workers. May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn new(owner: &'static CStr, registry: Arc<Registry>) -> Result<Arc<Self>> {
        Ok(Arc::new(
            Self {
                workers: Workers::new()?,
                owner,
                registry,
                records: Records::new(run)?,
            },
            GFP_KERNEL,
        )?)
    }

    /// Calls the receiver, or has a worker call it. Returns whether the request is completed.
    #[inline(always)]
    pub(super) fn call(&self, passed: Passed<'_>) -> bool {
        self.call_and_return(passed).1
    }

    /// As [`Requests::call`]. Also returns the dispatch routine's result, or 0 if this thread has not
    /// called it.
    #[inline(always)]
    pub(super) fn call_and_return(&self, passed: Passed<'_>) -> (c_int, bool) {
        let Passed {
            record,
            receiver,
            word,
            sending,
        } = passed;
        let returned = match &receiver {
            Some(receiver) => self.dispatch(record, receiver, word),
            None => {
                self.let_worker_dispatch(record, word);
                0
            }
        };
        // If the request has been sent again, it was completed before.
        let is_completed = !record.word().is_on_its_way() || record.sendings.get() != sending;
        (returned, is_completed)
    }

    #[cold]
    #[inline(never)]
    fn let_worker_dispatch(&self, record: &Record, word: Word) {
        if record.tracing().is_on() {
            self.trace_call(record, word);
        }
        self.workers.enqueue(record);
    }

    /// Calls the dispatch routine in the sender's execution context, and returns its result. If the request
    /// was cancelled before, calls nothing and returns 0. `word` is the word by which the request came to
    /// the receiver.
    #[inline(always)]
    fn dispatch(&self, record: &Record, receiver: &Inside<'_>, word: Word) -> c_int {
        // `IN_PLACE` may be set because of an earlier in-place call.
        let in_place = word.has(bits::IN_PLACE) && record.is_in_place_call_of(word.generation());
        let mut view = record.view(word);
        if in_place {
            view.input = record.input.get().cast_const().cast();
            view.output = record.output.get().cast();
        }
        // Unless this call uses the buffers in place, the request may have been cancelled and sent to
        // another driver meanwhile. Then `view` is what that driver is to see.
        if !in_place && !record.is_still(word) {
            return 0;
        }
        let is_traced = record.tracing().is_on();
        if is_traced {
            self.trace_call(record, word);
            Self::trace_dispatch(record, receiver, &view);
        }
        let returned = receiver.dispatch(&view);
        let now = record.word();
        // Usually the routine has completed the request, and has so given up the buffers.
        if now.is_held_as(word.generation()) || in_place && now.has(bits::IN_PLACE) {
            self.end_dispatch(record, receiver, word, in_place, returned);
        }
        returned
    }

    /// Ends the call of a dispatch routine. If the routine has not completed, pended or forwarded the
    /// request, the request fails with `-EIO`.
    #[cold]
    #[inline(never)]
    fn end_dispatch(
        &self,
        record: &Record,
        receiver: &Driver,
        before: Word,
        in_place: bool,
        returned: c_int,
    ) {
        let generation = before.generation();
        loop {
            let now = record.word();
            if now.is_held_as(generation) && returned != PENDING {
                let Some(claimed) = word::COMPLETE.apply(now) else {
                    return;
                };
                let is_ours = in_place && record.is_inside(now, generation);
                let claimed = claimed.assign(bits::IN_PLACE, now.has(bits::IN_PLACE) && !is_ours);
                if record.change(now, claimed).is_err() {
                    continue;
                }
                record.fail(EIO.to_errno(), abi::D2D_ENDED_NOT_COMPLETED);
                self.refuse_uncompleted(receiver, returned);
                self.finish(record);
                return;
            }
            if now.is_held_as(generation) && record.tracing().is_on() {
                self.trace_pend(record, receiver, before);
            }
            if in_place {
                self.give_up_buffers(record);
            }
            return;
        }
    }

    /// Gives up the buffers; see `d2d_request_pend`. Any context.
    ///
    /// Calls no routine of a driver, so the caller may hold a lock of its own. If the request was
    /// cancelled, this fails, and the word keeps [`IN_PLACE`](bits::IN_PLACE) until the dispatch routine
    /// has returned.
    pub(crate) fn pend(&self, handle: abi::d2d_handle) -> Result {
        let (record, generation) = self
            .held(handle)
            .map_err(|refusal| self.refuse(refusal, handle))?;
        loop {
            let word = record.word();
            if !word.is_held_as(generation) {
                return Err(self.refuse(self.why_stale(record, generation), handle));
            }
            if !record.is_inside(word, generation)
                || record.transition(&word::IN_PLACE_END, word).is_some()
            {
                return Ok(());
            }
        }
    }

    /// Gives up the buffers that the calling in-place call uses, if it still uses them. If the delivery
    /// has waited for this, delivers the request. If the freeing of the record has waited for it, frees
    /// the record.
    ///
    /// The request may have been completed meanwhile, for example by an interrupt on this CPU. Then another
    /// in-place call may use the buffers, and this function leaves them alone.
    pub(super) fn give_up_buffers(&self, record: &Record) {
        loop {
            let now = record.word();
            // If the record notes an in-place call of this task, that is the call which is ending here. An
            // interrupt has the task that it interrupts. So another in-place call with the same task is
            // nested in this one, and has ended before.
            if !now.has(bits::IN_PLACE) || !record.in_place_call_is_by(Task::current_raw() as u64) {
                return;
            }
            let Some(new) = record.transition(&word::IN_PLACE_END, now) else {
                continue;
            };
            if now.has(bits::PARKED) && new.is_over() {
                self.deliver(record);
            } else if new.is_unused() {
                self.reclaim(record);
            }
            return;
        }
    }

    /// Dispatches a request for a sender that could not sleep. May sleep.
    pub(super) fn dispatch_queued(&self, record: &Record) {
        let word = record.word();
        if !word.is(Phase::Held) || !word.has(bits::QUEUED) {
            return;
        }
        // If the driver is leaving, its requests are cancelled.
        let Some(receiver) = self.registry.enter_staying(record.holder(word)) else {
            return;
        };
        let word = loop {
            let now = record.word();
            if now.generation() != word.generation() {
                // The request has changed hands. If a worker is to dispatch it, its work item was queued again.
                return;
            }
            if word::DEQUEUE.apply(now).is_none() {
                return;
            }
            if let Some(word) = record.transition(&word::DEQUEUE, now) {
                break word;
            }
        };
        let view = record.view(word);
        // As in `dispatch`, `view` may be what another driver is to see.
        if !record.is_still(word) {
            return;
        }
        if record.tracing().is_on() {
            Self::trace_dispatch(record, &receiver, &view);
        }
        record.worker.set(Task::current_raw() as u64);
        let returned = receiver.dispatch(&view);
        record.worker.set(0);
        if record.word().is_held_as(word.generation()) {
            self.end_dispatch(record, &receiver, word, false, returned);
        }
    }

    #[cold]
    #[inline(never)]
    fn trace_call(&self, record: &Record, word: Word) {
        let to = self.registry.peek(record.holder(word));
        let name = to.as_ref().map_or(c"?", |to| to.name());
        let from = word
            .level()
            .checked_sub(2)
            .and_then(|n| record.levels.get(n));
        let from = from.map_or(record.sender(), |level| level.to.get());
        self.trace(
            record,
            from,
            Step::D2D_STEP_CALL_DRIVER,
            &fields![to: name, code: record.code(word)],
        );
    }

    #[cold]
    #[inline(never)]
    fn trace_dispatch(record: &Record, driver: &Driver, view: &abi::d2d_request) {
        record.tracing().emit(
            driver.name(),
            Step::D2D_STEP_DISPATCH,
            &fields![req: record.number(), major: view.major_function, code: view.code],
        );
    }

    fn trace_pend(&self, record: &Record, driver: &Driver, word: Word) {
        record.tracing().emit(
            driver.name(),
            Step::D2D_STEP_PEND,
            &fields![req: record.number(), code: record.code(word)],
        );
    }

    fn refuse_uncompleted(&self, driver: &Driver, returned: c_int) {
        refuse!(self.owner, "not-completed", EIO, by: driver.name(), returned: returned);
    }
}

/// What the work item of a record calls. Runs in a worker.
///
/// # Safety
///
/// `work` is the work item of a record, whose [`Requests`] live.
unsafe extern "C" fn run(work: *mut bindings::work_struct) {
    // SAFETY: The caller promises that `work` is the work item of a record, and that its `Requests`
    // live. The record lives as long as they do.
    let record = unsafe { Record::of_work(work) };
    // SAFETY: Only `Requests::new` makes tables, so the table is a field of a `Requests`. The
    // `Requests` is in an `Arc`, so it does not move. It waits for the workers before it is freed.
    let requests = unsafe { &*container_of!(record.records(), Requests, records) };
    requests.dispatch_queued(record);
}

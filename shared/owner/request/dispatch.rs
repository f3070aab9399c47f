// SPDX-License-Identifier: GPL-2.0

//! Calling the driver that a request is with.
//!
//! If a driver's dispatch routine is called in the sender's context, and the driver has asked for that, it may
//! use the request's buffers in place until it completes, pends or forwards the request, or returns.
//! [`RUN`](bits::RUN) says so in the word. If the request is taken from the driver meanwhile, it is
//! neither sent again nor freed, and no forwarder gets it back, before that.

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
    }, //
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
    /// Makes the requests of an owner, of which there is none yet. May sleep.
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

    /// Calls the driver that a request is with now, or has a worker do so. Returns whether the request
    /// is completed.
    #[inline(always)]
    pub(super) fn call(&self, passed: Passed<'_>) -> bool {
        self.call_and_return(passed).1
    }

    /// As [`Requests::call`]. Returns also what the driver's dispatch routine has returned; 0 if it was not
    /// called here.
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
                self.have_dispatched(record, word);
                0
            }
        };
        // A request that is sent again was completed.
        let is_completed = !record.word().is_on_its_way() || record.sendings.get() != sending;
        (returned, is_completed)
    }

    #[cold]
    #[inline(never)]
    fn have_dispatched(&self, record: &Record, word: Word) {
        if record.telling().is_on() {
            self.trace_call(record, word);
        }
        self.workers.enqueue(record);
    }

    /// Calls the dispatch routine of the driver that a request is with since `word`, in the sender's
    /// context. Returns what the routine has returned, and 0 if it was not called.
    #[inline(always)]
    fn dispatch(&self, record: &Record, receiver: &Inside<'_>, word: Word) -> c_int {
        // If it is that of this generation, it is this one.
        let in_place = word.has(bits::RUN) && record.is_frame_of(word.seq());
        let mut view = record.view(word);
        if in_place {
            view.input = record.input.get().cast_const().cast();
            view.output = record.output.get().cast();
        }
        // Unless the buffers are in place, the request may have been taken and sent to another driver meanwhile:
        // then the view is what that driver is to see.
        if !in_place && !record.is_still(word) {
            return 0;
        }
        let tells = record.telling().is_on();
        if tells {
            self.trace_call(record, word);
            Self::trace_dispatch(record, receiver, &view);
        }
        let returned = receiver.dispatch(&view);
        let now = record.word();
        // As usual, the routine has completed the request, and so has given up the buffers.
        if now.is_held_as(word.seq()) || in_place && now.has(bits::RUN) {
            self.end_frame(record, receiver, word, in_place, returned);
        }
        returned
    }

    /// Ends the call of a dispatch routine that has not completed the request, or from which it was
    /// taken.
    #[cold]
    #[inline(never)]
    fn end_frame(
        &self,
        record: &Record,
        receiver: &Driver,
        before: Word,
        in_place: bool,
        returned: c_int,
    ) {
        let seq = before.seq();
        loop {
            let now = record.word();
            if now.is_held_as(seq) && returned != PENDING {
                let Some(claimed) = word::COMPLETE.of(now) else {
                    return;
                };
                let is_ours = in_place && record.is_inside(now, seq);
                let claimed = claimed.with(bits::RUN, now.has(bits::RUN) && !is_ours);
                if record.change(now, claimed).is_err() {
                    continue;
                }
                record.fail(EIO.to_errno(), abi::D2D_ENDED_NOT_COMPLETED);
                self.refuse_uncompleted(receiver, returned);
                self.finish(record);
                return;
            }
            if now.is_held_as(seq) && record.telling().is_on() {
                self.trace_pend(record, receiver, before);
            }
            if in_place {
                self.give_up_buffers(record);
            }
            return;
        }
    }

    /// Notes that the calling frame leaves a request pending, and gives up the buffers; see
    /// `d2d_request_pend`.
    ///
    /// Calls no routine of a driver, so the caller may hold a lock of its own: a request that was taken
    /// meanwhile keeps [`RUN`](bits::RUN), and goes up when the dispatch routine has returned.
    pub(crate) fn pend(&self, handle: abi::d2d_handle) -> Result {
        let (record, seq) = self
            .held(handle)
            .map_err(|refusal| self.refuse(refusal, handle))?;
        loop {
            let word = record.word();
            if !word.is_held_as(seq) {
                return Err(self.refuse(self.stale_hold(record, seq), handle));
            }
            if !record.is_inside(word, seq) || record.step(&word::FRAME_END, word).is_some() {
                return Ok(());
            }
        }
    }

    /// Notes that the calling frame does not use the buffers any more, and does what has waited for that. Does
    /// nothing if the frame has given them up: an interrupt on this CPU may complete the request meanwhile, as if
    /// the frame did so, and then another frame may use the buffers.
    pub(super) fn give_up_buffers(&self, record: &Record) {
        loop {
            let now = record.word();
            // Frames of a task end in the reverse order, so one of this task is the calling one.
            if !now.has(bits::RUN) || !record.frame_is_of(Task::current_raw() as u64) {
                return;
            }
            let Some(new) = record.step(&word::FRAME_END, now) else {
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

    /// Dispatches a request whose sender could not sleep, if it was not taken back meanwhile. May sleep.
    pub(super) fn dispatch_queued(&self, record: &Record) {
        let word = record.word();
        if !word.is(Phase::Held) || !word.has(bits::QUEUED) {
            return;
        }
        // The requests of a departing driver are taken back.
        let Some(receiver) = self.registry.enter_staying(record.holder(word)) else {
            return;
        };
        let word = loop {
            let now = record.word();
            if now.seq() != word.seq() {
                // It has changed hands, and its new sender has queued it, too.
                return;
            }
            if word::DEQUEUE.of(now).is_none() {
                return;
            }
            if let Some(word) = record.step(&word::DEQUEUE, now) {
                break word;
            }
        };
        let view = record.view(word);
        // The request may have been taken and sent to another driver meanwhile.
        if !record.is_still(word) {
            return;
        }
        if record.telling().is_on() {
            Self::trace_dispatch(record, &receiver, &view);
        }
        let returned = receiver.dispatch(&view);
        if record.word().is_held_as(word.seq()) {
            self.end_frame(record, &receiver, word, false, returned);
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
        record.telling().tell(
            driver.name(),
            Step::D2D_STEP_DISPATCH,
            &fields![req: record.number(), major: view.major_function, code: view.code],
        );
    }

    fn trace_pend(&self, record: &Record, driver: &Driver, word: Word) {
        record.telling().tell(
            driver.name(),
            Step::D2D_STEP_PEND,
            &fields![req: record.number(), code: record.code(word)],
        );
    }

    fn refuse_uncompleted(&self, driver: &Driver, returned: c_int) {
        refuse!(self.owner, "not-completed", EIO, by: driver.name(), returned: returned);
    }
}

/// Runs in a worker.
///
/// # Safety
///
/// `work` is the work item of a record, whose [`Requests`] live.
unsafe extern "C" fn run(work: *mut bindings::work_struct) {
    // SAFETY: The caller says that it is that of a record.
    let record = unsafe { Record::of_work(work) };
    // SAFETY: Only `Requests::new` makes records, as a part of the requests. These do not move, and outlive their
    // workers.
    let requests = unsafe { &*container_of!(record.records(), Requests, records) };
    requests.dispatch_queued(record);
}

// SPDX-License-Identifier: GPL-2.0

//! Allocating, sending and forwarding requests.

use super::{
    record::{
        Buffers,
        Record, //
    },
    word::{
        self,
        bits,
        Phase,
        Word, //
    },
    Requests,
    IN_USE,
    ON_ITS_WAY,
    PENDING,
    STALE_REQUEST, //
};
use crate::{
    export::Arg,
    handle::{
        self,
        Kind, //
    },
    probe::Stack,
    registry::Refusal,
    slot::{
        has,
        Inside, //
    },
    trace,
    tracing::Tracing, //
};
use core::mem::MaybeUninit;
use d2d::{
    abi::{
        self,
        d2d_handle, //
    },
    fields,
    header,
    hot_step,
    refuse,
    trace::{
        report_memory,
        Step, //
    },
    word::AtomicOnce as _, //
};
use kernel::{
    prelude::*,
    task::might_sleep,
    time::{
        delay::fsleep,
        Delta, //
    }, //
};

/// A request that was just sent or forwarded.
pub(super) struct Passed<'a> {
    pub(super) record: &'a Record,
    /// The receiver, which the calling thread has entered; `None` if a worker is to call it.
    pub(super) receiver: Option<Inside<'a>>,
    /// The word by which the request came to its receiver.
    pub(super) word: Word,
    /// The value that the record's `sendings` has had since this send.
    pub(super) sending: u32,
}

const NO_COMPLETED: Refusal = ("no-completion-routine", EINVAL);
const NO_RETURNED: Refusal = ("no-return-routine", EINVAL);

fn why_not(word: Word) -> Refusal {
    match word.phase() {
        Phase::Free => STALE_REQUEST,
        Phase::Idle if word.has(bits::ORPHAN) => STALE_REQUEST,
        Phase::Idle if word.has(bits::WAITERS) => ("request-waited-for", EBUSY),
        Phase::Idle => IN_USE,
        _ => ON_ITS_WAY,
    }
}

/// Returns the [routine](has) that the sender must have, or 0 if `send` asks for none.
#[inline(always)]
fn routine_of(send: &abi::d2d_send, routine: u32) -> u32 {
    match send.flags & abi::D2D_SEND_ROUTINE {
        0 => 0,
        _ => routine,
    }
}

/// Returns whether the sending thread calls the receiver itself.
#[inline(always)]
fn is_inline(send: &abi::d2d_send, receiver: &Inside<'_>) -> bool {
    send.flags & abi::D2D_SEND_ATOMIC == 0 || receiver.is_atomic()
}

impl Requests {
    /// See `d2d_request_alloc`. May sleep.
    pub(crate) fn alloc(&self, sender: d2d_handle, input: u32, output: u32) -> Result<d2d_handle> {
        let max = abi::D2D_BUFFER_SIZE;
        if input.max(output) > max {
            return Err(refuse!(
                self.owner, "buffer-too-large", EMSGSIZE, input: input, output: output, max: max
            ));
        }
        let buffers =
            Buffers::new(input, output).map_err(|error| report_memory(self.owner, error))?;
        let record = self.records.take().map_err(|error| match error {
            EAGAIN => self.refuse(("too-many-requests", EAGAIN), sender),
            error => report_memory(self.owner, error),
        })?;
        record.make(sender, input, output, buffers);
        let handle = record.handle();
        // This cannot fail: this thread has the record alone in `Fill`.
        let _ = record.go(&word::MADE);
        // The check comes after the transition. If the driver begins to leave after the check, the
        // thread that unregisters the driver finds the request.
        if let Err(refusal) = self.registry.check_sender(sender, 0, NO_COMPLETED) {
            // A thread that has guessed the handle may have claimed the request. It learns that the
            // driver is leaving, and gives up the claim.
            while self.discard(handle) == Err(ON_ITS_WAY) {
                fsleep(Delta::from_millis(1));
            }
            return Err(self.refuse(refusal, sender));
        }
        Ok(handle)
    }

    /// Copies `send` and checks the copy. Only the library (`by_library`) may use the code of a
    /// handshake.
    #[inline(always)]
    fn check<'s>(
        &self,
        send: *const abi::d2d_send,
        by_library: bool,
        stack: Stack,
        copy: &'s mut MaybeUninit<abi::d2d_send>,
    ) -> Result<&'s abi::d2d_send> {
        let send = stack
            .read_into(send, copy)
            .ok_or_else(|| self.refuse_pointer())?;
        let known: u32 = abi::D2D_SEND_ROUTINE | abi::D2D_SEND_ATOMIC | abi::D2D_SEND_TRACE;
        if !header::is::<abi::d2d_send>(&send.hdr, abi::D2D_SEND_MAGIC)
            || (send.code == abi::D2D_IOCTL_SHARE_CONTEXT) != by_library
            || send.major_function != abi::D2D_MJ_INTERNAL_DEVICE_CONTROL
            || send.flags & !known != 0
            || send.reserved != 0
        {
            return Err(self.refuse_send(send));
        }
        Ok(send)
    }

    #[cold]
    #[inline(never)]
    fn refuse_pointer(&self) -> Error {
        refuse!(self.owner, "bad-send-pointer", EFAULT)
    }

    #[cold]
    #[inline(never)]
    fn refuse_send(&self, send: &abi::d2d_send) -> Error {
        let magic = abi::D2D_SEND_MAGIC;
        if let Err(error) = header::check::<abi::d2d_send>(self.owner, "send", &send.hdr, magic) {
            return error;
        }
        let reason = if send.code == abi::D2D_IOCTL_SHARE_CONTEXT {
            "reserved-code"
        } else if send.major_function != abi::D2D_MJ_INTERNAL_DEVICE_CONTROL {
            "unknown-function"
        } else {
            "bad-flags"
        };
        refuse!(
            self.owner, reason, EINVAL, major: send.major_function, code: send.code,
            flags: send.flags
        )
    }

    /// Refuses a send without `D2D_SEND_ATOMIC` if the caller must not sleep: the dispatch routine
    /// may sleep.
    #[inline(always)]
    fn check_context(&self, send: &abi::d2d_send, handle: d2d_handle) -> Result {
        if send.flags & abi::D2D_SEND_ATOMIC == 0 {
            if !trace::may_sleep() {
                return Err(self.refuse(("send-in-atomic-context", EDEADLK), handle));
            }
            // On a debugging kernel, this reports contexts that `may_sleep` does not know.
            might_sleep();
        }
        Ok(())
    }

    #[inline(always)]
    fn claim(&self, handle: d2d_handle) -> Result<(&Record, Word), Refusal> {
        let (record, generation) = self.records.find(Kind::Sent, handle).ok_or(STALE_REQUEST)?;
        loop {
            let idle = record.word();
            if !record.has_sent_generation(generation) {
                return Err(STALE_REQUEST);
            }
            if word::CLAIM.apply(idle).is_none() {
                return Err(why_not(idle));
            }
            if let Some(filling) = record.transition(&word::CLAIM, idle) {
                return Ok((record, filling));
            }
        }
    }

    /// See `d2d_request_send`. Returns whether the request is completed.
    pub(crate) fn send(&self, handle: d2d_handle, send: Arg<*const abi::d2d_send>) -> Result<bool> {
        Ok(self.call(self.start(handle, send.get(), false)?))
    }

    /// Sends the request of a handshake. Returns whether it is completed. A request that the driver has
    /// pended counts as not completed, even if another thread has completed it meanwhile. So the
    /// steps of a handshake do not depend on the speed of that thread. May sleep.
    pub(crate) fn send_handshake(&self, handle: d2d_handle, send: &abi::d2d_send) -> Result<bool> {
        let (returned, is_completed) = self.call_and_return(self.start(handle, send, true)?);
        Ok(is_completed && returned != PENDING)
    }

    /// Checks `send`, and gives the request to its receiver. The caller calls the receiver next.
    #[inline(never)]
    fn start(
        &self,
        handle: d2d_handle,
        send: *const abi::d2d_send,
        by_library: bool,
    ) -> Result<Passed<'_>> {
        let (stack, mut copy) = (Stack::current(), MaybeUninit::uninit());
        let send = self.check(send, by_library, stack, &mut copy)?;
        self.prepare::<false>(handle, send, stack)
    }

    /// As [`Requests::send`], and counts the calling thread as waiting. Returns the record, and whether the
    /// caller may sleep.
    #[inline(always)]
    pub(super) fn send_and_wait(
        &self,
        handle: d2d_handle,
        send: Arg<*const abi::d2d_send>,
        stack: Stack,
    ) -> Result<(&Record, bool)> {
        let mut copy = MaybeUninit::uninit();
        let send = self.check(send.get(), false, stack, &mut copy)?;
        if send.flags & abi::D2D_SEND_ROUTINE != 0 {
            return Err(self.refuse(super::wait::HAS_ROUTINE, handle));
        }
        let passed = self.prepare::<true>(handle, send, stack)?;
        let record = passed.record;
        self.call(passed);
        Ok((record, send.flags & abi::D2D_SEND_ATOMIC == 0))
    }

    /// Claims a request, fills it in and gives it to its receiver. With `WAITS`, counts the calling
    /// thread as waiting.
    #[inline(always)]
    pub(super) fn prepare<const WAITS: bool>(
        &self,
        handle: d2d_handle,
        send: &abi::d2d_send,
        stack: Stack,
    ) -> Result<Passed<'_>> {
        self.check_context(send, handle)?;
        let claimed = self.claim(handle);
        let (record, filling) = claimed.map_err(|refusal| self.refuse(refusal, handle))?;
        match self.fill(record, send, stack) {
            Ok((receiver, inline)) => {
                Ok(self.publish::<WAITS>(record, filling, send, stack, receiver, inline))
            }
            Err(refusal) => {
                if let Some(idle) = word::UNCLAIM.apply(filling) {
                    record.publish(idle);
                }
                Err(self.refuse(refusal, handle))
            }
        }
    }

    /// Copies the input, and enters the receiver. Returns the receiver, and whether this thread calls it.
    #[inline(always)]
    fn fill(
        &self,
        record: &Record,
        send: &abi::d2d_send,
        stack: Stack,
    ) -> Result<(Inside<'_>, bool), Refusal> {
        if send.input_len > record.input_size.get() || send.output_len > record.output_size.get() {
            return Err(("buffer-too-small", EMSGSIZE));
        }
        let needs = routine_of(send, has::COMPLETED);
        // The check comes after the claim. If the sender begins to leave after the check, the thread
        // that unregisters the sender finds the claim.
        self.registry
            .check_sender(record.sender(), needs, NO_COMPLETED)?;
        let length = send.input_len as usize;
        // SAFETY: The input has room for `input_size` bytes, at least `length`, and this thread has
        // the request alone.
        if length > 0 && !unsafe { stack.copy(record.input.get(), send.input.cast(), length) } {
            return Err(("bad-input-pointer", EFAULT));
        }
        let receiver = self.registry.enter_target(stack.task(), send.to)?;
        let inline = is_inline(send, &receiver);
        Ok((receiver, inline))
    }

    /// Writes the remaining fields, and gives the request to its receiver.
    #[inline(always)]
    fn publish<'a, const WAITS: bool>(
        &'a self,
        record: &'a Record,
        filling: Word,
        send: &abi::d2d_send,
        stack: Stack,
        receiver: Inside<'a>,
        inline: bool,
    ) -> Passed<'a> {
        let sending = record.sendings.get().wrapping_add(1).max(1);
        record.sendings.set(sending);
        let mut flags = send.flags;
        if hot_step::traces_requests() && send.code != abi::D2D_IOCTL_SHARE_CONTEXT {
            flags |= Tracing::TRACEPOINT;
        }
        record.flags.set(flags);
        record.user_buffer.set(send.user_buffer);
        record.input_len.set(send.input_len);
        record.output_room.set(send.output_len);
        record.tag.set(send.tag);
        record.information.set(0);
        record.status.set(0);
        record.output_len.set(0);
        record.ended.set(abi::D2D_ENDED_COMPLETED);
        let [level, ..] = &record.levels;
        level.to.set(handle::driver_of(send.to));
        level.code.set(send.code);
        level.wants_back.set(0);
        // `Fill` allows `SEND`, so `apply` returns a word.
        let word = word::SEND.apply(filling).unwrap_or(filling);
        let in_place = inline && receiver.uses_in_place();
        let word = word
            .assign(bits::IN_PLACE, in_place)
            .assign(bits::QUEUED, !inline);
        let word = word.plus(if WAITS { bits::WAITER } else { 0 });
        if in_place {
            record.set_in_place_call(stack.task(), word.generation());
        }
        if record.tracing().is_on() {
            self.trace_build(record, send);
        }
        // From here on other threads may complete or cancel the request.
        record.publish(word);
        Passed {
            record,
            receiver: inline.then_some(receiver),
            word,
            sending,
        }
    }

    #[cold]
    #[inline(never)]
    fn trace_build(&self, record: &Record, send: &abi::d2d_send) {
        self.trace(
            record,
            record.sender(),
            Step::D2D_STEP_BUILD_REQUEST,
            &fields![
                major: send.major_function,
                code: send.code,
                input: send.input_len,
                output: send.output_len,
            ],
        );
    }

    /// See `d2d_request_forward`. Returns whether the request is completed.
    pub(crate) fn forward(
        &self,
        handle: d2d_handle,
        send: Arg<*const abi::d2d_send>,
    ) -> Result<bool> {
        let (stack, mut copy) = (Stack::current(), MaybeUninit::uninit());
        let send = self.check(send.get(), false, stack, &mut copy)?;
        self.check_context(send, handle)?;
        let passed = self.pass_on(handle, send, stack);
        Ok(self.call(passed.map_err(|refusal| self.refuse(refusal, handle))?))
    }

    /// Claims a request that a driver holds, and gives it to the next receiver.
    pub(super) fn pass_on(
        &self,
        handle: d2d_handle,
        send: &abi::d2d_send,
        stack: Stack,
    ) -> Result<Passed<'_>, Refusal> {
        let (record, generation) = self.held(handle)?;
        // After the claim, only this thread writes to the levels.
        let (claimed, level) = loop {
            let held = record.word();
            if word::FORWARD.apply(held).is_none() || held.generation() != generation {
                return Err(self.why_stale(record, generation));
            }
            if record.is_handshake() {
                return Err(("handshake-forwarded", EINVAL));
            }
            let Some(level) = record.levels.get(held.level()) else {
                return Err(("no-stack-location", E2BIG));
            };
            if let Some(claimed) = record.transition(&word::FORWARD, held) {
                break (claimed, level);
            }
        };
        match self.next_receiver(record, claimed, send, stack) {
            Ok(receiver) => {
                let inline = is_inline(send, &receiver);
                level.to.set(handle::driver_of(send.to));
                level.code.set(send.code);
                level
                    .wants_back
                    .set(u32::from(send.flags & abi::D2D_SEND_ROUTINE != 0));
                self.publish_below(record, generation, send, stack, receiver, inline)
            }
            Err(refusal) => match record.go(&word::FORWARD_REFUSED) {
                Ok(_) => Err(refusal),
                Err(_) => Err(self.end_recalled(record)),
            },
        }
    }

    fn next_receiver(
        &self,
        record: &Record,
        claimed: Word,
        send: &abi::d2d_send,
        stack: Stack,
    ) -> Result<Inside<'_>, Refusal> {
        let needs = routine_of(send, has::RETURNED);
        self.registry
            .check_sender(record.holder(claimed), needs, NO_RETURNED)?;
        self.registry.enter_target(stack.task(), send.to)
    }

    /// Gives a claimed request to the next receiver, unless the request was cancelled meanwhile.
    fn publish_below<'a>(
        &'a self,
        record: &'a Record,
        generation: u32,
        send: &abi::d2d_send,
        stack: Stack,
        receiver: Inside<'a>,
        inline: bool,
    ) -> Result<Passed<'a>, Refusal> {
        record
            .flags
            .set(record.flags.get() | send.flags & abi::D2D_SEND_TRACE);
        record.ended.set(abi::D2D_ENDED_COMPLETED);
        let sending = record.sendings.get();
        // If this thread is in the in-place call, it gives up the buffers. If another in-place call or a
        // copy uses them, the receiver cannot use them in place.
        let is_ours = record.is_inside(record.word(), generation);
        loop {
            let claimed = record.word();
            let Some(word) = word::FORWARDED.apply(claimed) else {
                drop(receiver);
                return Err(self.end_recalled(record));
            };
            let is_free = is_ours || !claimed.has(bits::IN_PLACE);
            let in_place =
                inline && is_free && !claimed.has(bits::PINS) && receiver.uses_in_place();
            let word = word.assign(bits::IN_PLACE, !is_free || in_place);
            let word = word.assign(bits::QUEUED, !inline);
            if in_place {
                record.set_in_place_call(stack.task(), word.generation());
            }
            if record.change(claimed, word).is_ok() {
                return Ok(Passed {
                    record,
                    receiver: inline.then_some(receiver),
                    word,
                    sending,
                });
            }
        }
    }

    /// Ends a request that was cancelled while its holder was forwarding it. If an in-place call still
    /// uses the buffers, the end of that call delivers the request. Returns the forwarder's refusal.
    pub(super) fn end_recalled(&self, record: &Record) -> Refusal {
        // Only this thread ends the phase `Forward`, so the loop ends.
        let cancelled = loop {
            if let Some(cancelled) = record.park(&word::FORWARD_RECALLED, record.word()) {
                break cancelled;
            }
        };
        if cancelled.is_over() {
            self.deliver(record);
        }
        super::CANCELLED
    }
}

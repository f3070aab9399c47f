// SPDX-License-Identifier: GPL-2.0

//! Making, sending and forwarding requests.

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
    handle::{
        self,
        Kind, //
    },
    registry::Refusal,
    slot::{
        has,
        Inside, //
    },
    telling::Telling,
    trace, //
};
use core::mem::MaybeUninit;
use d2d::{
    abi::{
        self,
        d2d_handle, //
    },
    fields,
    header,
    point,
    probe::Stack,
    refuse,
    trace::{
        report_memory,
        Step, //
    }, //
};
use kernel::{
    prelude::*,
    task::might_sleep, //
};

/// A request that is with a driver from here on.
pub(super) struct Passed<'a> {
    pub(super) record: &'a Record,
    /// The driver that it is with, unless a worker calls it.
    pub(super) receiver: Option<Inside<'a>>,
    /// The word that it was published with.
    pub(super) word: Word,
    pub(super) sending: u32,
}

const NO_COMPLETED: Refusal = ("no-completion-routine", EINVAL);
const NO_RETURNED: Refusal = ("no-return-routine", EINVAL);

/// Why a request is not sent, with the state that says so.
fn why_not(word: Word) -> Refusal {
    match word.phase() {
        Phase::Free => STALE_REQUEST,
        Phase::Idle if word.has(bits::ORPHAN) => STALE_REQUEST,
        Phase::Idle if word.has(bits::WAITERS) => ("request-waited-for", EBUSY),
        Phase::Idle => IN_USE,
        _ => ON_ITS_WAY,
    }
}

/// Returns which routine the sender needs, of [`has`]: `routine` if the request is to come back by it.
#[inline(always)]
fn routine_of(send: &abi::d2d_send, routine: u32) -> u32 {
    match send.flags & abi::D2D_SEND_ROUTINE {
        0 => 0,
        _ => routine,
    }
}

/// Returns whether the receiver is called in the sender's context.
#[inline(always)]
fn is_inline(send: &abi::d2d_send, receiver: &Inside<'_>) -> bool {
    send.flags & abi::D2D_SEND_ATOMIC == 0 || receiver.is_atomic()
}

impl Requests {
    /// Makes a request of a driver's; see `d2d_request_alloc`. May sleep.
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
        // It is this thread's alone until then.
        let _ = record.go(&word::MADE);
        // After that: if this does not see that the driver is leaving, the thread that unregisters it sees
        // the request.
        if let Err(refusal) = self.registry.check_sender(sender, 0, NO_COMPLETED) {
            let _ = self.discard(handle);
            return Err(self.refuse(refusal, sender));
        }
        Ok(handle)
    }

    /// Copies what a driver says of what it sends.
    #[inline(always)]
    fn check<'s>(
        &self,
        send: *const abi::d2d_send,
        by_library: bool,
        stack: Stack,
        copy: &'s mut MaybeUninit<abi::d2d_send>,
    ) -> Result<&'s abi::d2d_send> {
        // SAFETY: There is room for the structure.
        let copied = unsafe {
            stack.copy(
                copy.as_mut_ptr().cast(),
                send.cast(),
                size_of::<abi::d2d_send>(),
            )
        };
        if !copied || !send.is_aligned() {
            return Err(self.refuse_pointer());
        }
        // SAFETY: All of it was copied; it is made of numbers and pointers, all of which may be null.
        let send = unsafe { copy.assume_init_ref() };
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

    /// Refuses a send that may sleep, because the receiver's dispatch routine may, in a context that
    /// must not sleep.
    #[inline(always)]
    fn check_context(&self, send: &abi::d2d_send, handle: d2d_handle) -> Result {
        if send.flags & abi::D2D_SEND_ATOMIC == 0 {
            if !trace::may_sleep() {
                return Err(self.refuse(("send-in-atomic-context", EDEADLK), handle));
            }
            // A debugging kernel finds more contexts here that must not sleep.
            might_sleep();
        }
        Ok(())
    }

    /// Claims a request for sending it. Returns its state since then.
    #[inline(always)]
    fn claim(&self, handle: d2d_handle) -> Result<(&Record, Word), Refusal> {
        let (record, id) = self.records.find(Kind::Sent, handle).ok_or(STALE_REQUEST)?;
        loop {
            let idle = record.word();
            if !record.is(id) {
                return Err(STALE_REQUEST);
            }
            if word::CLAIM.of(idle).is_none() {
                return Err(why_not(idle));
            }
            if let Some(filling) = record.step(&word::CLAIM, idle) {
                return Ok((record, filling));
            }
        }
    }

    /// Sends a request; see `d2d_request_send`. Returns whether it is completed.
    ///
    /// # Safety
    ///
    /// If a structure is found at `send`, it keeps to what `d2d_request_send` says.
    pub(crate) unsafe fn send(
        &self,
        handle: d2d_handle,
        send: *const abi::d2d_send,
    ) -> Result<bool> {
        Ok(self.call(self.start(handle, send, false)?))
    }

    /// Sends the request of a handshake to a driver, as `d2d_request_send` does. Returns whether it is
    /// completed. If its driver has pended it, it is not, even if another thread has completed it meanwhile:
    /// the steps of a handshake do not depend on how fast that thread is. May sleep.
    pub(crate) fn send_handshake(&self, handle: d2d_handle, send: &abi::d2d_send) -> Result<bool> {
        let (returned, is_completed) = self.call_and_return(self.start(handle, send, true)?);
        Ok(is_completed && returned != PENDING)
    }

    /// Puts a request with its receiver, which is called next.
    #[inline(always)]
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

    /// As [`Requests::send`], and counts the caller among those that wait for the request. Returns the
    /// record, and whether the caller may sleep.
    ///
    /// # Safety
    ///
    /// As for [`Requests::send`].
    #[inline(always)]
    pub(super) unsafe fn send_and_wait(
        &self,
        handle: d2d_handle,
        send: *const abi::d2d_send,
        stack: Stack,
    ) -> Result<(&Record, bool)> {
        let mut copy = MaybeUninit::uninit();
        let send = self.check(send, false, stack, &mut copy)?;
        if send.flags & abi::D2D_SEND_ROUTINE != 0 {
            return Err(self.refuse(super::wait::HAS_ROUTINE, handle));
        }
        let passed = self.prepare::<true>(handle, send, stack)?;
        let record = passed.record;
        self.call(passed);
        Ok((record, send.flags & abi::D2D_SEND_ATOMIC == 0))
    }

    /// Checks what a driver sends, and puts the request with its receiver.
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
                if let Some(idle) = word::UNCLAIM.of(filling) {
                    record.publish(idle);
                }
                Err(self.refuse(refusal, handle))
            }
        }
    }

    /// Checks a claimed request against what is sent, copies the input, and enters the receiver. Returns
    /// it, and whether it is called here.
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
        // After the claim: if this does not see that the sender is leaving, the thread that unregisters it
        // sees the claim.
        self.registry
            .check_sender(record.sender(), needs, NO_COMPLETED)?;
        let length = send.input_len as usize;
        // SAFETY: The input is as long, and this thread has the request alone.
        if length > 0 && !unsafe { stack.copy(record.input.get(), send.input.cast(), length) } {
            return Err(("bad-input-pointer", EFAULT));
        }
        let receiver = self.registry.enter_target(stack.task(), send.to)?;
        let inline = is_inline(send, &receiver);
        Ok((receiver, inline))
    }

    /// Puts a filled request with its receiver.
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
        if point::requests() && send.code != abi::D2D_IOCTL_SHARE_CONTEXT {
            flags |= Telling::POINT;
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
        level.to.set(handle::target(send.to));
        level.code.set(send.code);
        level.returns.set(0);
        // It is in `Fill`, from which this is allowed.
        let word = word::SEND.of(filling).unwrap_or(filling);
        let in_place = inline && receiver.uses_in_place();
        let word = word.with(bits::RUN, in_place).with(bits::QUEUED, !inline);
        let word = word.plus(if WAITS { bits::WAITER } else { 0 });
        if in_place {
            record.set_frame(stack.task(), word.seq());
        }
        if record.telling().is_on() {
            self.trace_build(record, send);
        }
        // From here on others may complete it, or take it back.
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

    /// Passes a request on; see `d2d_request_forward`. Returns whether it is completed.
    ///
    /// # Safety
    ///
    /// If a structure is found at `send`, it keeps to what `d2d_request_forward` says.
    pub(crate) unsafe fn forward(
        &self,
        handle: d2d_handle,
        send: *const abi::d2d_send,
    ) -> Result<bool> {
        let (stack, mut copy) = (Stack::current(), MaybeUninit::uninit());
        let send = self.check(send, false, stack, &mut copy)?;
        self.check_context(send, handle)?;
        let passed = self.pass_on(handle, send, stack);
        Ok(self.call(passed.map_err(|refusal| self.refuse(refusal, handle))?))
    }

    /// Passes a request that a driver holds on to another driver.
    fn pass_on(
        &self,
        handle: d2d_handle,
        send: &abi::d2d_send,
        stack: Stack,
    ) -> Result<Passed<'_>, Refusal> {
        let (record, seq) = self.held(handle)?;
        // Claimed, so that the levels are this thread's.
        let (claimed, level) = loop {
            let held = record.word();
            if word::FORWARD.of(held).is_none() || held.seq() != seq {
                return Err(self.stale_hold(record, seq));
            }
            if record.is_handshake() {
                return Err(("handshake-forwarded", EINVAL));
            }
            let Some(level) = record.levels.get(held.level()) else {
                return Err(("no-stack-location", E2BIG));
            };
            if let Some(claimed) = record.step(&word::FORWARD, held) {
                break (claimed, level);
            }
        };
        match self.next_receiver(record, claimed, send, stack) {
            Ok(receiver) => {
                let inline = is_inline(send, &receiver);
                level.to.set(handle::target(send.to));
                level.code.set(send.code);
                level
                    .returns
                    .set(u32::from(send.flags & abi::D2D_SEND_ROUTINE != 0));
                self.publish_below(record, seq, send, stack, receiver, inline)
            }
            Err(refusal) => match record.go(&word::FORWARD_REFUSED) {
                Ok(_) => Err(refusal),
                Err(_) => Err(self.recalled(record)),
            },
        }
    }

    /// Checks that a forwarder may pass a claimed request on, and enters the receiver.
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

    /// Puts a claimed request with the receiver below, unless it was cancelled meanwhile.
    fn publish_below<'a>(
        &'a self,
        record: &'a Record,
        seq: u32,
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
        // If this is the frame that uses the buffers, it gives them away. If another one does, the receiver
        // cannot use them in place.
        let is_ours = record.is_inside(record.word(), seq);
        loop {
            let claimed = record.word();
            let Some(word) = word::FORWARDED.of(claimed) else {
                drop(receiver);
                return Err(self.recalled(record));
            };
            let is_free = is_ours || !claimed.has(bits::RUN);
            let in_place = inline && is_free && receiver.uses_in_place();
            let word = word.with(bits::RUN, !is_free || in_place);
            let word = word.with(bits::QUEUED, !inline);
            if in_place {
                record.set_frame(stack.task(), word.seq());
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

    /// Takes a request from its forwarder that was cancelled while the forwarder passed it on. A frame that uses
    /// the buffers, most often the forwarder's own, delivers the request when it ends.
    pub(super) fn recalled(&self, record: &Record) -> Refusal {
        // Only this thread ends the forwarding.
        let taken = loop {
            if let Some(taken) = record.park(&word::FORWARD_RECALLED, record.word()) {
                break taken;
            }
        };
        if taken.is_over() {
            self.deliver(record);
        }
        super::TAKEN_BACK
    }
}

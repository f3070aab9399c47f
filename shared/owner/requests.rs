// SPDX-License-Identifier: GPL-2.0

//! Requests at any time, from any registered driver to any other.
//!
//! A request is made once and sent as often as needed. Its sender names it by the handle that it got
//! when it was made; whoever it is with by another, which is new each time that the request changes
//! hands, so that a handle kept for too long names nothing. Both work on the request only through
//! here, under one lock: nobody has a pointer to it, nor to its buffers, and it can be taken from
//! whoever has it without asking.
//!
//! Completing a request and taking it back claim it first: it is [`Phase::Busy`] then, and of all
//! that try exactly one has done that. A request has one [`Level`] for each driver that it is with,
//! the one below having got it from the one above; completing goes back up level by level.
//!
//! The lock is taken with interrupts disabled, and held for as long as it takes to copy
//! `D2D_BUFFER_SIZE` bytes, or to look through 64 requests. The registry's is taken inside it.

use crate::{
    completion::Completion,
    entry::{
        Entry,
        Inner,
        Level,
        Packet,
        Phase,
        Refusal,
        LEAVING,
        NO_RESULT,
        SENDER,
        TAKEN_BACK, //
    },
    recall::Taker,
    registry::{
        self,
        Driver,
        Registry, //
    },
    table::{
        Chunk,
        Lacking, //
    },
    visit::Visit,
    workers::{
        RawQueue,
        Workers, //
    }, //
};
use core::pin::pin;
use d2d::{
    abi::{
        self,
        d2d_handle, //
    },
    header,
    probe,
    trace::{
        emit,
        refuse,
        report_memory,
        Step, //
    }, //
};
use kernel::{
    bindings,
    ffi::c_int,
    prelude::*,
    sync::{
        new_spinlock_irq,
        Arc,
        SpinLockIrq,
        UniqueArc, //
    },
    task::might_sleep,
    workqueue::new_work, //
};

/// Requests that there can be at a time, of all drivers.
const REQUESTS: usize = 4096;

/// What dispatch routines return for a request that they complete later.
pub(crate) const PENDING: c_int = -(abi::D2D_STATUS_PENDING as c_int);

/// Refuses a status that is neither 0 nor an errno, or one that says that there is none yet.
pub(crate) fn check_status(owner: &CStr, status: c_int) -> c_int {
    let errno = (-(bindings::MAX_ERRNO as c_int)..0).contains(&status);
    if status == 0 || errno && status != PENDING && status != EINPROGRESS.to_errno() {
        return status;
    }
    refuse(owner, "bad-status", EIO, fmt!("status={}", status)).to_errno()
}

/// A driver that a request is sent to.
struct Receiver {
    to: d2d_handle,
    driver: Driver,
    /// Whether a visit to it has begun, else a worker calls it.
    inline: bool,
}

/// A request that is with a driver from here on.
struct Passed {
    key: d2d_handle,
    from: d2d_handle,
    receiver: Receiver,
    view: abi::d2d_request,
    sending: u32,
    traced: bool,
    packet: Arc<Packet>,
}

/// The requests of all drivers.
#[pin_data]
pub(crate) struct Requests {
    owner: &'static CStr,
    pub(super) registry: Arc<Registry>,
    queue: RawQueue,
    #[pin]
    pub(super) inner: SpinLockIrq<Inner>,
}

impl Requests {
    /// Makes the table. May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    ///
    /// # Safety
    ///
    /// All drivers are unregistered before the workers are dropped.
    pub(crate) unsafe fn new(
        owner: &'static CStr,
        registry: Arc<Registry>,
        workers: &Workers,
    ) -> Result<Arc<Self>> {
        let empty = Inner::new(REQUESTS)?;
        Arc::pin_init(
            pin_init!(Self {
                owner,
                registry,
                queue: workers.queue(),
                inner <- new_spinlock_irq!(empty, "d2d_requests"),
            }),
            GFP_KERNEL,
        )
    }

    pub(super) fn refuse(&self, refusal: Refusal, handle: d2d_handle) -> Error {
        let (reason, error) = refusal;
        if refusal != TAKEN_BACK {
            refuse(self.owner, reason, error, fmt!("handle=0x{:x}", handle));
        }
        error
    }

    /// Prints the line of a step of a request in the name of a driver.
    pub(super) fn trace(
        &self,
        driver: d2d_handle,
        step: Step,
        key: d2d_handle,
        detail: kernel::fmt::Arguments<'_>,
    ) {
        let driver = self.registry.peek(driver);
        let name = driver.as_ref().map_or(c"?", Driver::name);
        emit(name, step, fmt!("req=r{} {}", key as u32, detail));
    }

    /// Makes a request of a driver's; see `d2d_request_alloc`. May sleep.
    pub(crate) fn alloc(
        self: &Arc<Self>,
        sender: d2d_handle,
        input: u32,
        output: u32,
    ) -> Result<d2d_handle> {
        let max = abi::D2D_BUFFER_SIZE;
        if input.max(output) > max {
            return Err(refuse(
                self.owner,
                "buffer-too-large",
                EMSGSIZE,
                fmt!("input={} output={} max={}", input, output, max),
            ));
        }
        self.try_alloc(sender, input, output)
            .map_err(|error| report_memory(self.owner, error))?
            .map_err(|refusal| self.refuse(refusal, sender))
    }

    fn try_alloc(
        self: &Arc<Self>,
        sender: d2d_handle,
        input: u32,
        output: u32,
    ) -> Result<Result<d2d_handle, Refusal>> {
        let input = KVec::from_elem(0u8, input as usize, GFP_KERNEL)?;
        let output = KVec::from_elem(0u8, output as usize, GFP_KERNEL)?;
        let mut packet = UniqueArc::pin_init(
            pin_init!(Packet {
                requests: self.clone(),
                key: 0,
                work <- new_work!("d2d::Packet::work"),
                done <- Completion::new(),
            }),
            GFP_KERNEL,
        )?;
        let mut spare = None;
        loop {
            {
                let mut inner = self.inner.lock();
                // Under the lock, so that who unregisters the driver finds the request.
                match self.registry.peek(sender) {
                    None => return Ok(Err(("stale-driver-handle", ESTALE))),
                    Some(driver) if driver.is_leaving() => return Ok(Err(LEAVING)),
                    Some(_) => {}
                }
                match inner.entries.vacant(&mut spare) {
                    Ok(vacant) => {
                        let key = vacant.handle();
                        *packet.as_mut().project().key = key;
                        vacant.insert(Entry {
                            sender,
                            phase: Phase::Idle,
                            levels: [None; abi::D2D_STACK_SIZE as usize],
                            depth: 0,
                            sendings: 0,
                            major_function: 0,
                            flags: 0,
                            user_buffer: core::ptr::null_mut(),
                            input,
                            input_len: 0,
                            output,
                            output_room: 0,
                            result: NO_RESULT,
                            queued: false,
                            recall: None,
                            orphan: false,
                            packet: packet.into(),
                        });
                        return Ok(Ok(key | SENDER));
                    }
                    Err(Lacking::Room) => return Ok(Err(("too-many-requests", EAGAIN))),
                    Err(Lacking::Chunk) => {}
                }
            }
            spare = Some(Chunk::new(GFP_KERNEL)?);
        }
    }

    /// Copies what a driver says of what it sends.
    fn check(&self, send: *const abi::d2d_send) -> Result<abi::d2d_send> {
        // SAFETY: It is made of numbers and pointers, all of which may be null.
        let send = unsafe { probe::read(send) }
            .ok_or_else(|| refuse(self.owner, "bad-send-pointer", EFAULT, fmt!("")))?;
        header::check::<abi::d2d_send>(self.owner, "send", &send.hdr, abi::D2D_SEND_MAGIC)?;
        let known: u32 = abi::D2D_SEND_ROUTINE | abi::D2D_SEND_ATOMIC | abi::D2D_SEND_TRACE;
        let reason = if send.code == abi::D2D_IOCTL_SHARE_CONTEXT {
            "reserved-code"
        } else if send.major_function != abi::D2D_MJ_INTERNAL_DEVICE_CONTROL {
            "unknown-function"
        } else if send.flags & !known != 0 || send.reserved != 0 {
            "bad-flags"
        } else {
            return Ok(send);
        };
        Err(refuse(
            self.owner,
            reason,
            EINVAL,
            fmt!(
                "major=0x{:02x} code=0x{:08x} flags=0x{:x}",
                send.major_function,
                send.code,
                send.flags
            ),
        ))
    }

    /// The driver that a request is sent to, which cannot leave any more before it was called: either
    /// `visit` has begun then, or it is for a worker to call it. The lock is held.
    fn receiver(&self, send: &abi::d2d_send, visit: Pin<&Visit<'_>>) -> Result<Receiver, Refusal> {
        const STALE: Refusal = ("stale-target", ESTALE);
        let to = registry::target(send.to).ok_or(STALE)?;
        let driver = self.registry.peek(to).ok_or(STALE)?;
        if driver.is_leaving() {
            return Err(("target-is-leaving", ESHUTDOWN));
        }
        let inline = send.flags & abi::D2D_SEND_ATOMIC == 0 || driver.is_atomic();
        if inline {
            visit.begin(to).map_err(|error| (STALE.0, error))?;
        }
        Ok(Receiver { to, driver, inline })
    }

    /// Puts a request, which was made ready for it, with a driver.
    fn hand_over(
        inner: &mut Inner,
        key: d2d_handle,
        send: &abi::d2d_send,
        receiver: Receiver,
    ) -> Result<Passed, Refusal> {
        let hold = inner.next_hold();
        let entry = inner
            .entries
            .get_mut(key)
            .ok_or(("stale-request", ESTALE))?;
        let above = entry.top().map(|level| level.to);
        let from = above.unwrap_or(entry.sender);
        entry.push(Level {
            from,
            to: receiver.to,
            code: send.code,
            returns: send.flags & abi::D2D_SEND_ROUTINE != 0,
            tells: false,
            hold,
        });
        entry.phase = Phase::Held;
        entry.queued = !receiver.inline;
        entry.flags |= send.flags & abi::D2D_SEND_TRACE;
        Ok(Passed {
            key,
            from,
            receiver,
            view: entry.view(key),
            sending: entry.sendings,
            traced: entry.is_traced(),
            packet: entry.packet.clone(),
        })
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
        let send = self.check(send)?;
        if send.flags & abi::D2D_SEND_ATOMIC == 0 {
            might_sleep();
        }
        let visit = pin!(Visit::new(&self.registry));
        let passed = {
            let mut inner = self.inner.lock();
            self.receiver(&send, visit.as_ref()).and_then(|receiver| {
                let key = self.fill(&mut inner, handle, &send)?;
                Self::hand_over(&mut inner, key, &send, receiver)
            })
        };
        let passed = passed.map_err(|refusal| self.refuse(refusal, handle))?;
        if passed.traced {
            self.trace(
                passed.from,
                Step::BuildRequest,
                passed.key,
                fmt!(
                    "major=0x{:02x} code=0x{:08x} input={} output={}",
                    send.major_function,
                    send.code,
                    send.input_len,
                    send.output_len
                ),
            );
        }
        let sending = passed.sending;
        self.call(passed);
        Ok(!self.is_on_its_way(handle, sending))
    }

    /// Makes a request ready for being sent.
    fn fill(
        &self,
        inner: &mut Inner,
        handle: d2d_handle,
        send: &abi::d2d_send,
    ) -> Result<d2d_handle, Refusal> {
        let (key, entry) = inner.sent(handle)?;
        if entry.phase != Phase::Idle {
            return Err(("request-on-its-way", EBUSY));
        }
        let (input, output) = (send.input_len as usize, send.output_len as usize);
        if input > entry.input.len() || output > entry.output.len() {
            return Err(("buffer-too-small", EMSGSIZE));
        }
        let Some(sender) = self.registry.peek(entry.sender) else {
            return Err(("stale-driver-handle", ESTALE));
        };
        if sender.is_leaving() {
            return Err(LEAVING);
        }
        if send.flags & abi::D2D_SEND_ROUTINE != 0 && !sender.has_completed() {
            return Err(("no-completion-routine", EINVAL));
        }
        let buffer = entry.input.as_mut_ptr();
        // SAFETY: The buffer is at least that long.
        if input > 0 && !unsafe { probe::copy(buffer, send.input.cast(), input) } {
            return Err(("bad-input-pointer", EFAULT));
        }
        entry.sendings = entry.sendings.wrapping_add(1).max(1);
        entry.major_function = send.major_function;
        entry.flags = send.flags;
        entry.user_buffer = send.user_buffer;
        entry.input_len = send.input_len;
        entry.output_room = send.output_len;
        entry.result = abi::d2d_result {
            tag: send.tag,
            ..NO_RESULT
        };
        entry.recall = None;
        entry.packet.done.reset();
        Ok(key)
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
        let send = self.check(send)?;
        let visit = pin!(Visit::new(&self.registry));
        let passed = {
            let mut inner = self.inner.lock();
            self.receiver(&send, visit.as_ref()).and_then(|receiver| {
                let key = self.check_forward(&mut inner, handle, &send)?;
                Self::hand_over(&mut inner, key, &send, receiver)
            })
        };
        let passed = passed.map_err(|refusal| self.refuse(refusal, handle))?;
        let (key, sending) = (passed.key, passed.sending);
        self.call(passed);
        Ok(!self.is_on_its_way(key | SENDER, sending))
    }

    fn check_forward(
        &self,
        inner: &mut Inner,
        handle: d2d_handle,
        send: &abi::d2d_send,
    ) -> Result<d2d_handle, Refusal> {
        let (key, entry) = inner.held(handle)?;
        if entry.depth == entry.levels.len() {
            return Err(("no-stack-location", E2BIG));
        }
        let Some(level) = entry.top() else {
            return Err(("stale-request-handle", ESTALE));
        };
        let forwarder = self.registry.peek(level.to);
        match forwarder {
            Some(forwarder) if forwarder.is_leaving() => Err(LEAVING),
            Some(forwarder)
                if send.flags & abi::D2D_SEND_ROUTINE == 0 || forwarder.has_returned() =>
            {
                level.tells = false;
                Ok(key)
            }
            _ => Err(("no-return-routine", EINVAL)),
        }
    }

    /// Calls the driver that a request is with now, or has a worker do so.
    fn call(&self, passed: Passed) {
        let Passed {
            key,
            receiver,
            view,
            traced,
            ..
        } = passed;
        if traced {
            self.trace(
                passed.from,
                Step::CallDriver,
                key,
                fmt!("to={} code=0x{:08x}", receiver.driver.name(), view.code),
            );
        }
        if receiver.inline {
            // SAFETY: The caller's visit has begun.
            unsafe { self.dispatch(key, &receiver.driver, &view, traced) };
        } else {
            // SAFETY: They are dropped when no driver is registered any more, and the sender is: it
            // is calling.
            unsafe { self.queue.enqueue(passed.packet) };
        }
    }

    /// Dispatches a request that was sent by who could not sleep, if it was not taken back meanwhile.
    /// May sleep.
    pub(super) fn dispatch_queued(&self, key: d2d_handle) {
        let visit = pin!(Visit::new(&self.registry));
        let found = {
            let mut inner = self.inner.lock();
            inner.entries.get_mut(key).and_then(|entry| {
                if !core::mem::take(&mut entry.queued) {
                    return None;
                }
                let driver = visit.as_ref().begin(entry.top()?.to).ok()?;
                // Whoever leaves takes it back.
                (!driver.is_leaving()).then(|| (driver, entry.view(key), entry.is_traced()))
            })
        };
        if let Some((driver, view, traced)) = found {
            // SAFETY: The visit has begun.
            unsafe { self.dispatch(key, &driver, &view, traced) };
        }
    }

    /// # Safety
    ///
    /// A visit to the driver has begun and has not ended.
    unsafe fn dispatch(
        &self,
        key: d2d_handle,
        driver: &Driver,
        view: &abi::d2d_request,
        traced: bool,
    ) {
        if traced {
            emit(
                driver.name(),
                Step::Dispatch,
                fmt!(
                    "req=r{} major=0x{:02x} code=0x{:08x}",
                    key as u32,
                    view.major_function,
                    view.code
                ),
            );
        }
        // SAFETY: By the requirements.
        let returned = unsafe { driver.dispatch(view) };
        if returned == PENDING {
            if traced && self.inner.lock().held(view.handle).is_ok() {
                let code = view.code;
                emit(
                    driver.name(),
                    Step::Pend,
                    fmt!("req=r{} code=0x{:08x}", key as u32, code),
                );
            }
        } else if self.claim_held(view.handle, EIO.to_errno(), 0).is_ok() {
            refuse(
                self.owner,
                "not-completed",
                EIO,
                fmt!("by={} returned={}", driver.name(), returned),
            );
            self.deliver(key);
        }
    }

    /// Claims the request that is with who has this handle, and returns whether it is traced, and
    /// who has it.
    fn claim_held(
        &self,
        handle: d2d_handle,
        status: c_int,
        information: u64,
    ) -> Result<(d2d_handle, Option<d2d_handle>), Refusal> {
        let mut inner = self.inner.lock();
        let (key, entry) = inner.held(handle)?;
        entry.claim(status, information);
        let by = entry.top().map(|level| level.to);
        Ok((key, by.filter(|_| entry.is_traced())))
    }

    /// Completes a request; see `d2d_complete`.
    pub(crate) fn complete(&self, handle: d2d_handle, status: c_int, information: u64) -> Result {
        let status = check_status(self.owner, status);
        let (key, by) = self
            .claim_held(handle, status, information)
            .map_err(|refusal| self.refuse(refusal, handle))?;
        if let Some(by) = by {
            self.trace(
                by,
                Step::Complete,
                key,
                fmt!("status={} info={}", status, information),
            );
        }
        self.deliver(key);
        Ok(())
    }

    /// Hands a claimed request back to who has sent it at its last level, and so on up, until
    /// somebody keeps it. From who has forwarded it below the level that it is taken back from, it is
    /// taken, too: they are told.
    pub(super) fn deliver(&self, key: d2d_handle) {
        loop {
            let visit = pin!(Visit::new(&self.registry));
            let returned = {
                let mut guard = self.inner.lock();
                let inner = &mut *guard;
                let hold = inner.next_hold();
                let Some(entry) = inner.entries.get_mut(key) else {
                    return;
                };
                let popped = entry.pop().filter(|level| level.returns);
                let depth = entry.depth;
                let is_taken = entry.recall.is_some_and(|level| depth > level);
                entry.recall = entry.recall.filter(|_| is_taken);
                match (entry.top(), popped) {
                    (None, _) => break,
                    (Some(_), None) => None,
                    (Some(top), Some(popped)) => {
                        top.hold = hold;
                        let driver = visit.as_ref().begin(popped.from).ok();
                        driver.map(|driver| {
                            match is_taken {
                                true => inner.taken.note(hold),
                                false => entry.phase = Phase::Held,
                            }
                            (driver, entry.view(key), entry.result, is_taken)
                        })
                    }
                }
            };
            let Some((driver, view, result, is_taken)) = returned else {
                continue;
            };
            // SAFETY: The visit has begun.
            let status = unsafe { driver.returned(&view, &result) };
            if is_taken {
                continue;
            }
            // What it means stays what it was, unless the driver completes it itself.
            if status == PENDING
                || self
                    .claim_held(
                        view.handle,
                        check_status(self.owner, status),
                        result.information,
                    )
                    .is_err()
            {
                return;
            }
        }
        self.finish(key);
    }

    /// Gives a request that has come all the way back to its sender.
    fn finish(&self, key: d2d_handle) {
        let visit = pin!(Visit::new(&self.registry));
        let mut freed = None;
        let routine = {
            let mut inner = self.inner.lock();
            let Some(entry) = inner.entries.get_mut(key) else {
                return;
            };
            entry.phase = Phase::Idle;
            if entry.orphan {
                entry.packet.done.complete_all();
                freed = inner.entries.remove(key);
                None
            } else if entry.has_routine() {
                let driver = visit.as_ref().begin(entry.sender).ok();
                driver.map(|driver| (driver, entry.result, entry.is_traced()))
            } else {
                entry.packet.done.complete_all();
                None
            }
        };
        drop(freed);
        if let Some((driver, result, traced)) = routine {
            if traced {
                emit(
                    driver.name(),
                    Step::Completion,
                    fmt!("req=r{} via=routine status={}", key as u32, result.status),
                );
            }
            // SAFETY: The visit has begun.
            let keeps = unsafe { driver.completed(key | SENDER, &result) };
            if keeps != abi::D2D_MORE_PROCESSING_REQUIRED as c_int {
                // It may have freed it itself.
                let _ = self.discard(key | SENDER);
            }
        }
    }

    fn is_on_its_way(&self, handle: d2d_handle, sending: u32) -> bool {
        let mut inner = self.inner.lock();
        inner
            .sent(handle)
            .is_ok_and(|(_, entry)| entry.sendings == sending && entry.phase != Phase::Idle)
    }

    /// Waits for a request; see `d2d_request_wait`. May sleep, unless it is completed.
    pub(crate) fn wait(&self, handle: d2d_handle, ms: u32) -> Result<abi::d2d_result> {
        let (packet, sending, via) = {
            let mut inner = self.inner.lock();
            inner.sent(handle).and_then(|(_, entry)| {
                if entry.sendings == 0 {
                    return Err(("not-sent", ENODATA));
                }
                if entry.has_routine() {
                    return Err(("has-completion-routine", EINVAL));
                }
                let via = match entry.phase {
                    Phase::Idle => "return",
                    _ => "wait",
                };
                Ok((entry.packet.clone(), entry.sendings, via))
            })
        }
        .map_err(|refusal| self.refuse(refusal, handle))?;
        // Whoever sent it where nobody sleeps may ask what has become of it.
        if via != "return" {
            might_sleep();
            let over = ms != abi::D2D_FOREVER && !packet.done.wait_for(ms);
            if over {
                // If it was not taken, somebody is completing it.
                self.take(packet.key, Taker::Sender(sending), ETIMEDOUT.to_errno());
            }
            packet.done.wait();
        }
        let (result, traced) = {
            let mut inner = self.inner.lock();
            inner.sent(handle).and_then(|(_, entry)| {
                if entry.sendings != sending || entry.phase != Phase::Idle {
                    return Err(("request-sent-again", ESTALE));
                }
                Ok((entry.result, entry.is_traced().then_some(entry.sender)))
            })
        }
        .map_err(|refusal| self.refuse(refusal, handle))?;
        if let Some(sender) = traced {
            self.trace(
                sender,
                Step::Completion,
                packet.key,
                fmt!("via={} status={}", via, result.status),
            );
        }
        Ok(result)
    }

    /// Notes that who has a request wants to be told; see `d2d_request_set_cancel`.
    pub(crate) fn set_cancel(&self, handle: d2d_handle) -> Result {
        let set = {
            let mut inner = self.inner.lock();
            inner.held(handle).and_then(|(_, entry)| {
                let level = entry.top().ok_or(("stale-request-handle", ESTALE))?;
                match self.registry.peek(level.to) {
                    Some(driver) if driver.has_cancelled() => {
                        level.tells = true;
                        Ok(())
                    }
                    _ => Err(("no-cancel-routine", EINVAL)),
                }
            })
        };
        set.map_err(|refusal| self.refuse(refusal, handle))
    }
}

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
//! the one below having got it from the one above. One task, its [`Entry::carrier`], carries it back
//! up, level by level. Another task may claim it while the carrier runs a driver's `returned()`; it
//! leaves the rest to the carrier. A request is removed only when it is with its sender and nobody
//! waits for it.
//!
//! The lock is taken with interrupts disabled, and held for as long as it takes to copy
//! `D2D_BUFFER_SIZE` bytes between the library's own buffers, or to look through 64 requests. No
//! pointer of a driver's is followed under it: see `bounce`. The lock of the registry is taken
//! inside.

use crate::{
    bounce::Bounce,
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
        TAKEN_BACK, //
    },
    handle,
    lock::{
        new_irq_lock,
        IrqLock, //
    },
    registry::{
        self,
        Driver,
        Registry, //
    },
    table::{
        Chunk,
        Lacking, //
    },
    telling::Telling,
    trace,
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
    point,
    probe,
    trace::{
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
        Arc,
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
    telling: Telling,
    /// For a worker.
    packet: Option<Arc<Packet>>,
}

/// Where a request is when it has gone one level up.
enum Up {
    /// It goes on.
    Next,
    /// A driver has kept it.
    Kept,
    /// It is for its sender.
    Sender,
}

/// The requests of all drivers.
#[pin_data]
pub(crate) struct Requests {
    owner: &'static CStr,
    pub(super) registry: Arc<Registry>,
    queue: RawQueue,
    #[pin]
    pub(super) inner: IrqLock<Inner>,
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
    /// Once the workers are being dropped, no other thread is or will be inside a function of the
    /// result.
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
                inner <- new_irq_lock!(empty, "d2d_requests"),
            }),
            GFP_KERNEL,
        )
    }

    #[cold]
    #[inline(never)]
    pub(super) fn refuse(&self, refusal: Refusal, handle: d2d_handle) -> Error {
        let (reason, error) = refusal;
        if refusal != TAKEN_BACK {
            refuse(self.owner, reason, error, fmt!("handle=0x{:x}", handle));
        }
        error
    }

    /// Tells of a step of a request in the name of a driver.
    #[inline(never)]
    pub(super) fn trace(
        &self,
        telling: Telling,
        driver: d2d_handle,
        step: Step,
        key: d2d_handle,
        detail: kernel::fmt::Arguments<'_>,
    ) {
        let driver = self.registry.peek(driver);
        let name = driver.as_ref().map_or(c"?", Driver::name);
        telling.tell(name, step, fmt!("req=r{} {}", handle::index(key), detail));
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
                match self.registry.ask(sender, Driver::is_leaving) {
                    None => return Ok(Err(("stale-driver-handle", ESTALE))),
                    Some(true) => return Ok(Err(LEAVING)),
                    Some(false) => {}
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
                            carrier: 0,
                            orphan: false,
                            waiters: 0,
                            packet: packet.into(),
                        });
                        return Ok(Ok(key));
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

    /// Refuses a send that may sleep, because the receiver's dispatch routine may, in a context that
    /// must not sleep.
    #[inline]
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

    /// The driver that a request is sent to by `from`, if that one is `allowed` to. It cannot leave any
    /// more before it was called: either `visit` has begun then, or it is for a worker to call it. The
    /// lock is held.
    fn receiver(
        &self,
        send: &abi::d2d_send,
        from: d2d_handle,
        allowed: impl FnOnce(&Driver) -> Result<(), Refusal>,
        visit: Pin<&Visit<'_>>,
    ) -> Result<Receiver, Refusal> {
        const STALE: Refusal = ("stale-target", ESTALE);
        let to = registry::target(send.to).ok_or(STALE)?;
        self.registry.between(from, to, allowed, |allowed, slot| {
            allowed.ok_or(("stale-driver-handle", ESTALE))??;
            let slot = slot.ok_or(STALE)?;
            let driver = slot.driver.as_ref().ok_or(STALE)?;
            if driver.is_leaving() {
                return Err(("target-is-leaving", ESHUTDOWN));
            }
            let inline = send.flags & abi::D2D_SEND_ATOMIC == 0 || driver.is_atomic();
            if inline {
                visit.enter(to, slot).map_err(|error| (STALE.0, error))?;
            }
            Ok(Receiver { to, inline })
        })
    }

    /// Puts a request, which was made ready for it, with a driver.
    fn hand_over(
        entry: &mut Entry,
        key: d2d_handle,
        hold: u32,
        send: &abi::d2d_send,
        receiver: Receiver,
    ) -> Passed {
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
        entry.result.ended = abi::D2D_ENDED_COMPLETED;
        entry.queued = !receiver.inline;
        entry.flags |= send.flags & abi::D2D_SEND_TRACE;
        Passed {
            key,
            from,
            view: entry.view(key),
            sending: entry.sendings,
            telling: entry.telling(),
            packet: entry.queued.then(|| entry.packet.clone()),
            receiver,
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
        let visit = pin!(Visit::new(&self.registry));
        let passed = self.prepare(handle, send, visit.as_ref())?;
        Ok(!self.call(passed, visit.as_ref()))
    }

    /// Checks what a driver sends, and puts the request with its receiver.
    ///
    /// It has a stack frame of its own, which is gone while the receiver runs: a receiver that sends
    /// requests itself needs the stack.
    #[inline(never)]
    fn prepare(
        &self,
        handle: d2d_handle,
        send: *const abi::d2d_send,
        visit: Pin<&Visit<'_>>,
    ) -> Result<Passed> {
        let send = self.check(send)?;
        self.check_context(&send, handle)?;
        let mut bounce = Bounce::new();
        let passed = bounce
            .load(
                send.input.cast(),
                send.input_len as usize,
                "bad-input-pointer",
            )
            .and_then(|input| {
                let mut inner = self.inner.lock();
                self.fill(&mut inner, handle, &send, input, visit)
            });
        let passed = passed.map_err(|refusal| self.refuse(refusal, handle))?;
        if passed.telling.is_on() {
            self.trace_build(passed.telling, passed.from, passed.key, &send);
        }
        Ok(passed)
    }

    #[inline(never)]
    fn trace_build(&self, telling: Telling, by: d2d_handle, key: d2d_handle, send: &abi::d2d_send) {
        self.trace(
            telling,
            by,
            Step::BuildRequest,
            key,
            fmt!(
                "major=0x{:02x} code=0x{:08x} input={} output={}",
                send.major_function,
                send.code,
                send.input_len,
                send.output_len
            ),
        );
    }

    /// Makes a request ready for being sent, and puts it with its receiver.
    fn fill(
        &self,
        inner: &mut Inner,
        handle: d2d_handle,
        send: &abi::d2d_send,
        input: &[u8],
        visit: Pin<&Visit<'_>>,
    ) -> Result<Passed, Refusal> {
        let hold = inner.next_hold();
        let entry = inner.sent(handle)?;
        if entry.phase != Phase::Idle {
            return Err(("request-on-its-way", EBUSY));
        }
        if entry.waiters > 0 {
            return Err(("request-waited-for", EBUSY));
        }
        let buffer = entry.input.get_mut(..send.input_len as usize);
        let buffer = buffer
            .filter(|_| send.output_len as usize <= entry.output.len())
            .ok_or(("buffer-too-small", EMSGSIZE))?;
        let needs_routine = send.flags & abi::D2D_SEND_ROUTINE != 0;
        let allowed = |sender: &Driver| {
            if sender.is_leaving() {
                return Err(LEAVING);
            }
            if needs_routine && !sender.has_completed() {
                return Err(("no-completion-routine", EINVAL));
            }
            Ok(())
        };
        let receiver = self.receiver(send, entry.sender, allowed, visit)?;
        buffer.copy_from_slice(input);
        entry.sendings = entry.sendings.wrapping_add(1).max(1);
        entry.major_function = send.major_function;
        entry.flags = send.flags;
        if point::requests() {
            entry.flags |= Telling::POINT;
        }
        entry.user_buffer = send.user_buffer;
        entry.input_len = send.input_len;
        entry.output_room = send.output_len;
        entry.result = abi::d2d_result {
            tag: send.tag,
            ..NO_RESULT
        };
        entry.recall = None;
        entry.packet.done.reset();
        Ok(Self::hand_over(entry, handle, hold, send, receiver))
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
        self.check_context(&send, handle)?;
        let visit = pin!(Visit::new(&self.registry));
        let passed = {
            let mut inner = self.inner.lock();
            self.pass_on(&mut inner, handle, &send, visit.as_ref())
        };
        let passed = passed.map_err(|refusal| self.refuse(refusal, handle))?;
        Ok(!self.call(passed, visit.as_ref()))
    }

    /// Puts a request that a driver has with another one.
    fn pass_on(
        &self,
        inner: &mut Inner,
        handle: d2d_handle,
        send: &abi::d2d_send,
        visit: Pin<&Visit<'_>>,
    ) -> Result<Passed, Refusal> {
        let hold = inner.next_hold();
        let (key, entry) = inner.held(handle)?;
        if entry.depth == entry.levels.len() {
            return Err(("no-stack-location", E2BIG));
        }
        let Some(level) = entry.top() else {
            return Err(("stale-request-handle", ESTALE));
        };
        let needs_routine = send.flags & abi::D2D_SEND_ROUTINE != 0;
        let allowed = |forwarder: &Driver| {
            if forwarder.is_leaving() {
                return Err(LEAVING);
            }
            if needs_routine && !forwarder.has_returned() {
                return Err(("no-return-routine", EINVAL));
            }
            Ok(())
        };
        let receiver = self.receiver(send, level.to, allowed, visit)?;
        level.tells = false;
        Ok(Self::hand_over(entry, key, hold, send, receiver))
    }

    /// Calls the driver that a request is with now, or has a worker do so. Returns whether the request
    /// is still on its way.
    fn call(&self, passed: Passed, visit: Pin<&Visit<'_>>) -> bool {
        let Passed {
            key,
            from,
            receiver,
            view,
            sending,
            telling,
            packet,
        } = passed;
        if telling.is_on() {
            self.trace_call(telling, from, receiver.to, key, view.code);
        }
        let Some(packet) = packet else {
            return self.dispatch(key, visit, &view, sending, telling);
        };
        // SAFETY: The workers are there. If another thread calls this, they are not dropped
        // meanwhile, by the contract of `new`; if a worker does, dropping the workers waits for it.
        unsafe { self.queue.enqueue(packet) };
        self.is_on_its_way(key, sending)
    }

    fn is_on_its_way(&self, key: d2d_handle, sending: u32) -> bool {
        let inner = self.inner.lock();
        let entry = inner.entries.get(key);
        entry.is_some_and(|entry| entry.is_on_its_way(sending))
    }

    #[inline(never)]
    fn trace_call(
        &self,
        telling: Telling,
        from: d2d_handle,
        to: d2d_handle,
        key: d2d_handle,
        code: u32,
    ) {
        let to = self.registry.peek(to);
        let name = to.as_ref().map_or(c"?", Driver::name);
        self.trace(
            telling,
            from,
            Step::CallDriver,
            key,
            fmt!("to={} code=0x{:08x}", name, code),
        );
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
                visit.as_ref().begin(entry.top()?.to).ok()?;
                Some((entry.view(key), entry.sendings, entry.telling()))
            })
        };
        if let Some((view, sending, telling)) = found {
            // The requests of a departing driver are cancelled.
            if !visit.driver().is_some_and(Driver::is_leaving) {
                self.dispatch(key, visit.as_ref(), &view, sending, telling);
            }
        }
    }

    /// Calls the dispatch routine of the driver that is visited. Returns whether the request is still
    /// on its way.
    fn dispatch(
        &self,
        key: d2d_handle,
        visit: Pin<&Visit<'_>>,
        view: &abi::d2d_request,
        sending: u32,
        telling: Telling,
    ) -> bool {
        let Some(driver) = visit.get_ref().driver() else {
            return true;
        };
        if telling.is_on() {
            Self::trace_dispatch(telling, driver, key, view);
        }
        // SAFETY: The visit has begun, and lives.
        let returned = unsafe { driver.dispatch(view) };
        let (kept, is_on_its_way) = {
            let inner = self.inner.lock();
            inner.entries.get(key).map_or((false, false), |entry| {
                let kept = entry.is_held_as(handle::generation(view.handle));
                (kept, entry.is_on_its_way(sending))
            })
        };
        if kept && returned != PENDING {
            self.refuse_uncompleted(driver, returned);
            // If it was taken back meanwhile, that is what has become of it.
            let _ = self.finish_held(view.handle, |entry| {
                entry.fail(EIO.to_errno(), abi::D2D_ENDED_NOT_COMPLETED);
            });
            return self.is_on_its_way(key, sending);
        }
        if kept && telling.is_on() {
            Self::trace_pend(telling, driver, key, view.code);
        }
        is_on_its_way
    }

    #[inline(never)]
    fn trace_dispatch(telling: Telling, driver: &Driver, key: d2d_handle, view: &abi::d2d_request) {
        telling.tell(
            driver.name(),
            Step::Dispatch,
            fmt!(
                "req=r{} major=0x{:02x} code=0x{:08x}",
                handle::index(key),
                view.major_function,
                view.code
            ),
        );
    }

    #[inline(never)]
    fn trace_pend(telling: Telling, driver: &Driver, key: d2d_handle, code: u32) {
        telling.tell(
            driver.name(),
            Step::Pend,
            fmt!("req=r{} code=0x{:08x}", handle::index(key), code),
        );
    }

    #[cold]
    #[inline(never)]
    fn refuse_uncompleted(&self, driver: &Driver, returned: c_int) {
        refuse(
            self.owner,
            "not-completed",
            EIO,
            fmt!("by={} returned={}", driver.name(), returned),
        );
    }

    /// Claims the request that a driver holds by this handle, notes the result, and gives the
    /// request back to the driver above.
    fn finish_held(
        &self,
        handle: d2d_handle,
        note: impl FnOnce(&mut Entry),
    ) -> Result<(), Refusal> {
        let visit = pin!(Visit::new(&self.registry));
        let (key, by, telling, result, is_ours) = {
            let mut inner = self.inner.lock();
            let (key, entry) = inner.held(handle)?;
            note(entry);
            if entry.is_one_level_down() {
                let told = entry.come_home(visit.as_ref());
                drop(inner);
                self.tell(key, visit.as_ref().get_ref(), told);
                return Ok(());
            }
            let by = entry.top().map(|level| level.to);
            let is_ours = entry.claim();
            (key, by, entry.telling(), entry.result, is_ours)
        };
        if let Some(by) = by.filter(|_| telling.is_on()) {
            self.trace_complete(telling, by, key, &result);
        }
        if is_ours {
            self.deliver(key);
        }
        Ok(())
    }

    /// Completes a request; see `d2d_complete`.
    pub(crate) fn complete(&self, handle: d2d_handle, status: c_int, information: u64) -> Result {
        let status = check_status(self.owner, status);
        self.finish_held(handle, |entry| entry.complete(status, information))
            .map_err(|refusal| self.refuse(refusal, handle))
    }

    #[inline(never)]
    fn trace_complete(
        &self,
        telling: Telling,
        by: d2d_handle,
        key: d2d_handle,
        result: &abi::d2d_result,
    ) {
        self.trace(
            telling,
            by,
            Step::Complete,
            key,
            fmt!("status={} info={}", result.status, result.information),
        );
    }

    /// Hands a claimed request back to who has sent it at its last level, and so on up, until
    /// somebody keeps it. From who has forwarded it below the level that it is taken back from, it is
    /// taken, too: they are told.
    ///
    /// The calling task is the request's carrier. A task that completes it or takes it back while
    /// this runs a driver's routine leaves the rest to this call. So going up does not nest, and
    /// takes the stack of one level.
    pub(super) fn deliver(&self, key: d2d_handle) {
        loop {
            match self.go_up(key) {
                Up::Next => {}
                Up::Kept => return,
                Up::Sender => return self.finish(key),
            }
        }
    }

    /// Hands a claimed request to who has sent it at its last level.
    fn go_up(&self, key: d2d_handle) -> Up {
        let visit = pin!(Visit::new(&self.registry));
        let (view, result, is_taken) = {
            let mut guard = self.inner.lock();
            let inner = &mut *guard;
            let hold = inner.next_hold();
            let Some(entry) = inner.entries.get_mut(key) else {
                return Up::Kept;
            };
            let popped = entry.pop().filter(|level| level.returns);
            let depth = entry.depth;
            let is_taken = entry.recall.is_some_and(|level| depth > level);
            entry.recall = entry.recall.filter(|_| is_taken);
            let (Some(top), popped) = (entry.top(), popped) else {
                return Up::Sender;
            };
            let Some(popped) = popped else {
                return Up::Next;
            };
            top.hold = hold;
            if visit.as_ref().begin(popped.from).is_err() {
                return Up::Next;
            }
            if is_taken {
                inner.taken.note(hold);
            } else {
                entry.phase = Phase::Held;
            }
            (entry.view(key), entry.result, is_taken)
        };
        let Some(driver) = visit.as_ref().get_ref().driver() else {
            return Up::Next;
        };
        // SAFETY: The visit has begun, and lives.
        let status = unsafe { driver.returned(&view, &result) };
        if is_taken {
            return Up::Next;
        }
        // What it means stays what it was, unless the driver has completed it itself.
        self.after_return(key, view.handle, status, result.information)
    }

    /// What has become of a request that a driver was told to have got back.
    fn after_return(
        &self,
        key: d2d_handle,
        handle: d2d_handle,
        status: c_int,
        information: u64,
    ) -> Up {
        let status = match status {
            PENDING => None,
            status => Some(check_status(self.owner, status)),
        };
        let mut inner = self.inner.lock();
        let Some(entry) = inner.entries.get_mut(key) else {
            return Up::Kept;
        };
        if let (Some(status), true) = (status, entry.is_held_as(handle::generation(handle))) {
            entry.phase = Phase::Busy;
            entry.complete(status, information);
        }
        match entry.phase {
            Phase::Busy => Up::Next,
            Phase::Held | Phase::Idle => {
                entry.carrier = 0;
                Up::Kept
            }
        }
    }

    /// Gives a request that has come all the way back to its sender.
    fn finish(&self, key: d2d_handle) {
        let visit = pin!(Visit::new(&self.registry));
        let mut freed = None;
        let told = {
            let mut inner = self.inner.lock();
            let Some(entry) = inner.entries.get_mut(key) else {
                return;
            };
            let told = entry.come_home(visit.as_ref());
            if entry.orphan && entry.is_unused() {
                freed = inner.entries.remove(key);
            }
            told
        };
        drop(freed);
        self.tell(key, visit.as_ref().get_ref(), told);
    }

    /// Calls the completion routine of the sender, if that is to be told.
    fn tell(&self, key: d2d_handle, visit: &Visit<'_>, told: Option<(abi::d2d_result, Telling)>) {
        let (Some((result, telling)), Some(driver)) = (told, visit.driver()) else {
            return;
        };
        if telling.is_on() {
            Self::trace_completion(telling, driver, key, result.status);
        }
        // SAFETY: The visit has begun, and lives.
        let keeps = unsafe { driver.completed(key, &result) };
        if keeps != abi::D2D_MORE_PROCESSING_REQUIRED as c_int {
            // It may have freed it itself.
            let _ = self.discard(key);
        }
    }

    #[inline(never)]
    fn trace_completion(telling: Telling, driver: &Driver, key: d2d_handle, status: c_int) {
        telling.tell(
            driver.name(),
            Step::Completion,
            fmt!("req=r{} via=routine status={}", handle::index(key), status),
        );
    }

    /// Notes that who has a request wants to be told; see `d2d_request_set_cancel`.
    pub(crate) fn set_cancel(&self, handle: d2d_handle) -> Result {
        let set = {
            let mut inner = self.inner.lock();
            inner.held(handle).and_then(|(_, entry)| {
                let level = entry.top().ok_or(("stale-request-handle", ESTALE))?;
                match self.registry.ask(level.to, Driver::has_cancelled) {
                    Some(true) => {
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

#[cfg(d2d_tests)]
mod tests;

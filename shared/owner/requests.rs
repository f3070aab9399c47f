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
    registry::{
        self,
        Driver,
        Registry,
        Visit, //
    },
    table::{
        Chunk,
        Lacking,
        Table, //
    }, //
};
use core::{
    ffi::c_void,
    pin::pin, //
};
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
    time::{
        delay::fsleep,
        Delta, //
    },
    workqueue::{
        impl_has_work,
        new_work,
        Queue,
        Work,
        WorkItem, //
    }, //
};

/// Requests that there can be at a time, of all drivers.
const REQUESTS: usize = 4096;

/// What dispatch routines return for a request that they complete later.
pub(crate) const PENDING: c_int = -(abi::D2D_STATUS_PENDING as c_int);

/// Set in the handle by which a driver names a request that it has made.
const SENDER: d2d_handle = 1 << 30;
/// Set in the handle by which a driver names a request that it has got.
const HOLDER: d2d_handle = 1 << 31;

/// Returns whether a handle is that of a request which a driver has got by the functions here.
pub(crate) fn is_holder(handle: d2d_handle) -> bool {
    handle & HOLDER != 0
}

/// Refuses a status that is neither 0 nor an errno, or one that says that there is none yet.
pub(crate) fn check_status(owner: &CStr, status: c_int) -> c_int {
    let errno = (-(bindings::MAX_ERRNO as c_int)..0).contains(&status);
    if status == 0 || errno && status != PENDING && status != EINPROGRESS.to_errno() {
        return status;
    }
    refuse(owner, "bad-status", EIO, fmt!("status={}", status)).to_errno()
}

/// Where a request is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// With its sender.
    Idle,
    /// With the driver of the last level, which may complete it.
    Held,
    /// Somebody is completing it or taking it back.
    Busy,
}

/// A driver that a request was sent to, and by whom: a stack location.
#[derive(Clone, Copy)]
struct Level {
    from: d2d_handle,
    to: d2d_handle,
    code: u32,
    /// Whether `from`, having forwarded it, gets it back.
    returns: bool,
    /// Whether `to` wants to be told if it is taken from it.
    tells: bool,
    /// The generation of the handle that `to` has.
    hold: u32,
}

const NO_RESULT: abi::d2d_result = abi::d2d_result {
    information: 0,
    tag: 0,
    status: 0,
    output_len: 0,
};

/// A request.
struct Entry {
    /// Who has made it.
    sender: d2d_handle,
    phase: Phase,
    levels: [Option<Level>; abi::D2D_STACK_SIZE as usize],
    depth: usize,
    /// Counts how often it was sent.
    sendings: u32,
    major_function: u32,
    flags: u32,
    user_buffer: *mut c_void,
    input: KVec<u8>,
    input_len: u32,
    output: KVec<u8>,
    /// How much of the output there is room for this time.
    output_room: u32,
    result: abi::d2d_result,
    /// Whether it waits for a worker to dispatch it.
    queued: bool,
    /// The generation of the handle that was last taken from somebody.
    taken: u32,
    /// Whether its sender has freed it.
    orphan: bool,
    packet: Arc<Packet>,
}

// SAFETY: `user_buffer` is only handed on.
unsafe impl Send for Entry {}

impl Entry {
    /// The level of who has it, or had it last.
    fn top(&mut self) -> Option<&mut Level> {
        self.levels[..self.depth].last_mut()?.as_mut()
    }

    fn push(&mut self, level: Level) {
        self.levels[self.depth] = Some(level);
        self.depth += 1;
    }

    fn pop(&mut self) -> Option<Level> {
        self.depth = self.depth.checked_sub(1)?;
        self.levels[self.depth].take()
    }

    /// Whether the driver of the last level has it, under this generation.
    fn is_held_as(&mut self, hold: u32) -> bool {
        self.phase == Phase::Held && self.top().is_some_and(|level| level.hold == hold)
    }

    /// The level that a driver is concerned at, if it is on its way: the first one if it is the
    /// sender, else the first that leads to it.
    fn level_of(&self, driver: d2d_handle) -> Option<usize> {
        if self.phase == Phase::Idle {
            return None;
        }
        if self.sender == driver {
            return Some(0);
        }
        let mut levels = self.levels.iter().flatten();
        levels.position(|level| level.to == driver)
    }

    fn is_traced(&self) -> bool {
        self.flags & abi::D2D_SEND_TRACE != 0
    }

    fn has_routine(&self) -> bool {
        self.flags & abi::D2D_SEND_ROUTINE != 0
    }

    /// Of all that complete it or take it back, one does this.
    fn claim(&mut self, status: c_int, information: u64) {
        self.phase = Phase::Busy;
        self.queued = false;
        self.result.status = status;
        self.result.information = information;
    }

    /// What the driver of the last level gets to see.
    fn view(&mut self, key: d2d_handle) -> abi::d2d_request {
        let (hold, code, driver) = self
            .top()
            .map_or((0, 0, 0), |level| (level.hold, level.code, level.to));
        abi::d2d_request {
            hdr: header::new::<abi::d2d_request>(abi::D2D_REQUEST_MAGIC),
            handle: holder(key, hold),
            major_function: self.major_function,
            code,
            user_buffer: self.user_buffer,
            driver,
            input_len: self.input_len,
            output_len: self.output_room,
        }
    }
}

/// What of a request is used without the lock.
#[pin_data]
struct Packet {
    requests: Arc<Requests>,
    /// Its handle in the table.
    key: d2d_handle,
    #[pin]
    work: Work<Self>,
    /// Done when the request is with its sender again, who waits for it.
    #[pin]
    done: Completion,
}

impl_has_work! {
    impl HasWork<Self> for Packet { self.work }
}

impl WorkItem for Packet {
    type Pointer = Arc<Self>;

    fn run(this: Arc<Self>) {
        this.requests.dispatch_queued(this.key);
    }
}

/// Why something is refused, to be said without the lock.
type Refusal = (&'static str, Error);

struct Inner {
    entries: Table<Entry>,
    /// The generation of the handle that was last given to who got a request.
    holds: u32,
}

impl Inner {
    fn next_hold(&mut self) -> u32 {
        self.holds = self.holds.wrapping_add(1).max(1);
        self.holds
    }

    /// The request of this handle of its sender, and its handle in the table.
    fn sent(&mut self, handle: d2d_handle) -> Result<(d2d_handle, &mut Entry), Refusal> {
        let key = handle & !SENDER;
        Some(key)
            .filter(|key| *key != handle)
            .and_then(|key| self.entries.get_mut(key))
            .filter(|entry| !entry.orphan)
            .map(|entry| (key, entry))
            .ok_or(("stale-request", ESTALE))
    }

    /// The request that is with who has this handle, and its handle in the table.
    fn held(&mut self, handle: d2d_handle) -> Result<(d2d_handle, &mut Entry), Refusal> {
        let stale = ("stale-request-handle", ESTALE);
        if !is_holder(handle) {
            return Err(stale);
        }
        let (index, hold) = ((handle & !HOLDER) as u32, (handle >> 32) as u32);
        let (key, _) = self.entries.by_index(index as usize).ok_or(stale)?;
        let entry = self.entries.get_mut(key).ok_or(stale)?;
        if entry.is_held_as(hold) {
            return Ok((key, entry));
        }
        Err(match hold {
            0 => stale,
            hold if hold == entry.taken => TAKEN_BACK,
            _ => stale,
        })
    }
}

/// Who has lost a race learns so; it is nobody's mistake, and prints nothing.
const TAKEN_BACK: Refusal = ("taken-back", ECANCELED);

/// The handle of who has got the request.
fn holder(key: d2d_handle, hold: u32) -> d2d_handle {
    (u64::from(hold) << 32) | HOLDER | u64::from(key as u32)
}

/// The work queue of [`Workers`].
#[derive(Clone, Copy)]
struct RawQueue(*mut bindings::workqueue_struct);

// SAFETY: A work queue is used from any thread.
unsafe impl Send for RawQueue {}
// SAFETY: As above.
unsafe impl Sync for RawQueue {}

/// The workers that dispatch what was sent by who cannot sleep. Dropping it waits for them; may
/// sleep.
///
/// # Invariants
///
/// The work queue is destroyed by dropping this.
pub(crate) struct Workers(RawQueue);

impl Workers {
    /// May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn new() -> Result<Self> {
        // SAFETY: The name is a format without arguments.
        let queue = unsafe {
            bindings::alloc_workqueue_noprof(
                c"d2d_requests".as_char_ptr(),
                bindings::wq_flags_WQ_UNBOUND,
                0,
            )
        };
        if queue.is_null() {
            return Err(ENOMEM);
        }
        // INVARIANT: It was made just now.
        Ok(Self(RawQueue(queue)))
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        // SAFETY: By the type invariants.
        unsafe { bindings::destroy_workqueue(self.0 .0) };
    }
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
    registry: Arc<Registry>,
    queue: RawQueue,
    #[pin]
    inner: SpinLockIrq<Inner>,
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
        let entries = Table::new(REQUESTS)?;
        Arc::pin_init(
            pin_init!(Self {
                owner,
                registry,
                queue: workers.0,
                inner <- new_spinlock_irq!(Inner { entries, holds: 0 }, "d2d_requests"),
            }),
            GFP_KERNEL,
        )
    }

    fn refuse(&self, refusal: Refusal, handle: d2d_handle) -> Error {
        let (reason, error) = refusal;
        if refusal != TAKEN_BACK {
            refuse(self.owner, reason, error, fmt!("handle=0x{:x}", handle));
        }
        error
    }

    /// Prints the line of a step of a request in the name of a driver.
    fn trace(
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
                            taken: 0,
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
        let known = abi::D2D_SEND_ROUTINE | abi::D2D_SEND_ATOMIC | abi::D2D_SEND_TRACE;
        let reason = if send.code == abi::D2D_IOCTL_SHARE_CONTEXT {
            "reserved-code"
        } else if send.major_function != abi::D2D_MJ_INTERNAL_DEVICE_CONTROL {
            "unknown-function"
        } else if send.flags & !known != 0 {
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
        // SAFETY: The buffer is at least that long.
        let copied = input == 0
            || unsafe { probe::copy(entry.input.as_mut_ptr(), send.input.cast(), input) };
        if !copied {
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
            // SAFETY: It is not destroyed as long as a driver is registered, and the sender is: it
            // is calling.
            let queue = unsafe { Queue::from_raw(self.queue.0) };
            // If it is queued already, it has not run yet, and finds the request.
            let _ = queue.enqueue(passed.packet);
        }
    }

    /// Dispatches a request that was sent by who could not sleep, if it was not taken back meanwhile.
    /// May sleep.
    fn dispatch_queued(&self, key: d2d_handle) {
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
    /// somebody keeps it.
    fn deliver(&self, key: d2d_handle) {
        loop {
            let visit = pin!(Visit::new(&self.registry));
            let returned = {
                let mut inner = self.inner.lock();
                let hold = inner.next_hold();
                let Some(entry) = inner.entries.get_mut(key) else {
                    return;
                };
                let level = entry.pop().filter(|level| level.returns);
                match (entry.top(), level) {
                    (None, _) => break,
                    (Some(_), None) => None,
                    (Some(top), Some(level)) => {
                        top.hold = hold;
                        let driver = visit.as_ref().begin(level.from).ok();
                        driver.map(|driver| {
                            entry.phase = Phase::Held;
                            (driver, entry.view(key), entry.result)
                        })
                    }
                }
            };
            let Some((driver, view, result)) = returned else {
                continue;
            };
            // SAFETY: The visit has begun.
            let status = unsafe { driver.returned(&view, &result) };
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

    /// Takes a request back from whoever has it, and all that it was with from `level` on, unless it
    /// is being completed or taken back already. Then it goes on up, with this status. Any context.
    fn take(
        &self,
        key: d2d_handle,
        level: usize,
        sending: u32,
        by: d2d_handle,
        status: c_int,
    ) -> bool {
        let visit = pin!(Visit::new(&self.registry));
        let (holder, told, traced) = {
            let mut inner = self.inner.lock();
            let Some(entry) = inner.entries.get_mut(key) else {
                return false;
            };
            if entry.phase != Phase::Held || entry.sendings != sending || entry.depth <= level {
                return false;
            }
            entry.claim(status, 0);
            entry.result.output_len = 0;
            let (handle, traced) = (entry.view(key).handle, entry.is_traced());
            let Some(top) = entry.top() else {
                return false;
            };
            let (holder, hold, tells) = (top.to, top.hold, top.tells);
            entry.taken = hold;
            let driver = tells.then(|| visit.as_ref().begin(holder).ok()).flatten();
            (holder, driver.map(|driver| (driver, handle)), traced)
        };
        if traced {
            let driver = self.registry.peek(holder);
            let name = driver.as_ref().map_or(c"?", Driver::name);
            self.trace(
                by,
                Step::Cancel,
                key,
                fmt!("from={} status={}", name, status),
            );
        }
        if let Some((driver, handle)) = told {
            // SAFETY: The visit has begun.
            unsafe { driver.cancelled(handle) };
        }
        self.unwind(key, level);
        self.deliver(key);
        true
    }

    /// Tells each driver that has forwarded a claimed request below `level` what became of it. What
    /// they get is taken from them already.
    fn unwind(&self, key: d2d_handle, level: usize) {
        loop {
            let visit = pin!(Visit::new(&self.registry));
            let told = {
                let mut inner = self.inner.lock();
                let hold = inner.next_hold();
                let Some(entry) = inner.entries.get_mut(key) else {
                    return;
                };
                if entry.depth <= level + 1 {
                    return;
                }
                let popped = entry.pop().filter(|popped| popped.returns);
                popped.and_then(|popped| {
                    entry.top()?.hold = hold;
                    entry.taken = hold;
                    let driver = visit.as_ref().begin(popped.from).ok()?;
                    Some((driver, entry.view(key), entry.result))
                })
            };
            if let Some((driver, view, result)) = told {
                // SAFETY: The visit has begun.
                unsafe { driver.returned(&view, &result) };
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
        if via == "return" {
            // Whoever sent it where nobody sleeps may ask.
        } else if ms == abi::D2D_FOREVER {
            packet.done.wait();
        } else if !packet.done.wait_for(ms) {
            let sender = self.sender(handle);
            self.take(packet.key, 0, sending, sender, ETIMEDOUT.to_errno());
            // Unless it was taken, somebody is completing it.
            packet.done.wait();
        }
        let (result, traced) = {
            let mut inner = self.inner.lock();
            inner
                .sent(handle)
                .map(|(_, entry)| (entry.result, entry.is_traced().then_some(entry.sender)))
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

    fn sender(&self, handle: d2d_handle) -> d2d_handle {
        let mut inner = self.inner.lock();
        inner.sent(handle).map_or(0, |(_, entry)| entry.sender)
    }

    /// Takes a request back; see `d2d_request_cancel`.
    pub(crate) fn cancel(&self, handle: d2d_handle) -> Result {
        let found = self
            .inner
            .lock()
            .sent(handle)
            .map(|(key, entry)| (key, entry.sendings, entry.sender));
        let (key, sending, sender) = found.map_err(|refusal| self.refuse(refusal, handle))?;
        match self.take(key, 0, sending, sender, ECANCELED.to_errno()) {
            true => Ok(()),
            false => Err(EALREADY),
        }
    }

    /// Frees a request; see `d2d_request_free`.
    pub(crate) fn free(&self, handle: d2d_handle) -> Result {
        self.discard(handle)
            .map_err(|refusal| self.refuse(refusal, handle))
    }

    fn discard(&self, handle: d2d_handle) -> Result<(), Refusal> {
        let (key, sending, sender) = {
            let mut inner = self.inner.lock();
            let (key, entry) = inner.sent(handle)?;
            if entry.phase == Phase::Idle {
                let freed = inner.entries.remove(key);
                drop(inner);
                drop(freed);
                return Ok(());
            }
            entry.orphan = true;
            (key, entry.sendings, entry.sender)
        };
        // If it is being completed, that frees it.
        self.take(key, 0, sending, sender, ECANCELED.to_errno());
        Ok(())
    }

    /// Reads the input or the output of a request; see `d2d_request_read`.
    ///
    /// # Safety
    ///
    /// `buffer` is null or valid for writes of `len` bytes.
    pub(crate) unsafe fn read(&self, handle: d2d_handle, buffer: *mut u8, len: u32) -> Result {
        let length = len as usize;
        let read = {
            let mut inner = self.inner.lock();
            let from = if is_holder(handle) {
                inner
                    .held(handle)
                    .map(|(_, entry)| entry.input.get(..entry.input_len as usize))
            } else {
                inner.sent(handle).and_then(|(_, entry)| match entry.phase {
                    Phase::Idle => Ok(entry.output.get(..entry.result.output_len as usize)),
                    _ => Err(("request-on-its-way", EBUSY)),
                })
            };
            from.and_then(|from| {
                let from = from
                    .and_then(|from| from.get(..length))
                    .ok_or(("nothing-to-read", EMSGSIZE))?;
                if buffer.is_null() {
                    return Err(("no-buffer", EFAULT));
                }
                // SAFETY: By the requirements; no driver has a pointer into the request.
                unsafe { buffer.copy_from_nonoverlapping(from.as_ptr(), length) };
                Ok(())
            })
        };
        read.map_err(|refusal| self.refuse(refusal, handle))
    }

    /// Replaces the output of a request; see `d2d_request_write`. A bad pointer does no harm.
    pub(crate) fn write(&self, handle: d2d_handle, buffer: *const u8, len: u32) -> Result {
        let length = len as usize;
        let written = {
            let mut inner = self.inner.lock();
            inner.held(handle).and_then(|(_, entry)| {
                if length > entry.output_room as usize || length > entry.output.len() {
                    return Err(("output-too-long", EMSGSIZE));
                }
                // SAFETY: The buffer is at least that long.
                let copied = length == 0
                    || unsafe { probe::copy(entry.output.as_mut_ptr(), buffer, length) };
                if !copied {
                    return Err(("bad-output-pointer", EFAULT));
                }
                entry.result.output_len = len;
                Ok(())
            })
        };
        written.map_err(|refusal| self.refuse(refusal, handle))
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

    /// Takes back all that a driver has or has passed on, and cancels what it has sent. Returns
    /// whether some of it is still being completed or taken back by others.
    fn take_back(&self, driver: d2d_handle) -> bool {
        let mut busy = false;
        let chunks = self.inner.lock().entries.chunks();
        for chunk in 0..chunks {
            // The lock is given back after each, so a place in the chunk is looked at once.
            let mut next = 0;
            loop {
                let inner = self.inner.lock();
                let found = inner.entries.find_in(chunk, |key, entry| {
                    let level = entry.level_of(driver)?;
                    (key as u32 >= next).then_some((key, level, entry.sendings))
                });
                drop(inner);
                let Some((key, level, sending)) = found else {
                    break;
                };
                next = key as u32 + 1;
                busy |= !self.take(key, level, sending, driver, ECANCELED.to_errno());
            }
        }
        busy
    }

    /// As [`Requests::take_back`], and waits for the others. May sleep.
    pub(crate) fn cancel_all(&self, driver: d2d_handle) {
        while self.take_back(driver) {
            fsleep(Delta::from_millis(1));
        }
    }

    /// Takes back all of a driver that is leaving, waits until nobody is inside its routines, and
    /// frees its requests. May sleep.
    pub(crate) fn run_down(&self, driver: d2d_handle) {
        while self.take_back(driver) || self.registry.is_visited(driver) {
            fsleep(Delta::from_millis(1));
        }
        let chunks = self.inner.lock().entries.chunks();
        for chunk in 0..chunks {
            loop {
                let mut inner = self.inner.lock();
                let found = inner
                    .entries
                    .find_in(chunk, |key, entry| (entry.sender == driver).then_some(key));
                let freed = found.and_then(|key| inner.entries.remove(key));
                drop(inner);
                if freed.is_none() {
                    break;
                }
            }
        }
    }
}

const LEAVING: Refusal = ("driver-is-leaving", ESHUTDOWN);

// SPDX-License-Identifier: GPL-2.0

//! A table of requests, and drivers that do what a test says.

use crate::{
    export::Arg,
    probe::Stack,
    registry::Registry,
    request::{
        record::Record,
        send::Passed,
        word::Phase,
        Limit,
        Requests,
        PENDING, //
    }, //
};
use core::ffi::c_void;
use d2d::{
    abi,
    header,
    run_in::{
        run_in,
        Place, //
    },
    testing::module, //
};
use kernel::{
    bindings,
    ffi::c_int,
    prelude::*,
    sync::{
        atomic::{
            ordering::Relaxed,
            Atomic, //
        },
        Arc, //
    },
    task::Task, //
};

// The code of a request says what the receiver's dispatch routine does with it.

/// Complete it.
pub(super) const COMPLETE: u32 = 0x22_2400;
/// Pend it.
pub(super) const PEND: u32 = 0x22_2404;
/// Pend it, and ask for `cancelled()`.
pub(super) const PEND_AND_HEAR: u32 = 0x22_2408;
/// Neither complete nor pend it.
pub(super) const FORGET: u32 = 0x22_240c;
/// Forward it with the code in the driver's `next_code`, and get it back.
pub(super) const PASS_ON: u32 = 0x22_2410;
/// As [`PASS_ON`], but do not get it back.
pub(super) const LET_GO: u32 = 0x22_2414;
/// Cancel it for its sender, then pend it with a lock held.
pub(super) const CANCEL_AND_PEND: u32 = 0x22_2418;

pub(super) const ROUTINE: u32 = abi::D2D_SEND_ROUTINE;
pub(super) const ATOMIC: u32 = abi::D2D_SEND_ATOMIC;

// What the completion routine does with the request.

pub(super) const FREE: u32 = 0;
pub(super) const KEEP: u32 = 1;
pub(super) const SEND_AGAIN: u32 = 2;

// What `returned` does with the request.

pub(super) const LEAVE: u32 = 0;
pub(super) const HOLD: u32 = 1;
/// As [`PASS_ON`].
pub(super) const PASS_ON_AGAIN: u32 = 2;

// What a routine does last, with the request in `its_request`.

pub(super) const CANCEL: u32 = 1;
/// Wait for it for a short time, and note the result in `status`.
pub(super) const WAIT: u32 = 2;

pub(super) const OUTPUT: [u8; 4] = *b"done";

pub(super) struct Fixture {
    pub(super) requests: Arc<Requests>,
    pub(super) registry: Arc<Registry>,
}

impl Fixture {
    pub(super) fn new() -> Result<Self> {
        let registry = Arc::pin_init(Registry::new(c"d2d_kunit"), GFP_KERNEL)?;
        Ok(Self {
            requests: Requests::new(c"d2d_kunit", registry.clone())?,
            registry,
        })
    }

    /// Registers a driver whose dispatch routine may sleep.
    pub(super) fn party(&self, name: &CStr) -> Result<Party<'_>> {
        self.party_as(name, |_| {})
    }

    /// Registers a driver whose dispatch routine uses the buffers in place.
    pub(super) fn party_in_place(&self, name: &CStr) -> Result<Party<'_>> {
        self.party_as(name, |object| object.flags = abi::D2D_DISPATCH_IN_PLACE)
    }

    pub(super) fn party_as(
        &self,
        name: &CStr,
        change: impl FnOnce(&mut abi::d2d_driver),
    ) -> Result<Party<'_>> {
        let actor = KBox::new(Actor::new(self.requests.clone()), GFP_KERNEL)?;
        let mut object = abi::d2d_driver {
            hdr: header::new::<abi::d2d_driver>(abi::D2D_DRIVER_MAGIC),
            name: [0; abi::D2D_NAME_SIZE as usize],
            owner: module(),
            self_: core::ptr::from_ref(&*actor).cast_mut().cast(),
            dispatch: Some(dispatch),
            returned: Some(returned),
            completed: Some(completed),
            cancelled: Some(cancelled),
            hot_keys: core::ptr::null_mut(),
            flags: 0,
            reserved: 0,
        };
        for (to, from) in object.name.iter_mut().zip(name.to_bytes()) {
            *to = *from;
        }
        change(&mut object);
        // SAFETY: The object is valid, and has routines of this module. `Party` keeps the actor until the
        // driver is unregistered.
        let object = unsafe { Arg::new(&raw const object) };
        let driver = self.registry.add(object)?;
        Ok(Party {
            fixture: self,
            driver,
            target: self.registry.lookup(name)?,
            actor,
        })
    }

    pub(super) fn len(&self) -> usize {
        let records = self.requests.records();
        records
            .filter(|record| !record.word().is(Phase::Free))
            .count()
    }

    pub(super) fn record(&self, request: u64) -> Result<&Record> {
        let mut records = self.requests.records();
        records
            .find(|record| record.handle() == request)
            .ok_or(ESTALE)
    }

    pub(super) fn complete(&self, handle: u64, status: c_int) -> Result {
        self.requests.complete(handle, status, 0, None).map(|_| ())
    }

    pub(super) fn wait(&self, request: u64, ms: u32) -> Result<abi::d2d_result> {
        self.requests.wait(request, ms, Limit::Cancel)
    }

    pub(super) fn status(&self, request: u64) -> Result<c_int> {
        Ok(self.wait(request, abi::D2D_FOREVER)?.status)
    }

    pub(super) fn read(&self, handle: u64, buffer: &mut [u8]) -> Result {
        // SAFETY: `buffer` is valid for writes of its length, and nobody else uses it.
        let place = unsafe { Arg::new(buffer.as_mut_ptr().cast()) };
        self.requests.read(handle, place, buffer.len() as u32)
    }

    pub(super) fn write(&self, handle: u64, buffer: &[u8]) -> Result {
        self.requests
            .write(handle, buffer.as_ptr(), buffer.len() as u32)
    }
}

/// A registered driver. Dropping this unregisters it.
pub(super) struct Party<'a> {
    pub(super) fixture: &'a Fixture,
    pub(super) driver: u64,
    pub(super) target: u64,
    pub(super) actor: KBox<Actor>,
}

impl Party<'_> {
    pub(super) fn alloc(&self) -> Result<u64> {
        self.fixture.requests.alloc(self.driver, 8, 8)
    }

    /// Sends a request without buffers.
    pub(super) fn send(&self, request: u64, to: &Party<'_>, code: u32, flags: u32) -> Result<bool> {
        self.send_as(request, |send| {
            send.to = to.target;
            send.code = code;
            send.flags = flags;
        })
    }

    pub(super) fn send_as(
        &self,
        request: u64,
        change: impl FnOnce(&mut abi::d2d_send),
    ) -> Result<bool> {
        let mut send = self.actor.how();
        change(&mut send);
        // SAFETY: The structure is valid, and says how long its buffer is.
        let send = unsafe { Arg::new(&raw const send) };
        self.fixture.requests.send(request, send)
    }

    /// As `send`, but does not call the receiver. The test calls it later, by `Requests::call`.
    pub(super) fn pass(
        &self,
        request: u64,
        to: &Party<'_>,
        code: u32,
        flags: u32,
    ) -> Result<Passed<'_>> {
        let send = abi::d2d_send {
            to: to.target,
            code,
            flags,
            ..self.actor.how()
        };
        let requests = &self.fixture.requests;
        requests.prepare::<false>(request, &send, Stack::current())
    }

    /// Sends a new request that the receiver pends. Returns both handles.
    pub(super) fn pend(&self, to: &Party<'_>, code: u32, flags: u32) -> Result<(u64, u64)> {
        let request = self.alloc()?;
        match self.send(request, to, code, flags)? {
            false => Ok((request, to.holds())),
            true => Err(EIO),
        }
    }

    /// Makes this driver forward requests to `to`, with this code.
    pub(super) fn passes_on_to(&self, to: &Party<'_>, code: u32) {
        self.actor.next.store(to.target, Relaxed);
        self.actor.next_code.store(code, Relaxed);
    }

    /// Forwards as [`passes_on_to`](Self::passes_on_to) says, from another thread than that of the
    /// dispatch routine. Returns the status.
    pub(super) fn forward_in_a_worker(&self, held: u64) -> Result<c_int> {
        run_in(Place::Worker, || self.actor.forward(held, ROUTINE))
    }

    /// Returns the handle of the last request that this driver received, got back or had cancelled.
    pub(super) fn holds(&self) -> u64 {
        self.actor.held.load(Relaxed)
    }

    /// Returns how often `dispatch`, `returned`, `completed` and `cancelled` were called.
    pub(super) fn calls(&self) -> [u32; 4] {
        self.actor.calls.each_ref().map(|calls| calls.load(Relaxed))
    }

    /// Returns the last status that `returned` or `completed` got. After [`CANCEL_AND_PEND`], returns
    /// the result of `Requests::pend`, after [`WAIT`] that of `Requests::wait`.
    pub(super) fn heard(&self) -> c_int {
        self.actor.status.load(Relaxed)
    }

    /// Makes `returned` leave requests pending.
    pub(super) fn keeps_what_returns(&self) {
        self.does_with_returned(HOLD);
    }

    pub(super) fn does_with_returned(&self, what: u32) {
        self.actor.with_returned.store(what, Relaxed);
    }

    /// Makes a routine do something with a request of this driver, before it returns. `routine` is the
    /// index of the routine in [`calls`](Self::calls).
    pub(super) fn does_last(&self, routine: usize, what: u32, request: u64) {
        self.actor.its_request.store(request, Relaxed);
        self.actor.last[routine].store(what, Relaxed);
    }

    pub(super) fn does_with_completed(&self, what: u32) {
        self.actor.with_completed.store(what, Relaxed);
    }

    pub(super) fn leaves(&self) -> Result {
        self.fixture.registry.unregister(self.driver)
    }
}

impl Drop for Party<'_> {
    fn drop(&mut self) {
        // The test may have done this already.
        let _ = self.fixture.registry.unregister(self.driver);
        self.fixture.requests.clear_and_free(self.driver);
        self.fixture.registry.remove(self.driver);
    }
}

/// The status that `completed` notes if it is called while a driver holds a lock.
const DEADLOCK: c_int = -(bindings::EDEADLK as c_int);

/// Not 0 while a driver holds a lock.
static LOCKED: Atomic<u32> = Atomic::new(0);

/// What the routines are to do, and what they were called with.
pub(super) struct Actor {
    pub(super) requests: Arc<Requests>,
    pub(super) next: Atomic<u64>,
    pub(super) next_code: Atomic<u32>,
    pub(super) with_returned: Atomic<u32>,
    pub(super) with_completed: Atomic<u32>,
    pub(super) held: Atomic<u64>,
    pub(super) status: Atomic<i32>,
    pub(super) tag: Atomic<u64>,
    /// The request of [`CANCEL_AND_PEND`], and of what the routines do last.
    pub(super) its_request: Atomic<u64>,
    /// What each routine does last.
    pub(super) last: [Atomic<u32>; 4],
    /// The last result of `Requests::forward`.
    pub(super) forwarded: Atomic<i32>,
    pub(super) task: Atomic<usize>,
    pub(super) calls: [Atomic<u32>; 4],
}

impl Actor {
    pub(super) fn new(requests: Arc<Requests>) -> Self {
        Self {
            requests,
            next: Atomic::new(0),
            next_code: Atomic::new(0),
            with_returned: Atomic::new(LEAVE),
            with_completed: Atomic::new(FREE),
            held: Atomic::new(0),
            status: Atomic::new(0),
            tag: Atomic::new(0),
            its_request: Atomic::new(0),
            last: core::array::from_fn(|_| Atomic::new(0)),
            forwarded: Atomic::new(0),
            task: Atomic::new(0),
            calls: core::array::from_fn(|_| Atomic::new(0)),
        }
    }

    pub(super) fn count(&self, which: usize) {
        self.calls[which].add(1, Relaxed);
    }

    fn do_last(&self, routine: usize) {
        let request = self.its_request.load(Relaxed);
        match self.last[routine].load(Relaxed) {
            CANCEL => {
                let _ = self.requests.cancel(request);
            }
            WAIT => {
                let result = self.requests.wait(request, 10, Limit::Cancel);
                let errno = result.map_or_else(Error::to_errno, |result| result.status);
                self.status.store(errno, Relaxed);
            }
            _ => {}
        }
    }

    /// Returns how to send a request without buffers to the driver `next`.
    pub(super) fn how(&self) -> abi::d2d_send {
        abi::d2d_send {
            hdr: header::new::<abi::d2d_send>(abi::D2D_SEND_MAGIC),
            to: self.next.load(Relaxed),
            major_function: abi::D2D_MJ_INTERNAL_DEVICE_CONTROL,
            code: self.next_code.load(Relaxed),
            input: core::ptr::null(),
            user_buffer: core::ptr::null_mut(),
            tag: 0,
            input_len: 0,
            output_len: 0,
            flags: 0,
            reserved: 0,
        }
    }

    pub(super) fn forward(&self, handle: u64, flags: u32) -> c_int {
        let send = abi::d2d_send {
            flags,
            ..self.how()
        };
        // SAFETY: The structure is valid, and names no buffers.
        let send = unsafe { Arg::new(&raw const send) };
        let forwarded = self.requests.forward(handle, send);
        let errno = forwarded.map_or_else(Error::to_errno, c_int::from);
        self.forwarded.store(errno, Relaxed);
        match forwarded {
            Ok(_) => PENDING,
            Err(error) => self.complete(handle, error.to_errno()),
        }
    }

    pub(super) fn complete(&self, handle: u64, status: c_int) -> c_int {
        let _ = self.requests.complete(handle, status, 3, None);
        status
    }

    pub(super) fn dispatch(&self, request: &abi::d2d_request) -> c_int {
        self.count(0);
        self.held.store(request.handle, Relaxed);
        self.task.store(Task::current_raw() as usize, Relaxed);
        let returned = self.do_code(request);
        self.do_last(0);
        returned
    }

    fn do_code(&self, request: &abi::d2d_request) -> c_int {
        match request.code {
            COMPLETE => {
                if request.output_len as usize >= OUTPUT.len() {
                    let output = OUTPUT.as_ptr();
                    let _ = self
                        .requests
                        .write(request.handle, output, OUTPUT.len() as u32);
                }
                self.complete(request.handle, 0)
            }
            PEND => PENDING,
            PEND_AND_HEAR => {
                let _ = self.requests.set_cancel(request.handle);
                PENDING
            }
            CANCEL_AND_PEND => {
                let _ = self.requests.cancel(self.its_request.load(Relaxed));
                LOCKED.store(1, Relaxed);
                let pended = self.requests.pend(request.handle);
                LOCKED.store(0, Relaxed);
                let errno = pended.map_or_else(Error::to_errno, |()| 0);
                self.status.store(errno, Relaxed);
                PENDING
            }
            // As if another thread completed the request before the routine returns `PENDING`.
            abi::D2D_IOCTL_SHARE_CONTEXT => {
                self.complete(request.handle, 0);
                PENDING
            }
            PASS_ON => self.forward(request.handle, ROUTINE),
            LET_GO => self.forward(request.handle, 0),
            _ => 0,
        }
    }
}

/// # Safety
///
/// `this` is an [`Actor`], `request` is valid for reads.
unsafe extern "C" fn dispatch(this: *mut c_void, request: *const abi::d2d_request) -> c_int {
    // SAFETY: The caller says that `this` is an `Actor`, and that `request` is valid for reads.
    unsafe { (*this.cast::<Actor>()).dispatch(&*request) }
}

/// # Safety
///
/// `this` is an [`Actor`], `request` and `result` are valid for reads.
unsafe extern "C" fn returned(
    this: *mut c_void,
    request: *const abi::d2d_request,
    result: *const abi::d2d_result,
) -> c_int {
    // SAFETY: The caller says that `this` is an `Actor`, and that `request` and `result` are valid
    // for reads.
    let (actor, request, result) = unsafe { (&*this.cast::<Actor>(), &*request, &*result) };
    actor.count(1);
    actor.held.store(request.handle, Relaxed);
    actor.status.store(result.status, Relaxed);
    let status = match actor.with_returned.load(Relaxed) {
        LEAVE => result.status,
        HOLD => PENDING,
        _ => actor.forward(request.handle, ROUTINE),
    };
    actor.do_last(1);
    status
}

/// # Safety
///
/// `this` is an [`Actor`], `result` is valid for reads.
unsafe extern "C" fn completed(
    this: *mut c_void,
    request: u64,
    result: *const abi::d2d_result,
) -> c_int {
    // SAFETY: The caller says that `this` is an `Actor`, and that `result` is valid for reads.
    let (actor, result) = unsafe { (&*this.cast::<Actor>(), &*result) };
    actor.count(2);
    let status = match LOCKED.load(Relaxed) {
        0 => result.status,
        _ => DEADLOCK,
    };
    actor.status.store(status, Relaxed);
    actor.tag.store(result.tag, Relaxed);
    match actor.with_completed.load(Relaxed) {
        FREE => 0,
        KEEP => abi::D2D_MORE_PROCESSING_REQUIRED as c_int,
        _ => {
            let send = abi::d2d_send {
                flags: ROUTINE | ATOMIC,
                ..actor.how()
            };
            // SAFETY: `send` is valid and names no buffers.
            let send = unsafe { Arg::new(&raw const send) };
            let sent = actor.requests.send(request, send);
            c_int::from(sent.is_ok())
        }
    }
}

/// # Safety
///
/// `this` is an [`Actor`].
unsafe extern "C" fn cancelled(this: *mut c_void, request: u64) {
    // SAFETY: The caller says that `this` is an `Actor`.
    let actor = unsafe { &*this.cast::<Actor>() };
    actor.count(3);
    actor.held.store(request, Relaxed);
    actor.do_last(3);
}

pub(super) const CANCELED: c_int = -(bindings::ECANCELED as c_int);
pub(super) const TIMEDOUT: c_int = -(bindings::ETIMEDOUT as c_int);
pub(super) const FAILED: c_int = -(bindings::EIO as c_int);

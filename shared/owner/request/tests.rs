// SPDX-License-Identifier: GPL-2.0

//! Requests: which driver has one, what each driver may do with it, and which of two attempts to end it at the
//! same time succeeds.

use super::{
    cancel::{
        Taker,
        Taking, //
    },
    record::Record,
    send::Passed,
    word::{
        self,
        Phase,
        Reason, //
    },
    Limit,
    Requests,
    PENDING, //
};
use crate::{
    export::Arg,
    registry::Registry, //
};
use core::ffi::c_void;
use d2d::{
    abi,
    header,
    probe::Stack,
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

/// The code of a request says what the receiver's dispatch routine does with it: complete it.
const COMPLETE: u32 = 0x22_2400;
const PEND: u32 = 0x22_2404;
/// Pend it, and ask to be told if it is cancelled.
const PEND_AND_HEAR: u32 = 0x22_2408;
/// Neither complete nor pend it.
const FORGET: u32 = 0x22_240c;
/// Forward it with the code in the driver's `next_code`, and get it back.
const PASS_ON: u32 = 0x22_2410;
/// Forward it with the same code, but do not get it back.
const LET_GO: u32 = 0x22_2414;
/// Cancel it on behalf of its sender, and then pend it with a lock held.
const CANCEL_AND_PEND: u32 = 0x22_2418;

const ROUTINE: u32 = abi::D2D_SEND_ROUTINE;
const ATOMIC: u32 = abi::D2D_SEND_ATOMIC;
const FREE: u32 = 0;
const KEEP: u32 = 1;
const SEND_AGAIN: u32 = 2;

const OUTPUT: [u8; 4] = *b"done";

/// A table of requests and a registry of drivers, for one test.
struct Bench {
    requests: Arc<Requests>,
    registry: Arc<Registry>,
}

impl Bench {
    fn new() -> Result<Self> {
        let registry = Arc::pin_init(Registry::new(c"d2d_kunit"), GFP_KERNEL)?;
        Ok(Self {
            requests: Requests::new(c"d2d_kunit", registry.clone())?,
            registry,
        })
    }

    /// Registers a driver whose dispatch routine may sleep.
    fn party(&self, name: &CStr) -> Result<Party<'_>> {
        self.party_as(name, |_| {})
    }

    /// Registers a driver whose dispatch routine uses the buffers in place.
    fn party_in_place(&self, name: &CStr) -> Result<Party<'_>> {
        self.party_as(name, |object| object.flags = abi::D2D_DISPATCH_IN_PLACE)
    }

    fn party_as(
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
            flags: 0,
            reserved: 0,
        };
        for (to, from) in object.name.iter_mut().zip(name.to_bytes()) {
            *to = *from;
        }
        change(&mut object);
        // SAFETY: The routines are those of this module. `Party` keeps the actor until the driver
        // is unregistered.
        let object = unsafe { Arg::new(&raw const object) };
        let driver = self.registry.add(object)?;
        Ok(Party {
            bench: self,
            driver,
            target: self.registry.lookup(name)?,
            actor,
        })
    }

    /// Returns the number of requests in the table.
    fn len(&self) -> usize {
        let records = self.requests.records();
        records
            .filter(|record| !record.word().is(Phase::Free))
            .count()
    }

    /// Returns the record of a request.
    fn record(&self, request: u64) -> Result<&Record> {
        let mut records = self.requests.records();
        records
            .find(|record| record.handle() == request)
            .ok_or(ESTALE)
    }

    fn complete(&self, handle: u64, status: c_int) -> Result {
        self.requests.complete(handle, status, 0, None).map(|_| ())
    }

    fn wait(&self, request: u64, ms: u32) -> Result<abi::d2d_result> {
        self.requests.wait(request, ms, Limit::Take)
    }

    /// Waits for a request and returns its status.
    fn status(&self, request: u64) -> Result<c_int> {
        Ok(self.wait(request, abi::D2D_FOREVER)?.status)
    }

    fn read(&self, handle: u64, buffer: &mut [u8]) -> Result {
        // SAFETY: `buffer` is valid for writes of its length, and nobody else uses it.
        let place = unsafe { Arg::new(buffer.as_mut_ptr().cast()) };
        self.requests.read(handle, place, buffer.len() as u32)
    }

    fn write(&self, handle: u64, buffer: &[u8]) -> Result {
        self.requests
            .write(handle, buffer.as_ptr(), buffer.len() as u32)
    }
}

/// A registered driver. It is unregistered when it is dropped.
struct Party<'a> {
    bench: &'a Bench,
    driver: u64,
    target: u64,
    actor: KBox<Actor>,
}

impl Party<'_> {
    fn alloc(&self) -> Result<u64> {
        self.bench.requests.alloc(self.driver, 8, 8)
    }

    /// Sends a request of this driver, without input and output.
    fn send(&self, request: u64, to: &Party<'_>, code: u32, flags: u32) -> Result<bool> {
        self.send_as(request, |send| {
            send.to = to.target;
            send.code = code;
            send.flags = flags;
        })
    }

    fn send_as(&self, request: u64, change: impl FnOnce(&mut abi::d2d_send)) -> Result<bool> {
        let mut send = self.actor.how();
        change(&mut send);
        // SAFETY: The structure says how long its buffer is.
        let send = unsafe { Arg::new(&raw const send) };
        self.bench.requests.send(request, send)
    }

    /// Sends a request without input and output, but does not call the receiver yet: the test does
    /// so later, by `Requests::call`.
    fn pass(&self, request: u64, to: &Party<'_>, code: u32, flags: u32) -> Result<Passed<'_>> {
        let send = abi::d2d_send {
            to: to.target,
            code,
            flags,
            ..self.actor.how()
        };
        let requests = &self.bench.requests;
        requests.prepare::<false>(request, &send, Stack::current())
    }

    /// Sends a new request that the receiver pends. Returns the sender's and the receiver's handle of it.
    fn pend(&self, to: &Party<'_>, code: u32, flags: u32) -> Result<(u64, u64)> {
        let request = self.alloc()?;
        match self.send(request, to, code, flags)? {
            false => Ok((request, to.holds())),
            true => Err(EIO),
        }
    }

    /// Makes this driver forward requests to another one, with this code.
    fn passes_on_to(&self, to: &Party<'_>, code: u32) {
        self.actor.next.store(to.target, Relaxed);
        self.actor.next_code.store(code, Relaxed);
    }

    /// Returns the handle of the last request that this driver received or got back.
    fn holds(&self) -> u64 {
        self.actor.held.load(Relaxed)
    }

    /// How often its routines were called: dispatch, returned, completed, cancelled.
    fn calls(&self) -> [u32; 4] {
        self.actor.calls.each_ref().map(|calls| calls.load(Relaxed))
    }

    /// The last status that `returned` or `completed` was called with.
    fn heard(&self) -> c_int {
        self.actor.status.load(Relaxed)
    }

    /// Makes `returned` leave requests pending.
    fn keeps_what_returns(&self) {
        self.actor.keeps_returned.store(1, Relaxed);
    }

    fn does_with_completed(&self, what: u32) {
        self.actor.with_completed.store(what, Relaxed);
    }

    /// Marks this driver as unregistering, as `d2d_unregister` does first.
    fn leaves(&self) -> Result {
        self.bench.registry.unregister(self.driver)
    }
}

impl Drop for Party<'_> {
    fn drop(&mut self) {
        // The test may have done this already.
        let _ = self.bench.registry.unregister(self.driver);
        self.bench.requests.run_down(self.driver);
        self.bench.registry.remove(self.driver);
    }
}

/// What a completion routine reports if it is called while a driver holds a lock.
const DEADLOCK: c_int = -(bindings::EDEADLK as c_int);

/// Not 0 while a driver holds a lock of its own, which a completion routine may need.
static LOCKED: Atomic<u32> = Atomic::new(0);

/// The driver's own data: what its routines are to do, and what they were called with.
struct Actor {
    requests: Arc<Requests>,
    next: Atomic<u64>,
    next_code: Atomic<u32>,
    keeps_returned: Atomic<u32>,
    with_completed: Atomic<u32>,
    held: Atomic<u64>,
    status: Atomic<i32>,
    tag: Atomic<u64>,
    /// The sender's handle of the request that the dispatch routine has cancelled.
    cancels: Atomic<u64>,
    /// The result of the last forwarding.
    forwarded: Atomic<i32>,
    /// The task that last called the dispatch routine.
    task: Atomic<usize>,
    calls: [Atomic<u32>; 4],
}

impl Actor {
    fn new(requests: Arc<Requests>) -> Self {
        Self {
            requests,
            next: Atomic::new(0),
            next_code: Atomic::new(0),
            keeps_returned: Atomic::new(0),
            with_completed: Atomic::new(FREE),
            held: Atomic::new(0),
            status: Atomic::new(0),
            tag: Atomic::new(0),
            cancels: Atomic::new(0),
            forwarded: Atomic::new(0),
            task: Atomic::new(0),
            calls: core::array::from_fn(|_| Atomic::new(0)),
        }
    }

    fn count(&self, which: usize) {
        self.calls[which].add(1, Relaxed);
    }

    /// How to send a request without input and output to the driver `next`.
    fn how(&self) -> abi::d2d_send {
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

    fn forward(&self, handle: u64, flags: u32) -> c_int {
        let send = abi::d2d_send {
            flags,
            ..self.how()
        };
        // SAFETY: The structure has no buffers.
        let send = unsafe { Arg::new(&raw const send) };
        let forwarded = self.requests.forward(handle, send);
        let errno = forwarded.map_or_else(Error::to_errno, c_int::from);
        self.forwarded.store(errno, Relaxed);
        match forwarded {
            Ok(_) => PENDING,
            Err(error) => self.complete(handle, error.to_errno()),
        }
    }

    fn complete(&self, handle: u64, status: c_int) -> c_int {
        let _ = self.requests.complete(handle, status, 3, None);
        status
    }

    fn dispatch(&self, request: &abi::d2d_request) -> c_int {
        self.count(0);
        self.held.store(request.handle, Relaxed);
        self.task.store(Task::current_raw() as usize, Relaxed);
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
                let _ = self.requests.cancel(self.cancels.load(Relaxed));
                LOCKED.store(1, Relaxed);
                let pended = self.requests.pend(request.handle);
                LOCKED.store(0, Relaxed);
                let errno = pended.map_or_else(Error::to_errno, |()| 0);
                self.status.store(errno, Relaxed);
                PENDING
            }
            // Complete it, as another thread may do before the routine returns, and return
            // `PENDING`.
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
    // SAFETY: The library calls this with the driver's `self`, which is an `Actor`, and with structures on its stack.
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
    // SAFETY: The library calls this with the driver's `self`, which is an `Actor`, and with structures on its stack.
    let (actor, request, result) = unsafe { (&*this.cast::<Actor>(), &*request, &*result) };
    actor.count(1);
    actor.held.store(request.handle, Relaxed);
    actor.status.store(result.status, Relaxed);
    match actor.keeps_returned.load(Relaxed) {
        0 => result.status,
        _ => PENDING,
    }
}

/// # Safety
///
/// `this` is an [`Actor`], `result` is valid for reads.
unsafe extern "C" fn completed(
    this: *mut c_void,
    request: u64,
    result: *const abi::d2d_result,
) -> c_int {
    // SAFETY: The library calls this with the driver's `self`, which is an `Actor`, and with structures on its stack.
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
    // SAFETY: The library calls this with the driver's `self`, which is an `Actor`, and with structures on its stack.
    let actor = unsafe { &*this.cast::<Actor>() };
    actor.count(3);
    actor.held.store(request, Relaxed);
}

#[kunit_tests(d2d_requests)]
mod cases {
    use super::*;

    const CANCELED: c_int = -(bindings::ECANCELED as c_int);
    const TIMEDOUT: c_int = -(bindings::ETIMEDOUT as c_int);
    const FAILED: c_int = -(bindings::EIO as c_int);

    #[test]
    fn a_request_is_completed_at_once() -> Result {
        let bench = Bench::new()?;
        let (a, b) = (bench.party(c"a")?, bench.party(c"b")?);
        let request = a.alloc()?;
        assert!(a.send_as(request, |send| {
            send.to = b.target;
            send.code = COMPLETE;
            send.tag = 77;
            send.output_len = 8;
        })?);
        let result = bench.wait(request, 0)?;
        assert_eq!(result.status, 0);
        assert_eq!(result.information, 3);
        assert_eq!(result.tag, 77);
        assert_eq!(result.output_len as usize, OUTPUT.len());
        let mut output = [0; OUTPUT.len()];
        bench.read(request, &mut output)?;
        assert_eq!(output, OUTPUT);
        assert_eq!(b.calls(), [1, 0, 0, 0]);
        assert_eq!(a.calls(), [0; 4]);
        Ok(())
    }

    #[test]
    fn a_request_is_completed_later() -> Result {
        let bench = Bench::new()?;
        let (a, b) = (bench.party(c"a")?, bench.party(c"b")?);
        let (request, held) = a.pend(&b, PEND, 0)?;
        assert!(request != held);
        assert_eq!(a.send(request, &b, PEND, 0), Err(EBUSY));
        assert_eq!(bench.read(request, &mut []), Err(EBUSY));
        bench.complete(held, FAILED)?;
        assert_eq!(bench.status(request)?, FAILED);
        assert_eq!(bench.complete(held, 0), Err(ESTALE));
        assert_eq!(bench.requests.cancel(request), Err(EALREADY));
        assert_eq!(bench.status(request)?, FAILED);
        Ok(())
    }

    #[test]
    fn a_waiting_sender_is_woken() -> Result {
        let bench = Bench::new()?;
        let (a, b) = (bench.party(c"a")?, bench.party(c"b")?);
        let request = a.alloc()?;
        // The worker completes it.
        a.send(request, &b, COMPLETE, ATOMIC)?;
        assert_eq!(bench.status(request)?, 0);
        Ok(())
    }

    #[test]
    fn a_worker_dispatches_if_the_receiver_sleeps_and_the_sender_cannot() -> Result {
        let bench = Bench::new()?;
        let a = bench.party(c"a")?;
        let sleeper = bench.party(c"sleeper")?;
        let atomic = bench.party_as(c"atomic", |object| {
            object.flags = abi::D2D_DISPATCH_ATOMIC;
        })?;
        let task = Task::current_raw() as usize;
        for (to, flags, inline) in [
            (&sleeper, 0, true),
            (&sleeper, ATOMIC, false),
            (&atomic, 0, true),
            (&atomic, ATOMIC, true),
        ] {
            let request = a.alloc()?;
            a.send(request, to, COMPLETE, flags)?;
            assert_eq!(bench.status(request)?, 0);
            assert!(inline == (to.actor.task.load(Relaxed) == task));
        }
        Ok(())
    }

    #[test]
    fn a_request_that_waits_for_a_worker_can_be_cancelled() -> Result {
        let bench = Bench::new()?;
        let (a, b) = (bench.party(c"a")?, bench.party(c"b")?);
        for place in Place::ALL {
            let request = a.alloc()?;
            let won = run_in(place, || {
                a.send(request, &b, PEND, ATOMIC)?;
                bench.requests.cancel(request)
            })?;
            assert_eq!(won, Ok(()));
            assert_eq!(bench.status(request)?, CANCELED);
        }
        Ok(())
    }

    #[test]
    fn pending_a_cancelled_request_calls_no_routine() -> Result {
        let bench = Bench::new()?;
        let a = bench.party(c"a")?;
        let b = bench.party_in_place(c"b")?;
        let request = a.alloc()?;
        b.actor.cancels.store(request, Relaxed);
        assert_eq!(a.send(request, &b, CANCEL_AND_PEND, ROUTINE), Ok(true));
        assert_eq!(b.heard(), CANCELED);
        // The completion routine has run after the dispatch routine had returned.
        assert_eq!(a.calls(), [0, 0, 1, 0]);
        assert_eq!(a.heard(), CANCELED);
        assert_eq!(bench.len(), 0);
        Ok(())
    }

    #[test]
    fn a_pended_handshake_is_pending_although_it_is_completed() -> Result {
        let bench = Bench::new()?;
        let (a, b) = (bench.party(c"a")?, bench.party(c"b")?);
        let request = a.alloc()?;
        let send = abi::d2d_send {
            to: b.target,
            code: abi::D2D_IOCTL_SHARE_CONTEXT,
            ..a.actor.how()
        };
        assert_eq!(bench.requests.send_handshake(request, &send), Ok(false));
        assert_eq!(bench.wait(request, 0)?.status, 0);
        Ok(())
    }

    #[test]
    fn requests_are_sent_from_anywhere() -> Result {
        let bench = Bench::new()?;
        let a = bench.party(c"a")?;
        let b = bench.party_as(c"b", |object| object.flags = abi::D2D_DISPATCH_ATOMIC)?;
        for place in Place::ALL {
            let request = a.alloc()?;
            let sent = run_in(place, || a.send(request, &b, COMPLETE, ATOMIC))?;
            assert_eq!(sent, Ok(true));
            assert_eq!(run_in(place, || bench.status(request))?, Ok(0));
        }
        Ok(())
    }

    #[test]
    fn a_request_that_was_taken_before_its_dispatch_is_not_dispatched() -> Result {
        let bench = Bench::new()?;
        let (a, b, c) = (bench.party(c"a")?, bench.party(c"b")?, bench.party(c"c")?);
        let request = a.alloc()?;
        let passed = a.pass(request, &b, PEND, 0)?;
        bench.requests.cancel(request)?;
        // The request is home, and its sender may be filling it in for another driver.
        assert!(bench.requests.call(passed));
        assert_eq!(b.calls(), [0; 4]);

        let passed = a.pass(request, &b, PEND, 0)?;
        bench.requests.cancel(request)?;
        assert!(!a.send(request, &c, PEND, 0)?);
        // The request is with another driver, which has another view of it.
        assert!(bench.requests.call(passed));
        assert_eq!(b.calls(), [0; 4]);
        bench.complete(c.holds(), 0)?;
        assert_eq!(bench.status(request)?, 0);
        Ok(())
    }

    #[test]
    fn one_of_two_completions_wins_in_any_context() -> Result {
        let bench = Bench::new()?;
        let (a, b) = (bench.party(c"a")?, bench.party(c"b")?);
        for first in Place::ALL {
            for second in Place::ALL {
                let (request, held) = a.pend(&b, PEND, 0)?;
                assert_eq!(run_in(first, || bench.complete(held, 0))?, Ok(()));
                let late = run_in(second, || bench.requests.cancel(request))?;
                assert_eq!(late, Err(EALREADY));
                assert_eq!(bench.status(request)?, 0);

                let (request, held) = a.pend(&b, PEND, 0)?;
                assert_eq!(run_in(first, || bench.requests.cancel(request))?, Ok(()));
                let late = run_in(second, || bench.complete(held, 0))?;
                assert_eq!(late, Err(ECANCELED));
                let late = run_in(second, || bench.requests.cancel(request))?;
                assert_eq!(late, Err(EALREADY));
                assert_eq!(bench.status(request)?, CANCELED);
            }
        }
        Ok(())
    }

    #[test]
    fn waiting_has_an_end() -> Result {
        let bench = Bench::new()?;
        let (a, b) = (bench.party(c"a")?, bench.party(c"b")?);
        for ms in [0, 1] {
            let (request, held) = a.pend(&b, PEND_AND_HEAR, 0)?;
            assert_eq!(bench.wait(request, ms)?.status, TIMEDOUT);
            assert_eq!(bench.complete(held, 0), Err(ECANCELED));
            assert_eq!(bench.requests.cancel(request), Err(EALREADY));
            assert_eq!(bench.status(request)?, TIMEDOUT);
        }
        assert_eq!(b.calls(), [2, 0, 0, 2]);
        Ok(())
    }

    /// Adds or removes a thread that waits for a request: one that was woken, but has not run yet.
    fn pretend_waiter(bench: &Bench, request: u64, waits: bool) -> Result {
        let record = bench.record(request)?;
        match waits {
            true => record.go(&word::WAIT).map(|_| ()).map_err(|_| EBUSY),
            false => {
                bench.requests.end_to_wait(record);
                Ok(())
            }
        }
    }

    #[test]
    fn a_request_that_is_waited_for_is_not_sent_again() -> Result {
        let bench = Bench::new()?;
        let (a, b) = (bench.party(c"a")?, bench.party(c"b")?);
        let (request, held) = a.pend(&b, PEND, 0)?;
        pretend_waiter(&bench, request, true)?;
        pretend_waiter(&bench, request, true)?;
        bench.complete(held, FAILED)?;
        assert_eq!(a.send(request, &b, COMPLETE, 0), Err(EBUSY));
        assert_eq!(b.calls()[0], 1);
        // Each waiting thread still sees the result.
        assert_eq!(bench.status(request)?, FAILED);
        pretend_waiter(&bench, request, false)?;
        assert_eq!(a.send(request, &b, COMPLETE, 0), Err(EBUSY));
        pretend_waiter(&bench, request, false)?;
        assert_eq!(a.send(request, &b, COMPLETE, 0), Ok(true));
        assert_eq!(bench.status(request)?, 0);
        Ok(())
    }

    #[test]
    fn a_request_that_is_waited_for_is_not_removed() -> Result {
        let bench = Bench::new()?;
        let (a, b) = (bench.party(c"a")?, bench.party(c"b")?);
        for completed in [false, true] {
            let (request, held) = a.pend(&b, PEND, 0)?;
            pretend_waiter(&bench, request, true)?;
            if completed {
                bench.complete(held, 0)?;
            }
            bench.requests.free(request)?;
            assert_eq!(bench.requests.free(request), Err(ESTALE));
            assert_eq!(a.send(request, &b, PEND, 0), Err(ESTALE));
            assert_eq!(bench.len(), 1);
            // The last thread that waits frees it.
            pretend_waiter(&bench, request, false)?;
            assert_eq!(bench.len(), 0);
        }
        Ok(())
    }

    #[test]
    fn only_what_was_sent_is_waited_for() -> Result {
        let bench = Bench::new()?;
        let (a, b) = (bench.party(c"a")?, bench.party(c"b")?);
        let request = a.alloc()?;
        assert_eq!(bench.wait(request, 0).err(), Some(ENODATA));
        a.send(request, &b, PEND, ROUTINE)?;
        assert_eq!(bench.wait(request, 0).err(), Some(EINVAL));
        Ok(())
    }

    #[test]
    fn a_receiver_learns_of_a_cancellation_that_is_not_delivered_yet() -> Result {
        let bench = Bench::new()?;
        let (a, b) = (bench.party(c"a")?, bench.party(c"b")?);
        let (request, held) = a.pend(&b, PEND, 0)?;
        let record = bench.record(request)?;
        // Pretend that a copy runs.
        assert!(record.go(&word::PINNED).is_ok());
        bench.requests.cancel(request)?;
        assert!(record.word().is(Phase::Taken));
        assert_eq!(bench.complete(held, 0), Err(ECANCELED));
        // A second cancel is too late.
        assert_eq!(bench.requests.cancel(request), Err(EALREADY));
        assert_eq!(bench.complete(held, 0), Err(ECANCELED));
        bench.requests.unpin(record);
        assert_eq!(bench.status(request)?, CANCELED);
        assert_eq!(bench.complete(held, 0), Err(ECANCELED));
        Ok(())
    }

    #[test]
    fn a_request_cancelled_while_it_is_forwarded_waits_for_the_frame() -> Result {
        let bench = Bench::new()?;
        let a = bench.party(c"a")?;
        let b = bench.party_in_place(c"b")?;
        let request = a.alloc()?;
        let record = bench.record(request)?;
        let passed = a.pass(request, &b, PEND, 0)?;
        // Pretend that the dispatch routine is forwarding the request.
        assert!(record.go(&word::FORWARD).is_ok());
        bench.requests.cancel(request)?;
        bench.requests.recalled(record);
        assert!(record.word().is(Phase::Taken));
        assert_eq!(a.send(request, &b, COMPLETE, 0), Err(EBUSY));
        // The dispatch routine is called, and returns.
        assert!(bench.requests.call(passed));
        assert_eq!(bench.status(request)?, CANCELED);
        assert_eq!(a.send(request, &b, COMPLETE, 0), Ok(true));
        Ok(())
    }

    #[test]
    fn a_request_cancelled_while_it_comes_back_waits_for_the_frame() -> Result {
        let bench = Bench::new()?;
        let a = bench.party(c"a")?;
        let b = bench.party_in_place(c"b")?;
        let c = bench.party(c"c")?;
        let request = a.alloc()?;
        let record = bench.record(request)?;
        let passed = a.pass(request, &b, PEND, 0)?;
        b.passes_on_to(&c, PEND);
        let held = record.hold(record.word().seq());
        assert_eq!(
            run_in(Place::Worker, || b.actor.forward(held, ROUTINE))?,
            PENDING
        );
        // Pretend that c is just completing the request.
        assert!(record.go(&word::COMPLETE).is_ok());
        bench.requests.cancel(request)?;
        bench.requests.finish(record);
        assert!(record.word().is(Phase::Taken));
        assert_eq!(b.calls(), [0; 4]);
        assert!(bench.requests.call(passed));
        assert_eq!(b.calls(), [1, 1, 0, 0]);
        assert_eq!(bench.status(request)?, CANCELED);
        assert_eq!(a.send(request, &b, COMPLETE, 0), Ok(true));
        Ok(())
    }

    #[test]
    fn a_driver_in_the_middle_does_not_wait_for_a_frame_of_another() -> Result {
        let bench = Bench::new()?;
        let a = bench.party(c"a")?;
        let b = bench.party_in_place(c"b")?;
        let (c, d) = (bench.party(c"c")?, bench.party(c"d")?);
        let request = a.alloc()?;
        let record = bench.record(request)?;
        // The frame of b stays, while other threads of b and c forward the request.
        let passed = a.pass(request, &b, PEND, 0)?;
        b.passes_on_to(&c, PEND);
        c.passes_on_to(&d, PEND);
        let held = record.hold(record.word().seq());
        assert_eq!(
            run_in(Place::Worker, || b.actor.forward(held, ROUTINE))?,
            PENDING
        );
        assert_eq!(
            run_in(Place::Worker, || c.actor.forward(c.holds(), ROUTINE))?,
            PENDING
        );
        let take = |party: &Party<'_>| bench.requests.take(record, Taker::Driver(party.driver));
        assert!(take(&d) == Taking::Done);
        assert!(record.word().has(word::bits::PARKED));
        // The request is not with d any more, and c is told that it was taken.
        assert!(take(&d) == Taking::Nothing);
        assert!(take(&c) == Taking::Done);
        assert!(take(&c) == Taking::Nothing);
        assert_eq!(c.calls(), [1, 1, 0, 0]);
        assert!(bench.requests.call(passed));
        assert_eq!(b.calls(), [1, 1, 0, 0]);
        assert_eq!(bench.status(request)?, CANCELED);
        Ok(())
    }

    /// Two drivers forward a request while a frame of the first one uses its buffers. The last driver ends the
    /// request in each way, and then each taker takes it before the frame has ended.
    #[test]
    fn a_request_that_waits_for_a_frame_can_be_taken() -> Result {
        for is_completed in [false, true] {
            for who in ["cancels", "limits its wait", "sender leaves", "forwarder leaves"] {
                let bench = Bench::new()?;
                let (a, b) = (bench.party(c"a")?, bench.party_in_place(c"b")?);
                let (c, d) = (bench.party(c"c")?, bench.party(c"d")?);
                let request = a.alloc()?;
                let record = bench.record(request)?;
                let passed = a.pass(request, &b, PEND, 0)?;
                b.passes_on_to(&c, PEND);
                c.passes_on_to(&d, PEND);
                c.keeps_what_returns();
                let held = record.hold(record.word().seq());
                run_in(Place::Worker, || b.actor.forward(held, ROUTINE))?;
                run_in(Place::Worker, || c.actor.forward(c.holds(), ROUTINE))?;
                if is_completed {
                    bench.complete(d.holds(), 0)?;
                } else {
                    let taking = bench.requests.take(record, Taker::Driver(d.driver));
                    assert!(taking == Taking::Done);
                }
                assert!(record.word().has(word::bits::PARKED));

                let taker = match who {
                    "cancels" => Taker::Sender(request, Reason::Cancelled),
                    "limits its wait" => Taker::Sender(request, Reason::TimedOut),
                    "sender leaves" => Taker::Driver(a.driver),
                    _ => Taker::Driver(c.driver),
                };
                assert!(bench.requests.take(record, taker) == Taking::Done);
                assert!(bench.requests.take(record, taker) != Taking::Done);
                bench.requests.call(passed);
                // c was told, and has not kept the request.
                assert_eq!(c.calls(), [1, 1, 0, 0]);
                assert!(record.word().is(Phase::Idle));
                let status = match who {
                    "limits its wait" => ETIMEDOUT.to_errno(),
                    _ => CANCELED,
                };
                assert_eq!(bench.status(request)?, status);
            }
        }
        Ok(())
    }

    #[test]
    fn a_request_that_is_not_dispatched_yet_has_no_holder() -> Result {
        let bench = Bench::new()?;
        let (a, b) = (bench.party(c"a")?, bench.party(c"b")?);
        let request = a.alloc()?;
        let record = bench.record(request)?;
        let passed = a.pass(request, &b, COMPLETE, ATOMIC)?;
        // A driver can only guess this handle.
        let guessed = record.hold(record.word().seq());
        b.passes_on_to(&a, COMPLETE);
        assert_eq!(b.actor.forward(guessed, 0), ESTALE.to_errno());
        assert_eq!(bench.complete(guessed, 0), Err(ESTALE));
        assert_eq!(bench.write(guessed, &[]), Err(ESTALE));
        assert_eq!(bench.requests.set_cancel(guessed), Err(ESTALE));
        bench.requests.call(passed);
        assert_eq!(bench.status(request)?, 0);
        Ok(())
    }

    #[test]
    fn a_request_that_many_copy_can_be_taken() -> Result {
        let bench = Bench::new()?;
        let (a, b) = (bench.party(c"a")?, bench.party(c"b")?);
        let (request, held) = a.pend(&b, PEND_AND_HEAR, 0)?;
        let record = bench.record(request)?;
        for _ in 0..62 {
            assert_eq!(bench.read(held, &mut []), Ok(()));
            assert!(record.go(&word::PINNED).is_ok());
        }
        assert_eq!(bench.read(held, &mut []), Err(EBUSY));
        bench.requests.cancel(request)?;
        assert_eq!(b.calls(), [1, 0, 0, 1]);
        for _ in 0..62 {
            assert!(!record.word().is(Phase::Idle));
            bench.requests.unpin(record);
        }
        assert_eq!(bench.status(request)?, CANCELED);
        Ok(())
    }

    #[test]
    fn a_frame_gives_up_no_buffers_of_another_one() -> Result {
        let bench = Bench::new()?;
        let a = bench.party(c"a")?;
        let b = bench.party_in_place(c"b")?;
        let request = a.alloc()?;
        let record = bench.record(request)?;
        let passed = a.pass(request, &b, PEND, 0)?;
        run_in(Place::Worker, || bench.requests.give_up_buffers(record))?;
        assert!(record.word().has(word::bits::RUN));
        bench.requests.call(passed);
        assert!(!record.word().has(word::bits::RUN));
        bench.requests.give_up_buffers(record);
        bench.complete(b.holds(), 0)?;
        assert_eq!(bench.status(request)?, 0);
        Ok(())
    }

    #[test]
    fn a_handle_is_stale_while_another_request_is_made_in_its_record() -> Result {
        let bench = Bench::new()?;
        let (a, b) = (bench.party(c"a")?, bench.party(c"b")?);
        let old = a.alloc()?;
        let record = bench.record(old)?;
        bench.requests.free(old)?;
        let filling = record.go(&word::ALLOC).map_err(|_| EBUSY)?;
        assert_eq!(a.send(old, &b, PEND, 0), Err(ESTALE));
        assert_eq!(bench.requests.cancel(old), Err(ESTALE));
        assert_eq!(bench.requests.free(old), Err(ESTALE));
        record.publish(word::FREED.of(filling).ok_or(EBUSY)?);
        Ok(())
    }

    #[test]
    fn a_handle_takes_no_other_request_of_its_record() -> Result {
        let bench = Bench::new()?;
        let (a, b, c) = (bench.party(c"a")?, bench.party(c"b")?, bench.party(c"c")?);
        let (old, held) = a.pend(&b, PEND, 0)?;
        let record = bench.record(old)?;
        // Pretend that a thread that cancels `old` has found the record, and then has not run for a
        // while.
        bench.complete(held, 0)?;
        bench.requests.free(old)?;
        let (new, held) = c.pend(&b, PEND, 0)?;
        assert_eq!(record.handle(), new);
        let taken = bench
            .requests
            .take(record, Taker::Sender(old, Reason::Cancelled));
        assert!(taken == Taking::Nothing);
        assert!(!bench.requests.keep_overdue(old));
        bench.complete(held, 0)?;
        assert_eq!(bench.status(new)?, 0);
        Ok(())
    }

    #[test]
    fn a_receiver_is_told_of_a_cancellation() -> Result {
        let bench = Bench::new()?;
        let (a, b) = (bench.party(c"a")?, bench.party(c"b")?);
        let (request, held) = a.pend(&b, PEND_AND_HEAR, 0)?;
        bench.requests.cancel(request)?;
        assert_eq!(b.calls(), [1, 0, 0, 1]);
        assert_eq!(b.holds(), held);
        assert_eq!(bench.requests.set_cancel(held), Err(ECANCELED));
        // A receiver that did not ask is not told of the cancellation.
        let (request, held) = a.pend(&b, PEND, 0)?;
        bench.requests.cancel(request)?;
        assert_eq!(bench.requests.set_cancel(held), Err(ECANCELED));
        assert_eq!(b.calls(), [2, 0, 0, 1]);
        // Nor is a receiver that has completed the request.
        let (request, held) = a.pend(&b, PEND_AND_HEAR, 0)?;
        bench.complete(held, 0)?;
        assert_eq!(bench.requests.cancel(request), Err(EALREADY));
        assert_eq!(b.calls(), [3, 0, 0, 1]);
        Ok(())
    }

    #[test]
    fn a_sender_without_a_routine_cannot_ask_for_it() -> Result {
        let bench = Bench::new()?;
        let bare = |object: &mut abi::d2d_driver| {
            object.returned = None;
            object.completed = None;
            object.cancelled = None;
        };
        let (a, b) = (bench.party_as(c"a", bare)?, bench.party_as(c"b", bare)?);
        let request = a.alloc()?;
        assert_eq!(a.send(request, &b, PEND, ROUTINE), Err(EINVAL));
        a.send(request, &b, PEND, 0)?;
        assert_eq!(bench.requests.set_cancel(b.holds()), Err(EINVAL));
        b.passes_on_to(&a, PEND);
        assert_eq!(b.actor.forward(b.holds(), ROUTINE), EINVAL.to_errno());
        assert_eq!(bench.status(request)?, EINVAL.to_errno());
        Ok(())
    }

    #[test]
    fn handles_that_name_nothing_are_stale() -> Result {
        let bench = Bench::new()?;
        let (a, b) = (bench.party(c"a")?, bench.party(c"b")?);
        let (request, held) = a.pend(&b, PEND, 0)?;
        let freed = a.alloc()?;
        bench.requests.free(freed)?;
        let requests = &bench.requests;
        for handle in [
            0,
            !0,
            freed,
            request + 1,
            request + (1 << 32),
            held + 1,
            held + (1 << 32),
            held | 0xffff,
        ] {
            assert_eq!(bench.complete(handle, 0), Err(ESTALE));
            assert_eq!(requests.set_cancel(handle), Err(ESTALE));
            assert_eq!(b.actor.forward(handle, 0), ESTALE.to_errno());
            assert_eq!(a.send(handle, &b, PEND, 0), Err(ESTALE));
            assert_eq!(bench.wait(handle, 0).err(), Some(ESTALE));
            assert_eq!(requests.cancel(handle), Err(ESTALE));
            assert_eq!(requests.free(handle), Err(ESTALE));
            assert_eq!(bench.read(handle, &mut []), Err(ESTALE));
            assert_eq!(bench.write(handle, &[]), Err(ESTALE));
            assert_eq!(requests.alloc(handle, 0, 0), Err(ESTALE));
        }
        // The owner accepts each handle only for its own purpose.
        assert_eq!(requests.cancel(held), Err(ESTALE));
        assert_eq!(requests.free(held), Err(ESTALE));
        assert_eq!(bench.wait(held, 0).err(), Some(ESTALE));
        assert_eq!(a.send(held, &b, PEND, 0), Err(ESTALE));
        assert_eq!(bench.complete(request, 0), Err(ESTALE));
        assert_eq!(bench.write(request, &[]), Err(ESTALE));
        assert_eq!(requests.set_cancel(request), Err(ESTALE));
        assert_eq!(requests.alloc(b.target, 0, 0), Err(ESTALE));
        for to in [0, b.driver, b.target + (1 << 32), request, held] {
            let fresh = a.alloc()?;
            let sent = a.send_as(fresh, |send| send.to = to);
            assert_eq!(sent, Err(ESTALE));
            requests.free(fresh)?;
        }
        // None of these calls has changed the request.
        bench.complete(held, 0)?;
        assert_eq!(bench.status(request)?, 0);
        Ok(())
    }

    #[test]
    fn a_handle_is_of_one_sending() -> Result {
        let bench = Bench::new()?;
        let (a, b) = (bench.party(c"a")?, bench.party(c"b")?);
        let (request, first) = a.pend(&b, PEND, 0)?;
        bench.complete(first, 0)?;
        a.send(request, &b, PEND, 0)?;
        let second = b.holds();
        assert!(first != second);
        assert_eq!(bench.complete(first, FAILED), Err(ESTALE));
        assert_eq!(bench.write(first, &[]), Err(ESTALE));
        bench.complete(second, 0)?;
        assert_eq!(bench.status(request)?, 0);
        Ok(())
    }

    #[test]
    fn the_structure_of_a_sending_is_checked() -> Result {
        let bench = Bench::new()?;
        let (a, b) = (bench.party(c"a")?, bench.party(c"b")?);
        let request = a.alloc()?;
        let refusal = |change: fn(&mut abi::d2d_send)| {
            let sent = a.send_as(request, |send| {
                send.to = b.target;
                send.code = COMPLETE;
                change(send);
            });
            sent.err()
        };
        assert_eq!(refusal(|send| send.hdr.magic ^= 1), Some(EBADMSG));
        assert_eq!(refusal(|send| send.hdr.major += 1), Some(EPROTO));
        assert_eq!(refusal(|send| send.hdr.size += 1), Some(EMSGSIZE));
        assert_eq!(refusal(|send| send.hdr.layout ^= 1), Some(EBADE));
        assert_eq!(refusal(|send| send.flags = 8), Some(EINVAL));
        assert_eq!(refusal(|send| send.major_function = 0), Some(EINVAL));
        let reserved = |send: &mut abi::d2d_send| send.code = abi::D2D_IOCTL_SHARE_CONTEXT;
        assert_eq!(refusal(reserved), Some(EINVAL));
        let longer = |send: &mut abi::d2d_send| {
            send.input = core::ptr::from_mut(send).cast();
            send.input_len = 9;
        };
        assert_eq!(refusal(longer), Some(EMSGSIZE));
        assert_eq!(refusal(|send| send.output_len = 9), Some(EMSGSIZE));
        assert_eq!(refusal(|send| send.input_len = 8), Some(EFAULT));
        // SAFETY: The pointer is null, so no structure is read.
        let nothing = unsafe { Arg::new(core::ptr::null()) };
        let sent = bench.requests.send(request, nothing);
        assert_eq!(sent, Err(EFAULT));
        assert_eq!(b.calls(), [0; 4]);
        assert_eq!(refusal(|_| {}), None);
        Ok(())
    }

    #[test]
    fn buffers_have_bounds() -> Result {
        let bench = Bench::new()?;
        let (a, b) = (bench.party(c"a")?, bench.party(c"b")?);
        let max = abi::D2D_BUFFER_SIZE;
        assert_eq!(bench.requests.alloc(a.driver, max + 1, 0), Err(EMSGSIZE));
        assert_eq!(bench.requests.alloc(a.driver, 0, max + 1), Err(EMSGSIZE));
        let largest = bench.requests.alloc(a.driver, max, max)?;
        bench.requests.free(largest)?;

        let request = a.alloc()?;
        let input = *b"eight by";
        a.send_as(request, |send| {
            send.to = b.target;
            send.code = PEND;
            send.input = input.as_ptr().cast();
            send.input_len = 6;
            send.output_len = 5;
        })?;
        let held = b.holds();
        let mut read = [0; 8];
        bench.read(held, &mut read[..6])?;
        assert_eq!(read, *b"eight \0\0");
        assert_eq!(bench.read(held, &mut read[..7]), Err(EMSGSIZE));
        assert_eq!(bench.write(held, b"123456"), Err(EMSGSIZE));
        bench.write(held, b"12345")?;
        bench.write(held, b"abc")?;
        // SAFETY: The pointer is null, so nothing is written.
        let nowhere = unsafe { Arg::new(core::ptr::null_mut()) };
        assert_eq!(bench.requests.read(held, nowhere, 1), Err(EFAULT));
        let nothing = bench.requests.write(held, core::ptr::null(), 1);
        assert_eq!(nothing, Err(EFAULT));
        // A failed write leaves no output.
        bench.write(held, b"abc")?;
        bench.complete(held, 0)?;
        assert_eq!(bench.wait(request, 0)?.output_len, 3);
        let mut read = [0; 4];
        assert_eq!(bench.read(request, &mut read), Err(EMSGSIZE));
        bench.read(request, &mut read[..3])?;
        assert_eq!(read, *b"abc\0");
        Ok(())
    }

    #[test]
    fn a_cancelled_request_has_no_output() -> Result {
        let bench = Bench::new()?;
        let (a, b) = (bench.party(c"a")?, bench.party(c"b")?);
        let request = a.alloc()?;
        a.send_as(request, |send| {
            send.to = b.target;
            send.code = PEND;
            send.output_len = 8;
        })?;
        bench.write(b.holds(), b"abc")?;
        bench.requests.cancel(request)?;
        assert_eq!(bench.wait(request, 0)?.output_len, 0);
        assert_eq!(bench.write(b.holds(), b"abc"), Err(ECANCELED));
        assert_eq!(bench.read(b.holds(), &mut []), Err(ECANCELED));
        Ok(())
    }

    #[test]
    fn a_status_is_zero_or_an_errno() -> Result {
        let bench = Bench::new()?;
        let (a, b) = (bench.party(c"a")?, bench.party(c"b")?);
        for status in [1, PENDING, EINPROGRESS.to_errno(), -5000, c_int::MIN] {
            let (request, held) = a.pend(&b, PEND, 0)?;
            bench.complete(held, status)?;
            assert_eq!(bench.status(request)?, FAILED);
        }
        Ok(())
    }

    #[test]
    fn a_request_neither_completed_nor_pended_fails() -> Result {
        let bench = Bench::new()?;
        let (a, b) = (bench.party(c"a")?, bench.party(c"b")?);
        let request = a.alloc()?;
        assert!(a.send(request, &b, FORGET, 0)?);
        assert_eq!(bench.status(request)?, FAILED);
        assert_eq!(bench.complete(b.holds(), 0), Err(ESTALE));
        Ok(())
    }

    #[test]
    fn the_completion_routine_is_called_once() -> Result {
        let bench = Bench::new()?;
        let (a, b) = (bench.party(c"a")?, bench.party(c"b")?);
        for place in Place::ALL {
            let before = a.calls()[2];
            let (request, held) = a.pend(&b, PEND, ROUTINE)?;
            assert_eq!(run_in(place, || bench.complete(held, FAILED))?, Ok(()));
            assert_eq!(a.calls()[2], before + 1);
            assert_eq!(a.heard(), FAILED);
            let (second, _) = a.pend(&b, PEND, ROUTINE)?;
            assert_eq!(run_in(place, || bench.requests.cancel(second))?, Ok(()));
            assert_eq!(a.calls()[2], before + 2);
            assert_eq!(a.heard(), CANCELED);
            // The completion routine has freed the requests.
            assert_eq!(bench.requests.free(request), Err(ESTALE));
            assert_eq!(bench.requests.free(second), Err(ESTALE));
        }
        assert_eq!(bench.len(), 0);
        Ok(())
    }

    #[test]
    fn the_completion_routine_may_keep_the_request() -> Result {
        let bench = Bench::new()?;
        let (a, b) = (bench.party(c"a")?, bench.party(c"b")?);
        a.does_with_completed(KEEP);
        let request = a.alloc()?;
        for n in 1..=3 {
            let sent = a.send_as(request, |send| {
                send.to = b.target;
                send.code = PEND;
                send.flags = ROUTINE;
                send.tag = n;
            })?;
            assert!(!sent);
            bench.complete(b.holds(), 0)?;
            assert_eq!(a.actor.tag.load(Relaxed), n);
        }
        assert_eq!(a.calls(), [0, 0, 3, 0]);
        bench.requests.free(request)?;
        assert_eq!(bench.len(), 0);
        Ok(())
    }

    #[test]
    fn the_completion_routine_may_send_the_request_again() -> Result {
        let bench = Bench::new()?;
        let a = bench.party(c"a")?;
        let b = bench.party_as(c"b", |object| object.flags = abi::D2D_DISPATCH_ATOMIC)?;
        a.does_with_completed(SEND_AGAIN);
        a.passes_on_to(&b, PEND);
        let (request, first) = a.pend(&b, PEND, ROUTINE)?;
        bench.complete(first, 0)?;
        let second = b.holds();
        assert!(first != second);
        bench.requests.cancel(request)?;
        let third = b.holds();
        assert!(second != third);
        assert_eq!(bench.complete(second, 0), Err(ECANCELED));
        a.does_with_completed(FREE);
        bench.complete(third, 0)?;
        assert_eq!(b.calls()[0], 3);
        assert_eq!(a.calls()[2], 3);
        assert_eq!(bench.len(), 0);
        Ok(())
    }

    #[test]
    fn a_pending_request_that_is_freed_is_cancelled() -> Result {
        let bench = Bench::new()?;
        let (a, b) = (bench.party(c"a")?, bench.party(c"b")?);
        for flags in [0, ROUTINE] {
            let (request, held) = a.pend(&b, PEND_AND_HEAR, flags)?;
            bench.requests.free(request)?;
            assert_eq!(bench.requests.free(request), Err(ESTALE));
            assert_eq!(bench.complete(held, 0), Err(ECANCELED));
            assert_eq!(bench.len(), 0);
        }
        assert_eq!(b.calls(), [2, 0, 0, 2]);
        assert_eq!(a.calls()[2], 0);
        Ok(())
    }

    #[test]
    fn a_request_goes_down_four_levels_and_comes_back() -> Result {
        let bench = Bench::new()?;
        let a = bench.party(c"a")?;
        let b = bench.party(c"b")?;
        let c = bench.party(c"c")?;
        let d = bench.party(c"d")?;
        let e = bench.party(c"e")?;
        b.passes_on_to(&c, PASS_ON);
        // The request does not return to this driver.
        c.passes_on_to(&d, LET_GO);
        d.actor.next.store(e.target, Relaxed);
        d.actor.next_code.store(PEND, Relaxed);
        c.actor.next_code.store(PASS_ON, Relaxed);
        b.actor.next_code.store(LET_GO, Relaxed);
        let request = a.alloc()?;
        assert!(!a.send(request, &b, PASS_ON, 0)?);
        assert_eq!(e.calls(), [1, 0, 0, 0]);
        // The drivers that have forwarded the request can no longer use it.
        for party in [&b, &c, &d] {
            assert_eq!(bench.complete(party.holds(), 0), Err(ESTALE));
        }
        // A fifth level is refused.
        e.passes_on_to(&a, COMPLETE);
        assert_eq!(e.actor.forward(e.holds(), 0), E2BIG.to_errno());
        assert_eq!(bench.status(request)?, E2BIG.to_errno());
        assert_eq!(d.calls(), [1, 1, 0, 0]);
        assert_eq!(c.calls(), [1, 0, 0, 0]);
        assert_eq!(b.calls(), [1, 1, 0, 0]);
        assert_eq!(d.heard(), E2BIG.to_errno());
        assert_eq!(b.heard(), E2BIG.to_errno());
        Ok(())
    }

    #[test]
    fn a_returned_request_may_be_kept_and_forwarded_again() -> Result {
        let bench = Bench::new()?;
        let (a, b, c) = (bench.party(c"a")?, bench.party(c"b")?, bench.party(c"c")?);
        b.passes_on_to(&c, PEND);
        b.keeps_what_returns();
        let request = a.alloc()?;
        a.send(request, &b, PASS_ON, 0)?;
        let (before, below) = (b.holds(), c.holds());
        bench.complete(below, FAILED)?;
        assert_eq!(b.heard(), FAILED);
        assert!(b.holds() != before);
        assert_eq!(bench.complete(before, 0), Err(ESTALE));
        // Forwarded once more, the request is completed with another status.
        assert_eq!(b.actor.forward(b.holds(), ROUTINE), PENDING);
        assert_eq!(c.calls()[0], 2);
        assert_eq!(bench.complete(below, 0), Err(ESTALE));
        bench.complete(c.holds(), 0)?;
        assert_eq!(b.calls()[1], 2);
        bench.complete(b.holds(), TIMEDOUT)?;
        assert_eq!(bench.status(request)?, TIMEDOUT);
        Ok(())
    }

    #[test]
    fn forwarding_that_fails_leaves_the_request_where_it_is() -> Result {
        let bench = Bench::new()?;
        let (a, b) = (bench.party(c"a")?, bench.party(c"b")?);
        let gone = bench.party(c"gone")?;
        b.passes_on_to(&gone, PEND);
        drop(gone);
        let request = a.alloc()?;
        assert!(a.send(request, &b, PASS_ON, 0)?);
        assert_eq!(b.actor.forwarded.load(Relaxed), ESTALE.to_errno());
        assert_eq!(bench.status(request)?, ESTALE.to_errno());
        assert_eq!(b.calls(), [1, 0, 0, 0]);
        Ok(())
    }

    #[test]
    fn cancelling_tells_all_drivers_that_have_forwarded() -> Result {
        let bench = Bench::new()?;
        let (a, b, c) = (bench.party(c"a")?, bench.party(c"b")?, bench.party(c"c")?);
        b.passes_on_to(&c, PEND_AND_HEAR);
        // `returned` cannot keep a request that is cancelled.
        b.keeps_what_returns();
        let request = a.alloc()?;
        a.send(request, &b, PASS_ON, 0)?;
        bench.requests.cancel(request)?;
        assert_eq!(c.calls(), [1, 0, 0, 1]);
        assert_eq!(b.calls(), [1, 1, 0, 0]);
        assert_eq!(b.heard(), CANCELED);
        assert_eq!(bench.complete(b.holds(), 0), Err(ECANCELED));
        assert_eq!(bench.status(request)?, CANCELED);
        Ok(())
    }

    #[test]
    fn the_requests_that_a_departing_driver_has_are_cancelled() -> Result {
        let bench = Bench::new()?;
        let (a, b) = (bench.party(c"a")?, bench.party(c"b")?);
        let (waited, held) = a.pend(&b, PEND_AND_HEAR, 0)?;
        let (_, _) = a.pend(&b, PEND, ROUTINE)?;
        b.leaves()?;
        bench.requests.run_down(b.driver);
        assert_eq!(b.calls(), [2, 0, 0, 1]);
        assert_eq!(a.calls(), [0, 0, 1, 0]);
        assert_eq!(a.heard(), CANCELED);
        assert_eq!(bench.status(waited)?, CANCELED);
        assert_eq!(bench.complete(held, 0), Err(ECANCELED));
        assert_eq!(a.send(waited, &b, PEND, 0), Err(ESHUTDOWN));
        drop(b);
        assert_eq!(bench.complete(held, 0), Err(ECANCELED));
        assert_eq!(bench.status(waited)?, CANCELED);
        Ok(())
    }

    #[test]
    fn the_requests_that_a_departing_driver_has_sent_are_cancelled() -> Result {
        let bench = Bench::new()?;
        let (a, b) = (bench.party(c"a")?, bench.party(c"b")?);
        let idle = a.alloc()?;
        let (_, held) = a.pend(&b, PEND_AND_HEAR, 0)?;
        a.does_with_completed(KEEP);
        let (_, second) = a.pend(&b, PEND, ROUTINE)?;
        let (kept, _) = b.pend(&a, PEND, 0)?;
        a.leaves()?;
        assert_eq!(a.alloc(), Err(ESHUTDOWN));
        assert_eq!(a.send(idle, &b, PEND, 0), Err(ESHUTDOWN));
        bench.requests.run_down(a.driver);
        assert_eq!(a.calls(), [1, 0, 1, 0]);
        assert_eq!(b.calls(), [2, 0, 0, 1]);
        assert_eq!(bench.complete(held, 0), Err(ECANCELED));
        assert_eq!(bench.complete(second, 0), Err(ECANCELED));
        assert_eq!(bench.requests.free(idle), Err(ESTALE));
        // Only the request that b has sent to a is left.
        assert_eq!(bench.len(), 1);
        assert_eq!(bench.status(kept)?, CANCELED);
        Ok(())
    }

    #[test]
    fn the_level_of_a_departing_driver_is_removed() -> Result {
        let bench = Bench::new()?;
        let (a, b) = (bench.party(c"a")?, bench.party(c"b")?);
        let (c, d) = (bench.party(c"c")?, bench.party(c"d")?);
        b.passes_on_to(&c, PASS_ON);
        c.passes_on_to(&d, PEND_AND_HEAR);
        b.keeps_what_returns();
        let request = a.alloc()?;
        a.send(request, &b, PASS_ON, 0)?;
        let below = d.holds();
        c.leaves()?;
        bench.requests.run_down(c.driver);
        // d, below, is told of the cancel; the request returns to the departing c and to b, above it.
        assert_eq!(d.calls(), [1, 0, 0, 1]);
        assert_eq!(c.calls(), [1, 1, 0, 0]);
        assert_eq!(b.calls(), [1, 1, 0, 0]);
        assert_eq!(b.heard(), CANCELED);
        assert_eq!(bench.wait(request, 0)?.status, TIMEDOUT);
        assert_eq!(bench.complete(below, 0), Err(ECANCELED));
        drop(c);
        // Had the request not timed out, b could have completed it: b completes the next one.
        b.passes_on_to(&d, PEND);
        a.send(request, &b, PASS_ON, 0)?;
        bench.complete(d.holds(), 0)?;
        bench.complete(b.holds(), FAILED)?;
        assert_eq!(bench.status(request)?, FAILED);
        Ok(())
    }

    #[test]
    fn detaching_cancels_all_requests_and_allows_new_ones() -> Result {
        let bench = Bench::new()?;
        let (a, b) = (bench.party(c"a")?, bench.party(c"b")?);
        let (request, held) = a.pend(&b, PEND, 0)?;
        let (own, _) = b.pend(&a, PEND, 0)?;
        bench.requests.cancel_all(b.driver, || {});
        assert_eq!(bench.status(request)?, CANCELED);
        assert_eq!(bench.status(own)?, CANCELED);
        assert_eq!(bench.complete(held, 0), Err(ECANCELED));
        assert!(a.send(request, &b, COMPLETE, 0)?);
        assert!(b.send(own, &a, COMPLETE, 0)?);
        Ok(())
    }

    #[test]
    fn a_driver_cannot_be_removed_while_a_thread_is_inside() -> Result {
        let bench = Bench::new()?;
        let a = bench.party(c"a")?;
        {
            assert!(!bench.registry.is_visited(a.driver));
            let _inside = bench.registry.enter(a.driver).ok_or(ESTALE)?;
            assert!(bench.registry.is_visited(a.driver));
            assert!(bench.registry.is_inside());
            let elsewhere = run_in(Place::Worker, || bench.registry.is_inside())?;
            assert!(!elsewhere);
            a.leaves()?;
            assert!(bench.registry.remove(a.driver).is_none());
        }
        assert!(!bench.registry.is_visited(a.driver));
        assert!(!bench.registry.is_inside());
        assert!(bench.registry.remove(a.driver).is_some());
        Ok(())
    }

    #[test]
    fn a_driver_that_leaves_is_entered_for_what_names_it() -> Result {
        let bench = Bench::new()?;
        let a = bench.party(c"a")?;
        a.leaves()?;
        assert_eq!(
            bench.registry.enter_target(1, a.target).err(),
            Some(("target-is-leaving", ESHUTDOWN))
        );
        assert!(bench.registry.enter_staying(a.driver).is_none());
        assert!(bench.registry.enter(a.driver).is_some());
        assert!(bench.registry.expel(|_| true).is_some());
        assert!(bench.registry.enter(a.driver).is_none());
        assert!(!bench.registry.is_visited(a.driver));
        Ok(())
    }

    #[test]
    fn more_are_inside_than_there_are_cells() -> Result {
        let bench = Bench::new()?;
        let a = bench.party(c"a")?;
        let mut inside = KVec::new();
        for _ in 0..100 {
            let one = bench.registry.enter(a.driver).ok_or(ESTALE)?;
            inside.push(Some(one), GFP_KERNEL)?;
        }
        for n in 0..100 {
            assert!(bench.registry.is_visited(a.driver));
            // The threads leave in another order than that in which they have entered.
            drop(inside[n * 7 % 100].take());
        }
        assert!(!bench.registry.is_visited(a.driver));
        Ok(())
    }

    #[test]
    fn a_full_table_refuses() -> Result {
        let bench = Bench::new()?;
        let a = bench.party(c"a")?;
        let mut last = 0;
        let refusal = loop {
            match a.alloc() {
                Ok(request) => last = request,
                Err(error) => break error,
            }
        };
        assert_eq!(refusal, EAGAIN);
        assert_eq!(bench.len(), 4096);
        bench.requests.free(last)?;
        a.alloc()?;
        assert_eq!(a.alloc(), Err(EAGAIN));
        drop(a);
        assert_eq!(bench.len(), 0);
        Ok(())
    }
}

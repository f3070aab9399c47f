// SPDX-License-Identifier: GPL-2.0

//! Cancelling a request before, while and after a driver has it.

use super::fixture::*;
use crate::request::{
    cancel::{
        CancelOutcome,
        Canceller, //
    },
    word::{
        self,
        Phase,
        Reason, //
    },
    PENDING, //
};
use d2d::run_in::{
    run_in,
    Place, //
};
use kernel::{
    prelude::*,
    sync::atomic::ordering::Relaxed, //
};

#[kunit_tests(d2d_requests_cancelling)]
mod cases {
    use super::*;

    #[test]
    fn a_request_that_waits_for_a_worker_can_be_cancelled() -> Result {
        let fixture = Fixture::new()?;
        let (a, b) = (fixture.party(c"a")?, fixture.party(c"b")?);
        for place in Place::ALL {
            let request = a.alloc()?;
            let won = run_in(place, || {
                a.send(request, &b, PEND, ATOMIC)?;
                fixture.requests.cancel(request)
            })?;
            assert_eq!(won, Ok(()));
            assert_eq!(fixture.status(request)?, CANCELED);
        }
        Ok(())
    }

    #[test]
    fn a_request_that_was_cancelled_before_its_dispatch_is_not_dispatched() -> Result {
        let fixture = Fixture::new()?;
        let (a, b, c) = (
            fixture.party(c"a")?,
            fixture.party(c"b")?,
            fixture.party(c"c")?,
        );
        let request = a.alloc()?;
        let passed = a.pass(request, &b, PEND, 0)?;
        fixture.requests.cancel(request)?;
        // The request is home, and its sender may be filling it in for another driver.
        assert!(fixture.requests.call(passed));
        assert_eq!(b.calls(), [0; 4]);

        let passed = a.pass(request, &b, PEND, 0)?;
        fixture.requests.cancel(request)?;
        assert!(!a.send(request, &c, PEND, 0)?);
        // The request is with another driver, which has another view of it.
        assert!(fixture.requests.call(passed));
        assert_eq!(b.calls(), [0; 4]);
        fixture.complete(c.holds(), 0)?;
        assert_eq!(fixture.status(request)?, 0);
        Ok(())
    }

    #[test]
    fn pending_a_cancelled_request_calls_no_routine() -> Result {
        let fixture = Fixture::new()?;
        let a = fixture.party(c"a")?;
        let b = fixture.party_in_place(c"b")?;
        let request = a.alloc()?;
        b.actor.its_request.store(request, Relaxed);
        assert_eq!(a.send(request, &b, CANCEL_AND_PEND, ROUTINE), Ok(true));
        assert_eq!(b.heard(), CANCELED);
        // `pend` has not called the completion routine: b had a lock then, so the routine would have
        // noted `DEADLOCK`.
        assert_eq!(a.calls(), [0, 0, 1, 0]);
        assert_eq!(a.heard(), CANCELED);
        assert_eq!(fixture.len(), 0);
        Ok(())
    }

    #[test]
    fn a_receiver_is_notified_of_a_cancellation() -> Result {
        let fixture = Fixture::new()?;
        let (a, b) = (fixture.party(c"a")?, fixture.party(c"b")?);
        let (request, held) = a.pend(&b, PEND_AND_HEAR, 0)?;
        fixture.requests.cancel(request)?;
        assert_eq!(b.calls(), [1, 0, 0, 1]);
        assert_eq!(b.holds(), held);
        assert_eq!(fixture.requests.set_cancel(held), Err(ECANCELED));
        // A receiver that has not called `set_cancel` is not notified.
        let (request, held) = a.pend(&b, PEND, 0)?;
        fixture.requests.cancel(request)?;
        assert_eq!(fixture.requests.set_cancel(held), Err(ECANCELED));
        assert_eq!(b.calls(), [2, 0, 0, 1]);
        // Nor is a receiver that has completed the request.
        let (request, held) = a.pend(&b, PEND_AND_HEAR, 0)?;
        fixture.complete(held, 0)?;
        assert_eq!(fixture.requests.cancel(request), Err(EALREADY));
        assert_eq!(b.calls(), [3, 0, 0, 1]);
        Ok(())
    }

    #[test]
    fn a_receiver_learns_of_a_cancellation_that_is_not_delivered_yet() -> Result {
        let fixture = Fixture::new()?;
        let (a, b) = (fixture.party(c"a")?, fixture.party(c"b")?);
        let (request, held) = a.pend(&b, PEND, 0)?;
        let record = fixture.record(request)?;
        // Pretend that a copy runs.
        assert!(record.go(&word::PINNED).is_ok());
        fixture.requests.cancel(request)?;
        assert!(record.word().is(Phase::Cancelled));
        assert_eq!(fixture.complete(held, 0), Err(ECANCELED));
        // A second cancel is too late.
        assert_eq!(fixture.requests.cancel(request), Err(EALREADY));
        assert_eq!(fixture.complete(held, 0), Err(ECANCELED));
        fixture.requests.unpin(record);
        assert_eq!(fixture.status(request)?, CANCELED);
        assert_eq!(fixture.complete(held, 0), Err(ECANCELED));
        Ok(())
    }

    #[test]
    fn a_request_cancelled_while_it_is_forwarded_waits_for_the_in_place_call() -> Result {
        let fixture = Fixture::new()?;
        let a = fixture.party(c"a")?;
        let b = fixture.party_in_place(c"b")?;
        let request = a.alloc()?;
        let record = fixture.record(request)?;
        let passed = a.pass(request, &b, PEND, 0)?;
        // Pretend that the dispatch routine is forwarding.
        assert!(record.go(&word::FORWARD).is_ok());
        fixture.requests.cancel(request)?;
        fixture.requests.end_recalled(record);
        assert!(record.word().is(Phase::Cancelled));
        assert_eq!(a.send(request, &b, COMPLETE, 0), Err(EBUSY));
        // The dispatch routine is called, and returns.
        assert!(fixture.requests.call(passed));
        assert_eq!(fixture.status(request)?, CANCELED);
        assert_eq!(a.send(request, &b, COMPLETE, 0), Ok(true));
        Ok(())
    }

    #[test]
    fn a_request_cancelled_while_it_comes_back_waits_for_the_in_place_call() -> Result {
        let fixture = Fixture::new()?;
        let a = fixture.party(c"a")?;
        let b = fixture.party_in_place(c"b")?;
        let c = fixture.party(c"c")?;
        let request = a.alloc()?;
        let record = fixture.record(request)?;
        let passed = a.pass(request, &b, PEND, 0)?;
        b.passes_on_to(&c, PEND);
        let held = record.holder_handle(record.word().generation());
        assert_eq!(b.forward_in_a_worker(held)?, PENDING);
        // Pretend that c is completing the request.
        assert!(record.go(&word::COMPLETE).is_ok());
        fixture.requests.cancel(request)?;
        fixture.requests.finish(record);
        assert!(record.word().is(Phase::Cancelled));
        assert_eq!(b.calls(), [0; 4]);
        assert!(fixture.requests.call(passed));
        assert_eq!(b.calls(), [1, 1, 0, 0]);
        assert_eq!(fixture.status(request)?, CANCELED);
        assert_eq!(a.send(request, &b, COMPLETE, 0), Ok(true));
        Ok(())
    }

    #[test]
    fn cancelling_tells_all_forwarders() -> Result {
        let fixture = Fixture::new()?;
        let (a, b, c) = (
            fixture.party(c"a")?,
            fixture.party(c"b")?,
            fixture.party(c"c")?,
        );
        b.passes_on_to(&c, PEND_AND_HEAR);
        // `returned` cannot keep a request that is cancelled.
        b.keeps_what_returns();
        let request = a.alloc()?;
        a.send(request, &b, PASS_ON, 0)?;
        fixture.requests.cancel(request)?;
        assert_eq!(c.calls(), [1, 0, 0, 1]);
        assert_eq!(b.calls(), [1, 1, 0, 0]);
        assert_eq!(b.heard(), CANCELED);
        assert_eq!(fixture.complete(b.holds(), 0), Err(ECANCELED));
        assert_eq!(fixture.status(request)?, CANCELED);
        Ok(())
    }

    #[test]
    fn a_driver_that_gets_the_request_while_returned_runs_learns_of_a_cancellation() -> Result {
        let fixture = Fixture::new()?;
        let (a, b, c) = (
            fixture.party(c"a")?,
            fixture.party(c"b")?,
            fixture.party(c"c")?,
        );
        // b keeps the request that returns, or forwards it to c once more. Then, still in b's `returned`, the
        // request is cancelled.
        for (what, holder) in [(HOLD, &b), (PASS_ON_AGAIN, &c)] {
            b.passes_on_to(&c, PEND);
            let request = a.alloc()?;
            b.does_with_returned(what);
            b.does_last(1, CANCEL, request);
            a.send(request, &b, PASS_ON, 0)?;
            fixture.complete(c.holds(), FAILED)?;
            assert_eq!(fixture.status(request)?, CANCELED);
            assert_eq!(fixture.complete(holder.holds(), 0), Err(ECANCELED));
        }
        Ok(())
    }

    #[test]
    fn a_driver_whose_cancelled_is_about_to_run_is_not_unregistered() -> Result {
        let fixture = Fixture::new()?;
        let (a, b) = (fixture.party(c"a")?, fixture.party_in_place(c"b")?);
        let c = fixture.party(c"c")?;
        let request = a.alloc()?;
        let record = fixture.record(request)?;
        // b's in-place call uses the buffers, and c has the request.
        let passed = a.pass(request, &b, PEND, 0)?;
        b.passes_on_to(&c, PEND_AND_HEAR);
        let held = record.holder_handle(record.word().generation());
        assert_eq!(b.forward_in_a_worker(held)?, PENDING);
        let canceller = Canceller::Sender(request, Reason::Sender);
        let ended = fixture
            .requests
            .end_hold(record, record.word(), canceller, Reason::Sender, 0);
        let (_, driver) = ended.ok_or(EIO)?;
        // The request does not concern c any more, but the canceller is going to call c.
        c.leaves()?;
        let outcome = fixture
            .requests
            .cancel_for(record, Canceller::Driver(c.driver));
        assert!(outcome == CancelOutcome::Nothing);
        assert!(fixture.registry.remove(c.driver).is_none());
        driver.ok_or(ENOENT)?.cancelled(c.holds());
        assert_eq!(c.calls(), [1, 0, 0, 1]);
        fixture.requests.unpin(record);
        fixture.requests.call(passed);
        assert_eq!(fixture.status(request)?, CANCELED);
        Ok(())
    }

    #[test]
    fn a_pending_request_that_is_freed_is_cancelled() -> Result {
        let fixture = Fixture::new()?;
        let (a, b) = (fixture.party(c"a")?, fixture.party(c"b")?);
        for flags in [0, ROUTINE] {
            let (request, held) = a.pend(&b, PEND_AND_HEAR, flags)?;
            fixture.requests.free(request)?;
            assert_eq!(fixture.requests.free(request), Err(ESTALE));
            assert_eq!(fixture.complete(held, 0), Err(ECANCELED));
            assert_eq!(fixture.len(), 0);
        }
        assert_eq!(b.calls(), [2, 0, 0, 2]);
        assert_eq!(a.calls()[2], 0);
        Ok(())
    }

    #[test]
    fn a_cancelled_request_has_no_output() -> Result {
        let fixture = Fixture::new()?;
        let (a, b) = (fixture.party(c"a")?, fixture.party(c"b")?);
        let request = a.alloc()?;
        a.send_as(request, |send| {
            send.to = b.target;
            send.code = PEND;
            send.output_len = 8;
        })?;
        fixture.write(b.holds(), b"abc")?;
        fixture.requests.cancel(request)?;
        assert_eq!(fixture.wait(request, 0)?.output_len, 0);
        assert_eq!(fixture.write(b.holds(), b"abc"), Err(ECANCELED));
        assert_eq!(fixture.read(b.holds(), &mut []), Err(ECANCELED));
        Ok(())
    }

    /// b's in-place call uses the buffers while b and c forward the request. Then d completes it, or
    /// leaves. Each canceller must cancel the request before the in-place call has ended.
    #[test]
    fn a_request_that_waits_for_an_in_place_call_can_be_cancelled() -> Result {
        for is_completed in [false, true] {
            for n in 0..4 {
                let fixture = Fixture::new()?;
                let (a, b) = (fixture.party(c"a")?, fixture.party_in_place(c"b")?);
                let (c, d) = (fixture.party(c"c")?, fixture.party(c"d")?);
                let request = a.alloc()?;
                let record = fixture.record(request)?;
                let passed = a.pass(request, &b, PEND, 0)?;
                b.passes_on_to(&c, PEND);
                c.passes_on_to(&d, PEND);
                c.keeps_what_returns();
                let held = record.holder_handle(record.word().generation());
                assert_eq!(b.forward_in_a_worker(held)?, PENDING);
                assert_eq!(c.forward_in_a_worker(c.holds())?, PENDING);
                if is_completed {
                    fixture.complete(d.holds(), 0)?;
                } else {
                    let outcome = fixture
                        .requests
                        .cancel_for(record, Canceller::Driver(d.driver));
                    assert!(outcome == CancelOutcome::Done);
                }
                assert!(record.word().has(word::bits::PARKED));

                let (canceller, status) = [
                    (Canceller::Sender(request, Reason::Sender), CANCELED),
                    (
                        Canceller::Sender(request, Reason::TimedOut),
                        ETIMEDOUT.to_errno(),
                    ),
                    (Canceller::Driver(a.driver), CANCELED),
                    (Canceller::Driver(c.driver), CANCELED),
                ][n];
                assert!(fixture.requests.cancel_for(record, canceller) == CancelOutcome::Done);
                assert!(fixture.requests.cancel_for(record, canceller) != CancelOutcome::Done);
                fixture.requests.call(passed);
                // c was notified, and has not kept the request.
                assert_eq!(c.calls(), [1, 1, 0, 0]);
                assert!(record.word().is(Phase::Idle));
                assert_eq!(fixture.status(request)?, status);
            }
        }
        Ok(())
    }
}

// SPDX-License-Identifier: GPL-2.0

//! Waiting for requests.

use super::fixture::*;
use crate::request::word;
use kernel::prelude::*;

#[kunit_tests(d2d_requests_waiting)]
mod cases {
    use super::*;

    #[test]
    fn a_waiting_sender_is_woken() -> Result {
        let fixture = Fixture::new()?;
        let (a, b) = (fixture.party(c"a")?, fixture.party(c"b")?);
        let request = a.alloc()?;
        // A worker calls b's dispatch routine.
        a.send(request, &b, COMPLETE, ATOMIC)?;
        assert_eq!(fixture.status(request)?, 0);
        Ok(())
    }

    #[test]
    fn a_wait_ends_at_its_time_limit() -> Result {
        let fixture = Fixture::new()?;
        let (a, b) = (fixture.party(c"a")?, fixture.party(c"b")?);
        for ms in [0, 1] {
            let (request, held) = a.pend(&b, PEND_AND_HEAR, 0)?;
            assert_eq!(fixture.wait(request, ms)?.status, TIMEDOUT);
            assert_eq!(fixture.complete(held, 0), Err(ECANCELED));
            assert_eq!(fixture.requests.cancel(request), Err(EALREADY));
            assert_eq!(fixture.status(request)?, TIMEDOUT);
        }
        assert_eq!(b.calls(), [2, 0, 0, 2]);
        Ok(())
    }

    #[test]
    fn only_what_was_sent_is_waited_for() -> Result {
        let fixture = Fixture::new()?;
        let (a, b) = (fixture.party(c"a")?, fixture.party(c"b")?);
        let request = a.alloc()?;
        assert_eq!(fixture.wait(request, 0).err(), Some(ENODATA));
        a.send(request, &b, PEND, ROUTINE)?;
        assert_eq!(fixture.wait(request, 0).err(), Some(EINVAL));
        Ok(())
    }

    #[test]
    fn waiting_inside_a_routine_that_has_to_return_first_is_refused() -> Result {
        let fixture = Fixture::new()?;
        let (a, b) = (fixture.party(c"a")?, fixture.party(c"b")?);
        let (c, d) = (fixture.party_in_place(c"c")?, fixture.party(c"d")?);
        // b waits in `cancelled`.
        let (request, _) = a.pend(&b, PEND_AND_HEAR, 0)?;
        b.does_last(3, WAIT, request);
        fixture.requests.cancel(request)?;
        assert_eq!(b.heard(), EDEADLK.to_errno());
        assert_eq!(fixture.status(request)?, CANCELED);
        // c waits in its in-place call, after the sender has cancelled the request.
        c.does_last(0, WAIT, request);
        assert_eq!(a.send(request, &c, CANCEL_AND_PEND, 0), Ok(true));
        assert_eq!(c.heard(), EDEADLK.to_errno());
        assert_eq!(fixture.status(request)?, CANCELED);
        // d waits in `returned`.
        d.passes_on_to(&b, COMPLETE);
        d.does_last(1, WAIT, request);
        assert_eq!(a.send(request, &d, PASS_ON, 0), Ok(true));
        assert_eq!(d.heard(), EDEADLK.to_errno());
        assert_eq!(fixture.status(request)?, 0);
        Ok(())
    }

    /// With `waits`, counts one more thread as waiting for the request; otherwise, one less. It stands for
    /// a thread that was woken, but has not run yet.
    fn pretend_waiter(fixture: &Fixture, request: u64, waits: bool) -> Result {
        let record = fixture.record(request)?;
        match waits {
            true => record.go(&word::WAIT).map(|_| ()).map_err(|_| EBUSY),
            false => {
                fixture.requests.end_wait(record);
                Ok(())
            }
        }
    }

    #[test]
    fn a_request_that_is_waited_for_is_not_sent_again() -> Result {
        let fixture = Fixture::new()?;
        let (a, b) = (fixture.party(c"a")?, fixture.party(c"b")?);
        let (request, held) = a.pend(&b, PEND, 0)?;
        pretend_waiter(&fixture, request, true)?;
        pretend_waiter(&fixture, request, true)?;
        fixture.complete(held, FAILED)?;
        assert_eq!(a.send(request, &b, COMPLETE, 0), Err(EBUSY));
        assert_eq!(b.calls()[0], 1);
        // Each waiting thread still sees the result.
        assert_eq!(fixture.status(request)?, FAILED);
        pretend_waiter(&fixture, request, false)?;
        assert_eq!(a.send(request, &b, COMPLETE, 0), Err(EBUSY));
        pretend_waiter(&fixture, request, false)?;
        assert_eq!(a.send(request, &b, COMPLETE, 0), Ok(true));
        assert_eq!(fixture.status(request)?, 0);
        Ok(())
    }

    #[test]
    fn a_request_that_is_waited_for_is_not_freed() -> Result {
        let fixture = Fixture::new()?;
        let (a, b) = (fixture.party(c"a")?, fixture.party(c"b")?);
        for completed in [false, true] {
            let (request, held) = a.pend(&b, PEND, 0)?;
            pretend_waiter(&fixture, request, true)?;
            if completed {
                fixture.complete(held, 0)?;
            }
            fixture.requests.free(request)?;
            assert_eq!(fixture.requests.free(request), Err(ESTALE));
            assert_eq!(a.send(request, &b, PEND, 0), Err(ESTALE));
            assert_eq!(fixture.len(), 1);
            // The last waiting thread frees the request.
            pretend_waiter(&fixture, request, false)?;
            assert_eq!(fixture.len(), 0);
        }
        Ok(())
    }
}

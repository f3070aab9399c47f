// SPDX-License-Identifier: GPL-2.0

//! Completing requests.

use super::fixture::*;
use crate::request::PENDING;
use d2d::{
    abi,
    run_in::{
        run_in,
        Place, //
    }, //
};
use kernel::{
    ffi::c_int,
    prelude::*,
    sync::atomic::ordering::Relaxed, //
};

#[kunit_tests(d2d_requests_completing)]
mod cases {
    use super::*;

    #[test]
    fn one_of_completing_and_cancelling_wins_in_any_context() -> Result {
        let fixture = Fixture::new()?;
        let (a, b) = (fixture.party(c"a")?, fixture.party(c"b")?);
        for first in Place::ALL {
            for second in Place::ALL {
                let (request, held) = a.pend(&b, PEND, 0)?;
                assert_eq!(run_in(first, || fixture.complete(held, 0))?, Ok(()));
                let late = run_in(second, || fixture.requests.cancel(request))?;
                assert_eq!(late, Err(EALREADY));
                assert_eq!(fixture.status(request)?, 0);

                let (request, held) = a.pend(&b, PEND, 0)?;
                assert_eq!(run_in(first, || fixture.requests.cancel(request))?, Ok(()));
                let late = run_in(second, || fixture.complete(held, 0))?;
                assert_eq!(late, Err(ECANCELED));
                let late = run_in(second, || fixture.requests.cancel(request))?;
                assert_eq!(late, Err(EALREADY));
                assert_eq!(fixture.status(request)?, CANCELED);
            }
        }
        Ok(())
    }

    #[test]
    fn a_status_is_zero_or_an_errno() -> Result {
        let fixture = Fixture::new()?;
        let (a, b) = (fixture.party(c"a")?, fixture.party(c"b")?);
        for status in [1, PENDING, EINPROGRESS.to_errno(), -5000, c_int::MIN] {
            let (request, held) = a.pend(&b, PEND, 0)?;
            fixture.complete(held, status)?;
            assert_eq!(fixture.status(request)?, FAILED);
        }
        Ok(())
    }

    #[test]
    fn the_completion_routine_is_called_once() -> Result {
        let fixture = Fixture::new()?;
        let (a, b) = (fixture.party(c"a")?, fixture.party(c"b")?);
        for place in Place::ALL {
            let before = a.calls()[2];
            let (request, held) = a.pend(&b, PEND, ROUTINE)?;
            assert_eq!(run_in(place, || fixture.complete(held, FAILED))?, Ok(()));
            assert_eq!(a.calls()[2], before + 1);
            assert_eq!(a.heard(), FAILED);
            let (second, _) = a.pend(&b, PEND, ROUTINE)?;
            assert_eq!(run_in(place, || fixture.requests.cancel(second))?, Ok(()));
            assert_eq!(a.calls()[2], before + 2);
            assert_eq!(a.heard(), CANCELED);
            // The completion routine has freed both.
            assert_eq!(fixture.requests.free(request), Err(ESTALE));
            assert_eq!(fixture.requests.free(second), Err(ESTALE));
        }
        assert_eq!(fixture.len(), 0);
        Ok(())
    }

    #[test]
    fn the_completion_routine_may_keep_the_request() -> Result {
        let fixture = Fixture::new()?;
        let (a, b) = (fixture.party(c"a")?, fixture.party(c"b")?);
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
            fixture.complete(b.holds(), 0)?;
            assert_eq!(a.actor.tag.load(Relaxed), n);
        }
        assert_eq!(a.calls(), [0, 0, 3, 0]);
        fixture.requests.free(request)?;
        assert_eq!(fixture.len(), 0);
        Ok(())
    }

    #[test]
    fn the_completion_routine_may_send_the_request_again() -> Result {
        let fixture = Fixture::new()?;
        let a = fixture.party(c"a")?;
        let b = fixture.party_as(c"b", |object| object.flags = abi::D2D_DISPATCH_ATOMIC)?;
        a.does_with_completed(SEND_AGAIN);
        a.passes_on_to(&b, PEND);
        let (request, first) = a.pend(&b, PEND, ROUTINE)?;
        fixture.complete(first, 0)?;
        let second = b.holds();
        assert!(first != second);
        fixture.requests.cancel(request)?;
        let third = b.holds();
        assert!(second != third);
        assert_eq!(fixture.complete(second, 0), Err(ECANCELED));
        a.does_with_completed(FREE);
        fixture.complete(third, 0)?;
        assert_eq!(b.calls()[0], 3);
        assert_eq!(a.calls()[2], 3);
        assert_eq!(fixture.len(), 0);
        Ok(())
    }
}

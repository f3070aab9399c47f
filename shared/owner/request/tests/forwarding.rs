// SPDX-License-Identifier: GPL-2.0

//! Forwarding requests.

use super::fixture::*;
use crate::{
    probe::Stack,
    request::{
        word,
        PENDING, //
    }, //
};
use kernel::{
    prelude::*,
    sync::atomic::ordering::Relaxed, //
};

#[kunit_tests(d2d_requests_forwarding)]
mod cases {
    use super::*;

    #[test]
    fn a_request_goes_down_four_levels_and_comes_back() -> Result {
        let fixture = Fixture::new()?;
        let a = fixture.party(c"a")?;
        let b = fixture.party(c"b")?;
        let c = fixture.party(c"c")?;
        let d = fixture.party(c"d")?;
        let e = fixture.party(c"e")?;
        // b forwards the request to c with this code, so the request does not return to c.
        b.passes_on_to(&c, LET_GO);
        c.passes_on_to(&d, PASS_ON);
        d.passes_on_to(&e, PEND);
        let request = a.alloc()?;
        assert!(!a.send(request, &b, PASS_ON, 0)?);
        assert_eq!(e.calls(), [1, 0, 0, 0]);
        // The forwarders can no longer use the request.
        for party in [&b, &c, &d] {
            assert_eq!(fixture.complete(party.holds(), 0), Err(ESTALE));
        }
        // A fifth level is refused.
        e.passes_on_to(&a, COMPLETE);
        assert_eq!(e.actor.forward(e.holds(), 0), E2BIG.to_errno());
        assert_eq!(fixture.status(request)?, E2BIG.to_errno());
        assert_eq!(d.calls(), [1, 1, 0, 0]);
        assert_eq!(c.calls(), [1, 0, 0, 0]);
        assert_eq!(b.calls(), [1, 1, 0, 0]);
        assert_eq!(d.heard(), E2BIG.to_errno());
        assert_eq!(b.heard(), E2BIG.to_errno());
        Ok(())
    }

    #[test]
    fn a_returned_request_may_be_kept_and_forwarded_again() -> Result {
        let fixture = Fixture::new()?;
        let (a, b, c) = (
            fixture.party(c"a")?,
            fixture.party(c"b")?,
            fixture.party(c"c")?,
        );
        b.passes_on_to(&c, PEND);
        b.keeps_what_returns();
        let request = a.alloc()?;
        a.send(request, &b, PASS_ON, 0)?;
        let (before, below) = (b.holds(), c.holds());
        fixture.complete(below, FAILED)?;
        assert_eq!(b.heard(), FAILED);
        assert!(b.holds() != before);
        assert_eq!(fixture.complete(before, 0), Err(ESTALE));
        // b forwards the request once more, then completes it with another status.
        assert_eq!(b.actor.forward(b.holds(), ROUTINE), PENDING);
        assert_eq!(c.calls()[0], 2);
        assert_eq!(fixture.complete(below, 0), Err(ESTALE));
        fixture.complete(c.holds(), 0)?;
        assert_eq!(b.calls()[1], 2);
        fixture.complete(b.holds(), TIMEDOUT)?;
        assert_eq!(fixture.status(request)?, TIMEDOUT);
        Ok(())
    }

    #[test]
    fn a_receiver_does_not_use_buffers_in_place_that_are_being_copied() -> Result {
        let fixture = Fixture::new()?;
        let (a, b) = (fixture.party(c"a")?, fixture.party(c"b")?);
        let c = fixture.party_in_place(c"c")?;
        for is_copying in [true, false] {
            let (request, held) = a.pend(&b, PEND, 0)?;
            let record = fixture.record(request)?;
            if is_copying {
                // Pretend that another thread of b is writing the output.
                assert!(record.go(&word::PINNED).is_ok());
            }
            b.passes_on_to(&c, PEND);
            let passed = fixture
                .requests
                .pass_on(held, &b.actor.how(), Stack::current());
            let passed = passed.map_err(|(_, error)| error)?;
            assert_eq!(passed.word.has(word::bits::IN_PLACE), !is_copying);
            fixture.requests.call(passed);
            if is_copying {
                fixture.requests.unpin(record);
            }
            fixture.complete(c.holds(), 0)?;
            assert_eq!(fixture.status(request)?, 0);
        }
        Ok(())
    }

    #[test]
    fn forwarding_that_fails_leaves_the_request_where_it_is() -> Result {
        let fixture = Fixture::new()?;
        let (a, b) = (fixture.party(c"a")?, fixture.party(c"b")?);
        let gone = fixture.party(c"gone")?;
        b.passes_on_to(&gone, PEND);
        drop(gone);
        let request = a.alloc()?;
        assert!(a.send(request, &b, PASS_ON, 0)?);
        assert_eq!(b.actor.forwarded.load(Relaxed), ESTALE.to_errno());
        assert_eq!(fixture.status(request)?, ESTALE.to_errno());
        assert_eq!(b.calls(), [1, 0, 0, 0]);
        Ok(())
    }
}

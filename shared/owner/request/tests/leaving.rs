// SPDX-License-Identifier: GPL-2.0

//! Requests of drivers that leave, and threads inside their routines.

use super::fixture::*;
use crate::request::{
    cancel::{
        CancelOutcome,
        Canceller, //
    },
    word,
    PENDING, //
};
use core::cell::Cell;
use d2d::run_in::{
    run_in,
    Place, //
};
use kernel::prelude::*;

#[kunit_tests(d2d_requests_leaving)]
mod cases {
    use super::*;

    #[test]
    fn the_requests_that_a_departing_driver_has_are_cancelled() -> Result {
        let fixture = Fixture::new()?;
        let (a, b) = (fixture.party(c"a")?, fixture.party(c"b")?);
        let (waited, held) = a.pend(&b, PEND_AND_HEAR, 0)?;
        let (_, _) = a.pend(&b, PEND, ROUTINE)?;
        b.leaves()?;
        fixture.requests.clear_and_free(b.driver);
        assert_eq!(b.calls(), [2, 0, 0, 1]);
        assert_eq!(a.calls(), [0, 0, 1, 0]);
        assert_eq!(a.heard(), CANCELED);
        assert_eq!(fixture.status(waited)?, CANCELED);
        assert_eq!(fixture.complete(held, 0), Err(ECANCELED));
        assert_eq!(a.send(waited, &b, PEND, 0), Err(ESHUTDOWN));
        drop(b);
        assert_eq!(fixture.complete(held, 0), Err(ECANCELED));
        assert_eq!(fixture.status(waited)?, CANCELED);
        Ok(())
    }

    #[test]
    fn the_requests_that_a_departing_driver_has_sent_are_cancelled() -> Result {
        let fixture = Fixture::new()?;
        let (a, b) = (fixture.party(c"a")?, fixture.party(c"b")?);
        let idle = a.alloc()?;
        let (_, held) = a.pend(&b, PEND_AND_HEAR, 0)?;
        a.does_with_completed(KEEP);
        let (_, second) = a.pend(&b, PEND, ROUTINE)?;
        let (kept, _) = b.pend(&a, PEND, 0)?;
        a.leaves()?;
        assert_eq!(a.alloc(), Err(ESHUTDOWN));
        assert_eq!(a.send(idle, &b, PEND, 0), Err(ESHUTDOWN));
        fixture.requests.clear_and_free(a.driver);
        assert_eq!(a.calls(), [1, 0, 1, 0]);
        assert_eq!(b.calls(), [2, 0, 0, 1]);
        assert_eq!(fixture.complete(held, 0), Err(ECANCELED));
        assert_eq!(fixture.complete(second, 0), Err(ECANCELED));
        assert_eq!(fixture.requests.free(idle), Err(ESTALE));
        assert_eq!(fixture.len(), 1);
        assert_eq!(fixture.status(kept)?, CANCELED);
        Ok(())
    }

    #[test]
    fn a_request_that_a_thread_has_claimed_is_freed_when_the_thread_gives_it_up() -> Result {
        let fixture = Fixture::new()?;
        let a = fixture.party(c"a")?;
        let request = a.alloc()?;
        let record = fixture.record(request)?;
        // Another thread of a sends the request, and does not know yet that a is leaving.
        let claimed = record.go(&word::CLAIM).map_err(|_| EINVAL)?;
        a.leaves()?;
        let waits = Cell::new(0);
        fixture.requests.free_all(a.driver, || {
            waits.set(waits.get() + 1);
            if let Some(idle) = word::UNCLAIM.apply(claimed) {
                record.publish(idle);
            }
        });
        assert_eq!(waits.get(), 1);
        assert_eq!(fixture.len(), 0);
        assert_eq!(fixture.requests.free(request), Err(ESTALE));
        Ok(())
    }

    #[test]
    fn a_request_goes_up_from_a_departing_forwarder() -> Result {
        let fixture = Fixture::new()?;
        let (a, b) = (fixture.party(c"a")?, fixture.party(c"b")?);
        let (c, d) = (fixture.party(c"c")?, fixture.party(c"d")?);
        b.passes_on_to(&c, PASS_ON);
        c.passes_on_to(&d, PEND_AND_HEAR);
        b.keeps_what_returns();
        let request = a.alloc()?;
        a.send(request, &b, PASS_ON, 0)?;
        let below = d.holds();
        c.leaves()?;
        fixture.requests.clear_and_free(c.driver);
        // d is notified. The request returns to the departing c, and then to b.
        assert_eq!(d.calls(), [1, 0, 0, 1]);
        assert_eq!(c.calls(), [1, 1, 0, 0]);
        assert_eq!(b.calls(), [1, 1, 0, 0]);
        assert_eq!(b.heard(), CANCELED);
        assert_eq!(fixture.wait(request, 0)?.status, TIMEDOUT);
        assert_eq!(fixture.complete(below, 0), Err(ECANCELED));
        drop(c);
        // b has kept the request until the wait timed out. Now b completes what it gets back.
        b.passes_on_to(&d, PEND);
        a.send(request, &b, PASS_ON, 0)?;
        fixture.complete(d.holds(), 0)?;
        fixture.complete(b.holds(), FAILED)?;
        assert_eq!(fixture.status(request)?, FAILED);
        Ok(())
    }

    #[test]
    fn a_driver_in_the_middle_does_not_wait_for_an_in_place_call_of_another() -> Result {
        let fixture = Fixture::new()?;
        let a = fixture.party(c"a")?;
        let b = fixture.party_in_place(c"b")?;
        let (c, d) = (fixture.party(c"c")?, fixture.party(c"d")?);
        let request = a.alloc()?;
        let record = fixture.record(request)?;
        // b's in-place call stays, while other threads of b and c forward the request.
        let passed = a.pass(request, &b, PEND, 0)?;
        b.passes_on_to(&c, PEND);
        c.passes_on_to(&d, PEND);
        let held = record.holder_handle(record.word().generation());
        assert_eq!(b.forward_in_a_worker(held)?, PENDING);
        assert_eq!(c.forward_in_a_worker(c.holds())?, PENDING);
        let cancel = |party: &Party<'_>| {
            fixture
                .requests
                .cancel_for(record, Canceller::Driver(party.driver))
        };
        assert!(cancel(&d) == CancelOutcome::Done);
        assert!(record.word().has(word::bits::PARKED));
        // The request is not with d any more. c is notified.
        assert!(cancel(&d) == CancelOutcome::Nothing);
        assert!(cancel(&c) == CancelOutcome::Done);
        assert!(cancel(&c) == CancelOutcome::Nothing);
        assert_eq!(c.calls(), [1, 1, 0, 0]);
        assert!(fixture.requests.call(passed));
        assert_eq!(b.calls(), [1, 1, 0, 0]);
        assert_eq!(fixture.status(request)?, CANCELED);
        Ok(())
    }

    #[test]
    fn detaching_cancels_all_requests_and_allows_new_ones() -> Result {
        let fixture = Fixture::new()?;
        let (a, b) = (fixture.party(c"a")?, fixture.party(c"b")?);
        let (request, held) = a.pend(&b, PEND, 0)?;
        let (own, _) = b.pend(&a, PEND, 0)?;
        fixture.requests.cancel_all(b.driver, || {});
        assert_eq!(fixture.status(request)?, CANCELED);
        assert_eq!(fixture.status(own)?, CANCELED);
        assert_eq!(fixture.complete(held, 0), Err(ECANCELED));
        assert!(a.send(request, &b, COMPLETE, 0)?);
        assert!(b.send(own, &a, COMPLETE, 0)?);
        Ok(())
    }

    #[test]
    fn a_driver_cannot_be_removed_while_a_thread_is_inside() -> Result {
        let fixture = Fixture::new()?;
        let a = fixture.party(c"a")?;
        {
            assert!(!fixture.registry.has_thread_inside(a.driver));
            let _inside = fixture.registry.enter(a.driver).ok_or(ESTALE)?;
            assert!(fixture.registry.has_thread_inside(a.driver));
            assert!(fixture.registry.is_inside());
            let elsewhere = run_in(Place::Worker, || fixture.registry.is_inside())?;
            assert!(!elsewhere);
            a.leaves()?;
            assert!(fixture.registry.remove(a.driver).is_none());
        }
        assert!(!fixture.registry.has_thread_inside(a.driver));
        assert!(!fixture.registry.is_inside());
        assert!(fixture.registry.remove(a.driver).is_some());
        Ok(())
    }

    #[test]
    fn a_driver_that_leaves_is_entered_for_its_own_requests_only() -> Result {
        let fixture = Fixture::new()?;
        let a = fixture.party(c"a")?;
        a.leaves()?;
        assert_eq!(
            fixture.registry.enter_target(1, a.target).err(),
            Some(("target-is-leaving", ESHUTDOWN))
        );
        assert!(fixture.registry.enter_staying(a.driver).is_none());
        assert!(fixture.registry.enter(a.driver).is_some());
        assert!(fixture.registry.expel(|_| true).is_some());
        assert!(fixture.registry.enter(a.driver).is_none());
        assert!(!fixture.registry.has_thread_inside(a.driver));
        Ok(())
    }

    #[test]
    fn more_threads_are_inside_than_the_slot_has_cells() -> Result {
        let fixture = Fixture::new()?;
        let a = fixture.party(c"a")?;
        let mut inside = KVec::new();
        for _ in 0..100 {
            let one = fixture.registry.enter(a.driver).ok_or(ESTALE)?;
            inside.push(Some(one), GFP_KERNEL)?;
        }
        for n in 0..100 {
            assert!(fixture.registry.has_thread_inside(a.driver));
            // The threads leave in another order than they have entered.
            drop(inside[n * 7 % 100].take());
        }
        assert!(!fixture.registry.has_thread_inside(a.driver));
        Ok(())
    }
}

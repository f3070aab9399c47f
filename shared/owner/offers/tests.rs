// SPDX-License-Identifier: GPL-2.0

//! The table of handshake requests: claims, handles, and when a slot is free again.

use super::*;
use d2d::run_in::{
    run_in,
    Place, //
};

/// The handle of a driver; any number.
const DRIVER: abi::d2d_handle = 0x1_0000_0001;

fn offers() -> Result<Pin<KBox<Offers>>> {
    KBox::pin_init(Offers::new(), GFP_KERNEL)
}

fn build(offers: &Offers) -> Result<Arc<Offer>> {
    offers.build(DRIVER, 5, 0x22_2003, core::ptr::without_provenance_mut(8))
}

/// Claims a request and finishes it with this status.
fn finish(offers: &Offers, request: &Offer, status: i32) -> Result {
    let claim = offers.claim(request.raw().handle).ok_or(ESTALE)?;
    offers.finish(claim, Winner::Driver, status, |_| status);
    Ok(())
}

fn is_stale(offers: &Offers, request: &Offer) -> bool {
    offers.claim(request.raw().handle).is_none()
}

#[kunit_tests(d2d_offers)]
mod cases {
    use super::*;

    #[test]
    fn a_request_says_what_it_is() -> Result {
        let offers = offers()?;
        let request = build(&offers)?;
        let raw = request.raw();
        assert_eq!(raw.hdr.magic, abi::D2D_REQUEST_MAGIC);
        assert_eq!(raw.major_function, abi::D2D_MJ_INTERNAL_DEVICE_CONTROL);
        assert_eq!(raw.code, 0x22_2003);
        assert_eq!(raw.user_buffer.addr(), 8);
        assert!(raw.handle != 0);
        assert_eq!(request.driver(), DRIVER);
        assert_eq!(request.context(), 5);
        assert_eq!(request.status(), None);
        assert_eq!(request.outcome(), None);
        Ok(())
    }

    #[test]
    fn a_request_is_claimed_once() -> Result {
        let offers = offers()?;
        let request = build(&offers)?;
        let claim = offers.claim(request.raw().handle);
        assert!(claim.is_some());
        assert!(is_stale(&offers, &request));
        offers.finish(claim.ok_or(ESTALE)?, Winner::Driver, 0, |_| 0);
        assert!(is_stale(&offers, &request));
        offers.leave(&request);
        assert!(is_stale(&offers, &request));
        Ok(())
    }

    #[test]
    fn a_request_is_claimed_once_in_any_context() -> Result {
        let offers = offers()?;
        for first in Place::ALL {
            let request = build(&offers)?;
            let handle = request.raw().handle;
            let claim = run_in(first, || offers.claim(handle))?;
            assert!(claim.is_some());
            for second in Place::ALL {
                assert!(run_in(second, || offers.claim(handle).is_none())?);
            }
            offers.finish(claim.ok_or(ESTALE)?, Winner::Driver, 0, |_| 0);
            offers.leave(&request);
        }
        Ok(())
    }

    #[test]
    fn made_up_handles_are_stale() -> Result {
        let offers = offers()?;
        let request = build(&offers)?;
        let handle = request.raw().handle;
        for made_up in [0, !0, handle + 1, handle | 0xffff, handle + (1 << 32)] {
            assert!(offers.claim(made_up).is_none());
        }
        finish(&offers, &request, 0)
    }

    #[test]
    fn finishing_tells_status_and_outcome() -> Result {
        let offers = offers()?;
        let request = build(&offers)?;
        let claim = offers.claim(request.raw().handle).ok_or(ESTALE)?;
        let mut seen = None;
        let outcome = offers.finish(claim, Winner::Driver, -5, |request| {
            seen = Some((request.status(), request.outcome()));
            -7
        });
        assert_eq!(outcome, -7);
        assert_eq!(seen, Some((Some(-5), None)));
        assert_eq!(request.status(), Some(-5));
        assert_eq!(request.outcome(), Some(-7));
        assert!(request.winner() == Some(Winner::Driver));
        request.wait();
        assert!(request.wait_for(1));
        Ok(())
    }

    #[test]
    fn waiting_has_an_end() -> Result {
        let offers = offers()?;
        let request = build(&offers)?;
        assert!(!request.wait_for(1));
        let claim = offers.claim(request.raw().handle).ok_or(ESTALE)?;
        assert!(!request.wait_for(1));
        offers.finish(claim, Winner::Driver, 0, |_| 0);
        assert!(request.wait_for(1));
        Ok(())
    }

    #[test]
    fn a_slot_is_kept_until_finished_and_left() -> Result {
        let offers = offers()?;
        let mut handles = [0; 2];
        for (n, finish_first) in [true, false].into_iter().enumerate() {
            let request = build(&offers)?;
            handles[n] = request.raw().handle;
            if finish_first {
                finish(&offers, &request, 0)?;
                assert!(offers.find(DRIVER).is_some());
                offers.leave(&request);
                assert!(request.wait_for_sender(1));
            } else {
                offers.leave(&request);
                assert!(request.wait_for_sender(1));
                assert!(offers.find(DRIVER).is_some());
                finish(&offers, &request, 0)?;
            }
            assert!(offers.find(DRIVER).is_none());
        }
        // The same slot, and another generation.
        assert_eq!(handles[0] as u32, handles[1] as u32);
        assert!(handles[0] != handles[1]);
        Ok(())
    }

    #[test]
    fn an_old_handle_does_not_name_the_next_request() -> Result {
        let offers = offers()?;
        let old = build(&offers)?;
        finish(&offers, &old, 0)?;
        offers.leave(&old);
        let new = build(&offers)?;
        assert!(is_stale(&offers, &old));
        assert!(!is_stale(&offers, &new));
        Ok(())
    }

    #[test]
    fn a_full_table_refuses() -> Result {
        let offers = offers()?;
        let mut all = KVec::new();
        for _ in 0..SLOTS {
            all.push(build(&offers)?, GFP_KERNEL)?;
        }
        assert!(matches!(build(&offers), Err(error) if error == EAGAIN));
        let one = all.pop().ok_or(ENOENT)?;
        finish(&offers, &one, 0)?;
        assert!(matches!(build(&offers), Err(error) if error == EAGAIN));
        offers.leave(&one);
        assert!(build(&offers).is_ok());
        for (n, one) in all.iter().enumerate() {
            assert!(all[..n]
                .iter()
                .all(|other| other.raw().handle != one.raw().handle));
        }
        Ok(())
    }

    #[test]
    fn a_request_is_found_by_its_driver() -> Result {
        let offers = offers()?;
        assert!(offers.find(DRIVER).is_none());
        let request = build(&offers)?;
        let found = offers.find(DRIVER).ok_or(ENOENT)?;
        assert_eq!(found.raw().handle, request.raw().handle);
        assert!(offers.find(DRIVER + 1).is_none());
        Ok(())
    }

    #[test]
    fn the_sender_is_the_task_that_builds() -> Result {
        let offers = offers()?;
        let request = build(&offers)?;
        assert!(offers.is_sent_by_current(DRIVER));
        assert!(!offers.is_sent_by_current(DRIVER + 1));
        assert!(!run_in(Place::Worker, || offers.is_sent_by_current(DRIVER))?);
        offers.leave(&request);
        assert!(!offers.is_sent_by_current(DRIVER));
        Ok(())
    }

    #[test]
    fn completing_claims_once() -> Result {
        let offers = offers()?;
        let request = build(&offers)?;
        let handle = request.raw().handle;
        let Completing::Claimed(claim) = offers.complete(handle) else {
            return Err(ESTALE);
        };
        assert!(offers.is_done_with(&request));
        assert!(matches!(offers.complete(handle), Completing::Stale));
        assert!(is_stale(&offers, &request));
        offers.finish(claim, Winner::Driver, 0, |_| 0);
        offers.leave(&request);
        assert!(matches!(offers.complete(handle), Completing::Stale));
        Ok(())
    }

    #[test]
    fn a_timed_out_request_is_kept_until_its_driver_completes_it() -> Result {
        let offers = offers()?;
        for completes in [true, false] {
            let request = build(&offers)?;
            let handle = request.raw().handle;
            let claim = offers.claim(handle).ok_or(ESTALE)?;
            offers.finish(claim, Winner::Timeout, -110, |_| -110);
            offers.leave(&request);
            assert!(!offers.is_done_with(&request));
            // No request is in progress, but the slot is still in use.
            assert!(offers.find(DRIVER).is_none());
            let next = build(&offers)?;
            assert!(next.raw().handle as u32 != handle as u32);
            if completes {
                let Completing::Late(late) = offers.complete(handle) else {
                    return Err(ESTALE);
                };
                assert_eq!(late.raw().handle, handle);
            } else {
                offers.done_with(handle);
            }
            assert!(offers.is_done_with(&request));
            assert!(matches!(offers.complete(handle), Completing::Stale));
            finish(&offers, &next, 0)?;
            offers.leave(&next);
        }
        Ok(())
    }

    #[test]
    fn an_overdue_request_is_claimed() -> Result {
        let offers = offers()?;
        let now = Instant::<Monotonic>::now();
        let after = |ms| now + Delta::from_millis(ms);
        assert!(matches!(offers.overdue(after(9)), Overdue::Nothing));
        let (first, second) = (build(&offers)?, build(&offers)?);
        // A request without a time limit never becomes overdue.
        assert!(matches!(offers.overdue(after(9)), Overdue::Nothing));
        assert!(offers.limit(&first, after(1)));
        // The timer is set already.
        assert!(!offers.limit(&second, after(3)));
        assert!(matches!(offers.overdue(now), Overdue::In(left) if left == Delta::from_millis(1)));
        let Overdue::Claimed(claim) = offers.overdue(after(1)) else {
            return Err(ENODATA);
        };
        assert_eq!(claim.raw().handle, first.raw().handle);
        assert!(is_stale(&offers, &first));
        assert!(
            matches!(offers.overdue(after(2)), Overdue::In(left) if left == Delta::from_millis(1))
        );
        offers.finish(claim, Winner::Timeout, -110, |_| -110);
        assert_eq!(first.status(), Some(-110));
        // A completed request has no time limit any more.
        finish(&offers, &second, 0)?;
        assert!(matches!(offers.overdue(after(9)), Overdue::Nothing));
        Ok(())
    }

    #[test]
    fn the_timer_is_set_once_while_there_are_limits() -> Result {
        let offers = offers()?;
        let now = Instant::<Monotonic>::now();
        let after = |ms| now + Delta::from_millis(ms);
        let (first, second) = (build(&offers)?, build(&offers)?);
        assert!(offers.limit(&first, after(1)));
        finish(&offers, &first, 0)?;
        // The timer expires nevertheless, and finds the second request.
        assert!(!offers.limit(&second, after(2)));
        assert!(matches!(offers.overdue(after(1)), Overdue::In(_)));
        finish(&offers, &second, 0)?;
        // A claimed request cannot get a time limit.
        assert!(!offers.limit(&second, after(3)));
        assert!(matches!(offers.overdue(after(2)), Overdue::Nothing));
        assert!(!offers.limit(&second, after(3)));
        offers.leave(&first);
        let third = build(&offers)?;
        assert!(offers.limit(&third, after(4)));
        // A slot that is used again begins without a limit.
        finish(&offers, &third, 0)?;
        offers.leave(&third);
        assert!(matches!(offers.overdue(after(9)), Overdue::Nothing));
        let fourth = build(&offers)?;
        assert_eq!(fourth.raw().handle as u32, third.raw().handle as u32);
        assert!(matches!(offers.overdue(after(9)), Overdue::Nothing));
        Ok(())
    }

    #[test]
    fn a_cancelled_request_is_not_kept() -> Result {
        let offers = offers()?;
        let request = build(&offers)?;
        let claim = offers.claim(request.raw().handle).ok_or(ESTALE)?;
        offers.finish(claim, Winner::Cancel, -125, |_| -125);
        offers.leave(&request);
        assert!(offers.is_done_with(&request));
        assert!(matches!(
            offers.complete(request.raw().handle),
            Completing::Stale
        ));
        Ok(())
    }
}

// SPDX-License-Identifier: GPL-2.0

//! The table of requests: claims, handles, and when a slot is free again.

use crate::{
    registry,
    requests::{
        Completing,
        Pending,
        Requests,
        Winner, //
    }, //
};
use d2d::{
    abi,
    run_in::{
        run_in,
        Place, //
    }, //
};
use kernel::{
    prelude::*,
    sync::Arc, //
};

/// The handle of a driver; any number.
const DRIVER: abi::d2d_handle = 0x1_0000_0001;

fn requests() -> Result<Pin<KBox<Requests>>> {
    KBox::pin_init(Requests::new(), GFP_KERNEL)
}

fn build(requests: &Requests) -> Result<Arc<Pending>> {
    requests.build(DRIVER, 5, 0x22_2003, core::ptr::without_provenance_mut(8))
}

/// Claims a request, and finishes it with this status, which its completion routine passes on.
fn finish(requests: &Requests, request: &Pending, status: i32) -> Result {
    let claim = requests.claim(request.raw().handle).ok_or(ESTALE)?;
    requests.finish(claim, Winner::Driver, status, |_| status);
    Ok(())
}

fn is_stale(requests: &Requests, request: &Pending) -> bool {
    requests.claim(request.raw().handle).is_none()
}

#[kunit_tests(d2d_requests)]
mod tests {
    use super::*;

    #[test]
    fn a_request_says_what_it_is() -> Result {
        let requests = requests()?;
        let request = build(&requests)?;
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
        let requests = requests()?;
        let request = build(&requests)?;
        let claim = requests.claim(request.raw().handle);
        assert!(claim.is_some());
        assert!(is_stale(&requests, &request));
        requests.finish(claim.ok_or(ESTALE)?, Winner::Driver, 0, |_| 0);
        assert!(is_stale(&requests, &request));
        requests.leave(&request);
        assert!(is_stale(&requests, &request));
        Ok(())
    }

    #[test]
    fn a_request_is_claimed_once_wherever() -> Result {
        let requests = requests()?;
        for first in Place::ALL {
            let request = build(&requests)?;
            let handle = request.raw().handle;
            let claim = run_in(first, || requests.claim(handle))?;
            assert!(claim.is_some());
            for second in Place::ALL {
                assert!(run_in(second, || requests.claim(handle).is_none())?);
            }
            requests.finish(claim.ok_or(ESTALE)?, Winner::Driver, 0, |_| 0);
            requests.leave(&request);
        }
        Ok(())
    }

    #[test]
    fn made_up_handles_are_stale() -> Result {
        let requests = requests()?;
        let request = build(&requests)?;
        let handle = request.raw().handle;
        for made_up in [0, !0, handle + 1, handle | 0xffff, handle + (1 << 32)] {
            assert!(requests.claim(made_up).is_none());
        }
        finish(&requests, &request, 0)
    }

    #[test]
    fn finishing_tells_status_and_outcome() -> Result {
        let requests = requests()?;
        let request = build(&requests)?;
        let claim = requests.claim(request.raw().handle).ok_or(ESTALE)?;
        let mut seen = None;
        let outcome = requests.finish(claim, Winner::Driver, -5, |request| {
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
        let requests = requests()?;
        let request = build(&requests)?;
        assert!(!request.wait_for(1));
        let claim = requests.claim(request.raw().handle).ok_or(ESTALE)?;
        assert!(!request.wait_for(1));
        requests.finish(claim, Winner::Driver, 0, |_| 0);
        assert!(request.wait_for(1));
        Ok(())
    }

    #[test]
    fn a_slot_is_kept_until_finished_and_left() -> Result {
        let requests = requests()?;
        let mut handles = [0; 2];
        for (n, finish_first) in [true, false].into_iter().enumerate() {
            let request = build(&requests)?;
            handles[n] = request.raw().handle;
            if finish_first {
                finish(&requests, &request, 0)?;
                assert!(requests.find(DRIVER).is_some());
                requests.leave(&request);
                request.wait_for_sender();
            } else {
                requests.leave(&request);
                request.wait_for_sender();
                assert!(requests.find(DRIVER).is_some());
                finish(&requests, &request, 0)?;
            }
            assert!(requests.find(DRIVER).is_none());
        }
        // The same slot, and another generation.
        assert_eq!(handles[0] as u32, handles[1] as u32);
        assert!(handles[0] != handles[1]);
        Ok(())
    }

    #[test]
    fn an_old_handle_does_not_name_the_next_request() -> Result {
        let requests = requests()?;
        let old = build(&requests)?;
        finish(&requests, &old, 0)?;
        requests.leave(&old);
        let new = build(&requests)?;
        assert!(is_stale(&requests, &old));
        assert!(!is_stale(&requests, &new));
        Ok(())
    }

    #[test]
    fn a_full_table_refuses() -> Result {
        let requests = requests()?;
        let mut all = KVec::new();
        for _ in 0..registry::SLOTS {
            all.push(build(&requests)?, GFP_KERNEL)?;
        }
        assert!(matches!(build(&requests), Err(error) if error == EAGAIN));
        let one = all.pop().ok_or(ENOENT)?;
        finish(&requests, &one, 0)?;
        assert!(matches!(build(&requests), Err(error) if error == EAGAIN));
        requests.leave(&one);
        assert!(build(&requests).is_ok());
        for (n, one) in all.iter().enumerate() {
            assert!(all[..n]
                .iter()
                .all(|other| other.raw().handle != one.raw().handle));
        }
        Ok(())
    }

    #[test]
    fn a_request_is_found_by_its_driver() -> Result {
        let requests = requests()?;
        assert!(requests.find(DRIVER).is_none());
        let request = build(&requests)?;
        let found = requests.find(DRIVER).ok_or(ENOENT)?;
        assert_eq!(found.raw().handle, request.raw().handle);
        assert!(requests.find(DRIVER + 1).is_none());
        Ok(())
    }

    #[test]
    fn the_sender_is_the_task_that_builds() -> Result {
        let requests = requests()?;
        let request = build(&requests)?;
        assert!(requests.is_sent_by_current(DRIVER));
        assert!(!requests.is_sent_by_current(DRIVER + 1));
        assert!(!run_in(Place::Worker, || requests.is_sent_by_current(DRIVER))?);
        requests.leave(&request);
        assert!(!requests.is_sent_by_current(DRIVER));
        Ok(())
    }

    #[test]
    fn completing_claims_once() -> Result {
        let requests = requests()?;
        let request = build(&requests)?;
        let handle = request.raw().handle;
        let Completing::Claimed(claim) = requests.complete(handle) else {
            return Err(ESTALE);
        };
        assert!(requests.is_done_with(&request));
        assert!(matches!(requests.complete(handle), Completing::Stale));
        assert!(is_stale(&requests, &request));
        requests.finish(claim, Winner::Driver, 0, |_| 0);
        requests.leave(&request);
        assert!(matches!(requests.complete(handle), Completing::Stale));
        Ok(())
    }

    #[test]
    fn a_request_out_of_time_is_kept_until_its_driver_is_done_with_it() -> Result {
        let requests = requests()?;
        for completes in [true, false] {
            let request = build(&requests)?;
            let handle = request.raw().handle;
            let claim = requests.claim(handle).ok_or(ESTALE)?;
            requests.finish(claim, Winner::Timeout, -110, |_| -110);
            requests.leave(&request);
            assert!(!requests.is_done_with(&request));
            // Nothing is on its way, and the slot is taken all the same.
            assert!(requests.find(DRIVER).is_none());
            let next = build(&requests)?;
            assert!(next.raw().handle as u32 != handle as u32);
            if completes {
                let Completing::Late(late) = requests.complete(handle) else {
                    return Err(ESTALE);
                };
                assert_eq!(late.raw().handle, handle);
            } else {
                requests.done_with(handle);
            }
            assert!(requests.is_done_with(&request));
            assert!(matches!(requests.complete(handle), Completing::Stale));
            finish(&requests, &next, 0)?;
            requests.leave(&next);
        }
        Ok(())
    }

    #[test]
    fn a_cancelled_request_is_not_kept() -> Result {
        let requests = requests()?;
        let request = build(&requests)?;
        let claim = requests.claim(request.raw().handle).ok_or(ESTALE)?;
        requests.finish(claim, Winner::Cancel, -125, |_| -125);
        requests.leave(&request);
        assert!(requests.is_done_with(&request));
        assert!(matches!(
            requests.complete(request.raw().handle),
            Completing::Stale
        ));
        Ok(())
    }
}

// SPDX-License-Identifier: GPL-2.0

//! Setting, taking and resetting events, and waiting for them.

use super::*;
use crate::event::{
    handlers::Call,
    testing::{
        now,
        Fixture,
        Sleeper,
        ALL,
        ANY,
        DRIVER,
        NOTIFICATION,
        SYNCHRONIZATION, //
    }, //
};
use core::ffi::c_void;
use d2d::{
    abi,
    run_in::{
        run_in,
        Place, //
    }, //
};
use kernel::{
    ffi::c_int,
    str::CString,
    sync::atomic::{
        Atomic,
        Relaxed, //
    }, //
};

fn counting(calls: &'static Atomic<u32>) -> Call {
    /// # Safety
    ///
    /// `calls` points to a static `Atomic<u32>`.
    unsafe extern "C" fn count(calls: *mut c_void, _event: d2d_handle) -> c_int {
        // SAFETY: The caller says that `calls` points to a static `Atomic<u32>`.
        unsafe { &*calls.cast::<Atomic<u32>>() }.fetch_add(1, Relaxed);
        0
    }

    let calls = core::ptr::from_ref(calls).cast_mut().cast();
    // SAFETY: `calls` is static, and any context may add to it.
    unsafe { Call::new(count, calls) }
}

#[kunit_tests(d2d_event_waits)]
mod cases {
    use super::*;

    #[test]
    fn events_are_set_and_taken_in_any_context() -> Result {
        let fixture = Fixture::new()?;
        let note = fixture.make(c"note", NOTIFICATION)?;
        let sync = fixture.make(c"sync", SYNCHRONIZATION)?;
        for place in Place::ALL {
            let right = run_in(place, || {
                let wait = |event| fixture.wait(&[event], now(ANY));
                let nothing = wait(note) == Err(ETIMEDOUT) && wait(sync) == Err(ETIMEDOUT);
                let set = fixture.set(note) == Ok(false)
                    && fixture.set(sync) == Ok(false)
                    && fixture.set(sync) == Ok(true);
                let taken = wait(note) == Ok(0) && wait(sync) == Ok(0);
                let left = wait(note) == Ok(0) && wait(sync) == Err(ETIMEDOUT);
                nothing && set && taken && left && fixture.reset(note) == Ok(())
            })?;
            assert!(right);
        }
        Ok(())
    }

    #[test]
    fn a_set_event_is_taken_without_the_lock() -> Result {
        let fixture = Fixture::new()?;
        let note = fixture.make(c"note", NOTIFICATION)?;
        let sync = fixture.make(c"sync", SYNCHRONIZATION)?;
        for place in Place::ALL {
            let right = run_in(place, || {
                let take = |event| fixture.try_take(event);
                let nothing = take(note) == Some(false) && take(sync) == Some(false);
                let set = fixture.set(note) == Ok(false) && fixture.set(sync) == Ok(false);
                let taken = take(note) == Some(true) && take(sync) == Some(true);
                let left = take(note) == Some(true) && take(sync) == Some(false);
                nothing && set && taken && left && fixture.reset(note) == Ok(())
            })?;
            assert!(right);
        }
        Ok(())
    }

    #[test]
    fn an_event_with_a_waiter_is_taken_with_the_lock_only() -> Result {
        let fixture = Fixture::new()?;
        let one = fixture.make(c"one", SYNCHRONIZATION)?;
        let other = fixture.make(c"other", SYNCHRONIZATION)?;
        let sleeper = Sleeper::new(&fixture, &[one, other], ALL)?;
        fixture.settle(one, 1)?;
        // One event does not end the wait for both.
        assert_eq!(fixture.set(one), Ok(false));
        assert_eq!(fixture.try_take(one), None);
        assert_eq!(fixture.try_take(other), None);
        assert!(fixture.is_set(one)? && !fixture.is_set(other)?);
        // Another thread can still take the event, or reset it.
        assert_eq!(fixture.wait(&[one], now(ANY)), Ok(0));
        assert_eq!(fixture.set(one), Ok(false));
        fixture.reset(one)?;
        assert_eq!(fixture.set(other), Ok(false));
        assert_eq!(fixture.wait(&[one, other], now(ALL)), Err(ETIMEDOUT));
        assert_eq!(fixture.set(one), Ok(false));
        assert_eq!(sleeper.join(), Ok(0));
        assert_eq!(fixture.try_take(one), Some(false));
        assert_eq!(fixture.try_take(other), Some(false));
        Ok(())
    }

    #[test]
    fn a_wait_is_for_1_to_64_different_events() -> Result {
        let fixture = Fixture::new()?;
        let mut events = KVec::new();
        for n in 0..65 {
            let name = CString::try_from_fmt(fmt!("many{}", n))?;
            events.push(fixture.make(&name, SYNCHRONIZATION)?, GFP_KERNEL)?;
        }
        assert_eq!(fixture.wait(&[], now(ANY)), Err(EINVAL));
        assert_eq!(fixture.wait(&events, now(ANY)), Err(EINVAL));
        assert_eq!(fixture.wait(&events[..64], now(ALL)), Err(ETIMEDOUT));
        fixture.set(events[63])?;
        assert_eq!(fixture.wait(&events[..64], now(ANY)), Ok(63));
        // Another handle of the same event is the same event.
        let other = fixture.make(c"many3", SYNCHRONIZATION)?;
        for twice in [
            [events[0], events[1], events[0]],
            [events[3], events[1], other],
        ] {
            assert_eq!(fixture.wait(&twice, now(ANY)), Err(EINVAL));
        }
        let unreadable = |n| (n < 2).then_some(events[n]);
        assert_eq!(
            fixture.events.wait(3, unreadable, now(ANY), |_| true),
            Err(EFAULT)
        );
        Ok(())
    }

    #[test]
    fn a_wait_for_any_takes_the_first_set_event() -> Result {
        let fixture = Fixture::new()?;
        let [a, b, c] = [
            fixture.make(c"a", SYNCHRONIZATION)?,
            fixture.make(c"b", SYNCHRONIZATION)?,
            fixture.make(c"c", SYNCHRONIZATION)?,
        ];
        fixture.set(c)?;
        fixture.set(b)?;
        assert_eq!(fixture.wait(&[a, b, c], now(ANY)), Ok(1));
        fixture.set(a)?;
        assert_eq!(fixture.wait(&[c, b, a], now(ANY)), Ok(0));
        assert_eq!(fixture.wait(&[c, b, a], now(ANY)), Ok(2));
        assert_eq!(fixture.wait(&[c, b, a], now(ANY)), Err(ETIMEDOUT));
        Ok(())
    }

    #[test]
    fn a_wait_for_all_takes_all_events_or_none() -> Result {
        let fixture = Fixture::new()?;
        let a = fixture.make(c"a", SYNCHRONIZATION)?;
        let b = fixture.make(c"b", NOTIFICATION)?;
        fixture.set(a)?;
        assert_eq!(fixture.wait(&[a, b], now(ALL)), Err(ETIMEDOUT));
        assert!(fixture.is_set(a)?);
        let sleeper = Sleeper::new(&fixture, &[a, b], ALL)?;
        fixture.settle(b, 1)?;
        assert!(fixture.is_set(a)?);
        fixture.set(b)?;
        assert_eq!(sleeper.join(), Ok(0));
        assert!(!fixture.is_set(a)? && fixture.is_set(b)?);
        Ok(())
    }

    #[test]
    fn a_notification_releases_all_threads_and_a_synchronization_one() -> Result {
        let fixture = Fixture::new()?;
        let note = fixture.make(c"note", NOTIFICATION)?;
        let sync = fixture.make(c"sync", SYNCHRONIZATION)?;
        for place in Place::ALL {
            let sleepers = [
                Sleeper::new(&fixture, &[note], ANY)?,
                Sleeper::new(&fixture, &[note, sync], ALL)?,
                Sleeper::new(&fixture, &[sync, note], ANY)?,
            ];
            fixture.settle(note, 3)?;
            run_in(place, || fixture.set(note))??;
            let [first, both, last] = sleepers;
            assert_eq!(first.join(), Ok(0));
            assert_eq!(last.join(), Ok(1));
            assert_eq!(fixture.status(sync)?.waiting, 1);
            run_in(place, || fixture.set(sync))??;
            assert_eq!(both.join(), Ok(0));
            assert!(!fixture.is_set(sync)?);
            fixture.reset(note)?;
        }
        Ok(())
    }

    #[test]
    fn waits_end_in_the_order_in_which_they_began() -> Result {
        let fixture = Fixture::new()?;
        let sync = fixture.make(c"sync", SYNCHRONIZATION)?;
        let mut sleepers = KVec::new();
        for n in 0..8 {
            sleepers.push(Sleeper::new(&fixture, &[sync], ANY)?, GFP_KERNEL)?;
            fixture.settle(sync, n + 1)?;
        }
        for (n, sleeper) in sleepers.into_iter().enumerate() {
            assert_eq!(fixture.set(sync), Ok(false));
            assert_eq!(sleeper.join(), Ok(0));
            assert_eq!(fixture.status(sync)?.waiting, 7 - n as u32);
        }
        Ok(())
    }

    #[test]
    fn closing_ends_the_waits_through_that_handle() -> Result {
        let fixture = Fixture::new()?;
        let keeps = fixture.make(c"one", SYNCHRONIZATION)?;
        let other = fixture.make(c"other", SYNCHRONIZATION)?;
        let closed = fixture.make(c"one", SYNCHRONIZATION)?;
        let stays = Sleeper::new(&fixture, &[keeps], ANY)?;
        fixture.settle(keeps, 1)?;
        let ends = Sleeper::new(&fixture, &[other, closed], ANY)?;
        fixture.settle(keeps, 2)?;
        fixture.events.close(closed)?;
        assert_eq!(ends.join(), Err(ECANCELED));
        assert_eq!(fixture.status(keeps)?.waiting, 1);
        assert_eq!(fixture.status(other)?.waiting, 0);
        fixture.set(keeps)?;
        assert_eq!(stays.join(), Ok(0));
        let ends = Sleeper::new(&fixture, &[other], ALL)?;
        fixture.settle(other, 1)?;
        fixture.events.close_all(DRIVER);
        assert_eq!(ends.join(), Err(ECANCELED));
        Ok(())
    }

    #[test]
    fn a_driver_that_leaves_sets_its_events_and_waits_no_more() -> Result {
        static CALLS: Atomic<u32> = Atomic::new(0);
        let fixture = Fixture::new()?;
        let own = fixture.make(c"one", SYNCHRONIZATION)?;
        let (other, _) = fixture.open_by(2, c"one", SYNCHRONIZATION, None)?;
        let ends = Sleeper::new(&fixture, &[own], ANY)?;
        let stays = Sleeper::new(&fixture, &[other], ANY)?;
        fixture.settle(other, 2)?;
        // A driver may leave more than once.
        fixture.events.leave(DRIVER);
        fixture.events.leave(DRIVER);
        assert_eq!(ends.join(), Err(ECANCELED));
        assert_eq!(fixture.set(own), Ok(false));
        assert_eq!(stays.join(), Ok(0));
        // Through the leaving driver's handle, a wait that may sleep fails, even if the event is set. A wait
        // that does not sleep takes the event.
        assert_eq!(fixture.set(own), Ok(false));
        assert_eq!(fixture.wait(&[own], ANY), Err(ECANCELED));
        assert_eq!(fixture.wait(&[other], ANY), Ok(0));
        assert_eq!(fixture.set(own), Ok(false));
        assert_eq!(fixture.wait(&[own], now(ANY)), Ok(0));
        assert_eq!(fixture.wait(&[own], now(ANY)), Err(ETIMEDOUT));
        // While the handle is open, nobody takes the event without the lock.
        assert_eq!(fixture.try_take(other), None);
        fixture.events.close_all(DRIVER);
        assert_eq!(fixture.try_take(other), Some(false));
        // Through the next handle in the same cell, a wait may sleep. This handle may have a handler.
        let next = fixture.make(c"two", NOTIFICATION)?;
        fixture.set(next)?;
        assert_eq!(fixture.wait(&[next], ANY), Ok(0));
        assert_eq!(
            fixture.events.set_handler(next, Some(counting(&CALLS))),
            Ok(())
        );
        assert_eq!(CALLS.load(Relaxed), 1);
        fixture.events.close(next)
    }

    #[test]
    fn a_driver_that_leaves_has_no_handlers() -> Result {
        static CALLS: Atomic<u32> = Atomic::new(0);
        let fixture = Fixture::new()?;
        let own = fixture.make(c"one", NOTIFICATION)?;
        let call = || Some(counting(&CALLS));
        fixture.events.set_handler(own, call())?;
        fixture.set(own)?;
        assert_eq!(CALLS.load(Relaxed), 1);
        fixture.events.leave(DRIVER);
        fixture.set(own)?;
        assert_eq!(CALLS.load(Relaxed), 1);
        assert_eq!(fixture.events.set_handler(own, call()), Err(ESHUTDOWN));
        assert_eq!(fixture.events.set_handler(own, None), Ok(()));
        fixture.events.close_all(DRIVER);
        assert_eq!(fixture.set(own), Err(ESTALE));
        Ok(())
    }

    #[test]
    fn a_wait_that_times_out_leaves_no_block() -> Result {
        let fixture = Fixture::new()?;
        let a = fixture.make(c"a", SYNCHRONIZATION)?;
        let b = fixture.make(c"b", SYNCHRONIZATION)?;
        for interruptible in [false, true] {
            for all in [false, true] {
                let manner = Manner {
                    all,
                    interruptible,
                    timeout: Some(1),
                };
                assert_eq!(fixture.wait(&[a, b], manner), Err(ETIMEDOUT));
                assert_eq!(fixture.status(a)?.waiting, 0);
                assert_eq!(fixture.status(b)?.waiting, 0);
            }
        }
        fixture.set(b)?;
        assert_eq!(fixture.wait(&[a, b], ANY), Ok(1));
        Ok(())
    }

    #[test]
    fn the_number_of_waits_is_limited() -> Result {
        let fixture = Fixture::new()?;
        let note = fixture.make(c"note", NOTIFICATION)?;
        let other = fixture.make(c"other", NOTIFICATION)?;
        let mut sleepers = KVec::new();
        for _ in 0..abi::D2D_EVENT_MAX_WAITS {
            sleepers.push(Sleeper::new(&fixture, &[note], ANY)?, GFP_KERNEL)?;
        }
        fixture.settle(note, abi::D2D_EVENT_MAX_WAITS)?;
        assert_eq!(fixture.wait(&[other, note], ANY), Err(EAGAIN));
        assert_eq!(fixture.status(other)?.waiting, 0);
        // The refused wait is no user of the event any more.
        assert_eq!(fixture.try_take(other), Some(false));
        // The limit does not apply to a wait that does not sleep.
        assert_eq!(fixture.wait(&[other, note], now(ANY)), Err(ETIMEDOUT));
        fixture.set(note)?;
        for sleeper in sleepers {
            assert_eq!(sleeper.join(), Ok(0));
        }
        Ok(())
    }

    #[test]
    fn sets_are_counted() -> Result {
        let fixture = Fixture::new()?;
        let sync = fixture.make(c"sync", SYNCHRONIZATION)?;
        for n in 1..=3 {
            fixture.set(sync)?;
            fixture.set(sync)?;
            assert_eq!(fixture.status(sync)?.sets, 2 * n);
        }
        fixture.reset(sync)?;
        assert_eq!(fixture.status(sync)?.sets, 6);
        assert!(!fixture.status(sync)?.closed);
        Ok(())
    }
}

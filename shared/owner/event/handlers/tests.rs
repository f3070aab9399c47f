// SPDX-License-Identifier: GPL-2.0

//! Which handlers a set calls, and how often.

use super::*;
use crate::event::testing::{
    in_a_thread,
    now,
    Fixture,
    Sleeper,
    ANY,
    NOTIFICATION,
    SYNCHRONIZATION, //
};
use d2d::run_in::{
    run_in,
    Place, //
};
use kernel::sync::{
    atomic::{
        ordering::{
            Acquire,
            Full,
            Relaxed, //
        },
        Atomic, //
    },
    Arc,
    Completion, //
};

struct Counter {
    calls: Atomic<u32>,
    /// What the handler returns.
    status: Atomic<i32>,
    /// The largest value of `sets` that a call has seen.
    seen: Atomic<u32>,
    /// How many sets have begun.
    sets: Atomic<u32>,
}

impl Counter {
    fn new() -> Result<Arc<Self>> {
        Ok(Arc::new(
            Self {
                calls: Atomic::new(0),
                status: Atomic::new(0),
                seen: Atomic::new(0),
                sets: Atomic::new(0),
            },
            GFP_KERNEL,
        )?)
    }

    /// The test keeps the counter until it drops the table of events.
    fn call(self: &Arc<Self>) -> Call {
        let argument = Arc::as_ptr(self).cast_mut().cast();
        // SAFETY: `argument` is a counter, which the test keeps as long as the handler.
        unsafe { Call::new(count, argument) }
    }

    fn calls(&self) -> u32 {
        self.calls.load(Acquire)
    }
}

/// # Safety
///
/// `counter` is a pointer to a [`Counter`].
unsafe extern "C" fn count(counter: *mut c_void, _event: d2d_handle) -> c_int {
    // SAFETY: The caller says that `counter` is a pointer to a `Counter`.
    let counter = unsafe { &*counter.cast::<Counter>() };
    let (sets, mut seen) = (counter.sets.load(Acquire), counter.seen.load(Acquire));
    // Other threads may be in this function, too.
    while seen < sets {
        seen = counter
            .seen
            .cmpxchg(seen, sets, Full)
            .unwrap_or_else(|seen| seen);
    }
    counter.calls.fetch_add(1, Full);
    counter.status.load(Relaxed)
}

impl Fixture {
    fn on_set(&self, event: d2d_handle, counter: &Arc<Counter>) -> Result {
        self.events.set_handler(event, Some(counter.call()))
    }

    /// Removes a handler without waiting. Returns the grace period to wait for.
    fn remove(&self, event: d2d_handle) -> Result<Option<GracePeriod>> {
        let removed = self
            .events
            .dispatcher()
            .try_set_handler(event, None, &mut KVec::new());
        match removed.map_err(|(_, error)| error)? {
            Change::Done(removal) => Ok(removal),
            Change::NeedsMemory(_) => Err(ENOMEM),
        }
    }

    /// Sets an event like a thread that is preempted before it calls handlers. Returns how many it has
    /// to call.
    fn set_without_calls(&self, event: d2d_handle) -> Result<usize> {
        let (dispatcher, reader) = (self.events.dispatcher(), rcu::read_lock());
        let event = dispatcher.openings.find(event, &reader).ok_or(ESTALE)?;
        Ok(event.set_with_waiters(&mut dispatcher.lock().key).1)
    }
}

#[kunit_tests(d2d_event_handlers)]
mod cases {
    use super::*;

    #[test]
    fn a_set_calls_the_handler_in_any_context() -> Result {
        let counter = Counter::new()?;
        let fixture = Fixture::new()?;
        let note = fixture.make(c"note", NOTIFICATION)?;
        let sync = fixture.make(c"sync", SYNCHRONIZATION)?;
        fixture.on_set(note, &counter)?;
        fixture.on_set(sync, &counter)?;
        for (n, place) in Place::ALL.into_iter().enumerate() {
            let before = run_in(place, || (fixture.set(note), fixture.set(sync)))?;
            assert_eq!(before, (Ok(n > 0), Ok(false)));
            assert_eq!(counter.calls(), 2 * (n as u32 + 1));
            assert_eq!(fixture.is_set(note), Ok(true));
            assert_eq!(fixture.is_set(sync), Ok(false));
        }
        Ok(())
    }

    #[test]
    fn a_handler_of_an_event_that_is_set_is_called_at_once() -> Result {
        for kind in [NOTIFICATION, SYNCHRONIZATION] {
            let counter = Counter::new()?;
            let fixture = Fixture::new()?;
            let event = fixture.make(c"event", kind)?;
            fixture.set(event)?;
            fixture.on_set(event, &counter)?;
            assert_eq!(counter.calls(), 1);
            assert_eq!(fixture.is_set(event), Ok(kind == NOTIFICATION));
        }
        Ok(())
    }

    #[test]
    fn a_notification_calls_all_handlers_and_a_synchronization_one_in_turn() -> Result {
        for kind in [NOTIFICATION, SYNCHRONIZATION] {
            let counters = [Counter::new()?, Counter::new()?, Counter::new()?];
            let fixture = Fixture::new()?;
            let event = fixture.make(c"event", kind)?;
            for counter in &counters {
                let (another, _) = fixture.open(c"event", kind, None)?;
                fixture.on_set(another, counter)?;
            }
            for n in 0..6 {
                fixture.set(event)?;
                for (at, counter) in counters.iter().enumerate() {
                    let expected = match kind == NOTIFICATION {
                        true => n + 1,
                        false => (n + 3 - at as u32) / 3,
                    };
                    assert_eq!(counter.calls(), expected);
                }
            }
        }
        Ok(())
    }

    #[test]
    fn a_thread_that_waits_comes_before_a_handler() -> Result {
        let counter = Counter::new()?;
        let fixture = Fixture::new()?;
        let sync = fixture.make(c"sync", SYNCHRONIZATION)?;
        fixture.on_set(sync, &counter)?;
        let sleeper = Sleeper::new(&fixture, &[sync], ANY)?;
        fixture.settle(sync, 1)?;
        fixture.set(sync)?;
        assert_eq!(sleeper.join(), Ok(0));
        assert_eq!(counter.calls(), 0);
        fixture.set(sync)?;
        assert_eq!(counter.calls(), 1);
        Ok(())
    }

    #[test]
    fn a_removed_handler_is_not_called_and_leaves_no_user() -> Result {
        let counter = Counter::new()?;
        let fixture = Fixture::new()?;
        let sync = fixture.make(c"sync", SYNCHRONIZATION)?;
        let (another, _) = fixture.open(c"sync", SYNCHRONIZATION, None)?;
        fixture.on_set(sync, &counter)?;
        fixture.on_set(another, &counter)?;
        // While the event has a user, it is not taken without the lock.
        assert_eq!(fixture.try_take(sync), None);
        fixture.events.set_handler(sync, None)?;
        fixture.events.set_handler(sync, None)?;
        fixture.events.close(another)?;
        fixture.set(sync)?;
        assert_eq!(counter.calls(), 0);
        assert_eq!(fixture.try_take(sync), Some(true));
        assert_eq!(fixture.events.set_handler(another, None), Err(ESTALE));
        assert_eq!(fixture.on_set(another, &counter), Err(ESTALE));
        Ok(())
    }

    #[test]
    fn each_thread_that_finds_a_handler_removed_waits_for_it() -> Result {
        let counter = Counter::new()?;
        let fixture = Fixture::new()?;
        let note = fixture.make(c"note", NOTIFICATION)?;
        let (another, _) = fixture.open(c"note", NOTIFICATION, None)?;
        fixture.on_set(note, &counter)?;
        // While this thread is an RCU reader, the grace period does not end.
        let reader = rcu::read_lock();
        let (first, second) = (fixture.remove(note)?, fixture.remove(note)?);
        assert!(first.is_some_and(|removal| !removal.is_over()));
        assert!(second.is_some_and(|removal| !removal.is_over()));
        let closed = fixture.events.dispatcher().close(note).ok_or(ESTALE)?;
        assert!(closed
            .after_removal
            .is_some_and(|removal| !removal.is_over()));
        drop(reader);
        // The handle `another` has no handler, but this call waits for the grace period, too.
        fixture.events.set_handler(another, None)
    }

    #[test]
    fn a_handle_has_one_handler() -> Result {
        let (old, new) = (Counter::new()?, Counter::new()?);
        let fixture = Fixture::new()?;
        let note = fixture.make(c"note", NOTIFICATION)?;
        fixture.on_set(note, &old)?;
        fixture.on_set(note, &new)?;
        fixture.set(note)?;
        assert_eq!((old.calls(), new.calls()), (0, 1));
        Ok(())
    }

    #[test]
    fn a_handler_that_fails_passes_a_synchronization_event_on() -> Result {
        let (failing, working) = (Counter::new()?, Counter::new()?);
        failing.status.store(EPERM.to_errno(), Relaxed);
        let fixture = Fixture::new()?;
        let sync = fixture.make(c"sync", SYNCHRONIZATION)?;
        let (another, _) = fixture.open(c"sync", SYNCHRONIZATION, None)?;
        fixture.on_set(sync, &failing)?;
        fixture.on_set(another, &working)?;
        for n in 1..4 {
            fixture.set(another)?;
            assert_eq!((failing.calls(), working.calls()), (1, n));
        }
        // Without another handler, the event stays set for a waiter.
        fixture.events.set_handler(another, None)?;
        fixture.set(another)?;
        assert_eq!(fixture.wait(&[another], now(ANY)), Ok(0));
        // A handler that replaces the failed one works.
        fixture.on_set(sync, &working)?;
        fixture.set(another)?;
        assert_eq!((failing.calls(), working.calls()), (1, 4));
        Ok(())
    }

    #[test]
    fn a_set_outlives_a_handler_that_is_removed_before_its_call() -> Result {
        for closes in [false, true] {
            let (removed, other) = (Counter::new()?, Counter::new()?);
            let fixture = Fixture::new()?;
            let sync = fixture.make(c"sync", SYNCHRONIZATION)?;
            let remove = |event| match closes {
                true => fixture.events.close(event),
                false => fixture.events.set_handler(event, None),
            };
            // Without another handler, the event stays set for a waiter.
            let (first, _) = fixture.open(c"sync", SYNCHRONIZATION, None)?;
            fixture.on_set(first, &removed)?;
            assert_eq!(fixture.set_without_calls(sync), Ok(1));
            assert_eq!(fixture.is_set(sync), Ok(false));
            remove(first)?;
            assert_eq!(fixture.is_set(sync), Ok(true));
            assert_eq!(fixture.wait(&[sync], now(ANY)), Ok(0));
            // With another handler, that handler takes the event at once.
            let (second, _) = fixture.open(c"sync", SYNCHRONIZATION, None)?;
            fixture.on_set(second, &removed)?;
            fixture.on_set(sync, &other)?;
            assert_eq!(fixture.set_without_calls(sync), Ok(1));
            remove(second)?;
            assert_eq!((removed.calls(), other.calls()), (0, 1));
            assert_eq!(fixture.is_set(sync), Ok(false));
        }
        Ok(())
    }

    #[test]
    fn a_set_does_not_leave_a_call_to_a_thread_that_is_preempted() -> Result {
        let counters = [Counter::new()?, Counter::new()?];
        let fixture = Fixture::new()?;
        let sync = fixture.make(c"sync", SYNCHRONIZATION)?;
        let (another, _) = fixture.open(c"sync", SYNCHRONIZATION, None)?;
        fixture.on_set(sync, &counters[0])?;
        fixture.on_set(another, &counters[1])?;
        assert_eq!(fixture.set_without_calls(sync), Ok(1));
        fixture.set(sync)?;
        assert_eq!((counters[0].calls(), counters[1].calls()), (1, 1));
        Ok(())
    }

    #[test]
    fn giving_a_handler_to_an_event_that_is_set_calls_no_other_one() -> Result {
        let (old, new) = (Counter::new()?, Counter::new()?);
        let fixture = Fixture::new()?;
        let note = fixture.make(c"note", NOTIFICATION)?;
        let (another, _) = fixture.open(c"note", NOTIFICATION, None)?;
        fixture.on_set(note, &old)?;
        fixture.set(note)?;
        fixture.on_set(another, &new)?;
        assert_eq!((old.calls(), new.calls()), (1, 1));
        Ok(())
    }

    #[test]
    fn the_number_of_handlers_is_limited() -> Result {
        let counter = Counter::new()?;
        let fixture = Fixture::new()?;
        let note = fixture.make(c"note", NOTIFICATION)?;
        for _ in 0..D2D_EVENT_MAX_WAITS {
            let (another, _) = fixture.open(c"note", NOTIFICATION, None)?;
            fixture.on_set(another, &counter)?;
        }
        assert_eq!(fixture.on_set(note, &counter), Err(EAGAIN));
        fixture.set(note)?;
        assert_eq!(counter.calls(), D2D_EVENT_MAX_WAITS);
        Ok(())
    }

    #[test]
    fn of_many_sets_at_once_the_last_is_followed_by_a_call() -> Result {
        const THREADS: u32 = 4;
        const SETS: u32 = 2000;

        for kind in [NOTIFICATION, SYNCHRONIZATION] {
            let counter = Counter::new()?;
            let fixture = Fixture::new()?;
            let event = fixture.make(c"event", kind)?;
            fixture.on_set(event, &counter)?;
            let mut threads = KVec::new();
            for _ in 0..THREADS {
                let done = Arc::pin_init(Completion::new(), GFP_KERNEL)?;
                threads.push(done.clone(), GFP_KERNEL)?;
                let (fixture, counter) = (fixture.clone(), counter.clone());
                in_a_thread(move || {
                    for _ in 0..SETS {
                        counter.sets.fetch_add(1, Full);
                        let _ = fixture.set(event);
                    }
                    drop(fixture);
                    done.complete_all();
                })?;
            }
            for thread in &threads {
                thread.wait_for_completion();
            }
            assert_eq!(counter.seen.load(Acquire), THREADS * SETS);
        }
        Ok(())
    }
}

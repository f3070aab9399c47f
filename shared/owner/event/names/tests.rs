// SPDX-License-Identifier: GPL-2.0

//! Named events: their names, their handles, and the waits that a set ends.

use super::*;
use crate::{
    event::Status,
    export::Arg, //
};
use d2d::{
    run_in::{
        run_in,
        Place, //
    },
    testing::LocalModule, //
};
use kernel::{
    bindings,
    str::CString,
    sync::{
        aref::ARef,
        rcu,
        Arc,
        Completion,
        SetOnce, //
    },
    task::Task,
    time::{
        delay::fsleep,
        Delta, //
    },
    workqueue, //
};

/// The handle of a driver; any number.
const DRIVER: d2d_handle = 0x1_0000_0001;

const NOTIFICATION: Kind = Kind::Notification;
const SYNCHRONIZATION: Kind = Kind::Synchronization;

const ANY: Manner = Manner {
    all: false,
    interruptible: false,
    timeout: None,
};
const ALL: Manner = Manner { all: true, ..ANY };

/// Returns the manner of the same wait, but without sleeping.
fn now(manner: Manner) -> Manner {
    Manner {
        timeout: Some(0),
        ..manner
    }
}

/// The table of events that the threads of a test share.
#[pin_data]
struct Fixture {
    #[pin]
    events: Events,
}

impl Fixture {
    fn new() -> Result<Arc<Self>> {
        Arc::pin_init(
            try_pin_init!(Self {
                events <- Events::new(c"d2d_kunit", Operations::of::<LocalModule>()),
            }),
            GFP_KERNEL,
        )
    }

    fn open(&self, name: &CStr, kind: Kind, make: Option<bool>) -> Result<(d2d_handle, bool)> {
        self.open_by(DRIVER, name, kind, make)
    }

    fn open_by(
        &self,
        driver: d2d_handle,
        name: &CStr,
        kind: Kind,
        make: Option<bool>,
    ) -> Result<(d2d_handle, bool)> {
        let name = name_of(name).map_err(|(_, error)| error)?;
        let wanted = Wanted { name, kind, make };
        self.events.open(driver, wanted, || Ok(()))
    }

    /// Creates an event that is not set, and returns its handle.
    fn make(&self, name: &CStr, kind: Kind) -> Result<d2d_handle> {
        self.open(name, kind, Some(false)).map(|(handle, _)| handle)
    }

    fn set(&self, event: d2d_handle) -> Result<bool> {
        self.events
            .dispatcher()
            .set(event, &rcu::read_lock())
            .ok_or(ESTALE)
    }

    fn reset(&self, event: d2d_handle) -> Result {
        self.events
            .dispatcher()
            .reset(event, &rcu::read_lock())
            .ok_or(ESTALE)
    }

    /// Returns the status of an event.
    fn status(&self, event: d2d_handle) -> Result<Status> {
        let (_, name, _) = self.events.dispatcher().opening(event).ok_or(ESTALE)?;
        let mut status = Err(ESTALE);
        self.events.for_each(|event| {
            if *event.name() == name {
                status = Ok(event.status());
            }
            Ok(())
        })?;
        status
    }

    /// Returns whether an event is set; `EIO` if the dispatcher and the event's status differ in
    /// that.
    fn is_set(&self, event: d2d_handle) -> Result<bool> {
        let is_set = self.events.dispatcher().is_set(event, &rcu::read_lock());
        let seen = self.status(event)?.set;
        is_set.filter(|set| *set == seen).ok_or(EIO)
    }

    /// Takes an event without the lock, if it has no users.
    fn try_take(&self, event: d2d_handle) -> Option<bool> {
        self.events.dispatcher().try_take(event, &rcu::read_lock())
    }

    fn wait(&self, events: &[d2d_handle], manner: Manner) -> Result<u32> {
        let handle = |n| events.get(n).copied();
        self.events.wait(events.len(), handle, manner, |_| true)
    }

    /// Returns when `waiting` threads wait for an event.
    fn settle(&self, event: d2d_handle, waiting: u32) -> Result {
        while self.status(event)?.waiting != waiting {
            // SAFETY: The tests run in a thread that may sleep, without locks.
            unsafe { bindings::schedule() };
        }
        Ok(())
    }
}

/// Another thread that waits for events.
struct Sleeper(Arc<Outcome>);

#[pin_data]
struct Outcome {
    result: SetOnce<Result<u32>>,
    #[pin]
    done: Completion,
}

impl Sleeper {
    fn new(fixture: &Arc<Fixture>, events: &[d2d_handle], manner: Manner) -> Result<Self> {
        let outcome = Arc::pin_init(
            pin_init!(Outcome {
                result: SetOnce::new(),
                done <- Completion::new(),
            }),
            GFP_KERNEL,
        )?;
        let mut handles = KVec::new();
        handles.extend_from_slice(events, GFP_KERNEL)?;
        let (fixture, theirs) = (fixture.clone(), outcome.clone());
        in_a_thread(move || {
            theirs.result.populate(fixture.wait(&handles, manner));
            drop(fixture);
            theirs.done.complete_all();
        })?;
        Ok(Self(outcome))
    }

    fn join(self) -> Result<u32> {
        self.0.done.wait_for_completion();
        self.0.result.copy().unwrap_or(Err(EIO))
    }
}

/// Calls `f` in another thread.
fn in_a_thread(f: impl FnOnce() + Send + 'static) -> Result {
    // SAFETY: `system_dfl_wq` is initialized at boot and never freed.
    let queue = unsafe { workqueue::Queue::from_raw(bindings::system_dfl_wq) };
    queue.try_spawn(GFP_KERNEL, f)?;
    Ok(())
}

/// Another thread that calls `close_all`.
struct Closer(Arc<Closing>);

#[pin_data]
struct Closing {
    task: SetOnce<ARef<Task>>,
    ended: SetOnce<()>,
    #[pin]
    done: Completion,
}

impl Closer {
    fn new(fixture: &Arc<Fixture>, driver: d2d_handle) -> Result<Self> {
        let closing = Arc::pin_init(
            pin_init!(Closing {
                task: SetOnce::new(),
                ended: SetOnce::new(),
                done <- Completion::new(),
            }),
            GFP_KERNEL,
        )?;
        let (fixture, theirs) = (fixture.clone(), closing.clone());
        in_a_thread(move || {
            let task: &Task = kernel::current!();
            theirs.task.populate(task.into());
            fixture.events.close_all(driver);
            drop(fixture);
            theirs.ended.populate(());
            theirs.done.complete_all();
        })?;
        Ok(Self(closing))
    }

    /// Returns true when `close_all` sleeps, as it does while another thread has the mutex; false
    /// when it has returned.
    fn settle(&self) -> bool {
        while self.0.ended.as_ref().is_none() {
            if self.0.task.as_ref().is_some_and(|task| !is_running(task)) {
                return true;
            }
            // While the holder of the mutex runs, a waiter spins instead of sleeping.
            fsleep(Delta::from_millis(1));
        }
        false
    }

    fn join(self) {
        self.0.done.wait_for_completion();
    }
}

/// Returns whether a task runs or is ready to run.
fn is_running(task: &Task) -> bool {
    // SAFETY: The reference keeps the task from being freed. Its state may change meanwhile, so the
    // read is volatile.
    let state = unsafe { (&raw const (*task.as_ptr()).__state).read_volatile() };
    state == bindings::TASK_RUNNING
}

fn name_of(name: &CStr) -> Result<Name, Refusal> {
    // SAFETY: `name` is a string that ends with a NUL.
    Name::read(unsafe { Arg::new(name.as_char_ptr()) })
}

fn refusal(name: &CStr) -> Option<Error> {
    name_of(name).err().map(|(_, error)| error)
}

#[kunit_tests(d2d_events)]
mod cases {
    use super::*;

    #[test]
    fn names_are_those_of_files() -> Result {
        for right in [c"a", c"...", c"a.b", c"~!@#", c"-"] {
            assert_eq!(refusal(right), None);
        }
        for wrong in [
            c"",
            c".",
            c"..",
            c"/",
            c"a/b",
            c" ",
            c"a b",
            c"a\n",
            c"\x7f",
            c"\xc3\xa4",
        ] {
            assert_eq!(refusal(wrong), Some(EINVAL));
        }
        let longest = CString::try_from_fmt(fmt!("{:063}", 0))?;
        assert_eq!(refusal(&longest), None);
        assert_eq!(
            name_of(&longest).map(|name| name.as_c_str().count_bytes()),
            Ok(63)
        );
        let longer = CString::try_from_fmt(fmt!("{:064}", 0))?;
        assert_eq!(refusal(&longer), Some(ENAMETOOLONG));
        for bad in [0usize, 1, 4096] {
            // SAFETY: No device is mapped at this address, so reading it has no side effects.
            let name = Name::read(unsafe { Arg::new(core::ptr::without_provenance(bad)) });
            assert_eq!(name.err().map(|(_, error)| error), Some(EFAULT));
        }
        Ok(())
    }

    #[test]
    fn one_name_is_one_event() -> Result {
        let fixture = Fixture::new()?;
        let (one, made) = fixture.open(c"one", NOTIFICATION, Some(true))?;
        assert!(made && fixture.is_set(one)?);
        // The initial state counts only when the event is created.
        let (other, made) = fixture.open(c"one", NOTIFICATION, Some(false))?;
        assert!(!made && other != one && fixture.is_set(other)?);
        let (third, made) = fixture.open(c"one", NOTIFICATION, None)?;
        assert!(!made);
        fixture.reset(third)?;
        assert!(!fixture.is_set(one)?);
        assert_eq!(fixture.set(other), Ok(false));
        assert_eq!(fixture.set(one), Ok(true));
        assert!(fixture.is_set(third)?);
        let wrong = fixture.open(c"one", SYNCHRONIZATION, None).err();
        assert_eq!(wrong, Some(EPROTOTYPE));
        let wrong = fixture.open(c"one", SYNCHRONIZATION, Some(true)).err();
        assert_eq!(wrong, Some(EPROTOTYPE));
        assert_eq!(fixture.open(c"two", NOTIFICATION, None).err(), Some(ENOENT));
        Ok(())
    }

    #[test]
    fn an_event_lives_until_its_last_handle_is_closed() -> Result {
        let fixture = Fixture::new()?;
        let one = fixture.make(c"one", NOTIFICATION)?;
        let other = fixture.make(c"one", NOTIFICATION)?;
        fixture.set(one)?;
        fixture.events.close(one)?;
        assert!(fixture.is_set(other)?);
        fixture.events.close(other)?;
        assert_eq!(fixture.open(c"one", NOTIFICATION, None).err(), Some(ENOENT));
        // The name is free again, for an event of either kind.
        let new = fixture.make(c"one", SYNCHRONIZATION)?;
        assert!(!fixture.is_set(new)?);
        Ok(())
    }

    #[test]
    fn a_handle_that_was_closed_is_stale() -> Result {
        let fixture = Fixture::new()?;
        let keeps = fixture.make(c"one", NOTIFICATION)?;
        let closed = fixture.make(c"one", NOTIFICATION)?;
        fixture.events.close(closed)?;
        for stale in [closed, 0, !0, keeps + 1, keeps | 1 << 16] {
            assert_eq!(fixture.events.close(stale), Err(ESTALE));
            assert_eq!(fixture.set(stale), Err(ESTALE));
            assert_eq!(fixture.reset(stale), Err(ESTALE));
            assert_eq!(fixture.status(stale).err(), Some(ESTALE));
            assert_eq!(fixture.wait(&[keeps, stale], ANY), Err(ESTALE));
            assert_eq!(fixture.try_take(stale), None);
        }
        assert!(!fixture.is_set(keeps)?);
        assert_eq!(fixture.status(keeps)?.waiting, 0);
        Ok(())
    }

    #[test]
    fn a_driver_that_is_not_registered_gets_no_event() -> Result {
        let fixture = Fixture::new()?;
        let name = name_of(c"one").map_err(|(_, error)| error)?;
        let wanted = Wanted {
            name,
            kind: NOTIFICATION,
            make: Some(true),
        };
        let refused = fixture.events.open(DRIVER, wanted, || Err(ESTALE));
        assert_eq!(refused.err(), Some(ESTALE));
        assert_eq!(fixture.open(c"one", NOTIFICATION, None).err(), Some(ENOENT));
        Ok(())
    }

    #[test]
    fn the_handles_of_a_driver_are_closed_with_it() -> Result {
        let fixture = Fixture::new()?;
        let (shared, _) = fixture.open_by(1, c"shared", NOTIFICATION, Some(false))?;
        let mut own = KVec::new();
        for n in 0..200 {
            let name = CString::try_from_fmt(fmt!("own{}", n))?;
            own.push(
                fixture.open_by(2, &name, NOTIFICATION, Some(false))?.0,
                GFP_KERNEL,
            )?;
            fixture.open_by(2, c"shared", NOTIFICATION, None)?;
        }
        fixture.events.close_all(2);
        assert!(own
            .iter()
            .all(|handle| fixture.status(*handle) == Err(ESTALE)));
        assert_eq!(
            fixture.open(c"own0", NOTIFICATION, None).err(),
            Some(ENOENT)
        );
        assert!(!fixture.is_set(shared)?);
        fixture.events.close(shared)?;
        assert_eq!(
            fixture.open(c"shared", NOTIFICATION, None).err(),
            Some(ENOENT)
        );
        Ok(())
    }

    #[test]
    fn a_driver_that_leaves_waits_for_its_open() -> Result {
        let fixture = Fixture::new()?;
        let wanted = Wanted {
            name: name_of(c"one").map_err(|(_, error)| error)?,
            kind: NOTIFICATION,
            make: Some(true),
        };
        let mut closers = KVec::new();
        let mut sleeping = 0;
        // Two threads close all events of the driver while this thread opens an event: it has found
        // that the driver is registered, and has not added the handle yet.
        let (handle, _) = fixture.events.open(DRIVER, wanted, || {
            for _ in 0..2 {
                let closer = Closer::new(&fixture, DRIVER)?;
                sleeping += usize::from(closer.settle());
                closers.push(closer, GFP_KERNEL)?;
            }
            Ok(())
        })?;
        closers.into_iter().for_each(Closer::join);
        assert_eq!(sleeping, 2);
        assert_eq!(fixture.events.close(handle), Err(ESTALE));
        // The event is closed, so another one of the same name is made.
        let (_, made) = fixture.open(c"one", SYNCHRONIZATION, Some(false))?;
        assert!(made);
        Ok(())
    }

    #[test]
    fn two_threads_are_the_first_to_watch_an_event() -> Result {
        let fixture = Fixture::new()?;
        let one = fixture.make(c"one", NOTIFICATION)?;
        let name = name_of(c"one").map_err(|(_, error)| error)?;
        let names = fixture.events.names.lock();
        let event = names.tree.get(&name).ok_or(ENOENT)?.event().clone();
        drop(names);
        let watchers = || event.watchers().map(core::ptr::from_ref);
        // Both threads find that the event has no watchers.
        let mut spares = [event.spare_watchers()?, event.spare_watchers()?];
        assert!(spares.iter().all(Option::is_some) && watchers().is_none());
        event.begin_to_watch(&mut event.dispatcher.lock().key, &mut spares[0]);
        let first = watchers();
        assert!(first.is_some() && spares[0].is_none());
        // The second thread uses the watchers of the first one. It drops its own ones later,
        // without the lock.
        event.begin_to_watch(&mut event.dispatcher.lock().key, &mut spares[1]);
        assert!(watchers() == first && spares[1].is_some());
        assert!(event.spare_watchers()?.is_none());
        // While a file watches the event, nobody takes it without the lock.
        assert_eq!(fixture.try_take(one), None);
        event.unwatch();
        assert_eq!(fixture.try_take(one), None);
        event.unwatch();
        assert_eq!(fixture.try_take(one), Some(false));
        Ok(())
    }

    #[test]
    fn the_number_of_events_is_limited() -> Result {
        let fixture = Fixture::new()?;
        let mut refused = None;
        for n in 0..=abi::D2D_EVENT_MAX {
            let name = CString::try_from_fmt(fmt!("many{}", n))?;
            refused = fixture.make(&name, NOTIFICATION).err();
            assert_eq!(refused.is_some(), n == abi::D2D_EVENT_MAX);
        }
        assert_eq!(refused, Some(ENFILE));
        assert!(fixture.make(c"many7", NOTIFICATION).is_ok());
        fixture.events.close_all(DRIVER);
        assert!(fixture.make(c"one", NOTIFICATION).is_ok());
        Ok(())
    }

    #[test]
    fn the_number_of_handles_is_limited() -> Result {
        let fixture = Fixture::new()?;
        let one = fixture.make(c"one", NOTIFICATION)?;
        for _ in 1..abi::D2D_EVENT_MAX_OPEN {
            fixture.make(c"one", NOTIFICATION)?;
        }
        assert_eq!(fixture.make(c"one", NOTIFICATION).err(), Some(EMFILE));
        assert_eq!(fixture.make(c"two", NOTIFICATION).err(), Some(EMFILE));
        assert_eq!(fixture.open(c"two", NOTIFICATION, None).err(), Some(ENOENT));
        fixture.events.close(one)?;
        assert!(fixture.make(c"two", NOTIFICATION).is_ok());
        Ok(())
    }

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
    fn what_is_set_is_taken_without_the_lock() -> Result {
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
    fn a_slot_that_is_used_again_has_another_handle() -> Result {
        let fixture = Fixture::new()?;
        let keeps = fixture.make(c"keeps", NOTIFICATION)?;
        let mut last = fixture.make(c"one", NOTIFICATION)?;
        for _ in 0..100 {
            fixture.events.close(last)?;
            let next = fixture.make(c"another", SYNCHRONIZATION)?;
            assert!(next != last && next as u32 == last as u32);
            assert_eq!(fixture.set(last), Err(ESTALE));
            assert!(!fixture.is_set(next)?);
            last = next;
        }
        assert!(!fixture.is_set(keeps)?);
        Ok(())
    }

    #[test]
    fn wait_sets_have_one_to_64_events_once_each() -> Result {
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
    fn the_first_in_the_list_is_taken() -> Result {
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
    fn all_are_taken_at_once_or_none() -> Result {
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
    fn waits_end_in_order() -> Result {
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
    fn closing_ends_the_waits_by_that_handle() -> Result {
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
    fn a_wait_that_ends_by_itself_leaves_nothing() -> Result {
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

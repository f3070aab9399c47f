// SPDX-License-Identifier: GPL-2.0

//! Named events: names, handles, and watchers.

use super::*;
use crate::{
    event::testing::{
        in_a_thread,
        name_of,
        Fixture,
        ANY,
        DRIVER,
        NOTIFICATION,
        SYNCHRONIZATION, //
    },
    export::Arg, //
};
use kernel::{
    bindings,
    str::CString,
    sync::{
        aref::ARef,
        Completion,
        SetOnce, //
    },
    task::Task,
    time::{
        delay::fsleep,
        Delta, //
    }, //
};

/// Another thread that closes all handles of a driver.
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
            fixture.events.leave(driver);
            fixture.events.close_all(driver);
            drop(fixture);
            theirs.ended.populate(());
            theirs.done.complete_all();
        })?;
        Ok(Self(closing))
    }

    /// Returns true when `leave` sleeps, because another thread has the mutex. Returns false when the
    /// handles are closed.
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

fn is_running(task: &Task) -> bool {
    // SAFETY: The reference keeps the task. The task's state may change, so the read is volatile.
    let state = unsafe { (&raw const (*task.as_ptr()).__state).read_volatile() };
    state == bindings::TASK_RUNNING
}

fn refusal(name: &CStr) -> Option<Error> {
    name_of(name).err().map(|(_, error)| error)
}

#[kunit_tests(d2d_events)]
mod cases {
    use super::*;

    #[test]
    fn a_name_is_a_valid_file_name() -> Result {
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
        // The initial state counts only for a new event.
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
        // The name is free again.
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
    fn closing_all_closes_the_handles_of_one_driver() -> Result {
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
    fn closing_all_waits_for_an_open_under_way() -> Result {
        let fixture = Fixture::new()?;
        let wanted = Wanted {
            name: name_of(c"one").map_err(|(_, error)| error)?,
            kind: NOTIFICATION,
            make: Some(true),
        };
        let mut closers = KVec::new();
        let mut sleeping = 0;
        // Two threads close the driver's events while this thread opens one. `open` has found that the
        // driver is registered, and has not added the handle yet.
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
        let (_, made) = fixture.open(c"one", SYNCHRONIZATION, Some(false))?;
        assert!(made);
        Ok(())
    }

    #[test]
    fn two_threads_that_begin_to_watch_share_the_watchers() -> Result {
        let fixture = Fixture::new()?;
        let one = fixture.make(c"one", NOTIFICATION)?;
        let name = name_of(c"one").map_err(|(_, error)| error)?;
        let names = fixture.events.names.lock();
        let event = names.tree.get(&name).ok_or(ENOENT)?.source().clone();
        drop(names);
        let watchers = || event.watchers().map(core::ptr::from_ref);
        // Both threads find that the event has no watchers.
        let mut spares = [event.spare_watchers()?, event.spare_watchers()?];
        assert!(spares.iter().all(Option::is_some) && watchers().is_none());
        event.begin_to_watch(&mut event.dispatcher.lock().key, &mut spares[0]);
        let first = watchers();
        assert!(first.is_some() && spares[0].is_none());
        // The second thread uses the first one's watchers, and drops its own without the lock.
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
    fn a_cell_that_is_used_again_has_another_handle() -> Result {
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
}

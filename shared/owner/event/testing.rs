// SPDX-License-Identifier: GPL-2.0

//! A table of events, and threads that wait for them.

use super::{
    name::Name,
    names::{
        Events,
        Wanted, //
    },
    wait::Manner,
    Kind,
    Status, //
};
use crate::{
    export::Arg,
    registry::Refusal, //
};
use d2d::{
    abi::d2d_handle,
    testing::drop_promise, //
};
use kernel::{
    bindings,
    prelude::*,
    sync::{
        rcu,
        Arc,
        Completion,
        SetOnce, //
    },
    workqueue, //
};

/// Any number.
pub(super) const DRIVER: d2d_handle = 0x1_0000_0001;

pub(super) const NOTIFICATION: Kind = Kind::Notification;
pub(super) const SYNCHRONIZATION: Kind = Kind::Synchronization;

pub(super) const ANY: Manner = Manner {
    all: false,
    interruptible: false,
    timeout: None,
};
pub(super) const ALL: Manner = Manner { all: true, ..ANY };

/// Returns `manner` for a wait that does not sleep.
pub(super) fn now(manner: Manner) -> Manner {
    Manner {
        timeout: Some(0),
        ..manner
    }
}

#[pin_data]
pub(super) struct Fixture {
    #[pin]
    pub(super) events: Events,
}

impl Fixture {
    pub(super) fn new() -> Result<Arc<Self>> {
        Arc::pin_init(
            try_pin_init!(Self {
                events <- Events::new(drop_promise(), c"d2d_kunit"),
            }),
            GFP_KERNEL,
        )
    }

    pub(super) fn open(
        &self,
        name: &CStr,
        kind: Kind,
        make: Option<bool>,
    ) -> Result<(d2d_handle, bool)> {
        self.open_by(DRIVER, name, kind, make)
    }

    pub(super) fn open_by(
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

    /// Creates an event that is not set.
    pub(super) fn make(&self, name: &CStr, kind: Kind) -> Result<d2d_handle> {
        self.open(name, kind, Some(false)).map(|(handle, _)| handle)
    }

    pub(super) fn set(&self, event: d2d_handle) -> Result<bool> {
        self.events
            .dispatcher()
            .set(event, &rcu::read_lock())
            .ok_or(ESTALE)
    }

    pub(super) fn reset(&self, event: d2d_handle) -> Result {
        self.events
            .dispatcher()
            .reset(event, &rcu::read_lock())
            .ok_or(ESTALE)
    }

    pub(super) fn status(&self, event: d2d_handle) -> Result<Status> {
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

    /// Fails with `EIO` if the dispatcher and the event's status disagree.
    pub(super) fn is_set(&self, event: d2d_handle) -> Result<bool> {
        let is_set = self.events.dispatcher().is_set(event, &rcu::read_lock());
        let seen = self.status(event)?.set;
        is_set.filter(|set| *set == seen).ok_or(EIO)
    }

    pub(super) fn try_take(&self, event: d2d_handle) -> Option<bool> {
        self.events.dispatcher().try_take(event, &rcu::read_lock())
    }

    pub(super) fn wait(&self, events: &[d2d_handle], manner: Manner) -> Result<u32> {
        let handle = |n| events.get(n).copied();
        self.events.wait(events.len(), handle, manner, |_| true)
    }

    /// Waits until `waiting` threads wait for the event.
    pub(super) fn settle(&self, event: d2d_handle, waiting: u32) -> Result {
        while self.status(event)?.waiting != waiting {
            // SAFETY: The tests run in a thread that may sleep, without locks.
            unsafe { bindings::schedule() };
        }
        Ok(())
    }
}

/// Another thread that waits for events.
pub(super) struct Sleeper(Arc<Outcome>);

#[pin_data]
struct Outcome {
    result: SetOnce<Result<u32>>,
    #[pin]
    done: Completion,
}

impl Sleeper {
    pub(super) fn new(
        fixture: &Arc<Fixture>,
        events: &[d2d_handle],
        manner: Manner,
    ) -> Result<Self> {
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

    pub(super) fn join(self) -> Result<u32> {
        self.0.done.wait_for_completion();
        self.0.result.copy().unwrap_or(Err(EIO))
    }
}

pub(super) fn in_a_thread(f: impl FnOnce() + Send + 'static) -> Result {
    // SAFETY: `system_dfl_wq` is initialized at boot and never freed.
    let queue = unsafe { workqueue::Queue::from_raw(bindings::system_dfl_wq) };
    queue.try_spawn(GFP_KERNEL, f)?;
    Ok(())
}

pub(super) fn name_of(name: &CStr) -> Result<Name, Refusal> {
    // SAFETY: `name` ends with a NUL.
    Name::read(unsafe { Arg::new(name.as_char_ptr()) })
}

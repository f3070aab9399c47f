// SPDX-License-Identifier: GPL-2.0

//! Named events.
//!
//! - `state`: whether an event is set: a word, which one atomic step changes while nobody waits.
//! - `openings`: the handles.
//! - `wait`: waiting, under the dispatcher's lock.
//! - `name`: what an event may be called; `names`: all events, and which driver has opened which event.
//! - `file`: the file through which user space watches an event.

pub(crate) mod file;
pub(crate) mod name;
pub(crate) mod names;
mod openings;
mod state;
pub(crate) mod wait;

use self::{
    name::Name,
    openings::{
        Openings,
        Vacancies, //
    },
    state::State, //
};
use crate::lock::{
    new_irq_lock,
    IrqLock,
    IrqSave, //
};
use core::cell::UnsafeCell;
use kernel::{
    bindings,
    container_of,
    prelude::*,
    sync::{
        lock::Guard,
        poll::{
            PollCondVar,
            PollCondVarBox, //
        },
        Arc,
        SetOnce, //
    },
    types::Opaque, //
};

pub(crate) use d2d::event::Kind;

/// What the dispatcher's lock protects.
struct Inner {
    vacancies: Vacancies,
    key: Key,
}

/// Proof that the dispatcher's lock is held. Each dispatcher has one, inside its lock.
struct Key(());

/// The dispatcher's lock, and the handles of events.
#[pin_data]
pub(crate) struct Dispatcher {
    /// Name of the owner.
    owner: &'static CStr,
    openings: Openings<Event>,
    #[pin]
    inner: IrqLock<Inner>,
}

impl Dispatcher {
    /// Makes one without events. May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    fn new(owner: &'static CStr) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            owner,
            openings: Openings::new()?,
            inner <- new_irq_lock!(
                Inner {
                    vacancies: Vacancies::new(),
                    key: Key(()),
                },
                "d2d_dispatcher"
            ),
        })
    }

    /// Returns the name of the owner.
    fn owner(&self) -> &'static CStr {
        self.owner
    }

    fn lock(&self) -> Guard<'_, Inner, IrqSave> {
        self.inner.lock()
    }

    /// Waits until the events are freed whose last handles were closed. May sleep.
    fn wait_for_retired() {
        // SAFETY: Safe to call where sleeping is.
        unsafe { bindings::rcu_barrier() };
    }
}

/// What can be seen of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Status {
    pub(crate) set: bool,
    /// How often it was set.
    pub(crate) sets: u64,
    /// Waits for it.
    pub(crate) waiting: u32,
    /// Its last handle is closed.
    pub(crate) closed: bool,
}

/// What the dispatcher's lock protects of an event.
struct Uses {
    /// Waits that are on its list, open files, and threads that do something to it with the lock. While
    /// there is one, the state is guarded.
    users: u32,
    /// Blocks on its list.
    waiting: u32,
    /// Handles.
    openings: u32,
    /// Its last handle is closed. No other one is opened.
    closed: bool,
}

/// An event.
///
/// # Invariants
///
/// `uses`, and `waits` and what is on it, are used only with the key of `dispatcher`. What is on the
/// list are nodes of blocks whose thread does not go on before they are off it. An event with such a
/// block is open. `retired` is used once, when the last handle is closed; until a grace period after that,
/// the handles have a reference together.
#[pin_data]
pub(crate) struct Event {
    state: State,
    kind: Kind,
    dispatcher: Arc<Dispatcher>,
    uses: UnsafeCell<Uses>,
    #[pin]
    waits: Opaque<bindings::list_head>,
    name: Name,
    /// Made when the event is watched for the first time.
    watchers: SetOnce<PollCondVarBox>,
    retired: Opaque<bindings::callback_head>,
}

// SAFETY: The state is atomic. What else changes is under the dispatcher's lock.
unsafe impl Send for Event {}
// SAFETY: As above.
unsafe impl Sync for Event {}

impl Event {
    /// Makes one without a handle.
    pub(crate) fn new(
        name: Name,
        kind: Kind,
        set: bool,
        dispatcher: Arc<Dispatcher>,
    ) -> impl PinInit<Self> {
        // INVARIANT: Nothing is on the list, and there is no handle.
        pin_init!(Self {
            state: State::new(set),
            kind,
            dispatcher,
            uses: UnsafeCell::new(Uses {
                users: 0,
                waiting: 0,
                openings: 0,
                closed: false,
            }),
            // SAFETY: `slot` is valid for writes.
            waits <- Opaque::ffi_init(|slot| unsafe { bindings::INIT_LIST_HEAD(slot) }),
            name,
            watchers: SetOnce::new(),
            retired: Opaque::uninit(),
        })
    }

    pub(crate) fn name(&self) -> &Name {
        &self.name
    }

    /// Returns the name of the owner.
    pub(crate) fn owner(&self) -> &'static CStr {
        self.dispatcher.owner()
    }

    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    /// Returns whether a wait resets the event.
    fn is_reset_by_wait(&self) -> bool {
        self.kind == Kind::Synchronization
    }

    fn uses<'a>(&self, _key: &'a mut Key) -> &'a mut Uses {
        // SAFETY: By the type invariants they are used with the key only, which is borrowed.
        unsafe { &mut *self.uses.get() }
    }

    /// Makes the caller a user: until [`Event::end_use`], only a thread that has the lock changes the
    /// state.
    fn begin_use(&self, key: &mut Key) {
        let uses = self.uses(key);
        uses.users += 1;
        if uses.users == 1 {
            self.state.guard();
        }
    }

    fn end_use(&self, key: &mut Key) {
        let uses = self.uses(key);
        uses.users -= 1;
        if uses.users == 0 {
            self.state.unguard();
        }
    }

    fn status_locked(&self, key: &mut Key) -> Status {
        let (set, sets) = self.state.look();
        let uses = self.uses(key);
        Status {
            set,
            sets,
            waiting: uses.waiting,
            closed: uses.closed,
        }
    }

    /// Returns what can be seen of it. Any context.
    pub(crate) fn status(&self) -> Status {
        self.status_locked(&mut self.dispatcher.lock().key)
    }

    /// Drops the reference that the handles have together, when all RCU readers have left that may have
    /// found the event by one of them.
    fn retire(&self, _key: &mut Key) {
        /// # Safety
        ///
        /// `head` is `retired` of an event, whose handles have a reference.
        unsafe extern "C" fn release(head: *mut bindings::callback_head) {
            let head = head.cast::<Opaque<bindings::callback_head>>();
            // SAFETY: The reference is the one that `Dispatcher::open` has taken for the handles. If it is the
            // last one, the event is freed in softirq: `PollCondVarBox` frees watchers after a grace period,
            // without waiting for it, and the dispatcher stays until `Events` has waited for this.
            drop(unsafe { Arc::from_raw(container_of!(head, Event, retired).cast_const()) });
        }

        // SAFETY: The last handle is closed, which happens once, so the head is in no other use. The event
        // lives until `release` is called. The module waits for that before it goes:
        // `Dispatcher::wait_for_retired`.
        unsafe { bindings::call_rcu(self.retired.get(), Some(release)) };
    }

    /// Tells those that watch that something has happened. Any context.
    fn notify(&self) {
        if let Some(watchers) = self.watchers.as_ref() {
            watchers.notify_all();
        }
    }

    /// Begins to watch: from now on, [`Event::watchers`] are told when the event is set or closed. May
    /// sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn watch(&self) -> Result {
        // If another thread has been quicker, these are dropped at the end, without the lock.
        let mut spare = self.spare_watchers()?;
        self.begin_to_watch(&mut self.dispatcher.lock().key, &mut spare);
        Ok(())
    }

    /// Makes the watchers if nobody has watched the event yet. May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    fn spare_watchers(&self) -> Result<Option<PollCondVarBox>> {
        if self.watchers().is_some() {
            return Ok(None);
        }
        let watchers = PollCondVarBox::new(c"d2d_event_watchers", kernel::static_lock_class!())?;
        Ok(Some(watchers))
    }

    /// Makes the caller a user, and takes its watchers if the event has none. With the lock, so that no
    /// other thread which opens the file goes on before the watchers are there.
    fn begin_to_watch(&self, key: &mut Key, spare: &mut Option<PollCondVarBox>) {
        self.begin_use(key);
        if self.watchers().is_none() {
            if let Some(watchers) = spare.take() {
                self.watchers.populate(watchers);
            }
        }
    }

    /// Ends what [`Event::watch`] has begun. Any context.
    pub(crate) fn unwatch(&self) {
        self.end_use(&mut self.dispatcher.lock().key);
    }

    /// Returns what is told, if the event was ever watched.
    pub(crate) fn watchers(&self) -> Option<&PollCondVar> {
        self.watchers.as_ref().map(|watchers| &**watchers)
    }

    /// Waits, while the caller watches the event, until it was set another number of times than `seen`,
    /// or is closed. May sleep.
    ///
    /// # Errors
    ///
    /// `ERESTARTSYS` if a signal came.
    pub(crate) fn wait_for_change(&self, seen: u64) -> Result {
        let watchers = self.watchers.as_ref().ok_or(ENOENT)?;
        let mut inner = self.dispatcher.lock();
        loop {
            let status = self.status_locked(&mut inner.key);
            if status.closed || status.sets != seen {
                return Ok(());
            }
            if watchers.wait_interruptible(&mut inner) {
                return Err(ERESTARTSYS);
            }
        }
    }
}

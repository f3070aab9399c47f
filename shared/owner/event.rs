// SPDX-License-Identifier: GPL-2.0

//! Named events.
//!
//! - `state`: whether an event is set. While the event has no user, one atomic operation changes
//!   this.
//! - `handlers`: what a thread calls when it sets an event; `openings`: the table of handles.
//! - `wait`: waits, and how setting an event ends them.
//! - `name`: an event's name; `names`: the table of all events.
//! - `file`: how user space watches an event.

pub(crate) mod file;
pub(crate) mod handlers;
pub(crate) mod name;
pub(crate) mod names;
mod openings;
mod state;
#[cfg(d2d_tests)]
mod testing;
pub(crate) mod wait;

use self::{
    handlers::Handlers,
    name::Name,
    openings::{
        Openings,
        Vacancies, //
    },
    state::State, //
};
use crate::{
    kernel_calls::rcu_barrier,
    lock::{
        new_irq_lock,
        IrqLock,
        IrqSave, //
    }, //
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

struct Inner {
    vacancies: Vacancies,
    /// Whether any event of the owner has ever had a handler.
    had_handlers: bool,
    key: Key,
}

/// Proof that the dispatcher's lock is held. There is one for each dispatcher.
struct Key(());

/// The table of handles and the lock for waits, which all events of an owner share.
#[pin_data]
pub(crate) struct Dispatcher {
    openings: Openings<Event>,
    #[pin]
    inner: IrqLock<Inner>,
}

impl Dispatcher {
    /// May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    fn new() -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            openings: Openings::new()?,
            inner <- new_irq_lock!(
                Inner {
                    vacancies: Vacancies::new(),
                    had_handlers: false,
                    key: Key(()),
                },
                "d2d_dispatcher"
            ),
        })
    }

    fn lock(&self) -> Guard<'_, Inner, IrqSave> {
        self.inner.lock()
    }

    /// Waits until the handles' references to all [retired](Event::retire) events are dropped. May
    /// sleep.
    fn wait_for_retired() {
        rcu_barrier();
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Status {
    pub(crate) set: bool,
    pub(crate) sets: u64,
    pub(crate) waiting: u32,
    pub(crate) handlers: u32,
    /// The number of handlers that have failed, and are not called any more.
    pub(crate) failed: u32,
    pub(crate) closed: bool,
}

/// The part of an event that the dispatcher's lock protects.
struct Uses {
    /// While there is a user, the state is guarded. The users are:
    /// - threads that wait for the event
    /// - the event's handlers and its open files
    /// - handles of drivers that are leaving
    /// - threads that set, reset or take the event under the lock
    users: u32,
    /// The number of nodes on the list `waits`.
    waiting: u32,
    handlers: Handlers,
    /// The number of the event's handles.
    openings: u32,
    /// Whether the last handle is closed. Then no other handle is opened.
    closed: bool,
}

/// # Invariants
///
/// - `uses`, the list `waits` and its nodes are used only with the key of `dispatcher`.
/// - Each node on the list is that of a [`WaitBlock`](wait::WaitBlock). Until the node is off the
///   list, the block and its waiter stay where they are, and the block keeps the event.
/// - `retired` is used once, when the last handle is closed. All handles together have one
///   reference to the event, which is dropped a grace period later.
#[pin_data]
pub(crate) struct Event {
    state: State,
    kind: Kind,
    dispatcher: Arc<Dispatcher>,
    uses: UnsafeCell<Uses>,
    #[pin]
    waits: Opaque<bindings::list_head>,
    name: Name,
    /// The open files that wait for the event. Made when a process opens the first file.
    watchers: SetOnce<PollCondVarBox>,
    retired: Opaque<bindings::callback_head>,
}

// SAFETY: `state` and `watchers` are atomic. All else that changes is under the dispatcher's lock.
// By the invariants of `Call`, any thread may call a handler.
unsafe impl Send for Event {}
// SAFETY: As above.
unsafe impl Sync for Event {}

impl Event {
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
                handlers: Handlers::new(),
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

    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    fn is_reset_by_wait(&self) -> bool {
        self.kind == Kind::Synchronization
    }

    fn uses<'a>(&'a self, _key: &'a mut Key) -> &'a mut Uses {
        // SAFETY: By the type invariants, `uses` is used only with the key of `dispatcher`, which
        // each caller passes. The result borrows the key and the event.
        unsafe { &mut *self.uses.get() }
    }

    /// Until [`Event::end_use`], only a thread that holds the lock changes the state.
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
            handlers: uses.handlers.count(),
            failed: uses.handlers.failed(),
            closed: uses.closed,
        }
    }

    /// Any context.
    pub(crate) fn status(&self) -> Status {
        self.status_locked(&mut self.dispatcher.lock().key)
    }

    /// Drops the handles' reference after a grace period, because RCU readers may still use the
    /// event. Called once, when the last handle is closed.
    fn retire(&self, _key: &mut Key) {
        /// # Safety
        ///
        /// `head` points to the `retired` of an event that has the handles' reference.
        unsafe extern "C" fn release(head: *mut bindings::callback_head) {
            let head = head.cast::<Opaque<bindings::callback_head>>();
            // This may free the event, in softirq. That does not sleep: `PollCondVarBox` does not
            // wait for the grace period after which it frees the watchers. Freeing the event does not
            // free the dispatcher, either: `Events` waits for this callback before it drops its own
            // reference.
            //
            // SAFETY: `head` is the `retired` of an event that has the handles' reference, which
            // `Dispatcher::open` has taken by `Arc::into_raw`. The kernel calls `release` once, as
            // `retire` is called once.
            drop(unsafe { Arc::from_raw(container_of!(head, Event, retired).cast_const()) });
        }

        // SAFETY: An event's last handle is closed only once, so `retired` is not in use. The
        // handles' reference keeps the event until `release` runs. The module is not unloaded
        // before: dropping `Events` calls `Dispatcher::wait_for_retired`.
        unsafe { bindings::call_rcu(self.retired.get(), Some(release)) };
    }

    /// Any context.
    fn notify(&self) {
        if let Some(watchers) = self.watchers.as_ref() {
            watchers.notify_all();
        }
    }

    /// Until [`Event::unwatch`], setting the event or closing its last handle wakes
    /// [`Event::watchers`]. May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn watch(&self) -> Result {
        // If the event has got watchers meanwhile, `spare` is dropped after the lock is released.
        let mut spare = self.spare_watchers()?;
        self.begin_to_watch(&mut self.dispatcher.lock().key, &mut spare);
        Ok(())
    }

    /// `None` if the event has watchers already. May sleep.
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

    /// `spare` is `None` only if the event had watchers before.
    fn begin_to_watch(&self, key: &mut Key, spare: &mut Option<PollCondVarBox>) {
        self.begin_use(key);
        if self.watchers().is_none() {
            if let Some(watchers) = spare.take() {
                self.watchers.populate(watchers);
            }
        }
    }

    /// Any context.
    pub(crate) fn unwatch(&self) {
        self.end_use(&mut self.dispatcher.lock().key);
    }

    pub(crate) fn watchers(&self) -> Option<&PollCondVar> {
        self.watchers.as_ref().map(|watchers| &**watchers)
    }

    /// Waits until the number of sets is not `seen`, or the last handle is closed. The caller
    /// [watches](Event::watch) the event. May sleep.
    ///
    /// # Errors
    ///
    /// `ERESTARTSYS` if a signal came, `ENOENT` if the event has no watchers.
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

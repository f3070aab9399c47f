// SPDX-License-Identifier: GPL-2.0

//! What the exported functions of `d2d_event.h` do.
//!
//! The functions that set, reset, query or ring an event, or take one without waiting, are RCU readers.
//! The others are readers of SRCU, which takes more time.

use super::{
    call_server,
    errno,
    Arg,
    Exports, //
};
use crate::{
    event::wait::Manner,
    server::Server,
    trace, //
};
use core::ffi::c_void;
use d2d::{
    abi,
    fields,
    hot_step,
    trace::Step,
    word::AtomicWord, //
};
use kernel::{
    ffi::{
        c_char,
        c_int, //
    },
    prelude::*,
    sync::rcu,
    task::might_sleep, //
};

const ALL: u32 = abi::D2D_EVENT_WAIT_ALL;
const INTERRUPTIBLE: u32 = abi::D2D_EVENT_WAIT_INTERRUPTIBLE;

impl Exports {
    /// Runs `f` on the server, if there is one, as an RCU reader. `f` must not sleep. Any context.
    #[inline(always)]
    fn try_briefly<R>(&self, f: impl FnOnce(&Server, &rcu::Guard) -> Option<R>) -> Option<R> {
        let reader = rcu::read_lock();
        let server = AtomicWord::load_acquire(&self.server);
        // SAFETY: By the type invariants, `server` is null or came from `Arc::into_raw`. Its reference
        // is dropped only after all RCU readers that may have found it have ended, and this thread is
        // a reader until `f` has returned.
        let server = unsafe { server.as_ref() }?;
        f(server, &reader)
    }

    /// Refuses a call because the handle is stale, or there is no server.
    #[cold]
    #[inline(never)]
    fn refuse_event(&self, event: abi::d2d_handle) -> c_int {
        errno(self.with(|server| Err(server.events.refuse_stale(event))))
    }

    /// `d2d_event_create`.
    pub fn create_event(
        &self,
        driver: Arg<abi::d2d_handle>,
        name: Arg<*const c_char>,
        kind: Arg<u32>,
        Arg(initial): Arg<u32>,
        event: Arg<*mut abi::d2d_handle>,
    ) -> c_int {
        self.make_or_open_event(driver, name, kind, Some(initial != 0), event)
    }

    /// `d2d_event_open`.
    pub fn open_event(
        &self,
        driver: Arg<abi::d2d_handle>,
        name: Arg<*const c_char>,
        kind: Arg<u32>,
        event: Arg<*mut abi::d2d_handle>,
    ) -> c_int {
        self.make_or_open_event(driver, name, kind, None, event)
    }

    fn make_or_open_event(
        &self,
        Arg(driver): Arg<abi::d2d_handle>,
        name: Arg<*const c_char>,
        Arg(kind): Arg<u32>,
        make: Option<bool>,
        event: Arg<*mut abi::d2d_handle>,
    ) -> c_int {
        errno(self.with(|server| {
            let to = self.output(event, "bad-handle-pointer")?;
            let value = server.open_event(driver, name, kind, make)?;
            self.fill(to, value, "bad-handle-pointer", || {
                server.events.close(value)
            })
        }))
    }

    call_server! {
        /// `d2d_event_close`.
        pub fn close_event(event: abi::d2d_handle) => errno(|server| server.events.close(event.0));

        /// `d2d_event_on_set`.
        pub fn set_handler(
            event: abi::d2d_handle, routine: abi::d2d_event_routine, argument: *mut c_void
        ) => errno(|server| server.on_set(event.0, routine, argument));
    }

    /// `d2d_event_set`.
    pub fn set_event(&self, Arg(event): Arg<abi::d2d_handle>) -> c_int {
        let before = self.try_briefly(|server, reader| {
            if hot_step::traces_events() {
                server.hit_event(Step::D2D_STEP_EVENT_SET, event, &[]);
            }
            server.events.dispatcher().set(event, reader)
        });
        before.map_or_else(|| self.refuse_event(event), c_int::from)
    }

    /// `d2d_event_reset`.
    pub fn reset_event(&self, Arg(event): Arg<abi::d2d_handle>) -> c_int {
        let reset =
            self.try_briefly(|server, reader| server.events.dispatcher().reset(event, reader));
        reset.map_or_else(|| self.refuse_event(event), |()| 0)
    }

    /// `d2d_event_query`.
    pub fn query_event(&self, Arg(event): Arg<abi::d2d_handle>) -> c_int {
        let is_set =
            self.try_briefly(|server, reader| server.events.dispatcher().is_set(event, reader));
        is_set.map_or_else(|| self.refuse_event(event), c_int::from)
    }

    /// `d2d_event_ring`.
    pub fn ring_event(&self, Arg(event): Arg<abi::d2d_handle>) {
        // This does not refuse a stale handle: the driver of the doorbell may have left.
        self.try_briefly(|server, reader| server.events.dispatcher().set(event, reader));
    }

    /// `d2d_event_wait`.
    pub fn wait_for_events(
        &self,
        events: Arg<*const abi::d2d_handle>,
        Arg(count): Arg<u32>,
        Arg(flags): Arg<u32>,
        Arg(timeout): Arg<u32>,
        index: Arg<*mut u32>,
    ) -> c_int {
        let may_wait = timeout == 0 || trace::may_sleep();
        let only = match count {
            1 => events.handle(0),
            _ => None,
        };
        if index.0.is_null()
            && flags & !(ALL | INTERRUPTIBLE) == 0
            && !hot_step::traces_events()
            && may_wait
        {
            let take = |handle| {
                self.try_briefly(|server, reader| {
                    server.events.dispatcher().try_take(handle, reader)
                })
            };
            match only.and_then(take) {
                Some(true) => {
                    if timeout != 0 {
                        might_sleep();
                    }
                    return 0;
                }
                Some(false) if timeout == 0 => return ETIMEDOUT.to_errno(),
                _ => {}
            }
        }
        let handle = |n| only.or_else(|| events.handle(n));
        self.wait_long(handle, count, flags, timeout, index, may_wait)
    }

    /// As [`Exports::wait_for_events`], for the calls that `wait_for_events` does not end itself.
    /// `handle(n)` reads the handle of event `n`. `may_wait` is false if the caller may not sleep, although
    /// the timeout is not 0.
    #[cold]
    #[inline(never)]
    fn wait_long(
        &self,
        handle: impl Fn(usize) -> Option<abi::d2d_handle>,
        count: u32,
        flags: u32,
        timeout: u32,
        index: Arg<*mut u32>,
        may_wait: bool,
    ) -> c_int {
        errno(self.with(|server| {
            let refuse = |reason, error| {
                Err(server
                    .events
                    .refuse((reason, error), &fields![events: count, flags: flags]))
            };
            if flags & !(ALL | INTERRUPTIBLE) != 0 {
                return refuse("bad-wait-flags", EINVAL);
            }
            let to = index.output();
            if !index.0.is_null() && to.is_none() {
                return refuse("bad-index-pointer", EFAULT);
            }
            let manner = Manner {
                all: flags & ALL != 0,
                interruptible: flags & INTERRUPTIBLE != 0,
                timeout: (timeout != abi::D2D_EVENT_FOREVER).then_some(timeout),
            };
            if !may_wait {
                return refuse("wait-in-atomic-context", EDEADLK);
            }
            if timeout != 0 {
                // On a debugging kernel, this reports contexts that `may_sleep` does not know.
                might_sleep();
            }
            let fill = |index| to.is_none_or(|to| to.fill(index));
            let result = server.events.wait(count as usize, &handle, manner, fill);
            if hot_step::traces_events() {
                let first = handle(result.map_or(0, |index| index as usize)).unwrap_or(0);
                let status = result.map_or_else(Error::to_errno, |_| 0);
                server.hit_event(
                    Step::D2D_STEP_EVENT_WAIT,
                    first,
                    &fields![events: count, status: status],
                );
            }
            result.map(|_| ())
        }))
    }
}

// SPDX-License-Identifier: GPL-2.0

//! Taking requests back: by who has sent them, and from who leaves.

use crate::{
    entry::{
        Entry,
        Phase,
        Refusal, //
    },
    handle,
    registry::Driver,
    requests::Requests,
    telling::Telling,
    visit::Visit, //
};
use core::pin::pin;
use d2d::{
    abi::{
        self,
        d2d_handle, //
    },
    trace::Step, //
};
use kernel::{
    ffi::c_int,
    prelude::*,
    time::{
        delay::fsleep,
        Delta, //
    }, //
};

/// Who takes a request back.
#[derive(Clone, Copy)]
pub(super) enum Taker {
    /// Its sender, in this sending.
    Sender(u32),
    /// A driver: what it has, or has passed on, or has sent.
    Driver(d2d_handle),
}

/// Why a request is taken back. This decides its status.
#[derive(Clone, Copy)]
pub(super) enum Reason {
    /// Its sender does not want it any more.
    Cancelled,
    /// The time of a thread that waits for it is over.
    TimedOut,
    /// A driver that it is with, or that has forwarded it, does not want it any more.
    Left,
}

impl Reason {
    fn status(self) -> c_int {
        match self {
            Self::Cancelled | Self::Left => ECANCELED.to_errno(),
            Self::TimedOut => ETIMEDOUT.to_errno(),
        }
    }

    fn ended(self) -> abi::d2d_ended {
        match self {
            Self::Cancelled => abi::D2D_ENDED_CANCELLED,
            Self::TimedOut => abi::D2D_ENDED_TIMED_OUT,
            Self::Left => abi::D2D_ENDED_LEFT,
        }
    }
}

impl Taker {
    /// From which level on, if at all.
    fn level(self, entry: &Entry) -> Option<usize> {
        match self {
            Self::Sender(sending) => {
                (entry.sendings == sending && entry.phase != Phase::Idle).then_some(0)
            }
            Self::Driver(driver) => entry.level_of(driver),
        }
    }
}

/// What came of taking a request back.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Taking {
    /// It was taken back, and has gone up as far as it goes.
    Done,
    /// It was taken back, but another task carries it up, and has not come to the end.
    Recalled,
    /// It was completed or taken back before, and another task carries it up.
    Busy,
    /// It is not on its way, or not with this driver.
    Nothing,
}

/// What is to be done without the lock.
struct Told {
    by: d2d_handle,
    holder: d2d_handle,
    /// The handle that was taken.
    handle: d2d_handle,
    status: c_int,
    telling: Telling,
    /// Whether the task that takes it back carries it up.
    is_ours: bool,
}

impl Requests {
    /// Takes a request back from whoever has it. Then it goes on up, with this status. Any context.
    pub(super) fn take(&self, key: d2d_handle, taker: Taker, reason: Reason) -> Taking {
        let is_ours = {
            let visit = pin!(Visit::new(&self.registry));
            let told = match self.take_locked(key, taker, reason, visit.as_ref()) {
                Ok(told) => told,
                Err(taking) => return taking,
            };
            if told.telling.is_on() {
                self.trace_cancel(key, &told);
            }
            if let Some(driver) = visit.as_ref().get_ref().driver() {
                // SAFETY: The visit has begun, and lives.
                unsafe { driver.cancelled(told.handle) };
            }
            told.is_ours
        };
        if !is_ours {
            return Taking::Recalled;
        }
        self.deliver(key);
        Taking::Done
    }

    #[inline(never)]
    fn trace_cancel(&self, key: d2d_handle, told: &Told) {
        let holder = self.registry.peek(told.holder);
        let name = holder.as_ref().map_or(c"?", Driver::name);
        self.trace(
            told.telling,
            told.by,
            Step::Cancel,
            key,
            fmt!("from={} status={}", name, told.status),
        );
    }

    /// Claims a request that is to be taken back. If it is claimed already, but would go to a driver
    /// that has forwarded it, that one only gets to know, and so the request is taken back all the same.
    fn take_locked(
        &self,
        key: d2d_handle,
        taker: Taker,
        reason: Reason,
        visit: Pin<&Visit<'_>>,
    ) -> Result<Told, Taking> {
        let mut guard = self.inner.lock();
        let inner = &mut *guard;
        let entry = inner.entries.get_mut(key).ok_or(Taking::Nothing)?;
        let level = taker.level(entry).ok_or(Taking::Nothing)?;
        let was_busy = entry.phase == Phase::Busy;
        if was_busy && !(level == 0 && entry.can_be_recalled()) {
            return Err(Taking::Busy);
        }
        entry.fail(reason.status(), reason.ended());
        entry.recall = Some(level);
        if was_busy {
            return Err(Taking::Recalled);
        }
        let is_ours = entry.claim();
        let (handle, telling) = (entry.view(key).handle, entry.telling());
        let top = *entry.top().ok_or(Taking::Nothing)?;
        let by = match taker {
            Taker::Sender(_) => entry.sender,
            Taker::Driver(driver) => driver,
        };
        inner.taken.note(top.hold);
        if top.tells {
            // It is there, as the request is with it; and if it were not, nobody would be told.
            let _ = visit.begin(top.to);
        }
        Ok(Told {
            by,
            holder: top.to,
            handle,
            status: reason.status(),
            telling,
            is_ours,
        })
    }

    /// Takes a request back; see `d2d_request_cancel`.
    pub(crate) fn cancel(&self, handle: d2d_handle) -> Result {
        let found = self.inner.lock().sent(handle).map(|entry| entry.sendings);
        let sending = found.map_err(|refusal| self.refuse(refusal, handle))?;
        match self.take(handle, Taker::Sender(sending), Reason::Cancelled) {
            Taking::Done | Taking::Recalled => Ok(()),
            Taking::Busy | Taking::Nothing => Err(EALREADY),
        }
    }

    /// Frees a request; see `d2d_request_free`.
    pub(crate) fn free(&self, handle: d2d_handle) -> Result {
        self.discard(handle)
            .map_err(|refusal| self.refuse(refusal, handle))
    }

    pub(super) fn discard(&self, handle: d2d_handle) -> Result<(), Refusal> {
        let sending = {
            let mut inner = self.inner.lock();
            let entry = inner.sent(handle)?;
            if entry.is_unused() {
                let freed = inner.entries.remove(handle);
                drop(inner);
                drop(freed);
                return Ok(());
            }
            entry.orphan = true;
            entry.sendings
        };
        // If another task carries it up, or a thread waits for it, that one removes it.
        self.take(handle, Taker::Sender(sending), Reason::Cancelled);
        Ok(())
    }

    /// Takes back all that a driver has or has passed on, and cancels what it has sent; but not what
    /// has changed hands after the handle of generation `until` was given out. Returns whether other
    /// tasks still carry some of it up.
    fn take_back_until(&self, driver: d2d_handle, until: Option<u32>) -> bool {
        let mut busy = false;
        let chunks = self.inner.lock().entries.used_chunks();
        for chunk in 0..chunks {
            // The lock is given back after each, so a place in the chunk is looked at once.
            let mut next = 0;
            loop {
                let inner = self.inner.lock();
                let found = inner.entries.find_in(chunk, |key, entry| {
                    entry.level_of(driver)?;
                    let hold = entry.hold().unwrap_or(0);
                    let is_younger = until.is_some_and(|until| hold.wrapping_sub(until) as i32 > 0);
                    let is_found = handle::index(key) >= next && !is_younger;
                    is_found.then_some((key, entry.sender == driver))
                });
                drop(inner);
                let Some((key, is_own)) = found else {
                    break;
                };
                next = handle::index(key) + 1;
                let reason = match is_own {
                    true => Reason::Cancelled,
                    false => Reason::Left,
                };
                let taking = self.take(key, Taker::Driver(driver), reason);
                busy |= matches!(taking, Taking::Busy | Taking::Recalled);
            }
        }
        busy
    }

    /// Takes back all that a driver has or has passed on, and cancels what it has sent. Waits for
    /// nobody. Any context.
    pub(crate) fn take_back(&self, driver: d2d_handle) {
        self.take_back_until(driver, None);
    }

    /// Takes back the requests that a driver has or has passed on by now, cancels those that it has
    /// sent, and waits until other tasks have carried up those that they had claimed before. Calls
    /// `release` again and again if that takes long: it ends what the driver's routines may be waiting
    /// for. May sleep.
    pub(crate) fn cancel_all(&self, driver: d2d_handle, release: impl Fn()) {
        /// How often the requests are looked at before that.
        const PATIENCE: u32 = 10;

        let until = self.inner.lock().holds;
        let mut rounds = 0;
        while self.take_back_until(driver, Some(until)) {
            if rounds >= PATIENCE {
                release();
            }
            rounds += 1;
            fsleep(Delta::from_millis(1));
        }
    }

    /// Takes back all requests of a driver that is leaving, and removes those that it has made.
    /// Returns when no thread is inside the driver's routines or waits for its requests. May sleep.
    pub(crate) fn run_down(&self, driver: d2d_handle) {
        while self.take_back_until(driver, None)
            || self.registry.is_visited(driver)
            || !self.remove_all(driver)
        {
            fsleep(Delta::from_millis(1));
        }
    }

    /// Removes the requests of a driver that sends no more. All of them are idle. Returns whether
    /// all are gone: a request that a thread waits for stays until the thread has the result.
    fn remove_all(&self, driver: d2d_handle) -> bool {
        let mut all = true;
        let chunks = self.inner.lock().entries.used_chunks();
        for chunk in 0..chunks {
            loop {
                let mut inner = self.inner.lock();
                let found = inner.entries.find_in(chunk, |key, entry| {
                    if entry.sender != driver {
                        return None;
                    }
                    all &= entry.is_unused();
                    entry.is_unused().then_some(key)
                });
                let freed = found.and_then(|key| inner.entries.remove(key));
                drop(inner);
                if freed.is_none() {
                    break;
                }
            }
        }
        all
    }
}

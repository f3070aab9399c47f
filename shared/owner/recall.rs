// SPDX-License-Identifier: GPL-2.0

//! Taking requests back: by who has sent them, and from who leaves.

use crate::{
    entry::{
        Phase,
        Refusal, //
    },
    registry::Driver,
    requests::Requests,
    visit::Visit, //
};
use core::pin::pin;
use d2d::{
    abi::d2d_handle,
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

impl Requests {
    /// Takes a request back from whoever has it, and all that it was with from `level` on, unless it
    /// is being completed or taken back already. Then it goes on up, with this status. Any context.
    pub(super) fn take(
        &self,
        key: d2d_handle,
        level: usize,
        sending: u32,
        by: d2d_handle,
        status: c_int,
    ) -> bool {
        let visit = pin!(Visit::new(&self.registry));
        let (holder, told, traced) = {
            let mut inner = self.inner.lock();
            let Some(entry) = inner.entries.get_mut(key) else {
                return false;
            };
            if entry.phase != Phase::Held || entry.sendings != sending || entry.depth <= level {
                return false;
            }
            entry.claim(status, 0);
            entry.result.output_len = 0;
            let (handle, traced) = (entry.view(key).handle, entry.is_traced());
            let Some(top) = entry.top() else {
                return false;
            };
            let (holder, hold, tells) = (top.to, top.hold, top.tells);
            entry.taken = hold;
            let driver = tells.then(|| visit.as_ref().begin(holder).ok()).flatten();
            (holder, driver.map(|driver| (driver, handle)), traced)
        };
        if traced {
            let driver = self.registry.peek(holder);
            let name = driver.as_ref().map_or(c"?", Driver::name);
            self.trace(
                by,
                Step::Cancel,
                key,
                fmt!("from={} status={}", name, status),
            );
        }
        if let Some((driver, handle)) = told {
            // SAFETY: The visit has begun.
            unsafe { driver.cancelled(handle) };
        }
        self.unwind(key, level);
        self.deliver(key);
        true
    }

    /// Tells each driver that has forwarded a claimed request below `level` what became of it. What
    /// they get is taken from them already.
    fn unwind(&self, key: d2d_handle, level: usize) {
        loop {
            let visit = pin!(Visit::new(&self.registry));
            let told = {
                let mut inner = self.inner.lock();
                let hold = inner.next_hold();
                let Some(entry) = inner.entries.get_mut(key) else {
                    return;
                };
                if entry.depth <= level + 1 {
                    return;
                }
                let popped = entry.pop().filter(|popped| popped.returns);
                popped.and_then(|popped| {
                    entry.top()?.hold = hold;
                    entry.taken = hold;
                    let driver = visit.as_ref().begin(popped.from).ok()?;
                    Some((driver, entry.view(key), entry.result))
                })
            };
            if let Some((driver, view, result)) = told {
                // SAFETY: The visit has begun.
                unsafe { driver.returned(&view, &result) };
            }
        }
    }

    /// Takes a request back; see `d2d_request_cancel`.
    pub(crate) fn cancel(&self, handle: d2d_handle) -> Result {
        let found = self
            .inner
            .lock()
            .sent(handle)
            .map(|(key, entry)| (key, entry.sendings, entry.sender));
        let (key, sending, sender) = found.map_err(|refusal| self.refuse(refusal, handle))?;
        match self.take(key, 0, sending, sender, ECANCELED.to_errno()) {
            true => Ok(()),
            false => Err(EALREADY),
        }
    }

    /// Frees a request; see `d2d_request_free`.
    pub(crate) fn free(&self, handle: d2d_handle) -> Result {
        self.discard(handle)
            .map_err(|refusal| self.refuse(refusal, handle))
    }

    pub(super) fn discard(&self, handle: d2d_handle) -> Result<(), Refusal> {
        let (key, sending, sender) = {
            let mut inner = self.inner.lock();
            let (key, entry) = inner.sent(handle)?;
            if entry.phase == Phase::Idle {
                let freed = inner.entries.remove(key);
                drop(inner);
                drop(freed);
                return Ok(());
            }
            entry.orphan = true;
            (key, entry.sendings, entry.sender)
        };
        // If it is being completed, that frees it.
        self.take(key, 0, sending, sender, ECANCELED.to_errno());
        Ok(())
    }

    /// Takes back all that a driver has or has passed on, and cancels what it has sent. Returns
    /// whether some of it is still being completed or taken back by others.
    fn take_back(&self, driver: d2d_handle) -> bool {
        let mut busy = false;
        let chunks = self.inner.lock().entries.chunks();
        for chunk in 0..chunks {
            // The lock is given back after each, so a place in the chunk is looked at once.
            let mut next = 0;
            loop {
                let inner = self.inner.lock();
                let found = inner.entries.find_in(chunk, |key, entry| {
                    let level = entry.level_of(driver)?;
                    (key as u32 >= next).then_some((key, level, entry.sendings))
                });
                drop(inner);
                let Some((key, level, sending)) = found else {
                    break;
                };
                next = key as u32 + 1;
                busy |= !self.take(key, level, sending, driver, ECANCELED.to_errno());
            }
        }
        busy
    }

    /// As [`Requests::take_back`], and waits for the others. May sleep.
    pub(crate) fn cancel_all(&self, driver: d2d_handle) {
        while self.take_back(driver) {
            fsleep(Delta::from_millis(1));
        }
    }

    /// Takes back all of a driver that is leaving, waits until nobody is inside its routines, and
    /// frees its requests. May sleep.
    pub(crate) fn run_down(&self, driver: d2d_handle) {
        while self.take_back(driver) || self.registry.is_visited(driver) {
            fsleep(Delta::from_millis(1));
        }
        let chunks = self.inner.lock().entries.chunks();
        for chunk in 0..chunks {
            loop {
                let mut inner = self.inner.lock();
                let found = inner
                    .entries
                    .find_in(chunk, |key, entry| (entry.sender == driver).then_some(key));
                let freed = found.and_then(|key| inner.entries.remove(key));
                drop(inner);
                if freed.is_none() {
                    break;
                }
            }
        }
    }
}

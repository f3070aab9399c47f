// SPDX-License-Identifier: GPL-2.0

//! Waiting for requests.
//!
//! A thread that waits is counted in [`Entry::waiters`]. Until it has the result of the sending that
//! it waits for, the request cannot be sent again and is not removed.

use crate::{
    entry::{
        Entry,
        Packet,
        Phase,
        Refusal, //
    },
    recall::{
        Reason,
        Taker, //
    },
    requests::Requests,
    telling::Telling,
    trace, //
};
use d2d::{
    abi::{
        self,
        d2d_handle, //
    },
    trace::Step, //
};
use kernel::{
    prelude::*,
    sync::Arc,
    task::{
        might_sleep,
        Task, //
    }, //
};

/// How many milliseconds longer than asked for `d2d_request_wait` waits for a request that another
/// task is just carrying up.
const GRACE: u32 = 1000;

/// What has become of a request that is over.
struct Over {
    result: abi::d2d_result,
    sender: d2d_handle,
    telling: Telling,
}

impl Over {
    fn of(entry: &Entry) -> Self {
        Self {
            result: entry.result,
            sender: entry.sender,
            telling: entry.telling(),
        }
    }
}

/// What waiting for a request comes to.
enum Waiting {
    /// It is over.
    Over(Over),
    For(Arc<Packet>, u32),
}

impl Requests {
    /// Waits for a request; see `d2d_request_wait`. May sleep, unless it is completed.
    pub(crate) fn wait(&self, handle: d2d_handle, ms: u32) -> Result<abi::d2d_result> {
        let waiting = self.begin_to_wait(handle, trace::may_sleep());
        let (via, over) = match waiting.map_err(|refusal| self.refuse(refusal, handle))? {
            Waiting::Over(over) => ("return", over),
            Waiting::For(packet, sending) => {
                // A debugging kernel finds more contexts here that must not sleep.
                might_sleep();
                if ms == abi::D2D_FOREVER {
                    packet.done.wait();
                } else if !packet.done.wait_for(ms) {
                    self.take(packet.key, Taker::Sender(sending), Reason::TimedOut);
                    // Another task may be carrying it up.
                    packet.done.wait_for(GRACE);
                }
                ("wait", self.end_to_wait(packet.key).ok_or(EINPROGRESS)?)
            }
        };
        let Over {
            result,
            sender,
            telling,
        } = over;
        if telling.is_on() {
            self.trace(
                telling,
                sender,
                Step::Completion,
                handle,
                fmt!("via={} status={}", via, result.status),
            );
        }
        Ok(result)
    }

    fn begin_to_wait(&self, handle: d2d_handle, may_sleep: bool) -> Result<Waiting, Refusal> {
        let mut inner = self.inner.lock();
        let entry = inner.sent(handle)?;
        if entry.sendings == 0 {
            return Err(("not-sent", ENODATA));
        }
        if entry.has_routine() {
            return Err(("has-completion-routine", EINVAL));
        }
        if entry.phase == Phase::Idle {
            // There is nothing to wait for, so any context may ask for the result.
            return Ok(Waiting::Over(Over::of(entry)));
        }
        if !may_sleep {
            return Err(("wait-in-atomic-context", EDEADLK));
        }
        if entry.carrier == Task::current_raw() as usize {
            // It runs a routine that has to return before the request goes on.
            return Err(("wait-from-inside", EDEADLK));
        }
        entry.waiters += 1;
        Ok(Waiting::For(entry.packet.clone(), entry.sendings))
    }

    /// Ends what [`Self::begin_to_wait`] has begun. Returns the result, if there is one.
    fn end_to_wait(&self, key: d2d_handle) -> Option<Over> {
        let mut inner = self.inner.lock();
        // A request that is waited for is neither removed nor sent again.
        let entry = inner.entries.get_mut(key)?;
        entry.waiters -= 1;
        let over = (entry.phase == Phase::Idle).then(|| Over::of(entry));
        let freed = match entry.orphan && entry.is_unused() {
            true => inner.entries.remove(key),
            false => None,
        };
        drop(inner);
        drop(freed);
        over
    }
}

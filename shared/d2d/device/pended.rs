// SPDX-License-Identifier: GPL-2.0

//! Calls of processes that a driver leaves pending, the inverted calls of Windows.

use super::{
    Call,
    Inner, //
};
use crate::refuse;
use kernel::{
    prelude::*,
    sync::{
        new_spinlock_irq,
        Arc,
        SpinLockIrq, //
    }, //
};

#[pin_data]
struct PendedCall<A> {
    device: Arc<Inner>,
    #[pin]
    state: SpinLockIrq<State<A>>,
}

enum State<A> {
    Pending,
    Completed(A),
    /// The driver has dropped its end without an answer.
    Abandoned,
    /// The outcome was returned, or the [`Answer`] was dropped.
    Over,
}

pub(super) fn new<A: Send + Unpin + 'static>(device: Arc<Inner>) -> Result<(Answer<A>, Pended<A>)> {
    let init = pin_init!(PendedCall {
        device,
        state <- new_spinlock_irq!(State::Pending, "d2d::device::PendedCall::state"),
    });
    let call = Arc::pin_init(init, GFP_KERNEL)?;
    Ok((Answer(call.clone()), Pended(call)))
}

/// The driver's end of a pended call. If the driver drops it without completing the call, [`Answer::wait`] returns
/// `ECANCELED`.
pub struct Pended<A: Send + Unpin + 'static>(Arc<PendedCall<A>>);

impl<A: Send + Unpin + 'static> Pended<A> {
    /// Completes the call. Any context.
    ///
    /// # Errors
    ///
    /// Returns the answer if the call was cancelled.
    pub fn complete(self, answer: A) -> Result<(), A> {
        {
            let mut state = self.0.state.lock();
            match *state {
                State::Pending => *state = State::Completed(answer),
                _ => {
                    drop(state);
                    return Err(answer);
                }
            }
        }
        // Dropping `self` wakes the thread that waits.
        Ok(())
    }

    /// Returns whether the call was cancelled. Any context.
    pub fn is_cancelled(&self) -> bool {
        matches!(*self.0.state.lock(), State::Over)
    }
}

impl<A: Send + Unpin + 'static> Drop for Pended<A> {
    fn drop(&mut self) {
        {
            let mut state = self.0.state.lock();
            if let State::Pending = *state {
                *state = State::Abandoned;
            }
        }
        self.0.device.wake();
    }
}

/// The end of a pended call that waits for the answer. Dropping it cancels the call.
pub struct Answer<A: Send + Unpin + 'static>(Arc<PendedCall<A>>);

impl<A: Send + Unpin + 'static> Answer<A> {
    /// Returns whether the driver has completed the call or dropped its [`Pended`]. Any context.
    pub fn is_ready(&self) -> bool {
        !matches!(*self.0.state.lock(), State::Pending)
    }

    /// Waits in the system call `call` for the answer. If that fails with an error of [`Call::wait`], the call stays
    /// pending: wait again, or drop the [`Answer`]. May sleep.
    ///
    /// # Errors
    ///
    /// - The errors of [`Call::wait`].
    /// - `ECANCELED` if the driver has dropped the [`Pended`].
    /// - `ENODATA` if an earlier wait has returned the answer or `ECANCELED`.
    /// - `EINVAL`, with a line, if `call` is of another device: the answer would not wake `call`.
    pub fn wait(&self, call: &Call<'_>) -> Result<A> {
        if !Arc::ptr_eq(call.device, &self.0.device) {
            return Err(refuse!(
                call.device.driver,
                "answer-of-other-device",
                EINVAL
            ));
        }
        call.wait(|| self.take())?
    }

    /// As [`Answer::wait`], but cancels the pended call if the wait fails. If the driver has completed it meanwhile,
    /// returns the answer. May sleep.
    pub fn wait_or_cancel(self, call: &Call<'_>) -> Result<A> {
        self.wait(call).or_else(|error| {
            let before = core::mem::replace(&mut *self.0.state.lock(), State::Over);
            match before {
                State::Completed(answer) => Ok(answer),
                _ => Err(error),
            }
        })
    }

    fn take(&self) -> Option<Result<A>> {
        let mut state = self.0.state.lock();
        if let State::Pending = *state {
            return None;
        }
        let before = core::mem::replace(&mut *state, State::Over);
        drop(state);
        Some(match before {
            State::Completed(answer) => Ok(answer),
            State::Abandoned => Err(ECANCELED),
            State::Pending | State::Over => Err(ENODATA),
        })
    }
}

impl<A: Send + Unpin + 'static> Drop for Answer<A> {
    fn drop(&mut self) {
        let before = core::mem::replace(&mut *self.0.state.lock(), State::Over);
        // Drop the answer after the lock is released: the lock disables interrupts.
        drop(before);
    }
}

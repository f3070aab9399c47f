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

/// The driver's end of a pended call. Dropping it makes [`Answer::wait`] return `ECANCELED`.
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

/// The end that waits for the answer. Dropping it cancels the pended call.
pub struct Answer<A: Send + Unpin + 'static>(Arc<PendedCall<A>>);

impl<A: Send + Unpin + 'static> Answer<A> {
    /// Returns whether [`Answer::wait`] returns at once. Any context.
    pub fn is_ready(&self) -> bool {
        !matches!(*self.0.state.lock(), State::Pending)
    }

    /// Waits for the answer in the system call `call`. An error of [`Call::wait`] does not cancel the pended call:
    /// wait again, or drop the [`Answer`]. May sleep.
    ///
    /// # Errors
    ///
    /// - The errors of [`Call::wait`].
    /// - `ECANCELED` if the driver has dropped the [`Pended`].
    /// - `ENODATA` if an earlier wait has returned the answer or `ECANCELED`.
    /// - `EINVAL`, with a line, if `call` is of another device: the answer does not wake it.
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
        // After the lock is released, because the lock disables interrupts.
        drop(before);
    }
}

// SPDX-License-Identifier: GPL-2.0

//! What a driver can ask and do during a system call on its device.

use super::{
    Answer,
    Device,
    Inner,
    Pended, //
};
use crate::trace::report_memory;
use kernel::{
    bindings,
    ffi::c_ulong,
    prelude::*,
    sync::Arc,
    uaccess::{
        UserPtr,
        UserSlice, //
    }, //
};

/// What [`Call::wait`] and polls watch: a change wakes them.
pub(super) struct Watched {
    /// Incremented by [`Device::wake`], and when a [`Pended`] is completed or dropped.
    pub(super) count: u64,
    pub(super) is_removed: bool,
}

impl Watched {
    pub(super) const fn new() -> Self {
        Self {
            count: 0,
            is_removed: false,
        }
    }
}

/// The `open` of a process, for [`File::open`](super::File::open).
pub struct Opening<'a> {
    pub(super) device: &'a Arc<Inner>,
    pub(super) may_write: bool,
}

impl Opening<'_> {
    /// Returns the device.
    pub fn device(&self) -> Device {
        Device(self.device.clone())
    }

    /// Returns whether the process opens the device for writing.
    pub fn may_write(&self) -> bool {
        self.may_write
    }
}

/// A system call of a process on an open file.
pub struct Call<'a> {
    pub(super) device: &'a Arc<Inner>,
    pub(super) may_write: bool,
    pub(super) is_nonblocking: bool,
}

impl Call<'_> {
    /// Returns whether the file was opened for writing. The kernel checks this before
    /// [`File::write`](super::File::write), but not before [`File::ioctl`](super::File::ioctl).
    pub fn may_write(&self) -> bool {
        self.may_write
    }

    /// Returns whether the call must not wait (`O_NONBLOCK`).
    pub fn is_nonblocking(&self) -> bool {
        self.is_nonblocking
    }

    /// Calls `ready` until it returns a value, and returns the value. Calls `ready` at once, and again after
    /// [`Device::wake`], perhaps once for several wakes. `ready` may sleep. A signal ends the wait. May sleep.
    ///
    /// # Errors
    ///
    /// `EAGAIN` if the call must not wait, `ERESTARTSYS` if a signal came, `ENODEV` if the device was removed.
    pub fn wait<R>(&self, mut ready: impl FnMut() -> Option<R>) -> Result<R> {
        let mut is_interrupted = false;
        loop {
            let seen = {
                let watched = self.device.watched.lock();
                if watched.is_removed {
                    return Err(ENODEV);
                }
                watched.count
            };
            if let Some(value) = ready() {
                return Ok(value);
            }
            if self.is_nonblocking {
                return Err(EAGAIN);
            }
            // Tested after `ready`: what the call waits for may have come together with the signal.
            if is_interrupted {
                return Err(ERESTARTSYS);
            }
            let mut watched = self.device.watched.lock();
            // Tested even if the count has changed. Otherwise no signal would end the wait while wakes come faster
            // than `ready` returns.
            is_interrupted = kernel::current!().signal_pending();
            while watched.count == seen && !watched.is_removed && !is_interrupted {
                is_interrupted = self.device.waiters.wait_interruptible(&mut watched);
            }
        }
    }

    /// Makes the two ends of a pended call. The driver keeps the [`Pended`] and completes it later. This system call,
    /// or a later one on the same device, waits by the [`Answer`]. May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, with a line.
    pub fn pend<A: Send + Unpin + 'static>(&self) -> Result<(Answer<A>, Pended<A>)> {
        super::pended::new(self.device.clone())
            .map_err(|error| report_memory(self.device.driver, error))
    }
}

/// Whether a process can read and write without waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ready {
    /// [`File::read`](super::File::read) does not wait.
    pub read: bool,
    /// [`File::write`](super::File::write) does not wait.
    pub write: bool,
}

impl Ready {
    /// Neither waits.
    pub const ALWAYS: Self = Self {
        read: true,
        write: true,
    };

    pub(super) fn flags(self) -> u32 {
        let mut flags = 0;
        if self.read {
            flags |= bindings::POLLIN | bindings::POLLRDNORM;
        }
        if self.write {
            flags |= bindings::POLLOUT | bindings::POLLWRNORM;
        }
        flags
    }
}

/// The argument of an `ioctl`.
#[derive(Clone, Copy)]
pub struct Argument {
    pub(super) value: c_ulong,
    pub(super) size: usize,
}

impl Argument {
    /// Returns the argument as a number.
    pub fn value(&self) -> usize {
        self.value
    }

    /// Returns the memory that the argument points to, as large as the command says (`_IOC_SIZE`): 0 bytes for `_IO`.
    pub fn slice(&self) -> UserSlice {
        UserSlice::new(UserPtr::from_addr(self.value), self.size)
    }
}

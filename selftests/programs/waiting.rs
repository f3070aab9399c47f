// SPDX-License-Identifier: GPL-2.0

//! An epoll set, and threads that sleep in a call.

use crate::polling::POLLIN;
use std::ffi::{c_int, c_short, c_uint};
use std::fs::{self, File};
use std::io::Error;
use std::os::fd::{AsRawFd, FromRawFd};
use std::sync::mpsc;
use std::thread;

pub const POLLHUP: c_short = 16;

const EPOLL_CTL_ADD: c_int = 1;
const ENOSYS: i32 = 38;

/// The kernel's structure has padding, except on x86-64.
#[cfg_attr(target_arch = "x86_64", repr(C, packed))]
#[cfg_attr(not(target_arch = "x86_64"), repr(C))]
struct EpollEvent {
    events: u32,
    data: u64,
}

extern "C" {
    fn epoll_create1(flags: c_int) -> c_int;
    fn epoll_ctl(epoll: c_int, op: c_int, fd: c_int, event: *mut EpollEvent) -> c_int;
    fn epoll_wait(epoll: c_int, events: *mut EpollEvent, most: c_int, timeout: c_int) -> c_int;
    fn gettid() -> c_uint;
}

/// An epoll set of one file, which waits for `POLLIN`.
pub struct Epoll(File);

impl Epoll {
    /// Returns `None` if the kernel has no epoll.
    pub fn new(file: &File) -> Result<Option<Self>, String> {
        let mut event = EpollEvent {
            events: POLLIN as u32,
            data: 0,
        };
        // SAFETY: `epoll_create1()` has no requirements.
        let epoll = match unsafe { epoll_create1(0) } {
            -1 => {
                let error = Error::last_os_error();
                return match error.raw_os_error() {
                    Some(ENOSYS) => Ok(None),
                    _ => Err(format!("epoll_create1: {error}")),
                };
            }
            // SAFETY: The new descriptor has no other owner.
            epoll => unsafe { File::from_raw_fd(epoll) },
        };
        let (set, file) = (epoll.as_raw_fd(), file.as_raw_fd());
        // SAFETY: `event` outlives the call.
        match unsafe { epoll_ctl(set, EPOLL_CTL_ADD, file, &mut event) } {
            0 => Ok(Some(Self(epoll))),
            _ => Err(format!("epoll_ctl: {}", Error::last_os_error())),
        }
    }

    /// Returns 1 if the file is ready, otherwise 0, and the events for which it is ready.
    pub fn ready(&self) -> (c_int, u32) {
        let mut event = EpollEvent { events: 0, data: 0 };
        // SAFETY: `event` has room for one event and outlives the call.
        let count = unsafe { epoll_wait(self.0.as_raw_fd(), &mut event, 1, 0) };
        (count, event.events)
    }
}

/// Runs `f` in a new thread. Once the thread sleeps in `f`, returns the thread and its number.
pub fn asleep<T: Send + 'static>(
    f: impl FnOnce() -> T + Send + 'static,
) -> Result<(thread::JoinHandle<T>, u32), String> {
    let (say, hear) = mpsc::channel();
    let thread = thread::spawn(move || {
        // SAFETY: `gettid()` has no requirements.
        let _ = say.send(unsafe { gettid() });
        drop(say);
        f()
    });
    let tid = hear.recv().map_err(|error| error.to_string())?;
    // This `recv()` fails when the thread has dropped `say`. From then on, the thread can sleep only in `f`.
    let _ = hear.recv();
    wait_until_asleep(tid);
    Ok((thread, tid))
}

/// Never returns if the thread ends before it sleeps.
fn wait_until_asleep(tid: u32) {
    let path = format!("/proc/self/task/{tid}/stat");
    let asleep = || {
        let stat = fs::read_to_string(&path).unwrap_or_default();
        let rest = stat.rsplit(") ").next();
        rest.is_some_and(|rest| rest.starts_with('S'))
    };
    while !asleep() {
        thread::yield_now();
    }
}

// SPDX-License-Identifier: GPL-2.0

//! Polls files.

use std::ffi::{c_int, c_short, c_ulong};
use std::fs::File;
use std::os::fd::AsRawFd;

pub const POLLIN: c_short = 1;
/// `O_NONBLOCK`
pub const NONBLOCK: c_int = 0o4000;

#[repr(C)]
struct PollFd {
    fd: c_int,
    events: c_short,
    revents: c_short,
}

extern "C" {
    fn poll(fds: *mut PollFd, count: c_ulong, timeout: c_int) -> c_int;
}

/// Returns the events that the poll reports, after at most `timeout` milliseconds. -1 is no limit.
pub fn polled(file: &File, events: c_short, timeout: c_int) -> c_short {
    let mut fd = PollFd {
        fd: file.as_raw_fd(),
        events,
        revents: 0,
    };
    // SAFETY: `fd` is one `PollFd` and outlives the call.
    unsafe { poll(&mut fd, 1, timeout) };
    fd.revents
}

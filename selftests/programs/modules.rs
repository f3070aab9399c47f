// SPDX-License-Identifier: GPL-2.0

//! Loads and unloads a kernel module, by exactly one system call each.

use std::ffi::{c_char, c_int, c_long, c_uint, CString};
use std::fs::File;
use std::io::Error;
use std::os::fd::AsRawFd;

extern "C" {
    fn syscall(number: c_long, ...) -> c_long;
}

#[cfg(target_arch = "x86_64")]
mod number {
    pub const DELETE_MODULE: i64 = 176;
    pub const FINIT_MODULE: i64 = 313;
}

#[cfg(target_arch = "aarch64")]
mod number {
    pub const DELETE_MODULE: i64 = 106;
    pub const FINIT_MODULE: i64 = 273;
}

/// `O_NONBLOCK`: fail at once if the module is in use.
const NONBLOCK: c_uint = 0o4000;

fn c_string(text: &str) -> Result<CString, Error> {
    CString::new(text).map_err(Error::other)
}

/// Loads a module. `params` is the list of parameters as `insmod` takes it.
pub fn load(path: &str, params: &str) -> Result<(), Error> {
    let file = File::open(path)?;
    let params = c_string(params)?;
    let params: *const c_char = params.as_ptr();
    // SAFETY: `params` points to a NUL-terminated string that outlives the call.
    result(unsafe { syscall(number::FINIT_MODULE, file.as_raw_fd(), params, 0 as c_int) })
}

pub fn unload(name: &str) -> Result<(), Error> {
    let name = c_string(name)?;
    // SAFETY: `name` is a NUL-terminated string that outlives the call.
    result(unsafe { syscall(number::DELETE_MODULE, name.as_ptr(), NONBLOCK) })
}

fn result(returned: c_long) -> Result<(), Error> {
    match returned {
        0 => Ok(()),
        _ => Err(Error::last_os_error()),
    }
}

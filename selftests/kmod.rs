// SPDX-License-Identifier: GPL-2.0

//! Loads and unloads modules by exactly one system call, and says what it returned.
//!
//! Usage: `kmod load FILE [PARAM=VALUE...]` or `kmod unload NAME`. The insmod programs at hand differ in
//! their words, and busybox's tries a second time when the first fails, which shows in the trace.
//! Exits with 0, or prints `errno=N (text)` and exits with 1.

use std::ffi::{c_char, c_int, c_long, c_uint, CString};
use std::fs::File;
use std::io::Error;
use std::os::fd::AsRawFd;
use std::process::ExitCode;

extern "C" {
    fn syscall(number: c_long, ...) -> c_long;
}

#[cfg(target_arch = "x86_64")]
mod number {
    pub const DELETE_MODULE: i64 = 176;
    pub const FINIT_MODULE: i64 = 313;
}

/// `O_NONBLOCK`: fail at once if the module is in use.
const NONBLOCK: c_uint = 0o4000;

fn c_string(text: &str) -> Result<CString, Error> {
    CString::new(text).map_err(Error::other)
}

fn load(path: &str, params: &[String]) -> Result<(), Error> {
    let file = File::open(path)?;
    let params = c_string(&params.join(" "))?;
    let params: *const c_char = params.as_ptr();
    // SAFETY: The parameters are a string that lives during the call.
    result(unsafe { syscall(number::FINIT_MODULE, file.as_raw_fd(), params, 0 as c_int) })
}

fn unload(name: &str) -> Result<(), Error> {
    let name = c_string(name)?;
    // SAFETY: The name is a string that lives during the call.
    result(unsafe { syscall(number::DELETE_MODULE, name.as_ptr(), NONBLOCK) })
}

fn result(returned: c_long) -> Result<(), Error> {
    match returned {
        0 => Ok(()),
        _ => Err(Error::last_os_error()),
    }
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let result = match args.split_first() {
        Some((verb, [path, params @ ..])) if verb == "load" => load(path, params),
        Some((verb, [name])) if verb == "unload" => unload(name),
        _ => {
            eprintln!("usage: kmod load FILE [PARAM=VALUE...] | kmod unload NAME");
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("errno={} ({error})", error.raw_os_error().unwrap_or(0));
            ExitCode::FAILURE
        }
    }
}

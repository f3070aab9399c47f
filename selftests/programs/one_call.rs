// SPDX-License-Identifier: GPL-2.0

//! Makes one call for a test, such as loading a module, and prints the errno with which it fails.
//!
//! - `one_call load FILE [PARAM=VALUE...]`
//! - `one_call unload NAME`
//! - `one_call write FILE TEXT...`
//! - `one_call read FILE` opens the file. It polls until there is something to read, for at most a second. Then it
//!   reads once.
//! - `one_call ioctl COMMAND NUMBER` calls `ioctl` of the file that is its standard input. It passes the address of a
//!   number of 64 bits, and prints the number that the driver has stored there.
//! - `one_call race ROUNDS FILE FIRST SECOND ERRNO...` makes several calls. In each round it writes FIRST, pauses, and
//!   writes SECOND. FIRST must fail with one of the errnos, and SECOND must succeed. The pause grows by 200
//!   microseconds each round. Suppose that FIRST starts a timer. In the early rounds, SECOND comes before the timer
//!   expires. In the late rounds, SECOND comes after the timer has expired. In a round between these, both may
//!   happen at the same time.
//!
//! Exits with 0 if the call succeeds. If it fails, prints `errno=N (text)` and exits with 1. The tests cannot use
//! insmod: if the system call fails, busybox's insmod makes another system call. Besides, each implementation of insmod
//! prints its own texts.

mod modules;
mod polling;
mod reading;

use std::ffi::{c_int, c_ulong};
use std::fs::OpenOptions;
use std::io::{Error, ErrorKind, Write};
use std::process::ExitCode;
use std::thread::sleep;
use std::time::Duration;

extern "C" {
    #[link_name = "ioctl"]
    fn raw_ioctl(fd: c_int, request: c_ulong, ...) -> c_int;
}

/// See `one_call ioctl`.
fn ioctl(command: &str, number: &str) -> Result<(), Error> {
    let command = command.trim_start_matches("0x");
    let command = u32::from_str_radix(command, 16).map_err(Error::other)?;
    let mut number: u64 = number.parse().map_err(Error::other)?;
    // SAFETY: The command says how many bytes the kernel reads and writes at the address. The tests give only commands
    // that say at most 8 bytes, the size of `number`.
    if unsafe { raw_ioctl(0, command.into(), &raw mut number) } == -1 {
        return Err(Error::last_os_error());
    }
    println!("{number}");
    Ok(())
}

/// Writes by one system call, because each write to a control device is a command. Fails if the file
/// takes only a part of the text.
fn write(path: &str, text: &str) -> Result<(), Error> {
    let mut file = OpenOptions::new().write(true).open(path)?;
    match file.write(text.as_bytes())? {
        count if count == text.len() => Ok(()),
        _ => Err(Error::from(ErrorKind::WriteZero)),
    }
}

/// See `one_call race`.
fn race(
    rounds: u32,
    path: &str,
    first: &str,
    second: &str,
    errnos: &[String],
) -> Result<(), Error> {
    for round in 0..rounds {
        let error = write(path, first)
            .err()
            .unwrap_or_else(|| Error::from_raw_os_error(0));
        let errno = error.raw_os_error().unwrap_or(0).to_string();
        if !errnos.contains(&errno) {
            return Err(error);
        }
        sleep(round * Duration::from_micros(200));
        write(path, second)?;
    }
    Ok(())
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let result = match args.split_first() {
        Some((verb, [path, params @ ..])) if verb == "load" => {
            modules::load(path, &params.join(" "))
        }
        Some((verb, [name])) if verb == "unload" => modules::unload(name),
        Some((verb, [path, text @ ..])) if verb == "write" => write(path, &text.join(" ")),
        Some((verb, [path])) if verb == "read" => reading::read_once(path),
        Some((verb, [command, number])) if verb == "ioctl" => ioctl(command, number),
        Some((verb, [rounds, path, first, second, errnos @ ..])) if verb == "race" => rounds
            .parse()
            .map_err(Error::other)
            .and_then(|rounds| race(rounds, path, first, second, errnos)),
        _ => {
            eprintln!(
                "usage: one_call load FILE [PARAM=VALUE...] | unload NAME | write FILE TEXT... | \
                 read FILE | ioctl COMMAND NUMBER | race ROUNDS FILE FIRST SECOND [ERRNO...]"
            );
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

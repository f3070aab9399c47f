// SPDX-License-Identifier: GPL-2.0

//! Makes one call for a test, and prints the errno with which it fails.
//!
//! - `one_call load FILE [PARAM=VALUE...]`
//! - `one_call unload NAME`
//! - `one_call write FILE TEXT...`
//! - `one_call read FILE` polls the file for at most a second, and then reads once.
//! - `one_call ioctl COMMAND NUMBER` makes an ioctl call on its standard input, with the address of NUMBER (64 bits).
//!   Prints the number that the driver has stored there.
//! - `one_call race ROUNDS FILE FIRST SECOND ERRNO...` writes FIRST, pauses, and writes SECOND, in each round. Writing
//!   FIRST must end with one of the errnos (0: success), and writing SECOND must succeed. The pause grows by 200
//!   microseconds each round. So if FIRST starts a timer, SECOND comes before, at and after the timer's expiry.
//!
//! The tests do not use insmod: after a failure, busybox's insmod makes a second system call, and each insmod prints
//! its own texts.

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

fn ioctl(command: &str, number: &str) -> Result<(), Error> {
    let command = command.trim_start_matches("0x");
    let command = u32::from_str_radix(command, 16).map_err(Error::other)?;
    let mut number: u64 = number.parse().map_err(Error::other)?;
    // SAFETY: The tests give only commands that make the kernel read and write at most 8 bytes, the size of `number`.
    if unsafe { raw_ioctl(0, command.into(), &raw mut number) } == -1 {
        return Err(Error::last_os_error());
    }
    println!("{number}");
    Ok(())
}

/// Writes by one system call, because each write to a control device is a command.
fn write(path: &str, text: &str) -> Result<(), Error> {
    let mut file = OpenOptions::new().write(true).open(path)?;
    match file.write(text.as_bytes())? {
        count if count == text.len() => Ok(()),
        _ => Err(Error::from(ErrorKind::WriteZero)),
    }
}

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
                 read FILE | ioctl COMMAND NUMBER | race ROUNDS FILE FIRST SECOND ERRNO..."
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

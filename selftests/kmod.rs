// SPDX-License-Identifier: GPL-2.0

//! Loads and unloads modules by exactly one system call, and says what it returned.
//!
//! Usage: `kmod load FILE [PARAM=VALUE...]` or `kmod unload NAME`. The insmod programs at hand differ in
//! their words, and busybox's tries a second time when the first fails, which shows in the trace.
//! Exits with 0, or prints `errno=N (text)` and exits with 1.

mod modules;

use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let result = match args.split_first() {
        Some((verb, [path, params @ ..])) if verb == "load" => {
            modules::load(path, &params.join(" "))
        }
        Some((verb, [name])) if verb == "unload" => modules::unload(name),
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

// SPDX-License-Identifier: GPL-2.0

//! Loads and unloads modules, and writes to their files, by exactly one system call, and says what it
//! returned.
//!
//! Usage: `kmod load FILE [PARAM=VALUE...]`, `kmod unload NAME` or `kmod write FILE TEXT...`. The insmod
//! programs at hand differ in their words, and busybox's tries a second time when the first fails, which
//! shows in the trace; shells say nothing but words of what a write returned.
//! Exits with 0, or prints `errno=N (text)` and exits with 1.

mod modules;

use std::fs::OpenOptions;
use std::io::{Error, Write};
use std::process::ExitCode;

fn write(path: &str, text: &str) -> Result<(), Error> {
    let mut file = OpenOptions::new().write(true).open(path)?;
    file.write(text.as_bytes()).map(|_| ())
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let result = match args.split_first() {
        Some((verb, [path, params @ ..])) if verb == "load" => {
            modules::load(path, &params.join(" "))
        }
        Some((verb, [name])) if verb == "unload" => modules::unload(name),
        Some((verb, [path, text @ ..])) if verb == "write" => write(path, &text.join(" ")),
        _ => {
            eprintln!("usage: kmod load FILE [PARAM=VALUE...] | unload NAME | write FILE TEXT...");
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

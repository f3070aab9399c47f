// SPDX-License-Identifier: GPL-2.0

//! Reads the traces of drivers that talk to each other, and draws them; see docs/trace.md.

#![forbid(unsafe_code)]

use std::ffi::OsString;
use std::process::ExitCode;

const USAGE: &str = "usage: d2d-trace COMMAND [OPTION...] [FILE]";

/// Exit code of a mistake in the command line
const MISUSE: u8 = 2;

fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1);
    let command = args.next().unwrap_or_default();
    let args: Vec<OsString> = args.collect();
    match command.to_str() {
        Some("compare") => compare(args),
        _ => {
            eprintln!("{USAGE} ({} arguments)", args.len());
            ExitCode::from(MISUSE)
        }
    }
}

/// Exits with 1 for a difference that is not explained, with 2 if there is nothing to be compared.
fn compare(args: Vec<OsString>) -> ExitCode {
    let args: Vec<String> = args
        .iter()
        .map(|arg| arg.to_string_lossy().into())
        .collect();
    match d2d_trace::compare::run(&args) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(reason) => {
            eprintln!("d2d-trace: {reason}");
            ExitCode::from(MISUSE)
        }
    }
}

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
        _ => {
            eprintln!("{USAGE} ({} arguments)", args.len());
            ExitCode::from(MISUSE)
        }
    }
}

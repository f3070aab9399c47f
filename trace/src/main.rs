// SPDX-License-Identifier: GPL-2.0

//! The trace tool: reads a log, and shows the steps in it; see docs/trace.md.
//!
//! Exits with 0, with 1 if there is nothing to show, or with 2 if the command line is wrong.

#![forbid(unsafe_code)]

use d2d_trace::compare;
use d2d_trace::show::{self, Failure};
use std::ffi::OsString;
use std::process::ExitCode;

const USAGE: &str = "usage: d2d-trace COMMAND [OPTION...] [FILE]";

fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1);
    let command = args.next().unwrap_or_default();
    let args: Vec<OsString> = args.collect();
    let result = match command.to_str().unwrap_or_default() {
        "help" | "--help" | "-h" => {
            println!("{USAGE}\n{}\n{}", show::HELP, compare::HELP);
            Ok(())
        }
        "compare" => return compare(args),
        name if show::is_command(name) => show::run(name, args),
        "" => Err(Failure::Usage("no command".into())),
        name => Err(Failure::Usage(format!("no command {name}"))),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Unusable(reason)) => {
            eprintln!("d2d-trace: {reason}");
            ExitCode::from(1)
        }
        Err(Failure::Usage(reason)) => {
            eprintln!("d2d-trace: {reason}\n{USAGE}\n'd2d-trace help' lists the commands");
            ExitCode::from(2)
        }
    }
}

/// Runs `compare`, which reports in KTAP even if there is nothing to compare.
fn compare(args: Vec<OsString>) -> ExitCode {
    let args: Vec<String> = args
        .iter()
        .map(|arg| arg.to_string_lossy().into())
        .collect();
    let passed = compare::run(&args).unwrap_or_else(|reason| {
        println!("# {reason}\nnot ok 1 there is something to compare");
        println!("0 passed, 1 failed, 0 skipped");
        false
    });
    ExitCode::from(u8::from(!passed))
}

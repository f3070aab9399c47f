// SPDX-License-Identifier: GPL-2.0

//! Compares the traces of the pair on Linux and on Windows with the spec of the steps, and prints them
//! side by side.
//!
//! The spec has the steps on Linux. A file lists what differs on Windows, with reasons ([`differences`]);
//! spec and differences give the steps on Windows ([`plan`]). Each trace must have its steps, and no
//! others ([`align`]). A listed difference that the traces do not show is an error, too.

pub mod align;
pub mod differences;
pub mod layout;
pub mod plan;
pub mod trace;

use crate::spec::{fields, Fields, Spec};
use differences::{Differences, Kind};
use plan::{Plan, Row};
use std::fmt;
use std::path::Path;
use trace::Trace;

/// The command and its arguments, for a user.
pub const HELP: &str = "\
  compare    the traces of both versions of the pair, with what is expected (make compare)
    SPEC DIFFERENCES LINUX_LOG WINDOWS_LOG LINUX_LAYOUT WINDOWS_LAYOUT [KEY=VALUE...]";

/// Prints results of tests in KTAP, and counts them.
#[derive(Default)]
pub struct Results {
    passed: usize,
    failed: usize,
}

impl Results {
    /// Reports a test. It has passed if `wrong` is empty.
    fn report(&mut self, name: impl fmt::Display, wrong: &[String]) {
        for line in wrong.iter().flat_map(|text| text.lines()) {
            println!("# {line}");
        }
        let result = if wrong.is_empty() { "ok" } else { "not ok" };
        *match wrong.is_empty() {
            true => &mut self.passed,
            false => &mut self.failed,
        } += 1;
        println!("{result} {} {name}", self.passed + self.failed);
    }

    /// Prints the counts. Returns whether all tests have passed.
    fn end(&self) -> bool {
        println!("1..{}", self.passed + self.failed);
        println!("{} passed, {} failed, 0 skipped", self.passed, self.failed);
        self.failed == 0 && self.passed > 0
    }
}

fn read(path: &str) -> Result<String, String> {
    std::fs::read_to_string(Path::new(path)).map_err(|error| format!("{path}: {error}"))
}

/// Reads the log of one side.
fn trace(side: &str, path: &str) -> Result<Trace, String> {
    // A log may have bytes that are not UTF-8.
    let log = std::fs::read(path).map_err(|error| format!("{path}: {error}"))?;
    Trace::read(&String::from_utf8_lossy(&log))
        .map_err(|error| format!("the {side} trace, {path}: {error}"))
}

/// The lines of the Linux log that the lab printed and a `lab` rule explains: what the lab tries on
/// Linux only.
fn lab_lines(linux: &Trace, differences: &mut Differences) -> Vec<String> {
    let known = |kind: &Kind, text: &str| match kind {
        Kind::Lab(begin) => text.starts_with(begin),
        _ => false,
    };
    let lines = linux.lab.iter().filter_map(|text| {
        let mut rules = differences.rules().iter();
        let rule = rules.position(|rule| known(&rule.kind, text))?;
        Some(format!("[{}] {text}", differences.cite(rule)))
    });
    lines.collect()
}

/// Runs the command. Returns whether all differences are explained, or the reason why there is nothing
/// to compare.
pub fn run(args: &[String]) -> Result<bool, String> {
    let [spec, differences, linux, windows, linux_layout, windows_layout, run @ ..] = args else {
        return Err(format!("usage:\n{HELP}"));
    };
    let run: Fields = fields(run.iter().map(String::as_str))?;
    let spec = Spec::parse(&read(spec)?, &run)?;
    let mut differences = Differences::parse(&read(differences)?)?;
    let linux = trace("Linux", linux)?;
    let windows = trace("Windows", windows)?;
    let layouts = (read(linux_layout)?, read(windows_layout)?);

    println!("TAP version 13");
    let plan = Plan::new(&spec, &differences);
    let rows = plan.rows(&linux, &windows, &mut differences);
    println!("# = both    ~ both, a field of the spec differs    L only Linux    W only Windows");
    println!("# [n] explained by the n-th reason below    !! not explained");
    for row in &rows {
        println!("# {row}");
    }
    for text in lab_lines(&linux, &mut differences) {
        println!("# L {text}");
    }
    let table = layout::compare(&layouts.0, &layouts.1, &mut differences)?;
    println!("# bytes: Linux | Windows");
    for line in &table.lines {
        println!("# {line}");
    }
    println!("# Reasons:");
    for (number, reason) in differences.reasons() {
        println!("# [{number}] {reason}");
    }

    let mut results = Results::default();
    results.report("the Linux trace is whole", &linux.damage());
    results.report("the Windows trace is whole", &windows.damage());
    let wrong = |wanted: fn(&Row) -> bool| -> Vec<String> {
        let rows = rows.iter().filter(|row| row.unexplained && wanted(row));
        rows.map(|row| row.to_string()).collect()
    };
    results.report(
        "Linux has the steps of the spec, in order",
        &wrong(Row::misplaced_on_linux),
    );
    results.report(
        "Windows has them, unless there is a reason",
        &wrong(Row::misplaced_on_windows),
    );
    results.report(
        "the other fields of the steps agree, or there is a reason",
        &wrong(Row::on_both),
    );
    results.report(
        "the layouts agree, or there is a reason",
        &table.unexplained,
    );
    for rule in differences.rules() {
        let stale: &[String] = match rule.used {
            0 => &["no difference needs this rule".into()],
            _ => &[],
        };
        results.report(format_args!("the rule is needed: {}", rule.text), stale);
    }
    println!("# {}", plan::Fidelity::new(&rows));
    Ok(results.end())
}

// SPDX-License-Identifier: GPL-2.0

//! Compares the traces of the two versions of the pair, the one in Linux and the one for Windows, with
//! the one spec of their steps, and lays them side by side.
//!
//! What the Windows version does otherwise by nature is stated, each with its reason
//! ([`differences`]), and makes of the spec's steps those that Windows has to have ([`plan`]). Each
//! trace has to consist of its steps, all of them and no other ([`align`]). What is stated and is not
//! so any more is an error as well.

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

/// What the command is given.
pub const HELP: &str = "\
  compare    the traces of both versions of the pair, with what is expected (make compare)
    SPEC DIFFERENCES LINUX_LOG WINDOWS_LOG LINUX_LAYOUT WINDOWS_LAYOUT [KEY=VALUE...]";

/// Results of tests, as they come.
#[derive(Default)]
pub struct Results {
    passed: usize,
    failed: usize,
}

impl Results {
    /// Tells of a test, which has passed if there is nothing wrong.
    fn tell(&mut self, name: impl fmt::Display, wrong: &[String]) {
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

    /// The counts; says whether all have passed.
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
    // A log may have bytes that are no text in it.
    let log = std::fs::read(path).map_err(|error| format!("{path}: {error}"))?;
    Trace::read(&String::from_utf8_lossy(&log))
        .map_err(|error| format!("the {side} trace, {path}: {error}"))
}

/// What the lab says in Linux that has no counterpart, and does not show as a step.
fn lab(linux: &Trace, differences: &mut Differences) -> Vec<String> {
    let known = |kind: &Kind, text: &str| match kind {
        Kind::Lab(begin) => text.starts_with(begin),
        _ => false,
    };
    let lines = linux.lab.iter().filter_map(|text| {
        let mut rules = differences.rules().iter();
        let rule = rules.position(|rule| known(&rule.kind, text))?;
        Some(format!("[{}] {text}", differences.take(rule)))
    });
    lines.collect()
}

/// The command. Returns whether there is nothing but what is explained, or why there is nothing to
/// be compared.
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
    println!(
        "# = both    ~ both, a field of the spec differs    L in Linux alone    W on Windows alone"
    );
    println!("# [n] by nature, for the n-th reason below    !! not explained");
    for row in &rows {
        println!("# {row}");
    }
    for text in lab(&linux, &mut differences) {
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
    results.tell("the Linux trace is whole", &linux.damage());
    results.tell("the Windows trace is whole", &windows.damage());
    let wrong = |wanted: fn(&Row) -> bool| -> Vec<String> {
        let rows = rows.iter().filter(|row| row.unexplained && wanted(row));
        rows.map(|row| row.to_string()).collect()
    };
    results.tell(
        "Linux has the steps of the spec, in order",
        &wrong(Row::is_of_linux),
    );
    results.tell(
        "Windows has them, or there is a reason",
        &wrong(Row::is_of_windows),
    );
    results.tell(
        "what else the steps say agrees, or there is a reason",
        &wrong(Row::is_of_both),
    );
    results.tell(
        "the layouts agree, or there is a reason",
        &table.unexplained,
    );
    for rule in differences.rules() {
        let stale: &[String] = match rule.used {
            0 => &["this is not so any more, or never was".into()],
            _ => &[],
        };
        results.tell(format_args!("still so: {}", rule.text), stale);
    }
    println!("# {}", plan::Figure::new(&rows));
    Ok(results.end())
}

// SPDX-License-Identifier: GPL-2.0

//! Compares a trace with the spec of its steps (`spec/lifecycle.spec`).
//!
//! Usage: `trace_check SPEC [KEY=VALUE...] <LOG`. Each KEY is a parameter of the run, as in `completion=1`.
//!
//! Sorted by `seq`, the `d2d:` lines of the log must be exactly the steps of the spec, and `seq` must have no gap.
//! Otherwise the program prints what is wrong, as KTAP comments, and exits with 1.
//!
//! `trace_check --steps` prints the names of all steps.

#[allow(dead_code, reason = "the trace tool uses the rest")]
#[path = "../../trace/src/line.rs"]
mod line;
mod spec;

use line::{is_step, steps, Line};
use spec::{fields, Expected, Fields, Spec};
use std::io::BufRead;
use std::process::ExitCode;

struct Actual {
    text: String,
    driver: String,
    step: String,
    seq: u64,
    load: u64,
    /// The fields after the step, and the execution context as `in`.
    fields: Fields,
}

impl Actual {
    /// Returns `None` if this is not a line of the trace.
    fn parse(line: &str) -> Option<Result<Self, String>> {
        let step = Line::parse(line)?.map_err(|damage| damage.to_string());
        let read = step.and_then(|step| Self::checked(&step, line));
        Some(read.map_err(|error| format!("{error}: {line}")))
    }

    /// Makes the checks that [`Line`] does not make: in other logs, a line may lack `load` or `in`.
    fn checked(line: &Line<'_>, text: &str) -> Result<Self, String> {
        let load = line.load.ok_or("no load")?;
        let place = line.context.ok_or("no in")?;
        let (driver, seq, step) = (line.driver, line.seq, line.step);
        let head = format!("{driver}: d2d: seq={seq} load={load} in={place} step={step}");
        if !text.contains(&head) {
            return Err("does not begin with seq, load, in, step".into());
        }
        if !["task", "softirq", "hardirq"].contains(&place) {
            return Err("in is not an execution context".into());
        }
        if !is_step(step) {
            return Err("step is not in the vocabulary".into());
        }
        let mut fields = fields(line.detail.split_whitespace())?;
        fields.insert("in".into(), place.into());
        Ok(Self {
            text: format!("{head} {}", line.detail),
            driver: driver.into(),
            step: step.into(),
            seq,
            load,
            fields,
        })
    }

    fn matches(&self, expected: &Expected) -> bool {
        self.driver == expected.driver
            && self.step == expected.step
            && expected
                .fields
                .iter()
                .all(|(key, value)| self.fields.get(key) == Some(value))
    }
}

/// Returns the number of steps.
fn check(spec: &str, run: &Fields, log: impl Iterator<Item = String>) -> Result<usize, String> {
    let expected = Spec::parse(spec, run)?;
    let mut actual: Vec<Actual> = log
        .filter_map(|line| Actual::parse(&line))
        .collect::<Result<_, _>>()?;
    actual.sort_by_key(|line| line.seq);

    if let Some(other) = actual.iter().find(|line| line.load != actual[0].load) {
        return Err(format!("more than one load of module_a: {}", other.text));
    }
    for (line, seq) in actual.iter().zip(1..) {
        if line.seq != seq {
            return Err(format!("seq {seq} is missing or double, at: {}", line.text));
        }
    }
    for (number, (line, step)) in actual.iter().zip(&expected).enumerate() {
        if !line.matches(step) {
            return Err(format!(
                "step {} ({}): expected: {step}\n  got: {}",
                number + 1,
                step.source,
                line.text
            ));
        }
    }
    if let Some(step) = expected.get(actual.len()) {
        return Err(format!(
            "the trace ends after {} steps, next is: {step}",
            actual.len()
        ));
    }
    if let Some(line) = actual.get(expected.len()) {
        return Err(format!("a step too many: {}", line.text));
    }
    Ok(expected.len())
}

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1).peekable();
    if args.next_if_eq("--steps").is_some() {
        steps().for_each(|step| println!("{step}"));
        return ExitCode::SUCCESS;
    }
    let result = (|| {
        let path = args
            .next()
            .ok_or("usage: trace_check SPEC [KEY=VALUE...] <LOG")?;
        let spec = std::fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))?;
        let args: Vec<String> = args.collect();
        let run = fields(args.iter().map(String::as_str))?;
        check(
            &spec,
            &run,
            std::io::stdin().lock().lines().map_while(Result::ok),
        )
    })();
    match result {
        Ok(steps) => {
            println!("# {steps} steps, all as the spec says");
            ExitCode::SUCCESS
        }
        Err(error) => {
            error.lines().for_each(|line| println!("# {line}"));
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPEC: &str = "
        # a comment
        begin pair what
            A load
            B register name=$what if deferred=1
        end
        do pair what=b
        A unload in=hardirq
    ";

    fn run(deferred: &str, lines: &[&str]) -> Result<usize, String> {
        let run = fields([format!("deferred={deferred}").as_str()].into_iter())?;
        check(SPEC, &run, lines.iter().map(|line| line.to_string()))
    }

    const LOAD: &str = "[    1.0] module_a: d2d: seq=1 load=9 in=task step=load";
    const REGISTER: &str = "module_b: d2d: seq=2 load=9 in=task step=register name=b extra=1";
    const UNLOAD: &str = "module_a: d2d: seq=3 load=9 in=hardirq step=unload";

    #[test]
    fn accepts_what_the_spec_says_in_any_order_of_lines() {
        assert_eq!(run("1", &[REGISTER, "foreign: line", UNLOAD, LOAD]), Ok(3));
    }

    #[test]
    fn leaves_out_steps_whose_condition_fails() {
        let unload = UNLOAD.replace("seq=3", "seq=2");
        assert_eq!(run("0", &[LOAD, &unload]), Ok(2));
    }

    #[test]
    fn finds_every_deviation() {
        for (name, lines) in [
            ("missing step", vec![LOAD, REGISTER]),
            (
                "step too many",
                vec![LOAD, REGISTER, UNLOAD, &UNLOAD.replace("seq=3", "seq=4")],
            ),
            ("lost line", vec![LOAD, UNLOAD]),
            ("double seq", vec![LOAD, LOAD, REGISTER, UNLOAD]),
            (
                "other value",
                vec![LOAD, &REGISTER.replace("name=b", "name=c"), UNLOAD],
            ),
            (
                "other driver",
                vec![LOAD, &REGISTER.replace("module_b", "module_a"), UNLOAD],
            ),
            (
                "other context",
                vec![LOAD, REGISTER, &UNLOAD.replace("hardirq", "softirq")],
            ),
            (
                "second load",
                vec![LOAD, REGISTER, &UNLOAD.replace("load=9", "load=10")],
            ),
            (
                "unknown step",
                vec![LOAD, REGISTER, &UNLOAD.replace("unload", "upload")],
            ),
            (
                "bad grammar",
                vec![LOAD, REGISTER, &UNLOAD.replace("in=", "")],
            ),
            (
                "other order",
                vec![
                    LOAD,
                    REGISTER,
                    &UNLOAD.replace("seq=3 load=9", "load=9 seq=3"),
                ],
            ),
            (
                "no load",
                vec![LOAD, REGISTER, &UNLOAD.replace("load=9 ", "")],
            ),
            ("no value", vec![LOAD, &format!("{REGISTER} x"), UNLOAD]),
            ("cut off", vec![LOAD, REGISTER, "module_a: d2d: seq=3 lo"]),
            ("no trace", vec![]),
        ] {
            assert!(run("1", &lines).is_err(), "{name}");
        }
    }
}

// SPDX-License-Identifier: GPL-2.0

//! Compares a trace with the spec of the steps that it has to consist of.
//!
//! Usage: `trace_check SPEC [KEY=VALUE...] <LOG`, where the pairs are the parameters of the run that
//! the spec's conditions refer to. Every `d2d:` line of the log has to be well-formed, the lines'
//! `seq` has to count without a gap, and sorted by it they have to be the spec's steps, all of them
//! and no other. Exits with 0 if so; else says what is wrong, as KTAP comments, and exits with 1.
//!
//! `trace_check --steps` prints the vocabulary.

use std::collections::HashMap;
use std::fmt;
use std::io::BufRead;
use std::process::ExitCode;

type Fields = HashMap<String, String>;

/// Where the vocabulary is defined: `D2D_STEP_INIT_LOCK` is the step `init-lock`.
const HEADER: &str = include_str!("../shared/include/d2d.h");

/// The names of all steps.
fn steps() -> impl Iterator<Item = String> {
    HEADER.lines().filter_map(|line| {
        let constant = line.trim().strip_prefix("D2D_STEP_")?.strip_suffix(',')?;
        Some(constant.to_lowercase().replace('_', "-"))
    })
}

fn is_step(name: &str) -> bool {
    steps().any(|step| step == name)
}

fn fields<'a>(words: impl Iterator<Item = &'a str>) -> Result<Fields, String> {
    words
        .map(|word| match word.split_once('=') {
            Some((key, value)) if !key.is_empty() => Ok((key.into(), value.into())),
            _ => Err(format!("not KEY=VALUE: {word}")),
        })
        .collect()
}

/// A step that the trace has to have.
struct Expected {
    driver: String,
    step: String,
    fields: Fields,
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.driver, self.step)?;
        let mut pairs: Vec<_> = self.fields.iter().collect();
        pairs.sort();
        pairs
            .iter()
            .try_for_each(|(key, value)| write!(f, " {key}={value}"))
    }
}

/// A spec, read line by line.
#[derive(Default)]
struct Spec {
    parts: HashMap<String, (Vec<String>, Vec<String>)>,
    steps: Vec<Expected>,
}

impl Spec {
    fn parse(text: &str, run: &Fields) -> Result<Vec<Expected>, String> {
        let mut spec = Spec::default();
        let mut lines = text.lines().map(str::trim).enumerate();
        while let Some((number, line)) = lines.next() {
            let at = |error| format!("spec line {}: {error}", number + 1);
            if let Some(head) = line.strip_prefix("begin ") {
                let mut words = head.split_whitespace().map(String::from);
                let name = words.next().ok_or_else(|| at("begin what?".into()))?;
                let body = lines
                    .by_ref()
                    .map(|(_, line)| line)
                    .take_while(|line| *line != "end");
                let body = body.map(String::from).collect();
                spec.parts.insert(name, (words.collect(), body));
            } else {
                spec.line(line, run, &Fields::new()).map_err(at)?;
            }
        }
        Ok(spec.steps)
    }

    /// One line that is not part of a definition.
    fn line(&mut self, line: &str, run: &Fields, args: &Fields) -> Result<(), String> {
        if line.is_empty() || line.starts_with('#') {
            return Ok(());
        }
        let mut text = line.to_string();
        for (key, value) in args {
            text = text.replace(&format!("${key}"), value);
        }
        if text.contains('$') {
            return Err(format!("no value for a parameter: {text}"));
        }
        let (step, condition) = text.split_once(" if ").unwrap_or((&text, ""));
        for (key, value) in fields(condition.split_whitespace())? {
            let actual = run
                .get(&key)
                .ok_or_else(|| format!("the run has no {key}"))?;
            if *actual != value {
                return Ok(());
            }
        }
        let mut words = step.split_whitespace();
        let (Some(first), Some(second)) = (words.next(), words.next()) else {
            return Err(format!("not a step: {text}"));
        };
        let mut fields = fields(words)?;
        if first == "do" {
            let (params, body) = self
                .parts
                .get(second)
                .ok_or_else(|| format!("no part {second}"))?
                .clone();
            if params.len() != fields.len() || params.iter().any(|p| !fields.contains_key(p)) {
                return Err(format!("{second} takes {params:?}"));
            }
            return body
                .iter()
                .try_for_each(|line| self.line(line, run, &fields));
        }
        let driver = match first {
            "A" => "module_a",
            "B" => "module_b",
            _ => return Err(format!("not a driver: {first}")),
        };
        if !is_step(second) {
            return Err(format!("not a step: {second}"));
        }
        fields.entry("in".into()).or_insert_with(|| "task".into());
        self.steps.push(Expected {
            driver: driver.into(),
            step: second.into(),
            fields,
        });
        Ok(())
    }
}

/// A line of the trace.
struct Actual {
    text: String,
    driver: String,
    seq: u64,
    fields: Fields,
}

impl Actual {
    /// Reads a line, which is one of the trace if it has `: d2d: ` in it.
    fn parse(line: &str) -> Option<Result<Self, String>> {
        let (head, tail) = line.split_once(": d2d: ")?;
        let driver = head.rsplit(' ').next().unwrap_or(head).to_string();
        Some(Self::parse_tail(driver, tail).map_err(|error| format!("{error}: {line}")))
    }

    fn parse_tail(driver: String, tail: &str) -> Result<Self, String> {
        let fields = fields(tail.split_whitespace())?;
        let keys: Vec<_> = tail
            .split_whitespace()
            .filter_map(|w| w.split('=').next())
            .collect();
        if keys.get(..4) != Some(&["seq", "load", "in", "step"]) {
            return Err("does not begin with seq, load, in, step".into());
        }
        let seq = fields["seq"].parse().map_err(|_| "seq is not a number")?;
        fields["load"]
            .parse::<u64>()
            .map_err(|_| "load is not a number")?;
        if !["task", "softirq", "hardirq"].contains(&fields["in"].as_str()) {
            return Err("in is none of the contexts".into());
        }
        if !is_step(&fields["step"]) {
            return Err("step is not in the vocabulary".into());
        }
        Ok(Self {
            text: format!("{driver}: d2d: {}", tail.trim()),
            driver,
            seq,
            fields,
        })
    }

    fn matches(&self, expected: &Expected) -> bool {
        self.driver == expected.driver
            && self.fields["step"] == expected.step
            && expected
                .fields
                .iter()
                .all(|(key, value)| self.fields.get(key) == Some(value))
    }
}

/// Returns the number of steps, or what is wrong.
fn check(spec: &str, run: &Fields, log: impl Iterator<Item = String>) -> Result<usize, String> {
    let expected = Spec::parse(spec, run)?;
    let mut actual: Vec<Actual> = log
        .filter_map(|line| Actual::parse(&line))
        .collect::<Result<_, _>>()?;
    actual.sort_by_key(|line| line.seq);

    if let Some(other) = actual
        .iter()
        .find(|line| line.fields["load"] != actual[0].fields["load"])
    {
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
                "step {}: expected: {step}\n  got: {}",
                number + 1,
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
            ("no trace", vec![]),
        ] {
            assert!(run("1", &lines).is_err(), "{name}");
        }
    }

    #[test]
    fn refuses_a_spec_with_a_mistake() {
        for spec in [
            "C load",
            "A upload",
            "do nothing",
            "A load $x",
            "A load x",
            "A load if y=1",
        ] {
            assert!(Spec::parse(spec, &Fields::new()).is_err(), "{spec}");
        }
    }
}

// SPDX-License-Identifier: GPL-2.0

//! Reads the trace of one side, and sorts its steps.

use crate::line::{self, Line};
use crate::spec::{Expected, Fields};
use std::fmt;

/// A step of a trace.
pub struct Actual {
    pub driver: String,
    pub step: String,
    pub seq: u64,
    /// All fields, and `in`.
    pub fields: Fields,
    detail: String,
}

impl Actual {
    fn new(line: &Line<'_>) -> Self {
        let pairs = line.fields().chain(line.context.map(|place| ("in", place)));
        Self {
            driver: line.driver.into(),
            step: line.step.into(),
            seq: line.seq,
            fields: pairs
                .map(|(key, value)| (key.into(), value.into()))
                .collect(),
            detail: line.detail.into(),
        }
    }

    /// Says whether this is the expected step: it may have more fields.
    pub fn matches(&self, expected: &Expected) -> bool {
        self.driver == expected.driver
            && self.step == expected.step
            && expected
                .fields
                .iter()
                .all(|(key, value)| self.fields.get(key) == Some(value))
    }
}

impl fmt::Display for Actual {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.driver, self.step)?;
        match self.fields.get("in").map(String::as_str) {
            None | Some("task") => {}
            Some(place) => write!(f, " in={place}")?,
        }
        match self.detail.as_str() {
            "" => Ok(()),
            detail => write!(f, " {detail}"),
        }
    }
}

/// The steps of a log, by `seq`.
pub struct Trace {
    pub steps: Vec<Actual>,
    /// The lines that the lab prints between the steps.
    pub lab: Vec<String>,
    damaged: Vec<String>,
}

impl Trace {
    /// Reads a log. Fails if it has no step.
    pub fn read(log: &str) -> Result<Self, String> {
        let mut trace = Trace {
            steps: Vec::new(),
            lab: Vec::new(),
            damaged: Vec::new(),
        };
        for text in log.lines().map(line::plain) {
            if let Some(text) = text.strip_prefix("lab: ") {
                trace.lab.push(text.into());
            }
            match Line::parse(&text) {
                None => {}
                Some(Ok(line)) => trace.steps.push(Actual::new(&line)),
                Some(Err(damage)) => trace.damaged.push(format!("{damage}: {text}")),
            }
        }
        if trace.steps.is_empty() {
            return Err("there is no step in it".into());
        }
        trace.steps.sort_by_key(|step| step.seq);
        Ok(trace)
    }

    /// Faults of the log: damaged lines, missing and unknown steps.
    pub fn damage(&self) -> Vec<String> {
        let numbers = self.steps.iter().zip(1..);
        let gap = numbers
            .into_iter()
            .find(|(step, seq)| step.seq != *seq)
            .map(|(step, seq)| format!("seq {seq} is missing or there twice, at: {step}"));
        let unknown = self
            .steps
            .iter()
            .filter(|step| !line::is_step(&step.step))
            .map(|step| format!("not in the vocabulary: {step}"));
        self.damaged
            .iter()
            .cloned()
            .chain(gap)
            .chain(unknown)
            .collect()
    }
}

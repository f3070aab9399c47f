// SPDX-License-Identifier: GPL-2.0

//! Reads `spec/lifecycle.spec`.

use crate::line::is_step;
use std::collections::HashMap;
use std::fmt;

pub type Fields = HashMap<String, String>;

pub fn fields<'a>(words: impl Iterator<Item = &'a str>) -> Result<Fields, String> {
    words
        .map(|word| match word.split_once('=') {
            Some((key, value)) if !key.is_empty() => Ok((key.into(), value.into())),
            _ => Err(format!("not KEY=VALUE: {word}")),
        })
        .collect()
}

#[derive(Clone, Debug)]
pub struct Expected {
    /// The line of the spec that expects this step: the step itself, or the `do` of the part that contains it.
    pub source: String,
    pub driver: String,
    pub step: String,
    pub fields: Fields,
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

/// The errnos that a spec may name, and what the trace has instead.
const ERRNOS: [(&str, &str); 1] = [("-ECANCELED", "-125")];

#[derive(Default)]
pub struct Spec {
    /// The parameters and the lines of each part that has been read, by the part's name.
    parts: HashMap<String, (Vec<String>, Vec<String>)>,
    steps: Vec<Expected>,
}

impl Spec {
    /// Returns the steps of a run with these parameters.
    pub fn parse(text: &str, run: &Fields) -> Result<Vec<Expected>, String> {
        let mut spec = Spec::default();
        let mut lines = text.lines().map(str::trim).enumerate();
        while let Some((number, line)) = lines.next() {
            let at = |error| format!("spec line {}: {error}", number + 1);
            if let Some(head) = line.strip_prefix("begin ") {
                let mut words = head.split_whitespace().map(String::from);
                let name = words.next().ok_or_else(|| at("no name".into()))?;
                let body = lines
                    .by_ref()
                    .map(|(_, line)| line)
                    .take_while(|line| *line != "end");
                let body = body.map(String::from).collect();
                spec.parts.insert(name, (words.collect(), body));
            } else {
                spec.line(line, line, run, &Fields::new()).map_err(at)?;
            }
        }
        Ok(spec.steps)
    }

    /// Reads a line. For a line of a part, `source` is the `do` that names the part, and `args` has the values of the
    /// part's parameters. For another line, `source` is the line itself.
    fn line(
        &mut self,
        source: &str,
        line: &str,
        run: &Fields,
        args: &Fields,
    ) -> Result<(), String> {
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
                .try_for_each(|line| self.line(&text, line, run, &fields));
        }
        let driver = match first {
            "A" => "module_a",
            "B" => "module_b",
            _ => return Err(format!("not a driver: {first}")),
        };
        if !is_step(second) {
            return Err(format!("not a step: {second}"));
        }
        for value in fields.values_mut() {
            if let Some((_, number)) = ERRNOS.iter().find(|(name, _)| *name == value.as_str()) {
                *value = (*number).into();
            }
        }
        fields.entry("in".into()).or_insert_with(|| "task".into());
        self.steps.push(Expected {
            source: source.into(),
            driver: driver.into(),
            step: second.into(),
            fields,
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_an_errno() {
        let steps = Spec::parse("A cancel status=-ECANCELED", &Fields::new()).unwrap();
        assert_eq!(steps[0].fields["status"], "-125");
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

// SPDX-License-Identifier: GPL-2.0

//! Reads `windows/compare/differences`: the rules that say what differs on Windows, with reasons.

use crate::line::is_step;
use crate::spec::{fields, Expected, Fields};

/// Which steps of the spec a rule is about.
pub enum Where {
    /// `DRIVER STEP [KEY=VALUE...]`; `None` stands for any
    Step {
        driver: Option<String>,
        step: Option<String>,
        fields: Fields,
    },
    /// `do PART [PARAM=VALUE...]`: all steps that such a line of the spec stands for
    Part { name: String, params: Fields },
}

fn contains(all: &Fields, some: &Fields) -> bool {
    some.iter().all(|(key, value)| all.get(key) == Some(value))
}

impl Where {
    fn parse(text: &str) -> Result<Self, String> {
        let mut words = text.split_whitespace();
        let (Some(first), Some(second)) = (words.next(), words.next()) else {
            return Err(format!("which step? {text}"));
        };
        let fields = fields(words)?;
        if first == "do" {
            return Ok(Self::Part {
                name: second.into(),
                params: fields,
            });
        }
        let step = (second != "*").then(|| second.to_string());
        if step.as_deref().is_some_and(|step| !is_step(step)) {
            return Err(format!("not a step: {text}"));
        }
        Ok(Self::Step {
            driver: driver(first)?,
            step,
            fields,
        })
    }

    pub fn matches(&self, expected: &Expected) -> bool {
        match self {
            Self::Step {
                driver,
                step,
                fields,
            } => {
                driver
                    .as_ref()
                    .is_none_or(|driver| *driver == expected.driver)
                    && step.as_ref().is_none_or(|step| *step == expected.step)
                    && contains(&expected.fields, fields)
            }
            Self::Part { name, params } => {
                let mut words = expected.source.split_whitespace();
                words.next() == Some("do")
                    && words.next() == Some(name)
                    && fields(words).is_ok_and(|values| contains(&values, params))
            }
        }
    }
}

fn driver(name: &str) -> Result<Option<String>, String> {
    match name {
        "A" => Ok(Some("module_a".into())),
        "B" => Ok(Some("module_b".into())),
        "*" => Ok(None),
        _ => Err(format!("not a driver: {name}")),
    }
}

/// A rule: what differs on Windows.
pub enum Kind {
    /// `absent WHERE`: Windows does not have the step.
    Absent(Where),
    /// `differ WHERE with KEY=VALUE...`: a field has this value on Windows, or (`-`) is not there.
    Differ(Where, Fields),
    /// `before WHERE add STEP`, `after WHERE add STEP`: Windows has one more step.
    Add {
        place: Where,
        before: bool,
        step: Expected,
    },
    /// `free STEP KEY`: a field that the spec leaves open may differ.
    Free { step: String, key: String },
    /// `layout NAME`: the offset differs, or only one side has the field.
    Layout(String),
    /// `lab TEXT`: a line that the lab prints on Linux only.
    Lab(String),
}

/// A rule with its reason.
pub struct Rule {
    pub text: String,
    pub kind: Kind,
    /// Number of its reason, from 1.
    pub reason: usize,
    /// How many differences it has explained.
    pub used: usize,
}

/// All rules, and their reasons.
#[derive(Default)]
pub struct Differences {
    rules: Vec<Rule>,
    reasons: Vec<String>,
}

impl Differences {
    /// Parses the file. A line `because REASON` gives the reason of the rules before it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut all = Self::default();
        let mut explained = 0;
        for (number, line) in text.lines().map(str::trim).enumerate() {
            let at = |error| format!("differences, line {}: {error}", number + 1);
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if let Some(reason) = line.strip_prefix("because ") {
                if explained == all.rules.len() {
                    return Err(at("a reason for nothing".into()));
                }
                explained = all.rules.len();
                all.reasons.push(reason.into());
                continue;
            }
            for text in one_by_one(line) {
                all.rules.push(Rule {
                    kind: kind(&text).map_err(at)?,
                    text,
                    reason: all.reasons.len() + 1,
                    used: 0,
                });
            }
        }
        match all.rules.get(explained) {
            Some(rule) => Err(format!("differences: no reason for: {}", rule.text)),
            None => Ok(all),
        }
    }

    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// Counts a use of the rule, and returns the number of its reason.
    pub fn cite(&mut self, rule: usize) -> usize {
        let rule = &mut self.rules[rule];
        rule.used += 1;
        rule.reason
    }

    pub fn reasons(&self) -> impl Iterator<Item = (usize, &String)> {
        (1..).zip(&self.reasons)
    }

    /// The rule by which a field that the spec leaves open may differ.
    pub fn free_rule(&self, step: &str, key: &str) -> Option<usize> {
        self.rules.iter().position(|rule| match &rule.kind {
            Kind::Free {
                step: of,
                key: free,
            } => (of == "*" || of == step) && free == key,
            _ => false,
        })
    }

    /// The rule by which a field of the layout may differ.
    pub fn layout_rule(&self, name: &str) -> Option<usize> {
        self.rules.iter().position(|rule| match &rule.kind {
            Kind::Layout(one) => one == name,
            _ => false,
        })
    }
}

/// Splits a line into rules, one for each field, so that `make compare` reports each rule that
/// explains no difference.
fn one_by_one(line: &str) -> Vec<String> {
    let words: Vec<&str> = line.split_whitespace().collect();
    match words.as_slice() {
        ["free", step, keys @ ..] => keys
            .iter()
            .map(|key| format!("free {step} {key}"))
            .collect(),
        ["layout", names @ ..] => names.iter().map(|name| format!("layout {name}")).collect(),
        _ => vec![line.into()],
    }
}

fn kind(line: &str) -> Result<Kind, String> {
    let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
    let halves = |by: &str| {
        rest.split_once(by)
            .ok_or_else(|| format!("{verb} WHERE{by}WHAT: {line}"))
    };
    match verb {
        "absent" => Ok(Kind::Absent(Where::parse(rest)?)),
        "differ" => {
            let (place, with) = halves(" with ")?;
            let with = fields(with.split_whitespace())?;
            Ok(Kind::Differ(Where::parse(place)?, with))
        }
        "before" | "after" => {
            let (place, step) = halves(" add ")?;
            Ok(Kind::Add {
                place: Where::parse(place)?,
                before: verb == "before",
                step: added(step)?,
            })
        }
        "free" => {
            let (step, key) = rest.split_once(' ').ok_or("free STEP KEY")?;
            Ok(Kind::Free {
                step: step.into(),
                key: key.into(),
            })
        }
        "lab" => Ok(Kind::Lab(rest.into())),
        "layout" => Ok(Kind::Layout(rest.into())),
        _ => Err(format!("not a rule: {line}")),
    }
}

/// Parses a step that only Windows has.
fn added(text: &str) -> Result<Expected, String> {
    match Where::parse(text)? {
        Where::Step {
            driver: Some(driver),
            step: Some(step),
            fields,
        } => Ok(Expected {
            source: String::new(),
            driver,
            step,
            fields,
        }),
        _ => Err(format!("not one step: {text}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistakes_are_named() {
        for (text, error) in [
            ("absent A load", "no reason for: absent A load"),
            ("because of nothing", "line 1: a reason for nothing"),
            ("missing A load", "not a rule"),
            ("absent C load", "not a driver"),
            ("absent A upload", "not a step"),
            ("absent A", "which step?"),
            ("differ A load", "differ WHERE with WHAT"),
            ("before A load add * load", "not one step"),
            ("differ A load with x", "not KEY=VALUE"),
        ] {
            let found = Differences::parse(text).err().unwrap_or_default();
            assert!(found.contains(error), "{text}: {found}");
        }
    }

    #[test]
    fn rules_have_the_reason_that_follows_them() {
        let text = "# a comment\nabsent A load\nfree * req y\nbecause one\n\nlayout x\nbecause two";
        let all = Differences::parse(text).expect("no mistake");
        let reasons: Vec<_> = all.rules().iter().map(|rule| rule.reason).collect();
        assert_eq!(reasons, [1, 1, 1, 2]);
        assert_eq!(all.free_rule("load", "req"), Some(1));
        assert_eq!(all.layout_rule("x"), Some(3));
    }
}

// SPDX-License-Identifier: GPL-2.0

//! The steps that each side must have, and a comparison with those that it has.

use super::align::align;
use super::differences::{Differences, Kind};
use super::trace::{Actual, Trace};
use crate::spec::Expected;
use std::collections::BTreeSet;
use std::fmt;

/// A step that one or both sides must have, and the rules by which the sides differ.
struct Planned {
    linux: Option<Expected>,
    windows: Option<Expected>,
    /// Fields that the step must not have on Windows
    without: Vec<String>,
    rules: Vec<usize>,
}

/// The steps of both sides, in order.
pub struct Plan(Vec<Planned>);

/// Applies the rules to a step of the spec.
fn translate(step: &Expected, differences: &Differences) -> Planned {
    let mut windows = step.clone();
    let mut without = Vec::new();
    let mut rules = Vec::new();
    for (number, rule) in differences.rules().iter().enumerate() {
        match &rule.kind {
            Kind::Absent(place) if place.matches(step) => {
                return Planned {
                    linux: Some(step.clone()),
                    windows: None,
                    without,
                    rules: vec![number],
                };
            }
            Kind::Differ(place, with) if place.matches(step) => {
                rules.push(number);
                for (key, value) in with {
                    if value == "-" {
                        windows.fields.remove(key);
                        without.push(key.clone());
                    } else {
                        windows.fields.insert(key.clone(), value.clone());
                    }
                }
            }
            _ => {}
        }
    }
    Planned {
        linux: Some(step.clone()),
        windows: Some(windows),
        without,
        rules,
    }
}

impl Plan {
    pub fn new(spec: &[Expected], differences: &Differences) -> Self {
        let mut plan = Vec::new();
        for step in spec {
            let planned = translate(step, differences);
            let added = |wanted: bool| {
                let rules = differences.rules().iter().enumerate();
                rules.filter_map(move |(number, rule)| match &rule.kind {
                    Kind::Add {
                        place,
                        before,
                        step: more,
                    } if *before == wanted && place.matches(step) => Some(Planned {
                        linux: None,
                        windows: Some(more.clone()),
                        without: Vec::new(),
                        rules: vec![number],
                    }),
                    _ => None,
                })
            };
            // Rules add no step beside a step that Windows does not have.
            if planned.windows.is_none() {
                plan.push(planned);
                continue;
            }
            plan.extend(added(true));
            plan.push(planned);
            plan.extend(added(false));
        }
        Self(plan)
    }

    /// Compares both traces with the plan.
    pub fn rows(&self, linux: &Trace, windows: &Trace, differences: &mut Differences) -> Vec<Row> {
        let in_linux = align(&self.0, &linux.steps, |actual, planned| {
            let expected = planned.linux.as_ref();
            expected.is_some_and(|expected| actual.matches(expected))
        });
        let in_windows = align(&self.0, &windows.steps, |actual, planned| {
            let expected = planned.windows.as_ref();
            expected.is_some_and(|expected| actual.matches(expected))
                && !planned
                    .without
                    .iter()
                    .any(|key| actual.fields.contains_key(key))
        });
        let mut rows = Vec::new();
        let mut unexpected = (
            Unexpected::new(Side::Linux, linux),
            Unexpected::new(Side::Windows, windows),
        );
        for (planned, (l, w)) in self.0.iter().zip(in_linux.into_iter().zip(in_windows)) {
            unexpected.0.until(l, &mut rows);
            unexpected.1.until(w, &mut rows);
            rows.push(planned.row(
                l.map(|at| &linux.steps[at]),
                w.map(|at| &windows.steps[at]),
                differences,
            ));
        }
        unexpected.0.until(Some(linux.steps.len()), &mut rows);
        unexpected.1.until(Some(windows.steps.len()), &mut rows);
        mark_moved(&mut rows);
        rows
    }
}

/// Walks through a trace, and finds the steps that are not expected there.
struct Unexpected<'a> {
    side: Side,
    trace: &'a Trace,
    next: usize,
}

impl<'a> Unexpected<'a> {
    fn new(side: Side, trace: &'a Trace) -> Self {
        Self {
            side,
            trace,
            next: 0,
        }
    }

    /// Adds a row for each unexpected step before the matched one, at `at`
    fn until(&mut self, at: Option<usize>, rows: &mut Vec<Row>) {
        let Some(at) = at else { return };
        rows.extend(self.trace.steps[self.next..at].iter().map(|step| Row {
            found: Found::Extra(self.side),
            text: step.to_string(),
            reasons: BTreeSet::new(),
            unexplained: true,
            of_spec: false,
        }));
        self.next = at + 1;
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Linux,
    Windows,
}

/// Where a step was found.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Found {
    Same,
    Differs,
    Only(Side),
    Missing(Side),
    Extra(Side),
    Moved(Side),
}

/// One line of the comparison.
pub struct Row {
    found: Found,
    text: String,
    reasons: BTreeSet<usize>,
    pub unexplained: bool,
    /// Whether the spec has the step; if not, a rule has added it
    of_spec: bool,
}

impl Row {
    pub fn misplaced_on_linux(&self) -> bool {
        matches!(
            self.found,
            Found::Missing(Side::Linux) | Found::Extra(Side::Linux) | Found::Moved(Side::Linux)
        )
    }

    pub fn misplaced_on_windows(&self) -> bool {
        matches!(
            self.found,
            Found::Missing(Side::Windows)
                | Found::Extra(Side::Windows)
                | Found::Moved(Side::Windows)
        )
    }

    pub fn on_both(&self) -> bool {
        matches!(self.found, Found::Same | Found::Differs)
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = match self.found {
            Found::Same => "=",
            Found::Differs => "~",
            Found::Only(Side::Linux) => "L",
            Found::Only(Side::Windows) => "W",
            Found::Missing(Side::Linux) => "!! missing on Linux:",
            Found::Missing(Side::Windows) => "!! missing on Windows:",
            Found::Extra(Side::Linux) => "!! only on Linux:",
            Found::Extra(Side::Windows) => "!! only on Windows:",
            Found::Moved(Side::Linux) => "!! in another order on Linux:",
            Found::Moved(Side::Windows) => "!! in another order on Windows:",
        };
        write!(f, "{sign}")?;
        if self.unexplained && self.on_both() {
            write!(f, " !!")?;
        }
        if !self.reasons.is_empty() {
            let reasons: Vec<String> = self.reasons.iter().map(usize::to_string).collect();
            write!(f, " [{}]", reasons.join(" "))?;
        }
        write!(f, " {}", self.text)
    }
}

/// The fields whose values differ.
fn other_fields(linux: &Actual, windows: &Actual) -> Vec<String> {
    let mut keys: BTreeSet<&String> = linux.fields.keys().collect();
    keys.extend(windows.fields.keys());
    keys.retain(|key| linux.fields.get(*key) != windows.fields.get(*key));
    keys.into_iter().cloned().collect()
}

impl Planned {
    fn row(&self, l: Option<&Actual>, w: Option<&Actual>, differences: &mut Differences) -> Row {
        let mut row = Row {
            found: Found::Same,
            text: String::new(),
            reasons: BTreeSet::new(),
            unexplained: false,
            of_spec: self.linux.is_some(),
        };
        // No rule explains a missing step.
        for (expected, found, side) in [
            (&self.linux, l, Side::Linux),
            (&self.windows, w, Side::Windows),
        ] {
            if let (Some(expected), None) = (expected, found) {
                row.found = Found::Missing(side);
                row.text = expected.to_string();
                row.unexplained = true;
                return row;
            }
        }
        row.reasons = self
            .rules
            .iter()
            .map(|rule| differences.cite(*rule))
            .collect();
        match (l, w) {
            (Some(l), Some(w)) => self.compare(&mut row, l, w, differences),
            (Some(l), None) => {
                row.found = Found::Only(Side::Linux);
                row.text = l.to_string();
            }
            (None, Some(w)) => {
                row.found = Found::Only(Side::Windows);
                row.text = w.to_string();
            }
            (None, None) => {}
        }
        row
    }

    /// Compares the fields of a step that both sides have.
    fn compare(&self, row: &mut Row, l: &Actual, w: &Actual, differences: &mut Differences) {
        let stated = |key: &String| {
            let sides = [&self.linux, &self.windows];
            sides
                .into_iter()
                .flatten()
                .any(|expected| expected.fields.contains_key(key))
        };
        let mut other = Vec::new();
        for key in other_fields(l, w) {
            if stated(&key) {
                row.found = Found::Differs;
            } else if let Some(rule) = differences.free_rule(&l.step, &key) {
                row.reasons.insert(differences.cite(rule));
            } else {
                row.unexplained = true;
            }
            let value = w.fields.get(&key).map_or("none", String::as_str);
            other.push(format!("{key}={value}"));
        }
        row.text = match other.as_slice() {
            [] => l.to_string(),
            other => format!("{l}  | Windows: {}", other.join(" ")),
        };
    }
}

/// Marks steps as moved that are missing in one place and extra in another. If the two places are next to
/// each other, it is one step with another value of a field, and not moved.
fn mark_moved(rows: &mut [Row]) {
    for side in [Side::Linux, Side::Windows] {
        let extra: Vec<(usize, String)> = (0..)
            .zip(rows.iter())
            .filter(|(_, row)| row.found == Found::Extra(side))
            .map(|(at, row)| (at, row.text.clone()))
            .collect();
        for (at, row) in rows.iter_mut().enumerate() {
            let words = row.text.split(' ').filter(|word| *word != "in=task");
            let is = |text: &str| {
                words
                    .clone()
                    .all(|word| text.split(' ').any(|other| other == word))
            };
            let mut apart = extra.iter().filter(|(other, _)| other.abs_diff(at) > 1);
            if row.found == Found::Missing(side) && apart.any(|(_, text)| is(text)) {
                row.found = Found::Moved(side);
            }
        }
    }
}

/// How many of the spec's steps each side has.
pub struct Fidelity {
    spec: usize,
    linux: usize,
    windows: usize,
    both: usize,
    same: usize,
    other: usize,
    absent: usize,
}

impl Fidelity {
    pub fn new(rows: &[Row]) -> Self {
        let count = |wanted: &dyn Fn(&Row) -> bool| {
            rows.iter().filter(|row| row.of_spec && wanted(row)).count()
        };
        let missing = |side| move |row: &Row| matches!(row.found, Found::Missing(s) | Found::Moved(s) if s == side);
        let absent = count(&|row| row.found == Found::Only(Side::Linux));
        let spec = count(&|_| true);
        let same = count(&|row| row.found == Found::Same);
        let other = count(&|row| row.found == Found::Differs);
        Self {
            spec,
            linux: spec - count(&missing(Side::Linux)),
            windows: spec - absent - count(&missing(Side::Windows)),
            both: same + other,
            same,
            other,
            absent,
        }
    }
}

impl fmt::Display for Fidelity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            spec,
            linux,
            windows,
            both,
            same,
            other,
            absent,
        } = self;
        let percent = |part: usize, whole: usize| part * 100 / whole.max(1);
        write!(
            f,
            "fidelity: of the {spec} steps of the spec Linux has {linux} ({}%), the Windows version under Wine {windows} \
             ({}%; {absent} are absent, with reasons), both {both} ({}%: {same} with the same fields, {other} with another value of a field)",
            percent(*linux, *spec),
            percent(*windows, *spec),
            percent(*both, *spec),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{Fields, Spec};

    const SPEC: &str = "
        begin ring in
            A call-driver in=$in
            B dispatch in=$in
        end
        A load
        A export ns=D2D
        do ring in=task
        do ring in=hardirq
        A unload
    ";

    const DIFFERENCES: &str = "
        absent do ring in=hardirq
        differ A export with ns=-
        after A call-driver add B pend
        free load x
        because it is so
    ";

    const LINUX: &str =
        "A load x=1|A export ns=D2D|A call-driver|B dispatch|A call-driver in=hardirq|\
                         B dispatch in=hardirq|A unload";
    const WINDOWS: &str = "A load x=2|A export|A call-driver|B pend|B dispatch|A unload";

    fn trace(steps: &str) -> Trace {
        let line = |(number, step): (usize, &str)| {
            let (driver, unexpected) = step.split_once(' ').expect("a driver");
            let driver = driver.replace('A', "module_a").replace('B', "module_b");
            let (step, detail) = unexpected.split_once(' ').unwrap_or((unexpected, ""));
            let (place, detail) = match detail.strip_prefix("in=") {
                Some(place) => (place, ""),
                None => ("task", detail),
            };
            format!(
                "{driver}: d2d: seq={} load=1 in={place} step={step} {detail}\n",
                number + 1
            )
        };
        let log: String = steps
            .split('|')
            .map(str::trim)
            .enumerate()
            .map(line)
            .collect();
        Trace::read(&log).expect("a trace")
    }

    /// The rows that no rule explains, and the rules that explain nothing
    fn compare(linux: &str, windows: &str) -> (Vec<String>, Vec<String>) {
        let mut differences = Differences::parse(DIFFERENCES).expect("no mistake");
        let spec = Spec::parse(SPEC, &Fields::new()).expect("no mistake");
        let plan = Plan::new(&spec, &differences);
        let rows = plan.rows(&trace(linux), &trace(windows), &mut differences);
        let wrong = rows
            .iter()
            .filter(|row| row.unexplained)
            .map(Row::to_string);
        let stale = differences.rules().iter().filter(|rule| rule.used == 0);
        (
            wrong.collect(),
            stale.map(|rule| rule.text.clone()).collect(),
        )
    }

    #[test]
    fn what_is_explained_is_not_wrong() {
        assert_eq!(compare(LINUX, WINDOWS), (vec![], vec![]));
    }

    #[test]
    fn each_difference_is_found() {
        for (linux, windows, expected) in [
            (
                LINUX,
                WINDOWS.replace("B dispatch|", ""),
                "!! missing on Windows: module_b dispatch in=task",
            ),
            (
                LINUX,
                WINDOWS.replace("B pend|", ""),
                "!! missing on Windows: module_b pend",
            ),
            (
                LINUX,
                WINDOWS.replace("A unload", "A free|A unload"),
                "!! only on Windows: module_a free",
            ),
            (
                &LINUX.replace("|A unload", ""),
                WINDOWS.into(),
                "!! missing on Linux: module_a unload in=task",
            ),
            (
                &LINUX.replace("A export", "A drain|A export"),
                WINDOWS.into(),
                "!! only on Linux: module_a drain",
            ),
            (
                LINUX,
                WINDOWS.replace("B dispatch", "B dispatch y=1"),
                "= !! module_b dispatch  | Windows: y=1",
            ),
            (
                LINUX,
                WINDOWS.replace("A export", "A export ns=D2D"),
                "!! missing on Windows: module_a export in=task",
            ),
            (LINUX, LINUX.into(), "!! missing on Windows: module_b pend"),
        ] {
            let (wrong, _) = compare(linux, &windows);
            assert!(
                wrong.iter().any(|row| row == expected),
                "{expected}: {wrong:?}"
            );
        }
    }

    #[test]
    fn another_order_is_called_so() {
        let windows = WINDOWS.replace("A load x=2|A export", "A export|A load x=2");
        let (wrong, _) = compare(LINUX, &windows);
        assert!(
            wrong
                .iter()
                .any(|row| row.contains("in another order on Windows")),
            "{wrong:?}"
        );
    }

    #[test]
    fn a_reason_for_nothing_is_found() {
        let (wrong, stale) = compare(&LINUX.replace(" x=1", ""), &WINDOWS.replace(" x=2", ""));
        assert_eq!((wrong, stale), (vec![], vec!["free load x".into()]));
    }
}

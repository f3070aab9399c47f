// SPDX-License-Identifier: GPL-2.0

//! Reads the KTAP of kselftest's runner, and counts the results. Before its result line, a test may print nested KTAP,
//! indented by "# ", or by four blanks if KUnit prints it. Then the nested results are counted instead of the test's.
//! But if a test fails, and none of its nested results has failed, the test is counted, too.

use std::fmt;

#[derive(Debug, Default, Clone, Copy, PartialEq)]
pub struct Tally {
    pub passed: u64,
    pub failed: u64,
    pub skipped: u64,
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Tally {
            passed,
            failed,
            skipped,
        } = self;
        write!(f, "{passed} passed, {failed} failed, {skipped} skipped")
    }
}

#[derive(Debug, Default)]
pub struct Report {
    pub tally: Tally,
    pub failed: Vec<String>,
    /// What is wrong with the report itself, and why a test has bailed out
    pub problems: Vec<String>,
    /// Whether a test has bailed out. Then a result "not ok" of a test is not counted.
    pub bailed_out: bool,
}

/// One level of nesting. A result line of the level above closes it.
#[derive(Default)]
struct Level {
    plan: Option<u64>,
    results: u64,
    failed_before: u64,
    counted_before: u64,
}

enum Line<'a> {
    Version,
    Plan(u64),
    Result {
        ok: bool,
        number: Option<u64>,
        name: &'a str,
        skip: bool,
    },
    BailOut(&'a str),
    Other,
}

fn classify(text: &str) -> Line<'_> {
    if text.starts_with("TAP version ") || text.starts_with("KTAP version ") {
        return Line::Version;
    }
    if let Some(reason) = text.strip_prefix("Bail out!") {
        return Line::BailOut(reason.trim());
    }
    if let Some(plan) = text.strip_prefix("1..") {
        let digits = plan.split(' ').next().unwrap_or_default();
        return digits.parse().map_or(Line::Other, Line::Plan);
    }
    let (ok, rest) = match (text.strip_prefix("ok "), text.strip_prefix("not ok ")) {
        (Some(rest), _) => (true, rest),
        (_, Some(rest)) => (false, rest),
        _ => return Line::Other,
    };
    let (number, name) = rest.split_once(' ').unwrap_or((rest, ""));
    Line::Result {
        ok,
        number: number.parse().ok(),
        name: name.trim_start_matches("- "),
        skip: ok && name.contains("# SKIP"),
    }
}

/// Returns the depth of a line, and its text
fn unindent(mut line: &str) -> (usize, &str) {
    let mut depth = 0;
    while let Some(rest) = line
        .strip_prefix("# ")
        .or_else(|| line.strip_prefix("    "))
    {
        line = rest;
        depth += 1;
    }
    (depth, line)
}

/// Returns the failed test if the line is its result
pub fn failure(line: &str) -> Option<&str> {
    match classify(unindent(line).1) {
        Line::Result {
            ok: false, name, ..
        } => Some(name.trim_end()),
        _ => None,
    }
}

#[derive(Default)]
struct Parser {
    open: Vec<Level>,
    report: Report,
}

impl Parser {
    fn counted(&self) -> u64 {
        let Tally {
            passed,
            failed,
            skipped,
        } = self.report.tally;
        passed + failed + skipped
    }

    fn problem(&mut self, text: String) {
        if !self.report.bailed_out {
            self.report.problems.push(format!("KTAP: {text}"));
        }
    }

    /// Returns the level at this depth. Opens this level if only those above are open.
    fn level(&mut self, depth: usize) -> Option<&mut Level> {
        if depth == self.open.len() {
            self.open.push(Level {
                failed_before: self.report.tally.failed,
                counted_before: self.counted(),
                ..Level::default()
            });
        }
        self.open.get_mut(depth)
    }

    /// Closes the levels of this depth and deeper, which `test` has printed. Returns the level of this depth.
    fn close(&mut self, depth: usize, test: &str) -> Option<Level> {
        let mut closed = None;
        while self.open.len() > depth {
            let level = self.open.pop()?;
            if level.plan != Some(level.results) {
                let plan = level
                    .plan
                    .map_or("no plan".into(), |plan| format!("a plan of {plan}"));
                self.problem(format!("{test}: {plan}, but {} results", level.results));
            }
            closed = Some(level);
        }
        closed
    }

    fn line(&mut self, line: &str) {
        let (depth, text) = unindent(line);
        match classify(text) {
            Line::Version => {
                self.level(depth);
            }
            Line::Plan(plan) => {
                if let Some(level) = self.level(depth) {
                    level.plan = Some(plan);
                }
            }
            Line::Result {
                ok,
                number,
                name,
                skip,
            } if depth < self.open.len() => {
                let inner = self.close(depth + 1, name);
                self.count(ok, skip, name, inner);
                let level = &mut self.open[depth];
                level.results += 1;
                if number != Some(level.results) {
                    let expected = level.results;
                    self.problem(format!("result {expected} has the wrong number: {line}"));
                }
            }
            Line::BailOut(reason) => {
                self.report.bailed_out = true;
                self.report.problems.push(reason.into());
            }
            Line::Result { .. } | Line::Other => {}
        }
    }

    /// Counts the result of a test, unless its nested results (`inner`) are counted instead.
    fn count(&mut self, ok: bool, skip: bool, name: &str, inner: Option<Level>) {
        let counted = self.counted();
        let tally = &mut self.report.tally;
        if let Some(inner) = inner {
            let nested_explain_it = ok || tally.failed > inner.failed_before;
            if nested_explain_it && counted > inner.counted_before {
                return;
            }
        }
        if skip {
            tally.skipped += 1;
        } else if ok {
            tally.passed += 1;
        } else if !self.report.bailed_out {
            tally.failed += 1;
            self.report.failed.push(name.into());
        }
    }
}

pub fn parse(text: &str) -> Report {
    let mut parser = Parser::default();
    for line in text.lines() {
        parser.line(line.trim_end());
    }
    parser.close(0, "the run");
    if parser.counted() == 0 && parser.report.problems.is_empty() {
        parser.problem("no test has reported".into());
    }
    parser.report
}

#[cfg(test)]
mod tests {
    use super::*;

    const NESTED: &str = "\
TAP version 13
1..3
# timeout set to 45
# selftests: d2d: a.sh
# TAP version 13
# 1..3
# ok 1 loads
# # a diagnostic: ok 7 is not a result
# ok 2 # SKIP no such hardware
# not ok 3 unloads
# # Totals: pass:1 fail:1 xfail:0 xpass:0 skip:1 error:0
not ok 1 selftests: d2d: a.sh # exit=1
# selftests: d2d: b.sh
# plain text
ok 2 selftests: d2d: b.sh
# selftests: d2d: c.sh
# TAP version 13
# 1..0 # SKIP no module
ok 3 selftests: d2d: c.sh # SKIP
# Totals: pass:1 fail:1 xfail:0 xpass:0 skip:1 error:0
";

    fn outcome(text: &str) -> (String, String) {
        let report = parse(text);
        let faults = [report.failed, report.problems].concat();
        (report.tally.to_string(), faults.join("; "))
    }

    #[test]
    fn innermost_results_are_counted() {
        let (tally, faults) = outcome(NESTED);
        assert_eq!(tally, "2 passed, 1 failed, 2 skipped");
        assert_eq!(faults, "unloads");
    }

    #[test]
    fn a_failure_after_good_results_is_counted() {
        let text = NESTED.replace("# not ok 3", "# ok 3");
        let (tally, faults) = outcome(&text);
        assert_eq!(tally, "3 passed, 1 failed, 2 skipped");
        assert_eq!(faults, "selftests: d2d: a.sh # exit=1");
    }

    #[test]
    fn blanks_indent_the_ktap_of_kunit() {
        let text = "KTAP version 1\n1..1\n    KTAP version 1\n    1..2\n    ok 1 x\n    not ok 2 - y\nnot ok 1 suite\n";
        assert_eq!(
            outcome(text),
            ("1 passed, 1 failed, 0 skipped".into(), "y".into())
        );
    }

    #[test]
    fn a_missing_result_line_is_a_problem() {
        let (_, faults) = outcome(&NESTED.replace("# not ok 3 unloads\n", ""));
        assert!(faults.contains("KTAP: selftests: d2d: a.sh # exit=1: a plan of 3, but 2 results"));
        let (_, faults) = outcome(&NESTED.replace("ok 3 selftests: d2d: c.sh # SKIP\n", ""));
        assert!(
            faults.contains("KTAP: the run: a plan of 3, but 2 results"),
            "{faults}"
        );
    }

    #[test]
    fn a_missing_plan_is_a_problem() {
        let (_, faults) = outcome("TAP version 13\nok 1 a\n");
        assert_eq!(faults, "KTAP: the run: no plan, but 1 results");
    }

    #[test]
    fn a_text_without_results_is_a_problem() {
        assert_eq!(outcome("").1, "KTAP: no test has reported");
        assert_eq!(outcome("something else\n").1, "KTAP: no test has reported");
        let empty = outcome("TAP version 13\n1..0\n");
        assert_eq!(empty.1, "KTAP: no test has reported");
    }

    #[test]
    fn a_wrong_number_is_a_problem() {
        let (_, faults) = outcome("TAP version 13\n1..2\nok 1 a\nok 3 c\n");
        assert_eq!(faults, "KTAP: result 2 has the wrong number: ok 3 c");
    }

    #[test]
    fn bailing_out_is_a_problem() {
        let (_, faults) = outcome("TAP version 13\n1..1\nok 1 a\nBail out! no memory\n");
        assert_eq!(faults, "no memory");
    }

    #[test]
    fn a_test_that_bails_out_fails_for_its_reason_only() {
        let text = "TAP version 13\n1..1\n# TAP version 13\n# 1..1\n# Bail out! no such case\nnot ok 1 a.sh # exit=1\n";
        let (tally, faults) = outcome(text);
        assert_eq!(tally, "0 passed, 0 failed, 0 skipped");
        assert_eq!(faults, "no such case");
    }
}

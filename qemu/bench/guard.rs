// SPDX-License-Identifier: GPL-2.0

//! The guard: compares the figures of the project's contenders with the recorded ones.

use crate::operations::{kind, steady, twin, Kind};
use crate::record::{Entry, Record};

const GROWTH: f64 = 1.03;

/// The contender that the guard leaves out: its figure differs by more than 3 percent from run to run. To wake a worker
/// and wait for it, the kernel has two paths with different costs.
const LEFT_OUT: &str = "request-worker";

#[derive(Debug, PartialEq)]
pub enum Verdict {
    Passed,
    Failed,
    Skipped,
}

#[derive(Debug, PartialEq)]
pub struct Check {
    title: String,
    verdict: Verdict,
    why: String,
}

fn figure(entry: &Entry) -> f64 {
    steady(&entry.name, entry.least, entry.median)
}

/// Returns an entry's figure, divided by that of the contender `to` in the same run.
fn ratio(record: &Record, entry: &Entry, to: &str) -> Option<f64> {
    let other = record.find(to, entry).or_else(|| record.single(to))?;
    Some(figure(entry) / figure(other))
}

/// Compares the figure of an entry with the recorded one. If the kernel or a tool has another version than recorded,
/// compares ratios: each figure, divided by that of the twin, or by that of the base if there is no twin.
fn check(recorded: &Record, now: &Record, entry: &Entry, same_versions: bool) -> Check {
    let (verdict, why) = match recorded.counterpart(entry) {
        None => (
            Verdict::Failed,
            "the record lacks this figure: 'make bench' records it in docs/results.tsv".into(),
        ),
        Some(was) if same_versions => judge(figure(was), figure(entry), "instructions"),
        Some(was) => {
            let twin = twin(&entry.name);
            let candidates = [twin.as_str(), entry.base.as_str()].into_iter();
            let ratios = |to: &str| {
                let both = (ratio(recorded, was, to)?, ratio(now, entry, to)?);
                Some((to.to_owned(), both))
            };
            let mut found = candidates.filter(|to| *to != entry.name).filter_map(ratios);
            match found.next() {
                Some((to, (was, is))) => judge(was, is, &format!("times {to}")),
                None => (
                    Verdict::Skipped,
                    "the run has measured neither the twin nor the base".into(),
                ),
            }
        }
    };
    Check {
        title: entry.title(),
        verdict,
        why,
    }
}

fn judge(was: f64, is: f64, unit: &str) -> (Verdict, String) {
    let percent = (is / was - 1.0) * 100.0;
    let why = format!("{is:.2} {unit}, recorded {was:.2}: {percent:+.1} %");
    if is <= was * GROWTH {
        (Verdict::Passed, why)
    } else {
        (Verdict::Failed, why)
    }
}

fn differences(recorded: &Record, now: &Record) -> Vec<String> {
    let current = |name: &str| now.versions.iter().find(|(other, _)| other == name);
    let recorded = recorded.versions.iter();
    recorded
        .filter(|(name, value)| current(name).is_none_or(|(_, version)| version != value))
        .map(|(name, value)| format!("{name} was {value}"))
        .collect()
}

/// Returns the KTAP, and the numbers of passed, failed and skipped checks.
pub fn compare(recorded: &Record, now: &Record) -> (String, [usize; 3]) {
    let differences = differences(recorded, now);
    let same_versions = differences.is_empty();
    let guarded = |entry: &&Entry| kind(&entry.name) == Kind::Project && entry.name != LEFT_OUT;
    let mut checks: Vec<Check> = now
        .entries
        .iter()
        .filter(guarded)
        .map(|entry| check(recorded, now, entry, same_versions))
        .collect();
    let guarded_before = recorded.entries.iter().filter(guarded);
    checks.extend(
        guarded_before
            .filter(|entry| now.counterpart(entry).is_none())
            .map(|entry| Check {
                title: entry.title(),
                verdict: Verdict::Failed,
                why: "the run lacks this figure; if you have removed it, 'make bench' removes it from docs/results.tsv"
                    .into(),
            }),
    );

    let mut text = format!("TAP version 13\n1..{}\n", checks.len());
    for difference in &differences {
        text += &format!("# {difference} when the figures were recorded\n");
    }
    if !same_versions {
        text += "# so the guard compares ratios to the twin or the base in the same run, not instructions\n";
    }
    let mut counts = [0; 3];
    for (number, check) in checks.iter().enumerate() {
        let (result, index, reason) = match check.verdict {
            Verdict::Passed => ("ok", 0, ""),
            Verdict::Failed => ("not ok", 1, ""),
            Verdict::Skipped => ("ok", 2, " # SKIP"),
        };
        counts[index] += 1;
        text += &format!(
            "# {}\n{result} {} {}{reason}\n",
            check.why,
            number + 1,
            check.title
        );
    }
    let [passed, failed, skipped] = counts;
    text += &format!("{passed} passed, {failed} failed, {skipped} skipped\n");
    (text, counts)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORD: &str = "\
kernel\t7.3
indirect-call\t-\tindirect-call\t19\t19
call\t-\tindirect-call\t99\t100
twin-call\t-\tindirect-call\t50\t50
event\t-\tindirect-call\t100\t200
queue\tdepth:10\tindirect-call\t38\t38
";

    /// Returns the counts for a run that differs from `RECORD` by these changes.
    fn counts(changes: &[(&str, &str)]) -> [usize; 3] {
        let now = changes.iter().fold(RECORD.to_owned(), |text, (from, to)| {
            assert!(text.contains(from));
            text.replace(from, to)
        });
        let [recorded, now] = [RECORD, &now].map(|text| Record::parse(text).unwrap());
        compare(&recorded, &now).1
    }

    #[test]
    fn growth_over_three_percent_fails() {
        assert_eq!(counts(&[]), [3, 0, 0]);
        assert_eq!(counts(&[("99\t100", "99\t102.9")]), [3, 0, 0]);
        assert_eq!(counts(&[("99\t100", "99\t103.1")]), [2, 1, 0]);
        assert_eq!(counts(&[("99\t100", "99\t50")]), [3, 0, 0]);
        assert_eq!(counts(&[("38\t38", "38\t40")]), [2, 1, 0]);
    }

    #[test]
    fn the_twin_may_grow() {
        assert_eq!(counts(&[("50\t50", "99\t99")]), [3, 0, 0]);
    }

    #[test]
    fn a_contender_that_sleeps_is_compared_by_its_least_figure() {
        assert_eq!(counts(&[("100\t200", "100\t300")]), [3, 0, 0]);
        assert_eq!(counts(&[("100\t200", "104\t200")]), [2, 1, 0]);
    }

    #[test]
    fn a_new_or_missing_contender_fails() {
        assert_eq!(counts(&[("event", "other")]), [2, 2, 0]);
        assert_eq!(counts(&[("depth:10", "depth:11")]), [2, 2, 0]);
        let new = Record::parse(&(RECORD.to_owned() + "new\t-\tcall\t1\t1\n")).unwrap();
        let (text, _) = compare(&Record::parse(RECORD).unwrap(), &new);
        assert!(text.contains("# the record lacks this figure: 'make bench' records it"));
        assert!(text.contains("not ok 4 new\n3 passed, 1 failed, 0 skipped\n"));
    }

    #[test]
    fn with_other_versions_ratios_are_compared() {
        let other = ("kernel\t7.3", "kernel\t7.4");
        assert_eq!(counts(&[other, ("99\t100", "99\t104")]), [2, 1, 0]);
        let twice = [("99\t100", "99\t200"), ("50\t50", "99\t100")];
        assert_eq!(counts(&[other, twice[0], twice[1]]), [3, 0, 0]);
        assert_eq!(
            counts(&[other, ("indirect-call\t38", "queue\t38")]),
            [2, 0, 1]
        );
        assert_eq!(
            counts(&[("kernel\t7.3\n", ""), twice[0], twice[1]]),
            [3, 0, 0]
        );
    }
}

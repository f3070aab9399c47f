// SPDX-License-Identifier: GPL-2.0

//! The marks: the limits that the figures must keep.

use crate::growth::{medians, spread};
use crate::log::Log;
use crate::log_lines::At;
use crate::machine::{ICOUNT, UML};
use crate::markdown::{cells, number, table, NONE};
use crate::{sizes, tracepoints, Measured};

/// Timer ticks increase medians, so a figure may exceed a limit by this factor.
const TICK: f64 = 1.002;

/// The percentage by which the figures of a flat curve may differ
const FLAT: f64 = 5.0;

/// If an operation takes fewer instructions, tracepoints may add one.
const SHORT: f64 = 50.0;

const LOAD: &str = "load of the host before the run";

/// The largest load that the bench itself causes.
const BUSY: f64 = 1.7;

/// A contender's figure: `NAME`, or `NAME@AXIS:VALUE` at a point of a curve
type Figure = &'static str;

/// What a mark demands: the limit, the machine, and the figures
enum Demand {
    /// The first figure is at most this many times the second.
    AtMostTimes(f64, &'static str, Figure, Figure),
    AtMost(f64, &'static str, Figure),
    /// The first figure, multiplied by this number, is at most the second.
    TimesFewer(f64, &'static str, Figure, Figure),
    /// The page reports the ratio of the two figures. The mark demands nothing.
    Reported(&'static str, Figure, Figure),
    /// The curve reaches at least this value of its axis, and its figures differ by at most `FLAT` percent.
    Flat(Figure, &'static str, u64),
    /// Each contender of the project costs at most this many times its cost without tracepoints (see also `SHORT`).
    Tracepoints(f64),
    /// The modules' files are at most this many times as large as those of the twin.
    Sizes(f64),
    /// The demonstration's modules have together at most this many bytes.
    Bytes(f64),
    /// The fastest producer puts at most this many times as many items as the slowest.
    Fair(f64, Figure),
}
use Demand::*;

pub struct Mark {
    /// The heading of the mark's text in reasons.md
    pub key: &'static str,
    operation: &'static str,
    claim: &'static str,
    demand: Demand,
}

const fn mark(
    key: &'static str,
    operation: &'static str,
    claim: &'static str,
    demand: Demand,
) -> Mark {
    Mark {
        key,
        operation,
        claim,
        demand,
    }
}

const TWIN: &str = "at most the C twin";
const FLAT_CLAIM: &str = "flat within 5 % from 1 to 64 contexts";

#[rustfmt::skip]
pub const MARKS: &[Mark] = &[
    mark("b-to-a-twin", "B calls A, instructions", TWIN, AtMostTimes(1.0, ICOUNT, "ops-call-b-to-a", "twin-ops-call-b-to-a")),
    mark("b-to-a-floor", "B calls A, instructions", "at most 1.3 of an indirect call", AtMostTimes(1.3, ICOUNT, "ops-call-b-to-a", "indirect-call")),
    mark("a-to-b-twin", "A calls B, instructions", "at most the C twin, with `srcu_read_lock_fast`", AtMostTimes(1.0, ICOUNT, "ops-call-a-to-b", "twin-ops-call-a-to-b")),
    mark("a-to-b-floor", "A calls B, instructions", "the ratio to an indirect call", Reported(ICOUNT, "ops-call-a-to-b", "indirect-call")),
    mark("put-take-instructions", "put and take an item, instructions", TWIN, AtMostTimes(1.0, ICOUNT, "queue-put-take", "twin-queue-put-take")),
    mark("put-take-unchecked", "put and take an item, instructions", "at most the C twin without list checks", AtMostTimes(1.0, ICOUNT, "queue-put-take", "twin-queue-put-take-unchecked")),
    mark("put-take-150", "put and take an item, instructions", "at most 150", AtMost(150.0, ICOUNT, "queue-put-take")),
    mark("put-take-ns", "put and take an item, ns (UML)", "at most 0.75 of the C twin", AtMostTimes(0.75, UML, "queue-put-take", "twin-queue-put-take")),
    mark("handle-ns", "item passed on by handle, ns (UML)", "at most 1.1 of put and take", AtMostTimes(1.1, UML, "queue-handle", "queue-put-take")),
    mark("batch-single", "batch of 32, instructions of an item", "at most a quarter of a single item", TimesFewer(4.0, ICOUNT, "queue-batch@batch:32", "queue-put-take")),
    mark("batch-of-1", "batch of 32, instructions of an item", "at most a quarter of a batch of 1", TimesFewer(4.0, ICOUNT, "queue-batch@batch:32", "queue-batch@batch:1")),
    mark("event-instructions", "set and take an event, instructions", TWIN, AtMostTimes(1.0, ICOUNT, "event-set-take", "twin-event-set-take")),
    mark("event-ns", "set and take an event, ns (UML)", TWIN, AtMostTimes(1.0, UML, "event-set-take", "twin-event-set-take")),
    mark("request", "request, completed at once, instructions", "at most a fifth of a work item with a completion", TimesFewer(5.0, ICOUNT, "request", "work-item-unbound")),
    mark("request-600", "request, completed at once, instructions", "at most 600", AtMost(600.0, ICOUNT, "request")),
    mark("request-ns", "request, completed at once, ns (UML)", "at most a twentieth of a work item with a completion", TimesFewer(20.0, UML, "request", "work-item-unbound")),
    mark("attach-detach", "attach and detach, instructions", TWIN, AtMostTimes(1.0, ICOUNT, "attach-detach", "twin-attach-detach")),
    mark("contexts-b-to-a", "B calls A, instructions", FLAT_CLAIM, Flat("ops-call-b-to-a", "contexts", 64)),
    mark("contexts-a-to-b", "A calls B, instructions", FLAT_CLAIM, Flat("ops-call-a-to-b", "contexts", 64)),
    mark("contexts-put-take", "put and take an item, instructions", FLAT_CLAIM, Flat("queue-put-take", "contexts", 64)),
    mark("contexts-request", "request, instructions", FLAT_CLAIM, Flat("request", "contexts", 64)),
    mark("depth", "put and take an item, instructions", "flat within 5 % from depth 1 to 1,000,000", Flat("queue-put-take", "depth", 1_000_000)),
    mark("tracepoints", "tracepoints compiled in, and off, instructions", "at most 2 % more than without; 1 more if below 50", Tracepoints(1.02)),
    mark("sizes", "stripped `.ko` of both sides, bytes", "at most 1.5 of the C twin", Sizes(1.5)),
    mark("bytes", "stripped `.ko` of the demonstration, bytes", "at most 500,000", Bytes(500_000.0)),
    mark("two-cpus", "an item, two CPUs busy, ns (UML)", "at least 1.3 times the C twin's throughput", AtMostTimes(1.0 / 1.3, UML, "queue-two-cpus", "twin-queue-two-cpus")),
    mark("fairness", "items of producers of one queue, two CPUs (UML)", "the fastest producer at most 2 times the slowest", Fair(2.0, "queue-producers")),
];

struct Outcome {
    measured: String,
    against: String,
    ratio: String,
    met: bool,
}

fn figure(log: &Log, figure: &str) -> Option<f64> {
    let (name, at) = match figure.split_once('@') {
        Some((name, at)) => (name, Some(At::parse(at)?)),
        None => (figure, None),
    };
    Some(log.find(name, at.as_ref())?.median())
}

impl Mark {
    /// Returns `None` if a figure was not measured.
    fn outcome(&self, all: &Measured) -> Option<Outcome> {
        let both = |machine, one, other| {
            let log = all.log(machine)?;
            Some((figure(log, one)?, figure(log, other)?))
        };
        let outcome = |one: f64, other: f64, ratio: String, met| Outcome {
            measured: number(one),
            against: number(other),
            ratio,
            met,
        };
        Some(match self.demand {
            AtMostTimes(most, machine, one, other) => {
                let (one, other) = both(machine, one, other)?;
                let ratio = one / other;
                outcome(one, other, format!("{ratio:.3}"), ratio <= most * TICK)
            }
            AtMost(most, machine, one) => {
                let one = figure(all.log(machine)?, one)?;
                let ratio = one / most;
                outcome(one, most, format!("{ratio:.3}"), ratio <= TICK)
            }
            TimesFewer(least, machine, one, other) => {
                let (one, other) = both(machine, one, other)?;
                let fewer = other / one;
                outcome(one, other, format!("1 / {fewer:.2}"), fewer >= least)
            }
            Reported(machine, one, other) => {
                let (one, other) = both(machine, one, other)?;
                outcome(one, other, format!("{:.3}", one / other), true)
            }
            Flat(name, axis, end) => {
                let curve = medians(all.log(ICOUNT)?, name, axis);
                let [(1, first), .., (to, last)] = curve.as_slice() else {
                    return None;
                };
                if *to < end {
                    return None;
                }
                let spread = spread(&curve)?;
                outcome(*last, *first, format!("{spread:.1} %"), spread <= FLAT)
            }
            Tracepoints(most) => {
                let compared = tracepoints::compare(all.log(ICOUNT)?, all.no_tracepoints.as_ref()?);
                let is_within = |one: &&tracepoints::Compared| {
                    one.ratio() <= most
                        || one.without() < SHORT && one.with() <= (one.without() + 1.0) * TICK
                };
                let within = compared.iter().filter(is_within).count();
                let worst = compared
                    .iter()
                    .map(tracepoints::Compared::ratio)
                    .reduce(f64::max)?;
                Outcome {
                    measured: format!("{within} within"),
                    against: format!("of {}", compared.len()),
                    ratio: format!("worst {worst:.3}"),
                    met: within == compared.len(),
                }
            }
            Sizes(most) => {
                let (one, other) = sizes::files(&all.sizes)?;
                let ratio = one / other;
                outcome(one, other, format!("{ratio:.3}"), ratio <= most)
            }
            Bytes(most) => {
                let bytes = sizes::demonstration(&all.sizes)?;
                let ratio = bytes / most;
                outcome(bytes, most, format!("{ratio:.3}"), ratio <= 1.0)
            }
            Fair(most, name) => {
                let shares = all.log(UML)?.shares.iter().filter(|share| share.of == name);
                let worst = shares.max_by(|a, b| a.unfairness().total_cmp(&b.unfairness()))?;
                let ratio = worst.unfairness();
                Outcome {
                    measured: format!("{:.0}", worst.most()),
                    against: format!("{:.0}", worst.least()),
                    ratio: format!("{ratio:.3}"),
                    met: ratio <= most,
                }
            }
        })
    }
}

fn reason<'a>(reasons: &'a str, key: &str) -> Option<&'a str> {
    let mut sections = reasons.split("## ").skip(1);
    let text = sections.find_map(|section| section.strip_prefix(key)?.strip_prefix('\n'))?;
    Some(text.trim())
}

/// Returns a warning if other programs kept the host busy.
fn busy(all: &Measured) -> Option<String> {
    let load = all.log(UML)?.condition(LOAD)?;
    let busy = load.parse::<f64>().ok()? > BUSY;
    busy.then(|| {
        format!("\nThe host was busy (load {load}), so the nanoseconds of this run say little.\n")
    })
}

pub fn section(all: &Measured, reasons: &str) -> String {
    let head = ["operation", "mark", "", "measured", "against", "ratio"];
    let mut rows = vec![cells(head)];
    let mut missed = String::new();
    for mark in MARKS {
        let outcome = mark.outcome(all).unwrap_or(Outcome {
            measured: NONE.into(),
            against: NONE.into(),
            ratio: "not measured".into(),
            met: false,
        });
        let verdict = match mark.demand {
            Reported(..) if outcome.met => "reported",
            _ if outcome.met => "met",
            _ => "**missed**",
        };
        let mut row = cells([mark.operation, mark.claim, verdict]);
        row.extend([outcome.measured, outcome.against, outcome.ratio]);
        rows.push(row);
        if !outcome.met {
            let reason = reason(reasons, mark.key).unwrap_or("The reason is not known yet.");
            let reason = reason.replace('\n', "\n  ");
            missed += &format!("- {}, {}: {reason}\n", mark.operation, mark.claim);
        }
    }
    let mut text = table(&rows, 3);
    text += &busy(all).unwrap_or_default();
    if !missed.is_empty() {
        text += &format!("\nWhy marks are missed:\n\n{missed}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::MACHINES;
    use crate::Run;

    const LOG: &str = "\
bench: contender=ops-call-b-to-a base=x calls= n=1 ns=20,
bench: contender=twin-ops-call-b-to-a base=x calls= n=1 ns=20,
bench: contender=indirect-call base=x calls= n=1 ns=15,
bench: contender=queue-put-take base=x calls= n=1 ns=100,
bench: contender=queue-put-take base=x at=depth:1 calls= n=1 ns=100,
bench: contender=queue-put-take base=x at=depth:1000000 calls= n=1 ns=106,
bench: contender=queue-put-take base=x at=contexts:1 calls= n=1 ns=100,
bench: contender=queue-put-take base=x at=contexts:32 calls= n=1 ns=100,
bench: contender=queue-batch base=x at=batch:1 calls= n=1 ns=99,
bench: contender=queue-batch base=x at=batch:32 calls= n=1 ns=25,
bench: condition load of the host before the run: 2.5
bench: share of=queue-producers at=producers:2 counts=10,20
bench: share of=queue-producers at=producers:3 counts=10,11,21
";

    fn measured() -> Measured {
        let run = |index: usize| Run {
            machine: &MACHINES[index],
            log: Log::parse(LOG).unwrap(),
        };
        let slower = LOG.replace("ns=100,", "ns=97,");
        Measured {
            runs: vec![run(0), run(1)],
            no_tracepoints: Some(Log::parse(&slower).unwrap()),
            sizes: Vec::new(),
        }
    }

    fn outcome(key: &str) -> Option<(String, bool)> {
        let mark = MARKS.iter().find(|mark| mark.key == key).unwrap();
        let outcome = mark.outcome(&measured())?;
        Some((outcome.ratio, outcome.met))
    }

    #[test]
    fn marks_are_met_or_missed_by_medians() {
        let is = |key, ratio: &str, met| assert_eq!(outcome(key), Some((ratio.into(), met)));
        is("b-to-a-twin", "1.000", true);
        is("b-to-a-floor", "1.333", false);
        is("put-take-150", "0.667", true);
        is("batch-single", "1 / 4.00", true);
        is("batch-of-1", "1 / 3.96", false);
        is("depth", "6.0 %", false);
        is("tracepoints", "worst 1.031", false);
        is("fairness", "2.100", false);
    }

    #[test]
    fn a_mark_that_was_not_measured_is_missed() {
        for key in [
            "a-to-b-twin",
            "sizes",
            "contexts-request",
            "contexts-put-take",
        ] {
            assert_eq!(outcome(key), None);
        }
        let text = section(
            &measured(),
            "## sizes\nReason one.\n\n## depth\nTwo.\nMore.\n",
        );
        assert!(text.contains("at most 1.5 of the C twin: Reason one.\n"));
        assert!(text.contains("depth 1 to 1,000,000: Two.\n  More.\n"));
        assert!(text.contains("at most a quarter of a batch of 1: The reason is not known yet."));
        assert!(!text.contains("single item: The reason"));
        assert!(text.contains("The host was busy (load 2.5)"));
    }

    #[test]
    fn each_reason_belongs_to_a_mark() {
        for section in include_str!("reasons.md").split("## ").skip(1) {
            let key = section.lines().next().unwrap_or_default();
            assert!(MARKS.iter().any(|mark| mark.key == key), "{key}");
        }
    }
}

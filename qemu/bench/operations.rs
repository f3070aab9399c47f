// SPDX-License-Identifier: GPL-2.0

//! The operations that are measured, and the contenders of each.

use crate::log::Log;
use crate::markdown::{cells, number, number_or_none, table, NONE};
use crate::Run;

/// The kind of a contender (preface.md)
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    Project,
    Twin,
    Floor,
    Alternative,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Kind::Project => "project",
            Kind::Twin => "C twin",
            Kind::Floor => "floor",
            Kind::Alternative => "alternative",
        }
    }
}

pub struct Operation {
    pub title: &'static str,
    /// The column `× twin` compares each contender with the twin of the first of these.
    project: &'static [&'static str],
    /// The column `× floor` compares each contender with the first of these.
    floor: &'static [&'static str],
    alternatives: &'static [&'static str],
}

pub const OPERATIONS: &[Operation] = &[
    Operation {
        title: "B calls A",
        project: &["ops-call-b-to-a"],
        floor: &["indirect-call"],
        alternatives: &["exported-symbol-call", "notifier-chain"],
    },
    Operation {
        title: "A calls B, protected against B's unload",
        project: &["ops-call-a-to-b"],
        floor: &["indirect-call"],
        alternatives: &[
            "indirect-call-srcu-fast",
            "indirect-call-srcu",
            "srcu-notifier-chain",
        ],
    },
    Operation {
        title: "Put and take an item",
        project: &["queue-put-take", "queue-handle", "queue-handle-c"],
        floor: &["spin-lock-irqsave", "list-add-del"],
        alternatives: &[
            "twin-queue-put-take-unchecked",
            "kfifo-spinlock",
            "ptr-ring",
            "llist",
        ],
    },
    Operation {
        title: "Put and take an item in hard interrupt",
        project: &["queue-put-take-irq"],
        floor: &["spin-lock-irqsave"],
        alternatives: &[],
    },
    Operation {
        title: "An item from one CPU to the other, both busy",
        project: &["queue-two-cpus"],
        floor: &[],
        alternatives: &[],
    },
    Operation {
        title: "A request, completed at once",
        project: &["request", "request-pended"],
        floor: &["indirect-call"],
        alternatives: &["work-item-percpu", "work-item-unbound"],
    },
    Operation {
        title: "A request that a worker dispatches",
        project: &["request-worker"],
        floor: &[],
        alternatives: &["work-item-percpu", "work-item-unbound"],
    },
    Operation {
        title: "Set an event and take it, nobody sleeps",
        project: &["event-set-take"],
        floor: &["spin-lock-irqsave"],
        alternatives: &[],
    },
    Operation {
        title: "From setting an event to the wake-up",
        project: &["event"],
        floor: &[],
        alternatives: &["completion", "wait-queue"],
    },
    Operation {
        title: "From putting an item to the wake-up, by doorbell",
        project: &["doorbell"],
        floor: &[],
        alternatives: &["completion", "wait-queue"],
    },
    Operation {
        title: "Attach and detach",
        project: &["attach-detach"],
        floor: &[],
        alternatives: &[],
    },
];

pub fn twin(name: &str) -> String {
    format!("twin-{name}")
}

/// Returns the kind of a contender. Contenders that no operation lists, such as `queue-batch`, belong to the project.
pub fn kind(name: &str) -> Kind {
    let among = |list: fn(&Operation) -> &'static [&'static str]| {
        OPERATIONS.iter().any(|one| list(one).contains(&name))
    };
    if name.starts_with("twin-") {
        Kind::Twin
    } else if name == crate::log::EMPTY_LOOP || among(|one| one.floor) {
        Kind::Floor
    } else if among(|one| one.alternatives) {
        Kind::Alternative
    } else {
        Kind::Project
    }
}

/// Contenders whose threads sleep. The scheduler changes their medians from run to run, but not their least figures.
const SLEEPERS: [&str; 4] = ["request-worker", "event", "doorbell", "attach-detach"];

/// Returns the figure that is nearly the same in each run.
pub fn steady(name: &str, least: f64, median: f64) -> f64 {
    if SLEEPERS.contains(&name.trim_start_matches("twin-")) {
        least
    } else {
        median
    }
}

impl Operation {
    pub fn members(&self) -> Vec<(String, Kind)> {
        let mut members = Vec::new();
        let mut add = |name: &str, kind| members.push((name.to_owned(), kind));
        for name in self.project {
            add(name, Kind::Project);
            add(&twin(name), Kind::Twin);
        }
        self.floor.iter().for_each(|name| add(name, Kind::Floor));
        let alternatives = self.alternatives.iter();
        alternatives.for_each(|name| add(name, Kind::Alternative));
        members
    }

    pub fn medians(&self, log: &Log) -> Vec<(String, Kind, f64)> {
        let members = self.members().into_iter();
        let median = |(name, kind): (String, Kind)| {
            let median = log.median(&name)?;
            Some((name, kind, median))
        };
        members.filter_map(median).collect()
    }

    fn figures(&self, log: &Log, name: &str) -> Vec<String> {
        let Some(one) = log.find(name, None) else {
            return vec![NONE.into(); 5];
        };
        let ratio = |to: Option<f64>| number_or_none(to.map(|to| one.median() / to));
        let floor = self.floor.first().and_then(|floor| log.median(floor));
        let mut cells: Vec<_> = [one.min(), one.median(), one.max()].map(number).into();
        cells.push(ratio(log.median(&twin(self.project[0]))));
        cells.push(ratio(floor));
        cells
    }

    fn table(&self, runs: &[Run]) -> String {
        let mut head = cells(["contender", ""]);
        for run in runs {
            head.push(format!("{}: min", run.machine.unit));
            head.extend(cells(["median", "max", "× twin", "× floor"]));
        }
        let mut rows = vec![head];
        for (name, kind) in self.members() {
            let measured = |run: &Run| run.log.find(&name, None).is_some();
            if runs.iter().any(measured) {
                let mut row = cells([&format!("`{name}`"), kind.name()]);
                row.extend(runs.iter().flat_map(|run| self.figures(&run.log, &name)));
                rows.push(row);
            }
        }
        table(&rows, 2)
    }
}

pub fn tables(runs: &[Run]) -> String {
    let mut text = String::new();
    let measured_in_any_run = |name: &str| runs.iter().any(|run| run.log.median(name).is_some());
    let has_figures = |one: &&Operation| one.project.iter().any(|name| measured_in_any_run(name));
    for operation in OPERATIONS.iter().filter(has_figures) {
        text += &format!("\n### {}\n\n", operation.title);
        if let [first, _, ..] = operation.floor {
            text += &format!("`× floor` compares with `{first}`.\n\n");
        }
        text += &operation.table(runs);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::MACHINES;

    const LOG: &str = "\
bench: contender=ops-call-b-to-a base=indirect-call calls=* n=1 ns=40,42,44,
bench: contender=twin-ops-call-b-to-a base=indirect-call calls=* n=1 ns=21,
bench: contender=indirect-call base=indirect-call calls=* n=1 ns=20,
";

    fn run(machine: usize, log: &str) -> Run {
        Run {
            machine: &MACHINES[machine],
            log: Log::parse(log).unwrap(),
        }
    }

    #[test]
    fn medians_are_compared_with_those_of_the_same_run() {
        let runs = [run(0, LOG), run(1, &LOG.replace("ns=40,42,44", "ns=63"))];
        let table = OPERATIONS[0].table(&runs);
        let row = table.lines().nth(2).unwrap();
        let row: Vec<_> = row.split('|').map(str::trim).collect();
        assert_eq!(row[1..3], ["`ops-call-b-to-a`", "project"]);
        assert_eq!(row[3..8], ["40.0", "42.0", "44.0", "2.00", "2.10"]);
        assert_eq!(row[8..13], ["63.0", "63.0", "63.0", "3.00", "3.15"]);
        assert_eq!(table.lines().count(), 5);
    }

    #[test]
    fn a_figure_that_was_not_measured_is_a_dash() {
        let less = LOG.replace("contender=twin", "contender=other");
        let table = OPERATIONS[0].table(&[run(0, LOG), run(1, &less)]);
        let twin = table.lines().nth(3).unwrap();
        assert!(twin.contains("twin-ops-call-b-to-a") && twin.contains(NONE));
    }

    #[test]
    fn a_contender_that_no_operation_lists_is_the_project() {
        assert_eq!(kind("new"), Kind::Project);
        assert_eq!(kind("twin-new"), Kind::Twin);
        assert_eq!(kind("ptr-ring"), Kind::Alternative);
        assert_eq!(kind("spin-lock-irqsave"), Kind::Floor);
    }
}

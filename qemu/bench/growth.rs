// SPDX-License-Identifier: GPL-2.0

//! How the cost of an operation grows with contexts, items, bytes or threads.

use crate::log::Log;
use crate::markdown::{cells, number, number_or_none, table, NONE};
use crate::Run;
use std::collections::BTreeSet;

pub struct Axis {
    pub name: &'static str,
    pub title: &'static str,
}

pub const AXES: &[Axis] = &[
    Axis {
        name: "contexts",
        title: "Contexts attached",
    },
    Axis {
        name: "depth",
        title: "Items in the queue",
    },
    Axis {
        name: "payload",
        title: "Bytes of an item",
    },
    Axis {
        name: "batch",
        title: "Items put and taken together (figures for one item)",
    },
    Axis {
        name: "producers",
        title: "Threads that put into one queue",
    },
];

pub fn medians(log: &Log, name: &str, axis: &str) -> Vec<(u64, f64)> {
    let curve = log.curve(name, axis).into_iter();
    curve.map(|(value, one)| (value, one.median())).collect()
}

/// Returns by how many percent the largest figure of a curve exceeds the smallest.
pub fn spread(curve: &[(u64, f64)]) -> Option<f64> {
    let least = curve.iter().map(|point| point.1).reduce(f64::min)?;
    let most = curve.iter().map(|point| point.1).reduce(f64::max)?;
    Some((most / least - 1.0) * 100.0)
}

impl Axis {
    fn table(&self, runs: &[Run]) -> Option<String> {
        let mut head = cells([self.name]);
        let mut last = cells(["largest above smallest"]);
        let mut curves = Vec::new();
        for run in runs {
            for name in run.log.curves(self.name) {
                head.push(format!("`{name}`, {}", run.machine.unit));
                let curve = medians(&run.log, name, self.name);
                let spread = spread(&curve);
                last.push(spread.map_or(NONE.into(), |spread| format!("{spread:.1} %")));
                curves.push(curve);
            }
        }
        let values: BTreeSet<u64> = curves.iter().flatten().map(|point| point.0).collect();
        let row = |value: &u64| {
            let mut row = vec![value.to_string()];
            for curve in &curves {
                let point = curve.iter().find(|point| point.0 == *value);
                row.push(number_or_none(point.map(|point| point.1)));
            }
            row
        };
        let mut rows = vec![head];
        rows.extend(values.iter().map(row));
        rows.push(last);
        (!curves.is_empty()).then(|| table(&rows, 1))
    }
}

pub fn tables(runs: &[Run]) -> String {
    let table = |axis: &Axis| Some(format!("\n### {}\n\n{}", axis.title, axis.table(runs)?));
    AXES.iter().filter_map(table).collect()
}

pub fn shares(runs: &[Run]) -> String {
    let head = [
        "contender",
        "measured by",
        "producers",
        "least",
        "most",
        "most / least",
    ];
    let mut rows = vec![cells(head)];
    for run in runs {
        for share in &run.log.shares {
            let mut row = cells([&format!("`{}`", share.of), run.machine.unit]);
            row.push(share.at.value.to_string());
            row.extend([share.least(), share.most()].map(|count| format!("{count:.0}")));
            row.push(number(share.unfairness()));
            rows.push(row);
        }
    }
    table(&rows, 2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::MACHINES;

    #[test]
    fn a_table_has_the_values_and_their_spread() {
        let log = "\
bench: contender=a base=a at=depth:10 calls= n=1 ns=21,
bench: contender=a base=a at=depth:1 calls= n=1 ns=20,
bench: contender=b base=a at=depth:10 calls= n=1 ns=5,
bench: share of=a at=producers:2 counts=10,25,
";
        let runs = [Run {
            machine: &MACHINES[0],
            log: Log::parse(log).unwrap(),
        }];
        let text = tables(&runs);
        let rows: Vec<Vec<_>> = text
            .lines()
            .skip(5)
            .map(|row| row.split('|').map(str::trim).collect())
            .collect();
        assert_eq!(rows[0][1..4], ["1", "20.0", NONE]);
        assert_eq!(rows[1][1..4], ["10", "21.0", "5.00"]);
        assert_eq!(rows[2][1..4], ["largest above smallest", "5.0 %", "0.0 %"]);
        assert_eq!(rows.len(), 3);
        assert!(shares(&runs).contains("|         2 |    10 |   25 |         2.50 |"));
    }
}

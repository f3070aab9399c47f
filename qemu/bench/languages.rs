// SPDX-License-Identifier: GPL-2.0

//! Compares pairs that have drivers in C with the pair in Rust.

use crate::log::Log;
use crate::markdown::{cells, number_or_none, table};
use crate::Run;

/// The languages of owner and peer
const PAIRS: [&str; 3] = ["c-rust", "rust-c", "c-c"];

const OPERATIONS: [&str; 4] = [
    "ops-call-b-to-a",
    "ops-call-a-to-b",
    "queue-put-take",
    "request",
];

/// Returns a pair's median for an operation. If the loop is in C, its name begins with `c-`.
fn median(log: &Log, pair: &str, operation: &str) -> Option<f64> {
    log.median(&format!("{pair}:{operation}"))
        .or_else(|| log.median(&format!("{pair}:c-{operation}")))
}

pub fn section(runs: &[Run]) -> String {
    let mut head = cells(["operation"]);
    for run in runs {
        head.push(format!("{}: both in Rust", run.machine.unit));
        head.extend(cells(["owner in C", "peer in C", "both in C"]));
    }
    let mut rows = vec![head];
    for operation in OPERATIONS {
        let mut row = vec![format!("`{operation}`")];
        for run in runs {
            let rust = run.log.median(operation);
            row.push(number_or_none(rust));
            row.extend(PAIRS.map(|pair| {
                let median = median(&run.log, pair, operation);
                number_or_none(median.zip(rust).map(|(median, rust)| median / rust))
            }));
        }
        rows.push(row);
    }
    format!(
        "In three pairs, the owner, the peer or both are in C. Their columns have ratios to the pair in Rust.\n\n{}",
        table(&rows, 1)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::MACHINES;

    #[test]
    fn a_pair_is_compared_with_that_in_rust() {
        let log = "\
bench: contender=request base=x calls= n=1 ns=100,
bench: contender=c-rust:request base=request calls= n=1 ns=110,
bench: contender=c-c:c-request base=request calls= n=1 ns=90,
";
        let run = Run {
            machine: &MACHINES[0],
            log: Log::parse(log).unwrap(),
        };
        let text = section(&[run]);
        let row = text.lines().last().unwrap();
        let row: Vec<_> = row.split('|').map(str::trim).collect();
        assert_eq!(row[1..6], ["`request`", "100.0", "1.10", "–", "0.90"]);
    }
}

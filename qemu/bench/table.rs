//! The table, and the document that it stands in.

use crate::Run;
use std::fmt::Write;

/// How operations are measured
pub struct Instrument {
    /// The directory of its run
    pub name: &'static str,
    /// Whether a nanosecond is an instruction
    pub counts_instructions: bool,
    in_qemu: bool,
    /// The unit, as it stands in the table
    unit: &'static str,
    /// What its kernel runs on
    on: &'static str,
}

pub const INSTRUMENTS: [Instrument; 3] = [
    Instrument {
        name: "icount",
        counts_instructions: true,
        in_qemu: true,
        unit: "instructions",
        on: "the stock kernel in QEMU, one CPU: `-icount shift=0,sleep=off -cpu max,erms=off,fsrm=off,fsrs=off`",
    },
    Instrument {
        name: "uml",
        counts_instructions: false,
        in_qemu: false,
        unit: "ns (UML)",
        on: "User-Mode Linux, two CPUs of the host",
    },
    Instrument {
        name: "kvm",
        counts_instructions: false,
        in_qemu: true,
        unit: "ns (KVM)",
        on: "the stock kernel in QEMU with KVM, two CPUs of the host: `-cpu host`",
    },
];

/// A number with about four digits
fn number(value: f64) -> String {
    let decimals = match value {
        value if value < 10.0 => 2,
        value if value < 1000.0 => 1,
        _ => 0,
    };
    format!("{value:.decimals$}")
}

/// Lines of a table in Markdown, the first of which are the names of the columns; the first two
/// columns are text, all else numbers
fn markdown(rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.max().unwrap_or(0).max(3)
    };
    let mut text = String::new();
    for (index, row) in rows.iter().enumerate() {
        for (column, cell) in row.iter().enumerate() {
            let width = width(column);
            let _ = match column {
                0 | 1 => write!(text, "| {cell:<width$} "),
                _ => write!(text, "| {cell:>width$} "),
            };
        }
        text += "|\n";
        if index == 0 {
            for column in 0..row.len() {
                let line = "-".repeat(width(column) + 1);
                text += &format!("|{line}{}", if column < 2 { "-" } else { ":" });
            }
            text += "|\n";
        }
    }
    text
}

/// Makes the table: what all the runs have measured
pub fn table(runs: &[Run]) -> Result<String, String> {
    let mut head = vec!["contender".to_owned(), "base".to_owned()];
    for run in runs {
        head.push(format!("{}: min", run.instrument.unit));
        head.extend(["median", "max", "× base"].map(str::to_owned));
    }
    let mut rows = vec![head];
    let (first, rest) = runs.split_first().ok_or("there is no run")?;
    // The control was measured a second time at the end.
    let contenders = &first.log.contenders;
    for contender in contenders.iter().take(contenders.len() - 1) {
        let mut row = vec![contender.name.clone(), contender.base.clone()];
        for run in std::iter::once(first).chain(rest) {
            let missing = |name| format!("{} has no {name}", run.instrument.name);
            let find = |name| run.log.find(name).ok_or_else(|| missing(name));
            let (one, base) = (find(&contender.name)?, find(&contender.base)?);
            row.extend([one.min(), one.median(), one.max()].map(number));
            row.push(number(one.median() / base.median()));
        }
        rows.push(row);
    }
    Ok(markdown(&rows))
}

/// Makes the document
pub fn document(runs: &[Run], table: &str, qemu: &str, host_cpu: &str) -> String {
    let mut text = include_str!("preface.md").to_owned();
    text += &format!("\n## The figures\n\n{table}\n## The conditions\n");
    for run in runs {
        let _ = write!(text, "\n{}: {}\n\n", run.instrument.unit, run.instrument.on);
        if run.instrument.in_qemu {
            let _ = writeln!(text, "- {qemu}");
        }
        if !run.instrument.counts_instructions {
            let _ = writeln!(text, "- CPU of the host: {host_cpu}");
        }
        for (name, value) in &run.log.conditions {
            let _ = writeln!(text, "- {name}: {value}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::Log;

    fn run(instrument: usize, log: &str) -> Run {
        Run {
            instrument: &INSTRUMENTS[instrument],
            log: Log::parse(log).unwrap(),
        }
    }

    const LOG: &str = "\
bench: condition cpus: 1
bench: contender=empty-loop base=empty-loop calls= n=1 ns=2,
bench: contender=call base=empty-loop calls=* n=1 ns=19,25,
bench: contender=empty-loop base=empty-loop calls= n=1 ns=2,
";

    #[test]
    fn medians_are_compared_with_those_of_the_same_run() {
        let runs = [run(0, LOG), run(1, &LOG.replace("ns=2,", "ns=1,"))];
        let table = table(&runs).unwrap();
        let row = table.lines().last().unwrap();
        let cells: Vec<_> = row.split('|').map(str::trim).collect();
        assert_eq!(
            cells[1..7],
            ["call", "empty-loop", "19.0", "22.0", "25.0", "11.0"]
        );
        assert_eq!(cells[7..11], ["19.0", "22.0", "25.0", "22.0"]);
        assert_eq!(table.lines().count(), 4);
    }

    #[test]
    fn every_run_has_to_have_measured_all() {
        let less = LOG.replace("contender=call", "contender=other");
        assert!(table(&[run(0, LOG), run(1, &less)]).is_err());
    }

    #[test]
    fn numbers_have_about_four_digits() {
        assert_eq!(
            [2.0, 19.04, 352.39, 11538.02].map(number),
            ["2.00", "19.0", "352.4", "11538"]
        );
    }

    #[test]
    fn the_document_has_the_conditions() {
        let runs = [run(0, LOG), run(1, LOG)];
        let text = document(&runs, &table(&runs).unwrap(), "QEMU 10", "x");
        assert!(text.contains("- QEMU 10\n- cpus: 1\n"));
        assert!(text.contains("- CPU of the host: x\n- cpus: 1\n"));
    }
}

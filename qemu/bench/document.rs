// SPDX-License-Identifier: GPL-2.0

//! Writes docs/results.md.

use crate::instrument::ICOUNT;
use crate::{growth, marks, operations, points, sizes, Measured};

/// Returns the text of the page.
pub fn document(all: &Measured, host_cpu: &str) -> String {
    let mut text = include_str!("preface.md").to_owned();
    let mut section = |title: &str, body: &str| text += &format!("\n## {title}\n\n{body}");
    section(
        "The marks",
        &marks::document(all, include_str!("reasons.md")),
    );
    section(
        "The picture",
        "![A bar for each contender, and curves of growth](results.svg)\n",
    );
    section("The figures", operations::tables(&all.runs).trim_start());
    section("Growth", growth::tables(&all.runs).trim_start());
    section(
        "Two CPUs: items of each producer",
        &growth::shares(&all.runs),
    );
    if let Some((with, without)) = all.log(ICOUNT).zip(all.no_points.as_ref()) {
        let compared = points::compare(with, without);
        let table = points::table_of(&compared);
        section(
            "Tracepoints",
            &format!("Medians; for contenders that sleep, the least figures.\n\n{table}"),
        );
    }
    if let Some(log) = all.log(ICOUNT) {
        section("Memory", &sizes::memory(log));
    }
    section("Sizes of the modules", &sizes::tables(&all.sizes));
    section("The conditions", conditions(all, host_cpu).trim_start());
    text
}

fn conditions(all: &Measured, host_cpu: &str) -> String {
    let mut text = String::new();
    for run in &all.runs {
        text += &format!("\n{}: {}\n\n", run.instrument.unit, run.instrument.on);
        if !run.instrument.counts_instructions {
            text += &format!("- CPU of the host: {host_cpu}\n");
        }
        for (name, value) in &run.log.conditions {
            text += &format!("- {name}: {value}\n");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instrument::INSTRUMENTS;
    use crate::log::Log;
    use crate::Run;

    #[test]
    fn the_document_has_all_its_parts() {
        let log = "bench: condition cpus: 1\nbench: contender=request base=x calls= n=1 ns=2,\n";
        let run = |index: usize| Run {
            instrument: &INSTRUMENTS[index],
            log: Log::parse(log).unwrap(),
        };
        let all = Measured {
            runs: vec![run(0), run(1)],
            no_points: Some(Log::parse(log).unwrap()),
            sizes: Vec::new(),
        };
        let text = document(&all, "x");
        assert!(text.contains("- CPU of the host: x\n- cpus: 1\n"));
        let parts = ["marks", "picture", "figures", "conditions"];
        let parts = parts.map(|part| text.find(&format!("\n## The {part}\n\n")).unwrap());
        assert!(parts.is_sorted());
        assert!(text.contains("\n## Tracepoints\n\n"));
    }
}

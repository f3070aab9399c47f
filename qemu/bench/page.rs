// SPDX-License-Identifier: GPL-2.0

//! The page docs/results.md.

use crate::machine::ICOUNT;
use crate::{growth, languages, marks, operations, sizes, tracepoints, Measured};

pub fn page(all: &Measured, host_cpu: &str) -> String {
    let mut text = include_str!("preface.md").to_owned();
    let mut section = |title: &str, body: &str| text += &format!("\n## {title}\n\n{body}");
    section(
        "The marks",
        &marks::section(all, include_str!("reasons.md")),
    );
    section(
        "The picture",
        "![A bar for each contender, and curves of growth](results.svg)\n",
    );
    section("The figures", operations::tables(&all.runs).trim_start());
    section("Languages", &languages::section(&all.runs));
    section("Growth", growth::tables(&all.runs).trim_start());
    section(
        "Two CPUs: items of each producer",
        &growth::shares(&all.runs),
    );
    if let Some((with, without)) = all.log(ICOUNT).zip(all.no_tracepoints.as_ref()) {
        let compared = tracepoints::compare(with, without);
        let table = tracepoints::table_of(&compared);
        section(
            "Tracepoints",
            &format!("The figures are medians. If a contender sleeps, its figure is its least one.\n\n{table}"),
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
        text += &format!("\n{}: {}\n\n", run.machine.unit, run.machine.on);
        if !run.machine.counts_instructions {
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
    use crate::log::Log;
    use crate::machine::MACHINES;
    use crate::Run;

    #[test]
    fn the_page_has_all_its_parts() {
        let log = "bench: condition cpus: 1\nbench: contender=request base=x calls= n=1 ns=2,\n";
        let run = |index: usize| Run {
            machine: &MACHINES[index],
            log: Log::parse(log).unwrap(),
        };
        let all = Measured {
            runs: vec![run(0), run(1)],
            no_tracepoints: Some(Log::parse(log).unwrap()),
            sizes: Vec::new(),
        };
        let text = page(&all, "x");
        assert!(text.contains("- CPU of the host: x\n- cpus: 1\n"));
        let parts = ["marks", "picture", "figures", "conditions"];
        let parts = parts.map(|part| text.find(&format!("\n## The {part}\n\n")).unwrap());
        assert!(parts.is_sorted());
        assert!(text.contains("\n## Tracepoints\n\n"));
    }
}

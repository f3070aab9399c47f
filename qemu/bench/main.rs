// SPDX-License-Identifier: GPL-2.0

// Makes tables and pictures of the bench's figures, and compares the figures with recorded ones. preface.md explains
// the kinds of contenders.
//
// Words: a *curve* has the figures of one contender for several values of an *axis*, such as the number of items in a
// queue. The *record* has the figures of an earlier run, and the *guard* compares a run with the record. If their
// kernels or tools differ, the guard compares ratios: to a contender's twin or, without a twin, to another contender,
// its *base*.
//
// Usage: d2d-bench report DOCS DIR...    writes results.md, results.svg and the record, results.tsv, to DOCS
//        d2d-bench guard RECORD DIR      compares a run with a record, and prints KTAP
//        d2d-bench record DIR            prints the record of a run
//
// Each DIR has the files of one run. Its name is that of the machine (machine.rs). The DIR no-tracepoints has the
// run of modules without tracepoints on the machine icount. The files are:
//   output       the kernel's log, with the figures and the conditions of the run
//   disassembly  the modules, as objdump prints them
//   sizes        the sizes of the stripped modules, as `size` prints them (icount only)

mod disassembly;
mod growth;
mod guard;
mod languages;
mod log;
mod log_lines;
mod machine;
mod markdown;
mod marks;
mod operations;
mod page;
mod plot;
mod record;
mod sizes;
mod svg;
mod tracepoints;

use disassembly::Disassembly;
use log::Log;
use machine::{Machine, ICOUNT, MACHINES};
use record::Record;
use sizes::Size;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::ExitCode;

const NO_TRACEPOINTS: &str = "no-tracepoints";

pub struct Run {
    pub machine: &'static Machine,
    pub log: Log,
}

pub struct Measured {
    pub runs: Vec<Run>,
    pub no_tracepoints: Option<Log>,
    pub sizes: Vec<Size>,
}

impl Measured {
    pub fn log(&self, machine: &str) -> Option<&Log> {
        let mut runs = self.runs.iter();
        let run = runs.find(|run| run.machine.name == machine)?;
        Some(&run.log)
    }
}

fn read(path: &Path) -> Result<String, String> {
    let bytes = fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}

fn host_cpu() -> String {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = |line: &str| {
        Some(
            line.strip_prefix("model name")?
                .split_once(": ")?
                .1
                .to_owned(),
        )
    };
    cpuinfo.lines().find_map(model).unwrap_or_default()
}

fn name(dir: &Path) -> &str {
    let name = dir.file_name().unwrap_or_default();
    name.to_str().unwrap_or_default()
}

fn machine(name: &str) -> Result<&'static Machine, String> {
    MACHINES
        .iter()
        .find(|machine| name == machine.name)
        .ok_or_else(|| format!("the bench does not run on a machine {name}"))
}

/// Returns the checked log of a run, and the number of its loops.
fn run(dir: &Path, machine: &Machine) -> Result<(Log, usize), String> {
    let checked = || {
        let log = Log::parse(&read(&dir.join("output"))?)?;
        log.check_ends()?;
        if machine.counts_instructions {
            log.check_instructions()?;
        }
        let disassembly = read(&dir.join("disassembly"))?;
        let disassembly = Disassembly::parse(&disassembly);
        let loops = log.contenders.iter();
        let loops: BTreeSet<_> = loops.map(|one| (&one.name, &one.calls)).collect();
        for (name, calls) in &loops {
            disassembly.check(name, calls)?;
        }
        let loops = loops.len();
        Ok((log, loops))
    };
    checked().map_err(|why: String| format!("{}: {why}", dir.display()))
}

fn report(docs: &Path, dirs: &[&str]) -> Result<String, String> {
    let mut all = Measured {
        runs: Vec::new(),
        no_tracepoints: None,
        sizes: Vec::new(),
    };
    let mut loops = 0;
    for dir in dirs.iter().map(|dir| Path::new(*dir)) {
        let no_tracepoints = name(dir) == NO_TRACEPOINTS;
        let machine = machine(if no_tracepoints { ICOUNT } else { name(dir) })?;
        let (log, found) = run(dir, machine)?;
        loops += found;
        if no_tracepoints {
            all.no_tracepoints = Some(log);
            continue;
        }
        if machine.name == ICOUNT {
            write(&docs.join("results.tsv"), &Record::new(&log).text())?;
            let bytes = |path: &str| Some(fs::metadata(path).ok()?.len());
            all.sizes = sizes::parse(&read(&dir.join("sizes"))?, bytes);
        }
        all.runs.push(Run { machine, log });
    }
    let page = page::page(&all, &host_cpu());
    write(&docs.join("results.md"), &page)?;
    write(&docs.join("results.svg"), &plot::draw(&all))?;
    let sections = page
        .split("\n## ")
        .skip(1)
        .filter(|section| !section.starts_with("The conditions"));
    let mut text = sections.collect::<Vec<_>>().join("\n");
    text += &format!(
        "\nThe clock is right, and {loops} loops are in the code and call what they must call.\n"
    );
    Ok(text)
}

fn record(dir: &Path) -> Result<String, String> {
    let (log, _) = run(dir, machine(ICOUNT)?)?;
    Ok(Record::new(&log).text())
}

/// Returns the KTAP, and whether the run has passed.
fn guard(recorded: &Path, dir: &Path) -> Result<(String, bool), String> {
    let recorded = Record::parse(&read(recorded)?)?;
    let (log, _) = run(dir, machine(ICOUNT)?)?;
    let (text, counts) = guard::compare(&recorded, &Record::new(&log));
    Ok((text, counts[1] == 0))
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let result = match args.as_slice() {
        ["report", docs, dirs @ ..] => report(Path::new(docs), dirs).map(|text| (text, true)),
        ["guard", record, dir] => guard(Path::new(record), Path::new(dir)),
        ["record", dir] => record(Path::new(dir)).map(|text| (text, true)),
        _ => {
            eprintln!("usage: d2d-bench report DOCS DIR... | guard RECORD DIR | record DIR");
            return ExitCode::from(2);
        }
    };
    match result {
        Ok((text, passed)) => {
            print!("{text}");
            ExitCode::from(u8::from(!passed))
        }
        Err(why) => {
            println!("FAIL: {why}");
            ExitCode::FAILURE
        }
    }
}

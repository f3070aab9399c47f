// SPDX-License-Identifier: GPL-2.0

// Makes tables and pictures of the figures that the bench has measured, and compares them with recorded ones.
//
// Usage: d2d-bench report DOCS DIR...
//        d2d-bench guard RECORD DIR
//        d2d-bench record DIR
//
// Each DIR has the files of a run, and is named after the run's instrument: icount, uml or kvm. The run no-points is
// measured like icount, but its modules were built without tracepoints. The files are:
//   output       the kernel's log, with the figures that the modules have measured
//   disassembly  the modules, as objdump prints them
//   sizes        the sizes of the stripped modules, as `size` prints them (icount only)
// The program refuses a run if the run's clock is wrong, or if a measured loop does not call what it must call.
//
// report writes results.md, results.svg and the record, results.tsv, to DOCS. guard compares a run with a record, and
// prints KTAP. record prints the record of one run.

mod disassembly;
mod document;
mod growth;
mod guard;
mod instrument;
mod lines;
mod log;
mod markdown;
mod marks;
mod operations;
mod plot;
mod points;
mod record;
mod sizes;
mod svg;

use disassembly::Disassembly;
use instrument::{Instrument, ICOUNT, INSTRUMENTS};
use log::Log;
use record::Record;
use sizes::Size;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::ExitCode;

/// The name of the run that counts the instructions of modules without tracepoints
const NO_POINTS: &str = "no-points";

/// A run of the bench by one instrument
pub struct Run {
    pub instrument: &'static Instrument,
    pub log: Log,
}

/// The results of all runs
pub struct Measured {
    pub runs: Vec<Run>,
    pub no_points: Option<Log>,
    pub sizes: Vec<Size>,
}

impl Measured {
    /// Returns what an instrument has measured
    pub fn log(&self, instrument: &str) -> Option<&Log> {
        let mut runs = self.runs.iter();
        let run = runs.find(|run| run.instrument.name == instrument)?;
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

/// Returns the model of the host's CPU
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

fn instrument(name: &str) -> Result<&'static Instrument, String> {
    INSTRUMENTS
        .iter()
        .find(|instrument| name == instrument.name)
        .ok_or_else(|| format!("{name} is no instrument"))
}

/// Reads and checks a run. Returns its log, and the number of loops in it.
fn run(dir: &Path, instrument: &Instrument) -> Result<(Log, usize), String> {
    let checked = || {
        let log = Log::parse(&read(&dir.join("output"))?)?;
        log.check_ends()?;
        if instrument.counts_instructions {
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
        no_points: None,
        sizes: Vec::new(),
    };
    let mut loops = 0;
    for dir in dirs.iter().map(|dir| Path::new(*dir)) {
        let no_points = name(dir) == NO_POINTS;
        let instrument = instrument(if no_points { ICOUNT } else { name(dir) })?;
        let (log, found) = run(dir, instrument)?;
        loops += found;
        if no_points {
            all.no_points = Some(log);
            continue;
        }
        if instrument.name == ICOUNT {
            write(&docs.join("results.tsv"), &Record::new(&log).text())?;
            let bytes = |path: &str| Some(fs::metadata(path).ok()?.len());
            all.sizes = sizes::parse(&read(&dir.join("sizes"))?, bytes);
        }
        all.runs.push(Run { instrument, log });
    }
    let document = document::document(&all, &host_cpu());
    write(&docs.join("results.md"), &document)?;
    write(&docs.join("results.svg"), &plot::draw(&all))?;
    let sections = document
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
    let (log, _) = run(dir, instrument(ICOUNT)?)?;
    Ok(Record::new(&log).text())
}

/// Compares a run with a record. Returns the KTAP, and whether the run has passed.
fn guard(recorded: &Path, dir: &Path) -> Result<(String, bool), String> {
    let recorded = Record::parse(&read(recorded)?)?;
    let (log, _) = run(dir, instrument(ICOUNT)?)?;
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

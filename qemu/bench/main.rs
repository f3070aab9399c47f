// Makes a table of what the bench has measured, and docs/results.md.
//
// Usage: d2d-bench RESULTS QEMU DIR...
//
// Each DIR is an instrument, known by its last part: icount, uml, kvm. It holds the kernel's log
// of the run (output), in which the modules say what they have measured, and the modules as objdump
// shows them (disassembly). QEMU is its version. RESULTS is written if everything that is
// checked is right: the clock, and that the loops do what they are to do.

mod disassembly;
mod log;
mod table;

use disassembly::Disassembly;
use log::Log;
use std::fs;
use std::path::Path;
use std::process::ExitCode;
use table::{Instrument, INSTRUMENTS};

/// A run of the bench by one instrument
struct Run {
    instrument: &'static Instrument,
    log: Log,
}

fn read(path: &Path) -> Result<String, String> {
    let bytes = fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The model of the CPU that all of it runs on
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

/// Reads a run, and checks it
fn run(dir: &Path) -> Result<Run, String> {
    let name = dir.file_name().unwrap_or_default();
    let instrument = INSTRUMENTS
        .iter()
        .find(|instrument| name == instrument.name)
        .ok_or_else(|| format!("{} is no instrument", dir.display()))?;
    let log = Log::parse(&read(&dir.join("output"))?)?;
    log.check_ends()?;
    if instrument.counts_instructions {
        log.check_instructions()?;
    }
    let disassembly = read(&dir.join("disassembly"))?;
    let disassembly = Disassembly::parse(&disassembly);
    for contender in &log.contenders {
        disassembly.check(&contender.name, &contender.calls)?;
    }
    Ok(Run { instrument, log })
}

fn bench(results: &str, qemu: &str, dirs: &[String]) -> Result<String, String> {
    let runs = dirs
        .iter()
        .map(|dir| run(Path::new(dir)).map_err(|why| format!("{dir}: {why}")))
        .collect::<Result<Vec<_>, _>>()?;
    let table = table::table(&runs)?;
    let document = table::document(&runs, &table, qemu, &host_cpu());
    fs::write(results, document).map_err(|error| format!("{results}: {error}"))?;
    let loops = runs.iter().map(|run| run.log.contenders.len());
    let mut said = table;
    said += &format!(
        "\nThe clock is right, and {} loops are in the code and call what they are to call.\n",
        loops.sum::<usize>()
    );
    Ok(said)
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [results, qemu, dirs @ ..] = args.as_slice() else {
        eprintln!("usage: d2d-bench RESULTS QEMU DIR...");
        return ExitCode::from(2);
    };
    match bench(results, qemu, dirs) {
        Ok(said) => {
            print!("{said}");
            ExitCode::SUCCESS
        }
        Err(why) => {
            println!("FAIL: {why}");
            ExitCode::FAILURE
        }
    }
}

// SPDX-License-Identifier: GPL-2.0

//! Reads one trace in each format. `formats/dmesg-plain.log` is the correct reading of all files of `formats/`.

use d2d_trace::line::Line;
use d2d_trace::log;
use std::fs;
use std::path::Path;

/// The steps of a log: `seq driver step detail`, its time, CPU and task, and the log's faults.
type Steps = Vec<(String, Option<u64>, Option<u32>, Option<String>)>;

fn steps(bytes: &[u8]) -> (Steps, log::Counts) {
    let mut steps = Vec::new();
    let counts = log::read(bytes, |line: Line<'_>| {
        let Line {
            seq,
            load,
            driver,
            context,
            step,
            detail,
            ..
        } = line;
        let text = format!("{seq} {load:?} {driver} {context:?} {step} {detail}");
        steps.push((
            text,
            line.time,
            line.cpu,
            line.task.map(|task| task.to_string()),
        ));
        Ok(())
    });
    (steps, counts.expect("memory can be read"))
}

fn file(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/formats")
        .join(name);
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// How the times of a log relate to those of dmesg.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Times {
    Same,
    /// Another beginning
    Shifted,
    /// None; a remark says so
    Unknown,
}

const FORMATS: [(&str, Times, bool, &str); 16] = [
    ("console-80-columns-then-word", Times::Same, false, ""),
    ("dmesg-T", Times::Unknown, false, ""),
    ("dmesg-json", Times::Same, false, ""),
    ("dmesg-plain", Times::Same, false, ""),
    ("ftrace-counter-clock", Times::Unknown, true, "insmod-101"),
    ("ftrace-printk-console", Times::Same, true, "insmod-101"),
    ("ftrace-task-named-d2d", Times::Same, true, "d2d_worker-101"),
    ("ftrace-tgid", Times::Same, true, "insmod-101"),
    ("journal-export-80-columns", Times::Same, false, ""),
    ("journal-json", Times::Same, false, ""),
    ("journal-short-precise", Times::Shifted, false, ""),
    ("netconsole-ncfrag", Times::Same, false, ""),
    ("perf-script-nocpu", Times::Same, false, "insmod-101"),
    ("perf-trace", Times::Shifted, false, "insmod-101"),
    ("printk-caller-console", Times::Same, false, "T101"),
    ("tracecmd-report-latency", Times::Same, true, "insmod-101"),
];

/// Compares a log with the plain one.
fn check(name: &str, log: &[u8], (times, cpus, task): (Times, bool, &str)) {
    let (plain, _) = steps(&file("dmesg-plain.log"));
    let (read, counts) = steps(log);
    let texts = |steps: &Steps| -> Vec<String> {
        // Two lines of the export are as long as a console is wide.
        steps
            .iter()
            .map(|step| step.0.trim_end_matches('_').into())
            .collect()
    };
    assert_eq!(texts(&read), texts(&plain), "{name}");
    assert_eq!(
        (counts.damaged, counts.joined, counts.unknown),
        (0, 0, 0),
        "{name}"
    );
    let unknown = if times == Times::Unknown { 11 } else { 0 };
    assert_eq!(counts.untimed, unknown, "{name}");
    for (number, (read, plain)) in read.iter().zip(&plain).enumerate() {
        let since = |step: &(String, Option<u64>, Option<u32>, Option<String>), first: u64| {
            step.1.map(|time| time - first)
        };
        match times {
            Times::Same => assert_eq!(read.1, plain.1, "{name}: {}", read.0),
            Times::Shifted => {
                let first = steps(log).0[0].1.expect("a time");
                assert_eq!(
                    since(read, first),
                    since(plain, 7_790_422_000),
                    "{name}: {}",
                    read.0
                );
            }
            Times::Unknown => assert_eq!(read.1, None, "{name}"),
        }
        assert_eq!(
            read.2,
            cpus.then_some(number as u32 % 2),
            "{name}: {}",
            read.0
        );
        let task = match (task, number) {
            ("", _) => None,
            ("T101", 9..) => Some("T102"),
            (task, _) => Some(task),
        };
        assert_eq!(read.3.as_deref(), task, "{name}: {}", read.0);
    }
}

#[test]
fn each_format_has_the_same_steps() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/formats");
    assert_eq!(
        fs::read_dir(folder).expect("a folder").count(),
        FORMATS.len()
    );
    for (name, times, cpus, task) in FORMATS {
        check(name, &file(&format!("{name}.log")), (times, cpus, task));
    }
}

#[test]
fn lines_may_end_as_those_of_windows_and_the_last_may_have_no_end() {
    for (name, times, cpus, task) in FORMATS {
        let text = String::from_utf8(file(&format!("{name}.log"))).expect("text");
        check(
            name,
            text.replace('\n', "\r\n").as_bytes(),
            (times, cpus, task),
        );
        check(name, text.trim_end().as_bytes(), (times, cpus, task));
    }
}

#[test]
fn a_log_that_ends_anywhere_has_no_wrong_step_but_the_last() {
    for (name, ..) in FORMATS {
        let log = file(&format!("{name}.log"));
        let (whole, _) = steps(&log);
        for end in 0..log.len() {
            let (read, _) = steps(&log[..end]);
            let sure = read.len().saturating_sub(1);
            assert_eq!(read[..sure], whole[..sure], "{name}, {end} bytes");
        }
    }
}

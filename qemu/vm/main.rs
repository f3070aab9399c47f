// SPDX-License-Identifier: GPL-2.0

// Boots a virtual machine, follows it, and judges the run.
//
// Usage: d2d-vm [--uml | --icount | --arm64] MODE KERNEL INITRAMFS DIR [APPEND]
//        d2d-vm --has-kvm (exits with 0 if KVM can run a guest on this host)
//
// MODE names a script of qemu/guest/, and determines what d2d-vm prints besides the reasons of a failure:
//   run            the trace
//   test, torture  the KTAP as it comes, and the counts
//   cache-lines    the KTAP, if the run has failed
// In the mode shell, the user has the console, and d2d-vm does not judge the run.
// Without an option, QEMU boots KERNEL. The options:
//   --icount  QEMU emulates one CPU, whose clock counts instructions
//   --arm64   QEMU emulates a machine of arm64
//   --uml     d2d-vm runs KERNEL, a User-Mode Linux program
// The guest writes these files to DIR: console.log, output (the kernel's log), ktap, result. APPEND goes to the
// kernel's command line.
//
// Environment:
//   D2D_TIMEOUT  seconds after boot at which the machine is killed
//   D2D_EXPECT   "NAME=VALUE ...": fields of the result line whose expected values are not those of the stock kernel;
//                NAME=any accepts every value
//   D2D_STOP_ON  a regular expression: when a failed test matches it, d2d-vm ends the machine (stop.rs)
//   D2D_LOGS     the path at which the user will find DIR after the run
//   D2D_GDB      the machine waits for a debugger at the socket DIR/gdb
//   D2D_PLUGIN   QEMU runs this plugin, which writes its KTAP to DIR/ktap

mod ktap;
#[allow(dead_code, reason = "the trace tool uses the rest")]
#[path = "../../trace/src/line.rs"]
mod line;
mod machine;
mod splat;
mod stop;
mod threads;
mod trace;
mod verdict;

use machine::{Ended, Machine, Platform};
use std::process::ExitCode;
use std::time::Duration;
use verdict::{Evidence, Expected};

/// The result line of guest/init on the stock kernel. The taint is that of out-of-tree, unsigned modules.
const FIELDS: &str = "rc=0 taint=12288 modules=0 debug_locks=none leaks=none";

/// User-Mode Linux has no module signatures.
const FIELDS_UML: &str = "taint=4096";

/// The taint that test modules add
const TAINT_TEST: u64 = 1 << 18;

/// The modes in which a run may pass without a result in its KTAP
const WITHOUT_KTAP: [&str; 5] = ["run", "shell", "bench", "install", "rust-headers"];

fn needs_ktap(mode: &str) -> bool {
    !WITHOUT_KTAP.contains(&mode)
}

fn number(name: &str, default: u64) -> u64 {
    match std::env::var(name) {
        Err(_) => default,
        Ok(text) => text
            .parse()
            .unwrap_or_else(|_| panic!("{name}={text}: not a number")),
    }
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if args == ["--has-kvm"] {
        return ExitCode::from(u8::from(!machine::kvm_works()));
    }
    let (platform, args) = match args.as_slice() {
        [first, args @ ..] if first == "--uml" => (Platform::Uml, args),
        [first, args @ ..] if first == "--icount" => (Platform::Counting, args),
        [first, args @ ..] if first == "--arm64" => (Platform::Arm64, args),
        args => (Platform::Qemu, args),
    };
    let [mode, kernel, initramfs, dir, append @ ..] = args else {
        eprintln!("usage: d2d-vm [--uml | --icount | --arm64] MODE KERNEL INITRAMFS DIR [APPEND]");
        return ExitCode::from(2);
    };
    let append = append.join(" ");
    let mut machine = Machine::new(platform, mode, kernel, initramfs, dir, &append);
    let debugged = std::env::var("D2D_GDB").is_ok_and(|gdb| !gdb.is_empty());
    if debugged {
        machine.wait_for_debugger();
    }
    if mode == "shell" {
        return machine.interact();
    }
    match std::env::var("D2D_STOP_ON") {
        Ok(reason) if !reason.is_empty() => machine.stop_at(&reason),
        _ => {}
    }

    let limit = match mode.as_str() {
        _ if debugged => 24 * 3600,
        "test" => 2400,
        _ => 90,
    };
    let ended = machine.follow(Duration::from_secs(number("D2D_TIMEOUT", limit)));
    if let Ended::Stopped(test) = &ended {
        // The KTAP may end in the middle of a line.
        println!("\nFAIL: test: {test}");
        return ExitCode::FAILURE;
    }
    let prints_ktap = mode == "test" || mode == "torture";
    let mut expected = Expected::new(&machine.nonce, FIELDS, needs_ktap(mode));
    expected.log_may_wrap = mode == "torture";
    if platform == Platform::Uml {
        expected.set(FIELDS_UML);
    }
    expected.set(&std::env::var("D2D_EXPECT").unwrap_or_default());
    if !matches!(mode.as_str(), "run" | "torture" | "bench") {
        expected.add("taint", TAINT_TEST);
    }
    let evidence = Evidence {
        console: machine.read("console.log"),
        dmesg: machine.read("output"),
        ktap: machine.read("ktap"),
        result: machine.read("result"),
        ended,
    };
    let verdict = verdict::judge(&expected, &evidence);

    if mode == "run" {
        print!("{}", trace::from_dmesg(&evidence.dmesg));
    }
    // If a step of the demonstration fails, the guest still writes its result, and the trace explains the failure.
    let trace_explains = mode == "run" && !evidence.result.is_empty();
    let console_helps = !verdict.only_bailed_out && !trace_explains;
    if (mode == "run" || prints_ktap) && !verdict.passed() && console_helps {
        for line in splat::excerpt(&evidence.console) {
            println!("# console: {line}");
        }
        if let Ok(logs) = std::env::var("D2D_LOGS") {
            println!("# the whole console log: {logs}/console.log");
        }
    }
    if mode == "cache-lines" && !verdict.passed() {
        print!("{}", evidence.ktap);
    }
    for reason in &verdict.reasons {
        println!("FAIL: {reason}");
    }
    match mode.as_str() {
        "test" | "torture" => println!("# {}\n{}", machine.summary(), verdict.tally),
        "run" if verdict.passed() => println!("run: passed, {}", machine.summary()),
        _ => {}
    }
    ExitCode::from(u8::from(!verdict.passed()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns a script's mode, and whether the script writes KTAP.
    fn mode(script: &str) -> Option<(&str, bool)> {
        let mut lines = script.lines();
        let (name, _) = lines.find_map(|line| line.strip_prefix("# Mode ")?.split_once(": "))?;
        let writes = |line: &str| !line.starts_with('#') && line.contains(">\"$KTAP\"");
        Some((name, lines.any(writes)))
    }

    #[test]
    fn each_mode_that_writes_ktap_needs_ktap() {
        let scripts = std::path::Path::new(file!()).with_file_name("../guest");
        let mut without = Vec::new();
        for script in std::fs::read_dir(scripts).unwrap() {
            let script = std::fs::read_to_string(script.unwrap().path()).unwrap();
            if let Some((name, writes_ktap)) = mode(&script) {
                assert_eq!(needs_ktap(name), writes_ktap, "mode {name}");
                without.extend((!writes_ktap).then(|| name.to_owned()));
            }
        }
        without.sort_unstable();
        let mut expected = WITHOUT_KTAP;
        expected.sort_unstable();
        assert_eq!(without, expected);
    }
}

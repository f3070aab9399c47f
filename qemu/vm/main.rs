// Boots a virtual machine, follows it, and judges the run.
//
// Usage: d2d-vm [--uml] MODE KERNEL INITRAMFS DIR [APPEND]
//
// MODE is run (prints the trace), test and torture (print the KTAP as it comes, and the counts
// last), shell (interactive), or harness (as test, but prints the reasons of a failure only).
// With --uml, KERNEL is a User-Mode Linux program; else QEMU boots it.
// DIR gets what the guest says: console.log, output, ktap, result. APPEND goes to the
// kernel's command line. D2D_TIMEOUT (seconds after boot) and D2D_TAINT override the defaults,
// D2D_LOGS is the name under which DIR will be found later.

mod ktap;
mod machine;
mod splat;
mod trace;
mod verdict;

use machine::{Machine, Platform};
use std::process::ExitCode;
use std::time::Duration;
use verdict::{Evidence, Expected};

/// What loading the modules leaves, and nothing else: they are out of tree, and of a kernel that
/// knows signatures also unsigned
fn taint(platform: Platform) -> u64 {
    match platform {
        Platform::Qemu => (1 << 12) | (1 << 13),
        Platform::Uml => 1 << 12,
    }
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
    let (platform, args) = match args.as_slice() {
        [first, args @ ..] if first == "--uml" => (Platform::Uml, args),
        args => (Platform::Qemu, args),
    };
    let [mode, kernel, initramfs, dir, append @ ..] = args else {
        eprintln!("usage: d2d-vm [--uml] MODE KERNEL INITRAMFS DIR [APPEND]");
        return ExitCode::from(2);
    };
    let append = append.join(" ");
    let mut machine = Machine::new(platform, mode, kernel, initramfs, dir, &append);
    if mode == "shell" {
        return machine.interact();
    }

    let limit = if mode == "test" { 900 } else { 90 };
    let ended = machine.follow(Duration::from_secs(number("D2D_TIMEOUT", limit)));
    let expected = Expected {
        nonce: machine.nonce.clone(),
        taint: number("D2D_TAINT", taint(platform)),
        ktap: mode != "run",
    };
    let evidence = Evidence {
        console: machine.read("console.log"),
        ktap: machine.read("ktap"),
        result: machine.read("result"),
        ended,
    };
    let verdict = verdict::judge(&expected, &evidence);

    if mode == "run" {
        print!("{}", trace::from_dmesg(&machine.read("output")));
    }
    if mode != "harness" && !verdict.passed() {
        let console = evidence.console.lines().rev().take(30).collect::<Vec<_>>();
        for line in console.iter().rev() {
            println!("# console: {line}");
        }
        if let Ok(logs) = std::env::var("D2D_LOGS") {
            println!("# the whole: {logs}/console.log");
        }
    }
    for reason in &verdict.reasons {
        println!("FAIL: {reason}");
    }
    match mode.as_str() {
        "test" | "torture" => println!("{}", verdict.tally),
        "run" if verdict.passed() => println!("run: passed, {}", machine.summary()),
        _ => {}
    }
    ExitCode::from(u8::from(!verdict.passed()))
}

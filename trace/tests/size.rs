// SPDX-License-Identifier: GPL-2.0

//! Tests that memory stays bounded for logs of any size. This command measures the speed as well:
//! `cargo test --release --test size -- --ignored --nocapture`.

use std::io::Write;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

/// How much memory the program may use, in KiB. The form with the most steps in memory is JSON, with 50,000.
const LIMIT: u64 = 96 << 10;

/// An endless log: lines of other programs, calls, requests and queues; some steps are lost or swapped
struct Log {
    seq: u64,
    text: Vec<u8>,
}

impl Log {
    /// The next part.
    fn next(&mut self) -> std::io::Result<&[u8]> {
        self.text.clear();
        while self.text.len() < 1 << 16 {
            self.seq += 4;
            let (seq, micro) = (self.seq, self.seq * 10);
            let head = |seq| {
                let (s, us) = (micro / 1_000_000, micro % 1_000_000);
                format!("[{s:5}.{us:06}] module_a: d2d: seq={seq} load=9 in=task")
            };
            let to = &mut self.text;
            writeln!(to, "{} step=op-call to=peer op=drain", head(seq))?;
            if seq % 4000 != 0 {
                writeln!(
                    to,
                    "{} step=op-return from=peer op=drain status=0",
                    head(seq + 2)
                )?;
            }
            writeln!(to, "{} step=enqueue queue=to_peer n=1", head(seq + 1))?;
            writeln!(
                to,
                "{} step=build-request req=r{seq} code=0x00222004",
                head(seq + 3)
            )?;
            writeln!(to, "[{:5}.0] usb 1-1: new device", micro / 1_000_000)?;
        }
        Ok(&self.text)
    }
}

fn start(form: &str) -> Child {
    Command::new(env!("CARGO_BIN_EXE_d2d-trace"))
        .arg(form)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts")
}

/// Lets the program read `bytes` bytes. Returns the most memory that the program used, in KiB.
fn stream(form: &str, mut next: impl FnMut() -> Vec<u8>, bytes: usize) -> u64 {
    let mut child = start(form);
    let mut input = child.stdin.take().expect("a pipe");
    let mut written = 0;
    while written < bytes {
        let text = next();
        input.write_all(&text).expect("it reads on");
        written += text.len();
    }
    let most = most_used(child.id());
    drop(input);
    child.wait().expect("it ends");
    most
}

/// The most memory that a process has used so far, in KiB.
fn most_used(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("it runs");
    let most = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let most = most.and_then(|most| most.split_whitespace().next());
    most.expect("a line").parse().expect("a number")
}

fn log() -> impl FnMut() -> Vec<u8> {
    let mut log = Log {
        seq: 0,
        text: Vec::new(),
    };
    move || log.next().expect("memory takes it").to_vec()
}

#[test]
fn memory_is_bounded_for_a_log_of_100_mb() {
    for form in ["text", "mermaid", "json", "html", "perfetto"] {
        let most = stream(form, log(), 100 << 20);
        assert!(most < LIMIT, "{form}: {most} KiB");
    }
}

#[test]
fn memory_is_bounded_for_junk_without_lines() {
    let most = stream("text", || vec![b'd'; 1 << 16], 50 << 20);
    assert!(most < LIMIT, "{most} KiB");
}

#[test]
fn memory_is_bounded_when_each_step_is_another_load_with_a_long_line() {
    let mut load = 0;
    let next = || {
        load += 1;
        let tail = "x".repeat(4000);
        format!("a: d2d: seq={load} load={load} in=task step=load name={tail}\n").into_bytes()
    };
    let most = stream("text", next, 50 << 20);
    assert!(most < LIMIT, "{most} KiB");
}

#[test]
#[ignore = "measures the speed, which takes a while"]
fn speed_for_a_log_of_1_gb() {
    for form in ["text", "mermaid", "json", "html", "perfetto"] {
        let begin = Instant::now();
        let most = stream(form, log(), 1 << 30);
        let took = begin.elapsed().as_secs_f64();
        println!(
            "{form}: {:.0} MB/s, at most {most} KiB",
            (1u64 << 30) as f64 / 1e6 / took
        );
    }
}

// SPDX-License-Identifier: GPL-2.0

//! Drives the fuzzer of the C functions (`fuzz/fuzz.h`). For each of its modules, a thread loads the module, lets it
//! make random calls of the owner, and unloads it. At the end, nothing may be left in the owner's state.

use super::{describe, load, unload, Outcome, Random, NONBLOCK};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

const OWNER: &str = "module_a";
const MODULES: [&str; 2] = ["fuzz0", "fuzz1"];
const STATE: &str = "/sys/kernel/debug/d2d-module_a/state";
/// Time limit of a handshake, in milliseconds.
const TIMEOUT: u32 = 60;

/// For each function, the counts of its results and of the origins of its handles.
#[derive(Default)]
pub struct Counts(BTreeMap<String, u64>);

impl Counts {
    /// Adds lines of "FUNCTION KEY:COUNT...". A key is a result, or the origin of a handle. If it ends in "!", it is
    /// required: its sum must not be 0 at the end.
    fn add_report(&mut self, report: &str) {
        for line in report.lines() {
            let mut words = line.split(' ');
            let name = words.next().unwrap_or_default();
            for (key, count) in words.filter_map(|word| word.split_once(':')) {
                let count: u64 = count.parse().unwrap_or(0);
                *self.0.entry(format!("{name} {key}")).or_default() += count;
            }
        }
    }

    pub fn add(&mut self, other: &Self) {
        for (key, count) in &other.0 {
            *self.0.entry(key.clone()).or_default() += count;
        }
    }

    pub fn calls(&self) -> u64 {
        let is_result = |key: &str| {
            let key = key
                .split_once(' ')
                .map(|(_, key)| key.trim_end_matches('!'));
            key.is_some_and(|key| key.parse::<i32>().is_ok())
        };
        let results = self.0.iter().filter(|(key, _)| is_result(key));
        results.map(|(_, count)| count).sum()
    }

    /// Returns the required keys whose count is 0. Without `limits`, leaves out errnos, which are negative.
    fn missing(&self, limits: bool) -> Vec<&str> {
        let missing = self.0.iter().filter(|(_, count)| **count == 0);
        missing
            .filter_map(|(key, _)| key.strip_suffix('!'))
            .filter(|key| limits || !key.contains(" -"))
            .collect()
    }

    pub fn lines(&self) -> Vec<String> {
        let mut lines: Vec<String> = Vec::new();
        for (key, count) in &self.0 {
            let (name, key) = key.split_once(' ').unwrap_or((key, ""));
            let key = key.trim_end_matches('!');
            match lines
                .last_mut()
                .filter(|line| line.starts_with(&format!("{name} ")))
            {
                Some(line) => {
                    let _ = write!(line, " {key}:{count}");
                }
                None => lines.push(format!("{name} {key}:{count}")),
            }
        }
        lines
    }
}

/// Loads a module, lets it play, and unloads it, again and again. About one time in six, the module also makes the play
/// number `limit` of `fuzz_play_limits()`. If `at_once` is set, it always does so the first time.
fn load_play_unload(
    name: &str,
    seed: u64,
    limit: u32,
    at_once: bool,
    deadline: Instant,
) -> Outcome<Counts> {
    let dir = format!("/sys/kernel/debug/d2d-{name}");
    let mut random = Random(seed);
    let mut counts = Counts::default();
    while Instant::now() < deadline {
        let (seed, ms) = (random.below(u64::MAX), 200 + random.below(1000));
        let left = deadline
            .saturating_duration_since(Instant::now())
            .as_millis() as u64;
        let limits = match (at_once && counts.0.is_empty()) || random.below(6) == 0 {
            true => format!(" limits={limit}"),
            false => String::new(),
        };
        let forget = ["", " forget"][random.below(2) as usize];
        load(name, "")?;
        let command = format!("{seed} {}{limits}{forget}", ms.min(left + 100));
        let played = fs::write(format!("{dir}/run"), &command);
        counts.add_report(&fs::read_to_string(format!("{dir}/coverage")).unwrap_or_default());
        if let Err(error) = played {
            let report = fs::read_to_string(format!("{dir}/report")).unwrap_or_default();
            unload(name).ok();
            let report = report.trim_end().replace('\n', &format!("\n# {name}: "));
            return Err(format!(
                "{name}: run {command}: {error}\n# {name}: {report}"
            ));
        }
        unload(name)?;
    }
    Ok(counts)
}

fn check_state() -> Outcome<()> {
    let read = |name: &str| describe(fs::read_to_string(format!("{STATE}/{name}")), name);
    let field = |line: &str, name: &str| {
        let found = line.split(' ').find_map(|word| word.strip_prefix(name));
        found.and_then(|value| value.strip_prefix('=')?.parse::<u64>().ok())
    };
    let mut left: Vec<String> = read("requests")?.lines().map(str::to_owned).collect();
    let events = read("events")?;
    left.extend(
        events
            .lines()
            .filter(|line| !line.starts_with("name=module_a."))
            .map(str::to_owned),
    );
    let contexts = read("contexts")?;
    left.extend(
        contexts
            .lines()
            .filter(|line| !line.contains(" state=free "))
            .map(str::to_owned),
    );
    let queues = read("queues")?;
    let is_wrong = |line: &&str| {
        let taken = field(line, "taken").zip(field(line, "depth"));
        field(line, "put") != taken.map(|(taken, depth)| taken + depth)
    };
    left.extend(queues.lines().filter(is_wrong).map(str::to_owned));
    match left.first() {
        None => Ok(()),
        Some(first) => Err(format!(
            "violation=left-after-all-drivers count={} first: {first}",
            left.len()
        )),
    }
}

/// The refusals in the kernel log by reason, and how often the kernel overwrote unread records.
#[derive(Default)]
pub struct Log {
    refusals: BTreeMap<String, u64>,
    lost: u64,
}

impl Log {
    /// Reads the kernel log until `over`. If `$D2D_LOG` names a file, appends each line to it that is no line of the
    /// trace: the kernel may overwrite the line before the run ends.
    fn follow(over: &AtomicBool) -> io::Result<Self> {
        let mut kmsg = OpenOptions::new()
            .read(true)
            .custom_flags(NONBLOCK)
            .open("/dev/kmsg")?;
        kmsg.seek(SeekFrom::End(0))?;
        let mut kept = match std::env::var("D2D_LOG") {
            Ok(path) => Some(OpenOptions::new().append(true).open(path)?),
            Err(_) => None,
        };
        let mut log = Self::default();
        let mut record = [0; 8192];
        loop {
            let length = match kmsg.read(&mut record) {
                Ok(length) => length,
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                    log.lost += 1;
                    continue;
                }
                Err(_) if over.load(Relaxed) => return Ok(log),
                Err(_) => {
                    thread::sleep(Duration::from_millis(1));
                    continue;
                }
            };
            log.note(&String::from_utf8_lossy(&record[..length]), &mut kept)?;
        }
    }

    fn note(&mut self, record: &str, kept: &mut Option<File>) -> io::Result<()> {
        let line = record.lines().next().unwrap_or_default();
        let text = line.split_once(';').map_or(line, |(_, text)| text);
        if let Some((_, refusal)) = text.split_once(" step=refuse reason=") {
            let reason = refusal.split(' ').next().unwrap_or_default();
            *self.refusals.entry(reason.to_owned()).or_default() += 1;
        } else if let Some(kept) = kept.as_mut().filter(|_| !text.contains(": d2d: ")) {
            writeln!(kept, "{text}")?;
        }
        Ok(())
    }

    pub fn add(&mut self, other: &Self) {
        self.lost += other.lost;
        for (reason, count) in &other.refusals {
            *self.refusals.entry(reason.clone()).or_default() += count;
        }
    }
}

impl std::fmt::Display for Log {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "refusals={} log-lost={}",
            self.refusals.values().sum::<u64>(),
            self.lost
        )?;
        self.refusals
            .iter()
            .try_for_each(|(reason, count)| write!(f, " {reason}={count}"))
    }
}

/// Keeps refusals off the console, and lets allocations that may sleep fail, too.
fn prepare() {
    for (path, value) in [
        ("/proc/sys/kernel/printk", "4"),
        ("/sys/kernel/debug/failslab/ignore-gfp-wait", "N"),
        ("/sys/kernel/debug/failslab/verbose", "0"),
        ("/sys/kernel/debug/fail_page_alloc/verbose", "0"),
    ] {
        fs::write(path, value).ok();
    }
}

/// Plays a round with a new owner. All random decisions follow from the seed. With `limits`, each module makes a play
/// of `fuzz_play_limits()`.
pub fn round(seed: u32, time: Duration, limits: bool) -> Outcome<(Counts, Log)> {
    prepare();
    let completion = seed % 3;
    load(
        OWNER,
        &format!("contexts=3 capacity=8 completion={completion} timeout={TIMEOUT}"),
    )?;
    let deadline = Instant::now() + time;
    let over = AtomicBool::new(false);
    let (played, log) = thread::scope(|scope| {
        let log = scope.spawn(|| Log::follow(&over));
        let threads: Vec<_> = (0..)
            .zip(MODULES)
            .map(|(n, name)| {
                // Three rounds in a row have consecutive seeds, so they make all six plays.
                let limit = seed % 3 * 2 + n;
                let seed = (u64::from(seed) << 8) | u64::from(n);
                scope.spawn(move || load_play_unload(name, seed, limit, limits, deadline))
            })
            .collect();
        let joined = threads.into_iter().map(|thread| thread.join());
        let played: Vec<_> = joined
            .map(|result| result.unwrap_or_else(|_| Err("a thread of the fuzzer panicked".into())))
            .collect();
        over.store(true, Relaxed);
        let log = log
            .join()
            .map_err(|_| "the reader of the kernel log panicked".to_owned());
        (played, log)
    });
    let log = describe(log?, "/dev/kmsg")?;
    let mut counts = Counts::default();
    let mut failures = Vec::new();
    for result in played {
        match result {
            Ok(more) => counts.add(&more),
            Err(why) => failures.push(why),
        }
    }
    failures.extend(check_state().err());
    failures.extend(unload(OWNER).err());
    if failures.is_empty() {
        Ok((counts, log))
    } else {
        Err(failures.join("\n# "))
    }
}

/// Judges all rounds together: fails if a required result or origin never occurred.
pub fn judge(counts: &Counts, limits: bool) -> Outcome<()> {
    if counts.0.is_empty() {
        return Err("the modules called no function".into());
    }
    match counts.missing(limits).as_slice() {
        [] => Ok(()),
        missing => Err(format!(
            "no call had these results or handles: {}",
            missing.join(", ")
        )),
    }
}

pub fn unload_all() {
    for name in MODULES.into_iter().chain([OWNER]) {
        super::modules::unload(name).ok();
    }
}

// SPDX-License-Identifier: GPL-2.0

//! Drives the torture: SECONDS of rounds with traffic, then SECONDS of rounds of the fuzzer ([`fuzz`]). Reports in
//! KTAP.
//!
//! Usage: `run_torture [fuzz|fuzz-slow] SECONDS [SEED]`. `fuzz` runs the fuzzer alone. So does `fuzz-slow`, for slow
//! machines, but it does not require the fuzzer to reach the owner's limits. Loads a module from `$D2D_MODULES`,
//! `test_modules`, `..` or `/lib/d2d`. With the same seed, a failure is likely to occur again, but not certain to.

mod fuzz;
#[path = "../../programs/modules.rs"]
mod modules;

use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

const OWNER: &str = "torture_owner";
const PEERS: u32 = 4;
const ITEMS_BEFORE_LOAD: u32 = 40;
// Values of the word ALLOWED: bit n allows the execution context `Place::ALL[n]`.
const EVERYWHERE: u64 = 15;
const CALLER: u64 = 1;
const MAY_SLEEP: u64 = 3;

/// The peers of a round. In each round, two processes also make runs in the owner.
struct Shape {
    name: &'static str,
    /// Peers that stay loaded.
    stay: u32,
    /// Processes that make runs in each of these.
    processes: usize,
    /// Peers that are loaded and unloaded again and again.
    cycle: u32,
}

const SHAPES: [Shape; 3] = [
    Shape {
        name: "many",
        stay: 2,
        processes: 1,
        cycle: 2,
    },
    Shape {
        name: "crowded",
        stay: 1,
        processes: 2,
        cycle: 0,
    },
    Shape {
        name: "revolving",
        stay: 0,
        processes: 0,
        cycle: 1,
    },
];

impl Shape {
    fn contexts(&self) -> u32 {
        self.stay + self.cycle
    }
}

const EXTRA_ROUNDS: u32 = 10;

const NONBLOCK: i32 = 0o4000;

type Outcome<T> = Result<T, String>;

fn peer_name(number: u32) -> String {
    format!("torture_peer{number}")
}

struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let value = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (value ^ (value >> 31)) % limit
    }
}

fn describe<T>(result: io::Result<T>, what: &str) -> Outcome<T> {
    result.map_err(|error| format!("{what}: {error}"))
}

fn load(name: &str, params: &str) -> Outcome<()> {
    let dirs = [std::env::var("D2D_MODULES").unwrap_or_default()]
        .into_iter()
        .chain(["test_modules".into(), "..".into(), "/lib/d2d".into()]);
    let path = dirs
        .map(|dir| format!("{dir}/{name}.ko"))
        .find(|path| Path::new(path).exists())
        .ok_or_else(|| format!("there is no {name}.ko"))?;
    describe(modules::load(&path, params), &format!("load {name}"))
}

fn unload(name: &str) -> Outcome<()> {
    describe(modules::unload(name), &format!("unload {name}"))
}

struct Control {
    module: String,
    file: File,
}

impl Control {
    fn open(module: &str) -> Outcome<Self> {
        let path = format!("/dev/{module}");
        let file = OpenOptions::new().write(true).open(&path);
        Ok(Self {
            module: module.into(),
            file: describe(file, &path)?,
        })
    }

    fn write(&mut self, command: &str) -> Outcome<()> {
        let what = format!("{}: {command}", self.module);
        describe(self.file.write_all(command.as_bytes()), &what)
    }
}

struct Helper {
    number: u32,
    runs: u32,
    seed: u32,
    random: Random,
    deadline: Instant,
}

impl Helper {
    /// Returns the words RUN and SEED of `run`. No other run of the round has this RUN.
    fn next_run(&mut self) -> String {
        self.runs += 1;
        format!("{} {}", (self.number << 24) | self.runs, self.seed)
    }

    fn allowed(&mut self) -> u64 {
        [CALLER, EVERYWHERE][self.random.below(2) as usize]
    }

    fn is_over(&self) -> bool {
        Instant::now() >= self.deadline
    }

    fn run_owner(&mut self, contexts: u64) -> Outcome<()> {
        let mut control = Control::open(OWNER)?;
        while !self.is_over() {
            let chosen = self.random.below(contexts);
            let (run, allowed) = (self.next_run(), self.allowed());
            control.write(&format!("run {chosen} {run} 5000 {allowed}"))?;
        }
        Ok(())
    }

    fn run_peer(&mut self, name: &str) -> Outcome<()> {
        let mut control = Control::open(name)?;
        while !self.is_over() {
            let (run, allowed) = (self.next_run(), self.allowed());
            control.write(&format!("run {run} 5000 {allowed}"))?;
        }
        Ok(())
    }

    fn lead(&mut self) -> Outcome<()> {
        let mut control = Control::open(OWNER)?;
        while !self.is_over() {
            control.write("lead 0 200")?;
        }
        control.write("stop 0")
    }

    /// The word NOW of `race`, which must grow with time; see `RequestTraffic::start`.
    fn now() -> u128 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        since.map_or(0, |since| since.as_millis() % (1 << 30))
    }

    /// The peers of the first `stay` contexts stay loaded.
    fn race_owner(&mut self, contexts: u64, stay: u64) -> Outcome<()> {
        let mut control = Control::open(OWNER)?;
        while !self.is_over() {
            let chosen = self.random.below(contexts);
            let unregisters = u8::from(chosen >= stay);
            let (now, allowed) = (Self::now(), self.allowed());
            control.write(&format!("race {chosen} {now} 50 {allowed} {unregisters} 0"))?;
        }
        Ok(())
    }

    /// Makes races on one side of the first context, while another process does so on the other side.
    fn race_together(&mut self, name: &str) -> Outcome<()> {
        let mut control = Control::open(name)?;
        let (context, unregisters) = if name == OWNER {
            ("0 ", " 0")
        } else {
            ("", "")
        };
        while !self.is_over() {
            let (now, allowed) = (
                Self::now(),
                [CALLER, MAY_SLEEP][self.random.below(2) as usize],
            );
            control.write(&format!("race {context}{now} 100 {allowed}{unregisters} 1"))?;
        }
        Ok(())
    }

    fn race_peer(&mut self, name: &str) -> Outcome<()> {
        let mut control = Control::open(name)?;
        while !self.is_over() {
            let (now, allowed) = (Self::now(), self.allowed());
            control.write(&format!("race {now} 50 {allowed} 0"))?;
        }
        Ok(())
    }

    /// Unloads a peer again and again, at least once, while its requests are on their way. The peer forwards some of
    /// the received requests to the driver `next`, if any.
    fn race_and_unload(&mut self, name: &str, next: Option<&str>) -> Outcome<u64> {
        let mut cycles = 0;
        loop {
            load(name, "")?;
            let mut control = Control::open(name)?;
            if let Some(next) = next {
                control.write(&format!("forward-to {next}"))?;
            }
            if self.random.below(4) == 0 {
                let (now, allowed) = (Self::now(), self.allowed());
                control.write(&format!("race {now} 50 {allowed} 0"))?;
                control.write("settle")?;
            }
            control.write(&format!("uncounted {}", Self::now()))?;
            drop(control);
            unload(name)?;
            cycles += 1;
            if self.is_over() {
                return Ok(cycles);
            }
        }
    }

    fn follow(&mut self, name: &str) -> Outcome<()> {
        Control::open(name)?.write("follow")
    }

    /// Loads and unloads a peer again and again, at least once.
    fn cycle(&mut self, name: &str) -> Outcome<u64> {
        let mut cycles = 0;
        loop {
            load(name, "")?;
            if self.random.below(4) == 0 {
                let (run, allowed) = (self.next_run(), self.allowed());
                Control::open(name)?.write(&format!("run {run} 1000 {allowed}"))?;
            }
            unload(name)?;
            cycles += 1;
            if self.is_over() {
                return Ok(cycles);
            }
        }
    }
}

/// `run_torture helper NUMBER SEED MILLISECONDS owner CONTEXTS|peer NAME|cycle NAME|lead -|follow NAME|race-owner
/// CONTEXTS STAY|race-peer NAME|race-together NAME|race-and-unload NAME [NEXT]`: the main function of a helper
/// process. Prints how often it loaded a peer, or why it failed.
fn work(args: &[String]) -> ExitCode {
    let number = |n: usize| args[n].parse::<u32>().expect("a number");
    let milliseconds = Duration::from_millis(number(2).into());
    let mut helper = Helper {
        number: number(0),
        runs: 0,
        seed: number(1),
        random: Random((u64::from(number(0)) << 32) | u64::from(number(1))),
        deadline: Instant::now() + milliseconds,
    };
    let done = match args[3].as_str() {
        "owner" => helper.run_owner(number(4).into()).map(|()| 0),
        "peer" => helper.run_peer(&args[4]).map(|()| 0),
        "lead" => helper.lead().map(|()| 0),
        "follow" => helper.follow(&args[4]).map(|()| 0),
        "race-owner" => helper
            .race_owner(number(4).into(), number(5).into())
            .map(|()| 0),
        "race-together" => helper.race_together(&args[4]).map(|()| 0),
        "race-peer" => helper.race_peer(&args[4]).map(|()| 0),
        "race-and-unload" => helper.race_and_unload(&args[4], args.get(5).map(String::as_str)),
        _ => helper.cycle(&args[4]),
    };
    match done {
        Ok(cycles) => {
            println!("{cycles}");
            ExitCode::SUCCESS
        }
        Err(why) => {
            println!("{why}");
            ExitCode::FAILURE
        }
    }
}

fn spawn(number: u32, seed: u32, time: Duration, what: &[&str]) -> Outcome<Child> {
    let child = Command::new("/proc/self/exe")
        .arg("helper")
        .args([number.to_string(), seed.to_string()])
        .arg(time.as_millis().to_string())
        .args(what)
        .stdout(Stdio::piped())
        .spawn();
    describe(child, "start a process")
}

fn reap(child: Child) -> Outcome<u64> {
    let output = describe(child.wait_with_output(), "wait for a process")?;
    let printed = String::from_utf8_lossy(&output.stdout);
    let printed = printed.trim();
    match printed.parse() {
        Ok(cycles) if output.status.success() => Ok(cycles),
        _ => Err(format!("{printed} ({})", output.status)),
    }
}

#[derive(Default)]
struct Totals(Vec<(String, u64)>);

impl Totals {
    fn read(kmsg: &mut File) -> Outcome<Self> {
        let mut record = [0; 8192];
        loop {
            // `EPIPE`: the kernel has overwritten the next record.
            let length = match kmsg.read(&mut record) {
                Ok(length) => length,
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => continue,
                Err(_) => return Err("the owner has printed no totals".into()),
            };
            let text = String::from_utf8_lossy(&record[..length]);
            if let Some((_, line)) = text.split_once("torture: put=") {
                let line = line.lines().next().unwrap_or_default();
                return Self::parse(&format!("put={line}"))
                    .ok_or_else(|| format!("cannot parse the owner's totals: {line}"));
            }
        }
    }

    fn parse(line: &str) -> Option<Self> {
        let pair = |word: &str| {
            let (name, value) = word.split_once('=')?;
            Some((name.to_owned(), value.parse().ok()?))
        };
        line.split(' ').map(pair).collect::<Option<_>>().map(Self)
    }

    fn get(&self, name: &str) -> u64 {
        let found = self.0.iter().find(|(other, _)| other == name);
        found.map_or(0, |(_, value)| *value)
    }

    fn add(&mut self, other: &Self) {
        for (name, value) in &other.0 {
            match self.0.iter_mut().find(|(own, _)| own == name) {
                Some((_, sum)) => *sum += value,
                None => self.0.push((name.clone(), *value)),
            }
        }
    }

    /// In the end no item is left, so as many items were taken as put.
    fn operations(&self) -> u64 {
        2 * self.get("put")
            + self.get("calls")
            + self.get("updates")
            + self.event_operations()
            + self.get("sent")
    }

    /// Each wake-up is a set and a wait.
    fn event_operations(&self) -> u64 {
        self.get("sets") + self.get("waits") + 2 * self.get("wakes")
    }
}

impl std::fmt::Display for Totals {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (name, value) in &self.0 {
            write!(f, " {name}={value}")?;
        }
        Ok(())
    }
}

fn check() -> Outcome<Totals> {
    let kmsg = OpenOptions::new()
        .read(true)
        .custom_flags(NONBLOCK)
        .open("/dev/kmsg");
    let mut kmsg = describe(kmsg, "/dev/kmsg")?;
    describe(kmsg.seek(SeekFrom::End(0)), "/dev/kmsg")?;
    let checked = Control::open(OWNER)?.write("check");
    let totals = Totals::read(&mut kmsg);
    checked.map_err(|why| {
        let totals = totals.as_ref().map_or_else(Clone::clone, Totals::to_string);
        format!("{why};{totals}")
    })?;
    totals
}

/// A peer must find, in order, the items that the owner put before the peer was loaded.
fn check_items_put_before_load(first_run: u32, names: &[String]) -> Outcome<()> {
    let mut owner = Control::open(OWNER)?;
    for context in 0..names.len() as u32 {
        owner.write(&format!(
            "fill {context} {} {ITEMS_BEFORE_LOAD}",
            first_run + context
        ))?;
    }
    for name in names {
        load(name, "")?;
        Control::open(name)?.write("drain")?;
    }
    for name in names {
        unload(name)?;
    }
    Ok(())
}

fn run_helpers(commands: &[Vec<&str>], seed: u32, time: Duration) -> Outcome<u64> {
    let started: Vec<_> = (0..)
        .zip(commands)
        .map(|(number, command)| spawn(number, seed, time, command))
        .collect();
    let ended: Vec<_> = started.into_iter().map(|child| reap(child?)).collect();
    ended.into_iter().sum()
}

/// Makes runs, then races, and then races that both sides begin together.
fn traffic(shape: &Shape, names: &[String], seed: u32, time: Duration) -> Outcome<u64> {
    let (staying, cycling) = names.split_at(shape.stay as usize);
    for name in staying {
        load(name, "")?;
    }
    let contexts = shape.contexts().to_string();
    let mut commands = vec![vec!["owner", &contexts]; 2];
    for name in staying {
        commands.extend(vec![vec!["peer", name.as_str()]; shape.processes]);
    }
    if let Some(name) = staying.first() {
        commands.extend([vec!["lead", "-"], vec!["follow", name]]);
    }
    commands.extend(cycling.iter().map(|name| vec!["cycle", name]));
    let mut cycles = run_helpers(&commands, seed, time / 3)?;

    let stay = shape.stay.to_string();
    let next = staying.first().map(String::as_str);
    for name in staying.iter().skip(1) {
        Control::open(name)?.write(&format!("forward-to {}", next.unwrap_or_default()))?;
    }
    let mut commands = vec![vec!["race-owner", &contexts, &stay]];
    commands.extend(staying.iter().map(|name| vec!["race-peer", name]));
    let race_and_unload = |name| ["race-and-unload", name].into_iter().chain(next).collect();
    commands.extend(cycling.iter().map(String::as_str).map(race_and_unload));
    cycles += run_helpers(&commands, seed, time / 3)?;
    if let Some(name) = staying.first() {
        run_helpers(
            &[vec!["race-together", OWNER], vec!["race-together", name]],
            seed,
            time / 3,
        )?;
    }
    Control::open(OWNER)?.write("settle")?;
    for name in staying {
        Control::open(name)?.write("settle")?;
    }
    for name in staying {
        unload(name)?;
    }
    Ok(cycles)
}

fn round(number: u32, seed: u32, time: Duration) -> Outcome<(Totals, u64)> {
    let (shape, completion) = shape_and_completion(number);
    let contexts = shape.contexts();
    let names: Vec<String> = (0..contexts)
        .map(|n| peer_name((number + n) % PEERS))
        .collect();
    load(
        OWNER,
        &format!("contexts={contexts} completion={completion}"),
    )?;
    // No process of the round makes runs with numbers as high as these.
    check_items_put_before_load(u32::MAX - PEERS, &names)?;
    let cycles = traffic(shape, &names, seed, time)?;
    let totals = check()?;
    unload(OWNER)?;
    if totals.operations() == 0 || (cycles == 0 && shape.cycle > 0) {
        return Err("no operation was made, or no peer was loaded".into());
    }
    Ok((totals, cycles))
}

/// Returns the shape of a round, and the owner's parameter `completion`. Nine rounds in a row have all combinations.
fn shape_and_completion(number: u32) -> (&'static Shape, u32) {
    let shape = &SHAPES[number as usize % SHAPES.len()];
    (shape, (number + number / 3) % 3)
}

fn unload_all() {
    for number in 0..PEERS {
        modules::unload(&peer_name(number)).ok();
    }
    modules::unload(OWNER).ok();
}

fn traffic_rounds(rounds: u32, seed: u32, time: Duration) -> u32 {
    let (mut sum, mut cycles, mut failed) = (Totals::default(), 0, 0);
    let start = Instant::now();
    for number in 0..rounds {
        let (shape, completion) = shape_and_completion(number);
        let mut word = "ok";
        match round(number, seed.wrapping_add(number), time) {
            Ok((totals, peers)) => {
                sum.add(&totals);
                cycles += peers;
            }
            Err(why) => {
                println!("# {why}");
                unload_all();
                word = "not ok";
                failed += 1;
            }
        }
        let number = number + 1;
        let name = shape.name;
        println!("{word} {number} round {number}: {name}, completion={completion}");
    }
    let elapsed = start.elapsed().as_secs_f64();
    let operations = sum.operations();
    let events = sum.event_operations();
    let too_late = sum.get("too-late");
    let mut line = format!(
        "operations={operations} set-against-wait={events} complete-against-cancel={too_late} cycles={cycles} seconds={elapsed:.1}"
    );
    let _ = write!(
        line,
        " per-second={:.0} cycles-per-second={:.1}",
        operations as f64 / elapsed,
        cycles as f64 / elapsed
    );
    println!("# totals:{sum}\n# {line}");
    failed
}

/// The numbers in KTAP begin with `after` + 1.
fn fuzz_rounds(rounds: u32, after: u32, seed: u32, time: Duration, limits: bool) -> u32 {
    let (mut counts, mut log, mut failed) = (fuzz::Counts::default(), fuzz::Log::default(), 0);
    for number in 0..rounds {
        let seed = seed.wrapping_add(number);
        let mut play = |seed: u32| {
            let played =
                fuzz::round(seed, time, limits).map_err(|why| format!("seed {seed}: {why}"));
            played.map(|(more, printed)| {
                counts.add(&more);
                log.add(&printed);
                fuzz::judge(&counts, limits)
            })
        };
        let mut done = play(seed);
        if number + 1 < rounds {
            // The counts are sums of all rounds, so the last round judges them.
            done = done.map(|_| Ok(()));
        }
        for extra in 1..=EXTRA_ROUNDS {
            // On a slow machine, the fuzzer may need more rounds for the calls that `judge` requires.
            if let Ok(Err(missing)) = done {
                let seed = seed.wrapping_add(extra);
                println!("# {missing}; one more round, seed {seed}");
                done = play(seed);
            }
        }
        let word = match done.and_then(|judged| judged) {
            Ok(()) => "ok",
            Err(why) => {
                println!("# {why}");
                fuzz::unload_all();
                failed += 1;
                "not ok"
            }
        };
        println!(
            "{word} {} round {} of the fuzzer",
            after + number + 1,
            number + 1
        );
    }
    for line in counts.lines() {
        println!("# {line}");
    }
    println!("# calls={} {log}", counts.calls());
    failed
}

fn main() -> ExitCode {
    let mut args: Vec<String> = std::env::args().skip(1).collect();
    let limits = args.first().is_none_or(|arg| arg != "fuzz-slow");
    let only_fuzz = !limits || args.first().is_some_and(|arg| arg == "fuzz");
    if only_fuzz {
        args.remove(0);
    }
    let (seconds, seed) = match args.as_slice() {
        [helper, args @ ..] if helper == "helper" => return work(args),
        [seconds] => (seconds.parse(), None),
        [seconds, seed] => (seconds.parse(), seed.parse().ok()),
        _ => {
            eprintln!("usage: run_torture [fuzz|fuzz-slow] SECONDS [SEED]");
            return ExitCode::from(2);
        }
    };
    let seconds: u32 = seconds.unwrap_or(0).max(1);
    let seed: u32 = seed.unwrap_or_else(|| {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        now.map_or(0, |since| since.subsec_nanos())
    });
    let of_traffic = match only_fuzz {
        true => 0,
        false => seconds.div_ceil(10).max(seconds.clamp(3, 9)),
    };
    let of_fuzz = seconds.div_ceil(10).max(3);
    let time = Duration::from_secs(seconds.into());

    println!("TAP version 13\n1..{}\n# seed {seed}", of_traffic + of_fuzz);
    let mut failed = 0;
    if of_traffic > 0 {
        failed += traffic_rounds(of_traffic, seed, time / of_traffic);
    }
    failed += fuzz_rounds(of_fuzz, of_traffic, seed, time / of_fuzz, limits);
    ExitCode::from(u8::from(failed > 0))
}

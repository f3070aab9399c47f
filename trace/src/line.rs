// SPDX-License-Identifier: GPL-2.0

//! The reader of trace lines: finds the step in one line of a log.
//!
//! No other file reads trace lines. Three programs include this file as a module, with `clock.rs`: the trace
//! tool, the guest's `trace_check`, and `d2d-vm`, which runs the virtual machines. rustc builds the last two
//! without cargo, so both files use only the standard library.
//!
//! The step looks the same in each log, but what stands before it depends on the program that wrote the log:
//!
//! ```text
//! [    3.866349] module_a: d2d: seq=2 load=3825 in=task step=alloc ctx=c0 bytes=57768
//! <6>[    3.866349] module_a: d2d: ...                                      dmesg -r
//! 6,387,3866349,-;module_a: d2d: ...                                        /dev/kmsg
//! 2061.702:00e4:warn:debugstr:... 00000000:00000001: module_a: d2d: ...     Wine
//! insmod-77 [000] ...1. 3.866349: d2d_alloc: driver=module_a seq=2 ...      ftrace
//!  0)               |  /* d2d_alloc: driver=module_a seq=2 ... */           ftrace's function_graph
//! ```

#[path = "clock.rs"]
mod clock;

use clock::{bracket_time, embedded_time, find_clock, fraction, seconds, wall_clock};
use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;
use std::sync::LazyLock;

/// Stands between the driver's name and its step.
const PREFIX: &str = ": d2d: ";

/// The header that lists the vocabulary: `X(INIT_LOCK, init_lock, "init-lock", none)` is the step `init-lock`.
const HEADER: &str = include_str!("../../shared/include/d2d_step.h");

/// The names of all steps of the vocabulary.
pub fn steps() -> impl Iterator<Item = String> {
    HEADER.lines().filter_map(|line| {
        let step = line.trim().strip_prefix("X(")?;
        Some(step.split('"').nth(1)?.to_owned())
    })
}

/// Says whether this is a step of the vocabulary.
pub fn is_step(name: &str) -> bool {
    static STEPS: LazyLock<HashSet<String>> = LazyLock::new(|| steps().collect());
    STEPS.contains(name)
}

/// A step of the trace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Line<'a> {
    /// The driver that printed it.
    pub driver: &'a str,
    /// The number of the step among those of all drivers since the owner was loaded. 0 for a step that is too
    /// frequent for a line, and only hits a tracepoint.
    pub seq: u64,
    /// Tells one load of the owner from the next. `None` if the line has no `load=`.
    pub load: Option<u64>,
    /// The execution context: `task`, `softirq` or `hardirq`. `None` if the line has no `in=`.
    pub context: Option<&'a str>,
    /// The step; see [`is_step`].
    pub step: &'a str,
    /// The text of the fields that follow; see [`Line::fields`].
    pub detail: &'a str,
    /// The time in nanoseconds, by the log's clock. `None` if the line has no time, only one to the second, or the
    /// value of a counter.
    pub time: Option<u64>,
    /// The CPU, if the line has it.
    pub cpu: Option<u32>,
    /// The task, if the line has it.
    pub task: Option<Task<'a>>,
}

/// A task.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Task<'a> {
    /// Its name. Empty if the line has only its number.
    pub name: &'a str,
    /// Its number. Empty if the line has only its name.
    pub id: &'a str,
}

impl fmt::Display for Task<'_> {
    /// Writes `insmod-77`, or `T77` if the name is not known, as printk does.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.name, self.id) {
            ("", id) => write!(f, "T{id}"),
            (name, "") => f.write_str(name),
            (name, id) => write!(f, "{name}-{id}"),
        }
    }
}

/// Why a line with the prefix of a step is not a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damage {
    /// It has no driver's name.
    Driver,
    /// It has no `seq`, or that is not a number.
    Seq,
    /// Its `load` is not a number.
    Load,
    /// It has no `step`.
    Step,
    /// Its end is missing.
    End,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Driver => "no driver",
            Self::Seq => "seq is missing or not a number",
            Self::Load => "load is not a number",
            Self::Step => "no step",
            Self::End => "its end is missing",
        })
    }
}

impl<'a> Line<'a> {
    /// Parses a line of a log. Returns `None` if another program wrote it.
    ///
    /// The line must have no escape sequences (see [`plain`]) and at most one step (see [`split`]).
    pub fn parse(text: &'a str) -> Option<Result<Self, Damage>> {
        let (prefix, step) = find_prefix(text)?;
        let parsed = match prefix {
            Prefix::Print { head, driver } => {
                let mut line = Self::printed(head);
                line.driver = driver;
                line.parse_step(enclosed(head, step))
            }
            Prefix::Event { head } => Self::event(head).parse_step(enclosed(head, step)),
            Prefix::Typed { head } => Self::perf_trace(head).parse_typed(step),
            Prefix::Call { head } => {
                let step = step.trim_end();
                Self::perf_trace(head).parse_step(step.strip_suffix(')').unwrap_or(step))
            }
        };
        Some(parsed)
    }

    /// Parses what stands before the driver's name of a printed step.
    fn printed(head: &'a str) -> Self {
        // An event whose text is a printed line, such as printk's event `console`
        let mut event = head.trim_end();
        while let Some((before, _)) = event
            .strip_suffix(']')
            .and_then(|head| head.rsplit_once('['))
        {
            event = before.trim_end();
        }
        let comment = event
            .strip_suffix(':')
            .map(|event| &event[..last_word(event)]);
        if let Some(head) = graph(event).or_else(|| graph(comment?)) {
            return Self::graph(head);
        }
        if let Some(head) = perf_print(event) {
            return Self::perf_trace(head);
        }
        if event.ends_with(':') && find_clock(event).is_some() {
            return Self::event(event);
        }
        let mut line = Self {
            time: print_time(head),
            ..Self::default()
        };
        let called = head.split('[').skip(1).find_map(|text| {
            let (text, _) = text.split_once(']')?;
            caller(text.trim())
        });
        let option = kmsg(head).and_then(|record| caller(record.option("caller")?));
        match called.or(option) {
            Some(Caller::Task(task)) => line.task = Some(task),
            Some(Caller::Cpu(cpu)) => line.cpu = Some(cpu),
            None => {}
        }
        line
    }

    /// Parses what ftrace, trace-cmd and perf print before a tracepoint's name:
    ///
    /// ```text
    /// insmod-77     (     77) [000] ...1. 3.866349:     ftrace and trace-cmd; options leave out parts
    /// insmod-77       0...1.    7us+:                   the latency format
    /// insmod 77 0 1 00000001 00000000 [0001f4c2] 7.123ms (+0.001ms):      the same with the option verbose
    /// insmod    77/77    [000]     3.866349:            perf script
    /// ```
    ///
    /// printk may have printed all of it, or only the tracepoint's name behind its own head.
    fn event(whole: &'a str) -> Self {
        if let Some(head) = graph(whole) {
            return Self::graph(head);
        }
        let clock = find_clock(whole);
        let (head, time) = clock.unwrap_or((whole, None));
        let mut line = Self {
            time,
            ..Self::default()
        };
        let mut head = unprinted(head).trim();
        let bracket = head.rsplit_once(" [").and_then(|(task, text)| {
            let (cpu, _) = text.split_once(']')?;
            let is_number = cpu.bytes().all(|byte| byte.is_ascii_hexdigit());
            is_number.then_some((task, cpu))
        });
        if clock.is_none() && bracket.is_none() && is_printed(whole) {
            return Self::printed(whole);
        }
        if let Some((task, cpu)) = bracket {
            head = task.trim_end();
            if cpu.len() < 8 {
                line.cpu = cpu.parse().ok();
            } else {
                // The number of the entry, the preemption count, the flags and the CPU
                let mut words = head.rsplitn(5, ' ');
                line.cpu = words.nth(3).and_then(|cpu| cpu.parse().ok());
                head = words.next().unwrap_or_default().trim_end();
            }
        } else if let Some((task, flags)) = head.rsplit_once(' ') {
            let end = flags.find(|c: char| !c.is_ascii_digit());
            if let Some((cpu, flags)) = end.map(|end| flags.split_at(end)) {
                if !cpu.is_empty() && flags.len() >= 4 && flags.bytes().all(is_flag) {
                    line.cpu = cpu.parse().ok();
                    head = latency_task(task.trim_end());
                }
            }
        }
        // The number of the process
        if let Some((task, _)) = head
            .strip_suffix(')')
            .and_then(|head| head.rsplit_once('('))
        {
            head = task.trim_end();
        }
        line.task = task(head);
        line
    }

    /// Parses what the tracer function_graph prints before a comment, see [`graph`]. Its options choose the columns:
    ///
    /// ```text
    ///     3.866349 |      349 us |   0)  insmod-77    |  d..1. |               |
    /// ```
    fn graph(head: &'a str) -> Self {
        let mut line = Self::default();
        let mut head = column(unprinted(head));
        let flags = &head[last_word(head)..];
        if (4..=6).contains(&flags.len()) && flags.bytes().all(is_flag) {
            head = column(&head[..head.len() - flags.len()]);
        }
        let (before, last) = head.rsplit_once('|').unwrap_or(("", head));
        let name = match last.trim_start().split_once(')') {
            Some((cpu, name)) if cpu.bytes().all(|byte| byte.is_ascii_digit()) => {
                line.cpu = cpu.parse().ok();
                name.trim()
            }
            _ => last.trim(),
        };
        line.task = task(name).filter(|task| !task.name.is_empty() && !task.id.is_empty());
        if line.cpu.is_some() || line.task.is_some() {
            head = column(before);
        }
        if let Some(times) = head.strip_suffix(" us") {
            let start = last_word(times);
            line.time = seconds(&times[start..]).map(|time| time / 1_000_000);
            head = column(&times[..start]);
        }
        line.time = fraction(&head[last_word(head)..]).or(line.time);
        line
    }

    /// Parses what perf trace prints before a tracepoint's name, with the time in milliseconds: `0.458 insmod/77`,
    /// `0.458 (         ): insmod/77`.
    fn perf_trace(head: &'a str) -> Self {
        let head = head.trim();
        let (time, mut rest) = head.split_once(' ').unwrap_or((head, ""));
        if let Some((_, task)) = rest.split_once("): ") {
            rest = task;
        }
        Self {
            time: fraction(time).map(|time| time / 1000),
            task: task(rest.trim()),
            ..Self::default()
        }
    }

    /// Parses `driver: "module_a", seq: 2, step: "alloc", detail: "ctx=c0")`, in any order. perf trace leaves out
    /// numbers that are 0.
    fn parse_typed(mut self, text: &'a str) -> Result<Self, Damage> {
        let mut rest = text;
        loop {
            rest = rest.trim_start_matches([',', ' ']);
            if rest.starts_with(')') {
                break;
            }
            let (key, after) = rest.split_once(':').ok_or(Damage::End)?;
            let after = after.trim_start();
            let (value, next) = match after.strip_prefix('"') {
                Some(quoted) => quoted.split_once('"').ok_or(Damage::End)?,
                None => after.split_at(after.find([',', ')']).ok_or(Damage::End)?),
            };
            match key {
                "driver" => self.driver = value,
                "seq" => self.seq = value.parse().map_err(|_| Damage::Seq)?,
                "load" => self.load = Some(value.parse().map_err(|_| Damage::Load)?),
                "in" => self.context = Some(value),
                "step" => self.step = value,
                "detail" => self.detail = value.trim(),
                _ => {}
            }
            rest = next;
        }
        self.complete()
    }

    /// Checks that the step has a driver and a name.
    fn complete(self) -> Result<Self, Damage> {
        if self.driver.is_empty() {
            return Err(Damage::Driver);
        }
        if self.step.is_empty() {
            return Err(Damage::Step);
        }
        Ok(self)
    }

    /// Parses `seq=2 load=3825 in=task step=alloc ctx=c0`; a tracepoint has `driver=module_a` before it
    fn parse_step(mut self, text: &'a str) -> Result<Self, Damage> {
        let mut rest = text.trim_end_matches(['"', '\r', '\n', ' ', '\0']);
        rest = rest.strip_suffix("\\n").unwrap_or(rest);
        let mut seq = None;
        loop {
            rest = rest.trim_start_matches(' ');
            let word = first_word(rest);
            match pair(word) {
                Some(("driver", driver)) => self.driver = driver,
                Some(("seq", value)) => seq = Some(value.parse().map_err(|_| Damage::Seq)?),
                Some(("load", value)) => self.load = Some(value.parse().map_err(|_| Damage::Load)?),
                Some(("in", context)) => self.context = Some(context),
                Some(("step", step)) => self.step = step,
                _ => break,
            }
            rest = &rest[word.len()..];
            if !self.step.is_empty() {
                break;
            }
        }
        self.detail = rest.trim();
        self.seq = seq.ok_or(Damage::Seq)?;
        self.complete()
    }

    /// The fields after the step, in the order of the line.
    pub fn fields(&self) -> impl Iterator<Item = (&'a str, &'a str)> {
        fields(self.detail)
    }

    /// The value of a field.
    pub fn field(&self, key: &str) -> Option<&'a str> {
        self.fields()
            .find_map(|(name, value)| (name == key).then_some(value))
    }
}

/// The fields in the text of a [`Line::detail`], in the order of the line.
pub fn fields(detail: &str) -> impl Iterator<Item = (&str, &str)> {
    words(detail).filter_map(pair)
}

/// Says whether this line has a step, complete or damaged.
pub fn is_marked(text: &str) -> bool {
    find_prefix(text).is_some()
}

/// The beginning of a line with a step.
enum Prefix<'a> {
    /// `module_a: d2d: `
    Print { head: &'a str, driver: &'a str },
    /// `insmod-77 [000] ...1. 3.866349: d2d_alloc: `
    Event { head: &'a str },
    /// `0.458 insmod/77 d2d:d2d_alloc(driver: `
    Typed { head: &'a str },
    /// `0.458 insmod/77 d2d:d2d_alloc(driver=`, or with a colon instead of the parenthesis
    Call { head: &'a str },
}

/// Finds the prefix. Returns it, and the text behind it.
fn find_prefix(text: &str) -> Option<(Prefix<'_>, &str)> {
    // A tracepoint first: the task before it may have any name.
    if let Some(event) = find_event(text) {
        return Some(event);
    }
    let at = find_print(text)?;
    let (head, driver) = text[..at].split_at(driver_start(text, at));
    Some((Prefix::Print { head, driver }, &text[at + PREFIX.len()..]))
}

/// Finds the name of a tracepoint with a step's fields behind it. A task may have the same name.
fn find_event(text: &str) -> Option<(Prefix<'_>, &str)> {
    const KEYS: [&str; 5] = ["driver", "seq", "load", "in", "step"];
    let other = |c: char| !c.is_ascii_alphanumeric() && c != '_';
    text.match_indices("d2d_").find_map(|(at, _)| {
        let before = &text[..at];
        if !before.is_empty() && !before.ends_with([' ', '\t', ':', ';', '"']) {
            return None;
        }
        let end = before.rfind([' ', '\t', ';', '"']);
        let head = &before[..end.map_or(0, |end| end + 1)];
        let after = text[at..].trim_start_matches(|c| !other(c));
        let step = after.trim_start_matches([':', '(']).trim_start();
        if after.len() == step.len() || after.starts_with(' ') {
            return None;
        }
        let (key, value) = step.split_at(step.find(other)?);
        match value.as_bytes()[0] {
            b'=' if !KEYS.contains(&key) => None,
            b'=' if is_perf_trace(head) => Some((Prefix::Call { head }, step)),
            b'=' => Some((Prefix::Event { head }, step)),
            b':' if after.starts_with('(') => Some((Prefix::Typed { head }, step)),
            _ => None,
        }
    })
}

/// Says whether perf trace printed this before a tracepoint's name: it begins with a time without a colon, and has no
/// CPU.
fn is_perf_trace(head: &str) -> bool {
    let first = head.split_whitespace().next();
    let timed = first.and_then(fraction).is_some() && find_clock(head).is_none();
    timed && !head.trim_end().ends_with([']', '*'])
}

/// What the tracer function_graph prints before a comment, which a tracepoint is there: `0)    |  /* `. Returns the
/// columns.
fn graph(head: &str) -> Option<&str> {
    head.trim_end().strip_suffix("/*")
}

/// The part of a step's text before the end of the quotes or of the comment that `head` has begun.
fn enclosed<'a>(head: &str, step: &'a str) -> &'a str {
    if head.matches('"').count() % 2 == 1 {
        return step.split('"').next().unwrap_or(step);
    }
    let comment = step.trim_end().strip_suffix("*/");
    comment.filter(|_| head.contains("/*")).unwrap_or(step)
}

/// What perf trace prints before an event whose text is a printed line, `0.458 insmod/77 printk:console(msg: "`.
/// Returns what stands before the name.
fn perf_print(head: &str) -> Option<&str> {
    let (event, _) = head.strip_suffix('"')?.rsplit_once('(')?;
    let head = &event[..last_word(event)];
    is_perf_trace(head).then_some(head)
}

/// Strips the blanks and lines at the end of columns.
fn column(columns: &str) -> &str {
    columns.trim_end_matches([' ', '|'])
}

/// Where the last word begins.
fn last_word(text: &str) -> usize {
    text.rfind(' ').map_or(0, |blank| blank + 1)
}

/// Says whether this is what printk or a reader of its log prints before a line.
fn is_printed(head: &str) -> bool {
    head.trim_end().ends_with([':', ']', '>', ';', '"']) || wall_clock(head).is_some()
}

/// Strips what printk and the readers of its log print before a line that ftrace has formatted.
fn unprinted(head: &str) -> &str {
    let head = kmsg(head).map_or(head, |record| record.text);
    embedded_time(head).map_or(head, |at| unstamped(&head[at..]))
}

/// The task of the latency format, which is the form of ftrace's dump on a console, behind the head of any log:
/// its name has eight columns.
fn latency_task(text: &str) -> &str {
    let name = text.trim_end_matches(|c: char| c.is_ascii_digit());
    let name = name.strip_suffix('-').unwrap_or(name);
    let start = name.len().saturating_sub(8);
    text.get(start..).unwrap_or(text).trim_start()
}

/// Says whether this is one of the letters after the CPU in the latency format: interrupts, rescheduling, execution
/// context, preemption count.
fn is_flag(byte: u8) -> bool {
    byte == b'.' || byte.is_ascii_alphanumeric()
}

/// Splits `insmod-77`, `insmod/77`, `insmod   77` or `insmod   77/77`.
fn task(text: &str) -> Option<Task<'_>> {
    let number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if text.is_empty() {
        return None;
    }
    let end = text.trim_end_matches(|c: char| c.is_ascii_digit()).len();
    let (name, id) = text.split_at(end);
    let mut name = match name.as_bytes().last() {
        Some(b'-' | b'/' | b' ') if number(id) => &name[..end - 1],
        _ => return Some(Task { name: text, id: "" }),
    };
    // The process before the thread
    if let Some((before, process)) = name.rsplit_once(' ') {
        if text.as_bytes()[end - 1] == b'/' && number(process) {
            name = before;
        }
    }
    let name = name.trim();
    Some(Task { name, id })
}

/// What ran when a line was printed.
enum Caller<'a> {
    Task(Task<'a>),
    Cpu(u32),
}

/// Parses what printk prints for the caller: `T77` is a task, `C1` a CPU outside tasks.
fn caller(text: &str) -> Option<Caller<'_>> {
    let number = text.get(1..)?.parse().ok()?;
    match text.as_bytes()[0] {
        b'T' => Some(Caller::Task(Task {
            name: "",
            id: &text[1..],
        })),
        b'C' => Some(Caller::Cpu(number)),
        _ => None,
    }
}

/// A record of `/dev/kmsg` or of netconsole: `6,387,3866349,-,caller=T77;module_a: d2d: ...`
pub struct Record<'a> {
    /// The number of the message.
    pub number: u64,
    /// The time in microseconds.
    pub micro: u64,
    options: &'a str,
    /// What follows the head.
    pub text: &'a str,
}

impl<'a> Record<'a> {
    /// The value of an option in the head.
    pub fn option(&self, key: &str) -> Option<&'a str> {
        let mut pairs = self.options.split(',').filter_map(pair);
        pairs.find_map(|(name, value)| (name == key).then_some(value))
    }
}

/// Parses the head of a record. netconsole may print the kernel's release before it.
pub fn kmsg(text: &str) -> Option<Record<'_>> {
    let (head, text) = text.split_once(';')?;
    let mut head = head.trim_start().rsplit(' ').next()?;
    let mut number = || {
        let (number, rest) = head.split_once(',')?;
        head = rest;
        Some(number.parse::<u64>().ok())
    };
    if number()?.is_none() {
        number()??;
    }
    Some(Record {
        number: number()??,
        micro: number()??,
        options: head,
        text,
    })
}

/// Finds the prefix of a printed step: the first one with a beginning of `seq=` behind it, as a task may have a name that
/// looks like a prefix.
fn find_print(text: &str) -> Option<usize> {
    let mut places = text.match_indices(PREFIX).map(|(at, _)| at);
    let begins = |at: &usize| {
        let step = &text[at + PREFIX.len()..];
        let word = step.bytes().take_while(u8::is_ascii_alphabetic).count();
        "seq".starts_with(&step[..word]) && (word > 0 || step.trim().is_empty())
    };
    places.find(begins).or_else(|| text.find(PREFIX))
}

/// The text up to the first blank. Searches byte by byte, as words are short.
fn first_word(text: &str) -> &str {
    let end = text.bytes().position(|byte| byte == b' ' || byte == b'\t');
    &text[..end.unwrap_or(text.len())]
}

/// The words of a text.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        rest = rest.trim_start_matches([' ', '\t']);
        let word = first_word(rest);
        rest = &rest[word.len()..];
        (!word.is_empty()).then_some(word)
    })
}

/// Splits a word into key and value.
fn pair(word: &str) -> Option<(&str, &str)> {
    let at = word.bytes().position(|byte| byte == b'=')?;
    Some((&word[..at], &word[at + 1..]))
}

/// Finds the beginning of the driver's name that ends at `end`.
fn driver_start(text: &str, end: usize) -> usize {
    let named = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-.".contains(byte);
    let bytes = text.as_bytes()[..end].iter();
    end - bytes.rev().take_while(|byte| named(byte)).count()
}

/// Finds the time in what stands before a printed step, in the form of any of the programs above.
fn print_time(head: &str) -> Option<u64> {
    if let Some(record) = kmsg(head) {
        return record.micro.checked_mul(1000);
    }
    if let Some(at) = embedded_time(head) {
        return seconds(bracket_time(&head[at..])?);
    }
    let head = head.trim_start();
    let first = head.split([':', ' ']).next().unwrap_or_default();
    fraction(first).or_else(|| wall_clock(head))
}

/// Strips what dmesg prints before a line: `[    3.866349] `, `[    3.866349][    T1] `.
pub fn unstamped(text: &str) -> &str {
    let mut text = text;
    while let Some((_, rest)) = text
        .strip_prefix('[')
        .and_then(|text| text.split_once("] "))
    {
        text = rest;
    }
    text
}

/// Strips a terminal's escape sequences, which `dmesg --color` and consoles print.
pub fn plain(text: &str) -> Cow<'_, str> {
    if !text.contains('\x1b') {
        return Cow::Borrowed(text);
    }
    let mut parts = text.split('\x1b');
    let mut plain: String = parts.next().unwrap_or_default().into();
    for part in parts {
        let after = match part.strip_prefix('[') {
            Some(sequence) => sequence
                .find(|c: char| ('@'..='~').contains(&c))
                .map_or("", |end| &sequence[end + 1..]),
            None => part,
        };
        plain.push_str(after);
    }
    Cow::Owned(plain)
}

/// Splits a line into parts with one step each: when two CPUs write to a console, it may lose the line break
/// between their lines.
pub fn split(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest.take()?;
        let Some((_, step)) = find_prefix(text) else {
            return Some(text);
        };
        let first = text.len() - step.len();
        let time = embedded_time(&text[first..]).map(|at| first + at);
        let prefix = find_print(&text[first..]).map(|at| driver_start(text, first + at));
        let next = time.into_iter().chain(prefix).min();
        let Some(next) = next.filter(|next| *next > first) else {
            return Some(text);
        };
        rest = Some(&text[next..]);
        Some(&text[..next])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEP: &str = "module_a: d2d: seq=2 load=9 in=softirq step=alloc ctx=c0 bytes=57768";

    fn line(text: &str) -> Line<'_> {
        Line::parse(text).expect("a step").expect("a whole step")
    }

    #[test]
    fn all_parts_of_a_line_are_read() {
        let read = line(STEP);
        let expected = Line {
            driver: "module_a",
            seq: 2,
            load: Some(9),
            context: Some("softirq"),
            step: "alloc",
            detail: "ctx=c0 bytes=57768",
            time: None,
            cpu: None,
            task: None,
        };
        assert_eq!(read, expected);
        let fields: Vec<_> = read.fields().collect();
        assert_eq!(fields, [("ctx", "c0"), ("bytes", "57768")]);
        assert_eq!(read.field("bytes"), Some("57768"));
        assert_eq!(read.field("seq"), None);
    }

    #[test]
    fn the_time_is_found_in_each_kind_of_log() {
        for (head, time) in [
            ("[    3.866349] ", Some(3_866_349_000)),
            ("[   12.345678][    T1] ", Some(12_345_678_000)),
            ("<6>[    3.866349] ", Some(3_866_349_000)),
            ("6,387,3866349,-;", Some(3_866_349_000)),
            (
                "2061.702:00e4:00f0:warn:debugstr:vDbgPrintExWithPrefix 00000000:00000001: ",
                Some(2_061_702_000_000),
            ),
            ("0024:trace:debugstr: ", None),
            ("Nov 22 18:59:13 host kernel: ", None),
            ("[Sun Nov 22 18:59:13 2026] ", None),
            ("", None),
        ] {
            let text = format!("{head}{STEP}");
            let read = line(&text);
            assert_eq!((read.driver, read.time), ("module_a", time), "{head}");
        }
    }

    #[test]
    fn tracepoints_are_read_in_the_form_of_each_tool() {
        const ARGS: &str = "driver=module_a seq=2 load=9 in=task step=alloc ctx=c0";
        for head in [
            "          insmod-77      [001] ...1.     3.866349: d2d_alloc: ",
            " insmod-77 [001] 3.866349: d2d_alloc:    ",
            "insmod    77 [001]     3.866349: d2d_module_a:d2d_alloc: ",
            "insmod    77/77    [001]     3.866349:          1 d2d_module_a:d2d_alloc: ",
            "insmod-77      (     77) [001] ...1.     3.866349: d2d_alloc: ",
            "insmod-77      (-------) [001]     3.866349: d2d_alloc: ",
            "  insmod-77       1d.h1. 3866349us+: d2d_alloc: ",
            "  insmod-77       1.N.1. 3866349us : d2d_alloc: ",
            "  insmod      77   1 0 00000001 00000000 [001da93e] 3866.349ms (+0.458ms): d2d_alloc: ",
            "insmod-77 [001] 3.866349: (+458) d2d_alloc: ",
        ] {
            let text = format!("{head}{ARGS}");
            let read = line(&text);
            assert_eq!((read.driver, read.seq, read.step), ("module_a", 2, "alloc"));
            assert_eq!((read.time, read.cpu), (Some(3_866_349_000), Some(1)));
            assert_eq!(read.detail, "ctx=c0");
            assert_eq!(read.task.map(|task| task.to_string()).as_deref(), Some("insmod-77"));
        }
    }

    #[test]
    fn a_quoted_line_ends_where_its_text_ends() {
        let text = format!("0024:trace:debugstr:OutputDebugStringA \"{STEP}\\n\"\r");
        assert_eq!(line(&text).field("bytes"), Some("57768"));
    }

    #[test]
    fn load_and_execution_context_may_be_missing() {
        let read = line("module_b: d2d: seq=7 step=unload");
        assert_eq!((read.load, read.context), (None, None));
        assert_eq!((read.step, read.detail), ("unload", ""));
    }

    #[test]
    fn a_line_of_another_program_has_no_step() {
        for text in [
            "",
            "random: crng init done",
            "d2d",
            "d2d: nothing",
            "Command line: d2d.mode=run d2d.nonce=1: x",
        ] {
            assert_eq!(Line::parse(text), None, "{text}");
        }
    }

    #[test]
    fn the_damage_of_a_line_says_what_it_lacks() {
        for (text, damage) in [
            ("module_a: d2d: se", Damage::Seq),
            ("module_a: d2d: seq=x load=1 in=task step=load", Damage::Seq),
            ("module_a: d2d: seq=1 load=", Damage::Load),
            ("module_a: d2d: seq=1 load=1 in=ta", Damage::Step),
            ("module_a: d2d: seq=1 load=1 in=task step=", Damage::Step),
            (" : d2d: seq=1 load=1 in=task step=load", Damage::Driver),
        ] {
            assert_eq!(Line::parse(text), Some(Err(damage)), "{text}");
        }
    }

    #[test]
    fn colours_are_stripped() {
        let coloured =
            "\x1b[32m[    3.866349] \x1b[0m\x1b[33mmodule_a: \x1b[0md2d: seq=1 step=load";
        assert_eq!(
            plain(coloured),
            "[    3.866349] module_a: d2d: seq=1 step=load"
        );
        assert_eq!(plain("a\x1b"), "a");
        assert_eq!(plain("a\x1b[3"), "a");
    }

    #[test]
    fn the_stamp_of_dmesg_is_stripped() {
        for head in ["", "[    1.0] ", "[    1.0][    T1] "] {
            assert_eq!(unstamped(&format!("{head}{STEP}")), STEP);
            assert_eq!(unstamped(&format!("{head}lab: [x] y")), "lab: [x] y");
        }
    }

    #[test]
    fn lines_that_ran_together_are_split() {
        let both = format!("[    1.0] {STEP}[    1.2] module_b: d2d: seq=3 step=load");
        let parts: Vec<_> = split(&both).collect();
        assert_eq!(parts.len(), 2);
        assert_eq!(line(parts[0]).field("bytes"), Some("57768"));
        assert_eq!((line(parts[1]).seq, line(parts[1]).driver), (3, "module_b"));

        let both = "module_a: d2d: seq=1 step=free ctx=c0 module_b: d2d: seq=2 step=load";
        let seqs: Vec<_> = split(both).map(|part| line(part).seq).collect();
        assert_eq!(seqs, [1, 2]);

        let foreign = format!("{STEP}[    1.2] random: crng init done");
        let parts: Vec<_> = split(&foreign).collect();
        assert_eq!(line(parts[0]).field("bytes"), Some("57768"));
        assert_eq!(Line::parse(parts[1]), None);
    }

    #[test]
    fn the_vocabulary_is_that_of_the_header() {
        assert!(is_step("load") && is_step("init-lock") && is_step("refuse"));
        assert!(!is_step("count") && !is_step("LOAD") && !is_step("upload"));
    }
}

// SPDX-License-Identifier: GPL-2.0

//! The reader of trace lines: finds the step in one line of a log.
//!
//! No other file reads trace lines. Three programs include this file as a module: the trace tool, the guest's
//! `trace_check`, and `d2d-vm`, which runs the virtual machines. rustc builds the last two without cargo, so
//! this file uses only the standard library.
//!
//! The step looks the same in each log, but what stands before it depends on the program that wrote the log:
//!
//! ```text
//! [    3.866349] module_a: d2d: seq=2 load=3825 in=task step=alloc ctx=c0 bytes=57768
//! <6>[    3.866349] module_a: d2d: ...                                      dmesg -r
//! 6,387,3866349,-;module_a: d2d: ...                                        /dev/kmsg
//! 2061.702:00e4:warn:debugstr:... 00000000:00000001: module_a: d2d: ...     Wine
//! insmod-77 [000] ...1. 3.866349: d2d_alloc: driver=module_a seq=2 ...      ftrace
//! ```

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
    /// The time in nanoseconds, by the log's clock.
    pub time: Option<u64>,
    /// The CPU, which only the logs of ftrace, trace-cmd and perf have.
    pub cpu: Option<u32>,
    /// The task, such as `insmod-77`, which only the same logs have.
    pub task: Option<&'a str>,
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
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Driver => "no driver",
            Self::Seq => "seq is missing or not a number",
            Self::Load => "load is not a number",
            Self::Step => "no step",
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
            Prefix::Print { driver } => {
                let line = Self {
                    driver,
                    time: print_time(text),
                    ..Self::default()
                };
                line.parse_step(step)
            }
            Prefix::Event { head } => Self::event(head).parse_step(step),
        };
        Some(parsed)
    }

    /// Parses what ftrace, trace-cmd and perf print before a tracepoint's name:
    /// `insmod-77 [000] ...1. 3.866349: `
    fn event(head: &'a str) -> Self {
        let on_cpu = head.split_once(" [").and_then(|(task, rest)| {
            let (cpu, _) = rest.split_once(']')?;
            Some((task.trim(), cpu.parse().ok()?))
        });
        let time = head.trim_end().strip_suffix(':').and_then(|head| {
            let time = head.split_whitespace().next_back()?;
            seconds(time)
        });
        Self {
            time,
            task: on_cpu.map(|(task, _)| task),
            cpu: on_cpu.map(|(_, cpu)| cpu),
            ..Self::default()
        }
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
        if self.driver.is_empty() {
            return Err(Damage::Driver);
        }
        if self.step.is_empty() {
            return Err(Damage::Step);
        }
        Ok(self)
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
    Print { driver: &'a str },
    /// `insmod-77 [000] ...1. 3.866349: d2d_alloc: `
    Event { head: &'a str },
}

/// Finds the prefix. Returns it, and the text behind it.
fn find_prefix(text: &str) -> Option<(Prefix<'_>, &str)> {
    if let Some(at) = find_print(text) {
        let driver = &text[driver_start(text, at)..at];
        return Some((Prefix::Print { driver }, &text[at + PREFIX.len()..]));
    }
    let at = text.find("d2d")?;
    let (name, step) = text[at..].split_once(": ")?;
    let named = |c: char| c.is_ascii_alphanumeric() || "_:".contains(c);
    let ours = name.len() > 3 && name.chars().all(named) && step.contains("seq=");
    ours.then_some((Prefix::Event { head: &text[..at] }, step))
}

/// Finds the prefix of a printed step.
fn find_print(text: &str) -> Option<usize> {
    text.find(PREFIX)
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

/// Converts seconds such as `3.866349` or `3` to nanoseconds.
fn seconds(text: &str) -> Option<u64> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || part.len() > 9 || !digits(whole) || !digits(part) {
        return None;
    }
    let scale = 10u64.pow(9 - part.len() as u32);
    let part = if part.is_empty() {
        0
    } else {
        part.parse::<u64>().ok()?
    };
    whole
        .parse::<u64>()
        .ok()?
        .checked_mul(1_000_000_000)?
        .checked_add(part * scale)
}

/// Finds the time at the beginning of a printed line, in the form of any of the programs above.
fn print_time(text: &str) -> Option<u64> {
    let text = text.trim_start();
    // /dev/kmsg: level, number, microseconds, flags
    if let Some((head, _)) = text.split_once(';') {
        let mut numbers = head.split(',').map(str::parse::<u64>);
        if let (Some(Ok(_)), Some(Ok(_)), Some(Ok(micro))) =
            (numbers.next(), numbers.next(), numbers.next())
        {
            return micro.checked_mul(1000);
        }
    }
    if let Some((_, rest)) = text.split_once('[') {
        return seconds(rest.split_once(']')?.0.trim());
    }
    let (time, _) = text.split_once(':')?;
    time.contains('.').then(|| seconds(time)).flatten()
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
        let Some(first) = find_print(text).map(|at| at + PREFIX.len()) else {
            return Some(text);
        };
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

/// Finds a time as dmesg prints it, `[    3.866349]`, anywhere in the text.
fn embedded_time(text: &str) -> Option<usize> {
    let mut from = 0;
    while let Some(at) = text[from..].find('[').map(|at| from + at) {
        let time = text[at + 1..].split_once(']').map(|(time, _)| time.trim());
        if time.is_some_and(|time| time.contains('.') && seconds(time).is_some()) {
            return Some(at);
        }
        from = at + 1;
    }
    None
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
        for (head, task) in [
            (
                "          insmod-77      [001] ...1.     3.866349: d2d_alloc: ",
                "insmod-77",
            ),
            (" insmod-77 [001] 3.866349: d2d_alloc:    ", "insmod-77"),
            (
                "insmod    77 [001]     3.866349: d2d_module_a:d2d_alloc: ",
                "insmod    77",
            ),
        ] {
            let text = format!("{head}{ARGS}");
            let read = line(&text);
            assert_eq!((read.driver, read.seq, read.step), ("module_a", 2, "alloc"));
            assert_eq!((read.time, read.cpu), (Some(3_866_349_000), Some(1)));
            assert_eq!((read.detail, read.task), ("ctx=c0", Some(task)));
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

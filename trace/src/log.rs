// SPDX-License-Identifier: GPL-2.0

//! Finds the steps in a log.
//!
//! Memory is bounded: at any time, only one line is in memory, and at most [`MAX_LINE`] bytes of it.

use crate::line::{self, Damage, Line, Task};
use crate::live::Live;
use crate::record::{Data, Part, Records};
use memchr::{memchr, memmem::Finder};
use std::borrow::Cow;
use std::io::{self, Read};
use std::sync::LazyLock;

/// The length of the longest line that the kernel prints, in bytes. The rest of a longer line is skipped.
pub const MAX_LINE: usize = 4096;

/// How many examples of a fault are kept.
const NAMED: usize = 5;

/// Width of the consoles that break lines.
const CONSOLE: usize = 80;

/// How much of the log shows whether a console of that width broke it, in bytes.
const HEAD: u64 = 1 << 18;

/// What the log has, and the faults in it.
#[derive(Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Counts {
    /// Bytes of the log.
    pub bytes: u64,
    /// Lines of the log.
    pub lines: u64,
    /// Steps in them.
    pub steps: u64,
    /// Lines that a console broke and that were joined.
    pub joined: u64,
    /// Steps whose time is not known.
    pub untimed: u64,
    /// Lines longer than [`MAX_LINE`], of which the rest was skipped.
    pub cut: u64,
    /// Lines with the prefix of a step, but without a whole step.
    pub damaged: u64,
    /// The places of the first few of these lines, and what is wrong with each.
    pub damaged_lines: Vec<String>,
    /// Steps that are not in the vocabulary.
    pub unknown: u64,
    /// The names of the first few of these steps.
    pub unknown_names: Vec<String>,
    /// Why the rest of the log could not be read.
    pub failed: Option<String>,
    /// What the log is instead, if it does not begin like text.
    pub binary: Option<&'static str>,
}

/// Calls `found` with each step of the log, in the order of the log.
pub fn read(
    mut input: impl Read,
    mut found: impl FnMut(Line<'_>) -> io::Result<()>,
) -> io::Result<Counts> {
    let mut head = Vec::new();
    // An input that fails here fails again.
    let _ = input.by_ref().take(HEAD).read_to_end(&mut head);
    let steps = Steps {
        wide: head.split(|byte| *byte == b'\n').any(is_wide),
        ..Steps::default()
    };
    steps.read(head.chain(input), |line| line.map_or(Ok(()), &mut found))
}

/// Calls `found` with each step of a running source as soon as the source has it, and with `None` when the source is
/// quiet.
pub fn follow(
    source: Live,
    found: impl FnMut(Option<Line<'_>>) -> io::Result<()>,
) -> io::Result<Counts> {
    Steps::default().read(source, found)
}

/// Calls `take` with each line, without its end, and with `true` if the line was not cut; and with an empty line and
/// `None` if the input is quiet. Returns the number of bytes, and the error that has ended the input.
fn each_line(
    mut input: impl Read,
    mut take: impl FnMut(&[u8], Option<bool>) -> io::Result<()>,
) -> io::Result<(u64, Option<io::Error>)> {
    let mut buffer = vec![0; 1 << 18];
    let (mut filled, mut total) = (0, 0);
    // Whether the rest of a long line is being skipped, whose beginning was taken.
    let mut skipping = false;
    let mut failed = None;
    loop {
        let got = match input.read(&mut buffer[filled..]) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                take(&[], None)?;
                continue;
            }
            Err(error) => {
                failed = Some(error);
                0
            }
            Ok(got) => got,
        };
        total += got as u64;
        filled += got;
        let mut start = 0;
        while let Some(length) = memchr(b'\n', &buffer[start..filled]) {
            let text = &buffer[start..start + length];
            start += length + 1;
            if !std::mem::take(&mut skipping) {
                take(&text[..length.min(MAX_LINE)], Some(length <= MAX_LINE))?;
            }
        }
        let rest = &buffer[start..filled];
        if got == 0 {
            if !rest.is_empty() && !skipping {
                take(
                    &rest[..rest.len().min(MAX_LINE)],
                    Some(rest.len() <= MAX_LINE),
                )?;
            }
            return Ok((total, failed));
        }
        if rest.len() > MAX_LINE {
            if !skipping {
                take(&rest[..MAX_LINE], Some(false))?;
            }
            skipping = true;
        }
        if skipping {
            filled = 0;
        } else {
            buffer.copy_within(start..filled, 0);
            filled -= start;
        }
    }
}

/// The kind of a file that is not a log, by its first bytes.
fn kind_of_binary(head: &[u8]) -> Option<&'static str> {
    const KINDS: [(&[u8], &str); 6] = [
        (b"\x1f\x8b", "compressed (gzip): unpack it first"),
        (b"\x28\xb5\x2f\xfd", "compressed (zstd): unpack it first"),
        (b"\xfd7zXZ", "compressed (xz): unpack it first"),
        (b"\xff\xfe", "text in UTF-16: convert it to UTF-8 first"),
        (
            b"\x17\x08\x44tracing",
            "a recording of trace-cmd: pass the output of 'trace-cmd report'",
        ),
        (
            b"PERFILE2",
            "a recording of perf: pass the output of 'perf script'",
        ),
    ];
    let kind = KINDS.iter().find(|(magic, _)| head.starts_with(magic));
    kind.map(|(_, kind)| *kind)
        .or_else(|| memchr(0, head).map(|_| "binary"))
}

/// Says whether a line is wider than the console that breaks lines.
fn is_wide(bytes: &[u8]) -> bool {
    if bytes.len() <= CONSOLE {
        return false;
    }
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(MAX_LINE)]);
    let text = line::plain(text.trim_end_matches('\r'));
    text.chars().count() > CONSOLE
}

/// Finds steps in lines. A line with a step waits in `pending`, because the next line may be its broken-off end.
#[derive(Default)]
struct Steps {
    counts: Counts,
    records: Records,
    pending: String,
    /// What the log says of `pending` outside it
    data: Data,
    /// Whether the last line of `pending` ends where a console breaks lines
    full: bool,
    /// Whether the log has a line that such a console would have broken
    wide: bool,
}

impl Steps {
    fn read(
        mut self,
        input: impl Read,
        mut found: impl FnMut(Option<Line<'_>>) -> io::Result<()>,
    ) -> io::Result<Counts> {
        let mut begun = false;
        let (bytes, failed) = each_line(input, |text, whole| {
            let Some(whole) = whole else {
                self.quiet(&mut |line| found(Some(line)))?;
                return found(None);
            };
            if !begun {
                begun = true;
                self.counts.binary = kind_of_binary(text);
            }
            self.wide = self.wide || is_wide(text);
            self.counts.lines += 1;
            self.counts.cut += u64::from(!whole);
            self.line(text, &mut |line| found(Some(line)))
        })?;
        self.finish(&mut |line| found(Some(line)))?;
        self.counts.bytes = bytes;
        self.counts.failed = failed.map(|error| error.to_string());
        Ok(self.counts)
    }

    fn line(
        &mut self,
        bytes: &[u8],
        found: &mut impl FnMut(Line<'_>) -> io::Result<()>,
    ) -> io::Result<()> {
        static FINDER: LazyLock<Finder> = LazyLock::new(|| Finder::new("d2d"));
        let marked = FINDER.find(bytes).is_some();
        let is_record = self.records.wants(bytes);
        // Most lines of a log have no step.
        if self.pending.is_empty() && !marked && !is_record {
            return Ok(());
        }
        let text = std::str::from_utf8(bytes)
            .map_or_else(|_| String::from_utf8_lossy(bytes), Cow::Borrowed);
        let text = line::plain(text.trim_end_matches('\r'));
        if is_record {
            let parts = self.records.take(&text);
            let is_line = parts.last() == Some(&Part::Line);
            if !is_line || parts.len() > 1 {
                self.flush(found)?;
                self.whole(parts, found)?;
            }
            if !is_line {
                return Ok(());
            }
        }
        if line::is_marked(&text) {
            self.flush(found)?;
            self.pending.push_str(&text);
        } else if !self.pending.is_empty() {
            if continues(&self.pending, &text, self.full && !self.wide) {
                join(&mut self.pending, &text);
                self.counts.joined += 1;
            } else {
                self.flush(found)?;
            }
        }
        self.full = text.chars().count() == CONSOLE;
        Ok(())
    }

    /// Parses records, which no console breaks.
    fn whole(
        &mut self,
        records: Vec<Part>,
        found: &mut impl FnMut(Line<'_>) -> io::Result<()>,
    ) -> io::Result<()> {
        for record in records {
            match record {
                Part::Line => {}
                Part::Damaged => self.counts.add_damaged(Damage::End),
                Part::Record(record) => {
                    self.pending.push_str(&line::plain(&record.text));
                    self.data = record.data;
                    self.flush(found)?;
                }
            }
        }
        Ok(())
    }

    /// The source is quiet, so the line that waits is whole.
    fn quiet(&mut self, found: &mut impl FnMut(Line<'_>) -> io::Result<()>) -> io::Result<()> {
        self.flush(found)?;
        let records = self.records.quiet();
        self.whole(records, found)
    }

    /// The log has ended.
    fn finish(&mut self, found: &mut impl FnMut(Line<'_>) -> io::Result<()>) -> io::Result<()> {
        self.flush(found)?;
        let records = self.records.finish();
        self.whole(records, found)
    }

    /// Parses the line that waits, which is whole now.
    fn flush(&mut self, found: &mut impl FnMut(Line<'_>) -> io::Result<()>) -> io::Result<()> {
        for part in line::split(&self.pending) {
            match Line::parse(part) {
                None => continue,
                Some(Err(damage)) => self.counts.add_damaged(damage),
                Some(Ok(mut step)) => {
                    step.cpu = self.data.cpu.or(step.cpu);
                    if let Some(name) = &self.data.task {
                        let id = step.task.map_or("", |task| task.id);
                        step.task = Some(Task { name, id });
                    }
                    self.counts.add_step(&step);
                    found(step)?;
                }
            }
        }
        self.pending.clear();
        self.data = Data::default();
        Ok(())
    }
}

impl Counts {
    fn add_step(&mut self, step: &Line<'_>) {
        self.steps += 1;
        self.untimed += u64::from(step.time.is_none());
        if line::is_step(step.step) {
            return;
        }
        self.unknown += 1;
        let known = self.unknown_names.iter().any(|name| name == step.step);
        if !known && self.unknown_names.len() < NAMED {
            self.unknown_names.push(step.step.into());
        }
    }

    fn add_damaged(&mut self, damage: Damage) {
        self.damaged += 1;
        if self.damaged_lines.len() < NAMED {
            let text = format!("before line {}: {damage}", self.lines);
            self.damaged_lines.push(text);
        }
    }
}

/// Says whether `text` is the broken-off end of the line `step`: whether `text` consists of fields, of which the
/// first may be cut. A single fragment of a field counts only if `step` is incomplete, or if a console broke it
/// (`broken`).
fn continues(step: &str, text: &str, broken: bool) -> bool {
    let mut words = text.split_whitespace();
    let Some(first) = words.next() else {
        return false;
    };
    let is_field = |word: &str| {
        let key = word.split_once('=').map_or("", |(key, _)| key);
        !key.is_empty()
            && key
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte == b'_')
    };
    let fragment = |word: &str| {
        word.bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_-.=".contains(&byte))
    };
    if step.len() + text.len() > MAX_LINE || !fragment(first) || !words.clone().all(is_field) {
        return false;
    }
    let unfinished = match Line::parse(step) {
        Some(Ok(step)) => {
            let last = step.detail.split_whitespace().next_back();
            let cut = last.is_some_and(|word| !word.contains('=') || word.ends_with('='));
            cut || !line::is_step(step.step)
        }
        _ => true,
    };
    is_field(first) || words.next().is_some() || unfinished || broken
}

/// Appends the end of a broken line. Puts a blank between two whole fields.
fn join(step: &mut String, text: &str) {
    let last = step.split(' ').next_back().unwrap_or_default();
    let first = text.split(' ').next().unwrap_or_default();
    if last.contains('=') && first.contains('=') {
        step.push(' ');
    }
    step.push_str(text);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The steps of a log with their details, and the counts
    fn steps(log: impl AsRef<[u8]>) -> (Vec<String>, Counts) {
        let mut found = Vec::new();
        let counts = read(log.as_ref(), |line| {
            found.push(format!("{} {} {}", line.seq, line.step, line.detail));
            Ok(())
        });
        (found, counts.expect("memory can be read"))
    }

    const QUEUE: &str =
        "module_a: d2d: seq=4 load=9 in=task step=init-queue ctx=c0 queue=to_peer item=64";

    #[test]
    fn lines_of_other_programs_are_skipped() {
        let (found, counts) = steps(format!("random: x\n{QUEUE}\r\n\nPATH is x=1 y\n"));
        assert_eq!(found, ["4 init-queue ctx=c0 queue=to_peer item=64"]);
        assert_eq!((counts.lines, counts.steps, counts.joined), (4, 1, 0));
    }

    #[test]
    fn a_line_that_was_broken_after_its_number_is_joined() {
        let (whole, _) = steps(QUEUE);
        for at in "module_a: d2d: seq=4 load=9 in=t".len()..QUEUE.len() {
            let (head, tail) = QUEUE.split_at(at);
            // A value that was cut may look whole: then its rest is joined only at the width of a console.
            if tail == "4" {
                continue;
            }
            let (found, counts) = steps(format!("{head}\n{tail}\n"));
            assert_eq!(found, whole, "{head}|{tail}");
            assert_eq!(counts.joined, 1);
        }
        let wide = format!("{}{QUEUE}", " ".repeat(CONSOLE + 1 - QUEUE.len()));
        let (head, tail) = wide.split_at(CONSOLE);
        assert_eq!(steps(format!("{head}\n{tail}\n")).0, whole);
    }

    #[test]
    fn an_incomplete_line_is_left_out_and_listed() {
        let (found, counts) = steps(format!("module_a: d2d: seq=3 lo\n[ 1.0] other\n{QUEUE}"));
        assert_eq!(found.len(), 1);
        assert_eq!(counts.damaged, 1);
        assert_eq!(counts.damaged_lines, ["before line 2: no step"]);
    }

    #[test]
    fn unknown_steps_are_kept_and_listed() {
        let (found, counts) = steps("b: d2d: seq=1 load=1 in=task step=upload x=1\n");
        assert_eq!(found, ["1 upload x=1"]);
        assert_eq!(counts.unknown_names, ["upload"]);
    }

    #[test]
    fn any_bytes_can_be_read() {
        assert_eq!(steps("").1, Counts::default());
        assert_eq!(steps([0, 159, 146, 150, 10]).1.binary, Some("binary"));
        assert!(steps(b"\x1f\x8b\x08").1.binary.unwrap().contains("gzip"));
        let endless = [b"x".repeat(3 * MAX_LINE), b"\n".to_vec(), QUEUE.into()].concat();
        let (found, counts) = steps(endless);
        assert_eq!((found.len(), counts.cut, counts.lines), (1, 1, 2));
        let broken = [
            b"\xff\xfe\xfd \x80: d2d: seq=1\n",
            QUEUE.as_bytes(),
            b" \xff",
        ]
        .concat();
        let (found, counts) = steps(broken);
        assert_eq!((found.len(), counts.damaged), (1, 1));
    }

    #[test]
    fn a_line_across_the_buffer_is_whole() {
        let line = format!("{QUEUE}\n");
        let (found, _) = steps(line.repeat(20_000));
        assert_eq!(found.len(), 20_000);
        assert!(found.iter().all(|step| *step == found[0]));
    }
}

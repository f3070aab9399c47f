// SPDX-License-Identifier: GPL-2.0

//! Turns the records of logs that are not lines of text into lines that [`crate::line`] reads: JSON of dmesg and
//! of journald and of other collectors, journald's export, and the records of netconsole, with their fragments and the
//! data behind them.
//!
//! Memory is bounded: a record has at most [`MAX_LINE`] bytes, and at most [`MESSAGES`] messages wait for fragments.

use crate::line::{self, kmsg, Line};
use crate::log::MAX_LINE;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, VecDeque};

/// How many messages may wait for fragments.
const MESSAGES: usize = 16;

/// journald's fields for the time in microseconds, in order of preference.
const TIMES: [&str; 5] = [
    "_SOURCE_MONOTONIC_TIMESTAMP",
    "_SOURCE_BOOTTIME_TIMESTAMP",
    "__MONOTONIC_TIMESTAMP",
    "_SOURCE_REALTIME_TIMESTAMP",
    "__REALTIME_TIMESTAMP",
];

/// What a line is part of.
#[derive(Debug, PartialEq, Eq)]
pub enum Part {
    /// The line is not part of a record.
    Line,
    /// This record ends with the line.
    Record(Record),
    /// A record with a step ends with the line, but lacks a part.
    Damaged,
}

/// A record.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// The record as a line.
    pub text: String,
    /// What netconsole has added to it.
    pub data: Data,
}

/// The data that netconsole sends behind a message, in lines such as ` cpu=0`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Data {
    /// The CPU on which the message was printed.
    pub cpu: Option<u32>,
    /// The name of the task.
    pub task: Option<String>,
}

impl Data {
    /// Takes a line. Returns `false` if it is no such data.
    fn take(&mut self, line: &str) -> bool {
        let pair = line.strip_prefix(' ').and_then(|line| line.split_once('='));
        let Some((key, value)) = pair else {
            return false;
        };
        match key {
            "cpu" => self.cpu = value.trim_end().parse().ok(),
            "taskname" => self.task = Some(value.trim_end().into()),
            _ => {}
        }
        !key.is_empty() && !key.contains(char::is_whitespace)
    }
}

/// A message of which netconsole has sent fragments.
struct Message {
    number: u64,
    micro: u64,
    caller: String,
    /// Its length
    total: usize,
    /// The fragments by their offset
    fragments: BTreeMap<usize, String>,
    /// The offset of the fragment that came last
    last: usize,
}

/// The records that have begun.
#[derive(Default)]
pub struct Records {
    /// An object of JSON over several lines
    object: String,
    /// How many objects in it are open
    depth: usize,
    /// An entry of journald's export: its message, and the index in [`TIMES`] and the value of its time
    message: Option<String>,
    time: Option<(usize, u64)>,
    /// A field whose value is in the next lines: its name, and how many bytes are left, if that is known
    binary: Option<(String, Option<usize>)>,
    messages: VecDeque<Message>,
    /// The last line, if data may follow it
    record: Option<Record>,
    /// Whether the last line was of the last of `messages`
    fragment: bool,
}

impl Records {
    /// Says whether a line may be part of a record.
    pub fn wants(&self, line: &[u8]) -> bool {
        let open = !self.object.is_empty() || self.binary.is_some() || self.record.is_some();
        let open = open || self.fragment;
        let entry = self.message.is_some() || self.time.is_some();
        let first = line.iter().find(|byte| !byte.is_ascii_whitespace());
        let begins = first.is_some_and(|byte| b"{_M\x1e".contains(byte))
            || line.starts_with(b"data: ")
            || line.starts_with(b"[{");
        // A fragment may have any part of a step.
        let fragment = || first.is_some_and(u8::is_ascii_digit) && line.contains(&b';');
        open || entry || begins || fragment()
    }

    /// Takes the next line.
    pub fn take(&mut self, line: &str) -> Vec<Part> {
        if self.take_data(line) {
            return Vec::new();
        }
        let mut parts = self.end_record();
        if let Some(more) = self.take_field(line) {
            parts.extend(more);
            return parts;
        }
        parts.extend(self.end_entry());
        match self.take_json(line).or_else(|| self.take_kmsg(line)) {
            Some(more) => parts.extend(more),
            None => parts.push(Part::Line),
        }
        parts
    }

    /// Ends the open entry and the complete messages. The caller says that no line has come for a while.
    pub fn quiet(&mut self) -> Vec<Part> {
        let mut parts = self.end_record();
        parts.extend(self.end_entry());
        parts.extend(self.end_messages(|_| true));
        parts
    }

    /// Ends the log: reports what is not complete as damaged.
    pub fn finish(&mut self) -> Vec<Part> {
        let mut parts = self.quiet();
        if self.object.contains("d2d") {
            parts.push(Part::Damaged);
        }
        let lost = self.messages.drain(..);
        parts.extend(lost.filter_map(|message| message.damage()));
        parts
    }

    /// Takes the data that follow a record of netconsole.
    fn take_data(&mut self, line: &str) -> bool {
        if let Some(record) = &mut self.record {
            return record.data.take(line);
        }
        let last = self.messages.back_mut().filter(|_| self.fragment);
        let is_data = last.is_some() && Data::default().take(line);
        let text = last.and_then(|message| message.fragments.get_mut(&message.last));
        if let Some(text) = text.filter(|_| is_data) {
            *text += "\n";
            *text += line;
        }
        is_data
    }

    fn end_record(&mut self) -> Vec<Part> {
        self.fragment = false;
        self.record.take().map(Part::Record).into_iter().collect()
    }

    /// Takes a field of journald's export, `NAME=value`, or the name of a field alone, with the length and the bytes
    /// of its value in the next lines. An entry ends with a line that is none of these.
    fn take_field(&mut self, line: &str) -> Option<Vec<Part>> {
        if let Some((name, rest)) = self.binary.take() {
            let (value, length) = match rest {
                None => {
                    // The length is a number of eight bytes, the lowest first, of which the last five are 0.
                    let (length, value) = line.rsplit_once("\0\0\0\0\0")?;
                    // A byte that is no ASCII is lost, because the line was converted to text: then the length is not
                    // known, and the value ends with the line.
                    let low = length.bytes().rev().take_while(|_| length.is_ascii());
                    let length = low.fold(0, |number, byte| (number << 8) | usize::from(byte));
                    (value, length)
                }
                Some(rest) => (line, rest),
            };
            self.field(&name, value);
            let rest = length.saturating_sub(value.len() + 1);
            if rest > 0 {
                self.binary = Some((name, Some(rest)));
            }
            return Some(Vec::new());
        }
        let open = self.message.is_some() || self.time.is_some();
        let named = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
        let line = line.trim_start();
        let (name, value) = line
            .split_once('=')
            .map_or((line, None), |(name, value)| (name, Some(value)));
        if name.is_empty() || !name.bytes().all(named) {
            return None;
        }
        if name != "MESSAGE" && !TIMES.contains(&name) && !open {
            return None;
        }
        match value {
            Some(value) => self.field(name, value),
            None => self.binary = Some((name.into(), None)),
        }
        Some(Vec::new())
    }

    fn field(&mut self, name: &str, value: &str) {
        if name == "MESSAGE" && value.len() <= MAX_LINE {
            self.message.get_or_insert_with(|| value.into());
        }
        let rank = TIMES.iter().position(|time| *time == name);
        if let Some(time) = rank.zip(value.parse().ok()) {
            self.time = Some(self.time.map_or(time, |known| known.min(time)));
        }
    }

    fn end_entry(&mut self) -> Vec<Part> {
        let time = self.time.take();
        let message = self.message.take();
        message.map_or_else(Vec::new, |message| {
            stamped(time.map(|(_, micro)| micro), "", &message)
        })
    }

    /// Takes a line of JSON: an object, or a line of an object.
    fn take_json(&mut self, line: &str) -> Option<Vec<Part>> {
        let text = line
            .trim()
            .trim_start_matches("data: ")
            .trim_start_matches('\x1e');
        let text = text.strip_suffix(',').unwrap_or(text);
        if text == "{" {
            // Only the innermost object of a list has a message.
            let outer = std::mem::replace(&mut self.object, text.into());
            self.depth = 0;
            return Some(Vec::from_iter(
                outer.contains("d2d").then_some(Part::Damaged),
            ));
        }
        if text.starts_with('{') || text.starts_with("[{") {
            return match serde_json::from_str(text) {
                Ok(value) => Some(steps(&value)),
                Err(_) if text.contains("{\"") && text.contains("d2d") => Some(vec![Part::Damaged]),
                Err(_) => None,
            };
        }
        let open = !self.object.is_empty();
        let number = |byte: u8| byte.is_ascii_digit();
        if !open || !(text.starts_with(['"', '}', ']']) || text.bytes().all(number)) {
            let object = std::mem::take(&mut self.object);
            return object
                .contains("d2d")
                .then(|| vec![Part::Damaged, Part::Line]);
        }
        self.object.push_str(line);
        self.depth += usize::from(text.ends_with('{'));
        if text == "}" && self.depth > 0 && self.object.len() <= MAX_LINE {
            self.depth -= 1;
        } else if text == "}" || self.object.len() > MAX_LINE {
            let object = std::mem::take(&mut self.object);
            return match serde_json::from_str(object.trim_end().trim_end_matches(',')) {
                Ok(value) => Some(steps(&value)),
                Err(_) if object.contains("d2d") => Some(vec![Part::Damaged]),
                Err(_) => Some(Vec::new()),
            };
        }
        Some(Vec::new())
    }

    /// Takes a record of `/dev/kmsg` or netconsole.
    fn take_kmsg(&mut self, line: &str) -> Option<Vec<Part>> {
        let record = kmsg(line)?;
        let Some((offset, total)) = record.option("ncfrag").and_then(|at| at.split_once('/'))
        else {
            self.record = Some(line.into());
            return Some(Vec::new());
        };
        let (Ok(offset), Ok(total)) = (offset.parse(), total.parse()) else {
            return Some(vec![Part::Damaged]);
        };
        let mut parts = self.end_messages(|message| message.number != record.number);
        let id = |message: &Message| (message.number, message.total);
        let at = self
            .messages
            .iter()
            .position(|message| id(message) == (record.number, total));
        let known = at.and_then(|at| self.messages.remove(at));
        let mut message = known.unwrap_or_else(|| Message::new(&record, total));
        message.fragments.insert(offset, record.text.into());
        message.last = offset;
        let length: usize = message.fragments.values().map(String::len).sum();
        if total > MAX_LINE || length > 2 * MAX_LINE || message.fragments.len() > MAX_LINE {
            parts.push(Part::Damaged);
            return Some(parts);
        }
        self.messages.push_back(message);
        let waiting = self.messages.len();
        parts.extend(self.end_messages(|_| false));
        self.fragment = waiting == self.messages.len();
        if self.messages.len() > MESSAGES {
            parts.extend(
                self.messages
                    .pop_front()
                    .and_then(|message| message.damage()),
            );
        }
        Some(parts)
    }

    /// Ends the messages that are whole. A message that lacks one byte is whole if `over` says that no more of it comes:
    /// the length may count the end of the line, which is not in the text.
    fn end_messages(&mut self, over: impl Fn(&Message) -> bool) -> Vec<Part> {
        let mut parts = Vec::new();
        self.messages.retain(|message| {
            let text = message.text();
            let whole = text.len() + usize::from(over(message)) >= message.total;
            if whole {
                parts.extend(stamped(Some(message.micro), &message.caller, &text));
            }
            !whole
        });
        parts
    }
}

impl From<&str> for Record {
    fn from(text: &str) -> Self {
        Self {
            text: text.into(),
            data: Data::default(),
        }
    }
}

impl Message {
    fn new(record: &line::Record<'_>, total: usize) -> Self {
        Self {
            number: record.number,
            micro: record.micro,
            caller: record.option("caller").unwrap_or_default().into(),
            total,
            fragments: BTreeMap::new(),
            last: 0,
        }
    }

    /// The text up to the first fragment that is missing.
    fn text(&self) -> String {
        let mut text = String::new();
        for (offset, fragment) in &self.fragments {
            if *offset == text.len() {
                text.push_str(fragment);
            }
        }
        text
    }

    /// Returns [`Part::Damaged`] if the lost message may have had a step.
    fn damage(&self) -> Option<Part> {
        let mut texts = self.fragments.values();
        let step = texts.any(|text| text.contains("d2d: ")) || !self.fragments.contains_key(&0);
        step.then_some(Part::Damaged)
    }
}

/// The steps in a value of JSON. Each collector of logs has a name of its own for the text.
fn steps(value: &Value) -> Vec<Part> {
    match value {
        Value::Array(values) => values.iter().flat_map(steps).collect(),
        Value::String(text) => match serde_json::from_str(text) {
            Ok(value @ Value::Object(_)) if text.contains("d2d") => steps(&value),
            _ => stamped(None, "", text),
        },
        Value::Object(object) => {
            let known = object.get("MESSAGE").or_else(|| object.get("msg"));
            let strings = object.values().filter(|value| value.is_string());
            let mut messages = known.into_iter().chain(strings);
            match messages.find(|message| line::is_marked(&text(message))) {
                Some(message) => entry(object, message),
                None => object
                    .values()
                    .filter(|value| !value.is_string())
                    .flat_map(steps)
                    .collect(),
            }
        }
        _ => Vec::new(),
    }
}

/// A text of JSON.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        // journald writes bytes that are not text as numbers.
        Value::Array(bytes) => {
            let bytes = bytes
                .iter()
                .filter_map(|byte| byte.as_u64()?.try_into().ok());
            String::from_utf8_lossy(&bytes.collect::<Vec<u8>>()).into_owned()
        }
        other => other.to_string(),
    }
}

/// An object of a log as lines.
fn entry(object: &Map<String, Value>, message: &Value) -> Vec<Part> {
    if let Some(Ok(inner @ Value::Object(_))) = message.as_str().map(serde_json::from_str) {
        return steps(&inner);
    }
    let message = text(message);
    let caller = object.get("caller").map(text).unwrap_or_default();
    let micro = TIMES
        .iter()
        .find_map(|name| text(object.get(*name)?).parse().ok());
    let time = ["time", "@timestamp", "timestamp"]
        .iter()
        .find_map(|name| object.get(*name));
    match time {
        // The collector's time, while the text has the kernel's
        Some(_) if own_time(&message) => stamped(None, &caller, &message),
        Some(Value::Number(time)) => {
            let micro = time.as_f64().map(|seconds| (seconds * 1e6).round() as u64);
            stamped(micro, &caller, &message)
        }
        Some(Value::String(time)) => stamped(None, &caller, &format!("{time} {message}")),
        _ => stamped(micro, &caller, &message),
    }
}

/// Says whether a message has the time of its step.
fn own_time(message: &str) -> bool {
    let step = Line::parse(message).and_then(Result::ok);
    step.is_some_and(|step| step.time.is_some())
}

/// The lines of a message, as records of `/dev/kmsg`.
fn stamped(micro: Option<u64>, caller: &str, message: &str) -> Vec<Part> {
    let head = match (micro, caller) {
        (Some(micro), "") => format!("6,0,{micro},-;"),
        (Some(micro), caller) => format!("6,0,{micro},-,caller={caller};"),
        (None, "") => String::new(),
        (None, caller) => format!("[{caller}] "),
    };
    let mut data = Data::default();
    for line in message.lines() {
        data.take(line);
    }
    let lines = message.lines().filter(|line| line.contains("d2d"));
    lines
        .map(|line| {
            Part::Record(Record {
                text: format!("{head}{line}"),
                data: data.clone(),
            })
        })
        .collect()
}

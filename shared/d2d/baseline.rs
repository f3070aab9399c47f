// SPDX-License-Identifier: GPL-2.0

//! Compares a pair, at compile time, with its *baseline*: the C header of an older version.

use crate::{
    c_header::Text,
    declaration::Declaration, //
};

#[derive(Clone, Copy)]
struct Line {
    from: usize,
    to: usize,
}

/// Returns the line that begins at `from`, without the line feed.
#[inline]
const fn line_at(text: &[u8], from: usize) -> Line {
    let mut to = from;
    while to < text.len() && text[to] != b'\n' {
        to += 1;
    }
    Line { from, to }
}

#[inline]
pub(crate) const fn is_at(text: &[u8], at: usize, part: &[u8]) -> bool {
    if at + part.len() > text.len() {
        return false;
    }
    let mut i = 0;
    while i < part.len() {
        if text[at + i] != part[i] {
            return false;
        }
        i += 1;
    }
    true
}

#[inline]
const fn is_hash(text: &[u8], line: Line) -> bool {
    line.to >= line.from + 3
        && is_at(text, line.from, b"#define ")
        && is_at(text, line.to - 3, b"ull")
}

#[inline]
const fn hashes(text: &[u8]) -> usize {
    let (mut count, mut from) = (0, 0);
    while from < text.len() {
        let line = line_at(text, from);
        count += is_hash(text, line) as usize;
        from = line.to + 1;
    }
    count
}

/// Searches `text`, beginning at `from`, for a copy of the line `wanted` of `other`. Returns where
/// the line after the copy begins.
#[inline]
const fn after_line_of(text: &[u8], mut from: usize, other: &[u8], wanted: Line) -> Option<usize> {
    let (_, tail) = other.split_at(wanted.from);
    let (wanted, _) = tail.split_at(wanted.to - wanted.from);
    while from < text.len() {
        let line = line_at(text, from);
        from = line.to + 1;
        if line.to - line.from == wanted.len() && is_at(text, line.from, wanted) {
            return Some(from);
        }
    }
    None
}

/// Returns the number that `text` defines for a name: `pair` in capitals, followed by `name`.
#[inline]
const fn number(text: &[u8], pair: &str, name: &[u8]) -> Option<u64> {
    let pair = pair.as_bytes();
    let mut from = 0;
    while from < text.len() {
        let line = line_at(text, from);
        let mut at = from + b"#define ".len();
        let mut i = 0;
        while i < pair.len() && at < line.to && text[at] == pair[i].to_ascii_uppercase() {
            at += 1;
            i += 1;
        }
        if is_at(text, from, b"#define ") && i == pair.len() && is_at(text, at, name) {
            let (mut number, mut digit) = (0, at + name.len());
            while digit < line.to && text[digit].is_ascii_digit() {
                number = 10 * number + (text[digit] - b'0') as u64;
                digit += 1;
            }
            return Some(number);
        }
        from = line.to + 1;
    }
    None
}

/// A reason. If the header lacks a line of the baseline, also this line.
type Fault = (&'static str, Option<Line>);

/// Compares the C header of a pair with `recorded`, the baseline, and returns the first fault. A
/// new major version may change everything.
#[inline]
const fn compare(of: &Declaration, header: &[u8], recorded: &[u8]) -> Option<Fault> {
    let (Some(major), Some(minor)) = (
        number(recorded, of.name, b"_MAJOR\t"),
        number(recorded, of.name, b"_MINOR\t"),
    ) else {
        return Some(("the baseline is not a C header of this pair", None));
    };
    // Each side has a hash for each minor version. A file with fewer hashes was cut off.
    if (hashes(recorded) as u64) < 2 * (minor + 1) {
        return Some(("the baseline is not a C header of this pair", None));
    }
    if major != of.major as u64 {
        return None;
    }
    // A newer header has the hashes of an older one in the same order.
    let (mut from, mut at) = (0, 0);
    while from < recorded.len() {
        let line = line_at(recorded, from);
        if is_hash(recorded, line) {
            match after_line_of(header, at, recorded, line) {
                Some(next) => at = next,
                None => {
                    return Some((
                        "not as in the baseline: changed or removed, or something new is before it or has no `since`",
                        Some(line),
                    ))
                }
            }
        }
        from = line.to + 1;
    }
    if minor == of.minor as u64 && hashes(header) != hashes(recorded) {
        return Some((
            "something was appended to the baseline without a new minor version",
            None,
        ));
    }
    None
}

/// Panics with a reason, and with the name that a line of `recorded` defines.
#[inline]
const fn panic_with_name(recorded: &[u8], line: Line, reason: &str) -> ! {
    let mut text = Text::<1024>::new();
    let mut at = line.from + b"#define ".len();
    while at < line.to && recorded[at] != b'\t' && recorded[at] != b' ' {
        text.byte(recorded[at]);
        at += 1;
    }
    text.texts(&[": ", reason]);
    match core::str::from_utf8(text.written()) {
        Ok(text) => panic!("{}", text),
        Err(_) => panic!("{}", reason),
    }
}

/// Compares the C header of a pair with its baseline, if there is one.
///
/// # Panics
///
/// At compile time:
///
/// - if `recorded` is no C header of this pair;
/// - if something was changed without a new major version;
/// - if something was appended without a new minor or major version.
#[inline]
pub const fn check(of: &Declaration, header: &[u8], recorded: Option<&str>) {
    if let Some(recorded) = recorded {
        match compare(of, header, recorded.as_bytes()) {
            Some((reason, Some(line))) => panic_with_name(recorded.as_bytes(), line, reason),
            Some((reason, None)) => panic!("{}", reason),
            None => (),
        }
    }
}

#[cfg(d2d_tests)]
mod tests;

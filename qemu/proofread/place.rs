// SPDX-License-Identifier: GPL-2.0

//! Finds places in documents and comments, and what they name. A *place* is a file and a name that the file defines,
//! such as `shared/d2d/queue.rs:put`, or `put` in `shared/d2d/queue.rs`. If several types of the file have a function
//! of this name, the place names the type: `queue.rs:Queue::put`.

use crate::item::after_generics;
use crate::name::{is_path, is_word, words};
use std::collections::BTreeSet;
use std::fmt;

/// A name after one of these words is a definition.
const DEFINING: &[&str] = &[
    "fn",
    "mod",
    "struct",
    "enum",
    "trait",
    "type",
    "const",
    "static",
    "union",
    "macro_rules!",
    "#define",
];

fn is_name(text: &str) -> bool {
    text.split("::")
        .all(|word| !word.is_empty() && word.chars().all(is_word))
}

/// Splits a text of the form `file:name`.
pub fn in_one_span(text: &str) -> Option<(&str, &str)> {
    let (path, name) = text.split_once(':')?;
    (is_path(path) && path.contains('.') && is_name(name)).then_some((path, name))
}

/// Returns the places that a text writes in two code spans: line, path and name.
pub fn in_two_spans(text: &str) -> Vec<(usize, &str, &str)> {
    let pieces: Vec<_> = text.split('`').collect();
    let mut line = 1;
    let mut found = vec![];
    for (index, piece) in pieces.iter().enumerate() {
        if let (true, [between, path, ..]) = (index % 2 == 1, &pieces[index + 1..]) {
            let name = piece.rsplit(' ').next().unwrap_or_default();
            let name = name.trim_end_matches("()").trim_end_matches('!');
            if between.trim() == "in" && is_path(path) && path.contains('.') && is_name(name) {
                found.push((line, *path, name));
            }
        }
        line += piece.matches('\n').count();
    }
    found
}

/// Returns the type that a line begins to implement, or the trait that it declares.
fn implemented(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let begins = [
        "impl ",
        "impl<",
        "unsafe impl",
        "trait ",
        "pub trait ",
        "pub(crate) trait ",
        "pub unsafe trait ",
    ];
    if !begins.iter().any(|begin| line.starts_with(begin)) {
        return None;
    }
    let (head, _) = line.split_once('{').unwrap_or((line, ""));
    let of = match head.rsplit_once(" for ") {
        Some((_, of)) => of,
        None => after_generics(
            head.split_once("impl")
                .map_or(head, |(_, of)| of.trim_start()),
        ),
    };
    let before = ["pub", "crate", "unsafe", "trait"];
    words(of).find(|word| !before.contains(word))
}

/// What a definition is in
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Within<'a> {
    File,
    /// The implementation of this type, or the declaration of this trait
    Type(&'a str),
    /// A block of another kind, such as a macro
    Block,
}

impl fmt::Display for Within<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Within::File => "the file",
            Within::Type(name) => name,
            Within::Block => "a block",
        })
    }
}

/// Finds the definitions of a name, or of `Type::name`, in a file. Returns what they are in. Instead of a name, a
/// place may have the number of a line, which counts as an item of the file.
pub fn definitions<'a>(path: &str, text: &'a str, name: &str) -> BTreeSet<Within<'a>> {
    if let Ok(line) = name.parse::<usize>() {
        let has_line = (1..=text.lines().count()).contains(&line);
        return has_line.then_some(Within::File).into_iter().collect();
    }
    let (of, name) = match name.rsplit_once("::") {
        Some((of, name)) => (of.rsplit("::").next(), name),
        None => (None, name),
    };
    let all = text.match_indices(name).filter_map(|(at, _)| {
        let (head, tail) = (&text[..at], &text[at + name.len()..]);
        let begin = head.rfind('\n').map_or(0, |at| at + 1);
        let line = &head[begin..];
        let is_defined = !head.ends_with(is_word)
            && !tail.starts_with(is_word)
            && (DEFINING.iter().any(|word| line.trim_end().ends_with(word))
                || line.starts_with("typedef ") && tail.starts_with(';')
                // A function in C, or the call of a macro that defines one
                || path.ends_with(['c', 'h']) && tail.starts_with('(') && !line.starts_with([' ', '\t'])
                // A function in shell
                || path.ends_with(".sh") && tail.starts_with("()"));
        is_defined.then(|| within(&head[..begin], line))
    });
    all.filter(|defined| of.is_none_or(|of| *defined == Within::Type(of)))
        .collect()
}

/// Returns what a line is in; `before` is the text before the line. rustfmt has indented the lines of a block.
fn within<'a>(before: &'a str, line: &str) -> Within<'a> {
    let indent = |line: &str| line.len() - line.trim_start().len();
    let mut least = indent(line);
    let is_begin = |line: &&str| !["", "where", "{"].contains(&line.trim());
    for line in before.lines().rev().filter(is_begin) {
        if indent(line) < least {
            least = indent(line);
            if let Some(of) = implemented(line) {
                return Within::Type(of);
            }
        }
    }
    match indent(line) {
        0 => Within::File,
        _ => Within::Block,
    }
}

#[cfg(test)]
mod tests {
    use crate::name::tests::wrong;

    #[test]
    fn a_place_in_two_spans_is_checked() {
        let right = "`put` in `shared/d2d/queue.rs`, `Queue::put()` in\n`queue.rs`, `struct x` of `queue.rs`\n\
            `int d2d_take` in `d2d.h`, `Batch::read` in `queue.rs`, a `b` in `c`\n";
        assert_eq!(wrong(right), Vec::<String>::new());
        assert_eq!(
            wrong("`nosuch` in `shared/d2d/queue.rs`"),
            ["docs/a.md:1: no nosuch in shared/d2d/queue.rs"]
        );
        assert_eq!(
            wrong("x\n`take()` in\n`queue.rs`"),
            ["docs/a.md:2: no take in queue.rs"]
        );
        assert_eq!(
            wrong("`Queue::read` in `queue.rs`"),
            ["docs/a.md:1: no Queue::read in queue.rs"]
        );
        assert_eq!(
            wrong("`put` in `shared/nosuch.rs`")[0],
            "docs/a.md:1: no file shared/nosuch.rs"
        );
        assert_eq!(
            wrong("```rust\n`take` in `queue.rs`\n```\n"),
            Vec::<String>::new()
        );
    }

    #[test]
    fn a_place_names_exactly_one_function() {
        let right = "`queue.rs:Item::read`, `queue.rs:Batch::read`, `queue.rs:len`, `queue.rs:Side::side`, `queue.rs:twice`";
        assert_eq!(wrong(right), Vec::<String>::new());
        assert_eq!(
            wrong("`queue.rs:read`"),
            ["docs/a.md:1: more than one read in queue.rs: of Batch, Item"]
        );
        assert_eq!(
            wrong("`queue.rs:Queue::read`"),
            ["docs/a.md:1: no Queue::read in queue.rs"]
        );
    }
}

// SPDX-License-Identifier: GPL-2.0

//! Compares the public items of a library with the tables of a document. The tables must name each safe item. Each
//! name in the tables must fit exactly one item.
//!
//! rustfmt has formatted the sources: a block ends with a brace that is indented like the block's first line. An
//! item with a plain `pub` is public: the compiler warns about a plain `pub` that other crates cannot reach.

use std::collections::BTreeSet;

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Item {
    /// `file::name`, `file::Type::name` or `name!`
    path: String,
    /// An unsafe item needs no row: its own comment says what the caller must ensure.
    is_unsafe: bool,
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

fn word(text: &str) -> &str {
    text.split(|c| !is_word(c)).next().unwrap_or_default()
}

pub fn after_generics(text: &str) -> &str {
    let mut depth = 0;
    for (at, c) in text.char_indices() {
        match c {
            '<' => depth += 1,
            '>' if !text[..at].ends_with('-') => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return text[at..].trim_start_matches('>').trim_start();
        }
    }
    ""
}

/// Returns the type if the line begins `impl Type {`.
fn implements(line: &str) -> Option<&str> {
    let rest = line.strip_prefix("impl")?;
    if !rest.starts_with([' ', '<']) {
        return None;
    }
    let rest = after_generics(rest.trim_start());
    (!rest.contains(" for ")).then(|| word(rest))
}

/// Returns the declared item, and whether it is unsafe. `line` is the text after `pub `.
fn declared(mut line: &str) -> Option<(&str, bool)> {
    let mut is_unsafe = false;
    loop {
        let first = word(line);
        let rest = line[first.len()..].trim_start();
        match first {
            "unsafe" => is_unsafe = true,
            "const" if word(rest) != "fn" && word(rest) != "unsafe" => {
                return Some((word(rest), is_unsafe));
            }
            "const" | "mut" => {}
            "fn" | "struct" | "enum" | "trait" | "type" | "static" | "union" => {
                return Some((word(rest), is_unsafe));
            }
            "use" => return Some((word(rest.split_once(" as ")?.1), is_unsafe)),
            _ => return None,
        }
        line = rest;
    }
}

pub fn public(file: &str, source: &str) -> BTreeSet<Item> {
    let mut items = BTreeSet::new();
    let mut implemented: Option<(usize, &str)> = None;
    let mut is_exported = false;
    for line in source.lines() {
        let text = line.trim_start();
        let indent = line.len() - text.len();
        if text.starts_with("//") {
            continue;
        }
        if text == "#[macro_export]" {
            is_exported = true;
        } else if let Some(name) = text.strip_prefix("macro_rules! ") {
            if std::mem::take(&mut is_exported) {
                items.insert(Item {
                    path: format!("{}!", word(name)),
                    is_unsafe: false,
                });
            }
        } else if let Some(of) = implements(text) {
            implemented = Some((indent, of));
        } else if text == "}" && implemented.is_some_and(|(begin, _)| begin == indent) {
            implemented = None;
        } else if let Some((name, is_unsafe)) = text.strip_prefix("pub ").and_then(declared) {
            let of = implemented.map_or(String::new(), |(_, of)| format!("{of}::"));
            if !name.is_empty() && name != "_" {
                items.insert(Item {
                    path: format!("{file}::{of}{name}"),
                    is_unsafe,
                });
            }
        }
    }
    items
}

/// Returns the names in the first column of a document's tables. `a::{b, c}` stands for `a::b` and `a::c`.
fn listed(document: &str) -> Vec<String> {
    let cells = document
        .lines()
        .filter_map(|line| line.strip_prefix('|')?.split('|').next());
    let spans = cells.flat_map(|cell| cell.split('`').skip(1).step_by(2));
    spans
        .flat_map(|span| match span.split_once("::{") {
            Some((of, names)) => names
                .trim_end_matches('}')
                .split(", ")
                .map(|name| format!("{of}::{name}"))
                .collect(),
            None => vec![span.to_owned()],
        })
        .collect()
}

/// Whether a name is the item's path, or the end of the path.
fn is_named(item: &Item, name: &str) -> bool {
    let before = item.path.strip_suffix(name);
    before.is_some_and(|before| before.is_empty() || before.ends_with("::"))
}

pub fn check(document: &str, items: &BTreeSet<Item>) -> Vec<String> {
    let listed = listed(document);
    let mut wrong = vec![];
    for name in &listed {
        match items.iter().filter(|item| is_named(item, name)).count() {
            0 => wrong.push(format!("{name} is no public item")),
            1 => {}
            _ => wrong.push(format!("{name} is more than one public item")),
        }
    }
    for item in items.iter().filter(|item| !item.is_unsafe) {
        if !listed.iter().any(|name| is_named(item, name)) {
            wrong.push(format!("{} has no row", item.path));
        }
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = "
/// pub fn text()
pub struct Queue<'a> {
    pub depth: u32,
}

impl<'a, F: Fn() -> u32> Queue<'a> {
    pub const MAX: u32 = 1;
    /// Takes one.
    pub const fn take(&self) {
        {
        }
    }
    pub unsafe fn revoke(&self) {}
    pub(crate) fn hidden() {}
}

impl Drop for Queue<'_> {
    fn drop(&mut self) {}
}

pub unsafe trait Table {}
pub use other as abi;
pub use more::of_it;
#[macro_export]
macro_rules! queue {
    () => {
        pub fn $name() {}
    };
}
macro_rules! private {}
pub fn put() {}
";

    #[test]
    fn public_items_are_found() {
        let items = public("queue", SOURCE);
        let paths = |is_unsafe| {
            let items = items.iter().filter(move |item| item.is_unsafe == is_unsafe);
            Vec::from_iter(items.map(|item| &item.path[..]))
        };
        assert_eq!(
            paths(false),
            [
                "queue!",
                "queue::Queue",
                "queue::Queue::MAX",
                "queue::Queue::take",
                "queue::abi",
                "queue::put"
            ]
        );
        assert_eq!(paths(true), ["queue::Queue::revoke", "queue::Table"]);
    }

    #[test]
    fn items_without_a_row_and_rows_without_an_item_are_found() {
        let items = public("queue", SOURCE);
        let document = "`abi`\n| `queue!`, `Queue::{MAX, take}` | `put` |\n| `Queue`, `give` | |\n";
        assert_eq!(
            check(document, &items),
            [
                "give is no public item",
                "queue::abi has no row",
                "queue::put has no row"
            ]
        );
    }

    #[test]
    fn a_name_of_two_items_is_refused() {
        let mut items = public("one", "pub struct Text;\n");
        items.extend(public("other", "pub struct Text;\n"));
        assert_eq!(
            check("| `Text` |\n", &items),
            ["Text is more than one public item"]
        );
        assert!(check("| `one::Text`, `other::Text` |\n", &items).is_empty());
    }
}

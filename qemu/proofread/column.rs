// SPDX-License-Identifier: GPL-2.0

//! Checks the names in the code spans of columns "in C": each name must be in a C header.

use crate::name::words;
use std::collections::BTreeMap;

const HEADING: &str = "in C";

/// Returns the names in the columns "in C", and the first line in which each name occurs.
pub fn names(document: &str) -> BTreeMap<&str, usize> {
    let mut found = BTreeMap::new();
    // In a table: the index of its column "in C", if it has one
    let mut table: Option<Option<usize>> = None;
    for (index, line) in document.lines().enumerate() {
        let Some(row) = line.strip_prefix('|') else {
            table = None;
            continue;
        };
        let mut cells = row.split('|');
        let Some(column) = table else {
            table = Some(cells.position(|cell| cell.trim() == HEADING));
            continue;
        };
        let cell = column.and_then(|at| cells.nth(at)).unwrap_or_default();
        let spans = cell.split('`').skip(1).step_by(2);
        for word in spans.flat_map(words) {
            if !word.starts_with(|c: char| c.is_ascii_digit()) {
                found.entry(word).or_insert(index + 1);
            }
        }
    }
    found
}

pub fn check(
    document: &str,
    headers: impl Iterator<Item = Result<String, String>>,
) -> Result<Vec<String>, String> {
    let mut missing = names(document);
    for header in headers {
        if missing.is_empty() {
            break;
        }
        for word in words(&header?) {
            missing.remove(word);
        }
    }
    Ok(missing
        .iter()
        .map(|(name, line)| format!("line {line}: no header has {name}"))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENT: &str = "\
| | in Rust | in C |
|---|---|---|
| `KeSetEvent` | `Event::set` | `d2d_event_set()`, `struct completion` |
| a | b | `d2d_event_set()`, plain, `GFP_ATOMIC | 2` |

| WDM | here |
|---|---|
| `IoCallDriver` | `Packet::send` |
";

    #[test]
    fn names_in_the_columns_are_found() {
        let names = names(DOCUMENT);
        assert_eq!(
            Vec::from_iter(names),
            [
                ("GFP_ATOMIC", 4),
                ("completion", 3),
                ("d2d_event_set", 3),
                ("struct", 3)
            ]
        );
    }

    #[test]
    fn names_that_no_header_has_are_reported() {
        let headers = [
            "struct completion;",
            "int d2d_event_sets(u32);\n#define GFP_ATOMIC 1",
        ];
        let headers = headers.iter().map(|text| Ok((*text).to_owned()));
        assert_eq!(
            check(DOCUMENT, headers),
            Ok(vec!["line 3: no header has d2d_event_set".to_owned()])
        );
    }
}

// SPDX-License-Identifier: GPL-2.0

//! Finds the functions of the Windows kernel that a source calls and that are in no table of the documents.

use std::collections::BTreeSet;

/// Prefixes of the functions. After its prefix, a function's name ends, or goes on with a capital letter.
const PREFIXES: &[&str] = &[
    "DbgPrint",
    "Ex",
    "Interlocked",
    "Io",
    "Ke",
    "Mm",
    "Ob",
    "Ps",
    "Rtl",
    "Wdf",
    "Zw",
];

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

fn is_api(name: &str) -> bool {
    let by_prefix = PREFIXES.iter().any(|prefix| {
        name.strip_prefix(prefix).is_some_and(|rest| {
            rest.is_empty() || rest.starts_with(|c: char| c.is_ascii_uppercase())
        })
    });
    // Functions and macros that begin with a verb: InsertTailList, InitializeObjectAttributes
    by_prefix
        || ["Initialize", "Insert", "Remove", "IsList"]
            .iter()
            .any(|verb| name.starts_with(verb) && name != *verb)
            && ["List", "Object"].iter().any(|noun| name.contains(noun))
}

fn called(sources: &str) -> BTreeSet<&str> {
    sources
        .split('(')
        .filter_map(|before| before.rsplit(|c| !is_word(c)).next())
        .filter(|name| is_api(name))
        .collect()
}

fn listed(document: &str) -> BTreeSet<&str> {
    document
        .lines()
        .filter(|line| line.starts_with('|'))
        .flat_map(|line| line.split('`').skip(1).step_by(2))
        .flat_map(|code| code.split(|c| !is_word(c)))
        .collect()
}

pub fn missing(sources: &str, document: &str) -> Vec<String> {
    let listed = listed(document);
    called(sources)
        .difference(&listed)
        .map(|name| format!("{name} is in no table"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_found() {
        let source = "x = KeSetEvent(&e); Exercise(); D2dTrace(IoBuild); InsertTailList(a, b);\n\
                      DbgPrint(\"\"); Initialize(); stack->Io.X; InitializeObjectAttributes(o)";
        assert_eq!(
            Vec::from_iter(called(source)),
            [
                "DbgPrint",
                "InitializeObjectAttributes",
                "InsertTailList",
                "KeSetEvent"
            ]
        );
    }

    #[test]
    fn a_function_in_no_table_is_missing() {
        let sources = "KeSetEvent(); KeClearEvent(); IoFreeIrp();";
        let document = "`IoFreeIrp`\n| `KeSetEvent`, `x` | KeClearEvent |\n";
        assert_eq!(
            missing(sources, document),
            ["IoFreeIrp is in no table", "KeClearEvent is in no table"]
        );
    }
}

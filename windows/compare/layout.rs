// SPDX-License-Identifier: GPL-2.0

//! Compares the layouts of the shared block that the two compilers have printed: lines `NAME BYTES`.

use super::differences::Differences;

/// The layouts side by side.
pub struct Table {
    pub lines: Vec<String>,
    pub unexplained: Vec<String>,
}

fn parse(text: &str) -> Result<Vec<(&str, u64)>, String> {
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    let entries: Vec<_> = lines
        .map(|line| {
            let (name, bytes) = line.split_once(' ').ok_or(line)?;
            Ok((name, bytes.trim().parse().map_err(|_| line)?))
        })
        .collect::<Result<_, &str>>()
        .map_err(|line| format!("not a line of a layout: {line}"))?;
    match entries.is_empty() {
        true => Err("a layout is empty".into()),
        false => Ok(entries),
    }
}

/// Compares two layouts, in the order of Linux; fields that only Windows has come last.
pub fn compare(linux: &str, windows: &str, differences: &mut Differences) -> Result<Table, String> {
    let (linux, windows) = (parse(linux)?, parse(windows)?);
    let find = |all: &[(&str, u64)], name: &str| {
        all.iter()
            .find(|(one, _)| *one == name)
            .map(|(_, bytes)| *bytes)
    };
    let more = windows
        .iter()
        .filter(|(name, _)| find(&linux, name).is_none());
    let mut table = Table {
        lines: Vec::new(),
        unexplained: Vec::new(),
    };
    for (name, _) in linux.iter().chain(more) {
        let (l, w) = (find(&linux, name), find(&windows, name));
        let show = |bytes: Option<u64>| bytes.map_or("-".into(), |bytes| bytes.to_string());
        let text = format!("{name:28} {:>5} | {:>5}", show(l), show(w));
        let line = match differences.layout_rule(name) {
            _ if l == w => format!("= {text}"),
            Some(rule) => format!("~ {text} [{}]", differences.cite(rule)),
            None => {
                table.unexplained.push(text.clone());
                format!("!! {text}")
            }
        };
        table.lines.push(line);
    }
    Ok(table)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_needs_a_reason() {
        let mut differences = Differences::parse("layout a c\nbecause of b").expect("no mistake");
        let table = compare("a 0\nb 4\n", "a 8\nb 4\nc 9\n", &mut differences).expect("layouts");
        assert!(table.unexplained.is_empty());
        assert!(differences.rules().iter().all(|rule| rule.used == 1));
        let table = compare("a 0\nb 4\n", "a 0\nb 8\n", &mut differences).expect("layouts");
        assert_eq!(table.unexplained.len(), 1);
        assert!(compare("", "a 0", &mut differences).is_err());
        assert!(compare("a", "a 0", &mut differences).is_err());
    }
}

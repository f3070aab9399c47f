// SPDX-License-Identifier: GPL-2.0

//! The record of the figures, docs/results.tsv, with which the guard compares later runs.
//!
//! Tabs separate the fields of a line. The line of a condition has a name and a value. The line of a contender has its
//! name, its point of a curve (such as `depth:10`; `-` for none), its base, its least figure and its median.

use crate::log::Log;
use crate::log_lines::{At, Contender};

/// The conditions on which the numbers of instructions depend
const VERSIONS: [&str; 4] = ["kernel", "emulator", "rustc", "C compiler"];

/// The field `at` of a contender that is on no curve
const SINGLE: &str = "-";

#[derive(Debug, PartialEq)]
pub struct Entry {
    pub name: String,
    at: String,
    pub base: String,
    pub least: f64,
    pub median: f64,
}

#[derive(Debug, PartialEq)]
pub struct Record {
    pub versions: Vec<(String, String)>,
    pub entries: Vec<Entry>,
}

fn at_text(at: Option<&At>) -> String {
    at.map_or(SINGLE.into(), At::to_string)
}

impl Entry {
    fn new(contender: &Contender) -> Self {
        Entry {
            name: contender.name.clone(),
            at: at_text(contender.at.as_ref()),
            base: contender.base.clone(),
            least: contender.min(),
            median: contender.median(),
        }
    }

    pub fn title(&self) -> String {
        match self.at.as_str() {
            SINGLE => self.name.clone(),
            at => format!("{} at {at}", self.name),
        }
    }

    fn parse(line: &str) -> Option<Self> {
        let cells: Vec<_> = line.split('\t').collect();
        let [name, at, base, least, median] = cells.as_slice() else {
            return None;
        };
        Some(Entry {
            name: (*name).into(),
            at: (*at).into(),
            base: (*base).into(),
            least: least.parse().ok()?,
            median: median.parse().ok()?,
        })
    }
}

impl Record {
    pub fn new(log: &Log) -> Self {
        let version = |name: &str| Some((name.to_owned(), log.condition(name)?.to_owned()));
        let mut record = Record {
            versions: VERSIONS.into_iter().filter_map(version).collect(),
            entries: Vec::new(),
        };
        // The empty loop is in the log twice.
        for contender in &log.contenders {
            let entry = Entry::new(contender);
            if record.counterpart(&entry).is_none() {
                record.entries.push(entry);
            }
        }
        record
    }

    pub fn parse(text: &str) -> Result<Self, String> {
        let mut record = Record {
            versions: Vec::new(),
            entries: Vec::new(),
        };
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            if let Some(entry) = Entry::parse(line) {
                record.entries.push(entry);
            } else if let Some((name, value)) = line.split_once('\t') {
                record.versions.push((name.into(), value.into()));
            } else {
                return Err(format!("cannot parse: {line}"));
            }
        }
        Ok(record)
    }

    /// Returns the entry of the same contender at the same point.
    pub fn counterpart(&self, entry: &Entry) -> Option<&Entry> {
        self.find(&entry.name, entry)
    }

    /// Returns the entry of the contender `name` at the point of the entry `at_point_of`.
    pub fn find(&self, name: &str, at_point_of: &Entry) -> Option<&Entry> {
        self.entries
            .iter()
            .find(|entry| entry.name == name && entry.at == at_point_of.at)
    }

    pub fn single(&self, name: &str) -> Option<&Entry> {
        self.entries
            .iter()
            .find(|entry| entry.name == name && entry.at == SINGLE)
    }

    pub fn text(&self) -> String {
        let mut text = String::from(
            "# What `make bench` has measured, in instructions: contender, point of a curve, base, least, median.\n\
             # `make bench-check` compares with it.\n",
        );
        for (name, value) in &self.versions {
            text += &format!("{name}\t{value}\n");
        }
        for one in &self.entries {
            let (name, at, base) = (&one.name, &one.at, &one.base);
            text += &format!(
                "{name}\t{at}\t{base}\t{:.3}\t{:.3}\n",
                one.least, one.median
            );
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_that_was_written_can_be_read() {
        let log = Log::parse(
            "\
bench: condition kernel: 7.3
bench: condition load: 1
bench: contender=empty-loop base=empty-loop calls= n=1 ns=2,
bench: contender=a base=empty-loop at=depth:10 calls= n=1 ns=20,21,
bench: contender=empty-loop base=empty-loop calls= n=1 ns=3,
",
        );
        let record = Record::new(&log.unwrap());
        assert_eq!(record.versions, [("kernel".into(), "7.3".into())]);
        assert_eq!(record.entries.len(), 2);
        let text = record.text();
        assert!(text.ends_with("a\tdepth:10\tempty-loop\t20.000\t20.500\n"));
        assert_eq!(Record::parse(&text), Ok(record));
        assert!(Record::parse("nothing").is_err());
    }
}

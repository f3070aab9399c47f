// SPDX-License-Identifier: GPL-2.0

//! The sizes of the modules, and the memory that their objects take.

use crate::markdown::{cells, number, number_or_none, table};

pub struct Size {
    name: String,
    text: u64,
    data: u64,
    file: u64,
}

const PAIRS: [(&str, [&str; 2]); 3] = [
    ("project", ["bench_owner", "bench_peer"]),
    ("C twin", ["twin_owner", "twin_peer"]),
    ("the demonstration", ["module_a", "module_b"]),
];

const SIZES: &str = "\
Bytes, after stripping debugging symbols, as modules are installed. `data` includes zeroed data. Besides text and
data, a file has relocations and symbols. `bench_peer` and `twin_peer` have code that measures, and `bench_peer` also
has the loops of floor and alternatives.

";

impl Size {
    /// Parses a line of `size`. `bytes` returns the size of a file.
    fn parse(line: &str, bytes: impl Fn(&str) -> Option<u64>) -> Option<Self> {
        let mut words = line.split_whitespace();
        let mut number = || words.next()?.parse::<u64>().ok();
        let (text, data, bss) = (number()?, number()?, number()?);
        let path = words.nth(2)?;
        let name = path.rsplit('/').next()?.strip_suffix(".ko")?;
        Some(Size {
            name: name.into(),
            text,
            data: data + bss,
            file: bytes(path)?,
        })
    }
}

pub fn parse(text: &str, bytes: impl Fn(&str) -> Option<u64>) -> Vec<Size> {
    let lines = text.lines();
    lines.filter_map(|line| Size::parse(line, &bytes)).collect()
}

/// Returns the bytes of text, data and files of a pair.
fn pair(sizes: &[Size], modules: [&str; 2]) -> Option<[u64; 3]> {
    let mut sum = [0; 3];
    for module in modules {
        let size = sizes.iter().find(|size| size.name == module)?;
        sum[0] += size.text;
        sum[1] += size.data;
        sum[2] += size.file;
    }
    Some(sum)
}

/// Returns the bytes of the project's files and of the twin's files.
pub fn files(sizes: &[Size]) -> Option<(f64, f64)> {
    let file = |index: usize| Some(pair(sizes, PAIRS[index].1)?[2] as f64);
    Some((file(0)?, file(1)?))
}

pub fn demonstration(sizes: &[Size]) -> Option<f64> {
    Some(pair(sizes, PAIRS[2].1)?[2] as f64)
}

pub fn tables(sizes: &[Size]) -> String {
    let head = ["", "text", "data", "file", "× twin (file)"];
    let mut rows = vec![cells(head)];
    let twin = files(sizes).map(|(_, twin)| twin);
    for (what, modules) in PAIRS {
        for module in modules {
            if let Some(size) = sizes.iter().find(|size| size.name == module) {
                let mut row = vec![format!("`{module}`")];
                row.extend([size.text, size.data, size.file].map(|bytes| bytes.to_string()));
                row.push(String::new());
                rows.push(row);
            }
        }
        if let Some(sum) = pair(sizes, modules) {
            let mut row = vec![format!("{what}, both")];
            row.extend(sum.map(|bytes| bytes.to_string()));
            row.push(number_or_none(twin.map(|twin| sum[2] as f64 / twin)));
            rows.push(row);
        }
    }
    format!("{SIZES}{}", table(&rows, 1))
}

pub fn memory(log: &crate::log::Log) -> String {
    let bytes = |of: &str, who: &str| {
        let mut lines = log.memory.iter();
        let line = lines.find(|line| line.of == of && line.who == who);
        line.map(|line| line.bytes as f64)
    };
    let mut rows = vec![cells(["bytes of a", "project", "C twin", "× twin"])];
    for of in ["context", "item", "request", "event"] {
        let (project, twin) = (bytes(of, "project"), bytes(of, "twin"));
        let mut row = cells([of]);
        row.extend([project, twin].map(|bytes| match bytes {
            Some(bytes) => format!("{bytes:.0}"),
            None => number_or_none(None),
        }));
        let ratio = project.zip(twin).map(|(project, twin)| project / twin);
        row.push(ratio.map_or(number_or_none(None), number));
        rows.push(row);
    }
    table(&rows, 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::Log;

    const TEXT: &str = "   text\t   data\t    bss\t    dec\t    hex\tfilename
   1000\t    100\t     10\t   1110\t    456\tdir/bench_owner.ko
   2000\t    200\t     20\t   2220\t    8ac\tdir/bench_peer.ko
   1000\t      0\t      0\t   1000\t    3e8\tdir/twin_owner.ko
    500\t      0\t      0\t    500\t    1f4\tdir/twin_peer.ko
";

    fn sizes(text: &str) -> Vec<Size> {
        parse(text, |path| {
            Some(if path.contains("bench") { 6000 } else { 5000 })
        })
    }

    #[test]
    fn the_pair_is_compared_with_its_twin() {
        let sizes = sizes(TEXT);
        assert_eq!(sizes.len(), 4);
        assert_eq!(files(&sizes), Some((12000.0, 10000.0)));
        let text = tables(&sizes);
        assert!(text.contains("| project, both | 3000 |  330 | 12000 |          1.20 |"));
        assert!(!text.contains("demonstration"));
    }

    #[test]
    fn a_missing_module_gives_no_sum() {
        let less: Vec<_> = TEXT.lines().take(4).collect();
        assert_eq!(files(&sizes(&less.join("\n"))), None);
    }

    #[test]
    fn the_table_of_memory_has_both_pairs() {
        let log = "bench: memory of=item who=project bytes=120\nbench: memory of=item who=twin bytes=96\n";
        let text = memory(&Log::parse(log).unwrap());
        assert!(text.contains("| item       |     120 |     96 |   1.25 |"));
        assert!(text.contains("| event      |       – |      – |      – |"));
    }
}

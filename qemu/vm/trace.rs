// SPDX-License-Identifier: GPL-2.0

//! The trace of a pair. If two CPUs print lines, the log may have them in a wrong order. So this module sorts the lines
//! by load and seq (docs/trace.md). Lines "lab: ..." and "DRIVER: ..." have no seq: they come after the steps that
//! precede them in the log.

use crate::line::{unstamped, Line};
use std::collections::HashSet;

pub fn from_dmesg(dmesg: &str) -> String {
    let mut lines: Vec<((u64, u64), &str)> = Vec::new();
    let mut last = (0, 0);
    let mut printers = HashSet::from(["lab"]);
    for text in dmesg.lines().map(unstamped) {
        let place = match Line::parse(text) {
            Some(Ok(step)) => {
                printers.insert(step.driver);
                (step.load.unwrap_or(0), step.seq)
            }
            Some(Err(_)) => last,
            None => match text.split_once(": ") {
                Some((printer, _)) if printers.contains(printer) => last,
                _ => continue,
            },
        };
        last = last.max(place);
        lines.push((place, text));
    }
    lines.sort_by_key(|(place, _)| *place);
    lines.iter().flat_map(|(_, text)| [text, "\n"]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_sorted_by_load_and_seq() {
        let dmesg = "\
[    1.0] lab: insmod module_a.ko
[    1.0] module_a: loading out-of-tree module taints kernel.
[    1.1][    T1] module_a: d2d: seq=1 load=1 in=task step=load
[    1.2] module_b: d2d: seq=3 load=1 in=task step=adopt
[    1.2] module_a: d2d: seq=2 load=1 in=softirq step=dispatch
[    1.3] lab: rmmod module_a: refused
[    1.3] random: crng init done
[    1.3] module_b: 2 items
[    1.3] module_b: d2d: se
[    1.4] module_a: d2d: seq=1 load=2 in=task step=load
";
        let sorted = "\
lab: insmod module_a.ko
module_a: d2d: seq=1 load=1 in=task step=load
module_a: d2d: seq=2 load=1 in=softirq step=dispatch
module_b: d2d: seq=3 load=1 in=task step=adopt
lab: rmmod module_a: refused
module_b: 2 items
module_b: d2d: se
module_a: d2d: seq=1 load=2 in=task step=load
";
        assert_eq!(from_dmesg(dmesg), sorted);
    }
}

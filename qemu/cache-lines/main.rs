// SPDX-License-Identifier: GPL-2.0

// A plugin of QEMU. The guest's module selftests/peers/two_pairs.c marks sections of its code, and runs them on two
// CPUs with interrupts disabled. For each section, the plugin reports in KTAP whether both CPUs write the same cache
// line.
//
// Argument: out=FILE. When the machine ends, the plugin writes its report to FILE. If the guest has written its
// /proc/kallsyms to FILE before, the report names functions and variables.

#![crate_type = "cdylib"]

#[cfg(not(test))]
mod plugin;

use std::collections::BTreeMap;
use std::fmt::Write;

/// The sections, in the module's order. In the section "control", both CPUs write one variable on purpose.
const SECTIONS: [&str; 4] = [
    "requests that are completed at once, with copies",
    "requests that are completed at once, in place",
    "requests that are completed later",
    "control",
];

const LINE: u64 = 64;

/// The cache lines that a CPU has written in a section, and the instruction that wrote each first
#[derive(Default)]
struct Section(BTreeMap<u64, u64>);

impl Section {
    fn store(&mut self, address: u64, bytes: u64, instruction: u64) {
        for line in address / LINE..=(address + bytes - 1) / LINE {
            self.0.entry(line * LINE).or_insert(instruction);
        }
    }
}

#[derive(Default)]
struct Symbols(BTreeMap<u64, String>);

impl Symbols {
    /// Reads lines "ADDRESS TYPE NAME [MODULE]".
    fn read(text: &str) -> Self {
        let symbol = |line: &str| {
            let mut words = line.split_whitespace();
            let address = u64::from_str_radix(words.next()?, 16).ok()?;
            let name = words.skip(1).collect::<Vec<_>>().join(" ");
            Some((address, name))
        };
        Self(text.lines().filter_map(symbol).collect())
    }

    /// Names an address by symbol and offset. Allocated memory has no symbol, only a number.
    fn name(&self, address: u64) -> String {
        match self.0.range(..=address).next_back() {
            Some((start, name)) if address - start < 1 << 16 => {
                format!("{name}+{:#x}", address - start)
            }
            _ => format!("{address:#x}"),
        }
    }
}

fn report(cpus: [&[Section]; 2], symbols: &Symbols) -> String {
    let mut out = format!("TAP version 13\n1..{}\n", SECTIONS.len() + 1);
    let mut number = 0;
    let mut result = |out: &mut String, ok: bool, name: &str| {
        number += 1;
        let not = if ok { "" } else { "not " };
        let _ = writeln!(out, "{not}ok {number} {name}");
    };
    let counts = cpus.map(<[Section]>::len);
    let _ = writeln!(out, "# sections of each CPU: {counts:?}");
    let is_complete = counts == [SECTIONS.len(); 2];
    result(&mut out, is_complete, "each CPU has run all sections");
    for (n, name) in SECTIONS.iter().enumerate() {
        let none = Section::default();
        let [first, second] = cpus.map(|sections| &sections.get(n).unwrap_or(&none).0);
        for (cpu, lines) in [first, second].iter().enumerate() {
            let all: Vec<_> = lines.keys().map(|line| format!("{line:x}")).collect();
            let _ = writeln!(
                out,
                "# CPU {cpu} writes {} lines: {}",
                all.len(),
                all.join(" ")
            );
        }
        let mut common = 0;
        for (line, by_first) in first {
            if let Some(by_second) = second.get(line) {
                common += 1;
                let [line, by_first, by_second] =
                    [line, by_first, by_second].map(|address| symbols.name(*address));
                let _ = writeln!(
                    out,
                    "# both CPUs write the line {line}: CPU 0 at {by_first}, CPU 1 at {by_second}"
                );
            }
        }
        if n + 1 == SECTIONS.len() {
            result(
                &mut out,
                common == 1,
                "the plugin finds the one line that both CPUs write on purpose",
            );
        } else {
            let has_written = !first.is_empty() && !second.is_empty();
            let name = format!("two pairs write no common cache line: {name}");
            result(&mut out, has_written && common == 0, &name);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section(stores: &[(u64, u64)]) -> Section {
        let mut section = Section::default();
        for (address, bytes) in stores {
            section.store(*address, *bytes, 0x1010);
        }
        section
    }

    #[test]
    fn a_store_may_write_two_lines() {
        let section = section(&[(0x7f, 1), (0xbc, 8)]);
        assert_eq!(section.0.keys().collect::<Vec<_>>(), [&0x40, &0x80, &0xc0]);
    }

    #[test]
    fn common_lines_are_reported() {
        let symbols = Symbols::read("1000 t send\t[module_a]\n8000 b count\n");
        let of =
            |own: u64, last: u64| [own, own, own, last].map(|address| section(&[(address, 8)]));
        let good = report([&of(0x100, 0x300), &of(0x200, 0x300)], &symbols);
        assert!(!good.contains("not ok"), "{good}");
        let bad = report([&of(0x100, 0x300), &of(0x108, 0x400)], &symbols);
        assert_eq!(bad.matches("not ok").count(), 4, "{bad}");
        assert!(
            bad.contains(
                "the line 0x100: CPU 0 at send [module_a]+0x10, CPU 1 at send [module_a]+0x10"
            ),
            "{bad}"
        );
        let count = report([&of(0x8040, 0x300), &of(0x8040, 0x300)], &symbols);
        assert!(count.contains("the line count+0x40: "), "{count}");
        let short = report([&of(0x100, 0x300)[..3], &[]], &symbols);
        assert_eq!(short.matches("not ok").count(), 5, "{short}");
    }
}

// SPDX-License-Identifier: GPL-2.0

//! Checks in the modules' disassembly that the compiler has removed no measured loop, and no call in it.

use std::collections::BTreeMap;

/// A line of a function: an instruction, or a relocation of the instruction before it
struct Line<'a> {
    address: u64,
    text: &'a str,
    relocation: bool,
}

pub struct Disassembly<'a>(BTreeMap<&'a str, Vec<Line<'a>>>);

fn hex(text: &str) -> Option<u64> {
    u64::from_str_radix(text.trim(), 16).ok()
}

fn function(line: &str) -> Option<&str> {
    let (address, symbol) = line.strip_suffix(">:")?.split_once(" <")?;
    hex(address)?;
    // The padding before a function has a symbol, too.
    (!symbol.starts_with("__pfx_")).then_some(symbol)
}

impl<'a> Line<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let (address, text) = line.split_once(':')?;
        Some(Line {
            address: hex(address)?,
            text: text.trim(),
            relocation: text.trim().starts_with("R_"),
        })
    }

    fn jump(&self) -> Option<u64> {
        let (name, target) = self.text.split_once(' ')?;
        let (address, _) = target.trim().split_once(' ')?;
        if name.starts_with('j') && !self.relocation {
            hex(address)
        } else {
            None
        }
    }

    /// Whether the line calls a function whose symbol contains this name, or loads the address of such a function
    fn refers_to(&self, name: &str) -> bool {
        (self.relocation || self.text.starts_with("call ")) && self.text.contains(name)
    }

    fn calls_indirectly(&self) -> bool {
        if self.relocation {
            self.text.contains("__x86_indirect_thunk")
        } else {
            self.text.starts_with("call ") && self.text.contains('*')
        }
    }
}

impl<'a> Disassembly<'a> {
    pub fn parse(text: &'a str) -> Self {
        let mut functions = BTreeMap::new();
        let mut current = None;
        for line in text.lines() {
            if let Some(symbol) = function(line) {
                current = Some(functions.entry(symbol).or_insert_with(Vec::new));
            } else if let (Some(lines), Some(line)) = (current.as_mut(), Line::parse(line)) {
                lines.push(line);
            }
        }
        Disassembly(functions)
    }

    /// Checks the loop of a contender `LOOP` or `PAIR:LOOP`. `calls` is a part of the symbol that the loop must call,
    /// `*` if the loop must make any indirect call, or empty if it need not call anything.
    pub fn check(&self, contender: &str, calls: &str) -> Result<(), String> {
        let (_, name) = contender.split_once(':').unwrap_or(("", contender));
        let name = format!("loop_{}", name.replace('-', "_"));
        // The mangled symbol of a Rust function ends with the function's name.
        let mut found = self.0.iter().filter(|(symbol, _)| symbol.ends_with(&name));
        let (Some((_, lines)), None) = (found.next(), found.next()) else {
            return Err(format!("there is no function {name}, or more than one"));
        };
        let first = lines.first().map_or(0, |line| line.address);
        let mut loops = lines.iter().filter_map(|line| {
            let target = line.jump()?;
            let back = (first..=line.address).contains(&target);
            back.then_some(target..=line.address)
        });
        // For User-Mode Linux the compiler makes all calls indirect, and may load the address of the function before
        // the loop. If the function is in the same module, the relocation names only the section .ltext.
        let loaded = |name| {
            let mut absolute = lines
                .iter()
                .filter(|line| line.text.starts_with("R_X86_64_64"));
            absolute.any(|line| line.refers_to(name) || line.refers_to("\t.ltext"))
        };
        let right = |line: &Line<'_>| match calls {
            "" => true,
            "*" => line.calls_indirectly(),
            name => line.refers_to(name) || (line.calls_indirectly() && loaded(name)),
        };
        let inside = |line: &Line<'_>| loops.clone().any(|range| range.contains(&line.address));
        if lines.iter().any(|line| inside(line) && right(line)) {
            Ok(())
        } else if loops.next().is_none() {
            Err(format!("{name} has no loop"))
        } else {
            Err(format!("the loop in {name} does not call {calls}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "
bench_peer.ko:     file format elf64-x86-64

Disassembly of section .text:

0000000000000000 <__pfx_loop_empty_loop>:
   0:\tnop

0000000000000010 <loop_empty_loop>:
  10:\tdec    %rsi
  13:\tjne    10 <loop_empty_loop+0x10>
  15:\tret

0000000000000020 <_RNvCs1_10bench_peer14loop_ops_call>:
  20:\tpush   %rbx
  22:\tmov    0x8(%rdi),%rax
  24:\tcall   29 <x+0x9>
\t\t\t25: R_X86_64_PLT32\t__x86_indirect_thunk_rax-0x4
  29:\tdec    %rbx
  2b:\tjne    22 <x+0x2>
  2d:\tcall   32 <x+0x12>
\t\t\t2e: R_X86_64_PLT32\tqueue_work_on-0x4
  32:\tret

0000000000000040 <loop_uml>:
  40:\tmovabs $0x0,%rax
\t\t\t42: R_X86_64_64\tqueue_work_on
  4a:\tcall   *%rax
  4e:\tjmp    4a <loop_uml+0xa>

0000000000000060 <loop_local>:
  60:\tcall   90 <_RNvMs0_6packet6Packet4call>
  65:\tjmp    60 <loop_local>

0000000000000070 <loop_local_uml>:
  70:\tmovabs $0x0,%rbp
\t\t\t72: R_X86_64_64\t.ltext
  7a:\tcall   *%rbp
  7c:\tjmp    7a <loop_local_uml+0xa>

0000000000000050 <loop_gone>:
  50:\txor    %eax,%eax
  52:\tret
";

    fn why(contender: &str, calls: &str) -> String {
        let checked = Disassembly::parse(TEXT).check(contender, calls);
        checked.err().unwrap_or_default()
    }

    #[test]
    fn loops_and_their_calls_are_found() {
        assert_eq!(why("empty-loop", ""), "");
        assert_eq!(why("ops-call", "*"), "");
        assert_eq!(why("c-rust:ops-call", "*"), "");
        assert_eq!(why("uml", "queue_work"), "");
        assert_eq!(why("uml", "*"), "");
        assert_eq!(why("local", "Packet4call"), "");
        assert_eq!(why("local-uml", "Packet4call"), "");
    }

    #[test]
    fn a_removed_loop_or_call_is_noticed() {
        assert_eq!(why("gone", "*"), "loop_gone has no loop");
        assert_eq!(
            why("empty-loop", "*"),
            "the loop in loop_empty_loop does not call *"
        );
        assert_eq!(
            why("missing", "*"),
            "there is no function loop_missing, or more than one"
        );
    }

    #[test]
    fn a_call_after_the_loop_does_not_count() {
        assert_eq!(
            why("ops-call", "queue_work"),
            "the loop in loop_ops_call does not call queue_work"
        );
    }
}

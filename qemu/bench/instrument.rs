// SPDX-License-Identifier: GPL-2.0

//! The instruments: the machines on which operations are measured.

pub struct Instrument {
    /// The name of the directory of its run
    pub name: &'static str,
    /// Whether its clock counts instructions: one in a nanosecond
    pub counts_instructions: bool,
    /// The unit of its figures, as the tables name it
    pub unit: &'static str,
    /// The kernel and the machine, as the page describes them
    pub on: &'static str,
}

pub const ICOUNT: &str = "icount";
pub const UML: &str = "uml";

pub const INSTRUMENTS: [Instrument; 3] = [
    Instrument {
        name: ICOUNT,
        counts_instructions: true,
        unit: "instructions",
        on: "the stock kernel in QEMU, one CPU: `-icount shift=0,sleep=off -cpu max,erms=off,fsrm=off,fsrs=off`",
    },
    Instrument {
        name: UML,
        counts_instructions: false,
        unit: "ns (UML)",
        on: "User-Mode Linux, two CPUs of the host",
    },
    Instrument {
        name: "kvm",
        counts_instructions: false,
        unit: "ns (KVM)",
        on: "the stock kernel in QEMU with KVM, two CPUs of the host: `-cpu host`",
    },
];

// SPDX-License-Identifier: GPL-2.0

//! The machines on which the bench runs.

pub struct Machine {
    /// The name of a run's directory
    pub name: &'static str,
    /// Whether the guest's clock advances by a nanosecond with each instruction
    pub counts_instructions: bool,
    pub unit: &'static str,
    /// The kernel and the emulator, as the page describes them
    pub on: &'static str,
}

pub const ICOUNT: &str = "icount";
pub const UML: &str = "uml";

pub const MACHINES: [Machine; 3] = [
    Machine {
        name: ICOUNT,
        counts_instructions: true,
        unit: "instructions",
        on: "the stock kernel in QEMU, one CPU: `-icount shift=0,sleep=off -cpu max,erms=off,fsrm=off,fsrs=off`",
    },
    Machine {
        name: UML,
        counts_instructions: false,
        unit: "ns (UML)",
        on: "User-Mode Linux, two CPUs of the host",
    },
    Machine {
        name: "kvm",
        counts_instructions: false,
        unit: "ns (KVM)",
        on: "the stock kernel in QEMU with KVM, two CPUs of the host: `-cpu host`",
    },
];

//! How operations are measured.

pub struct Instrument {
    /// The directory of its run
    pub name: &'static str,
    /// Whether a nanosecond is an instruction
    pub counts_instructions: bool,
    /// The unit, as it stands in the tables
    pub unit: &'static str,
    /// What its kernel runs on
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

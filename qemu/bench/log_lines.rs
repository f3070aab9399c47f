// SPDX-License-Identifier: GPL-2.0

//! The lines that the bench prints.
//!
//! In the line of a contender, `n=` is the number of operations in a batch, and `ns=` lists the nanoseconds of the
//! guest's clock that each batch took. If the clock counts instructions
//! ([`crate::machine::Machine::counts_instructions`]), these are numbers of instructions.

use std::fmt;
use std::str::FromStr;

/// A point of a curve
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct At {
    pub axis: String,
    pub value: u64,
}

impl At {
    pub fn parse(text: &str) -> Option<Self> {
        let (axis, value) = text.split_once(':')?;
        Some(At {
            axis: axis.into(),
            value: value.parse().ok()?,
        })
    }
}

impl fmt::Display for At {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "{}:{}", self.axis, self.value)
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct Contender {
    pub name: String,
    pub base: String,
    pub at: Option<At>,
    /// What the contender's loop must call ([`crate::disassembly::Disassembly::check`])
    pub calls: String,
    /// The cost of one operation in each batch, sorted
    costs: Vec<f64>,
}

impl Contender {
    pub fn min(&self) -> f64 {
        self.costs[0]
    }

    pub fn max(&self) -> f64 {
        self.costs[self.costs.len() - 1]
    }

    pub fn median(&self) -> f64 {
        let middle = self.costs.len() / 2;
        if self.costs.len() % 2 == 1 {
            self.costs[middle]
        } else {
            (self.costs[middle - 1] + self.costs[middle]) / 2.0
        }
    }

    pub fn is_round_of(&self, other: &Self) -> bool {
        (&self.name, &self.at) == (&other.name, &other.at)
    }

    pub fn add_round(&mut self, other: Self) {
        self.costs.extend(other.costs);
        self.costs.sort_by(f64::total_cmp);
    }

    pub fn parse(text: &str) -> Option<Self> {
        let n: f64 = number(text, "n")?;
        let mut costs = numbers(text, "ns")?;
        costs.iter_mut().for_each(|ns| *ns /= n);
        costs.sort_by(f64::total_cmp);
        let at = match field(text, "at") {
            Some(at) => Some(At::parse(at)?),
            None => None,
        };
        Some(Contender {
            name: field(text, "contender")?.into(),
            base: field(text, "base")?.into(),
            at,
            calls: field(text, "calls")?.into(),
            costs,
        })
    }
}

#[derive(Debug, PartialEq)]
pub struct Memory {
    pub of: String,
    /// The pair to which the object belongs: `project` or `twin`
    pub who: String,
    pub bytes: u64,
}

impl Memory {
    pub fn parse(text: &str) -> Option<Self> {
        Some(Memory {
            of: field(text, "of")?.into(),
            who: field(text, "who")?.into(),
            bytes: number(text, "bytes")?,
        })
    }
}

/// How many items each producer of one queue has put in the same time
#[derive(Debug, PartialEq)]
pub struct Share {
    pub of: String,
    pub at: At,
    counts: Vec<f64>,
}

impl Share {
    pub fn parse(text: &str) -> Option<Self> {
        Some(Share {
            of: field(text, "of")?.into(),
            at: At::parse(field(text, "at")?)?,
            counts: numbers(text, "counts")?,
        })
    }

    pub fn is_round_of(&self, other: &Self) -> bool {
        (&self.of, &self.at, self.counts.len()) == (&other.of, &other.at, other.counts.len())
    }

    pub fn add_round(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count += more;
        }
    }

    pub fn least(&self) -> f64 {
        self.counts.iter().copied().fold(f64::INFINITY, f64::min)
    }

    pub fn most(&self) -> f64 {
        self.counts.iter().copied().fold(0.0, f64::max)
    }

    pub fn unfairness(&self) -> f64 {
        self.most() / self.least()
    }
}

fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let value = |word: &'a str| word.strip_prefix(name)?.strip_prefix('=');
    text.split(' ').find_map(value)
}

fn number<T: FromStr>(text: &str, name: &str) -> Option<T> {
    field(text, name)?.parse().ok()
}

/// Returns the numbers of a field, or `None` if it has no number.
fn numbers(text: &str, name: &str) -> Option<Vec<f64>> {
    let numbers = field(text, name)?.split_terminator(',').map(str::parse);
    let numbers: Vec<f64> = numbers.collect::<Result<_, _>>().ok()?;
    (!numbers.is_empty()).then_some(numbers)
}

//! The lines: what was measured.

use std::fmt;
use std::str::FromStr;

/// A point of a growth curve
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

/// One way of doing something, as it was measured
#[derive(Debug, Clone, PartialEq)]
pub struct Contender {
    pub name: String,
    /// What it is compared with
    pub base: String,
    /// Where on a growth curve, if it is a point of one
    pub at: Option<At>,
    /// What its loop has to call
    pub calls: String,
    /// Time of one operation, from the shortest to the longest
    times: Vec<f64>,
}

impl Contender {
    pub fn min(&self) -> f64 {
        self.times[0]
    }

    pub fn max(&self) -> f64 {
        self.times[self.times.len() - 1]
    }

    pub fn median(&self) -> f64 {
        let middle = self.times.len() / 2;
        if self.times.len() % 2 == 1 {
            self.times[middle]
        } else {
            (self.times[middle - 1] + self.times[middle]) / 2.0
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        let n: f64 = number(text, "n")?;
        let mut times = numbers(text, "ns")?;
        times.iter_mut().for_each(|ns| *ns /= n);
        times.sort_by(f64::total_cmp);
        let at = match field(text, "at") {
            Some(at) => Some(At::parse(at)?),
            None => None,
        };
        Some(Contender {
            name: field(text, "contender")?.into(),
            base: field(text, "base")?.into(),
            at,
            calls: field(text, "calls")?.into(),
            times,
        })
    }
}

/// How much memory one of something takes
#[derive(Debug, PartialEq)]
pub struct Memory {
    pub of: String,
    /// `project` or `twin`
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

/// What each of those has got that did the same at the same time
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

    pub fn least(&self) -> f64 {
        self.counts.iter().copied().fold(f64::INFINITY, f64::min)
    }

    pub fn most(&self) -> f64 {
        self.counts.iter().copied().fold(0.0, f64::max)
    }

    /// How many times as much the one with most has got as the one with least
    pub fn unfairness(&self) -> f64 {
        self.most() / self.least()
    }
}

/// The value of a field
fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let value = |word: &'a str| word.strip_prefix(name)?.strip_prefix('=');
    text.split(' ').find_map(value)
}

fn number<T: FromStr>(text: &str, name: &str) -> Option<T> {
    field(text, name)?.parse().ok()
}

/// At least one
fn numbers(text: &str, name: &str) -> Option<Vec<f64>> {
    let numbers = field(text, name)?.split_terminator(',').map(str::parse);
    let numbers: Vec<f64> = numbers.collect::<Result<_, _>>().ok()?;
    (!numbers.is_empty()).then_some(numbers)
}

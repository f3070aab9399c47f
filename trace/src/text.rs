// SPDX-License-Identifier: GPL-2.0

//! Writes the steps in order, one line each, for a terminal or a file.

use crate::relate::{duration, Row};
use std::fmt::Display;
use std::io::{self, Write};

/// Whether the lines are coloured.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Colour(pub bool);

const BOLD: &str = "1";
const DIM: &str = "2";
const RED: &str = "31";
const YELLOW: &str = "33";
/// The colours of the drivers, in the order of their lanes
const DRIVERS: [&str; 4] = ["34", "32", "36", "35"];

/// Width of an arrow
const ARROW: usize = 5;

/// Writes rows.
pub struct Text<W> {
    to: W,
    colour: Colour,
    /// The load of the last row
    load: Option<usize>,
}

impl<W: Write> Text<W> {
    pub fn new(to: W, colour: Colour) -> Self {
        Self {
            to,
            colour,
            load: None,
        }
    }

    /// Writes a row, after a line for the steps that are `missing` before it. `late` means that the row is out of
    /// order. `drivers` is the order of the lanes.
    pub fn row(
        &mut self,
        row: &Row,
        drivers: &[String],
        missing: Option<(u64, u64)>,
        late: bool,
    ) -> io::Result<()> {
        if self.load != Some(row.step.index) {
            self.load = Some(row.step.index);
            let load = row.step.load.map(|load| format!(": load={load}"));
            let load = load.unwrap_or_default();
            self.line(
                BOLD,
                format_args!("-- load {} of the log{load}", row.step.index + 1),
            )?;
        }
        if let Some((first, last)) = missing {
            self.line(YELLOW, format_args!("-- {}", lost(first, last)))?;
        }
        let step = &row.step;
        match step.time {
            Some(ns) => write!(
                self.to,
                "{:5}.{:06}",
                ns / 1_000_000_000,
                ns / 1000 % 1_000_000
            )?,
            None => write!(self.to, "{:12}", "")?,
        }
        match step.seq {
            0 => write!(self.to, " {:>6}  ", "-")?,
            seq => write!(self.to, " {seq:>6}  ")?,
        }
        let context = step.context().unwrap_or("-");
        self.put(context_style(context), format_args!("{context:<7}"))?;
        write!(self.to, "  ")?;
        self.lanes(row, drivers)?;
        let style = if step.step() == "refuse" { RED } else { BOLD };
        self.put(style, step.step())?;
        if !step.detail().is_empty() {
            write!(self.to, " {}", step.detail())?;
        }
        if let Some(ns) = row.took() {
            self.put(DIM, format_args!("  ({})", duration(ns)))?;
        }
        if late {
            self.put(YELLOW, "  (late)")?;
        }
        writeln!(self.to)
    }

    /// Passes on what was written.
    pub fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }

    /// Writes the drivers in their lanes, and the arrow between them
    fn lanes(&mut self, row: &Row, drivers: &[String]) -> io::Result<()> {
        let lane = |driver: &str| {
            drivers
                .iter()
                .position(|known| known == driver)
                .unwrap_or(drivers.len())
        };
        let width = |lane: usize| drivers.get(lane).map_or(8, String::len);
        let driver = row.step.driver();
        let place = lane(driver);
        let Some(arrow) = &row.arrow else {
            // The second lane begins where the arrows from the first one end.
            let indent = if place == 0 { 0 } else { width(0) + ARROW };
            write!(self.to, "{:indent$}", "")?;
            return self.name(driver, place, width(0) + ARROW + width(1) + 2 - indent);
        };
        let (from, to) = (lane(&arrow.from), lane(&arrow.to));
        let line = match (from <= to, arrow.kind.is_answer()) {
            (true, false) => " ──► ",
            (true, true) => " ╌╌► ",
            (false, false) => " ◄── ",
            (false, true) => " ◄╌╌ ",
        };
        let mut ends = [(from, &arrow.from), (to, &arrow.to)];
        ends.sort();
        self.name(ends[0].1, ends[0].0, width(0))?;
        write!(self.to, "{line}")?;
        self.name(ends[1].1, ends[1].0, width(1) + 2)
    }

    fn name(&mut self, driver: &str, lane: usize, width: usize) -> io::Result<()> {
        self.put(
            DRIVERS[lane % DRIVERS.len()],
            format_args!("{driver:<width$}"),
        )
    }

    fn line(&mut self, style: &str, text: impl Display) -> io::Result<()> {
        self.put(style, text)?;
        writeln!(self.to)
    }

    fn put(&mut self, style: &str, text: impl Display) -> io::Result<()> {
        if self.colour.0 && !style.is_empty() {
            write!(self.to, "\x1b[{style}m{text}\x1b[0m")
        } else {
            write!(self.to, "{text}")
        }
    }
}

/// The style of an execution context: softirq and hard interrupt stand out from tasks.
fn context_style(context: &str) -> &'static str {
    match context {
        "softirq" => "36",
        "hardirq" => "35",
        _ => "",
    }
}

/// Describes a gap in words.
pub fn lost(first: u64, last: u64) -> String {
    if first == last {
        format!("one step is missing: seq {first}")
    } else {
        format!(
            "{} steps are missing: seq {first} to {last}",
            last - first + 1
        )
    }
}

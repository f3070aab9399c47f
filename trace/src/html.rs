// SPDX-License-Identifier: GPL-2.0

//! Writes the trace as a page with a picture, which needs only a browser, and in which the reader can choose the steps
//! of a driver, of a kind or of an execution context.
//!
//! For each load the page has a chart of the queues' depths over time, and below it a row for each step: its
//! time, its execution context, the drivers' lanes with arrows between them, the queues' depths, and, if a call or
//! a request ends there, how long it took.

mod durations;
mod format;
mod queues;
mod rows;

use crate::relate::Row;
use crate::show::{remarks, Trace};
use format::{escape, seconds};
use std::collections::{BTreeSet, HashMap};
use std::fmt::{self, Write as _};
use std::io::{self, Write};

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// Height of a row
const ROW: usize = 20;
/// Positions of the columns: where the time ends, where the number ends, and where the execution context and the first
/// lane begin
const TIME: usize = 78;
const SEQ: usize = 114;
const CONTEXT: usize = 122;
const LANE: usize = 528;
/// Distance of the lanes if there are two drivers
const PAIR: usize = 264;
/// Distance of the lanes if there are more drivers
const CLOSE: usize = 230;
/// Width of the text beside the last lane
const LABEL: usize = 362;
/// Width of a queue's column
const QUEUE: usize = 56;
/// Width of the column of durations
const TOOK: usize = 90;
/// How many queues have a column
const QUEUES: usize = 4;

/// Writes the page.
pub fn write(trace: &Trace, mut to: impl Write) -> io::Result<()> {
    to.write_all(page(trace).map_err(io::Error::other)?.as_bytes())
}

fn page(trace: &Trace) -> Result<String, fmt::Error> {
    let mut out = String::new();
    let names = trace.drivers_of(&trace.rows).join(", ");
    let names = escape(&names);
    writeln!(
        out,
        "<!DOCTYPE html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n\
         <title>Trace of {names}</title>\n<style>\n{STYLE}</style>\n\
         <header>\n<h1>Trace of {names}</h1>\n<p>{}</p>",
        summary(trace),
    )?;
    let remarks = remarks(trace);
    if !remarks.is_empty() {
        writeln!(out, "<ul class=\"remarks\">")?;
        for remark in remarks {
            writeln!(out, "<li>{}</li>", escape(&remark))?;
        }
        writeln!(out, "</ul>")?;
    }
    out.push_str("<p>");
    for (class, colour, text) in [
        ("", "task", "task"),
        ("", "softirq", "softirq"),
        ("", "hardirq", "hardirq"),
        ("line", "op", "operation called"),
        ("line dashed", "op", "returns"),
        ("line", "request", "request sent"),
        ("line dashed", "request", "completed"),
        ("line", "bad", "cancelled"),
    ] {
        write!(
            out,
            "<span class=\"key\"><i class=\"{class}\" style=\"background:var(--{colour});\
             border-color:var(--{colour})\"></i>{text}</span>"
        )?;
    }
    writeln!(out, "</p>")?;
    filter(trace, &mut out)?;
    writeln!(out, "</header>")?;
    for rows in trace.loads() {
        Section::new(trace, rows).write(&mut out)?;
    }
    writeln!(out, "<script>\n{SCRIPT}</script>\n</html>")?;
    Ok(out)
}

/// Writes the lists from which the reader chooses a driver, a step and an execution context. `page.js` reads them in
/// this order.
fn filter(trace: &Trace, out: &mut String) -> fmt::Result {
    let drivers = trace.drivers_of(&trace.rows).into_iter().collect();
    let of = |value: fn(&Row) -> &str| trace.rows.iter().map(value).collect::<BTreeSet<_>>();
    let steps = of(|row| row.step.step());
    let contexts = of(|row| row.step.context().unwrap_or_default());
    out.push_str("<p class=\"filter\">");
    for (what, values) in [("driver", drivers), ("step", steps), ("in", contexts)] {
        write!(out, "<label>{what} <select><option value=\"\">all</option>")?;
        for value in values.iter().filter(|value| !value.is_empty()) {
            write!(out, "<option>{}</option>", escape(value))?;
        }
        out.push_str("</select></label>");
    }
    writeln!(out, "<output></output></p>")
}

/// The part of the page for one load.
struct Section<'a> {
    trace: &'a Trace,
    rows: &'a [Row],
    lanes: Vec<&'a str>,
    queues: Vec<&'a str>,
    /// The index of each row, by the row's number
    places: HashMap<u64, usize>,
    /// For each row, the distance from the top
    tops: Vec<usize>,
    height: usize,
}

impl<'a> Section<'a> {
    fn new(trace: &'a Trace, rows: &'a [Row]) -> Self {
        let lanes = trace.drivers_of(rows);
        let mut queues: Vec<&str> = Vec::new();
        for depth in rows.iter().filter_map(|row| row.depth.as_ref()) {
            if !queues.contains(&depth.queue.as_str()) && queues.len() < QUEUES {
                queues.push(&depth.queue);
            }
        }
        let places = rows.iter().enumerate();
        let places = places.map(|(place, row)| (row.number, place)).collect();
        let mut tops = Vec::new();
        let mut height = 0;
        for row in rows {
            height += ROW * usize::from(trace.gap_before(row).is_some());
            tops.push(height);
            height += ROW;
        }
        Self {
            trace,
            rows,
            lanes,
            queues,
            places,
            tops,
            height,
        }
    }

    fn write(&self, out: &mut String) -> fmt::Result {
        let first = &self.rows[0].step;
        let load = first
            .load
            .map(|load| format!(" <span class=\"faint\">load={load}</span>"));
        let load = load.unwrap_or_default();
        writeln!(out, "<section>\n<h2>Load {}{load}</h2>", first.index + 1)?;
        self.overview(out)?;
        self.durations(out)?;
        self.head(out)?;
        writeln!(
            out,
            "<svg class=\"rows\" width=\"{0}\" height=\"{1}\" data-height=\"{1}\" data-row=\"{ROW}\">",
            self.width(),
            self.height + ROW
        )?;
        self.background(out)?;
        for number in 0..self.rows.len() {
            self.row(number, out)?;
        }
        self.tracks(out)?;
        writeln!(out, "</svg>\n</section>")
    }

    fn lane(&self, driver: &str) -> Option<usize> {
        self.lanes.iter().position(|lane| *lane == driver)
    }

    fn lane_x(&self, lane: usize) -> usize {
        LANE + lane * if self.lanes.len() > 2 { CLOSE } else { PAIR }
    }

    fn queue_x(&self, queue: usize) -> usize {
        self.lane_x(self.lanes.len() - 1) + LABEL + queue * (QUEUE + 30)
    }

    fn took_x(&self) -> usize {
        self.queue_x(self.queues.len())
    }

    fn width(&self) -> usize {
        self.took_x() + TOOK + 24
    }

    fn middle(&self, row: usize) -> usize {
        self.tops[row] + ROW / 2
    }

    /// The index of the row with this number
    fn row_of(&self, number: u64) -> Option<usize> {
        self.places.get(&number).copied()
    }

    /// Draws the names of the columns, which stay visible when the page is scrolled
    fn head(&self, out: &mut String) -> fmt::Result {
        let width = self.width();
        writeln!(
            out,
            "<div class=\"head\"><svg width=\"{width}\" height=\"34\">"
        )?;
        for (x, name) in [(TIME, "time, s"), (SEQ, "seq")] {
            writeln!(
                out,
                "<text class=\"faint end\" x=\"{x}\" y=\"22\">{name}</text>"
            )?;
        }
        writeln!(
            out,
            "<text class=\"faint\" x=\"{CONTEXT}\" y=\"22\">in</text>"
        )?;
        for (lane, name) in self.lanes.iter().enumerate() {
            let (x, name) = (self.lane_x(lane), escape(name));
            writeln!(
                out,
                "<text class=\"name mid\" x=\"{x}\" y=\"22\">{name}</text>"
            )?;
        }
        for (queue, name) in self.queues.iter().enumerate() {
            let (x, most, name) = (self.queue_x(queue), self.most(name), escape(name));
            writeln!(
                out,
                "<text class=\"q{queue}\" x=\"{x}\" y=\"15\">{name}</text>\
                 <text class=\"faint\" x=\"{x}\" y=\"29\">depth, max {most}</text>"
            )?;
        }
        let x = self.took_x();
        writeln!(
            out,
            "<text class=\"faint\" x=\"{x}\" y=\"22\">took</text>\n</svg></div>"
        )
    }
}

/// The number of steps and loads, and their time
fn summary(trace: &Trace) -> String {
    let count = |count: usize, what: &str| match count {
        1 => format!("1 {what}"),
        count => format!("{count} {what}s"),
    };
    let steps = count(trace.rows.len(), "step");
    let loads = count(trace.loads().count(), "load");
    let mut text = format!("{steps} in {loads} of the owner");
    let times = || trace.rows.iter().filter_map(|row| row.step.time);
    if let Some((first, last)) = times().min().zip(times().max()) {
        text += &format!(", {} s to {} s", seconds(first), seconds(last));
    }
    text
}

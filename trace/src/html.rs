// SPDX-License-Identifier: GPL-2.0

//! Writes the trace as a page with a picture, which needs only a browser.
//!
//! For each load the page has a chart of the queues' depths over time, and below it a row for each step: its
//! time, its execution context, the drivers' lanes with arrows between them, the queues' depths, and how long
//! a call took that ends there.

use crate::relate::{duration, Kind, Row};
use crate::show::{remarks, Trace};
use crate::text;
use std::collections::{BTreeMap, HashMap};
use std::fmt::{self, Write as _};
use std::io::{self, Write};

const STYLE: &str = include_str!("page.css");

/// Height of a row
const ROW: usize = 20;
/// Places of the columns: the end of the time, the end of the number, the execution context, the first lane
const TIME: usize = 78;
const SEQ: usize = 114;
const CONTEXT: usize = 122;
const LANE: usize = 528;
/// Distance of the lanes of two drivers, and of more
const PAIR: usize = 264;
const CLOSE: usize = 230;
/// Width of the text beside the last lane
const LABEL: usize = 362;
/// Width of a queue's column, and of that of the durations
const QUEUE: usize = 56;
const TOOK: usize = 90;
/// How many queues have a column
const QUEUES: usize = 4;
/// How many characters fit beside a lane, and between two
const BESIDE: usize = 54;
const BETWEEN: usize = 44;

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
    writeln!(out, "</p>\n</header>")?;
    for rows in trace.loads() {
        Section::new(trace, rows).write(&mut out)?;
    }
    writeln!(out, "</html>")?;
    Ok(out)
}

/// One load.
struct Section<'a> {
    trace: &'a Trace,
    rows: &'a [Row],
    lanes: Vec<&'a str>,
    queues: Vec<&'a str>,
    /// The rows by their numbers
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
            "<svg width=\"{}\" height=\"{}\">",
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

    /// The row with this number
    fn row_of(&self, number: u64) -> Option<usize> {
        self.places.get(&number).copied()
    }

    /// The largest depth of a queue, at least 1
    fn most(&self, queue: &str) -> u64 {
        self.depths(queue)
            .map(|(_, depth)| depth)
            .max()
            .unwrap_or(0)
            .max(1)
    }

    /// The rows at which a queue's depth changes
    fn depths<'b>(&'b self, queue: &'b str) -> impl Iterator<Item = (usize, u64)> + 'b {
        let rows = self.rows.iter().enumerate();
        rows.filter_map(move |(number, row)| {
            let depth = row.depth.as_ref().filter(|depth| depth.queue == queue)?;
            Some((number, depth.depth))
        })
    }

    /// Draws the names of the columns, which stay in sight
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

    /// Draws the execution contexts, with a shade over rows that interrupt a task
    fn contexts(&self, out: &mut String) -> fmt::Result {
        let mut begin = 0;
        for block in self
            .rows
            .chunk_by(|a, b| a.step.context() == b.step.context())
        {
            let context = escape(block[0].step.context().unwrap_or_default());
            let end = begin + block.len();
            let (top, height) = (
                self.tops[begin],
                self.tops[end - 1] + ROW - self.tops[begin],
            );
            let (x, baseline) = (CONTEXT + 14, self.middle(begin) + 4);
            if context != "task" {
                let width = self.queue_x(0) - CONTEXT - 16;
                writeln!(
                    out,
                    "<rect class=\"{context} shade\" x=\"{CONTEXT}\" y=\"{top}\" width=\"{width}\" height=\"{height}\"/>"
                )?;
            }
            writeln!(
                out,
                "<rect class=\"{context}\" x=\"{CONTEXT}\" y=\"{}\" width=\"8\" height=\"{}\" rx=\"2\"/>\
                 <text class=\"{context} name\" x=\"{x}\" y=\"{baseline}\">{context}</text>",
                top + 1,
                height - 2,
            )?;
            begin = end;
        }
        Ok(())
    }

    /// Draws execution contexts, lifelines, and bars for the calls and requests that a driver is inside
    fn background(&self, out: &mut String) -> fmt::Result {
        self.contexts(out)?;
        for lane in 0..self.lanes.len() {
            let (x, height) = (self.lane_x(lane), self.height);
            writeln!(
                out,
                "<line class=\"life\" x1=\"{x}\" x2=\"{x}\" y1=\"0\" y2=\"{height}\"/>"
            )?;
        }
        let mut bars = self.bars();
        bars.sort();
        let mut open: HashMap<usize, Vec<usize>> = HashMap::new();
        for (begin, end, lane) in bars {
            let inside = open.entry(lane).or_default();
            inside.retain(|other| *other > begin);
            let x = self.lane_x(lane) - 4 + 4 * inside.len().min(6);
            inside.push(end);
            let context = self.rows[begin].step.context().unwrap_or_default();
            let (top, height) = (
                self.middle(begin) + 4,
                self.middle(end) - self.middle(begin),
            );
            writeln!(
                out,
                "<rect class=\"bar {}\" x=\"{x}\" y=\"{top}\" width=\"8\" height=\"{height}\" rx=\"2\"/>",
                escape(context)
            )?;
        }
        Ok(())
    }

    /// Finds the calls and requests that a driver is inside: the first row, the last row, the lane
    fn bars(&self) -> Vec<(usize, usize, usize)> {
        let mut bars = Vec::new();
        let mut dispatched: HashMap<(&str, &str), usize> = HashMap::new();
        for (number, row) in self.rows.iter().enumerate() {
            let step = &row.step;
            if let Some((arrow, span)) = row.arrow.as_ref().zip(row.span.as_ref()) {
                let begin = self.row_of(span.since);
                if let Some((begin, lane)) = begin.zip(self.lane(&arrow.from)) {
                    bars.push((begin, number, lane));
                }
            }
            // The handshake's steps have no request number, but a driver has one handshake at a time.
            let request = (step.driver(), step.field("req").unwrap_or_default());
            match step.step() {
                "dispatch" => {
                    dispatched.insert(request, number);
                }
                "complete" | "pend" => {
                    let begin = dispatched.remove(&request);
                    if let Some((begin, lane)) = begin.zip(self.lane(step.driver())) {
                        bars.push((begin, number, lane));
                    }
                }
                _ => {}
            }
        }
        bars
    }

    fn row(&self, number: usize, out: &mut String) -> fmt::Result {
        let row = &self.rows[number];
        let step = &row.step;
        let (top, middle, width) = (self.tops[number], self.middle(number), self.width());
        if let Some(gap) = self.trace.gap_before(row) {
            let (top, text) = (top - ROW, text::lost(gap.first, gap.last));
            writeln!(
                out,
                "<rect class=\"lost\" x=\"0\" y=\"{top}\" width=\"{width}\" height=\"{ROW}\"/>\
                 <text class=\"mid\" x=\"{}\" y=\"{}\">{text}</text>",
                self.lane_x(0) + PAIR / 2,
                top + 14,
            )?;
        }
        let baseline = middle + 4;
        write!(
            out,
            "<g><title>{}</title><rect class=\"hit\" x=\"0\" y=\"{top}\" width=\"{CONTEXT}\" height=\"{ROW}\"/>",
            escape(&tooltip(row))
        )?;
        if let Some(ns) = step.time {
            let time = seconds(ns);
            write!(
                out,
                "<text class=\"faint number end\" x=\"{TIME}\" y=\"{baseline}\">{time}</text>"
            )?;
        }
        let seq = match step.seq {
            0 => "–".into(),
            seq => seq.to_string(),
        };
        write!(
            out,
            "<text class=\"number end\" x=\"{SEQ}\" y=\"{baseline}\">{seq}</text>"
        )?;
        self.drawing(row, middle, out)?;
        self.took(row, middle, out)?;
        writeln!(out, "</g>")
    }

    /// Draws the step in the lanes: an arrow, or a dot with words beside it
    fn drawing(&self, row: &Row, middle: usize, out: &mut String) -> fmt::Result {
        let ends = row.arrow.as_ref().and_then(|arrow| {
            let (from, to) = (self.lane(&arrow.from)?, self.lane(&arrow.to)?);
            (from != to).then_some((arrow.kind, from, to))
        });
        let Some((kind, from, to)) = ends else {
            return self.dot(row, middle, out);
        };
        let class = match kind {
            Kind::OpCall | Kind::OpReturn => "op",
            Kind::CallDriver | Kind::Complete => "request",
            Kind::Cancel => "bad",
        };
        let answer = if kind.is_answer() { " answer" } else { "" };
        let (from, to) = (self.lane_x(from), self.lane_x(to));
        let y = middle + 5;
        // The tip ends beside the lane's bar.
        let (tip, back) = if from < to {
            (to - 6, to - 14)
        } else {
            (to + 6, to + 14)
        };
        write!(
            out,
            "<path class=\"arrow {class}{answer}\" d=\"M{from} {y}H{back}\"/>\
             <path class=\"tip {class}\" d=\"M{tip} {y}L{back} {} V{}Z\"/>\
             <text class=\"halo mid\" x=\"{}\" y=\"{}\">{}</text>",
            y - 4,
            y + 4,
            (from + to) / 2,
            middle + 1,
            escape(&shortened(&row.label(), BETWEEN)),
        )
    }

    fn dot(&self, row: &Row, middle: usize, out: &mut String) -> fmt::Result {
        let Some(lane) = self.lane(row.step.driver()) else {
            return Ok(());
        };
        let x = self.lane_x(lane);
        let queue = row
            .depth
            .as_ref()
            .and_then(|depth| self.queue(&depth.queue));
        let class = match (row.step.step(), queue) {
            ("refuse" | "cancel", _) => "bad".into(),
            (_, Some(queue)) => format!("q{queue}"),
            (name, _) if name.starts_with("event-") || name == "doorbell" => "event".into(),
            ("build-request" | "dispatch" | "complete" | "completion" | "pend", _) => {
                "request".into()
            }
            _ => String::new(),
        };
        let left = lane == 0;
        let (anchor, beside) = if left { ("end", x - 10) } else { ("", x + 24) };
        write!(
            out,
            "<circle class=\"dot {class}\" cx=\"{x}\" cy=\"{middle}\" r=\"4\"/>\
             <text class=\"halo {anchor}\" x=\"{beside}\" y=\"{}\">{}</text>",
            middle + 4,
            escape(&shortened(&row.label(), BESIDE)),
        )
    }

    fn queue(&self, name: &str) -> Option<usize> {
        self.queues.iter().position(|queue| *queue == name)
    }

    /// Draws the duration of the call or request that ends here, on a logarithmic scale
    fn took(&self, row: &Row, middle: usize, out: &mut String) -> fmt::Result {
        let Some(ns) = row.took() else {
            return Ok(());
        };
        let decades = (ns.max(100) as f64 / 100.0).log10();
        let width = (decades / 8.0).min(1.0) * TOOK as f64;
        let class = if row.step.step() == "op-return" {
            "op"
        } else {
            "request"
        };
        let (x, y) = (self.took_x(), middle - 7);
        write!(
            out,
            "<rect class=\"took {class}\" x=\"{x}\" y=\"{y}\" width=\"{width:.1}\" height=\"14\"/>\
             <text class=\"number\" x=\"{}\" y=\"{}\">{}</text>",
            x + 4,
            middle + 4,
            duration(ns),
        )
    }

    /// Draws the depth of each queue along the steps
    fn tracks(&self, out: &mut String) -> fmt::Result {
        for (queue, name) in self.queues.iter().enumerate() {
            let x = self.queue_x(queue);
            let most = self.most(name);
            let at = |depth: u64| x as f64 + depth as f64 / most as f64 * QUEUE as f64;
            let mut path = format!("M{x} 0");
            let mut numbers = String::new();
            let mut before = 0;
            for (number, depth) in self.depths(name) {
                if depth == std::mem::replace(&mut before, depth) {
                    continue;
                }
                let (x, y) = (at(depth), self.middle(number));
                write!(path, "V{y}H{x:.1}")?;
                write!(
                    numbers,
                    "<text class=\"faint number depth\" x=\"{:.1}\" y=\"{}\">{depth}</text>",
                    x + 3.0,
                    y + 12,
                )?;
            }
            let bottom = self.height;
            writeln!(
                out,
                "<line class=\"axis\" x1=\"{x}\" x2=\"{x}\" y1=\"0\" y2=\"{bottom}\"/>\
                 <path class=\"area q{queue}\" d=\"{path}V{bottom}H{x}Z\"/>{numbers}"
            )?;
        }
        Ok(())
    }

    /// Draws the depths of the queues over time, to scale
    fn overview(&self, out: &mut String) -> fmt::Result {
        const TOP: f64 = 16.0;
        const HEIGHT: f64 = 90.0;
        const LEFT: f64 = 60.0;
        const RIGHT: f64 = 60.0;
        let times: Option<Vec<u64>> = self.rows.iter().map(|row| row.step.time).collect();
        let Some(times) = times.filter(|_| !self.queues.is_empty()) else {
            return Ok(());
        };
        let begin = times.iter().copied().min().unwrap_or(0);
        let end = times.iter().copied().max().unwrap_or(0).max(begin + 1);
        let width = self.width() as f64 - LEFT - RIGHT;
        let at = |ns: u64| LEFT + (ns - begin) as f64 / (end - begin) as f64 * width;
        let most = self
            .queues
            .iter()
            .map(|queue| self.most(queue))
            .max()
            .unwrap_or(1);
        let height = |depth: u64| TOP + HEIGHT * (1.0 - depth as f64 / most as f64);
        let (bottom, right) = (TOP + HEIGHT, LEFT + width);
        writeln!(
            out,
            "<p class=\"faint\">Items in the queues over time; below, each step in the colour of its execution context</p>\n\
             <svg width=\"{}\" height=\"{}\">\
             <path class=\"axis\" d=\"M{LEFT} {TOP}V{bottom}H{right:.0}\"/>\
             <text class=\"faint end\" x=\"{}\" y=\"{}\">{most}</text>\
             <text class=\"faint end\" x=\"{}\" y=\"{}\">0</text>",
            self.width(),
            bottom + 34.0,
            LEFT - 6.0,
            TOP + 8.0,
            LEFT - 6.0,
            bottom,
        )?;
        for (queue, name) in self.queues.iter().enumerate() {
            let mut path = format!("M{LEFT} {bottom}");
            for (number, depth) in self.depths(name) {
                write!(path, "H{:.1}V{:.1}", at(times[number]), height(depth))?;
            }
            writeln!(
                out,
                "<path class=\"line q{queue}\" d=\"{path}H{right:.0}\"/>\
                 <text class=\"q{queue}\" x=\"{}\" y=\"11\">{}</text>",
                LEFT as usize + 130 * queue,
                escape(name),
            )?;
        }
        let mut rugs: BTreeMap<&str, String> = BTreeMap::new();
        for (row, time) in self.rows.iter().zip(&times) {
            let rug = rugs
                .entry(row.step.context().unwrap_or_default())
                .or_default();
            write!(rug, "M{:.1} {}v8", at(*time), bottom + 4.0)?;
        }
        for (context, path) in rugs {
            writeln!(
                out,
                "<path class=\"rug {}\" d=\"{path}\"/>",
                escape(context)
            )?;
        }
        const TICKS: u64 = 8;
        for tick in 0..=TICKS {
            let ns = begin + (end - begin) / TICKS * tick;
            let x = at(ns);
            writeln!(
                out,
                "<text class=\"faint mid\" x=\"{x:.0}\" y=\"{}\">{} s</text>",
                bottom + 28.0,
                &seconds(ns)[..seconds(ns).len() - 3],
            )?;
        }
        writeln!(out, "</svg>")
    }

    /// Writes a table: how often each operation and request was called, and how long it took
    fn durations(&self, out: &mut String) -> fmt::Result {
        let mut calls: BTreeMap<[String; 4], Vec<u64>> = BTreeMap::new();
        for row in self.rows {
            let begin = row.span.as_ref().and_then(|span| {
                let begin = self.row_of(span.since)?;
                Some((span.ns?, &self.rows[begin].step, span.called.clone()))
            });
            let Some((ns, begin, called)) = begin else {
                continue;
            };
            let what = match begin.field("op") {
                Some(op) => format!("op-call {op}"),
                None => format!("request {}", begin.field("code").unwrap_or_default()),
            };
            let context = begin.context().unwrap_or_default().into();
            let key = [
                what,
                begin.driver().into(),
                called.unwrap_or_default(),
                context,
            ];
            calls.entry(key).or_default().push(ns);
        }
        if calls.is_empty() {
            return Ok(());
        }
        writeln!(
            out,
            "<details><summary class=\"faint\">How long calls and requests took</summary>\n\
             <table><tr><th>what<th>from<th>to<th>in<th class=\"n\">times\
             <th class=\"n\">shortest<th class=\"n\">median<th class=\"n\">longest</tr>"
        )?;
        for (key, mut took) in calls {
            took.sort();
            out.push_str("<tr>");
            for text in key {
                write!(out, "<td>{}", escape(&text))?;
            }
            write!(out, "<td class=\"n\">{}", took.len())?;
            for ns in [took[0], took[took.len() / 2], took[took.len() - 1]] {
                write!(out, "<td class=\"n\">{}", duration(ns))?;
            }
            writeln!(out, "</tr>")?;
        }
        writeln!(out, "</table></details>")
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

fn seconds(ns: u64) -> String {
    format!("{}.{:06}", ns / 1_000_000_000, ns / 1000 % 1_000_000)
}

/// The text of the whole line
fn tooltip(row: &Row) -> String {
    let step = &row.step;
    let context = step.context().unwrap_or("-");
    let mut text = format!(
        "{} seq={} in={context} step={} {}",
        step.driver(),
        step.seq,
        step.step(),
        step.detail()
    );
    if let Some(cpu) = step.cpu {
        text += &format!("\nCPU {cpu}");
    }
    if let Some(span) = &row.span {
        text += &format!("\nbegan with step {} of its load", span.since);
        if let Some(ns) = span.ns {
            text += &format!(", took {}", duration(ns));
        }
    }
    text
}

fn shortened(text: &str, length: usize) -> String {
    if text.chars().count() <= length {
        return text.into();
    }
    let mut short: String = text.chars().take(length - 1).collect();
    short.push('…');
    short
}

fn escape(text: &str) -> String {
    let mut escaped = String::new();
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            // Characters that HTML does not allow
            '\0'..='\x08' | '\x0b'..='\x1f' => escaped.push('\u{fffd}'),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_with_a_meaning_in_html_are_escaped() {
        assert_eq!(
            escape("<a b=\"&\">\x01"),
            "&lt;a b=&quot;&amp;&quot;&gt;\u{fffd}"
        );
    }

    #[test]
    fn long_text_is_shortened_by_characters() {
        assert_eq!(shortened("äöüäöü", 6), "äöüäöü");
        assert_eq!(shortened("äöüäöüx", 6), "äöüäö…");
    }
}

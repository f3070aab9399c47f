// SPDX-License-Identifier: GPL-2.0

//! The rows of a section, one for each step, and their background: execution contexts, lifelines and bars.

use super::format::{escape, seconds, shortened};
use super::{Section, CONTEXT, PAIR, ROW, SEQ, TIME, TOOK};
use crate::relate::{duration, Kind, Row};
use crate::text;
use std::collections::HashMap;
use std::fmt::{self, Write as _};

/// How many characters fit beside a lane
const BESIDE: usize = 54;
/// How many characters fit between two lanes
const BETWEEN: usize = 44;

impl Section<'_> {
    pub(super) fn row(&self, number: usize, out: &mut String) -> fmt::Result {
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
        let context = escape(step.context().unwrap_or_default());
        write!(
            out,
            "<g data-drivers=\"{}\" data-step=\"{}\" data-context=\"{context}\" data-top=\"{top}\"><title>{}</title>\
             <rect class=\"hit\" x=\"0\" y=\"{top}\" width=\"{CONTEXT}\" height=\"{ROW}\"/>\
             <text class=\"{context} filtered-only\" x=\"{}\" y=\"{baseline}\">{context}</text>",
            escape(&drivers(row)),
            escape(step.step()),
            escape(&tooltip(row)),
            CONTEXT + 14,
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
    pub(super) fn background(&self, out: &mut String) -> fmt::Result {
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
}

/// The driver that has taken the step, and the ends of its arrow
fn drivers(row: &Row) -> String {
    let mut names = vec![row.step.driver()];
    if let Some(arrow) = &row.arrow {
        names.extend([&*arrow.from, &*arrow.to]);
    }
    names.join(" ")
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

// SPDX-License-Identifier: GPL-2.0

//! The depths of the queues: a chart over time, and a column beside the rows.

use super::format::{escape, seconds};
use super::{Section, QUEUE};
use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

impl Section<'_> {
    /// Draws the depths of the queues over time, to scale
    pub(super) fn overview(&self, out: &mut String) -> fmt::Result {
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

    /// Draws the depth of each queue along the steps
    pub(super) fn tracks(&self, out: &mut String) -> fmt::Result {
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

    /// The largest depth of a queue, at least 1
    pub(super) fn most(&self, queue: &str) -> u64 {
        self.depths(queue)
            .map(|(_, depth)| depth)
            .max()
            .unwrap_or(0)
            .max(1)
    }

    /// The rows at which a queue's depth changes
    pub(super) fn depths<'b>(&'b self, queue: &'b str) -> impl Iterator<Item = (usize, u64)> + 'b {
        let rows = self.rows.iter().enumerate();
        rows.filter_map(move |(number, row)| {
            let depth = row.depth.as_ref().filter(|depth| depth.queue == queue)?;
            Some((number, depth.depth))
        })
    }

    pub(super) fn queue(&self, name: &str) -> Option<usize> {
        self.queues.iter().position(|queue| *queue == name)
    }
}

// SPDX-License-Identifier: GPL-2.0

//! Writes the trace for programs; docs/trace.md describes the members.

use crate::line;
use crate::order::{Gap, Step};
use crate::relate::{Arrow, Depth, Row, Span};
use crate::show::Trace;
use serde::{Serialize, Serializer};
use std::io::{self, Write};

/// The document's format. The number changes when a member is removed or changes its meaning.
const SCHEMA: &str = "d2d-trace/1";

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    log: &'a crate::log::Counts,
    order: &'a crate::order::Counts,
    left_out: u64,
    loads: Vec<Load<'a>>,
}

#[derive(Serialize)]
struct Load<'a> {
    load: Option<u64>,
    drivers: Vec<&'a str>,
    missing: Vec<&'a Gap>,
    steps: Vec<OneStep<'a>>,
}

#[derive(Serialize)]
struct OneStep<'a> {
    number: u64,
    seq: u64,
    time_ns: Option<u64>,
    cpu: Option<u32>,
    task: Option<&'a str>,
    driver: &'a str,
    context: Option<&'a str>,
    step: &'a str,
    known: bool,
    #[serde(serialize_with = "fields")]
    fields: &'a Step,
    arrow: Option<&'a Arrow>,
    span: Option<&'a Span>,
    depth: Option<&'a Depth>,
}

fn fields<S: Serializer>(step: &&Step, to: S) -> Result<S::Ok, S::Error> {
    to.collect_map(step.fields())
}

impl<'a> OneStep<'a> {
    fn new(row: &'a Row) -> Self {
        let step = &row.step;
        Self {
            number: row.number,
            seq: step.seq,
            time_ns: step.time,
            cpu: step.cpu,
            task: step.task(),
            driver: step.driver(),
            context: step.context(),
            step: step.step(),
            known: line::is_step(step.step()),
            fields: step,
            arrow: row.arrow.as_ref(),
            span: row.span.as_ref(),
            depth: row.depth.as_ref(),
        }
    }
}

/// Writes the document.
pub fn write(trace: &Trace, mut to: impl Write) -> io::Result<()> {
    let loads = trace.loads().map(|rows| {
        let first = &rows[0].step;
        let gaps = trace.order.gaps.iter();
        Load {
            load: first.load,
            drivers: trace.drivers_of(rows),
            missing: gaps.filter(|gap| gap.load_index == first.index).collect(),
            steps: rows.iter().map(OneStep::new).collect(),
        }
    });
    let document = Document {
        schema: SCHEMA,
        log: &trace.log,
        order: &trace.order,
        left_out: trace.left_out,
        loads: loads.collect(),
    };
    serde_json::to_writer_pretty(&mut to, &document)?;
    writeln!(to)
}

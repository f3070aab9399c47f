// SPDX-License-Identifier: GPL-2.0

//! Writes the trace as trace events in JSON, which <https://ui.perfetto.dev> and `chrome://tracing` open.
//!
//! Each load of the owner is a process, and each driver a thread of it. A step is an instant event. A call or a request
//! is an asynchronous slice, because those of one driver may overlap. The depth of a queue is a counter.

use crate::order::Step;
use crate::relate::Row;
use crate::show::Trace;
use crate::text::lost;
use serde_json::{json, Map, Value};
use std::collections::HashMap;
use std::io::{self, Write};

/// Writes events.
struct Events<W> {
    to: W,
    begun: bool,
}

impl<W: Write> Events<W> {
    /// Writes an event of a load (`pid`) and a driver (`tid`). `ns` is its time.
    fn event(&mut self, step: &Step, tid: usize, ns: u64, rest: Value) -> io::Result<()> {
        let separator = if std::mem::replace(&mut self.begun, true) {
            ",\n"
        } else {
            "\n"
        };
        let (pid, micro, part) = (step.index + 1, ns / 1000, ns % 1000);
        // A floating-point number cannot hold nanoseconds since 1970 exactly.
        write!(
            self.to,
            "{separator}{{\"pid\":{pid},\"tid\":{tid},\"ts\":{micro}.{part:03},"
        )?;
        let rest = rest.to_string();
        write!(self.to, "{}", &rest[1..])
    }
}

/// Writes the document.
pub fn write(trace: &Trace, mut to: impl Write) -> io::Result<()> {
    write!(to, "{{\"displayTimeUnit\":\"ns\",\"traceEvents\":[")?;
    let mut events = Events { to, begun: false };
    for rows in trace.loads() {
        write_load(trace, rows, &mut events)?;
    }
    writeln!(events.to, "\n]}}")
}

fn write_load(trace: &Trace, rows: &[Row], to: &mut Events<impl Write>) -> io::Result<()> {
    let first = &rows[0].step;
    let drivers = trace.drivers_of(rows);
    let load = first.load.map(|load| format!(": load={load}"));
    let name = format!("load {}{}", first.index + 1, load.unwrap_or_default());
    let named = |kind, name| json!({"ph": "M", "name": kind, "args": {"name": name}});
    to.event(first, 0, 0, named("process_name", name.as_str()))?;
    for (lane, driver) in drivers.iter().enumerate() {
        to.event(first, lane + 1, 0, named("thread_name", driver))?;
    }
    let mut now = None;
    // The time at which each row is shown
    let mut shown: HashMap<u64, u64> = HashMap::new();
    for row in rows {
        let step = &row.step;
        // A step without a time follows the step before it.
        let ns = step.time.or(now.map(|now: u64| now + 1000)).unwrap_or(0);
        now = Some(ns);
        shown.insert(row.number, ns);
        let lane = drivers.iter().position(|driver| *driver == step.driver());
        let lane = lane.map_or(0, |lane| lane + 1);
        if let Some(gap) = trace.gap_before(row) {
            let name = lost(gap.first, gap.last);
            to.event(step, 0, ns, json!({"ph": "i", "s": "p", "name": name}))?;
        }
        let instant = json!({"ph": "i", "s": "t", "name": row.label(), "cat": step.step(), "args": args(row)});
        to.event(step, lane, ns, instant)?;
        if let Some(depth) = &row.depth {
            let args = json!({"depth": depth.depth});
            let counter = json!({"ph": "C", "name": depth.queue, "args": args});
            to.event(step, 0, ns, counter)?;
        }
        let Some(span) = &row.span else { continue };
        let begin = shown.get(&span.since).copied();
        let begin = begin.or_else(|| Some(ns.saturating_sub(span.ns?)));
        let (name, kind) = match step.field("op") {
            Some(op) => (op.into(), "call"),
            None => {
                let request = step.field("req").or(step.field("ctx")).unwrap_or_default();
                (format!("request {request}"), "request")
            }
        };
        let id = format!("{}.{}", step.index + 1, span.since);
        for (phase, ns) in [("b", begin), ("e", Some(ns))] {
            let Some(ns) = ns.filter(|_| begin.is_some()) else {
                continue;
            };
            let args = json!({"called": span.called, "by": step.driver()});
            let slice = json!({"ph": phase, "name": name, "cat": kind, "id": id, "args": args});
            to.event(step, lane, ns, slice)?;
        }
    }
    Ok(())
}

/// The arguments of a step's event, which the viewer shows.
fn args(row: &Row) -> Map<String, Value> {
    let step = &row.step;
    let text = |(key, value): (&str, &str)| (key.to_owned(), Value::from(value));
    let mut args: Map<_, _> = step.fields().map(text).collect();
    args.insert("seq".into(), step.seq.into());
    args.extend(step.context().map(|context| text(("in", context))));
    args.extend(step.task().map(|task| text(("task", task))));
    args.extend(step.cpu.map(|cpu| ("cpu".into(), cpu.into())));
    args
}

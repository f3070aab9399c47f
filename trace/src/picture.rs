// SPDX-License-Identifier: GPL-2.0

//! What the steps mean to each other: who calls whom, how long it took, how full the queues are.

use crate::order::{Event, Step};
use serde::Serialize;
use std::collections::HashMap;

/// How many calls and requests are followed at a time; a trace that has more has lost their ends.
const OPEN: usize = 10_000;

/// What goes from one driver to the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// An operation is called.
    OpCall,
    /// It returns.
    OpReturn,
    /// A request is sent.
    CallDriver,
    /// It is completed.
    Complete,
    /// It is taken back.
    Cancel,
}

impl Kind {
    /// Says whether something is answered by it.
    pub fn is_answer(self) -> bool {
        matches!(self, Self::OpReturn | Self::Complete)
    }
}

/// An arrow between two drivers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Arrow {
    pub kind: Kind,
    pub from: String,
    pub to: String,
}

/// What a step ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Span {
    /// Who was called, if the log says so.
    pub called: Option<String>,
    /// The number of the row with which it began.
    pub since: u64,
    /// How long it took, in nanoseconds, if the log has times.
    pub ns: Option<u64>,
}

/// A queue after a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Depth {
    pub queue: String,
    /// Items on it, those before the first step of the log not counted.
    pub depth: u64,
}

/// A step, and what it means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Which step of its load it is, from 1, those that are missing not counted; 0 for a late one.
    pub number: u64,
    pub step: Step,
    pub arrow: Option<Arrow>,
    pub span: Option<Span>,
    pub depth: Option<Depth>,
}

impl Row {
    /// How long that took which ends here.
    pub fn took(&self) -> Option<u64> {
        self.span.as_ref()?.ns
    }

    /// The step in a few words: without what the arrow says already.
    pub fn label(&self) -> String {
        let mut label = String::from(self.step.step());
        for (key, value) in self.step.fields() {
            match (key, &self.arrow) {
                ("to" | "from", Some(_)) if ["owner", "peer"].contains(&value) => {}
                ("to", Some(arrow)) if arrow.to == value => {}
                ("op" | "queue", _) => label.extend([" ", value]),
                _ => label.extend([" ", key, "=", value]),
            }
        }
        if let Some(ns) = self.took() {
            label.extend([" (", &duration(ns), ")"]);
        }
        label
    }
}

/// A call or a request that has not ended.
#[derive(Clone, Copy)]
struct Open {
    number: u64,
    time: Option<u64>,
}

/// A request that is on its way.
struct Sent {
    open: Open,
    /// Who has sent it to whom; more than once if it was forwarded
    hops: Vec<(String, String)>,
}

/// Follows the steps of one load after the other.
#[derive(Default)]
pub struct Picture {
    /// How many rows of the load there were
    number: u64,
    owner: Option<String>,
    /// With whom the owner shares a context
    peer: Option<String>,
    /// By [`write_caller`]: a call of the same returns before it
    calls: HashMap<String, Vec<Open>>,
    /// The key of the last call
    key: String,
    /// By the request, or the context that a handshake is about
    requests: HashMap<String, Sent>,
    depths: HashMap<String, u64>,
}

impl Picture {
    /// Takes what [`crate::order::Order`] passes on. Returns the row of a step.
    pub fn take(&mut self, event: Event) -> Option<Row> {
        match event {
            Event::Load { .. } => {
                *self = Self::default();
                None
            }
            // What has ended meanwhile is not known, and the next end may be another's.
            Event::Lost { .. } => {
                self.calls.clear();
                self.requests.clear();
                None
            }
            Event::Step(step) => Some(self.step(step)),
            Event::Late(step) => Some(Row {
                number: 0,
                step,
                arrow: None,
                span: None,
                depth: None,
            }),
        }
    }

    fn step(&mut self, step: Step) -> Row {
        self.number += 1;
        self.learn(&step);
        let (arrow, span) = self.movement(&step);
        let depth = self.depth(&step);
        Row {
            number: self.number,
            step,
            arrow,
            span,
            depth,
        }
    }

    /// Who the owner is, and who its peer, as `owner` and `peer` stand for them.
    fn learn(&mut self, step: &Step) {
        let owner = match step.step() {
            "alloc" | "export" | "attached" | "rundown" => true,
            "op-call" => step.field("to") == Some("peer"),
            "op-return" => step.field("from") == Some("peer"),
            _ => false,
        };
        if owner {
            self.owner.get_or_insert_with(|| step.driver().into());
        }
        if step.step() == "attached" {
            self.peer = step.field("to").map(String::from);
        }
        if step.step() == "op-call" && step.field("to") == Some("owner") {
            self.peer.get_or_insert_with(|| step.driver().into());
        }
    }

    /// The driver that a field of the step names.
    fn other(&self, step: &Step, key: &str) -> Option<String> {
        let name = step.field(key)?;
        let meant = match name {
            "owner" => self.owner.as_deref(),
            "peer" => self.peer.as_deref(),
            _ => None,
        };
        Some(meant.unwrap_or(name).into())
    }

    /// What goes from driver to driver with this step, and what ends with it.
    fn movement(&mut self, step: &Step) -> (Option<Arrow>, Option<Span>) {
        if self.calls.len() + self.requests.len() > OPEN {
            self.calls.clear();
            self.requests.clear();
        }
        let open = Open {
            number: self.number,
            time: step.time,
        };
        let arrow = |kind, from: String, to: String| Some(Arrow { kind, from, to });
        match step.step() {
            "op-call" => {
                write_caller(&mut self.key, step);
                if !self.calls.contains_key(&self.key) {
                    self.calls.insert(self.key.clone(), Vec::new());
                }
                let calls = self.calls.get_mut(&self.key);
                if let Some(calls) = calls.filter(|calls| calls.len() < OPEN) {
                    calls.push(open);
                }
                let to = self.other(step, "to");
                let to = to.and_then(|to| arrow(Kind::OpCall, step.driver().into(), to));
                (to, None)
            }
            "op-return" => {
                write_caller(&mut self.key, step);
                let call = self.calls.get_mut(&self.key).and_then(Vec::pop);
                let from = self.other(step, "from");
                let span = call.map(|call| call.until(step, from.clone()));
                let from = from.and_then(|from| arrow(Kind::OpReturn, from, step.driver().into()));
                (from, span)
            }
            "build-request" => {
                if let Some(request) = request_of(step) {
                    let hops = Vec::new();
                    self.requests.insert(request.into(), Sent { open, hops });
                }
                (None, None)
            }
            "call-driver" => {
                let Some((request, to)) = request_of(step).zip(self.other(step, "to")) else {
                    return (None, None);
                };
                let hops = Vec::new();
                let sent = self.requests.entry(request.into());
                let sent = sent.or_insert(Sent { open, hops });
                if sent.hops.len() < OPEN {
                    sent.hops.push((step.driver().into(), to.clone()));
                }
                (arrow(Kind::CallDriver, step.driver().into(), to), None)
            }
            "complete" => {
                let sent = request_of(step).and_then(|request| self.requests.get(request));
                let hop =
                    sent.and_then(|sent| sent.hops.iter().rfind(|(_, to)| to == step.driver()));
                let to = hop.map(|(from, _)| from.clone());
                let to = to.and_then(|to| arrow(Kind::Complete, step.driver().into(), to));
                (to, None)
            }
            "cancel" => {
                let from = self.other(step, "from");
                let from = from.and_then(|from| arrow(Kind::Cancel, step.driver().into(), from));
                (from, None)
            }
            "completion" => {
                let sent = request_of(step).and_then(|request| self.requests.remove(request));
                let span = sent.map(|sent| {
                    let called = sent.hops.first().map(|(_, to)| to.clone());
                    sent.open.until(step, called)
                });
                (None, span)
            }
            _ => (None, None),
        }
    }

    fn depth(&mut self, step: &Step) -> Option<Depth> {
        let queue = step.field("queue")?;
        let items = || step.field("n")?.parse::<u64>().ok();
        if !self.depths.contains_key(queue) {
            self.depths.insert(queue.into(), 0);
        }
        let depth = self.depths.get_mut(queue)?;
        *depth = match step.step() {
            "enqueue" => depth.saturating_add(items()?),
            // In a log that begins in the middle there may be more than was put.
            "dequeue" => depth.saturating_sub(items()?),
            "drain" | "init-queue" => 0,
            _ => return None,
        };
        Some(Depth {
            queue: queue.into(),
            depth: *depth,
        })
    }
}

impl Open {
    fn until(self, end: &Step, called: Option<String>) -> Span {
        let ns = self
            .time
            .zip(end.time)
            .map(|(begin, end)| end.saturating_sub(begin));
        Span {
            called,
            since: self.number,
            ns,
        }
    }
}

/// Writes by what a call and its return know each other: driver, operation, context, task or CPU.
fn write_caller(key: &mut String, step: &Step) {
    let (cpu, task) = match step.context() {
        Some("task") => (None, step.task()),
        _ => (step.cpu, None),
    };
    key.clear();
    for part in [Some(step.driver()), step.field("op"), step.context(), task] {
        key.push_str(part.unwrap_or_default());
        key.push(' ');
    }
    if let Some(cpu) = cpu {
        key.push_str(&cpu.to_string());
    }
}

/// What a request is known by: its handle, or the context that a handshake is about.
fn request_of(step: &Step) -> Option<&str> {
    step.field("req").or_else(|| step.field("ctx"))
}

/// A duration for people: three digits and a unit.
pub fn duration(ns: u64) -> String {
    let units = [
        ("ns", 1),
        ("µs", 1_000),
        ("ms", 1_000_000),
        ("s", 1_000_000_000),
    ];
    let fitting = units.iter().rev().find(|(_, unit)| ns >= *unit);
    let (name, unit) = fitting.unwrap_or(&units[0]);
    let value = ns as f64 / *unit as f64;
    let digits = if *unit == 1 || value >= 99.95 {
        0
    } else if value >= 9.995 {
        1
    } else {
        2
    };
    format!("{value:.digits$} {name}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::line::Line;
    use crate::order::Order;

    /// The rows of these lines
    fn rows(lines: &[&str]) -> Vec<Row> {
        let (mut order, mut picture) = (Order::new(9), Picture::default());
        let mut rows = Vec::new();
        let mut pass = |event| {
            rows.extend(picture.take(event));
            Ok::<(), ()>(())
        };
        for (number, text) in lines.iter().enumerate() {
            let (driver, step) = text.split_once(' ').expect("a driver and a step");
            let (seq, step) = match step.split_once(' ') {
                Some((seq, step)) if seq.parse::<u64>().is_ok() => (seq.into(), step),
                _ => ((number + 1).to_string(), step),
            };
            let text = format!(
                "[ 0.{:06}] {driver}: d2d: seq={seq} load=1 in=task step={step}",
                number + 1
            );
            let line = Line::parse(&text).expect("a step").expect("whole");
            order.take(&line, &mut pass).unwrap();
        }
        order.finish(&mut pass).unwrap();
        rows
    }

    fn arrow(row: &Row) -> String {
        row.arrow.as_ref().map_or("".into(), |arrow| {
            format!("{:?} {} {}", arrow.kind, arrow.from, arrow.to)
        })
    }

    fn since(row: &Row) -> Option<(u64, u64)> {
        row.span
            .as_ref()
            .map(|span| (span.since, span.ns.expect("a time")))
    }

    #[test]
    fn calls_end_in_the_reverse_order() {
        let rows = rows(&[
            "a attached to=b",
            "a op-call to=peer op=bounce",
            "b op-call to=owner op=bounce",
            "a op-call to=peer op=bounce",
            "a op-return from=peer op=bounce",
            "b op-return from=owner op=bounce",
            "a op-return from=peer op=bounce",
        ]);
        assert_eq!(arrow(&rows[1]), "OpCall a b");
        assert_eq!(arrow(&rows[2]), "OpCall b a");
        assert_eq!(arrow(&rows[4]), "OpReturn b a");
        assert_eq!(arrow(&rows[5]), "OpReturn a b");
        let spans: Vec<_> = rows.iter().filter_map(since).collect();
        assert_eq!(spans, [(4, 1000), (3, 3000), (2, 5000)]);
    }

    #[test]
    fn a_request_lasts_until_its_sender_learns_of_the_completion() {
        let rows = rows(&[
            "b build-request req=r1",
            "b call-driver req=r1 to=a",
            "a dispatch req=r1",
            "a call-driver req=r1 to=c",
            "c complete req=r1 status=0",
            "a complete req=r1 status=0",
            "b completion req=r1",
            "b cancel req=r2 from=a",
        ]);
        assert_eq!(arrow(&rows[1]), "CallDriver b a");
        assert_eq!(arrow(&rows[3]), "CallDriver a c");
        assert_eq!(arrow(&rows[4]), "Complete c a");
        assert_eq!(arrow(&rows[5]), "Complete a b");
        assert_eq!(since(&rows[6]), Some((1, 6000)));
        assert_eq!(arrow(&rows[7]), "Cancel b a");
    }

    #[test]
    fn the_handshake_is_known_by_its_context() {
        let rows = rows(&[
            "a build-request ctx=c0",
            "a call-driver to=b ctx=c0",
            "b complete status=0 ctx=c0",
            "a completion status=0 ctx=c0",
        ]);
        assert_eq!(arrow(&rows[2]), "Complete b a");
        assert_eq!(since(&rows[3]), Some((1, 3000)));
    }

    #[test]
    fn nothing_is_matched_across_lost_steps() {
        let rows = rows(&[
            "a 1 op-call to=peer op=x",
            "a 2 op-call to=peer op=y",
            "a 4 op-return from=peer op=x",
            "b 5 build-request req=r1",
            "b 7 completion req=r1",
        ]);
        assert!(rows.iter().all(|row| row.span.is_none()));
    }

    #[test]
    fn queues_are_as_deep_as_what_was_put_and_not_taken() {
        let rows = rows(&[
            "a enqueue queue=q n=3",
            "b dequeue queue=q n=1",
            "b dequeue queue=r n=1",
            "b dequeue queue=q",
            "a drain queue=q left=2",
        ]);
        let depths: Vec<_> = rows
            .iter()
            .map(|row| row.depth.as_ref().map(|d| d.depth))
            .collect();
        assert_eq!(depths, [Some(3), Some(2), Some(0), None, Some(0)]);
    }

    #[test]
    fn durations_have_three_digits() {
        for (ns, text) in [
            (0, "0 ns"),
            (999, "999 ns"),
            (1_000, "1.00 µs"),
            (64_240, "64.2 µs"),
            (99_960, "100 µs"),
            (1_500_000, "1.50 ms"),
            (2_000_000_000, "2.00 s"),
        ] {
            assert_eq!(duration(ns), text);
        }
    }
}

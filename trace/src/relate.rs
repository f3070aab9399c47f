// SPDX-License-Identifier: GPL-2.0

//! Relates the steps to each other: finds which driver calls which, which step ends a call or a request, how long
//! the call or request took, and how many items the queues have.

use crate::order::{Passed, Step, LOADS};
use serde::Serialize;
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

/// How many calls and requests may be open. If there are more, the trace has lost the steps that end them.
const OPEN: usize = 10_000;

/// What goes from one driver to another.
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
    /// It is cancelled.
    Cancel,
}

impl Kind {
    /// Says whether it answers a call or a request.
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

/// The call or request that a step ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Span {
    /// The driver that was called, if the log names it.
    pub called: Option<String>,
    /// The [`Row::number`] of the step that began the call or request.
    pub since: u64,
    /// How long it took, in nanoseconds, if the log has times.
    pub ns: Option<u64>,
}

/// A queue after a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Depth {
    pub queue: String,
    /// The number of its items, without those that it had before the log's first step.
    pub depth: u64,
}

/// A step, and how it relates to others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The number of the step among those of its load that the log has, from 1; 0 for a late step.
    pub number: u64,
    pub step: Step,
    pub arrow: Option<Arrow>,
    pub span: Option<Span>,
    pub depth: Option<Depth>,
}

impl Row {
    /// How long the call or request took that ends here, in nanoseconds.
    pub fn took(&self) -> Option<u64> {
        self.span.as_ref()?.ns
    }

    /// The step in a few words, without what its arrow shows.
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

/// A call that has not returned.
struct Call {
    open: Open,
    /// Whether the log has the call as a printed line
    printed: bool,
    /// Whether the log has the call as a tracepoint
    traced: bool,
}

/// A request that was sent and is not completed.
struct Sent {
    open: Open,
    /// Sender and receiver, and one more pair for each time that the request was forwarded
    hops: Vec<(String, String)>,
}

/// Follows the steps of each load. The steps of several owners may be mixed.
#[derive(Default)]
pub struct Relations {
    /// The latest loads, by their index
    loads: BTreeMap<usize, Load>,
    /// The load of the steps that follow
    current: usize,
}

/// Follows the steps of one load.
#[derive(Default)]
struct Load {
    /// Rows so far
    number: u64,
    owner: Option<String>,
    /// The driver that shares a context with the owner
    peer: Option<String>,
    /// Open calls by [`write_caller`]. Calls of one caller return in reverse order
    calls: HashMap<String, Vec<Call>>,
    /// The key of the last call
    key: String,
    /// Open requests, by [`request_of`]
    requests: HashMap<String, Sent>,
    /// The depth of each queue, and whether a tracepoint gave it
    depths: HashMap<String, (u64, bool)>,
}

impl Relations {
    /// Says whether a driver is the owner of one of the latest loads. An owner is known from the first step on that
    /// only an owner takes.
    pub fn is_owner(&self, driver: &str) -> bool {
        let mut loads = self.loads.values();
        loads.any(|load| load.owner.as_deref() == Some(driver))
    }

    fn current(&mut self) -> &mut Load {
        self.loads.entry(self.current).or_default()
    }

    /// Takes what [`crate::order::Order`] passes on. Returns the row of a step.
    pub fn take(&mut self, passed: Passed) -> Option<Row> {
        match passed {
            Passed::Load { index, .. } => {
                self.current = index;
                self.current();
                if self.loads.len() > LOADS {
                    self.loads.pop_first();
                }
                None
            }
            // Calls may have ended in the gap, so the next return may not be that of the last open call.
            Passed::Lost { .. } => {
                let load = self.current();
                load.calls.clear();
                load.requests.clear();
                None
            }
            Passed::Step(step) => Some(self.current().step(step)),
            Passed::Late(step) => Some(Row {
                number: 0,
                step,
                arrow: None,
                span: None,
                depth: None,
            }),
        }
    }
}

impl Load {
    fn step(&mut self, step: Step) -> Row {
        self.number += 1;
        self.learn_roles(&step);
        let (arrow, span) = self.arrow_and_span(&step);
        let depth = self.depth(&step);
        Row {
            number: self.number,
            step,
            arrow,
            span,
            depth,
        }
    }

    /// Learns the names of the owner and of the peer, which fields such as `to=peer` do not give.
    fn learn_roles(&mut self, step: &Step) {
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

    /// The arrow of this step, and the call or request that it ends.
    fn arrow_and_span(&mut self, step: &Step) -> (Option<Arrow>, Option<Span>) {
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
                let printed = step.seq > 0;
                if let Some(calls) = self.calls.get_mut(&self.key) {
                    let last = calls.last_mut().filter(|_| !printed);
                    if let Some(call) = last.filter(|call| call.printed && !call.traced) {
                        call.traced = true;
                        return (None, None);
                    }
                    if calls.len() < OPEN {
                        calls.push(Call {
                            open,
                            printed,
                            traced: !printed,
                        });
                    }
                }
                let to = self.other(step, "to");
                let to = to.and_then(|to| arrow(Kind::OpCall, step.driver().into(), to));
                (to, None)
            }
            "op-return" => {
                write_caller(&mut self.key, step);
                let calls = self.calls.get_mut(&self.key);
                let last = calls.as_ref().and_then(|calls| calls.last());
                // The driver has printed the call, so it will print the return: leave the call open for that line.
                if last.is_some_and(|call| step.seq == 0 && call.printed && call.traced) {
                    return (None, None);
                }
                let call = calls.and_then(Vec::pop);
                let from = self.other(step, "from");
                let span = call.map(|call| call.open.until(step, from.clone()));
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
        let mut queue = Cow::Borrowed(step.field("queue")?);
        if let Some(other) = step.field("ctx").filter(|context| *context != "c0") {
            queue = Cow::Owned(format!("{queue} {other}"));
        }
        let items = || step.field("n")?.parse::<u64>().ok();
        if !self.depths.contains_key(queue.as_ref()) {
            self.depths.insert(queue.to_string(), (0, false));
        }
        let (depth, traced) = self.depths.get_mut(queue.as_ref())?;
        let now = step.field("depth").and_then(|depth| depth.parse().ok());
        *depth = match (step.step(), now) {
            ("drain" | "init-queue", _) => 0,
            ("enqueue" | "dequeue", Some(now)) => {
                *traced = true;
                now
            }
            // The tracepoint of these items has already given the depth after them.
            ("enqueue" | "dequeue", None) if *traced => return None,
            ("enqueue", None) => depth.saturating_add(items()?),
            // The log may have begun after items were put.
            ("dequeue", None) => depth.saturating_sub(items()?),
            _ => return None,
        };
        Some(Depth {
            depth: *depth,
            queue: queue.into(),
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

/// Writes the key by which a return finds its call: driver, operation, execution context, and task or CPU.
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

/// The key of a request: its number in the trace, or the context of a handshake.
fn request_of(step: &Step) -> Option<&str> {
    step.field("req").or_else(|| step.field("ctx"))
}

/// Formats a duration with three digits and a unit.
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
        let lines: Vec<_> = lines.iter().map(|line| (1, *line)).collect();
        rows_of_loads(9, &lines)
    }

    /// The rows of these lines, each with its load. At most `window` steps wait to be sorted
    fn rows_of_loads(window: usize, lines: &[(u64, &str)]) -> Vec<Row> {
        let (mut order, mut relations) = (Order::new(window), Relations::default());
        let mut rows = Vec::new();
        let mut pass = |event| {
            rows.extend(relations.take(event));
            Ok::<(), ()>(())
        };
        for (number, (load, text)) in lines.iter().enumerate() {
            let (driver, step) = text.split_once(' ').expect("a driver and a step");
            let (seq, step) = match step.split_once(' ') {
                Some((seq, step)) if seq.parse::<u64>().is_ok() => (seq.into(), step),
                _ => {
                    let before = lines[..number].iter();
                    let seq = before.filter(|(of, _)| of == load).count() + 1;
                    (seq.to_string(), step)
                }
            };
            let text = format!(
                "[ 0.{:06}] {driver}: d2d: seq={seq} load={load} in=task step={step}",
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
    fn calls_return_in_reverse_order() {
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
    fn a_handshake_is_found_by_its_context() {
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
    fn the_steps_of_owners_are_kept_apart_although_their_lines_are_mixed() {
        let steps = |owner: &str, peer: &str| {
            [
                format!("{owner} attached to={peer}"),
                format!("{peer} op-call to=owner op=x"),
                format!("{owner} op-call to=peer op=x"),
                format!("{owner} op-return from=peer op=x"),
                format!("{peer} op-return from=owner op=x"),
                format!("{peer} build-request req=r1"),
                format!("{peer} call-driver req=r1 to={owner}"),
                format!("{owner} complete req=r1 status=0"),
                format!("{peer} completion req=r1"),
            ]
        };
        let (one, other) = (steps("a", "b"), steps("c", "d"));
        let pairs = one.iter().zip(&other);
        let lines: Vec<_> = pairs
            .flat_map(|(one, other)| [(1, one.as_str()), (2, other.as_str())])
            .collect();
        // With the window 0, each step is of another load than the one before it.
        for window in [0, 99] {
            let rows = rows_of_loads(window, &lines);
            for (index, owner, peer) in [(0, "a", "b"), (1, "c", "d")] {
                let rows: Vec<_> = rows.iter().filter(|row| row.step.index == index).collect();
                let arrows: Vec<_> = rows.iter().map(|row| arrow(row)).collect();
                let expected = [
                    "".into(),
                    format!("OpCall {peer} {owner}"),
                    format!("OpCall {owner} {peer}"),
                    format!("OpReturn {peer} {owner}"),
                    format!("OpReturn {owner} {peer}"),
                    "".into(),
                    format!("CallDriver {peer} {owner}"),
                    format!("Complete {owner} {peer}"),
                    "".into(),
                ];
                assert_eq!(arrows, expected, "window {window}");
                let spans: Vec<_> = rows.iter().filter_map(|row| since(row)).collect();
                assert_eq!(spans, [(3, 2000), (2, 6000), (6, 6000)], "window {window}");
            }
        }
    }

    #[test]
    fn no_call_is_matched_across_a_gap() {
        let rows = rows(&[
            "a 1 op-call to=peer op=x",
            "a 2 op-call to=peer op=y",
            "a 4 op-return from=peer op=x",
            "b 5 build-request req=r1",
            "b 7 completion req=r1",
        ]);
        assert!(rows.iter().all(|row| row.span.is_none()));
        assert_eq!(arrow(&rows[2]), "OpReturn peer a");
    }

    #[test]
    fn the_depth_of_a_queue_is_what_was_put_and_not_taken() {
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
    fn a_tracepoint_and_a_line_of_one_call_are_one_call() {
        let rows = rows(&[
            "a 1 op-call to=peer op=x value=1",
            "a 0 op-call to=peer op=x",
            "b 0 enqueue queue=q ctx=c0 n=3 depth=7",
            "b 2 enqueue queue=q n=3",
            "b 0 enqueue queue=q ctx=c1 n=3 depth=3",
            "a 0 op-return from=peer op=x status=0",
            "a 3 op-return from=peer op=x value=2",
            "a 0 op-call to=peer op=x",
            "a 0 op-return from=peer op=x status=0",
        ]);
        let spans: Vec<_> = rows.iter().filter_map(since).collect();
        assert_eq!(spans, [(1, 6000), (8, 1000)]);
        assert_eq!(rows.iter().filter(|row| row.arrow.is_some()).count(), 4);
        let depths = rows.iter().filter_map(|row| row.depth.as_ref());
        let depths: Vec<_> = depths.map(|d| (d.queue.as_str(), d.depth)).collect();
        assert_eq!(depths, [("q", 7), ("q c1", 3)]);
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

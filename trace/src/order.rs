// SPDX-License-Identifier: GPL-2.0

//! The order in which the steps happened: by `seq`, within a load of the owner.
//!
//! Two CPUs print in any order, and a log may have several loads and boots. Steps wait in a window for
//! those before them, and go on when the window is full, so memory is bounded; what comes later than
//! that is passed on as it comes, and counted. A step without a number stays behind the one before it.

use crate::line::{self, Line};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

/// How many steps wait for those before them, unless told otherwise.
pub const WINDOW: usize = 4096;

/// How many loads are known at a time; what comes of an earlier one is one more load.
const LOADS: usize = 64;

/// How many gaps of a load are remembered.
const GAPS: usize = 1000;

/// A step that is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Which load of the log, from 0.
    pub index: usize,
    /// See [`Line`].
    pub seq: u64,
    /// See [`Line`].
    pub load: Option<u64>,
    /// See [`Line`].
    pub time: Option<u64>,
    /// See [`Line`].
    pub cpu: Option<u32>,
    /// The driver, the step, the context, the task and the detail, one behind the other: one
    /// allocation, for there may be many steps
    text: Box<str>,
    /// Where they end, but the last one
    ends: [u32; 4],
    /// Where it stands: its `seq`, or that of the step before it in the log.
    place: u64,
    /// Of steps that stand there, which one it is.
    after: u64,
}

impl Step {
    fn new(line: &Line<'_>, index: usize, (place, after): (u64, u64)) -> Self {
        let (context, task) = (
            line.context.unwrap_or_default(),
            line.task.unwrap_or_default(),
        );
        let mut ends = [0; 4];
        let mut end = 0;
        let parts = [line.driver, line.step, context, task];
        for (part, at) in parts.iter().zip(&mut ends) {
            end += part.len();
            // A line is not longer; see log::MAX_LINE.
            *at = end as u32;
        }
        let mut text = String::with_capacity(end + line.detail.len());
        text.extend(parts);
        text.push_str(line.detail);
        Self {
            index,
            place,
            after,
            seq: line.seq,
            load: line.load,
            time: line.time,
            cpu: line.cpu,
            text: text.into_boxed_str(),
            ends,
        }
    }

    fn part(&self, number: usize) -> &str {
        let begin = number.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.text[begin as usize..self.ends[number] as usize]
    }

    /// See [`Line`].
    pub fn driver(&self) -> &str {
        self.part(0)
    }

    /// See [`Line`].
    pub fn step(&self) -> &str {
        self.part(1)
    }

    /// See [`Line`].
    pub fn context(&self) -> Option<&str> {
        Some(self.part(2)).filter(|context| !context.is_empty())
    }

    /// See [`Line`].
    pub fn task(&self) -> Option<&str> {
        Some(self.part(3)).filter(|task| !task.is_empty())
    }

    /// See [`Line`].
    pub fn detail(&self) -> &str {
        &self.text[self.ends[3] as usize..]
    }

    /// The fields after the step, in their order.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        line::fields(self.detail())
    }

    /// The value of a field.
    pub fn field(&self, key: &str) -> Option<&str> {
        self.fields()
            .find_map(|(name, value)| (name == key).then_some(value))
    }
}

impl Ord for Step {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let key = |step: &Self| (step.index, step.place, step.after);
        key(self).cmp(&key(other))
    }
}

impl PartialOrd for Step {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// What comes out.
#[derive(Debug, PartialEq, Eq)]
pub enum Event {
    /// The steps of another load follow.
    Load { index: usize, load: Option<u64> },
    /// The steps from the one number to the other are missing here.
    Lost { first: u64, last: u64 },
    /// The next step.
    Step(Step),
    /// A step that should have come before the last one.
    Late(Step),
}

/// What is missing, and what was there too often.
#[derive(Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Counts {
    /// Loads of the owner.
    pub loads: u64,
    /// Steps that are missing.
    pub missing: u64,
    /// Where: the first and the last `seq` of the first gaps of each load.
    pub gaps: Vec<Gap>,
    /// Steps that were there already.
    pub duplicates: u64,
    /// Steps that came too late to be sorted.
    pub late: u64,
}

/// Numbers that no step has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Gap {
    /// Which load of the log, from 0.
    pub load_index: usize,
    /// The first number that is missing.
    pub first: u64,
    /// The last one.
    pub last: u64,
}

/// A load whose steps may still come.
struct Load {
    load: Option<u64>,
    /// When it began
    time: Option<u64>,
    /// The number that is next
    next: u64,
    /// Where the step stands that came last
    last: (u64, u64),
    /// What is missing before that: the first numbers, with the last ones
    gaps: BTreeMap<u64, u64>,
}

impl Load {
    /// Takes the number out of what is missing, if it is there.
    fn fill(&mut self, seq: u64) -> bool {
        let Some((&first, &last)) = self.gaps.range(..=seq).next_back() else {
            return false;
        };
        if seq > last {
            return false;
        }
        self.gaps.remove(&first);
        if first < seq {
            self.gaps.insert(first, seq - 1);
        }
        if seq < last {
            self.gaps.insert(seq + 1, last);
        }
        true
    }
}

/// Sorts steps.
pub struct Order {
    window: usize,
    waiting: BinaryHeap<Reverse<Step>>,
    /// By their index
    loads: BTreeMap<usize, Load>,
    /// The load of the step that came out last
    current: Option<usize>,
    counts: Counts,
}

impl Order {
    /// Up to `window` steps wait.
    pub fn new(window: usize) -> Self {
        Self {
            window,
            waiting: BinaryHeap::new(),
            loads: BTreeMap::new(),
            current: None,
            counts: Counts::default(),
        }
    }

    /// Takes a step as it stands in the log, and passes on what is in order.
    pub fn take<E>(
        &mut self,
        line: &Line<'_>,
        mut pass: impl FnMut(Event) -> Result<(), E>,
    ) -> Result<(), E> {
        let index = self.index_of(line);
        let load = self.loads.get_mut(&index).expect("just looked up");
        load.last = match line.seq {
            0 => (load.last.0, load.last.1 + 1),
            seq => (seq, 0),
        };
        let step = Step::new(line, index, load.last);
        if (1..load.next).contains(&line.seq) {
            return if load.fill(line.seq) {
                self.counts.late += 1;
                pass(Event::Late(step))
            } else {
                self.counts.duplicates += 1;
                Ok(())
            };
        }
        self.waiting.push(Reverse(step));
        while self.is_next() || self.waiting.len() > self.window {
            self.pass_one(&mut pass)?;
        }
        Ok(())
    }

    /// There is no more to come.
    pub fn finish<E>(mut self, mut pass: impl FnMut(Event) -> Result<(), E>) -> Result<Counts, E> {
        while !self.waiting.is_empty() {
            self.pass_one(&mut pass)?;
        }
        while let Some((index, _)) = self.loads.first_key_value() {
            self.forget(*index);
        }
        Ok(self.counts)
    }

    /// Finds out which load a step belongs to. It may be a new one with the number of an old one: the
    /// same load starts over at another time.
    fn index_of(&mut self, line: &Line<'_>) -> usize {
        let known = self
            .loads
            .iter()
            .rev()
            .find(|(_, load)| load.load == line.load);
        if let Some((&index, load)) = known {
            let over = line.seq == 1 && load.next > 2 && !load.gaps.contains_key(&1);
            if !over || (line.time.is_some() && line.time == load.time) {
                return index;
            }
        }
        let index = self.counts.loads as usize;
        self.counts.loads += 1;
        let load = Load {
            load: line.load,
            time: line.time,
            next: 1,
            last: (0, 0),
            gaps: BTreeMap::new(),
        };
        self.loads.insert(index, load);
        if self.loads.len() > LOADS {
            let oldest = *self.loads.keys().next().expect("there are many");
            self.forget(oldest);
        }
        index
    }

    /// Whether the first step that waits is the one that the others have waited for
    fn is_next(&self) -> bool {
        let Some(Reverse(step)) = self.waiting.peek() else {
            return false;
        };
        let next = self.loads.get(&step.index).map(|load| load.next);
        let same = self.current.is_none_or(|current| current == step.index);
        same && next.is_none_or(|next| step.place < next || step.seq == next)
    }

    fn pass_one<E>(&mut self, pass: &mut impl FnMut(Event) -> Result<(), E>) -> Result<(), E> {
        let Some(Reverse(step)) = self.waiting.pop() else {
            return Ok(());
        };
        if self.current != Some(step.index) {
            self.current = Some(step.index);
            pass(Event::Load {
                index: step.index,
                load: step.load,
            })?;
        }
        // Of a load that is forgotten, nothing is known any more.
        let load = self.loads.get_mut(&step.index);
        if let Some(load) = load.filter(|_| step.seq > 0) {
            if step.seq < load.next {
                self.counts.duplicates += 1;
                return Ok(());
            }
            let (first, last) = (load.next, step.seq - 1);
            load.next = step.seq + 1;
            if first <= last {
                if load.gaps.len() < GAPS {
                    load.gaps.insert(first, last);
                } else {
                    self.counts.missing += last - first + 1;
                }
                pass(Event::Lost { first, last })?;
            }
        }
        pass(Event::Step(step))
    }

    /// Counts what is missing of a load, of which no more is expected.
    fn forget(&mut self, index: usize) {
        let gaps = self.loads.remove(&index).map(|load| load.gaps);
        for (first, last) in gaps.into_iter().flatten() {
            self.counts.missing += last - first + 1;
            if self.counts.gaps.len() < GAPS {
                self.counts.gaps.push(Gap {
                    load_index: index,
                    first,
                    last,
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What comes out of lines given as (load, seq, time): `load:first-last` for a gap, `load/seq` for a step
    fn sorted(window: usize, lines: &[(u64, u64, u64)]) -> (Vec<String>, Counts) {
        let mut order = Order::new(window);
        let mut out = Vec::new();
        let mut pass = |event| {
            out.push(match event {
                Event::Load { index, .. } => format!("load {index}"),
                Event::Lost { first, last } => format!("lost {first}-{last}"),
                Event::Step(step) => format!("{}/{}", step.index, step.seq),
                Event::Late(step) => format!("late {}/{}", step.index, step.seq),
            });
            Ok::<(), ()>(())
        };
        for (load, seq, time) in lines {
            let line = Line {
                driver: "a",
                seq: *seq,
                load: Some(*load),
                step: "load",
                time: Some(*time),
                ..Line::default()
            };
            order.take(&line, &mut pass).unwrap();
        }
        let counts = order.finish(&mut pass).unwrap();
        (out, counts)
    }

    fn gap(load_index: usize, first: u64, last: u64) -> Gap {
        Gap {
            load_index,
            first,
            last,
        }
    }

    #[test]
    fn steps_are_sorted_by_their_number() {
        let (out, counts) = sorted(9, &[(5, 1, 1), (5, 4, 1), (5, 3, 1), (5, 2, 1)]);
        assert_eq!(out, ["load 0", "0/1", "0/2", "0/3", "0/4"]);
        assert_eq!((counts.loads, counts.missing, counts.late), (1, 0, 0));
    }

    #[test]
    fn what_is_missing_is_said_where_and_how_many() {
        let (out, counts) = sorted(9, &[(5, 3, 1), (5, 4, 1), (5, 7, 1)]);
        assert_eq!(out, ["load 0", "lost 1-2", "0/3", "0/4", "lost 5-6", "0/7"]);
        assert_eq!(counts.missing, 4);
        assert_eq!(counts.gaps, [gap(0, 1, 2), gap(0, 5, 6)]);
    }

    #[test]
    fn what_comes_later_than_the_window_is_late_and_not_missing() {
        let lines = [(5, 1, 1), (5, 3, 1), (5, 4, 1), (5, 5, 1), (5, 2, 1)];
        let (out, counts) = sorted(2, &lines);
        assert_eq!(
            out,
            ["load 0", "0/1", "lost 2-2", "0/3", "0/4", "0/5", "late 0/2"]
        );
        assert_eq!((counts.late, counts.missing), (1, 0));
    }

    #[test]
    fn what_has_no_number_stays_behind_the_step_before_it() {
        let lines = [
            (5, 2, 1),
            (5, 0, 1),
            (5, 0, 1),
            (5, 1, 1),
            (5, 4, 1),
            (5, 0, 1),
        ];
        let (out, counts) = sorted(9, &lines);
        let expected = "load 0,0/1,0/2,0/0,0/0,lost 3-3,0/4,0/0";
        assert_eq!(out.join(","), expected);
        assert_eq!((counts.missing, counts.duplicates), (1, 0));
    }

    #[test]
    fn loads_are_kept_apart_even_when_their_lines_are_mixed() {
        let (out, counts) = sorted(9, &[(5, 1, 1), (7, 1, 2), (5, 2, 1), (7, 2, 2)]);
        assert_eq!(out, ["load 0", "0/1", "0/2", "load 1", "1/1", "1/2"]);
        assert_eq!(counts.loads, 2);
    }

    #[test]
    fn the_same_lines_twice_are_duplicates() {
        let lines = [(5, 1, 1), (5, 2, 1), (5, 2, 1), (5, 3, 2)];
        let (out, counts) = sorted(9, &[lines, lines].concat());
        assert_eq!(out.len(), 4);
        assert_eq!((counts.loads, counts.duplicates), (1, 5));
    }

    #[test]
    fn two_boots_that_load_in_the_same_millisecond_are_two() {
        let first = [(5, 1, 1), (5, 2, 1)];
        let (out, counts) = sorted(9, &[first, [(5, 1, 2), (5, 2, 3)]].concat());
        assert_eq!(out, ["load 0", "0/1", "0/2", "load 1", "1/1", "1/2"]);
        assert_eq!((counts.loads, counts.duplicates), (2, 0));
    }

    #[test]
    fn memory_is_bounded_however_many_loads_and_gaps_there_are() {
        let lines: Vec<_> = (1..10_000).map(|n| (n, 3 * n, n)).collect();
        let (out, counts) = sorted(16, &lines);
        assert!(out.len() > 10_000);
        assert_eq!(counts.loads, 9_999);
        assert_eq!(counts.gaps.len(), GAPS);
        let lines: Vec<_> = (1..10_000).map(|n| (1, 2 * n, n)).collect();
        let (_, counts) = sorted(16, &lines);
        assert_eq!((counts.missing, counts.gaps.len()), (9_999, GAPS));
    }
}

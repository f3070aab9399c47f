// SPDX-License-Identifier: GPL-2.0

//! Sorts the steps of each load of the owner by `seq`.
//!
//! Two CPUs print in any order, and a log may have several loads and boots. A step waits in a window for
//! the steps before it. When the window is full, the first step leaves it, so memory is bounded. A step is
//! late if its successors have left the window before it comes. A step without a number stays behind the step
//! that precedes it in the log.

use crate::line::{self, Line};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

/// How many steps wait at most, by default.
pub const WINDOW: usize = 4096;

/// How many loads are remembered. A step of a load that was forgotten begins one more load.
pub const LOADS: usize = 64;

/// How many gaps of a load are remembered, and how many gaps are listed.
const GAPS: usize = 1000;

/// A step, with the parts of its [`Line`].
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
    /// The driver, the step, the execution context, the task and the detail. One string saves memory: it takes one
    /// allocation, not five
    text: Box<str>,
    /// Where each of these ends, except the last
    ends: [u32; 4],
    /// Its place in the order: its `seq`, or for a step without a number, the place of the step that precedes
    /// it in the log.
    place: u64,
    /// How many steps with the same place precede it.
    after: u64,
}

impl Step {
    fn new(line: &Line<'_>, index: usize, (place, after): (u64, u64)) -> Self {
        let context = line.context.unwrap_or_default();
        let task = line.task.map(|task| task.to_string()).unwrap_or_default();
        let mut ends = [0; 4];
        let mut end = 0;
        let parts = [line.driver, line.step, context, &task];
        for (part, at) in parts.iter().zip(&mut ends) {
            end += part.len();
            // A line has at most log::MAX_LINE bytes, so the number fits into 32 bits.
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

    /// The fields after the step, in the order of the line.
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

/// What [`Order`] passes on.
#[derive(Debug, PartialEq, Eq)]
pub enum Passed {
    /// The following steps are of this load.
    Load { index: usize, load: Option<u64> },
    /// Here the steps from `first` to `last` are missing.
    Lost { first: u64, last: u64 },
    /// The next step.
    Step(Step),
    /// A late step: its successors were passed on already.
    Late(Step),
}

/// Missing steps, and steps that could not be sorted.
#[derive(Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Counts {
    /// Loads of the owner.
    pub loads: u64,
    /// Steps that are missing.
    pub missing: u64,
    /// The first gaps of each load.
    pub gaps: Vec<Gap>,
    /// Steps that the log has already had.
    pub duplicates: u64,
    /// Steps that came too late to be sorted.
    pub late: u64,
}

/// A range of missing steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Gap {
    /// Which load of the log, from 0.
    pub load_index: usize,
    /// The first missing `seq`.
    pub first: u64,
    /// The last missing `seq`.
    pub last: u64,
}

/// A load of which more steps may come.
struct Load {
    load: Option<u64>,
    /// The time of its first step
    time: Option<u64>,
    /// The next `seq` to pass on
    next: u64,
    /// The place of the last step that was read
    last: (u64, u64),
    /// The gaps before `next`: first and last `seq` of each
    gaps: BTreeMap<u64, u64>,
}

impl Load {
    /// Removes a step from the gaps. Returns whether it was missing.
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
    /// The load of the step that was passed on last
    current: Option<usize>,
    counts: Counts,
}

impl Order {
    /// Makes an order in which up to `window` steps wait.
    pub fn new(window: usize) -> Self {
        Self {
            window,
            waiting: BinaryHeap::new(),
            loads: BTreeMap::new(),
            current: None,
            counts: Counts::default(),
        }
    }

    /// Takes the next step of the log, and passes on the steps whose turn it is.
    pub fn take<E>(
        &mut self,
        line: &Line<'_>,
        mut pass: impl FnMut(Passed) -> Result<(), E>,
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
                pass(Passed::Late(step))
            } else {
                self.counts.duplicates += 1;
                Ok(())
            };
        }
        if self.waiting.is_empty() && self.is_next(&step) {
            return self.pass(step, &mut pass);
        }
        self.waiting.push(Reverse(step));
        while let Some(Reverse(first)) = self.waiting.peek() {
            if !self.is_next(first) && self.waiting.len() <= self.window {
                break;
            }
            self.pass_first(&mut pass)?;
        }
        Ok(())
    }

    /// Passes on all steps that wait.
    pub fn drain<E>(&mut self, mut pass: impl FnMut(Passed) -> Result<(), E>) -> Result<(), E> {
        while !self.waiting.is_empty() {
            self.pass_first(&mut pass)?;
        }
        Ok(())
    }

    /// Passes on all steps that wait: the log has ended.
    pub fn finish<E>(mut self, pass: impl FnMut(Passed) -> Result<(), E>) -> Result<Counts, E> {
        self.drain(pass)?;
        while let Some((index, _)) = self.loads.first_key_value() {
            self.forget(*index);
        }
        Ok(self.counts)
    }

    /// Returns the index of the load that a step belongs to, which may be a new one. After another boot, `load` may be
    /// that of an earlier load; then `seq` begins again, at another time.
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

    /// Says whether all steps before this one were passed on
    fn is_next(&self, step: &Step) -> bool {
        let next = self.loads.get(&step.index).map(|load| load.next);
        let same = self.current.is_none_or(|current| current == step.index);
        same && next.is_none_or(|next| step.place < next || step.seq == next)
    }

    fn pass_first<E>(&mut self, pass: &mut impl FnMut(Passed) -> Result<(), E>) -> Result<(), E> {
        match self.waiting.pop() {
            Some(Reverse(step)) => self.pass(step, pass),
            None => Ok(()),
        }
    }

    fn pass<E>(
        &mut self,
        step: Step,
        pass: &mut impl FnMut(Passed) -> Result<(), E>,
    ) -> Result<(), E> {
        if self.current != Some(step.index) {
            self.current = Some(step.index);
            pass(Passed::Load {
                index: step.index,
                load: step.load,
            })?;
        }
        // The load may have been forgotten.
        let load = self.loads.get_mut(&step.index);
        if let Some(load) = load.filter(|_| step.seq > 0) {
            if step.seq < load.next {
                self.counts.duplicates += 1;
                return Ok(());
            }
            let (first, last) = (load.next, step.seq - 1);
            load.next = step.seq.saturating_add(1);
            if first <= last {
                if load.gaps.len() < GAPS {
                    load.gaps.insert(first, last);
                } else {
                    self.miss(first, last);
                }
                pass(Passed::Lost { first, last })?;
            }
        }
        pass(Passed::Step(step))
    }

    fn miss(&mut self, first: u64, last: u64) {
        let missing = &mut self.counts.missing;
        *missing = missing.saturating_add(last - first + 1);
    }

    /// Forgets a load, and counts its gaps: no more steps of it are expected.
    fn forget(&mut self, index: usize) {
        let gaps = self.loads.remove(&index).map(|load| load.gaps);
        for (first, last) in gaps.into_iter().flatten() {
            self.miss(first, last);
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

    /// What is passed on for lines (load, seq, time): `lost first-last` for a gap, `index/seq` for a step
    fn sorted(window: usize, lines: &[(u64, u64, u64)]) -> (Vec<String>, Counts) {
        let mut order = Order::new(window);
        let mut out = Vec::new();
        let mut pass = |event| {
            out.push(match event {
                Passed::Load { index, .. } => format!("load {index}"),
                Passed::Lost { first, last } => format!("lost {first}-{last}"),
                Passed::Step(step) => format!("{}/{}", step.index, step.seq),
                Passed::Late(step) => format!("late {}/{}", step.index, step.seq),
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
    fn gaps_are_found_and_counted() {
        let (out, counts) = sorted(9, &[(5, 3, 1), (5, 4, 1), (5, 7, 1)]);
        assert_eq!(out, ["load 0", "lost 1-2", "0/3", "0/4", "lost 5-6", "0/7"]);
        assert_eq!(counts.missing, 4);
        assert_eq!(counts.gaps, [gap(0, 1, 2), gap(0, 5, 6)]);
    }

    #[test]
    fn a_step_that_comes_after_the_window_is_late_and_not_missing() {
        let lines = [(5, 1, 1), (5, 3, 1), (5, 4, 1), (5, 5, 1), (5, 2, 1)];
        let (out, counts) = sorted(2, &lines);
        assert_eq!(
            out,
            ["load 0", "0/1", "lost 2-2", "0/3", "0/4", "0/5", "late 0/2"]
        );
        assert_eq!((counts.late, counts.missing), (1, 0));
    }

    #[test]
    fn a_step_without_a_number_stays_behind_the_step_before_it() {
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
    fn two_boots_that_load_in_the_same_millisecond_are_two_loads() {
        let first = [(5, 1, 1), (5, 2, 1)];
        let (out, counts) = sorted(9, &[first, [(5, 1, 2), (5, 2, 3)]].concat());
        assert_eq!(out, ["load 0", "0/1", "0/2", "load 1", "1/1", "1/2"]);
        assert_eq!((counts.loads, counts.duplicates), (2, 0));
    }

    #[test]
    fn any_number_is_accepted() {
        let lines = [
            (5, u64::MAX, 1),
            (5, u64::MAX, 1),
            (5, 1, 1),
            (6, u64::MAX, 1),
        ];
        let (out, counts) = sorted(9, &lines);
        let last = u64::MAX - 1;
        assert_eq!(
            out[..4],
            [
                "load 0".into(),
                "0/1".into(),
                format!("lost 2-{last}"),
                format!("0/{}", u64::MAX)
            ]
        );
        assert_eq!(counts.missing, u64::MAX);
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

// SPDX-License-Identifier: GPL-2.0

//! Reads the "bench: " lines of a run's file `output`. The modules, guest/bench.sh and bench/run.sh write these lines.

use crate::log_lines::{At, Contender, Memory, Share};

/// The contender that checks the clock. It is measured first and last.
pub const EMPTY_LOOP: &str = "empty-loop";

const EMPTY_LOOP_INSTRUCTIONS: f64 = 2.0;

/// Timer ticks interrupt the empty loop. So its median may be wrong by this fraction.
const TOLERANCE: f64 = 0.01;

pub struct Log {
    /// In the order of their measurement
    pub contenders: Vec<Contender>,
    pub memory: Vec<Memory>,
    pub shares: Vec<Share>,
    pub conditions: Vec<(String, String)>,
}

impl Log {
    pub fn parse(log: &str) -> Result<Self, String> {
        let mut parsed = Log {
            contenders: Vec::new(),
            memory: Vec::new(),
            shares: Vec::new(),
            conditions: Vec::new(),
        };
        for (_, text) in log.lines().filter_map(|line| line.split_once("bench: ")) {
            if let Some(condition) = text.strip_prefix("condition ") {
                let (name, value) = condition.split_once(": ").unwrap_or((condition, ""));
                parsed.conditions.push((name.into(), value.into()));
                continue;
            }
            let unclear = || format!("cannot parse: {text}");
            match text.split(['=', ' ']).next() {
                Some("contender") => {
                    parsed.add_contender(Contender::parse(text).ok_or_else(unclear)?);
                }
                Some("memory") => parsed.memory.push(Memory::parse(text).ok_or_else(unclear)?),
                Some("share") => parsed.add_share(Share::parse(text).ok_or_else(unclear)?),
                _ => {}
            }
        }
        Ok(parsed)
    }

    /// Adds a measurement of a contender. Several rounds of a contender are one measurement. The two measurements of the
    /// empty loop stay apart, because each checks the clock.
    fn add_contender(&mut self, new: Contender) {
        let mut others = self.contenders.iter_mut();
        match others.find(|other| new.name != EMPTY_LOOP && other.is_round_of(&new)) {
            Some(other) => other.add_round(new),
            None => self.contenders.push(new),
        }
    }

    fn add_share(&mut self, new: Share) {
        let mut others = self.shares.iter_mut();
        match others.find(|other| other.is_round_of(&new)) {
            Some(other) => other.add_round(&new),
            None => self.shares.push(new),
        }
    }

    /// Returns a contender's first measurement at this point of a curve, or on no curve (`None`).
    pub fn find(&self, name: &str, at: Option<&At>) -> Option<&Contender> {
        self.contenders
            .iter()
            .find(|other| other.name == name && other.at.as_ref() == at)
    }

    pub fn median(&self, name: &str) -> Option<f64> {
        Some(self.find(name, None)?.median())
    }

    /// Returns the measurements of a contender, sorted by their values of the axis.
    pub fn curve(&self, name: &str, axis: &str) -> Vec<(u64, &Contender)> {
        let mut curve: Vec<_> = self
            .contenders
            .iter()
            .filter(|one| one.name == name)
            .filter_map(|one| {
                let at = one.at.as_ref().filter(|at| at.axis == axis)?;
                Some((at.value, one))
            })
            .collect();
        curve.sort_by_key(|(value, _)| *value);
        curve
    }

    /// Returns the contenders with a curve along an axis, in the order of their measurement.
    pub fn curves(&self, axis: &str) -> Vec<&str> {
        let mut names = Vec::new();
        for one in &self.contenders {
            let along = one.at.as_ref().is_some_and(|at| at.axis == axis);
            if along && !names.contains(&one.name.as_str()) {
                names.push(one.name.as_str());
            }
        }
        names
    }

    pub fn condition(&self, name: &str) -> Option<&str> {
        let mut conditions = self.conditions.iter();
        Some(&conditions.find(|(other, _)| other == name)?.1)
    }

    /// Checks that the run is complete.
    pub fn check_ends(&self) -> Result<(), String> {
        match self.contenders.as_slice() {
            [first, _, .., last] if first.name == EMPTY_LOOP && last.name == EMPTY_LOOP => Ok(()),
            _ => Err(format!(
                "the run is incomplete: {EMPTY_LOOP} must be first and last"
            )),
        }
    }

    pub fn check_instructions(&self) -> Result<(), String> {
        for contender in self.contenders.iter().filter(|one| one.name == EMPTY_LOOP) {
            let median = contender.median();
            if (median / EMPTY_LOOP_INSTRUCTIONS - 1.0).abs() > TOLERANCE {
                return Err(format!(
                    "the clock does not count instructions: {median:.3} for {EMPTY_LOOP}, which has {EMPTY_LOOP_INSTRUCTIONS}"
                ));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "\
[    0.000000] Linux version 7
[    2.1] bench: condition cpus: 1
[    2.2] bench: contender=empty-loop base=empty-loop calls= n=100 ns=201,200,209,200,
[    2.3] bench: contender=ops-call base=empty-loop calls=* n=10 ns=300,100,200,
[    2.4] bench: contender=queue base=x at=depth:10 calls=a n=1 ns=11,
[    2.4] bench: contender=queue base=x at=depth:1 calls=a n=1 ns=10,
[    2.4] bench: memory of=item who=twin bytes=96
[    2.4] bench: share of=queue at=producers:3 counts=10,30,20
[    2.5] bench: contender=empty-loop base=empty-loop calls= n=100 ns=200,
";

    #[test]
    fn a_cost_is_that_of_one_operation() {
        let log = Log::parse(LOG).unwrap();
        assert_eq!(log.conditions, [("cpus".into(), "1".into())]);
        let call = log.find("ops-call", None).unwrap();
        assert_eq!((call.min(), call.median(), call.max()), (10.0, 20.0, 30.0));
        assert_eq!(
            (call.base.as_str(), call.calls.as_str()),
            ("empty-loop", "*")
        );
        assert_eq!(log.median("empty-loop"), Some(2.005));
        assert_eq!(log.condition("cpus"), Some("1"));
        assert!(log.check_ends().is_ok() && log.check_instructions().is_ok());
    }

    #[test]
    fn rounds_are_one_measurement() {
        let round = "\
bench: contender=ops-call base=empty-loop calls=* n=100 ns=4000,5000,
bench: contender=queue base=x at=depth:10 calls=a n=1 ns=13,
bench: share of=queue at=producers:3 counts=5,5,20
bench: share of=queue at=producers:2 counts=1,2
";
        let log = Log::parse(&format!("{LOG}{round}")).unwrap();
        let call = log.find("ops-call", None).unwrap();
        assert_eq!((call.min(), call.median(), call.max()), (10.0, 30.0, 50.0));
        let curve = log.curve("queue", "depth");
        let curve: Vec<_> = curve.iter().map(|(at, one)| (*at, one.median())).collect();
        assert_eq!(curve, [(1, 10.0), (10, 12.0)]);
        let shares: Vec<_> = log
            .shares
            .iter()
            .map(|one| (one.least(), one.most()))
            .collect();
        assert_eq!(shares, [(15.0, 40.0), (1.0, 2.0)]);
        let empty = log.contenders.iter().filter(|one| one.name == EMPTY_LOOP);
        assert_eq!(empty.count(), 2);
    }

    #[test]
    fn the_points_of_a_curve_are_sorted() {
        let log = Log::parse(LOG).unwrap();
        assert_eq!(log.median("queue"), None);
        assert_eq!(log.curves("depth"), ["queue"]);
        assert!(log.curves("contexts").is_empty());
        let curve = log.curve("queue", "depth");
        let curve: Vec<_> = curve.iter().map(|(at, one)| (*at, one.median())).collect();
        assert_eq!(curve, [(1, 10.0), (10, 11.0)]);
        let at = At::parse("depth:10").unwrap();
        assert_eq!(log.find("queue", Some(&at)).unwrap().median(), 11.0);
        assert!(Log::parse(&LOG.replace("depth:10", "depth")).is_err());
    }

    #[test]
    fn memory_and_shares_are_read() {
        let log = Log::parse(LOG).unwrap();
        let [memory] = log.memory.as_slice() else {
            panic!("{:?}", log.memory)
        };
        assert_eq!(
            (memory.of.as_str(), memory.who.as_str(), memory.bytes),
            ("item", "twin", 96)
        );
        let share = &log.shares[0];
        assert_eq!(
            (share.least(), share.most(), share.unfairness()),
            (10.0, 30.0, 3.0)
        );
        assert!(Log::parse(&LOG.replace("bytes=96", "bytes=")).is_err());
        assert!(Log::parse(&LOG.replace("counts=10,30,20", "counts=")).is_err());
    }

    #[test]
    fn an_unfinished_run_is_refused() {
        let cut = LOG.rsplit_once("[    2.5").unwrap().0;
        assert!(Log::parse(cut).unwrap().check_ends().is_err());
        assert!(Log::parse("").unwrap().check_ends().is_err());
        assert!(Log::parse(&LOG.replace("n=10 ", "")).is_err());
        assert!(Log::parse(&LOG.replace("ns=300,100,200,", "ns=")).is_err());
    }

    #[test]
    fn a_wrong_clock_at_either_end_is_noticed() {
        let wrong = |from, to| {
            let log = LOG.replace(from, to);
            Log::parse(&log).unwrap().check_instructions().is_err()
        };
        assert!(wrong("ns=201,200,209,200,", "ns=633,634,632,201,"));
        assert!(wrong("n=100 ns=200,\n", "n=100 ns=197,\n"));
        assert!(!wrong("n=100 ns=200,\n", "n=100 ns=201,\n"));
    }
}

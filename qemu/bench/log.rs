//! What the modules and the guest have said: lines of the kernel's log that have "bench: " in them.

/// What was measured last and first, so that what comes to be wrong in between is noticed
const CONTROL: &str = "empty-loop";

/// Instructions of the control
const CONTROL_INSTRUCTIONS: f64 = 2.0;

/// How far the median of the control may be off: timer ticks take their share
const TOLERANCE: f64 = 0.01;

/// One way of doing something, as it was measured
#[derive(Debug, Clone, PartialEq)]
pub struct Contender {
    pub name: String,
    /// What it is compared with
    pub base: String,
    /// What its loop has to call
    pub calls: String,
    /// Time of one operation, from the shortest to the longest
    times: Vec<f64>,
}

impl Contender {
    pub fn min(&self) -> f64 {
        self.times[0]
    }

    pub fn max(&self) -> f64 {
        self.times[self.times.len() - 1]
    }

    pub fn median(&self) -> f64 {
        let middle = self.times.len() / 2;
        if self.times.len() % 2 == 1 {
            self.times[middle]
        } else {
            (self.times[middle - 1] + self.times[middle]) / 2.0
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let field = |name: &str| {
            let value = |word: &str| Some(word.strip_prefix(name)?.strip_prefix('=')?.to_owned());
            text.split(' ').find_map(value)
        };
        let n: f64 = field("n")?.parse().ok()?;
        let mut times = field("ns")?
            .split_terminator(',')
            .map(|ns| ns.parse::<f64>().map(|ns| ns / n))
            .collect::<Result<Vec<_>, _>>()
            .ok()?;
        times.sort_by(f64::total_cmp);
        Some(Contender {
            name: field("contender")?,
            base: field("base")?,
            calls: field("calls")?,
            times,
        })
        .filter(|contender| !contender.times.is_empty())
    }
}

/// One run
pub struct Log {
    /// In the order in which they were measured, the control twice
    pub contenders: Vec<Contender>,
    /// Names and values
    pub conditions: Vec<(String, String)>,
}

impl Log {
    pub fn parse(log: &str) -> Result<Self, String> {
        let mut parsed = Log {
            contenders: Vec::new(),
            conditions: Vec::new(),
        };
        for (_, text) in log.lines().filter_map(|line| line.split_once("bench: ")) {
            if let Some(condition) = text.strip_prefix("condition ") {
                let (name, value) = condition.split_once(": ").unwrap_or((condition, ""));
                parsed.conditions.push((name.into(), value.into()));
            } else if text.starts_with("contender=") {
                let contender = Contender::parse(text);
                let contender = contender.ok_or_else(|| format!("not understood: {text}"))?;
                parsed.contenders.push(contender);
            }
        }
        Ok(parsed)
    }

    /// The first measurement of this name
    pub fn find(&self, name: &str) -> Option<&Contender> {
        self.contenders.iter().find(|other| other.name == name)
    }

    /// Sees that the run has come to its end
    pub fn check_ends(&self) -> Result<(), String> {
        match self.contenders.as_slice() {
            [first, _, .., last] if first.name == CONTROL && last.name == CONTROL => Ok(()),
            _ => Err(format!("{CONTROL} has to be first and last")),
        }
    }

    /// Sees that a nanosecond is an instruction, from the beginning to the end
    pub fn check_instructions(&self) -> Result<(), String> {
        for contender in self.contenders.iter().filter(|one| one.name == CONTROL) {
            let median = contender.median();
            if (median / CONTROL_INSTRUCTIONS - 1.0).abs() > TOLERANCE {
                return Err(format!(
                    "the clock counts no instructions: {median:.3} for {CONTROL}, which has {CONTROL_INSTRUCTIONS}"
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
[    2.4] bench: contender=empty-loop base=empty-loop calls= n=100 ns=200,
";

    #[test]
    fn times_are_those_of_one_operation() {
        let log = Log::parse(LOG).unwrap();
        assert_eq!(log.conditions, [("cpus".into(), "1".into())]);
        let call = log.find("ops-call").unwrap();
        assert_eq!((call.min(), call.median(), call.max()), (10.0, 20.0, 30.0));
        assert_eq!(
            (call.base.as_str(), call.calls.as_str()),
            ("empty-loop", "*")
        );
        assert_eq!(log.find("empty-loop").unwrap().median(), 2.005);
        assert!(log.check_ends().is_ok() && log.check_instructions().is_ok());
    }

    #[test]
    fn a_run_that_did_not_come_to_its_end_is_none() {
        let cut = LOG.rsplit_once("[    2.4").unwrap().0;
        assert!(Log::parse(cut).unwrap().check_ends().is_err());
        assert!(Log::parse("").unwrap().check_ends().is_err());
        assert!(Log::parse(&LOG.replace("n=10 ", "")).is_err());
        assert!(Log::parse(&LOG.replace("ns=300,100,200,", "ns=")).is_err());
    }

    #[test]
    fn a_clock_that_is_off_at_either_end_is_noticed() {
        let wrong = |from, to| {
            let log = LOG.replace(from, to);
            Log::parse(&log).unwrap().check_instructions().is_err()
        };
        assert!(wrong("ns=201,200,209,200,", "ns=633,634,632,201,"));
        assert!(wrong("n=100 ns=200,\n", "n=100 ns=197,\n"));
        assert!(!wrong("n=100 ns=200,\n", "n=100 ns=201,\n"));
    }
}

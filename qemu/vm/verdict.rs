//! The judgement: a run has passed if everything that has to be there is there, and nothing
//! else is. What is missing is a failure.

use crate::ktap::{self, Tally};
use crate::machine::Ended;
use crate::splat;

pub struct Expected {
    pub nonce: String,
    pub taint: u64,
    pub ktap: bool,
}

pub struct Evidence {
    pub console: String,
    pub ktap: String,
    pub result: String,
    pub ended: Ended,
}

pub struct Verdict {
    /// Tests passed, failed and skipped; each reason that is not a test's is one failed
    pub tally: Tally,
    /// Why the run has failed, a line each
    pub reasons: Vec<String>,
}

impl Verdict {
    pub fn passed(&self) -> bool {
        self.reasons.is_empty()
    }
}

pub fn judge(expected: &Expected, evidence: &Evidence) -> Verdict {
    let report = if expected.ktap {
        ktap::parse(&evidence.ktap)
    } else {
        ktap::Report::default()
    };
    let mut reasons = report.problems;
    match &evidence.ended {
        Ended::Timeout(limit) => reasons.push(format!("timeout after {} s", limit.as_secs())),
        Ended::Exit(Some(0)) => {}
        Ended::Exit(status) => reasons.push(format!("the VM ended with {status:?}")),
    }
    let splats = splat::scan(&evidence.console);
    reasons.extend(splats.iter().map(|splat| format!("console: {splat}")));
    let tests_failed = report.tally.failed > 0;
    reasons.extend(judge_result(expected, &evidence.result, tests_failed));

    let mut tally = report.tally;
    tally.failed += reasons.len() as u64;
    let tests = report.failed.iter().map(|test| format!("test: {test}"));
    Verdict {
        tally,
        reasons: tests.chain(reasons).collect(),
    }
}

/// The result line: the last thing that a guest in good health says
fn judge_result(expected: &Expected, result: &str, tests_failed: bool) -> Vec<String> {
    let Some(fields) = result
        .strip_suffix('\n')
        .and_then(|line| line.strip_prefix("D2D-RESULT "))
    else {
        return vec!["no result line: the guest did not reach its end".into()];
    };
    let mut reasons = Vec::new();
    let mut check = |name: &str, want: &str| {
        let got = fields
            .split(' ')
            .find_map(|field| field.strip_prefix(name)?.strip_prefix('='));
        if got != Some(want) {
            let got = got.unwrap_or("nothing");
            reasons.push(format!("result: {name} is {got}, expected {want}"));
        }
    };
    check("nonce", &expected.nonce);
    // A failed test makes this 1, and is counted as itself.
    if !tests_failed {
        check("rc", "0");
    }
    check("taint", &expected.taint.to_string());
    check("modules", "0");
    reasons
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "D2D-RESULT nonce=n1 rc=0 taint=12288 modules=0\n";
    const KTAP: &str = "TAP version 13\n1..1\nok 1 selftests: d2d: a.sh\n";

    fn reasons(change: impl Fn(&mut Evidence)) -> String {
        let expected = Expected {
            nonce: "n1".into(),
            taint: 12288,
            ktap: true,
        };
        let mut evidence = Evidence {
            console: "[    1.0] all is well\n".into(),
            ktap: KTAP.into(),
            result: GOOD.into(),
            ended: Ended::Exit(Some(0)),
        };
        change(&mut evidence);
        let verdict = judge(&expected, &evidence);
        assert_eq!(verdict.passed(), verdict.tally.failed == 0);
        verdict.reasons.join("; ")
    }

    #[test]
    fn a_good_run_passes() {
        assert_eq!(reasons(|_| ()), "");
    }

    #[test]
    fn absence_is_failure() {
        let no_line = "no result line: the guest did not reach its end";
        assert_eq!(reasons(|e| e.result.clear()), no_line);
        assert_eq!(reasons(|e| e.result = GOOD.trim_end().into()), no_line);
        assert_eq!(
            reasons(|e| e.result = format!("{GOOD}{GOOD}")),
            "result: modules is 0\nD2D-RESULT, expected 0"
        );
        assert_eq!(
            reasons(|e| e.result = GOOD.replace(" taint=12288", "")),
            "result: taint is nothing, expected 12288"
        );
    }

    #[test]
    fn every_field_counts() {
        let changed = |from: &str, to: &str| reasons(|e| e.result = GOOD.replace(from, to));
        assert_eq!(changed("n1", "n2"), "result: nonce is n2, expected n1");
        assert_eq!(changed("rc=0", "rc=1"), "result: rc is 1, expected 0");
        assert_eq!(
            changed("12288", "12800"),
            "result: taint is 12800, expected 12288"
        );
        assert_eq!(
            changed("modules=0", "modules=1"),
            "result: modules is 1, expected 0"
        );
    }

    #[test]
    fn a_report_or_a_bad_end_fails_a_run_that_says_it_is_well() {
        let warned = reasons(|e| e.console += "[    2.0] WARNING: CPU: 0 PID: 1 at x.c:1\n");
        assert_eq!(warned, "console: WARNING: CPU: 0 PID: 1 at x.c:1");
        let timeout = Ended::Timeout(std::time::Duration::from_secs(9));
        let late = judge_end(timeout);
        assert_eq!(late, "timeout after 9 s");
        assert_eq!(judge_end(Ended::Exit(Some(1))), "the VM ended with Some(1)");
    }

    fn judge_end(ended: Ended) -> String {
        let ended = std::cell::RefCell::new(Some(ended));
        reasons(|e| e.ended = ended.borrow_mut().take().expect("called once"))
    }

    #[test]
    fn a_failed_test_is_counted_once() {
        let expected = Expected {
            nonce: "n1".into(),
            taint: 12288,
            ktap: true,
        };
        let evidence = Evidence {
            console: String::new(),
            ktap: KTAP.replace("ok 1", "not ok 1"),
            result: GOOD.replace("rc=0", "rc=1"),
            ended: Ended::Exit(Some(0)),
        };
        let verdict = judge(&expected, &evidence);
        assert!(!verdict.passed());
        assert_eq!(verdict.tally.to_string(), "0 passed, 1 failed, 0 skipped");
        assert_eq!(verdict.reasons, ["test: selftests: d2d: a.sh"]);
    }
}

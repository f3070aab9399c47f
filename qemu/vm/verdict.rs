// SPDX-License-Identifier: GPL-2.0

//! Decides whether a run has passed.

use crate::ktap::{self, Tally};
use crate::machine::Ended;
use crate::splat;

const ANY: &str = "any";

pub struct Expected {
    fields: Vec<(String, String)>,
    /// Whether a run without KTAP fails
    ktap: bool,
    /// A long run may write more than the log buffer holds. The console has all warnings anyway.
    pub log_may_wrap: bool,
}

impl Expected {
    pub fn new(nonce: &str, fields: &str, ktap: bool) -> Self {
        let mut expected = Expected {
            fields: vec![("nonce".into(), nonce.into())],
            ktap,
            log_may_wrap: false,
        };
        expected.set(fields);
        expected
    }

    /// Sets fields, "NAME=VALUE ..."
    pub fn set(&mut self, fields: &str) {
        for (name, value) in fields.split(' ').filter_map(|field| field.split_once('=')) {
            self.fields.retain(|(known, _)| known != name);
            self.fields.push((name.into(), value.into()));
        }
    }

    /// Adds flags to a field that is a number
    pub fn add(&mut self, name: &str, flags: u64) {
        for (known, value) in &mut self.fields {
            if let (true, Ok(number)) = (known == name, value.parse::<u64>()) {
                *value = (number | flags).to_string();
            }
        }
    }
}

pub struct Evidence {
    /// The serial console. After boot, it has only warnings and worse.
    pub console: String,
    /// The kernel's log; empty if the run did not reach its end
    pub dmesg: String,
    pub ktap: String,
    pub result: String,
    pub ended: Ended,
}

pub struct Verdict {
    /// Counts each reason as a failure, even if it is no failed test.
    pub tally: Tally,
    pub reasons: Vec<String>,
    /// Whether the only reason is that a test has bailed out
    pub only_bailed_out: bool,
}

impl Verdict {
    pub fn passed(&self) -> bool {
        self.reasons.is_empty()
    }
}

pub fn judge(expected: &Expected, evidence: &Evidence) -> Verdict {
    let report = if expected.ktap || !evidence.ktap.is_empty() {
        ktap::parse(&evidence.ktap)
    } else {
        ktap::Report::default()
    };
    let mut reasons = report.problems;
    match &evidence.ended {
        Ended::Timeout(limit) => reasons.push(format!("timeout after {} s", limit.as_secs())),
        // main() itself reports `Stopped`.
        Ended::Exit(Some(0)) | Ended::Stopped(_) => {}
        Ended::Exit(Some(status)) => {
            reasons.push(format!("the VM ended with exit status {status}"))
        }
        Ended::Exit(None) => reasons.push("the VM was killed".into()),
    }
    let on_console = splat::scan(&evidence.console);
    reasons.extend(on_console.iter().map(|splat| format!("console: {splat}")));
    let logged = splat::scan(&evidence.dmesg);
    let new = logged.iter().filter(|splat| !on_console.contains(splat));
    reasons.extend(new.map(|splat| format!("dmesg: {splat}")));
    let tests_failed = report.tally.failed > 0 || report.bailed_out;
    let end = judge_result(expected, &evidence.result, tests_failed);
    if end.is_empty() && !expected.log_may_wrap && !begins_at_boot(&evidence.dmesg) {
        reasons.push("dmesg: the log has lost its beginning, and perhaps a report in it".into());
    }
    reasons.extend(end);

    let mut tally = report.tally;
    tally.failed += reasons.len() as u64;
    let tests = report.failed.iter().map(|test| format!("test: {test}"));
    Verdict {
        tally,
        only_bailed_out: report.bailed_out && reasons.len() == 1,
        reasons: tests.chain(reasons).collect(),
    }
}

/// Whether the log has its first line. A log without it may lack a report of trouble, too.
fn begins_at_boot(dmesg: &str) -> bool {
    let begins = |line: &str| {
        let texts = ["] Linux version ", "] Booting Linux on physical CPU "];
        texts.iter().any(|text| line.contains(text))
    };
    dmesg.lines().next().is_some_and(begins)
}

/// Compares the result line with what is expected of it. Returns the differences.
fn judge_result(expected: &Expected, result: &str, tests_failed: bool) -> Vec<String> {
    let Some(fields) = result
        .strip_suffix('\n')
        .and_then(|line| line.strip_prefix("D2D-RESULT "))
    else {
        return vec!["no result line: the guest did not reach its end".into()];
    };
    let mut reasons = Vec::new();
    let mut rc_is_wrong = false;
    for (name, want) in &expected.fields {
        // A failed test makes rc 1, so rc says nothing more.
        if tests_failed && name == "rc" {
            continue;
        }
        let got = fields
            .split(' ')
            .find_map(|field| field.strip_prefix(name.as_str())?.strip_prefix('='));
        // If rc is wrong, the guest's script may have ended while modules were loaded.
        if name == "modules" && rc_is_wrong {
            continue;
        }
        if got != Some(want) && want != ANY {
            rc_is_wrong |= name == "rc";
            let got = got.unwrap_or("nothing");
            reasons.push(format!("result: {name} is {got}, expected {want}"));
        }
    }
    reasons
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIELDS: &str = "rc=0 taint=12288 modules=0 debug_locks=1 leaks=0";
    const KTAP: &str = "TAP version 13\n1..1\nok 1 selftests: d2d: a.sh\n";

    fn good() -> Evidence {
        Evidence {
            console: "[    1.0] all is well\n".into(),
            dmesg: "[    0.0] Linux version 7.3.4\n[    1.0] all is well\n".into(),
            ktap: KTAP.into(),
            result: format!("D2D-RESULT nonce=n1 {FIELDS}\n"),
            ended: Ended::Exit(Some(0)),
        }
    }

    fn reasons(change: impl FnOnce(&mut Evidence)) -> String {
        let mut evidence = good();
        change(&mut evidence);
        let verdict = judge(&Expected::new("n1", FIELDS, true), &evidence);
        assert_eq!(verdict.passed(), verdict.tally.failed == 0);
        verdict.reasons.join("; ")
    }

    #[test]
    fn a_good_run_passes() {
        assert_eq!(reasons(|_| ()), "");
    }

    #[test]
    fn a_missing_or_incomplete_result_line_fails() {
        let no_line = "no result line: the guest did not reach its end";
        assert_eq!(reasons(|e| e.result.clear()), no_line);
        assert_eq!(reasons(|e| e.result = e.result.trim_end().into()), no_line);
        assert_eq!(
            reasons(|e| e.result = e.result.repeat(2)),
            "result: leaks is 0\nD2D-RESULT, expected 0"
        );
        assert_eq!(
            reasons(|e| e.result = e.result.replace(" taint=12288", "")),
            "result: taint is nothing, expected 12288"
        );
    }

    #[test]
    fn each_field_of_the_result_line_is_compared() {
        let changed = |from: &str, to: &str| reasons(|e| e.result = e.result.replace(from, to));
        assert_eq!(changed("n1", "n2"), "result: nonce is n2, expected n1");
        assert_eq!(changed("rc=0", "rc=1"), "result: rc is 1, expected 0");
        assert_eq!(
            changed("rc=0 taint=12288 modules=0", "rc=1 taint=12288 modules=2"),
            "result: rc is 1, expected 0"
        );
        assert_eq!(
            changed("12288", "12800"),
            "result: taint is 12800, expected 12288"
        );
        assert_eq!(
            changed("modules=0", "modules=1"),
            "result: modules is 1, expected 0"
        );
        assert_eq!(
            changed("debug_locks=1", "debug_locks=0"),
            "result: debug_locks is 0, expected 1"
        );
        assert_eq!(
            changed("debug_locks=1", "debug_locks=none"),
            "result: debug_locks is none, expected 1"
        );
        assert_eq!(
            changed("leaks=0", "leaks=2"),
            "result: leaks is 2, expected 0"
        );
    }

    #[test]
    fn expected_fields_can_be_replaced() {
        let mut expected = Expected::new("n1", "rc=0 debug_locks=none", true);
        expected.set("debug_locks=1 leaks=0");
        let result = "D2D-RESULT nonce=n1 rc=0 debug_locks=1 leaks=0\n";
        assert_eq!(judge_result(&expected, result, false), [""; 0]);
        let result = result.replace("locks=1", "locks=none");
        assert_eq!(
            judge_result(&expected, &result, false),
            ["result: debug_locks is none, expected 1"]
        );
        expected.set("rc=any");
        assert_eq!(
            judge_result(&expected, &result.replace("rc=0", "rc=7"), false).len(),
            1
        );
        expected.set("rc=4");
        expected.add("rc", 8);
        let result = result.replace("rc=0", "rc=12");
        assert_eq!(judge_result(&expected, &result, false).len(), 1);
    }

    #[test]
    fn a_report_or_an_abnormal_end_fails_a_run_with_a_good_result_line() {
        let warned = reasons(|e| e.console += "[    2.0] WARNING: CPU: 0 PID: 1 at x.c:1\n");
        assert_eq!(warned, "console: WARNING: CPU: 0 PID: 1 at x.c:1");
        let late = reasons(|e| e.ended = Ended::Timeout(std::time::Duration::from_secs(9)));
        assert_eq!(late, "timeout after 9 s");
        let failed = reasons(|e| e.ended = Ended::Exit(Some(1)));
        assert_eq!(failed, "the VM ended with exit status 1");
    }

    #[test]
    fn a_report_in_the_log_counts_once_even_if_the_console_has_it() {
        let report = "[    2.0] kmemleak: 1 new suspected memory leaks\n";
        let logged = reasons(|e| e.dmesg += report);
        assert_eq!(logged, "dmesg: kmemleak: 1 new suspected memory leaks");
        let both = reasons(|e| {
            e.console += report;
            e.dmesg += report;
        });
        assert_eq!(both, "console: kmemleak: 1 new suspected memory leaks");
    }

    #[test]
    fn a_log_of_arm64_begins_with_its_cpu() {
        let first = "[    0.0] Booting Linux on physical CPU 0x0000000000 [0x000f0510]\n";
        assert_eq!(reasons(|e| e.dmesg.insert_str(0, first)), "");
    }

    #[test]
    fn a_log_without_its_beginning_fails() {
        let lost = "dmesg: the log has lost its beginning, and perhaps a report in it";
        assert_eq!(reasons(|e| e.dmesg.clear()), lost);
        assert_eq!(reasons(|e| e.dmesg.replace_range(..28, "")), lost);
    }

    #[test]
    fn the_log_of_a_long_run_may_wrap() {
        let mut evidence = good();
        evidence.dmesg = "[  900.0] module_a: d2d: seq=9999\n".into();
        let mut expected = Expected::new("n1", FIELDS, true);
        assert!(!judge(&expected, &evidence).passed());
        expected.log_may_wrap = true;
        assert!(judge(&expected, &evidence).passed());
    }

    #[test]
    fn ktap_that_is_expected_must_have_a_result() {
        assert_eq!(reasons(|e| e.ktap.clear()), "KTAP: no test has reported");
    }

    #[test]
    fn ktap_is_judged_even_if_none_is_expected() {
        let judged = |ktap: &str| {
            let mut evidence = good();
            evidence.ktap = ktap.into();
            let verdict = judge(&Expected::new("n1", FIELDS, false), &evidence);
            verdict.reasons.join("; ")
        };
        assert_eq!(judged(""), "");
        assert_eq!(judged(KTAP), "");
        assert_eq!(
            judged(&KTAP.replace("ok", "not ok")),
            "test: selftests: d2d: a.sh"
        );
        assert_eq!(
            judged("TAP version 13\n1..1\n"),
            "KTAP: the run: a plan of 1, but 0 results"
        );
    }

    #[test]
    fn if_a_test_bails_out_its_reason_is_the_only_one() {
        let mut evidence = good();
        evidence.ktap =
            "TAP version 13\n1..1\n# Bail out! no case\nnot ok 1 a.sh # exit=1\n".into();
        evidence.result = evidence.result.replace("rc=0", "rc=1");
        let expected = Expected::new("n1", FIELDS, true);
        let verdict = judge(&expected, &evidence);
        assert_eq!(verdict.tally.to_string(), "0 passed, 1 failed, 0 skipped");
        assert_eq!(verdict.reasons, ["no case"]);
        assert!(verdict.only_bailed_out);
        evidence.console += "[    2.0] WARNING: CPU: 0 PID: 1 at x.c:1\n";
        assert!(!judge(&expected, &evidence).only_bailed_out);
    }

    #[test]
    fn a_failed_test_is_counted_once() {
        let mut evidence = good();
        evidence.ktap = KTAP.replace("ok 1", "not ok 1");
        evidence.result = evidence.result.replace("rc=0", "rc=1");
        let verdict = judge(&Expected::new("n1", FIELDS, true), &evidence);
        assert!(!verdict.passed());
        assert_eq!(verdict.tally.to_string(), "0 passed, 1 failed, 0 skipped");
        assert_eq!(verdict.reasons, ["test: selftests: d2d: a.sh"]);
    }
}

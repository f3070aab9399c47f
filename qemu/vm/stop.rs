// SPDX-License-Identifier: GPL-2.0

//! Searches the KTAP of a running machine for the failure that the caller expects. d2d-vm then ends the machine.

use crate::ktap;
use std::io::Write;
use std::process::{Command, Stdio};

pub struct Stop {
    /// An extended regular expression, which must match the beginning of "test: NAME"
    reason: String,
    /// The incomplete line at the end of the KTAP
    rest: Vec<u8>,
}

impl Stop {
    pub fn new(reason: &str) -> Self {
        Stop {
            reason: reason.into(),
            rest: Vec::new(),
        }
    }

    /// Takes the next bytes of the KTAP. Returns the first failed test in it that matches `reason`.
    pub fn find(&mut self, new: &[u8]) -> Option<String> {
        self.rest.extend_from_slice(new);
        let end = self.rest.iter().rposition(|&byte| byte == b'\n')? + 1;
        let whole: Vec<u8> = self.rest.drain(..end).collect();
        let text = String::from_utf8_lossy(&whole);
        let mut failed = text.lines().filter_map(ktap::failure);
        failed.find(|name| self.matches(name)).map(String::from)
    }

    fn matches(&self, name: &str) -> bool {
        let pattern = format!("^({})", self.reason);
        let mut grep = Command::new("grep");
        grep.args(["-qE", "-e", &pattern]).stdin(Stdio::piped());
        let Ok(mut grep) = grep.spawn() else {
            return false;
        };
        if let Some(mut input) = grep.stdin.take() {
            writeln!(input, "test: {name}").ok();
        }
        grep.wait().is_ok_and(|status| status.success())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_expected_failure_is_found_when_its_line_is_whole() {
        let mut stop = Stop::new("console: x|test: un(re|)loads");
        assert_eq!(
            stop.find(b"# ok 1 unloads\n# not ok 2 loads\n# not ok 3 unl"),
            None
        );
        assert_eq!(stop.find(b"oads"), None);
        assert_eq!(stop.find(b"\nok 1 x\n"), Some("unloads".into()));
    }

    #[test]
    fn another_failure_is_not_found() {
        assert_eq!(Stop::new("test: a").find(b"not ok 1 ba\n"), None);
        assert_eq!(Stop::new("console: a").find(b"not ok 1 a\n"), None);
    }
}

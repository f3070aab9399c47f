// SPDX-License-Identifier: GPL-2.0

//! Describes the threads of a hanging User-Mode Linux guest. Its CPUs are threads of the host.

use std::fs;

/// Returns one line for each thread of a process
pub fn describe(process: u32) -> Vec<String> {
    let threads = fs::read_dir(format!("/proc/{process}/task")).into_iter();
    let paths = threads.flatten().flatten().map(|thread| thread.path());
    let lines = paths.filter_map(|path| {
        let read = |name| fs::read_to_string(path.join(name)).ok();
        let stat = read("stat")?;
        // The name of the program, in parentheses, may contain blanks.
        let fields = stat.rsplit_once(')')?.1.split(' ').collect::<Vec<_>>();
        let status = read("status")?;
        let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name));
        let call = read("syscall").unwrap_or_default();
        Some(format!(
            "thread {}: {} user={} system={} syscall={} pending={} blocked={}",
            path.file_name()?.to_string_lossy(),
            fields.get(1)?,
            fields.get(12)?,
            fields.get(13)?,
            call.split(' ').next()?.trim(),
            field("SigPnd:")?.trim(),
            field("SigBlk:")?.trim(),
        ))
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_thread_has_a_line() {
        let first = format!("thread {}: ", std::process::id());
        let line = || {
            let lines = std::thread::spawn(|| describe(std::process::id())).join();
            let lines = lines.unwrap();
            assert!(lines.len() >= 2);
            let first = lines.iter().find(|line| line.starts_with(&first));
            first.unwrap().to_owned()
        };
        // The first thread blocks all signals while it starts the thread of a test, so try again.
        let mut tries = 0..1000;
        let is_found = tries.any(|_| {
            std::thread::sleep(std::time::Duration::from_millis(1));
            line().contains(" blocked=0000000")
        });
        assert!(is_found, "{}", line());
    }

    #[test]
    fn a_process_that_does_not_exist_has_no_lines() {
        assert!(describe(u32::MAX).is_empty());
    }
}

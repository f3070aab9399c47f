// SPDX-License-Identifier: GPL-2.0

//! Makes each memory allocation of a system call fail in turn, and checks the results.
//!
//! Only allocations that failslab can make fail are counted. The caller must have set up failslab (`fault_sweep.sh`).
//!
//! - `fail_nth load FILE [PARAM=VALUE...]` loads a module.
//! - `fail_nth unload FILE [PARAM=VALUE...]` unloads a module, which it first loads without a failure.
//! - `fail_nth write FILE TEXT` writes to a file.
//! - `fail_nth read FILE` opens a file, polls it, and reads once. Finding nothing to read is a success.
//! - `fail_nth count ...` makes one of these calls once, and prints how many allocations the call makes.
//!
//! In round n, the n-th allocation of the call fails. The program ends when the call makes fewer than n allocations,
//! and prints how many the call makes. It checks these rules in each round:
//!
//! - The call may succeed without the memory. Otherwise it must fail with `ENOMEM`, and log one refusal with the reason
//!   out-of-memory. `unload` must succeed.
//! - At the end of a round of `load` or `unload`, the module must be gone: the program unloads what `load` has loaded.
//!   The other modules must have as many users as before.

mod modules;
mod polling;
mod reading;

use polling::NONBLOCK;
use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{Error, ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::process::ExitCode;

const ENOMEM: i32 = 12;
/// No call of the tests makes more allocations.
const LIMIT: u32 = 1000;

/// Makes the kernel fail an allocation of this thread.
struct FailNth(File);

impl FailNth {
    fn new() -> Result<Self, Error> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .open("/proc/thread-self/fail-nth")?;
        Ok(Self(file))
    }

    /// From now on, the n-th allocation fails, or none if n is 0.
    fn set(&self, n: u32) -> Result<(), Error> {
        let text = n.to_string();
        self.0.write_at(text.as_bytes(), 0).map(|_| ())
    }

    /// Returns how many allocations are left until one fails, or 0 if it has failed.
    fn left(&self) -> Result<u32, Error> {
        let mut text = [0; 16];
        let length = self.0.read_at(&mut text, 0)?;
        let text = String::from_utf8_lossy(&text[..length]);
        text.trim().parse().map_err(Error::other)
    }
}

/// The kernel log, from this object's creation on.
struct Log(File);

impl Log {
    fn new() -> Result<Self, Error> {
        let mut file = OpenOptions::new()
            .read(true)
            .custom_flags(NONBLOCK)
            .open("/dev/kmsg")?;
        file.seek(SeekFrom::End(0))?;
        Ok(Self(file))
    }

    /// Returns the reasons of the refusals since the last call.
    fn refusals(&mut self) -> Result<Vec<String>, Error> {
        let mut reasons = Vec::new();
        let mut record = [0; 8192];
        loop {
            match self.0.read(&mut record) {
                Ok(length) => reasons.extend(reason(&String::from_utf8_lossy(&record[..length]))),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(reasons),
                Err(error) => return Err(error),
            }
        }
    }
}

fn reason(record: &str) -> Option<String> {
    let (_, fields) = record.split_once(": d2d: ")?;
    let (_, rest) = fields.split_once(" step=refuse reason=")?;
    rest.split_whitespace().next().map(String::from)
}

enum Call<'a> {
    Load(&'a str, String),
    Unload(&'a str, String),
    Write(File, &'a str),
    Read(&'a str),
}

impl Call<'_> {
    fn prepare(&self) -> Result<(), Error> {
        match self {
            Self::Unload(path, params) => modules::load(path, params),
            _ => Ok(()),
        }
    }

    fn make(&mut self) -> Result<(), Error> {
        match self {
            Self::Load(path, params) => modules::load(path, params),
            Self::Unload(path, _) => modules::unload(name(path)),
            Self::Write(file, text) => file.write_all(text.as_bytes()),
            Self::Read(path) => match reading::read_once(path) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(()),
                result => result,
            },
        }
    }

    fn may_be_refused(&self) -> bool {
        !matches!(self, Self::Unload(..))
    }

    fn undo(&self) -> Result<(), Error> {
        match self {
            Self::Load(path, _) => modules::unload(name(path)),
            _ => Ok(()),
        }
    }

    /// Returns what the call has left behind. `before` has the users of each module before the first round.
    fn left_over(&self, before: &BTreeMap<String, String>) -> Option<String> {
        let (Self::Load(path, _) | Self::Unload(path, _)) = self else {
            return None;
        };
        let module = name(path);
        if Path::new("/sys/module").join(module).exists() {
            return Some(format!("{module} is still there"));
        }
        let now = users();
        let mut others = before.iter();
        others.find_map(|(module, before)| match now.get(module) {
            Some(users) if users == before => None,
            Some(users) => Some(format!("{module} has {users} users instead of {before}")),
            None => Some(format!("{module} is gone")),
        })
    }
}

/// The number of users of each loaded module that can be unloaded.
fn users() -> BTreeMap<String, String> {
    let modules = fs::read_dir("/sys/module").into_iter().flatten().flatten();
    let number = |module: fs::DirEntry| {
        let users = fs::read_to_string(module.path().join("refcnt")).ok()?;
        let name = module.file_name().into_string().ok()?;
        Some((name, users.trim().into()))
    };
    modules.filter_map(number).collect()
}

fn name(path: &str) -> &str {
    let file = path.rsplit('/').next().unwrap_or(path);
    file.strip_suffix(".ko").unwrap_or(file)
}

#[derive(Debug, PartialEq)]
enum Outcome {
    Refused,
    /// The call succeeded without the memory.
    Tolerated,
}

/// Returns `None` if the result or the log is wrong.
fn judge(result: &Result<(), Error>, reasons: &[String]) -> Option<Outcome> {
    match (result, reasons) {
        (Ok(()), []) => Some(Outcome::Tolerated),
        (Err(error), [reason])
            if error.raw_os_error() == Some(ENOMEM) && reason == "out-of-memory" =>
        {
            Some(Outcome::Refused)
        }
        _ => None,
    }
}

/// Says what is wrong with a round. `left` is 0 if the round's allocation has failed.
fn complaint(left: u32, result: &Result<(), Error>, reasons: &[String]) -> &'static str {
    match (result, reasons) {
        _ if left > 0 => "the call made fewer allocations, so none failed, and it must succeed",
        (Err(error), []) if error.raw_os_error() == Some(ENOMEM) => {
            "dmesg lacks the line step=refuse reason=out-of-memory"
        }
        (Ok(()), _) => "the call succeeded, so it must log no refusal",
        _ => "the call must fail with ENOMEM and log one refusal, or succeed",
    }
}

fn sweep(mut call: Call) -> Result<String, String> {
    let fail_nth = FailNth::new().map_err(|error| format!("fail-nth: {error}"))?;
    let mut log = Log::new().map_err(|error| format!("/dev/kmsg: {error}"))?;
    let (mut refused, mut tolerated) = (0, 0);
    let before = users();
    for n in 1..LIMIT {
        let at = |what: &str, error: Error| format!("allocation {n}: {what}: {error}");
        call.prepare().map_err(|error| at("prepare", error))?;
        log.refusals().map_err(|error| at("/dev/kmsg", error))?;
        fail_nth.set(n).map_err(|error| at("fail-nth", error))?;
        let result = call.make();
        let left = fail_nth.left();
        fail_nth.set(0).map_err(|error| at("fail-nth", error))?;
        let left = left.map_err(|error| at("fail-nth", error))?;
        let reasons = log.refusals().map_err(|error| at("/dev/kmsg", error))?;

        let outcome = judge(&result, &reasons)
            .filter(|outcome| *outcome == Outcome::Tolerated || left == 0 && call.may_be_refused());
        match outcome {
            None => {
                return Err(format!(
                    "allocation {n}: {result:?}, reasons {reasons:?}: {}",
                    complaint(left, &result, &reasons)
                ));
            }
            Some(Outcome::Refused) => refused += 1,
            Some(Outcome::Tolerated) => {
                call.undo().map_err(|error| at("undo", error))?;
                tolerated += u32::from(left == 0);
            }
        }
        if let Some(left_over) = call.left_over(&before) {
            return Err(format!("allocation {n}: {left_over}"));
        }
        if left > 0 {
            return Ok(format!(
                "{} allocations: the call fails without {refused} of them, succeeds without {tolerated}",
                n - 1
            ));
        }
    }
    Err(format!("more than {LIMIT} allocations"))
}

fn count(mut call: Call) -> Result<String, String> {
    const MANY: u32 = 1_000_000;
    let mut counted = || {
        let fail_nth = FailNth::new()?;
        call.prepare()?;
        fail_nth.set(MANY)?;
        let result = call.make();
        let left = fail_nth.left()?;
        fail_nth.set(0)?;
        result?;
        call.undo()?;
        Ok(format!("{} allocations", MANY - left))
    };
    counted().map_err(|error: Error| error.to_string())
}

fn call(args: &[String]) -> Result<Call<'_>, String> {
    match args {
        [verb, path, params @ ..] if verb == "load" => Ok(Call::Load(path, params.join(" "))),
        [verb, path, params @ ..] if verb == "unload" => Ok(Call::Unload(path, params.join(" "))),
        [verb, path] if verb == "read" => Ok(Call::Read(path)),
        [verb, path, text] if verb == "write" => OpenOptions::new()
            .write(true)
            .open(path)
            .map(|file| Call::Write(file, text))
            .map_err(|error| format!("{path}: {error}")),
        _ => Err(
            "usage: fail_nth [count] load|unload FILE [PARAM=VALUE...] | write FILE TEXT | read FILE".into(),
        ),
    }
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let result = match args.split_first() {
        Some((verb, rest)) if verb == "count" => call(rest).and_then(count),
        _ => call(&args).and_then(sweep),
    };
    match result {
        Ok(summary) => {
            println!("{summary}");
            ExitCode::SUCCESS
        }
        Err(why) => {
            println!("# {why}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EIO: i32 = 5;

    fn errno(number: i32) -> Result<(), Error> {
        Err(Error::from_raw_os_error(number))
    }

    #[test]
    fn reasons_are_those_of_refusals() {
        let record =
            "4,99,5,-;module_a: d2d: seq=1 load=2 in=task step=refuse reason=bad-size errno=-90 ";
        assert_eq!(reason(record).as_deref(), Some("bad-size"));
        assert_eq!(
            reason("6,9,5,-;module_a: d2d: seq=1 load=2 in=task step=load"),
            None
        );
        assert_eq!(reason("6,9,5,-;other: step=refuse reason=none"), None);
    }

    #[test]
    fn a_refusal_has_its_errno_and_one_line() {
        let out_of_memory = || String::from("out-of-memory");
        let judged = |number, reasons: &[String]| judge(&errno(number), reasons);
        assert_eq!(judged(ENOMEM, &[out_of_memory()]), Some(Outcome::Refused));
        assert_eq!(judged(ENOMEM, &[]), None);
        assert_eq!(judged(ENOMEM, &[out_of_memory(), out_of_memory()]), None);
        assert_eq!(judged(ENOMEM, &["bad-size".into()]), None);
        assert_eq!(judged(EIO, &[out_of_memory()]), None);
    }

    #[test]
    fn a_call_that_succeeds_refuses_nothing() {
        assert_eq!(judge(&Ok(()), &[]), Some(Outcome::Tolerated));
        assert_eq!(judge(&Ok(()), &["out-of-memory".into()]), None);
    }

    #[test]
    fn a_complaint_says_what_is_wrong() {
        let words = |left, number, word| complaint(left, &errno(number), &[]).contains(word);
        assert!(words(0, ENOMEM, "lacks the line"));
        assert!(words(0, EIO, "must fail with ENOMEM"));
        assert!(words(1, ENOMEM, "none failed"));
        assert!(complaint(0, &Ok(()), &["out-of-memory".into()]).contains("succeeded"));
    }

    #[test]
    fn modules_are_named_as_their_files() {
        assert_eq!(name("/lib/d2d/module_a.ko"), "module_a");
        assert_eq!(name("module_a.ko"), "module_a");
    }
}

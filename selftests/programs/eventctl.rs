// SPDX-License-Identifier: GPL-2.0

//! Watches an event through its file.
//!
//! - `eventctl poll FILE` reads an event's file once, then polls it without a limit, and prints what the poll reports:
//!   `in`, `hup` or both.
//! - `eventctl watch FILE CONTROL SET CLOSE` checks how the file can be read and polled. To set the event, it writes
//!   SET to CONTROL. To close the event's last handle, it writes CLOSE to CONTROL. Prints the number of checks.
//! - `eventctl stall FILE CONTROL CLOSE` closes the last handle of an event while a read of the event's file sleeps in
//!   a page fault. Exits with 4 if the kernel has no userfaultfd.

mod polling;
mod waiting;

use polling::{NONBLOCK, POLLIN};
use std::ffi::{c_int, c_long, c_short, c_ulong, c_void};
use std::fs::{self, File, OpenOptions};
use std::io::{Error, Read, Write};
use std::os::fd::{AsRawFd, FromRawFd};
use std::os::unix::fs::OpenOptionsExt;
use std::process::ExitCode;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;
use waiting::{asleep, Epoll, POLLHUP};

const EAGAIN: i32 = 11;

extern "C" {
    fn syscall(number: c_long, ...) -> c_long;
    fn ioctl(fd: c_int, request: c_ulong, ...) -> c_int;
    fn mmap(
        at: *mut c_void,
        length: usize,
        protection: c_int,
        flags: c_int,
        fd: c_int,
        offset: c_long,
    ) -> *mut c_void;
    #[link_name = "read"]
    fn raw_read(fd: c_int, to: *mut c_void, length: usize) -> isize;
}

type Outcome<T> = Result<T, String>;

/// Polls for at most `timeout` milliseconds, or without a limit if `timeout` is -1.
fn polled(file: &File, timeout: c_int) -> c_short {
    polling::polled(file, POLLIN, timeout)
}

fn read(file: &mut File, most: usize) -> Result<String, i32> {
    let mut bytes = vec![0; most];
    match file.read(&mut bytes) {
        Ok(count) => Ok(String::from_utf8_lossy(&bytes[..count]).into_owned()),
        Err(error) => Err(error.raw_os_error().unwrap_or(0)),
    }
}

/// Returns the number of sets from the line of an event's file.
fn sets(line: &Result<String, i32>) -> Outcome<u64> {
    let line = line.as_ref().map_err(|errno| format!("errno {errno}"))?;
    let found = line
        .strip_suffix('\n')
        .and_then(|line| line.split(' ').find_map(|word| word.strip_prefix("sets=")))
        .and_then(|number| number.parse().ok());
    found.ok_or(format!("no line of an event: {line:?}"))
}

/// Starts a thread that reads an event's file a second time. Returns when this read sleeps.
fn blocked_reader(path: &str) -> Outcome<thread::JoinHandle<Result<String, i32>>> {
    let mut file = File::open(path).map_err(|error| error.to_string())?;
    sets(&read(&mut file, 4096))?;
    let (reader, _) = asleep(move || read(&mut file, 4096))?;
    Ok(reader)
}

struct Checks(u32);

impl Checks {
    fn expect<T: PartialEq + std::fmt::Debug>(
        &mut self,
        what: &str,
        got: T,
        expected: T,
    ) -> Outcome<()> {
        self.0 += 1;
        if got == expected {
            return Ok(());
        }
        Err(format!("{what}: {got:?}, expected {expected:?}"))
    }
}

fn watch(path: &str, control: &str, set: &str, close: &str) -> Outcome<u32> {
    let command = |text| write(control, text).map_err(|error| format!("{text}: {error}"));
    let mut checks = Checks(0);
    let mut options = OpenOptions::new();
    let open = options.read(true).custom_flags(NONBLOCK).open(path);
    let mut file = open.map_err(|error| format!("{path}: {error}"))?;

    checks.expect(
        "a file is ready when it has been opened",
        polled(&file, 0),
        POLLIN,
    )?;
    let first = sets(&read(&mut file, 4096))?;
    checks.expect(
        "a file is not ready when its line has been read",
        polled(&file, 0),
        0,
    )?;
    checks.expect(
        "a second read finds no line",
        read(&mut file, 4096),
        Err(EAGAIN),
    )?;

    command(set)?;
    checks.expect(
        "a file is ready when the event is set",
        polled(&file, 0),
        POLLIN,
    )?;
    checks.expect(
        "a file stays ready until it is read",
        polled(&file, 0),
        POLLIN,
    )?;
    let mut line = String::new();
    while let Ok(byte) = read(&mut file, 1) {
        line += &byte;
    }
    checks.expect(
        "a line can be read byte by byte",
        sets(&Ok(line))?,
        first + 1,
    )?;
    checks.expect(
        "a file is not ready when its line has been read byte by byte",
        polled(&file, 0),
        0,
    )?;

    for _ in 0..3 {
        command(set)?;
    }
    let now = sets(&read(&mut file, 4096))?;
    checks.expect("several sets make one line", now, first + 4)?;
    checks.expect(
        "several sets make no second line",
        read(&mut file, 4096),
        Err(EAGAIN),
    )?;

    let mut other = File::open(path).map_err(|error| error.to_string())?;
    checks.expect(
        "another open file has a line of its own",
        sets(&read(&mut other, 4096))?,
        now,
    )?;

    let epoll = Epoll::new(&file)?;
    // Both return `None` if the kernel has no epoll.
    let ready = || epoll.as_ref().map(|epoll| epoll.ready().0);
    let some = |count| epoll.as_ref().map(|_| count);
    checks.expect("epoll reports no file before a set", ready(), some(0))?;
    command(set)?;
    checks.expect("epoll reports a file after a set", ready(), some(1))?;
    sets(&read(&mut file, 4096))?;
    checks.expect("epoll reports no file after the read", ready(), some(0))?;

    let copy = file.try_clone().map_err(|error| error.to_string())?;
    let (poller, _) = asleep(move || polled(&copy, -1))?;
    let reader = blocked_reader(path)?;
    command(set)?;
    let line = reader.join().map_err(|_| "the reader has panicked")?;
    checks.expect("a set wakes a read that sleeps", sets(&line)?, first + 6)?;
    let events = poller.join().map_err(|_| "the poller has panicked")?;
    checks.expect("a set wakes a poll that sleeps", events, POLLIN)?;
    sets(&read(&mut file, 4096))?;

    let reader = blocked_reader(path)?;
    command(close)?;
    let line = reader.join().map_err(|_| "the reader has panicked")?;
    checks.expect(
        "closing the event ends a read that sleeps",
        line,
        Ok(String::new()),
    )?;
    let line = read(&mut file, 4096);
    checks.expect(
        "the file of a closed event has no line",
        line,
        Ok(String::new()),
    )?;
    checks.expect(
        "the file of a closed event polls as hung up",
        polled(&file, 0) & POLLHUP,
        POLLHUP,
    )?;
    checks.expect(
        "the file of a closed event does not exist",
        fs::metadata(path).is_err(),
        true,
    )?;
    Ok(checks.0)
}

/// A page without memory. A thread that touches it sleeps in the page fault until [`supply`](Self::supply) is called.
struct AbsentPage {
    faults: File,
    start: u64,
}

impl AbsentPage {
    const SIZE: usize = 4096;

    /// Returns `None` if the kernel has no userfaultfd.
    fn new() -> Outcome<Option<Self>> {
        #[cfg(target_arch = "x86_64")]
        const USERFAULTFD: c_long = 323;
        #[cfg(target_arch = "aarch64")]
        const USERFAULTFD: c_long = 282;
        const CLOEXEC: c_int = 0o2_000_000;
        const API: c_ulong = 0xc018_aa3f;
        const REGISTER: c_ulong = 0xc020_aa00;

        // SAFETY: The new descriptor has no other owner.
        let faults = unsafe {
            match syscall(USERFAULTFD, CLOEXEC) {
                fd @ 0.. => File::from_raw_fd(fd as c_int),
                _ => return Ok(None),
            }
        };
        // SAFETY: A new private mapping, at an address that the kernel chooses, overlaps nothing.
        let page = unsafe { mmap(std::ptr::null_mut(), Self::SIZE, 3, 0x22, -1, 0) };
        let start = page as u64;
        let (mut api, mut register) = ([0xaa, 0, 0u64], [start, Self::SIZE as u64, 1, 0]);
        // SAFETY: The arrays have the sizes that the requests encode, and outlive the calls.
        let failed = unsafe {
            ioctl(faults.as_raw_fd(), API, api.as_mut_ptr()) != 0
                || ioctl(faults.as_raw_fd(), REGISTER, register.as_mut_ptr()) != 0
        };
        match failed {
            true => Err(format!("userfaultfd: {}", Error::last_os_error())),
            false => Ok(Some(Self { faults, start })),
        }
    }

    fn wait_for_fault(&mut self) -> Outcome<()> {
        let mut message = [0; 32];
        let read = self.faults.read_exact(&mut message);
        read.map_err(|error| format!("no page fault: {error}"))
    }

    fn supply(&self) {
        const ZERO: c_ulong = 0xc020_aa04;

        let mut zero = [self.start, Self::SIZE as u64, 0, 0u64];
        // SAFETY: The array has the size that the request encodes, and outlives the call.
        unsafe { ioctl(self.faults.as_raw_fd(), ZERO, zero.as_mut_ptr()) };
    }
}

/// Returns false if the kernel has no userfaultfd.
fn stall(path: &str, control: &str, close: &str) -> Outcome<bool> {
    let Some(mut page) = AbsentPage::new()? else {
        return Ok(false);
    };
    let file = File::open(path).map_err(|error| format!("{path}: {error}"))?;
    let start = page.start;
    // SAFETY: The page is never unmapped, and only this thread uses it.
    let read =
        move || unsafe { raw_read(file.as_raw_fd(), start as *mut c_void, AbsentPage::SIZE) };
    let reader = thread::spawn(read);
    page.wait_for_fault()?;

    let (say, hear) = mpsc::channel();
    let (control, close) = (control.to_owned(), close.to_owned());
    let closer = thread::spawn(move || say.send(write(&control, &close)));
    let closed = hear.recv_timeout(Duration::from_secs(60));
    page.supply();
    let read = reader.join().map_err(|_| "the reader has panicked")?;
    closer.join().map_err(|_| "the closer has panicked")?.ok();
    match closed {
        Err(_) => Err("the event is not closed while a read of its file is stalled".to_owned()),
        Ok(Err(error)) => Err(format!("closing: {error}")),
        Ok(Ok(())) if read <= 0 => Err(format!("the read that was stalled returned {read}")),
        Ok(Ok(())) => Ok(true),
    }
}

fn write(path: &str, text: &str) -> Result<(), Error> {
    OpenOptions::new()
        .write(true)
        .open(path)?
        .write_all(text.as_bytes())
}

fn poll_once(path: &str) -> Result<String, Error> {
    let mut file = File::open(path)?;
    let _ = file.read(&mut [0; 4096])?;
    let events = polled(&file, -1);
    let names = [(POLLIN, "in"), (POLLHUP, "hup")];
    let seen = names.iter().filter(|(event, _)| events & event != 0);
    Ok(seen.map(|(_, name)| *name).collect::<Vec<_>>().join("+"))
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args.as_slice() {
        ["poll", path] => match poll_once(path) {
            Ok(events) => {
                println!("{events}");
                ExitCode::SUCCESS
            }
            Err(error) => {
                println!("{error}");
                ExitCode::FAILURE
            }
        },
        ["watch", path, control, set, close] => match watch(path, control, set, close) {
            Ok(checks) => {
                println!("{checks} checks");
                ExitCode::SUCCESS
            }
            Err(why) => {
                println!("{why}");
                ExitCode::FAILURE
            }
        },
        ["stall", path, control, close] => match stall(path, control, close) {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => ExitCode::from(4),
            Err(why) => {
                println!("{why}");
                ExitCode::FAILURE
            }
        },
        _ => {
            eprintln!(
                "usage: eventctl poll FILE | watch FILE CONTROL SET CLOSE | stall FILE CONTROL CLOSE"
            );
            ExitCode::from(2)
        }
    }
}

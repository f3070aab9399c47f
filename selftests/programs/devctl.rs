// SPDX-License-Identifier: GPL-2.0

//! Uses a character device: that of device_peer, or another one.
//!
//! - `devctl open DEVICE [UID]` opens a device, and prints `errno=N (text)` if that fails.
//! - `devctl hold DEVICE [UID]` makes a call that stays pending until the process is killed.
//! - `devctl wait DEVICE [UID]` does the same, but the driver wakes the process again and again.
//! - `devctl CHECK DEVICE [UID]` runs the check of this name in [`CHECKS`].
//!
//! With UID, devctl first becomes the user with this number.

mod polling;
mod waiting;

use polling::{NONBLOCK, POLLIN};
use std::ffi::{c_int, c_long, c_short, c_uint, c_ulong, c_void};
use std::fs::{self, File, OpenOptions};
use std::io::{Error, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::process::{Command, ExitCode};
use std::thread;
use waiting::{Epoll, POLLHUP};

const POLLOUT: c_short = 4;
const POLLERR: c_short = 8;
const SIGUSR1: c_int = 10;
const SIGUSR2: c_int = 12;
const SA_RESTART: c_int = 0x1000_0000;
/// `PROT_READ | PROT_WRITE`
const READ_WRITE: c_int = 3;
/// `MAP_PRIVATE | MAP_ANONYMOUS`
const PRIVATE: c_int = 0x22;

const ENOENT: i32 = 2;
const EINTR: i32 = 4;
const EIO: i32 = 5;
const ENXIO: i32 = 6;
const EAGAIN: i32 = 11;
const EFAULT: i32 = 14;
const EBUSY: i32 = 16;
const ENODEV: i32 = 19;
const ENOTTY: i32 = 25;
const ESPIPE: i32 = 29;
const ENODATA: i32 = 61;
const EOPNOTSUPP: i32 = 95;
const ECANCELED: i32 = 125;

// As in selftests/peers/device_peer.rs, which explains them
const ADD: u32 = 0xc008_6400;
const PEND: u32 = 0x6401;
const SUBMIT: u32 = 0x6402;
const COMPLETE: u32 = 0x6403;
const COMPLETE_LATER: u32 = 0x6404;
const DROP_ALL: u32 = 0x6405;
const REMOVE: u32 = 0x6406;
const FAIL: u32 = 0x6407;
const RETURN: u32 = 0x6408;
const PENDING: u32 = 0x6409;
const WAIT: u32 = 0x640a;
const MAY_WRITE: u32 = 0x640b;
const LEAK: u32 = 0x640c;
const LEAKED_JOBS_RUN: u32 = 0x640d;

/// `struct sigaction`, on x86-64 and arm64.
#[repr(C)]
struct Action {
    handler: extern "C" fn(c_int),
    mask: [u64; 16],
    flags: c_int,
    restorer: usize,
}

extern "C" {
    fn getpid() -> c_int;
    fn syscall(number: c_long, ...) -> c_long;
    fn sigaction(signal: c_int, new: *const Action, old: *mut Action) -> c_int;
    fn mmap(
        at: usize,
        length: usize,
        protection: c_int,
        flags: c_int,
        fd: c_int,
        offset: c_long,
    ) -> *mut u8;
    fn munmap(at: *mut u8, length: usize) -> c_int;
    fn getpagesize() -> c_int;
    fn pread(fd: c_int, to: *mut c_void, length: usize, offset: c_long) -> isize;
    #[link_name = "read"]
    fn raw_read(fd: c_int, to: *mut c_void, length: usize) -> isize;
    #[link_name = "write"]
    fn raw_write(fd: c_int, from: *const c_void, length: usize) -> isize;
    #[link_name = "ioctl"]
    fn raw_ioctl(fd: c_int, request: c_ulong, ...) -> c_int;
    fn setgid(gid: c_uint) -> c_int;
    fn setuid(uid: c_uint) -> c_int;
    fn setgroups(count: usize, groups: *const c_uint) -> c_int;
}

type Outcome = Result<(), String>;
/// The argument is the device's path.
type Check = fn(&str) -> Outcome;

fn last_errno() -> i32 {
    Error::last_os_error().raw_os_error().unwrap_or(0)
}

fn errno(error: Error) -> i32 {
    error.raw_os_error().unwrap_or(0)
}

fn ioctl(file: &File, command: u32, argument: usize) -> Result<i32, i32> {
    // SAFETY: Only ADD uses the memory at the argument. The caller of ADD passes the address of a number that the
    // kernel may write, or a bad address, which the kernel refuses.
    match unsafe { raw_ioctl(file.as_raw_fd(), command.into(), argument) } {
        -1 => Err(last_errno()),
        value => Ok(value),
    }
}

fn add(file: &File, number: u64) -> Result<u64, i32> {
    let mut number = number;
    ioctl(file, ADD, &raw mut number as usize)?;
    Ok(number)
}

fn read(file: &File) -> Result<u32, i32> {
    let mut bytes = [0; 4];
    match (&mut &*file).read(&mut bytes) {
        Ok(4) => Ok(u32::from_ne_bytes(bytes)),
        Ok(_) => Err(0),
        Err(error) => Err(errno(error)),
    }
}

fn open(path: &str, flags: c_int) -> Result<File, String> {
    let mut options = OpenOptions::new();
    let options = options.read(true).write(true).custom_flags(flags);
    options
        .open(path)
        .map_err(|error| format!("{path}: {error}"))
}

fn polled(file: &File) -> c_short {
    polling::polled(file, POLLIN | POLLOUT, 0)
}

fn poll_in(file: &File) -> c_short {
    polling::polled(file, POLLIN, -1)
}

fn are_ready(what: &str, epoll: &Option<Epoll>, expected: c_short) -> Outcome {
    epoll.as_ref().map_or(Ok(()), |epoll| {
        let (_, events) = epoll.ready();
        is(what, events, expected as u32)
    })
}

fn is<T: PartialEq + std::fmt::Debug>(what: &str, got: T, expected: T) -> Outcome {
    match got == expected {
        true => Ok(()),
        false => Err(format!("{what}: {got:?}, expected {expected:?}")),
    }
}

/// Runs `f` in a thread. Once the thread sleeps in `f`, returns the thread and its number.
fn asleep<T: Send + 'static>(
    file: &File,
    f: impl FnOnce(File) -> T + Send + 'static,
) -> Result<(thread::JoinHandle<T>, u32), String> {
    let file = file.try_clone().map_err(|error| error.to_string())?;
    waiting::asleep(move || f(file))
}

/// The last 2 bytes of a page, after which no page is mapped.
fn edge() -> *mut u8 {
    // SAFETY: A new private mapping overlaps nothing, and nothing uses its second page.
    unsafe {
        let page = getpagesize() as usize;
        let first = mmap(0, 2 * page, READ_WRITE, PRIVATE, -1, 0);
        munmap(first.add(page), page);
        first.add(page - 2)
    }
}

fn join<T>(runner: thread::JoinHandle<T>) -> Result<T, String> {
    runner
        .join()
        .map_err(|_| "a thread has panicked".to_owned())
}

/// Makes reads, writes and ioctl calls, some with a bad pointer or an unknown command. Makes the driver return errnos
/// that a process must not see.
fn calls(path: &str) -> Outcome {
    let file = open(path, 0)?;
    is("a number in memory", add(&file, 41), Ok(42))?;
    is("a bad pointer", ioctl(&file, ADD, 8), Err(EFAULT))?;
    is("an unknown command", ioctl(&file, 0x64ff, 0), Err(ENOTTY))?;
    is("a value", ioctl(&file, RETURN, 5), Ok(5))?;
    is(
        "a value that is too large",
        ioctl(&file, RETURN, usize::MAX),
        Ok(i32::MAX),
    )?;
    is("open for writing", ioctl(&file, MAY_WRITE, 0), Ok(1))?;
    let reader = File::open(path).map_err(|error| error.to_string())?;
    is("open for reading", ioctl(&reader, MAY_WRITE, 0), Ok(0))?;
    for (given, expected) in [
        (22, 22),
        (512, EINTR),
        (513, EINTR),
        (514, EINTR),
        (515, ENOTTY),
        (516, EINTR),
        (517, EIO),
        (524, EOPNOTSUPP),
        (529, EIO),
        (4095, EIO),
    ] {
        is(
            &format!("errno {given}"),
            ioctl(&file, FAIL, given),
            Err(expected),
        )?;
    }
    is("nothing to read", read(&file), Err(ENODATA))?;
    let mut bytes = [0u8; 3];
    is(
        "a read whose driver replaces the buffer",
        (&file).read(&mut bytes).map_err(errno),
        Ok(0),
    )?;
    is(
        "a write of 3 bytes",
        (&file).write(b"abc").map_err(errno),
        Ok(3),
    )?;
    is(
        "a part of a write",
        (&file).write(b"abcdefgh").map_err(errno),
        Ok(4),
    )?;
    // SAFETY: The kernel refuses the bad addresses.
    unsafe {
        is(
            "a write from a bad pointer",
            raw_write(file.as_raw_fd(), 8 as *const _, 4),
            -1,
        )?;
        is(
            "the errno of a write from a bad pointer",
            last_errno(),
            EFAULT,
        )?;
        is(
            "a huge write",
            raw_write(file.as_raw_fd(), bytes.as_ptr().cast(), usize::MAX >> 1),
            3,
        )
        .or_else(|_| is("a huge write", last_errno(), EFAULT))?;
        is(
            "a read at a position",
            pread(file.as_raw_fd(), bytes.as_mut_ptr().cast(), 3, 0),
            -1,
        )?;
        is("the errno of a read at a position", last_errno(), ESPIPE)?;
    }
    ioctl(&file, SUBMIT, 0)
        .and_then(|_| ioctl(&file, COMPLETE, 1))
        .map_err(|n| format!("errno {n}"))?;
    // SAFETY: The kernel refuses the bad address.
    is(
        "a read to a bad pointer",
        unsafe { raw_read(file.as_raw_fd(), 8 as *mut _, 4) },
        -1,
    )?;
    is("the errno of a read to a bad pointer", last_errno(), EFAULT)?;

    let edge = edge();
    is(
        "a pointer of which a part is bad",
        ioctl(&file, ADD, edge as usize),
        Err(EFAULT),
    )?;
    ioctl(&file, SUBMIT, 0)
        .and_then(|_| ioctl(&file, COMPLETE, 1))
        .map_err(|n| format!("errno {n}"))?;
    // SAFETY: The kernel uses the first 2 bytes, and finds the others bad.
    unsafe {
        let wrote = raw_write(file.as_raw_fd(), edge.cast(), 4);
        is(
            "a write from a pointer of which a part is bad",
            (wrote, last_errno()),
            (-1, EFAULT),
        )?;
        let read = raw_read(file.as_raw_fd(), edge.cast(), 4);
        is(
            "a read to a pointer of which a part is bad",
            (read, last_errno()),
            (-1, EFAULT),
        )
    }
}

/// Makes calls that wait. Another thread or a hard interrupt completes a call, or the driver drops it.
fn pend(path: &str) -> Outcome {
    let file = open(path, 0)?;
    let (caller, _) = asleep(&file, |file| ioctl(&file, PEND, 0))?;
    is("one call is pending", ioctl(&file, PENDING, 0), Ok(1))?;
    is(
        "completing a pending call",
        ioctl(&file, COMPLETE, 12),
        Ok(0),
    )?;
    is("the answer", join(caller)?, Ok(12))?;
    is(
        "completing no call",
        ioctl(&file, COMPLETE, 12),
        Err(ENOENT),
    )?;
    let (caller, _) = asleep(&file, |file| ioctl(&file, PEND, 0))?;
    is(
        "completing a pending call in hard interrupt",
        ioctl(&file, COMPLETE_LATER, 0),
        Ok(0),
    )?;
    is("the answer of the interrupt", join(caller)?, Ok(7))?;
    let (caller, _) = asleep(&file, |file| ioctl(&file, PEND, 0))?;
    is(
        "abandoning a pending call",
        ioctl(&file, DROP_ALL, 0),
        Ok(0),
    )?;
    is("an abandoned call", join(caller)?, Err(ECANCELED))?;
    let file = open(path, NONBLOCK)?;
    is(
        "a call that must not wait",
        ioctl(&file, PEND, 0),
        Err(EAGAIN),
    )?;
    is(
        "a call that must not wait is cancelled",
        ioctl(&file, DROP_ALL, 0),
        Ok(1),
    )
}

/// A signal cancels a pending call, whether the process catches the signal or is killed by it. A fatal signal also ends
/// a call that the driver wakes again and again.
fn signals(path: &str) -> Outcome {
    extern "C" fn ignore(_signal: c_int) {}
    for (signal, flags) in [(SIGUSR1, 0), (SIGUSR2, SA_RESTART)] {
        let action = Action {
            handler: ignore,
            mask: [0; 16],
            flags,
            restorer: 0,
        };
        // SAFETY: The handler does nothing.
        unsafe { sigaction(signal, &action, std::ptr::null_mut()) };
    }
    let file = open(path, 0)?;
    let (caller, thread) = asleep(&file, |file| ioctl(&file, PEND, 0))?;
    // SAFETY: tgkill sends a signal to a thread of this process.
    let kill = |thread: u32, signal: c_int| unsafe {
        syscall(
            TGKILL,
            getpid() as c_long,
            thread as c_long,
            signal as c_long,
        )
    };
    kill(thread, SIGUSR1);
    is("a signal that is caught", join(caller)?, Err(EINTR))?;
    is(
        "the call that a signal ends is cancelled",
        ioctl(&file, DROP_ALL, 0),
        Ok(1),
    )?;

    let (caller, thread) = asleep(&file, |file| ioctl(&file, PEND, 0))?;
    kill(thread, SIGUSR2);
    // With SA_RESTART, the kernel makes the call again. Then the driver keeps two calls; the first is cancelled.
    while ioctl(&file, PENDING, 0) != Ok(2) && !caller.is_finished() {
        thread::yield_now();
    }
    is("the first call", ioctl(&file, COMPLETE, 4), Err(ECANCELED))?;
    is("the second call", ioctl(&file, COMPLETE, 5), Ok(0))?;
    is("the answer to the second call", join(caller)?, Ok(5))?;

    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    for verb in ["hold", "wait"] {
        let mut child = Command::new(&program)
            .args([verb, path])
            .spawn()
            .map_err(|error| error.to_string())?;
        while ioctl(&file, PENDING, 0) != Ok(1) {
            thread::yield_now();
        }
        child
            .kill()
            .and_then(|()| child.wait())
            .map_err(|error| error.to_string())?;
        is(verb, ioctl(&file, DROP_ALL, 0), Ok(1))?;
    }
    Ok(())
}

#[cfg(target_arch = "x86_64")]
const TGKILL: c_long = 234;
#[cfg(target_arch = "aarch64")]
const TGKILL: c_long = 131;

/// Makes calls whose answer the process reads later. Closing the file cancels such a call.
fn answers(path: &str) -> Outcome {
    let file = open(path, NONBLOCK)?;
    let set = Epoll::new(&file)?;
    is("poll before a call", polled(&file), POLLOUT)?;
    is("a call is left pending", ioctl(&file, SUBMIT, 0), Ok(0))?;
    is("poll while a call is pending", polled(&file), POLLOUT)?;
    are_ready("epoll while a call is pending", &set, 0)?;
    is("a read that must not wait", read(&file), Err(EAGAIN))?;
    let (poller, _) = asleep(&file, |file| poll_in(&file))?;
    is("completing a call", ioctl(&file, COMPLETE, 99), Ok(0))?;
    is("a poll that sleeps is woken", join(poller)?, POLLIN)?;
    is(
        "poll when a call is completed",
        polled(&file),
        POLLIN | POLLOUT,
    )?;
    are_ready("epoll when a call is completed", &set, POLLIN)?;
    is("the answer", read(&file), Ok(99))?;
    are_ready("epoll after the read", &set, 0)?;

    let waiting = open(path, 0)?;
    is("another call", ioctl(&waiting, SUBMIT, 0), Ok(0))?;
    let (reader, _) = asleep(&waiting, |file| read(&file))?;
    is(
        "completing a call in hard interrupt",
        ioctl(&file, COMPLETE_LATER, 0),
        Ok(0),
    )?;
    is("a read that sleeps gets the answer", join(reader)?, Ok(7))?;

    is(
        "a call of a file whose descriptor is duplicated afterwards",
        ioctl(&waiting, SUBMIT, 0),
        Ok(0),
    )?;
    let copy = waiting.try_clone().map_err(|error| error.to_string())?;
    drop(waiting);
    is(
        "completing a call of a file whose descriptor was duplicated",
        ioctl(&file, COMPLETE, 3),
        Ok(0),
    )?;
    is("the answer, by the duplicate", read(&copy), Ok(3))?;
    is("another call", ioctl(&copy, SUBMIT, 0), Ok(0))?;
    drop(copy);
    is(
        "completing a call of a closed file",
        ioctl(&file, COMPLETE, 1),
        Err(ECANCELED),
    )?;
    is(
        "a call of a file that stays open",
        ioctl(&file, SUBMIT, 0),
        Ok(0),
    )?;
    is(
        "a call of a file that stays open is not cancelled",
        ioctl(&file, DROP_ALL, 0),
        Ok(0),
    )?;
    is(
        "the answer of an abandoned call",
        read(&file),
        Err(ECANCELED),
    )
}

/// Uses the device until a call fails. The errno must say that the device is gone. Prints a line after the first calls.
fn uses(path: &str) -> Outcome {
    let mut has_printed = false;
    let failed = loop {
        let file = match OpenOptions::new().read(true).write(true).open(path) {
            Ok(file) => file,
            Err(error) => break errno(error),
        };
        let submitted = ioctl(&file, SUBMIT, 0);
        polled(&file);
        let returned = ioctl(&file, RETURN, 1);
        // EBUSY: the driver keeps no more calls.
        let failed = [submitted, returned]
            .into_iter()
            .filter_map(Result::err)
            .find(|number| *number != EBUSY);
        if let Some(failed) = failed {
            break failed;
        }
        if !has_printed {
            println!("used");
            has_printed = true;
        }
    };
    match [ENODEV, ENOENT, ENXIO].contains(&failed) {
        true => Ok(()),
        false => Err(format!("errno={failed}")),
    }
}

/// Removes the device while its file is open and threads wait.
fn removed(path: &str) -> Outcome {
    let file = open(path, 0)?;
    let set = Epoll::new(&file)?;
    let (caller, _) = asleep(&file, |file| ioctl(&file, PEND, 0))?;
    let (poller, _) = asleep(&file, |file| poll_in(&file))?;
    let users = [(); 2].map(|()| {
        let path = path.to_owned();
        thread::spawn(move || uses(&path))
    });
    is("removing the device", ioctl(&file, REMOVE, 0), Ok(0))?;
    is("a pending call", join(caller)?, Err(ENODEV))?;
    for user in users {
        join(user)??;
    }
    let hung_up = POLLHUP | POLLERR;
    is("a poll that sleeps", join(poller)?, hung_up)?;
    is("a poll", polled(&file), hung_up)?;
    are_ready("epoll", &set, hung_up)?;
    is("an ioctl", ioctl(&file, RETURN, 1), Err(ENODEV))?;
    is("a read", read(&file), Err(ENODEV))?;
    is("a write", (&file).write(b"a").map_err(errno), Err(ENODEV))?;
    is(
        "no file has the name of the device",
        fs::metadata(path).is_err(),
        true,
    )
}

/// Makes ioctl calls of 32 bits, as a process of 32 bits does.
#[cfg(target_arch = "x86_64")]
fn compat(path: &str) -> Outcome {
    use std::arch::asm;

    const MAP_32BIT: c_int = 0x40;
    let file = open(path, 0)?;
    // SAFETY: A new private mapping, at an address that the kernel chooses, overlaps nothing.
    let number: *mut u64 = unsafe { mmap(0, 4096, READ_WRITE, PRIVATE | MAP_32BIT, -1, 0) }.cast();
    let call = |command: u32, argument: u32| {
        let mut result: i32 = 54;
        // SAFETY: The system call `ioctl` of 32 bits; it clobbers no memory but the number.
        unsafe {
            asm!(
                "push rbx", "mov ebx, {fd:e}", "int 0x80", "pop rbx",
                fd = in(reg) file.as_raw_fd(),
                inout("eax") result,
                in("ecx") command,
                in("edx") argument,
                out("r8") _, out("r9") _, out("r10") _, out("r11") _
            );
        }
        result
    };
    // SAFETY: The mapping has room for the number.
    unsafe { number.write_volatile(41) };
    is("an ioctl of 32 bits", call(ADD, number as usize as u32), 0)?;
    // SAFETY: As above.
    is(
        "the number of an ioctl of 32 bits",
        unsafe { number.read_volatile() },
        42,
    )?;
    is("a bad pointer", call(ADD, 8), -EFAULT)?;
    is("an unknown command", call(0x64ff, 0), -ENOTTY)?;
    is("an errno of the kernel", call(FAIL, 515), -ENOTTY)?;
    is(
        "a value that is too large",
        call(RETURN, u32::MAX),
        i32::MAX,
    )
}

#[cfg(not(target_arch = "x86_64"))]
fn compat(_path: &str) -> Outcome {
    Ok(())
}

/// Makes the driver leak its jobs, a device and a pending call. Waits until each job has run.
fn leak(path: &str) -> Outcome {
    let file = open(path, 0)?;
    is("leaking", ioctl(&file, LEAK, 0), Ok(0))?;
    leaked_jobs_run(path)
}

/// Waits until each leaked job has run once more.
fn leaked_jobs_run(path: &str) -> Outcome {
    let file = open(path, 0)?;
    is(
        "each leaked job runs",
        ioctl(&file, LEAKED_JOBS_RUN, 0),
        Ok(0),
    )
}

const CHECKS: [(&str, Check); 9] = [
    ("calls", calls),
    ("pend", pend),
    ("signals", signals),
    ("answers", answers),
    ("removed", removed),
    ("uses", uses),
    ("compat", compat),
    ("leak", leak),
    ("leaked_jobs_run", leaked_jobs_run),
];

fn become_user(uid: &str) -> Outcome {
    let uid = uid.parse().map_err(|_| format!("no user '{uid}'"))?;
    // SAFETY: There are no groups to read.
    let failed =
        unsafe { setgroups(0, std::ptr::null()) != 0 || setgid(uid) != 0 || setuid(uid) != 0 };
    match failed {
        true => Err(format!("user {uid}: {}", Error::last_os_error())),
        false => Ok(()),
    }
}

fn run(verb: &str, path: &str, user: &[&str]) -> Outcome {
    user.iter().try_for_each(|uid| become_user(uid))?;
    match verb {
        "open" => match File::open(path) {
            Ok(_) => Ok(()),
            Err(error) => {
                let number = error.raw_os_error().unwrap_or(0);
                Err(format!("errno={number} ({error})"))
            }
        },
        "hold" => open(path, 0).map(|file| _ = ioctl(&file, PEND, 0)),
        "wait" => open(path, 0).map(|file| _ = ioctl(&file, WAIT, 0)),
        _ => match CHECKS.iter().find(|(name, _)| *name == verb) {
            Some((_, check)) => check(path),
            None => Err(format!("no check '{verb}'")),
        },
    }
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let outcome = match args.as_slice() {
        [verb, path, user @ ..] => run(verb, path, user),
        _ => Err("usage: devctl VERB DEVICE [UID]".to_owned()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

// SPDX-License-Identifier: GPL-2.0

//! Reads `/dev/recorder`.
//!
//! - `samples rate RATE` sets the rate.
//! - `samples statistics` prints what both drivers have counted.
//! - `samples read COUNT` reads at least COUNT samples. It prints how many it has got, how many have a wrong value, and
//!   how many numbers are missing between the first and the last sample.
//! - `samples all RATE COUNT` sets the rate, reads COUNT samples, stops the timer, and reads the remaining samples. It
//!   prints how many samples it has read, how many the recorder has recorded, and how many are wrong. The timer must
//!   not run before.
//! - `samples poll MS` polls for at most MS milliseconds, and then reads once. It prints whether there was something to
//!   read, and how many samples it has got.

mod polling;

use polling::{polled, NONBLOCK, POLLIN};
use std::ffi::{c_int, c_ulong};
use std::fs::{File, OpenOptions};
use std::io::{Error, Read, Result};
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::process::ExitCode;
use std::thread::sleep;
use std::time::{Duration, Instant};

const DEVICE: &str = "/dev/recorder";
const ETIMEDOUT: c_int = 110;

/// In milliseconds
const LIMIT: c_int = 30_000;

/// `_IO('s', 0)`
const SET_RATE: c_ulong = 0x7300;
/// `_IOR('s', 1, struct sampler_pair_statistics)`
const GET_STATISTICS: c_ulong = 0x8040_7301;

/// The fields of `struct sampler_pair_statistics`, each of 8 bytes
const FIELDS: [&str; 8] = [
    "produced", "lost", "overruns", "recorded", "rate", "lowest", "highest", "sum",
];

extern "C" {
    fn ioctl(fd: c_int, request: c_ulong, ...) -> c_int;
}

fn open() -> Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).custom_flags(NONBLOCK);
    options.open(DEVICE)
}

fn set_rate(rate: c_ulong) -> Result<()> {
    // SAFETY: The command uses the argument as a number.
    match unsafe { ioctl(open()?.as_raw_fd(), SET_RATE, rate) } {
        -1 => Err(Error::last_os_error()),
        _ => Ok(()),
    }
}

fn statistics() -> Result<[u64; FIELDS.len()]> {
    let mut numbers = [0u64; FIELDS.len()];
    // SAFETY: The kernel writes as many bytes as the command says, 64.
    if unsafe { ioctl(open()?.as_raw_fd(), GET_STATISTICS, &raw mut numbers) } == -1 {
        return Err(Error::last_os_error());
    }
    Ok(numbers)
}

fn print_statistics() -> Result<()> {
    for (name, number) in FIELDS.iter().zip(statistics()?) {
        println!("{name}={number}");
    }
    Ok(())
}

/// Waits for at most `limit` milliseconds. Returns whether the file can be read.
fn wait(file: &File, limit: c_int) -> Result<bool> {
    match polled(file, POLLIN, limit) {
        0 => Ok(false),
        POLLIN => Ok(true),
        other => Err(Error::other(format!("poll returned {other:#x}"))),
    }
}

/// Returns the numbers and values of the samples that the recorder has now.
fn read(mut file: &File) -> Result<Vec<(u64, u64)>> {
    let mut bytes = [0; 2048];
    let length = file.read(&mut bytes)?;
    let number = |bytes: &[u8]| u64::from_ne_bytes(bytes.try_into().unwrap_or_default());
    let samples = bytes[..length].chunks_exact(16);
    Ok(samples
        .map(|sample| (number(&sample[..8]), number(&sample[8..])))
        .collect())
}

fn read_many(file: &File, count: usize) -> Result<Vec<(u64, u64)>> {
    let mut samples = vec![];
    while samples.len() < count {
        if !wait(file, LIMIT)? {
            return Err(Error::from_raw_os_error(ETIMEDOUT));
        }
        samples.extend(read(file)?);
    }
    Ok(samples)
}

/// The sampler measures a triangle wave of 1000 samples.
fn count_wrong(samples: &[(u64, u64)]) -> usize {
    let is_wrong = |(number, value): &&(u64, u64)| {
        let phase = number % 1000;
        *value != phase.min(1000 - phase)
    };
    samples.iter().filter(is_wrong).count()
}

fn read_samples(count: usize) -> Result<()> {
    let samples = read_many(&open()?, count)?;
    let numbers = samples[samples.len() - 1].0 - samples[0].0 + 1;
    println!("samples={}", samples.len());
    println!("missing={}", numbers - samples.len() as u64);
    println!("wrong={}", count_wrong(&samples));
    Ok(())
}

fn read_all(rate: c_ulong, count: usize) -> Result<()> {
    let file = open()?;
    let [_, _, _, before, ..] = statistics()?;
    set_rate(rate)?;
    let mut samples = read_many(&file, count)?;
    set_rate(0)?;
    // The timer is stopped. Once the numbers add up, the queue is empty, and the recorder has recorded all samples.
    let begun = Instant::now();
    let recorded = loop {
        let [produced, lost, overruns, recorded, ..] = statistics()?;
        if produced == recorded + lost + overruns {
            break recorded - before;
        }
        if begun.elapsed().as_millis() > LIMIT as u128 {
            return Err(Error::from_raw_os_error(ETIMEDOUT));
        }
        sleep(Duration::from_millis(1));
    };
    while wait(&file, 0)? {
        samples.extend(read(&file)?);
    }
    println!("samples={}", samples.len());
    println!("recorded={recorded}");
    println!("wrong={}", count_wrong(&samples));
    Ok(())
}

fn poll_once(limit: c_int) -> Result<()> {
    let file = open()?;
    println!("ready={}", u32::from(wait(&file, limit)?));
    println!("samples={}", read(&file)?.len());
    Ok(())
}

fn usage<E>(_: E) -> Error {
    Error::other("usage: samples rate RATE | statistics | read COUNT | all RATE COUNT | poll MS")
}

fn run(arguments: &[&str]) -> Result<()> {
    match arguments {
        ["rate", rate] => set_rate(rate.parse().map_err(usage)?),
        ["statistics"] => print_statistics(),
        ["read", count] => read_samples(count.parse().map_err(usage)?),
        ["all", rate, count] => {
            read_all(rate.parse().map_err(usage)?, count.parse().map_err(usage)?)
        }
        ["poll", limit] => poll_once(limit.parse().map_err(usage)?),
        _ => Err(usage(())),
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("errno={} ({error})", error.raw_os_error().unwrap_or(0));
            ExitCode::FAILURE
        }
    }
}

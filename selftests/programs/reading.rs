// SPDX-License-Identifier: GPL-2.0

//! Polls a file, and then reads from it.

use crate::polling::{polled, NONBLOCK, POLLIN};
use std::fs::OpenOptions;
use std::io::{Error, Read};
use std::os::unix::fs::OpenOptionsExt;

/// Polls for at most a second. Fails with `EAGAIN` if there is nothing to read.
pub fn read_once(path: &str) -> Result<(), Error> {
    let mut file = OpenOptions::new()
        .read(true)
        .custom_flags(NONBLOCK)
        .open(path)?;
    polled(&file, POLLIN, 1000);
    file.read(&mut [0; 4096]).map(|_| ())
}

// SPDX-License-Identifier: GPL-2.0

//! Control devices: [devices](crate::device) by which processes send commands to a driver. Each
//! write is a command. A process cannot read.

use crate::device::{
    Call,
    File,
    Opening, //
};
use core::marker::PhantomData;
use kernel::{
    prelude::*,
    uaccess::UserSliceReader, //
};

/// A driver that gets commands.
pub trait Control: Clone + Send + Sync + 'static {
    /// Receives what a process writes to the control device. Process context, may sleep.
    ///
    /// Several threads may call it at the same time. `O_NONBLOCK` has no effect. If a signal ends a
    /// wait, return `EINTR`: after `ERESTARTSYS`, the kernel may repeat the system call, and the
    /// driver would get the command twice.
    ///
    /// # Errors
    ///
    /// The errno that the process gets.
    fn control(&self, command: &mut UserSliceReader) -> Result;
}

/// An open file of the control device of the driver `C`.
pub struct Commands<C>(PhantomData<fn(C)>);

impl<C: Control> File for Commands<C> {
    type Driver = C;

    fn open(_driver: &C, _opening: &Opening<'_>) -> impl PinInit<Self, Error> {
        Ok(Self(PhantomData))
    }

    fn write(&self, driver: &C, _call: &Call<'_>, from: &mut UserSliceReader) -> Result {
        driver.control(from)?;
        // Take the rest of the command, too: the process would write it again, as a new command.
        from.skip(from.len())
    }
}

/// Reads a decimal number, with or without a newline. Process context, may sleep.
///
/// # Errors
///
/// `EINVAL` if the text is no such number, or has more than 16 bytes. `EFAULT` if the text cannot
/// be read.
pub fn read_number(reader: &mut UserSliceReader) -> Result<u32> {
    let length = reader.len();
    let mut bytes = [0u8; 16];
    let bytes = bytes.get_mut(..length).ok_or(EINVAL)?;
    reader.read_slice(bytes)?;
    core::str::from_utf8(bytes)
        .ok()
        .and_then(|text| text.trim_ascii().parse().ok())
        .ok_or(EINVAL)
}

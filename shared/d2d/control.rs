// SPDX-License-Identifier: GPL-2.0

//! Control devices, by which processes send commands to a driver. A control device is a
//! [device](crate::device) that the driver names in its `CONTROL`. Each write to it is a command. A
//! process cannot read anything from it.

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
    /// Receives what a process writes to the control device, during the system call. Process context, may
    /// sleep.
    ///
    /// Several threads may call it at the same time. `O_NONBLOCK` has no effect. If a signal arrives while
    /// the function waits, it must return `EINTR`. After `ERESTARTSYS`, the kernel may restart the system
    /// call, and the driver would get the command twice.
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
        // Take what `control` has not read, too. Otherwise the process would write the rest as another
        // command.
        from.skip(from.len())
    }
}

/// Reads a number that a process writes in decimal digits, with or without a newline. Process
/// context, may sleep.
///
/// # Errors
///
/// `EINVAL` if the text is not such a number, or is longer than 16 bytes. `EFAULT` if the text
/// cannot be read.
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

// SPDX-License-Identifier: GPL-2.0

//! Splits the commands of control devices into words and numbers.

use kernel::{
    prelude::*,
    uaccess::UserSliceReader, //
};

/// The words of a command.
pub struct Words<'a>(core::str::SplitAsciiWhitespace<'a>);

impl<'a> Words<'a> {
    /// Reads a command into `buffer`.
    ///
    /// # Errors
    ///
    /// `EINVAL` if the command is too long or not UTF-8, `EFAULT` if it cannot be read.
    pub fn read(reader: &mut UserSliceReader, buffer: &'a mut [u8]) -> Result<Self> {
        let length = reader.len();
        let bytes = buffer.get_mut(..length).ok_or(EINVAL)?;
        reader.read_slice(bytes)?;
        let text = core::str::from_utf8(bytes).map_err(|_| EINVAL)?;
        Ok(Self(text.split_ascii_whitespace()))
    }

    /// Returns the next word, or "" at the end.
    pub fn word(&mut self) -> &'a str {
        self.0.next().unwrap_or_default()
    }

    /// Returns the next word as a number, or `EINVAL`.
    pub fn number(&mut self) -> Result<u32> {
        self.word().parse().map_err(|_| EINVAL)
    }
}

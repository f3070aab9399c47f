// SPDX-License-Identifier: GPL-2.0

//! Reads a source that is still running, such as `dmesg -w`.

use std::io::{self, Cursor, Read};
use std::sync::mpsc::{sync_channel, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

/// [`Live`] reports [`io::ErrorKind::WouldBlock`] after this time without data.
const QUIET: Duration = Duration::from_millis(200);

/// [`Live`] reports it at least this often while data keeps coming.
const BUSY: Duration = Duration::from_secs(1);

/// A source that a thread reads. [`Read::read`] fails with [`io::ErrorKind::WouldBlock`] if no data has come for
/// [`QUIET`], or [`BUSY`] has passed.
pub struct Live {
    parts: Receiver<io::Result<Vec<u8>>>,
    part: Cursor<Vec<u8>>,
    /// When reading last failed so
    quiet: Instant,
}

impl Live {
    /// Starts a thread that reads the source. The thread ends with the source or with the program. Calls `lost` when the
    /// source has dropped lines before they were read.
    pub fn new(
        mut source: impl Read + Send + 'static,
        mut lost: impl FnMut() + Send + 'static,
    ) -> Self {
        let (sender, parts) = sync_channel(4);
        thread::spawn(move || loop {
            let mut part = vec![0; 1 << 16];
            let part = match source.read(&mut part) {
                Ok(0) => return,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                // /dev/kmsg says so that the kernel has overwritten the next record, and goes on with a later one.
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                    lost();
                    continue;
                }
                got => got.map(|got| {
                    part.truncate(got);
                    part
                }),
            };
            let failed = part.is_err();
            if sender.send(part).is_err() || failed {
                return;
            }
        });
        Self {
            parts,
            part: Cursor::default(),
            quiet: Instant::now(),
        }
    }
}

impl Read for Live {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let got = self.part.read(to)?;
        if got > 0 {
            return Ok(got);
        }
        if self.quiet.elapsed() < BUSY {
            match self.parts.recv_timeout(QUIET) {
                Ok(part) => {
                    self.part = Cursor::new(part?);
                    return self.part.read(to);
                }
                Err(RecvTimeoutError::Disconnected) => return Ok(0),
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
        self.quiet = Instant::now();
        Err(io::ErrorKind::WouldBlock.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::VecDeque;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::sync::Arc;

    /// A source with these results
    struct Source(VecDeque<io::Result<&'static str>>);

    impl Read for Source {
        fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
            let part = self.0.pop_front().unwrap_or(Ok(""))?;
            to[..part.len()].copy_from_slice(part.as_bytes());
            Ok(part.len())
        }
    }

    #[test]
    fn a_source_that_drops_lines_goes_on() {
        let lost = Arc::new(AtomicU32::new(0));
        let count = lost.clone();
        let dropped = || Err(io::ErrorKind::BrokenPipe.into());
        let source = Source([Ok("a"), dropped(), Ok("b"), dropped()].into());
        let mut live = Live::new(source, move || {
            count.fetch_add(1, Ordering::SeqCst);
        });
        let mut text = String::new();
        live.read_to_string(&mut text).expect("it ends");
        assert_eq!((text.as_str(), lost.load(Ordering::SeqCst)), ("ab", 2));
    }
}

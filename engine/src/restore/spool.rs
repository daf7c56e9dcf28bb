//! Ordered output: bytes that come earlier on the medium than their turn wait in an unlinked file.

use super::pass::Sink;
use crate::error::{Class, Error, Result};
use crate::plan::{Extent, lose};
use rustix::fs::FallocateFlags;
use std::collections::VecDeque;
use std::fs::File;
use std::io::Write;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

const COPY: usize = 1 << 20;

/// An output that gets the bytes of one stream in order.
pub struct Ordered<'a> {
    state: Mutex<State<'a>>,
}

struct State<'a> {
    output: &'a mut (dyn Write + Send),
    spool: File,
    /// The next byte of the stream that the output gets.
    next: u64,
    /// Ranges that wait in the spool, by offset.
    waiting: Vec<Range<u64>>,
    /// Ranges that are zeros, by offset.
    zeros: VecDeque<Range<u64>>,
}

/// The most bytes that wait at once when `extents` come in this order.
pub fn most_waiting(extents: &[Extent], zeros: &[Range<u64>]) -> u64 {
    let (mut next, mut most, mut zeros) = (0, 0, zeros.iter().peekable());
    let mut waiting: Vec<Range<u64>> = Vec::new();
    for extent in extents {
        lose(&mut waiting, extent.offset..extent.offset + u64::from(extent.length));
        loop {
            if let Some(zero) = zeros.next_if(|z| z.start == next) {
                next = zero.end;
            } else if waiting.first().is_some_and(|w| w.start == next) {
                next = waiting.remove(0).end;
            } else {
                break;
            }
        }
        most = most.max(waiting.iter().map(|w| w.end - w.start).sum());
    }
    most
}

impl<'a> Ordered<'a> {
    /// Writes to `output`; `zeros` are the ranges without chunks.
    pub fn new(
        output: &'a mut (dyn Write + Send),
        zeros: Vec<Range<u64>>,
        folder: Option<&Path>,
    ) -> Result<Self> {
        let spool = match folder {
            Some(folder) => tempfile::tempfile_in(folder),
            None => tempfile::tempfile(),
        };
        let spool = spool.map_err(|e| Error::io("spool", "cannot make the spool file", e))?;
        let state = State { output, spool, next: 0, waiting: Vec::new(), zeros: zeros.into() };
        Ok(Ordered { state: Mutex::new(state) })
    }

    fn state(&self) -> MutexGuard<'_, State<'a>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Everything that comes has come: gives the number of bytes that were put out.
    pub fn finish(self) -> Result<u64> {
        let mut state = self.state();
        state.drain()?;
        state.output.flush().map_err(broken)?;
        Ok(state.next)
    }
}

fn broken(e: std::io::Error) -> Error {
    Error::io("output", "cannot write", e)
}

impl State<'_> {
    fn drain(&mut self) -> Result<()> {
        loop {
            if let Some(zero) = self.zeros.pop_front_if(|z| z.start == self.next) {
                let zeros = [0; 16 << 10];
                let mut left = zero.end - zero.start;
                while left > 0 {
                    let now = left.min(zeros.len() as u64);
                    self.output.write_all(&zeros[..now as usize]).map_err(broken)?;
                    left -= now;
                }
                self.next = zero.end;
            } else if self.waiting.first().is_some_and(|w| w.start == self.next) {
                let range = self.waiting.remove(0);
                let mut buffer = vec![0; COPY];
                while self.next < range.end {
                    let now = (range.end - self.next).min(COPY as u64) as usize;
                    let read = self.spool.read_exact_at(&mut buffer[..now], self.next);
                    read.map_err(|e| Error::io("spool", "cannot read", e))?;
                    self.output.write_all(&buffer[..now]).map_err(broken)?;
                    self.next += now as u64;
                }
                // Gives the room back; a file system that cannot keeps it to the end.
                let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
                let _ = rustix::fs::fallocate(&self.spool, flags, range.start, range.end - range.start);
            } else {
                return Ok(());
            }
        }
    }
}

impl Sink for Ordered<'_> {
    fn write(&self, _: u32, offset: u64, bytes: &[u8]) -> Result<()> {
        let mut state = self.state();
        state.drain()?;
        if offset == state.next {
            state.output.write_all(bytes).map_err(broken)?;
            state.next += bytes.len() as u64;
            return state.drain();
        }
        if offset < state.next {
            return Err(Error::new(Class::Internal, "output", "bytes that were put out already").at(offset));
        }
        state.spool.write_all_at(bytes, offset).map_err(|e| Error::io("spool", "cannot write", e))?;
        lose(&mut state.waiting, offset..offset + bytes.len() as u64);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_out_in_order_with_zeros_between() {
        let mut out = Vec::new();
        let ordered = Ordered::new(&mut out, vec![3..5], None).unwrap();
        ordered.write(0, 5, b"fg").unwrap();
        ordered.write(0, 7, b"h").unwrap();
        ordered.write(0, 0, b"abc").unwrap();
        assert_eq!(ordered.finish().unwrap(), 8);
        assert_eq!(out, b"abc\0\0fgh");
    }
}

//! Writing behind the workers: direct writes of whole blocks, as many at once as there are buffers.
//!
//! Whoever writes copies its bytes into a free buffer, hands it to the kernel and goes on; it waits only when no buffer is free.
//! A request that is refused, or moves fewer bytes, is written plainly by whoever comes upon it, and so is all that follows.

use super::output::OutputFile;
use super::uring::{Buffer, Landed, Ring};
use crate::error::{Error, Result};
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// Longest request: the plain bytes of a frame.
const REQUEST: usize = 256 << 10;
/// Most requests that are under way, and fewest.
const MOST: usize = 64;
const FEWEST: usize = 16;

/// What all files of a run share.
pub(super) struct WriteBehind {
    state: Mutex<State>,
    changed: Condvar,
    /// A direct request failed: from there on everything goes through the page cache.
    refused: AtomicBool,
}

struct State {
    ring: Ring<Piece>,
    free: Vec<Buffer>,
    /// Somebody waits in the kernel, and takes what is done.
    waiting: bool,
    /// The kernel does not answer any more.
    broken: bool,
}

/// Where the first `length` bytes of a buffer go.
struct Piece {
    file: Arc<OutputFile>,
    offset: u64,
    length: usize,
}

impl WriteBehind {
    /// A queue that holds about `share` bytes.
    ///
    /// # Errors
    /// Where the kernel gives no io_uring.
    pub fn new(share: usize) -> io::Result<WriteBehind> {
        let (ring, free) = Ring::new((share / REQUEST).clamp(FEWEST, MOST) as u16, REQUEST)?;
        let state = State { ring, free, waiting: false, broken: false };
        Ok(WriteBehind { state: Mutex::new(state), changed: Condvar::new(), refused: AtomicBool::new(false) })
    }

    /// Whether direct requests are worth a try.
    pub fn is_open(&self) -> bool {
        !self.refused.load(Ordering::Relaxed)
    }

    /// Takes whole blocks for their places in a file that is open for direct writes. Errors may be those of earlier bytes,
    /// also of other files.
    pub fn write(&self, file: &Arc<OutputFile>, bytes: &[u8], offset: u64) -> Result<()> {
        let mut offset = offset;
        for bytes in bytes.chunks(REQUEST) {
            let mut buffer = self.until(|state| state.free.pop())?;
            if let Some(room) = buffer.bytes_mut().get_mut(..bytes.len()) {
                room.copy_from_slice(bytes);
            }
            self.send(buffer, Piece { file: file.clone(), offset, length: bytes.len() })?;
            offset += bytes.len() as u64;
        }
        Ok(())
    }

    /// Waits until all that was taken is in its file.
    pub fn finish(&self) -> Result<()> {
        self.until(|state| (state.ring.flying() == 0).then_some(()))
    }

    fn send(&self, buffer: Buffer, piece: Piece) -> Result<()> {
        let Piece { file, offset, length } = &piece;
        let Some(direct) = file.direct().cloned() else { return self.write_plainly(buffer, 0, &piece) };
        let (offset, length) = (*offset, *length);
        let mut state = self.state();
        let refused = state.ring.write(buffer, direct, offset, length, piece);
        state.ring.submit();
        // Others may wait for a buffer that was in nobody's hands but ours.
        self.changed.notify_one();
        drop(state);
        refused.map_err(|_| Error::io("io_uring", "the queue is full", io::ErrorKind::ResourceBusy.into()))
    }

    /// Takes what the kernel has done until `enough` gives something.
    fn until<T>(&self, mut enough: impl FnMut(&mut State) -> Option<T>) -> Result<T> {
        let mut state = self.state();
        loop {
            let failed = state.land();
            if !failed.is_empty() {
                drop(state);
                self.refused.store(true, Ordering::Relaxed);
                // All of them, for others wait for their buffers; the first error counts.
                let written = failed.into_iter().map(|Landed { tag, buffer, result }| {
                    self.write_plainly(buffer, result.unwrap_or(0).min(tag.length), &tag)
                });
                written.fold(Ok(()), Result::and)?;
                state = self.state();
                continue;
            }
            if let Some(found) = enough(&mut state) {
                return Ok(found);
            }
            if state.broken {
                return Err(Error::io("io_uring", "the kernel does not answer", io::ErrorKind::Other.into()));
            }
            if state.waiting || state.ring.flying() == 0 {
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            let waiter = state.ring.waiter();
            state.waiting = true;
            drop(state);
            let waited = waiter.wait();
            state = self.state();
            state.waiting = false;
            state.broken = waited.is_err();
            self.changed.notify_all();
        }
    }

    /// Writes what a request did not, from its byte `moved` on, and frees its buffer.
    fn write_plainly(&self, buffer: Buffer, moved: usize, piece: &Piece) -> Result<()> {
        let rest = buffer.bytes().get(moved..piece.length).unwrap_or_default();
        let written = piece.file.write_plainly(rest, piece.offset + moved as u64);
        self.state().free.push(buffer);
        self.changed.notify_one();
        written
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Frees the buffers of what the kernel has done, unless somebody waits for it there, and gives what it did not do whole.
    fn land(&mut self) -> Vec<Landed<Piece>> {
        let mut failed = Vec::new();
        if self.waiting || self.ring.flying() == 0 {
            return failed;
        }
        let State { ring, free, .. } = self;
        ring.land(|landed| match landed.result {
            Ok(moved) if moved == landed.tag.length => free.push(landed.buffer),
            _ => failed.push(landed),
        });
        failed
    }
}

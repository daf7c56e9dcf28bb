//! Writing behind the workers: direct writes of whole blocks, as many at once as there are buffers.
//!
//! Whoever writes makes its bytes in a free buffer, or copies them into one, hands it to the kernel and goes on; it waits only when
//! no buffer is free, and never while it holds one. A buffer whose bytes go to several places goes there one after the other.
//! A request that is refused, or moves fewer bytes, is written plainly by whoever comes upon it, and so is all that follows.

use super::output::{BLOCK, OutputFile, Piece};
use super::uring::{Buffer, Landed, Pages, Ring};
use crate::error::{Error, Result};
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// Longest request: the plain bytes of a frame.
const REQUEST: usize = 256 << 10;
/// Bytes of a buffer: those of a frame, and what it takes to begin them anywhere in a block.
const BUFFER: usize = REQUEST + BLOCK as usize;
/// Most buffers, and fewest.
const MOST: usize = 192;
const FEWEST: usize = 16;

/// What all files of a run share.
pub(super) struct WriteBehind {
    state: Mutex<State>,
    changed: Condvar,
    /// A direct request failed: from there on everything goes through the page cache.
    refused: AtomicBool,
}

struct State {
    /// What is called by the pieces that a buffer is still to be written to, the last one first.
    ring: Ring<Vec<Piece>>,
    free: Vec<Buffer>,
    /// Somebody waits in the kernel, and takes what is done.
    waiting: bool,
    /// The kernel does not answer any more.
    broken: bool,
}

impl WriteBehind {
    /// A queue that holds about `share` bytes.
    ///
    /// # Errors
    /// Where the kernel gives no io_uring.
    pub fn new(share: usize) -> io::Result<WriteBehind> {
        let (ring, free) = Ring::new((share / BUFFER).clamp(FEWEST, MOST) as u16, BUFFER, Pages::Plain)?;
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
            self.send(buffer, vec![Piece { file: file.clone(), offset, range: 0..bytes.len() }])?;
            offset += bytes.len() as u64;
        }
        Ok(())
    }

    /// A buffer for bytes that begin at byte `begin` of a block. Errors as with [`WriteBehind::write`].
    pub fn room(&self, begin: usize) -> Result<Room<'_>> {
        let buffer = self.until(|state| state.free.pop())?;
        Ok(Room { behind: self, buffer: Some(buffer), begin })
    }

    /// Waits until all that was taken is in its file.
    pub fn finish(&self) -> Result<()> {
        self.until(|state| (state.ring.flying() == 0).then_some(()))
    }

    fn send(&self, buffer: Buffer, pieces: Vec<Piece>) -> Result<()> {
        let mut state = self.state();
        let refused = state.push(buffer, pieces);
        let ring = state.ring.waiter();
        drop(state);
        // Others may wait for a buffer that was in nobody's hands but ours.
        self.changed.notify_one();
        ring.submit();
        refused.or_else(|landed| self.write_plainly(landed))
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
                let written = failed.into_iter().map(|landed| self.write_plainly(landed));
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

    /// Writes what a request did not, and what was to come after it, and frees its buffer. The first error counts.
    fn write_plainly(&self, landed: Landed<Vec<Piece>>) -> Result<()> {
        let Landed { tag: mut pieces, buffer, result } = landed;
        let mut moved = result.unwrap_or(0);
        let mut written = Ok(());
        while let Some(Piece { file, offset, range }) = pieces.pop() {
            let bytes = buffer.bytes().get(range).unwrap_or_default();
            let rest = bytes.get(moved..).unwrap_or_default();
            written = written.and(file.write_plainly(rest, offset + moved as u64));
            moved = 0;
        }
        self.give_back(buffer);
        written
    }

    fn give_back(&self, buffer: Buffer) {
        self.state().free.push(buffer);
        self.changed.notify_one();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Puts the last of the pieces into the queue, or gives back what it did not take.
    fn push(&mut self, buffer: Buffer, pieces: Vec<Piece>) -> std::result::Result<(), Landed<Vec<Piece>>> {
        let next = pieces.last().and_then(|p| Some((p.file.direct()?.clone(), p.offset, p.range.clone())));
        let refused = |(buffer, tag)| Landed { tag, buffer, result: Ok(0) };
        match next {
            Some((file, offset, range)) => {
                self.ring.write(buffer, file, offset, range, pieces).map_err(refused)
            }
            None => Err(refused((buffer, pieces))),
        }
    }

    /// Frees the buffers of what the kernel has done, or sends them to their next places, unless somebody waits for it there, and
    /// gives what it did not do whole.
    fn land(&mut self) -> Vec<Landed<Vec<Piece>>> {
        let mut failed = Vec::new();
        if self.waiting || self.ring.flying() == 0 {
            return failed;
        }
        let State { ring, free, .. } = self;
        let mut more = Vec::new();
        ring.land(|mut landed| {
            let length = landed.tag.last().map(|piece| piece.range.len());
            if landed.result.as_ref().ok() != length.as_ref() {
                failed.push(landed);
                return;
            }
            landed.tag.pop();
            if landed.tag.is_empty() {
                free.push(landed.buffer);
            } else {
                more.push(landed);
            }
        });
        if !more.is_empty() {
            failed.extend(more.into_iter().filter_map(|landed| self.push(landed.buffer, landed.tag).err()));
            self.ring.submit();
        }
        failed
    }
}

/// A buffer of the queue in which bytes are made that are to be written. Dropped, it is free again and nothing is written.
pub struct Room<'a> {
    behind: &'a WriteBehind,
    buffer: Option<Buffer>,
    begin: usize,
}

impl Room<'_> {
    /// Where in a block its bytes begin.
    pub(super) fn begin(&self) -> usize {
        self.begin
    }

    /// Its bytes: those of a frame at least.
    pub fn bytes(&self) -> &[u8] {
        self.buffer.as_ref().and_then(|buffer| buffer.bytes().get(self.begin..)).unwrap_or_default()
    }

    /// Its bytes, to be made.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        self.buffer.as_mut().and_then(|buffer| buffer.bytes_mut().get_mut(self.begin..)).unwrap_or_default()
    }

    /// Hands whole blocks of it to the kernel: pieces of files that are open for direct writes, in order.
    pub(super) fn send(mut self, mut pieces: Vec<Piece>) -> Result<()> {
        let Some(buffer) = self.buffer.take_if(|_| !pieces.is_empty()) else { return Ok(()) };
        for Piece { range, .. } in &mut pieces {
            *range = range.start + self.begin..range.end + self.begin;
        }
        pieces.reverse();
        self.behind.send(buffer, pieces)
    }
}

impl Drop for Room<'_> {
    fn drop(&mut self) {
        if let Some(buffer) = self.buffer.take() {
            self.behind.give_back(buffer);
        }
    }
}

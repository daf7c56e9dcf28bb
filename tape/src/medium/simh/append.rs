//! Writing: records and filemarks behind the last object, in aligned writes; only what fills no whole unit is gathered first.

use std::io::{self, ErrorKind};

use super::index::Place;
use super::item::{WORD, padded};
use super::{Ahead, SimhTape, Store};
use crate::error::{Error, Result};

/// Writes end at multiples of this in the file, but for the last before a flush.
const UNIT: u64 = 16 << 10;

/// Bytes after which the store is told that they can go to the disk.
const WRITEBACK_BYTES: u64 = 8 << 20;

impl<S: Store> SimhTape<S> {
    pub(super) fn append_record(&mut self, length: u32, parts: &[&[u8]]) -> Result<()> {
        self.prepare()?;
        let word = length.to_le_bytes();
        self.gather(&word)?;
        for part in parts {
            self.gather(part)?;
        }
        if length % 2 == 1 {
            self.gather(&[0])?;
        }
        self.gather(&word)?;
        self.index.push_block(self.frontier);
        self.advance(WORD + padded(length) + WORD);
        Ok(())
    }

    pub(super) fn append_mark(&mut self) -> Result<()> {
        self.prepare()?;
        self.gather(&0u32.to_le_bytes())?;
        self.index.push_mark(self.frontier);
        self.advance(WORD);
        Ok(())
    }

    fn advance(&mut self, bytes: u64) {
        self.frontier += bytes;
        self.position = self.index.end();
        self.search_from = None;
    }

    /// Makes the frontier the place where the next object goes, by the rule that nothing stands behind what is written.
    fn prepare(&mut self) -> Result<()> {
        if self.read_only {
            return Err(self.state("open for reading only"));
        }
        if self.flush_failed {
            return Err(self.state("an earlier flush failed, what is durable is not known: open it again"));
        }
        let at_end = self.position == self.index.end() && !self.step()?;
        if self.append_only {
            if !at_end {
                return Err(self.state(format!(
                    "append-only: a write at object {}, which is not the end",
                    self.position
                )));
            }
            let written = self.length + self.pending.len() as u64;
            if self.frontier != written {
                return Err(self.state(format!(
                    "append-only: data end at byte {}, but the image ends at byte {written}",
                    self.frontier
                )));
            }
            return Ok(());
        }
        self.drain()?;
        if at_end {
            return if self.frontier == self.length { Ok(()) } else { self.cut(self.frontier) };
        }
        match self.index.get(self.position) {
            Some(Place::Block(offset) | Place::Mark(offset)) => {
                self.cut(offset)?;
                self.index.truncate(self.position);
                self.mended.split_off(&self.position);
                self.damage.retain(|damage| damage.byte_to <= offset);
                Ok(())
            }
            _ => Err(self
                .state(format!("object {} is lost in damage, nothing can be written there", self.position))),
        }
    }

    /// Makes a byte the end of the image and of data.
    pub(super) fn cut(&mut self, byte: u64) -> Result<()> {
        self.window.clear();
        self.store.truncate(byte).map_err(|source| self.io(format!("cannot cut at byte {byte}"), source))?;
        self.length = byte;
        self.told = self.told.min(byte);
        self.frontier = byte;
        self.search_from = None;
        self.ahead = Ahead::End;
        Ok(())
    }

    /// Takes bytes that come next, and gives to the store what ends at a multiple of the unit.
    fn gather(&mut self, bytes: &[u8]) -> Result<()> {
        let end = self.length + self.pending.len() as u64 + bytes.len() as u64;
        let over = (end % UNIT) as usize;
        let Some(to_border) = bytes.len().checked_sub(over) else {
            self.pending.extend_from_slice(bytes);
            return Ok(());
        };
        let (mut now, later) = bytes.split_at(to_border);
        if !self.pending.is_empty() {
            // What was gathered goes first, filled up to its border.
            let room = UNIT - (self.length + self.pending.len() as u64) % UNIT;
            let (filling, rest) = now.split_at(now.len().min(room as usize));
            self.pending.extend_from_slice(filling);
            self.drain()?;
            now = rest;
        }
        self.put(now)?;
        self.pending.extend_from_slice(later);
        Ok(())
    }

    /// Gives what is gathered to the store.
    pub(super) fn drain(&mut self) -> Result<()> {
        let mut pending = std::mem::take(&mut self.pending);
        let put = self.put(&pending);
        pending.clear();
        self.pending = pending;
        put
    }

    /// Gives bytes to the store. If it does not take everything, objects that are not whole in the store are forgotten, and
    /// what stands of the first of them is a torn tail.
    fn put(&mut self, bytes: &[u8]) -> Result<()> {
        let mut done = 0;
        let mut failure = None;
        while let Some(rest) = bytes.get(done..).filter(|rest| !rest.is_empty()) {
            match self.store.write_at(self.length, rest) {
                Ok(0) => failure = Some(ErrorKind::WriteZero.into()),
                Ok(taken) => {
                    let taken = taken.min(rest.len());
                    done += taken;
                    self.length += taken as u64;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => failure = Some(error),
            }
            if let Some(error) = failure {
                return Err(self.retreat(error));
            }
        }
        if done > 0 {
            self.window.clear();
        }
        if self.length.saturating_sub(self.told) >= WRITEBACK_BYTES {
            self.store.written(self.told, self.length - self.told);
            self.told = self.length;
        }
        Ok(())
    }

    fn retreat(&mut self, error: io::Error) -> Error {
        self.window.clear();
        // A store that writes behind has less than it took.
        self.length = self.store.length().map_or(self.length, |length| length.min(self.length));
        self.told = self.told.min(self.length);
        while self.frontier > self.length {
            let Some(last) = self.index.end().checked_sub(1) else { break };
            let Some(Place::Block(offset) | Place::Mark(offset)) = self.index.get(last) else { break };
            self.index.truncate(last);
            self.frontier = offset;
        }
        self.position = self.index.end();
        self.ahead = if self.frontier == self.length {
            Ahead::End
        } else {
            Ahead::Damaged("a record whose writing failed".into())
        };
        match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
                Error::NoSpace { medium: self.name.clone(), object: self.position, what: error.to_string() }
            }
            _ => self.io(format!("cannot write at byte {}", self.length), error),
        }
    }

    pub(super) fn make_durable(&mut self) -> Result<()> {
        if self.read_only {
            return Ok(());
        }
        if self.flush_failed {
            return Err(self.state("an earlier flush failed: open it again"));
        }
        self.drain()?;
        if let Err(error) = self.store.settle() {
            return Err(self.retreat(error));
        }
        self.store.sync().map_err(|source| {
            self.flush_failed = true;
            self.io("cannot make durable what was written", source)
        })
    }
}

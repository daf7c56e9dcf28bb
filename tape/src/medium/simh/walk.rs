//! Walking from word to word, and reading what stands between two of them.

use std::io;

use super::index::Place;
use super::item::{Item, WORD, padded};
use super::{Ahead, MAX_BLOCK, Read, SimhTape, Store};
use crate::error::{Error, Result};

/// Filemarks in a row that are taken for filemarks; more are a hole in the file, and would cost memory without bound.
const MAX_MARKS_IN_A_ROW: u64 = 1 << 16;

/// Bytes read at once while words follow each other closely.
const NEAR: u64 = 64 << 10;

/// Bytes read at once while they do not: the word behind a record and the one before the next.
const FAR: u64 = 2 * WORD;

/// Some bytes of the store that were read last, for the walk.
#[derive(Default)]
pub(super) struct Window {
    offset: u64,
    bytes: Vec<u8>,
}

impl Window {
    fn word(&self, offset: u64) -> Option<u32> {
        let from = usize::try_from(offset.checked_sub(self.offset)?).ok()?;
        let bytes = self.bytes.get(from..)?.first_chunk()?;
        Some(u32::from_le_bytes(*bytes))
    }

    fn fill(&mut self, offset: u64, bytes: &[u8]) {
        self.offset = offset;
        self.bytes.clear();
        self.bytes.extend_from_slice(bytes);
    }

    pub(super) fn clear(&mut self) {
        self.bytes.clear();
    }
}

impl<S: Store> SimhTape<S> {
    /// Reads exactly so many bytes.
    pub(super) fn read_bytes(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        let mut done = 0;
        while let Some(rest) = buf.get_mut(done..).filter(|rest| !rest.is_empty()) {
            match self.store.read_at(offset.saturating_add(done as u64), rest) {
                Ok(0) => {
                    return Err(self.io(
                        format!("image ends within a read at byte {offset}"),
                        io::ErrorKind::UnexpectedEof.into(),
                    ));
                }
                Ok(taken) => done += taken,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.io(format!("cannot read at byte {offset}"), error)),
            }
        }
        Ok(())
    }

    /// The word at an offset; `None` where the image ends before or within it.
    pub(super) fn word(&mut self, offset: u64) -> Result<Option<u32>> {
        let left = self.length.saturating_sub(offset);
        if left < WORD {
            return Ok(None);
        }
        if let Some(word) = self.window.word(offset) {
            return Ok(Some(word));
        }
        let near = offset.abs_diff(self.window.offset) <= NEAR;
        if !near {
            for place in self.strides.read(offset).take_while(|place| *place < self.length) {
                self.store.expected(place, FAR);
            }
        }
        let mut bytes = std::mem::take(&mut self.window.bytes);
        bytes.resize(left.min(if near { NEAR } else { FAR }) as usize, 0);
        self.read_bytes(offset, &mut bytes)?;
        self.window = Window { offset, bytes };
        Ok(self.window.word(offset))
    }

    /// Walks over one more object. `false`: there is none, data end at the frontier.
    pub(super) fn step(&mut self) -> Result<bool> {
        match &self.ahead {
            Ahead::Unknown => {}
            Ahead::End | Ahead::Abandoned => return Ok(false),
            Ahead::Damaged(what) => {
                return Err(Error::Format {
                    medium: self.name.clone(),
                    object: self.index.end(),
                    byte: Some(self.frontier),
                    what: what.clone(),
                });
            }
        }
        let mut at = self.frontier;
        loop {
            if at == self.length {
                return Ok(self.end_at(at));
            }
            let Some(word) = self.word(at)? else {
                return self.damaged("length word cut off by the end of the image");
            };
            let (length, object) = match Item::of(word) {
                Item::Mark => {
                    if self.index.marks_at_end() >= MAX_MARKS_IN_A_ROW {
                        return self.damaged("zeros, more than filemarks in a row can be");
                    }
                    self.index.push_mark(at);
                    self.frontier = at + WORD;
                    self.search_from = None;
                    return Ok(true);
                }
                Item::EndOfMedium => return Ok(self.end_at(at)),
                Item::Illegal => return self.damaged(format!("no length word, but {word:08x}")),
                Item::Skip(bytes) => {
                    at += bytes;
                    continue;
                }
                Item::Foreign { length } => (length, false),
                Item::Record { length, .. } => (length, true),
            };
            // Offsets are below 2^63 and lengths below 2^28, so the sum is right.
            let trailing_at = at + WORD + padded(length);
            let Some(trailing) = self.word(trailing_at)? else {
                return self.damaged(format!("a record of {length} bytes cut off by the end of the image"));
            };
            if trailing != word {
                return self.damaged(format!("trailing length word {trailing:08x}, expected {word:08x}"));
            }
            at = trailing_at + WORD;
            if object {
                self.index.push_block(trailing_at - padded(length) - WORD);
                self.frontier = at;
                self.search_from = None;
                return Ok(true);
            }
        }
    }

    fn end_at(&mut self, at: u64) -> bool {
        self.frontier = at;
        self.ahead = Ahead::End;
        false
    }

    /// Remembers why the walk stops here, and says so.
    fn damaged(&mut self, what: impl Into<String>) -> Result<bool> {
        self.ahead = Ahead::Damaged(what.into());
        self.step()
    }

    pub(super) fn walk_to_end_or_damage(&mut self) -> Result<()> {
        loop {
            match self.step() {
                Ok(true) => {}
                Ok(false) | Err(Error::Format { .. }) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }

    /// Reads the object at the position. What is in `buf` counts only if it was a block.
    pub(super) fn read_object(&mut self, buf: &mut Vec<u8>) -> Result<Read> {
        let mut fetched = None;
        if self.position == self.index.end() {
            fetched = self.fetch_unwalked(buf)?;
            if !self.step()? {
                return Ok(Read::EndOfData);
            }
        }
        let object = self.position;
        match self.index.get(object) {
            None => Ok(Read::EndOfData),
            Some(Place::Mark(_)) => {
                self.position += 1;
                Ok(Read::Filemark)
            }
            Some(Place::Lost { until }) => {
                self.position = until;
                Err(self.unreadable(object, format!("lost in damage, like all objects before {until}")))
            }
            Some(Place::Block(offset)) => {
                if fetched != Some(offset) {
                    let length = self.block_length_at(object, offset)?;
                    self.fetch(offset + WORD, length, buf)?;
                }
                self.position += 1;
                Ok(Read::Block(buf.len()))
            }
        }
    }

    /// Reads the data at the frontier before the walk has looked behind them, so that an image read from front to back
    /// is read in order. Gives the record's offset, or `None` if the walk has to look first.
    fn fetch_unwalked(&mut self, buf: &mut Vec<u8>) -> Result<Option<u64>> {
        let at = self.frontier;
        if !matches!(self.ahead, Ahead::Unknown) {
            return Ok(None);
        }
        let Some(word) = self.word(at)? else { return Ok(None) };
        match Item::of(word) {
            Item::Record { length, bad: false }
                if length as usize <= MAX_BLOCK && at + WORD + padded(length) + WORD <= self.length =>
            {
                self.fetch(at + WORD, length, buf)?;
                Ok(Some(at))
            }
            _ => Ok(None),
        }
    }

    /// Length of a block of the index. If the block cannot be read, the position moves behind it.
    fn block_length_at(&mut self, object: u64, offset: u64) -> Result<u32> {
        if let Some(&length) = self.mended.get(&object) {
            return Ok(length);
        }
        let item = self.word(offset)?.map(Item::of);
        let changed = "length word changed since it was read first";
        let what = if object < self.recalled && !self.leads_on(object, offset, item)? {
            match self.mend(object, offset)? {
                Some(length) => return Ok(length),
                None => changed.into(),
            }
        } else if let Some(Item::Record { length, bad }) = item {
            if bad {
                "marked as bad in the image".into()
            } else if length as usize > MAX_BLOCK {
                format!("a block of {length} bytes, expected at most {MAX_BLOCK}")
            } else {
                return Ok(length);
            }
        } else {
            changed.into()
        };
        self.position += 1;
        Err(self.unreadable(object, what))
    }

    /// Whether the leading word of a block that was not walked over leads to its trailing word.
    fn leads_on(&mut self, object: u64, offset: u64, item: Option<Item>) -> Result<bool> {
        let Some(Item::Record { length, .. }) = item else { return Ok(false) };
        let end = offset + WORD + padded(length) + WORD;
        if end == self.byte_of(object + 1) {
            return Ok(true);
        }
        Ok(self.word(end - WORD)? == self.word(offset)?)
    }

    /// Reads a record's data (at most [`MAX_BLOCK`]) in one go with the two words behind, which the walk wants next.
    fn fetch(&mut self, start: u64, length: u32, buf: &mut Vec<u8>) -> Result<()> {
        let data = padded(length);
        let wanted = (data + FAR).min(self.length.saturating_sub(start));
        let next = self.read_ahead.read(start..start.saturating_add(wanted));
        let left = next.end.min(self.length).saturating_sub(next.start);
        if left > 0 {
            self.store.expected(next.start, left);
        }
        buf.resize(wanted as usize, 0);
        self.read_bytes(start, buf)?;
        if let Some(behind) = buf.get(data as usize..) {
            self.window.fill(start + data, behind);
        }
        if buf.len() < length as usize {
            return Err(self.io(
                format!("image ends within a block at byte {start}"),
                io::ErrorKind::UnexpectedEof.into(),
            ));
        }
        buf.truncate(length as usize);
        Ok(())
    }
}

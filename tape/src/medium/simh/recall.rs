//! What a walk found, in few numbers, so that whoever opens the image next need not go the same way: most blocks of an image
//! are equally long.
//!
//! | offset | bytes | what |
//! | ---: | ---: | --- |
//! | 0 | 8 | `REELWLK`, 1 |
//! | 8 | 4 | CRC-32C of all that follows |
//! | 12 | 4 | CRC-32C of the first bytes of the last block, at most [`PROBE_BYTES`] |
//! | 16 | 8 | bytes of the image that were walked over; the last object in them is a filemark |
//! | 24 | 24 each | objects at equal distances: offset of the first (its top bit says filemarks), distance, how many |
//!
//! All integers are little-endian. It is a cache of what the image says itself, and nothing of the volume's format.

use super::index::{Index, MARK, Place};
use super::item::{Item, WORD, padded};
use super::{Ahead, Damage, PROBE_BYTES, Probe, SimhTape, Store};
use crate::error::Result;

const MAGIC: [u8; 8] = *b"REELWLK\x01";
const RUNS_AT: usize = 24;
const RUN_LEN: usize = 24;
/// Most filemarks behind the last block that are looked at; the writer makes one or two.
const MOST_MARKS: u64 = 16;

/// Objects at equal distances.
struct Run {
    /// Entry of the first in the index.
    first: u64,
    distance: u64,
    count: u64,
}

impl Run {
    /// Takes an entry in if it goes on with the run.
    fn take(&mut self, entry: u64) -> bool {
        let last = self.first + self.distance * (self.count - 1);
        let distance = entry.wrapping_sub(last);
        // A filemark behind blocks is farther away than any block.
        let fits = distance < MARK && (self.count == 1 || distance == self.distance);
        if fits {
            self.distance = distance;
            self.count += 1;
        }
        fits
    }

    fn entries(&self) -> impl Iterator<Item = u64> + use<> {
        let (first, distance) = (self.first, self.distance);
        (0..self.count).map(move |number| first.wrapping_add(number.wrapping_mul(distance)))
    }
}

impl<S: Store> SimhTape<S> {
    /// See [`Medium::walked`](crate::medium::Medium::walked).
    pub(super) fn told(&self) -> Result<Option<Vec<u8>>> {
        let is_whole = self.damage.is_empty() && self.mended.is_empty() && self.frontier <= self.length;
        let marks = self.index.marks_at_end();
        let (Some(entries), true, true) = (self.index.entries(), is_whole, marks > 0) else {
            return Ok(None);
        };
        let Some(head) = self.last_head(&self.index)? else { return Ok(None) };
        let mut runs: Vec<Run> = Vec::new();
        for entry in entries {
            if !runs.last_mut().is_some_and(|run| run.take(*entry)) {
                runs.push(Run { first: *entry, distance: 0, count: 1 });
            }
        }
        let mut rest = Vec::with_capacity(RUNS_AT + runs.len() * RUN_LEN);
        rest.extend(crc32c::crc32c(&head).to_le_bytes());
        rest.extend(self.frontier.to_le_bytes());
        rest.extend(
            runs.iter().flat_map(|run| [run.first, run.distance, run.count]).flat_map(u64::to_le_bytes),
        );
        Ok(Some([&MAGIC[..], &crc32c::crc32c(&rest).to_le_bytes(), &rest].concat()))
    }

    /// See [`Medium::recall`](crate::medium::Medium::recall).
    pub(super) fn recall_told(&mut self, told: &[u8], probe: Probe) -> Result<bool> {
        let untouched = self.damage.is_empty() && self.mended.is_empty() && self.pending.is_empty();
        if !untouched || !matches!(self.ahead, Ahead::Unknown) {
            return Ok(false);
        }
        let Some((index, frontier, crc)) = decode(told, self.length) else { return Ok(false) };
        let agrees = (0..self.index.end()).all(|object| index.get(object) == self.index.get(object));
        let Some(head) = self.last_head(&index)?.filter(|head| agrees && crc32c::crc32c(head) == crc) else {
            return Ok(false);
        };
        if !self.ends_so(&index, frontier, &head, probe)? {
            return Ok(false);
        }
        self.recalled = index.end();
        self.index = index;
        self.frontier = frontier;
        Ok(true)
    }

    /// The first bytes of the last block, at most [`PROBE_BYTES`], with the byte that pads an odd length.
    fn last_head(&self, index: &Index) -> Result<Option<Vec<u8>>> {
        let Some((_, offset, next)) = end_of(index) else { return Ok(None) };
        let mut head = vec![0; (next - offset).saturating_sub(2 * WORD).min(PROBE_BYTES as u64) as usize];
        self.read_bytes(offset + WORD, &mut head)?;
        Ok(Some(head))
    }

    /// Whether the last block of an index, which begins with `head`, stands in the image with its words and the filemarks behind it.
    fn ends_so(&mut self, index: &Index, frontier: u64, head: &[u8], probe: Probe) -> Result<bool> {
        let Some((object, offset, next)) = end_of(index) else { return Ok(false) };
        let mut mark = next;
        while mark < frontier {
            if self.word(mark)? != Some(0) {
                return Ok(false);
            }
            mark += WORD;
        }
        let (leading, trailing) = (self.word(offset)?, self.word(next - WORD)?);
        let Some(Item::Record { length, bad: false }) = leading.map(Item::of) else { return Ok(false) };
        if mark != frontier || trailing != leading || offset + WORD + padded(length) + WORD != next {
            return Ok(false);
        }
        let head = head.get(..length as usize).unwrap_or(head);
        Ok(probe(head).is_some_and(|sighting| (sighting.object, sighting.length) == (object, length)))
    }

    /// Length of a block that was recalled and whose leading word does not lead to the next object: what its trailing word
    /// says, if that agrees.
    pub(super) fn mend(&mut self, object: u64, offset: u64) -> Result<Option<u32>> {
        let next = self.byte_of(object + 1);
        let Some(Item::Record { length, bad: false }) = self.word(next - WORD)?.map(Item::of) else {
            return Ok(None);
        };
        if offset + WORD + padded(length) + WORD != next {
            return Ok(None);
        }
        self.mended.insert(object, length);
        self.damage.push(Damage {
            object_from: object,
            object_to: object,
            byte_from: offset,
            byte_to: offset + WORD,
        });
        Ok(Some(length))
    }
}

/// The last block of an index that ends with filemarks: its number, where it begins, and where the object behind it does.
fn end_of(index: &Index) -> Option<(u64, u64, u64)> {
    let object = index.end().checked_sub(index.marks_at_end() + 1)?;
    match (index.get(object)?, index.get(object + 1)?) {
        (Place::Block(offset), Place::Mark(next)) if next >= offset + 2 * WORD => {
            Some((object, offset, next))
        }
        _ => None,
    }
}

/// The index, the bytes walked over and the checksum of the last block, if all of it can be true of an image of `length`
/// bytes.
fn decode(told: &[u8], length: u64) -> Option<(Index, u64, u32)> {
    let (magic, rest) = told.split_first_chunk()?;
    let (crc, rest) = rest.split_first_chunk()?;
    if *magic != MAGIC || u32::from_le_bytes(*crc) != crc32c::crc32c(rest) {
        return None;
    }
    let (last, rest) = rest.split_first_chunk()?;
    let (frontier, runs) = rest.split_first_chunk()?;
    let frontier = u64::from_le_bytes(*frontier);
    if frontier > length || runs.len() % RUN_LEN != 0 {
        return None;
    }
    let number = |bytes: &[u8]| bytes.try_into().map(u64::from_le_bytes).ok();
    let (mut entries, mut behind) = (Vec::new(), 0);
    for run in runs.chunks_exact(RUN_LEN) {
        let (first, rest) = run.split_at(8);
        let (distance, count) = rest.split_at(8);
        let run = Run { first: number(first)?, distance: number(distance)?, count: number(count)? };
        for entry in run.entries() {
            let (offset, least) = (entry & !MARK, if entry & MARK == 0 { 2 * WORD } else { WORD });
            // So no more entries are believed than the image has bytes for.
            if offset < behind || offset + least > frontier {
                return None;
            }
            behind = offset + least;
            entries.push(entry);
        }
    }
    let index = Index::of(entries);
    (1..=MOST_MARKS).contains(&index.marks_at_end()).then(|| (index, frontier, u32::from_le_bytes(*last)))
}

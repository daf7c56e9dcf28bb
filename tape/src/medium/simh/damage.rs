//! Going on behind bytes that cannot be told apart, and cutting off a record that was never finished.
//!
//! Length words are all that a SIMH image has to find the next record with; where they fail, the volume's own blocks help:
//! each carries its object number and its length, and a length word beside it that agrees makes it certain.

use super::index::Place;
use super::item::{WORD, padded};
use super::{Ahead, Damage, PROBE_BYTES, Probe, SimhTape, Store};
use crate::error::{Error, Result};

/// Bytes searched at once.
const CHUNK: u64 = 1 << 20;

/// A block that was recognised by itself.
#[derive(Debug, Clone, Copy)]
struct Found {
    object: u64,
    length: u32,
    /// Offset of its data.
    data: u64,
    leading_agrees: bool,
    trailing_agrees: bool,
}

/// Which of the recognised blocks a search takes.
type Accept<'a> = &'a dyn Fn(&Found) -> bool;

impl<S: Store> SimhTape<S> {
    /// Moves to the next object at or behind the position; see [`Medium::skip_damage`](crate::medium::Medium::skip_damage).
    pub(super) fn resume(&mut self, probe: Probe) -> Result<Option<u64>> {
        if self.position == self.index.end() {
            match self.step() {
                Ok(true) => {}
                Ok(false) => return Ok(None),
                Err(Error::Format { .. }) => return self.resume_behind_damage(probe),
                Err(error) => return Err(error),
            }
        }
        if let Some(Place::Lost { until }) = self.index.get(self.position) {
            self.position = until;
        }
        Ok(Some(self.position))
    }

    fn resume_behind_damage(&mut self, probe: Probe) -> Result<Option<u64>> {
        // Zeros in place of lost blocks look like filemarks, so the numbers of the last marks are not certain.
        let end = self.index.end();
        let certain = end - self.index.marks_at_end();
        let from = self.search_from.unwrap_or(self.frontier);
        let marks_from = self.byte_of(certain);
        let accept = |found: &Found| {
            // No object takes less than a word, so a number that is too high for the bytes between is not believed.
            let bytes = found.data.saturating_sub(marks_from.min(from));
            found.object >= certain && found.object - certain <= bytes / WORD
        };
        let Some(found) = self.search(from, probe, &accept)? else {
            let (object, byte_to) = (end, self.length);
            self.damage.push(Damage {
                object_from: object,
                object_to: object,
                byte_from: self.frontier,
                byte_to,
            });
            self.ahead = Ahead::Abandoned;
            return Ok(None);
        };
        let mut byte_from = self.frontier;
        if found.object < end {
            // Not all of the marks can be real; the first may be.
            let kept = found.object.min(certain + 1);
            byte_from = self.byte_of(kept);
            self.index.truncate(kept);
        }
        let record = found.data.saturating_sub(WORD);
        let byte_to = if found.leading_agrees { record.max(byte_from) } else { found.data.max(byte_from) };
        let object_from = self.index.end();
        self.damage.push(Damage { object_from, object_to: found.object, byte_from, byte_to });
        self.index.lose_until(found.object);
        self.index.push_block(record);
        if !found.leading_agrees {
            self.mended.insert(found.object, found.length);
        }
        self.frontier = found.data + padded(found.length) + WORD;
        self.search_from = (!found.trailing_agrees).then_some(found.data + 1);
        self.ahead = Ahead::Unknown;
        self.position = found.object;
        Ok(Some(found.object))
    }

    /// Offset of an object of the index, or the frontier.
    pub(super) fn byte_of(&self, object: u64) -> u64 {
        match self.index.get(object) {
            Some(Place::Block(offset) | Place::Mark(offset)) => offset,
            _ => self.frontier,
        }
    }

    /// The first recognised and accepted block whose leading word stands at or behind `from`, or whose data begin there.
    fn search(&mut self, from: u64, probe: Probe, accept: Accept) -> Result<Option<Found>> {
        // A record's data never begin before the first word.
        let mut at = from.max(WORD);
        let mut bytes = Vec::new();
        while at < self.length {
            // At most a chunk and what a probe sees of the last place in it.
            let wanted = (self.length - at).min(CHUNK + PROBE_BYTES as u64);
            bytes.resize(wanted as usize, 0);
            self.read_bytes(at, &mut bytes)?;
            let places = wanted.min(CHUNK);
            for place in 0..places {
                let rest = bytes.get(place as usize..).unwrap_or_default();
                let Some(sighting) = probe(rest.get(..PROBE_BYTES).unwrap_or(rest)) else { continue };
                let data = at + place;
                let trailing_at = data + padded(sighting.length);
                if let Some(trailing) = self.word(trailing_at)?
                    && let Some(leading) = self.word(data - WORD)?
                {
                    let found = Found {
                        object: sighting.object,
                        length: sighting.length,
                        data,
                        leading_agrees: leading == sighting.length,
                        trailing_agrees: trailing == sighting.length,
                    };
                    let sized = (1..=super::MAX_BLOCK).contains(&(sighting.length as usize));
                    if sized && (found.leading_agrees || found.trailing_agrees) && accept(&found) {
                        return Ok(Some(found));
                    }
                }
            }
            at += places;
        }
        Ok(None)
    }

    /// Bytes behind the last whole object that cannot be told apart into objects: offset and length. Known as far as the
    /// image was walked over; [`open_write`](SimhTape::open_write) walks over all of it.
    pub fn torn_tail(&self) -> Option<(u64, u64)> {
        match self.ahead {
            Ahead::Damaged(_) | Ahead::Abandoned => {
                Some((self.frontier, self.length.saturating_sub(self.frontier)))
            }
            Ahead::Unknown | Ahead::End => None,
        }
    }

    /// Cuts off the [`torn_tail`](Self::torn_tail), if there is one: a record whose writing was cut short was never
    /// acknowledged. Refuses with [`Error::State`] if the probe recognises a block in or behind it that was finished;
    /// then it is damage, not a torn tail.
    pub fn cut_torn_tail(&mut self, probe: Probe) -> Result<()> {
        let Some((tail, _)) = self.torn_tail() else { return Ok(()) };
        if self.read_only {
            return Err(self.state("open for reading only, a torn tail cannot be cut off"));
        }
        self.drain()?;
        // The torn record begins like any other; only one with its trailing word was finished.
        let finished = |found: &Found| found.data != tail + WORD || found.trailing_agrees;
        if let Some(found) = self.search(tail, probe, &finished)? {
            return Err(self.state(format!(
                "not a torn tail at byte {tail}: block {} was recognised at byte {}",
                found.object, found.data
            )));
        }
        self.cut(tail)?;
        self.store.sync().map_err(|source| self.io("cannot make the cut durable", source))
    }
}

//! The recipe of one stream, kept in 16 bytes a run, found by offset.

use crate::error::{Class, Error, Result};
use crate::plan::Extent;
use std::collections::HashMap;

/// The offset of every so many runs is kept, so that one is found by a search and a short walk.
const STEP: usize = 64;
/// Stands for a segment in runs of zeros and holes.
const NOTHING: u32 = u32::MAX;

#[derive(Debug, Clone, Copy)]
struct Run {
    /// Place among the segments, or [`NOTHING`].
    segment: u32,
    first: u32,
    count: u32,
    length: u32,
}
const _: () = assert!(size_of::<Run>() == 16);

/// A stretch of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stretch {
    /// Zeros, a hole, or bytes that are lost.
    Nothing,
    /// Chunks of one segment, one after the other.
    Data {
        /// The segment, by its place in [`Runs::segment`].
        segment: u32,
        /// Index of the first chunk.
        first: u32,
        /// Number of chunks.
        count: u32,
    },
}

/// The runs of a stream, in order.
pub struct Runs {
    list: Vec<Run>,
    /// Where runs 0, 64, 128 ... begin.
    starts: Vec<u64>,
    segments: Vec<(u32, u32)>,
    numbers: HashMap<(u32, u32), u32>,
    length: u64,
    /// Most bytes that the runs may take.
    limit: usize,
}

impl Runs {
    /// No runs yet; they may take `limit` bytes.
    pub fn new(limit: usize) -> Self {
        let (list, starts, segments) = (Vec::new(), Vec::new(), Vec::new());
        Runs { list, starts, segments, numbers: HashMap::new(), length: 0, limit }
    }

    /// The next chunks; what lies between them and those before is nothing.
    pub fn push(&mut self, extent: &Extent) -> Result<()> {
        if extent.offset < self.length {
            let sentence = "its recipe comes back to bytes that it had already";
            return Err(Error::new(Class::Format, "recipe", sentence).at(extent.offset));
        }
        self.nothing_to(extent.offset)?;
        let next = self.segments.len() as u32;
        let key = (extent.set, extent.segment);
        let segment = *self.numbers.entry(key).or_insert(next);
        if segment == next {
            self.segments.push(key);
        }
        self.add(Run { segment, first: extent.first, count: extent.count, length: extent.length })
    }

    /// The stream has this length.
    pub fn finish(&mut self, length: u64) -> Result<()> {
        self.nothing_to(length)?;
        self.numbers = HashMap::new();
        self.list.shrink_to_fit();
        Ok(())
    }

    /// Set and segment of a place.
    pub fn segment(&self, place: u32) -> Option<(u32, u32)> {
        self.segments.get(place as usize).copied()
    }

    /// The stretches from the one on that holds byte `offset`, each with its offset and its length.
    pub fn from(&self, offset: u64) -> impl Iterator<Item = (u64, u64, Stretch)> {
        let step = self.starts.partition_point(|start| *start <= offset).saturating_sub(1);
        let mut next = self.starts.get(step).copied().unwrap_or(0);
        let runs = self.list.get(step * STEP..).unwrap_or_default().iter();
        let placed = runs.map(move |run| {
            let (at, length) = (next, u64::from(run.length));
            next += length;
            let stretch = match run.segment {
                NOTHING => Stretch::Nothing,
                segment => Stretch::Data { segment, first: run.first, count: run.count },
            };
            (at, length, stretch)
        });
        placed.skip_while(move |(at, length, _)| at + length <= offset)
    }

    fn nothing_to(&mut self, end: u64) -> Result<()> {
        while self.length < end {
            let length = u32::try_from(end - self.length).unwrap_or(u32::MAX);
            self.add(Run { segment: NOTHING, first: 0, count: 0, length })?;
        }
        Ok(())
    }

    fn add(&mut self, run: Run) -> Result<()> {
        // A vector that grows holds its old half beside the new one for a moment.
        if self.list.len().saturating_mul(2 * size_of::<Run>()) > self.limit {
            let mib = self.limit >> 20;
            let sentence = format!("its recipe needs more than {mib} MiB: allow more memory");
            return Err(Error::new(Class::Limit, "recipe", sentence).at(self.length));
        }
        if self.list.len().is_multiple_of(STEP) {
            self.starts.push(self.length);
        }
        self.list.push(run);
        self.length += u64::from(run.length);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_found_in_its_run() {
        let mut runs = Runs::new(1 << 20);
        let gap = |number: u64| if number.is_multiple_of(3) { 5 } else { 0 };
        let (mut at, mut expected) = (0, Vec::new());
        for number in 0..500u64 {
            if gap(number) > 0 {
                expected.push((at, gap(number), Stretch::Nothing));
            }
            at += gap(number);
            let (segment, first) = (number as u32 % 7, number as u32);
            runs.push(&Extent::new((1, segment), (first, 2), 10, at)).unwrap();
            expected.push((at, 10, Stretch::Data { segment, first, count: 2 }));
            at += 10;
        }
        runs.finish(at + (9 << 30)).unwrap();
        for offset in 0..at {
            let found = runs.from(offset).next().unwrap();
            assert!(found.0 <= offset && offset < found.0 + found.1, "{offset}: {found:?}");
            assert!(expected.contains(&found), "{offset}: {found:?}");
        }
        assert_eq!(runs.from(0).take(expected.len()).collect::<Vec<_>>(), expected);
        assert_eq!(runs.from(0).map(|(_, length, _)| length).sum::<u64>(), at + (9 << 30));
        assert!(runs.from(at + (9 << 30)).next().is_none());
        assert_eq!(runs.segment(6), Some((1, 6)));
    }

    #[test]
    fn a_recipe_that_is_too_long_or_comes_back_is_refused() {
        let mut runs = Runs::new(3 * 32);
        for number in 0..4 {
            runs.push(&Extent::new((1, 0), (number, 1), 10, u64::from(number) * 10)).unwrap();
        }
        assert_eq!(runs.push(&Extent::new((1, 0), (9, 1), 10, 40)).unwrap_err().class(), Class::Limit);
        let mut runs = Runs::new(1 << 20);
        runs.push(&Extent::new((1, 0), (0, 1), 10, 0)).unwrap();
        assert_eq!(runs.push(&Extent::new((1, 0), (0, 1), 10, 5)).unwrap_err().class(), Class::Format);
    }
}

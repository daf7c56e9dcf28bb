//! Puts entries in order in bounded memory: stretches sorted on a temporary file, and the merge of what is in order.

use super::Name;
use crate::error::{Error, Result};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::Write;
use std::os::unix::fs::FileExt;
use zerocopy::little_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Entries that are sorted at once: 12 MiB.
const STRETCH: usize = 512 << 10;
/// Bytes that all stretches of a merge may hold together, as long as each has a page.
const MERGE_BYTES: usize = 8 << 20;

/// A fingerprint and who has it; in order of fingerprints, the newest name of each first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Entry {
    pub fingerprint: u64,
    pub name: Reverse<Name>,
}

/// An entry in a file.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned, Clone, Copy)]
#[repr(C)]
pub(super) struct RawEntry {
    pub fingerprint: U64,
    set: U32,
    segment: U32,
    index: U32,
}
const _: () = assert!(size_of::<RawEntry>() == 20);

impl From<Entry> for RawEntry {
    fn from(entry: Entry) -> Self {
        let Name { set, segment, index } = entry.name.0;
        RawEntry {
            fingerprint: entry.fingerprint.into(),
            set: set.into(),
            segment: segment.into(),
            index: index.into(),
        }
    }
}

impl From<RawEntry> for Entry {
    fn from(raw: RawEntry) -> Self {
        let name = Name { set: raw.set.get(), segment: raw.segment.get(), index: raw.index.get() };
        Entry { fingerprint: raw.fingerprint.get(), name: Reverse(name) }
    }
}

/// Entries in order, or why there are no more.
pub(super) type Entries<'a> = Box<dyn Iterator<Item = Result<Entry>> + 'a>;

/// Takes entries in any order.
pub(super) struct Sorter {
    waiting: Vec<Entry>,
    stretch: usize,
    spool: Option<File>,
    /// Where each sorted stretch begins on the spool, in entries.
    starts: Vec<u64>,
    count: u64,
}

impl Sorter {
    pub(super) fn new() -> Self {
        Sorter { waiting: Vec::new(), stretch: STRETCH, spool: None, starts: Vec::new(), count: 0 }
    }

    #[cfg(test)]
    fn with_stretch(stretch: usize) -> Self {
        Sorter { stretch, ..Self::new() }
    }

    /// Entries so far.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    pub(super) fn push(&mut self, entry: Entry) -> Result<()> {
        if self.waiting.len() == self.stretch {
            self.spill()?;
        }
        self.waiting.push(entry);
        self.count += 1;
        Ok(())
    }

    fn spill(&mut self) -> Result<()> {
        self.waiting.sort_unstable();
        let spool =
            match &mut self.spool {
                Some(spool) => spool,
                none => none.insert(tempfile::tempfile().map_err(|e| {
                    Error::io("temporary folder", "cannot make a file to sort the index in", e)
                })?),
            };
        self.starts.push(self.count - self.waiting.len() as u64);
        let mut bytes = Vec::new();
        for some in self.waiting.chunks(4096) {
            bytes.clear();
            bytes.extend(some.iter().flat_map(|e| RawEntry::from(*e).as_bytes().to_vec()));
            spool.write_all(&bytes).map_err(|e| Error::io("temporary file", "cannot write", e))?;
        }
        self.waiting.clear();
        Ok(())
    }

    /// All entries, in order.
    pub(super) fn sorted(&mut self) -> Result<Entries<'_>> {
        if self.spool.is_none() {
            self.waiting.sort_unstable();
            return Ok(Box::new(self.waiting.iter().map(|e| Ok(*e))));
        }
        self.spill()?;
        let Some(file) = &self.spool else { return Ok(Box::new(std::iter::empty())) };
        self.waiting = Vec::new();
        let ends = self.starts.iter().skip(1).copied().chain([self.count]);
        let room = (MERGE_BYTES / self.starts.len()).clamp(4096, 1 << 20) / size_of::<RawEntry>();
        let stretches = self.starts.iter().zip(ends).map(|(start, end)| {
            Box::new(Stretch { file, next: *start, end, room, read: Vec::new().into_iter() }) as Entries<'_>
        });
        merge(stretches.collect())
    }
}

/// A sorted stretch of the spool.
struct Stretch<'a> {
    file: &'a File,
    next: u64,
    end: u64,
    /// Entries that are read at once.
    room: usize,
    read: std::vec::IntoIter<Entry>,
}

impl Iterator for Stretch<'_> {
    type Item = Result<Entry>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(entry) = self.read.next() {
            return Some(Ok(entry));
        }
        let count = (self.end - self.next).min(self.room as u64);
        let mut bytes = vec![0; count as usize * size_of::<RawEntry>()];
        let at = self.next * size_of::<RawEntry>() as u64;
        if let Err(error) = self.file.read_exact_at(&mut bytes, at) {
            self.next = self.end;
            return Some(Err(Error::io("temporary file", "cannot read", error)));
        }
        self.next += count;
        let raw = <[RawEntry]>::ref_from_bytes(&bytes).unwrap_or_default();
        self.read = raw.iter().map(|raw| Entry::from(*raw)).collect::<Vec<_>>().into_iter();
        self.read.next().map(Ok)
    }
}

/// One order out of several.
pub(super) fn merge(mut sources: Vec<Entries<'_>>) -> Result<Entries<'_>> {
    let mut heap = BinaryHeap::with_capacity(sources.len());
    for (number, source) in sources.iter_mut().enumerate() {
        if let Some(entry) = source.next() {
            heap.push(Reverse((entry?, number)));
        }
    }
    Ok(Box::new(std::iter::from_fn(move || {
        let Reverse((entry, number)) = heap.pop()?;
        match sources[number].next() {
            Some(Ok(next)) => heap.push(Reverse((next, number))),
            Some(Err(error)) => {
                heap.clear();
                return Some(Err(error));
            }
            None => {}
        }
        Some(Ok(entry))
    })))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn entries_come_out_in_order_whatever_the_stretches(
            entries in prop::collection::vec((0u64..40, 1u32..4, 0u32..3, 0u32..9), 0..200),
            stretch in 1usize..50,
        ) {
            let mut expected: Vec<_> = entries
                .iter()
                .map(|(fingerprint, set, segment, index)| Entry {
                    fingerprint: *fingerprint,
                    name: Reverse(Name { set: *set, segment: *segment, index: *index }),
                })
                .collect();
            let mut sorter = Sorter::with_stretch(stretch);
            for entry in &expected {
                sorter.push(*entry).unwrap();
            }
            prop_assert_eq!(sorter.count(), expected.len() as u64);
            let sorted: Vec<_> = sorter.sorted().unwrap().collect::<Result<_>>().unwrap();
            expected.sort();
            prop_assert_eq!(sorted, expected);
        }
    }
}

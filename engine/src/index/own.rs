//! The run's own new chunks: eight bytes in memory for each, at a load of three eighths to three quarters, and their digests and
//! names on a temporary file.

use super::Name;
use crate::digest::Digest;
use crate::error::{Error, Result};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Most bytes of memory that a chunk takes.
pub(super) const COST: u64 = 22;
/// Tables, so that growing never needs all of it twice.
const TABLES: usize = 256;
const SMALLEST_TABLE: usize = 16;
/// Bytes on the file: digest, segment, index.
const RECORD: usize = 40;
/// Bytes that wait to be written to the file.
const TAIL: usize = 1600 * RECORD;

/// The chunks that a run has numbered so far, as far as they fit.
pub(super) struct Own {
    set: u32,
    tables: Vec<Table>,
    count: u64,
    capacity: u64,
    file: File,
    /// Records that are not in the file yet.
    tail: Vec<u8>,
    written: u64,
}

/// Open addressing; a slot holds 32 bits of the digest and the chunk's number plus one, or nothing.
#[derive(Default)]
struct Table {
    slots: Vec<u64>,
    used: usize,
}

impl Table {
    /// The slots that may hold a tag, up to the first empty one.
    fn places(slots: usize, tag: u32) -> impl Iterator<Item = usize> {
        let first = ((u64::from(tag) * slots as u64) >> 32) as usize;
        (first..slots).chain(0..first)
    }

    fn add(&mut self, tag: u32, number: u32) {
        if (self.used + 1) * 4 > self.slots.len() * 3 {
            let larger = vec![0; (self.slots.len() * 2).max(SMALLEST_TABLE)];
            let old = std::mem::replace(&mut self.slots, larger);
            for slot in old.into_iter().filter(|slot| *slot != 0) {
                self.put((slot >> 32) as u32, slot);
            }
        }
        self.put(tag, u64::from(tag) << 32 | (u64::from(number) + 1));
        self.used += 1;
    }

    fn put(&mut self, tag: u32, slot: u64) {
        if let Some(free) = Self::places(self.slots.len(), tag).find(|at| self.slots[*at] == 0) {
            self.slots[free] = slot;
        }
    }

    /// Numbers of the chunks that have this tag.
    fn numbers(&self, tag: u32) -> impl Iterator<Item = u32> + '_ {
        Self::places(self.slots.len(), tag)
            .map(|at| self.slots[at])
            .take_while(|slot| *slot != 0)
            .filter(move |slot| (slot >> 32) as u32 == tag)
            .map(|slot| (slot as u32).wrapping_sub(1))
    }
}

/// The table of a digest and its tag there. The index of earlier sets goes by the bytes before these.
fn place(digest: &Digest) -> (usize, u32) {
    let tag = u32::from_le_bytes([digest[9], digest[10], digest[11], digest[12]]);
    (usize::from(digest[8]), tag)
}

impl Own {
    /// Room for the chunks of a set in `bytes` of memory; their digests go to a file without a name in `folder`, or in the
    /// temporary folder.
    pub(super) fn new(set: u32, bytes: u64, folder: Option<&Path>) -> Result<Self> {
        let file = match folder.map(tempfile::tempfile_in) {
            Some(Ok(file)) => file,
            _ => tempfile::tempfile()
                .map_err(|e| Error::io("temporary folder", "cannot make a file for new digests", e))?,
        };
        Ok(Own {
            set,
            tables: (0..TABLES).map(|_| Table::default()).collect(),
            count: 0,
            capacity: (bytes / COST).min(u64::from(u32::MAX) - 1),
            file,
            tail: Vec::new(),
            written: 0,
        })
    }

    /// Adds a chunk that was not found; says whether there was room.
    pub(super) fn add(&mut self, digest: &Digest, segment: u32, index: u32) -> Result<bool> {
        if self.count == self.capacity {
            return Ok(false);
        }
        let (table, tag) = place(digest);
        self.tables[table].add(tag, self.count as u32);
        self.count += 1;
        if self.tail.len() == TAIL {
            self.file
                .write_all_at(&self.tail, self.written)
                .map_err(|e| Error::io("temporary file of new digests", "cannot write", e))?;
            self.written += TAIL as u64;
            self.tail.clear();
        }
        self.tail.extend_from_slice(digest);
        self.tail.extend_from_slice(&segment.to_le_bytes());
        self.tail.extend_from_slice(&index.to_le_bytes());
        Ok(true)
    }

    /// The name of a chunk of this run.
    pub(super) fn find(&self, digest: &Digest) -> Result<Option<Name>> {
        let (table, tag) = place(digest);
        for number in self.tables[table].numbers(tag) {
            let record = self.record(number)?;
            let (found, name) = record.split_at(size_of::<Digest>());
            if found == digest {
                let word = |at| u32::from_le_bytes([name[at], name[at + 1], name[at + 2], name[at + 3]]);
                return Ok(Some(Name { set: self.set, segment: word(0), index: word(4) }));
            }
        }
        Ok(None)
    }

    fn record(&self, number: u32) -> Result<[u8; RECORD]> {
        let at = u64::from(number) * RECORD as u64;
        let mut record = [0; RECORD];
        match at.checked_sub(self.written) {
            Some(at) => record.copy_from_slice(&self.tail[at as usize..at as usize + RECORD]),
            None => self
                .file
                .read_exact_at(&mut record, at)
                .map_err(|e| Error::io("temporary file of new digests", "cannot read", e).at(at))?,
        }
        Ok(record)
    }

    /// Bytes of memory that the tables take.
    #[cfg(test)]
    fn bytes(&self) -> usize {
        self.tables.iter().map(|table| table.slots.len() * size_of::<u64>()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_chunks_are_found_as_many_as_there_is_room_for() {
        let digest = |i: u32| crate::digest::of(&i.to_le_bytes());
        let room = 100_000;
        let mut own = Own::new(7, room * COST + COST - 1, None).unwrap();
        let name = |i| Name { set: 7, segment: i / 1000, index: i % 1000 };
        for i in 0..120_000u32 {
            assert_eq!(own.add(&digest(i), i / 1000, i % 1000).unwrap(), u64::from(i) < room);
            assert_eq!(own.find(&digest(i / 2)).unwrap(), (u64::from(i / 2) < room).then(|| name(i / 2)));
        }
        assert_eq!(own.find(&digest(100_000)).unwrap(), None);
        assert!(own.bytes() as u64 <= room * COST, "{}", own.bytes());
    }

    #[test]
    fn digests_that_share_their_tag_keep_their_own_names() {
        let mut own = Own::new(1, 1 << 20, None).unwrap();
        let digest = |i: u8| {
            let mut digest = [5; 32];
            digest[31] = i;
            digest
        };
        for i in 0..100 {
            assert!(own.add(&digest(i), 3, u32::from(i)).unwrap());
        }
        for i in 0..100 {
            let name = Name { set: 1, segment: 3, index: u32::from(i) };
            assert_eq!(own.find(&digest(i)).unwrap(), Some(name));
        }
        assert_eq!(own.find(&digest(100)).unwrap(), None);
        assert!(Own::new(1, COST - 1, None).unwrap().find(&digest(0)).unwrap().is_none());
    }
}

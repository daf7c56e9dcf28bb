//! A run of the index: the entries of some consecutive sets in one file that never changes, in order of fingerprints.
//!
//! | part | bytes |
//! | --- | --- |
//! | blocks | 4096 each: up to 204 entries of 20 bytes, zeros, CRC-32C of all before |
//! | directory | 8 for each block: its first fingerprint |
//! | filter | 64 for each of its blocks ([`filter`]) |
//! | foot | 96: who it belongs to, counts, CRC-32C of directory, filter and foot |
//!
//! Foot, directory and filter are checked when the file is opened, a block each time that it is read: what is found in a run is
//! right, or the run says that it is damaged and is made again from the catalogs.

use super::Name;
use super::filter;
use super::sort::{Entries, Entry, RawEntry};
use crate::digest::Digest;
use crate::error::{Class, Error, Result};
use crate::pool::mmap::MappedFile;
use std::borrow::Cow;
use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use zerocopy::little_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

const MAGIC: [u8; 8] = *b"REELIDX\x01";
const BLOCK: usize = 4096;
const BLOCK_BODY: usize = BLOCK - 4;
const PER_BLOCK: usize = BLOCK_BODY / size_of::<RawEntry>();
const WORD: usize = size_of::<u64>();
/// Bytes that are gathered before they are written.
const BUFFER: usize = 256 << 10;

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned, Clone, Copy)]
#[repr(C)]
struct Foot {
    magic: [u8; 8],
    identity: Digest,
    entries: U64,
    /// Entries whose fingerprint the one before has as well.
    repeats: U64,
    blocks: U64,
    filter_blocks: U64,
    first_set: U32,
    last_set: U32,
    directory_crc: U32,
    filter_crc: U32,
    reserved: U32,
    crc: U32,
}
const _: () = assert!(size_of::<Foot>() == 96);

impl Foot {
    fn crc(&self) -> u32 {
        crc32c::crc32c(Foot { crc: 0.into(), ..*self }.as_bytes())
    }

    fn directory_at(&self) -> Option<u64> {
        self.blocks.get().checked_mul(BLOCK as u64)
    }

    fn filter_at(&self) -> Option<u64> {
        self.directory_at()?.checked_add(self.blocks.get().checked_mul(WORD as u64)?)
    }

    fn at(&self) -> Option<u64> {
        self.filter_at()?.checked_add(self.filter_blocks.get().checked_mul(filter::BLOCK as u64)?)
    }
}

/// The file is damaged, or can no longer be read.
#[derive(Debug)]
pub(super) struct Damaged;

/// A run, open to be asked.
pub(super) struct Run {
    file: MappedFile,
    foot: Foot,
    directory_at: u64,
    filter_at: u64,
}

impl Run {
    /// Opens a file whose foot, directory and filter are right and that was made of the catalogs of this identity.
    pub(super) fn open(file: File, identity: &Digest) -> Option<Run> {
        let file = MappedFile::new(file).ok()?;
        let foot_at = file.len().checked_sub(size_of::<Foot>() as u64)?;
        let foot = Foot::read_from_bytes(&file.read(foot_at, size_of::<Foot>()).ok()?).ok()?;
        let (directory_at, filter_at) = (foot.directory_at()?, foot.filter_at()?);
        if foot.magic != MAGIC
            || foot.crc() != foot.crc.get()
            || foot.identity != *identity
            || foot.at() != Some(foot_at)
        {
            return None;
        }
        let is_right = |range: Range<u64>, expected: U32| {
            let mut crc = 0;
            for at in range.clone().step_by(BUFFER) {
                let length = (range.end - at).min(BUFFER as u64);
                crc = crc32c::crc32c_append(crc, &file.read(at, length as usize).ok()?);
            }
            (crc == expected.get()).then_some(())
        };
        is_right(directory_at..filter_at, foot.directory_crc)?;
        is_right(filter_at..foot_at, foot.filter_crc)?;
        Some(Run { file, foot, directory_at, filter_at })
    }

    /// The first and the last set that it is about.
    pub(super) fn sets(&self) -> (u32, u32) {
        (self.foot.first_set.get(), self.foot.last_set.get())
    }

    /// Entries.
    pub(super) fn len(&self) -> u64 {
        self.foot.entries.get()
    }

    /// May two entries be about the same digest?
    pub(super) fn repeats(&self) -> bool {
        self.foot.repeats.get() > 0
    }

    /// Can this fingerprint be in the run, as far as the filter knows?
    pub(super) fn may_hold(&self, fingerprint: u64) -> bool {
        let blocks = self.foot.filter_blocks.get();
        if blocks == 0 {
            return self.len() > 0;
        }
        let at = self.filter_at + filter::block_of(fingerprint, blocks) * filter::BLOCK as u64;
        // What cannot be read is asked of the blocks, which say so.
        self.file.read(at, filter::BLOCK).map_or(true, |block| filter::may_hold(&block, fingerprint))
    }

    /// Appends the names of a fingerprint to `names`, the newest first.
    pub(super) fn find(&self, fingerprint: u64, names: &mut Vec<Name>) -> std::result::Result<(), Damaged> {
        let (mut low, mut high) = (0, self.foot.blocks.get());
        // The first block that begins with this fingerprint or one behind it; the one before may end with it.
        while low < high {
            let middle = u64::midpoint(low, high);
            if self.first_of(middle)? < fingerprint { low = middle + 1 } else { high = middle }
        }
        for block in low.saturating_sub(1)..self.foot.blocks.get() {
            let bytes = self.block(block)?;
            let entries = self.entries_in(block, &bytes)?;
            let from = entries.partition_point(|entry| entry.fingerprint.get() < fingerprint);
            let here = entries[from..].iter().take_while(|entry| entry.fingerprint.get() == fingerprint);
            let before = names.len();
            names.extend(here.map(|raw| Entry::from(*raw).name.0));
            if from + (names.len() - before) < entries.len() {
                break;
            }
        }
        Ok(())
    }

    fn first_of(&self, block: u64) -> std::result::Result<u64, Damaged> {
        let word = self.file.read(self.directory_at + block * WORD as u64, WORD).map_err(|_| Damaged)?;
        word.first_chunk().map(|word| u64::from_le_bytes(*word)).ok_or(Damaged)
    }

    /// A block whose CRC is right.
    fn block(&self, number: u64) -> std::result::Result<Cow<'_, [u8]>, Damaged> {
        let bytes = self.file.read(number * BLOCK as u64, BLOCK).map_err(|_| Damaged)?;
        let is_right = bytes[BLOCK_BODY..] == crc32c::crc32c(&bytes[..BLOCK_BODY]).to_le_bytes();
        if is_right { Ok(bytes) } else { Err(Damaged) }
    }

    fn entries_in<'a>(&self, block: u64, bytes: &'a [u8]) -> std::result::Result<&'a [RawEntry], Damaged> {
        let count = (self.len().saturating_sub(block * PER_BLOCK as u64)).min(PER_BLOCK as u64);
        let found = <[RawEntry]>::ref_from_prefix_with_elems(bytes, count as usize);
        found.map(|(entries, _)| entries).map_err(|_| Damaged)
    }

    /// All entries, in order; the first failure is the last.
    pub(super) fn entries(&self) -> Entries<'_> {
        let mut block = 0;
        let mut read = Vec::new().into_iter();
        Box::new(std::iter::from_fn(move || {
            if let Some(entry) = read.next() {
                return Some(Ok(entry));
            }
            if block == self.foot.blocks.get() {
                return None;
            }
            let found = self.block(block).and_then(|bytes| {
                Ok(self.entries_in(block, &bytes)?.iter().map(|raw| Entry::from(*raw)).collect::<Vec<_>>())
            });
            match found {
                Ok(found) => {
                    block += 1;
                    read = found.into_iter();
                    read.next().map(Ok)
                }
                Err(Damaged) => {
                    block = self.foot.blocks.get();
                    Some(Err(Error::new(Class::Checksum, "index", "a block of a run is damaged")))
                }
            }
        }))
    }
}

/// Bytes that are written one after the other from some place of a file on.
struct Part<'a> {
    file: &'a File,
    at: u64,
    waiting: Vec<u8>,
    crc: u32,
}

impl<'a> Part<'a> {
    fn new(file: &'a File, at: u64) -> Self {
        Part { file, at, waiting: Vec::new(), crc: 0 }
    }

    fn append(&mut self, bytes: &[u8]) -> Result<()> {
        self.crc = crc32c::crc32c_append(self.crc, bytes);
        self.waiting.extend_from_slice(bytes);
        if self.waiting.len() >= BUFFER { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<()> {
        self.file
            .write_all_at(&self.waiting, self.at)
            .map_err(|e| Error::io("index", "cannot write", e).at(self.at))?;
        self.at += self.waiting.len() as u64;
        self.waiting.clear();
        Ok(())
    }
}

/// What a run is made of.
pub(super) struct Contents<'a> {
    /// What says of which catalogs it was made.
    pub identity: Digest,
    /// The first and the last set.
    pub sets: (u32, u32),
    /// Number of the entries.
    pub count: u64,
    /// Is there a filter?
    pub filtered: bool,
    /// The entries, in order.
    pub entries: Entries<'a>,
}

/// Writes a run to an empty file.
pub(super) fn write(file: &File, contents: Contents<'_>) -> Result<()> {
    let blocks = contents.count.div_ceil(PER_BLOCK as u64);
    let filter_blocks = if contents.filtered { filter::blocks(contents.count) } else { 0 };
    let mut foot = Foot {
        magic: MAGIC,
        identity: contents.identity,
        entries: contents.count.into(),
        repeats: 0.into(),
        blocks: blocks.into(),
        filter_blocks: filter_blocks.into(),
        first_set: contents.sets.0.into(),
        last_set: contents.sets.1.into(),
        directory_crc: 0.into(),
        filter_crc: 0.into(),
        reserved: 0.into(),
        crc: 0.into(),
    };
    let directory_at = blocks * BLOCK as u64;
    let filter_at = directory_at + blocks * WORD as u64;
    let mut table = Part::new(file, 0);
    let mut directory = Part::new(file, directory_at);
    let mut filter = Part::new(file, filter_at);
    let mut block = Vec::with_capacity(BLOCK);
    let (mut filter_block, mut filter_number) = ([0; filter::BLOCK], 0);
    let mut before = None;
    let mut repeats = 0;
    for entry in contents.entries {
        let entry = entry?;
        let fingerprint = entry.fingerprint;
        repeats += u64::from(before == Some(fingerprint));
        before = Some(fingerprint);
        if block.is_empty() {
            directory.append(&fingerprint.to_le_bytes())?;
        }
        block.extend_from_slice(RawEntry::from(entry).as_bytes());
        if block.len() == PER_BLOCK * size_of::<RawEntry>() {
            close_block(&mut block, &mut table)?;
        }
        if filter_blocks > 0 {
            while filter_number < filter::block_of(fingerprint, filter_blocks) {
                filter.append(&filter_block)?;
                filter_block = [0; filter::BLOCK];
                filter_number += 1;
            }
            filter::add(&mut filter_block, fingerprint);
        }
    }
    if !block.is_empty() {
        close_block(&mut block, &mut table)?;
    }
    while filter_number < filter_blocks {
        filter.append(&filter_block)?;
        filter_block = [0; filter::BLOCK];
        filter_number += 1;
    }
    for part in [&mut table, &mut directory, &mut filter] {
        part.flush()?;
    }
    foot.repeats = repeats.into();
    foot.directory_crc = directory.crc.into();
    foot.filter_crc = filter.crc.into();
    foot.crc = foot.crc().into();
    let mut end = Part::new(file, filter.at);
    end.append(foot.as_bytes())?;
    end.flush()
}

fn close_block(block: &mut Vec<u8>, table: &mut Part<'_>) -> Result<()> {
    block.resize(BLOCK_BODY, 0);
    block.extend_from_slice(&crc32c::crc32c(block).to_le_bytes());
    table.append(block)?;
    block.clear();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cmp::Reverse;

    fn run_of(entries: &[Entry], filtered: bool) -> (Run, File) {
        let file = tempfile::tempfile().unwrap();
        let contents = Contents {
            identity: [7; 32],
            sets: (1, 2),
            count: entries.len() as u64,
            filtered,
            entries: Box::new(entries.iter().map(|e| Ok(*e))),
        };
        write(&file, contents).unwrap();
        let run = Run::open(file.try_clone().unwrap(), &[7; 32]).unwrap();
        (run, file)
    }

    fn entries(count: u32) -> Vec<Entry> {
        let mut entries: Vec<_> = (0..count)
            .map(|i| {
                // Every hundredth is one of a long row of equal fingerprints, which spans blocks.
                let digest = crate::digest::of(&(if i % 3 == 0 { 0 } else { i }).to_le_bytes());
                Entry {
                    fingerprint: u64::from_le_bytes(*digest.first_chunk().unwrap()),
                    name: Reverse(Name { set: 1 + i % 2, segment: 4, index: i }),
                }
            })
            .collect();
        entries.sort();
        entries
    }

    #[test]
    fn every_entry_is_found_newest_first_and_read_in_order() {
        for (count, filtered) in [(0, true), (1, true), (203, false), (204, true), (205, true), (3_000, true)]
        {
            let entries = entries(count);
            let (run, _) = run_of(&entries, filtered);
            assert_eq!((run.len(), run.sets()), (u64::from(count), (1, 2)));
            assert_eq!(run.entries().collect::<Result<Vec<_>>>().unwrap(), entries);
            for entry in &entries {
                assert!(run.may_hold(entry.fingerprint));
                let mut names = Vec::new();
                run.find(entry.fingerprint, &mut names).unwrap();
                let expected = entries.iter().filter(|e| e.fingerprint == entry.fingerprint);
                assert_eq!(names, expected.map(|e| e.name.0).collect::<Vec<_>>());
            }
            for absent in [0, 1, u64::MAX, 1 << 63] {
                let mut names = Vec::new();
                run.find(absent, &mut names).unwrap();
                assert!(names.is_empty());
            }
            assert_eq!(run.repeats(), count > 3);
        }
    }

    #[test]
    fn no_damaged_byte_changes_an_answer() {
        let entries = entries(500);
        let (_, file) = run_of(&entries, true);
        let length = file.metadata().unwrap().len();
        let mut whole = vec![0; length as usize];
        file.read_exact_at(&mut whole, 0).unwrap();
        for at in (0..whole.len()).step_by(11).chain(whole.len() - 120..whole.len()) {
            let mut bad = whole.clone();
            bad[at] ^= 0x10;
            let file = tempfile::tempfile().unwrap();
            file.write_all_at(&bad, 0).unwrap();
            let Some(run) = Run::open(file, &[7; 32]) else { continue };
            for entry in entries.iter().step_by(5) {
                let mut names = Vec::new();
                if run.may_hold(entry.fingerprint) && run.find(entry.fingerprint, &mut names).is_ok() {
                    let expected = entries.iter().filter(|e| e.fingerprint == entry.fingerprint);
                    assert_eq!(names, expected.map(|e| e.name.0).collect::<Vec<_>>(), "byte {at}");
                } else {
                    assert!(run.may_hold(entry.fingerprint), "byte {at}");
                }
            }
        }
        for short in [0, 1, 95, 96, 4096, whole.len() - 1] {
            let file = tempfile::tempfile().unwrap();
            file.write_all_at(&whole[..short], 0).unwrap();
            assert!(Run::open(file, &[7; 32]).is_none());
        }
        assert!(Run::open(file, &[8; 32]).is_none());
    }
}

//! The frames behind a stream: fetched in medium order, unpacked, checked, and kept within a bound.

use super::ReadAtStats;
use super::kept::Kept;
use super::runs::{Runs, Stretch};
use crate::error::{Class, Error, Result};
use crate::frame::{FrameDecoder, check_chunks};
use crate::memory::Memory;
use crate::pool::Pool;
use crate::restore::fetch::{Home, Volumes, unpack};
use reel_tape::layout::segment::{FrameEntry, Segment};
use std::collections::{HashSet, VecDeque};
use std::io;
use std::ops::Range;
use std::sync::Arc;

/// Shortest gap between two frames that is located over and not read through, in bytes: a disk that holds images reads
/// that much in about the time of one movement of its arm, a few milliseconds. Real drives will have a far longer one.
const BREAK_EVEN: u64 = 1 << 20;
/// Most ranges that are remembered for when there is room for them.
const MOST_AHEAD: usize = 1 << 16;

/// A segment, with what is computed from it.
pub struct Table {
    /// Its tables.
    pub segment: Segment,
    /// Where each chunk would begin if all of the segment stood together; one more than there are chunks.
    starts: Vec<u64>,
    home: Home,
    /// Place of the volume in the pool.
    volume: usize,
}

impl Table {
    fn start(&self, index: u32) -> u64 {
        let last = self.starts.last().copied().unwrap_or(0);
        self.starts.get(index as usize).copied().unwrap_or(last)
    }

    fn length(&self, index: u32) -> u64 {
        self.segment.chunks.get(index as usize).map_or(0, |chunk| u64::from(chunk.length.get()))
    }

    /// The chunk that holds byte `within` of a run of chunks (first, count) of `length` bytes, and the byte's place in it.
    /// `None` where the chunk's entry is lost with its frame.
    pub fn chunk_at(&self, chunks: (u32, u32), length: u64, within: u64) -> Option<(u32, u64)> {
        let (first, end) = (chunks.0, chunks.0.checked_add(chunks.1)?);
        let (begin, known_end) = (self.start(first), self.start(end));
        let missing = length.checked_sub(known_end - begin)?;
        // Lengths that are lost are 0: what stands before the first of them is placed from the front, what stands
        // behind the last from the back.
        let place = if missing == 0 || within < self.front(first, end) {
            begin + within
        } else if within >= self.known_again(chunks, length) {
            (begin + within).checked_sub(missing)?
        } else {
            return None;
        };
        let index = self.starts.partition_point(|start| *start <= place).checked_sub(1)? as u32;
        (first <= index && index < end).then(|| (index, place - self.start(index)))
    }

    /// Bytes of a run up to the first chunk whose length is lost.
    fn front(&self, first: u32, end: u32) -> u64 {
        let lost = (first..end).find(|index| self.length(*index) == 0).unwrap_or(end);
        self.start(lost) - self.start(first)
    }

    /// Byte of a run behind the last chunk whose length is lost.
    pub fn known_again(&self, chunks: (u32, u32), length: u64) -> u64 {
        let end = chunks.0.saturating_add(chunks.1);
        let lost = (chunks.0..end).rfind(|index| self.length(*index) == 0);
        let behind = lost.map_or(chunks.0, |lost| lost + 1);
        length.saturating_sub(self.start(end) - self.start(behind))
    }
}

/// The frame of a chunk, by the place of its segment and the index of its first chunk.
type Key = (u32, u32);

/// A frame as it was found.
struct Found {
    plain: Box<[u8]>,
    /// Chunks that do not have the digest that their segment says.
    bad: Vec<u32>,
    /// The frame's place, for messages.
    block: String,
}

/// A frame, or why there is none.
type Outcome = std::result::Result<Arc<Found>, String>;

/// A run of chunks of the stream.
#[derive(Clone, Copy)]
pub struct Run {
    /// Place of the segment among those of the runs.
    pub segment: u32,
    /// First chunk, and how many.
    pub chunks: (u32, u32),
    /// Where the run begins in the stream.
    pub at: u64,
    /// Its length in bytes.
    pub length: u64,
}

/// A frame that is to be fetched.
struct Wanted {
    /// Where it stands: place of the volume in the pool, object, byte in that.
    place: (usize, u64, u32),
    key: Key,
    entry: FrameEntry,
}

impl Wanted {
    fn new(key: Key, table: &Table, entry: FrameEntry) -> Self {
        Wanted { place: (table.volume, table.home.object(&entry), entry.offset.get()), key, entry }
    }
}

/// Frames of one stream.
pub struct Frames {
    pool: Arc<Pool>,
    volumes: Volumes,
    decoder: FrameDecoder,
    record: Vec<u8>,
    tables: Kept<u32, Arc<Table>>,
    kept: Kept<Key, Outcome>,
    /// What will be read soon, and did not fit.
    ahead: VecDeque<Range<u64>>,
    decoded: u64,
}

impl Frames {
    /// Frames of a stream in a pool.
    pub fn new(pool: &Arc<Pool>, memory: Memory) -> Result<Frames> {
        Ok(Frames {
            pool: pool.clone(),
            volumes: Volumes::new(pool.clone()),
            decoder: FrameDecoder::new()?,
            record: Vec::new(),
            tables: Kept::new(memory.tables()),
            kept: Kept::new(usize::try_from(memory.bytes() / 4).unwrap_or(usize::MAX)),
            ahead: VecDeque::new(),
            decoded: 0,
        })
    }

    /// What reading has cost so far.
    pub fn stats(&self) -> ReadAtStats {
        let read = self.volumes.stats();
        ReadAtStats { stored_bytes: read.read_bytes, locates: read.locates, frames: self.decoded }
    }

    /// The table of a segment, by its place among those of the runs.
    pub fn table(&mut self, runs: &Runs, place: u32) -> Result<Arc<Table>> {
        if let Some(table) = self.tables.get(place) {
            return Ok(table);
        }
        let gone = || Error::new(Class::Internal, "recipe", "names a segment that is not in the pool");
        let (set, number) = runs.segment(place).ok_or_else(gone)?;
        let catalog = self.pool.set(set).ok_or_else(gone)?;
        let segment = catalog.segment(number)?.ok_or_else(gone)?;
        let mut starts = Vec::with_capacity(segment.chunks.len() + 1);
        let mut next = 0u64;
        starts.push(0);
        for chunk in &segment.chunks {
            next += u64::from(chunk.length.get());
            starts.push(next);
        }
        let home = Home::of(catalog);
        let volume = self.pool.volumes.iter().position(|v| v.name == home.volume).unwrap_or(usize::MAX);
        let bytes = 48 * segment.chunks.len() + 24 * segment.frames.len() + 256;
        let table = Arc::new(Table { segment, starts, home, volume });
        self.tables.put(place, table.clone(), bytes);
        Ok(table)
    }

    /// Reads bytes of a run from `within` on, at most to the end of a chunk; answers how many.
    pub fn read(&mut self, runs: &Runs, run: &Run, within: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let bad = |what: String| io::Error::new(io::ErrorKind::InvalidData, what);
        let table = self.table(runs, run.segment).map_err(io::Error::other)?;
        let Some((index, begin)) = table.chunk_at(run.chunks, run.length, within) else {
            return Err(bad("its frame is lost and its segment was made again without it".into()));
        };
        let Some(entry) = table.segment.frame_of(index).copied() else {
            return Err(bad("its segment has no frame for it".into()));
        };
        let key = (run.segment, entry.first.get());
        let found = match self.kept.get(key) {
            Some(found) => found,
            None => self.miss(runs, run.at + within, Wanted::new(key, &table, entry))?,
        };
        let found = found.map_err(bad)?;
        if found.bad.binary_search(&index).is_ok() {
            let what = "the chunk does not have the digest that its segment says";
            return Err(bad(format!("{}: {what}", found.block)));
        }
        let chunk_at = table.start(index) - table.start(entry.first.get());
        let range = (chunk_at + begin) as usize..(chunk_at + table.length(index)) as usize;
        let bytes = found.plain.get(range).unwrap_or_default();
        let count = bytes.len().min(buffer.len());
        if count == 0 {
            return Err(bad(format!("{}: the frame ends before its chunk", found.block)));
        }
        buffer[..count].copy_from_slice(&bytes[..count]);
        Ok(count)
    }

    /// Ranges of the stream that will be read soon, in the order in which they will be.
    pub fn expect(&mut self, runs: &Runs, ranges: impl Iterator<Item = Range<u64>>) -> Result<()> {
        let mut expected: VecDeque<Range<u64>> = VecDeque::new();
        for range in ranges.filter(|range| !range.is_empty()) {
            match expected.back_mut() {
                Some(last) if last.end == range.start => last.end = range.end,
                _ => expected.push_back(range),
            }
        }
        let wanted = self.gather(runs, &mut expected)?;
        self.fetch(runs, wanted, None)?;
        // What was said before stays true: a reader looks something up elsewhere and then goes on.
        expected.append(&mut self.ahead);
        expected.truncate(MOST_AHEAD);
        self.ahead = expected;
        Ok(())
    }

    /// A frame that is not here. Where its reader said what it will read next, as much of that as fits comes with it.
    fn miss(&mut self, runs: &Runs, offset: u64, missed: Wanted) -> io::Result<Outcome> {
        let key = missed.key;
        let mut wanted = Vec::new();
        if let Some(at) = self.ahead.iter().position(|range| range.contains(&offset)) {
            self.ahead.drain(..at);
            if let Some(range) = self.ahead.front_mut() {
                range.start = offset;
            }
            let mut ahead = std::mem::take(&mut self.ahead);
            wanted = self.gather(runs, &mut ahead).map_err(io::Error::other)?;
            self.ahead = ahead;
        }
        if wanted.iter().all(|other| other.key != key) {
            wanted.push(missed);
        }
        let found = self.fetch(runs, wanted, Some(key)).map_err(io::Error::other)?;
        found.ok_or_else(|| io::Error::other("a frame that was fetched is not there"))
    }

    /// Takes from `ahead` what fits into half of the room, and gives the frames of it that are not here. The other half is
    /// for what is read besides.
    fn gather(&mut self, runs: &Runs, ahead: &mut VecDeque<Range<u64>>) -> Result<Vec<Wanted>> {
        let room = self.kept.limit() as u64 / 2;
        let mut wanted: Vec<Wanted> = Vec::new();
        let (mut taken, mut seen) = (0, HashSet::new());
        while let Some(range) = ahead.pop_front() {
            for (at, length, stretch) in runs.from(range.start) {
                if at >= range.end {
                    break;
                }
                let Stretch::Data { segment, first, count } = stretch else { continue };
                let table = self.table(runs, segment)?;
                let mut within = range.start.saturating_sub(at);
                let until = length.min(range.end - at);
                while within < until {
                    let Some((index, inside)) = table.chunk_at((first, count), length, within) else { break };
                    let Some(entry) = table.segment.frame_of(index).copied() else { break };
                    let (key, end) = ((segment, entry.first.get()), entry.first.get() + entry.count.get());
                    let bytes = table.start(end) - table.start(entry.first.get());
                    if !seen.contains(&key) {
                        if taken + bytes > room && taken > 0 {
                            ahead.push_front(at + within..range.end);
                            return Ok(wanted);
                        }
                        taken += bytes;
                        seen.insert(key);
                        if self.kept.get(key).is_none() {
                            wanted.push(Wanted::new(key, &table, entry));
                        }
                    }
                    // On to what stands behind the frame.
                    within += table.start(end) - table.start(index) - inside;
                }
            }
        }
        Ok(wanted)
    }

    /// Fetches frames in the order in which they stand, and gives the one that is asked for.
    fn fetch(&mut self, runs: &Runs, mut wanted: Vec<Wanted>, asked: Option<Key>) -> Result<Option<Outcome>> {
        wanted.sort_by_key(|wanted| wanted.place);
        let mut answer = None;
        for Wanted { key, entry, .. } in wanted {
            let table = self.table(runs, key.0)?;
            let found = self.frame(&table, &entry).map(Arc::new);
            let bytes = found.as_ref().map_or(0, |found| found.plain.len());
            if asked == Some(key) {
                answer = Some(found.clone());
            }
            self.kept.put(key, found, bytes + 256);
        }
        Ok(answer)
    }

    /// Reads and checks one frame; what fails is said in a sentence that names volume and block.
    fn frame(&mut self, table: &Table, entry: &FrameEntry) -> std::result::Result<Found, String> {
        self.volumes.approach(&table.home, entry, BREAK_EVEN);
        self.record.clear();
        let range = self.volumes.record(&table.home, entry, &mut self.record)?;
        let block = format!("{}: object {}", table.home.volume, table.home.object(entry));
        let record = self.record.get(range).unwrap_or_default();
        let plain = unpack(&mut self.decoder, record, &table.segment, entry)
            .map_err(|why| format!("{block}: {why}"))?;
        self.decoded += 1;
        let (first, end) = (entry.first.get(), entry.first.get() + entry.count.get());
        let base = table.start(first);
        let chunk = |index: u32| {
            let range = (table.start(index) - base) as usize..(table.start(index + 1) - base) as usize;
            table.segment.chunks.get(index as usize).zip(plain.get(range))
        };
        let good = check_chunks((first..end).map(chunk));
        let bad = (first..end).zip(good).filter_map(|(index, good)| (!good).then_some(index)).collect();
        Ok(Found { plain: plain.into(), bad, block })
    }
}

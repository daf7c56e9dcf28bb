//! One stream of a set, read anywhere: a database can be opened where it lies in the pool.
//!
//! What was read is checked as a restore checks it (block CRC, frame digest, chunk digest; the stream's root against the
//! catalogs when it is opened). Damage costs the bytes that it hits: all others can still be read.

mod frames;
mod kept;
mod near;
mod runs;

use crate::attributes::NodeKind;
use crate::digest::Digest;
use crate::error::{Class, Error, Result};
use crate::memory::Memory;
use crate::plan::{StreamPlan, walk};
use crate::pool::{Catalog, Pool};
use frames::Frames;
use reel_formats::ese::database::DatabaseFile;
use reel_tape::layout::recipe::StreamHead;
use runs::{Runs, Stretch};
use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

/// What reading parts of a stream has cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ReadAtStats {
    /// Bytes of the blocks that were read from the volumes.
    pub stored_bytes: u64,
    /// Reads that did not follow the one before.
    pub locates: u64,
    /// Frames unpacked and checked.
    pub frames: u64,
}

/// A stream of a set, open to be read anywhere, from any thread.
pub struct StoredStream {
    set: u32,
    head: StreamHead,
    length: u64,
    /// Ranges that the catalogs alone say are lost, sorted.
    lost: Vec<Range<u64>>,
    runs: Runs,
    frames: Mutex<Frames>,
}

/// Bytes of a stream that follow each other, as the catalogs tell of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Promise {
    /// A chunk.
    Chunk(Digest),
    /// Zeros or a hole.
    Zeros,
    /// Not known: a frame and with it its chunks' entries are lost.
    Unknown,
}

impl StoredStream {
    /// Opens the stream `name` of a set: `latest`, its number, or its name. A hard link is the file that it names.
    ///
    /// Of the memory at most a quarter holds the recipe, a quarter frames, and a sixteenth tables of segments.
    ///
    /// # Errors
    /// When there is no such set, or no stream of this name with bytes in it (streams with a name near that are told);
    /// when the recipe does not come to its root, or does not fit into the memory.
    pub fn open(pool: &Arc<Pool>, set: &str, name: &[u8], memory: Memory) -> Result<StoredStream> {
        let catalog = pool.choose(set)?;
        let shown = String::from_utf8_lossy(name).into_owned();
        let mut found = plan(pool, catalog, name, memory)?;
        if let Some((stream, _)) = &found
            && stream.head.kind == NodeKind::HardLink
        {
            let first = stream.head.link.clone().unwrap_or_default();
            found = plan(pool, catalog, &first, memory)?;
        }
        let Some((stream, runs)) = found.filter(|(stream, _)| super::has_bytes(stream.head.kind)) else {
            return Err(Error::new(Class::Argument, shown, near::sentence(catalog, name)?));
        };
        if stream.root_differs {
            let sentence = "its chunks, put together as its recipe says, do not come to its root";
            return Err(Error::new(Class::Checksum, shown, sentence));
        }
        Ok(StoredStream {
            set: catalog.set(),
            head: stream.head,
            length: stream.length,
            lost: stream.lost,
            runs,
            frames: Mutex::new(Frames::new(pool, memory)?),
        })
    }

    /// Number of the set.
    pub fn set(&self) -> u32 {
        self.set
    }

    /// Name and attributes.
    pub fn head(&self) -> &StreamHead {
        &self.head
    }

    /// What reading has cost so far.
    pub fn stats(&self) -> ReadAtStats {
        self.frames.lock().unwrap_or_else(PoisonError::into_inner).stats()
    }

    /// What the catalogs promise of the chunks, zeros and lost bytes that begin in a range: offset, length and promise of
    /// each, in order; the first may begin before the range. No data is read.
    ///
    /// # Errors
    /// When a catalog cannot be read, and what `each` returns.
    pub fn promises(
        &self,
        range: Range<u64>,
        mut each: impl FnMut(u64, u64, Promise) -> Result<()>,
    ) -> Result<()> {
        let mut frames = self.frames.lock().unwrap_or_else(PoisonError::into_inner);
        for (at, length, stretch) in self.runs.from(range.start) {
            if at >= range.end {
                break;
            }
            let Stretch::Data { segment, first, count } = stretch else {
                let (begin, end) = (at.max(range.start), (at + length).min(range.end));
                self.nothing(begin..end, &mut each)?;
                continue;
            };
            let table = frames.table(&self.runs, segment)?;
            let mut within = range.start.saturating_sub(at);
            while within < length && at + within < range.end {
                match table.chunk_at((first, count), length, within) {
                    Some((index, begin)) => {
                        let Some(chunk) = table.segment.chunks.get(index as usize) else { break };
                        let chunk_length = u64::from(chunk.length.get());
                        each(at + within - begin, chunk_length, Promise::Chunk(chunk.digest))?;
                        within += chunk_length - begin;
                    }
                    None => {
                        // Up to where chunks have their places again.
                        let known = table.known_again((first, count), length);
                        let known = if known > within { known } else { length };
                        each(at + within, known - within, Promise::Unknown)?;
                        within = known;
                    }
                }
            }
        }
        Ok(())
    }

    /// A stretch without chunks, taken apart into zeros and what is lost.
    fn nothing(
        &self,
        range: Range<u64>,
        each: &mut impl FnMut(u64, u64, Promise) -> Result<()>,
    ) -> Result<()> {
        let mut at = range.start;
        while at < range.end {
            let lost = self.lost.get(self.lost.partition_point(|lost| lost.end <= at));
            let lost = lost.filter(|lost| lost.start < range.end);
            let (end, promise) = match lost {
                Some(lost) if lost.start <= at => (lost.end.min(range.end), Promise::Unknown),
                Some(lost) => (lost.start, Promise::Zeros),
                None => (range.end, Promise::Zeros),
            };
            each(at, end - at, promise)?;
            at = end;
        }
        Ok(())
    }

    /// Is some byte of the range lost, and which ones are they?
    fn lost_in(&self, range: &Range<u64>) -> Option<&Range<u64>> {
        let lost = self.lost.get(self.lost.partition_point(|lost| lost.end <= range.start));
        lost.filter(|lost| lost.start < range.end)
    }
}

/// The plan of one stream, and its runs.
fn plan(
    pool: &Arc<Pool>,
    catalog: &Arc<Catalog>,
    name: &[u8],
    memory: Memory,
) -> Result<Option<(StreamPlan, Runs)>> {
    let mut runs = Runs::new(usize::try_from(memory.bytes() / 4).unwrap_or(usize::MAX));
    let mut found = None;
    let is_wanted = |head: &StreamHead| head.name == name;
    walk(
        pool,
        catalog,
        memory,
        is_wanted,
        |extent| if extent.target == 0 { runs.push(&extent) } else { Ok(()) },
        |stream| {
            found.get_or_insert(stream);
            Ok(())
        },
    )?;
    let Some(stream) = found else { return Ok(None) };
    runs.finish(stream.length)?;
    Ok(Some((stream, runs)))
}

impl DatabaseFile for StoredStream {
    fn len(&self) -> u64 {
        self.length
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let rest = usize::try_from(self.length.saturating_sub(offset)).unwrap_or(usize::MAX);
        let wanted = rest.min(buffer.len());
        let buffer = buffer.get_mut(..wanted).unwrap_or_default();
        if buffer.is_empty() {
            return Ok(0);
        }
        if let Some(lost) = self.lost_in(&(offset..offset + buffer.len() as u64)) {
            let sentence = format!("bytes {} to {} are lost with their catalog", lost.start, lost.end);
            return Err(io::Error::new(io::ErrorKind::InvalidData, sentence));
        }
        let mut frames = self.frames.lock().unwrap_or_else(PoisonError::into_inner);
        let mut filled = 0;
        for (at, length, stretch) in self.runs.from(offset) {
            while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
                let within = offset + filled as u64 - at;
                if within >= length {
                    break;
                }
                let most = usize::try_from(length - within).unwrap_or(usize::MAX).min(rest.len());
                let rest = rest.get_mut(..most).unwrap_or_default();
                filled += match stretch {
                    Stretch::Nothing => {
                        rest.fill(0);
                        most
                    }
                    Stretch::Data { segment, first, count } => {
                        let run = frames::Run { segment, chunks: (first, count), at, length };
                        frames.read(&self.runs, &run, within, rest)?
                    }
                };
            }
            if filled == buffer.len() {
                break;
            }
        }
        Ok(filled)
    }

    fn expect(&self, ranges: &[Range<u64>]) -> io::Result<()> {
        let clipped = ranges.iter().map(|range| range.start..range.end.min(self.length));
        let mut frames = self.frames.lock().unwrap_or_else(PoisonError::into_inner);
        frames.expect(&self.runs, clipped).map_err(io::Error::other)
    }
}

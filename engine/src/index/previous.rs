//! The previous recipe of a stream: what its chunks were when it was last backed up, read in order beside the stream.

use super::Name;
use super::runs::{IndexedSets, Kind, Runs, fingerprint, stream_of};
use crate::digest::{self, Digest};
use crate::error::Result;
use crate::pool::Pool;
use crate::pool::catalog::Fragments;
use reel_tape::layout::recipe::{Cut, Run};
use reel_tape::layout::segment::Segment;
use std::collections::{HashMap, VecDeque};
use std::ops::Range;
use std::sync::Arc;

/// A chunk of an earlier version of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// Where it begins in the stream.
    pub offset: u64,
    /// Its length in bytes.
    pub length: u32,
    /// Its digest.
    pub digest: Digest,
    /// Its name.
    pub name: Name,
}

/// Tables of segments, the latest ones kept within a bound.
pub struct SegmentTables {
    pool: Arc<Pool>,
    tables: HashMap<(u32, u32), Option<Arc<Segment>>>,
    order: VecDeque<(u32, u32)>,
    bytes: usize,
    limit: usize,
}

impl SegmentTables {
    /// Tables of the sets of a pool, of which about `limit` bytes are kept.
    pub fn new(pool: Arc<Pool>, limit: usize) -> Self {
        SegmentTables { pool, tables: HashMap::new(), order: VecDeque::new(), bytes: 0, limit }
    }

    /// The table of a segment; `None` where the pool has none.
    pub fn get(&mut self, set: u32, segment: u32) -> Result<Option<Arc<Segment>>> {
        let key = (set, segment);
        if let Some(table) = self.tables.get(&key) {
            return Ok(table.clone());
        }
        let table = match self.pool.set(set) {
            Some(catalog) => catalog.segment(segment)?.map(Arc::new),
            None => None,
        };
        self.bytes += table_bytes(table.as_deref());
        while self.bytes > self.limit
            && let Some(oldest) = self.order.pop_front()
        {
            let dropped = self.tables.remove(&oldest).flatten();
            self.bytes -= table_bytes(dropped.as_deref());
        }
        self.tables.insert(key, table.clone());
        self.order.push_back(key);
        Ok(table)
    }
}

fn table_bytes(table: Option<&Segment>) -> usize {
    128 + table.map_or(0, |t| 40 * t.chunks.len() + 24 * t.frames.len())
}

/// The previous recipes of a pool, by stream name.
pub struct PreviousRecipes {
    streams: Runs,
    names: Vec<Name>,
    tables: SegmentTables,
}

impl PreviousRecipes {
    /// The recipes of the complete sets; tables of segments take up to `limit` bytes.
    ///
    /// # Errors
    /// When catalogs cannot be read, or what is missing cannot be written anywhere.
    pub fn open(pool: Arc<Pool>, limit: usize) -> Result<Self> {
        let streams = Runs::open(Kind::Streams, IndexedSets::from(&*pool), 0)?;
        Ok(PreviousRecipes { streams, names: Vec::new(), tables: SegmentTables::new(pool, limit) })
    }

    /// The recipe of a name's newest version.
    ///
    /// # Errors
    /// When a cached catalog turns out to be damaged, or a file of the index cannot be read.
    pub fn find(&mut self, name: &[u8]) -> Result<Option<Cursor>> {
        let fingerprint = fingerprint(&digest::of(name));
        for number in (0..self.streams.len()).rev() {
            self.streams.find(number, fingerprint, &mut self.names)?;
            for found in &self.names {
                let Some(catalog) = self.streams.catalog(found.set) else { continue };
                let stream = stream_of(*found);
                let first = catalog.fragments(stream).next().transpose()?;
                if first.and_then(|first| first.head).is_some_and(|head| head.name == name) {
                    return Ok(Some(Cursor::new(catalog.fragments(stream), stream)));
                }
            }
        }
        Ok(None)
    }

    /// Appends to `known` the chunks of `cursor` that begin in `range`; of those that begin before it none is asked for again. Where the
    /// recipe cannot be read on, it ends.
    pub fn window(&mut self, cursor: &mut Cursor, range: Range<u64>, known: &mut Vec<Known>) -> Result<()> {
        while cursor.kept.pop_front_if(|k| k.offset < range.start).is_some() {}
        while !cursor.ended && cursor.kept.back().is_none_or(|k| k.offset < range.end) {
            match cursor.advance(&mut self.tables)? {
                Some(chunk) if chunk.offset < range.start => {}
                Some(chunk) => cursor.kept.push_back(chunk),
                None => cursor.ended = true,
            }
        }
        known.extend(cursor.kept.iter().take_while(|k| k.offset < range.end));
        Ok(())
    }
}

/// Where reading a previous recipe has come to.
pub struct Cursor {
    fragments: Fragments,
    stream: u32,
    cut: Cut,
    runs: std::vec::IntoIter<Run>,
    /// Where the next chunk begins.
    offset: u64,
    /// The data run that is being taken apart: its segment's table, the name of the next chunk, chunks left.
    begun: Option<(Arc<Segment>, Name, u32)>,
    /// Chunks that were read and may be asked for again.
    kept: VecDeque<Known>,
    /// There is nothing more to read.
    ended: bool,
}

impl Cursor {
    fn new(fragments: Fragments, stream: u32) -> Cursor {
        Cursor {
            fragments,
            stream,
            cut: Cut::Content,
            runs: Vec::new().into_iter(),
            offset: 0,
            begun: None,
            kept: VecDeque::new(),
            ended: false,
        }
    }

    /// How the stream was cut; known once a window was read.
    pub fn cut(&self) -> Cut {
        self.cut
    }

    fn advance(&mut self, tables: &mut SegmentTables) -> Result<Option<Known>> {
        loop {
            if let Some((table, name, left)) = &mut self.begun
                && *left > 0
            {
                let Some(entry) = table.chunks.get(name.index as usize) else { return Ok(None) };
                let known = Known {
                    offset: self.offset,
                    length: entry.length.get(),
                    digest: entry.digest,
                    name: *name,
                };
                self.offset += u64::from(known.length);
                name.index += 1;
                *left -= 1;
                return Ok(Some(known));
            }
            match self.runs.next() {
                Some(Run::Data { set, segment, first, count, .. }) => {
                    let Some(table) = tables.get(set, segment)? else { return Ok(None) };
                    self.begun = Some((table, Name { set, segment, index: first }, count));
                }
                Some(run) => self.offset += run.len(),
                None => match self.fragments.next() {
                    Some(fragment) => {
                        let fragment = fragment?;
                        if fragment.stream != self.stream || fragment.offset != self.offset {
                            return Ok(None);
                        }
                        self.cut = fragment.head.map_or(self.cut, |head| head.cut);
                        self.runs = fragment.runs.into_iter();
                    }
                    None => return Ok(None),
                },
            }
        }
    }
}

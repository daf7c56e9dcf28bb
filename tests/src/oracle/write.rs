//! The writer: piece by piece, chunk by chunk (`docs/format.md` sections 7 to 11).

use super::blocks::{Blocks, write_labels};
use super::cut::{self, Chunk, Content, Slice};
use super::{Digest, Known, Name, OraclePool, OracleRun, OracleStream, Result};
use reel_tape::layout::block::BlockKind;
use reel_tape::layout::catalog::{CatalogHead, Foreign};
use reel_tape::layout::frame::{Codec, Frame};
use reel_tape::layout::recipe::{Cut, Fragment, Run, StreamEnd, StreamHead};
use reel_tape::layout::record::{self, RecordKind};
use reel_tape::layout::segment::{ChunkEntry, FrameEntry, Segment};
use reel_tape::layout::set::{Checkpoint, End};
use reel_tape::layout::trailer::Trailer;
use reel_tape::medium::Medium;
use std::collections::{BTreeSet, HashMap};
use zerocopy::IntoBytes;
use zerocopy::little_endian::U32;
use zstd::zstd_safe::CParameter;

/// Most plain bytes of a frame; a fragments record closes when it has as many.
const GROUP: usize = 262_144;
/// Input at which a segment closes, in bytes, and new chunks at which it does.
const SEGMENT_INPUT: u64 = 64 << 20;
const SEGMENT_CHUNKS: usize = 65_536;

/// Writes the labels of a blank medium and the first set behind them.
pub fn write_volume(
    medium: &mut dyn Medium,
    pool: &mut OraclePool,
    run: &OracleRun,
    streams: &[OracleStream],
) -> Result<()> {
    write_labels(medium, run)?;
    append_set(medium, pool, run, streams)
}

/// Writes a set behind everything that stands on a medium, and makes it known to the pool.
pub fn append_set(
    medium: &mut dyn Medium,
    pool: &mut OraclePool,
    run: &OracleRun,
    streams: &[OracleStream],
) -> Result<()> {
    let chunks: Vec<Vec<Chunk>> = streams.iter().map(cut::chunks).collect();
    let mut set = Set {
        blocks: Blocks::new(medium, run)?,
        pool,
        run,
        segment: Segment { set: run.set_head.set, ..Segment::default() },
        fragments: Vec::new(),
        next_fragment: vec![0; streams.len()],
        recipes: vec![HashMap::new(); streams.len()],
        closed: Vec::new(),
        foreign: BTreeSet::new(),
        catalog: Vec::new(),
        new: 0,
        stored: 0,
        checkpoints: 0,
        checkpointed: 0,
    };
    set.header()?;
    for piece in cut::pieces(&chunks) {
        set.piece(streams, &chunks, &piece)?;
    }
    set.finish(streams)
}

struct Set<'a> {
    blocks: Blocks<'a>,
    pool: &'a mut OraclePool,
    run: &'a OracleRun,
    /// The open segment, and the fragments of its input by stream.
    segment: Segment,
    fragments: Vec<Fragment>,
    /// By stream: number of its next fragment, and its data chunks.
    next_fragment: Vec<u32>,
    recipes: Vec<HashMap<u64, Known>>,
    /// Where the frames of closed segments stand.
    closed: Vec<Foreign>,
    /// Segments of earlier sets that were named.
    foreign: BTreeSet<(u32, u32)>,
    /// Segment and fragments records as written.
    catalog: Vec<Vec<u8>>,
    /// Plain bytes of new chunks, and stored bytes of frames: in all, and when the last checkpoint was written.
    new: u64,
    stored: u64,
    checkpoints: u32,
    checkpointed: u64,
}

impl Set<'_> {
    fn header(&mut self) -> Result<()> {
        let mut head = Vec::new();
        record::append_plain(&mut head, RecordKind::Set, &[&self.run.set_head.encode()]);
        let mut records = vec![head];
        if let Some(state) = &self.run.pool_state {
            records.push(packed(RecordKind::PoolState, &state.encode()));
        }
        self.blocks.run(BlockKind::Header, &records)
    }

    fn piece(&mut self, streams: &[OracleStream], chunks: &[Vec<Chunk>], piece: &[Slice]) -> Result<()> {
        let mut new: Vec<&[u8]> = Vec::new();
        for slice in piece {
            let stream = &streams[slice.stream];
            let chunks = &chunks[slice.stream];
            let mut fragment = self.open_fragment(slice, stream, chunks);
            for chunk in &chunks[slice.chunks.clone()] {
                let run = match chunk.content {
                    Content::Zero => Run::Zero(chunk.length),
                    Content::Hole => Run::Hole(chunk.length),
                    Content::Data(digest) => {
                        let (name, is_new) = self.claim(slice.stream, &stream.head.name, chunk, digest);
                        if is_new {
                            new.push(&stream.bytes[chunk.offset as usize..][..chunk.length as usize]);
                        }
                        let Name { set, segment, index } = name;
                        Run::Data { set, segment, first: index, count: 1, length: chunk.length as u32 }
                    }
                };
                Run::push(&mut fragment.runs, run);
            }
            if slice.last {
                fragment.end = Some(StreamEnd {
                    length: cut::length(chunks),
                    root: cut::root(chunks),
                    changed: stream.changed,
                    pages: stream.page_report.clone(),
                });
            }
            self.fragments.push(fragment);
        }
        self.frames(&new)?;
        if self.segment.input >= SEGMENT_INPUT || self.segment.chunks.len() >= SEGMENT_CHUNKS {
            self.close_segment()?;
        }
        if self.stored - self.checkpointed >= self.run.set_head.checkpoint {
            self.checkpointed = self.stored;
            self.checkpoints += 1;
            let mark = Checkpoint::new(self.run.set_head.set, self.checkpoints, self.stored);
            self.blocks.mark(RecordKind::Checkpoint, mark.as_bytes())?;
            self.blocks.flush()?;
        }
        Ok(())
    }

    /// The fragment of a stream in the open segment: the last one, if that is the stream's, else a new one.
    fn open_fragment(&mut self, slice: &Slice, stream: &OracleStream, chunks: &[Chunk]) -> Fragment {
        let number = slice.stream as u32;
        if let Some(open) = self.fragments.pop_if(|last| last.stream == number) {
            return open;
        }
        let fragment = self.next_fragment[slice.stream];
        self.next_fragment[slice.stream] += 1;
        let cut = stream.pages.map_or(Cut::Content, Cut::Pages);
        Fragment {
            set: self.run.set_head.set,
            stream: number,
            fragment,
            offset: chunks.get(slice.chunks.start).map_or(0, |first| first.offset),
            runs: Vec::new(),
            head: (fragment == 0).then(|| StreamHead { cut, ..stream.head.clone() }),
            end: None,
        }
    }

    /// The name of a data chunk, and whether it is new.
    fn claim(&mut self, stream: usize, stream_name: &[u8], chunk: &Chunk, digest: Digest) -> (Name, bool) {
        self.segment.input += chunk.length;
        let previous = self.pool.recipes.get(stream_name).and_then(|recipe| recipe.get(&chunk.offset));
        let previous = previous.filter(|known| known.length == chunk.length && known.digest == digest);
        let old = previous.map(|known| known.name).or_else(|| self.pool.names.get(&digest).copied());
        let name = old.unwrap_or_else(|| {
            let Segment { set, segment, .. } = self.segment;
            let name = Name { set, segment, index: self.segment.chunks.len() as u32 };
            self.segment.chunks.push(ChunkEntry::plain(digest, chunk.length as u32));
            self.new += chunk.length;
            self.pool.names.insert(digest, name);
            name
        });
        if name.set != self.run.set_head.set {
            self.foreign.insert((name.set, name.segment));
        }
        self.recipes[stream].insert(chunk.offset, Known { name, length: chunk.length, digest });
        (name, old.is_none())
    }

    /// Writes the new chunks of a piece, which are the last of the open segment.
    fn frames(&mut self, new: &[&[u8]]) -> Result<()> {
        let mut first = self.segment.chunks.len() - new.len();
        let mut rest = new;
        while !rest.is_empty() {
            let mut plain = Vec::new();
            let mut lengths = Vec::new();
            for chunk in rest {
                if !plain.is_empty() && plain.len() + chunk.len() > GROUP {
                    break;
                }
                plain.extend_from_slice(chunk);
                lengths.push(U32::new(chunk.len() as u32));
            }
            rest = &rest[lengths.len()..];
            let (codec, stored) = compress(plain, self.run.level)?;
            let frame = Frame {
                set: self.segment.set,
                segment: self.segment.segment,
                first: first as u32,
                codec,
                digest: *blake3::hash(&stored).as_bytes(),
                lengths: &lengths,
                stored: &stored,
            };
            let mut record = Vec::new();
            frame.append_record(&mut record);
            let place = self.blocks.frame(&record)?;
            let entry = FrameEntry::new(first as u32, lengths.len() as u32, place, record.len() as u32);
            self.segment.frames.push(entry);
            self.stored += stored.len() as u64;
            first += lengths.len();
        }
        Ok(())
    }

    /// Closes the segment; without new chunks it keeps its number, and only fragments are written.
    fn close_segment(&mut self) -> Result<()> {
        let Segment { set, segment: number, .. } = self.segment;
        let mut next = Segment { set, segment: number, ..Segment::default() };
        let mut segment = None;
        if let (Some(first), Some(last)) = (self.segment.frames.first(), self.segment.frames.last()) {
            let (first, last) = (first.place(), last.place());
            let (volume, part) = (self.run.label.volume, first.part);
            let (first, last) = (first.index, last.index);
            self.closed.push(Foreign { set, segment: number, volume, part, first, last });
            let mut record = Vec::new();
            record::append_plain(&mut record, RecordKind::Segment, &[&self.segment.encode()]);
            self.catalog.push(record.clone());
            segment = Some(record);
            next.segment += 1;
        }
        let mut records = Vec::new();
        let mut body = Vec::new();
        for fragment in std::mem::take(&mut self.fragments) {
            fragment.append(&mut body);
            if body.len() >= GROUP {
                records.push(packed(RecordKind::Fragments, &std::mem::take(&mut body)));
            }
        }
        if !body.is_empty() {
            records.push(packed(RecordKind::Fragments, &body));
        }
        self.catalog.extend_from_slice(&records);
        self.segment = next;
        self.blocks.close(segment, records)
    }

    fn finish(mut self, streams: &[OracleStream]) -> Result<()> {
        self.close_segment()?;
        let set = self.run.set_head.set;
        let count = streams.len() as u64;
        let segments = self.closed.len() as u32;
        let input = streams.iter().map(|stream| stream.bytes.len() as u64).sum::<u64>();
        let end = End {
            set: set.into(),
            segments: segments.into(),
            streams: count.into(),
            input: input.into(),
            new: self.new.into(),
            stored: self.stored.into(),
        };
        self.blocks.mark(RecordKind::End, end.as_bytes())?;

        let index = self.blocks.next_index();
        let fragments = self.catalog.len() as u64 - u64::from(segments);
        let mut head = Vec::new();
        let body = CatalogHead::new(set, segments, fragments, count);
        record::append_plain(&mut head, RecordKind::Catalog, &[body.as_bytes()]);
        self.catalog.insert(0, head);
        let foreign: Vec<Foreign> = self.foreign.iter().map(|name| self.pool.segments[name]).collect();
        self.catalog.push(packed(RecordKind::Foreign, &Foreign::encode_all(&foreign)));
        self.blocks.run(BlockKind::Catalog, &self.catalog)?;

        let bad = |stream: &OracleStream| stream.page_report.bad + stream.page_report.past_end;
        let trailer = Trailer {
            set,
            part: self.run.set_head.part,
            session: self.run.set_head.session,
            finished: self.run.finished,
            streams: count,
            segments,
            catalog: index,
            catalog_crc: crc32c::crc32c(&self.catalog.concat()),
            input,
            new: self.new,
            stored: self.stored,
            bad_pages: streams.iter().map(bad).sum(),
            torn: self.run.torn.clone(),
        };
        self.blocks.run(BlockKind::Trailer, &[packed(RecordKind::Trailer, &trailer.encode())])?;
        self.blocks.finish()?;

        // Only now: until its end a run compares with what stood in the pool before it.
        self.pool
            .segments
            .extend(self.closed.iter().map(|segment| ((segment.set, segment.segment), *segment)));
        let names = streams.iter().map(|stream| stream.head.name.clone());
        self.pool.recipes.extend(names.zip(self.recipes));
        Ok(())
    }
}

fn packed(kind: RecordKind, body: &[u8]) -> Vec<u8> {
    let mut record = Vec::new();
    record::append_packed(&mut record, kind, body);
    record
}

/// The stored bytes of a frame: raw, where compressing it leaves more than 97 %.
fn compress(plain: Vec<u8>, level: Option<i32>) -> Result<(Codec, Vec<u8>)> {
    if let Some(level) = level {
        let mut compressor = zstd::bulk::Compressor::new(level)?;
        if level == 1 {
            compressor.set_parameter(CParameter::HashLog(16))?;
            compressor.set_parameter(CParameter::MinMatch(7))?;
        }
        let stored = compressor.compress(&plain)?;
        if stored.len() * 100 <= plain.len() * 97 {
            return Ok((Codec::Zstd, stored));
        }
    }
    Ok((Codec::None, plain))
}

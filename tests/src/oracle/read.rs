//! The reader and the scan: from a volume back to streams, with everything checked that can be.

use super::cut::{self, Chunk, Content};
use super::{Digest, Error, Name, OracleSet, ReadStream, Result, check};
use reel_tape::layout::block::{BlockHeader, BlockKind, NO_RECORD};
use reel_tape::layout::catalog::Foreign;
use reel_tape::layout::frame::{Codec, Frame};
use reel_tape::layout::label::Label;
use reel_tape::layout::recipe::{Fragment, Run, StreamEnd};
use reel_tape::layout::record::{self, RecordHeader, RecordKind};
use reel_tape::layout::segment::{ChunkEntry, FrameEntry, Place, Segment};
use reel_tape::layout::set::{PoolState, SetHead};
use reel_tape::medium::{Medium, Read};
use std::collections::{BTreeMap, HashMap};

/// Longest stream that is put together, in bytes: runs of zeros could claim any length.
const MAX_STREAM: u64 = 1 << 32;

/// Reads all sets of a volume by their catalogs and checks them against everything else that stands there.
pub fn read_volume(medium: &mut dyn Medium) -> Result<Vec<OracleSet>> {
    read_sets(medium, true)
}

/// Reads all sets of a volume from their heads, frames, segments and fragments alone.
pub fn scan(medium: &mut dyn Medium) -> Result<Vec<OracleSet>> {
    read_sets(medium, false)
}

fn read_sets(medium: &mut dyn Medium, by_catalog: bool) -> Result<Vec<OracleSet>> {
    medium.locate(0)?;
    let mut volume = Volume { label: read_label(medium)?, chunks: HashMap::new(), segments: BTreeMap::new() };
    let mut sets = Vec::new();
    while let Some(file) = volume.next_file(medium)? {
        sets.push(volume.read_set(&file, by_catalog)?);
    }
    Ok(sets)
}

pub(super) fn wrong<T>(what: impl Into<String>) -> Result<T> {
    Err(Error::Wrong(what.into()))
}

/// An error that says what is wrong, unless all is well.
pub(super) fn expect(holds: bool, what: impl FnOnce() -> String) -> Result<()> {
    if holds { Ok(()) } else { wrong(what()) }
}

fn read_label(medium: &mut dyn Medium) -> Result<Label> {
    let (mut vol1, mut block, mut mark) = (Vec::new(), Vec::new(), Vec::new());
    medium.read(&mut vol1)?;
    medium.read(&mut block)?;
    let (header, payload) = BlockHeader::decode(&block)?;
    let label = match &records(&[(header, payload.to_vec())], BlockKind::Label)?[..] {
        [label] if label.kind == RecordKind::Label => Label::decode(&label.body)?,
        _ => return wrong("object 1: no label record"),
    };
    let expected = (label.pool, label.volume, 1, 0, 0);
    let found = (header.pool, header.volume, header.object, header.set, header.index);
    expect(found == expected, || {
        format!("object 1: the label block is of {found:?}, expected {expected:?}")
    })?;
    expect(vol1 == label.vol1(), || "object 0: VOL1 and label differ".into())?;
    expect(medium.read(&mut mark)? == Read::Filemark, || "object 2: no filemark behind the labels".into())?;
    Ok(label)
}

/// A record, where it begins, and its bytes: all of them, and those of its body, unpacked.
pub(super) struct Record {
    pub place: Place,
    pub kind: RecordKind,
    pub raw: Vec<u8>,
    pub body: Vec<u8>,
}

/// The records in the blocks of one kind.
pub(super) fn records(blocks: &[(BlockHeader, Vec<u8>)], kind: BlockKind) -> Result<Vec<Record>> {
    let blocks: Vec<_> = blocks.iter().filter(|(header, _)| header.kind == kind).collect();
    let mut bytes = Vec::new();
    let mut borders = Vec::new();
    for (header, payload) in &blocks {
        borders.push((bytes.len(), header));
        bytes.extend_from_slice(payload);
    }
    let mut found = Vec::new();
    let mut first_records = HashMap::new();
    let mut at = 0;
    while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
        let header = RecordHeader::decode(rest)?;
        let length = record::HEADER_LEN + header.body;
        let Some(raw) = rest.get(..length) else {
            return wrong(format!("the {} blocks end inside a record of {length} bytes", kind.word()));
        };
        let body = header.open(&raw[record::HEADER_LEN..], &mut Vec::new())?.to_vec();
        let block = borders.partition_point(|(border, _)| *border <= at).saturating_sub(1);
        let (border, block) = borders[block];
        let place = Place { part: block.part, index: block.index, offset: (at - border) as u32 };
        first_records.entry(block.index).or_insert(place.offset);
        found.push(Record { place, kind: header.kind, raw: raw.to_vec(), body });
        at += length;
    }
    for (_, header) in borders {
        let expected = first_records.get(&header.index).copied().unwrap_or(NO_RECORD);
        expect(header.first_record == expected, || {
            format!("object {}: first record at {}, expected {expected}", header.object, header.first_record)
        })?;
    }
    Ok(found)
}

/// One file of a volume.
pub(super) struct File {
    pub head: SetHead,
    pub blocks: Vec<(BlockHeader, Vec<u8>)>,
}

/// The body of a chunk that was read, with its digest.
type Body = (Digest, Vec<u8>);

/// What is known of a volume so far.
struct Volume {
    label: Label,
    chunks: HashMap<Name, Body>,
    segments: BTreeMap<(u32, u32), Foreign>,
}

impl Volume {
    fn next_file(&self, medium: &mut dyn Medium) -> Result<Option<File>> {
        let mut blocks: Vec<(BlockHeader, Vec<u8>)> = Vec::new();
        let mut block = Vec::new();
        loop {
            let object = medium.position();
            match medium.read(&mut block)? {
                Read::Block(_) => {}
                Read::Filemark => break,
                Read::EndOfData if blocks.is_empty() => return Ok(None),
                Read::EndOfData => return wrong(format!("object {object}: data end in a torn set")),
            }
            let (header, payload) = BlockHeader::decode(&block)?;
            let session = blocks.first().map_or(header.session, |(first, _)| first.session);
            let expected = (self.label.pool, self.label.volume, object, session, blocks.len() as u32);
            let found = (header.pool, header.volume, header.object, header.session, header.index);
            expect(found == expected && block.len() <= self.label.block_size as usize, || {
                format!(
                    "object {object}: a block of {} bytes of {found:?}, expected {expected:?}",
                    block.len()
                )
            })?;
            blocks.push((header, payload.to_vec()));
        }
        let head = match &records(&blocks, BlockKind::Header)?[..] {
            [set] if set.kind == RecordKind::Set => SetHead::decode(&set.body)?,
            [set, state] if set.kind == RecordKind::Set && state.kind == RecordKind::PoolState => {
                PoolState::decode(&state.body)?;
                SetHead::decode(&set.body)?
            }
            _ => return wrong("a file begins without a set record"),
        };
        let expected = (head.set, head.part, head.session);
        let strange = blocks.iter().find(|(header, _)| (header.set, header.part, header.session) != expected);
        expect(strange.is_none(), || format!("a block among those of {expected:?} is of another set"))?;
        Ok(Some(File { head, blocks }))
    }

    fn read_set(&mut self, file: &File, by_catalog: bool) -> Result<OracleSet> {
        let frames = records(&file.blocks, BlockKind::Data)?;
        let rebuilt = self.read_frames(file.head.set, &frames)?;
        let mut tables = records(&file.blocks, BlockKind::Segment)?;
        let mut recipes = records(&file.blocks, BlockKind::Recipe)?;
        let mut rest = None;
        if by_catalog {
            let catalog = records(&file.blocks, BlockKind::Catalog)?;
            rest = Some(check::catalog(&catalog, &tables, &recipes)?);
            (tables, recipes) = catalog
                .into_iter()
                .filter(|record| matches!(record.kind, RecordKind::Segment | RecordKind::Fragments))
                .partition(|record| record.kind == RecordKind::Segment);
        }
        expect(tables.len() == rebuilt.len(), || {
            format!("{} segment records, frames of {} segments", tables.len(), rebuilt.len())
        })?;
        for (table, mut expected) in tables.iter().zip(rebuilt) {
            let segment = Segment::decode(&table.body)?;
            expected.input = segment.input;
            expect(table.kind == RecordKind::Segment && segment == expected, || {
                format!("segment {} of set {} is not what its frames say", expected.segment, expected.set)
            })?;
        }
        let mut fragments = Vec::new();
        for record in &recipes {
            expect(record.kind == RecordKind::Fragments, || format!("{:?} in a recipe block", record.kind))?;
            fragments.extend(Fragment::decode_all(&record.body)?);
        }
        let streams = self.read_streams(file.head.set, &fragments)?;
        let mut trailer = None;
        if let Some((head, foreign)) = rest {
            check::foreign(file.head.set, &self.segments, &fragments, &foreign)?;
            trailer = Some(check::figures(file, &head, &streams, &frames)?);
        }
        Ok(OracleSet { head: file.head.clone(), trailer, streams })
    }

    /// Takes the chunks out of frames and makes the segments again, but for their input.
    fn read_frames(&mut self, set: u32, records: &[Record]) -> Result<Vec<Segment>> {
        let mut segments: Vec<Segment> = Vec::new();
        for record in records {
            let place = record.place;
            expect(record.kind == RecordKind::Frame, || {
                format!("{place:?}: {:?} in a data block", record.kind)
            })?;
            let frame = Frame::decode(&record.body)?;
            expect(*blake3::hash(frame.stored).as_bytes() == frame.digest, || {
                format!("{place:?}: the digest of the frame does not hold")
            })?;
            if segments.last().is_none_or(|last| last.segment != frame.segment) {
                segments.push(Segment { set, segment: segments.len() as u32, ..Segment::default() });
            }
            let Some(segment) = segments.last_mut() else { continue };
            let expected = (set, segment.segment, segment.chunks.len() as u32);
            let found = (frame.set, frame.segment, frame.first);
            expect(found == expected, || format!("{place:?}: a frame of {found:?}, expected {expected:?}"))?;
            let plain = match frame.codec {
                Codec::None => frame.stored.to_vec(),
                Codec::Zstd => zstd::bulk::decompress(frame.stored, frame.plain_len())?,
            };
            let mut rest = &plain[..];
            for length in frame.lengths {
                let split =
                    rest.split_at_checked(length.get() as usize).filter(|(bytes, _)| !bytes.is_empty());
                let Some((bytes, behind)) = split else {
                    return wrong(format!("{place:?}: {} plain bytes and a chunk of {length}", plain.len()));
                };
                rest = behind;
                let name = Name { set, segment: segment.segment, index: segment.chunks.len() as u32 };
                let digest = *blake3::hash(bytes).as_bytes();
                segment.chunks.push(ChunkEntry::plain(digest, length.get()));
                self.chunks.insert(name, (digest, bytes.to_vec()));
            }
            let count = frame.lengths.len() as u32;
            segment.frames.push(FrameEntry::new(frame.first, count, place, record.raw.len() as u32));
            let (volume, Place { part, index, .. }) = (self.label.volume, place);
            let begun = Foreign { set, segment: segment.segment, volume, part, first: index, last: index };
            self.segments.entry((set, segment.segment)).or_insert(begun).last = index;
        }
        Ok(segments)
    }

    /// Puts the streams of a set together.
    fn read_streams(&self, set: u32, fragments: &[Fragment]) -> Result<Vec<ReadStream>> {
        let mut streams: Vec<ReadStream> = Vec::new();
        let mut chunks: Vec<Chunk> = Vec::new();
        let mut next = (0, 0);
        for fragment in fragments {
            let found = (fragment.set, fragment.stream, fragment.fragment);
            let what = format!("fragment {found:?}");
            expect(found == (set, next.0, next.1), || {
                format!("{what}, expected {:?}", (set, next.0, next.1))
            })?;
            expect(fragment.head.is_some() == (next.1 == 0), || {
                format!("{what}: its head is not where it belongs")
            })?;
            if let Some(head) = &fragment.head {
                let (head, end) = (head.clone(), StreamEnd::default());
                streams.push(ReadStream { head, end, bytes: Vec::new() });
                chunks.clear();
            }
            let Some(stream) = streams.last_mut() else { continue };
            expect(fragment.offset == cut::length(&chunks), || {
                format!("{what}: does not follow the one before")
            })?;
            for run in &fragment.runs {
                self.append_run(run, stream, &mut chunks)?;
            }
            next.1 += 1;
            if let Some(end) = &fragment.end {
                let (length, root) = (cut::length(&chunks), cut::root(&chunks));
                expect((end.length, end.root) == (length, root), || {
                    format!("{what}: length or root do not hold")
                })?;
                stream.end = end.clone();
                next = (next.0 + 1, 0);
            }
        }
        expect(next.1 == 0, || format!("stream {} of set {set} does not end", next.0))?;
        Ok(streams)
    }

    fn append_run(&self, run: &Run, stream: &mut ReadStream, chunks: &mut Vec<Chunk>) -> Result<()> {
        let offset = stream.bytes.len() as u64;
        let end = offset.saturating_add(run.len());
        expect(end <= MAX_STREAM, || format!("a stream of {end} bytes, more than {MAX_STREAM}"))?;
        match *run {
            Run::Data { set, segment, first, count, .. } => {
                for index in first..first.saturating_add(count) {
                    let name = Name { set, segment, index };
                    let Some((digest, bytes)) = self.chunks.get(&name) else {
                        return wrong(format!("{name:?} is named, but was not read"));
                    };
                    let offset = stream.bytes.len() as u64;
                    chunks.push(Chunk {
                        offset,
                        length: bytes.len() as u64,
                        content: Content::Data(*digest),
                    });
                    stream.bytes.extend_from_slice(bytes);
                }
                expect(stream.bytes.len() as u64 == end, || {
                    format!("{run:?}: the chunks have another length")
                })
            }
            Run::Zero(length) | Run::Hole(length) => {
                let content = if matches!(run, Run::Zero(_)) { Content::Zero } else { Content::Hole };
                chunks.push(Chunk { offset, length, content });
                stream.bytes.resize(end as usize, 0);
                Ok(())
            }
        }
    }
}

//! Makes the catalog of a set from its volume: from the catalog there, or from whatever blocks are good.

use super::VolumeDamage;
use super::catalog::{Catalog, CatalogWriter, FragmentsBatch, SetInfo, SetStatus};
use crate::digest;
use crate::error::{Error, Result};
use crate::frame::FrameDecoder;
use reel_tape::layout::block::{BlockHeader, BlockKind, DEFAULT_BLOCK_SIZE};
use reel_tape::layout::catalog::CatalogHead;
use reel_tape::layout::frame::Frame;
use reel_tape::layout::recipe::Fragment;
use reel_tape::layout::record::{self, RecordKind};
use reel_tape::layout::segment::{ChunkEntry, FrameEntry, Segment};
use reel_tape::layout::set::{End, SetHead};
use reel_tape::layout::trailer::Trailer;
use reel_tape::medium::Medium;
use reel_tape::volume::scan::{Event, Found, Records, Walk};
use reel_tape::volume::{FileSpan, reader};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Where the set stands.
pub struct From<'a> {
    /// The volume, by the shelf's name.
    pub volume: &'a str,
    pub span: &'a FileSpan,
    /// Header of the first good block of the file.
    pub header: BlockHeader,
    pub cache: Option<&'a Path>,
}

impl From<'_> {
    fn is_ours(&self, header: &BlockHeader) -> bool {
        (header.pool, header.volume, header.session, header.set)
            == (self.header.pool, self.header.volume, self.header.session, self.header.set)
    }

    fn info(&self, head: SetHead, status: SetStatus) -> SetInfo {
        SetInfo {
            head,
            volume: self.volume.to_owned(),
            header_object: self.header.header_object(),
            end_object: self.span.end,
            status,
            end: None,
            trailer: None,
        }
    }
}

/// The catalog of a set; `scan` passes over the one on the volume and reads every block.
pub fn catalog(
    medium: &mut dyn Medium,
    from: &From<'_>,
    scan: bool,
    damage: &mut Vec<VolumeDamage>,
) -> Result<Catalog> {
    if !scan && let Some(catalog) = from_catalog_blocks(medium, from)? {
        return Ok(catalog);
    }
    from_all_blocks(medium, from, damage)
}

/// Walks over a range of objects for its damage alone.
pub fn note_damage(
    medium: &mut dyn Medium,
    volume: &str,
    objects: Range<u64>,
    damage: &mut Vec<VolumeDamage>,
) -> Result<()> {
    let mut walk = Walk::new(medium, objects.start, Some(objects.end))?;
    while let Some(event) = walk.step()? {
        note(&walk, volume, event, damage);
    }
    Ok(())
}

fn note(walk: &Walk<'_>, volume: &str, event: Event, damage: &mut Vec<VolumeDamage>) {
    if let Event::Damage { first, end, error } = event {
        let byte = walk.byte_address(first);
        damage.push(VolumeDamage { volume: volume.to_owned(), first, end, byte, what: error.what() });
    }
}

/// The trailer at the end of a file, if it is there and good.
pub fn read_trailer(medium: &mut dyn Medium, span: &FileSpan) -> Option<(BlockHeader, Trailer)> {
    let (mut block, mut plain) = (Vec::new(), Vec::new());
    let header = reader::read_block(medium, span.end.checked_sub(1)?, &mut block).ok()?;
    let body = reader::only_record(&block, RecordKind::Trailer, &mut plain).ok()?;
    (header.kind == BlockKind::Trailer).then_some((header, Trailer::decode(body).ok()?))
}

/// From trailer and catalog. `None` where anything of them is damaged.
fn from_catalog_blocks(medium: &mut dyn Medium, from: &From<'_>) -> Result<Option<Catalog>> {
    let (mut block, mut plain) = (Vec::new(), Vec::new());
    let Some((header, trailer)) = read_trailer(medium, from.span).filter(|(header, _)| from.is_ours(header))
    else {
        return Ok(None);
    };
    let head = reader::read_block(medium, header.header_object(), &mut block)
        .ok()
        .and_then(|_| reader::only_record(&block, RecordKind::Set, &mut plain).ok())
        .and_then(|body| SetHead::decode(body).ok());
    let Some(head) = head else { return Ok(None) };

    let mut writer = CatalogWriter::create(from.cache, head.set)?;
    let first = header.header_object() + u64::from(trailer.catalog);
    let mut expected = None;
    let mut outcome = Ok(());
    let mut good = true;
    let mut crc = 0;
    let mut walk = Walk::new(medium, first, Some(from.span.end))?;
    let mut records = Records::default();
    while let Some(event) = walk.step()? {
        let Event::Block(header) = event else {
            good = false;
            break;
        };
        if header.kind != BlockKind::Catalog {
            continue;
        }
        crc = crc32c::crc32c_append(crc, walk.payload());
        let each = |found: Found<'_>| {
            if outcome.is_err() || !good {
                return;
            }
            let mut bytes = Vec::new();
            match found.kind {
                RecordKind::Catalog => expected = CatalogHead::decode(found.body).ok(),
                RecordKind::Segment => match Segment::decode(found.body) {
                    Ok(segment) => {
                        record::append_plain(&mut bytes, RecordKind::Segment, &[found.body]);
                        outcome = writer.segment(&bytes, &segment, true);
                    }
                    Err(_) => good = false,
                },
                RecordKind::Fragments => match Fragment::decode_all(found.body) {
                    Ok(fragments) => {
                        let of = |f: Option<&Fragment>| f.map_or(0, |f| f.stream);
                        record::append_packed(&mut bytes, RecordKind::Fragments, found.body);
                        outcome = writer.fragments(&bytes, of(fragments.first()), of(fragments.last()));
                    }
                    Err(_) => good = false,
                },
                _ => {}
            }
        };
        records.block(&header, walk.payload(), &mut plain, each, |_, _| {});
    }
    outcome?;
    let counted = writer.counts();
    good &= crc == trailer.catalog_crc;
    if !good || expected.is_none_or(|e| (e.segments.get(), e.fragments.get(), e.streams.get()) != counted) {
        writer.discard();
        return Ok(None);
    }
    let info = SetInfo { trailer: Some(trailer), ..from.info(head, SetStatus::Complete) };
    writer.finish(info).map(Some)
}

/// What a first pass over all blocks finds.
struct Gathered<'a> {
    writer: &'a mut CatalogWriter,
    head: Option<SetHead>,
    end: Option<End>,
    trailer: Option<Trailer>,
    segments: BTreeSet<u32>,
    fragments: HashSet<(u32, u32)>,
    loose: Loose,
    framed: BTreeSet<u32>,
    failed: Result<()>,
}

impl Gathered<'_> {
    fn take(&mut self, set: u32, found: &Found<'_>) {
        match found.kind {
            RecordKind::Set => self.head = SetHead::decode(found.body).ok(),
            RecordKind::End => self.end = End::decode(found.body).ok(),
            RecordKind::Trailer => self.trailer = Trailer::decode(found.body).ok(),
            RecordKind::Frame => {
                if let Ok(frame) = Frame::decode(found.body) {
                    self.framed.insert(frame.segment);
                }
            }
            RecordKind::Segment => {
                if let Ok(segment) = Segment::decode(found.body)
                    && segment.set == set
                    && self.segments.insert(segment.segment)
                {
                    let mut bytes = Vec::new();
                    record::append_plain(&mut bytes, RecordKind::Segment, &[found.body]);
                    self.note(|writer| writer.segment(&bytes, &segment, true));
                }
            }
            RecordKind::Fragments => {
                for fragment in Fragment::decode_all(found.body).unwrap_or_default() {
                    let key = (fragment.stream, fragment.fragment);
                    if fragment.set == set && self.fragments.insert(key) {
                        let kept = self.loose.keep(&fragment);
                        self.note(|_| kept);
                    }
                }
            }
            _ => {}
        }
    }

    fn note(&mut self, write: impl FnOnce(&mut CatalogWriter) -> Result<()>) {
        if self.failed.is_ok() {
            self.failed = write(self.writer);
        }
    }
}

fn from_all_blocks(
    medium: &mut dyn Medium,
    from: &From<'_>,
    damage: &mut Vec<VolumeDamage>,
) -> Result<Catalog> {
    let set = from.header.set;
    let mut writer = CatalogWriter::create(from.cache, set)?;
    let mut gathered = Gathered {
        writer: &mut writer,
        head: None,
        end: None,
        trailer: None,
        segments: BTreeSet::new(),
        fragments: HashSet::new(),
        loose: Loose::new()?,
        framed: BTreeSet::new(),
        failed: Ok(()),
    };
    each_record(medium, from, damage, |found| gathered.take(set, found))?;
    gathered.failed?;
    let (head, end, trailer) = (gathered.head, gathered.end, gathered.trailer);
    let status = match (&trailer, &end) {
        (Some(_), _) => SetStatus::Complete,
        (None, Some(_)) => SetStatus::Ended,
        (None, None) => SetStatus::Torn,
    };
    let lost: BTreeSet<u32> = gathered.framed.difference(&gathered.segments).copied().collect();
    let loose = gathered.loose;

    if !lost.is_empty() || status == SetStatus::Torn {
        let frames = check_frames(medium, from, &lost)?;
        for (segment, table) in frames.rebuilt {
            let mut bytes = Vec::new();
            record::append_plain(&mut bytes, RecordKind::Segment, &[&table.encode()]);
            writer.segment(&bytes, &table, true)?;
            debug_assert_eq!(segment, table.segment);
        }
        if status == SetStatus::Torn {
            writer.trust_only(|segment, chunks| frames.checked.get(&segment) == Some(&chunks));
        }
    }
    let mut batch = FragmentsBatch::default();
    let mut full = |bytes: &[u8], first: u32, last: u32| writer.fragments(bytes, first, last);
    loose.in_order(|fragment| batch.add(fragment, &mut full))?;
    batch.close(&mut full)?;

    let head = head.unwrap_or_else(|| SetHead {
        set,
        part: from.header.part,
        session: from.header.session,
        started: 0,
        checkpoint: 0,
        block_size: DEFAULT_BLOCK_SIZE,
        name: String::new(),
        host: String::new(),
        software: String::new(),
    });
    writer.finish(SetInfo { end, trailer, ..from.info(head, status) })
}

/// Fragments in the order in which they were found, on a temporary file.
struct Loose {
    file: BufWriter<File>,
    /// Stream, fragment, where it begins and its length.
    lines: Vec<(u32, u32, u64, u32)>,
    at: u64,
}

impl Loose {
    fn new() -> Result<Self> {
        let file = tempfile::tempfile()
            .map_err(|e| Error::io("temporary folder", "cannot make a file for recipe fragments", e))?;
        Ok(Loose { file: BufWriter::new(file), lines: Vec::new(), at: 0 })
    }

    fn keep(&mut self, fragment: &Fragment) -> Result<()> {
        let mut body = Vec::new();
        fragment.append(&mut body);
        self.file.write_all(&body).map_err(|e| Error::io("temporary file", "cannot write", e))?;
        self.lines.push((fragment.stream, fragment.fragment, self.at, body.len() as u32));
        self.at += body.len() as u64;
        Ok(())
    }

    fn in_order(mut self, mut each: impl FnMut(&Fragment) -> Result<()>) -> Result<()> {
        self.lines.sort_unstable();
        let io = |what: &'static str| move |e| Error::io("temporary file", what, e);
        let file = self
            .file
            .into_inner()
            .map_err(std::io::IntoInnerError::into_error)
            .map_err(io("cannot write"))?;
        let mut body = Vec::new();
        for (_, _, at, length) in self.lines {
            body.resize(length as usize, 0);
            file.read_exact_at(&mut body, at).map_err(io("cannot read"))?;
            for fragment in Fragment::decode_all(&body).unwrap_or_default() {
                each(&fragment)?;
            }
        }
        Ok(())
    }
}

fn each_record(
    medium: &mut dyn Medium,
    from: &From<'_>,
    damage: &mut Vec<VolumeDamage>,
    mut each: impl FnMut(&Found<'_>),
) -> Result<()> {
    let mut walk = Walk::new(medium, from.span.first, Some(from.span.end))?;
    let mut records = Records::default();
    let mut plain = Vec::new();
    while let Some(event) = walk.step()? {
        match event {
            Event::Block(header) if from.is_ours(&header) => {
                records.block(&header, walk.payload(), &mut plain, |found| each(&found), |_, _| {});
            }
            other => note(&walk, from.volume, other, damage),
        }
    }
    Ok(())
}

struct Frames {
    /// Segments made again from their frames.
    rebuilt: BTreeMap<u32, Segment>,
    /// Chunks in frames whose digest is right, by segment.
    checked: BTreeMap<u32, u32>,
}

/// Reads every frame and checks its digest; makes the tables of the segments in `lost`.
fn check_frames(medium: &mut dyn Medium, from: &From<'_>, lost: &BTreeSet<u32>) -> Result<Frames> {
    let mut frames = Frames { rebuilt: BTreeMap::new(), checked: BTreeMap::new() };
    let mut decoder = FrameDecoder::new()?;
    // What is damaged was noted by the first pass.
    each_record(medium, from, &mut Vec::new(), |found| {
        if found.kind != RecordKind::Frame {
            return;
        }
        let Ok(frame) = Frame::decode(found.body) else { return };
        if frame.set != from.header.set {
            return;
        }
        if !lost.contains(&frame.segment) {
            if digest::of(frame.stored) == frame.digest {
                *frames.checked.entry(frame.segment).or_default() += frame.lengths.len() as u32;
            }
            return;
        }
        let Ok(plain) = decoder.decode(&frame) else { return };
        *frames.checked.entry(frame.segment).or_default() += frame.lengths.len() as u32;
        let table = frames.rebuilt.entry(frame.segment).or_insert_with(|| Segment {
            set: frame.set,
            segment: frame.segment,
            ..Segment::default()
        });
        add_frame(table, &frame, plain, found);
    })?;
    Ok(frames)
}

/// Adds a frame to a table that is made again. Chunks of lost frames before it are entered without length or digest, in a
/// frame without place.
fn add_frame(table: &mut Segment, frame: &Frame<'_>, plain: &[u8], found: &Found<'_>) {
    let have = table.chunks.len() as u32;
    let Some(missing) = frame.first.checked_sub(have) else { return };
    if missing > reel_tape::layout::segment::MAX_CHUNKS * 2 {
        return;
    }
    if missing > 0 {
        table.chunks.extend((0..missing).map(|_| ChunkEntry::plain([0; 32], 0)));
        let nowhere = reel_tape::layout::segment::Place { part: 0, index: 0, offset: 0 };
        table.frames.push(FrameEntry::new(have, missing, nowhere, 0));
    }
    let mut at = 0;
    for length in frame.lengths {
        let length = length.get() as usize;
        table.chunks.push(ChunkEntry::plain(digest::of(&plain[at..at + length]), length as u32));
        at += length;
    }
    table.frames.push(FrameEntry::new(frame.first, frame.lengths.len() as u32, found.place, found.length));
}

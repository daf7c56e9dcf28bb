//! The catalog of one set in the local cache: the records as they stand on the volume, and a directory of them.
//!
//! While a set is written this file is the spool that its catalog is copied from; afterwards it is the cache, replaced by
//! rename and never changed in place. It can always be made again from the volume.

use super::mmap::MappedFile;
use super::origin::Origin;
use crate::digest::Digest;
use crate::error::{Class, Error, Result};
use reel_tape::layout::recipe::Fragment;
use reel_tape::layout::record::{self, RecordHeader, RecordKind};
use reel_tape::layout::segment::{Segment, SegmentTables};
use reel_tape::layout::set::{End, SetHead};
use reel_tape::layout::trailer::Trailer;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use zerocopy::IntoBytes;

const MAGIC: [u8; 8] = *b"REELCAT\x02";

pub use super::fragments::{Fragments, FragmentsBatch};

/// How a set ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum SetStatus {
    /// Its trailer was read.
    Complete,
    /// Its end record was read, its trailer was not: everything is there, nothing depends on it.
    Ended,
    /// Its run ended early, or its end is lost.
    Torn,
}

impl SetStatus {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            SetStatus::Complete | SetStatus::Ended => "complete",
            SetStatus::Torn => "incomplete",
        }
    }

    /// May it be taken as `latest` or by its name?
    pub fn is_complete(self) -> bool {
        self != SetStatus::Torn
    }
}

/// Where a set stands and how it ended.
#[derive(Debug, Clone)]
pub struct SetInfo {
    /// Its head.
    pub head: SetHead,
    /// The volume, by the shelf's name.
    pub volume: String,
    /// Object number of its header block.
    pub header_object: u64,
    /// Object number behind its last block.
    pub end_object: u64,
    /// How it ended.
    pub status: SetStatus,
    /// Its end record.
    pub end: Option<End>,
    /// Its trailer.
    pub trailer: Option<Trailer>,
}

/// A segment record in the file.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct SegmentLine {
    /// Segment of the set.
    pub segment: u32,
    /// Number of its chunks.
    pub chunks: u32,
    /// First and last block in which a frame of it begins, counted from the header block.
    pub blocks: (u32, u32),
    /// Its frames were read and checked, or it belongs to a committed set: its chunks may be named.
    pub trusted: bool,
    at: u64,
    length: u32,
}

/// A fragments record in the file.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct FragmentsLine {
    first: u32,
    last: u32,
    at: u64,
    length: u32,
}

#[derive(Serialize, Deserialize, Default)]
struct Directory {
    set: (u64, u32),
    end: Option<(u64, u32)>,
    trailer: Option<(u64, u32)>,
    volume: String,
    header_object: u64,
    end_object: u64,
    status: Option<SetStatus>,
    segments: Vec<SegmentLine>,
    fragments: Vec<FragmentsLine>,
    order: Vec<(u64, u32)>,
    streams: u64,
}

/// Writes a catalog file.
pub struct CatalogWriter {
    file: BufWriter<File>,
    path: Option<PathBuf>,
    object: String,
    at: u64,
    directory: Directory,
}

impl CatalogWriter {
    /// Begins a catalog in `folder`, or in an unnamed temporary file where there is none.
    pub fn create(folder: Option<&Path>, set: u32) -> Result<CatalogWriter> {
        let named = folder.and_then(|folder| {
            let path = folder.join(format!("set-{set:06}.{:x}.new", std::process::id()));
            make_folder(folder).ok()?;
            let file = File::options().read(true).write(true).create(true).truncate(true).open(&path).ok()?;
            Some((file, path))
        });
        let (file, path) = match named {
            Some((file, path)) => (file, Some(path)),
            None => {
                let file = tempfile::tempfile()
                    .map_err(|e| Error::io("temporary folder", "cannot make a file for the catalog", e))?;
                (file, None)
            }
        };
        let mut writer = CatalogWriter {
            file: BufWriter::with_capacity(256 << 10, file),
            path,
            object: format!("catalog of set {set}"),
            at: 0,
            directory: Directory::default(),
        };
        writer.append(&MAGIC)?;
        Ok(writer)
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(u64, u32)> {
        self.file.write_all(bytes).map_err(|e| Error::io(&self.object, "cannot write", e))?;
        let at = self.at;
        self.at += bytes.len() as u64;
        Ok((at, bytes.len() as u32))
    }

    /// A segment record, as on the volume.
    pub fn segment(&mut self, record: &[u8], segment: &Segment, trusted: bool) -> Result<()> {
        let (at, length) = self.append(record)?;
        let frames = segment.frames.iter().filter(|f| f.length.get() > 0);
        let blocks =
            frames.fold((u32::MAX, 0), |(low, high), f| (low.min(f.index.get()), high.max(f.index.get())));
        self.directory.order.push((at, length));
        self.directory.segments.push(SegmentLine {
            segment: segment.segment,
            chunks: segment.chunks.len() as u32,
            blocks,
            trusted,
            at,
            length,
        });
        Ok(())
    }

    /// A fragments record, as on the volume, with the streams of its first and last fragment.
    pub fn fragments(&mut self, record: &[u8], first: u32, last: u32) -> Result<()> {
        let (at, length) = self.append(record)?;
        self.directory.order.push((at, length));
        self.directory.fragments.push(FragmentsLine { first, last, at, length });
        self.directory.streams = self.directory.streams.max(u64::from(last) + 1);
        Ok(())
    }

    /// Numbers of segment records, of fragments records, and of streams.
    pub fn counts(&self) -> (u32, u64, u64) {
        let directory = &self.directory;
        (directory.segments.len() as u32, directory.fragments.len() as u64, directory.streams)
    }

    /// The segment and fragments records so far, in the order in which they came.
    pub fn records(&mut self) -> Result<impl Iterator<Item = Result<Vec<u8>>> + '_> {
        self.file.flush().map_err(|e| Error::io(&self.object, "cannot write", e))?;
        let file = self.file.get_ref();
        let object = &self.object;
        Ok(self.directory.order.iter().map(move |(at, length)| read_at(file, object, *at, *length)))
    }

    /// Takes back the trust in segments: `checked` says of a segment and its number of chunks whether all were read.
    pub fn trust_only(&mut self, checked: impl Fn(u32, u32) -> bool) {
        for line in &mut self.directory.segments {
            line.trusted = checked(line.segment, line.chunks);
        }
    }

    /// Gives up: nothing stays.
    pub fn discard(self) {
        if let Some(path) = &self.path {
            let _ = std::fs::remove_file(path);
        }
    }

    /// Completes the catalog and puts it in its place in the cache.
    pub fn finish(mut self, info: SetInfo) -> Result<Catalog> {
        let mut record = Vec::new();
        record::append_plain(&mut record, RecordKind::Set, &[&info.head.encode()]);
        self.directory.set = self.append(&record)?;
        if let Some(end) = &info.end {
            record.clear();
            record::append_plain(&mut record, RecordKind::End, &[end.as_bytes()]);
            self.directory.end = Some(self.append(&record)?);
        }
        if let Some(trailer) = &info.trailer {
            record.clear();
            record::append_plain(&mut record, RecordKind::Trailer, &[&trailer.encode()]);
            self.directory.trailer = Some(self.append(&record)?);
        }
        let directory = &mut self.directory;
        directory.volume.clone_from(&info.volume);
        directory.header_object = info.header_object;
        directory.end_object = info.end_object;
        directory.status = Some(info.status);
        directory.segments.sort_by_key(|s| s.segment);
        let footer = serde_json::to_vec(&self.directory)
            .map_err(|e| Error::new(Class::Internal, &self.object, e.to_string()))?;
        self.append(&footer)?;
        let mut tail = [0u8; 16];
        tail[..8].copy_from_slice(&(footer.len() as u64).to_le_bytes());
        tail[8..12].copy_from_slice(&crc32c::crc32c(&footer).to_le_bytes());
        self.append(&tail)?;
        let object = self.object.clone();
        let file = self.file.into_inner().map_err(|e| Error::io(&object, "cannot write", e.into_error()))?;
        if let Some(path) = &self.path {
            let final_name = path.with_file_name(cache_name(info.head.set));
            std::fs::rename(path, &final_name).map_err(|e| {
                Error::io(final_name.display().to_string(), "cannot rename the catalog into place", e)
            })?;
        }
        let file = MappedFile::new(file).map_err(|e| Error::io(&object, "cannot look at", e))?;
        Ok(Catalog::new(file, object, info, self.directory))
    }
}

/// Makes the folder of a pool in the cache, for its user alone.
pub(crate) fn make_folder(folder: &Path) -> std::io::Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// File name of a set's catalog in the cache.
fn cache_name(set: u32) -> String {
    format!("set-{set:06}.cat")
}

fn read_at(file: &File, object: &str, at: u64, length: u32) -> Result<Vec<u8>> {
    let mut bytes = vec![0; length as usize];
    file.read_exact_at(&mut bytes, at).map_err(|e| Error::io(object, "cannot read", e).at(at))?;
    Ok(bytes)
}

fn open_record<'a>(bytes: &'a [u8], kind: RecordKind, plain: &'a mut Vec<u8>) -> Option<&'a [u8]> {
    let header = RecordHeader::decode(bytes).ok()?;
    let body = header.open(bytes.get(record::HEADER_LEN..)?, plain).ok()?;
    (header.kind == kind).then_some(body)
}

/// The catalog of one set.
pub struct Catalog {
    file: MappedFile,
    object: String,
    /// Where the set stands and how it ended.
    pub info: SetInfo,
    directory: Directory,
    recent: Mutex<Option<(usize, Arc<Vec<Fragment>>)>>,
    origin: Option<Origin>,
    remade: OnceLock<Option<Arc<Catalog>>>,
}

impl Catalog {
    /// Opens the cached catalog of a set. `None` where there is none that can be trusted; it is then made again.
    pub fn open(folder: &Path, set: u32) -> Option<Catalog> {
        let file = MappedFile::new(File::open(folder.join(cache_name(set))).ok()?).ok()?;
        let tail_at = file.len().checked_sub(16)?;
        let tail = file.read(tail_at, 16).ok()?;
        let footer_length = u64::from_le_bytes(*tail.first_chunk()?);
        let footer_at = tail_at.checked_sub(footer_length)?;
        let footer = file.read(footer_at, usize::try_from(footer_length).ok()?).ok()?;
        if *file.read(0, MAGIC.len()).ok()? != MAGIC || crc32c::crc32c(&footer).to_le_bytes() != tail[8..12] {
            return None;
        }
        let directory: Directory = serde_json::from_slice(&footer).ok()?;
        let object = format!("catalog of set {set}");
        let mut plain = Vec::new();
        let mut record = |(at, length): (u64, u32)| file.read(at, length as usize).ok();
        let head = record(directory.set)?;
        let head = SetHead::decode(open_record(&head, RecordKind::Set, &mut plain)?).ok()?;
        let end = match directory.end.map(&mut record) {
            Some(bytes) => Some(End::decode(open_record(&bytes?, RecordKind::End, &mut plain)?).ok()?),
            None => None,
        };
        let trailer = match directory.trailer.map(&mut record) {
            Some(bytes) => {
                Some(Trailer::decode(open_record(&bytes?, RecordKind::Trailer, &mut plain)?).ok()?)
            }
            None => None,
        };
        let info = SetInfo {
            head,
            volume: directory.volume.clone(),
            header_object: directory.header_object,
            end_object: directory.end_object,
            status: directory.status?,
            end,
            trailer,
        };
        drop((tail, footer));
        Some(Catalog::new(file, object, info, directory))
    }

    fn new(file: MappedFile, object: String, info: SetInfo, directory: Directory) -> Catalog {
        let (recent, remade) = (Mutex::default(), OnceLock::new());
        Catalog { file, object, info, directory, recent, origin: None, remade }
    }

    /// The same catalog, which is made again from there when its file turns out to be damaged.
    pub(super) fn with_origin(self, origin: Origin) -> Catalog {
        Catalog { origin: Some(origin), ..self }
    }

    /// What stands in the place of this catalog once its file was found damaged at `at`.
    fn remade(&self, at: u64) -> Result<&Arc<Catalog>> {
        let make = || self.origin.as_ref().and_then(|origin| origin.catalog().ok()).map(Arc::new);
        self.remade.get_or_init(make).as_ref().ok_or_else(|| self.damaged(at))
    }

    /// Set number.
    pub fn set(&self) -> u32 {
        self.info.head.set
    }

    /// The segments.
    pub fn segments(&self) -> &[SegmentLine] {
        &self.directory.segments
    }

    /// The line of one segment.
    pub fn segment_line(&self, segment: u32) -> Option<&SegmentLine> {
        let lines = &self.directory.segments;
        lines.binary_search_by_key(&segment, |s| s.segment).ok().and_then(|at| lines.get(at))
    }

    /// Number of streams.
    pub fn streams(&self) -> u64 {
        self.directory.streams
    }

    /// The tables of one segment; `None` where the set has none of that number.
    pub fn segment(&self, segment: u32) -> Result<Option<Segment>> {
        let Some(line) = self.segment_line(segment) else { return Ok(None) };
        self.tables(line, |tables| Some(tables.to_segment()))
    }

    /// What `see` makes of the checked tables of a segment, where they stand in the file.
    pub(crate) fn tables<T>(
        &self,
        line: &SegmentLine,
        see: impl FnOnce(&SegmentTables<'_>) -> T,
    ) -> Result<T> {
        let bytes = self.read(line.at, line.length as usize)?;
        let mut plain = Vec::new();
        let tables = open_record(&bytes, RecordKind::Segment, &mut plain)
            .and_then(|body| SegmentTables::decode(body).ok());
        if let Some(tables) = tables {
            return Ok(see(&tables));
        }
        let remade = self.remade(line.at)?;
        match remade.segment_line(line.segment) {
            Some(line) => remade.tables(line, see),
            None => Err(self.damaged(line.at)),
        }
    }

    /// The digest that stands in the file for a chunk; nothing says yet that it is undamaged. `None` where the set has no such
    /// chunk.
    pub(crate) fn unchecked_digest(&self, segment: u32, index: u32) -> Result<Option<Digest>> {
        let Some(line) = self.segment_line(segment).filter(|line| index < line.chunks) else {
            return Ok(None);
        };
        let at = line.at + record::HEADER_LEN as u64 + SegmentTables::digest_at(index);
        let bytes = self.read(at, size_of::<Digest>())?;
        Ok(bytes.first_chunk().copied())
    }

    /// The CRC that stands in the header of a segment's record.
    pub(crate) fn segment_crc(&self, line: &SegmentLine) -> Result<Vec<u8>> {
        Ok(self.read(line.at, record::HEADER_LEN)?.into_owned())
    }

    fn read(&self, at: u64, length: usize) -> Result<Cow<'_, [u8]>> {
        self.file.read(at, length).map_err(|e| Error::io(&self.object, "cannot read", e).at(at))
    }

    fn damaged(&self, at: u64) -> Error {
        let what = "the cached catalog is damaged: delete the pool's folder in the cache, it is made again";
        Error::new(Class::Checksum, &self.object, what).at(at)
    }

    /// The fragments from a stream on, in order of stream and fragment.
    pub fn fragments(self: &Arc<Self>, from_stream: u32) -> Fragments {
        Fragments::new(self.clone(), from_stream)
    }

    /// The first fragments record that may hold something of a stream or of one behind it.
    pub(super) fn fragments_from(&self, stream: u32) -> usize {
        self.directory.fragments.partition_point(|f| f.last < stream)
    }

    /// What stands in the place of this catalog, if it was made again because a fragments record is damaged.
    pub(super) fn remade_for_fragments(&self, number: usize) -> Result<Arc<Catalog>> {
        self.remade(self.directory.fragments.get(number).map_or(0, |line| line.at)).cloned()
    }

    /// One fragments record. Neighbours are asked for one after the other: the last one is kept.
    pub(super) fn fragments_record(&self, number: usize) -> Option<Result<Arc<Vec<Fragment>>>> {
        let line = self.directory.fragments.get(number)?;
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((kept, fragments)) = &*recent
            && *kept == number
        {
            return Some(Ok(fragments.clone()));
        }
        let bytes = match self.read(line.at, line.length as usize) {
            Ok(bytes) => bytes,
            Err(error) => return Some(Err(error)),
        };
        let mut plain = Vec::new();
        let body = open_record(&bytes, RecordKind::Fragments, &mut plain);
        let Some(fragments) = body.and_then(|body| Fragment::decode_all(body).ok()) else {
            return Some(Err(self.damaged(line.at)));
        };
        let fragments = Arc::new(fragments);
        *recent = Some((number, fragments.clone()));
        Some(Ok(fragments))
    }
}

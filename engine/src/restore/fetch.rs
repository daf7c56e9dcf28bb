//! Frames from where they stand: their records, and what is in them, checked.

use crate::frame::FrameDecoder;
use crate::pool::{Catalog, Pool};
use reel_tape::layout::frame::Frame;
use reel_tape::layout::record::{self, RecordHeader, RecordKind};
use reel_tape::layout::segment::{FrameEntry, Segment};
use reel_tape::volume::reader::{FrameReader, Part, ReadStats};
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

/// No frame record is longer than this: 256 KiB, or a little more where it did not shrink, and a length for each byte.
const LONGEST_RECORD: u32 = 2 << 20;

/// Where the frames of a set stand.
#[derive(Debug, Clone)]
pub struct Home {
    /// The volume, by its name on the shelf.
    pub volume: String,
    /// The set on it.
    pub part: Part,
}

impl Home {
    /// The place of a set's frames.
    pub fn of(catalog: &Catalog) -> Home {
        let info = &catalog.info;
        let part = Part { set: catalog.set(), session: info.head.session, header_object: info.header_object };
        Home { volume: info.volume.clone(), part }
    }

    /// Object number of the block in which a frame begins.
    pub fn object(&self, frame: &FrameEntry) -> u64 {
        self.part.header_object.saturating_add(u64::from(frame.index.get()))
    }
}

/// The volumes of a pool, each opened when something of it is wanted first.
pub struct Volumes {
    pool: Arc<Pool>,
    readers: HashMap<String, FrameReader>,
}

impl Volumes {
    /// The volumes of a pool; none is open yet.
    pub fn new(pool: Arc<Pool>) -> Self {
        Volumes { pool, readers: HashMap::new() }
    }

    /// Appends the record of a frame to `bytes` and says where it stands in them. What fails is said in a sentence that
    /// names the volume.
    pub fn record(
        &mut self,
        home: &Home,
        frame: &FrameEntry,
        bytes: &mut Vec<u8>,
    ) -> Result<Range<usize>, String> {
        if frame.length.get() == 0 || frame.length.get() > LONGEST_RECORD {
            return Err(format!("a frame record of {} bytes cannot be", frame.length));
        }
        let begin = bytes.len();
        match self.reader(&home.volume)?.record(home.part, frame.place(), frame.length.get(), bytes) {
            Ok(()) => Ok(begin..bytes.len()),
            Err(error) => {
                bytes.truncate(begin);
                Err(error.to_string())
            }
        }
    }

    /// Reads on to the block in which a frame begins, if it lies ahead and at most `most` bytes lie between.
    pub fn approach(&mut self, home: &Home, frame: &FrameEntry, most: u64) {
        let volume = self.pool.volumes.iter().find(|v| v.name == home.volume);
        let block = volume.map_or(u64::MAX, |v| u64::from(v.label.block_size).max(1));
        if let Ok(reader) = self.reader(&home.volume) {
            reader.approach(home.object(frame), most / block);
        }
    }

    /// What reading has cost so far.
    pub fn stats(&self) -> ReadStats {
        self.readers.values().map(FrameReader::stats).fold(ReadStats::default(), |sum, stats| ReadStats {
            read_bytes: sum.read_bytes + stats.read_bytes,
            locates: sum.locates + stats.locates,
        })
    }

    fn reader(&mut self, volume: &str) -> Result<&mut FrameReader, String> {
        if !self.readers.contains_key(volume) {
            let known = self.pool.volumes.iter().find(|v| v.name == volume);
            let known = known.ok_or_else(|| format!("volume {volume} is not in the pool"))?;
            let medium = self.pool.open_medium(known).map_err(|e| e.to_string())?;
            let reader = FrameReader::new(medium, self.pool.uuid, known.label.volume);
            self.readers.insert(volume.to_owned(), reader);
        }
        self.readers.get_mut(volume).ok_or_else(|| format!("no reader for volume {volume}"))
    }
}

/// The plain bytes of a frame that is the one its segment promises. The chunks in it are not checked yet.
pub fn unpack<'a>(
    decoder: &'a mut FrameDecoder,
    bytes: &'a [u8],
    table: &Segment,
    entry: &FrameEntry,
) -> Result<&'a [u8], String> {
    decoder.decode(&open(bytes, table, entry)?).map_err(|e| e.to_string())
}

/// The frame in a record, if it is the one its segment promises. Its digest is not checked yet.
pub fn open<'a>(bytes: &'a [u8], table: &Segment, entry: &FrameEntry) -> Result<Frame<'a>, String> {
    let header = RecordHeader::decode(bytes).map_err(|m| m.to_string())?;
    let body = bytes.get(record::HEADER_LEN..).unwrap_or_default();
    // Frames are never packed on the record's level.
    let mut unused = Vec::new();
    let opened = header.open(body, &mut unused).map_err(|m| m.to_string())?;
    if header.kind != RecordKind::Frame || opened.len() != body.len() {
        return Err("a record of another kind stands where a frame was expected".into());
    }
    let frame = Frame::decode(body).map_err(|m| m.to_string())?;
    let expected = (table.set, table.segment, entry.first.get(), entry.count.get() as usize);
    if (frame.set, frame.segment, frame.first, frame.lengths.len()) != expected {
        return Err("another frame stands where its segment says that it is".into());
    }
    Ok(frame)
}

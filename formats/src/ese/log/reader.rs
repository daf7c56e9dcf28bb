//! A transaction log file and its records in order, whichever container it is (reference, log.md).
//!
//! ```no_run
//! use reel_formats::ese::log::{reader::LogFile, record::Record};
//!
//! let log = LogFile::open(std::fs::read("edb00000001.log")?)?;
//! let mut records = log.records();
//! while let Some(record) = records.next()? {
//!     println!("{} {}", record.position, Record::parse(record.bytes)?.kind());
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use super::contiguous::StreamCursor;
use super::end::{Damage, JET_LOG_FILE_CORRUPT, LogEnd, LogStatus, Scan, Tear};
use super::fragments::SegmentCursor;
use super::header::LogHeader;
use super::record::RecordType;
use super::sectors::{self, Stream};
use super::segments;
use crate::error::{Error, Result};
use crate::ese::position::{LgPos, LogTime};

const JET_BAD_LOG_VERSION: i32 = -514;
const JET_LOG_FILE_SIZE_MISMATCH: i32 = -541;
/// The formats that can be read: major version and highest update.
const KNOWN_FORMATS: [(u32, u32); 2] = [(7, 17), (8, 130)];

/// A log file whose header and container were checked.
#[derive(Clone, Debug)]
pub struct LogFile {
    header: LogHeader,
    container: Container,
    damage: Option<Damage>,
    end: LogEnd,
}

#[derive(Clone, Debug)]
enum Container {
    /// The file, put right, and where its good segments end.
    Segments { file: Vec<u8>, end: usize },
    /// What the sectors hold.
    Sectors(Stream),
}

/// One record of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogRecord<'a> {
    /// Its place in the log sequence, as other files name it.
    pub position: LgPos,
    /// The record, its fragments put together: what [`super::record::Record::parse`] takes.
    pub bytes: &'a [u8],
    /// When the segment in which it begins was begun; zero in the old container.
    pub time: LogTime,
    /// Whether it was put together from fragments.
    pub is_fragmented: bool,
}

/// What a step along the log found.
pub(super) enum Step {
    Record(Found),
    Damage(Damage),
    End(Option<Tear>),
}

/// A record that was found, without its bytes.
#[derive(Clone, Copy)]
pub(super) struct Found {
    pub position: LgPos,
    pub time: LogTime,
    pub place: Place,
    pub is_fragmented: bool,
}

/// Where the bytes of a record are.
#[derive(Clone, Copy)]
pub(super) enum Place {
    File { at: usize, len: usize },
    Stream { at: usize, len: usize },
    Assembled,
}

impl LogFile {
    /// Reads the log file that `bytes` are. A damaged or torn log opens too: [`Self::end`] says so, and the records before
    /// the damage can be read. The error is a bad header (-501), a format that is not known (-514), or a length that is not
    /// the one in the header (-541).
    pub fn open(mut bytes: Vec<u8>) -> Result<Self> {
        let header = LogHeader::parse(&bytes)?;
        refuse_unknown(&header)?;
        if bytes.len() as u64 != header.file_len() {
            let expected = format_args!("{} bytes, as the header says", header.file_len());
            let found = format_args!("{} bytes", bytes.len());
            return Err(Error::format("log file", 0, found, expected).with_jet(JET_LOG_FILE_SIZE_MISMATCH));
        }
        if !header.is_legacy() && header.sector_size as usize != segments::LEN {
            let found = format_args!("segments of {} bytes", header.sector_size);
            return Err(Error::format("log header", 8, found, "4096").with_jet(JET_LOG_FILE_CORRUPT));
        }
        let (scan, container) = if header.is_legacy() {
            let (scan, stream) = sectors::scan(&mut bytes, &header);
            (scan, Container::Sectors(stream))
        } else {
            let scan = segments::scan(&mut bytes, &header);
            let end = scan.end;
            (scan, Container::Segments { file: bytes, end })
        };
        let end = LogEnd {
            position: position_of_end(&header, scan.end),
            status: LogStatus::Complete,
            clean_shutdown: false,
            corrected: scan.corrected.clone(),
            patched: scan.patched.clone(),
            accumulated: scan.accumulated,
            used_bytes: scan.end as u64,
        };
        let mut log = Self { header, container, damage: None, end };
        log.judge(scan);
        Ok(log)
    }

    /// What the header says.
    pub fn header(&self) -> &LogHeader {
        &self.header
    }

    /// Where the log ends, and whether it ends as it should.
    pub fn end(&self) -> &LogEnd {
        &self.end
    }

    /// Its records, from the first on.
    pub fn records(&self) -> Records<'_> {
        self.records_from(LgPos::default())
    }

    /// Its records from `position` on.
    pub fn records_from(&self, position: LgPos) -> Records<'_> {
        let (generation, sector_size) = (self.header.generation, self.header.sector_size as usize);
        let cursor = match &self.container {
            Container::Segments { end, .. } => {
                let start = self.header.header_sectors as usize * sector_size;
                Cursor::Segments(SegmentCursor::new(generation, start, *end))
            }
            Container::Sectors(_) => Cursor::Sectors(StreamCursor::new(generation, sector_size)),
        };
        Records { log: self, cursor, from: position, assembled: Vec::new(), is_over: false }
    }

    /// Walks all records once, to know what the container alone does not tell.
    fn judge(&mut self, scan: Scan) {
        let (mut last, mut tear, mut damage) = (None, None, None);
        let mut records = self.records();
        loop {
            match records.step() {
                Step::Record(found) => {
                    let kind = records.bytes(found.place).first().copied().map(RecordType);
                    if kind != Some(RecordType::NOP2) {
                        last = kind.map(|kind| (kind, found.place));
                    }
                }
                Step::Damage(found) => {
                    damage = Some(found);
                    break;
                }
                Step::End(found) => {
                    tear = found;
                    break;
                }
            }
        }
        // A segmented log is only clean if its last segment says so.
        let is_in_last = |place| match place {
            Place::File { at, .. } => at >= scan.end.saturating_sub(segments::LEN),
            Place::Stream { .. } => true,
            Place::Assembled => false,
        };
        self.damage = damage.or(scan.damage);
        self.end.clean_shutdown = self.damage.is_none()
            && last.is_some_and(|(kind, place)| kind.is_clean_end() && is_in_last(place));
        if let Some(damage) = &self.damage {
            self.end.status = damage.status();
        } else if let Some(Tear { unit, sentence }) = tear.or(scan.tear) {
            self.end.status = LogStatus::Torn { unit, sentence };
        }
    }
}

/// The records of a log in order.
pub struct Records<'a> {
    log: &'a LogFile,
    cursor: Cursor,
    from: LgPos,
    /// The record that was last put together from fragments.
    assembled: Vec<u8>,
    is_over: bool,
}

enum Cursor {
    Segments(SegmentCursor),
    Sectors(StreamCursor),
}

impl Records<'_> {
    /// The next record, valid until the next call; `None` at the end of the log. The error carries -501: the log is damaged
    /// here. After it there are no more.
    #[allow(clippy::should_implement_trait, reason = "it lends, which an iterator cannot")]
    pub fn next(&mut self) -> Result<Option<LogRecord<'_>>> {
        while !self.is_over {
            match self.step() {
                Step::Record(found) if found.position < self.from => {}
                Step::Record(Found { position, time, place, is_fragmented }) => {
                    let bytes = self.bytes(place);
                    return Ok(Some(LogRecord { position, bytes, time, is_fragmented }));
                }
                Step::Damage(damage) => {
                    self.is_over = true;
                    return Err(damage.error(self.log.header.generation));
                }
                Step::End(_) => {
                    self.is_over = true;
                    if let Some(damage) = &self.log.damage {
                        return Err(damage.error(self.log.header.generation));
                    }
                }
            }
        }
        Ok(None)
    }

    fn step(&mut self) -> Step {
        match (&mut self.cursor, &self.log.container) {
            (Cursor::Segments(cursor), Container::Segments { file, .. }) => {
                cursor.step(file, &mut self.assembled)
            }
            (Cursor::Sectors(cursor), Container::Sectors(stream)) => cursor.step(stream),
            _ => Step::End(None),
        }
    }

    fn bytes(&self, place: Place) -> &[u8] {
        let part = |bytes: &'_ [u8], at: usize, len: usize| at..at.saturating_add(len).min(bytes.len());
        match (place, &self.log.container) {
            (Place::File { at, len }, Container::Segments { file, .. }) => {
                file.get(part(file, at, len)).unwrap_or(&[])
            }
            (Place::Stream { at, len }, Container::Sectors(stream)) => {
                stream.bytes.get(part(&stream.bytes, at, len)).unwrap_or(&[])
            }
            _ => &self.assembled,
        }
    }
}

pub(super) fn refuse_unknown(header: &LogHeader) -> Result<()> {
    let known =
        KNOWN_FORMATS.iter().any(|(major, update)| header.major == *major && header.update_major <= *update);
    if known {
        return Ok(());
    }
    let found = format_args!("format {}.{}.{}", header.major, header.minor, header.update_major);
    let expected = "format 7 up to update 17, or 8 up to update 130";
    Err(Error::format("log header", 32, found, expected).with_jet(JET_BAD_LOG_VERSION))
}

fn position_of_end(header: &LogHeader, end: usize) -> LgPos {
    let sector_size = header.sector_size as usize;
    LgPos {
        generation: header.generation,
        sector: (end / sector_size) as u16,
        byte: (end % sector_size) as u16,
    }
}

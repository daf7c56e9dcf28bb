//! Reads blocks and records where a catalog says that they stand.

use super::misplaced;
use crate::error::{Error, Result};
use crate::layout::block::{BlockHeader, BlockKind, HEADER_LEN, NO_RECORD};
use crate::layout::label::{self, Label};
use crate::layout::record::{self, RecordHeader, RecordKind};
use crate::layout::segment::Place;
use crate::medium::{Medium, Read};
use uuid::Uuid;

/// Reads one block and checks it: its CRC, and that it stands where it says. `block` then holds it whole.
pub fn read_block(medium: &mut dyn Medium, object: u64, block: &mut Vec<u8>) -> Result<BlockHeader> {
    if medium.position() != object {
        medium.locate(object)?;
    }
    let found = match medium.read(block)? {
        Read::Block(_) => None,
        Read::Filemark => Some("a filemark where a block was expected"),
        Read::EndOfData => Some("the end of data where a block was expected"),
    };
    if let Some(what) = found {
        return Err(Error::Format {
            medium: medium.name().to_owned(),
            object,
            byte: medium.byte_address(object),
            what: what.to_owned(),
        });
    }
    check_block(medium, object, block)
}

/// Checks a block that was read as object `object`.
pub fn check_block(medium: &dyn Medium, object: u64, block: &[u8]) -> Result<BlockHeader> {
    let header = BlockHeader::decode(block).map_err(|m| misplaced(medium, object, &m))?.0;
    if header.object != object {
        return Err(Error::Format {
            medium: medium.name().to_owned(),
            object,
            byte: medium.byte_address(object),
            what: format!("a repeated or moved block: it was written as object {}", header.object),
        });
    }
    Ok(header)
}

/// Reads the labels in file 0. `VOL1` may be damaged, the label block may not.
pub fn read_label(medium: &mut dyn Medium) -> Result<Label> {
    let mut block = Vec::new();
    medium.locate(0)?;
    let first = medium.read(&mut block);
    let ours = matches!(first, Ok(Read::Block(_))) && label::is_our_vol1(&block);
    let header = read_block(medium, 1, &mut block).map_err(|error| {
        if ours {
            return error;
        }
        Error::Format {
            medium: medium.name().to_owned(),
            object: 0,
            byte: Some(0),
            what:
                "no volume of Reelmover: neither its VOL1 label nor its label block stands at the beginning"
                    .into(),
        }
    })?;
    let mut plain = Vec::new();
    let label = only_record(&block, RecordKind::Label, &mut plain).and_then(Label::decode);
    let label = label.map_err(|m| misplaced(medium, 1, &m))?;
    if (header.kind, label.pool, label.volume) != (BlockKind::Label, header.pool, header.volume) {
        let what = "a label block whose label names another pool or volume".into();
        return Err(misplaced(medium, 1, &crate::layout::Malformed(what)));
    }
    Ok(label)
}

/// The plain body of the first record of a block, which must lie in it whole and be of the kind expected.
pub fn only_record<'a>(
    block: &'a [u8],
    kind: RecordKind,
    plain: &'a mut Vec<u8>,
) -> crate::layout::Result<&'a [u8]> {
    let payload = block.get(HEADER_LEN..).unwrap_or_default();
    let header = RecordHeader::decode(payload)?;
    let body = payload.get(record::HEADER_LEN..record::HEADER_LEN + header.body);
    let Some(body) = body.filter(|_| header.kind == kind) else {
        return Err(crate::layout::Malformed(format!(
            "a record of kind {:?} and {} bytes, expected {kind:?} in one block",
            header.kind, header.body
        )));
    };
    header.open(body, plain)
}

/// Most unusable blocks that a record is followed over: more than the metadata of a segment in the smallest blocks.
const MOST_PASSED: u64 = 4096;

/// One part of a set, as its blocks name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// Set number.
    pub set: u32,
    /// Random number of the run that wrote it.
    pub session: u64,
    /// Object number of its header block.
    pub header_object: u64,
}

/// Reads records of the data stream by place, going forward over a volume.
pub struct FrameReader {
    medium: Box<dyn Medium>,
    pool: Uuid,
    volume: Uuid,
    block: Vec<u8>,
    /// Object and header of what `block` holds.
    current: Option<(u64, BlockHeader)>,
    stats: ReadStats,
}

/// What reading has cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ReadStats {
    /// Bytes of the blocks that were read.
    pub read_bytes: u64,
    /// Times that the medium had to move before it could read.
    pub locates: u64,
}

impl FrameReader {
    /// Reads from a volume of a pool.
    pub fn new(medium: Box<dyn Medium>, pool: Uuid, volume: Uuid) -> Self {
        FrameReader { medium, pool, volume, block: Vec::new(), current: None, stats: ReadStats::default() }
    }

    /// What reading has cost so far.
    pub fn stats(&self) -> ReadStats {
        self.stats
    }

    /// Reads on to an object if it lies ahead and at most `most` blocks lie between: that costs less than a locate. What is
    /// passed over is not checked, and where it cannot be read the next record is located.
    pub fn approach(&mut self, object: u64, most: u64) {
        let between = object.checked_sub(self.medium.position());
        if between.is_none_or(|between| between > most) {
            return;
        }
        while self.medium.position() < object {
            self.current = None;
            let before = self.medium.position();
            if self.medium.read(&mut self.block).is_err() || self.medium.position() <= before {
                return;
            }
            self.stats.read_bytes += self.block.len() as u64;
        }
    }

    /// Name of the medium, for messages.
    pub fn name(&self) -> &str {
        self.medium.name()
    }

    /// Appends to `out` the record of `length` bytes (header included) that begins at `place` of a part. Its CRC is not
    /// checked here.
    ///
    /// Blocks between, damaged or not, that do not belong to the record are passed over; what fails is the first block
    /// without which the record is not whole.
    pub fn record(&mut self, part: Part, place: Place, length: u32, out: &mut Vec<u8>) -> Result<()> {
        let mut object = part.header_object + u64::from(place.index);
        let mut at = place.offset as usize;
        let mut wanted = length as usize;
        let mut first_error = None;
        let mut passed = 0;
        let begin = object;
        while wanted > 0 {
            match self.load(object) {
                Ok(header) if (header.set, header.session) != (part.set, part.session) => {
                    return Err(first_error.unwrap_or_else(|| {
                        let what = format!(
                            "a block of set {} or of another run, expected set {}",
                            header.set, part.set
                        );
                        self.misfit(object, what)
                    }));
                }
                Ok(header) if header.kind == BlockKind::Data => {
                    let payload = &self.block[HEADER_LEN..];
                    let continues = if header.first_record == NO_RECORD {
                        payload.len()
                    } else {
                        header.first_record as usize
                    };
                    let fits = object == begin || continues == wanted.min(payload.len());
                    let Some(bytes) = payload.get(at..).filter(|b| fits && !b.is_empty()) else {
                        return Err(first_error.unwrap_or_else(|| {
                            self.misfit(object, "the record does not continue here".into())
                        }));
                    };
                    let bytes = &bytes[..wanted.min(bytes.len())];
                    out.extend_from_slice(bytes);
                    wanted -= bytes.len();
                    at = 0;
                }
                Ok(header) if object == begin => {
                    return Err(self.misfit(object, format!("a {} block, expected data", header.kind.word())));
                }
                Ok(_) => {}
                Err(error) if object == begin => return Err(error),
                Err(error) => {
                    // Perhaps metadata: the next data block will tell.
                    passed += 1;
                    if passed > MOST_PASSED {
                        return Err(first_error.unwrap_or(error));
                    }
                    first_error.get_or_insert(error);
                }
            }
            object += 1;
        }
        Ok(())
    }

    fn load(&mut self, object: u64) -> Result<BlockHeader> {
        if let Some((loaded, header)) = self.current
            && loaded == object
        {
            return Ok(header);
        }
        self.current = None;
        self.stats.locates += u64::from(self.medium.position() != object);
        let read = read_block(&mut *self.medium, object, &mut self.block);
        self.stats.read_bytes += self.block.len() as u64;
        let header = read?;
        if (header.pool, header.volume) != (self.pool, self.volume) {
            return Err(self.misfit(object, "a block of another pool or volume".into()));
        }
        self.current = Some((object, header));
        Ok(header)
    }

    fn misfit(&self, object: u64, what: String) -> Error {
        misplaced(&*self.medium, object, &crate::layout::Malformed(what))
    }
}

//! Walks over every object of a volume, damaged or not, and puts records together from whatever blocks are good.

use super::probe;
use super::reader::check_block;
use crate::error::{Error, Result};
use crate::layout::block::{BlockHeader, BlockKind, HEADER_LEN, NO_RECORD};
use crate::layout::label;
use crate::layout::record::{self, RecordHeader, RecordKind};
use crate::layout::segment::Place;
use crate::medium::{Medium, Read};
use std::collections::HashMap;

/// What a walk meets.
#[derive(Debug)]
pub enum Event {
    /// A good block; its payload is [`Walk::payload`].
    Block(BlockHeader),
    /// The `VOL1` label at the beginning.
    Vol1,
    /// A filemark, by object number.
    Filemark(u64),
    /// Objects that cannot be used, and why. The range excludes its end; it may be empty where only the container's
    /// own words were damaged.
    Damage {
        /// First object.
        first: u64,
        /// First object behind.
        end: u64,
        /// Why.
        error: Error,
    },
}

/// A walk over the objects of a volume, forward.
pub struct Walk<'m> {
    medium: &'m mut dyn Medium,
    block: Vec<u8>,
    end: Option<u64>,
}

impl<'m> Walk<'m> {
    /// From object `first` to the end of data, or to `end`.
    pub fn new(medium: &'m mut dyn Medium, first: u64, end: Option<u64>) -> Result<Walk<'m>> {
        medium.locate(first)?;
        Ok(Walk { medium, block: Vec::new(), end })
    }

    /// Payload of the block that was met last.
    pub fn payload(&self) -> &[u8] {
        self.block.get(HEADER_LEN..).unwrap_or_default()
    }

    /// Name of the medium.
    pub fn name(&self) -> &str {
        self.medium.name()
    }

    /// Byte offset of an object in the image, where there is one.
    pub fn byte_address(&self, object: u64) -> Option<u64> {
        self.medium.byte_address(object)
    }

    /// The next object; `None` at the end. Only trouble of the operating system is an error.
    pub fn step(&mut self) -> Result<Option<Event>> {
        let object = self.medium.position();
        if self.end.is_some_and(|end| object >= end) {
            return Ok(None);
        }
        match self.medium.read(&mut self.block) {
            Ok(Read::EndOfData) => Ok(None),
            Ok(Read::Filemark) => Ok(Some(Event::Filemark(object))),
            Ok(Read::Block(_)) if object == 0 && label::is_our_vol1(&self.block) => Ok(Some(Event::Vol1)),
            Ok(Read::Block(_)) => Ok(Some(match check_block(self.medium, object, &self.block) {
                Ok(header) => Event::Block(header),
                Err(error) => Event::Damage { first: object, end: object + 1, error },
            })),
            Err(error @ Error::Medium { .. }) => {
                Ok(Some(Event::Damage { first: object, end: self.medium.position(), error }))
            }
            Err(error @ Error::Format { .. }) => {
                let end = match self.medium.skip_damage(&probe)? {
                    Some(next) => next,
                    None => self.medium.locate_end()?,
                };
                Ok(Some(Event::Damage { first: object, end, error }))
            }
            Err(error) => Err(error),
        }
    }
}

/// Puts records together from blocks of one part, in the order of a walk.
#[derive(Default)]
pub struct Records {
    partial: HashMap<BlockKind, Partial>,
}

struct Partial {
    place: Place,
    bytes: Vec<u8>,
}

/// A record in its place.
pub struct Found<'a> {
    /// What it says.
    pub kind: RecordKind,
    /// Where it begins.
    pub place: Place,
    /// Bytes of the record, its header included.
    pub length: u32,
    /// Its plain body.
    pub body: &'a [u8],
}

impl Records {
    /// Forgets what was begun: a new file begins.
    pub fn reset(&mut self) {
        self.partial.clear();
    }

    /// Takes a block in; `each` sees every record that is whole with it. Records that fail their own CRC, or whose other
    /// blocks are missing, are passed over in silence: the damaged block itself was reported by the walk. What follows the
    /// block format but not the record format goes to `malformed`.
    pub fn block(
        &mut self,
        header: &BlockHeader,
        payload: &[u8],
        plain: &mut Vec<u8>,
        mut each: impl FnMut(Found<'_>),
        mut malformed: impl FnMut(Place, String),
    ) {
        let continues = match header.first_record {
            NO_RECORD => payload.len(),
            first => (first as usize).min(payload.len()),
        };
        if let Some(mut partial) = self.partial.remove(&header.kind) {
            partial.bytes.extend_from_slice(&payload[..continues]);
            let wanted = RecordHeader::decode(&partial.bytes).map(|h| record::HEADER_LEN + h.body);
            let have = partial.bytes.len();
            if wanted.as_ref().is_ok_and(|wanted| *wanted == have) {
                open(&partial.bytes, partial.place, plain, &mut each, &mut malformed);
            } else if header.first_record == NO_RECORD
                && (have < record::HEADER_LEN || wanted.is_ok_and(|wanted| have < wanted))
            {
                self.partial.insert(header.kind, partial);
                return;
            }
        }
        let mut at = continues;
        while at < payload.len() {
            let place = Place { part: header.part, index: header.index, offset: at as u32 };
            let rest = &payload[at..];
            let wanted = match RecordHeader::decode(rest) {
                Ok(record) => record::HEADER_LEN + record.body,
                Err(_) if rest.len() < record::HEADER_LEN => usize::MAX,
                Err(error) => {
                    malformed(place, error.to_string());
                    return;
                }
            };
            if wanted > rest.len() {
                self.partial.insert(header.kind, Partial { place, bytes: rest.to_vec() });
                return;
            }
            open(&rest[..wanted], place, plain, &mut each, &mut malformed);
            at += wanted;
        }
    }
}

fn open(
    bytes: &[u8],
    place: Place,
    plain: &mut Vec<u8>,
    each: &mut impl FnMut(Found<'_>),
    malformed: &mut impl FnMut(Place, String),
) {
    let opened = RecordHeader::decode(bytes)
        .and_then(|h| h.open(bytes.get(record::HEADER_LEN..).unwrap_or_default(), plain).map(|b| (h, b)));
    match opened {
        Ok((header, body)) => each(Found { kind: header.kind, place, length: bytes.len() as u32, body }),
        Err(error) => malformed(place, error.to_string()),
    }
}

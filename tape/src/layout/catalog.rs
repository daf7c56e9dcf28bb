//! The catalog's head and its foreign segments (`docs/format.md` section 11).

use super::{Fields, Result};
use uuid::Uuid;
use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Body of the catalog head: what the catalog holds.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned, Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct CatalogHead {
    /// Set number.
    pub set: U32,
    /// Number of segment records.
    pub segments: U32,
    /// Number of fragments records.
    pub fragments: U64,
    /// Number of streams.
    pub streams: U64,
    reserved: U64,
}
const _: () = assert!(size_of::<CatalogHead>() == 32);

impl CatalogHead {
    /// A head for so many records.
    pub fn new(set: u32, segments: u32, fragments: u64, streams: u64) -> Self {
        CatalogHead {
            set: set.into(),
            segments: segments.into(),
            fragments: fragments.into(),
            streams: streams.into(),
            reserved: 0.into(),
        }
    }

    /// Takes the body of a catalog head apart.
    pub fn decode(body: &[u8]) -> Result<CatalogHead> {
        let mut fields = Fields::new("catalog head", body);
        let head = *fields.one::<CatalogHead>()?;
        fields.finish()?;
        Ok(head)
    }
}

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned, Clone, Copy)]
#[repr(C)]
struct RawForeign {
    set: U32,
    segment: U32,
    volume: [u8; 16],
    part: U16,
    reserved0: U16,
    first: U32,
    last: U32,
    reserved1: U32,
}
const _: () = assert!(size_of::<RawForeign>() == 40);

/// A segment of an earlier set that the recipes of this one name, and where its frames stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Foreign {
    /// Set number.
    pub set: u32,
    /// Segment of that set.
    pub segment: u32,
    /// The volume of its frames.
    pub volume: Uuid,
    /// Part of that set.
    pub part: u16,
    /// Index of the first block of its frames.
    pub first: u32,
    /// Index of the last block in which one begins.
    pub last: u32,
}

impl Foreign {
    /// Body of the record.
    pub fn encode_all(entries: &[Foreign]) -> Vec<u8> {
        let mut out = Vec::with_capacity(entries.len() * size_of::<RawForeign>());
        for entry in entries {
            let raw = RawForeign {
                set: entry.set.into(),
                segment: entry.segment.into(),
                volume: entry.volume.into_bytes(),
                part: entry.part.into(),
                reserved0: 0.into(),
                first: entry.first.into(),
                last: entry.last.into(),
                reserved1: 0.into(),
            };
            out.extend_from_slice(raw.as_bytes());
        }
        out
    }

    /// Takes the body of the record apart.
    pub fn decode_all(body: &[u8]) -> Result<Vec<Foreign>> {
        let mut fields = Fields::new("foreign segments", body);
        let mut entries = Vec::new();
        while !fields.is_empty() {
            let raw: &RawForeign = fields.one()?;
            entries.push(Foreign {
                set: raw.set.get(),
                segment: raw.segment.get(),
                volume: Uuid::from_bytes(raw.volume),
                part: raw.part.get(),
                first: raw.first.get(),
                last: raw.last.get(),
            });
        }
        Ok(entries)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_segments_read_back_as_written() {
        let entry =
            Foreign { set: 1, segment: 2, volume: Uuid::from_bytes([6; 16]), part: 0, first: 3, last: 4 };
        let body = Foreign::encode_all(&[entry, entry]);
        assert_eq!(Foreign::decode_all(&body).unwrap(), [entry, entry]);
        assert!(Foreign::decode_all(&body[..50]).is_err());
    }
}

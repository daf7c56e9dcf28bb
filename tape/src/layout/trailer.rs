//! The trailer, which commits a set (`docs/format.md` section 11).

use super::set::{StateEntry, decode_entries, encode_entries};
use super::{Fields, Result};
use zerocopy::little_endian::{I64, U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned, Clone, Copy)]
#[repr(C)]
struct RawTrailer {
    set: U32,
    copy: U16,
    part: U16,
    session: U64,
    finished: I64,
    streams: U64,
    segments: U32,
    catalog: U32,
    input: U64,
    new: U64,
    stored: U64,
    bad_pages: U64,
    entries: U32,
    catalog_crc: U32,
}
const _: () = assert!(size_of::<RawTrailer>() == 80);

/// What commits a backup set, with its figures.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Trailer {
    /// Set number.
    pub set: u32,
    /// Part of the set.
    pub part: u16,
    /// Random number of the run.
    pub session: u64,
    /// End of the run, nanoseconds since 1970 UTC.
    pub finished: i64,
    /// Number of streams.
    pub streams: u64,
    /// Number of segments.
    pub segments: u32,
    /// Index of the first catalog block.
    pub catalog: u32,
    /// CRC-32C over the catalog's records: tells one catalog from another.
    pub catalog_crc: u32,
    /// Bytes of all streams.
    pub input: u64,
    /// Plain bytes of new chunks.
    pub new: u64,
    /// Stored bytes of frames.
    pub stored: u64,
    /// Bad pages, those past the owned end included.
    pub bad_pages: u64,
    /// Torn files that the run found and closed.
    pub torn: Vec<StateEntry>,
}

impl Trailer {
    /// Body of the trailer record.
    pub fn encode(&self) -> Vec<u8> {
        let raw = RawTrailer {
            set: self.set.into(),
            copy: 0.into(),
            part: self.part.into(),
            session: self.session.into(),
            finished: self.finished.into(),
            streams: self.streams.into(),
            segments: self.segments.into(),
            catalog: self.catalog.into(),
            input: self.input.into(),
            new: self.new.into(),
            stored: self.stored.into(),
            bad_pages: self.bad_pages.into(),
            entries: (self.torn.len() as u32).into(),
            catalog_crc: self.catalog_crc.into(),
        };
        let mut body = raw.as_bytes().to_vec();
        encode_entries(&mut body, &self.torn);
        body
    }

    /// Takes the body of a trailer record apart.
    pub fn decode(body: &[u8]) -> Result<Trailer> {
        let mut fields = Fields::new("trailer", body);
        let raw: &RawTrailer = fields.one()?;
        let torn = decode_entries(&mut fields, raw.entries.get())?;
        fields.finish()?;
        Ok(Trailer {
            set: raw.set.get(),
            part: raw.part.get(),
            session: raw.session.get(),
            finished: raw.finished.get(),
            streams: raw.streams.get(),
            segments: raw.segments.get(),
            catalog: raw.catalog.get(),
            catalog_crc: raw.catalog_crc.get(),
            input: raw.input.get(),
            new: raw.new.get(),
            stored: raw.stored.get(),
            bad_pages: raw.bad_pages.get(),
            torn,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trailer_reads_back_as_written() {
        let trailer =
            Trailer { set: 5, session: 6, catalog: 7, catalog_crc: 9, input: 8, ..Trailer::default() };
        assert_eq!(Trailer::decode(&trailer.encode()).unwrap(), trailer);
        assert!(Trailer::decode(&trailer.encode()[..79]).is_err());
    }
}

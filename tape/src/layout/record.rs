//! Records: the stream of typed, checked bodies that runs over the blocks of one kind (`docs/format.md` section 4).

use super::{Result, malformed};
use zerocopy::little_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Bytes of a record header.
pub const HEADER_LEN: usize = size_of::<RawHeader>();
/// Most bytes of a body, stored or plain.
pub const MAX_BODY: usize = 64 << 20;
const COMPRESSED: u16 = 1;

/// What a record says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u16)]
pub enum RecordKind {
    /// Label of a volume.
    Label = 1,
    /// Head of a set.
    Set = 2,
    /// Everything of the pool that is still valid.
    PoolState = 3,
    /// New chunks, compressed together.
    Frame = 4,
    /// Table of new chunks.
    Segment = 5,
    /// Pieces of recipes.
    Fragments = 6,
    /// Sync point.
    Checkpoint = 7,
    /// Last of what comes before the catalog.
    End = 8,
    /// Head of the catalog.
    Catalog = 9,
    /// Segments of earlier sets that the recipes name.
    Foreign = 10,
    /// What commits a set.
    Trailer = 11,
}

impl RecordKind {
    fn from_number(number: u16) -> Option<Self> {
        use RecordKind::*;
        [Label, Set, PoolState, Frame, Segment, Fragments, Checkpoint, End, Catalog, Foreign, Trailer]
            .into_iter()
            .find(|k| *k as u16 == number)
    }
}

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned, Clone, Copy, Debug)]
#[repr(C)]
struct RawHeader {
    kind: U16,
    flags: U16,
    length: U32,
    crc: U32,
    reserved: U32,
}
const _: () = assert!(size_of::<RawHeader>() == 16);

/// A record header, taken apart but not yet held against its body.
#[derive(Debug, Clone, Copy)]
pub struct RecordHeader {
    /// What the record says.
    pub kind: RecordKind,
    /// Stored bytes of the body.
    pub body: usize,
    raw: RawHeader,
}

impl RecordHeader {
    /// Takes a header apart. Says nothing of the CRC, which needs the body.
    pub fn decode(bytes: &[u8]) -> Result<RecordHeader> {
        let Ok((raw, _)) = RawHeader::read_from_prefix(bytes) else {
            return malformed("the bytes end inside a record header");
        };
        let Some(kind) = RecordKind::from_number(raw.kind.get()) else {
            return malformed(format!("record kind {} is not known: a newer release is needed", raw.kind));
        };
        let body = raw.length.get() as usize;
        if body > MAX_BODY {
            return malformed(format!("a record of {body} bytes, more than {MAX_BODY}"));
        }
        if raw.flags.get() & !COMPRESSED != 0 {
            return malformed(format!(
                "record flags {:04x} are not known: a newer release is needed",
                raw.flags
            ));
        }
        Ok(RecordHeader { kind, body, raw })
    }

    /// Checks the body's CRC and gives its plain bytes; `plain` is used where the body is stored compressed.
    pub fn open<'a>(&self, body: &'a [u8], plain: &'a mut Vec<u8>) -> Result<&'a [u8]> {
        let crc = record_crc(&self.raw, body);
        if crc != self.raw.crc.get() || body.len() != self.body {
            return malformed(format!("record CRC-32C is {crc:08x}, its header says {:08x}", self.raw.crc));
        }
        if self.raw.flags.get() & COMPRESSED == 0 {
            return Ok(body);
        }
        let Some((len, packed)) = body.split_first_chunk() else {
            return malformed("a compressed record without its plain length");
        };
        let len = u32::from_le_bytes(*len) as usize;
        if len > MAX_BODY {
            return malformed(format!("a record of {len} plain bytes, more than {MAX_BODY}"));
        }
        plain.clear();
        // The length is a claim: room grows with what is really there.
        match zstd::stream::Decoder::new(packed) {
            Ok(decoder) => {
                let read =
                    std::io::Read::read_to_end(&mut std::io::Read::take(decoder, len as u64 + 1), plain);
                if read.is_err() || plain.len() != len {
                    return malformed(format!(
                        "a compressed record does not unpack to its {len} plain bytes"
                    ));
                }
            }
            Err(_) => return malformed("a compressed record cannot be unpacked"),
        }
        Ok(plain)
    }
}

fn record_crc(raw: &RawHeader, body: &[u8]) -> u32 {
    let zeroed = RawHeader { crc: 0.into(), ..*raw };
    crc32c::crc32c_append(crc32c::crc32c(zeroed.as_bytes()), body)
}

/// Bytes of the record that `bytes` begin with; all of them where that is not whole.
pub(crate) fn length(bytes: &[u8]) -> usize {
    let length = RecordHeader::decode(bytes).map_or(bytes.len(), |header| HEADER_LEN + header.body);
    length.min(bytes.len())
}

/// The header of a record whose body is these parts, with the CRC over both.
fn header(kind: RecordKind, flags: u16, parts: &[&[u8]]) -> RawHeader {
    let length = parts.iter().map(|p| p.len()).sum::<usize>();
    assert!(length <= MAX_BODY, "a record of {length} bytes is longer than the format allows");
    let mut raw = RawHeader {
        kind: (kind as u16).into(),
        flags: flags.into(),
        length: (length as u32).into(),
        crc: 0.into(),
        reserved: 0.into(),
    };
    let mut crc = crc32c::crc32c(raw.as_bytes());
    for part in parts {
        crc = crc32c::crc32c_append(crc, part);
    }
    raw.crc = crc.into();
    raw
}

/// The header of a record whose body is stored as it is: these parts, one behind the other.
pub(super) fn plain_header(kind: RecordKind, parts: &[&[u8]]) -> [u8; HEADER_LEN] {
    zerocopy::transmute!(header(kind, 0, parts))
}

fn append(out: &mut Vec<u8>, kind: RecordKind, flags: u16, parts: &[&[u8]]) {
    out.extend_from_slice(header(kind, flags, parts).as_bytes());
    for part in parts {
        out.extend_from_slice(part);
    }
}

/// Appends a record whose body is stored as it is.
pub fn append_plain(out: &mut Vec<u8>, kind: RecordKind, parts: &[&[u8]]) {
    append(out, kind, 0, parts);
}

/// Appends a record whose body is compressed where that makes it smaller.
pub fn append_packed(out: &mut Vec<u8>, kind: RecordKind, body: &[u8]) {
    if let Ok(packed) = zstd::bulk::compress(body, 3)
        && packed.len() + 4 < body.len()
    {
        append(out, kind, COMPRESSED, &[&(body.len() as u32).to_le_bytes(), &packed]);
    } else {
        append(out, kind, 0, &[body]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_read_back_as_written_plain_and_packed() {
        let body = vec![7; 10_000];
        for packed in [false, true] {
            let mut bytes = Vec::new();
            if packed {
                append_packed(&mut bytes, RecordKind::Fragments, &body);
                assert!(bytes.len() < 200);
            } else {
                append_plain(&mut bytes, RecordKind::Fragments, &[&body[..1], &body[1..]]);
            }
            let header = RecordHeader::decode(&bytes).unwrap();
            let mut plain = Vec::new();
            assert_eq!(header.open(&bytes[HEADER_LEN..], &mut plain).unwrap(), body);
            for at in 0..bytes.len() {
                let mut bad = bytes.clone();
                bad[at] ^= 1;
                let opened = RecordHeader::decode(&bad)
                    .and_then(|h| h.open(&bad[HEADER_LEN..], &mut Vec::new()).map(|_| ()));
                assert!(opened.is_err(), "byte {at}");
            }
        }
    }
}

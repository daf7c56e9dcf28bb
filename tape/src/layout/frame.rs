//! Frames: the compression unit (`docs/format.md` section 7).

use super::record::{self, RecordKind};
use super::{Fields, Result, malformed};
use zerocopy::little_endian::U32;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Most plain bytes of a frame.
pub const MAX_PLAIN: usize = 256 << 10;

/// How the stored bytes of a frame were made from its plain bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Codec {
    /// Stored as they are.
    None = 0,
    /// One zstd frame.
    Zstd = 1,
}

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned, Clone, Copy)]
#[repr(C)]
struct RawFrame {
    set: U32,
    segment: U32,
    first: U32,
    count: U32,
    digest_kind: u8,
    codec: u8,
    cipher: u8,
    reserved: u8,
    stored: U32,
    plain: U32,
    composite: U32,
    digest: [u8; 32],
}
const _: () = assert!(size_of::<RawFrame>() == 64);
const PLAIN_BLAKE3: u8 = 1;

/// Bytes of the record of a frame of so many chunks that stand before the stored ones.
pub const fn head_len(chunks: usize) -> usize {
    record::HEADER_LEN + size_of::<RawFrame>() + size_of::<U32>() * chunks
}

/// A frame: chunks of one segment, compressed together.
#[derive(Debug, Clone, Copy)]
pub struct Frame<'a> {
    /// Set number.
    pub set: u32,
    /// Segment of the set.
    pub segment: u32,
    /// Index in the segment of the first chunk.
    pub first: u32,
    /// How the stored bytes were made.
    pub codec: Codec,
    /// Digest of the stored bytes.
    pub digest: [u8; 32],
    /// Lengths of the chunks in bytes.
    pub lengths: &'a [U32],
    /// The stored bytes.
    pub stored: &'a [u8],
}

impl<'a> Frame<'a> {
    /// Plain bytes: the sum of the chunk lengths.
    pub fn plain_len(&self) -> usize {
        self.lengths.iter().map(|l| l.get() as usize).sum()
    }

    /// Appends the frame as a record.
    pub fn append_record(&self, out: &mut Vec<u8>) {
        let begin = out.len();
        out.resize(begin + head_len(self.lengths.len()), 0);
        self.write_head(&mut out[begin..]);
        out.extend_from_slice(self.stored);
    }

    /// Writes what stands before the stored bytes in the frame's record: [`head_len`] bytes, with the CRC over all of it.
    pub fn write_head(&self, head: &mut [u8]) {
        let raw = RawFrame {
            set: self.set.into(),
            segment: self.segment.into(),
            first: self.first.into(),
            count: (self.lengths.len() as u32).into(),
            digest_kind: PLAIN_BLAKE3,
            codec: self.codec as u8,
            cipher: 0,
            reserved: 0,
            stored: (self.stored.len() as u32).into(),
            plain: (self.plain_len() as u32).into(),
            composite: 0.into(),
            digest: self.digest,
        };
        let header =
            record::plain_header(RecordKind::Frame, &[raw.as_bytes(), self.lengths.as_bytes(), self.stored]);
        let (header_place, rest) = head.split_at_mut(header.len());
        let (raw_place, lengths_place) = rest.split_at_mut(size_of::<RawFrame>());
        header_place.copy_from_slice(&header);
        raw_place.copy_from_slice(raw.as_bytes());
        lengths_place.copy_from_slice(self.lengths.as_bytes());
    }

    /// Takes the body of a frame record apart. The digest is not checked here: this crate knows no digests.
    pub fn decode(body: &'a [u8]) -> Result<Frame<'a>> {
        let mut fields = Fields::new("frame", body);
        let raw: &RawFrame = fields.one()?;
        let codec = match raw.codec {
            0 => Codec::None,
            1 => Codec::Zstd,
            other => {
                return malformed(format!("frame codec {other} is not known: a newer release is needed"));
            }
        };
        if raw.digest_kind != PLAIN_BLAKE3 || raw.cipher != 0 || raw.composite.get() != 0 {
            return malformed(
                "a frame with a digest, cipher or composite chunks not known: a newer release is needed",
            );
        }
        let lengths: &[U32] = fields.many(raw.count.get())?;
        let stored = fields.bytes(raw.stored.get() as usize)?;
        fields.finish()?;
        let plain = lengths.iter().map(|l| u64::from(l.get())).sum::<u64>();
        if plain != u64::from(raw.plain.get()) || plain > MAX_PLAIN as u64 || lengths.is_empty() {
            return malformed(format!("a frame of {plain} plain bytes, its head says {}", raw.plain));
        }
        if codec == Codec::None && plain != stored.len() as u64 {
            return malformed(format!(
                "an uncompressed frame of {} bytes for {plain} plain bytes",
                stored.len()
            ));
        }
        if raw.first.get().checked_add(raw.count.get()).is_none() {
            return malformed("a frame whose chunk numbers pass the largest number");
        }
        Ok(Frame {
            set: raw.set.get(),
            segment: raw.segment.get(),
            first: raw.first.get(),
            codec,
            digest: raw.digest,
            lengths,
            stored,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::record::{HEADER_LEN, RecordHeader};
    use super::*;

    #[test]
    fn a_frame_reads_back_as_written_and_no_cut_body_is_taken() {
        let lengths = [U32::new(3), U32::new(2)];
        let frame = Frame {
            set: 1,
            segment: 2,
            first: 3,
            codec: Codec::None,
            digest: [9; 32],
            lengths: &lengths,
            stored: b"abcde",
        };
        let mut bytes = Vec::new();
        frame.append_record(&mut bytes);
        let header = RecordHeader::decode(&bytes).unwrap();
        let body = &bytes[HEADER_LEN..];
        assert_eq!((header.kind, header.body), (RecordKind::Frame, body.len()));
        let read = Frame::decode(body).unwrap();
        assert_eq!((read.set, read.segment, read.first, read.stored), (1, 2, 3, &b"abcde"[..]));
        assert_eq!((read.codec, read.digest, read.lengths), (Codec::None, [9; 32], &lengths[..]));
        for len in 0..body.len() {
            assert!(Frame::decode(&body[..len]).is_err());
        }
    }
}

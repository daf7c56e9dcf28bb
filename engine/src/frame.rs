//! One frame: grouping new chunks, compressing, and the way back with every digest checked.

use crate::digest;
use crate::error::{Class, Error, Result};
use reel_tape::layout::frame::{Codec, Frame, MAX_PLAIN, head_len};
use reel_tape::layout::segment::ChunkEntry;
use std::io::Cursor;
use std::ops::Range;
use zerocopy::little_endian::U32;
use zstd::zstd_safe::CParameter;

/// How frames are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    None,
    /// zstd at a level from -7 to 19.
    Zstd(i32),
}

impl Compression {
    /// Levels that are accepted.
    pub const LEVELS: std::ops::RangeInclusive<i32> = -7..=19;
}

impl Default for Compression {
    fn default() -> Self {
        Compression::Zstd(1)
    }
}

/// A frame among the records of a piece.
pub struct EncodedFrame {
    /// Bytes of its record.
    pub length: u32,
    /// Stored bytes, without heads.
    pub stored: u32,
    /// Index in the segment of its first chunk.
    pub first: u32,
    /// Number of its chunks.
    pub count: u32,
}

/// Groups and compresses chunks; one for each worker, its context and buffers are used again and again.
pub struct FrameEncoder {
    compressor: Option<zstd::bulk::Compressor<'static>>,
    /// Where the frame's chunks are, neighbours as one.
    places: Vec<Range<usize>>,
    lengths: Vec<U32>,
    plain: Vec<u8>,
}

impl FrameEncoder {
    /// An encoder for a way of compressing.
    pub fn new(compression: Compression) -> Result<Self> {
        let compressor = match compression {
            Compression::None => None,
            Compression::Zstd(level) => Some(
                compressor(level)
                    .map_err(|e| Error::io("zstd", &format!("cannot prepare level {level}"), e))?,
            ),
        };
        Ok(FrameEncoder {
            compressor,
            places: Vec::new(),
            lengths: Vec::new(),
            plain: Vec::with_capacity(MAX_PLAIN),
        })
    }

    /// Makes frames of the chunks at these places in `bytes`, the new ones of a piece in claim order, which are numbered from
    /// `first`, and appends their records to `records`. Neighbours are compressed where they are; others are copied together.
    pub fn encode(
        &mut self,
        set: u32,
        segment: u32,
        mut first: u32,
        bytes: &[u8],
        chunks: impl Iterator<Item = Range<usize>>,
        records: &mut Vec<u8>,
    ) -> Result<Vec<EncodedFrame>> {
        let mut frames = Vec::new();
        let mut length = 0;
        for chunk in chunks {
            if length > 0 && length + chunk.len() > MAX_PLAIN {
                frames.push(self.close(set, segment, &mut first, bytes, records)?);
                length = 0;
            }
            length += chunk.len();
            self.lengths.push((chunk.len() as u32).into());
            match self.places.last_mut() {
                Some(before) if before.end == chunk.start => before.end = chunk.end,
                _ => self.places.push(chunk),
            }
        }
        if length > 0 {
            frames.push(self.close(set, segment, &mut first, bytes, records)?);
        }
        Ok(frames)
    }

    fn close(
        &mut self,
        set: u32,
        segment: u32,
        first: &mut u32,
        bytes: &[u8],
        records: &mut Vec<u8>,
    ) -> Result<EncodedFrame> {
        let begin = records.len();
        let body = begin + head_len(self.lengths.len());
        records.resize(body, 0);
        let codec = self.store(bytes, records)?;
        let (head, stored) = records[begin..].split_at_mut(body - begin);
        let digest = digest::of(stored);
        let frame = Frame { set, segment, first: *first, codec, digest, lengths: &self.lengths, stored };
        frame.write_head(head);
        let count = self.lengths.len() as u32;
        let stored = stored.len() as u32;
        let encoded = EncodedFrame { length: (records.len() - begin) as u32, stored, first: *first, count };
        *first += count;
        self.places.clear();
        self.lengths.clear();
        Ok(encoded)
    }

    /// Appends the frame's stored bytes to `records`, where they stay.
    fn store(&mut self, bytes: &[u8], records: &mut Vec<u8>) -> Result<Codec> {
        if let Some(compressor) = &mut self.compressor {
            let plain = match &self.places[..] {
                [place] => &bytes[place.clone()],
                places => {
                    self.plain.clear();
                    places.iter().for_each(|place| self.plain.extend_from_slice(&bytes[place.clone()]));
                    &self.plain
                }
            };
            let begin = records.len();
            records.reserve(zstd::zstd_safe::compress_bound(plain.len()));
            let mut behind = Cursor::new(&mut *records);
            behind.set_position(begin as u64);
            let packed = compressor
                .compress_to_buffer(plain, &mut behind)
                .map_err(|e| Error::io("zstd", "cannot compress a frame", e))?;
            // Above 97 % a restore is better off without the decoder (performance.md 2.6).
            if packed * 100 <= plain.len() * 97 {
                return Ok(Codec::Zstd);
            }
            records.truncate(begin);
        }
        self.places.iter().for_each(|place| records.extend_from_slice(&bytes[place.clone()]));
        Ok(Codec::None)
    }
}

/// The compressor of a level, as frames are made with it.
///
/// For inputs as short as a frame, level 1 of zstd finds matches of 6 bytes by a table of 2^14 places. As for long inputs it looks
/// for 7 here, and by 2^16 places: beside 6 bytes and 2^15 places what is stored is 0.3 to 0.8 % more, packed in 0.9 of the time and
/// unpacked in 0.87 to 0.96; beside zstd's own choice it is 1 % less.
///
/// # Errors
/// When zstd has no memory for it.
pub fn compressor(level: i32) -> std::io::Result<zstd::bulk::Compressor<'static>> {
    let mut compressor = zstd::bulk::Compressor::new(level)?;
    if level == 1 {
        compressor.set_parameter(CParameter::HashLog(16))?;
        compressor.set_parameter(CParameter::MinMatch(7))?;
    }
    Ok(compressor)
}

/// Unpacks frames; one for each worker.
pub struct FrameDecoder {
    decompressor: zstd::bulk::Decompressor<'static>,
    plain: Vec<u8>,
    digests: bool,
}

impl FrameDecoder {
    /// A decoder.
    pub fn new() -> Result<Self> {
        let decompressor = zstd::bulk::Decompressor::new()
            .map_err(|e| Error::io("zstd", "cannot prepare the decoder", e))?;
        Ok(FrameDecoder { decompressor, plain: Vec::new(), digests: true })
    }

    /// Are digests computed? They are, unless a benchmark wants to know what they cost.
    pub(crate) fn digests(&mut self, yes: bool) {
        self.digests = yes;
    }

    /// The plain bytes of a frame, after its digest was checked. The chunks in them are not checked yet.
    pub fn decode<'a>(&'a mut self, frame: &Frame<'a>) -> Result<&'a [u8]> {
        if frame.codec == Codec::None {
            self.check(frame)?;
            return Ok(frame.stored);
        }
        let mut plain = std::mem::take(&mut self.plain);
        plain.resize(MAX_PLAIN, 0);
        let decoded = self.decode_into(frame, &mut plain).map(<[u8]>::len);
        self.plain = plain;
        Ok(&self.plain[..decoded?])
    }

    /// Puts the plain bytes of a frame at the beginning of `room`, as [`FrameDecoder::decode`] gives them, and gives them there.
    pub fn decode_into<'a>(&mut self, frame: &Frame, room: &'a mut [u8]) -> Result<&'a [u8]> {
        self.check(frame)?;
        let wanted = frame.plain_len();
        let room = room.get_mut(..wanted).unwrap_or_default();
        let unpacked = match frame.codec {
            Codec::None if room.len() == frame.stored.len() => {
                room.copy_from_slice(frame.stored);
                true
            }
            Codec::None => false,
            Codec::Zstd => {
                self.decompressor.decompress_to_buffer(frame.stored, room).is_ok_and(|l| l == wanted)
            }
        };
        if unpacked {
            return Ok(room);
        }
        let sentence = format!("it does not unpack to its {wanted} plain bytes");
        Err(Error::new(Class::Format, name_of(frame), sentence))
    }

    fn check(&self, frame: &Frame) -> Result<()> {
        if self.digests && digest::of(frame.stored) != frame.digest {
            let sentence = "the stored bytes do not have the digest that its head says";
            return Err(Error::new(Class::Checksum, name_of(frame), sentence));
        }
        Ok(())
    }
}

fn name_of(frame: &Frame) -> String {
    format!("frame of set {}, segment {}, chunk {}", frame.set, frame.segment, frame.first)
}

/// Are these the chunks that the segment's entries promise? One answer for each, in order; what has no entry or no bytes is not.
/// Equal chunks, one after the other, are hashed together.
pub fn check_chunks<'a>(chunks: impl Iterator<Item = Option<(&'a ChunkEntry, &'a [u8])>>) -> Vec<bool> {
    let chunks: Vec<_> = chunks.collect();
    let units: Vec<&[u8]> = chunks.iter().map(|chunk| chunk.map_or(&[][..], |(_, bytes)| bytes)).collect();
    let mut digests = Vec::with_capacity(units.len());
    digest::of_each(&units, &mut digests);
    let is = |(entry, bytes): (&ChunkEntry, &[u8]), digest| {
        entry.length.get() as usize == bytes.len() && entry.digest == digest
    };
    chunks.into_iter().zip(digests).map(|(chunk, digest)| chunk.is_some_and(|c| is(c, digest))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use reel_tape::layout::record::{HEADER_LEN, RecordHeader};

    #[test]
    fn frames_hold_up_to_256_kib_and_decode_to_what_went_in() {
        for compression in [Compression::None, Compression::Zstd(1), Compression::Zstd(-7)] {
            // The last ones come first, with a gap to the others: neighbours and strangers share a frame.
            let bytes: Vec<u8> = (0..31u8).flat_map(|i| vec![i; 30_000]).collect();
            let places = (28..31).chain(0..27).map(|i| i * 30_000..(i + 1) * 30_000);
            let mut encoder = FrameEncoder::new(compression).unwrap();
            // Behind what is there already.
            let mut records = vec![7; 99];
            let frames = encoder.encode(1, 2, 5, &bytes, places.clone(), &mut records).unwrap();
            assert_eq!(
                frames.iter().map(|f| (f.first, f.count)).collect::<Vec<_>>(),
                [(5, 8), (13, 8), (21, 8), (29, 6)]
            );
            let mut decoder = FrameDecoder::new().unwrap();
            let mut all = Vec::new();
            let mut rest = &records[99..];
            for encoded in &frames {
                let (record, later) = rest.split_at(encoded.length as usize);
                rest = later;
                let header = RecordHeader::decode(record).unwrap();
                let mut plain = Vec::new();
                let body = header.open(&record[HEADER_LEN..], &mut plain).unwrap();
                let frame = Frame::decode(body).unwrap();
                assert_eq!(frame.stored.len(), encoded.stored as usize);
                all.extend_from_slice(decoder.decode(&frame).unwrap());
                let mut room = vec![7; MAX_PLAIN + 99];
                assert!(decoder.decode_into(&frame, &mut room).unwrap() == decoder.decode(&frame).unwrap());
                assert!(decoder.decode_into(&frame, &mut room[..frame.plain_len() - 1]).is_err());
                let wrong = Frame { digest: [0; 32], ..frame };
                assert_eq!(decoder.decode_into(&wrong, &mut room).unwrap_err().class(), Class::Checksum);
                assert_eq!(decoder.decode(&wrong).unwrap_err().class(), Class::Checksum);
            }
            assert!(rest.is_empty());
            assert_eq!(all, places.flat_map(|place| bytes[place].to_vec()).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_chunk_is_good_if_it_has_the_length_and_the_digest_of_its_entry() {
        let chunks: Vec<Vec<u8>> = (0..40u8).map(|i| vec![i; if i < 36 { 4096 } else { 100 }]).collect();
        let entries: Vec<_> =
            chunks.iter().map(|c| ChunkEntry::plain(digest::of(c), c.len() as u32)).collect();
        let longer = ChunkEntry::plain(entries[7].digest, 4097);
        let given = |i: usize| match i {
            3 => None,
            5 => Some((&entries[5], &chunks[6][..])),
            7 => Some((&longer, &chunks[7][..])),
            _ => Some((&entries[i], &chunks[i][..])),
        };
        let good = check_chunks((0..40).map(given));
        let bad: Vec<usize> = (0..40).filter(|i| !good[*i]).collect();
        assert_eq!(bad, [3, 5, 7]);
    }
}

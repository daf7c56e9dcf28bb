//! The segments of one log file: records back to back, long ones in fragments (reference, log.md section 4).

use reel_formats::ese::page::checksum::xor_ecc;

use super::record::{FRAGMENT, FRAGMENT_BEGIN, NOP2};

pub(super) const SEGMENT: usize = 4096;
pub(super) const FILE_SEGMENTS: u16 = 256;
pub(super) const FILE_BYTES: usize = SEGMENT * FILE_SEGMENTS as usize;
/// Where the records of a segment begin.
pub(super) const HEAD: usize = 40;
/// The last segment of a file holds no records.
pub(super) const RECORDS_END: u16 = FILE_SEGMENTS - 1;
/// The segment's flags: the checksum is there.
const FLAGS: u32 = 0x2000;
const SMALLEST_PIECE: usize = 32;
const BEGIN_HEAD: usize = 7;
const FRAGMENT_HEAD: usize = 3;
const NOP2_HEAD: usize = 5;

/// Fills the segments of one file, in order.
pub(super) struct SegmentWriter<'a> {
    file: &'a mut [u8],
    segment: u16,
    at: usize,
}

impl<'a> SegmentWriter<'a> {
    /// Starts behind the header of `file`, all of whose bytes are zero.
    pub(super) fn new(file: &'a mut [u8]) -> Self {
        SegmentWriter { file, segment: 1, at: HEAD }
    }

    /// The segment that the next record begins in.
    pub(super) fn segment(&self) -> u16 {
        self.segment
    }

    fn left(&self) -> usize {
        SEGMENT - self.at
    }

    /// Whether `records` certainly end before segment `end` begins.
    pub(super) fn fits(&self, records: &[Vec<u8>], end: u16) -> bool {
        let bytes: usize = records.iter().map(Vec::len).sum();
        let worst = bytes + bytes / 64 + records.len() * 2 * SMALLEST_PIECE;
        let room = usize::from(end.saturating_sub(self.segment)) * (SEGMENT - HEAD);
        worst + (self.at - HEAD) <= room
    }

    fn raw(&mut self, parts: &[&[u8]]) {
        for part in parts {
            let start = usize::from(self.segment) * SEGMENT + self.at;
            self.file[start..start + part.len()].copy_from_slice(part);
            self.at += part.len();
        }
        if self.left() == 0 {
            self.skip();
        }
    }

    /// Goes on to the next segment; what is left of this one stays zero.
    fn skip(&mut self) {
        self.segment += 1;
        self.at = HEAD;
    }

    /// Adds one record; [`Self::fits`] must have said that there is room.
    pub(super) fn put(&mut self, record: &[u8]) {
        if record.len() <= self.left() {
            return self.raw(&[record]);
        }
        if self.left() < SMALLEST_PIECE {
            self.skip();
            return self.put(record);
        }
        let (piece, mut rest) = record.split_at(self.left() - BEGIN_HEAD);
        let (total, length) = ((record.len() as u32).to_le_bytes(), (piece.len() as u16).to_le_bytes());
        self.raw(&[&[FRAGMENT_BEGIN], &total, &length, piece]);
        while !rest.is_empty() {
            let (piece, behind) = rest.split_at(rest.len().min(self.left() - FRAGMENT_HEAD));
            self.raw(&[&[FRAGMENT], &(piece.len() as u16).to_le_bytes(), piece]);
            rest = behind;
        }
    }

    /// Fills up to the beginning of segment `end` with records that do nothing.
    pub(super) fn pad_to(&mut self, end: u16) {
        while self.segment < end {
            if self.left() < NOP2_HEAD {
                self.skip();
                continue;
            }
            let filler = vec![0; self.left() - NOP2_HEAD];
            self.raw(&[&[NOP2], &(filler.len() as u32).to_le_bytes(), &filler]);
        }
    }

    /// Gives the segments their headers and answers the XOR of their checksums. A segment that is not full gets its
    /// shadow behind it.
    pub(super) fn finish(self, generation: u32, time: [u8; 8]) -> u64 {
        let open = self.at > HEAD;
        let mut sum = 0;
        for number in 1..self.segment + u16::from(open) {
            let start = usize::from(number) * SEGMENT;
            let segment = &mut self.file[start..start + SEGMENT];
            let position = u64::from(generation) << 32 | u64::from(number) << 16;
            segment[8..16].copy_from_slice(&position.to_le_bytes());
            segment[16..24].copy_from_slice(&time);
            segment[36..40].copy_from_slice(&FLAGS.to_le_bytes());
            let checksum =
                xor_ecc(segment, u32::from(number), true).expect("4,096 bytes are a checksum block");
            segment[..8].copy_from_slice(&checksum.to_le_bytes());
            sum ^= checksum;
        }
        if open {
            let start = usize::from(self.segment) * SEGMENT;
            self.file.copy_within(start..start + SEGMENT, start + SEGMENT);
        }
        sum
    }
}

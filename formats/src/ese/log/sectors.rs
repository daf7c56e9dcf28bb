//! The container up to format 7: sectors, with a checksum record for each flush (reference, log.md section 5).

use super::end::{Damage, Scan, Tear};
use super::header::LogHeader;
use super::record::RecordType;
use crate::le::{Fields, bytes_at};

const SEED: u32 = 0xFEED_BEAF;
const SHORT_SEED: u32 = 0xDEAD_C0DE;
const SHADOW: u32 = 0x5AD0_5EC7;
const LEN: usize = 22;
const HAS_SHORT: u8 = 0x9A;
const HAS_NO_SHORT: u8 = 0xD1;
/// From this minor version on the fill of unused space is known.
const KNOWN_FILL_FROM: u32 = 3704;
const FILL_LEN: usize = 256;

/// What the records of the log are made of, without the checksum records between.
#[derive(Clone, Debug, Default)]
pub(super) struct Stream {
    pub bytes: Vec<u8>,
    pub pieces: Vec<Piece>,
}

/// A part of a [`Stream`] that is one in the file too.
#[derive(Clone, Copy, Debug)]
pub(super) struct Piece {
    /// Where it starts in the stream.
    pub start: usize,
    /// Where it starts in the file.
    pub file_at: usize,
    /// Whether what hangs over the end of the piece before was cut off by a crash.
    pub is_fresh: bool,
}

impl Stream {
    fn push(&mut self, file: &[u8], from: usize, to: usize, is_fresh: bool) {
        let bytes = file.get(from..to).unwrap_or(&[]);
        if !bytes.is_empty() {
            self.pieces.push(Piece { start: self.bytes.len(), file_at: from, is_fresh });
            self.bytes.extend_from_slice(bytes);
        }
    }

    /// Where in the file byte `at` of the stream stands.
    pub fn file_offset(&self, at: usize) -> usize {
        let piece = self.pieces.partition_point(|piece| piece.start <= at).checked_sub(1);
        piece.and_then(|index| self.pieces.get(index)).map_or(0, |piece| piece.file_at + (at - piece.start))
    }

    /// Where the first record that no other runs into starts behind `at`; otherwise the end.
    pub fn next_fresh(&self, at: usize) -> usize {
        let later = self.pieces.iter().skip(self.pieces.partition_point(|piece| piece.start <= at));
        later.filter(|piece| piece.is_fresh).map(|piece| piece.start).next().unwrap_or(self.bytes.len())
    }
}

/// A checksum record and the flush that it covers.
#[derive(Clone, Copy)]
struct Flush {
    /// Where the record stands in the file.
    at: usize,
    backward: usize,
    forward: usize,
    next: usize,
    checksum: u32,
    short_checksum: u32,
    is_short: bool,
}

impl Flush {
    /// The record at `at` of `bytes`, if its fields can be true.
    fn parse(bytes: &[u8], at: usize, sector_size: usize) -> Option<Self> {
        let record = bytes_at(bytes, at, LEN)?;
        let fields = Fields(record);
        let (byte, is_short) = (at % sector_size, fields.u8(21) == HAS_SHORT);
        let flush = Self {
            at,
            backward: fields.u32(1) as usize,
            forward: fields.u32(5) as usize,
            next: fields.u32(9) as usize,
            checksum: fields.u32(13),
            short_checksum: fields.u32(17),
            is_short,
        };
        let right_kind = fields.u8(0) == RecordType::CHECKSUM.0
            && (is_short || fields.u8(21) == HAS_NO_SHORT && flush.short_checksum == 0);
        let covers_whole_sectors = flush.end().is_multiple_of(sector_size);
        let right_range = (flush.backward == byte || flush.backward == 0)
            && byte + LEN <= sector_size
            && flush.end() <= bytes.len()
            && if is_short {
                covers_whole_sectors && flush.end() - (at - byte) > sector_size
            } else {
                byte + LEN + flush.forward <= sector_size
            };
        let next_at = at + LEN + flush.next;
        let right_next = flush.next == 0
            || covers_whole_sectors && next_at >= flush.end() && next_at + LEN <= flush.end() + sector_size;
        (right_kind && right_range && right_next).then_some(flush)
    }

    /// File offset behind the range.
    fn end(&self) -> usize {
        self.at + LEN + self.forward
    }

    fn sum(&self, bytes: &[u8], seed: u32, end: usize, generation: u32) -> u32 {
        let range = |from: usize, to: usize| bytes.get(from..to).unwrap_or(&[]);
        let backward = xor_words(range(self.at - self.backward, self.at));
        let forward = xor_words(range(self.at + LEN, end));
        let use_byte = if self.is_short { HAS_SHORT } else { HAS_NO_SHORT };
        let lengths = self.backward as u32 ^ self.forward as u32 ^ self.next as u32;
        seed ^ backward ^ forward ^ lengths ^ u32::from(use_byte) ^ generation
    }

    fn is_range_good(&self, bytes: &[u8], generation: u32) -> bool {
        self.sum(bytes, SEED, self.end(), generation) == self.checksum
    }

    /// Whether the record's own sector is good, where the record says.
    fn is_sector_good(&self, bytes: &[u8], sector_size: usize, generation: u32) -> bool {
        let end = (self.at / sector_size + 1) * sector_size;
        !self.is_short || self.sum(bytes, SHORT_SEED, end, generation) == self.short_checksum
    }
}

/// XOR of little-endian words; the last one is filled up with zeros.
fn xor_words(bytes: &[u8]) -> u32 {
    bytes.chunks(4).fold(0, |xor, piece| {
        let mut word = [0; 4];
        word[..piece.len()].copy_from_slice(piece);
        xor ^ u32::from_le_bytes(word)
    })
}

/// Follows the flushes to the end of the log (section 5.1). A torn last sector is taken from its shadow copy, in `file`.
pub(super) fn scan(file: &mut [u8], header: &LogHeader) -> (Scan, Stream) {
    let mut scanner = Scanner {
        sector_size: header.sector_size as usize,
        generation: header.generation,
        knows_fill: header.minor >= KNOWN_FILL_FROM,
        scan: Scan::default(),
        stream: Stream::default(),
    };
    let start = header.header_sectors as usize * scanner.sector_size;
    scanner.scan.end = start;
    let mut next = Some(start);
    while let Some(at) = next {
        next = scanner.follow(file, at);
    }
    (scanner.scan, scanner.stream)
}

struct Scanner {
    sector_size: usize,
    generation: u32,
    knows_fill: bool,
    scan: Scan,
    stream: Stream,
}

impl Scanner {
    /// Takes in the flush whose record stands at `at`; answers where the next one stands, always further on.
    fn follow(&mut self, file: &mut [u8], at: usize) -> Option<usize> {
        let flush = Flush::parse(file, at, self.sector_size)
            .filter(|flush| flush.is_sector_good(file, self.sector_size, self.generation));
        match flush {
            Some(flush) if flush.is_range_good(file, self.generation) => {
                self.take(file, flush, flush.end());
                if flush.next != 0 {
                    return Some(at + LEN + flush.next);
                }
                self.check_unused(file);
            }
            Some(flush) if flush.is_short => self.judge_torn_range(file, flush),
            _ => self.judge_lost_sector(file, at),
        }
        None
    }

    fn take(&mut self, file: &[u8], flush: Flush, end: usize) {
        let byte = flush.at % self.sector_size;
        let was_cut = byte != 0 && flush.backward == 0;
        if !was_cut {
            self.stream.push(file, flush.at - byte, flush.at, false);
        }
        self.stream.push(file, flush.at + LEN, end, was_cut);
        self.scan.end = end;
    }

    /// Behind the last flush and the sector that may hold its shadow copy there must be nothing but fill.
    fn check_unused(&mut self, file: &[u8]) {
        let unused_at = self.scan.end.next_multiple_of(self.sector_size) + self.sector_size;
        if self.knows_fill && !Self::is_fill(file, unused_at, file.len()) {
            self.damage(unused_at, "data behind the end of the log", "fill");
        }
    }

    /// A flush of several sectors of which the first is good and the whole is not.
    fn judge_torn_range(&mut self, file: &[u8], flush: Flush) {
        let first = flush.at - flush.at % self.sector_size;
        let second = first + self.sector_size;
        let has_fill = (second..flush.end())
            .step_by(self.sector_size)
            .any(|sector| Self::is_fill(file, sector, sector + self.sector_size));
        let is_before_shadow = flush.end() - first == 2 * self.sector_size && self.is_old_shadow(file, flush);
        let is_torn =
            self.knows_fill && Self::is_fill(file, flush.end(), file.len()) && (has_fill || is_before_shadow);
        if is_torn {
            self.take(file, flush, second);
            self.tear(second, "were not all written; what the first of them holds is kept");
        } else {
            self.damage(flush.at, "a flush that does not match its checksum", "a good one");
        }
    }

    /// The second sector of the flush is still the shadow copy of what the first held before, which it continues.
    fn is_old_shadow(&self, file: &[u8], flush: Flush) -> bool {
        let Some(shadow) = self.shadow(file, flush.at) else {
            return false;
        };
        let old_len = shadow.forward;
        let at = flush.at + LEN;
        bytes_at(file, at, old_len) == bytes_at(file, at + self.sector_size, old_len)
    }

    /// A record that is damaged, or one whose only sector is.
    fn judge_lost_sector(&mut self, file: &mut [u8], at: usize) {
        let sector = at - at % self.sector_size;
        let unit = (sector / self.sector_size) as u32;
        if let Some(shadow) = self.shadow(file, at) {
            file.copy_within(sector + self.sector_size..sector + 2 * self.sector_size, sector);
            let flush = Flush { at, ..shadow };
            self.take(file, flush, flush.end());
            self.scan.patched.push(unit);
            let sentence = format!("sector {unit:#x} was written in part and is taken from its shadow copy");
            self.scan.tear = Some(Tear { unit, sentence });
        } else if self.knows_fill && Self::is_fill(file, sector, file.len()) {
            self.tear(sector, "and those behind it were never written");
        } else {
            self.damage(at, "no good checksum record", "one where the flush before says");
        }
    }

    /// The shadow copy, in the next sector, of the flush whose record stands at `at`.
    fn shadow(&self, file: &[u8], at: usize) -> Option<Flush> {
        let copy_at = at + self.sector_size;
        let flush = Flush::parse(file, copy_at, self.sector_size)?;
        let sum = flush.sum(file, SEED, flush.end(), self.generation);
        (!flush.is_short && flush.next == 0 && sum ^ SHADOW == flush.checksum).then_some(flush)
    }

    fn is_fill(file: &[u8], from: usize, to: usize) -> bool {
        let bytes = file.get(from.min(to)..to.min(file.len())).unwrap_or(&[]);
        let fill = |index: usize| if index.is_multiple_of(16) { 0xDA + index } else { 0xDA } as u8;
        bytes.iter().zip((0..FILL_LEN).cycle()).all(|(byte, index)| *byte == fill(index))
    }

    fn tear(&mut self, at: usize, what: &str) {
        let unit = (at / self.sector_size) as u32;
        self.scan.tear = Some(Tear { unit, sentence: format!("the sectors from {unit:#x} on {what}") });
    }

    fn damage(&mut self, at: usize, found: &str, expected: &str) {
        self.scan.damage = Some(Damage::new((at / self.sector_size) as u32, at as u64, found, expected));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_checksum_comes_out_as_published() {
        let mut sector = vec![0; 512];
        sector[0] = RecordType::CHECKSUM.0;
        sector[5] = 10;
        sector[21] = HAS_NO_SHORT;
        for byte in 0..10 {
            sector[LEN + usize::from(byte)] = byte;
        }
        let flush = Flush::parse(&sector, 0, 512).expect("fields that can be true");
        let sum = flush.sum(&sector, SEED, flush.end(), 0x12);
        assert_eq!((sum, sum ^ SHADOW), (0xfae9_b36a, 0xa039_edad));
    }
}

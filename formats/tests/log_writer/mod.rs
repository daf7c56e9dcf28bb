//! Writes small logs of format 8 in the engine's manner.
#![allow(dead_code, reason = "each test file uses its part")]

use reel_formats::ese::log::record::RecordType;
use reel_formats::ese::page::checksum::{header_xor, xor_ecc};
use reel_formats::ese::position::LgPos;

pub const SEGMENT: usize = 4096;
pub const SEGMENT_HEADER: usize = 40;
/// A record that does not fit is cut if so many bytes are left.
const MIN_PIECE: usize = 32;
pub const GENERATION: u32 = 5;

pub fn header(major: u32, sector_size: usize, file_len: usize) -> Vec<u8> {
    let mut header = vec![0; SEGMENT];
    let mut put = |at: usize, bytes: &[u8]| header[at..at + bytes.len()].copy_from_slice(bytes);
    put(4, &GENERATION.to_le_bytes());
    put(8, &(sector_size as u16).to_le_bytes());
    put(10, &((SEGMENT / sector_size) as u16).to_le_bytes());
    put(12, &((file_len / sector_size) as u16).to_le_bytes());
    put(32, &major.to_le_bytes());
    put(36, &3704u32.to_le_bytes());
    put(40, &4u32.to_le_bytes());
    put(667, &3u32.to_le_bytes());
    let sum = header_xor(&header);
    header[..4].copy_from_slice(&sum.to_le_bytes());
    header
}

/// Gives segment `unit` its position and checksum.
pub fn seal(segment: &mut [u8], unit: usize) {
    let position = LgPos { generation: GENERATION, sector: unit as u16, byte: 0 };
    segment[8..16].copy_from_slice(&position.to_bytes());
    let sum = xor_ecc(segment, unit as u32, true).expect("a block length");
    segment[..8].copy_from_slice(&sum.to_le_bytes());
}

/// Writes records as the engine does, and notes the position of each.
pub struct Writer {
    pub file: Vec<u8>,
    positions: Vec<LgPos>,
    fill_from: Option<LgPos>,
}

impl Writer {
    pub fn new() -> Self {
        Self { file: vec![0; SEGMENT + SEGMENT_HEADER], positions: Vec::new(), fill_from: None }
    }

    fn left(&self) -> usize {
        SEGMENT - self.file.len() % SEGMENT
    }

    fn here(&self) -> LgPos {
        let (unit, byte) = (self.file.len() / SEGMENT, self.file.len() % SEGMENT);
        let byte = if byte == SEGMENT_HEADER { 0 } else { byte };
        LgPos { generation: GENERATION, sector: unit as u16, byte: byte as u16 }
    }

    fn next_segment(&mut self) {
        let filled = self.file.len().next_multiple_of(SEGMENT);
        self.file.resize(filled + SEGMENT_HEADER, 0);
    }

    fn put(&mut self, bytes: &[u8]) {
        self.file.extend_from_slice(bytes);
        if self.file.len().is_multiple_of(SEGMENT) {
            self.next_segment();
        }
    }

    pub fn write(&mut self, record: &[u8]) {
        if record.len() > self.left() && self.left() < MIN_PIECE {
            self.fill_from = Some(self.here());
            self.next_segment();
        }
        let position = self.fill_from.take().unwrap_or_else(|| self.here());
        self.positions.push(position);
        if record.len() <= self.left() {
            return self.put(record);
        }
        let (piece, mut rest) = record.split_at(self.left() - 7);
        let mut bytes = vec![RecordType::FRAGMENT_BEGIN.0];
        bytes.extend_from_slice(&(record.len() as u32).to_le_bytes());
        bytes.extend_from_slice(&(piece.len() as u16).to_le_bytes());
        bytes.extend_from_slice(piece);
        self.put(&bytes);
        while !rest.is_empty() {
            let (piece, later) = rest.split_at(rest.len().min(self.left() - 3));
            let mut bytes = vec![RecordType::FRAGMENT.0];
            bytes.extend_from_slice(&(piece.len() as u16).to_le_bytes());
            bytes.extend_from_slice(piece);
            self.put(&bytes);
            rest = later;
        }
    }

    /// The file, with room behind the last segment.
    pub fn finish(mut self) -> (Vec<u8>, Vec<LgPos>) {
        let used = self.file.len().next_multiple_of(SEGMENT);
        self.file.resize(used + 2 * SEGMENT, 0);
        let head = header(8, SEGMENT, self.file.len());
        self.file[..SEGMENT].copy_from_slice(&head);
        for (unit, segment) in self.file.chunks_mut(SEGMENT).enumerate().take(used / SEGMENT).skip(1) {
            seal(segment, unit);
        }
        (self.file, self.positions)
    }
}

/// A record of a type that may be skipped, of `5 + bytes.len()` bytes.
pub fn ignorable(bytes: &[u8]) -> Vec<u8> {
    let mut record = vec![RecordType::IGNORED10.0];
    record.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
    record.extend_from_slice(bytes);
    record
}

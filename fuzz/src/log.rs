//! Logs with good checksums that hold any bytes.

use reel_formats::ese::log::record::{RecordType, record_len};
use reel_formats::ese::page::checksum::{header_xor, xor_ecc};

const LOG_HEADER: usize = 4096;
const SEGMENT: usize = 4096;
const SEGMENT_HEADER: usize = 40;
const SECTOR: usize = 512;
const GENERATION: u32 = 1;
/// Bytes of records in each segment.
const ROOM: usize = SEGMENT - SEGMENT_HEADER;
/// A record that does not fit is cut if so many bytes are left of a segment.
const MIN_PIECE: usize = 32;

fn put(bytes: &mut [u8], at: usize, value: u32) {
    if let Some(place) = bytes.get_mut(at..at + 4) {
        place.copy_from_slice(&value.to_le_bytes());
    }
}

/// Makes the checksum of a log's header right, and its length that of the file.
pub fn mend_log_header(file: &mut [u8]) {
    let unit = file.get(8..10).map_or(0, |unit| usize::from(u16::from_le_bytes([unit[0], unit[1]])));
    let units = file.len().checked_div(unit).unwrap_or(0) as u16;
    let Some(header) = file.get_mut(..LOG_HEADER) else { return };
    header[12..14].copy_from_slice(&units.to_le_bytes());
    let sum = header_xor(header);
    put(header, 0, sum);
}

/// The header of a log of `len` bytes in units of `unit` bytes.
fn log_header(major: u32, unit: usize, len: usize) -> Vec<u8> {
    let mut file = vec![0; len];
    put(&mut file, 4, GENERATION);
    file[8..10].copy_from_slice(&(unit as u16).to_le_bytes());
    file[10..12].copy_from_slice(&((LOG_HEADER / unit) as u16).to_le_bytes());
    put(&mut file, 32, major);
    put(&mut file, 36, 3704);
    put(&mut file, 40, 4);
    put(&mut file, 667, 3);
    mend_log_header(&mut file);
    file
}

/// A log of format 8 whose segments hold `body`, all their checksums right.
pub fn segment_log(body: &[u8]) -> Vec<u8> {
    segment_log_of(GENERATION, body)
}

/// The same, as generation `generation` of its logs.
pub fn segment_log_of(generation: u32, body: &[u8]) -> Vec<u8> {
    let parts = body.chunks(ROOM);
    let mut file = log_header(8, SEGMENT, LOG_HEADER + (parts.len() + 2) * SEGMENT);
    put(&mut file, 4, generation);
    mend_log_header(&mut file);
    for ((unit, part), segment) in (1..).zip(parts).zip(file.chunks_mut(SEGMENT).skip(1)) {
        put(segment, 8, unit << 16);
        put(segment, 12, generation);
        segment[SEGMENT_HEADER..SEGMENT_HEADER + part.len()].copy_from_slice(part);
        let sum = xor_ecc(segment, unit, true).unwrap_or(0);
        segment[..8].copy_from_slice(&sum.to_le_bytes());
    }
    file
}

/// A log of format 7 whose sectors hold `body`, a flush for each, all their checksums right. Without the fill that real
/// logs have, its end is damaged.
pub fn sector_log(body: &[u8]) -> Vec<u8> {
    const RECORD: usize = 22;
    let parts = body.chunks(SECTOR - RECORD);
    let count = parts.len();
    let mut file = log_header(7, SECTOR, LOG_HEADER + (count + 2) * SECTOR);
    for ((number, part), sector) in (1..).zip(parts).zip(file.chunks_mut(SECTOR).skip(LOG_HEADER / SECTOR)) {
        let forward = (SECTOR - RECORD) as u32;
        let next = if number == count { 0 } else { forward };
        sector[0] = 42;
        put(sector, 5, forward);
        put(sector, 9, next);
        sector[21] = 0xD1;
        sector[RECORD..RECORD + part.len()].copy_from_slice(part);
        let words = sector[RECORD..].chunks(4).map(|word| {
            let mut bytes = [0; 4];
            bytes[..word.len()].copy_from_slice(word);
            u32::from_le_bytes(bytes)
        });
        let sum = words.fold(0xFEED_BEAF ^ forward ^ next ^ 0xD1 ^ GENERATION, |sum, word| sum ^ word);
        put(sector, 13, sum);
    }
    file
}

/// Records as the segments of a log hold them: those that do not fit into what is left of a segment begin in the next one or
/// are cut. Bytes that are no record stay as they are.
pub fn in_segments(mut records: &[u8]) -> Vec<u8> {
    let mut body = Vec::with_capacity(records.len());
    while let Ok(len) = record_len(records) {
        let (record, rest) = records.split_at(len);
        records = rest;
        let left = |body: &Vec<u8>| ROOM - body.len() % ROOM;
        if len > left(&body) && left(&body) < MIN_PIECE {
            body.resize(body.len().next_multiple_of(ROOM), RecordType::NOP.0);
        }
        if len <= left(&body) {
            body.extend_from_slice(record);
            continue;
        }
        let (piece, mut rest) = record.split_at(left(&body) - 7);
        body.push(RecordType::FRAGMENT_BEGIN.0);
        body.extend_from_slice(&(len as u32).to_le_bytes());
        body.extend_from_slice(&(piece.len() as u16).to_le_bytes());
        body.extend_from_slice(piece);
        while !rest.is_empty() {
            let (piece, later) = rest.split_at(rest.len().min(ROOM - 3));
            body.push(RecordType::FRAGMENT.0);
            body.extend_from_slice(&(piece.len() as u16).to_le_bytes());
            body.extend_from_slice(piece);
            rest = later;
        }
    }
    body.extend_from_slice(records);
    body
}

//! What the fuzz targets share: making the checksums of an image or of a log right, so that the fuzzer reaches what stands
//! behind them.
#![warn(missing_docs)]

use reel_formats::ese::page::checksum::{header_xor, xor_ecc};
use reel_tape::layout::block::{HEADER_LEN as BLOCK_HEADER, MAGIC};
use reel_tape::layout::record::HEADER_LEN as RECORD_HEADER;

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn put(bytes: &mut [u8], at: usize, value: u32) {
    if let Some(place) = bytes.get_mut(at..at + 4) {
        place.copy_from_slice(&value.to_le_bytes());
    }
}

/// Every block whose length words agree gets its object number, payload length and CRC; with `records`, the records that lie
/// in it whole get their CRC before.
pub fn mend_image(image: &mut [u8], records: bool) {
    let (mut at, mut object) = (0, 0u64);
    while let Some(length) = u32_at(image, at) {
        let length = length as usize;
        let end = at.saturating_add(4).saturating_add(length);
        let Some(block) = image.get_mut(at + 4..end) else { return };
        if length >= BLOCK_HEADER && block.starts_with(&MAGIC) {
            mend_block(block, object, records);
        }
        object += 1;
        at = if length == 0 { at + 4 } else { end + length % 2 + 4 };
    }
}

fn mend_block(block: &mut [u8], object: u64, records: bool) {
    let length = block.len();
    block[56..64].copy_from_slice(&object.to_le_bytes());
    put(block, 88, (length - BLOCK_HEADER) as u32);
    let first = u32_at(block, 84).unwrap_or(u32::MAX) as usize;
    if let Some(payload) = block.get_mut(BLOCK_HEADER..).filter(|_| records) {
        mend_records(payload, first);
    }
    put(block, 12, 0);
    let crc = crc32c::crc32c(block);
    put(block, 12, crc);
}

/// Makes the CRC of the records from `at` on right.
pub fn mend_records(payload: &mut [u8], mut at: usize) {
    while let Some(body) = at.checked_add(4).and_then(|at| u32_at(payload, at)) {
        let end = at.saturating_add(RECORD_HEADER).saturating_add(body as usize);
        let Some(record) = payload.get_mut(at..end) else { return };
        put(record, 8, 0);
        let crc = crc32c::crc32c(record);
        put(record, 8, crc);
        at = end;
    }
}

const LOG_HEADER: usize = 4096;
const SEGMENT: usize = 4096;
const SEGMENT_HEADER: usize = 40;
const SECTOR: usize = 512;
const GENERATION: u32 = 1;

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
    let parts = body.chunks(SEGMENT - SEGMENT_HEADER);
    let mut file = log_header(8, SEGMENT, LOG_HEADER + (parts.len() + 2) * SEGMENT);
    for ((unit, part), segment) in (1..).zip(parts).zip(file.chunks_mut(SEGMENT).skip(1)) {
        put(segment, 8, unit << 16);
        put(segment, 12, GENERATION);
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

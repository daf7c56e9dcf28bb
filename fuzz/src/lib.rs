//! What the fuzz targets share: making the checksums of an image or of a log right, so that the fuzzer reaches what stands
//! behind them; a small database and logs for it.
#![warn(missing_docs)]

pub mod log;
pub mod replay;

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

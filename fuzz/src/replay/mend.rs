//! Makes page records fit whatever the pages count, so that changed records reach what they do to a page.

use reel_formats::ese::log::record::{NO_DBTIME, Record, RecordType, record_len};
use std::collections::HashMap;

/// Above the update counter of every page of the base.
const FIRST_DBTIME: u64 = 0x1000;

/// Gives each record an update counter above that of the records before it, the same to all of a macro, and takes away the
/// counters that pages must have before.
pub fn unchecked(records: &[u8]) -> Vec<u8> {
    let mut mended = records.to_vec();
    let mut next = FIRST_DBTIME;
    let mut macros: HashMap<u64, u64> = HashMap::new();
    let mut at = 0;
    while let Some(Ok(len)) = mended.get(at..).map(record_len) {
        let record = &mut mended[at..at + len];
        at += len;
        let kind = RecordType(record[0]);
        let Some(place) = dbtime_at(kind, record) else { continue };
        let there: &mut [u8; 8] = record[place..].first_chunk_mut().expect("a whole record");
        let old = u64::from_le_bytes(*there);
        next += 1;
        let new = match kind {
            RecordType::MACRO_BEGIN => {
                macros.insert(old, next);
                next
            }
            RecordType::MACRO_COMMIT | RecordType::MACRO_ABORT => macros.remove(&old).unwrap_or(next),
            _ => macros.get(&old).copied().unwrap_or(next),
        };
        *there = new.to_le_bytes();
        for before in befores(kind) {
            record[*before..*before + 8].copy_from_slice(&NO_DBTIME.to_le_bytes());
        }
        if kind == RecordType::EMPTY_TREE {
            for emptied in record[46..].as_chunks_mut::<16>().0 {
                emptied[..8].copy_from_slice(&NO_DBTIME.to_le_bytes());
            }
        }
    }
    mended
}

/// The end of the record in the middle.
pub fn middle(records: &[u8]) -> usize {
    let mut at = 0;
    while at < records.len() / 2 {
        match record_len(&records[at..]) {
            Ok(len) => at += len,
            Err(_) => return records.len(),
        }
    }
    at
}

/// Where a record has its update counter.
fn dbtime_at(kind: RecordType, record: &[u8]) -> Option<usize> {
    match kind {
        RecordType::MACRO_BEGIN | RecordType::MACRO_COMMIT | RecordType::MACRO_ABORT => Some(3),
        RecordType::NEW_PAGE => Some(12),
        RecordType::ROOT_PAGE_MOVE => Some(1),
        _ => Record::parse(record).ok()?.page_op().map(|_| 8),
    }
}

/// Where a record has the counters of its pages before.
fn befores(kind: RecordType) -> &'static [usize] {
    match kind {
        RecordType::MACRO_BEGIN
        | RecordType::MACRO_COMMIT
        | RecordType::MACRO_ABORT
        | RecordType::NEW_PAGE
        | RecordType::ROOT_PAGE_MOVE => &[],
        RecordType::SPLIT | RecordType::SPLIT2 => &[16, 40, 52],
        RecordType::MERGE | RecordType::MERGE2 => &[16, 36, 48, 60],
        RecordType::PAGE_MOVE => &[16, 48, 56, 64],
        _ => &[16],
    }
}

//! Bytes as records, as what a log of either container holds, and as a whole log file.
#![no_main]

use libfuzzer_sys::fuzz_target;
use reel_formats::ese::log::diff;
use reel_formats::ese::log::histogram::Histogram;
use reel_formats::ese::log::reader::LogFile;
use reel_formats::ese::log::record::{Record, record_len};
use reel_formats::ese::log::text::Line;
use reel_formats::ese::position::LgPos;
use reel_fuzz::log::{mend_log_header, sector_log, segment_log};

fn use_record(position: LgPos, bytes: &[u8]) {
    let Ok(record) = Record::parse(bytes) else { return };
    assert_eq!(Some(&record.kind().0), bytes.first());
    assert!(!Line { position, record: &record }.to_string().is_empty());
    let _ = (record.procid(), record.dbid(), record.dbtime());
    if let Record::ReplaceD { diff, wide, new_len, .. } = record
        && let Ok(new) = diff::apply(bytes, diff, wide, usize::from(new_len))
    {
        assert_eq!(new.len(), usize::from(new_len));
    }
}

fn use_log(bytes: Vec<u8>) {
    let len = bytes.len() as u64;
    let Ok(log) = LogFile::open(bytes) else { return };
    assert!(log.end().used_bytes <= len);
    let (mut records, mut count) = (log.records(), 0);
    let mut last = None;
    let is_damaged = loop {
        match records.next() {
            Ok(Some(record)) => {
                assert_eq!(record_len(record.bytes).ok(), Some(record.bytes.len()));
                assert!(last < Some(record.position), "positions rise");
                last = Some(record.position);
                count += 1;
                use_record(record.position, record.bytes);
            }
            Ok(None) => break false,
            Err(_) => break true,
        }
    };
    assert_eq!(is_damaged, log.end().status.is_corrupt());
    if let Ok(histogram) = Histogram::of(&log) {
        assert_eq!(histogram.total().records, count);
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((mode, body)) = data.split_first() else { return };
    match mode {
        0 => {
            let mut at = 0;
            while let Some(Ok(len)) = body.get(at..).map(record_len) {
                use_record(LgPos::default(), &body[at..at + len]);
                at += len;
            }
        }
        1 => use_log(segment_log(body)),
        2 => use_log(sector_log(body)),
        3 => use_log(body.to_vec()),
        _ => {
            let mut file = body.to_vec();
            mend_log_header(&mut file);
            use_log(file);
        }
    }
});

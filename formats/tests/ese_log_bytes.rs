//! Logs and records made here: what is written is read again, one flipped bit changes nothing, and no bytes make the
//! readers panic.

mod log_writer;
mod samples;

use log_writer::{SEGMENT, SEGMENT_HEADER, Writer, header, ignorable, seal};
use proptest::prelude::*;
use reel_formats::ese::log::LogStatus;
use reel_formats::ese::log::histogram::Histogram;
use reel_formats::ese::log::reader::LogFile;
use reel_formats::ese::log::record::{Record, RecordType, TYPES_END, record_len};
use reel_formats::ese::log::text::Line;
use reel_formats::ese::position::LgPos;

fn read_all(log: &LogFile) -> Vec<(LgPos, Vec<u8>)> {
    let (mut records, mut found) = (log.records(), Vec::new());
    while let Ok(Some(record)) = records.next() {
        found.push((record.position, record.bytes.to_vec()));
    }
    found
}

/// Does with a log all that can be done, whatever it holds.
fn use_log(bytes: Vec<u8>) {
    let Ok(log) = LogFile::open(bytes) else { return };
    let _ = log.end().status.to_string();
    let _ = Histogram::of(&log);
    for (position, bytes) in read_all(&log) {
        use_record(position, &bytes);
    }
}

fn use_record(position: LgPos, bytes: &[u8]) {
    if let Ok(record) = Record::parse(bytes) {
        assert_eq!(record.kind().0, bytes[0]);
        let _ = Line { position, record: &record }.to_string();
        let _ = (record.procid(), record.dbid(), record.dbtime(), record.page_op(), record.node_op());
    }
}

#[test]
fn the_fixed_part_of_every_type_is_as_long_as_the_compiler_says() {
    let test = "the_fixed_part_of_every_type_is_as_long_as_the_compiler_says";
    let Some(path) = samples::path(test, "data/ese/structure-tables.json") else { return };
    let tables: serde_json::Value =
        serde_json::from_slice(&samples::read(&path)).expect("the tables are JSON");
    let mut types = 0;
    for row in tables["record_types"].as_array().expect("a list of types") {
        let number = row["value"].as_u64().expect("a number") as u8;
        if let (true, Some(len)) = (number < TYPES_END, row["fixed_size"].as_u64()) {
            assert_eq!(RecordType(number).fixed_len(), Some(len as usize), "{}", row["name"]);
            types += 1;
        }
    }
    assert_eq!(types, 94);
}

#[test]
fn every_type_without_what_varies_is_decoded_as_itself() {
    let mut types = 0;
    for kind in (0..=u8::MAX).map(RecordType) {
        let Some(len) = kind.fixed_len() else {
            assert_eq!(record_len(&[kind.0; 200]).expect_err("no such type").jet(), Some(-501));
            continue;
        };
        let mut bytes = vec![0; len];
        bytes[0] = kind.0;
        // What an ignorable record of a known type has at least.
        let extra = match kind {
            RecordType::EXTEND_DB | RecordType::MACRO_INFO2 => 5,
            RecordType::COMMIT_CTX => 2,
            RecordType::SCAN_CHECK => 39,
            RecordType::RE_ATTACH => 45,
            RecordType::FREE_FDP => 10,
            _ => 0,
        };
        if extra > 0 {
            bytes[1] = extra;
            bytes.resize(len + usize::from(extra), 0);
        }
        assert_eq!(record_len(&bytes).expect("a whole record"), bytes.len());
        assert!(record_len(&bytes[..bytes.len() - 1]).is_err(), "{kind} cut short");
        assert_eq!(Record::parse(&bytes).expect("a whole record").kind(), kind);
        assert!(Record::parse(&[&bytes[..], &[0]].concat()).is_err(), "{kind} with a byte behind it");
        assert_ne!(kind.name(), "Unknown");
        types += 1;
    }
    assert_eq!(types, 96);
}

#[test]
fn a_record_that_recovery_cut_off_is_dropped_and_any_other_is_damage() {
    for (next, is_legal) in [
        (RecordType::RECOVERY_UNDO2, true),
        (RecordType::RECOVERY_UNDO, true),
        (RecordType::UNDO_INFO, true),
        (RecordType::BEGIN, false),
    ] {
        let mut writer = Writer::new();
        writer.write(&ignorable(&[1; 100]));
        writer.write(&ignorable(&[2; 9000]));
        // Without its last fragment the record ends with its segment.
        let len = writer.file.len() / SEGMENT * SEGMENT + SEGMENT_HEADER;
        writer.file.truncate(len);
        let mut record = vec![0; next.fixed_len().expect("a known type")];
        record[0] = next.0;
        writer.write(&record);
        let (file, positions) = writer.finish();
        let log = LogFile::open(file).expect("a log");
        let found: Vec<_> = read_all(&log).into_iter().map(|(position, _)| position).collect();
        let expected = if is_legal { vec![positions[0], positions[2]] } else { vec![positions[0]] };
        assert_eq!(found, expected, "{next}");
        assert_eq!(log.end().status.is_corrupt(), !is_legal, "{next}: {}", log.end().status);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_written_is_read_again(
        records in proptest::collection::vec((any::<u8>(), prop_oneof![0usize..40, 0usize..400, 3900usize..13000]), 0..60)
    ) {
        let records: Vec<_> = records.iter().map(|(byte, len)| ignorable(&vec![*byte; *len])).collect();
        let mut writer = Writer::new();
        records.iter().for_each(|record| writer.write(record));
        let (file, positions) = writer.finish();
        let log = LogFile::open(file).expect("a log");
        prop_assert_eq!(&log.end().status, &LogStatus::Complete);
        let expected: Vec<_> = positions.into_iter().zip(records).collect();
        prop_assert_eq!(read_all(&log), expected);
    }

    #[test]
    fn one_flipped_bit_of_a_segment_changes_nothing(bit in 0usize..2 * SEGMENT * 8) {
        let mut writer = Writer::new();
        for len in [10, 700, 6000] {
            writer.write(&ignorable(&vec![len as u8; len]));
        }
        let (mut file, _) = writer.finish();
        let good = LogFile::open(file.clone()).expect("a log");
        file[SEGMENT + bit / 8] ^= 1 << (bit % 8);
        let flipped = LogFile::open(file).expect("a log");
        if bit % (SEGMENT * 8) < 64 {
            // A stored checksum is not put right.
            prop_assert!(flipped.end().status.is_corrupt());
        } else {
            prop_assert_eq!(&flipped.end().corrected, &vec![(1 + (bit / 8 / SEGMENT) as u32, (bit % (SEGMENT * 8)) as u32)]);
            prop_assert_eq!(read_all(&flipped), read_all(&good));
        }
    }

    #[test]
    fn no_bytes_make_a_record_panic(bytes in proptest::collection::vec(any::<u8>(), 0..700), kind in 0..TYPES_END) {
        let mut bytes = bytes;
        if let Some(first) = bytes.first_mut() {
            *first = kind;
        }
        use_record(LgPos::default(), &bytes);
        if let Ok(len) = record_len(&bytes) {
            use_record(LgPos::default(), &bytes[..len]);
        }
    }

    #[test]
    fn no_bytes_make_a_log_panic(
        bytes in proptest::collection::vec(prop_oneof![Just(0u8), 0..TYPES_END, any::<u8>()], 0..5 * SEGMENT),
        changes in proptest::collection::vec((0usize..6 * SEGMENT, any::<u8>()), 0..20),
        legacy in any::<bool>(),
        sealed in any::<bool>(),
    ) {
        let sector_size = if legacy { 512 } else { SEGMENT };
        let mut file = vec![0; SEGMENT];
        file.extend_from_slice(&bytes);
        file.resize(7 * SEGMENT, 0);
        for (at, byte) in changes {
            file[SEGMENT + at] = byte;
        }
        if sealed && !legacy {
            file.chunks_mut(SEGMENT).enumerate().skip(1).for_each(|(unit, segment)| seal(segment, unit));
        }
        let head = header(if legacy { 7 } else { 8 }, sector_size, file.len());
        file[..SEGMENT].copy_from_slice(&head);
        use_log(file);
    }
}

//! Transaction logs: where they end, what damage does to them, and logs that other machines wrote.

mod samples;

use reel_formats::ese::log::LogStatus;
use reel_formats::ese::log::histogram::Histogram;
use reel_formats::ese::log::reader::LogFile;
use reel_formats::ese::log::record::{Record, RecordType};
use reel_formats::ese::page::checksum::{header_xor, xor_ecc};
use reel_formats::ese::position::LgPos;
use std::collections::BTreeMap;

/// The log `name` of case `case`.
fn log_of(test: &str, case: &str, name: &str) -> Option<Vec<u8>> {
    let archive = samples::read(&samples::path(test, &format!("data/ese/cases/{case}.tar.zst"))?);
    let files = samples::tar_files(&archive);
    let found = files.iter().find(|(path, _)| path.ends_with(&format!("/logs/{name}")));
    Some(found.expect("the case has the log").1.to_vec())
}

fn position(generation: u32, sector: u16, byte: u16) -> LgPos {
    LgPos { generation, sector, byte }
}

#[test]
fn damaged_logs_are_judged_as_the_engine_judged_them() {
    let test = "damaged_logs_are_judged_as_the_engine_judged_them";
    for (case, name, generation) in
        [("damaged-middle-log-8k", "edb00000007.log", 7), ("torn-damage-middle-8k", "edb.log", 13)]
    {
        let Some(bytes) = log_of(test, case, name) else { return };
        let log = LogFile::open(bytes).expect("a damaged log opens");
        assert_eq!(log.end().position, position(generation, 9, 0), "{case}");
        assert!(matches!(log.end().status, LogStatus::Corrupt { unit: 9, jet: -501, .. }), "{case}");
        let mut records = log.records();
        let error = loop {
            match records.next() {
                Ok(Some(_)) => {}
                Ok(None) => panic!("{case}: damage is not passed over"),
                Err(error) => break error,
            }
        };
        let said = error.to_string();
        assert!(said.contains(&format!("log {generation:#x}, sector 0x9")), "{said}");
        assert_eq!(records.next().expect("an error is said once"), None);
    }
    for (case, name, corrected) in [
        ("bitflip-middle-log-8k", "edb00000007.log", (9, 6220)),
        ("torn-bitflip-middle-8k", "edb.log", (8, 8006)),
    ] {
        let Some(bytes) = log_of(test, case, name) else { return };
        let log = LogFile::open(bytes).expect("a good log");
        assert_eq!((&log.end().status, &log.end().corrected[..]), (&LogStatus::Complete, &[corrected][..]));
    }
    for case in ["torn-half-sector-8k", "torn-zeroed-tail-8k"] {
        let Some(bytes) = log_of(test, case, "edb.log") else { return };
        let log = LogFile::open(bytes).expect("a good log");
        assert_eq!(log.end().status, LogStatus::Complete, "{case}: a segment that is not there is not torn");
    }
    let Some(bytes) = log_of(test, "longvalues-8k", "edb.log") else { return };
    let log = LogFile::open(bytes).expect("a good log");
    assert!(matches!(log.end().status, LogStatus::Torn { .. }), "a record lacks fragments");
}

#[test]
fn a_log_ends_cleanly_where_its_last_segment_says_so() {
    let test = "a_log_ends_cleanly_where_its_last_segment_says_so";
    for (case, name, is_clean) in
        [("tiny-8k", "edb00000001.log", false), ("tiny-8k", "edb.log", true), ("undo-8k", "edb.log", false)]
    {
        let Some(bytes) = log_of(test, case, name) else { return };
        assert_eq!(LogFile::open(bytes).expect("a good log").end().clean_shutdown, is_clean, "{case} {name}");
    }
}

#[test]
fn a_torn_last_segment_is_taken_from_its_shadow_copy() {
    let Some(mut bytes) = log_of("a_torn_last_segment_is_taken_from_its_shadow_copy", "tiny-8k", "edb.log")
    else {
        return;
    };
    let whole = LogFile::open(bytes.clone()).expect("a good log");
    let last = (whole.end().used_bytes - 4096) as usize;
    bytes[last + 30..last + 4000].fill(0x55);
    let torn = LogFile::open(bytes.clone()).expect("a torn log opens");
    assert_eq!(torn.end().patched, [(last / 4096) as u32]);
    assert!(matches!(torn.end().status, LogStatus::Torn { .. }));
    assert_eq!(torn.end().accumulated, whole.end().accumulated);
    assert_eq!(positions(&torn), positions(&whole));

    bytes[last + 4096 + 50] ^= 0xFF;
    let lost = LogFile::open(bytes).expect("a damaged log opens");
    assert!(lost.end().status.is_corrupt(), "neither the segment nor its shadow copy is good");
}

#[test]
fn what_a_log_held_before_it_was_used_again_ends_it_and_is_not_read() {
    let test = "what_a_log_held_before_it_was_used_again_ends_it_and_is_not_read";
    let Some(bytes) = log_of(test, "tiny-8k", "edb.log") else { return };
    let whole = LogFile::open(bytes.clone()).expect("a good log");
    let behind = whole.end().used_bytes as usize + 4096;
    let put = |generation: u32| {
        let (mut bytes, sector) = (bytes.clone(), (behind / 4096) as u16);
        let segment = &mut bytes[behind..behind + 4096];
        segment[8..16].copy_from_slice(&position(generation, sector, 0).to_bytes());
        segment[40] = RecordType::SHUT_DOWN_MARK.0;
        let sum = xor_ecc(segment, u32::from(sector), true).expect("a block length");
        segment[..8].copy_from_slice(&sum.to_le_bytes());
        LogFile::open(bytes).expect("a log opens")
    };
    assert_eq!(put(1).end(), whole.end());
    assert!(put(2).end().status.is_corrupt(), "good data of this log behind a gap");
    assert!(put(3).end().status.is_corrupt(), "data of a later log");
}

fn positions(log: &LogFile) -> Vec<LgPos> {
    let (mut records, mut positions) = (log.records(), Vec::new());
    while let Some(record) = records.next().expect("no damage") {
        positions.push(record.position);
    }
    positions
}

#[test]
fn records_can_be_read_from_any_position() {
    let Some(bytes) = log_of("records_can_be_read_from_any_position", "longvalues-8k", "edb.log") else {
        return;
    };
    let log = LogFile::open(bytes).expect("a good log");
    let all = positions(&log);
    assert!(all.is_sorted_by(|one, next| one < next));
    for (index, start) in all.iter().enumerate().step_by(37) {
        let mut records = log.records_from(*start);
        let mut count = 0;
        while let Some(record) = records.next().expect("no damage") {
            assert!(record.position >= *start);
            count += 1;
        }
        assert_eq!(count, all.len() - index);
    }
}

#[test]
fn a_log_of_another_length_or_format_is_refused() {
    let Some(bytes) = log_of("a_log_of_another_length_or_format_is_refused", "tiny-8k", "edb.log") else {
        return;
    };
    let jet = |bytes: Vec<u8>| LogFile::open(bytes).expect_err("no such log").jet();
    assert_eq!(jet(bytes[..bytes.len() - 4096].to_vec()), Some(-541));
    assert_eq!(jet(bytes[..100].to_vec()), Some(-501));
    for (at, value) in [(32, 9u32), (32, 6), (40, 131)] {
        let mut newer = bytes.clone();
        newer[at..at + 4].copy_from_slice(&value.to_le_bytes());
        let sum = header_xor(&newer[..4096]);
        newer[..4].copy_from_slice(&sum.to_le_bytes());
        assert_eq!(jet(newer), Some(-514), "{at} {value}");
    }
}

/// The positions of the records of type `kind`.
fn positions_of(log: &LogFile, kind: RecordType) -> Vec<LgPos> {
    let (mut records, mut positions) = (log.records(), Vec::new());
    while let Some(record) = records.next().expect("no damage") {
        if record.bytes[0] == kind.0 {
            positions.push(record.position);
        }
    }
    positions
}

/// The logs below the folder `name` whose names begin with `edb`, with their names.
fn logs_of_others(test: &str, name: &str) -> Vec<(String, LogFile)> {
    let Some(folder) = samples::path(test, &format!("data/samples/ese-logs/{name}")) else {
        return Vec::new();
    };
    let mut logs = Vec::new();
    for path in samples::files(&folder) {
        let name = path.file_name().expect("a file").to_string_lossy().into_owned();
        let bytes = samples::read(&path);
        if name.contains(".log") && name.starts_with("edb") && bytes.iter().any(|byte| *byte != 0) {
            let log = LogFile::open(bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
            let mut records = log.records();
            while let Some(record) = records.next().unwrap_or_else(|error| panic!("{name}: {error}")) {
                Record::parse(record.bytes)
                    .unwrap_or_else(|error| panic!("{name} {}: {error}", record.position));
            }
            logs.push((name, log));
        }
    }
    logs
}

#[test]
fn logs_of_windows_xp_are_read_to_their_end() {
    let logs = logs_of_others("logs_of_windows_xp_are_read_to_their_end", "xp-catroot2");
    let mut histogram = Histogram::default();
    for (name, log) in &logs {
        histogram.add_log(log).expect("no damage");
        assert_eq!(log.end().status, LogStatus::Complete, "{name}");
        // A closed generation is full but for the last sector.
        let (end, is_current) = (log.end(), name == "edb.log");
        let used =
            if is_current { position(0x83, 0x2F, 0xE7) } else { position(log.header().generation, 255, 0) };
        assert_eq!((end.position, end.clean_shutdown), (used, is_current), "{name}");
        if is_current {
            // As the headers of the two databases and the checkpoint name them.
            assert!(positions_of(log, RecordType::ATTACH_DB).contains(&position(0x83, 0x2E, 0x1D0)));
            let detached = positions_of(log, RecordType::DETACH_DB);
            for place in [position(0x83, 0x2A, 0x12C), position(0x83, 0x2F, 0x7B)] {
                assert!(detached.contains(&place), "{place}");
            }
            assert!(positions_of(log, RecordType::SHUT_DOWN_MARK).contains(&position(0x83, 0x2F, 0xCC)));
        }
    }
    if !logs.is_empty() {
        let counts: BTreeMap<_, _> = histogram.types().map(|(name, tally)| (name, tally.records)).collect();
        assert_eq!((counts["Insert"], counts["UndoInfo"], counts["Split"]), (3398, 542, 4));
        assert_eq!((counts["Begin0"], counts["Commit0"], counts["FInsertRD"]), (344, 345, 174));
    }
}

#[test]
fn logs_of_windows_10_are_read_to_their_end_and_form_a_chain() {
    let test = "logs_of_windows_10_are_read_to_their_end_and_form_a_chain";
    let mut sums = BTreeMap::new();
    for (name, log) in
        logs_of_others(test, "wu-datastore").into_iter().chain(logs_of_others(test, "secedit-fresh"))
    {
        assert_eq!(log.end().status, LogStatus::Complete, "{name}");
        assert!(positions(&log).is_sorted_by(|one, next| one < next), "{name}");
        if log.header().generation > 1 {
            sums.insert(log.header().generation, (log.end().accumulated, log.header().previous_checksum));
        }
        // The current log ends with a clean shutdown in all of its three states.
        assert_eq!(log.end().clean_shutdown, name.starts_with("edb-gen49"), "{name}");
    }
    for (generation, (_, previous)) in &sums {
        if let Some((sum, _)) = sums.get(&(generation - 1)) {
            assert_eq!(sum, previous, "generation {generation:#x}");
        }
    }
}

/// The current log of the Windows XP sample.
fn xp_log(test: &str) -> Option<Vec<u8>> {
    samples::path(test, "data/samples/ese-logs/xp-catroot2/edb.log").map(|path| samples::read(&path))
}

/// Makes everything from sector `from` on what was never written.
fn unwrite(bytes: &mut [u8], from: usize) {
    for (index, byte) in bytes.iter_mut().enumerate().skip(from * 512) {
        *byte = if index % 16 == 0 { 0xDA_u8.wrapping_add((index % 256) as u8) } else { 0xDA };
    }
}

#[test]
fn an_old_log_takes_its_last_sector_from_the_shadow_copy() {
    let Some(mut bytes) = xp_log("an_old_log_takes_its_last_sector_from_the_shadow_copy") else { return };
    let whole = LogFile::open(bytes.clone()).expect("a good log");
    bytes[0x2F * 512 + 200] ^= 0x10;
    let torn = LogFile::open(bytes.clone()).expect("a torn log opens");
    assert_eq!(torn.end().patched, [0x2F]);
    assert!(matches!(torn.end().status, LogStatus::Torn { unit: 0x2F, .. }));
    assert_eq!(positions(&torn), positions(&whole));

    bytes[0x30 * 512 + 200] ^= 0x10;
    let lost = LogFile::open(bytes).expect("a damaged log opens");
    assert!(matches!(lost.end().status, LogStatus::Corrupt { unit: 0x2F, jet: -501, .. }));
}

#[test]
fn an_old_log_cut_off_by_a_crash_is_torn_and_one_with_a_hole_is_damaged() {
    let Some(bytes) = xp_log("an_old_log_cut_off_by_a_crash_is_torn_and_one_with_a_hole_is_damaged") else {
        return;
    };
    let all = positions(&LogFile::open(bytes.clone()).expect("a good log"));
    for sector in 9..0x2F {
        let mut cut = bytes.clone();
        unwrite(&mut cut, sector);
        let cut = LogFile::open(cut).expect("a torn log opens");
        assert!(matches!(cut.end().status, LogStatus::Torn { .. }), "{sector}: {}", cut.end().status);
        let kept = positions(&cut);
        assert_eq!(kept[..], all[..kept.len()], "{sector}");
        assert!(kept.iter().all(|place| usize::from(place.sector) < sector), "{sector}");

        let mut holed = bytes.clone();
        holed[sector * 512..][..512].fill(0);
        let holed = LogFile::open(holed).expect("a damaged log opens");
        assert!(holed.end().status.is_corrupt(), "{sector}: {}", holed.end().status);
    }
}

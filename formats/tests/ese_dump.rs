//! The listings of headers against those that the engine made of the same files.

mod samples;

use proptest::prelude::*;
use reel_formats::ese::checkpoint::Checkpoint;
use reel_formats::ese::dump::{self, Listing, LogNames};
use reel_formats::ese::header::DatabaseHeader;
use reel_formats::ese::log::header::LogHeader;
use reel_formats::ese::log::reader::LogFile;
use std::collections::{BTreeMap, BTreeSet};

/// The files of every case by name, without the two large ones.
fn cases(test: &str, mut visit: impl FnMut(&str, &BTreeMap<String, &[u8]>)) {
    let Some(folder) = samples::path(test, "data/ese/cases") else { return };
    for path in samples::files(&folder) {
        let name = path.file_name().and_then(|name| name.to_str()).expect("names are text");
        let Some(case) = name.strip_suffix(".tar.zst") else { continue };
        if matches!(case, "perf-32k" | "perf2-32k") {
            continue;
        }
        let archive = samples::read(&path);
        let inside = |(name, bytes): (String, _)| {
            let (_, path) = name.trim_start_matches("./").split_once('/').expect("a folder of the case");
            (path.to_owned(), bytes)
        };
        visit(case, &samples::tar_files(&archive).into_iter().map(inside).collect());
    }
}

/// The lines of a listing; the engine ran on Windows, and some lists end their lines as is usual there.
fn lines(text: &str) -> Vec<&str> {
    text.trim_matches(['\r', '\n']).lines().collect()
}

/// The lines that are the same after each redo of the same logs: not checksums, random numbers and clocks, nor how much
/// had been written when the redo stopped.
fn lasting<'a>(lines: Vec<&'a str>) -> Vec<&'a str> {
    const CHANGING: [&str; 5] =
        ["Checksum: ", "Flush Signature: ", "Log Required: ", "Log Consistent: ", "Log Recovering: "];
    let without_time = |line: &'a str| line.find('/').map_or(line, |slash| &line[..slash - 2]);
    lines
        .into_iter()
        .filter(|line| !CHANGING.iter().any(|label| line.contains(label)))
        .map(without_time)
        .collect()
}

#[test]
fn every_database_header_is_listed_line_by_line_as_the_engine_lists_it() {
    let test = "every_database_header_is_listed_line_by_line_as_the_engine_lists_it";
    let (mut compared, mut exact) = (0, 0);
    cases(test, |case, files| {
        for (name, oracle) in files.iter().filter(|(name, _)| name.starts_with("oracle/header-")) {
            let of = name.trim_start_matches("oracle/header-").trim_end_matches(".txt");
            let (state, database) = of.split_once('-').expect("a state and a database");
            let folder = match state {
                "redo" => "expected_redo",
                other => other,
            };
            let Some(file) = files.get(&format!("{folder}/{database}")) else {
                panic!("{case}: {name} without its file");
            };
            let (header, _) = DatabaseHeader::find(file).expect("a good header");
            let ours = dump::database(&header).to_string();
            let oracle = std::str::from_utf8(oracle).expect("a listing is ASCII");
            let (ours, theirs) = (lines(&ours), lines(oracle));
            if state == "redo" && ours[2] != theirs[2] {
                // The file is from one run of the engine's redo, its listing from another.
                assert_eq!(lasting(ours), lasting(theirs), "{case}: {name}");
            } else {
                assert_eq!(ours, theirs, "{case}: {name}");
                exact += 1;
            }
            compared += 1;
        }
    });
    assert!(compared == 0 || exact >= 80, "{exact} of {compared} headers are equal in every line");
    eprintln!("{test}: {compared} headers, {exact} of them from the same run as the listing");
}

/// The header's part of the listing of each log: from its line `=== name rc=...` to its first segment.
fn log_listings(text: &str) -> Vec<(&str, Vec<&str>)> {
    let mut found: Vec<(&str, Vec<&str>)> = Vec::new();
    let mut inside = false;
    for line in text.lines() {
        if let Some((name, _)) = line.strip_prefix("=== ").and_then(|line| line.split_once(" rc=")) {
            found.push((name, Vec::new()));
            inside = true;
        } else if line.starts_with("Segment Checksum") || line.starts_with('>') {
            inside = false;
        } else if let Some((_, lines)) = found.last_mut().filter(|_| inside) {
            lines.push(line);
        }
    }
    found
}

#[test]
fn every_log_header_is_listed_line_by_line_as_the_engine_lists_it() {
    let test = "every_log_header_is_listed_line_by_line_as_the_engine_lists_it";
    let mut compared = 0;
    cases(test, |case, files| {
        let Some(oracle) = files.get("oracle/logdump.txt") else { return };
        let oracle = String::from_utf8_lossy(oracle);
        for (name, theirs) in log_listings(&oracle) {
            let Some(file) = files.get(&format!("logs/{name}")) else { continue };
            let log = LogFile::open(file.to_vec()).expect("a good log header");
            let path = format!("E:\\ese\\log\\{name}");
            let names = LogNames { base_name: "edb", file: &path, checkpoint: None };
            let ours = dump::log(log.header(), names, Some(log.end())).to_string();
            // One of the two builds of the engine could not print wide text: names and paths are missing there.
            let ours: Vec<String> = match theirs.first() {
                Some(first) if first.contains("Base name") => ours.lines().map(str::to_owned).collect(),
                _ => ours.lines().skip(2).map(|line| line.replace("E:\\ese\\db\\", "")).collect(),
            };
            let theirs: Vec<String> = theirs.iter().map(|line| (*line).to_owned()).collect();
            for (ours, theirs) in ours.iter().zip(&theirs) {
                if theirs.contains("%ws") {
                    let number = |line: &str| line.trim().split(' ').next().map(str::to_owned);
                    assert_eq!(number(ours), number(theirs), "{case}: {name}");
                } else {
                    assert_eq!(ours, theirs, "{case}: {name}");
                }
            }
            assert_eq!(ours.len(), theirs.len(), "{case}: {name}");
            compared += 1;
        }
    });
    assert!(compared == 0 || compared >= 700, "{compared} logs compared");
    eprintln!("{test}: {compared} logs");
}

/// A header of 4,096 bytes that is right in what every kind of header must have, and otherwise anything.
fn header_of(mut bytes: Vec<u8>, file_type: u32, fields: &[(usize, u32)]) -> Vec<u8> {
    for (at, value) in fields.iter().chain([&(667, file_type)]) {
        bytes[*at..at + 4].copy_from_slice(&value.to_le_bytes());
    }
    let words = bytes[4..].as_chunks::<4>().0.iter().map(|word| u32::from_le_bytes(*word));
    let checksum = words.fold(0x89AB_CDEF_u32, |sum, word| sum ^ word);
    bytes[..4].copy_from_slice(&checksum.to_le_bytes());
    bytes
}

/// The text has no letter that a terminal would obey, and each name stands for one thing.
fn check(listing: &Listing) {
    let text = listing.to_string();
    assert!(!text.chars().any(|letter| letter.is_control() && !matches!(letter, '\n' | '\t')), "{text}");
    let mut names = BTreeSet::new();
    for group in listing.groups() {
        for item in &group.items {
            assert!(names.insert((group.name, item.name)), "{} comes twice", item.name);
        }
    }
}

proptest! {
    #[test]
    fn whatever_a_header_says_can_be_listed(bytes in prop::collection::vec(any::<u8>(), 4096)) {
        let database = header_of(bytes.clone(), 1, &[(4, 0x89AB_CDEF), (236, 4096)]);
        check(&dump::database(&DatabaseHeader::parse(&database).expect("a good header")));
        // Sectors of 4,096 bytes, one of them the header, in a file of 32; pages of 4,096 bytes; nothing attached.
        let log = header_of(bytes.clone(), 3, &[(4, 7), (8, 0x0001_1000), (12, 0x1000_0020), (32, 8), (671, 0)]);
        check(&dump::log(&LogHeader::parse(&log).expect("a good header"), LogNames::default(), None));
        let checkpoint = header_of(bytes, 4, &[(679, 0)]);
        check(&dump::checkpoint(&Checkpoint::parse(&checkpoint).expect("a good checkpoint")));
    }
}

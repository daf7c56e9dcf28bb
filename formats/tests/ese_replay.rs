//! Replay held against the engine: every case's pages after redo, and its rows after recovery.

#[path = "samples/case.rs"]
mod case;
#[path = "samples/normal.rs"]
mod normal;
#[path = "samples/rebuild.rs"]
mod rebuild;
#[path = "samples/rows.rs"]
mod rows;
mod samples;

use case::{cases, has_extension};
use normal::{differences, listed};
use rebuild::{AMPLE, Means, replay, replay_logs};
use reel_formats::ese::database::Database;
use reel_formats::ese::header::{DatabaseHeader, DatabaseState};
use reel_formats::ese::log::reader::LogFile;
use reel_formats::ese::page::checksum::header_xor;
use reel_formats::ese::tables::check::{Severity, check};
use std::collections::BTreeMap;

#[test]
fn every_page_after_redo_is_that_of_the_engine() {
    let mut wrong = Vec::new();
    let mut judged = 0;
    for case in cases("replay redo", |name| !name.starts_with("perf")) {
        let expected = case.under("expected_redo");
        if expected.is_empty() {
            continue;
        }
        match replay(&case, false, AMPLE) {
            Ok((ours, _)) => {
                for (name, engine) in expected.iter().filter(|(name, _)| has_extension(name, "edb")) {
                    let Some(file) = ours.get(*name) else {
                        wrong.push(format!("{}: {name} is missing", case.name));
                        continue;
                    };
                    let found = differences(&file.bytes(), engine);
                    judged += 1;
                    if !found.is_empty() {
                        wrong.push(format!(
                            "{} {name}: {} differences, {:?}",
                            case.name,
                            found.len(),
                            &found[..found.len().min(4)]
                        ));
                    }
                }
            }
            Err(error) => wrong.push(format!("{}: {error}", case.name)),
        }
    }
    eprintln!("{judged} databases judged");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// So little memory that pages give way all the time.
const LITTLE: u64 = 1 << 20;

#[test]
fn any_number_of_threads_gives_the_same_bytes_and_the_same_numbers() {
    let (mut wrong, mut judged) = (Vec::new(), 0);
    for case in cases("replay threads", |name| !name.starts_with("perf")) {
        for undo in [false, true] {
            let made = |threads| match replay(&case, undo, Means { hard: false, threads, memory: LITTLE }) {
                Ok((files, report)) => {
                    let bytes: BTreeMap<_, _> =
                        files.iter().map(|(name, f)| (name.clone(), f.bytes())).collect();
                    (bytes, format!("{report:?}"))
                }
                Err(error) => (BTreeMap::new(), error.to_string()),
            };
            let alone = made(1);
            for threads in [2, 7] {
                if made(threads) != alone {
                    wrong.push(format!("{} undo {undo}: {threads} threads differ from one", case.name));
                }
            }
            judged += alone.0.len();
        }
    }
    eprintln!("{judged} databases judged");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn with_little_memory_every_page_after_redo_is_that_of_the_engine() {
    let mut wrong = Vec::new();
    for case in cases("replay little memory", |name| !name.starts_with("perf")) {
        let expected = case.under("expected_redo");
        if expected.is_empty() {
            continue;
        }
        let (ours, _) = replay(&case, false, Means { hard: false, threads: 7, memory: LITTLE })
            .unwrap_or_else(|error| panic!("{}: {error}", case.name));
        for (name, engine) in expected.iter().filter(|(name, _)| has_extension(name, "edb")) {
            let found = differences(&ours[*name].bytes(), engine);
            wrong.extend(found.iter().take(4).map(|found| format!("{} {name}: {found}", case.name)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Whatever else fails meanwhile, the message is that of the first record that fails.
#[test]
fn any_number_of_threads_fails_with_the_first_error() {
    let mut located = 0;
    for case in cases("replay errors", |name| !name.starts_with("perf")) {
        let mut bases = case.bases();
        for bytes in bases.values_mut() {
            let (header, _) = DatabaseHeader::find(bytes).expect("a base has a header");
            // Nothing is left of the pages 20 to 29, 60 to 69, and so on.
            let pages = bytes.chunks_mut(header.page_size as usize).skip(2).enumerate();
            for (_, page) in pages.filter(|(index, _)| (19..29).contains(&(index % 40))) {
                page.iter_mut().for_each(|byte| *byte ^= 0x5A);
            }
        }
        let message = |threads| {
            let means = Means { hard: false, threads, memory: 64 << 20 };
            replay_logs(&bases, &case.logs(), true, &BTreeMap::new(), means).err().map(|e| e.to_string())
        };
        let alone = message(1);
        located += usize::from(alone.as_ref().is_some_and(|message| message.contains("(log record ")));
        for threads in [2, 7] {
            assert_eq!(message(threads), alone, "{}, {threads} threads", case.name);
        }
    }
    eprintln!("{located} cases fail in a record");
}

#[test]
fn every_row_after_recovery_is_that_of_the_engine_and_the_structure_is_sound() {
    let (mut wrong, mut judged, mut checked) = (Vec::new(), 0, 0);
    for case in cases("replay rows", |name| !name.starts_with("perf")) {
        let listings = case.under("oracle/rows");
        if listings.is_empty() {
            continue;
        }
        let (ours, _) = match replay(&case, true, AMPLE) {
            Ok(done) => done,
            Err(error) => {
                wrong.push(format!("{}: {error}", case.name));
                continue;
            }
        };
        for (name, file) in &ours {
            let bytes = file.bytes();
            let database = Database::open(&bytes[..]).expect("a good header");
            let report = check(&database, &mut |_| true).expect("nobody stops it");
            let bad =
                report.findings.listed.iter().filter(|finding| finding.severity > Severity::Information);
            wrong.extend(bad.take(5).map(|finding| format!("{}/{name}: {finding:?}", case.name)));
            checked += 1;
        }
        for (listing, lines) in listings {
            let name = listing.strip_suffix(".jsonl").expect("the listing of a database");
            let Some(file) = ours.get(name) else {
                wrong.push(format!("{}: {name} is missing", case.name));
                continue;
            };
            let bytes = file.bytes();
            let lines = std::str::from_utf8(lines).expect("the listing is text");
            let label = format!("{}/{name}", case.name);
            judged += 1;
            if let Err(panic) = std::panic::catch_unwind(|| rows::compare(&label, &bytes, lines)) {
                wrong.push(format!(
                    "{label}: {}",
                    panic.downcast_ref::<String>().map_or("", |s| &s[..s.len().min(300)])
                ));
            }
            let (header, copies) = DatabaseHeader::find(&bytes).expect("a good header");
            if header.state != DatabaseState::CleanShutdown || !copies.equal {
                wrong.push(format!("{label}: {} {copies:?}", header.state));
            }
        }
    }
    eprintln!("{judged} databases judged, the structure of {checked} checked");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
#[ignore = "large: run with --release"]
fn every_page_of_the_throughput_cases_is_that_of_the_engine() {
    for case in cases("replay throughput", |name| name.starts_with("perf")) {
        let list = samples::path(
            "replay throughput",
            &format!("data/ese/cases/{}.expected_redo_pages.txt", case.name),
        );
        let list = std::fs::read_to_string(list.expect("the list is beside the case"))
            .expect("the list is readable");
        let (ours, _) = replay(&case, false, AMPLE).unwrap_or_else(|error| panic!("{}: {error}", case.name));
        let bytes = ours["a.edb"].bytes();
        let mut wrong = Vec::new();
        let mut judged = 0;
        for line in list.lines() {
            let pgno: u32 = line.split(' ').next().and_then(|n| n.parse().ok()).expect("a page number");
            let page = bytes.chunks(32768).nth(pgno as usize + 1).unwrap_or(&[]);
            let found = listed(pgno, page);
            judged += 1;
            if found != line {
                wrong.push(format!("{line} | {found}"));
            }
        }
        assert!(
            wrong.is_empty(),
            "{}: {} of {judged}: {:?}",
            case.name,
            wrong.len(),
            &wrong[..wrong.len().min(5)]
        );
        println!("{}: {judged} pages", case.name);
    }
}

/// A standby gets its logs in parts. What is open at the end of one is taken back, or committed, in a later one.
/// Puts the checksum of a header or trailer in its place.
fn sum(page: &mut [u8]) {
    let sum = header_xor(page);
    page[..4].copy_from_slice(&sum.to_le_bytes());
}

/// A dirty database as a streaming backup would have copied it (reference, database.md 2.3): the last generations that it needs
/// stand in a page behind its last one, `last` among them. No such backup is among the samples.
fn streamed(base: &[u8], header: &DatabaseHeader, last: u32) -> Vec<u8> {
    let size = header.page_size as usize;
    let mut file = base.to_vec();
    let mut mark = [0; 8];
    mark[4..].copy_from_slice(&header.min_required.to_le_bytes());
    let mut trailer = vec![0; size];
    trailer[40..48].copy_from_slice(&mark);
    trailer[60..64].copy_from_slice(&last.to_le_bytes());
    trailer[64..92].copy_from_slice(&file[24..52]);
    trailer[92..120].copy_from_slice(&file[108..136]);
    trailer[124..128].copy_from_slice(&header.max_required.to_le_bytes());
    trailer[128..132].copy_from_slice(&header.max_committed.to_le_bytes());
    sum(&mut trailer);
    for page in file[..2 * size].chunks_mut(size) {
        page[184..192].copy_from_slice(&mark);
        page[200..204].copy_from_slice(&header.min_required.to_le_bytes());
        page[204..208].fill(0);
        for at in [300, 416] {
            page[at..at + 4].copy_from_slice(&header.min_required.to_le_bytes());
        }
        sum(page);
    }
    file.extend_from_slice(&trailer);
    file
}

#[test]
fn a_streaming_backup_is_taken_by_hard_recovery_as_far_as_its_trailer_says() {
    let hard = Means { hard: true, ..AMPLE };
    let mut judged = 0;
    let all = cases("streaming backups", |name| !name.starts_with("perf"));
    for case in &all {
        let (bases, logs, none) = (case.bases(), case.logs(), BTreeMap::new());
        let [(name, base)] = &bases.iter().collect::<Vec<_>>()[..] else { continue };
        let (header, _) = DatabaseHeader::find(base).expect("a base has a header");
        if header.min_required == 0 || header.max_required <= header.min_required {
            continue;
        }
        let run = |file: Vec<u8>, means| {
            replay_logs(&BTreeMap::from([((*name).clone(), file)]), &logs, true, &none, means)
                .map(|(databases, _)| databases[*name].bytes())
        };
        let Ok(expected) = run((*base).clone(), hard) else { continue };
        let size = header.page_size as usize;
        let file = streamed(base, &header, header.max_required);
        let ours = run(file.clone(), hard).unwrap_or_else(|error| panic!("{}: {error}", case.name));
        assert!(ours[2 * size..] == expected[2 * size..], "{}: other pages", case.name);
        let jet = |file, means| run(file, means).err().and_then(|error| error.jet());
        assert_eq!(jet(file.clone(), AMPLE), Some(-544), "{}: soft recovery", case.name);
        let last = logs.last().expect("there are logs").header().generation;
        let mut needs_more = DatabaseHeader::find(base).expect("a base has a header").0;
        needs_more.max_required = last + 1;
        let file = streamed(base, &needs_more, last + 1);
        assert_eq!(jet(file, hard), Some(-543), "{}: logs are missing", case.name);
        judged += 1;
    }
    eprintln!("{judged} streaming backups judged");
    assert!(judged > 0 || all.is_empty());
}

#[test]
fn a_replay_without_undo_can_be_gone_on_with() {
    let (mut wrong, mut judged, mut with_open) = (Vec::new(), 0, 0);
    for case in cases("replay in parts", |name| !name.starts_with("perf")) {
        let listings = case.under("oracle/rows");
        let logs = case.logs();
        if listings.is_empty() || case.bases().is_empty() {
            continue;
        }
        let mut bases = case.bases();
        let mut saved = BTreeMap::new();
        // Each part may begin only where the databases allow it, and must reach what they require.
        let required = bases.values().map(|file| {
            let (header, _) = DatabaseHeader::find(file).expect("a base has a header");
            header.max_required.max(header.max_committed).max(header.consistent.generation + 1)
        });
        let required = required.max().unwrap_or(0);
        let last = logs.last().expect("there are logs").header().generation;
        let mut ends: Vec<u32> = (required.max(logs[0].header().generation)..last).step_by(3).collect();
        ends.push(last);
        let mut failed = None;
        for end in ends {
            let from = bases.values().map(|file| {
                let (header, _) = DatabaseHeader::find(file).expect("a base has a header");
                if header.min_required > 0 { header.min_required } else { header.consistent.generation }
            });
            let from = from.min().unwrap_or(1);
            let part: Vec<LogFile> =
                logs.iter().filter(|log| (from..=end).contains(&log.header().generation)).cloned().collect();
            if part.is_empty() {
                continue;
            }
            match replay_logs(&bases, &part, end == last, &saved, AMPLE) {
                Ok((databases, report)) => {
                    let name = |path: &str| path.rsplit('\\').next().unwrap_or(path).to_owned();
                    let pending = report.databases.into_iter().map(|d| (name(&d.name), d.pending));
                    saved = pending.collect();
                    with_open += usize::from(saved.values().any(|saved| !saved.is_empty()));
                    bases = databases.iter().map(|(name, file)| (name.clone(), file.bytes())).collect();
                }
                Err(error) => {
                    failed = Some(format!("{}: {from} to {end}: {error}", case.name));
                    break;
                }
            }
        }
        if let Some(failed) = failed {
            wrong.push(failed);
            continue;
        }
        for (listing, lines) in listings {
            let name = listing.strip_suffix(".jsonl").expect("the listing of a database");
            let label = format!("{}/{name}", case.name);
            let lines = std::str::from_utf8(lines).expect("the listing is text");
            judged += 1;
            if std::panic::catch_unwind(|| rows::compare(&label, &bases[name], lines)).is_err() {
                wrong.push(format!("{label}: other rows"));
            }
        }
    }
    eprintln!("{judged} databases judged, {with_open} parts ended with open changes");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

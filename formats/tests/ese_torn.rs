//! The log that was being written, lost from any sector on: what is left of it is replayed, or refused where the base
//! needs more. Never is a database made that the logs did not bring about.

#[path = "samples/case.rs"]
mod case;
#[path = "samples/normal.rs"]
mod normal;
#[path = "samples/rebuild.rs"]
mod rebuild;
mod samples;

use case::{Case, cases};
use normal::differences;
use rebuild::{AMPLE, Databases, replay_logs};
use reel_formats::error::Error;
use reel_formats::ese::database::Database;
use reel_formats::ese::header::DatabaseHeader;
use reel_formats::ese::log::reader::LogFile;
use reel_formats::ese::page::checksum::{PageState, verify};
use reel_formats::ese::tables::check::{Severity, check};
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// Whose bases need the last log, and have pages that were changed in it.
const REFUSING: [&str; 2] = ["fuzzy-mix-32k", "fuzzy-mix-4k"];
const SECTOR: usize = 4096;

/// The bytes of the log that was being written.
fn current(case: &Case) -> Vec<u8> {
    let logs = case.under("logs");
    logs.iter().find(|(name, _)| *name == "edb.log").expect("a case has its current log").1.to_vec()
}

/// The highest update counter of the pages of a database.
fn newest(file: &[u8]) -> u64 {
    let size = DatabaseHeader::find(file).expect("a good header").0.page_size as usize;
    let pages = file.chunks_exact(size).enumerate().skip(2);
    let good = pages.filter(|(number, page)| verify(page, *number as u32 - 1) == PageState::Good);
    good.map(|(_, page)| u64::from_le_bytes(page[8..16].try_into().expect("eight"))).max().unwrap_or(0)
}

/// What became of one way to lose the end of a log.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Unreadable,
    Refused,
    Rebuilt,
}

/// Replays what is left of a case's logs on its base, and holds the answer against the same logs without a base: these bring
/// about all that the database may be.
fn judge(case: &Case, logs: &[LogFile]) -> Result<Outcome, String> {
    let none = BTreeMap::new();
    let run = |bases: &BTreeMap<String, Vec<u8>>, undo| -> Result<Databases, Error> {
        replay_logs(bases, logs, undo, &none, AMPLE).map(|(made, _)| made)
    };
    let truth = run(&none, false).map_err(|error| format!("without a base: {error}"))?;
    let bases = case.bases();
    let ours = match run(&bases, false) {
        Ok(ours) => ours,
        Err(error) => {
            let is_newer = bases.iter().any(|(name, base)| newest(base) > newest(&truth[name].bytes()));
            return match error.jet() {
                Some(-543) if is_newer => Ok(Outcome::Refused),
                _ => Err(format!("no page of the base is newer than its logs: {error}")),
            };
        }
    };
    for (name, truth) in &truth {
        let found = differences(&ours[name].bytes(), &truth.bytes());
        if !found.is_empty() {
            return Err(format!("{name}: {} pages differ: {:?}", found.len(), &found[..found.len().min(3)]));
        }
    }
    for (name, file) in run(&bases, true).map_err(|error| format!("with undo: {error}"))? {
        let bytes = file.bytes();
        let database = Database::open(&bytes[..]).map_err(|error| format!("{name}: {error}"))?;
        let report = check(&database, &mut |_| true).expect("nobody stops it");
        let bad = report.findings.listed.iter().find(|finding| finding.severity > Severity::Information);
        if let Some(bad) = bad {
            return Err(format!("{name}: {bad:?}"));
        }
    }
    Ok(Outcome::Rebuilt)
}

/// Judges a case for every sector from which on its last log is lost.
fn lost(case: &Case) -> Vec<Result<Outcome, String>> {
    let mut logs = case.logs();
    let bytes = current(case);
    logs.pop();
    // Zeros from where only zeros were change nothing: once is enough.
    let used = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last / SECTOR + 1);
    let sectors = (used + 1).min(bytes.len() / SECTOR);
    let outcomes = Mutex::new(Vec::new());
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let sector = next.fetch_add(1, Ordering::Relaxed);
                    if sector >= sectors {
                        break;
                    }
                    let mut torn = bytes.clone();
                    torn[sector * SECTOR..].fill(0);
                    let outcome = match LogFile::open(torn) {
                        Ok(log) => judge(case, &[&logs[..], &[log]].concat()),
                        Err(error) if error.jet() == Some(-501) => Ok(Outcome::Unreadable),
                        Err(error) => Err(error.to_string()),
                    };
                    let outcome = outcome.map_err(|what| format!("from sector {sector} on: {what}"));
                    outcomes.lock().expect("no test panicked").push((sector, outcome));
                }
            });
        }
    });
    let mut outcomes = outcomes.into_inner().expect("no test panicked");
    outcomes.sort_by_key(|(sector, _)| *sector);
    outcomes.into_iter().map(|(_, outcome)| outcome).collect()
}

/// Cases that the engine recovers, with all logs from the first on.
fn recovered(test: &str) -> Vec<Case> {
    let mut all = cases(test, |name| !name.starts_with("perf"));
    let begins = |case: &Case| case.logs().first().is_some_and(|log| log.header().generation == 1);
    all.retain(|case| !case.under("expected").is_empty() && begins(case));
    all
}

#[test]
fn a_last_log_of_zeros_from_any_sector_on_gives_the_state_it_reaches_or_an_error() {
    for case in recovered("zeroed logs") {
        let outcomes = lost(&case);
        let wrong: Vec<_> = outcomes.iter().filter_map(|outcome| outcome.as_ref().err()).collect();
        assert!(wrong.is_empty(), "{}: {} wrong: {:?}", case.name, wrong.len(), &wrong[..wrong.len().min(4)]);
        let count = |wanted| outcomes.iter().flatten().filter(|outcome| **outcome == wanted).count();
        let (refused, rebuilt) = (count(Outcome::Refused), count(Outcome::Rebuilt));
        eprintln!("{}: of {} sectors {refused} refused, {rebuilt} rebuilt", case.name, outcomes.len());
        assert_eq!(outcomes[0], Ok(Outcome::Unreadable), "{}: a log without its header", case.name);
        assert!(rebuilt > 0, "{}: nothing was rebuilt", case.name);
        let refuses = REFUSING.contains(&&case.name[..]);
        assert!(!refuses || refused > 0, "{}: the base is newer than what is left", case.name);
    }
}

#[test]
fn a_last_log_that_is_cut_short_anywhere_is_refused() {
    for case in recovered("cut logs") {
        let bytes = current(&case);
        for len in (0..bytes.len()).step_by(SECTOR).chain([1, SECTOR + 1, bytes.len() - 1]) {
            let jet = LogFile::open(bytes[..len].to_vec()).err().and_then(|error| error.jet());
            let expected = if len < SECTOR { -501 } else { -541 };
            assert_eq!(jet, Some(expected), "{}: cut to {len} bytes", case.name);
        }
    }
}

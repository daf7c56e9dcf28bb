//! Does the time of a backup grow as its stream does, and its memory not? A stream too large for this machine's disk is made
//! as it is read; its pages are so alike that what is stored stays below a tenth.

mod pages;

use crate::machine::{Span, peak_resident, timed};
use crate::memory::{BOUND, SLACK};
use crate::row::{Row, Target, Unit};
use crate::{Failure, Result};
use pages::{Reading, Stream};
use reel_engine::backup::{BackupOptions, backup};
use reel_engine::memory::Memory;
use reel_engine::pool::shelf::shelf;
use reel_engine::progress::Monitor;
use reel_engine::source::{Entry, Item};
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::process::{Command, Stdio};

/// The smaller stream is so many times smaller.
const TIMES: u64 = 16;
/// Time may grow by so much more than the stream.
const LINEAR: Target = Target::at_most(1.15, 1.05);

/// A kind of run, and the days on which it is made; the fastest counts.
struct Kind {
    what: &'static str,
    reading: Reading,
    days: std::ops::Range<u32>,
}

const KINDS: [Kind; 3] = [
    Kind { what: "first full, pulled", reading: Reading::Pulled, days: 0..1 },
    Kind { what: "incremental, 1 % changed, pulled", reading: Reading::Pulled, days: 1..3 },
    Kind { what: "incremental, 1 % changed, read anywhere", reading: Reading::Anywhere, days: 3..5 },
];

/// What one backup, in a process of its own, tells.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Told {
    span: Span,
    input: u64,
    new: u64,
    image: u64,
    unindexed: u64,
    peak: u64,
}

/// Measures a stream of `bytes` bytes and one a sixteenth as long, in pools in `folder`.
pub fn measure(folder: &Path, bytes: u64, threads: usize) -> Result<Vec<Row>> {
    let small = all_days(folder, bytes / TIMES, threads)?;
    let large = all_days(folder, bytes, threads)?;
    let mut rows = Vec::new();
    for (kind, (small, large)) in KINDS.iter().zip(small.iter().zip(&large)) {
        let size = |told: &Told| told.input as f64 / f64::from(1 << 30);
        let rate = |told: &Told| told.input as f64 / told.span.wall / 1e6;
        let what = |gib: f64| format!("{}, {gib:.2} GiB", kind.what);
        let times = large.input as f64 / small.input as f64;
        let terms = format!(
            "{times:.1} times that of {:.2} GiB; {:.0} MB/s after {:.0}; {} chunks outside the index",
            size(small),
            rate(large),
            rate(small),
            large.unindexed
        );
        let row = |what, large, small: f64, terms: &str| {
            Row::new(what, Unit::Seconds, large, small * times, terms).target(LINEAR)
        };
        let wall = row(what(size(large)), large.span.wall, small.span.wall, &terms);
        rows.push(Row { span: Some(large.span), ..wall });
        let cpu = format!("{}, CPU", what(size(large)));
        rows.push(row(cpu, large.span.cpu, small.span.cpu, "that of the smaller, as many times"));
        for told in [small, large] {
            let row = Row::new(
                format!("{}, peak memory", what(size(told))),
                Unit::Bytes,
                told.peak as f64,
                (BOUND + SLACK) as f64,
                "the bound given, and what code needs",
            );
            rows.push(row.target(Target::at_most(1.0, 1.0)));
        }
    }
    let stored: u64 = large.iter().map(|told| told.image).sum();
    let input = large.first().map_or(0, |told| told.input);
    let terms = "the stream";
    rows.push(Row::new("image of the three", Unit::Bytes, stored as f64, input as f64, terms));
    Ok(rows)
}

/// The fastest of each kind, all into one pool, which is removed afterwards.
fn all_days(folder: &Path, bytes: u64, threads: usize) -> Result<Vec<Told>> {
    let pool = tempfile::Builder::new().prefix("linear-").tempdir_in(folder)?;
    let mut fastest = Vec::new();
    for kind in &KINDS {
        let mut told: Option<Told> = None;
        for day in kind.days.clone() {
            let now = in_own_process(pool.path(), bytes, day, kind.reading, threads)?;
            eprintln!("{}, {} MiB: {:.2} s", kind.what, bytes >> 20, now.span.wall);
            if told.is_none_or(|told| now.span.wall < told.span.wall) {
                told = Some(now);
            }
        }
        fastest.extend(told);
    }
    Ok(fastest)
}

fn in_own_process(folder: &Path, bytes: u64, day: u32, reading: Reading, threads: usize) -> Result<Told> {
    let child = Command::new(std::env::current_exe()?)
        .args(["--linear-step", &format!("{day}{}", reading.letter())])
        .args(["--size", &bytes.to_string(), "--threads", &threads.to_string(), "--dir"])
        .arg(folder)
        .stderr(Stdio::inherit())
        .output()?;
    if !child.status.success() {
        return Err(format!("the backup of day {day} ended with {}", child.status).into());
    }
    Ok(serde_json::from_slice(&child.stdout)?)
}

/// One backup, in the process that is measured; gives what [`measure`] reads.
///
/// # Errors
/// A step that is none, and those of the backup.
pub fn step(step: &str, folder: &Path, bytes: u64, threads: usize) -> Result<String> {
    let wrong = || -> Failure { format!("{step} is no day and way of reading").into() };
    let (day, letter) = step.split_at_checked(step.len().saturating_sub(1)).ok_or_else(wrong)?;
    let reading = Reading::of_letter(letter).ok_or_else(wrong)?;
    let stream = Stream::new(bytes, day.parse()?, reading);
    let items = std::iter::once(Item::Entry(Entry::Stream(Box::new(stream))));
    let options = BackupOptions {
        memory: Memory::new(BOUND)?,
        threads,
        cache: Some(folder.join("cache")),
        ..BackupOptions::default()
    };
    let shelf = shelf(&folder.join("pool"))?;
    let (span, report) = timed(|| Ok(backup(&shelf, Box::new(items), &options, &Monitor::default())?))?;
    if report.has_findings() || report.databases.len() != 1 {
        return Err(format!("a backup with findings: {report:?}").into());
    }
    Ok(serde_json::to_string(&Told {
        span,
        input: report.input_bytes,
        new: report.new_bytes,
        image: report.medium_bytes,
        unindexed: report.unindexed_chunks,
        peak: peak_resident()?,
    })?)
}

//! Rebuild beside reading its logs alone, and beside the engine that wrote them.

use crate::Result;
use crate::machine::{Span, peak_resident, timed};
use crate::samples::Case;
use reel_engine::memory::Memory;
use reel_engine::progress::Monitor;
use reel_engine::rebuild::{RebuildOptions, RebuildReport, Until, rebuild};
use reel_formats::ese::header::DatabaseState;
use reel_formats::ese::log::reader::LogFile;
use reel_formats::ese::log::record::Record;
use reel_formats::ese::position::LogTime;
use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::process::{Command, Stdio};

/// The cases that are measured.
pub const CASES: [&str; 2] = ["perf-32k", "perf2-32k"];
/// The bounds whose peaks are held against each other, in bytes.
pub const BOUNDS: [u64; 2] = [96 << 20, 512 << 20];
/// What may come on top of a bound: code, stacks, the allocator's own.
pub const SLACK: u64 = 64 << 20;
/// Runs of each.
const RUNS: usize = 3;

/// What was done with the logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Read and decoded, on one thread.
    Decode,
    /// Replayed; what was open at their end stays.
    Redo,
    /// Replayed, and what was open taken back.
    Recovery,
}

/// Three runs of one kind of work on one case.
#[derive(Clone, Debug)]
pub struct Row {
    /// The case.
    pub case: &'static str,
    /// What was done.
    pub work: Work,
    /// Bytes of the log files.
    pub log_bytes: u64,
    /// The fastest run.
    pub best: Span,
    /// Seconds of the slowest.
    pub worst: f64,
    /// Times that a page was read and written.
    pub pages: Option<(u64, u64)>,
    /// Seconds of the engine for the same.
    pub engine: Option<f64>,
}

/// Peak memory of a full recovery in a process of its own.
#[derive(Clone, Copy, Debug)]
pub struct Peak {
    /// The case.
    pub case: &'static str,
    /// The bound, in bytes.
    pub bound: u64,
    /// The peak, in bytes.
    pub bytes: u64,
}

impl Peak {
    /// Is the peak above what the bound allows?
    pub fn fails(&self) -> bool {
        self.bytes > self.bound + SLACK
    }
}

/// Measures a case that was unpacked: rates with `threads` workers, and the peaks of both bounds.
pub fn measure(case: &Case, threads: usize) -> Result<(Vec<Row>, Vec<Peak>)> {
    let mut rows = vec![decoding(case)?];
    for work in [Work::Redo, Work::Recovery] {
        rows.push(rebuilding(case, work, threads)?);
    }
    let mut peaks = Vec::new();
    for bound in BOUNDS {
        let child = Command::new(std::env::current_exe()?)
            .args(["--rebuild-step", &bound.to_string(), "--threads", &threads.to_string(), "--dir"])
            .arg(&case.folder)
            .stderr(Stdio::inherit())
            .output()?;
        if !child.status.success() {
            return Err(format!("a rebuild with {} MiB ended with {}", bound >> 20, child.status).into());
        }
        let bytes = std::str::from_utf8(&child.stdout)?.trim().parse()?;
        peaks.push(Peak { case: case.name, bound, bytes });
    }
    Ok((rows, peaks))
}

/// A full recovery under a bound, in the process that is measured; gives its peak.
pub fn step(folder: &Path, bound: u64, threads: usize) -> Result<u64> {
    once(folder, Work::Recovery, Memory::new(bound)?, threads)?;
    peak_resident()
}

fn decoding(case: &Case) -> Result<Row> {
    let mut runs = Vec::new();
    let mut log_bytes = 0;
    for _ in 0..RUNS {
        let (span, bytes) = timed(|| decode(&case.folder.join("logs")))?;
        runs.push(span);
        log_bytes = bytes;
    }
    Ok(Row::new(case.name, Work::Decode, log_bytes, &runs, None, None))
}

/// Reads and decodes every record; gives the bytes of the files.
fn decode(folder: &Path) -> Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder)? {
        let file = fs::read(entry?.path())?;
        bytes += file.len() as u64;
        let log = LogFile::open(file)?;
        let mut records = log.records();
        while let Some(record) = records.next()? {
            black_box(Record::parse(record.bytes)?);
        }
    }
    Ok(bytes)
}

fn rebuilding(case: &Case, work: Work, threads: usize) -> Result<Row> {
    let (mut runs, mut log_bytes, mut pages) = (Vec::new(), 0, None);
    for _ in 0..RUNS {
        let (span, report) = timed(|| once(&case.folder, work, Memory::DEFAULT, threads))?;
        runs.push(span);
        log_bytes = report.log_bytes;
        pages = report.databases.first().map(|database| (database.pages.read, database.pages.written));
    }
    let engine = case.number(match work {
        Work::Redo => "engine_redo_seconds_measured",
        _ => "engine_full_recovery_seconds_measured",
    });
    Ok(Row::new(case.name, work, log_bytes, &runs, pages, engine))
}

/// One rebuild into a folder that is removed again, which is not measured.
fn once(folder: &Path, work: Work, memory: Memory, threads: usize) -> Result<RebuildReport> {
    let to = folder.join("rebuilt");
    if to.exists() {
        fs::remove_dir_all(&to)?;
    }
    let options = RebuildOptions {
        bases: vec![folder.join("base/a.edb")],
        from_empty: false,
        logs: vec![folder.join("logs")],
        to,
        until: Until::EndOfLogs,
        hard: false,
        undo: work == Work::Recovery,
        allow_loss: false,
        overwrite: false,
        memory,
        threads,
        closed: LogTime::utc(2026, 1, 1, 0, 0, 0, 0).ok_or("a year that headers cannot hold")?,
        seed: 1,
    };
    let report = rebuild(&options, &Monitor::default())?;
    let expected = if options.undo { DatabaseState::CleanShutdown } else { DatabaseState::DirtyShutdown };
    match report.databases.first() {
        Some(database) if database.state == expected => Ok(report),
        _ => Err(format!("a rebuild that does not end with {expected}: {:?}", report.databases).into()),
    }
}

impl Row {
    fn new(
        case: &'static str,
        work: Work,
        log_bytes: u64,
        runs: &[Span],
        pages: Option<(u64, u64)>,
        engine: Option<f64>,
    ) -> Row {
        let worst = runs.iter().map(|run| run.wall).fold(0.0, f64::max);
        let best = runs.iter().min_by(|a, b| a.wall.total_cmp(&b.wall));
        let best = *best.expect("each kind of work runs three times");
        Row { case, work, log_bytes, best, worst, pages, engine }
    }

    /// Bytes of log a second in the fastest run.
    pub fn rate(&self) -> f64 {
        self.log_bytes as f64 / self.best.wall
    }

    /// Bytes of log a second in the slowest run.
    pub fn worst_rate(&self) -> f64 {
        self.log_bytes as f64 / self.worst
    }
}

//! Rebuild: base databases and their transaction logs make the databases as they were when the logs ended.
//!
//! The rules are those of `reel_formats::ese::replay`; here are the files: bases are copied, never changed, logs are read
//! and decoded ahead on a thread of their own, and a rebuilt database gets its name only when it is complete.

mod bases;
mod check;
mod logs;
mod plan;
mod report;
mod standby;
mod target;

pub use bases::Base;
pub use check::{RebuildCheck, check};
pub use logs::LogPath;
pub use plan::{RebuildPlan, Stop};
pub use report::{DatabaseLine, LogLine, RebuildReport};

use crate::error::{Class, Error, Result};
use crate::memory::Memory;
use crate::progress::Monitor;
use reel_formats::ese::log::reader::LogRecord;
use reel_formats::ese::position::{LgPos, LogTime};
use reel_formats::ese::replay::{Options, Replay};
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::time::Instant;
use target::Targets;

/// Where a rebuild ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Until {
    /// With the logs.
    #[default]
    EndOfLogs,
    /// With the last record of a generation.
    Generation(u32),
    /// Behind the record at this place.
    Position(LgPos),
    /// Before the first segment that was begun later. Logs of the old container have no such times.
    Time(LogTime),
}

/// How a rebuild is to be done.
#[derive(Clone, Debug)]
pub struct RebuildOptions {
    /// Base databases: files, or folders of which every database is one.
    pub bases: Vec<PathBuf>,
    /// Rebuild databases from the logs alone: they must begin with generation 1.
    pub from_empty: bool,
    /// Logs: files, or folders of which every log is one.
    pub logs: Vec<PathBuf>,
    /// The folder that gets the databases.
    pub to: PathBuf,
    /// Where to end.
    pub until: Until,
    /// The logs are those that a backup saved: the log that was being written is not expected among them.
    pub hard: bool,
    /// Take back what was open at the end. If not, the databases stay dirty, and more logs can follow.
    pub undo: bool,
    /// Go on although logs with committed work are missing.
    pub allow_loss: bool,
    /// Replace existing databases.
    pub overwrite: bool,
    /// Bound on memory.
    pub memory: Memory,
    /// Workers.
    pub threads: usize,
    /// When the rebuilt databases are closed, for their headers.
    pub closed: LogTime,
    /// What new signatures are made from.
    pub seed: u64,
}

impl RebuildOptions {
    /// Whether databases that the logs create are made: not where single files are the bases.
    fn creates(&self) -> bool {
        self.from_empty || self.bases.iter().any(|base| base.is_dir())
    }

    /// Whether the end of the logs may be anywhere: hard recovery.
    fn is_hard(&self) -> bool {
        self.hard || self.until != Until::EndOfLogs
    }
}

/// Share of the memory that pages get; the rest is for logs that are decoded ahead, records whose steps wait, and what the
/// allocator keeps for each thread.
const PAGES_SHARE: u64 = 5;
const SHARES: u64 = 8;

/// Rebuilds databases. Nothing stands in the target folder under its own name before everything is complete.
///
/// # Errors
/// What the plan refuses ([`RebuildPlan::make`]); damage in logs or pages with the number that administrators know; a
/// database in the way (argument); a full disk; cancel.
pub fn rebuild(options: &RebuildOptions, monitor: &Monitor) -> Result<RebuildReport> {
    let plan = RebuildPlan::make(options)?;
    plan.refuse()?;
    run(options, &plan, monitor)
}

/// Rebuilds as a plan says.
pub fn run(options: &RebuildOptions, plan: &RebuildPlan, monitor: &Monitor) -> Result<RebuildReport> {
    let started = Instant::now();
    monitor.counters().total.store(plan.log_bytes(), Ordering::Relaxed);
    let targets = Targets::open(options)?;
    let memory = options.memory.bytes() / SHARES * PAGES_SHARE;
    let create = options.creates().then(|| targets.creator(plan));
    let mut replay = Replay::new(Options {
        memory,
        threads: options.threads,
        hard: options.is_hard(),
        create,
        undo: options.undo,
        allow_loss: options.allow_loss,
        closed: options.closed,
        seed: options.seed,
        check: false,
    });
    let mut earlier = Vec::new();
    for base in &plan.bases {
        let inside = |e| Error::inside(&base.name, e);
        let file = targets.copy(base)?;
        let place = replay.add_base(&base.name, Box::new(file)).map_err(inside)?;
        let saved = standby::load(&base.path)?;
        saved.iter().try_for_each(|part| replay.resume(place, part)).map_err(inside)?;
        earlier.push(saved);
    }
    let mut lines = Vec::new();
    logs::decode_ahead(&plan.logs, |path, log| {
        if monitor.is_cancelled() {
            return Err(Error::new(
                Class::Cancelled,
                "rebuild",
                "stopped at your request; nothing was left behind",
            ));
        }
        let name = path.display().to_string();
        let inside = |e| Error::inside(&name, e);
        if lines.is_empty() {
            replay.begin(log, &log.header().attachments).map_err(inside)?;
        }
        plan.accept(&name, log, options)?;
        let until = |record: &LogRecord<'_>| stops(options.until, record);
        let report = replay.log(log, until).map_err(|e| plan.damage(&name, log, e, options))?;
        monitor.counters().done.fetch_add(log.header().file_len(), Ordering::Relaxed);
        let stopped = report.stopped;
        lines.push(LogLine::new(name.clone(), report, log.end()));
        Ok(!stopped)
    })?;
    let done = replay.finish().map_err(|e| Error::inside("rebuild", e))?;
    let saved: Vec<_> = done.databases.iter().map(|database| database.pending.clone()).collect();
    let paths = targets.paths();
    earlier.resize(paths.len(), Vec::new());
    for ((path, earlier), saved) in paths.iter().zip(earlier).zip(&saved) {
        let mut parts = earlier;
        parts.push(saved.clone());
        standby::save(path, &parts)?;
    }
    targets.commit()?;
    for (path, saved) in paths.iter().zip(saved) {
        standby::save(path, &[saved])?;
    }
    Ok(RebuildReport::new(plan, done, lines, paths, started.elapsed()))
}

fn stops(until: Until, record: &LogRecord<'_>) -> bool {
    match until {
        Until::EndOfLogs | Until::Generation(_) => false,
        Until::Position(position) => record.position > position,
        Until::Time(time) => !record.time.is_zero() && record.time.is_later_than(time),
    }
}

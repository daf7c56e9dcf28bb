//! A rebuild that writes nothing: what the logs would change, what is there already, what does not fit.

use super::plan::RebuildPlan;
use super::{LogLine, RebuildOptions, logs, stops};
use crate::database::LocalFile;
use crate::error::{Class, Error, Result};
use crate::progress::Monitor;
use reel_formats::ese::database::DatabaseFile;
use reel_formats::ese::replay::counts::RecordCounts;
use reel_formats::ese::replay::{CheckReport, Options, RebuildFile, Replay};
use std::io;
use std::sync::atomic::Ordering;

/// What a check found.
#[derive(Clone, Debug)]
pub struct RebuildCheck {
    /// The databases, and what the end would be refused for.
    pub report: CheckReport,
    /// Counts of each database, over all logs.
    pub records: Vec<RecordCounts>,
    /// The logs.
    pub logs: Vec<LogLine>,
    /// Why the logs could not be read to their end.
    pub damage: Option<String>,
}

impl RebuildCheck {
    /// Whether something does not fit or would be refused.
    pub fn has_findings(&self) -> bool {
        let of_database =
            |d: &reel_formats::ese::replay::CheckedDatabase| d.misfit_count > 0 || !d.refusals.is_empty();
        self.damage.is_some()
            || self.report.refusal.is_some()
            || self.report.databases.iter().any(of_database)
    }
}

/// Holds every page change in the logs of a plan against the pages of the bases, by update counters alone.
///
/// # Errors
/// Files that cannot be read; cancel. What does not fit is in the report.
pub fn check(options: &RebuildOptions, plan: &RebuildPlan, monitor: &Monitor) -> Result<RebuildCheck> {
    monitor.counters().total.store(plan.log_bytes(), Ordering::Relaxed);
    let memory = options.memory.bytes() / 2;
    let mut replay = Replay::new(Options {
        memory,
        threads: options.threads,
        hard: options.is_hard(),
        create: None,
        undo: false,
        allow_loss: options.allow_loss,
        closed: options.closed,
        seed: options.seed,
        check: true,
    });
    for base in &plan.bases {
        let file = ReadOnly(LocalFile::open(&base.path)?);
        replay.add_base(&base.name, Box::new(file)).map_err(|e| Error::inside(&base.name, e))?;
    }
    let (mut lines, mut damage) = (Vec::new(), None);
    let mut replayed = |name: &str, log: &_| {
        if monitor.is_cancelled() {
            return Err(Error::new(Class::Cancelled, "rebuild", "stopped at your request"));
        }
        let inside = |e| Error::inside(name, e);
        if lines.is_empty() {
            replay.begin(log, &log.header().attachments).map_err(inside)?;
        }
        let report = replay.log(log, |record| stops(options.until, record));
        monitor.counters().done.fetch_add(log.header().file_len(), Ordering::Relaxed);
        match report {
            Ok(report) => {
                let stopped = report.stopped;
                lines.push(LogLine::new(name.to_owned(), report, log.end()));
                Ok(!stopped)
            }
            Err(error) if error.jet().is_some() => {
                damage = Some(inside(error).to_string());
                Ok(false)
            }
            Err(error) => Err(inside(error)),
        }
    };
    logs::decode_ahead(&plan.logs, |path, log| replayed(&path.display().to_string(), log))?;
    let total = |index: usize| {
        let mut sum = RecordCounts::default();
        lines.iter().filter_map(|log| log.report.databases.get(index)).for_each(|counts| sum.add(counts));
        sum
    };
    let records = (0..plan.bases.len()).map(total).collect();
    Ok(RebuildCheck { report: replay.finish_check(), records, logs: lines, damage })
}

/// A base that is looked at.
struct ReadOnly(LocalFile);

impl DatabaseFile for ReadOnly {
    fn len(&self) -> u64 {
        self.0.len()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read_at(offset, buffer)
    }
}

impl RebuildFile for ReadOnly {
    fn write_at(&self, _: u64, _: &[u8]) -> io::Result<()> {
        Err(io::Error::from(io::ErrorKind::ReadOnlyFilesystem))
    }

    fn set_len(&self, _: u64) -> io::Result<()> {
        Err(io::Error::from(io::ErrorKind::ReadOnlyFilesystem))
    }
}

//! What a rebuild came to.

use super::plan::RebuildPlan;
use reel_formats::ese::header::DatabaseState;
use reel_formats::ese::log::LogEnd;
use reel_formats::ese::position::LgPos;
use reel_formats::ese::replay::counts::{PageCounts, RecordCounts};
use reel_formats::ese::replay::{LogReport, Report};
use std::path::PathBuf;
use std::time::Duration;

/// What became of the records of one log.
#[derive(Clone, Debug)]
pub struct LogLine {
    /// The file.
    pub file: String,
    /// Records and bytes, and what became of them for each database.
    pub report: LogReport,
    /// Segments in which one flipped bit was put right.
    pub corrected: usize,
    /// Whether its end was torn.
    pub is_torn: bool,
}

impl LogLine {
    pub(super) fn new(file: String, report: LogReport, end: &LogEnd) -> Self {
        let is_torn = matches!(end.status, reel_formats::ese::log::LogStatus::Torn { .. });
        Self { file, report, corrected: end.corrected.len(), is_torn }
    }
}

/// A rebuilt database.
#[derive(Clone, Debug)]
pub struct DatabaseLine {
    /// Its name.
    pub name: String,
    /// Where it is.
    pub path: PathBuf,
    /// Its state.
    pub state: DatabaseState,
    /// What became of the records that concern it.
    pub records: RecordCounts,
    /// Pages read and written.
    pub pages: PageCounts,
}

/// What a rebuild came to.
#[derive(Clone, Debug)]
pub struct RebuildReport {
    /// The databases.
    pub databases: Vec<DatabaseLine>,
    /// The logs.
    pub logs: Vec<LogLine>,
    /// Bytes of log files.
    pub log_bytes: u64,
    /// The last record replayed.
    pub position: LgPos,
    /// Transactions that were open there.
    pub open_transactions: u64,
    /// Changes of theirs that were taken back.
    pub undone: u64,
    /// Whether the logs end in a clean shutdown.
    pub clean_shutdown: bool,
    /// How long it took.
    pub elapsed: Duration,
}

impl RebuildReport {
    pub(super) fn new(
        plan: &RebuildPlan,
        done: Report,
        logs: Vec<LogLine>,
        paths: Vec<PathBuf>,
        elapsed: Duration,
    ) -> Self {
        let total = |index: usize| {
            let mut sum = RecordCounts::default();
            logs.iter().filter_map(|log| log.report.databases.get(index)).for_each(|counts| sum.add(counts));
            sum
        };
        let lines =
            done.databases.into_iter().zip(paths).enumerate().map(|(index, (database, path))| DatabaseLine {
                name: database.name,
                path,
                state: database.state,
                records: total(index),
                pages: database.pages,
            });
        Self {
            databases: lines.collect(),
            log_bytes: plan.log_bytes(),
            position: done.position,
            open_transactions: done.open_transactions,
            undone: done.undone,
            clean_shutdown: done.clean_shutdown,
            elapsed,
            logs,
        }
    }

    /// Bytes of log a second.
    pub fn bytes_a_second(&self) -> f64 {
        self.log_bytes as f64 / self.elapsed.as_secs_f64().max(1e-9)
    }

    /// Records read.
    pub fn records(&self) -> u64 {
        self.logs.iter().map(|log| log.report.records).sum()
    }
}

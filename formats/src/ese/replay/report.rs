//! What a replay came to.

use super::check::Misfit;
use super::counts::{PageCounts, RecordCounts};
use crate::ese::header::DatabaseState;
use crate::ese::position::LgPos;
use std::collections::BTreeMap;

/// What became of one database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatabaseReport {
    /// How messages name it.
    pub name: String,
    /// Its state now.
    pub state: DatabaseState,
    /// Pages read and written.
    pub pages: PageCounts,
    /// What the next replay needs if this one ended without undo while changes to the database were open
    /// ([`super::Replay::resume`]); empty if nothing.
    pub pending: Vec<u8>,
}

/// What a replay came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Its databases.
    pub databases: Vec<DatabaseReport>,
    /// Changes of open transactions that were taken back.
    pub undone: u64,
    /// Transactions that were open at the end.
    pub open_transactions: u64,
    /// The last record replayed.
    pub position: LgPos,
    /// Whether the logs end in a clean shutdown.
    pub clean_shutdown: bool,
}

/// What a replay that changed nothing found of one database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckedDatabase {
    /// How messages name it.
    pub name: String,
    /// Where the logs attach it.
    pub attached_at: Vec<LgPos>,
    /// What its attachments would be refused for.
    pub refusals: Vec<String>,
    /// Changes that do not fit, at most [`super::check::MAX_MISFITS`].
    pub misfits: Vec<Misfit>,
    /// How many there are.
    pub misfit_count: u64,
}

/// What a replay that changed nothing found. What would be applied and what is there is in the reports of the logs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckReport {
    /// The databases.
    pub databases: Vec<CheckedDatabase>,
    /// What the end of a replay would be refused for.
    pub refusal: Option<String>,
    /// The last record read.
    pub position: LgPos,
}

/// What became of the records of one log file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogReport {
    /// Its generation.
    pub generation: u32,
    /// Records read.
    pub records: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// For each database, by its place.
    pub databases: Vec<RecordCounts>,
    /// Page records of databases that are not among the bases, by their path in the logs.
    pub unknown: BTreeMap<String, u64>,
    /// Whether the caller's condition ended it.
    pub stopped: bool,
}

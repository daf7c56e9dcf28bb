//! What a replay did, in numbers.

use std::collections::BTreeMap;

/// Pages of one database.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PageCounts {
    /// Times that a page was read from the file.
    pub read: u64,
    /// Times that a page was written to it.
    pub written: u64,
    /// Pages read in which one flipped bit was put right.
    pub corrected: u64,
}

/// Why a record was not applied to a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Skip {
    /// It stands before the place where the database was attached.
    BeforeAttach,
    /// No database is attached under its number: none with the signature is among the bases.
    NotAttached,
    /// Its session began before the first record that was read.
    BeginNotSeen,
    /// It belongs to a macro that was never committed.
    OpenMacro,
}

impl Skip {
    /// The reason in words.
    pub fn reason(self) -> &'static str {
        match self {
            Self::BeforeAttach => "before the database was attached",
            Self::NotAttached => "of a database that is not among the bases",
            Self::BeginNotSeen => "of a session whose begin is not in the logs",
            Self::OpenMacro => "of a macro that never ended",
        }
    }
}

/// What became of the page records of one database in one log file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecordCounts {
    /// Page changes made.
    pub applied: u64,
    /// Page changes that the page had already.
    pub present: u64,
    /// Records passed over, by reason.
    pub skipped: BTreeMap<Skip, u64>,
}

impl RecordCounts {
    /// Adds those of another stretch of log.
    pub fn add(&mut self, other: &Self) {
        self.applied += other.applied;
        self.present += other.present;
        for (reason, count) in &other.skipped {
            *self.skipped.entry(*reason).or_default() += count;
        }
    }
}

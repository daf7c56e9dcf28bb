//! Where a log ends, and whether it ends as it should.

use crate::error::Error;
use crate::ese::position::LgPos;
use std::fmt;

pub(super) const JET_LOG_FILE_CORRUPT: i32 = -501;

/// Where the records of a log end, and what was found on the way there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEnd {
    /// Where the next record would have been written: the engine's `Last Lgpos`.
    pub position: LgPos,
    /// Whether all is as it should be.
    pub status: LogStatus,
    /// Whether the last record is one of a clean end.
    pub clean_shutdown: bool,
    /// Sectors or segments in which one flipped bit was put right, with the number of the bit in them.
    pub corrected: Vec<(u32, u32)>,
    /// Sectors or segments that were taken from their shadow copy. Allowed only in the current log: in a closed one the
    /// engine refuses it with -571, in a backup set with -570.
    pub patched: Vec<u32>,
    /// XOR of the checksums of all segments, which the next log repeats; 0 in the old container.
    pub accumulated: u64,
    /// Bytes of the file that are in use, its header included.
    pub used_bytes: u64,
}

/// Whether a log is as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogStatus {
    /// It ends after a whole record.
    Complete,
    /// The last write before a crash did not complete. What is lost had not been acknowledged.
    Torn {
        /// The sector or segment of the write.
        unit: u32,
        /// What happened, in a sentence.
        sentence: String,
    },
    /// It is damaged. The records before the damage can be read.
    Corrupt {
        /// The damaged sector or segment.
        unit: u32,
        /// The error number that administrators know.
        jet: i32,
        /// What is wrong and what to do, in a sentence.
        sentence: String,
    },
}

impl LogStatus {
    /// Whether the log is damaged.
    pub fn is_corrupt(&self) -> bool {
        matches!(self, Self::Corrupt { .. })
    }
}

impl fmt::Display for LogStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Complete => f.write_str("complete"),
            Self::Torn { sentence, .. } => write!(f, "torn: {sentence}"),
            Self::Corrupt { jet, sentence, .. } => write!(f, "damaged: {sentence} (ESE error {jet})"),
        }
    }
}

/// Damage at a place of a log file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Damage {
    /// The sector or segment.
    pub unit: u32,
    /// Byte of the file.
    pub at: u64,
    /// What stands there.
    pub found: String,
    /// What should.
    pub expected: String,
}

impl Damage {
    pub fn new(unit: u32, at: u64, found: impl fmt::Display, expected: impl fmt::Display) -> Self {
        Self { unit, at, found: found.to_string(), expected: expected.to_string() }
    }

    pub fn error(&self, generation: u32) -> Error {
        Error::format(
            format_args!("log {generation:#x}, sector {:#x}", self.unit),
            self.at,
            &self.found,
            format_args!("{}; get this log from another copy or a backup", self.expected),
        )
        .with_jet(JET_LOG_FILE_CORRUPT)
    }

    pub fn status(&self) -> LogStatus {
        LogStatus::Corrupt {
            unit: self.unit,
            jet: JET_LOG_FILE_CORRUPT,
            sentence: format!(
                "sector {:#x} has {}, expected {}; get this log from another copy or a backup",
                self.unit, self.found, self.expected
            ),
        }
    }
}

/// A write that a crash cut short.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tear {
    pub unit: u32,
    pub sentence: String,
}

/// What a container's scan found.
#[derive(Clone, Debug, Default)]
pub(super) struct Scan {
    /// File offset behind the last good byte.
    pub end: usize,
    pub damage: Option<Damage>,
    pub tear: Option<Tear>,
    pub corrected: Vec<(u32, u32)>,
    pub patched: Vec<u32>,
    pub accumulated: u64,
}

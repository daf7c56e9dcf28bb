//! What can be wrong with a log, or between it and the one before it.

use super::{LogName, Member};
use crate::ese::log::LogStatus;
use crate::ese::position::{LogTime, Signature};
use std::fmt;

/// From this update on a log repeats the accumulated checksum of the one before it.
const CHECKSUM_REPEATED_FROM: u32 = 13;
const JET_LOG_GENERATION_MISMATCH: i32 = -513;
const JET_BAD_LOG_VERSION: i32 = -514;
const JET_INVALID_LOG_SEQUENCE: i32 = -515;
const JET_MISSING_LOG_FILE: i32 = -528;
const JET_BAD_LOG_SIGNATURE: i32 = -530;
pub(super) const JET_LOG_FILE_SIZE_MISMATCH: i32 = -541;
const JET_LOG_TORN_WRITE: i32 = -571;
const JET_LOG_SEQUENCE_CHECKSUM_MISMATCH: i32 = -590;
const JET_PAGE_SIZE_MISMATCH: i32 = -1213;

/// What is wrong with a chain, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The generation that is missing, or in which or at whose beginning it is.
    pub generation: u32,
    /// The file, or the name that the missing one would have.
    pub name: String,
    /// What it is.
    pub kind: FindingKind,
}

/// What can be wrong with a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FindingKind {
    /// Generations up to `last` are not there. -515 where the log being written is there, as the engine has it.
    Missing {
        /// The last of them.
        last: u32,
        /// Whether the log being written is there.
        current_is_there: bool,
    },
    /// In the place of the generation stands a log of another sequence: -530.
    Foreign {
        /// Signature of that sequence.
        signature: Signature,
    },
    /// The log before was made at another time than this one says: -515.
    Time {
        /// When this log says that the one before was made.
        said: LogTime,
        /// When it was made.
        made: LogTime,
    },
    /// The log before does not hold what this one says that it held: -590.
    Checksum {
        /// What this log says.
        said: u64,
        /// What the log before has.
        computed: u64,
    },
    /// The page size changes: -1213.
    PageSize {
        /// In this log, in bytes.
        this: u32,
        /// In the log before, in bytes.
        before: u32,
    },
    /// The file is not as long as its header says: -541.
    Length {
        /// Its length, in bytes.
        found: u64,
        /// What the header says, in bytes.
        expected: u64,
    },
    /// The name has another number than the header: -513.
    Name {
        /// The number in the name.
        named: u32,
    },
    /// The format is not known: -514.
    Version,
    /// It is damaged (-501), or torn although it was closed (-571).
    Damaged {
        /// What the reader says.
        sentence: String,
        /// The error number.
        jet: i32,
    },
    /// The last write did not complete: normal after a crash, and no break.
    TornEnd {
        /// What the reader says.
        sentence: String,
    },
    /// The newest log has a number in its name: the one being written is not there. No break, but the engine's own full
    /// recovery refuses such a set with -528.
    NoCurrent,
}

impl FindingKind {
    /// Whether replay cannot pass it.
    pub fn is_break(&self) -> bool {
        !matches!(self, Self::TornEnd { .. } | Self::NoCurrent)
    }

    /// The error number that administrators know.
    pub fn jet(&self) -> Option<i32> {
        Some(match self {
            Self::Missing { current_is_there: true, .. } | Self::Time { .. } => JET_INVALID_LOG_SEQUENCE,
            Self::Missing { .. } | Self::NoCurrent => JET_MISSING_LOG_FILE,
            Self::Foreign { .. } => JET_BAD_LOG_SIGNATURE,
            Self::Checksum { .. } => JET_LOG_SEQUENCE_CHECKSUM_MISMATCH,
            Self::PageSize { .. } => JET_PAGE_SIZE_MISMATCH,
            Self::Length { .. } => JET_LOG_FILE_SIZE_MISMATCH,
            Self::Name { .. } => JET_LOG_GENERATION_MISMATCH,
            Self::Version => JET_BAD_LOG_VERSION,
            Self::Damaged { jet, .. } => *jet,
            Self::TornEnd { .. } => return None,
        })
    }
}

impl Finding {
    /// What is wrong, in a sentence without the name of the file.
    pub fn sentence(&self) -> String {
        let generation = self.generation;
        match &self.kind {
            FindingKind::Missing { last, .. } if *last == generation => "missing".into(),
            FindingKind::Missing { last, .. } => format!("missing, and all up to generation {last:#x}"),
            FindingKind::Foreign { signature } => format!("is of another sequence of logs ({signature})"),
            FindingKind::Time { said, made } => {
                format!("says that the log before it was made {said}, but that was made {made}")
            }
            FindingKind::Checksum { said, computed } => format!(
                "says that the log before it has the accumulated checksum {said:#018x}, but it has {computed:#018x}"
            ),
            FindingKind::PageSize { this, before } => {
                format!("is for pages of {this} bytes, the log before it for {before}")
            }
            FindingKind::Length { found, expected } => {
                format!("has {found} bytes, expected {expected} as its header says")
            }
            FindingKind::Name { named } => {
                format!("is named for generation {named:#x}, but is {generation:#x} by its header")
            }
            FindingKind::Version => "has a format newer than is known, or too old".into(),
            FindingKind::Damaged { sentence, .. } => sentence.clone(),
            FindingKind::TornEnd { sentence } => format!("ends torn, as after a crash: {sentence}"),
            FindingKind::NoCurrent => "the log being written is not there".into(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.sentence())?;
        match self.kind.jet() {
            Some(number) => write!(f, " (ESE error {number})"),
            None => Ok(()),
        }
    }
}

/// What is wrong with a log in itself.
pub(super) fn judge_alone(log: &Member, is_last: bool, findings: &mut Vec<Finding>) {
    let generation = log.generation();
    let mut find = |kind| findings.push(Finding { generation, name: log.name.clone(), kind });
    if let Some(named) = LogName::parse(&log.name).and_then(|name| name.generation)
        && named != generation
    {
        find(FindingKind::Name { named });
    }
    match log.refused {
        Some(JET_LOG_FILE_SIZE_MISMATCH) => {
            find(FindingKind::Length { found: log.file_len, expected: log.header.file_len() });
        }
        Some(JET_BAD_LOG_VERSION) => find(FindingKind::Version),
        Some(jet) => find(FindingKind::Damaged { sentence: "its header makes no sense".into(), jet }),
        None => {}
    }
    match log.end.as_ref().map(|end| &end.status) {
        Some(LogStatus::Corrupt { sentence, jet, .. }) => {
            find(FindingKind::Damaged { sentence: sentence.clone(), jet: *jet });
        }
        Some(LogStatus::Torn { sentence, .. }) if is_last => {
            find(FindingKind::TornEnd { sentence: sentence.clone() });
        }
        Some(LogStatus::Torn { sentence, .. }) => {
            find(FindingKind::Damaged { sentence: sentence.clone(), jet: JET_LOG_TORN_WRITE });
        }
        Some(LogStatus::Complete) | None => {}
    }
}

/// What a log says of the one before it, held against that one.
pub(super) fn judge_pair(before: &Member, log: &Member, findings: &mut Vec<Finding>) {
    let mut find = |kind| {
        findings.push(Finding { generation: log.generation(), name: log.name.clone(), kind });
    };
    let (this, other) = (&log.header, &before.header);
    if this.page_size != other.page_size {
        find(FindingKind::PageSize { this: this.page_size, before: other.page_size });
    }
    if before.generation().checked_add(1) != Some(log.generation()) {
        return;
    }
    if this.previous_created != other.created {
        find(FindingKind::Time { said: this.previous_created, made: other.created });
    }
    // A damaged log is reported as such, and its sum is that of a part.
    let repeats = this.update_minor >= CHECKSUM_REPEATED_FROM && !this.is_legacy() && before.is_whole();
    match &before.end {
        Some(end) if repeats && end.accumulated != this.previous_checksum => {
            find(FindingKind::Checksum { said: this.previous_checksum, computed: end.accumulated });
        }
        _ => {}
    }
}

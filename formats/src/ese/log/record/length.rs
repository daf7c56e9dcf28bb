//! How long a record is.

use super::RecordType;
use crate::error::{Error, Result};
use crate::le::Fields;
use std::fmt::Display;

const JET_LOG_FILE_CORRUPT: i32 = -501;
/// The upper bit of a replacement's length says how its difference is written.
pub(super) const LENGTH_MASK: u16 = 0x7FFF;
/// Flag of a created database: the version of its creation stands before the path, not counted in the path's length.
pub(super) const CREATE_HAS_VERSION: u8 = 4;
pub(super) const CREATE_VERSION_LEN: usize = 4;

/// The total length of the record at the start of `bytes`, in bytes. The error carries -501: the type is unknown or out of
/// use, or the record runs over the end of `bytes`.
#[inline]
pub fn record_len(bytes: &[u8]) -> Result<usize> {
    match measure(bytes) {
        Measured::Whole(len) => Ok(len),
        Measured::Cut { kind, needed } => {
            let found = format_args!("{kind} of {needed} bytes");
            Err(corrupt(found, format_args!("at most {}", bytes.len())))
        }
        Measured::Unknown(kind) => {
            Err(corrupt(format_args!("a record of type {}", kind.0), "a type from 0 to 101 in use"))
        }
        Measured::Nothing => Err(corrupt("no bytes", "a record")),
    }
}

/// What stands at the start of some bytes.
pub(in crate::ese::log) enum Measured {
    /// A record of this length.
    Whole(usize),
    /// The beginning of a record that needs at least so many bytes.
    Cut {
        /// Its type.
        kind: RecordType,
        /// Bytes that it needs at least.
        needed: u64,
    },
    /// A type that no record has.
    Unknown(RecordType),
    /// There are no bytes.
    Nothing,
}

/// Measures what stands at the start of `bytes`.
#[inline]
pub(in crate::ese::log) fn measure(bytes: &[u8]) -> Measured {
    let Some(kind) = bytes.first().copied().map(RecordType) else {
        return Measured::Nothing;
    };
    let Some(fixed_len) = kind.fixed_len() else {
        return Measured::Unknown(kind);
    };
    if bytes.len() < fixed_len {
        return Measured::Cut { kind, needed: fixed_len as u64 };
    }
    let needed = fixed_len as u64 + variable_len(kind, Fields(bytes));
    match usize::try_from(needed) {
        Ok(len) if len <= bytes.len() => Measured::Whole(len),
        _ => Measured::Cut { kind, needed },
    }
}

/// Length of what follows the fixed part.
#[inline]
fn variable_len(kind: RecordType, fields: Fields<'_>) -> u64 {
    let short = |at| u64::from(fields.u16(at));
    let long = |at| u64::from(fields.u32(at));
    match kind {
        RecordType::INSERT => short(44) + short(46) + short(48),
        RecordType::REPLACE | RecordType::REPLACE_D => u64::from(fields.u16(44) & LENGTH_MASK),
        RecordType::FLAG_INSERT
        | RecordType::FLAG_INSERT_AND_REPLACE_DATA
        | RecordType::DELTA
        | RecordType::DELTA64
        | RecordType::UNDO => short(44) + short(46),
        RecordType::UNDO_INFO => short(44) + short(46) + short(54),
        RecordType::SET_EXTERNAL_HEADER | RecordType::EMPTY_TREE => short(44),
        RecordType::SPLIT => short(96) + short(98) + short(100),
        RecordType::SPLIT2 => short(96) + short(98) + short(100) + long(106),
        RecordType::MERGE => short(86),
        RecordType::MERGE2 => short(86) + long(92),
        RecordType::PAGE_MOVE => long(88) + long(92),
        RecordType::SCRUB => short(52),
        RecordType::CREATE_DB if fields.u8(42) & CREATE_HAS_VERSION != 0 => {
            short(40) + CREATE_VERSION_LEN as u64
        }
        RecordType::CREATE_DB => short(40),
        RecordType::ATTACH_DB => short(72),
        RecordType::DETACH_DB => short(4),
        RecordType::FULL_BACKUP
        | RecordType::INC_BACKUP
        | RecordType::EXT_RESTORE
        | RecordType::EXT_RESTORE2
        | RecordType::FRAGMENT => short(1),
        RecordType::BACKUP | RecordType::TRACE | RecordType::FORCE_LOG_ROLLOVER => short(3),
        RecordType::BACKUP2 => short(33),
        RecordType::PREP_COMMIT => long(3),
        RecordType::FRAGMENT_BEGIN => short(5),
        kind if kind.is_ignorable() => long(1),
        _ => 0,
    }
}

/// A record that no engine writes.
pub(super) fn corrupt(found: impl Display, expected: impl Display) -> Error {
    Error::format("log record", 0, found, expected).with_jet(JET_LOG_FILE_CORRUPT)
}

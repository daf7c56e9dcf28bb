//! The one error type of this crate.

use crate::ese::position::LgPos;
use std::fmt::Display;
use std::io;

/// What the functions of this crate return.
pub type Result<T> = std::result::Result<T, Error>;

/// Why bytes could not be understood, or could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The bytes are there but are not what the format demands.
    #[error("{object} at byte {position}: found {found}, expected {expected}{}", JetNote(*.jet))]
    Format {
        /// What was being read, for instance `log header`.
        object: String,
        /// Where in the object it is wrong, in bytes from the object's start.
        position: u64,
        /// What stood there.
        found: String,
        /// What the format demands there.
        expected: String,
        /// The error number that administrators of ESE databases know, where there is one.
        jet: Option<i32>,
    },
    /// The caller's reader failed.
    #[error("cannot read {object} at byte {position}: {source}")]
    Read {
        /// What was being read.
        object: String,
        /// Where, in bytes from the object's start.
        position: u64,
        /// What the reader said.
        source: io::Error,
    },
    /// The caller's writer failed.
    #[error("cannot write {object} at byte {position}: {source}")]
    Write {
        /// What was being written.
        object: String,
        /// Where, in bytes from the object's start.
        position: u64,
        /// What the writer said.
        source: io::Error,
    },
}

impl Error {
    /// A format error without an ESE number.
    pub fn format(object: impl Display, position: u64, found: impl Display, expected: impl Display) -> Self {
        Self::Format {
            object: object.to_string(),
            position,
            found: found.to_string(),
            expected: expected.to_string(),
            jet: None,
        }
    }

    /// The same error with the ESE number `number`.
    pub fn with_jet(mut self, number: i32) -> Self {
        if let Self::Format { jet, .. } = &mut self {
            *jet = Some(number);
        }
        self
    }

    /// The same error, met while the log record at `position` was replayed.
    pub fn at_record(mut self, position: LgPos, name: &str) -> Self {
        let (Self::Format { object, .. } | Self::Read { object, .. } | Self::Write { object, .. }) =
            &mut self;
        let LgPos { generation, sector, byte } = position;
        *object = format!("{object} (log record {generation:08X},{sector:04X},{byte:04X} {name})");
        self
    }

    /// The ESE error number, where there is one.
    pub fn jet(&self) -> Option<i32> {
        match self {
            Self::Format { jet, .. } => *jet,
            Self::Read { .. } | Self::Write { .. } => None,
        }
    }
}

struct JetNote(Option<i32>);

impl Display for JetNote {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Some(number) => write!(f, " (ESE error {number})"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_says_where_what_was_found_what_was_expected_and_the_number() {
        let error = Error::format("log header", 667, "file type 9", "file type 3").with_jet(-501);
        assert_eq!(
            error.to_string(),
            "log header at byte 667: found file type 9, expected file type 3 (ESE error -501)"
        );
        assert_eq!(error.jet(), Some(-501));
    }
}

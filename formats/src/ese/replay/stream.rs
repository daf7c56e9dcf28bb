//! The logs of a replay follow each other (reference, replay.md section 8).

use crate::error::{Error, Result};
use crate::ese::log::LogEnd;
use crate::ese::log::header::LogHeader;
use crate::ese::position::{LogTime, Signature};
use std::fmt::Display;

const JET_BAD_LOG_VERSION: i32 = -514;
const JET_INVALID_LOG_SEQUENCE: i32 = -515;
const JET_BAD_LOG_SIGNATURE: i32 = -530;
const JET_SEQUENCE_CHECKSUM_MISMATCH: i32 = -590;
const JET_PAGE_SIZE_MISMATCH: i32 = -1213;
/// The newest log format that replay was held against the engine with: major, update major, update minor.
const NEWEST: (u32, u32) = (8, 130);
/// From this revision on a log's header carries the checksum of the segments of the log before.
const CHECKSUM_SINCE: u32 = 13;

/// What is known of the log that was replayed last.
#[derive(Default)]
pub(super) struct Stream {
    last: Option<(LogHeader, u64)>,
}

impl Stream {
    /// Checks that a log follows the one before it.
    pub fn follow(&mut self, next: &LogHeader, end: &LogEnd) -> Result<()> {
        let wrong = |at, found: &dyn Display, expected: &dyn Display, jet| {
            let object = format!("log generation {}", next.generation);
            Err(Error::format(object, at, found, expected).with_jet(jet))
        };
        if (next.major, next.update_major) > NEWEST {
            let found = format!("format {}.{}.{}", next.major, next.minor, next.update_major);
            return wrong(32, &found, &"8.4000.130 or older", JET_BAD_LOG_VERSION);
        }
        if let Some((before, accumulated)) = &self.last {
            if next.signature != before.signature {
                return wrong(44, &next.signature, &before.signature, JET_BAD_LOG_SIGNATURE);
            }
            let generation = before.generation.saturating_add(1);
            if next.generation != generation {
                let expected = format!("generation {generation}");
                return wrong(
                    4,
                    &format!("generation {}", next.generation),
                    &expected,
                    JET_INVALID_LOG_SEQUENCE,
                );
            }
            if next.previous_created != before.created {
                return wrong(24, &next.previous_created, &before.created, JET_INVALID_LOG_SEQUENCE);
            }
            if next.page_size != before.page_size {
                return wrong(14, &next.page_size, &before.page_size, JET_PAGE_SIZE_MISMATCH);
            }
            let has_checksum = next.major >= 8 && next.update_minor >= CHECKSUM_SINCE;
            if has_checksum && next.previous_checksum != *accumulated {
                let (found, expected) =
                    (format!("{:#018x}", next.previous_checksum), format!("{accumulated:#018x}"));
                return wrong(653, &found, &expected, JET_SEQUENCE_CHECKSUM_MISMATCH);
            }
        }
        self.last = Some((next.clone(), end.accumulated));
        Ok(())
    }

    pub fn generation(&self) -> u32 {
        self.last.as_ref().map_or(0, |(header, _)| header.generation)
    }

    pub fn created(&self) -> LogTime {
        self.last.as_ref().map_or_else(LogTime::default, |(header, _)| header.created)
    }

    pub fn signature(&self) -> Option<Signature> {
        self.last.as_ref().map(|(header, _)| header.signature)
    }

    pub fn page_size(&self) -> u32 {
        self.last.as_ref().map_or(0, |(header, _)| header.page_size)
    }
}

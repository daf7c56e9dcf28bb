//! Which base belongs to which attachment in the logs (reference, replay.md section 7). Bases are known by signature and
//! place in the log sequence; paths say nothing.

use crate::error::{Error, Result};
use crate::ese::attachment::Attachment;
use crate::ese::header::{DatabaseHeader, DatabaseState};
use crate::ese::log::header::LogHeader;
use crate::ese::position::{LgPos, Signature};

const JET_CORRUPTED: i32 = -1206;
const JET_INCOMPLETE_RESEED: i32 = -1227;
const JET_CONSISTENT_TIME_MISMATCH: i32 = -551;
const JET_ATTACHED_MISMATCH: i32 = -1216;
const JET_REQUIRED_LOGS_MISSING: i32 = -543;
const JET_SOFT_RECOVERY_ON_BACKUP: i32 = -544;

/// An attachment as the logs have it.
pub(super) struct Entry {
    pub signature: Signature,
    /// Where the database had been made consistent.
    pub consistent: LgPos,
    /// Where it was attached.
    pub attached: LgPos,
    /// The log sequence that it belonged to; a list says nothing of it.
    pub log_signature: Option<Signature>,
    /// It is a record that attaches, not an entry of a list.
    pub is_record: bool,
}

impl From<&Attachment> for Entry {
    fn from(listed: &Attachment) -> Self {
        Entry {
            signature: listed.signature,
            consistent: listed.consistent,
            attached: listed.attached,
            log_signature: None,
            is_record: false,
        }
    }
}

/// What is to be done about an attachment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The base is what the logs attach here.
    Attach,
    /// The base comes from later in the logs.
    Later,
    /// The base belongs to other logs.
    Foreign,
}

/// Holds the header of a base against what the log that replay begins with lists as attached: whatever is refused here,
/// [`Replay::begin`](super::Replay::begin) refuses.
///
/// # Errors
/// -1216 and -551 for a base that is older than the logs, -543 and -544 for its range, -1206 and -1227 for its state.
pub fn check_listed(name: &str, base: &DatabaseHeader, first: &LogHeader) -> Result<()> {
    let listed = first.attachments.iter().filter(|listed| listed.signature == base.signature);
    for entry in listed.map(Entry::from) {
        judge(name, base, &entry, first.begin(), &first.signature)?;
    }
    Ok(())
}

/// Holds a base with the signature of `entry` against it; `position` and `current` are the place and the signature of the
/// logs.
pub(super) fn judge(
    name: &str,
    header: &DatabaseHeader,
    entry: &Entry,
    position: LgPos,
    current: &Signature,
) -> Result<Verdict> {
    let refuse =
        |found: String, expected: &str, jet| Err(Error::format(name, 52, found, expected).with_jet(jet));
    match header.state {
        DatabaseState::IncrementalReseedInProgress => {
            let found = format!("state {}", header.state);
            return refuse(found, "a database whose reseed was completed", JET_INCOMPLETE_RESEED);
        }
        DatabaseState::JustCreated
        | DatabaseState::DirtyShutdown
        | DatabaseState::CleanShutdown
        | DatabaseState::DirtyAndPatchedShutdown => {}
        other => return refuse(format!("state {other}"), "a clean or dirty database", JET_CORRUPTED),
    }
    if header.log_signature != *current {
        return match entry.log_signature {
            Some(signature) if signature == header.log_signature => {
                if header.consistent == entry.consistent {
                    Ok(Verdict::Attach)
                } else {
                    let found = format!("last consistent {}", header.consistent);
                    refuse(found, &entry.consistent.to_string(), JET_CONSISTENT_TIME_MISMATCH)
                }
            }
            _ => Ok(Verdict::Foreign),
        };
    }
    let same = header.consistent == entry.consistent || header.consistent.is_zero();
    let from_elsewhere = entry.log_signature.is_some_and(|signature| signature != header.log_signature);
    if same || from_elsewhere {
        return if header.attached == entry.attached {
            check_range(name, header, position).map(|()| Verdict::Attach)
        } else if header.attached > entry.attached {
            Ok(Verdict::Later)
        } else if entry.is_record {
            check_range(name, header, position).map(|()| Verdict::Attach)
        } else {
            let found = format!("last attach {}", header.attached);
            let expected = format!("{}: logs from between are missing", entry.attached);
            refuse(found, &expected, JET_ATTACHED_MISMATCH)
        };
    }
    if header.consistent > entry.consistent {
        return Ok(Verdict::Later);
    }
    let found = format!("last consistent {}", header.consistent);
    let expected = format!("{}: the base is older than the logs here", entry.consistent);
    refuse(found, &expected, JET_CONSISTENT_TIME_MISMATCH)
}

/// Whether the logs from `position` on are all that a base needs, and how far they are to go is known.
pub(super) fn check_range(name: &str, header: &DatabaseHeader, position: LgPos) -> Result<()> {
    let first = header.min_required;
    if first != 0 && first < position.generation && header.state != DatabaseState::DirtyAndPatchedShutdown {
        let found = format!("logs from generation {} on", position.generation);
        let expected = format!("logs from generation {first} on, which the database needs");
        return Err(Error::format(name, 296, found, expected).with_jet(JET_REQUIRED_LOGS_MISSING));
    }
    let backup = &header.current_full_backup;
    if backup.low_generation != 0 && backup.high_generation == 0 {
        return Err(Error::format(
            name,
            184,
            "a streaming backup whose trailer was not applied",
            "a database or a snapshot",
        )
        .with_jet(JET_SOFT_RECOVERY_ON_BACKUP));
    }
    Ok(())
}

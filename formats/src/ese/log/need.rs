//! Which logs a database needs, and how far those that are there bring it (reference, replay.md sections 7 and 8).

use super::chain::Chain;
use crate::ese::header::{DatabaseHeader, DatabaseState};

const JET_REQUIRED_LOG_FILES_MISSING: i32 = -543;
const JET_COMMITTED_LOG_FILES_MISSING: i32 = -582;
const JET_ATTACHED_DATABASE_MISMATCH: i32 = -1216;

/// The generations that matter to a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Need {
    /// Where replay begins. Older logs say nothing that is not in the database.
    pub from: u32,
    /// The last generation without which it is not consistent; 0 if it is.
    pub required: u32,
    /// The last generation with committed work for it; 0 if nothing is missing.
    pub committed: u32,
}

/// Why a log matters to a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// Without it the database is not consistent.
    Required,
    /// Without it committed work is lost.
    Committed,
    /// It brings the database forward to what came later.
    Forward,
}

impl Need {
    /// What a database with this header needs.
    pub fn of(header: &DatabaseHeader) -> Self {
        let backup = header.current_full_backup;
        // A streamed backup copy says more than the state that it was copied in; the end of its range may stand in the
        // page behind the last instead.
        let low = if backup.low_generation > 0 { backup.low_generation } else { header.min_required };
        let from = if low > 0 { low } else { header.consistent.generation.max(header.attached.generation) };
        let required = header.max_required.max(backup.high_generation);
        Self { from, required, committed: header.max_committed.max(required) }
    }

    /// Why the log of `generation`, of the database's own sequence, matters to it; `None` if it does not.
    pub fn reason(self, generation: u32) -> Option<Reason> {
        match generation {
            older if older < self.from => None,
            inside if inside <= self.required => Some(Reason::Required),
            inside if inside <= self.committed => Some(Reason::Committed),
            _ => Some(Reason::Forward),
        }
    }
}

/// How far a chain brings a database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outlook {
    /// What the database needs.
    pub need: Need,
    /// The last generation that it can be brought to; `None` if replay cannot begin.
    pub reached: Option<u32>,
    /// What is in the way of more.
    pub obstacle: Option<Obstacle>,
}

/// Something that is in the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Obstacle {
    /// What it is, and where.
    pub sentence: String,
    /// The error number that administrators know.
    pub jet: Option<i32>,
}

impl Outlook {
    /// Whether the database becomes consistent, or is.
    pub fn is_consistent(&self) -> bool {
        self.need.required == 0 || self.reached.is_some_and(|reached| reached >= self.need.required)
    }
}

impl Chain {
    /// How far the logs bring a database with this header; `None` if it belongs to another sequence.
    pub fn outlook(&self, header: &DatabaseHeader) -> Option<Outlook> {
        if header.log_signature != self.signature {
            return None;
        }
        let need = Need::of(header);
        let stopped = |sentence: String, jet| Obstacle { sentence, jet };
        let (reached, obstacle) = match (self.start(header, need), self.last_generation()) {
            (Err(obstacle), _) => (None, Some(obstacle)),
            (Ok(from), last) if from > last => {
                let jet = (need.required > 0).then_some(JET_REQUIRED_LOG_FILES_MISSING);
                let sentence = format!(
                    "the logs end at generation {last:#x}, before {} that it needs first",
                    self.name_of(from)
                );
                (None, Some(stopped(sentence, jet)))
            }
            (Ok(from), last) => match self.first_break_from(from) {
                Some(finding) => {
                    let reached = finding.generation.saturating_sub(1);
                    let obstacle = stopped(finding.to_string(), finding.kind.jet());
                    ((reached >= from).then_some(reached), Some(obstacle))
                }
                None => (Some(last), self.lack_at_end(need, last)),
            },
        };
        Some(Outlook { need, reached, obstacle })
    }

    /// Where replay begins, or why it cannot.
    fn start(&self, header: &DatabaseHeader, need: Need) -> Result<u32, Obstacle> {
        match header.state {
            DatabaseState::IncrementalReseedInProgress | DatabaseState::RevertInProgress => {
                let sentence = format!("its state is {}: logs do not help", header.state);
                return Err(Obstacle { sentence, jet: None });
            }
            _ => {}
        }
        let first = self.first_generation();
        if need.from >= first {
            return Ok(need.from);
        }
        // A clean database may have been attached again later than the first log that is there.
        let attached_before = self.logs.first().is_some_and(|log| {
            log.header.attachments.iter().any(|entry| entry.signature == header.signature)
        });
        if need.required == 0 && !attached_before {
            return Ok(first);
        }
        let jet =
            if need.required == 0 { JET_ATTACHED_DATABASE_MISMATCH } else { JET_REQUIRED_LOG_FILES_MISSING };
        let sentence = format!("{}: missing (ESE error {jet})", self.name_of(need.from));
        Err(Obstacle { sentence, jet: Some(jet) })
    }

    /// What is missing behind the last log.
    fn lack_at_end(&self, need: Need, last: u32) -> Option<Obstacle> {
        let jet = match last {
            last if last < need.required => JET_REQUIRED_LOG_FILES_MISSING,
            last if last < need.committed => JET_COMMITTED_LOG_FILES_MISSING,
            _ => return None,
        };
        let sentence = format!("{}: missing (ESE error {jet})", self.name_of(last.saturating_add(1)));
        Some(Obstacle { sentence, jet: Some(jet) })
    }
}

//! Whether a replay reached what each database needs (reference, replay.md sections 7 and 8).

use super::Replay;
use super::attachments::Slot;
use super::database::Rebuilt;
use super::site::SPECIAL_DBTIMES;
use crate::error::{Error, Result};
use crate::ese::database::read_page;
use crate::ese::header::DatabaseState;

const JET_REQUIRED_LOGS_MISSING: i32 = -543;
const JET_COMMITTED_LOGS_MISSING: i32 = -582;
const JET_ATTACHED_MISMATCH: i32 = -1216;
const JET_LOG_SET_MISMATCH: i32 = -539;
/// Bytes of a database that are looked at in one piece.
const READ: usize = 1 << 20;

impl Replay<'_> {
    /// Holds what was reached against what each database needs.
    pub(super) fn check_reached(&self) -> Result<()> {
        let last = self.stream.generation().saturating_sub(u32::from(self.stopped));
        for (index, database) in self.databases.iter().enumerate() {
            let header = &database.header;
            let refuse = |at, found: String, expected: String, jet| {
                Err(Error::format(&database.name, at, found, expected).with_jet(jet))
            };
            if !database.was_attached {
                let is_listed = self.slots.contains(&Slot::Later(index));
                let is_ahead = database.was_ahead && header.state == DatabaseState::CleanShutdown;
                let is_reached = header.consistent.generation <= last;
                if is_ahead && is_reached && (!is_listed || self.clean_shutdown) {
                    continue;
                }
                if Some(header.log_signature) != self.stream.signature() {
                    let found = format!("a database of the logs {}", header.log_signature);
                    return refuse(52, found, "logs that belong to it".into(), JET_LOG_SET_MISMATCH);
                }
                let (found, expected) = if is_ahead {
                    (
                        format!("a database that was made consistent at {}", header.consistent),
                        "the one that these logs go on with: a recovered database begins logs of its own",
                    )
                } else {
                    ("a database that these logs do not attach".into(), "logs that belong to it")
                };
                return refuse(56, found, expected.into(), JET_ATTACHED_MISMATCH);
            }
            if database.max_required > last {
                let found = format!("logs up to generation {last}");
                let expected = format!("logs up to {}, which the database needs", database.max_required);
                return refuse(300, found, expected, JET_REQUIRED_LOGS_MISSING);
            }
            if header.max_committed > last && !self.options.allow_loss {
                let found = format!("logs up to generation {last}");
                let expected = format!("logs up to {}, which hold committed work", header.max_committed);
                return refuse(416, found, expected, JET_COMMITTED_LOGS_MISSING);
            }
            if database.max_required != 0 && database.max_required == self.stream.generation() {
                database.check_newest()?;
            }
        }
        Ok(())
    }
}

impl Rebuilt {
    /// Refuses a base with a page that is newer than all that the logs hold: their end is lost. The engine writes a page
    /// only after the log of its last change, so that only the log that was being written can be too short for a base
    /// whose required range ends with it, and nothing but the pages tells.
    fn check_newest(&self) -> Result<()> {
        let (file, size) = (self.pages.file(), self.pages.page_size() as usize);
        let mut pages = vec![0; READ.next_multiple_of(size)];
        // Both copies of the header come before the pages.
        let mut offset = 2 * size as u64;
        loop {
            let read = file.read_at(offset, &mut pages).map_err(|source| Error::Read {
                object: self.name.clone(),
                position: offset,
                source,
            })?;
            for (page, at) in
                pages.get(..read).unwrap_or(&pages).chunks_exact(size).zip((offset..).step_by(size))
            {
                let pgno = u32::try_from(at / size as u64 - 1).unwrap_or(u32::MAX);
                if self.is_newest(dbtime_of(page)) {
                    self.judge_newest(pgno)?;
                }
            }
            if read < pages.len() {
                return Ok(());
            }
            offset += read as u64;
        }
    }

    /// Whether an update counter comes after all that the logs hold.
    fn is_newest(&self, dbtime: u64) -> bool {
        dbtime > self.dbtime && dbtime < SPECIAL_DBTIMES
    }

    /// Refuses such a page, unless it is damaged: then its counter says nothing.
    fn judge_newest(&self, pgno: u32) -> Result<()> {
        let page = match read_page(self.pages.file(), self.pages.page_size(), pgno) {
            Ok((page, _)) if self.is_newest(dbtime_of(&page)) => page,
            Err(error @ Error::Read { .. }) => return Err(error),
            _ => return Ok(()),
        };
        let found = format!("page {pgno} with dbtime {:#x}", dbtime_of(&page));
        let expected = format!(
            "none above {:#x}, with which the logs end: the last log has lost its end, which the database needs; find another copy of that log, or rebuild from an older base",
            self.dbtime
        );
        let error = Error::format(&self.name, (u64::from(pgno) + 1) * page.len() as u64, found, expected);
        Err(error.with_jet(JET_REQUIRED_LOGS_MISSING))
    }
}

/// The update counter in the header of a page (database.md section 3).
fn dbtime_of(page: &[u8]) -> u64 {
    page.get(8..).and_then(<[u8]>::first_chunk).map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

//! Macros: changes of several pages, whose records are held back until all are there (reference, replay.md section 3).

use super::redo::Place;
use super::session::{MAX_MACRO_BYTES, Macro};
use super::split::{self, Cause, CauseKind};
use super::version::Change;
use super::{Replay, merge, moves};
use crate::error::{Error, Result};
use crate::ese::log::record::Record;

const JET_LOG_CORRUPT: i32 = -501;

impl Replay<'_> {
    /// Holds the record back if it belongs to an open macro.
    pub(super) fn hold_back(&mut self, record: &Record<'_>, bytes: &[u8]) -> Result<bool> {
        if matches!(
            record,
            Record::MacroBegin { .. } | Record::MacroCommit { .. } | Record::MacroAbort { .. }
        ) {
            return Ok(false);
        }
        let Some((procid, dbtime)) = record.procid().zip(record.dbtime()) else { return Ok(false) };
        let Some(session) = self.sessions.get_mut(&procid).filter(|session| !session.macros.is_empty())
        else {
            return Ok(false);
        };
        let Some(open) = session.open_macro(dbtime) else { return Ok(false) };
        open.bytes += bytes.len();
        if open.bytes > MAX_MACRO_BYTES {
            return Err(Error::format("transaction log", 0, "a macro without end", "a change of few pages")
                .with_jet(JET_LOG_CORRUPT));
        }
        open.records.push(bytes.to_vec());
        Ok(true)
    }

    pub(super) fn commit_macro(&mut self, procid: u16, held: &Macro) -> Result<()> {
        let records: Vec<_> = held.records.iter().map(|bytes| Record::parse(bytes)).collect::<Result<_>>()?;
        let Some(first) = records.first() else { return Ok(()) };
        if self.options.check {
            return records.iter().try_for_each(|record| self.page_record(record));
        }
        let Some(mut place) = self.place(procid, first)? else { return Ok(()) };
        match first {
            Record::Split(_) => {
                let splits: Vec<_> = records
                    .iter()
                    .filter_map(|r| if let Record::Split(split) = r { Some(*split) } else { None })
                    .collect();
                let cause = records.iter().find_map(cause);
                let done = split::redo(place.db, &splits, cause.as_ref())?;
                if let Some(cause) = cause {
                    split_versions(&mut place, &cause, &records, done);
                }
                Ok(())
            }
            Record::Merge(_) => {
                let merges: Vec<_> = records
                    .iter()
                    .filter_map(|r| if let Record::Merge(merge) = r { Some(*merge) } else { None })
                    .collect();
                merge::redo(place.db, &merges)
            }
            Record::RootPageMove(root) => moves::root(place.db, root, &records),
            _ => {
                for record in &records {
                    self.page_record(record)?;
                }
                Ok(())
            }
        }
    }
}

/// The operation that a split was made for.
fn cause<'a>(record: &Record<'a>) -> Option<Cause<'a>> {
    let (node, what) = match *record {
        Record::Insert { node, prefix, suffix, data } => (node, CauseKind::Insert { prefix, suffix, data }),
        Record::Replace { node, data, .. } => (node, CauseKind::Replace { data }),
        Record::ReplaceD { node, diff, wide, new_len, .. } => {
            (node, CauseKind::ReplaceDiff { diff, is_wide: wide, new_len: usize::from(new_len) })
        }
        Record::FlagInsertAndReplaceData { node, data, .. } => {
            (node, CauseKind::FlagInsertAndReplace { data })
        }
        _ => return None,
    };
    Some(Cause { node, what })
}

/// Remembers how to take back the operation of a split.
fn split_versions(place: &mut Place<'_>, cause: &Cause<'_>, records: &[Record<'_>], done: split::Done) {
    let node = &cause.node;
    if !node.page.flags.is_versioned() {
        return;
    }
    let replaced = |place: &mut Place<'_>, id: u32| match done.before.clone().filter(|_| done.was_redone) {
        Some((key, data)) => place.version_as(id, node, key, Vec::new(), Change::Replace(data)),
        None => place.defer(id, node),
    };
    match cause.what {
        CauseKind::Insert { prefix, suffix, data } => {
            place.version_as(node.rceid, node, [prefix, suffix].concat(), data.to_vec(), Change::Insert);
        }
        CauseKind::Replace { .. } | CauseKind::ReplaceDiff { .. } => replaced(place, node.rceid),
        CauseKind::FlagInsertAndReplace { .. } => {
            for record in records {
                if let Record::FlagInsertAndReplaceData { rceid_replace, key, data, .. } = record {
                    place.version_as(node.rceid, node, key.to_vec(), data.to_vec(), Change::Insert);
                    replaced(place, *rceid_replace);
                }
            }
        }
    }
}

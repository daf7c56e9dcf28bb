//! Macros: changes of several pages, whose records are held back until all are there (reference, replay.md section 3).

use super::plan::Planner;
use super::session::{MAX_MACRO_BYTES, Macro};
use super::split::{Cause, relinked};
use super::step::{PageSet, Part, What};
use super::{Replay, moves};
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

    /// Plans the changes of a macro that is complete. Errors say of which record they are.
    pub(super) fn commit_macro(&mut self, procid: u16, held: &Macro) -> Result<()> {
        let parsed = held.records.iter().map(|bytes| Record::parse(bytes)).collect::<Result<Vec<_>>>();
        let records = parsed.map_err(|error| self.located(error))?;
        let first = match records.first() {
            None => return Ok(()),
            Some(first @ (Record::Split(_) | Record::Merge(_) | Record::RootPageMove(_)))
                if !self.options.check =>
            {
                first
            }
            Some(_) => {
                return records.iter().zip(&held.records).try_for_each(|(record, bytes)| {
                    self.settle_before(record)?;
                    self.page_record(record, bytes).map_err(|error| self.located(error))
                });
            }
        };
        let (position, kind) = (self.batch.position, self.batch.kind);
        let planner = self.planner(procid, first).map_err(|error| error.at_record(position, kind.name()))?;
        let Some(mut planner) = planner else { return Ok(()) };
        let parts = held.records.iter().map(|bytes| planner.batch.part(bytes));
        let records: Vec<_> = records.iter().copied().zip(parts).collect();
        match first {
            Record::RootPageMove(root) => root_moves(&mut planner, root.dbtime, &records),
            Record::Merge(_) => merges(&mut planner, &records),
            _ => splits(&mut planner, &records),
        }
        Ok(())
    }
}

/// Splits in order from the root to the leaf, with the operation that they were made for at their end.
fn splits(planner: &mut Planner<'_>, records: &[(Record<'_>, Part)]) {
    let splits: Vec<_> = records
        .iter()
        .filter_map(
            |(record, part)| if let Record::Split(split) = record { Some((split, *part)) } else { None },
        )
        .collect();
    let cause = records.iter().find(|(record, _)| Cause::of(record).is_some());
    let mut leaf = None;
    for (level, (split, part)) in splits.iter().enumerate() {
        let child = splits.get(level + 1).map(|(_, part)| *part);
        let is_leaf = child.is_none();
        let pages = match (split.new, is_leaf) {
            (0, true) => continue,
            (0, false) => PageSet::of(&[split.page.pgno]),
            _ => PageSet::of(&[split.page.pgno, split.new]).with_linked(relinked(split, is_leaf)),
        };
        let cause = cause.map(|(_, part)| *part).filter(|_| is_leaf);
        let step = planner.batch.push(planner.database, What::Split { split: *part, child, cause }, pages);
        leaf = is_leaf.then_some(step);
    }
    match cause {
        Some((Record::FlagInsertAndReplaceData { .. }, _)) => {
            let made_for =
                |record: &&(Record<'_>, Part)| matches!(record.0, Record::FlagInsertAndReplaceData { .. });
            records.iter().filter(made_for).for_each(|(record, _)| planner.split_versions(record, leaf));
        }
        Some((cause, _)) => planner.split_versions(cause, leaf),
        None => {}
    }
}

/// Merges in order from the root to the leaf, of which the lowest comes first.
fn merges(planner: &mut Planner<'_>, records: &[(Record<'_>, Part)]) {
    let merges: Vec<_> = records
        .iter()
        .filter_map(
            |(record, part)| if let Record::Merge(merge) = record { Some((merge, *part)) } else { None },
        )
        .collect();
    let Some(((merge, leaf), above)) = merges.split_last() else { return };
    let pages = PageSet::of(&[merge.page.pgno]).with_linked(merge.right).with_linked(merge.left);
    planner.batch.push(planner.database, What::Record(*leaf), pages);
    for (merge, part) in above {
        let what = What::MergedAbove { merge: *part, leaf: *leaf };
        planner.batch.push(planner.database, what, PageSet::of(&[merge.page.pgno]));
    }
}

/// The move of a tree's root, with the roots of its extents: copies, then what names them, then what is left behind.
fn root_moves(planner: &mut Planner<'_>, dbtime: u64, records: &[(Record<'_>, Part)]) {
    let moves: Vec<_> = records
        .iter()
        .filter_map(
            |(record, part)| if let Record::PageMove(moved) = record { Some((moved, *part)) } else { None },
        )
        .collect();
    let mut push = |what, pgnos: &[u32]| planner.batch.push(planner.database, what, PageSet::of(pgnos));
    let owned = moves.iter().find(|(moved, _)| moves::is_owned_root(moved)).map(|(moved, _)| moved.dest);
    for (moved, part) in &moves {
        push(What::RootCopied { moved: *part, dbtime, owned }, &[moved.page.pgno, moved.dest]);
    }
    let mut rows: Vec<(u32, Vec<Part>)> = Vec::new();
    for (record, part) in records {
        match record {
            Record::SetExternalHeader { node, .. } => {
                push(What::ChildOfRoot(*part), &[node.page.pgno]);
            }
            Record::Replace { node, .. } => match rows.iter_mut().find(|(pgno, _)| *pgno == node.page.pgno) {
                Some((_, parts)) => parts.push(*part),
                None => rows.push((node.page.pgno, vec![*part])),
            },
            _ => {}
        }
    }
    for (pgno, parts) in rows {
        push(What::RootRows(parts), &[pgno]);
    }
    for (moved, part) in &moves {
        push(What::RootLeft { moved: *part, dbtime }, &[moved.page.pgno]);
    }
}

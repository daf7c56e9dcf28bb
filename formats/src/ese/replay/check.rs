//! A replay that changes nothing: each page change is held against the page's update counter alone (reference,
//! replay.md section 2.1).

use super::database::Rebuilt;
use super::pages::if_readable;
use crate::error::{Error, Result};
use crate::ese::log::record::{MergeType, NO_DBTIME, PageMove, Record};
use crate::ese::page::edit::EditPage;
use crate::ese::position::LgPos;
use std::collections::HashMap;

/// Misfits that are kept, of each database; they are counted beyond that.
pub const MAX_MISFITS: usize = 1000;

/// A page change that does not fit its page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misfit {
    /// The record.
    pub position: LgPos,
    /// Its name in listings.
    pub record: &'static str,
    /// The page.
    pub pgno: u32,
    /// The page's update counter; `None` where the page cannot be read.
    pub found: Option<u64>,
    /// The counter that the page must have before the change.
    pub before: u64,
    /// The counter that it has after.
    pub after: u64,
}

impl Misfit {
    /// -566 where the page is too old, -567 where it is too new, -1018 where it cannot be read.
    pub fn jet(&self) -> i32 {
        match self.found {
            None => -1018,
            Some(found) if found < self.before => -566,
            Some(_) => -567,
        }
    }
}

/// What is known of the pages of a database without changing them.
#[derive(Default)]
pub(super) struct Check {
    /// Update counters as they would be now; `None` for a page that cannot be read.
    dbtimes: HashMap<u32, Option<u64>>,
    pub misfits: Vec<Misfit>,
    pub misfit_count: u64,
    /// Where the logs attach the database, and what an attachment would be refused for.
    pub attached_at: Vec<LgPos>,
    pub refusals: Vec<String>,
    limit: usize,
}

impl Check {
    /// A check that keeps `memory` bytes of update counters at most.
    pub fn new(memory: u64) -> Self {
        // A counter with its page number and its share of the table.
        Self { limit: usize::try_from(memory / 48).unwrap_or(usize::MAX), ..Self::default() }
    }
}

/// Holds the page changes of a record against the pages.
pub(super) fn record(
    db: &mut Rebuilt,
    check: &mut Check,
    position: LgPos,
    record: &Record<'_>,
) -> Result<()> {
    let mut touch = |pgno: u32, after: u64, before: Before| {
        if pgno == 0 { Ok(()) } else { touch(db, check, position, record.kind().name(), pgno, after, before) }
    };
    let at = |before| Before::Counts(before);
    match record {
        Record::UndoInfo { .. } => {}
        Record::NewPage(new) => touch(new.pgno, new.dbtime, Before::Anything)?,
        Record::CreateSingleExtentFdp(create) => {
            touch(create.page.pgno, create.page.dbtime, Before::Anything)?;
        }
        Record::CreateMultipleExtentFdp(create) => {
            for pgno in [create.page.pgno, create.owned, create.available] {
                touch(pgno, create.page.dbtime, Before::Anything)?;
            }
        }
        Record::ConvertFdp(convert) => {
            touch(convert.page.pgno, convert.page.dbtime, at(convert.page.dbtime_before))?;
            for pgno in [convert.owned, convert.available] {
                touch(pgno, convert.page.dbtime, Before::Anything)?;
            }
        }
        Record::EmptyTree { node, pages } => {
            for emptied in pages.iter() {
                touch(emptied.pgno, node.page.dbtime, at(emptied.dbtime_before))?;
            }
            touch(node.page.pgno, node.page.dbtime, at(node.page.dbtime_before))?;
        }
        Record::Split(split) => {
            let after = split.page.dbtime;
            touch(split.page.pgno, after, at(split.page.dbtime_before))?;
            touch(split.new, after, Before::Anything)?;
            if split.new != 0 && split.right_dbtime_before != NO_DBTIME {
                touch(split.right, after, at(split.right_dbtime_before))?;
            }
        }
        Record::Merge(merge) => {
            let after = merge.page.dbtime;
            touch(merge.page.pgno, after, at(merge.page.dbtime_before))?;
            if merge.merge_type != MergeType::NONE {
                touch(merge.right, after, at(merge.right_dbtime_before))?;
                touch(merge.left, after, at(merge.left_dbtime_before))?;
            }
        }
        Record::PageMove(moved) => {
            let after = moved.page.dbtime;
            touch(moved.page.pgno, after, at(moved.page.dbtime_before))?;
            touch(moved.dest, after, Before::Anything)?;
            if !moves_root(moved) {
                touch(moved.parent, after, at(moved.parent_dbtime_before))?;
                touch(moved.left, after, at(moved.left_dbtime_before))?;
                touch(moved.right, after, at(moved.right_dbtime_before))?;
            }
        }
        _ => {
            // The operation that a split was made for stands behind the split: its own page was counted there.
            if let Some(op) = record.page_op().filter(|op| op.dbtime_before != NO_DBTIME) {
                touch(op.pgno, op.dbtime, at(op.dbtime_before))?;
            }
        }
    }
    Ok(())
}

fn moves_root(moved: &PageMove<'_>) -> bool {
    moved.flags != 0
}

/// What a page must count before a change.
#[derive(Clone, Copy)]
enum Before {
    Counts(u64),
    /// The change makes the page.
    Anything,
}

fn touch(
    db: &mut Rebuilt,
    check: &mut Check,
    position: LgPos,
    record: &'static str,
    pgno: u32,
    after: u64,
    before: Before,
) -> Result<()> {
    let found = match check.dbtimes.get(&pgno) {
        Some(found) => *found,
        None => if_readable(db.pages.read(pgno).map(EditPage::dbtime))?,
    };
    if found.is_some_and(|found| found >= after) {
        db.counts.present += 1;
        return Ok(());
    }
    match before {
        Before::Counts(before) if found != Some(before) => {
            check.misfit_count += 1;
            if check.misfits.len() < MAX_MISFITS {
                check.misfits.push(Misfit { position, record, pgno, found, before, after });
            }
        }
        _ => db.counts.applied += 1,
    }
    // What follows is held against what would be there then.
    check.dbtimes.insert(pgno, Some(after));
    if check.dbtimes.len() > check.limit {
        let found = format_args!("changes of more than {} pages", check.limit);
        return Err(Error::format(&db.name, 0, found, "as many as fit the memory: raise --memory"));
    }
    Ok(())
}

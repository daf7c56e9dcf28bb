//! A database as one step of redo sees it: pages that are held for it, and the rule by which each of them is changed or has
//! the change already (reference, replay.md section 2).

use super::pages::{Pages, if_readable};
use crate::error::{Error, Result};
use crate::ese::log::record::{NO_DBTIME, PageOp};
use crate::ese::page::edit::EditPage;

const JET_DBTIME_TOO_OLD: i32 = -566;
pub(super) const JET_DBTIME_TOO_NEW: i32 = -567;
const JET_DBTIME_BEYOND_MAX_REQUIRED: i32 = -625;
/// Update counters from here on mark pages that are none: shrunk, reverted, unknown (database.md section 4.1).
pub(super) const SPECIAL_DBTIMES: u64 = u64::MAX - 4;

/// The pages of a database, those of a step reserved. Each worker has its own.
pub(super) struct Site<'a> {
    pages: &'a Pages,
    /// Generation of the log that is being read.
    generation: u32,
    /// Last generation whose changes may be in the base; 0 where the base is clean.
    max_required: u32,
    /// Page changes made.
    pub applied: u64,
    /// Page changes that the page had already.
    pub present: u64,
}

impl<'a> Site<'a> {
    pub fn new(pages: &'a Pages, generation: u32, max_required: u32) -> Self {
        Self { pages, generation, max_required, applied: 0, present: 0 }
    }

    pub fn page_size(&self) -> u32 {
        self.pages.page_size()
    }

    /// Looks at a page.
    pub fn read<T>(&self, pgno: u32, look: impl FnOnce(&EditPage) -> Result<T>) -> Result<T> {
        self.pages.with(pgno, look)
    }

    /// Makes the change of `op` to its page, unless the page has it; answers whether it was made.
    pub fn change(&mut self, op: &PageOp, change: impl FnOnce(&mut EditPage) -> Result<()>) -> Result<bool> {
        let is_wanted = |dbtime| self.decide(op.pgno, dbtime, op.dbtime, op.dbtime_before);
        let changed = self.pages.change_if(op.pgno, is_wanted, |page| {
            change(page)?;
            page.set_dbtime(op.dbtime);
            Ok(())
        })?;
        self.applied += u64::from(changed.is_some());
        self.present += u64::from(changed.is_none());
        Ok(changed.is_some())
    }

    /// Whether a page that counted `before` until the change and `after` from then on has still to be changed.
    pub fn needs_redo(&mut self, pgno: u32, after: u64, before: u64) -> Result<bool> {
        let redo = self.pages.with(pgno, |page| self.decide(pgno, page.dbtime(), after, before))?;
        self.present += u64::from(!redo);
        Ok(redo)
    }

    /// Whether a page that a record creates has still to be built. What stood there before does not matter.
    pub fn needs_creation(&mut self, pgno: u32, after: u64) -> Result<bool> {
        let there = if_readable(self.pages.with(pgno, |page| Ok(page.dbtime())))?;
        let present = there.is_some_and(|dbtime| dbtime >= after && dbtime < SPECIAL_DBTIMES);
        self.present += u64::from(present);
        Ok(!present)
    }

    /// Changes a page that [`Self::needs_redo`].
    pub fn changed(
        &mut self,
        pgno: u32,
        after: u64,
        change: impl FnOnce(&mut EditPage) -> Result<()>,
    ) -> Result<()> {
        self.pages.change_if(
            pgno,
            |_| Ok(true),
            |page| {
                change(page)?;
                page.set_dbtime(after);
                Ok(())
            },
        )?;
        self.applied += 1;
        Ok(())
    }

    /// Puts a page in place that [`Self::needs_creation`].
    pub fn create(&mut self, page: EditPage) -> Result<()> {
        self.applied += 1;
        self.pages.install(page)
    }

    /// Whether a page with update counter `dbtime` needs the change from `before` to `after` (replay.md section 2.1).
    fn decide(&self, pgno: u32, dbtime: u64, after: u64, before: u64) -> Result<bool> {
        let wrong = |found: String, expected: String, jet| {
            Err(Error::format(format_args!("page {pgno}"), 8, found, expected).with_jet(jet))
        };
        if dbtime >= after {
            // A base that has only what its required logs hold cannot have this.
            let Self { generation, max_required, .. } = *self;
            if max_required != 0 && generation > max_required {
                let found =
                    format!("dbtime {dbtime:#x} for a record of generation {generation} with {after:#x}");
                let expected = format!("no changes from behind generation {max_required}");
                return wrong(found, expected, JET_DBTIME_BEYOND_MAX_REQUIRED);
            }
            return Ok(false);
        }
        if before == NO_DBTIME || dbtime == before {
            return Ok(true);
        }
        let (found, expected) =
            (format!("dbtime {dbtime:#x}"), format!("dbtime {before:#x} before the record's {after:#x}"));
        wrong(found, expected, if dbtime < before { JET_DBTIME_TOO_OLD } else { JET_DBTIME_TOO_NEW })
    }
}

//! One database that is being rebuilt: its pages, its header, and what was done to it.

use super::check::Check;
use super::counts::{RecordCounts, Skip};
use super::pages::{Pages, RebuildFile};
use crate::error::{Error, Result};
use crate::ese::header::DatabaseHeader;
use crate::ese::log::record::{NO_DBTIME, PageOp};
use crate::ese::page::edit::EditPage;
use crate::ese::position::LgPos;

const JET_DBTIME_TOO_OLD: i32 = -566;
const JET_DBTIME_TOO_NEW: i32 = -567;
const JET_DBTIME_BEYOND_MAX_REQUIRED: i32 = -625;
/// Update counters from here on mark pages that are none: shrunk, reverted, unknown (database.md section 4.1).
const SPECIAL_DBTIMES: u64 = u64::MAX - 4;

/// A database that is being rebuilt.
pub(super) struct Rebuilt {
    /// How messages name it.
    pub name: String,
    /// Its header, as the base had it and as attaching, detaching and closing change it.
    pub header: DatabaseHeader,
    /// The bytes of its header.
    pub header_page: Vec<u8>,
    pub pages: Pages,
    /// Whether any attachment in the logs was that of this database.
    pub was_attached: bool,
    /// Whether the logs attach it before the place where it was made clean: they hold nothing that it has not.
    pub was_ahead: bool,
    /// Highest update counter seen.
    pub dbtime: u64,
    /// Highest object id seen.
    pub objid: u32,
    /// Generation of the log that is being read.
    pub generation: u32,
    /// Last generation whose changes may be in the base; 0 where the base is clean.
    pub max_required: u32,
    /// Where the file's length changed last.
    pub last_resize: LgPos,
    /// What became of the records of the log that is being read.
    pub counts: RecordCounts,
    /// There while nothing is to be changed.
    pub check: Option<Check>,
}

impl Rebuilt {
    pub fn new(
        name: String,
        file: Box<dyn RebuildFile>,
        header: DatabaseHeader,
        header_page: Vec<u8>,
        memory: u64,
    ) -> Self {
        Self {
            name,
            pages: Pages::new(file, header.page_size, memory),
            was_attached: false,
            was_ahead: false,
            dbtime: header.dbtime,
            objid: header.last_objid,
            generation: 0,
            max_required: header.max_required,
            last_resize: header.last_resize,
            counts: RecordCounts::default(),
            check: None,
            header,
            header_page,
        }
    }

    pub fn page_size(&self) -> u32 {
        self.pages.page_size()
    }

    /// Takes the update counter and the object id of a record into account, whether or not it is applied.
    pub fn note(&mut self, dbtime: u64, objid: u32) {
        if dbtime < SPECIAL_DBTIMES {
            self.dbtime = self.dbtime.max(dbtime);
        }
        self.objid = self.objid.max(objid);
    }

    /// The update counter of a change that no record has.
    pub fn next_dbtime(&mut self) -> Result<u64> {
        match self.dbtime.checked_add(1).filter(|next| *next < SPECIAL_DBTIMES) {
            Some(next) => {
                self.dbtime = next;
                Ok(next)
            }
            None => {
                let found = format_args!("dbtime {:#x}", self.dbtime);
                Err(Error::format(&self.name, 16, found, "an update counter that can be raised")
                    .with_jet(JET_DBTIME_TOO_NEW))
            }
        }
    }

    pub fn skip(&mut self, reason: Skip) {
        *self.counts.skipped.entry(reason).or_default() += 1;
    }

    /// Makes the change of `op` to its page, unless the page has it; answers whether it was made.
    pub fn change(&mut self, op: &PageOp, change: impl FnOnce(&mut EditPage) -> Result<()>) -> Result<bool> {
        let (generation, max_required) = (self.generation, self.max_required);
        let decide = |dbtime| decide(op.pgno, dbtime, op.dbtime, op.dbtime_before, generation, max_required);
        match self.pages.edit_if(op.pgno, decide)? {
            Some(page) => {
                change(page)?;
                page.set_dbtime(op.dbtime);
                self.counts.applied += 1;
                Ok(true)
            }
            None => {
                self.counts.present += 1;
                Ok(false)
            }
        }
    }

    /// Whether a page that counted `before` until the change and `after` from then on has still to be changed.
    pub fn needs_redo(&mut self, pgno: u32, after: u64, before: u64) -> Result<bool> {
        let dbtime = self.pages.read(pgno)?.dbtime();
        let redo = decide(pgno, dbtime, after, before, self.generation, self.max_required)?;
        self.counts.present += u64::from(!redo);
        Ok(redo)
    }

    /// Whether a page that a record creates has still to be built. What stood there before does not matter.
    pub fn needs_creation(&mut self, pgno: u32, after: u64) -> Result<bool> {
        let there = self.pages.dbtime_if_readable(pgno)?;
        let present = there.is_some_and(|dbtime| dbtime >= after && dbtime < SPECIAL_DBTIMES);
        self.counts.present += u64::from(present);
        Ok(!present)
    }

    /// Changes a page that [`Self::needs_redo`].
    pub fn changed(
        &mut self,
        pgno: u32,
        after: u64,
        change: impl FnOnce(&mut EditPage) -> Result<()>,
    ) -> Result<()> {
        let page = self.pages.edit(pgno)?;
        change(page)?;
        page.set_dbtime(after);
        self.counts.applied += 1;
        Ok(())
    }

    /// Puts a page in place that [`Self::needs_creation`].
    pub fn create(&mut self, page: EditPage) -> Result<()> {
        self.counts.applied += 1;
        self.pages.install(page)
    }
}

/// Whether a page with update counter `dbtime` needs the change from `before` to `after` (replay.md section 2.1).
fn decide(
    pgno: u32,
    dbtime: u64,
    after: u64,
    before: u64,
    generation: u32,
    max_required: u32,
) -> Result<bool> {
    let wrong = |found: String, expected: String, jet| {
        Err(Error::format(format_args!("page {pgno}"), 8, found, expected).with_jet(jet))
    };
    if dbtime >= after {
        // A base that has only what its required logs hold cannot have this.
        if max_required != 0 && generation > max_required {
            let found = format!("dbtime {dbtime:#x} for a record of generation {generation} with {after:#x}");
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

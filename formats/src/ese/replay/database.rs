//! One database that is being rebuilt: its pages, its header, and what was done to it.

use super::check::Check;
use super::counts::{RecordCounts, Skip};
use super::pages::{Pages, RebuildFile};
use super::site::{JET_DBTIME_TOO_NEW, SPECIAL_DBTIMES, Site};
use crate::error::{Error, Result};
use crate::ese::header::DatabaseHeader;
use crate::ese::position::LgPos;

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

    /// The database as the steps of a batch see it.
    pub fn site(&self) -> Site<'_> {
        Site::new(&self.pages, self.generation, self.max_required)
    }
}

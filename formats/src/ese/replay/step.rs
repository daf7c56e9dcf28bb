//! Steps: what records and macros come to, each a change of a few pages that can be made by itself.

use super::merge;
use super::moves;
use super::redo::{self, Done};
use super::site::Site;
use super::space;
use super::split::{self, Cause};
use super::version::Change;
use crate::error::Result;
use crate::ese::log::record::{Record, RecordType};
use crate::ese::position::LgPos;

/// Where a record is in the bytes of its batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub at: u32,
    pub len: u32,
}

/// The pages that a step may touch: few, each once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct PageSet {
    pgnos: [u32; Self::MOST],
    len: u8,
}

impl PageSet {
    /// Most pages of a step: those of a move (source, destination, parent, left, right).
    pub const MOST: usize = 5;

    pub fn of(pgnos: &[u32]) -> Self {
        let mut set = Self::default();
        pgnos.iter().for_each(|pgno| set.add(*pgno));
        set
    }

    /// The same with a page that records leave out as page 0.
    pub fn with_linked(mut self, pgno: u32) -> Self {
        if pgno != 0 {
            self.add(pgno);
        }
        self
    }

    fn add(&mut self, pgno: u32) {
        let len = usize::from(self.len);
        if !self.as_slice().contains(&pgno)
            && let Some(place) = self.pgnos.get_mut(len)
        {
            *place = pgno;
            self.len += 1;
        }
    }

    pub fn as_slice(&self) -> &[u32] {
        &self.pgnos[..usize::from(self.len)]
    }
}

/// What a step does.
pub(super) enum What {
    /// All that a record of one node or page, of new pages or of a page's move, asks for.
    Record(Part),
    /// Takes a change back, if it is known which.
    Undo { record: Part, change: Option<Change> },
    /// Empties one of the pages that an EmptyTree record lists.
    Emptied { record: Part, number: usize },
    /// One level of the splits of a macro.
    Split { split: Part, child: Option<Part>, cause: Option<Part> },
    /// One of the upper levels of the merges of a macro.
    MergedAbove { merge: Part, leaf: Part },
    /// Builds a page where the move of a root puts it.
    RootCopied { moved: Part, dbtime: u64, owned: Option<u32> },
    /// Tells a child of a tree where the root moved.
    ChildOfRoot(Part),
    /// Names the new root in the catalog, in rows of one page.
    RootRows(Vec<Part>),
    /// Empties a page from which the move of a root took the content.
    RootLeft { moved: Part, dbtime: u64 },
}

/// A step of a batch.
pub(super) struct Step {
    /// The database, by its place among the bases.
    pub database: usize,
    /// The record that asks for it.
    pub position: LgPos,
    pub kind: RecordType,
    pub what: What,
    pub pages: PageSet,
    /// Whether the line must be known as it was before.
    pub keeps_before: bool,
}

impl Step {
    /// Makes the change; `bytes` are those of the batch. Errors say which record it was.
    pub fn run(&self, bytes: &[u8], db: &mut Site<'_>) -> Result<Done> {
        self.redo(bytes, db).map_err(|error| error.at_record(self.position, self.kind.name()))
    }

    fn redo(&self, bytes: &[u8], db: &mut Site<'_>) -> Result<Done> {
        let record = |part: Part| Record::parse(part.of(bytes));
        match &self.what {
            What::Record(part) => {
                let record = record(*part)?;
                match &record {
                    Record::Split(split) => return split::level(db, split, None, None, false),
                    Record::Merge(merge) => merge::leaf(db, merge)?,
                    Record::PageMove(moved) => moves::page(db, moved)?,
                    _ if space::redo(db, &record)? => {}
                    _ => return redo::node(db, &record, self.keeps_before),
                }
            }
            What::Undo { record: part, change } => {
                if let Record::Undo { node, .. } = record(*part)? {
                    redo::undo(db, &node, change.as_ref())?;
                }
            }
            What::Emptied { record: part, number } => {
                if let Record::EmptyTree { node, pages } = record(*part)?
                    && let Some(emptied) = pages.iter().nth(*number)
                {
                    redo::empty(db, &node, emptied)?;
                }
            }
            What::Split { split, child, cause } => {
                let child = child.map(record).transpose()?;
                let child = match &child {
                    Some(Record::Split(child)) => Some(child),
                    _ => None,
                };
                let cause = cause.map(record).transpose()?;
                let cause = cause.as_ref().and_then(Cause::of);
                if let Record::Split(split) = record(*split)? {
                    return split::level(db, &split, child, cause.as_ref(), self.keeps_before);
                }
            }
            What::MergedAbove { merge, leaf } => {
                if let (Record::Merge(merge), Record::Merge(leaf)) = (record(*merge)?, record(*leaf)?) {
                    merge::above(db, &merge, &leaf)?;
                }
            }
            What::RootCopied { moved, dbtime, owned } => {
                if let Record::PageMove(moved) = record(*moved)? {
                    moves::root_page(db, *dbtime, &moved, *owned)?;
                }
            }
            What::ChildOfRoot(part) => {
                if let Record::SetExternalHeader { node, data } = record(*part)? {
                    moves::child_header(db, &node, data)?;
                }
            }
            What::RootRows(parts) => {
                let rows: Vec<_> = parts.iter().map(|part| record(*part)).collect::<Result<_>>()?;
                moves::rows(
                    db,
                    rows.iter().filter_map(|row| match row {
                        Record::Replace { node, data, .. } => Some((*node, *data)),
                        _ => None,
                    }),
                )?;
            }
            What::RootLeft { moved, dbtime } => {
                if let Record::PageMove(moved) = record(*moved)? {
                    moves::root_left(db, *dbtime, &moved)?;
                }
            }
        }
        Ok(Done::default())
    }
}

impl Part {
    fn of(self, bytes: &[u8]) -> &[u8] {
        bytes.get(self.at as usize..).and_then(|rest| rest.get(..self.len as usize)).unwrap_or(&[])
    }
}

//! Which tree a page belongs to, and what the tree is.

use super::{PageList, Side};
use reel_formats::ese::database::{Database, DatabaseFile};
use reel_formats::ese::tables::{Catalog, Object};
use std::collections::BTreeMap;
use std::sync::OnceLock;

/// Object id of the database itself: its space trees (reference, database.md section 7).
const DATABASE: u32 = 1;

/// What a tree holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TreeKind {
    /// The records of a table, or what space the table has.
    Table(String),
    /// A secondary index.
    Index {
        /// The table.
        table: String,
        /// The index.
        index: String,
    },
    /// The long values of a table.
    LongValues(String),
    /// What space the database has.
    Database,
    /// Neither catalog knows its object id, or there is none: pages that are not in use, or cannot be read.
    Unknown,
}

/// What differs in one tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeChanges {
    /// Its object id.
    pub objid: Option<u32>,
    /// What it is.
    pub kind: TreeKind,
    /// Pages that differ.
    pub differing: u64,
    /// Pages that only the first database has.
    pub only_a: u64,
    /// Pages that only the second database has.
    pub only_b: u64,
}

/// Finds the trees of pages. The databases are opened when the first page is asked for.
pub(super) struct Trees<'s> {
    a: Opened<'s>,
    b: Opened<'s>,
    wanted: bool,
    /// Pages that differ, that only A has, that only B has, by object id.
    counts: BTreeMap<Option<u32>, [u64; 3]>,
}

/// A side as a database. `None` where its header cannot be read.
struct Opened<'s> {
    side: &'s Side,
    database: OnceLock<Option<Database<&'s dyn DatabaseFile>>>,
}

impl<'s> Opened<'s> {
    fn database(&self) -> Option<&Database<&'s dyn DatabaseFile>> {
        self.database.get_or_init(|| Database::open(self.side.bytes()).ok()).as_ref()
    }

    /// Tells what will be read. What cannot be fetched is met again when its page is read.
    fn expect(&self, pages: &[u32]) {
        if let Some(database) = self.database() {
            let _ = database.expect(pages.iter().copied());
        }
    }

    fn objid(&self, pgno: u32) -> Option<u32> {
        Some(self.database()?.page(pgno).ok()?.view().objid())
    }
}

impl<'s> Trees<'s> {
    /// Trees of two databases; where they are not wanted, nothing is read.
    pub(super) fn new(a: &'s Side, b: &'s Side, wanted: bool) -> Self {
        let opened = |side| Opened { side, database: OnceLock::new() };
        Trees { a: opened(a), b: opened(b), wanted, counts: BTreeMap::new() }
    }

    /// Pages that differ: they belong to the tree of the second database, or where it has them no more to that of the first.
    pub(super) fn differing(&mut self, pages: &[u32], list: &mut PageList) {
        if self.wanted && !pages.is_empty() {
            self.b.expect(pages);
        }
        for pgno in pages {
            let objid = self.wanted.then(|| self.b.objid(*pgno).or_else(|| self.a.objid(*pgno))).flatten();
            self.count(objid, 0);
            list.push(*pgno, objid);
        }
    }

    /// Pages that only one database has.
    pub(super) fn only(&mut self, pages: &[u32], only_a: bool, list: &mut PageList) {
        let side = if only_a { &self.a } else { &self.b };
        if self.wanted && !pages.is_empty() {
            side.expect(pages);
        }
        let objids: Vec<_> =
            pages.iter().map(|pgno| self.wanted.then(|| side.objid(*pgno)).flatten()).collect();
        for (pgno, objid) in pages.iter().zip(objids) {
            self.count(objid, if only_a { 1 } else { 2 });
            list.push(*pgno, objid);
        }
    }

    fn count(&mut self, objid: Option<u32>, column: usize) {
        self.counts.entry(objid).or_default()[column] += 1;
    }

    /// The trees, with their names.
    pub(super) fn finish(self) -> Vec<TreeChanges> {
        if !self.wanted || self.counts.is_empty() {
            return Vec::new();
        }
        let catalog = |side: &Opened<'_>| side.database().map(Catalog::read).unwrap_or_default();
        let of_b = catalog(&self.b);
        let names_b = of_b.objects();
        let known = |objid: &u32| *objid == DATABASE || names_b.contains_key(objid);
        let missing = !self.counts.keys().flatten().all(known);
        let of_a = if missing { catalog(&self.a) } else { Catalog::default() };
        let names_a = of_a.objects();
        let kind = |objid: Option<u32>| match objid {
            None => TreeKind::Unknown,
            Some(DATABASE) => TreeKind::Database,
            Some(objid) => match names_b.get(&objid).or_else(|| names_a.get(&objid)) {
                Some(Object::Table(table)) => TreeKind::Table(table.name.clone()),
                Some(Object::Index(table, index)) => {
                    TreeKind::Index { table: table.name.clone(), index: index.name.clone() }
                }
                Some(Object::LongValues(table)) => TreeKind::LongValues(table.name.clone()),
                None => TreeKind::Unknown,
            },
        };
        let counts = self.counts.into_iter();
        let changes = counts.map(|(objid, [differing, only_a, only_b])| TreeChanges {
            objid,
            kind: kind(objid),
            differing,
            only_a,
            only_b,
        });
        changes.collect()
    }
}

//! The structure of a database, held against itself: every page that the catalog leads to is visited once, in its place,
//! and on ground that its tree owns; then what rows, indexes and long values say of each other.
//!
//! Memory grows with the extents, with 8 bytes for each row of the largest table and 16 for each of its long values, up to
//! a bound behind which they are not held against each other.

mod catalog;
mod finding;
mod ground;
mod page;
mod references;
mod space;
mod tree;

pub use finding::{Finding, Findings, Kind, Severity};

use super::catalog::{Catalog, Table};
use super::space::{DATABASE, Space};
use super::tree::Visited;
use crate::ese::database::{Database, DatabaseFile};
use crate::ese::header::DatabaseState;
use crate::ese::page::PageFlags;
use ground::Ground;
use std::collections::HashSet;
use std::fmt;

/// What a check found, and how much it looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// What it has to say.
    pub findings: Findings,
    /// Trees: of tables, indexes and long values, and the database's own.
    pub trees: u64,
    /// Pages that belong to them.
    pub pages: u64,
    /// Rows, those of the system among them.
    pub rows: u64,
    /// Entries of secondary indexes.
    pub index_entries: u64,
    /// Long values.
    pub long_values: u64,
}

/// Checks the structure of a database. `watch` is told how many pages were looked at so far, now and then, and answers
/// whether to go on; if not there is no report.
pub fn check<F: DatabaseFile>(database: &Database<F>, watch: &mut dyn FnMut(u64) -> bool) -> Option<Report> {
    let mut checker = Checker {
        database,
        report: Report::default(),
        clean: database.header().state == DatabaseState::CleanShutdown,
        used: Visited::default(),
        latest: (0, 0),
        watch,
        seen: 0,
        steps: 0,
        stopped: false,
    };
    checker.header();
    let catalog = Catalog::read(database);
    let mut subjects = subjects(&catalog);
    checker.spaces(&mut subjects);
    let below = owned_below(&subjects, catalog.shadow_lost.is_empty());
    let mut whole = HashSet::new();
    for (subject, below) in subjects.iter().zip(below) {
        if checker.pages(subject, below) {
            whole.insert(subject.root);
        }
    }
    checker.later_pages();
    checker.catalog(&catalog);
    for table in &catalog.tables {
        checker.references(table, &mut whole);
    }
    for pgno in database.corrected() {
        checker.say(
            Kind::CorrectablePage,
            Some(pgno),
            None,
            "one flipped bit, put right for this check".into(),
        );
    }
    (!checker.stopped).then_some(checker.report)
}

/// A tree with its space, and what it is.
struct Subject {
    name: String,
    role: Role,
    root: u32,
    objid: u32,
    /// Place of the tree that it has its extents from; `None` for the database's own.
    parent: Option<usize>,
    /// `None` if its root cannot be read.
    space: Option<Space>,
    /// What it owns, if all of that could be read.
    ground: Option<Ground>,
}

/// What the pages of a tree are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Database,
    Records,
    Index,
    LongValues,
    Extents,
}

impl Role {
    /// Whether a page with these flags can be one of such a tree.
    fn fits(self, flags: PageFlags) -> bool {
        let wanted = match self {
            Self::Database | Self::Records => [false, false, false],
            Self::Index => [true, false, false],
            Self::LongValues => [false, true, false],
            // The flags of what the extents are for may stand beside.
            Self::Extents => [flags.is_index(), flags.is_long_value(), true],
        };
        [flags.is_index(), flags.is_long_value(), flags.is_space_tree()] == wanted
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Database => "the database",
            Self::Records => "a table",
            Self::Index => "an index",
            Self::LongValues => "long values",
            Self::Extents => "a tree of extents",
        })
    }
}

/// All trees that the catalog names, each behind the one that it has its extents from.
fn subjects(catalog: &Catalog) -> Vec<Subject> {
    let subject = |name: String, role, root, objid, parent| Subject {
        name,
        role,
        root,
        objid,
        parent,
        space: None,
        ground: None,
    };
    let mut all = vec![subject("database".into(), Role::Database, DATABASE.0, DATABASE.1, None)];
    // Where the catalog is too damaged to name itself, it is known all the same.
    for (name, (objid, root)) in
        [("MSysObjects", super::catalog::CATALOG), ("MSysObjectsShadow", super::catalog::SHADOW)]
    {
        if catalog.tables.iter().all(|table| table.objid != objid) {
            all.push(subject(name.into(), Role::Records, root, objid, Some(0)));
        }
    }
    for table in &catalog.tables {
        let place = all.len();
        all.push(subject(table.name.clone(), Role::Records, table.root, table.objid, Some(0)));
        for index in table.indexes.iter().filter(|index| index.root != table.root) {
            let name = index_name(table, &index.name);
            all.push(subject(name, Role::Index, index.root, index.objid, Some(place)));
        }
        if let Some(values) = &table.long_values {
            let name = format!("{}, long values", table.name);
            all.push(subject(name, Role::LongValues, values.root, values.objid, Some(place)));
        }
    }
    all
}

/// For each subject, how many pages the trees below it own; `None` where not all of that is known.
fn owned_below(subjects: &[Subject], all_named: bool) -> Vec<Option<u64>> {
    let mut below = vec![all_named.then_some(0u64); subjects.len()];
    for subject in subjects {
        let owned = subject.space.as_ref().filter(|space| space.is_whole()).map(Space::owned_pages);
        if let Some(sum) = subject.parent.and_then(|parent| below.get_mut(parent)) {
            *sum = sum.zip(owned).map(|(sum, owned)| sum.saturating_add(owned));
        }
    }
    below
}

fn index_name(table: &Table, index: &str) -> String {
    format!("{}, index {index}", table.name)
}

struct Checker<'d, F> {
    database: &'d Database<F>,
    report: Report,
    /// The database was shut down cleanly: pages of different age are damage.
    clean: bool,
    /// Pages that some tree has.
    used: Visited,
    /// The highest update counter of a page, and the page.
    latest: (u64, u32),
    watch: &'d mut dyn FnMut(u64) -> bool,
    /// Pages visited, and entries looked at.
    seen: u64,
    steps: u64,
    stopped: bool,
}

impl<F: DatabaseFile> Checker<'_, F> {
    fn header(&mut self) {
        let copies = self.database.header_copies();
        let what = match (copies.primary_good, copies.shadow_good, copies.equal) {
            (false, ..) => Some("the first copy of the header is bad"),
            (_, false, _) => Some("the shadow copy of the header is bad"),
            (_, _, false) => Some("the two copies of the header differ"),
            _ => None,
        };
        if let Some(what) = what {
            self.say(Kind::HeaderCopy, None, None, what.into());
        }
        if !self.clean {
            let what = format!("the database's state is {}", self.database.header().state);
            self.say(Kind::Dirty, None, None, what);
        }
    }

    /// A clean database has no page that is newer than its header. If it has, what its trees say of each other need not be
    /// of one time.
    fn later_pages(&mut self) {
        let ((dbtime, page), last) = (self.latest, self.database.header().dbtime);
        if self.clean && dbtime > last {
            let what = format!("changed at {dbtime:#x}, and the database was shut down at {last:#x}");
            self.say(Kind::LaterPage, Some(page), None, what);
            self.clean = false;
        }
    }

    /// Visits all pages of a subject, in whose extents `below` pages are owned by others, where that is known; answers
    /// whether nothing of its own tree is lost.
    fn pages(&mut self, subject: &Subject, below: Option<u64>) -> bool {
        self.report.trees += 1;
        let non_unique = subject.space.as_ref().is_some_and(|space| space.header.non_unique);
        let ground = subject.ground.as_ref();
        let walked = self.walk(subject, (subject.root, subject.role), non_unique, ground);
        let (mut pages, mut whole) = (walked.pages, walked.whole);
        if let Some(owned) = subject.space.as_ref().and_then(|space| space.header.extents_root()) {
            for root in [owned, owned.saturating_add(1)] {
                let extents = self.walk(subject, (root, Role::Extents), non_unique, ground);
                pages += extents.pages;
                whole &= extents.whole;
            }
        }
        self.report.pages += pages;
        if let Some(below) = below.filter(|_| whole) {
            self.leaked(subject, pages, below);
        }
        walked.whole
    }

    /// Counts a step of the check.
    fn progress(&mut self) {
        const STEPS: u64 = 256;
        self.steps += 1;
        if self.steps.is_multiple_of(STEPS) && !(self.watch)(self.seen) {
            self.stopped = true;
        }
    }

    fn is_stopped(&self) -> bool {
        self.stopped
    }

    fn say(&mut self, kind: Kind, page: Option<u32>, subject: Option<&Subject>, what: String) {
        self.say_with(kind, page, subject.map(|subject| subject.name.as_str()), kind.jet(), what);
    }

    fn say_with(
        &mut self,
        kind: Kind,
        page: Option<u32>,
        tree: Option<&str>,
        jet: Option<i32>,
        what: String,
    ) {
        const BAD_CHECKSUM: Option<i32> = Some(-1018);
        const WRONG_PAGE_NUMBER: Option<i32> = Some(-1118);
        let physical = kind == Kind::UnreadablePage && matches!(jet, BAD_CHECKSUM | WRONG_PAGE_NUMBER);
        let severity = match kind.severity() {
            // Before its logs are replayed a database need not agree with itself.
            Severity::Error if !self.clean && !physical => Severity::Warning,
            severity => severity,
        };
        self.report.findings.add(Finding { severity, kind, page, tree: tree.map(str::to_owned), jet, what });
    }
}

//! The catalog against its shadow copy.

use super::Checker;
use super::finding::Kind;
use crate::ese::database::{Database, DatabaseFile};
use crate::ese::tables::catalog::{self, Catalog};
use crate::ese::tables::tree::{Entry, Lost, Tree};
use std::cmp::Ordering;

const NAME: &str = "MSysObjects";
const SHADOW_NAME: &str = "MSysObjectsShadow";

impl<F: DatabaseFile> Checker<'_, F> {
    /// Tells of rows of the catalog that cannot be read, and of those that stand in one of the two copies only.
    pub(super) fn catalog(&mut self, catalog: &Catalog) {
        for (lost, name) in [(&catalog.lost, NAME), (&catalog.shadow_lost, SHADOW_NAME)] {
            // Pages were told of when they were visited; those have a number.
            for lost in lost.iter().filter(|lost| lost.error.jet().is_none()) {
                let what = lost.error.to_string();
                self.say_with(Kind::Record, Some(lost.pgno), Some(name), Kind::Record.jet(), what);
            }
        }
        // Where pages are lost, the rows on them are missing of course.
        let (Ok(mut first), Ok(mut second)) =
            (rows(self.database, catalog::CATALOG), rows(self.database, catalog::SHADOW))
        else {
            return;
        };
        let (mut one, mut two) = (first.next(), second.next());
        if one.is_some() && two.is_none() {
            let what = "the shadow copy of the catalog is empty".into();
            self.say_with(Kind::Unchecked, Some(catalog::SHADOW.1), Some(SHADOW_NAME), None, what);
            return;
        }
        // How many stand in one of the two only, and where the first of them does.
        let (mut in_first, mut in_second) = (Only::default(), Only::default());
        while one.is_some() || two.is_some() {
            let order = match (&one, &two) {
                (Some(one), Some(two)) => one.node().key().cmp(&two.node().key()),
                (Some(_), None) => Ordering::Less,
                (None, _) => Ordering::Greater,
            };
            if order != Ordering::Greater {
                in_first.pass(one, order);
                one = first.next();
            }
            if order != Ordering::Less {
                in_second.pass(two, order);
                two = second.next();
            }
        }
        for (only, name, other) in [(in_first, NAME, "shadow copy"), (in_second, SHADOW_NAME, "catalog")] {
            if let Some(page) = only.page {
                let what =
                    format!("{} rows, the first on this page, are missing from the {other}", only.count);
                self.say_with(Kind::ShadowCatalog, Some(page), Some(name), Kind::ShadowCatalog.jet(), what);
            }
        }
    }
}

/// Rows that only one of the two has.
#[derive(Default)]
struct Only {
    count: u64,
    page: Option<u32>,
}

impl Only {
    fn pass(&mut self, row: Option<Entry>, order: Ordering) {
        if order != Ordering::Equal {
            self.count += 1;
            self.page = self.page.or(row.map(|row| row.pgno()));
        }
    }
}

/// The rows of one of the two, if none are lost.
fn rows<F: DatabaseFile>(
    database: &Database<F>,
    (objid, root): (u32, u32),
) -> Result<impl Iterator<Item = Entry>, Box<Lost>> {
    let tree = Tree::new(database, root, objid);
    for entry in tree.entries() {
        entry?;
    }
    Ok(tree.entries().flatten().filter(|entry| !entry.node().is_deleted()))
}

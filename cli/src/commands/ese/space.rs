//! `reel ese space`: which tree owns how many pages, and how many of them are free.

use crate::args::ese::Space as Args;
use crate::output::{Outcome, Report, shown};
use reel_engine::{Error, Result};
use reel_formats::ese::database::{Database, DatabaseFile};
use reel_formats::ese::tables::Catalog;
use reel_formats::ese::tables::space::{DATABASE, Extent, Pool, Space};
use serde::Serialize;
use std::io::{self, Write};

#[derive(Serialize)]
struct Spaces {
    database: String,
    page_size: u32,
    file_pages: u32,
    owned: u64,
    available: u64,
    available_in_all_trees: u64,
    trees: Vec<Tree>,
}

#[derive(Serialize)]
struct Tree {
    name: String,
    kind: &'static str,
    /// Steps below the database's own tree.
    #[serde(skip)]
    depth: usize,
    objid: u32,
    root: u32,
    primary_extent: u32,
    multiple_extents: bool,
    owned: u64,
    available: u64,
    owned_extents: usize,
    available_extents: Vec<Available>,
    trouble: Vec<String>,
}

#[derive(Serialize)]
struct Available {
    first: u32,
    last: u32,
    pool: &'static str,
}

impl Available {
    fn of((pool, Extent { first, last }): (Pool, Extent)) -> Self {
        let pool = match pool {
            Pool::General => "general",
            Pool::Contiguous => "contiguous",
            Pool::Shelved => "shelved",
            Pool::Unknown(_) => "unknown",
        };
        Available { first, last, pool }
    }
}

impl Tree {
    fn read<F: DatabaseFile>(
        database: &Database<F>,
        (name, kind, depth): (String, &'static str, usize),
        (root, objid): (u32, u32),
    ) -> Self {
        let mut tree = Tree {
            name,
            kind,
            depth,
            objid,
            root,
            primary_extent: 0,
            multiple_extents: false,
            owned: 0,
            available: 0,
            owned_extents: 0,
            available_extents: Vec::new(),
            trouble: Vec::new(),
        };
        match Space::read(database, (root, objid)) {
            Ok(space) => {
                tree.primary_extent = space.header.pages;
                tree.multiple_extents = space.header.extents_root().is_some();
                tree.owned = space.owned_pages();
                tree.available = space.available_pages();
                tree.owned_extents = space.owned.len();
                tree.trouble.extend(space.lost.iter().map(ToString::to_string));
                tree.trouble.extend(space.malformed.iter().map(ToString::to_string));
                tree.available_extents = space.available.into_iter().map(Available::of).collect();
            }
            Err(error) => tree.trouble.push(error.to_string()),
        }
        tree
    }
}

impl Spaces {
    fn read<F: DatabaseFile>(name: String, database: &Database<F>) -> Self {
        let catalog = Catalog::read(database);
        let mut trees = vec![Tree::read(database, ("database".into(), "database", 0), DATABASE)];
        for table in &catalog.tables {
            trees.push(Tree::read(database, (table.name.clone(), "table", 1), (table.root, table.objid)));
            if let Some(values) = &table.long_values {
                let named = ("long values".into(), "long-values", 2);
                trees.push(Tree::read(database, named, (values.root, values.objid)));
            }
            for index in table.indexes.iter().filter(|index| index.root != table.root) {
                trees.push(Tree::read(database, (index.name.clone(), "index", 2), (index.root, index.objid)));
            }
        }
        if let Some(own) = trees.first_mut() {
            own.trouble.extend(catalog.lost.iter().map(ToString::to_string));
        }
        let of_database = |count: fn(&Tree) -> u64| trees.first().map_or(0, count);
        Spaces {
            database: name,
            page_size: database.page_size(),
            file_pages: database.last_page_in_file(),
            owned: of_database(|tree| tree.owned),
            available: of_database(|tree| tree.available),
            available_in_all_trees: trees.iter().map(|tree| tree.available).sum(),
            trees,
        }
    }

    fn has_findings(&self) -> bool {
        self.trees.iter().any(|tree| !tree.trouble.is_empty())
    }
}

impl Report for Spaces {
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        let label =
            |tree: &Tree| format!("{:width$}{}", "", shown(tree.name.as_bytes()), width = 2 * tree.depth);
        let width = self.trees.iter().map(|tree| label(tree).chars().count()).max().unwrap_or(0).clamp(4, 60);
        writeln!(
            out,
            "{:width$}  {:11}  {:>10}  {:>10}  {:>8}  {:>10}  {:>10}  {:>8}",
            "name", "type", "objid", "root", "pri ext", "owned", "available", "extents"
        )?;
        for tree in &self.trees {
            let mark = if tree.multiple_extents { "m" } else { "s" };
            writeln!(
                out,
                "{:width$}  {:11}  {:>10}  {:>10}  {:>8}  {:>10}  {:>10}  {:>8}",
                label(tree),
                tree.kind,
                tree.objid,
                tree.root,
                format!("{}-{mark}", tree.primary_extent),
                tree.owned,
                tree.available,
                tree.owned_extents
            )?;
        }
        writeln!(
            out,
            "{} pages of {} bytes in the file, {} owned, {} of them available; {} available in all trees together",
            self.file_pages, self.page_size, self.owned, self.available, self.available_in_all_trees
        )
    }

    fn findings(&self) -> Vec<String> {
        let lines = self.trees.iter().map(|tree| (tree, &tree.trouble));
        lines
            .flat_map(|(tree, trouble)| {
                trouble.iter().map(|what| format!("{}: {what}", shown(tree.name.as_bytes())))
            })
            .collect()
    }
}

/// Prints the space of all trees.
pub fn run(args: &Args) -> Result<Outcome> {
    let name = args.database.name();
    let database = Database::open(super::open(&args.database)?).map_err(|e| Error::inside(&name, e))?;
    let report = Spaces::read(name, &database);
    args.json.report_to().print(&report)?;
    Ok(Outcome::of(report.has_findings()))
}

//! A damaged page costs what stands on it, by name, and nothing else.

mod samples;

use reel_formats::ese::database::Database;
use reel_formats::ese::tables::tree::Visit;
use reel_formats::ese::tables::value::LostValue;
use reel_formats::ese::tables::{Catalog, Lost, Row, Table, Tree, Value};
use std::collections::{BTreeMap, BTreeSet};

/// The database of a case after the engine's recovery.
fn sample(test: &str, case: &str) -> Option<Vec<u8>> {
    let archive = samples::read(&samples::path(test, &format!("data/ese/cases/{case}.tar.zst"))?);
    let files = samples::tar_files(&archive);
    let file = files.iter().find(|(name, _)| name.ends_with("/expected/a.edb"));
    Some(file.expect("the case has a database").1.to_vec())
}

/// The rows of all tables, and what is lost of them.
struct Content {
    rows: BTreeMap<(u32, Vec<u8>), Row>,
    lost: Vec<(u32, Box<Lost>)>,
}

fn content(database: &Database<&[u8]>, tables: &[Table]) -> Content {
    let mut content = Content { rows: BTreeMap::new(), lost: Vec::new() };
    for table in tables {
        for row in table.rows(database) {
            match row {
                Ok(row) => drop(content.rows.insert((table.objid, row.bookmark.clone()), row)),
                Err(lost) => content.lost.push((table.objid, lost)),
            }
        }
    }
    content
}

/// Pages of every tree, by what they are: (page, object id, is a leaf).
fn pages(database: &Database<&[u8]>, catalog: &Catalog) -> Vec<(u32, u32, bool)> {
    let mut found = Vec::new();
    let mut walk = |tree: Tree<'_, &[u8]>, objid| {
        for visit in tree.walk() {
            let Visit::Page(page) = visit else { panic!("the sample is not damaged") };
            found.push((page.page.pgno(), objid, page.is_leaf()));
        }
    };
    for table in &catalog.tables {
        walk(table.tree(database), table.objid);
        if let Some(values) = &table.long_values {
            walk(values.tree(database), values.objid);
        }
    }
    found
}

fn damaged(file: &[u8], page_size: u32, pgno: u32) -> Vec<u8> {
    let mut file = file.to_vec();
    let at = (pgno as usize + 1) * page_size as usize;
    for byte in &mut file[at + 100..at + 120] {
        *byte ^= 0x5A;
    }
    file
}

/// Whether `lost` is `whole` with the named ranges cut out.
fn is_cut_from(lost: &LostValue, whole: &[u8]) -> bool {
    let mut rest = Vec::new();
    let mut at = 0;
    for range in &lost.lost {
        rest.extend_from_slice(&whole[at..range.start as usize]);
        at = range.end as usize;
    }
    rest.extend_from_slice(&whole[at..]);
    lost.len.is_none_or(|len| len == whole.len() as u64) && (lost.len.is_none() || rest == lost.bytes)
}

/// Compares what a damaged database gives with what it gave before. Answers how many rows and values were lost.
fn compare(before: &Content, after: &Content, pgno: u32) -> (usize, usize) {
    for (objid, lost) in &after.lost {
        assert_eq!(lost.pgno, pgno, "{lost}");
        assert_eq!(lost.error.jet(), Some(-1018), "{lost}");
        let delivered = after.rows.keys().filter(|(table, _)| table == objid);
        for (_, key) in delivered {
            assert!(!lost.bounds.contains(key), "{lost}: a row inside was given");
        }
    }
    let mut lost_values = 0;
    for (key, row) in &after.rows {
        let whole = before.rows.get(key).expect("no row comes from nowhere");
        for (found, whole) in row.values.iter().zip(&whole.values) {
            if let Value::Lost(lost) = found {
                let whole = whole.stored_bytes().expect("the value was whole");
                assert!(is_cut_from(lost, &whole), "page {pgno}: {lost}");
                assert!(lost.why.contains(&format!("page {pgno}")), "{lost}");
                lost_values += 1;
            } else {
                assert_eq!(found, whole, "page {pgno}");
            }
        }
    }
    let gone = before.rows.keys().filter(|key| !after.rows.contains_key(*key));
    let mut lost_rows = 0;
    for (table, key) in gone {
        let named = |(objid, lost): &(u32, Box<Lost>)| objid == table && lost.bounds.contains(key);
        assert!(after.lost.iter().any(named), "page {pgno}: a row is gone and not named");
        lost_rows += 1;
    }
    (lost_rows, lost_values)
}

#[test]
fn any_damaged_page_costs_what_stands_on_it_and_is_named() {
    let mut kinds = BTreeSet::new();
    for (case, step) in
        [("fuzzy-mix-4k", 5), ("createdb-32k", 1), ("longvalues-8k", 3), ("merges-deep-4k", 11)]
    {
        let Some(file) = sample("damaged pages", case) else { return };
        let database = Database::open(&file[..]).expect("the sample is good");
        let (size, catalog) = (database.page_size(), Catalog::read(&database));
        let before = content(&database, &catalog.tables);
        assert!(before.lost.is_empty());
        let mut pages = pages(&database, &catalog);
        // Every root, every internal page, and some of the leaves.
        let mut number = 0;
        pages.retain(|(_, _, leaf)| {
            number += 1;
            !leaf || number % step == 0
        });
        for (pgno, objid, leaf) in pages {
            let file = damaged(&file, size, pgno);
            let database = Database::open(&file[..]).expect("the header is good");
            let catalog_now = Catalog::read(&database);
            assert_eq!(catalog_now.tables, catalog.tables, "{case}: page {pgno}: the shadow copy is good");
            assert_eq!(catalog_now.lost.is_empty(), objid != 2, "{case}: page {pgno}");
            assert_eq!(catalog_now.shadow_rows > 0, objid == 2, "{case}: page {pgno}");
            let after = content(&database, &catalog_now.tables);
            let (rows, values) = compare(&before, &after, pgno);
            kinds.insert((objid == 2, leaf, rows > 0, values > 0));
        }
    }
    println!("kinds of damage (catalog, leaf, rows, values): {kinds:?}");
    // Catalog leaf; leaf and internal page of records; leaf and internal page of long values.
    for kind in [(true, true, true, false), (false, true, true, false), (false, false, true, false)] {
        assert!(kinds.contains(&kind), "{kind:?}");
    }
    assert!(kinds.contains(&(false, true, false, true)) && kinds.contains(&(false, false, false, true)));
}

#[test]
fn what_neither_the_catalog_nor_its_shadow_has_is_named_and_the_rest_is_read() {
    let Some(file) = sample("damaged catalog", "space-4k") else { return };
    let database = Database::open(&file[..]).expect("the sample is good");
    let catalog = Catalog::read(&database);
    let leaves = |objid| -> Vec<u32> {
        let pages = pages(&database, &catalog).into_iter();
        pages.filter(|(_, owner, leaf)| *owner == objid && *leaf).map(|(pgno, ..)| pgno).collect()
    };
    let (first, shadow) = (leaves(2), leaves(3));
    assert!(first.len() > 2 && shadow.len() > 2);
    let mut file = damaged(&file, database.page_size(), first[first.len() - 1]);
    for leaf in &shadow[1..] {
        file = damaged(&file, database.page_size(), *leaf);
    }
    let damaged = Database::open(&file[..]).expect("the header is good");
    let left = Catalog::read(&damaged);
    assert_eq!(left.lost.len(), 1);
    assert_eq!(left.shadow_lost.len(), shadow.len() - 1);
    assert!(!left.tables.is_empty() && left.tables != catalog.tables);
    for table in &left.tables {
        let whole = catalog.table(&table.name).expect("no table comes from nowhere");
        assert!(table.columns.iter().all(|column| whole.columns.contains(column)));
    }
}

#[test]
fn one_good_header_is_enough_and_none_is_an_error() {
    let Some(mut file) = sample("damaged headers", "tiny-8k") else { return };
    let rows = |file: &[u8]| {
        let database = Database::open(file)?;
        let catalog = Catalog::read(&database);
        Ok::<_, reel_formats::error::Error>(content(&database, &catalog.tables).rows.len())
    };
    let before = rows(&file).expect("the sample is good");
    file[60] ^= 1;
    assert_eq!(rows(&file).expect("the shadow copy is good"), before);
    file[8192 + 60] ^= 1;
    assert_eq!(rows(&file).expect_err("both are bad").jet(), Some(-1018));
}

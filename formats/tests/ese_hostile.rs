//! Databases that are built to mislead a reader: every walk ends, and memory grows with what is there.

mod builder;

use builder::{INDEX, LEAF, LONG_VALUE, Node, PARENT_OF_LEAF, ROOT, child, chunk, long_root, page};
use reel_formats::ese::PAGE_SIZES;
use reel_formats::ese::database::Database;
use reel_formats::ese::tables::{Catalog, Row, Tree, Value};

const SIZE: usize = 4096;

fn key(number: u32) -> Vec<u8> {
    number.to_be_bytes().to_vec()
}

/// Keys and losses of the tree with root 5, object 7.
fn walked(pages: &[(u32, Vec<u8>)]) -> (Vec<Vec<u8>>, Vec<String>) {
    let file = builder::database(SIZE, pages);
    let database = Database::open(&file[..]).expect("a good header");
    let (mut keys, mut lost) = (Vec::new(), Vec::new());
    for entry in Tree::new(&database, 5, 7).entries() {
        match entry {
            Ok(entry) => keys.push(entry.node().key()),
            Err(error) => lost.push(error.to_string()),
        }
    }
    (keys, lost)
}

fn leaf(pgno: u32, numbers: &[u32]) -> (u32, Vec<u8>) {
    let nodes: Vec<Node> = numbers.iter().map(|number| (key(*number), vec![1])).collect();
    (pgno, page(SIZE, pgno, 7, LEAF, &nodes))
}

fn root(children: &[Node]) -> (u32, Vec<u8>) {
    (5, page(SIZE, 5, 7, ROOT | PARENT_OF_LEAF, children))
}

#[test]
fn a_tree_that_names_a_page_twice_gives_it_once() {
    let pages =
        [root(&[child(&key(5), 8), child(&key(9), 8), child(&[], 9)]), leaf(8, &[1, 2]), leaf(9, &[9])];
    let (keys, lost) = walked(&pages);
    assert_eq!(keys, [key(1), key(2), key(9)]);
    assert_eq!(
        lost,
        ["page 8 is lost (keys from 00000005 to below 00000009): page 8 at byte 36: \
          found a page that the tree names twice, expected each page once (ESE error -1206)"]
    );
}

#[test]
fn a_tree_that_leads_back_to_its_root_ends() {
    let (keys, lost) = walked(&[root(&[child(&key(5), 5), child(&[], 9)]), leaf(9, &[9])]);
    assert_eq!(keys, [key(9)]);
    assert_eq!(lost.len(), 1);
}

#[test]
fn a_tree_deeper_than_any_engine_makes_ends() {
    let inner =
        |pgno: u32| (pgno, page(SIZE, pgno, 7, if pgno == 5 { ROOT } else { 0 }, &[child(&[], pgno + 1)]));
    let pages: Vec<_> = (5..60).map(inner).collect();
    let (keys, lost) = walked(&pages);
    assert!(keys.is_empty());
    assert!(lost[0].contains("at most 16 levels"), "{lost:?}");
}

#[test]
fn pages_of_other_trees_and_levels_are_lost_and_the_rest_is_read() {
    let pages = [
        root(&[
            child(&key(2), 8),
            child(&key(4), 9),
            child(&key(6), 10),
            child(&key(8), 11),
            child(&key(9), 0),
            child(&key(10), u32::MAX),
            (key(12), vec![1, 2]),
            child(&[], 12),
        ]),
        leaf(8, &[1]),
        (9, page(SIZE, 9, 8, LEAF, &[(key(3), vec![1])])),
        (10, page(SIZE, 10, 7, 0, &[child(&[], 8)])),
        (11, page(SIZE, 11, 7, LEAF | INDEX, &[(key(7), vec![1])])),
        leaf(12, &[12]),
    ];
    let (keys, lost) = walked(&pages);
    assert_eq!(keys, [key(1), key(12)]);
    assert_eq!(lost.len(), 6, "{lost:?}");
}

#[test]
fn an_empty_tree_and_one_that_does_not_exist_have_no_entries() {
    let empty = (5, page(SIZE, 5, 7, ROOT | LEAF, &[]));
    assert_eq!(walked(&[empty]), (vec![], vec![]));
    let unused = (5, page(SIZE, 5, 7, ROOT | 0x20000, &[]));
    assert_eq!(walked(&[unused]), (vec![], vec![]));
    let file = builder::database(SIZE, &[leaf(8, &[1])]);
    let database = Database::open(&file[..]).expect("a good header");
    assert_eq!(Tree::new(&database, 0, 7).entries().count(), 0);
}

#[test]
fn a_search_finds_what_is_there_and_enters_one_leaf() {
    let pages = [root(&[child(&key(5), 8), child(&[], 9)]), leaf(9, &[5, 7])];
    let file = builder::database(SIZE, &pages);
    let database = Database::open(&file[..]).expect("a good header");
    let tree = Tree::new(&database, 5, 7);
    let seek = |number| tree.seek(&key(number)).map(|entry| entry.map(|entry| (entry.pgno(), entry.line())));
    assert_eq!(seek(7).expect("its leaf is good"), Some((9, 1)));
    assert_eq!(seek(5).expect("its leaf is good"), Some((9, 0)));
    assert_eq!(seek(6).expect("its leaf is good"), None);
    assert_eq!(seek(4).expect_err("its leaf is not there").pgno, 8);
}

/// The rows of table `t` of a database with these long values.
fn rows(size: usize, records: &[Node], long_values: &[Node]) -> Vec<Row> {
    let pages = [
        (4, builder::catalog(size)),
        (11, page(size, 11, 10, ROOT | LEAF, records)),
        (13, page(size, 13, 12, ROOT | LEAF | INDEX, &[])),
        (15, page(size, 15, 14, ROOT | LEAF | LONG_VALUE, long_values)),
    ];
    let file = builder::database(size, &pages);
    let database = Database::open(&file[..]).expect("a good header");
    let catalog = Catalog::read(&database);
    assert!(catalog.lost.is_empty(), "{:?}", catalog.lost);
    let table = catalog.table("T").expect("names have no case");
    assert_eq!(table.columns.len(), 3);
    table.rows(&database).map(|row| row.expect("a good row")).collect()
}

#[test]
fn a_built_table_reads_as_it_was_built_for_every_page_size() {
    for size in PAGE_SIZES.map(|size| size as usize) {
        let long = [long_root(7, 5), chunk(7, 0, b"bytes")];
        let found = rows(size, &[builder::row(size, 1, "one", 7), builder::row(size, 2, "two", 8)], &long);
        let name = |text: &str| Value::Text { bytes: text.into(), codepage: 1252 };
        assert_eq!(found[0].values, [Value::I32(1), name("one"), Value::Binary(b"bytes".to_vec())]);
        assert_eq!(found[1].values[..2], [Value::I32(2), name("two")]);
        let Value::Lost(lost) = &found[1].values[2] else { panic!("there is no such long value") };
        assert_eq!(lost.to_string(), "all is lost: no long value 00000008 in the tree");
    }
}

#[test]
fn a_long_value_that_claims_gigabytes_gives_what_is_there() {
    let long = [long_root(7, 0x3FFF_FFFF), chunk(7, 0, &[1; 1000]), chunk(7, 0x3000_0000, &[2; 1000])];
    let found = rows(SIZE, &[builder::row(SIZE, 1, "one", 7)], &long);
    let Value::Lost(lost) = &found[0].values[2] else { panic!("almost all of it is lost") };
    assert!(lost.bytes.len() < 10_000 && lost.len == Some(0x3FFF_FFFF), "{lost}");
    let all: u64 = lost.lost.iter().map(|range| range.end - range.start).sum();
    assert_eq!(all + lost.bytes.len() as u64, 0x3FFF_FFFF);

    let found = rows(SIZE, &[builder::row(SIZE, 1, "one", 7)], &[long_root(7, u32::MAX), chunk(7, 0, b"x")]);
    let Value::Lost(lost) = &found[0].values[2] else { panic!("it is longer than the limit") };
    assert!(lost.why.contains("4294967295 bytes"), "{lost}");
}

#[test]
fn chunks_that_overlap_or_lie_behind_the_end_are_not_given() {
    let long = [long_root(7, 4), chunk(7, 0, b"abcd"), chunk(7, 2, b"cd"), chunk(7, 9, b"zz")];
    let found = rows(SIZE, &[builder::row(SIZE, 1, "one", 7)], &long);
    let Value::Lost(lost) = &found[0].values[2] else { panic!("something is wrong with it") };
    assert!(lost.bytes.len() <= 4, "{lost}");
    assert!(lost.why.contains("page 15"), "{lost}");
}

#[test]
fn records_of_before_1999_are_refused_by_a_sentence() {
    let mut old = page(SIZE, 11, 10, ROOT | LEAF, &[builder::row(SIZE, 1, "one", 7)]);
    old[37] &= !0x08;
    reel_formats::ese::page::checksum::store(&mut old, 11).expect("a page size");
    let file = builder::database(SIZE, &[(4, builder::catalog(SIZE)), (11, old)]);
    let database = Database::open(&file[..]).expect("a good header");
    let catalog = Catalog::read(&database);
    let table = catalog.table("t").expect("the table is there");
    let lost = table.rows(&database).next().expect("a row").expect_err("of the old format");
    assert!(lost.to_string().contains("before 1999"), "{lost}");
}

#[test]
fn a_table_has_the_columns_of_its_template_beside_its_own() {
    let row = |kind, id, root, name| builder::Row {
        table: 20,
        kind,
        id,
        root,
        max_len: 0,
        flags: 0,
        codepage: 0,
        offset: 0,
        name,
        template: "",
    };
    let rows = [builder::Row { template: "T", ..row(1, 20, 21, "derived") }, row(2, 256, 14, "own")];
    let nodes = [builder::catalog_rows(), rows.iter().map(builder::Row::node).collect()].concat();
    for (size, derived) in [(SIZE, 0x8000u16), (32768, 0x8000)] {
        let flags: &[u8] = if size > 8192 { &[0] } else { &[] };
        let (first, second) = ([flags, b"long"].concat(), [flags, &[9, 0, 0, 0]].concat());
        let mut tagged = vec![0, 1];
        tagged.extend((8 | derived).to_le_bytes());
        tagged.extend([0, 1]);
        tagged.extend((8 + first.len() as u16).to_le_bytes());
        tagged.extend([first, second].concat());
        let record = builder::record(&3u32.to_le_bytes(), 1, &[b"name"], &tagged);
        let pages = [
            (4, page(size, 4, 2, ROOT | LEAF, &nodes)),
            (21, page(size, 21, 20, ROOT | LEAF, &[(key(1), record)])),
        ];
        let file = builder::database(size, &pages);
        let database = Database::open(&file[..]).expect("a good header");
        let catalog = Catalog::read(&database);
        let table = catalog.table("derived").expect("the table is there");
        let names: Vec<_> = table.columns.iter().map(|c| (c.name.as_str(), c.derived)).collect();
        assert_eq!(names, [("id", true), ("name", true), ("data", true), ("own", false)]);
        let row = table.rows(&database).next().expect("a row").expect("a good row");
        let text = Value::Text { bytes: b"name".to_vec(), codepage: 1252 };
        assert_eq!(row.values, [Value::I32(3), text, Value::Binary(b"long".to_vec()), Value::U32(9)]);
    }
}

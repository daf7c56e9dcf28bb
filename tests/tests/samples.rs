//! Files that other software made: backed up, recognised, checked page by page, restored equal.

#[path = "../../formats/tests/samples/mod.rs"]
mod shared;

use reel_engine::backup::{BackupReport, backup};
use reel_engine::chunk::pages::log_generation;
use reel_engine::list;
use reel_engine::pool::{Catalogs, MemoryShelf, Shelf};
use reel_engine::progress::Monitor;
use reel_engine::restore::{RestoreOptions, restore};
use reel_engine::source::{Tree, TreeOptions};
use reel_formats::ese::page::checksum::{PageState, verify as page_state};
use reel_tape::layout::recipe::{PageRange, Recognised};
use reel_tests::memory::{Stream, back_up as back_up_streams, image_of, open, options, restore_and_compare};
use reel_workload::Store;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

fn back_up(shelf: &MemoryShelf, root: &Path) -> BackupReport {
    let tree = TreeOptions { classify: log_generation, ..TreeOptions::default() };
    let tree = Tree::new(&[root.to_owned()], tree).unwrap();
    let shelf: Arc<dyn Shelf> = Arc::new(shelf.clone());
    backup(&shelf, Box::new(tree), &options(), &Monitor::default()).unwrap()
}

#[test]
fn all_samples_come_back_equal_and_a_second_backup_adds_next_to_nothing() {
    let Some(root) =
        shared::path("all_samples_come_back_equal_and_a_second_backup_adds_next_to_nothing", "data/samples")
    else {
        return;
    };
    let shelf = MemoryShelf::default();
    let first = back_up(&shelf, &root);
    assert!(
        first.findings.is_empty() && first.changed.is_empty(),
        "{:?} {:?}",
        first.findings,
        first.changed
    );
    let second = back_up(&shelf, &root);
    assert_eq!((second.new_chunks, second.stored_bytes), (0, 0));
    let allowed = (first.medium_bytes / 200).max(128 << 10);
    assert!(second.medium_bytes < allowed, "{} bytes, allowed {allowed}", second.medium_bytes);

    let pool = open(image_of(&shelf), Catalogs::Cached).unwrap();
    for set in ["1", "2"] {
        let target = tempfile::tempdir().unwrap();
        let options = RestoreOptions { set: set.into(), ..RestoreOptions::default() };
        let report = restore(&pool, target.path(), &options, &Monitor::default()).unwrap();
        assert!(report.damaged.is_empty() && report.issues.is_empty(), "{report:?}");
        let (before, after) = (&root, target.path().join("samples"));
        let diff = std::process::Command::new("diff").arg("-r").arg(before).arg(after).output().unwrap();
        assert!(diff.status.success() && diff.stdout.is_empty(), "the trees differ");
    }
}

/// Page size and numbers of good, zero and bad pages of each database, as the table of the samples says.
fn stated_pages(readme: &str) -> BTreeMap<String, (u32, [u64; 3])> {
    let row = |line: &str| {
        let cells: Vec<_> = line.split('|').map(str::trim).collect();
        let pages = cells.get(8)?.split('/').map(|n| n.parse().ok()).collect::<Option<Vec<u64>>>()?;
        Some((cells[1].to_owned(), (cells[4].parse().ok()?, pages.try_into().ok()?)))
    };
    readme.lines().filter_map(row).collect()
}

#[test]
fn the_pages_of_sample_databases_are_counted_as_their_table_says() {
    let Some(root) =
        shared::path("the_pages_of_sample_databases_are_counted_as_their_table_says", "data/samples")
    else {
        return;
    };
    let stated = stated_pages(&std::fs::read_to_string(root.join("ese/README.md")).unwrap());
    assert!(stated.len() > 25, "{} rows", stated.len());
    let streams: Vec<_> =
        stated.keys().map(|name| Stream::file(name, shared::read(&root.join("ese").join(name)))).collect();
    let shelf = MemoryShelf::default();
    let report = back_up_streams(&shelf, &streams);
    assert_eq!(report.databases.len(), stated.len(), "every one is recognised");
    for database in &report.databases {
        let name = std::str::from_utf8(&database.stream).unwrap();
        let (page_size, [good, zero, bad]) = stated[name];
        let pages = &database.pages;
        assert_eq!(database.page_size, page_size, "{name}");
        assert_eq!(
            [pages.good, pages.zero, pages.bad + pages.past_end],
            [good, zero, bad],
            "{name}: {pages:?}"
        );
        assert!(!pages.header_bad && !pages.shadow_bad, "{name}");
        let foreign = PageRange { first: 143, count: 16, past_end: true };
        let expected = if name == "dissect-SRUDB.dat.zst" { vec![foreign] } else { vec![] };
        assert_eq!(pages.ranges, expected, "{name}");
    }
    let pool = open(image_of(&shelf), Catalogs::Cached).unwrap();
    let restored = restore_and_compare(&pool, pool.set(1).unwrap(), &streams).unwrap();
    assert_eq!(restored.iter().filter(|r| r.is_whole()).count(), streams.len());
}

#[test]
fn sqlite_samples_are_recognised_and_come_back_equal() {
    let Some(root) = shared::path("sqlite_samples_are_recognised_and_come_back_equal", "data/samples") else {
        return;
    };
    let mut streams = Vec::new();
    let mut folders: Vec<_> =
        std::fs::read_dir(root.join("sqlite-wal")).unwrap().map(|e| e.unwrap().path()).collect();
    folders.sort();
    for folder in folders.iter().filter(|f| f.is_dir()) {
        let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
        files.sort();
        for file in files {
            let name = file.strip_prefix(&root).unwrap().to_str().unwrap();
            streams.push(Stream::file(name, shared::read(&file)));
        }
    }
    let shelf = MemoryShelf::default();
    back_up_streams(&shelf, &streams);
    let pool = open(image_of(&shelf), Catalogs::Cached).unwrap();
    let mut databases = 0;
    list::streams(pool.set(1).unwrap(), |line| {
        let head = line.head.expect("every stream has its head");
        let name = String::from_utf8(head.name).unwrap();
        let bytes = &streams.iter().find(|s| s.name == name.as_bytes()).unwrap().bytes;
        // The header says the page size, 1 standing for 65,536 (SQLite file format, section 1.3.2).
        let expected = bytes.starts_with(b"SQLite format 3\0").then(|| {
            match u16::from_be_bytes([bytes[16], bytes[17]]) {
                1 => 65_536,
                size => u32::from(size),
            }
        });
        databases += u32::from(expected.is_some());
        assert_eq!(head.recognised, expected.map_or(Recognised::Nothing, Recognised::Sqlite), "{name}");
        Ok(())
    })
    .unwrap();
    assert!(databases > 10, "{databases}");
    let restored = restore_and_compare(&pool, pool.set(1).unwrap(), &streams).unwrap();
    assert_eq!(restored.iter().filter(|r| r.is_whole()).count(), streams.len());
}

#[test]
fn flipped_bytes_in_three_pages_are_reported_as_exactly_these_pages_and_restored_as_read() {
    for page_size in [4096u32, 32_768] {
        let size = page_size as usize;
        let store = Store::new(5, 200 * u64::from(page_size)).with_page_size(page_size);
        let mut bytes = vec![0; store.len() as usize];
        store.read_at(&mut bytes, 0);
        let page = |number: u32| (number as usize + 1) * size;
        let good: Vec<u32> = (1..store.len() as u32 / page_size - 1)
            .filter(|number| page_state(&bytes[page(*number)..][..size], *number) == PageState::Good)
            .collect();
        let damaged = [good[3], good[good.len() / 2], good[good.len() - 2]];
        for (at, number) in damaged.iter().enumerate() {
            bytes[page(*number) + 100 + 977 * at] ^= 0xFF;
        }
        let streams = [Stream::file("store.edb", bytes)];
        let shelf = MemoryShelf::default();
        let report = back_up_streams(&shelf, &streams);
        assert!(report.has_findings());
        let pages = &report.databases[0].pages;
        assert_eq!((pages.bad, pages.past_end, pages.good), (3, 0, good.len() as u64 - 3));
        let expected = damaged.map(|first| PageRange { first, count: 1, past_end: false });
        assert_eq!(pages.ranges, expected);

        let pool = open(image_of(&shelf), Catalogs::Scanned).unwrap();
        let restored = restore_and_compare(&pool, pool.set(1).unwrap(), &streams).unwrap();
        assert!(restored[0].is_whole());
        assert_eq!(restored[0].plan.end.as_ref().unwrap().pages.ranges, expected, "the set keeps them");
    }
}

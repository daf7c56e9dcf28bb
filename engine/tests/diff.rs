//! Two databases, page by page: as files, as streams of sets, and where something of a set is lost.

mod stored;

use reel_engine::Class;
use reel_engine::diff::{Diff, DiffOptions, PageList, Side, diff};
use reel_engine::memory::Memory;
use reel_engine::pool::{MemoryShelf, Pool};
use reel_engine::progress::Monitor;
use reel_engine::restore::read_at::StoredStream;
use std::path::Path;
use std::sync::Arc;
use stored::{PAGE, back_up, database, database_of, open};

const OPTIONS: DiffOptions = DiffOptions { threads: 2, trees: false };

fn of_files(folder: &Path, a: &[u8], b: &[u8]) -> Diff {
    let side = |name: &str, bytes: &[u8]| {
        let path = folder.join(name);
        std::fs::write(&path, bytes).unwrap();
        Side::file(&path).unwrap()
    };
    diff(&side("a", a), &side("b", b), OPTIONS, &Monitor::default()).unwrap()
}

fn side(pool: &Arc<Pool>, set: &str) -> Side {
    let stream = StoredStream::open(pool, set, b"store.edb", Memory::DEFAULT).unwrap();
    Side::stream(Arc::new(stream)).unwrap()
}

/// A pool with a set for each of the files.
fn pool_of(folder: &Path, days: &[Vec<u8>]) -> MemoryShelf {
    let (shelf, path) = (MemoryShelf::default(), folder.join("store.edb"));
    for day in days {
        std::fs::write(&path, day).unwrap();
        back_up(&shelf, &path);
    }
    shelf
}

fn numbers(list: &PageList) -> Vec<u32> {
    list.ranges.iter().flat_map(|pages| pages.first..pages.first + pages.count).collect()
}

/// The pages in which two files differ, by comparing them.
fn differing(a: &[u8], b: &[u8], size: usize) -> Vec<u32> {
    let pages = a.chunks(size).zip(b.chunks(size)).enumerate().skip(2);
    pages.filter(|(_, (a, b))| a != b).map(|(page, _)| page as u32 - 1).collect()
}

#[test]
fn pages_that_differ_and_pages_of_one_side_only_are_listed_by_number() {
    let folder = tempfile::tempdir().unwrap();
    let (mut a, b) = (database(500, 0), database(700, 0));
    // Behind its last whole page a file may have a part of one.
    a.extend([1; 100]);
    a[45 * PAGE] = 1;
    a[100 * PAGE + 9] ^= 1;
    a[101 * PAGE + 9] ^= 1;
    let found = of_files(folder.path(), &a, &b);
    assert_eq!((found.page_size, found.compared, found.header), (PAGE as u32, 499, false));
    assert_eq!(numbers(&found.differing), [44, 99, 100, 499]);
    assert_eq!(found.differing.ranges.len(), 3);
    assert_eq!((numbers(&found.only_a), numbers(&found.only_b)), (vec![], (500..699).collect()));
    assert!(of_files(folder.path(), &b, &b).is_empty());

    let mut header = b.clone();
    header[PAGE + 1000] ^= 1;
    let found = of_files(folder.path(), &b, &header);
    assert!((found.header, found.shadow_header) == (false, true) && !found.is_empty());
    assert_eq!(found.differing.pages, 0);
}

#[test]
fn sets_are_compared_as_their_files_are_without_reading_them() {
    let folder = tempfile::tempdir().unwrap();
    let days: Vec<_> = (0..3).map(|day| database(2000, day)).collect();
    let pool = open(&pool_of(folder.path(), &days));
    for (a, b) in [(0, 0), (0, 1), (0, 2), (2, 1)] {
        let (left, right) = (side(&pool, &(a + 1).to_string()), side(&pool, &(b + 1).to_string()));
        let found = diff(&left, &right, OPTIONS, &Monitor::default()).unwrap();
        assert_eq!(numbers(&found.differing), differing(&days[a], &days[b], PAGE));
        assert_eq!(found.is_empty(), a == b);
        assert_eq!([left, right].map(|side| side.stats().unwrap().stored_bytes), [0, 0]);
    }
}

#[test]
fn pages_smaller_than_a_chunk_are_read_and_compared_one_by_one() {
    let folder = tempfile::tempdir().unwrap();
    let days: Vec<_> = (0..2).map(|day| database_of(2048, 1000, day)).collect();
    let shelf = pool_of(folder.path(), &days);
    let pool = open(&shelf);
    let compare = |pool: &Arc<Pool>| {
        let path = folder.path().join("yesterday.edb");
        std::fs::write(&path, &days[0]).unwrap();
        diff(&Side::file(&path).unwrap(), &side(pool, "2"), OPTIONS, &Monitor::default()).unwrap()
    };
    let whole = compare(&pool);
    assert_eq!(numbers(&whole.differing), differing(&days[0], &days[1], 2048));
    assert_eq!(whole.unknown.pages, 0);

    // A damaged block: the pages in it cannot be compared, and that is said of no others.
    let mut image = shelf.images().remove(0);
    let middle = image.len() / 2;
    image[middle] ^= 1;
    let hit = compare(&open(&MemoryShelf::with_image(image)));
    assert!((1..=2 * 128).contains(&hit.unknown.pages), "{} pages", hit.unknown.pages);
    let (lost, found) = (numbers(&hit.unknown), numbers(&hit.differing));
    let expected = numbers(&whole.differing).into_iter().filter(|page| !lost.contains(page));
    assert_eq!(found, expected.collect::<Vec<_>>());
    assert!(!hit.is_empty());
}

#[test]
fn what_cannot_be_compared_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| {
        std::fs::write(folder.path().join(name), bytes).unwrap();
        folder.path().join(name)
    };
    let small = Side::file(&write("small", &database_of(2048, 100, 0))).unwrap();
    let large = Side::file(&write("large", &database_of(8192, 100, 0))).unwrap();
    let error = diff(&small, &large, OPTIONS, &Monitor::default()).unwrap_err();
    assert!(error.class() == Class::Argument && error.to_string().contains("2048"), "{error}");
    assert!(Side::file(&write("text", &vec![b'x'; 100_000])).is_err());

    let shelf = MemoryShelf::default();
    back_up(&shelf, &folder.path().join("text"));
    let stream = StoredStream::open(&open(&shelf), "latest", b"text", Memory::DEFAULT).unwrap();
    assert_eq!(Side::stream(Arc::new(stream)).err().unwrap().class(), Class::Argument);

    let monitor = Monitor::default();
    monitor.cancel();
    assert_eq!(diff(&small, &small, OPTIONS, &monitor).unwrap_err().class(), Class::Cancelled);
}

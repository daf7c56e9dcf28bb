//! Streams of a set, read anywhere: the same bytes as the file, few movements, and damage that costs only what it hits.

mod stored;

use reel_engine::memory::Memory;
use reel_engine::pool::{MemoryShelf, Pool};
use reel_engine::restore::read_at::{Promise, StoredStream};
use reel_engine::{Class, digest};
use reel_formats::ese::database::DatabaseFile;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use stored::{Dice, PAGE, back_up, database, open};

const NAMES: [&str; 3] = ["tree/store.edb", "tree/noise", "tree/sparse"];

/// Backs up three days into one pool in memory and gives each day's files, in the order of [`NAMES`].
fn three_days(folder: &Path) -> (MemoryShelf, Vec<Vec<Vec<u8>>>) {
    let (shelf, root) = (MemoryShelf::default(), folder.join("tree"));
    std::fs::create_dir_all(&root).unwrap();
    let mut days = Vec::new();
    for day in 0..3 {
        std::fs::write(root.join("store.edb"), database(2000, day)).unwrap();
        let mut noise = Dice(5).bytes(3_000_000);
        noise.splice(1_000_000..1_000_000, Dice(day + 9).bytes(50_000 * day as usize));
        std::fs::write(root.join("noise"), noise).unwrap();
        let sparse = std::fs::File::create(root.join("sparse")).unwrap();
        sparse.set_len(40_000_000).unwrap();
        sparse.write_all_at(&Dice(day).bytes(100_000), 12_345_678).unwrap();
        days.push(NAMES.map(|name| std::fs::read(folder.join(name)).unwrap()).to_vec());
        back_up(&shelf, &root);
    }
    (shelf, days)
}

fn stream(pool: &Arc<Pool>, set: usize, name: &str) -> StoredStream {
    StoredStream::open(pool, &set.to_string(), name.as_bytes(), Memory::DEFAULT).unwrap()
}

#[test]
fn any_range_of_any_day_holds_the_bytes_of_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let (shelf, days) = three_days(folder.path());
    let pool = open(&shelf);
    for (set, files) in (1..).zip(&days) {
        for (name, file) in NAMES.iter().zip(files) {
            let stored = stream(&pool, set, name);
            assert_eq!(stored.len(), file.len() as u64);
            let mut dice = Dice(set as u64);
            for round in 0..300 {
                let offset = dice.below(file.len() as u64 + 100) as usize;
                let offset = if round % 3 == 0 { offset / PAGE * PAGE } else { offset };
                let mut buffer = vec![1; if round % 3 == 0 { PAGE } else { dice.below(200_000) as usize }];
                let expected = file.get(offset..).unwrap_or_default();
                let expected = &expected[..expected.len().min(buffer.len())];
                assert_eq!(stored.read_at(offset as u64, &mut buffer).unwrap(), expected.len());
                assert!(&buffer[..expected.len()] == expected, "set {set}, {name}, byte {offset}");
            }
            assert_eq!(stored.read_at(u64::MAX, &mut [0; 10]).unwrap(), 0);
        }
    }
}

#[test]
fn a_page_costs_its_frame_and_a_page_beside_it_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (shelf, _) = three_days(folder.path());
    let stored = stream(&open(&shelf), 3, NAMES[0]);
    let mut page = [0; PAGE];
    assert_eq!(stored.stats().stored_bytes, 0);
    stored.read_at(500 * PAGE as u64, &mut page).unwrap();
    let first = stored.stats();
    assert_eq!((first.locates, first.frames), (1, 1));
    assert!(first.stored_bytes <= (256 << 10) + 3 * 16384, "{first:?}");
    stored.read_at(500 * PAGE as u64, &mut page).unwrap();
    assert_eq!(stored.stats(), first);
    // Zeros are not on the medium.
    stored.read_at(45 * PAGE as u64, &mut page).unwrap();
    assert_eq!(stored.stats(), first);
}

#[test]
fn pages_that_are_expected_are_fetched_in_the_order_of_the_medium() {
    let folder = tempfile::tempdir().unwrap();
    let (shelf, days) = three_days(folder.path());
    let pool = open(&shelf);
    let pages: Vec<u64> = (0..2000).rev().collect();
    let range = |page: &u64| page * PAGE as u64..(page + 1) * PAGE as u64;
    let read_all = |stored: &StoredStream| {
        for page in &pages {
            let mut bytes = [0; PAGE];
            stored.read_at(range(page).start, &mut bytes).unwrap();
            assert!(bytes == days[2][0][*page as usize * PAGE..][..PAGE], "page {page}");
        }
        stored.stats()
    };
    let unexpected = read_all(&stream(&pool, 3, NAMES[0]));
    let stored = stream(&pool, 3, NAMES[0]);
    stored.expect(&pages.iter().map(range).collect::<Vec<_>>()).unwrap();
    let fetched = stored.stats();
    let expected = read_all(&stored);
    assert_eq!(expected, fetched, "everything was fetched at once");
    // Three sets on one volume: each is gone to at most once.
    assert!(expected.locates <= 3, "{expected:?}");
    assert!(unexpected.locates > 10, "{unexpected:?}");
}

#[test]
fn short_gaps_are_read_through_and_long_ones_are_located_over() {
    let folder = tempfile::tempdir().unwrap();
    let (shelf, _) = three_days(folder.path());
    let pool = open(&shelf);
    let fetch = |pages: &[u64]| {
        let stored = stream(&pool, 1, NAMES[0]);
        let range = |page: &u64| page * PAGE as u64..(page + 1) * PAGE as u64;
        stored.expect(&pages.iter().map(range).collect::<Vec<_>>()).unwrap();
        stored.stats()
    };
    let near = fetch(&[100, 300, 500, 700]);
    assert_eq!((near.locates, near.frames), (1, 4), "{near:?}");
    assert!(near.stored_bytes > 600 * PAGE as u64, "{near:?}");
    let far = fetch(&[100, 1000, 1900]);
    assert_eq!((far.locates, far.frames), (3, 3), "{far:?}");
    assert!(far.stored_bytes < 300 * PAGE as u64, "{far:?}");
}

#[test]
fn what_does_not_fit_into_the_memory_is_fetched_when_its_turn_comes() {
    let folder = tempfile::tempdir().unwrap();
    let (shelf, root) = (MemoryShelf::default(), folder.path().join("big"));
    // More than the quarter of the smallest memory.
    let pages = 10_000;
    std::fs::write(&root, database(pages, 0)).unwrap();
    back_up(&shelf, &root);
    let memory = Memory::new(Memory::SMALLEST).unwrap();
    let stored = StoredStream::open(&open(&shelf), "latest", b"big", memory).unwrap();
    let order: Vec<u64> = (0..pages as u64).map(|at| at * 3779 % pages as u64).collect();
    let range = |page: &u64| page * PAGE as u64..(page + 1) * PAGE as u64;
    stored.expect(&order.iter().map(range).collect::<Vec<_>>()).unwrap();
    let fetched = stored.stats().frames;
    assert!((1..=24 << 2).contains(&fetched), "{fetched} frames");
    let expected = database(pages, 0);
    for page in &order[..2000] {
        let mut bytes = [0; PAGE];
        stored.read_at(range(page).start, &mut bytes).unwrap();
        assert!(bytes == expected[*page as usize * PAGE..][..PAGE], "page {page}");
    }
}

#[test]
fn a_damaged_block_costs_the_pages_in_it_and_no_others() {
    let folder = tempfile::tempdir().unwrap();
    let (shelf, days) = three_days(folder.path());
    let image = shelf.images().remove(0);
    let mut hit = 0;
    for share in [0.3, 0.5, 0.7] {
        let mut image = image.clone();
        let at = (image.len() as f64 * share) as usize;
        image[at] ^= 0x10;
        let pool = open(&MemoryShelf::with_image(image));
        let stored = stream(&pool, 3, NAMES[0]);
        let mut failed = Vec::new();
        for (page, expected) in days[2][0].chunks(PAGE).enumerate() {
            let mut bytes = [0; PAGE];
            match stored.read_at((page * PAGE) as u64, &mut bytes) {
                Ok(_) => assert!(bytes == expected, "page {page}"),
                Err(error) => failed.push((page, error.to_string())),
            }
        }
        // A block of 16 KiB that ends one frame and begins the next costs both.
        assert!(failed.len() <= 2 * 64, "{} pages", failed.len());
        hit += failed.len();
        for (page, why) in failed {
            assert!(why.starts_with("memory: object "), "page {page}: {why}");
        }
    }
    assert!(hit > 0, "no damage hit the stream");
}

#[test]
fn the_catalogs_promise_the_digests_of_all_pages_without_reading_one() {
    let folder = tempfile::tempdir().unwrap();
    let (shelf, days) = three_days(folder.path());
    let stored = stream(&open(&shelf), 2, NAMES[0]);
    let mut next = 0;
    let each = |at: u64, length: u64, promise| {
        assert_eq!(at, next);
        next += length;
        let bytes = &days[1][0][at as usize..next as usize];
        match promise {
            Promise::Chunk(expected) => assert!(bytes.len() == PAGE && digest::of(bytes) == expected),
            Promise::Zeros => assert!(bytes.iter().all(|byte| *byte == 0)),
            Promise::Unknown => panic!("nothing is lost"),
        }
        Ok(())
    };
    stored.promises(0..stored.len(), each).unwrap();
    assert_eq!((next, stored.stats().stored_bytes), (stored.len(), 0));
}

#[test]
fn a_name_that_is_not_there_is_answered_with_those_that_are_near() {
    let folder = tempfile::tempdir().unwrap();
    let (shelf, _) = three_days(folder.path());
    let pool = open(&shelf);
    for (name, near) in
        [("store.edb", "near are tree/store.edb"), ("tree/nothing", "its databases are tree/store.edb")]
    {
        let error = StoredStream::open(&pool, "latest", name.as_bytes(), Memory::DEFAULT).err().unwrap();
        assert_eq!(error.class(), Class::Argument);
        assert!(error.to_string().contains(near), "{error}");
    }
    assert!(StoredStream::open(&pool, "latest", b"tree", Memory::DEFAULT).is_err(), "a folder has no bytes");
    assert!(StoredStream::open(&pool, "9", b"tree/noise", Memory::DEFAULT).is_err());
}

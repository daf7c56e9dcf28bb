//! What a store promises: the same bytes by every way, valid pages, and days that differ by as much as was asked for.

use std::collections::HashMap;
use std::fs;

use reel_formats::ese::page::checksum::{self, PageState};
use reel_workload::Store;

const PAGE_SIZES: [u32; 4] = [4096, 8192, 16384, 32768];
const MIB: u64 = 1 << 20;

/// The bytes of a store's file, as `write_to` makes it.
fn written(store: &Store) -> Vec<u8> {
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    store.write_to(file.as_file()).expect("the store is written");
    fs::read(file.path()).expect("the store is read back")
}

fn pages(store: &Store, bytes: &[u8]) -> Vec<Vec<u8>> {
    bytes.chunks(store.page_size() as usize).map(<[u8]>::to_vec).collect()
}

/// A store and the next two days of it.
fn three_days(page_size: u32) -> [Store; 3] {
    let first = Store::new(11, 8 * MIB).with_page_size(page_size);
    let second = first.next_day(30, 25);
    let third = second.next_day(50, 40);
    [first, second, third]
}

#[test]
fn the_same_calls_give_the_same_bytes_and_another_seed_gives_others() {
    let store = |seed| written(&Store::new(seed, 4 * MIB).with_page_size(4096).next_day(30, 30));
    assert_eq!(store(1), store(1));
    assert_ne!(store(1), store(2));
}

#[test]
fn reading_at_any_offset_gives_the_bytes_of_the_file_and_zeros_behind_it() {
    for store in PAGE_SIZES.map(|size| three_days(size)[2].clone()) {
        let file = written(&store);
        assert_eq!(file.len() as u64, store.len());
        for (offset, length) in [(0, 100_000), (1, 4095), (65_535, 70_003), (store.len() - 5000, 5000)] {
            let mut read = vec![1; length];
            store.read_at(&mut read, offset);
            assert!(read == file[offset as usize..][..length], "{length} bytes at {offset}");
        }
        let mut read = vec![1; 20];
        store.read_at(&mut read, store.len() - 10);
        assert_eq!(read[10..], [0; 10]);
    }
}

#[test]
fn an_updated_file_equals_a_fresh_one_over_one_day_and_over_two() {
    for size in PAGE_SIZES {
        let [first, second, third] = three_days(size);
        let (day, days) = (tempfile::NamedTempFile::new().unwrap(), tempfile::NamedTempFile::new().unwrap());
        for file in [&day, &days] {
            first.write_to(file.as_file()).unwrap();
        }
        second.update_file(&first, day.as_file()).unwrap();
        assert!(fs::read(day.path()).unwrap() == written(&second));
        third.update_file(&second, day.as_file()).unwrap();
        third.update_file(&first, days.as_file()).unwrap();
        assert!(fs::read(day.path()).unwrap() == written(&third));
        assert!(fs::read(days.path()).unwrap() == written(&third));
    }
}

#[test]
fn the_largest_store_of_each_page_size_can_be_read_without_a_file() {
    for size in PAGE_SIZES {
        let store = Store::new(1, u64::MAX).with_page_size(size).next_day(10, 10);
        let length = size as usize;
        let places = [0, 2, 3, 5, 33, 34, 36, 37, 39, 40, 5_000, 70_001].map(|page| page * u64::from(size));
        for offset in places.into_iter().chain((1..40).map(|back| store.len() - back * u64::from(size))) {
            let mut page = vec![0; length];
            store.read_at(&mut page, offset);
            let number = (offset / u64::from(size)) as u32;
            if number > 1 {
                let state = checksum::verify(&page, number - 1);
                assert!(matches!(state, PageState::Good | PageState::Zero), "page {}: {state:?}", number - 1);
            }
        }
    }
}

#[test]
fn a_file_is_not_updated_from_a_store_of_another_history() {
    let store = Store::new(1, 4 * MIB).next_day(30, 0);
    let file = tempfile::tempfile().unwrap();
    for other in [Store::new(2, 4 * MIB), Store::new(1, 4 * MIB).next_day(31, 0), store.next_day(1, 1)] {
        assert!(store.update_file(&other, &file).is_err());
    }
}

#[test]
fn every_page_of_every_day_verifies() {
    for store in PAGE_SIZES.iter().flat_map(|&size| three_days(size)) {
        let bytes = written(&store);
        let pages = pages(&store, &bytes);
        assert_eq!(pages[0], pages[1]);
        assert_eq!(checksum::header_xor(&pages[0]).to_le_bytes(), pages[0][..4]);
        let mut zero = 0;
        for (page, number) in pages[2..].iter().zip(1..) {
            match checksum::verify(page, number) {
                PageState::Good => {}
                PageState::Zero => zero += 1,
                other => panic!("page {number} of {}: {other:?}", store.page_size()),
            }
        }
        assert!(zero > 0);
    }
}

#[test]
fn changed_pages_are_those_that_differ_and_about_as_many_as_asked_for() {
    for size in PAGE_SIZES {
        let before = Store::new(3, 40 * MIB).with_page_size(size);
        for (per_mille, grown) in [(30, 0), (200, 20)] {
            let after = before.next_day(per_mille, grown);
            let (old, new) = (pages(&before, &written(&before)), pages(&after, &written(&after)));
            let differing: Vec<u32> = (1..)
                .zip(old[2..].iter().zip(&new[2..]))
                .filter(|(_, (a, b))| a != b)
                .map(|(page, _)| page)
                .collect();
            assert_eq!(after.changed_pages().collect::<Vec<_>>(), differing);
            // Leaves are about 95 of 100 pages; chance may move the count by four standard deviations.
            let expected = 0.95 * old.len() as f64 * f64::from(per_mille) / 1000.0;
            let off = (differing.len() as f64 - expected).abs();
            assert!(off < 4.0 * expected.sqrt(), "{} of {} pages of {size}", differing.len(), old.len());
            assert_eq!(new.len(), old.len() + old.len() * grown as usize / 1000);
        }
    }
}

#[test]
fn most_bytes_of_a_changed_page_stay_as_they_were() {
    let [first, second, _] = three_days(32768);
    let (old, new) = (pages(&first, &written(&first)), pages(&second, &written(&second)));
    for page in second.changed_pages() {
        let (old, new) = (&old[page as usize + 1], &new[page as usize + 1]);
        let same = old.iter().zip(new).filter(|(a, b)| a == b).count();
        assert!(same > 31_000, "page {page}: {same} bytes are the same");
    }
}

#[test]
fn groups_of_256_kib_compress_as_a_mail_store_does() {
    let bytes = written(&Store::new(5, 64 * MIB));
    let packed: usize =
        bytes.chunks(256 << 10).map(|group| zstd::bulk::compress(group, 1).unwrap().len()).sum();
    let ratio = bytes.len() as f64 / packed as f64;
    assert!((2.2..2.8).contains(&ratio), "{ratio}");
}

#[test]
fn no_page_is_the_copy_of_another_though_chunks_are() {
    let store = Store::new(5, 64 * MIB);
    let bytes = written(&store);
    let mut seen: HashMap<&[u8], usize> = HashMap::new();
    let mut copied_chunks = 0;
    for page in bytes.chunks(32768).skip(2).filter(|page| page.iter().any(|&byte| byte != 0)) {
        assert!(seen.insert(page, 0).is_none());
        // A piece from the middle of each of the four slots of a long-value leaf.
        if page[36] & 0x82 == 0x82 {
            let cuts = (0..4).map(|slot| &page[80 + 8164 * slot + 100..][..7000]);
            copied_chunks += cuts.filter(|cut| seen.insert(cut, 1).is_some()).count();
        }
    }
    assert!(copied_chunks > 100, "{copied_chunks}");
}

#[test]
fn the_logs_of_two_days_are_the_same_whether_written_at_once_or_in_parts() {
    let day = Store::new(4, 8 * MIB).with_logs(1, 3 * MIB).next_day(30, 20).with_logs(4, 5 * MIB);
    let (whole, parts) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let logs = day.logs();
    assert_eq!((logs.first(), logs.last()), (4, 8));
    let paths = logs.write_to(whole.path(), 0, u32::MAX).unwrap();
    for generation in logs.first()..=logs.last() {
        assert_eq!(logs.write_to(parts.path(), generation, generation).unwrap().len(), 1);
    }
    assert_eq!(paths.len(), 5);
    for path in paths {
        let other = parts.path().join(path.file_name().unwrap());
        assert!(fs::read(&path).unwrap() == fs::read(other).unwrap(), "{}", path.display());
    }
}

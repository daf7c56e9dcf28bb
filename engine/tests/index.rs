//! The index against a plain map: newest name first, the bound, and caches in any state.

use proptest::prelude::*;
use reel_engine::digest::Digest;
use reel_engine::index::{Index, IndexedSets, Name, renew};
use reel_engine::pool::catalog::CatalogWriter;
use reel_engine::pool::{Catalog, SetInfo, SetStatus};
use reel_tape::layout::record::{RecordKind, append_plain};
use reel_tape::layout::segment::{ChunkEntry, FrameEntry, Place, Segment};
use reel_tape::layout::set::SetHead;
use reel_tape::layout::trailer::Trailer;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use uuid::Uuid;

/// Digests of a set, by segment, and whether the segment is trusted.
type Set = Vec<(Vec<u16>, bool)>;

/// A digest; numbers that leave the same rest share their fingerprint.
fn digest(number: u16) -> Digest {
    let mut digest = [0x5a; 32];
    digest[..8].copy_from_slice(&blake3_start(number % 1000));
    digest[8..10].copy_from_slice(&number.to_le_bytes());
    digest
}

fn blake3_start(number: u16) -> [u8; 8] {
    *reel_engine::digest::of(&number.to_le_bytes()).first_chunk().unwrap()
}

fn catalog(folder: Option<&Path>, set: u32, segments: &Set) -> Arc<Catalog> {
    let mut writer = CatalogWriter::create(folder, set).unwrap();
    for (number, (chunks, trusted)) in (0..).zip(segments) {
        if chunks.is_empty() {
            continue;
        }
        let place = Place { part: 0, index: 1, offset: 0 };
        let table = Segment {
            set,
            segment: number,
            input: 1,
            chunks: chunks.iter().map(|c| ChunkEntry::plain(digest(*c), 1)).collect(),
            frames: vec![FrameEntry::new(0, chunks.len() as u32, place, 9)],
        };
        let mut record = Vec::new();
        append_plain(&mut record, RecordKind::Segment, &[&table.encode()]);
        writer.segment(&record, &table, *trusted).unwrap();
    }
    let head = SetHead {
        set,
        part: 0,
        session: 77,
        started: 0,
        checkpoint: 1,
        block_size: 4096,
        name: String::new(),
        host: String::new(),
        software: String::new(),
    };
    let crc = segments.iter().flat_map(|s| &s.0).fold(0, |sum: u32, c| sum.wrapping_mul(31) + u32::from(*c));
    let trailer = Trailer { set, catalog_crc: crc, ..Trailer::default() };
    let info = SetInfo {
        head,
        volume: "volume".into(),
        header_object: 2,
        end_object: 9,
        status: SetStatus::Complete,
        end: None,
        trailer: Some(trailer),
    };
    Arc::new(writer.finish(info).unwrap())
}

fn pool(folder: Option<&Path>, sets: &[Set]) -> IndexedSets {
    let catalogs = (1..).zip(sets).map(|(number, set)| catalog(folder, number, set)).collect();
    IndexedSets { pool: Uuid::from_u128(5), catalogs, folder: folder.map(PathBuf::from) }
}

/// What the design says, and how many chunks it leaves out.
fn model(sets: &[Set], capacity: usize) -> (HashMap<u16, Name>, u64) {
    let mut names = HashMap::new();
    let mut count = 0;
    for (set, segments) in sets.iter().enumerate().rev() {
        for (segment, (chunks, _)) in segments.iter().enumerate().rev().filter(|(_, (_, trusted))| *trusted) {
            for (index, chunk) in chunks.iter().enumerate().rev() {
                if count < capacity {
                    let name = Name { set: set as u32 + 1, segment: segment as u32, index: index as u32 };
                    names.entry(*chunk).or_insert(name);
                }
                count += 1;
            }
        }
    }
    (names, count.saturating_sub(capacity) as u64)
}

fn hold_against_the_model(index: &mut Index, sets: &[Set], capacity: usize) {
    let (names, outside) = model(sets, capacity);
    assert_eq!(index.left_out(), outside);
    // Three times: as they come, backwards, and in the order of the chunks, which uses stretches.
    let in_order = sets.iter().flatten().flat_map(|(chunks, _)| chunks.iter().copied());
    for chunk in (0..3000).chain((0..3000).rev()).chain(in_order) {
        assert_eq!(index.find(&digest(chunk)).unwrap(), names.get(&chunk).copied(), "chunk {chunk}");
    }
}

fn sets() -> impl Strategy<Value = Vec<Set>> {
    let segment = (prop::collection::vec(0u16..3000, 0..300), prop::bool::weighted(0.9));
    prop::collection::vec(prop::collection::vec(segment, 0..4), 0..9)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn every_digest_has_its_newest_name_within_the_bound(sets in sets(), capacity in prop::option::of(0usize..2000)) {
        let capacity = capacity.unwrap_or(1 << 20);
        let share = (capacity * 10).div_ceil(8) as u64;
        let set = sets.len() as u32 + 1;
        for folder in [None, Some(tempfile::tempdir().unwrap())] {
            let sets_of = || pool(folder.as_ref().map(tempfile::TempDir::path), &sets);
            // The capacity of a share that is rounded up.
            let capacity = (share * 8 / 10) as usize;
            for _ in 0..2 {
                let mut index = Index::open(sets_of(), set, share).unwrap();
                hold_against_the_model(&mut index, &sets, capacity);
            }
        }
    }

    #[test]
    fn new_chunks_are_found_in_the_order_of_their_claim(
        sets in sets(),
        new in prop::collection::vec(0u16..3000, 0..400),
        room in 0usize..300,
    ) {
        let (mut names, _) = model(&sets, usize::MAX);
        let count: usize = sets.iter().flatten().filter(|(_, trusted)| *trusted).map(|(c, _)| c.len()).sum();
        let share = (count * 10).div_ceil(8) + room * 22;
        let set = sets.len() as u32 + 1;
        let mut index = Index::open(pool(None, &sets), set, share as u64).unwrap();
        let mut left_out = 0;
        let mut added = 0;
        for (number, chunk) in (0..).zip(new) {
            prop_assert_eq!(index.find(&digest(chunk)).unwrap(), names.get(&chunk).copied());
            if names.contains_key(&chunk) {
                continue;
            }
            let is_in = index.add(&digest(chunk), number / 7, number % 7).unwrap();
            prop_assert_eq!(is_in, added < room);
            if is_in {
                names.insert(chunk, Name { set, segment: number / 7, index: number % 7 });
                added += 1;
            } else {
                left_out += 1;
            }
            prop_assert_eq!(index.left_out(), left_out);
        }
    }
}

fn days(count: u16) -> Vec<Set> {
    (0..count)
        .map(|day| vec![((0..600 >> (day % 4)).map(|i| (i * 7 + day * 131) % 3000).collect(), true)])
        .collect()
}

fn files(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = entries.filter(|name| name.starts_with("chunks-")).collect();
    names.sort();
    names
}

#[test]
fn whatever_state_the_files_are_in_the_answers_are_the_same() {
    let sets = days(6);
    let folder = tempfile::tempdir().unwrap();
    let other = tempfile::tempdir().unwrap();
    renew(&pool(Some(other.path()), &days(7)[1..]));
    type Change = (&'static str, fn(&Path, &Path));
    let changes: [Change; 6] = [
        ("nothing", |_, _| {}),
        ("cut", |file, _| {
            let bytes = std::fs::read(file).unwrap();
            std::fs::write(file, &bytes[..bytes.len() / 2]).unwrap();
        }),
        ("empty", |file, _| std::fs::write(file, b"").unwrap()),
        ("a block damaged", |file, _| {
            let mut bytes = std::fs::read(file).unwrap();
            bytes[100] ^= 1;
            std::fs::write(file, &bytes).unwrap();
        }),
        ("gone", |file, _| std::fs::remove_file(file).unwrap()),
        ("of other sets", |file, other| {
            let first = files(other).remove(0);
            std::fs::copy(other.join(first), file).unwrap();
        }),
    ];
    for (what, change) in changes {
        for upto in 1..=sets.len() {
            renew(&pool(Some(folder.path()), &sets[..upto]));
            for name in files(folder.path()) {
                change(&folder.path().join(name), other.path());
            }
            let mut index = Index::open(pool(Some(folder.path()), &sets[..upto]), 99, 1 << 20).unwrap();
            hold_against_the_model(&mut index, &sets[..upto], 1 << 20);
        }
        eprintln!("{what}: {:?}", files(folder.path()));
    }
}

#[test]
fn a_merge_that_was_killed_between_its_steps_is_finished_by_the_next_run() {
    let sets = days(5);
    let folder = tempfile::tempdir().unwrap();
    let keep = tempfile::tempdir().unwrap();
    // Every file that ever stood there, as if no merged one had been removed.
    for upto in 1..=sets.len() {
        renew(&pool(Some(folder.path()), &sets[..upto]));
        for name in files(folder.path()) {
            std::fs::copy(folder.path().join(&name), keep.path().join(&name)).unwrap();
        }
    }
    let finished = files(folder.path());
    assert!(files(keep.path()).len() > finished.len());
    for name in files(keep.path()) {
        std::fs::copy(keep.path().join(&name), folder.path().join(&name)).unwrap();
    }
    // What a killed run was writing.
    std::fs::write(folder.path().join("chunks-abcdef.new"), b"half").unwrap();
    let mut index = Index::open(pool(Some(folder.path()), &sets), 6, 1 << 20).unwrap();
    hold_against_the_model(&mut index, &sets, 1 << 20);
    assert_eq!(files(folder.path()), finished);
}

#[test]
fn the_number_of_files_grows_with_the_logarithm_of_the_pool() {
    let folder = tempfile::tempdir().unwrap();
    let sets = days(40);
    for upto in 1..=sets.len() {
        renew(&pool(Some(folder.path()), &sets[..upto]));
        assert!(files(folder.path()).len() <= 8, "{:?}", files(folder.path()));
    }
}

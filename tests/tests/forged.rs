//! Blocks that are lost, and blocks that are good in themselves but wrong where they stand.

use reel_engine::backup::BackupOptions;
use reel_engine::memory::Memory;
use reel_engine::plan::Plan;
use reel_engine::pool::{Catalogs, MemoryShelf, Pool};
use reel_engine::progress::Monitor;
use reel_engine::restore::{RestoreOptions, restore};
use reel_engine::verify::{VerifyReport, verify};
use reel_tape::layout::block::{BlockHeader, BlockKind, HEADER_LEN};
use reel_tape::layout::recipe::{Fragment, Run, StreamHead};
use reel_tape::layout::record::RecordKind;
use reel_tests::image::{Image, Object};
use reel_tests::memory::{
    Stream, back_up, back_up_with, image_of, noise, open, options, restore_and_compare,
};
use reel_tests::small::{self, Small};
use std::sync::Arc;
use uuid::Uuid;

const BOTH: [Catalogs; 2] = [Catalogs::Cached, Catalogs::Scanned];

fn heads(pool: &Arc<Pool>, set: u32) -> Vec<StreamHead> {
    let plan = Plan::new(pool, pool.set(set).unwrap(), Memory::DEFAULT, |_| true).unwrap();
    plan.streams.into_iter().map(|s| s.head).collect()
}

fn check(pool: &Arc<Pool>) -> VerifyReport {
    verify(pool, 2, Memory::DEFAULT, &Monitor::default()).unwrap()
}

/// Every stream of every set is whole and has its attributes.
fn assert_all_whole(pool: &Arc<Pool>, small: &Small, what: &str) {
    let undamaged = open(small.image.clone(), Catalogs::Cached).unwrap();
    for (set, streams) in (1..).zip(&small.sets) {
        let catalog = pool.set(set).unwrap_or_else(|| panic!("{what}: no set {set}"));
        assert!(catalog.info.status.is_complete(), "{what}: set {set}");
        let restored = restore_and_compare(pool, catalog, streams).unwrap();
        assert_eq!(restored.iter().filter(|r| r.is_whole()).count(), streams.len(), "{what}: set {set}");
        assert_eq!(heads(pool, set), heads(&undamaged, set), "{what}: set {set}");
    }
}

#[test]
fn sets_without_catalog_trailer_and_segments_are_made_again_with_all_attributes() {
    use BlockKind::{Catalog, Segment, Trailer};
    let small = small::volume(2);
    for kinds in [&[Catalog, Trailer][..], &[Catalog, Trailer, Segment]] {
        for sets in [&[1][..], &[2], &[1, 2]] {
            let mut image = Image::parse(&small.image);
            let mut zeroed = 0;
            for (set, kind) in sets.iter().flat_map(|set| kinds.iter().map(move |kind| (*set, *kind))) {
                for object in image.blocks_of(set, kind) {
                    image.block_mut(object).fill(0);
                    zeroed += 1;
                }
            }
            assert!(zeroed >= sets.len() * kinds.len());
            for catalogs in BOTH {
                let pool = open(image.bytes(), catalogs).unwrap();
                assert_all_whole(&pool, &small, &format!("{kinds:?} of {sets:?}, {catalogs:?}"));
                let report = check(&pool);
                assert_eq!(report.damage.len(), zeroed, "{report:?}");
                assert!(report.hit.is_empty(), "{report:?}");
            }
        }
    }
}

#[test]
fn a_set_of_several_segments_is_restored_without_its_segment_blocks() {
    // The segment's blocks stand in the middle of a frame: many blocks are lost there, but none of the frame's.
    let streams = [Stream::file("long", noise(6, 70 << 20))];
    let shelf = MemoryShelf::default();
    back_up(&shelf, &streams);
    let mut image = Image::parse(&image_of(&shelf));
    let segments = image.blocks_of(1, BlockKind::Segment);
    assert!(segments.windows(2).any(|pair| pair[1] > pair[0] + 1), "two segments: {segments:?}");
    for kind in [BlockKind::Segment, BlockKind::Catalog, BlockKind::Trailer] {
        for object in image.blocks_of(1, kind) {
            image.block_mut(object).fill(0);
        }
        for catalogs in BOTH {
            let pool = open(image.bytes(), catalogs).unwrap();
            let restored = restore_and_compare(&pool, pool.set(1).unwrap(), &streams).unwrap();
            assert!(restored[0].is_whole(), "{kind:?}, {catalogs:?}: lost {:?}", restored[0].lost);
            assert!(check(&pool).hit.is_empty());
        }
    }
}

#[test]
fn sets_without_recipe_and_segment_blocks_are_restored_from_their_catalogs() {
    let small = small::volume(2);
    let mut image = Image::parse(&small.image);
    for (set, kind) in [1, 2].into_iter().flat_map(|s| [(s, BlockKind::Segment), (s, BlockKind::Recipe)]) {
        for object in image.blocks_of(set, kind) {
            image.block_mut(object).fill(0);
        }
    }
    assert_all_whole(&open(image.bytes(), Catalogs::Cached).unwrap(), &small, "from catalogs");
    // A scan reads every block, catalogs among them.
    assert_all_whole(&open(image.bytes(), Catalogs::Scanned).unwrap(), &small, "scanned");
}

/// Swaps the chunks of the last two runs of a stream that have one chunk each, of the same length.
fn swap_chunks(fragment: &mut Fragment) -> bool {
    let single = |run: &Run| matches!(run, Run::Data { count: 1, length: 4096, .. });
    let places: Vec<_> = (0..fragment.runs.len()).filter(|at| single(&fragment.runs[*at])).collect();
    let [.., a, b] = places[..] else { return false };
    fragment.runs.swap(a, b);
    true
}

#[test]
fn two_chunk_names_swapped_in_a_recipe_with_all_checksums_made_right_are_caught_by_the_root() {
    let small = small::volume(1);
    let wanted = b"tree/zigzag.edb";
    let swap = |body: &mut Vec<u8>| {
        let mut fragments = Fragment::decode_all(body).unwrap();
        let mut swapped = false;
        for fragment in &mut fragments {
            let ours = fragment.head.as_ref().is_some_and(|h| h.name == wanted);
            swapped |= ours && swap_chunks(fragment);
        }
        body.clear();
        fragments.iter().for_each(|fragment| fragment.append(body));
        swapped
    };
    let mut image = Image::parse(&small.image);
    image.edit_records(1, BlockKind::Recipe, RecordKind::Fragments, swap);
    image.edit_records(1, BlockKind::Catalog, RecordKind::Fragments, swap);
    for catalogs in BOTH {
        let pool = open(image.bytes(), catalogs).unwrap();
        let restored = restore_and_compare(&pool, pool.set(1).unwrap(), &small.sets[0]).unwrap();
        let differs = restored.iter().filter(|r| r.plan.root_differs).map(|r| r.plan.head.name.as_slice());
        assert_eq!(differs.collect::<Vec<_>>(), [wanted]);

        let report = check(&pool);
        assert!(report.damage.is_empty(), "all checksums are right: {report:?}");
        let hit: Vec<_> = report.hit.iter().map(|h| (h.set, h.stream.as_slice(), h.lost.len())).collect();
        assert_eq!(hit, [(1, &wanted[..], 0)]);

        for keep_partial in [false, true] {
            let folder = tempfile::tempdir().unwrap();
            let options = RestoreOptions { keep_partial, ..RestoreOptions::default() };
            let report = restore(&pool, folder.path(), &options, &Monitor::default()).unwrap();
            let damaged: Vec<_> = report.damaged.iter().map(|d| d.stream.as_slice()).collect();
            assert_eq!(damaged, [wanted]);
            let mut names: Vec<_> = std::fs::read_dir(folder.path().join("tree"))
                .unwrap()
                .map(|e| e.unwrap().file_name().into_string().unwrap())
                .collect();
            names.sort();
            assert_eq!(names, ["a.txt", "b.txt", "c.bin", "empty", "hard", "link", "sparse", "store.edb"]);
        }
    }
}

/// A block stands where it does not belong: verify names the place, says why, and nothing wrong is restored.
fn assert_recognised(image: &Image, small: &Small, object: usize, why: &str) {
    for catalogs in BOTH {
        let pool = open(image.bytes(), catalogs).unwrap();
        let report = check(&pool);
        let named = report.damage.iter().find(|d| d.first == object as u64);
        let named = named.unwrap_or_else(|| panic!("{why}: object {object} is not named: {report:?}"));
        assert!(named.what.contains(why), "{}, expected: {why}", named.what);
        let mut hit = 0;
        for (set, streams) in (1..).zip(&small.sets) {
            let restored = restore_and_compare(&pool, pool.set(set).unwrap(), streams).unwrap();
            hit += restored.iter().filter(|r| !r.is_whole()).count();
        }
        assert_eq!(report.hit.len(), hit, "{why}: verify and restore agree on what is hit");
        assert!(hit > 0, "{why}: a data block is missing");
    }
}

/// The block with another header, its CRC made right.
fn reheaded(block: &[u8], change: impl FnOnce(BlockHeader) -> BlockHeader) -> Object {
    let (header, payload) = BlockHeader::decode(block).unwrap();
    Object::Block([&change(header).encode(&[payload])[..], payload].concat())
}

#[test]
fn stale_repeated_moved_and_foreign_blocks_are_recognised() {
    let small = small::volume(2);
    let whole = Image::parse(&small.image);
    let old = whole.blocks_of(1, BlockKind::Data);
    let new = whole.blocks_of(2, BlockKind::Data);
    let (from, to) = (old[1], new[1]);
    let with = |object: usize, block: Object| {
        let mut image = whole.clone();
        image.objects[object] = block;
        image
    };

    let moved = with(to, whole.objects[from].clone());
    assert_recognised(&moved, &small, to, "a repeated or moved block");
    let repeated = with(new[2], whole.objects[new[1]].clone());
    assert_recognised(&repeated, &small, new[2], "a repeated or moved block");

    // A block of set 1 that was written at this very place before.
    let here = whole.header(to).unwrap();
    let stale = reheaded(whole.block(from), |h| BlockHeader { object: here.object, index: here.index, ..h });
    assert_recognised(&with(to, stale), &small, to, "a stale block of set 1 in the file of set 2");
    // An earlier run of the same set number.
    let session = reheaded(whole.block(to), |h| BlockHeader { session: h.session ^ 1, ..h });
    assert_recognised(&with(to, session), &small, to, "a stale block");

    // The block of the same place of another pool, and of another volume of this pool.
    let shelf = MemoryShelf::default();
    let other = BackupOptions { seed: Some(99), ..options() };
    for streams in &small.sets {
        back_up_with(&shelf, streams, &other, &Monitor::default()).unwrap();
    }
    let foreign = Image::parse(&image_of(&shelf)).objects[to].clone();
    assert_recognised(&with(to, foreign), &small, to, "a foreign block");
    let volume = reheaded(whole.block(to), |h| BlockHeader { volume: Uuid::from_bytes([7; 16]), ..h });
    assert_recognised(&with(to, volume), &small, to, "a foreign block");
}

#[test]
fn a_block_that_stands_there_twice_hides_nothing_and_brings_nothing_wrong() {
    let small = small::volume(2);
    let whole = Image::parse(&small.image);
    for object in [3, whole.blocks_of(1, BlockKind::Data)[3], whole.blocks_of(2, BlockKind::Data)[1]] {
        let mut image = whole.clone();
        image.objects.insert(object, image.objects[object].clone());
        for catalogs in BOTH {
            let pool = open(image.bytes(), catalogs).unwrap();
            let report = check(&pool);
            assert!(report.damage.iter().any(|d| d.first == object as u64 + 1), "{report:?}");
            for (set, streams) in (1..).zip(&small.sets) {
                if let Some(catalog) = pool.set(set) {
                    restore_and_compare(&pool, catalog, streams).unwrap();
                }
            }
        }
    }
    assert_eq!(HEADER_LEN, 128, "the block header is what docs/format.md says");
}

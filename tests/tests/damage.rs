//! One place of a volume is damaged, and then the next: what is wrong is named, and no wrong byte is ever restored.

use reel_engine::error::Error;
use reel_engine::memory::Memory;
use reel_engine::plan::{Extent, Plan, lose};
use reel_engine::pool::{Catalogs, MemoryShelf, Pool};
use reel_engine::progress::Monitor;
use reel_engine::restore::{RestoreOptions, restore};
use reel_engine::verify::verify;
use reel_tape::layout::block::{BlockKind, HEADER_LEN};
use reel_tape::layout::segment::Segment;
use reel_tests::image::{Image, Object};
use reel_tests::memory::{open, restore_and_compare};
use reel_tests::small::{self, Small};
use std::collections::BTreeMap;
use std::fs;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A value other than zero for a byte, by seed.
fn mask(seed: u64, at: usize) -> u8 {
    let mixed = (seed ^ at as u64).wrapping_add(0x9E37_79B9_7F4A_7C15).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    ((mixed >> 40) % 255) as u8 + 1
}

/// What an earlier run has told the cache of where the objects of a volume stand: file name and bytes.
type Walk = (PathBuf, Vec<u8>);

fn walk_of(image: &[u8]) -> Walk {
    let cache = tempfile::tempdir().unwrap();
    let shelf = Arc::new(MemoryShelf::with_image(image.to_vec()));
    let pool = Pool::open_shelf(shelf, Some(cache.path()), Catalogs::Cached).unwrap();
    let folder = PathBuf::from(pool.uuid.to_string());
    let names = fs::read_dir(cache.path().join(&folder)).unwrap().map(|entry| entry.unwrap().file_name());
    let mut walks = names.filter(|name| name.to_string_lossy().ends_with(".walk"));
    let name = folder.join(walks.next().expect("opening a pool keeps the walk over its volume"));
    let bytes = fs::read(cache.path().join(&name)).unwrap();
    (name, bytes)
}

/// Opens the pool on an image with nothing in its cache, or a walk alone.
fn open_knowing(image: Vec<u8>, walk: Option<&Walk>) -> Result<Arc<Pool>, Error> {
    let Some((name, bytes)) = walk else { return open(image, Catalogs::Cached) };
    let cache = tempfile::tempdir().unwrap();
    let file = cache.path().join(name);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(file, bytes).unwrap();
    let shelf = Arc::new(MemoryShelf::with_image(image));
    Pool::open_shelf(shelf, Some(cache.path()), Catalogs::Cached).map(Arc::new)
}

/// One byte of the volume is changed: what happens is said in a word, or what should not have is an error.
fn judge(
    small: &Small,
    walk: Option<&Walk>,
    ranges: &[Range<usize>],
    at: usize,
    mask: u8,
) -> Result<&'static str, String> {
    let mut image = small.image.clone();
    image[at] ^= mask;
    let object = ranges.iter().position(|r| r.contains(&at)).expect("every byte belongs to an object") as u64;
    let pool = match open_knowing(image, walk) {
        Ok(pool) => pool,
        Err(error) if error.object().contains("memory") => return Ok("not opened"),
        Err(error) => return Err(format!("opening does not name the volume: {error}")),
    };
    let report =
        verify(&pool, 1, Memory::DEFAULT, &Monitor::default()).map_err(|e| format!("verify: {e}"))?;
    let near = |d: &&reel_engine::pool::VolumeDamage| {
        d.volume == "memory" && d.first <= object + 1 && object <= d.first + 1 && d.end <= object + 2
    };
    if report.has_findings() && !report.damage.iter().any(|d| near(&d)) {
        return Err(format!("object {object} is damaged, verify says {report:?}"));
    }
    // Whatever verify says: a restore gives right bytes or none.
    let mut complete = 0;
    for (set, streams) in (1..).zip(&small.sets) {
        let Some(catalog) = pool.set(set) else { continue };
        let restored = restore_and_compare(&pool, catalog, streams).map_err(|e| format!("set {set}: {e}"))?;
        let whole = restored.iter().filter(|r| r.is_whole()).count();
        complete += u32::from(catalog.info.status.is_complete() && whole == streams.len());
    }
    match (report.has_findings(), complete as usize == small.sets.len()) {
        (true, _) => Ok("found"),
        (false, true) => Ok("harmless"),
        (false, false) => Err("verify finds nothing, but not everything is restored".into()),
    }
}

/// A number from the environment.
fn number(name: &str, otherwise: usize) -> usize {
    std::env::var(name).ok().and_then(|v| v.parse().ok()).unwrap_or(otherwise)
}

#[test]
fn every_changed_byte_is_found_and_named_or_does_no_harm() {
    let small = small::volume(2);
    let step = number("REEL_DAMAGE_STEP", 37).max(1);
    let places: Vec<_> = (0..small.image.len()).step_by(step).collect();
    judge_all(&small, None, &places);
}

#[test]
fn so_is_every_byte_around_the_blocks_where_an_earlier_run_has_walked_over_the_image() {
    let small = small::volume(2);
    let ends = |range: Range<usize>| [range.start..range.start + 12, range.end - 4..range.end];
    let mut places: Vec<_> =
        Image::parse(&small.image).ranges().into_iter().flat_map(ends).flatten().collect();
    places.retain(|at| *at < small.image.len());
    places.sort_unstable();
    places.dedup();
    judge_all(&small, Some(&walk_of(&small.image)), &places);
}

/// Changes one byte after the other.
fn judge_all(small: &Small, walk: Option<&Walk>, places: &[usize]) {
    let bytes = small.image.len();
    assert!(bytes < 200 << 10, "the small volume has {bytes} bytes");
    let ranges = Image::parse(&small.image).ranges();
    let seed = number("REEL_DAMAGE_SEED", 1) as u64;

    let next = AtomicUsize::new(0);
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let mut words: BTreeMap<&'static str, usize> = BTreeMap::new();
    let mut wrong = Vec::new();
    std::thread::scope(|scope| {
        let work = || {
            let (mut words, mut wrong) = (Vec::new(), Vec::new());
            while let Some(&at) = places.get(next.fetch_add(1, Ordering::Relaxed)) {
                let mask = mask(seed, at);
                match judge(small, walk, &ranges, at, mask) {
                    Ok(word) => words.push(word),
                    Err(what) => wrong.push(format!("byte {at} ^ {mask:02x}: {what}")),
                }
            }
            (words, wrong)
        };
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        for worker in workers {
            let (some, bad) = worker.join().expect("no byte of a volume may cause a panic");
            some.into_iter().for_each(|word| *words.entry(word).or_default() += 1);
            wrong.extend(bad);
        }
    });
    eprintln!("{} of {bytes} bytes, seed {seed}: {words:?}", places.len());
    assert!(wrong.is_empty(), "{} bytes, the first: {:#?}", wrong.len(), &wrong[..wrong.len().min(5)]);
    assert!(words.get("found").is_some_and(|found| *found > places.len() * 9 / 10), "{words:?}");
}

/// Which data blocks the record of each frame of a segment stands in, worked out from the blocks alone.
fn frame_blocks(image: &Image, header_object: usize, segment: &Segment) -> Vec<(Range<u32>, Vec<usize>)> {
    let payload = |object: usize| image.block(object).len() - HEADER_LEN;
    let frames = segment.frames.iter().map(|frame| {
        let mut object = header_object + frame.index.get() as usize;
        let mut left =
            (frame.length.get() as usize).saturating_sub(payload(object) - frame.offset.get() as usize);
        let mut objects = vec![object];
        while left > 0 {
            object += 1;
            if image.header(object).is_some_and(|h| h.kind == BlockKind::Data) {
                left = left.saturating_sub(payload(object));
                objects.push(object);
            }
        }
        (frame.first.get()..frame.first.get() + frame.count.get(), objects)
    });
    frames.collect()
}

type Lost = BTreeMap<Vec<u8>, Vec<Range<u64>>>;

/// What each stream of a set loses when one object is gone, worked out from the undamaged pool.
fn expected_losses(pool: &Arc<Pool>, image: &Image, set: u32, object: usize) -> Lost {
    let catalog = pool.set(set).unwrap();
    let plan = Plan::new(pool, catalog, Memory::DEFAULT, |_| true).unwrap();
    let mut lost = Lost::new();
    for Extent { set, segment, first, count, target, offset, .. } in plan.extents.iter().copied() {
        let origin = pool.set(set).unwrap();
        let table = origin.segment(segment).unwrap().unwrap();
        let frames = frame_blocks(image, origin.info.header_object as usize, &table);
        let mut at = offset;
        for index in first..first + count {
            let length = u64::from(table.chunks[index as usize].length.get());
            if frames.iter().any(|(chunks, objects)| chunks.contains(&index) && objects.contains(&object)) {
                let name = plan.streams[target as usize].head.name.clone();
                lose(lost.entry(name).or_default(), at..at + length);
            }
            at += length;
        }
    }
    lost
}

#[test]
fn a_damaged_block_is_named_with_the_streams_and_byte_ranges_that_it_hits_and_the_rest_is_restored() {
    let small = small::volume(2);
    let whole = Image::parse(&small.image);
    let undamaged = open(small.image.clone(), Catalogs::Cached).unwrap();
    let mut blocks_with_losses = 0;
    for object in 2..whole.objects.len() {
        let Object::Block(block) = &whole.objects[object] else { continue };
        let mut image = whole.clone();
        let middle = HEADER_LEN + (block.len() - HEADER_LEN) / 2;
        image.block_mut(object)[middle] ^= 0x55;
        let pool = open(image.bytes(), Catalogs::Cached).unwrap();
        let report = verify(&pool, 2, Memory::DEFAULT, &Monitor::default()).unwrap();
        let places: Vec<_> = report.damage.iter().map(|d| (d.volume.as_str(), d.first, d.end)).collect();
        assert_eq!(places, [("memory", object as u64, object as u64 + 1)], "{report:?}");
        assert_eq!(report.damage[0].byte, Some(whole.ranges()[object].start as u64));

        for set in [1, 2] {
            let expected = expected_losses(&undamaged, &whole, set, object);
            blocks_with_losses += u32::from(!expected.is_empty());
            let hit: Lost = report
                .hit
                .iter()
                .filter(|h| h.set == set)
                .map(|h| (h.stream.clone(), h.lost.clone()))
                .collect();
            assert_eq!(hit, expected, "verify, block {object}, set {set}");
            check_restore(&pool, &small, set, object, &expected);
        }
    }
    assert!(blocks_with_losses > 20, "{blocks_with_losses}");
}

/// Restores a set to files, keeping what is incomplete, and holds the files against what went in.
fn check_restore(pool: &Arc<Pool>, small: &Small, set: u32, object: usize, expected: &Lost) {
    let folder = tempfile::tempdir().unwrap();
    let options =
        RestoreOptions { set: set.to_string(), keep_partial: true, threads: 2, ..RestoreOptions::default() };
    let report = restore(pool, folder.path(), &options, &Monitor::default()).unwrap();
    // A hard link has no bytes of its own: it is missing with the file that it shares.
    let with_ranges = report.damaged.iter().filter(|d| !d.lost.is_empty());
    let damaged: Lost = with_ranges.map(|d| (d.stream.clone(), d.lost.clone())).collect();
    assert_eq!(&damaged, expected, "restore, block {object}, set {set}");
    for stream in &small.sets[set as usize - 1] {
        let name = std::str::from_utf8(&stream.name).unwrap();
        let path = folder.path().join(name);
        let shared = stream.attributes.link_target.as_ref().filter(|_| name == "tree/hard");
        let Some(lost) = expected.get(shared.unwrap_or(&stream.name)) else {
            assert!(path.symlink_metadata().is_ok(), "{name} is not there, block {object}");
            if path.is_file() {
                let bytes =
                    small::named(&small.sets[set as usize - 1], shared.unwrap_or(&stream.name)).unwrap();
                assert!(std::fs::read(&path).unwrap() == **bytes, "{name}, block {object}");
            }
            continue;
        };
        assert!(
            path.symlink_metadata().is_err(),
            "{name} has its name although it is damaged, block {object}"
        );
        if shared.is_some() {
            continue;
        }
        let mut bytes = stream.bytes.to_vec();
        for range in lost {
            bytes[range.start as usize..range.end as usize].fill(0);
        }
        let partial = folder.path().join(format!("{name}.reel-partial"));
        assert!(std::fs::read(&partial).unwrap() == bytes, "{name}.reel-partial, block {object}");
    }
    let left_over = std::fs::read_dir(folder.path().join("tree")).unwrap();
    let names = left_over.map(|e| e.unwrap().file_name().into_string().unwrap());
    assert_eq!(names.filter(|n| n.starts_with(".reel-")).count(), 0);
}

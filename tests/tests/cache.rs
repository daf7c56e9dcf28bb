//! The cache may vanish, or be damaged, at any time: the next image is the same, byte for byte.

use reel_engine::backup::{BackupOptions, BackupReport};
use reel_engine::memory::Memory;
use reel_engine::pool::{Catalogs, MemoryShelf, Pool};
use reel_engine::progress::Monitor;
use reel_tests::memory::{Stream, back_up_with, image_of, noise, options};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const DAYS: u64 = 4;

/// Streams that are known by their name, that moved, that are new, and that come twice.
fn streams(day: u64) -> Vec<Stream> {
    let mut changed = noise(1, 9_000_000);
    changed[(day * 1_000_000) as usize..][..100].copy_from_slice(&noise(day, 100));
    let mut all = vec![
        Stream::file("a", changed.clone()),
        Stream::file(&format!("moved-{day}"), noise(2, 2_000_000)),
        Stream::file("new", noise(100 + day, 300_000)),
        Stream::file("twice", noise(100 + day, 300_000)),
    ];
    if day > 2 {
        all.push(Stream::file("back again", noise(101, 300_000)));
    }
    all.extend((0..300).map(|i| Stream::file(&format!("s-{i:03}"), noise(1000 + i % 70, 3_000))));
    all
}

/// Backs up all days into one image, with `between` done to the pool's folder in the cache before each but the first.
fn run(
    seed: u64,
    cache: Option<&Path>,
    memory: Memory,
    between: impl Fn(&Path),
) -> (Vec<u8>, Vec<BackupReport>) {
    let shelf = MemoryShelf::default();
    let options = BackupOptions { cache: cache.map(Path::to_owned), memory, seed: Some(seed), ..options() };
    let mut reports = Vec::new();
    for day in 1..=DAYS {
        if let (Some(cache), true) = (cache, day > 1) {
            between(&fs::read_dir(cache).unwrap().next().unwrap().unwrap().path());
        }
        reports.push(back_up_with(&shelf, &streams(day), &options, &Monitor::default()).unwrap());
    }
    (image_of(&shelf), reports)
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// Writes a file anew, as a stranger would who keeps its length or not.
fn rewrite(file: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(file).unwrap();
    change(&mut bytes);
    fs::write(file, bytes).unwrap();
}

#[test]
fn whatever_happens_to_the_cache_between_runs_the_image_is_the_same() {
    let (expected, _) = run(11, None, Memory::DEFAULT, |_| {});
    // Another pool's files, of sets with the same numbers.
    let foreign = tempfile::tempdir().unwrap();
    run(12, Some(foreign.path()), Memory::DEFAULT, |_| {});
    let foreign = files(foreign.path()).remove(0);
    let holds = |what: &str, between: &dyn Fn(&Path)| {
        let cache = tempfile::tempdir().unwrap();
        let (image, _) = run(11, Some(cache.path()), Memory::DEFAULT, between);
        assert!(image == expected, "{what}");
        let names = files(&files(cache.path()).remove(0));
        let left = names
            .iter()
            .filter(|name| !["cat", "idx", "walk"].iter().any(|e| name.extension() == Some(e.as_ref())));
        assert_eq!(left.count(), 0, "{what}: {names:?}");
    };
    holds("left alone", &|_| {});
    holds("deleted", &|folder| fs::remove_dir_all(folder).unwrap());
    for ending in ["cat", "idx", "walk"] {
        let of_ending = |folder: &Path| {
            let all = files(folder).into_iter();
            all.filter(|f| f.extension().is_some_and(|e| e == ending)).collect::<Vec<_>>()
        };
        holds(&format!("{ending} deleted"), &|folder| {
            of_ending(folder).iter().for_each(|file| fs::remove_file(file).unwrap());
        });
        for part in 0..8 {
            holds(&format!("{ending} damaged in part {part}"), &|folder| {
                for file in of_ending(folder) {
                    rewrite(&file, |bytes| {
                        let at = (bytes.len() - 1) * part / 7;
                        bytes[at] ^= 0x40;
                    });
                }
            });
        }
        holds(&format!("{ending} half written"), &|folder| {
            for file in of_ending(folder) {
                rewrite(&file, |bytes| bytes.truncate(bytes.len() / 2));
            }
        });
        holds(&format!("{ending} of another pool"), &|folder| {
            for file in of_ending(&foreign) {
                fs::copy(&file, folder.join(file.file_name().unwrap())).unwrap();
            }
        });
        holds(&format!("the oldest {ending} alone deleted"), &|folder| {
            fs::remove_file(&of_ending(folder)[0]).unwrap();
        });
    }
}

#[test]
fn every_table_of_a_catalog_may_be_damaged() {
    let (expected, _) = run(11, None, Memory::DEFAULT, |_| {});
    let cache = tempfile::tempdir().unwrap();
    let (image, _) = run(11, Some(cache.path()), Memory::DEFAULT, |folder| {
        for file in files(folder) {
            // A byte in each four hundred, but in the directory and the foot: those a catalog is not opened without.
            let is_catalog = file.extension().is_some_and(|e| e == "cat");
            rewrite(&file, |bytes| {
                let end = if is_catalog { bytes.len().saturating_sub(4_000) } else { 4_000.min(bytes.len()) };
                bytes[..end].iter_mut().skip(16).step_by(400).for_each(|byte| *byte ^= 1);
            });
        }
    });
    assert!(image == expected);
}

#[test]
fn what_a_small_index_leaves_out_does_not_depend_on_the_cache() {
    for share in [0, 100, 700, 2_000, 30_000] {
        let memory = Memory::DEFAULT.with_index(share).unwrap();
        let (expected, reports) = run(11, None, memory, |_| {});
        let cache = tempfile::tempdir().unwrap();
        let (image, again) = run(11, Some(cache.path()), memory, |_| {});
        assert!(image == expected, "{share}");
        let (deleted, _) = run(11, Some(cache.path()), memory, |folder| fs::remove_dir_all(folder).unwrap());
        assert!(deleted == expected, "{share}");
        let counts = |reports: &[BackupReport]| {
            reports.iter().map(|r| (r.unindexed_chunks, r.unsure_bytes)).collect::<Vec<_>>()
        };
        assert_eq!(counts(&reports), counts(&again));
        // Nothing is stored again without having been counted.
        let (_, full) = run(11, None, Memory::DEFAULT, |_| {});
        for (small, full) in reports.iter().zip(&full) {
            assert!(small.new_bytes - full.new_bytes <= small.unsure_bytes);
            assert_eq!(full.unindexed_chunks, 0);
        }
        let again: u64 =
            reports.iter().map(|r| r.new_bytes).sum::<u64>() - full.iter().map(|r| r.new_bytes).sum::<u64>();
        eprintln!("share {share}: {again} bytes stored again, {:?}", counts(&reports));
        assert_eq!(again > 0, share < 30_000);
    }
}

#[test]
fn a_catalog_that_is_damaged_anywhere_gives_every_fragment_once_and_in_order() {
    let cache = tempfile::tempdir().unwrap();
    let options = BackupOptions { cache: Some(cache.path().to_owned()), ..options() };
    let shelf = MemoryShelf::default();
    let streams: Vec<_> = (0..9_000).map(|i| Stream::file(&format!("s-{i:04}"), noise(i, 40))).collect();
    back_up_with(&shelf, &streams, &options, &Monitor::default()).unwrap();
    let open = || {
        let shelf = Arc::new(MemoryShelf::with_image(image_of(&shelf)));
        Pool::open_shelf(shelf, Some(cache.path()), Catalogs::Cached).unwrap()
    };
    let fragments = |pool: &Pool| -> Vec<_> {
        let all = pool.set(1).unwrap().fragments(0).map(Result::unwrap);
        all.map(|f| (f.stream, f.fragment, f.head.map(|h| h.name))).collect()
    };
    let expected = fragments(&open());
    assert_eq!(expected.len(), streams.len());
    let file =
        files(&files(cache.path()).remove(0)).into_iter().find(|f| f.ends_with("set-000001.cat")).unwrap();
    for part in 1..40 {
        rewrite(&file, |bytes| {
            let at = bytes.len() * part / 40;
            bytes[at] ^= 1;
        });
        assert_eq!(fragments(&open()), expected, "damaged in part {part}");
        // It was made again.
        assert_eq!(fragments(&open()), expected);
    }
}

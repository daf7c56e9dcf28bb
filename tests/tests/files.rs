//! Pools on a real file system, and what goes wrong there: killed runs, full disks, lost caches, two writers.

use reel_engine::backup::{BackupOptions, backup};
use reel_engine::io::Io;
use reel_engine::memory::Memory;
use reel_engine::pool::{Catalogs, Pool, SetStatus, Shelf, shelf};
use reel_engine::progress::Monitor;
use reel_engine::restore::{RestoreOptions, restore};
use reel_engine::source::{Tree, TreeOptions};
use reel_engine::verify::verify;
use reel_engine::{Class, Result};
use reel_tests::memory::{Stream, back_up_on, noise, options, restore_and_compare};
use reel_tests::small;
use std::fs;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

fn on(path: &Path) -> Arc<dyn Shelf> {
    shelf::shelf(path).unwrap()
}

fn with_cache(cache: &Path) -> BackupOptions {
    BackupOptions { cache: Some(cache.to_owned()), ..options() }
}

fn open(pool: &Path, cache: Option<&Path>) -> Arc<Pool> {
    Arc::new(Pool::open_shelf(on(pool), cache, Catalogs::Cached).unwrap())
}

/// All streams of a set are whole, and verify finds nothing.
fn assert_whole(pool: &Path, cache: Option<&Path>, set: u32, streams: &[Stream]) {
    let pool = open(pool, cache);
    let restored = restore_and_compare(&pool, pool.set(set).expect("the set"), streams).unwrap();
    assert_eq!(restored.iter().filter(|r| r.is_whole()).count(), streams.len());
    let report = verify(&pool, 2, Memory::DEFAULT, &Monitor::default()).unwrap();
    assert!(!report.has_findings(), "{report:?}");
}

/// Every file below a folder, with its bytes.
fn contents(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(contents(&path));
        } else {
            found.push((path.clone(), fs::read(&path).unwrap()));
        }
    }
    found.sort();
    found
}

/// A small file system of its own, unmounted when dropped; `None`, said loudly, where this process may not mount.
struct Mounted(PathBuf);

impl Mounted {
    fn new(test: &str, folder: &Path, size: &str) -> Option<Mounted> {
        fs::create_dir_all(folder).unwrap();
        let size = format!("size={size}");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(folder);
        if mount.output().is_ok_and(|o| o.status.success()) {
            return Some(Mounted(folder.to_owned()));
        }
        eprintln!("skipped: {test}: this process may not mount a file system");
        None
    }

    fn remount(&self, options: &str) {
        let done =
            Command::new("mount").args(["-o", &format!("remount,{options}")]).arg(&self.0).status().unwrap();
        assert!(done.success());
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

#[test]
fn a_run_killed_at_any_byte_is_closed_and_used_by_the_next_one_whatever_the_cache_says() {
    let folder = tempfile::tempdir().unwrap();
    let (whole, cache) = (folder.path().join("whole"), folder.path().join("cache"));
    let days = [small::streams(0), small::streams(1)];
    for streams in &days {
        back_up_on(&on(&whole), streams, &with_cache(&cache), &Monitor::default()).unwrap();
    }
    let image = fs::read(whole.join("RM0001.tap")).unwrap();
    for part in 1..24 {
        let cut = image.len() * part / 24 + part * 7 % 5;
        let pool = folder.path().join(format!("cut-{part}"));
        fs::create_dir(&pool).unwrap();
        fs::write(pool.join("RM0001.tap"), &image[..cut]).unwrap();
        // The cache knows the sets that stood here before the cut.
        let rerun = back_up_on(&on(&pool), &days[1], &with_cache(&cache), &Monitor::default()).unwrap();
        assert!(rerun.duplicate_bytes > 0, "cut at {cut}: nothing was used again");
        for cache in [Some(cache.as_path()), None] {
            assert_whole(&pool, cache, rerun.set, &days[1]);
        }
    }
}

#[test]
fn a_lost_cache_is_made_again_and_a_folder_that_cannot_be_one_is_done_without() {
    let folder = tempfile::tempdir().unwrap();
    let (pool, cache) = (folder.path().join("pool"), folder.path().join("cache"));
    let streams = small::streams(0);
    back_up_on(&on(&pool), &streams, &with_cache(&cache), &Monitor::default()).unwrap();
    let cached = contents(&cache);
    assert!(!cached.is_empty());
    fs::remove_dir_all(&cache).unwrap();
    assert_whole(&pool, Some(&cache), 1, &streams);
    // A restore needs the catalogs; the index files beside them are the next backup's to make.
    let catalogs = |found: &[(PathBuf, Vec<u8>)]| -> Vec<PathBuf> {
        let paths = found.iter().map(|(path, _)| path.clone());
        paths.filter(|path| path.extension().is_some_and(|e| e == "cat")).collect()
    };
    assert_eq!(catalogs(&contents(&cache)), catalogs(&cached));

    // Cut off, overwritten and empty catalogs are no danger either.
    for (path, bytes) in &cached {
        for bad in [&bytes[..bytes.len() / 2], &[][..], &vec![0xA5; bytes.len()]] {
            fs::write(path, bad).unwrap();
            assert_whole(&pool, Some(&cache), 1, &streams);
        }
    }

    let file = folder.path().join("file");
    fs::write(&file, "in the way").unwrap();
    let second = back_up_on(&on(&pool), &streams, &with_cache(&file), &Monitor::default()).unwrap();
    assert_eq!((second.set, second.new_bytes), (2, 0));
    assert_whole(&pool, Some(&file), 2, &streams);
    assert_eq!(fs::read(&file).unwrap(), b"in the way");
}

#[test]
fn a_flipped_byte_in_a_cached_catalog_never_gives_wrong_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let (pool, cache) = (folder.path().join("pool"), folder.path().join("cache"));
    let streams = small::streams(0);
    back_up_on(&on(&pool), &streams, &with_cache(&cache), &Monitor::default()).unwrap();
    let (path, bytes) = contents(&cache).remove(0);
    for at in (0..bytes.len()).step_by(bytes.len() / 200) {
        let mut bad = bytes.clone();
        bad[at] ^= 0x41;
        fs::write(&path, &bad).unwrap();
        let pool = open(&pool, Some(&cache));
        match restore_and_compare(&pool, pool.set(1).unwrap(), &streams) {
            Ok(restored) => assert!(restored.iter().all(reel_tests::memory::Restored::is_whole), "byte {at}"),
            Err(error) => {
                assert!(error.to_string().contains("delete the pool's folder"), "byte {at}: {error}");
            }
        }
        fs::write(&path, &bytes).unwrap();
    }
}

#[test]
fn a_pool_that_cannot_be_written_is_read_and_a_backup_to_it_fails_without_a_trace() {
    let folder = tempfile::tempdir().unwrap();
    let mount = Mounted::new(
        "a_pool_that_cannot_be_written_is_read_and_a_backup_to_it_fails_without_a_trace",
        &folder.path().join("mount"),
        "8m",
    );
    let Some(mount) = mount else { return };
    let (pool, cache) = (mount.0.join("pool"), mount.0.join("cache"));
    let streams = small::streams(0);
    back_up_on(&on(&pool), &streams, &with_cache(&cache), &Monitor::default()).unwrap();
    let before = contents(&pool);
    mount.remount("ro");
    assert_whole(&pool, Some(&cache), 1, &streams);
    let error = back_up_on(&on(&pool), &streams, &with_cache(&cache), &Monitor::default()).unwrap_err();
    assert_eq!(error.class(), Class::Io, "{error}");
    assert!(error.object().contains("pool"), "{error}");
    let nowhere =
        back_up_on(&on(&mount.0.join("new")), &streams, &options(), &Monitor::default()).unwrap_err();
    assert_eq!(nowhere.class(), Class::Io, "{nowhere}");
    assert_eq!(contents(&pool), before);

    // A cache that cannot be written, with a pool that can.
    let elsewhere = folder.path().join("elsewhere");
    let report = back_up_on(&on(&elsewhere), &streams, &with_cache(&cache), &Monitor::default()).unwrap();
    assert_whole(&elsewhere, Some(&cache), report.set, &streams);
}

#[test]
fn a_full_disk_ends_the_run_and_with_more_room_the_next_one_uses_what_was_written() {
    let test = "a_full_disk_ends_the_run_and_with_more_room_the_next_one_uses_what_was_written";
    let folder = tempfile::tempdir().unwrap();
    let Some(mount) = Mounted::new(test, &folder.path().join("mount"), "4m") else { return };
    let pool = mount.0.join("pool");
    let small = [Stream::file("a", noise(1, 900_000))];
    back_up_on(&on(&pool), &small, &options(), &Monitor::default()).unwrap();
    let large = [Stream::file("a", noise(1, 900_000)), Stream::file("b", noise(2, 12 << 20))];
    let error = back_up_on(&on(&pool), &large, &options(), &Monitor::default()).unwrap_err();
    assert_eq!(error.class(), Class::NoSpace, "{error}");

    // What was there is still good, and what was written of the new set is listed as incomplete.
    let torn = open(&pool, None);
    let restored = restore_and_compare(&torn, torn.set(1).unwrap(), &small).unwrap();
    assert!(restored[0].is_whole());
    assert_eq!(torn.set(2).map(|c| c.info.status), Some(SetStatus::Torn));

    mount.remount("size=64m");
    let rerun = back_up_on(&on(&pool), &large, &options(), &Monitor::default()).unwrap();
    assert_eq!((rerun.set, &rerun.torn_sets[..]), (3, &[2][..]));
    assert!(rerun.new_bytes < 11 << 20, "{} bytes are new: nothing was used again", rerun.new_bytes);
    assert_whole(&pool, None, 3, &large);
}

#[test]
fn a_full_target_ends_a_restore_and_leaves_nothing_under_a_final_name() {
    let test = "a_full_target_ends_a_restore_and_leaves_nothing_under_a_final_name";
    let folder = tempfile::tempdir().unwrap();
    let Some(mount) = Mounted::new(test, &folder.path().join("mount"), "2m") else { return };
    let pool = folder.path().join("pool");
    let streams = [Stream::file("a", noise(1, 100_000)), Stream::file("b", noise(2, 12 << 20))];
    back_up_on(&on(&pool), &streams, &options(), &Monitor::default()).unwrap();
    let target = mount.0.join("target");
    for io in [Io::Plain, Io::Auto] {
        let monitor = Monitor::default();
        let options = RestoreOptions { io, ..RestoreOptions::default() };
        let error = restore(&open(&pool, None), &target, &options, &monitor).unwrap_err();
        assert_eq!(error.class(), Class::NoSpace, "{error}");
        assert!(error.sentence().starts_with("cannot reserve its 12582912 bytes of data"), "{error}");
        let read = monitor.counters().stored.load(Ordering::Relaxed);
        assert_eq!(read, 0, "it was known before anything was read");
        assert_eq!(contents(&target), []);
    }

    // Short files have nothing reserved: the first write that has no room is told.
    let pool = folder.path().join("short");
    let name = |number| format!("short-{number}");
    let streams: Vec<_> = (0..9).map(|n| Stream::file(&name(n), noise(n, 500_000))).collect();
    back_up_on(&on(&pool), &streams, &options(), &Monitor::default()).unwrap();
    for io in [Io::Plain, Io::Auto] {
        let options = RestoreOptions { io, ..RestoreOptions::default() };
        let error = restore(&open(&pool, None), &target, &options, &Monitor::default()).unwrap_err();
        assert_eq!(error.class(), Class::NoSpace, "{error}");
        assert!(error.object().contains("target/short-") && error.position().is_some(), "{error}");
        assert_eq!(contents(&target), []);
    }
}

#[test]
fn what_is_no_data_stays_a_hole_with_any_number_of_threads() {
    const MIB: usize = 1 << 20;
    let folder = tempfile::tempdir().unwrap();
    let pool = folder.path().join("pool");
    let mut bytes = noise(3, 2 * MIB);
    bytes.resize(24 * MIB, 0);
    bytes.extend(noise(4, 3 * MIB));
    bytes.resize(40 * MIB, 0);
    let streams = [Stream::file("a", bytes), Stream::file("b", vec![0; 9 * MIB])];
    back_up_on(&on(&pool), &streams, &options(), &Monitor::default()).unwrap();
    for threads in [1, 2, 7] {
        let target = folder.path().join(format!("by {threads}"));
        let options = RestoreOptions { threads, ..RestoreOptions::default() };
        restore(&open(&pool, None), &target, &options, &Monitor::default()).unwrap();
        for (stream, most) in streams.iter().zip([6 * MIB, 0]) {
            let path = target.join(String::from_utf8_lossy(&stream.name).as_ref());
            assert!(fs::read(&path).unwrap() == *stream.bytes, "{} by {threads} threads", path.display());
            let kept = fs::metadata(&path).unwrap().blocks() * 512;
            assert!(kept <= most as u64, "{} by {threads} threads: {kept} bytes", path.display());
        }
    }
}

#[test]
fn a_file_that_changes_while_it_is_read_is_reported_and_kept_as_it_was_read() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("top");
    fs::create_dir(&root).unwrap();
    for name in ["calm", "grows", "rewritten", "shrinks"] {
        fs::write(root.join(name), noise(3, 50_000)).unwrap();
    }
    let tree = Tree::new(std::slice::from_ref(&root), TreeOptions::default()).unwrap();
    // Each entry is open when it comes; what happens to its file now happens while it is read.
    let meddling = tree.inspect(|item| {
        let reel_engine::source::Item::Entry(entry) = item else { return };
        let append =
            |path: &Path| fs::File::options().append(true).open(path).unwrap().write_all(b"more").unwrap();
        let path = folder.path().join(std::str::from_utf8(entry.name()).unwrap());
        match entry.name() {
            b"top/grows" => append(&path),
            b"top/rewritten" => fs::write(&path, noise(4, 50_000)).unwrap(),
            b"top/shrinks" => fs::File::options().write(true).open(&path).unwrap().set_len(10_000).unwrap(),
            _ => {}
        }
    });
    let pool = folder.path().join("pool");
    let report = backup(&on(&pool), Box::new(meddling), &options(), &Monitor::default()).unwrap();
    let changed: Vec<_> = report.changed.iter().map(|(name, _)| std::str::from_utf8(name).unwrap()).collect();
    assert_eq!(changed, ["top/grows", "top/rewritten", "top/shrinks"]);
    assert!(report.has_findings());
    let pool = open(&pool, None);
    let plan = reel_engine::plan::Plan::new(&pool, pool.set(1).unwrap(), Memory::DEFAULT, |_| true).unwrap();
    for stream in &plan.streams {
        let name = std::str::from_utf8(&stream.head.name).unwrap();
        let marked = stream.end.as_ref().is_some_and(|end| end.changed);
        assert_eq!(marked, changed.contains(&name), "the set keeps what changed: {name}");
    }
    let target = tempfile::tempdir().unwrap();
    let report = restore(&pool, target.path(), &RestoreOptions::default(), &Monitor::default()).unwrap();
    assert!(report.damaged.is_empty(), "{report:?}");
    let read = |name: &str| fs::read(target.path().join(name)).unwrap();
    assert!(read("top/calm") == noise(3, 50_000));
    assert_eq!(read("top/grows").len(), 50_000, "no more than it had when it was opened");
}

#[test]
fn a_second_run_is_refused_while_one_writes_to_the_pool() {
    for name in ["pool", "one.tap"] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        let (inner, refused) = (path.clone(), Arc::new(Mutex::new(Vec::<Result<u32>>::new())));
        let outcomes = refused.clone();
        let watched = Stream::file("a", noise(1, 50_000)).watched(move |_| {
            let other = [Stream::file("b", noise(2, 1_000))];
            let outcome = back_up_on(&on(&inner), &other, &options(), &Monitor::default());
            outcomes.lock().unwrap().push(outcome.map(|report| report.set));
            Ok(())
        });
        for set in [1, 2] {
            let streams = std::slice::from_ref(&watched);
            assert_eq!(back_up_on(&on(&path), streams, &options(), &Monitor::default()).unwrap().set, set);
        }
        let refused = refused.lock().unwrap();
        assert!(refused.len() >= 2);
        for outcome in refused.iter() {
            let error = outcome.as_ref().unwrap_err();
            assert_eq!(error.class(), Class::State, "{error}");
            assert!(error.to_string().contains("another run is writing"), "{error}");
        }
        assert_whole(&path, None, 2, &[Stream::file("a", noise(1, 50_000))]);
    }
}

#[test]
fn a_restore_onto_existing_files_is_refused_as_a_whole_unless_they_may_be_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pool");
    let streams = [Stream::file("a", noise(1, 5_000)), Stream::file("b", noise(2, 5_000))];
    back_up_on(&on(&path), &streams, &options(), &Monitor::default()).unwrap();
    let pool = open(&path, None);
    let target = folder.path().join("target");
    fs::create_dir(&target).unwrap();
    fs::write(target.join("b"), "mine").unwrap();
    let options = RestoreOptions::default();
    let error = restore(&pool, &target, &options, &Monitor::default()).unwrap_err();
    assert_eq!(error.class(), Class::Argument);
    assert!(error.object().ends_with("target/b"), "{error}");
    assert_eq!(contents(&target), [(target.join("b"), b"mine".to_vec())], "nothing was touched");

    let options = RestoreOptions { overwrite: true, ..options };
    restore(&pool, &target, &options, &Monitor::default()).unwrap();
    let expected = [("a", noise(1, 5_000)), ("b", noise(2, 5_000))];
    assert_eq!(contents(&target), expected.map(|(name, bytes)| (target.join(name), bytes)));
}

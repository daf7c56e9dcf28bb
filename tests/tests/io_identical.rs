//! Whichever way bytes come from files and go into the image, the image is the same, and so is what is restored from it.

use reel_engine::backup::{BackupOptions, BackupReport, backup, backup_tree};
use reel_engine::io::{Files, Io};
use reel_engine::memory::Memory;
use reel_engine::pool::{Catalogs, MemoryShelf, Pool, Shelf, shelf};
use reel_engine::progress::Monitor;
use reel_engine::restore::{RestoreOptions, RestoreReport, restore};
use reel_engine::source::{Entry, Item, Tree, TreeOptions};
use reel_tests::memory::{image_of, noise, options};
use std::fs::{self, File};
use std::io::{Seek, SeekFrom, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

const WAYS: [Io; 4] = [Io::Plain, Io::Uring, Io::Mmap, Io::Auto];

/// Whether io_uring can be had; else says loudly which test does without.
fn has_uring(test: &str) -> bool {
    let has = Io::Uring.check().is_ok();
    if !has {
        eprintln!("skipped in part: {test}: the system gives no io_uring");
    }
    has
}

fn ways(test: &str) -> Vec<Io> {
    let has_uring = has_uring(test);
    WAYS.into_iter().filter(|way| has_uring || *way != Io::Uring).collect()
}

/// Puts a file on the disk and out of the page cache, so that a probe finds it cold.
fn cool(path: &Path) {
    let file = File::open(path).unwrap();
    file.sync_all().unwrap();
    let _ = rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed);
}

fn write(path: &Path, bytes: &[u8]) {
    let mut file = File::create(path).unwrap();
    file.write_all(bytes).unwrap();
    settle(&file);
}

/// The same modification time in every run.
fn settle(file: &File) {
    file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000)).unwrap();
}

/// Files of all lengths around blocks, windows and sectors; page files, holes, zeros.
fn make_files(top: &Path, day: u64) {
    const BLOCK: usize = 256 << 10;
    fs::create_dir_all(top).unwrap();
    let mut lengths = vec![0, 1, 4095, 4096, 4097, 1 << 20, (1 << 20) + 1];
    lengths.extend((4..8).flat_map(|blocks| [-513, -1, 0, 1, 511, 4097].map(|d| blocks * BLOCK as i64 + d)));
    lengths.extend([(8 << 20) - 1, 8 << 20, (8 << 20) + 1, (24 << 20) + 70_001]);
    for length in lengths {
        let mut bytes = noise(length as u64, length as usize);
        if let Some(place) = bytes.get_mut(length as usize / 2) {
            *place ^= day as u8;
        }
        write(&top.join(format!("content-{length}")), &bytes);
    }
    let mut sqlite = noise(5, 21_000_000);
    sqlite[..16].copy_from_slice(b"SQLite format 3\0");
    sqlite[16..18].copy_from_slice(&4096u16.to_be_bytes());
    sqlite[18..24].copy_from_slice(&[1, 1, 0, 64, 32, 32]);
    sqlite[day as usize * 1_000_000] ^= 1;
    sqlite[9_000_000..17_000_000].fill(0);
    write(&top.join("pages"), &sqlite);
    let path = top.join("sparse");
    let mut sparse = File::create(&path).unwrap();
    for (at, length) in [(0, 300_000), (3_000_000, 5), (40_000_000, 1_000_000), (59_000_123, 4_096)] {
        sparse.seek(SeekFrom::Start(at)).unwrap();
        sparse.write_all(&noise(at + day, length)).unwrap();
    }
    sparse.set_len(75_000_001).unwrap();
    settle(&sparse);
}

fn cool_all(top: &Path) {
    for entry in fs::read_dir(top).unwrap() {
        cool(&entry.unwrap().path());
    }
}

/// Backs both days up and gives the image.
fn image(days: [&Path; 2], on: &Arc<dyn Shelf>, io: Io, threads: usize) {
    for day in days {
        cool_all(day);
        let tree = TreeOptions::default();
        let options = BackupOptions { io, threads, block_size: 65_536, ..options() };
        backup_tree(on, &[day.to_owned()], tree, &options, &Monitor::default()).unwrap();
    }
}

#[test]
fn every_way_and_any_number_of_threads_give_the_same_image() {
    let test = "every_way_and_any_number_of_threads_give_the_same_image";
    let folder = tempfile::tempdir().unwrap();
    let [first, second] = ["1/top", "2/top"].map(|name| folder.path().join(name));
    make_files(&first, 1);
    make_files(&second, 2);
    let expected = MemoryShelf::default();
    image([&first, &second], &(Arc::new(expected.clone()) as _), Io::Plain, 1);
    let expected = image_of(&expected);
    for way in ways(test) {
        for threads in [1, 2, 7] {
            let pool = folder.path().join(format!("{way:?}-{threads}.tap"));
            image([&first, &second], &shelf::shelf(&pool).unwrap(), way, threads);
            let found = fs::read(&pool).unwrap();
            let differs = found.iter().zip(&expected).position(|(a, b)| a != b);
            assert!(
                differs.is_none() && found.len() == expected.len(),
                "{way:?}, {threads} threads: first difference at byte {differs:?} of {}, expected {}",
                found.len(),
                expected.len()
            );
            fs::remove_file(&pool).unwrap();
        }
    }
}

#[test]
fn little_memory_gives_the_same_image() {
    let test = "little_memory_gives_the_same_image";
    let folder = tempfile::tempdir().unwrap();
    let top = folder.path().join("top");
    make_files(&top, 1);
    let mut images = Vec::new();
    for way in ways(test) {
        cool_all(&top);
        let on = MemoryShelf::default();
        let memory = Memory::new(Memory::SMALLEST).unwrap();
        let options = BackupOptions { io: way, memory, threads: 7, ..options() };
        let shelf: Arc<dyn Shelf> = Arc::new(on.clone());
        backup_tree(
            &shelf,
            std::slice::from_ref(&top),
            TreeOptions::default(),
            &options,
            &Monitor::default(),
        )
        .unwrap();
        images.push(image_of(&on));
    }
    assert!(images.windows(2).all(|two| two[0] == two[1]));
}

/// Backs up a file that loses its end once it is open, and once it was looked into if `begun`.
fn shrinking(path: &Path, io: Io, begun: bool) -> (BackupReport, Vec<u8>) {
    write(path, &noise(7, 30_000_000));
    cool(path);
    let files = Files::new(io, Memory::DEFAULT).unwrap();
    let meddling = Tree::new(&[path.to_owned()], TreeOptions { files, ..TreeOptions::default() }).unwrap();
    let meddling = meddling.inspect(|item| {
        let Item::Entry(Entry::Stream(source)) = item else { return };
        if begun {
            let positioned = source.positioned().unwrap();
            assert_eq!(positioned.read_at(&mut vec![0; 512 << 10], 0).unwrap(), 512 << 10);
        }
        let file = File::options().write(true).open(path).unwrap();
        file.set_len(20_000_001).unwrap();
        settle(&file);
    });
    let on = MemoryShelf::default();
    let shelf: Arc<dyn Shelf> = Arc::new(on.clone());
    let report = backup(&shelf, Box::new(meddling), &options(), &Monitor::default()).unwrap();
    (report, image_of(&on))
}

#[test]
fn a_file_cut_short_while_it_is_read_is_completed_and_reported_by_every_way() {
    let test = "a_file_cut_short_while_it_is_read_is_completed_and_reported_by_every_way";
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shrinks");
    let (_, expected) = shrinking(&path, Io::Plain, false);
    for way in ways(test) {
        for begun in [false, true] {
            let (report, image) = shrinking(&path, way, begun);
            assert_eq!(report.input_bytes, 30_000_000, "{way:?}");
            assert!(report.changed[0].1.contains("30000000 bytes when opened, 20000001 now"), "{way:?}");
            // What was read ahead may stand behind the cut.
            if !begun {
                let nothing = report.zero_bytes + report.hole_bytes;
                assert!(nothing >= 9_900_000, "{way:?}: {nothing} bytes of zeros");
                assert!(image == expected, "{way:?}");
            }
        }
    }
}

#[test]
fn a_file_system_in_memory_is_read_right_by_every_way() {
    let test = "a_file_system_in_memory_is_read_right_by_every_way";
    let Ok(folder) = tempfile::tempdir_in("/dev/shm") else {
        eprintln!("skipped: {test}: no /dev/shm");
        return;
    };
    let path = folder.path().join("file");
    let bytes = noise(8, 9_000_001);
    write(&path, &bytes);
    for way in ways(test) {
        let files = Files::new(way, Memory::DEFAULT).unwrap();
        let tree = TreeOptions { files, ..TreeOptions::default() };
        let mut items = Tree::new(std::slice::from_ref(&path), tree).unwrap();
        let Some(Item::Entry(Entry::Stream(mut source))) = items.next() else { panic!("no stream") };
        let mut found = vec![0; bytes.len() + 1];
        assert_eq!(source.read(&mut found).unwrap(), bytes.len());
        assert!(found[..bytes.len()] == bytes, "{way:?}");
    }
}

/// Restores the newest set of `pool` into a new folder.
fn restored(pool: &Path, to: &Path, options: RestoreOptions) -> RestoreReport {
    cool(pool);
    let pool = Arc::new(Pool::open_shelf(shelf::shelf(pool).unwrap(), None, Catalogs::Cached).unwrap());
    restore(&pool, to, &options, &Monitor::default()).unwrap()
}

#[test]
fn every_way_and_any_number_of_threads_restore_the_same_files() {
    let test = "every_way_and_any_number_of_threads_restore_the_same_files";
    let folder = tempfile::tempdir().unwrap();
    let [first, second] = ["1/top", "2/top"].map(|name| folder.path().join(name));
    for (day, top) in [&first, &second].into_iter().enumerate() {
        make_files(top, day as u64 + 1);
        for number in 0..300 {
            write(&top.join(format!("small-{number}")), &noise(number, number as usize * 7));
        }
    }
    let pool = folder.path().join("pool.tap");
    image([&first, &second], &shelf::shelf(&pool).unwrap(), Io::Plain, 2);
    let in_memory = tempfile::tempdir_in("/dev/shm").ok();
    for way in ways(test) {
        for (threads, place) in [(1, Some(&folder)), (3, Some(&folder)), (2, in_memory.as_ref())] {
            let Some(place) = place else { continue };
            let to = place.path().join(format!("{way:?} by {threads} threads"));
            let options = RestoreOptions { io: way, threads, ..RestoreOptions::default() };
            let report = restored(&pool, &to, options.clone());
            assert!(report.damaged.is_empty() && report.issues.is_empty(), "{}: {report:?}", to.display());
            if threads == 2 {
                // Once more, over what is there.
                restored(&pool, &to, RestoreOptions { overwrite: true, ..options });
            }
            for entry in fs::read_dir(&second).unwrap() {
                let path = entry.unwrap().path();
                let found = to.join("top").join(path.file_name().unwrap());
                assert!(fs::read(&found).unwrap() == fs::read(&path).unwrap(), "{}", found.display());
            }
            let held = fs::metadata(to.join("top/sparse")).unwrap().blocks() * 512;
            assert!(held < 3 << 20, "{}: {held} bytes of a sparse file", to.display());
            fs::remove_dir_all(&to).unwrap();
        }
    }
}

#[test]
fn every_way_tells_the_same_of_a_damaged_image_and_keeps_the_same_of_its_files() {
    let test = "every_way_tells_the_same_of_a_damaged_image_and_keeps_the_same_of_its_files";
    let folder = tempfile::tempdir().unwrap();
    let top = folder.path().join("top");
    make_files(&top, 1);
    let pool = folder.path().join("pool.tap");
    image([&top, &top], &shelf::shelf(&pool).unwrap(), Io::Plain, 2);
    let mut bytes = fs::read(&pool).unwrap();
    for part in 1..7 {
        let place = bytes.len() / 8 * part;
        bytes[place] ^= 1;
    }
    fs::write(&pool, bytes).unwrap();
    let told = |way: Io| {
        let to = folder.path().join(format!("{way:?}"));
        let options = RestoreOptions { io: way, keep_partial: true, ..RestoreOptions::default() };
        let report = restored(&pool, &to, options);
        let mut files: Vec<_> = fs::read_dir(to.join("top"))
            .unwrap()
            .map(|entry| entry.unwrap())
            .map(|entry| (entry.file_name(), fs::read(entry.path()).unwrap()))
            .collect();
        files.sort();
        let damaged: Vec<_> = report.damaged.into_iter().map(|d| (d.stream, d.lost, d.why)).collect();
        (files, damaged)
    };
    let expected = told(Io::Plain);
    assert!(!expected.1.is_empty());
    for way in ways(test).into_iter().filter(|way| *way != Io::Plain) {
        let (files, damaged) = told(way);
        assert_eq!(damaged, expected.1, "{way:?}");
        assert!(files == expected.0, "{way:?}");
    }
}

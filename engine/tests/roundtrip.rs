//! What goes in comes out: trees and streams through a pool in memory.

use reel_engine::backup::{BackupOptions, BackupReport, backup};
use reel_engine::memory::Memory;
use reel_engine::pool::{Catalogs, MemoryShelf, Pool, Shelf};
use reel_engine::progress::Monitor;
use reel_engine::restore::{RestoreOptions, restore, restore_stream};
use reel_engine::source::{Entry, Item, ReadSource, Tree, TreeOptions};
use reel_engine::verify::verify;
use std::path::Path;
use std::sync::Arc;

fn options(threads: usize) -> BackupOptions {
    BackupOptions {
        threads,
        cache: None,
        clock: Some(1),
        seed: Some(7),
        block_size: 4096,
        ..BackupOptions::default()
    }
}

fn back_up(shelf: &MemoryShelf, path: &Path, threads: usize) -> BackupReport {
    let shelf: Arc<dyn Shelf> = Arc::new(shelf.clone());
    let classify = reel_engine::chunk::pages::log_generation;
    let tree = Tree::new(&[path.to_owned()], TreeOptions { classify, ..TreeOptions::default() }).unwrap();
    backup(&shelf, Box::new(tree), &options(threads), &Monitor::default()).unwrap()
}

fn open(shelf: &MemoryShelf) -> Arc<Pool> {
    Arc::new(Pool::open_shelf(Arc::new(shelf.clone()), None, Catalogs::Cached).unwrap())
}

fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed | 1;
    (0..len)
        .map(|_| {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (state >> 33) as u8
        })
        .collect()
}

fn make_tree(root: &Path) {
    let write = |name: &str, bytes: &[u8]| {
        let path = root.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    };
    write("empty", b"");
    write("small/a", b"hello");
    write("small/b", b"hello");
    write("noise", &noise(1, 20_000_000));
    write("again", &noise(1, 20_000_000));
    let mut zeros = vec![0; 19_000_000];
    zeros[10_000_000..10_100_000].copy_from_slice(&noise(2, 100_000));
    write("zeros", &zeros);
    let sparse = std::fs::File::create(root.join("sparse")).unwrap();
    use std::os::unix::fs::FileExt;
    sparse.set_len(100_000_000).unwrap();
    sparse.write_all_at(&noise(3, 100_000), 33_333_333).unwrap();
    for i in 0..5000 {
        write(&format!("many/{i:04}"), format!("file {i}").as_bytes());
    }
}

fn assert_same(a: &Path, b: &Path) {
    let out = std::process::Command::new("diff").arg("-r").arg(a).arg(b).output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stdout));
}

#[test]
fn a_tree_restores_equal_and_a_second_backup_stores_nothing_new() {
    let source = tempfile::tempdir().unwrap();
    let root = source.path().join("tree");
    make_tree(&root);
    let shelf = MemoryShelf::default();
    let first = back_up(&shelf, &root, 2);
    assert!(!first.has_findings(), "{first:?}");
    assert_eq!(first.set, 1);
    let second = back_up(&shelf, &root, 2);
    assert_eq!((second.set, second.new_bytes, second.stored_bytes), (2, 0, 0));

    let pool = open(&shelf);
    for set in ["1", "latest"] {
        let target = tempfile::tempdir().unwrap();
        let options = RestoreOptions { set: set.into(), ..RestoreOptions::default() };
        let report = restore(&pool, target.path(), &options, &Monitor::default()).unwrap();
        assert!(report.damaged.is_empty() && report.issues.is_empty(), "{report:?}");
        assert_same(&root, &target.path().join("tree"));
    }
    let report = verify(&pool, 2, Memory::DEFAULT, &Monitor::default()).unwrap();
    assert!(!report.has_findings(), "{report:?}");
    assert_eq!((report.sets, report.streams), (2, first.streams + second.streams));
}

#[test]
fn volumes_do_not_depend_on_the_number_of_threads() {
    let source = tempfile::tempdir().unwrap();
    let root = source.path().join("tree");
    make_tree(&root);
    let images = [1, 2, 7].map(|threads| {
        let shelf = MemoryShelf::default();
        back_up(&shelf, &root, threads);
        back_up(&shelf, &root, threads);
        shelf.images()
    });
    assert!(images[0] == images[1] && images[1] == images[2]);
}

#[test]
fn a_pushed_stream_comes_out_in_order() {
    let bytes = [noise(5, 9_000_000), vec![0; 3_000_000], noise(5, 9_000_000)].concat();
    let shelf = MemoryShelf::default();
    let source = ReadSource::new("mail", std::io::Cursor::new(bytes.clone())).unwrap();
    let items = std::iter::once(Item::Entry(Entry::Stream(Box::new(source))));
    let as_shelf: Arc<dyn Shelf> = Arc::new(shelf.clone());
    backup(&as_shelf, Box::new(items), &options(2), &Monitor::default()).unwrap();
    let mut out = Vec::new();
    restore_stream(&open(&shelf), b"mail", &mut out, &RestoreOptions::default(), &Monitor::default())
        .unwrap();
    assert!(out == bytes);
}

#[test]
fn a_scan_makes_the_catalogs_again_from_segments_fragments_and_frames() {
    let source = tempfile::tempdir().unwrap();
    let root = source.path().join("tree");
    make_tree(&root);
    let shelf = MemoryShelf::default();
    back_up(&shelf, &root, 2);
    let pool = Arc::new(Pool::open_shelf(Arc::new(shelf), None, Catalogs::Scanned).unwrap());
    let target = tempfile::tempdir().unwrap();
    restore(&pool, target.path(), &RestoreOptions::default(), &Monitor::default()).unwrap();
    assert_same(&root, &target.path().join("tree"));
}

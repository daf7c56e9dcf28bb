//! Any tree comes back as it was, and a second backup of it stores nothing new.

use proptest::collection::vec;
use proptest::prelude::*;
use reel_engine::backup::{BackupReport, backup};
use reel_engine::chunk::pages::log_generation;
use reel_engine::pool::{Catalogs, MemoryShelf, Shelf};
use reel_engine::progress::Monitor;
use reel_engine::restore::{RestoreOptions, restore};
use reel_engine::source::{Tree, TreeOptions};
use reel_tests::memory::{image_of, noise, open, options};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt};
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

/// What one entry of a tree is made from.
#[derive(Debug, Clone)]
enum Made {
    /// Contents from a seed, so that files repeat each other, and a tail that does not.
    File {
        seed: u64,
        length: usize,
        tail: Vec<u8>,
    },
    /// Some bytes at the end of a long hole.
    Sparse {
        hole: u64,
        tail: Vec<u8>,
    },
    Folder,
    Symlink(String),
    /// Another name of the file that was made last.
    HardLink,
}

#[derive(Debug, Clone)]
struct Node {
    name: String,
    /// Which of the folders made before it lies in.
    parent: usize,
    made: Made,
    mode: u32,
    mtime: (u64, u32),
    note: Option<Vec<u8>>,
}

fn made() -> impl Strategy<Value = Made> {
    let length = prop_oneof![Just(0usize), 1..200usize, 200..70_000usize, 70_000..400_000usize];
    let tail = || vec(any::<u8>(), 0..40);
    prop_oneof![
        5 => (0..4u64, length, tail()).prop_map(|(seed, length, tail)| Made::File { seed, length, tail }),
        1 => (1..9_000_000u64, tail()).prop_map(|(hole, tail)| Made::Sparse { hole, tail }),
        3 => Just(Made::Folder),
        1 => "[a-z./]{1,12}".prop_map(Made::Symlink),
        1 => Just(Made::HardLink),
    ]
}

fn node() -> impl Strategy<Value = Node> {
    let name = prop_oneof!["[a-c]{1,2}", "[ -.0-~]{1,20}", "\\PC{1,8}"];
    let name =
        name.prop_map(|n: String| n.replace('/', "_")).prop_filter("a name", |n| n != "." && n != "..");
    let mode = prop_oneof![Just(0o644), Just(0o600), Just(0o400), Just(0o755), Just(0o4711)];
    let mtime = (0..4_000_000_000u64, 0..1_000_000_000u32);
    let note = proptest::option::of(vec(any::<u8>(), 0..50));
    (name, any::<proptest::sample::Index>(), made(), mode, mtime, note).prop_map(
        |(name, parent, made, mode, mtime, note)| Node {
            name,
            parent: parent.index(1000),
            made,
            mode,
            mtime,
            note,
        },
    )
}

/// Makes the tree below `root`; names that are taken already are passed over.
fn make(root: &Path, nodes: &[Node]) {
    fs::create_dir(root).unwrap();
    let mut folders = vec![root.to_owned()];
    let mut last_file = None;
    let mut times = Vec::new();
    for node in nodes {
        let path = folders[node.parent % folders.len()].join(&node.name);
        if path.symlink_metadata().is_ok() || path.as_os_str().len() > 3000 {
            continue;
        }
        match &node.made {
            Made::File { seed, length, tail } => {
                fs::write(&path, [&noise(*seed, *length), &tail[..]].concat()).unwrap();
                last_file = Some(path.clone());
            }
            Made::Sparse { hole, tail } => {
                let file = fs::File::create(&path).unwrap();
                file.set_len(hole + tail.len() as u64).unwrap();
                file.write_all_at(tail, *hole).unwrap();
            }
            Made::Folder => {
                fs::create_dir(&path).unwrap();
                folders.push(path.clone());
            }
            Made::Symlink(target) => {
                std::os::unix::fs::symlink(target, &path).unwrap();
                continue;
            }
            Made::HardLink => {
                if let Some(first) = &last_file {
                    fs::hard_link(first, &path).unwrap();
                }
                continue;
            }
        }
        if let Some(note) = &node.note {
            // Not every file system has them.
            let _ = xattr::set(&path, "user.note", note);
        }
        let is_folder = matches!(node.made, Made::Folder);
        let mode = if is_folder { node.mode | 0o700 } else { node.mode };
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        times.push((path, UNIX_EPOCH + Duration::new(node.mtime.0, node.mtime.1)));
    }
    // Folders get their time when nothing is made in them any more.
    for (path, time) in times.iter().rev() {
        fs::File::open(path).unwrap().set_modified(*time).unwrap();
    }
}

/// What is kept of an entry.
#[derive(Debug, PartialEq)]
struct Seen {
    mode: u32,
    owner: (u32, u32),
    mtime: (i64, i64),
    links: u64,
    bytes: Vec<u8>,
    xattrs: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
    /// The first entry, in the order of names, with the same inode.
    same_as: Vec<u8>,
}

fn look(root: &Path) -> BTreeMap<Vec<u8>, Seen> {
    let mut entries = BTreeMap::new();
    let mut inodes = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(root).unwrap().as_os_str().as_bytes().to_vec();
            let metadata = path.symlink_metadata().unwrap();
            let kind = metadata.file_type();
            let bytes = match kind {
                _ if kind.is_symlink() => fs::read_link(&path).unwrap().as_os_str().as_bytes().to_vec(),
                _ if kind.is_file() => fs::read(&path).unwrap(),
                _ => Vec::new(),
            };
            let names = xattr::list(&path).into_iter().flatten();
            let xattrs = names.map(|n| (n.as_bytes().to_vec(), xattr::get(&path, &n).unwrap()));
            let first = inodes.entry(metadata.ino()).or_insert_with(|| name.clone());
            *first = first.clone().min(name.clone());
            let links = if kind.is_dir() { 0 } else { metadata.nlink() };
            let seen = Seen {
                mode: metadata.mode(),
                owner: (metadata.uid(), metadata.gid()),
                mtime: (metadata.mtime(), metadata.mtime_nsec()),
                links,
                bytes,
                xattrs: xattrs.collect(),
                same_as: Vec::new(),
            };
            entries.insert(name, (metadata.ino(), seen));
            if kind.is_dir() {
                folders.push(path);
            }
        }
    }
    let with_first = |(name, (inode, seen)): (Vec<u8>, (u64, Seen))| {
        (name, Seen { same_as: inodes[&inode].clone(), ..seen })
    };
    entries.into_iter().map(with_first).collect()
}

fn back_up(shelf: &MemoryShelf, root: &Path, excludes: &[&str]) -> BackupReport {
    let excludes = excludes.iter().map(ToString::to_string).collect();
    let tree = TreeOptions { excludes, classify: log_generation, ..TreeOptions::default() };
    let tree = Tree::new(&[root.to_owned()], tree).unwrap();
    let shelf: std::sync::Arc<dyn Shelf> = std::sync::Arc::new(shelf.clone());
    backup(&shelf, Box::new(tree), &options(), &Monitor::default()).unwrap()
}

fn restored(shelf: &MemoryShelf, set: u32) -> tempfile::TempDir {
    let target = tempfile::tempdir().unwrap();
    let pool = open(image_of(shelf), Catalogs::Cached).unwrap();
    let options = RestoreOptions { set: set.to_string(), ..RestoreOptions::default() };
    let report = restore(&pool, target.path(), &options, &Monitor::default()).unwrap();
    assert!(report.damaged.is_empty() && report.issues.is_empty(), "{report:?}");
    target
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_tree_comes_back_whole_and_a_second_backup_stores_only_metadata(nodes in vec(node(), 0..30)) {
        let source = tempfile::tempdir().unwrap();
        let root = source.path().join("top");
        make(&root, &nodes);
        let shelf = MemoryShelf::default();
        let first = back_up(&shelf, &root, &[]);
        prop_assert!(!first.has_findings(), "{:?}", first);
        let second = back_up(&shelf, &root, &[]);
        prop_assert_eq!((second.new_bytes, second.stored_bytes, second.new_chunks), (0, 0, 0));
        prop_assert_eq!(second.input_bytes, first.input_bytes);
        let before = look(source.path());
        for set in [1, 2] {
            prop_assert_eq!(&look(restored(&shelf, set).path()), &before);
        }
    }
}

#[test]
fn what_is_excluded_is_left_out_and_nothing_else() {
    let source = tempfile::tempdir().unwrap();
    let root = source.path().join("top");
    for folder in ["keep/cache", "cache", "logs/old"] {
        fs::create_dir_all(root.join(folder)).unwrap();
    }
    for file in [
        "a.tmp",
        "a.txt",
        "keep/b.tmp",
        "keep/b.txt",
        "cache/c.txt",
        "keep/cache/d.txt",
        "logs/old/e",
        "logs/f",
    ] {
        fs::write(root.join(file), file).unwrap();
    }
    let shelf = MemoryShelf::default();
    back_up(&shelf, &root, &["*.tmp", "cache/", "/top/logs/old"]);
    let names: Vec<_> = look(restored(&shelf, 1).path()).into_keys().collect();
    let expected = ["top", "top/a.txt", "top/keep", "top/keep/b.txt", "top/logs", "top/logs/f"];
    assert_eq!(names, expected.map(|n| n.as_bytes().to_vec()));
}

#[test]
fn contents_at_the_edges_of_chunks_pieces_and_parts_come_back_whole() {
    let source = tempfile::tempdir().unwrap();
    let root = source.path().join("top");
    fs::create_dir(&root).unwrap();
    let sizes = [
        1,
        4095,
        4096,
        4097,
        65_536,
        65_537,
        4 << 20,
        (8 << 20) - 1,
        8 << 20,
        (8 << 20) + 1,
        (16 << 20) + 65_536,
    ];
    for (seed, size) in (0..).zip(sizes) {
        fs::write(root.join(format!("noise-{size}")), noise(seed, size)).unwrap();
        fs::write(root.join(format!("zeros-{size}")), vec![0; size]).unwrap();
    }
    let shelf = MemoryShelf::default();
    let report = back_up(&shelf, &root, &[]);
    assert!(!report.has_findings(), "{report:?}");
    assert!(look(restored(&shelf, 1).path()) == look(source.path()));
}

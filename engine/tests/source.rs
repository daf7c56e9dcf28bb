//! What sources deliver, in which order, and what they tell about what they cannot deliver.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use reel_engine::Class;
use reel_engine::attributes::{Accounts, NodeKind};
use reel_engine::source::{Entry, FileSource, Finding, FindingKind, Item, Source, Tree, TreeOptions};

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("the temporary folder can be written to")
}

fn write(path: PathBuf, bytes: impl AsRef<[u8]>) -> PathBuf {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, bytes).unwrap();
    path
}

fn walk(paths: &[PathBuf], options: TreeOptions) -> (Vec<Entry>, Vec<Finding>) {
    let (mut entries, mut findings) = (Vec::new(), Vec::new());
    for item in Tree::new(paths, options).unwrap() {
        match item {
            Item::Entry(entry) => entries.push(entry),
            Item::Finding(finding) => findings.push(finding),
        }
    }
    (entries, findings)
}

fn names(entries: &[Entry]) -> Vec<String> {
    entries.iter().map(|entry| entry.name().escape_ascii().to_string()).collect()
}

/// A made-up log file: "LOG" and its generation.
fn log(generation: u32) -> Vec<u8> {
    let mut bytes = vec![0; 8192];
    bytes[..3].copy_from_slice(b"LOG");
    bytes[3..7].copy_from_slice(&generation.to_le_bytes());
    bytes
}

fn log_generation(head: &[u8]) -> Option<u32> {
    let bytes = head.strip_prefix(b"LOG")?.first_chunk()?;
    Some(u32::from_le_bytes(*bytes))
}

fn open(path: &Path) -> FileSource {
    FileSource::open(path, b"f".to_vec(), &Accounts::default(), &mut Vec::new()).unwrap()
}

fn read_all(source: &mut dyn Source) -> reel_engine::Result<Vec<u8>> {
    let (mut all, mut buffer) = (Vec::new(), vec![0; 1000]);
    loop {
        match source.read(&mut buffer)? {
            0 => return Ok(all),
            count => all.extend_from_slice(&buffer[..count]),
        }
    }
}

#[test]
fn a_folder_is_walked_depth_first_by_the_bytes_of_its_names_with_logs_last_by_generation() {
    let dir = folder();
    let top = dir.path().join("store");
    write(top.join("a/z.edb"), "z");
    write(top.join("a.edb"), "a");
    write(top.join("B"), "B");
    write(top.join("\u{e9}"), "e");
    write(top.join("aaa.log"), log(0x1f));
    write(top.join("E00.log"), log(0x20));
    write(top.join("E0000001.log"), log(3));
    write(top.join("a/E01.log"), log(7));
    // As long as a log file, but none.
    write(top.join("other.log"), vec![1; 8192]);
    // A log file's head on a file that is too short, or not made of whole units.
    write(top.join("short.log"), &log(1)[..4096]);
    write(top.join("torn.log"), &log(2)[..8191]);
    let (entries, findings) =
        walk(&[top], TreeOptions { classify: log_generation, ..TreeOptions::default() });
    assert_eq!(findings, []);
    assert_eq!(
        names(&entries),
        [
            "store",
            "store/B",
            "store/a",
            "store/a/z.edb",
            "store/a/E01.log",
            "store/a.edb",
            "store/other.log",
            "store/short.log",
            "store/torn.log",
            "store/\\xc3\\xa9",
            "store/E0000001.log",
            "store/aaa.log",
            "store/E00.log"
        ]
    );
}

#[test]
fn paths_keep_their_last_component_in_the_order_given() {
    let dir = folder();
    let b = write(dir.path().join("x/b"), "b");
    let a = write(dir.path().join("y/a/f"), "f").parent().unwrap().to_path_buf();
    let (entries, _) = walk(&[b.clone(), a.join(".")], TreeOptions::default());
    assert_eq!(names(&entries), ["b", "a", "a/f"]);
    let (entries, _) = walk(&[a.join("../a/"), a.join("..")], TreeOptions::default());
    assert_eq!(names(&entries), ["a", "a/f", "y", "y/a", "y/a/f"]);
}

#[test]
fn paths_that_cannot_be_walked_stop_the_run_at_its_start() {
    let dir = folder();
    let one = write(dir.path().join("1/same"), "1");
    let two = write(dir.path().join("2/same"), "2");
    let error = |paths: &[PathBuf]| Tree::new(paths, TreeOptions::default()).err().unwrap();

    let twice = error(&[one.clone(), two.clone()]).to_string();
    assert!(twice.contains(one.to_str().unwrap()) && twice.contains(two.to_str().unwrap()), "{twice}");
    let missing = error(&[dir.path().join("none")]);
    assert_eq!(missing.io_kind(), Some(std::io::ErrorKind::NotFound));
    assert_eq!(error(&["/".into()]).class(), Class::Argument);
}

#[test]
fn excluded_folders_are_left_out_whole() {
    let dir = folder();
    let top = dir.path().join("t");
    for name in ["keep/a.tmp", "keep/b", "cache/deep/x", "sub/cache", "sub/x/only.txt"] {
        write(top.join(name), "x");
    }
    let excludes = ["*.tmp", "cache/", "t/sub/*/only.txt"].map(String::from).to_vec();
    let (entries, findings) = walk(&[top], TreeOptions { excludes, ..TreeOptions::default() });
    assert_eq!(findings, []);
    assert_eq!(names(&entries), ["t", "t/keep", "t/keep/b", "t/sub", "t/sub/cache", "t/sub/x"]);
}

#[test]
fn a_file_with_several_names_is_delivered_once() {
    let dir = folder();
    let top = dir.path().join("t");
    let first = write(top.join("a/first"), "bytes");
    fs::hard_link(&first, top.join("b")).unwrap();
    let empty = write(top.join("c"), "");
    fs::hard_link(&empty, top.join("d")).unwrap();
    let (entries, _) = walk(&[top], TreeOptions::default());
    assert_eq!(names(&entries), ["t", "t/a", "t/a/first", "t/b", "t/c", "t/d"]);
    let kinds: Vec<_> = entries.iter().map(|entry| entry.attributes().kind).collect();
    use NodeKind::{Directory, File, HardLink};
    assert_eq!(kinds, [Directory, Directory, File, HardLink, File, HardLink]);
    assert!(matches!(entries[2], Entry::Stream(_)) && matches!(entries[4], Entry::Meta { .. }));
    assert_eq!(entries[3].attributes().link_target.as_deref(), Some(&b"t/a/first"[..]));
    assert_eq!(entries[3].attributes().size, 0);
    assert_eq!(entries[5].attributes().link_target.as_deref(), Some(&b"t/c"[..]));
}

#[test]
fn the_first_name_of_a_log_file_is_the_one_delivered_first() {
    let dir = folder();
    let top = dir.path().join("t");
    let first = write(top.join("a.log"), log(5));
    fs::create_dir(top.join("b")).unwrap();
    fs::hard_link(&first, top.join("b/c.log")).unwrap();
    let (entries, _) = walk(&[top], TreeOptions { classify: log_generation, ..TreeOptions::default() });
    assert_eq!(names(&entries), ["t", "t/b", "t/b/c.log", "t/a.log"]);
    assert_eq!(entries[2].attributes().kind, NodeKind::File);
    assert_eq!(entries[3].attributes().link_target.as_deref(), Some(&b"t/b/c.log"[..]));
}

#[test]
fn symbolic_links_are_kept_and_not_followed() {
    let dir = folder();
    let top = dir.path().join("t");
    write(top.join("real/f"), "f");
    symlink("real", top.join("link")).unwrap();
    symlink("nowhere", top.join("broken")).unwrap();
    let (entries, findings) = walk(std::slice::from_ref(&top), TreeOptions::default());
    assert_eq!(findings, []);
    assert_eq!(names(&entries), ["t", "t/broken", "t/link", "t/real", "t/real/f"]);
    assert_eq!(entries[2].attributes().kind, NodeKind::Symlink);
    assert_eq!(entries[1].attributes().link_target.as_deref(), Some(&b"nowhere"[..]));

    let (entries, _) = walk(&[top.join("link")], TreeOptions::default());
    assert_eq!(names(&entries), ["link"]);
    assert_eq!(entries[0].attributes().link_target.as_deref(), Some(&b"real"[..]));
    // With a slash behind it, the path means the folder, here as everywhere.
    let slash = PathBuf::from(format!("{}/", top.join("link").display()));
    let (entries, findings) = walk(&[slash], TreeOptions::default());
    assert_eq!(findings, []);
    assert_eq!(names(&entries), ["link", "link/f"]);
}

#[test]
fn special_files_are_refused_by_name_and_the_walk_goes_on() {
    let dir = folder();
    let top = dir.path().join("t");
    write(top.join("z"), "z");
    let pipe = top.join("pipe");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &pipe,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o600),
        0,
    )
    .unwrap();
    let socket = top.join("socket");
    let _listener = UnixListener::bind(&socket).unwrap();
    let (entries, findings) = walk(&[top, "/dev/null".into()], TreeOptions::default());
    assert_eq!(names(&entries), ["t", "t/z"]);
    let paths: Vec<_> = findings.iter().map(|finding| finding.path.as_path()).collect();
    assert_eq!(paths, [pipe.as_path(), socket.as_path(), Path::new("/dev/null")]);
    assert!(findings.iter().all(|finding| finding.kind == FindingKind::Refused));
}

#[test]
fn the_volume_that_is_written_to_is_never_entered() {
    let dir = folder();
    let top = dir.path().join("t");
    write(top.join("a"), "a");
    let volume = write(top.join("pool/volume.tap"), "v");
    let metadata = fs::metadata(&volume).unwrap();
    let skip = vec![(metadata.dev(), metadata.ino())];
    let (entries, findings) = walk(&[top], TreeOptions { skip, ..TreeOptions::default() });
    assert_eq!(names(&entries), ["t", "t/a", "t/pool"]);
    assert_eq!(findings.len(), 1);
    assert_eq!((findings[0].path.as_path(), findings[0].kind), (volume.as_path(), FindingKind::OwnVolume));
}

#[test]
fn another_file_system_is_delivered_as_an_empty_folder_where_one_is_to_be_kept_to() {
    let device = |path: &str| fs::metadata(path).map(|metadata| metadata.dev()).ok();
    let inside = tempfile::tempdir_in("/dev/shm");
    let (Ok(inside), false) = (inside, device("/dev") == device("/dev/shm")) else {
        eprintln!("skipped: another_file_system_is_delivered_as_an_empty_folder: /dev/shm is none");
        return;
    };
    let inside = inside.path().strip_prefix("/").unwrap().to_str().unwrap();
    for one_file_system in [true, false] {
        let (entries, _) = walk(&["/dev".into()], TreeOptions { one_file_system, ..TreeOptions::default() });
        let names = names(&entries);
        assert!(names.iter().any(|name| name == "dev/shm"));
        assert_eq!(names.iter().any(|name| name == inside), !one_file_system);
    }
}

#[test]
fn what_vanishes_or_is_denied_is_found_and_the_walk_goes_on() {
    let dir = folder();
    let top = dir.path().join("t");
    write(top.join("a"), "a");
    let gone = write(top.join("b"), "b");
    write(top.join("c/x"), "x");
    let mut tree = Tree::new(std::slice::from_ref(&top), TreeOptions::default()).unwrap();
    assert!(matches!(tree.next(), Some(Item::Entry(_))));
    fs::remove_file(&gone).unwrap();
    fs::set_permissions(top.join("c"), fs::Permissions::from_mode(0o000)).unwrap();
    let rest: Vec<_> = tree.collect();
    fs::set_permissions(top.join("c"), fs::Permissions::from_mode(0o700)).unwrap();
    let vanished = rest.iter().find_map(|item| match item {
        Item::Finding(finding) if finding.path == gone => Some(finding.kind),
        _ => None,
    });
    assert_eq!(vanished, Some(FindingKind::Vanished));
    if rustix::process::geteuid().is_root() {
        eprintln!("skipped: the denied half of what_vanishes_or_is_denied: root is denied nothing");
    } else {
        let denied = |item: &Item| matches!(item, Item::Finding(f) if f.path == top.join("c") && f.kind == FindingKind::Unreadable);
        assert!(rest.iter().any(denied));
    }
}

#[test]
fn names_need_not_be_text() {
    let dir = folder();
    let top = dir.path().join("t");
    fs::create_dir(&top).unwrap();
    fs::write(top.join(std::ffi::OsStr::from_bytes(b"\xff\xfe")), "x").unwrap();
    let (entries, _) = walk(&[top], TreeOptions::default());
    assert_eq!(entries[1].name(), b"t/\xff\xfe");
}

#[test]
fn a_file_is_read_in_order_and_by_position_at_once() {
    let dir = folder();
    let bytes: Vec<u8> = (0..10_000u32).flat_map(u32::to_le_bytes).collect();
    let path = write(dir.path().join("f"), &bytes);
    let mut source = open(&path);
    assert_eq!(source.len(), Some(40_000));
    let mut part = vec![0; 7];
    assert_eq!(source.read(&mut part).unwrap(), 7);
    let positioned = source.positioned().unwrap();
    let mut tail = vec![0; 100];
    assert_eq!(positioned.read_at(&mut tail, 39_990).unwrap(), 10);
    assert_eq!(tail[..10], bytes[39_990..]);
    assert_eq!(positioned.read_at(&mut tail, u64::MAX).unwrap(), 0);
    assert_eq!([part, read_all(&mut source).unwrap()].concat(), bytes);
    assert_eq!(source.changed().unwrap(), None);
}

#[test]
fn reading_leaves_the_access_time_alone() {
    let dir = folder();
    let path = write(dir.path().join("f"), "x");
    let long_ago = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1);
    let times = fs::FileTimes::new().set_accessed(long_ago);
    File::options().write(true).open(&path).unwrap().set_times(times).unwrap();
    read_all(&mut open(&path)).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().atime(), 1);
}

#[test]
fn a_change_while_reading_is_told() {
    let dir = folder();
    let path = dir.path().join("f");
    type Change = fn(&Path);
    let changes: [(Change, &str); 5] = [
        (|path| File::options().append(true).open(path).unwrap().write_all(b"x").unwrap(), "size"),
        (|path| File::options().write(true).open(path).unwrap().write_all(b"x").unwrap(), "written to"),
        (|path| fs::rename(write(path.with_extension("new"), "123456"), path).unwrap(), "replaced"),
        (|path| fs::remove_file(path).unwrap(), "removed"),
        (
            |path| {
                // Written to, and the modification time put back.
                let before = fs::metadata(path).unwrap().modified().unwrap();
                let file = File::options().write(true).open(path).unwrap();
                file.write_at(b"x", 0).unwrap();
                file.set_modified(before).unwrap();
            },
            "change time",
        ),
    ];
    for (change, told) in changes {
        write(path.clone(), "123456");
        let mut source = open(&path);
        // The clock of the file system ticks coarsely.
        thread::sleep(std::time::Duration::from_millis(20));
        change(&path);
        let read = read_all(&mut source).unwrap();
        assert_eq!(read.len(), 6, "not what was appended");
        let sentence = source.changed().unwrap().unwrap_or_default();
        assert!(sentence.contains(told), "expected {told:?} in {sentence:?}");
    }
}

#[test]
fn a_file_that_shrinks_ends_early() {
    let dir = folder();
    let path = write(dir.path().join("f"), vec![7; 5000]);
    let mut source = open(&path);
    File::options().write(true).open(&path).unwrap().set_len(10).unwrap();
    assert_eq!(read_all(&mut source).unwrap(), [7; 10]);
    assert!(source.changed().unwrap().unwrap().contains("size"));
}

#[test]
fn holes_are_found_one_after_the_other() {
    const UNIT: u64 = 1 << 20;
    let dir = folder();
    let path = dir.path().join("f");
    let file = File::create(&path).unwrap();
    file.set_len(5 * UNIT).unwrap();
    file.write_all_at(&vec![1; UNIT as usize], UNIT).unwrap();
    file.write_all_at(&vec![1; UNIT as usize], 3 * UNIT).unwrap();
    drop(file);
    let source = open(&path);
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(hole) = source.holes(from).unwrap() {
        from = hole.end;
        found.push(hole);
    }
    if found.is_empty() {
        eprintln!("skipped: holes_are_found_one_after_the_other: the temporary folder has no holes");
        return;
    }
    assert_eq!(found, [0..UNIT, 2 * UNIT..3 * UNIT, 4 * UNIT..5 * UNIT]);
    assert_eq!(source.holes(2 * UNIT + 5).unwrap(), Some(2 * UNIT + 5..3 * UNIT));
    assert_eq!(source.holes(5 * UNIT).unwrap(), None);
    assert_eq!(source.holes(u64::MAX).unwrap(), None);
    let dense = write(dir.path().join("dense"), vec![1; UNIT as usize]);
    assert_eq!(open(&dense).holes(0).unwrap(), None);
}

#[test]
fn a_named_pipe_in_a_files_place_is_refused_without_waiting() {
    let dir = folder();
    let pipe = dir.path().join("pipe");
    let mode = rustix::fs::Mode::from_raw_mode(0o600);
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, mode, 0).unwrap();
    assert!(FileSource::open(&pipe, b"f".to_vec(), &Accounts::default(), &mut Vec::new()).is_err());
}

/// A read-only block device over a file, for as long as it lives.
struct LoopDevice(PathBuf);

impl LoopDevice {
    /// `None` where the system gives none: only root may ask, and containers have none.
    fn over(file: &Path) -> Option<Self> {
        let output = Command::new("losetup").args(["-r", "-f", "--show"]).arg(file).output().ok()?;
        let device = String::from_utf8(output.stdout).ok()?;
        output.status.success().then(|| Self(device.trim().into()))
    }
}

impl Drop for LoopDevice {
    fn drop(&mut self) {
        let detached = Command::new("losetup").arg("-d").arg(&self.0).status();
        if !detached.is_ok_and(|status| status.success()) {
            eprintln!("{} is left behind", self.0.display());
        }
    }
}

#[test]
fn a_block_device_is_a_stream_only_when_it_is_given_as_a_path() {
    let dir = folder();
    let image = write(dir.path().join("image"), vec![9; 1 << 20]);
    let Some(device) = LoopDevice::over(&image) else {
        eprintln!("skipped: a_block_device_is_a_stream_only_when_it_is_given_as_a_path: no loop devices");
        return;
    };
    let top = dir.path().join("t");
    fs::create_dir(&top).unwrap();
    let number = fs::metadata(&device.0).unwrap().rdev();
    let mode = rustix::fs::Mode::from_raw_mode(0o600);
    let inside = top.join("device");
    rustix::fs::mknodat(rustix::fs::CWD, &inside, rustix::fs::FileType::BlockDevice, mode, number).unwrap();

    let (mut entries, findings) = walk(&[device.0.clone(), top], TreeOptions::default());
    assert_eq!(findings.iter().map(|finding| &finding.path).collect::<Vec<_>>(), [&inside]);
    assert_eq!(findings[0].kind, FindingKind::Refused);
    let Some(Entry::Stream(source)) = entries.first_mut() else { panic!("expected a stream") };
    assert_eq!((source.attributes().kind, source.len()), (NodeKind::BlockDevice, Some(1 << 20)));
    assert_eq!(source.attributes().size, 1 << 20);
    assert_eq!(source.holes(0).unwrap(), None);
    assert!(read_all(&mut **source).unwrap() == vec![9; 1 << 20]);
    assert_eq!(source.changed().unwrap(), None);

    // A link would be kept as a link, and the device be missed without a word.
    let link = dir.path().join("link");
    symlink(&device.0, &link).unwrap();
    assert_eq!(Tree::new(&[link], TreeOptions::default()).err().unwrap().class(), Class::Argument);
}

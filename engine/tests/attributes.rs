//! Attributes that are read, set on another file and read again are the same.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;

use proptest::prelude::*;
use reel_engine::attributes::{Accounts, ApplyOptions, Attributes, NodeKind};

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("the temporary folder can be written to")
}

fn read(path: &Path) -> Attributes {
    let mut issues = Vec::new();
    let metadata = fs::symlink_metadata(path).unwrap();
    let attributes = Attributes::read(path, &metadata, &Accounts::load(), &mut issues).unwrap();
    assert_eq!(issues, []);
    attributes
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Whether the temporary folder keeps `user.` attributes; tells that `test` is skipped if not.
fn has_xattrs(path: &Path, test: &str) -> bool {
    let has = xattr::set(path, "user.probe", b"x").and_then(|()| xattr::remove(path, "user.probe")).is_ok();
    if !has {
        eprintln!("skipped: {test}: the temporary folder has no extended attributes");
    }
    has
}

/// The extended attribute of a POSIX ACL: version 2, then (tag, permissions, id) of each entry.
fn acl(entries: &[(u16, u16, u32)]) -> Vec<u8> {
    let mut bytes = 2u32.to_le_bytes().to_vec();
    for (tag, permissions, id) in entries {
        bytes.extend(tag.to_le_bytes());
        bytes.extend(permissions.to_le_bytes());
        bytes.extend(id.to_le_bytes());
    }
    bytes
}

/// Owner rw, user 12345 r, group r, mask r, others nothing.
fn some_acl() -> Vec<u8> {
    let nobody = u32::MAX;
    acl(&[(1, 6, nobody), (2, 4, 12345), (4, 4, nobody), (16, 4, nobody), (32, 0, nobody)])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn attributes_read_and_applied_elsewhere_read_the_same(
        directory in any::<bool>(),
        mode in 0u32..0o10000,
        owner in proptest::option::of((0u32..100_000, 0u32..100_000)),
        mtime in (-2_000_000_000i64..4_000_000_000, 0u32..1_000_000_000),
        xattrs in proptest::collection::btree_map("user\\.[a-z]{1,20}", proptest::collection::vec(any::<u8>(), 0..100), 0..4),
    ) {
        let dir = folder();
        let (from, to) = (dir.path().join("from"), dir.path().join("to"));
        let make = |path: &Path| if directory { fs::create_dir(path) } else { fs::write(path, "same") };
        make(&from).unwrap();
        make(&to).unwrap();
        let mut wanted = read(&from);
        // Only root reads the extended attributes of a file whose owner may not read it.
        wanted.mode = if is_root() { mode } else { mode | 0o400 };
        wanted.mtime = mtime;
        if has_xattrs(&from, "the extended attributes of a property") {
            wanted.xattrs = xattrs.into_iter().map(|(name, value)| (name.into_bytes(), value)).collect();
        }
        if let (true, Some((uid, gid))) = (is_root(), owner) {
            let accounts = Accounts::load();
            (wanted.uid, wanted.gid) = (uid, gid);
            wanted.owner = accounts.user_name(uid).to_vec();
            wanted.group = accounts.group_name(gid).to_vec();
        }
        let options = ApplyOptions::of_this_process();
        prop_assert_eq!(wanted.apply(&from, &options), []);
        let found = read(&from);
        prop_assert_eq!(&found, &wanted);
        prop_assert_eq!(found.apply(&to, &options), []);
        prop_assert_eq!(read(&to), found);
        // So that the temporary folder can be removed by its owner.
        for path in [from, to] {
            fs::set_permissions(path, fs::Permissions::from_mode(0o700)).unwrap();
        }
    }
}

#[test]
fn access_lists_come_back_and_inherited_ones_go() {
    let dir = folder();
    if !has_xattrs(dir.path(), "access_lists_come_back_and_inherited_ones_go") {
        return;
    }
    let from = dir.path().join("from");
    fs::write(&from, "x").unwrap();
    if xattr::set(&from, "system.posix_acl_access", &some_acl()).is_err() {
        eprintln!("skipped: access_lists_come_back_and_inherited_ones_go: no access lists here");
        return;
    }
    fs::write(dir.path().join("plain"), "x").unwrap();
    let (with, without) = (read(&from), read(&dir.path().join("plain")));
    assert_eq!(with.xattrs, [(b"system.posix_acl_access".to_vec(), some_acl())]);

    // New files in this folder inherit an access list.
    let below = dir.path().join("below");
    fs::create_dir(&below).unwrap();
    xattr::set(&below, "system.posix_acl_default", &some_acl()).unwrap();
    let options = ApplyOptions::of_this_process();
    for (name, attributes) in [("1", &with), ("2", &without)] {
        let to = below.join(name);
        fs::write(&to, "x").unwrap();
        assert!(!read(&to).xattrs.is_empty(), "inherited");
        assert_eq!(attributes.apply(&to, &options), []);
        assert_eq!(&read(&to), attributes);
    }
    let folder_attributes = read(&below);
    assert_eq!(folder_attributes.xattrs, [(b"system.posix_acl_default".to_vec(), some_acl())]);
    let copy = dir.path().join("copy");
    fs::create_dir(&copy).unwrap();
    assert_eq!(folder_attributes.apply(&copy, &options), []);
    assert_eq!(read(&copy), folder_attributes);
}

#[test]
fn a_symbolic_link_is_set_itself_and_never_what_it_leads_to() {
    let dir = folder();
    let target = dir.path().join("target");
    fs::write(&target, "x").unwrap();
    fs::set_permissions(&target, fs::Permissions::from_mode(0o640)).unwrap();
    let before = read(&target);
    let link = dir.path().join("link");
    symlink(&target, &link).unwrap();

    let mut wanted = read(&link);
    assert_eq!(wanted.kind, NodeKind::Symlink);
    wanted.mtime = (1, 2);
    if is_root() {
        (wanted.uid, wanted.gid, wanted.owner, wanted.group) = (98_765, 98_766, Vec::new(), Vec::new());
    }
    let options = ApplyOptions::of_this_process();
    assert_eq!(wanted.apply(&link, &options), []);
    assert_eq!(read(&link), wanted);

    // The same for the attributes of a file whose place a link has taken.
    let mut file = before.clone();
    file.mode = 0o777;
    file.mtime = (3, 4);
    let issues = file.apply(&link, &options);
    assert_eq!(issues.iter().map(|issue| issue.attribute.as_str()).collect::<Vec<_>>(), ["mode"]);
    assert_eq!(read(&target), before);
}

#[test]
fn without_privilege_the_owner_is_left_and_reported_once_and_set_id_bits_are_not_given_away() {
    let dir = folder();
    let path = dir.path().join("f");
    fs::write(&path, "x").unwrap();
    let mut attributes = read(&path);
    attributes.mode = 0o6755;
    attributes.uid += 1;
    attributes.gid += 1;
    (attributes.owner, attributes.group) = (Vec::new(), Vec::new());
    let mut options = ApplyOptions::of_this_process();
    options.owners = false;
    let said = |issues: Vec<reel_engine::attributes::AttributeIssue>| {
        issues.into_iter().map(|issue| issue.attribute).collect::<Vec<_>>()
    };
    assert_eq!(said(attributes.apply(&path, &options)), ["owner", "mode"]);
    assert_eq!(said(attributes.apply(&path, &options)), ["mode"]);
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o755);
}

#[test]
fn the_owner_is_set_by_name_where_the_name_exists() {
    if !is_root() {
        eprintln!("skipped: the_owner_is_set_by_name_where_the_name_exists: only root can");
        return;
    }
    let dir = folder();
    let path = dir.path().join("f");
    fs::write(&path, "x").unwrap();
    let mut attributes = read(&path);
    // Root has another number where this was read.
    (attributes.uid, attributes.owner) = (4711, b"root".to_vec());
    (attributes.gid, attributes.group) = (4712, b"no such group".to_vec());
    assert_eq!(attributes.apply(&path, &ApplyOptions::of_this_process()), []);
    let metadata = fs::metadata(&path).unwrap();
    assert_eq!((metadata.uid(), metadata.gid()), (0, 4712));
}

#[test]
fn values_that_no_system_gives_are_reported_and_the_rest_is_set() {
    let dir = folder();
    let path = dir.path().join("f");
    fs::write(&path, "x").unwrap();
    let before = fs::metadata(&path).unwrap();
    let mut attributes = read(&path);
    attributes.mode = 0o600 | 0o170_000;
    // "Now", to the system call.
    attributes.mtime = (0, (1 << 30) - 1);
    attributes.xattrs = vec![(b"user.\0".to_vec(), Vec::new()), (Vec::new(), vec![0; 1 << 20])];
    (attributes.uid, attributes.owner) = (u32::MAX, Vec::new());
    let mut options = ApplyOptions::of_this_process();
    options.owners = true;
    let issues = attributes.apply(&path, &options);
    let said: Vec<_> = issues.iter().map(|issue| issue.attribute.as_str()).collect();
    assert_eq!(said, ["owner", "user.\0", "", "modification time"]);
    let after = fs::metadata(&path).unwrap();
    assert_eq!(after.mode() & 0o7777, 0o600);
    assert_eq!((after.mtime(), after.mtime_nsec()), (before.mtime(), before.mtime_nsec()));
}

#[test]
fn hard_links_devices_and_pushed_streams_set_nothing() {
    let dir = folder();
    let path = dir.path().join("f");
    fs::write(&path, "x").unwrap();
    let before = read(&path);
    let mut attributes = Attributes { mode: 0, mtime: (5, 5), ..before.clone() };
    let options = ApplyOptions::of_this_process();
    for kind in [NodeKind::HardLink, NodeKind::BlockDevice, NodeKind::Pushed] {
        attributes.kind = kind;
        assert_eq!(attributes.apply(&path, &options), []);
        assert_eq!(read(&path), before);
    }
}

//! Sample files that stand beside the checkout.
#![allow(dead_code, reason = "each test file uses its part")]

use std::io::Write as _;
use std::path::{Path, PathBuf};

/// `path` below the shared folder, or `None`, said loudly, where the samples are absent.
pub fn path(test: &str, path: &str) -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared");
    let found = std::env::var_os("REEL_SHARED").map_or_else(beside, PathBuf::from).join(path);
    if found.exists() {
        Some(found)
    } else {
        skipped(test, "shared samples absent");
        None
    }
}

/// Says which test passes over something, and why: not by `eprintln!`, which the harness keeps to itself when a test passes.
pub fn skipped(test: &str, why: &str) {
    let _ = writeln!(std::io::stderr(), "skipped: {test}: {why}");
}

/// The bytes of a sample; one whose name ends in `.zst` is unpacked.
pub fn read(path: &Path) -> Vec<u8> {
    let bytes = std::fs::read(path).expect("the sample is readable");
    if path.extension().is_some_and(|extension| extension == "zst") {
        zstd::decode_all(&bytes[..]).expect("the sample is a zstd file")
    } else {
        bytes
    }
}

/// The files of a folder in the order of their names.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("the folder is readable");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("the entry is readable").path()).collect();
    paths.sort();
    paths
}

/// The regular files of a tar archive, by name.
pub fn tar_files(archive: &[u8]) -> Vec<(String, &[u8])> {
    let text = |bytes: &[u8]| {
        let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
        String::from_utf8_lossy(&bytes[..end]).into_owned()
    };
    let (mut found, mut at) = (Vec::new(), 0);
    while at + 512 <= archive.len() && archive[at] != 0 {
        let header = &archive[at..at + 512];
        let len = usize::from_str_radix(text(&header[124..136]).trim(), 8).expect("a tar size is octal");
        if matches!(header[156], b'0' | 0) {
            found.push((text(&header[..100]), &archive[at + 512..][..len]));
        }
        at += 512 + len.next_multiple_of(512);
    }
    found
}

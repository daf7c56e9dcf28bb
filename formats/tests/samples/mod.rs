//! Sample files that stand beside the checkout.

use std::path::{Path, PathBuf};

/// `path` below the shared folder, or `None`, said loudly, where the samples are absent.
pub fn path(test: &str, path: &str) -> Option<PathBuf> {
    let root = std::env::var_os("REEL_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared"), PathBuf::from);
    let found = root.join(path);
    if found.exists() {
        Some(found)
    } else {
        eprintln!("skipped: {test}: shared samples absent");
        None
    }
}

/// The bytes of a sample; one whose name ends in `.zst` is unpacked.
#[allow(dead_code, reason = "not every test file unpacks samples")]
pub fn read(path: &Path) -> Vec<u8> {
    let bytes = std::fs::read(path).expect("the sample is readable");
    if path.extension().is_some_and(|extension| extension == "zst") {
        zstd::decode_all(&bytes[..]).expect("the sample is a zstd file")
    } else {
        bytes
    }
}

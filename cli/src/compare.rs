//! Are two folders the same, byte for byte?

use reel_engine::{Class, Error, Result};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Bytes that one thread compares at a time.
const STRETCH: u64 = 4 << 20;

/// Compares two folders on `threads` threads and gives the number of files and of bytes that are the same in both.
///
/// # Errors
/// At the first difference, and when something cannot be read.
pub fn folders(left: &Path, right: &Path, threads: usize) -> Result<(u64, u64)> {
    let files = files_below(left)?;
    if let Some(name) = differing(&files, &files_below(right)?) {
        return Err(differs(name, "it is not in both folders with the same length"));
    }
    let mut stretches = Vec::new();
    for (name, length) in &files {
        stretches
            .extend((0..*length).step_by(STRETCH as usize).map(|at| (name, at, STRETCH.min(length - at))));
    }
    let taken = AtomicUsize::new(0);
    let work = || -> Result<()> {
        let (mut a, mut b) = (Vec::new(), Vec::new());
        while let Some((name, at, length)) = stretches.get(taken.fetch_add(1, Ordering::Relaxed)) {
            read(&left.join(name), *at, *length, &mut a)?;
            read(&right.join(name), *at, *length, &mut b)?;
            if let Some(byte) = a.iter().zip(&b).position(|(a, b)| a != b) {
                return Err(differs(name, "its bytes differ").at(at + byte as u64));
            }
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads.max(1)).map(|_| scope.spawn(work)).collect();
        workers
            .into_iter()
            .try_for_each(|w| w.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    })?;
    Ok((files.len() as u64, files.values().sum()))
}

/// The first name that is not in both with the same length.
fn differing<'a>(left: &'a BTreeMap<PathBuf, u64>, right: &'a BTreeMap<PathBuf, u64>) -> Option<&'a PathBuf> {
    let not_in = |other: &BTreeMap<PathBuf, u64>, (name, length): &(&'a PathBuf, &u64)| {
        other.get(*name) != Some(*length)
    };
    let mut missing =
        left.iter().filter(|f| not_in(right, f)).chain(right.iter().filter(|f| not_in(left, f)));
    missing.next().map(|(name, _)| name)
}

/// Files below a folder, with their lengths.
fn files_below(folder: &Path) -> Result<BTreeMap<PathBuf, u64>> {
    let (mut files, mut waiting) = (BTreeMap::new(), vec![PathBuf::new()]);
    while let Some(below) = waiting.pop() {
        let path = folder.join(&below);
        let failed = |e| Error::io(path.display().to_string(), "cannot list it", e);
        for entry in fs::read_dir(&path).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = below.join(entry.file_name());
            let found = entry.metadata().map_err(failed)?;
            if found.is_dir() {
                waiting.push(name);
            } else {
                files.insert(name, found.len());
            }
        }
    }
    Ok(files)
}

fn read(path: &Path, at: u64, length: u64, buffer: &mut Vec<u8>) -> Result<()> {
    buffer.resize(length as usize, 0);
    let all = |file: File| -> io::Result<()> { file.read_exact_at(buffer, at) };
    File::open(path).and_then(all).map_err(|e| Error::io(path.display().to_string(), "cannot read", e).at(at))
}

fn differs(name: &Path, sentence: &str) -> Error {
    Error::new(Class::Checksum, name.display().to_string(), sentence)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two_folders() -> (tempfile::TempDir, PathBuf, PathBuf) {
        let temporary = tempfile::tempdir().unwrap();
        let folders = ["left", "right"].map(|name| temporary.path().join(name));
        for folder in &folders {
            fs::create_dir_all(folder.join("inner")).unwrap();
            fs::write(folder.join("inner/long"), vec![7; STRETCH as usize + 10]).unwrap();
            fs::write(folder.join("empty"), []).unwrap();
        }
        let [left, right] = folders;
        (temporary, left, right)
    }

    #[test]
    fn equal_folders_are_the_same() {
        let (_temporary, left, right) = two_folders();
        assert_eq!(folders(&left, &right, 2).unwrap(), (2, STRETCH + 10));
    }

    #[test]
    fn a_differing_byte_is_named() {
        let (_temporary, left, right) = two_folders();
        let mut bytes = vec![7; STRETCH as usize + 10];
        bytes[STRETCH as usize + 3] = 8;
        fs::write(right.join("inner/long"), bytes).unwrap();
        let error = folders(&left, &right, 2).unwrap_err();
        assert_eq!((error.object(), error.position()), ("inner/long", Some(STRETCH + 3)));
    }

    #[test]
    fn a_file_of_one_folder_only_is_named() {
        for side in 0..2 {
            let (_temporary, left, right) = two_folders();
            fs::write([&left, &right][side].join("more"), []).unwrap();
            assert_eq!(folders(&left, &right, 1).unwrap_err().object(), "more");
        }
    }
}

//! The disk alone: the bytes that any program of the kind has to move, and nothing done with them.
//!
//! On each day the input is read; on day 0 as much is written as zstd leaves of the input at level 1; a restore reads that and
//! writes as much as the input has. What a program takes beyond it is its own; no program takes less.

use super::disk;
use super::peer::{Kind, Peer, Place, Sheet};
use super::process::Pipeline;
use crate::Result;
use rustix::fs::{FallocateFlags, OFlags, fallocate};
use std::fs::{File, OpenOptions};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// The word that starts this binary as [`work`].
pub const WORK: &str = "--peers-disk";

/// Bytes of a direct request, and how many of each kind are under way at once.
const BLOCK: u64 = 256 << 10;
const DEPTH: usize = 16;
/// Addresses of direct requests are multiples of it.
const ALIGN: usize = 4096;
/// Percent of the input that zstd leaves at level 1.
const STORED: u64 = 43;

/// The disk.
pub struct Alone {
    program: PathBuf,
}

/// The disk is always there.
pub fn found() -> Result<Alone> {
    Ok(Alone { program: std::env::current_exe()? })
}

impl Alone {
    fn call(&self, read: &Path) -> Pipeline {
        let folder = read.parent().unwrap_or(read);
        Pipeline::within(folder).run([self.program.as_os_str()]).argument(WORK).argument(read)
    }
}

impl Peer for Alone {
    fn sheet(&self) -> Sheet {
        Sheet {
            name: "the disk alone",
            version: String::new(),
            settings: format!(
                "no program: days read the input, the first one writes {STORED} % of it, the restore reads these and writes as much as the input has; \
                 direct requests of {} KiB, {DEPTH} at once each way",
                BLOCK >> 10
            ),
            kind: Kind::Disk,
            level_1: false,
            fixed_32k: false,
        }
    }

    fn prepare(&self, _: &Place) -> Vec<Pipeline> {
        Vec::new()
    }

    fn back_up(&self, place: &Place, day: usize) -> Pipeline {
        let read = self.call(place.input());
        if day > 0 {
            return read;
        }
        let bytes = disk::bytes(place.input()).unwrap_or(0) / 100 * STORED;
        read.argument(place.repository().join("stored")).argument(bytes.to_string())
    }

    fn restore(&self, place: &Place, _: usize) -> Pipeline {
        let bytes = disk::bytes(place.input()).unwrap_or(0);
        self.call(&place.repository()).argument(place.restored().join("bytes")).argument(bytes.to_string())
    }
}

/// Reads the files of a folder, and beside that writes a new file of so many bytes, if one is named.
///
/// # Errors
/// Those of the files; also where the file system takes no direct requests.
pub fn work(words: &[String]) -> Result<bool> {
    let (folder, file) = match words {
        [folder] => (folder, None),
        [folder, file, bytes] => (folder, Some((Path::new(file), bytes.parse()?))),
        _ => return Err(format!("{WORK}: expected a folder, and perhaps a file and its length").into()),
    };
    std::thread::scope(|scope| {
        let writing = file.map(|(path, bytes)| scope.spawn(move || write(path, bytes)));
        disk::files(Path::new(folder))?.iter().try_for_each(|path| read(path))?;
        writing.map_or(Ok(()), |writing| writing.join().map_err(|_| "the writer panicked")?)
    })?;
    Ok(true)
}

fn direct(options: &mut OpenOptions, path: &Path) -> Result<File> {
    let file = options.custom_flags(OFlags::DIRECT.bits().cast_signed()).open(path);
    Ok(file.map_err(|e| format!("{}: {e}", path.display()))?)
}

fn read(path: &Path) -> Result<()> {
    let file = direct(OpenOptions::new().read(true), path)?;
    let length = file.metadata()?.len();
    each_block(length, |buffer, offset| {
        let expected = (length - offset).min(BLOCK) as usize;
        match file.read_at(buffer, offset)? {
            read if read >= expected => Ok(()),
            read => Err(format!("{read} bytes where {expected} were expected").into()),
        }
    })
}

fn write(path: &Path, bytes: u64) -> Result<()> {
    let bytes = bytes.next_multiple_of(BLOCK);
    let file = direct(OpenOptions::new().write(true).create_new(true), path)?;
    fallocate(&file, FallocateFlags::empty(), 0, bytes)?;
    each_block(bytes, |buffer, offset| Ok(file.write_all_at(buffer, offset)?))?;
    Ok(file.sync_data()?)
}

/// Does something for each block of so many bytes, from front to back, some at once; what it is given is noise at an address
/// for direct requests.
fn each_block(length: u64, work: impl Fn(&mut [u8], u64) -> Result<()> + Sync) -> Result<()> {
    let next = AtomicU64::new(0);
    let worker = |number: usize| {
        let mut memory = vec![0; BLOCK as usize + ALIGN];
        blake3::Hasher::new().update(&number.to_le_bytes()).finalize_xof().fill(&mut memory);
        let begin = memory.as_ptr().align_offset(ALIGN);
        let buffer = &mut memory[begin..][..BLOCK as usize];
        loop {
            let offset = next.fetch_add(BLOCK, Ordering::Relaxed);
            if offset >= length {
                return Ok(());
            }
            work(buffer, offset)?;
        }
    };
    std::thread::scope(|scope| {
        let worker = &worker;
        let workers: Vec<_> = (0..DEPTH).map(|number| scope.spawn(move || worker(number))).collect();
        workers.into_iter().try_for_each(|one| one.join().map_err(|_| "a thread panicked")?)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_block_comes_once_and_the_file_has_its_length() {
        let blocks = std::sync::Mutex::new(Vec::new());
        each_block(5 * BLOCK - 7, |_, offset| {
            blocks.lock().unwrap().push(offset / BLOCK);
            Ok(())
        })
        .unwrap();
        let mut blocks = blocks.into_inner().unwrap();
        blocks.sort_unstable();
        assert_eq!(blocks, [0, 1, 2, 3, 4]);

        let folder = tempfile::tempdir().unwrap();
        let (input, stored) = (folder.path().join("input"), folder.path().join("stored"));
        std::fs::create_dir(&input).unwrap();
        std::fs::write(input.join("file"), vec![1; 1_000_001]).unwrap();
        let words = [&input, &stored].map(|path| path.display().to_string());
        match work(&[&words[..], &[(2 * BLOCK).to_string()]].concat()) {
            Ok(done) => assert!(done && std::fs::metadata(&stored).unwrap().len() == 2 * BLOCK),
            Err(error) => eprintln!("skipped: every_block_comes_once_...: no direct requests here: {error}"),
        }
        assert!(work(&[folder.path().join("missing").display().to_string(), String::new()]).is_err());
    }
}

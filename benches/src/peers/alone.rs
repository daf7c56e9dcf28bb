//! The disk alone: the bytes that any program of the kind has to move, and nothing done with them.
//!
//! On each day the input is read; on day 0 as much is written as zstd leaves of the input at level 1; a restore reads that and
//! writes as much as the input has. What a program takes beyond it is its own; more requests at once may take a little less.

use super::disk;
use super::peer::{Kind, Peer, Place, Sheet};
use super::process::Pipeline;
use crate::Result;
use crate::cold::read_all;
use rustix::fs::{FallocateFlags, OFlags, fallocate};
use std::fs::OpenOptions;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// The word that starts this binary as [`work`].
pub const WORK: &str = "--peers-disk";

/// Bytes of a direct request, and how many of each kind are under way at once; reading has its own, alike.
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
        if day == 0 { writing(read, &place.repository().join("stored"), STORED, place) } else { read }
    }

    fn restore(&self, place: &Place, _: usize) -> Pipeline {
        writing(self.call(&place.repository()), &place.restored().join("bytes"), 100, place)
    }
}

/// The same that also writes a file as long as so many percent of the input.
fn writing(read: Pipeline, file: &Path, percent: u64, place: &Place) -> Pipeline {
    read.argument(file).argument(percent.to_string()).argument(place.input())
}

/// Reads the files of a folder. If a file is named, it is made beside that, as long as so many percent of what another folder has.
///
/// # Errors
/// Those of the files; also where the system gives no io_uring or the file system takes no direct requests.
pub fn work(words: &[String]) -> Result<bool> {
    let (folder, file) = match words {
        [folder] => (folder, None),
        [folder, file, percent, like] => {
            (folder, Some((Path::new(file), disk::bytes(Path::new(like))? / 100 * percent.parse::<u64>()?)))
        }
        _ => return Err(format!("{WORK}: expected a folder, or with it a file, percent and a folder").into()),
    };
    std::thread::scope(|scope| {
        let writer = file.map(|(path, bytes)| scope.spawn(move || write(path, bytes)));
        for path in disk::files(Path::new(folder))? {
            let read = read_all(&path).map_err(|e| format!("{}: {e}", path.display()))?;
            if read != path.metadata()?.len() {
                return Err(format!("{}: only {read} bytes were read", path.display()).into());
            }
        }
        writer.map_or(Ok(()), |writer| writer.join().map_err(|_| "the writer panicked")?)
    })?;
    Ok(true)
}

/// Writes a new file of noise, from front to back, some blocks at once.
fn write(path: &Path, bytes: u64) -> Result<()> {
    let bytes = bytes.next_multiple_of(BLOCK);
    let direct = OFlags::DIRECT.bits().cast_signed();
    let file = OpenOptions::new().write(true).create_new(true).custom_flags(direct).open(path);
    let file = file.map_err(|e| format!("{}: {e}", path.display()))?;
    fallocate(&file, FallocateFlags::empty(), 0, bytes)?;
    let next = AtomicU64::new(0);
    let worker = |number: usize| {
        let mut memory = vec![0; BLOCK as usize + ALIGN];
        blake3::Hasher::new().update(&number.to_le_bytes()).finalize_xof().fill(&mut memory);
        let begin = memory.as_ptr().align_offset(ALIGN);
        let noise = &memory[begin..][..BLOCK as usize];
        loop {
            let offset = next.fetch_add(BLOCK, Ordering::Relaxed);
            if offset >= bytes {
                return Ok(());
            }
            file.write_all_at(noise, offset)?;
        }
    };
    std::thread::scope(|scope| -> Result<()> {
        let worker = &worker;
        let workers: Vec<_> = (0..DEPTH).map(|number| scope.spawn(move || worker(number))).collect();
        workers.into_iter().try_for_each(|one| one.join().map_err(|_| "a thread panicked")?)
    })?;
    Ok(file.sync_data()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_is_read_and_the_file_has_its_length_and_no_holes() {
        let folder = tempfile::tempdir().unwrap();
        let (input, stored) = (folder.path().join("input"), folder.path().join("stored"));
        std::fs::create_dir(&input).unwrap();
        std::fs::write(input.join("file"), vec![1; 1_000_001]).unwrap();
        let word = |path: &Path| path.display().to_string();
        match work(&[word(&input), word(&stored), "40".to_owned(), word(&input)]) {
            Ok(done) => {
                let blocks = std::fs::read(&stored).unwrap();
                assert!(done && blocks.len() as u64 == 2 * BLOCK);
                assert!(blocks.chunks(ALIGN).all(|block| block.iter().any(|byte| *byte != 0)));
            }
            Err(error) => eprintln!("skipped: the_folder_is_read_...: no direct requests here: {error}"),
        }
        assert!(work(&[word(&input), word(&stored), "much".to_owned(), word(&input)]).is_err());
        assert!(work(&[word(&input), word(&stored)]).is_err());
    }
}

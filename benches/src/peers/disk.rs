//! Folders on the disk: how large they are, and the state that the disk and the page cache have before each step.

use crate::Result;
use rustix::fs::{Advice, fadvise, sync};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The regular files below a folder; none where there is no folder.
pub fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let (mut files, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(folder) = folders.pop() {
        let entries = match fs::read_dir(&folder) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            let kind = entry.file_type()?;
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_file() {
                files.push(entry.path());
            }
        }
    }
    Ok(files)
}

/// Bytes of all files below a folder.
pub fn bytes(folder: &Path) -> Result<u64> {
    files(folder)?.iter().map(|file| Ok(file.metadata()?.len())).sum()
}

/// Longest time to trim a disk that was trimmed just before, if it shall be trimmed before each step.
const CHEAP: Duration = Duration::from_millis(500);

/// The file system where everything is done.
pub struct Disk {
    folder: PathBuf,
    /// Why its free space is not trimmed.
    untrimmed: Option<String>,
}

impl Disk {
    /// The one of a folder. Its free space is trimmed, and will be before each step if that is possible and cheap.
    pub fn of(folder: &Path) -> Disk {
        let disk = Disk { folder: folder.to_owned(), untrimmed: None };
        let again = disk.trim().and_then(|()| {
            let started = Instant::now();
            disk.trim().map(|()| started.elapsed())
        });
        let untrimmed = match again {
            Ok(took) if took <= CHEAP => None,
            Ok(took) => Some(format!("it takes {:.1} s", took.as_secs_f64())),
            Err(error) => Some(error.to_string()),
        };
        Disk { untrimmed, ..disk }
    }

    /// Whether free space is trimmed, in words.
    pub fn words(&self) -> String {
        match &self.untrimmed {
            None => "free space trimmed before each step".to_owned(),
            Some(reason) => format!("free space not trimmed ({reason})"),
        }
    }

    /// The same state before each step of everyone: everything is written, whoever wrote it; the device knows of all free
    /// space, so that nobody writes where another one has just deleted; and no file below `cold` is in the page cache.
    /// Programs and names stay in memory: it is the data that is cold.
    pub fn settle(&self, cold: &[&Path]) -> Result<()> {
        sync();
        if self.untrimmed.is_none() {
            self.trim()?;
        }
        for folder in cold {
            for file in files(folder)? {
                fadvise(File::open(file)?, 0, None, Advice::DontNeed)?;
            }
        }
        Ok(())
    }

    fn trim(&self) -> Result<()> {
        let mut fstrim = Command::new("fstrim");
        let output = fstrim.arg(&self.folder).stdin(Stdio::null()).output();
        match output.map_err(|error| format!("fstrim: {error}"))? {
            output if output.status.success() => Ok(()),
            output => Err(String::from_utf8_lossy(&output.stderr).trim().into()),
        }
    }
}

/// Ends with an error unless the folder `restored` holds the files of `input`, or only a folder that does, or so on: some
/// tools restore the path of what they were given.
pub fn compare(input: &Path, restored: &Path) -> Result<()> {
    let mut at = restored.to_owned();
    loop {
        let entries: Vec<_> = fs::read_dir(&at)?.collect::<std::io::Result<_>>()?;
        match &entries[..] {
            [only] if only.file_type()?.is_dir() => at = only.path(),
            _ => break,
        }
    }
    if Command::new("diff").arg("-rq").arg(input).arg(&at).stdout(std::io::stderr()).status()?.success() {
        Ok(())
    } else {
        Err(format!("{} is not what was backed up", at.display()).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_found_below_the_path_of_the_input_and_a_changed_byte_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        let (input, restored) = (folder.path().join("store"), folder.path().join("restored"));
        let below = restored.join("some/where/store");
        for folder in [&input, &below] {
            fs::create_dir_all(folder).unwrap();
            fs::write(folder.join("a"), "same").unwrap();
            fs::write(folder.join("b"), "same too").unwrap();
        }
        compare(&input, &restored).unwrap();
        assert_eq!(bytes(&restored).unwrap(), 12);
        let disk = Disk { folder: folder.path().to_owned(), untrimmed: Some("a test".to_owned()) };
        disk.settle(&[&input, &restored]).unwrap();
        fs::write(below.join("b"), "same two").unwrap();
        assert!(compare(&input, &restored).is_err());
    }
}

//! Folders on the disk: how large they are, and that nothing of them is in memory.

use crate::Result;
use rustix::fs::{Advice, fadvise, syncfs};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The regular files below a folder; none where there is no folder.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
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

/// Writes what is not yet on the disk and takes all files below the folders out of the page cache. Programs and names stay
/// in memory: it is the data that is cold.
pub fn forget(folders: &[&Path]) -> Result<()> {
    for folder in folders {
        syncfs(File::open(folder)?)?;
        for file in files(folder)? {
            fadvise(File::open(file)?, 0, None, Advice::DontNeed)?;
        }
    }
    Ok(())
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
        forget(&[&input, &restored]).unwrap();
        fs::write(below.join("b"), "same two").unwrap();
        assert!(compare(&input, &restored).is_err());
    }
}

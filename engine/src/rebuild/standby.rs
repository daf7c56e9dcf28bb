//! What a rebuild without undo leaves beside a database for the next one.

use crate::error::{Class, Error, Result};
use std::ffi::OsString;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// What its name has behind that of the database.
pub const EXTENSION: &str = ".reel-undo";
/// The CRC-32C of what follows it: what runs left, one after the other, each with its length in front of it.
const SUM_LEN: usize = 4;

fn path_of(database: &Path) -> PathBuf {
    let mut name = OsString::from(database);
    name.push(EXTENSION);
    PathBuf::from(name)
}

/// What earlier runs left beside this database.
pub(super) fn load(database: &Path) -> Result<Vec<Vec<u8>>> {
    let path = path_of(database);
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(Error::io(path.display().to_string(), "cannot read", e)),
    };
    parts(&bytes).ok_or_else(|| {
        let sentence = "it does not match its checksum: rebuild from the first base with all logs instead";
        Error::new(Class::Checksum, path.display().to_string(), sentence)
    })
}

fn parts(bytes: &[u8]) -> Option<Vec<Vec<u8>>> {
    let (sum, mut rest) = bytes.split_first_chunk::<SUM_LEN>()?;
    if u32::from_le_bytes(*sum) != crc32c::crc32c(rest) {
        return None;
    }
    let mut parts = Vec::new();
    while !rest.is_empty() {
        let (len, behind) = rest.split_first_chunk()?;
        let (part, behind) = behind.split_at_checked(u32::from_le_bytes(*len) as usize)?;
        parts.push(part.to_vec());
        rest = behind;
    }
    Some(parts)
}

/// Leaves `parts` beside a database, or takes away what an earlier run left there if they are empty. Written with what
/// earlier runs left before the database gets its name, and without it after: whichever database is there finds its own.
pub(super) fn save(database: &Path, parts: &[Vec<u8>]) -> Result<()> {
    let path = path_of(database);
    let shown = path.display().to_string();
    let failed = |e: io::Error| Error::io(shown.clone(), "cannot write", e);
    let mut content = Vec::new();
    for part in parts.iter().filter(|part| !part.is_empty()) {
        let len = u32::try_from(part.len()).map_err(|_| failed(io::ErrorKind::FileTooLarge.into()))?;
        content.extend_from_slice(&len.to_le_bytes());
        content.extend_from_slice(part);
    }
    if content.is_empty() {
        return match fs::remove_file(&path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(Error::io(shown, "cannot remove", e)),
            _ => Ok(()),
        };
    }
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
    file.write_all(&crc32c::crc32c(&content).to_le_bytes()).map_err(failed)?;
    file.write_all(&content).map_err(failed)?;
    file.as_file().sync_all().map_err(failed)?;
    file.persist(&path).map_err(|e| failed(e.error))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_saved_is_loaded_and_damage_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let database = folder.path().join("a.edb");
        assert!(load(&database).expect("nothing is there").is_empty());
        save(&database, &[b"one".to_vec(), Vec::new(), b"two".to_vec()]).expect("it is saved");
        assert_eq!(load(&database).expect("it was saved"), [b"one", b"two"]);
        let path = path_of(&database);
        let mut bytes = fs::read(&path).expect("it is there");
        bytes[6] ^= 1;
        fs::write(&path, bytes).expect("it is writable");
        assert_eq!(load(&database).expect_err("it is damaged").class(), Class::Checksum);
        save(&database, &[Vec::new()]).expect("it is removed");
        assert!(!path.exists());
    }
}

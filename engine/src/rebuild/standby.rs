//! What a rebuild without undo leaves beside its databases for the next one.

use super::bases::Base;
use crate::error::{Class, Error, Result};
use std::fs;
use std::io;
use std::path::Path;

/// Its name in the folder of the databases.
pub const FILE_NAME: &str = "reel-standby.undo";
/// The CRC-32C of what follows it: what runs left, one after the other, each with its length in front of it.
const SUM_LEN: usize = 4;

/// What earlier runs left beside these bases; each folder has one at most.
pub(super) fn load(bases: &[Base]) -> Result<Vec<Vec<u8>>> {
    let mut folders: Vec<&Path> = bases.iter().filter_map(|base| base.path.parent()).collect();
    folders.sort();
    folders.dedup();
    let mut saved = Vec::new();
    for folder in folders {
        let path = folder.join(FILE_NAME);
        let shown = path.display().to_string();
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
            Err(e) => return Err(Error::io(shown, "cannot read", e)),
        };
        let Some((sum, content)) = bytes.split_first_chunk::<SUM_LEN>() else {
            return Err(damaged(shown));
        };
        if u32::from_le_bytes(*sum) != crc32c::crc32c(content) {
            return Err(damaged(shown));
        }
        let mut rest = content;
        while !rest.is_empty() {
            let part = rest
                .split_first_chunk()
                .and_then(|(len, behind)| behind.split_at_checked(u32::from_le_bytes(*len) as usize));
            let Some((part, behind)) = part else { return Err(damaged(shown)) };
            saved.push(part.to_vec());
            rest = behind;
        }
    }
    Ok(saved)
}

fn damaged(path: String) -> Error {
    let sentence = "it does not match its checksum: rebuild from the first base with all logs instead";
    Error::new(Class::Checksum, path, sentence)
}

/// Leaves `parts` in `folder`, or takes away what an earlier run left there if they are empty. Written with what earlier runs
/// left before the databases get their names, and without it after: whichever databases are there find theirs.
pub(super) fn save(folder: &Path, parts: &[Vec<u8>]) -> Result<()> {
    let mut content = Vec::new();
    for part in parts.iter().filter(|part| !part.is_empty()) {
        content.extend_from_slice(&(part.len() as u32).to_le_bytes());
        content.extend_from_slice(part);
    }
    let path = folder.join(FILE_NAME);
    let shown = path.display().to_string();
    if content.is_empty() {
        return match fs::remove_file(&path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(Error::io(shown, "cannot remove", e)),
            _ => Ok(()),
        };
    }
    let failed = |e: io::Error| Error::io(shown.clone(), "cannot write", e);
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
    io::Write::write_all(&mut file, &crc32c::crc32c(&content).to_le_bytes()).map_err(failed)?;
    io::Write::write_all(&mut file, &content).map_err(failed)?;
    file.as_file().sync_all().map_err(failed)?;
    file.persist(&path).map_err(|e| failed(e.error))?;
    Ok(())
}

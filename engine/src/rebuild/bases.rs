//! The base databases of a rebuild.

use crate::database::LocalFile;
use crate::error::{Class, Error, Result};
use reel_formats::ese::database::{DatabaseFile, HEAD_LEN};
use reel_formats::ese::header::{BaseHeader, DatabaseHeader};
use reel_formats::{Kind, recognise};
use std::fs;
use std::path::{Path, PathBuf};

/// A base database.
#[derive(Clone, Debug)]
pub struct Base {
    /// Where it is.
    pub path: PathBuf,
    /// Its file name, under which the rebuilt database appears.
    pub name: String,
    /// What its header says.
    pub header: DatabaseHeader,
}

/// Finds the databases in `paths`: each is a database, or a folder of which every database is taken. In hard recovery they may be
/// streaming backups.
pub(super) fn find(paths: &[PathBuf], hard: bool) -> Result<Vec<Base>> {
    let mut bases: Vec<Base> = Vec::new();
    for path in paths {
        if path.is_dir() {
            let before = bases.len();
            for file in files_of(path)? {
                if is_database(&file)? {
                    bases.push(open(&file, hard)?);
                }
            }
            if bases.len() == before {
                return Err(Error::new(
                    Class::Argument,
                    path.display().to_string(),
                    "no database is in this folder; --from-empty rebuilds from logs alone",
                ));
            }
        } else {
            bases.push(open(path, hard)?);
        }
    }
    for (at, base) in bases.iter().enumerate() {
        let same = |other: &&Base| other.name == base.name || other.header.signature == base.header.signature;
        if let Some(other) = bases[..at].iter().find(same) {
            let sentence = format!("the same database as {}: give each once", other.path.display());
            return Err(Error::new(Class::Argument, base.path.display().to_string(), sentence));
        }
    }
    Ok(bases)
}

/// The files of a folder in the order of their names.
pub(super) fn files_of(folder: &Path) -> Result<Vec<PathBuf>> {
    let failed = |e| Error::io(folder.display().to_string(), "cannot list", e).argument_if_missing();
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// The first bytes of a file, with which it is recognised.
pub(super) fn head_of(path: &Path) -> Result<(Vec<u8>, u64)> {
    let file = LocalFile::open(path)?;
    let mut head = vec![0; HEAD_LEN];
    let read = file.read_at(0, &mut head);
    let read = read.map_err(|e| Error::io(path.display().to_string(), "cannot read", e).at(0))?;
    head.truncate(read);
    Ok((head, file.len()))
}

fn is_database(path: &Path) -> Result<bool> {
    let (head, len) = head_of(path)?;
    Ok(matches!(recognise(&head, Some(len)), Kind::EseDatabase(_)))
}

fn open(path: &Path, hard: bool) -> Result<Base> {
    let file = LocalFile::open(path)?;
    let shown = path.display().to_string();
    let BaseHeader { header, .. } =
        BaseHeader::read(&file, &shown, hard).map_err(|e| Error::inside(&shown, e))?;
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    Ok(Base { path: path.to_owned(), name, header })
}

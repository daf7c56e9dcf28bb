//! Transaction logs where they lie: what a folder holds, and what of it is still needed.

mod file;
mod stored;
mod why;

pub use file::open;
pub use stored::{StoredDatabase, databases_in_pool};
pub use why::{Claim, Reason, Verdict, Witness, verdicts};

use crate::database::LocalFile;
use crate::error::{Error, Result};
use reel_formats::ese::checkpoint::Checkpoint;
use reel_formats::ese::database::DatabaseFile;
use reel_formats::ese::header::DatabaseHeader;
use reel_formats::ese::log::chain::{Chain, LogName, Member, is_never_begun};
use reel_formats::ese::log::header::{HEADER_LEN, LogHeader};
use reel_formats::recognise::HEAD_LEN;
use reel_formats::{Kind, recognise};
use std::path::{Path, PathBuf};

/// A database file that was found.
#[derive(Debug, Clone)]
pub struct FoundDatabase {
    /// Where it is.
    pub path: PathBuf,
    /// What its header says.
    pub header: DatabaseHeader,
}

/// What a folder holds of logs, and of what belongs to them. Told by content, never by name.
#[derive(Debug, Default)]
pub struct LogFolder {
    /// The logs, by sequence; the longest chain comes first.
    pub chains: Vec<Chain>,
    /// The checkpoints, with the names of their files.
    pub checkpoints: Vec<(String, Checkpoint)>,
    /// Names of temporary and reserve logs, of which no use was made yet.
    pub never_begun: Vec<String>,
    /// The databases.
    pub databases: Vec<FoundDatabase>,
    /// What could not be read, or may be a damaged log or database.
    pub doubtful: Vec<Doubt>,
}

/// A file of which it is not known what it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doubt {
    /// The file, or the stream and its set.
    pub name: String,
    /// Why.
    pub sentence: String,
}

impl LogFolder {
    /// Reads a folder, the logs in it from end to end. Folders inside it are left alone.
    ///
    /// # Errors
    /// When the folder cannot be listed. What cannot be read inside it is in [`Self::doubtful`].
    pub fn read(folder: &Path) -> Result<LogFolder> {
        let mut found = LogFolder::default();
        let mut logs = Vec::new();
        for path in files(folder)? {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            match look(&path, &name) {
                Ok(Found::Log(log)) => logs.push(*log),
                Ok(Found::Database(header)) => {
                    found.databases.push(FoundDatabase { path, header: *header });
                }
                Ok(Found::Checkpoint(checkpoint)) => found.checkpoints.push((name, *checkpoint)),
                Ok(Found::NeverBegun) => found.never_begun.push(name),
                Ok(Found::Other) => {}
                Ok(Found::Doubtful(sentence)) => found.doubtful.push(Doubt { name, sentence }),
                Err(error) => found.doubtful.push(Doubt { name, sentence: error.sentence().to_owned() }),
            }
        }
        found.chains = Chain::build(logs);
        Ok(found)
    }
}

/// The databases that `path` is or holds, and what may be one that cannot be read.
///
/// # Errors
/// When `path` is not there, cannot be listed, or is a file that is no database.
pub fn databases_at(path: &Path) -> Result<(Vec<FoundDatabase>, Vec<Doubt>)> {
    if !path.is_dir() {
        let (head, _) = head_of(path)?;
        let name = path.display().to_string();
        let (header, _) = DatabaseHeader::find(&head).map_err(|e| Error::inside(&name, e))?;
        return Ok((vec![FoundDatabase { path: path.to_owned(), header }], Vec::new()));
    }
    let (mut databases, mut doubtful) = (Vec::new(), Vec::new());
    for path in files(path)? {
        let name = path.display().to_string();
        let doubt = |sentence: String| Doubt { name: name.clone(), sentence };
        match head_of(&path) {
            Ok((head, len)) => match DatabaseHeader::find(&head) {
                Ok((header, _)) => databases.push(FoundDatabase { path, header }),
                Err(_) => doubtful.extend(may_be_database(&head, len).map(doubt)),
            },
            Err(error) => doubtful.push(doubt(error.sentence().to_owned())),
        }
    }
    Ok((databases, doubtful))
}

/// What a file turned out to be.
enum Found {
    Log(Box<Member>),
    Database(Box<DatabaseHeader>),
    Checkpoint(Box<Checkpoint>),
    NeverBegun,
    Other,
    Doubtful(String),
}

fn look(path: &Path, name: &str) -> Result<Found> {
    let (head, len) = head_of(path)?;
    let header = head.get(..HEADER_LEN).unwrap_or(&head);
    Ok(match recognise(&head, Some(len)) {
        Kind::EseDatabase(_) => match DatabaseHeader::find(&head) {
            Ok((header, _)) => Found::Database(Box::new(header)),
            Err(error) => Found::Doubtful(error.to_string()),
        },
        Kind::EseCheckpoint { .. } => match Checkpoint::parse(&head) {
            Ok(checkpoint) => Found::Checkpoint(Box::new(checkpoint)),
            Err(error) => Found::Doubtful(error.to_string()),
        },
        Kind::EseFlushMap | Kind::Sqlite { .. } | Kind::SqliteWal { .. } => Found::Other,
        Kind::EseLog { .. } | Kind::Unknown => match LogHeader::parse(header) {
            Ok(header) => Found::Log(Box::new(log(path, name, len, header)?)),
            Err(_) if is_never_begun(header) => Found::NeverBegun,
            Err(error) if LogName::parse(name).is_some() => Found::Doubtful(error.to_string()),
            Err(_) => may_be_database(&head, len).map_or(Found::Other, Found::Doubtful),
        },
    })
}

/// The log with this header. Its file is read only if it has the length that the header gives: that bounds it.
fn log(path: &Path, name: &str, len: u64, header: LogHeader) -> Result<Member> {
    if len != header.file_len() {
        return Ok(Member::cut_short(name, len, header));
    }
    let bytes = read(path, usize::try_from(len).unwrap_or(0))?;
    Member::open(name, bytes).map_err(|e| Error::inside(name, e))
}

/// Why a file that is nothing known may be a database of which both headers are damaged.
fn may_be_database(head: &[u8], len: u64) -> Option<String> {
    // A database has the header page, its copy and at least one page more, and pages of 4 KiB or more but for old ones.
    let long_enough = len >= HEAD_LEN as u64 && len.is_multiple_of(4096);
    let magic = |at: usize| head.get(at + 4..at + 8) == Some(&[0xEF, 0xCD, 0xAB, 0x89][..]);
    let looks = long_enough && [0, 2048, 4096, 8192, 16384, 32768].into_iter().any(magic);
    looks.then(|| "may be a database: both copies of its header are damaged".to_owned())
}

fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let name = folder.display().to_string();
    let failed = |e| Error::io(&name, "cannot list the folder", e).argument_if_missing();
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        // What cannot be looked at is kept: opening it says why. A pipe would be waited for.
        if path.metadata().map_or(true, |found| found.is_file()) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn head_of(path: &Path) -> Result<(Vec<u8>, u64)> {
    let len = LocalFile::open(path)?.len();
    Ok((read(path, HEAD_LEN)?, len))
}

/// The first `len` bytes of a file, fewer if it is shorter.
fn read(path: &Path, len: usize) -> Result<Vec<u8>> {
    let file = LocalFile::open(path)?;
    let mut bytes = vec![0; len.min(usize::try_from(file.len()).unwrap_or(len))];
    let read = file.read_at(0, &mut bytes);
    let read = read.map_err(|e| Error::io(path.display().to_string(), "cannot read", e).at(0))?;
    bytes.truncate(read);
    Ok(bytes)
}

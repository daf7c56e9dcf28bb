//! `reel ese`: what administrators of ESE databases ask of their files.

mod chain;
mod check;
mod diff;
mod k;
mod listing;
mod log;
mod logs;
mod mh;
mod mk;
mod ml;
mod rows;
mod space;
mod stored;
mod tables;
mod value;

use crate::args::ese::{Database, Ese};
use crate::output::{Outcome, say};
use reel_engine::memory::Memory;
use reel_engine::pool::Pool;
use reel_engine::restore::read_at::StoredStream;
use reel_engine::{Error, Result, database};
use reel_formats::ese::database::DatabaseFile;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;
use stored::Read;

/// Runs one of the commands.
pub fn run(command: &Ese) -> Result<Outcome> {
    let outcome = match command {
        Ese::Mh(args) => mh::run(args),
        Ese::Mk(args) => mk::run(args),
        Ese::Ml(args) if args.file.is_dir() => chain::run(args),
        Ese::Ml(args) => ml::run(args),
        Ese::Logs(args) => logs::run(args),
        Ese::K(args) => k::run(args),
        Ese::Log(args) => log::run(args),
        Ese::Space(args) => space::run(args),
        Ese::Check(args) => check::run(args),
        Ese::Tables(args) => tables::run(args),
        Ese::Rows(args) => rows::run(args),
        Ese::Diff(args) => diff::run(args),
    };
    if let Some(read) = command.database().and_then(Read::so_far) {
        say(read.sentence());
    }
    outcome
}

/// The bytes of the database that was asked for.
fn open(database: &Database) -> Result<Box<dyn DatabaseFile>> {
    open_within(database, Memory::DEFAULT)
}

/// As [`open`], for a command that needs memory of its own besides.
fn open_within(database: &Database, memory: Memory) -> Result<Box<dyn DatabaseFile>> {
    if let (Some(pool), Some(stream)) = (&database.pool, &database.stream) {
        let pool = Arc::new(Pool::open(pool)?);
        let stream = StoredStream::open(&pool, &database.set, stream.as_bytes(), memory)?;
        let stream = database.opened.get_or_init(|| Arc::new(stream));
        return Ok(Box::new(stream.clone()));
    }
    let file = database.file.as_deref().unwrap_or(Path::new(""));
    Ok(Box::new(database::LocalFile::open(file)?))
}

/// The first `len` bytes of a file, fewer if it is shorter.
fn read_head(path: &Path, len: usize) -> Result<Vec<u8>> {
    let file = database::LocalFile::open(path)?;
    let mut head = vec![0; len.min(usize::try_from(file.len()).unwrap_or(len))];
    let read = file.read_at(0, &mut head);
    let read = read.map_err(|e| Error::io(path.display().to_string(), "cannot read", e).at(0))?;
    head.truncate(read);
    Ok(head)
}

//! `reel ese`: what administrators of ESE databases ask of their files.

mod check;
mod diff;
mod k;
mod mh;
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
use reel_engine::{Result, database};
use reel_formats::ese::database::DatabaseFile;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;
use stored::Read;

/// Runs one of the commands.
pub fn run(command: &Ese) -> Result<Outcome> {
    let outcome = match command {
        Ese::Mh(args) => mh::run(args),
        Ese::K(args) => k::run(args),
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

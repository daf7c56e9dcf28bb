//! `reel ese`: what administrators of ESE databases ask of their files.

mod listing;
mod mh;
mod mk;
mod ml;

use crate::args::ese::{Database, Ese};
use crate::output::Outcome;
use reel_engine::{Error, Result, database};
use reel_formats::ese::database::DatabaseFile;
use std::path::Path;

/// Runs one of the commands.
pub fn run(command: &Ese) -> Result<Outcome> {
    match command {
        Ese::Mh(args) => mh::run(args),
        Ese::Mk(args) => mk::run(args),
        Ese::Ml(args) => ml::run(args),
    }
}

/// The bytes of the database that was asked for.
fn open(database: &Database) -> Result<Box<dyn DatabaseFile>> {
    Ok(Box::new(database::LocalFile::open(&database.file)?))
}

/// The first `len` bytes of a file, fewer if it is shorter.
fn read_head(path: &Path, len: usize) -> Result<Vec<u8>> {
    let file = database::LocalFile::open(path)?;
    let mut head = vec![0; len];
    let read = file.read_at(0, &mut head);
    let read = read.map_err(|e| Error::io(path.display().to_string(), "cannot read", e).at(0))?;
    head.truncate(read);
    Ok(head)
}

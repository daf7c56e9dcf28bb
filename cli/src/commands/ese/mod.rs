//! `reel ese`: what administrators of ESE databases ask of their files.

mod check;
mod k;
mod mh;
mod space;

use crate::args::ese::{Database, Ese};
use crate::output::Outcome;
use reel_engine::{Result, database};
use reel_formats::ese::database::DatabaseFile;

/// Runs one of the commands.
pub fn run(command: &Ese) -> Result<Outcome> {
    match command {
        Ese::Check(args) => check::run(args),
        Ese::K(args) => k::run(args),
        Ese::Mh(args) => mh::run(args),
        Ese::Space(args) => space::run(args),
    }
}

/// The bytes of the database that was asked for.
fn open(database: &Database) -> Result<Box<dyn DatabaseFile>> {
    Ok(Box::new(database::LocalFile::open(&database.file)?))
}

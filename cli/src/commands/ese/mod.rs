//! `reel ese`: what administrators of ESE databases ask of their files.

mod log;
mod mh;
mod rows;
mod tables;
mod value;

use crate::args::ese::{Database, Ese};
use crate::output::Outcome;
use reel_engine::{Result, database};
use reel_formats::ese::database::DatabaseFile;

/// Runs one of the commands.
pub fn run(command: &Ese) -> Result<Outcome> {
    match command {
        Ese::Mh(args) => mh::run(args),
        Ese::Log(args) => log::run(args),
        Ese::Tables(args) => tables::run(args),
        Ese::Rows(args) => rows::run(args),
    }
}

/// The bytes of the database that was asked for.
fn open(database: &Database) -> Result<Box<dyn DatabaseFile>> {
    Ok(Box::new(database::LocalFile::open(&database.file)?))
}

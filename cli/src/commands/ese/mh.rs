//! `reel ese mh`: the header of a database.

use crate::args::ese::Mh;
use crate::output::{Outcome, to_output};
use reel_engine::{Error, Result};
use reel_formats::ese::database::Database;

/// Prints the header.
pub fn run(args: &Mh) -> Result<Outcome> {
    let name = args.database.name();
    let database = Database::open(super::open(&args.database)?).map_err(|e| Error::inside(&name, e))?;
    to_output(|out| writeln!(out, "{:>17}: {}", "State", database.header().state))?;
    Ok(Outcome::Done)
}

//! The flags of `reel ese`.

use super::{Effort, Json};
use crate::output::ReportTo;
use clap::{Args, Subcommand};
use std::path::PathBuf;

#[derive(Subcommand)]
pub enum Ese {
    /// Print the header of a database, with the labels of `eseutil /mh`
    Mh(Mh),
    /// Check every page against its checksum and number, with the figures of `eseutil /k`
    K(K),
    /// Print which tree owns how many pages and how many are free, as `eseutil /ms` does
    Space(Space),
    /// Check the structure: trees, links, space, catalog, indexes, long values; needs a clean database
    Check(Check),
}

impl Ese {
    /// Where the report of the command goes, and with it an error as JSON.
    pub fn report_to(&self) -> ReportTo {
        match self {
            Ese::Mh(Mh { json, .. })
            | Ese::K(K { json, .. })
            | Ese::Space(Space { json, .. })
            | Ese::Check(Check { json, .. }) => json.report_to(),
        }
    }
}

/// A database: a file, or a stream of a set.
#[derive(Args)]
pub struct Database {
    /// The database file
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
}

impl Database {
    /// How messages name it.
    pub fn name(&self) -> String {
        self.file.display().to_string()
    }
}

#[derive(Args)]
pub struct Mh {
    #[command(flatten)]
    pub database: Database,
    #[command(flatten)]
    pub json: Json,
}

#[derive(Args)]
pub struct K {
    #[command(flatten)]
    pub database: Database,
    #[command(flatten)]
    pub effort: Effort,
    #[command(flatten)]
    pub json: Json,
}

#[derive(Args)]
pub struct Space {
    #[command(flatten)]
    pub database: Database,
    #[command(flatten)]
    pub json: Json,
}

#[derive(Args)]
pub struct Check {
    #[command(flatten)]
    pub database: Database,
    #[command(flatten)]
    pub json: Json,
}

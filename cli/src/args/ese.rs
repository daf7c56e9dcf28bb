//! The flags of `reel ese`.

mod database;
mod diff;

pub use database::Database;
pub use diff::Diff;

use super::{Effort, Json};
use crate::output::ReportTo;
use clap::{Args, Subcommand};

#[derive(Subcommand)]
pub enum Ese {
    /// Print the header of a database, with the labels of `eseutil /mh`
    Mh(Mh),
    /// Check every page against its checksum and number, with the figures of `eseutil /k`
    K(K),
    /// Compare two databases page by page, and say which tables differ
    Diff(Diff),
}

impl Ese {
    /// Where the report of the command goes, and with it an error as JSON.
    pub fn report_to(&self) -> ReportTo {
        match self {
            Ese::Mh(Mh { json, .. }) | Ese::K(K { json, .. }) | Ese::Diff(Diff { json, .. }) => {
                json.report_to()
            }
        }
    }

    /// The one database that the command reads.
    pub fn database(&self) -> Option<&Database> {
        match self {
            Ese::Mh(Mh { database, .. }) | Ese::K(K { database, .. }) => Some(database),
            Ese::Diff(_) => None,
        }
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

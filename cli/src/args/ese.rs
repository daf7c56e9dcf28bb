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
    /// Print which tree owns how many pages and how many are free, as `eseutil /ms` does
    Space(Space),
    /// Check the structure: trees, links, space, catalog, indexes, long values; needs a clean database
    Check(Check),
    /// List the tables of a database, those of the system among them
    Tables(Tables),
    /// Print the rows of a table, in the order of its primary key
    Rows(Rows),
    /// Compare two databases page by page, and say which tables differ
    Diff(Diff),
}

impl Ese {
    /// Where the report of the command goes, and with it an error as JSON.
    pub fn report_to(&self) -> ReportTo {
        match self {
            Ese::Mh(Mh { json, .. })
            | Ese::K(K { json, .. })
            | Ese::Space(Space { json, .. })
            | Ese::Check(Check { json, .. })
            | Ese::Tables(Tables { json, .. })
            | Ese::Diff(Diff { json, .. }) => json.report_to(),
            // Its lines of JSON are no report.
            Ese::Rows(_) => ReportTo::Text,
        }
    }

    /// The one database that the command reads.
    pub fn database(&self) -> Option<&Database> {
        match self {
            Ese::Mh(Mh { database, .. })
            | Ese::K(K { database, .. })
            | Ese::Space(Space { database, .. })
            | Ese::Check(Check { database, .. })
            | Ese::Tables(Tables { database, .. })
            | Ese::Rows(Rows { database, .. }) => Some(database),
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

#[derive(Args)]
pub struct Tables {
    #[command(flatten)]
    pub database: Database,
    /// Count the rows of each table: reads all of their pages
    #[arg(long)]
    pub count: bool,
    #[command(flatten)]
    pub json: Json,
}

#[derive(Args)]
#[command(allow_missing_positional = true)]
pub struct Rows {
    #[command(flatten)]
    pub database: Database,
    /// The table, by its name
    #[arg(value_name = "TABLE")]
    pub table: String,
    /// Only these columns, in this order
    #[arg(long, value_name = "NAME,...", value_delimiter = ',')]
    pub columns: Option<Vec<String>>,
    /// Print each row as a JSON object on a line of its own (docs/json.md)
    #[arg(long, conflicts_with = "csv")]
    pub json: bool,
    /// Print the rows as CSV, with a line of column names first
    #[arg(long)]
    pub csv: bool,
}

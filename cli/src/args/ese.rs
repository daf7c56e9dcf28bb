//! The flags of `reel ese`.

mod database;
mod diff;
mod log;

pub use database::Database;
pub use diff::Diff;
pub use log::Log;

use super::{Effort, Json};
use crate::output::ReportTo;
use clap::{Args, Subcommand};
use std::path::PathBuf;

#[derive(Subcommand)]
pub enum Ese {
    /// Print the header of a database, with the labels of `eseutil /mh`
    Mh(Mh),
    /// Print a checkpoint, with the labels of `eseutil /mk`
    Mk(Mk),
    /// Print the header of a transaction log, with the labels of `eseutil /ml`
    Ml(Ml),
    /// Say of each transaction log in a folder who still needs it
    Logs(Logs),
    /// Check every page against its checksum and number, with the figures of `eseutil /k`
    K(K),
    /// List the records of a transaction log, or count them by type
    Log(Log),
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
            | Ese::Mk(Mk { json, .. })
            | Ese::Ml(Ml { json, .. })
            | Ese::Logs(Logs { json, .. })
            | Ese::K(K { json, .. })
            | Ese::Log(Log { json, .. })
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
            Ese::Mk(_) | Ese::Ml(_) | Ese::Logs(_) | Ese::Log(_) | Ese::Diff(_) => None,
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
pub struct Mk {
    /// The checkpoint, a file like `E00.chk`
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    #[command(flatten)]
    pub json: Json,
}

#[derive(Args)]
pub struct Ml {
    /// The log; or a folder, whose logs are checked from end to end and against each other
    #[arg(value_name = "FILE|FOLDER")]
    pub file: PathBuf,
    /// With FOLDER: a database, or a folder of databases, that the logs are to bring forward
    #[arg(long, value_name = "FILE|DIR")]
    pub base: Vec<PathBuf>,
    #[command(flatten)]
    pub json: Json,
}

#[derive(Args)]
pub struct Logs {
    /// The folder of the logs
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
    /// Say who needs each log, and which are removable: those that nothing needs, and only if everything could be read
    #[arg(long, required = true)]
    pub why: bool,
    /// A database, or a folder of databases, that may need the logs; databases in DIR are found without it
    #[arg(long, value_name = "FILE|DIR")]
    pub base: Vec<PathBuf>,
    /// A pool: the databases in its backup sets may need the logs
    #[arg(long, value_name = "POOL")]
    pub pool: Option<PathBuf>,
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

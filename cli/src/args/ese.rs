//! The flags of `reel ese`.

mod log;

pub use log::Log;

use super::Json;
use crate::output::ReportTo;
use clap::{Args, Subcommand};
use std::path::PathBuf;

#[derive(Subcommand)]
pub enum Ese {
    /// Print the header of a database, with the labels of `eseutil /mh`
    Mh(Mh),
    /// List the records of a transaction log, or count them by type
    Log(Log),
    /// List the tables of a database, those of the system among them
    Tables(Tables),
    /// Print the rows of a table, in the order of its primary key
    Rows(Rows),
}

impl Ese {
    /// Where the report of the command goes, and with it an error as JSON.
    pub fn report_to(&self) -> ReportTo {
        match self {
            Ese::Mh(Mh { json, .. }) | Ese::Log(Log { json, .. }) | Ese::Tables(Tables { json, .. }) => {
                json.report_to()
            }
            // Its lines of JSON are no report.
            Ese::Rows(_) => ReportTo::Text,
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

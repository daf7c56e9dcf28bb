//! The flags of `reel ese`.

use super::Json;
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
}

impl Ese {
    /// Where the report of the command goes, and with it an error as JSON.
    pub fn report_to(&self) -> ReportTo {
        match self {
            Ese::Mh(Mh { json, .. }) | Ese::Mk(Mk { json, .. }) | Ese::Ml(Ml { json, .. }) => {
                json.report_to()
            }
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
pub struct Mk {
    /// The checkpoint, a file like `E00.chk`
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    #[command(flatten)]
    pub json: Json,
}

#[derive(Args)]
pub struct Ml {
    /// The log
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    #[command(flatten)]
    pub json: Json,
}

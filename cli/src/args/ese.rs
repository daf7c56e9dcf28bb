//! The flags of `reel ese`.

use super::Json;
use crate::output::ReportTo;
use clap::{ArgGroup, Args, Subcommand};
use reel_engine::restore::read_at::StoredStream;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

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
}

impl Ese {
    /// Where the report of the command goes, and with it an error as JSON.
    pub fn report_to(&self) -> ReportTo {
        match self {
            Ese::Mh(Mh { json, .. })
            | Ese::Mk(Mk { json, .. })
            | Ese::Ml(Ml { json, .. })
            | Ese::Logs(Logs { json, .. }) => json.report_to(),
        }
    }

    /// The one database that the command reads.
    pub fn database(&self) -> Option<&Database> {
        match self {
            Ese::Mh(Mh { database, .. }) => Some(database),
            Ese::Mk(_) | Ese::Ml(_) | Ese::Logs(_) => None,
        }
    }
}

/// A database: a file, or a stream of a set.
///
/// A command with further positional arguments takes `#[command(allow_missing_positional = true)]`, so that FILE can be
/// left out before them.
#[derive(Args)]
#[command(group = ArgGroup::new("where").required(true).args(["file", "stream"]))]
pub struct Database {
    /// The database file
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// In place of FILE: the pool of the set in which the database is read, page by page, where it lies
    #[arg(long, value_name = "POOL", requires = "stream", conflicts_with = "file")]
    pub pool: Option<PathBuf>,
    /// In place of FILE: the name of the database's stream, exactly as `reel list --set` shows it
    #[arg(long, value_name = "NAME", requires = "pool")]
    pub stream: Option<OsString>,
    /// `latest`, the number of a set, or a name (the newest complete set of that name)
    #[arg(long, value_name = "SET", default_value = "latest", requires = "stream", conflicts_with = "file")]
    pub set: String,
    /// The stream, once it is open: what was read of it is told at the end.
    #[arg(skip)]
    pub opened: OnceLock<Arc<StoredStream>>,
}

impl Database {
    /// How messages name it.
    pub fn name(&self) -> String {
        match (&self.file, &self.stream) {
            (Some(file), _) => file.display().to_string(),
            (None, stream) => {
                let stream = stream.as_deref().unwrap_or_default();
                format!("{} in set {}", stream.to_string_lossy(), self.set)
            }
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

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;
    use clap::error::ErrorKind;

    /// A command with a positional argument behind the database.
    #[derive(Parser)]
    #[command(allow_missing_positional = true)]
    struct Rows {
        #[command(flatten)]
        database: Database,
        #[arg(value_name = "TABLE")]
        table: String,
    }

    fn rows(line: &str) -> Result<(String, String), ErrorKind> {
        let parsed = Rows::try_parse_from(line.split(' ')).map_err(|e| e.kind())?;
        Ok((parsed.database.name(), parsed.table))
    }

    #[test]
    fn a_database_is_a_file_or_a_stream_of_a_set() {
        let named = |database: &str| Ok((database.to_owned(), "T".to_owned()));
        assert_eq!(rows("rows a.edb T"), named("a.edb"));
        assert_eq!(rows("rows --pool p --stream s/a.edb T"), named("s/a.edb in set latest"));
        assert_eq!(rows("rows T --pool p --stream s/a.edb --set 3"), named("s/a.edb in set 3"));
        assert_eq!(rows("rows T"), Err(ErrorKind::MissingRequiredArgument));
        for wrong in ["--stream s T", "--pool p T"] {
            assert_eq!(rows(&format!("rows {wrong}")), Err(ErrorKind::MissingRequiredArgument), "{wrong}");
        }
        for wrong in ["--pool p a.edb T", "--set 3 a.edb T", "a.edb T --pool p --stream s"] {
            assert_eq!(rows(&format!("rows {wrong}")), Err(ErrorKind::ArgumentConflict), "{wrong}");
        }
    }
}

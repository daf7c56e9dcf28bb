//! Which database a command reads.

use clap::{ArgGroup, Args};
use reel_engine::restore::read_at::StoredStream;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

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

//! What was read of a database that lies in a set.

use crate::args::ese::Database;
use crate::output::{Report, ReportTo, plural, shown};
use crate::size::megabytes;
use reel_engine::Result;
use reel_engine::restore::read_at::StoredStream;
use reel_formats::ese::database::DatabaseFile;
use serde::Serialize;
use std::io::{self, Write};

/// What a command read of a stream.
#[derive(Serialize)]
pub struct Read {
    bytes: u64,
    locates: u64,
    stream_bytes: u64,
    #[serde(skip)]
    stream: String,
}

/// A report, and what was read for it.
#[derive(Serialize)]
struct WithRead<'r, R> {
    #[serde(flatten)]
    report: &'r R,
    read: Option<Read>,
}

impl<R: Report> Report for WithRead<'_, R> {
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        self.report.text(out)
    }

    fn findings(&self) -> Vec<String> {
        self.report.findings()
    }
}

/// Prints a report on a database, and as JSON with what was read of it.
pub fn print(to: ReportTo, report: &impl Report, database: &Database) -> Result<()> {
    to.print(&WithRead { report, read: Read::so_far(database) })
}

impl Read {
    /// What was read of a database so far, where it is a stream of a set.
    pub fn so_far(database: &Database) -> Option<Read> {
        database.opened.get().map(|stream| Read::of(stream))
    }

    /// What was read of a stream so far.
    pub fn of(stream: &StoredStream) -> Read {
        let stats = stream.stats();
        Read {
            bytes: stats.stored_bytes,
            locates: stats.locates,
            stream_bytes: stream.len(),
            stream: format!("{} in set {}", shown(&stream.head().name), stream.set()),
        }
    }

    /// A line for a person.
    pub fn sentence(&self) -> String {
        let Read { bytes, locates, stream_bytes, stream } = self;
        format!(
            "{stream}: read {} in {locates} locate{} of {}",
            megabytes(*bytes),
            plural(*locates),
            megabytes(*stream_bytes)
        )
    }
}

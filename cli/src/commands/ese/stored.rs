//! What was read of a database that lies in a set.

use crate::output::{plural, shown};
use crate::size::megabytes;
use reel_engine::restore::read_at::StoredStream;
use reel_formats::ese::database::DatabaseFile;
use serde::Serialize;

/// What a command read of a stream.
#[derive(Serialize)]
pub struct Read {
    bytes: u64,
    locates: u64,
    stream_bytes: u64,
    #[serde(skip)]
    stream: String,
}

impl Read {
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

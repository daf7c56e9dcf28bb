//! What a restore did.

use std::ops::Range;
use std::path::PathBuf;

/// A stream that could not be restored whole.
#[derive(Debug, Clone)]
pub struct DamagedStream {
    /// Its name.
    pub stream: Vec<u8>,
    /// Lost ranges in bytes, in order.
    pub lost: Vec<Range<u64>>,
    /// Why, as a sentence.
    pub why: String,
    /// Its run ended before the stream did; nothing of the medium is damaged.
    pub unfinished: bool,
    /// Where its incomplete file stays, if that was asked for.
    pub partial: Option<PathBuf>,
}

/// What a restore did.
#[derive(Debug, Clone, Default)]
pub struct RestoreReport {
    /// Number of the set.
    pub set: u32,
    /// The set is complete.
    pub set_complete: bool,
    /// Streams restored whole, entries without bytes among them.
    pub streams: u64,
    /// Bytes of these streams.
    pub bytes: u64,
    /// Stored bytes read.
    pub stored_bytes: u64,
    /// Streams that could not be restored whole.
    pub damaged: Vec<DamagedStream>,
    /// Attributes that could not be set, as sentences.
    pub issues: Vec<String>,
    /// What was wrong on the medium, as sentences.
    pub reasons: Vec<String>,
}

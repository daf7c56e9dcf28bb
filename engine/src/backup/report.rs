//! What a backup did.

use crate::source::{Finding, FindingKind};
use reel_tape::layout::recipe::PageReport;

/// The pages of one database.
#[derive(Debug, Clone)]
pub struct DatabasePages {
    /// Name of the stream.
    pub stream: Vec<u8>,
    /// Page size in bytes.
    pub page_size: u32,
    /// What the check found.
    pub pages: PageReport,
}

impl DatabasePages {
    /// Is anything wrong with them?
    pub fn has_findings(&self) -> bool {
        let pages = &self.pages;
        pages.bad > 0 || pages.past_end > 0 || pages.header_bad || pages.shadow_bad
    }
}

/// What a backup did; bytes are bytes of streams unless the name says otherwise.
#[derive(Debug, Clone, Default)]
pub struct BackupReport {
    /// Number of the set.
    pub set: u32,
    /// The volume, by the shelf's name.
    pub volume: String,
    /// Streams, entries without bytes among them.
    pub streams: u64,
    /// Bytes of all streams.
    pub input_bytes: u64,
    /// Bytes of chunks that were new.
    pub new_bytes: u64,
    /// Bytes of chunks that stood in the pool already, or came twice.
    pub duplicate_bytes: u64,
    /// Bytes that were read as zeros.
    pub zero_bytes: u64,
    /// Bytes that the sources reported to hold no data.
    pub hole_bytes: u64,
    /// Stored bytes of frames.
    pub stored_bytes: u64,
    /// Bytes by which the image grew, metadata included.
    pub medium_bytes: u64,
    /// New chunks.
    pub new_chunks: u64,
    /// Chunks that found no room in the index: another copy of them would be stored again.
    pub unindexed_chunks: u64,
    /// Bytes of new chunks that were looked up while others had no room: at most so many may stand in the pool already.
    pub unsure_bytes: u64,
    /// What could not be backed up, or not whole.
    pub findings: Vec<Finding>,
    /// Streams that changed while they were read, with what shows it.
    pub changed: Vec<(Vec<u8>, String)>,
    /// The databases.
    pub databases: Vec<DatabasePages>,
    /// Sets without a trailer that no earlier run had listed: this one's trailer lists them.
    pub torn_sets: Vec<u32>,
}

impl BackupReport {
    /// Is there anything that its reader should look at?
    pub fn has_findings(&self) -> bool {
        // That the pool does not back itself up is no finding.
        self.findings.iter().any(|f| f.kind != FindingKind::OwnVolume)
            || !self.changed.is_empty()
            || self.databases.iter().any(DatabasePages::has_findings)
    }
}

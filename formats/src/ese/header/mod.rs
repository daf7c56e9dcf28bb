//! The header of a database file and its shadow copy (reference, database.md sections 1 and 2).

use super::page::checksum::header_xor;
use super::position::{BackupInfo, LgPos, LogTime, Signature};
use super::{PAGE_SIZES, file_type, page_size_of_field};
use crate::error::{Error, Result};
use crate::le::{Fields, bytes_at};
use std::fmt;

mod base;
mod fields;

pub use base::BaseHeader;

pub(crate) const MAGIC: u32 = 0x89AB_CDEF;
const PAGE_SIZE_AT: usize = 236;
const JET_READ_VERIFY_FAILURE: i32 = -1018;
const JET_DATABASE_CORRUPTED: i32 = -1206;

/// State of a database file. Shown in the wording of the engine's listings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DatabaseState {
    /// 1: made, nothing in it yet.
    JustCreated,
    /// 2: needs its logs.
    DirtyShutdown,
    /// 3: complete without logs.
    CleanShutdown,
    /// 4: being converted from an old format.
    BeingConverted,
    /// 5: obsolete.
    ForceDetach,
    /// 6: an incremental reseed has begun and not ended; not replayable.
    IncrementalReseedInProgress,
    /// 7: needs its logs up to the last required one before it may be called clean.
    DirtyAndPatchedShutdown,
    /// 8: a revert to a snapshot has begun and not ended; not replayable.
    RevertInProgress,
    /// A number without meaning.
    Unknown(u32),
}

impl DatabaseState {
    /// The state that this number stands for.
    pub fn from_number(number: u32) -> Self {
        match number {
            1 => Self::JustCreated,
            2 => Self::DirtyShutdown,
            3 => Self::CleanShutdown,
            4 => Self::BeingConverted,
            5 => Self::ForceDetach,
            6 => Self::IncrementalReseedInProgress,
            7 => Self::DirtyAndPatchedShutdown,
            8 => Self::RevertInProgress,
            other => Self::Unknown(other),
        }
    }
}

impl fmt::Display for DatabaseState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::JustCreated => "Just Created",
            Self::DirtyShutdown => "Dirty Shutdown",
            Self::CleanShutdown => "Clean Shutdown",
            Self::BeingConverted => "Being Converted",
            Self::ForceDetach => "Force Detach Replay Error",
            Self::IncrementalReseedInProgress => "Incremental Reseed In Progress",
            Self::DirtyAndPatchedShutdown => "Dirty and Patched Shutdown",
            Self::RevertInProgress => "Database Revert in Progress",
            Self::Unknown(number) => return write!(f, "Illegal ({number})"),
        })
    }
}

/// How often something happened, and when last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Occurrences {
    /// How often.
    pub count: u32,
    /// When last.
    pub last: LogTime,
    /// How often before that, in a count put aside; 0 where no such count is kept.
    pub earlier: u32,
}

/// How a backup was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BackupKind {
    /// 0: streamed by the engine.
    Streaming,
    /// 1: a snapshot of the volume by the operating system.
    OsSnapshot,
    /// 2: a snapshot.
    Snapshot,
    /// 3: of another copy, on behalf of this one.
    Surrogate,
    /// A number without meaning.
    Unknown(u32),
}

impl BackupKind {
    /// The kind that this number stands for.
    pub fn from_number(number: u32) -> Self {
        match number {
            0 => Self::Streaming,
            1 => Self::OsSnapshot,
            2 => Self::Snapshot,
            3 => Self::Surrogate,
            other => Self::Unknown(other),
        }
    }
}

/// How often and from when to when a database was taken back to a snapshot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Reverts {
    /// How often.
    pub count: u32,
    /// The moment that the last one left.
    pub from: LogTime,
    /// The moment that it went back to.
    pub to: LogTime,
    /// Pages that it wrote.
    pub pages: u32,
    /// The last commit before it.
    pub last_commit: LgPos,
}

/// How far the engine's background scan of a database has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ScanProgress {
    /// When the last complete scan ended.
    pub finished: LogTime,
    /// When the running scan began.
    pub started: LogTime,
    /// Highest page up to which every page was scanned.
    pub highest_continuous_page: u32,
    /// Highest page scanned.
    pub highest_page: u32,
}

/// What a database header says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatabaseHeader {
    /// The header's own checksum.
    pub checksum: u32,
    /// Format version: 0x620 since ESE97.
    pub version: u32,
    /// Revision of the format; a higher one than tested must not be written to.
    pub update_major: u32,
    /// Revision of compatible changes.
    pub update_minor: u32,
    /// Format version with which the file was made.
    pub create_version: u32,
    /// Revision with which the file was made.
    pub create_update: u32,
    /// Format revision of the engine that attached it last; for people only.
    pub engine_version: u32,
    /// Page size, in bytes.
    pub page_size: u32,
    /// Whether the database is clean.
    pub state: DatabaseState,
    /// Highest update counter; up to date only in a clean file.
    pub dbtime: u64,
    /// Highest object id; up to date only in a clean file.
    pub last_objid: u32,
    /// Number of the database in the log records, 1 to 6.
    pub dbid: u32,
    /// Signature of the database.
    pub signature: Signature,
    /// The log sequence that it belongs to.
    pub log_signature: Signature,
    /// The record that made it clean; zero if dirty since it was made.
    pub consistent: LgPos,
    /// When it was made clean.
    pub consistent_time: LogTime,
    /// The record that attached or created it.
    pub attached: LgPos,
    /// When it was attached.
    pub attached_time: LogTime,
    /// The record that detached it.
    pub detached: LgPos,
    /// When it was detached.
    pub detached_time: LogTime,
    /// The record that attached it again after a recovery that kept it attached.
    pub reattached: LgPos,
    /// When that was.
    pub reattached_time: LogTime,
    /// The record that changed its length last; zero in older formats.
    pub last_resize: LgPos,
    /// First log generation needed to make it consistent; 0 when clean.
    pub min_required: u32,
    /// Last log generation whose changes may be in it; 0 when clean.
    pub max_required: u32,
    /// When generation `max_required` was made; zero in older formats.
    pub max_required_time: LogTime,
    /// Last generation with committed work for it: without it and those before, data is lost.
    pub max_committed: u32,
    /// When generation `max_committed` was made (in older formats `max_required`).
    pub max_committed_time: LogTime,
    /// First generation needed for consistent data, the flush map left aside.
    pub min_consistent: u32,
    /// Not zero while a recovery runs: its generation.
    pub recovering: u32,
    /// `min_required` before redo began.
    pub pre_redo_min_required: u32,
    /// `min_consistent` before redo began.
    pub pre_redo_min_consistent: u32,
    /// Repairs since the last backup; a repaired file cannot take its older logs.
    pub repairs: Occurrences,
    /// Incremental reseeds: pages taken over from another copy.
    pub reseeds: Occurrences,
    /// Single pages patched from another copy.
    pub page_patches: Occurrences,
    /// Update counter of the last scrub.
    pub scrub_dbtime: u64,
    /// When it was scrubbed.
    pub scrub_time: LogTime,
    /// Single-bit errors that the engine repaired.
    pub ecc_fixed: Occurrences,
    /// Checksum errors that it could not repair.
    pub ecc_failed: Occurrences,
    /// Bad checksums that it saw.
    pub bad_checksums: Occurrences,
    /// Times the file grew.
    pub extends: Occurrences,
    /// Times the file shrank.
    pub shrinks: Occurrences,
    /// Times unused parts of the file were given back to the file system.
    pub trim_count: u32,
    /// Times the file was taken back to a snapshot.
    pub reverts: Reverts,
    /// What the engine's background scan of the database has reached.
    pub scan: ScanProgress,
    /// Pages converted from old formats: pages, pages freed, space map pages. Obsolete.
    pub upgraded_pages: [u32; 3],
    /// Last full backup.
    pub full_backup: BackupInfo,
    /// How that backup was made.
    pub full_backup_kind: BackupKind,
    /// Last incremental backup.
    pub incremental_backup: BackupInfo,
    /// How that backup was made.
    pub incremental_backup_kind: BackupKind,
    /// Last copy backup.
    pub copy_backup: BackupInfo,
    /// How that backup was made.
    pub copy_backup_kind: BackupKind,
    /// Last differential backup.
    pub differential_backup: BackupInfo,
    /// How that backup was made.
    pub differential_backup_kind: BackupKind,
    /// Not zero if this file is itself a streaming backup copy.
    pub current_full_backup: BackupInfo,
    /// Not zero if this file is itself a snapshot backup copy.
    pub current_snapshot: BackupInfo,
    /// Whether the header has no shadow copy.
    pub shadowing_disabled: bool,
    /// Tells states of the header apart, so that a flush map can be matched to it.
    pub header_flush_signature: Signature,
    /// The flush map (`.jfm`) that belongs to it.
    pub flush_map_signature: Signature,
    /// The revert snapshot that belongs to it.
    pub snapshot_signature: Signature,
    /// Windows version of the last writer: major, minor, build, service pack.
    pub os_version: [u32; 4],
    /// Version of the tables by which Windows sorts text; all ones in newer formats, which keep it in each index.
    pub sort_version: u64,
    /// Whether the file type field says database; old files have 0 there.
    pub has_file_type: bool,
}

impl DatabaseHeader {
    /// Reads one header page. `page` must be exactly one page: its checksum is over all of it. Errors carry -1018 for a
    /// bad checksum and -1206 for a header that is good but not that of a database.
    pub fn parse(page: &[u8]) -> Result<Self> {
        let fields = Fields(page);
        let (stored, computed) = (fields.u32(0), header_xor(page));
        let wrong = |position, found: &dyn fmt::Display, expected: &dyn fmt::Display, jet| {
            Err(Error::format("database header", position, found, expected).with_jet(jet))
        };
        if !PAGE_SIZES.iter().any(|size| *size as usize == page.len()) {
            let found = format!("{} bytes", page.len());
            return wrong(0, &found, &"2, 4, 8, 16 or 32 KiB", JET_READ_VERIFY_FAILURE);
        }
        if stored != computed {
            let (found, expected) = (format!("checksum {stored:#010x}"), format!("{computed:#010x}"));
            return wrong(0, &found, &expected, JET_READ_VERIFY_FAILURE);
        }
        let magic = fields.u32(4);
        if magic != MAGIC {
            return wrong(4, &format!("{magic:#010x}"), &"0x89abcdef", JET_DATABASE_CORRUPTED);
        }
        let file_type = fields.u32(file_type::AT);
        if !matches!(file_type, file_type::DATABASE | file_type::OLD) {
            let found = format!("file type {file_type}");
            return wrong(file_type::AT as u64, &found, &"file type 1 (database)", JET_DATABASE_CORRUPTED);
        }
        let page_field = fields.u32(PAGE_SIZE_AT);
        match page_size_of_field(page_field) {
            Some(size) if size as usize == page.len() => Ok(Self::from_fields(fields, size)),
            _ => {
                let (found, expected) = (format!("pages of {page_field} bytes"), page.len().to_string());
                wrong(PAGE_SIZE_AT as u64, &found, &expected, JET_DATABASE_CORRUPTED)
            }
        }
    }

    /// Finds the header in the first bytes of a file (64 KiB are enough for every page size): tries every page size for
    /// the first page and for the shadow copy behind it. Says which of the two copies are good. The error is
    /// JET_errReadVerifyFailure (-1018).
    pub fn find(head: &[u8]) -> Result<(Self, HeaderCopies)> {
        for size in PAGE_SIZES.map(|size| size as usize) {
            let copy = |at: usize| bytes_at(head, at, size).and_then(|page| Self::parse(page).ok());
            let (primary, shadow) = (copy(0), copy(size));
            let copies = HeaderCopies {
                primary_good: primary.is_some(),
                shadow_good: shadow.is_some(),
                equal: primary.is_some() && primary == shadow,
            };
            if let Some(header) = primary.or(shadow) {
                return Ok((header, copies));
            }
        }
        let found = format_args!("{} bytes without a good header", head.len());
        Err(Error::format("database header", 0, found, "a header or its shadow copy with a good checksum")
            .with_jet(JET_READ_VERIFY_FAILURE))
    }
}

/// Which of the two copies of a database header can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeaderCopies {
    /// The first page is a good header.
    pub primary_good: bool,
    /// The second page is a good header.
    pub shadow_good: bool,
    /// Both are good and say the same.
    pub equal: bool,
}

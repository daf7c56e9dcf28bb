//! The header of a database file and its shadow copy (reference, database.md sections 1 and 2).

use super::page::checksum::header_xor;
use super::position::{BackupInfo, LgPos, LogTime, Signature};
use super::{PAGE_SIZES, file_type, page_size_of_field};
use crate::error::{Error, Result};
use crate::le::{Fields, bytes_at};
use std::fmt;

const MAGIC: u32 = 0x89AB_CDEF;
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
            Self::ForceDetach => "Force Detach",
            Self::IncrementalReseedInProgress => "Incremental Reseed In Progress",
            Self::DirtyAndPatchedShutdown => "Dirty and Patched Shutdown",
            Self::RevertInProgress => "Revert In Progress",
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
    /// Repairs before that.
    pub old_repair_count: u32,
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
    /// Last full backup.
    pub full_backup: BackupInfo,
    /// Last incremental backup.
    pub incremental_backup: BackupInfo,
    /// Last copy backup.
    pub copy_backup: BackupInfo,
    /// Last differential backup.
    pub differential_backup: BackupInfo,
    /// Not zero if this file is itself a streaming backup copy.
    pub current_full_backup: BackupInfo,
    /// Not zero if this file is itself a snapshot backup copy.
    pub current_snapshot: BackupInfo,
    /// Whether the header has no shadow copy.
    pub shadowing_disabled: bool,
    /// Windows version of the last writer: major, minor, build, service pack.
    pub os_version: [u32; 4],
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

    fn from_fields(fields: Fields<'_>, page_size: u32) -> Self {
        let occurrences = |at| Occurrences { count: fields.u32(at), last: fields.logtime(at + 4) };
        Self {
            checksum: fields.u32(0),
            version: fields.u32(8),
            update_major: fields.u32(232),
            update_minor: fields.u32(644),
            create_version: fields.u32(340),
            create_update: fields.u32(344),
            engine_version: fields.u32(648),
            page_size,
            state: DatabaseState::from_number(fields.u32(52)),
            dbtime: fields.u64(16),
            last_objid: fields.u32(212),
            dbid: fields.u32(104),
            signature: fields.signature(24),
            log_signature: fields.signature(108),
            consistent: fields.lgpos(56),
            consistent_time: fields.logtime(64),
            attached: fields.lgpos(80),
            attached_time: fields.logtime(72),
            detached: fields.lgpos(96),
            detached_time: fields.logtime(88),
            reattached: fields.lgpos(572),
            reattached_time: fields.logtime(564),
            last_resize: fields.lgpos(656),
            min_required: fields.u32(296),
            max_required: fields.u32(300),
            max_required_time: fields.logtime(672),
            max_committed: fields.u32(416),
            max_committed_time: fields.logtime(348),
            min_consistent: fields.u32(640),
            recovering: fields.u32(536),
            pre_redo_min_consistent: fields.u32(680),
            pre_redo_min_required: fields.u32(684),
            repairs: occurrences(240),
            old_repair_count: fields.u32(364),
            scrub_dbtime: fields.u64(280),
            scrub_time: fields.logtime(288),
            ecc_fixed: occurrences(368),
            ecc_failed: occurrences(384),
            bad_checksums: occurrences(400),
            extends: occurrences(540),
            shrinks: occurrences(552),
            full_backup: fields.backup(136),
            incremental_backup: fields.backup(160),
            current_full_backup: fields.backup(184),
            current_snapshot: fields.backup(316),
            copy_backup: fields.backup(420),
            differential_backup: fields.backup(444),
            shadowing_disabled: fields.u8(208) & 1 != 0,
            os_version: [216, 220, 224, 228].map(|at| fields.u32(at)),
            has_file_type: fields.u32(file_type::AT) == file_type::DATABASE,
        }
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

//! Records about the engine and its databases as a whole.

use super::RecordType;
use super::length::{CREATE_HAS_VERSION, CREATE_VERSION_LEN};
use super::structure::Cursor;
use crate::ese::attachment::{text, text16};
use crate::ese::position::{BackupInfo, LgPos, LogTime, Signature};
use crate::le::Fields;

/// A path, or other text, as logged. Bytes that are no text are replaced when it is turned into text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoggedText<'a> {
    /// The bytes, with what may follow the first zero.
    pub bytes: &'a [u8],
    /// Whether they are UTF-16; otherwise the code page is the writer's.
    pub is_utf16: bool,
}

impl LoggedText<'_> {
    /// The text up to the first zero.
    pub fn to_text(self) -> String {
        if self.is_utf16 { text16(self.bytes) } else { text(self.bytes) }
    }
}

/// The settings of an engine that started; for people only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EngineSettings<'a> {
    /// Folder of the checkpoint.
    pub system_path: LoggedText<'a>,
    /// Folder of the logs.
    pub log_path: LoggedText<'a>,
    /// 1: circular logging.
    pub flags: u8,
    /// Most sessions.
    pub sessions: u32,
    /// Most open tables.
    pub open_tables: u32,
    /// Most version pages.
    pub version_pages: u32,
    /// Most cursors.
    pub cursors: u32,
    /// Log buffers, in sectors.
    pub log_buffers: u32,
    /// Length of a log file, in sectors.
    pub log_file_sectors: u32,
    /// Largest cache, in pages.
    pub cache_max: u32,
}

impl<'a> EngineSettings<'a> {
    const PATH_LEN: usize = 261;

    pub(super) fn parse(fields: Fields<'a>) -> Self {
        let path = |at| LoggedText { bytes: fields.tail(at, Self::PATH_LEN), is_utf16: false };
        Self {
            system_path: path(1),
            log_path: path(1 + Self::PATH_LEN),
            flags: fields.u8(523),
            sessions: fields.u32(524),
            open_tables: fields.u32(528),
            version_pages: fields.u32(532),
            cursors: fields.u32(536),
            log_buffers: fields.u32(540),
            log_file_sectors: fields.u32(544),
            cache_max: fields.u32(548),
        }
    }
}

/// The engine ended, or a recovery did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Term {
    /// Which of the five records it is.
    pub kind: RecordType,
    /// Where the engine's log ended.
    pub position: LgPos,
    /// Where redo began.
    pub redo_from: LgPos,
    /// Whether it was a restore from backup.
    pub is_hard: bool,
    /// When; not in the old records.
    pub time: Option<LogTime>,
}

impl Term {
    /// Whether the databases stay attached.
    pub fn keeps_attachments(&self) -> bool {
        self.kind == RecordType::RECOVERY_QUIT_KEEP_ATTACHMENTS
    }

    pub(super) fn parse(kind: RecordType, fields: Fields<'_>) -> Self {
        let has_time = !matches!(kind, RecordType::TERM | RecordType::RECOVERY_QUIT);
        Self {
            kind,
            position: fields.lgpos(1),
            redo_from: fields.lgpos(9),
            is_hard: fields.u8(17) != 0,
            time: has_time.then(|| fields.logtime(18)),
        }
    }
}

/// A database was created.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CreateDb<'a> {
    /// The session.
    pub procid: u16,
    /// The database, 1 to 6.
    pub dbid: u8,
    /// Options of the call that created it.
    pub grbit: u32,
    /// Largest size allowed, in pages; 0 for none.
    pub max_pages: u32,
    /// Its signature.
    pub signature: Signature,
    /// Version and update of the manner of its creation: (2, _) logs all of it. Not in old records.
    pub version: Option<(u16, u16)>,
    /// Whether the file is sparse.
    pub is_sparse: bool,
    /// Its path.
    pub path: LoggedText<'a>,
}

impl<'a> CreateDb<'a> {
    pub(super) fn parse(bytes: &'a [u8], fixed_len: usize) -> Option<Self> {
        let fields = Fields(bytes);
        let flags = fields.u8(42);
        let mut rest = Cursor::new(bytes, fixed_len)?;
        let version = if flags & CREATE_HAS_VERSION == 0 {
            None
        } else {
            let words = rest.array::<CREATE_VERSION_LEN>()?;
            Some((Fields(&words).u16(0), Fields(&words).u16(2)))
        };
        Some(Self {
            procid: fields.u16(1),
            dbid: fields.u8(3),
            grbit: fields.u32(4),
            max_pages: fields.u32(8),
            signature: fields.signature(12),
            version,
            is_sparse: flags & 0x10 != 0,
            path: LoggedText { bytes: rest.rest, is_utf16: flags & 8 != 0 },
        })
    }
}

/// A database was attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttachDb<'a> {
    /// The session.
    pub procid: u16,
    /// The database, 1 to 6.
    pub dbid: u8,
    /// Largest size allowed, in pages; 0 for none.
    pub max_pages: u32,
    /// Where it was last made consistent.
    pub consistent: LgPos,
    /// Its signature.
    pub signature: Signature,
    /// Signature of the log sequence that it was last attached to.
    pub log_signature: Signature,
    /// Whether the file is sparse.
    pub is_sparse: bool,
    /// Its path.
    pub path: LoggedText<'a>,
}

impl<'a> AttachDb<'a> {
    pub(super) fn parse(bytes: &'a [u8], fixed_len: usize) -> Option<Self> {
        let fields = Fields(bytes);
        let flags = fields.u8(74);
        Some(Self {
            procid: fields.u16(1),
            dbid: fields.u8(3),
            max_pages: fields.u32(4),
            consistent: fields.lgpos(8),
            signature: fields.signature(16),
            log_signature: fields.signature(44),
            is_sparse: flags & 0x10 != 0,
            path: LoggedText { bytes: bytes.get(fixed_len..)?, is_utf16: flags & 8 != 0 },
        })
    }
}

/// A database was detached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DetachDb<'a> {
    /// The session.
    pub procid: u16,
    /// The database, 1 to 6.
    pub dbid: u8,
    /// Its path.
    pub path: LoggedText<'a>,
}

impl<'a> DetachDb<'a> {
    pub(super) fn parse(bytes: &'a [u8], fixed_len: usize) -> Option<Self> {
        let fields = Fields(bytes);
        let is_utf16 = fields.u8(6) & 0x10 != 0;
        Some(Self {
            procid: fields.u16(1),
            dbid: fields.u8(3),
            path: LoggedText { bytes: bytes.get(fixed_len..)?, is_utf16 },
        })
    }
}

/// A database stayed attached over a recovery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReAttach {
    /// The database, 1 to 6.
    pub dbid: u8,
    /// Where it was attached.
    pub attached: LgPos,
    /// Where it was last made consistent before that.
    pub consistent: LgPos,
    /// Its signature.
    pub signature: Signature,
}

impl ReAttach {
    pub(super) const LEN: usize = 50;

    pub(super) fn parse(fields: Fields<'_>) -> Self {
        Self {
            dbid: fields.u8(5),
            attached: fields.lgpos(6),
            consistent: fields.lgpos(14),
            signature: fields.signature(22),
        }
    }
}

/// A step of a backup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backup2<'a> {
    /// 1 begin, 2 logs are prepared, 3 logs are cut off, 4 a database's header is updated, 5 abort, 6 stop.
    pub phase: u8,
    /// Kind of backup, as the engine's listing names them: 0 external (streamed), 1 a snapshot of the operating system.
    pub backup_type: u32,
    /// 1 full, 2 incremental, 5 copy, 6 differential.
    pub scope: u8,
    /// The database of step 4; otherwise 0.
    pub dbid: u8,
    /// What stands in the database's header.
    pub info: BackupInfo,
    /// Where it goes to.
    pub path: &'a [u8],
}

impl<'a> Backup2<'a> {
    pub(super) fn parse(bytes: &'a [u8], fixed_len: usize) -> Option<Self> {
        let fields = Fields(bytes);
        Some(Self {
            phase: fields.u8(1),
            backup_type: fields.u32(2),
            scope: fields.u8(6),
            dbid: fields.u8(7),
            info: fields.backup(8),
            path: bytes.get(fixed_len..)?,
        })
    }
}

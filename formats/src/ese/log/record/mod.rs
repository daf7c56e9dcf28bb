//! The records of a transaction log (reference, log.md section 6): every type, decoded without copying.
//!
//! A record is bytes of exactly one record, its fragments already put together, as [`super::reader`] gives them.

mod environment;
mod kinds;
mod length;
mod page;
mod parse;
mod space;
mod structure;

pub use environment::{AttachDb, Backup2, CreateDb, DetachDb, EngineSettings, LoggedText, ReAttach, Term};
pub use kinds::{RecordType, TYPES_END};
pub use length::record_len;
pub(in crate::ese::log) use length::{Measured, measure};
pub use page::{NO_DBTIME, NodeOp, PageOp, PageOpFlags};
pub use space::{
    ConvertFdp, ConvertFdp2, CreateMultipleExtentFdp, CreateSingleExtentFdp, ExtentFreed, FreeFdp, NewPage,
    RootPageMove, ScanCheck, ScanCheck2, ShrinkDb,
};
pub use structure::{
    EmptiedPage, EmptiedPages, Image, Merge, MergeType, PageMove, PageNumbers, Split, SplitOper, SplitType,
};

use super::super::position::LogTime;

/// One record. Fields that several variants have: `procid` is the session, `dbid` the database (1 to 6), `key` and
/// `data` the bookmark of a node or what they say, `rceid` the number of a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "fields that are explained above or by the variant's sentence")]
pub enum Record<'a> {
    /// Fill of one byte.
    Nop,
    /// Fill of `len` bytes in all.
    Nop2 { len: usize },
    /// End of the log in old formats.
    End,
    /// Link between sectors in formats before 7.
    MultiSector { forward_byte: u16, forward_sector: u16, checksum: u32 },
    /// Checksum of a flush in the container of format 7.
    Checksum { bytes: &'a [u8] },
    /// First piece of a record of `total` bytes.
    FragmentBegin { total: u32, piece: &'a [u8] },
    /// Another piece.
    Fragment { piece: &'a [u8] },

    /// The engine started.
    Init { settings: EngineSettings<'a>, time: Option<LogTime> },
    /// The engine or a recovery ended: Term, RecoveryQuit and their newer forms.
    Term(Term),
    /// Recovery begins to undo.
    RecoveryUndo { time: Option<LogTime> },
    /// All databases are about to be closed.
    ShutDownMark,
    /// A database was created.
    CreateDb(CreateDb<'a>),
    /// A database's creation is complete.
    CreateDbFinish { procid: u16, dbid: u8 },
    /// A database was attached.
    AttachDb(AttachDb<'a>),
    /// A database was detached.
    DetachDb(DetachDb<'a>),
    /// A database stayed attached over a recovery.
    ReAttach(ReAttach),
    /// A database can be used.
    SignalAttachDb { dbid: u8 },
    /// A database's format version was set.
    SetDbVersion { dbid: u8, major: u32, update_major: u32, update_minor: u32 },
    /// A database file grew; `last` is its last page.
    ExtendDb { dbid: u8, last: u32 },
    /// A database file was cut.
    ShrinkDb(ShrinkDb),
    /// `pages` pages from `first` on were given back to the file system.
    TrimDb { dbid: u8, first: u32, pages: u32 },

    /// A transaction begins: `levels` levels are opened above level `from`. `trx` is the begin time of an outermost one.
    Begin { kind: RecordType, procid: u16, from: u8, levels: u8, trx: Option<u32> },
    /// A transaction commits down to level `to`. `trx` is the commit time of an outermost one.
    Commit { procid: u16, to: u8, trx: Option<u32> },
    /// `levels` levels are rolled back.
    Rollback { procid: u16, levels: u8 },
    /// A transaction gets a new begin time.
    Refresh { procid: u16, trx: u32 },
    /// A distributed transaction is prepared to commit.
    PrepCommit { procid: u16, data: &'a [u8] },
    /// A prepared transaction is rolled back.
    PrepRollback { procid: u16 },
    /// What a caller wanted logged with a commit; newer formats put one byte of flags first.
    CommitCtx { procid: u16, context: &'a [u8] },
    /// A change of several pages begins.
    MacroBegin { procid: u16, dbtime: u64 },
    /// A change of several pages is complete.
    MacroCommit { procid: u16, dbtime: u64 },
    /// A change of several pages did not happen.
    MacroAbort { procid: u16, dbtime: u64 },
    /// The pages of a change of several pages. The older form does not say the database.
    MacroInfo { dbid: Option<u8>, pages: PageNumbers<'a> },

    /// A node was inserted: its key is `prefix` and `suffix`.
    Insert { node: NodeOp, prefix: &'a [u8], suffix: &'a [u8], data: &'a [u8] },
    /// A deleted node was made valid again.
    FlagInsert { node: NodeOp, key: &'a [u8], data: &'a [u8] },
    /// A deleted node was made valid again with new data.
    FlagInsertAndReplaceData { node: NodeOp, rceid_replace: u32, key: &'a [u8], data: &'a [u8] },
    /// A node was marked deleted.
    FlagDelete { node: NodeOp },
    /// A node's data was replaced by `data`.
    Replace { node: NodeOp, old_len: u16, new_len: u16, data: &'a [u8] },
    /// A node's data was changed as `diff` says (see [`super::diff`]).
    ReplaceD { node: NodeOp, old_len: u16, new_len: u16, diff: &'a [u8], wide: bool },
    /// A node was removed.
    Delete { node: NodeOp },
    /// What a node was before operation `oper` (2 replace, 3 flag delete) of version `node.rceid`.
    UndoInfo {
        node: NodeOp,
        oper: u16,
        max_size: i16,
        delta: i16,
        key: &'a [u8],
        bookmark_data: &'a [u8],
        data: &'a [u8],
    },
    /// `delta` was added to the counter at `offset` of a node's data; it has 8 bytes if `wide`, otherwise 4.
    Delta { node: NodeOp, delta: i64, offset: u16, wide: bool, key: &'a [u8], bookmark_data: &'a [u8] },
    /// A page's external header was replaced.
    SetExternalHeader { node: NodeOp, data: &'a [u8] },
    /// Operation `oper` of version `node.rceid`, made at transaction level `level`, was undone.
    Undo { node: NodeOp, oper: u16, level: u8, key: &'a [u8], bookmark_data: &'a [u8] },
    /// The pages of a tree were emptied; `node` is at its root.
    EmptyTree { node: NodeOp, pages: EmptiedPages<'a> },
    /// Bytes no longer used were overwritten: of the whole page, or as `operations` operations say.
    Scrub { node: NodeOp, unused_page: bool, operations: u32, data: &'a [u8] },

    /// A page was split.
    Split(Split<'a>),
    /// A page was merged.
    Merge(Merge<'a>),
    /// A page was moved.
    PageMove(PageMove<'a>),
    /// The root of a tree was moved.
    RootPageMove(RootPageMove),
    /// A tree with trees of its extents was created.
    CreateMultipleExtentFdp(CreateMultipleExtentFdp),
    /// A tree of one extent was created.
    CreateSingleExtentFdp(CreateSingleExtentFdp),
    /// A tree of one extent got trees of its extents.
    ConvertFdp(ConvertFdp),
    /// A page was taken into use.
    NewPage(NewPage),
    /// A tree was given up.
    FreeFdp(FreeFdp),
    /// Pages were given back.
    ExtentFreed(ExtentFreed),
    /// A page was checked by a scan.
    ScanCheck(ScanCheck),
    /// A page was checked by a scan.
    ScanCheck2(ScanCheck2),
    /// A page was found bad and asked for.
    PagePatchRequest { dbid: u8, pgno: u32, dbtime: u64 },

    /// A step of a backup.
    Backup2(Backup2<'a>),
    /// A step of a backup in old formats.
    Backup { backup_type: u8, path: &'a [u8] },
    /// A backup began, in old formats: full or incremental.
    BackupBegin { kind: RecordType, path: &'a [u8] },
    /// A restore ended.
    ExtRestore { info: LoggedText<'a> },
    /// A call of the engine's interface.
    JetOp { procid: u16, op: u8 },
    /// Text for people.
    Trace { procid: u16, text: LoggedText<'a> },
    /// A new generation was asked for, with the reason.
    ForceLogRollover { procid: u16, text: LoggedText<'a> },
    /// The log was forced to disk.
    ForceWriteLog { procid: u16 },
    /// A record that may be skipped; `bytes` is what follows its length.
    Ignorable { kind: RecordType, bytes: &'a [u8] },
}

impl Record<'_> {
    /// Its type.
    pub fn kind(&self) -> RecordType {
        let choose = |second: bool, kinds: (RecordType, RecordType)| if second { kinds.1 } else { kinds.0 };
        match self {
            Self::Nop => RecordType::NOP,
            Self::Nop2 { .. } => RecordType::NOP2,
            Self::End => RecordType::END,
            Self::MultiSector { .. } => RecordType::MULTI_SECTOR,
            Self::Checksum { .. } => RecordType::CHECKSUM,
            Self::FragmentBegin { .. } => RecordType::FRAGMENT_BEGIN,
            Self::Fragment { .. } => RecordType::FRAGMENT,
            Self::Init { time, .. } => choose(time.is_some(), (RecordType::INIT, RecordType::INIT2)),
            Self::Term(term) => term.kind,
            Self::RecoveryUndo { time } => {
                choose(time.is_some(), (RecordType::RECOVERY_UNDO, RecordType::RECOVERY_UNDO2))
            }
            Self::ShutDownMark => RecordType::SHUT_DOWN_MARK,
            Self::CreateDb(_) => RecordType::CREATE_DB,
            Self::CreateDbFinish { .. } => RecordType::CREATE_DB_FINISH,
            Self::AttachDb(_) => RecordType::ATTACH_DB,
            Self::DetachDb(_) => RecordType::DETACH_DB,
            Self::ReAttach(_) => RecordType::RE_ATTACH,
            Self::SignalAttachDb { .. } => RecordType::SIGNAL_ATTACH_DB,
            Self::SetDbVersion { .. } => RecordType::SET_DB_VERSION,
            Self::ExtendDb { .. } => RecordType::EXTEND_DB,
            Self::ShrinkDb(shrink) => shrink.kind,
            Self::TrimDb { .. } => RecordType::TRIM_DB,
            Self::Begin { kind, .. } | Self::BackupBegin { kind, .. } | Self::Ignorable { kind, .. } => *kind,
            Self::Commit { trx, .. } => choose(trx.is_some(), (RecordType::COMMIT, RecordType::COMMIT0)),
            Self::Rollback { .. } => RecordType::ROLLBACK,
            Self::Refresh { .. } => RecordType::REFRESH,
            Self::PrepCommit { .. } => RecordType::PREP_COMMIT,
            Self::PrepRollback { .. } => RecordType::PREP_ROLLBACK,
            Self::CommitCtx { .. } => RecordType::COMMIT_CTX,
            Self::MacroBegin { .. } => RecordType::MACRO_BEGIN,
            Self::MacroCommit { .. } => RecordType::MACRO_COMMIT,
            Self::MacroAbort { .. } => RecordType::MACRO_ABORT,
            Self::MacroInfo { dbid, .. } => {
                choose(dbid.is_some(), (RecordType::MACRO_INFO, RecordType::MACRO_INFO2))
            }
            Self::Insert { .. } => RecordType::INSERT,
            Self::FlagInsert { .. } => RecordType::FLAG_INSERT,
            Self::FlagInsertAndReplaceData { .. } => RecordType::FLAG_INSERT_AND_REPLACE_DATA,
            Self::FlagDelete { .. } => RecordType::FLAG_DELETE,
            Self::Replace { .. } => RecordType::REPLACE,
            Self::ReplaceD { .. } => RecordType::REPLACE_D,
            Self::Delete { .. } => RecordType::DELETE,
            Self::UndoInfo { .. } => RecordType::UNDO_INFO,
            Self::Delta { wide, .. } => choose(*wide, (RecordType::DELTA, RecordType::DELTA64)),
            Self::SetExternalHeader { .. } => RecordType::SET_EXTERNAL_HEADER,
            Self::Undo { .. } => RecordType::UNDO,
            Self::EmptyTree { .. } => RecordType::EMPTY_TREE,
            Self::Scrub { .. } => RecordType::SCRUB,
            Self::Split(split) => choose(split.is_v2, (RecordType::SPLIT, RecordType::SPLIT2)),
            Self::Merge(merge) => choose(merge.is_v2, (RecordType::MERGE, RecordType::MERGE2)),
            Self::PageMove(_) => RecordType::PAGE_MOVE,
            Self::RootPageMove(_) => RecordType::ROOT_PAGE_MOVE,
            Self::CreateMultipleExtentFdp(_) => RecordType::CREATE_MULTIPLE_EXTENT_FDP,
            Self::CreateSingleExtentFdp(_) => RecordType::CREATE_SINGLE_EXTENT_FDP,
            Self::ConvertFdp(convert) => {
                choose(convert.v2.is_some(), (RecordType::CONVERT_FDP, RecordType::CONVERT_FDP2))
            }
            Self::NewPage(_) => RecordType::NEW_PAGE,
            Self::FreeFdp(_) => RecordType::FREE_FDP,
            Self::ExtentFreed(freed) => {
                choose(freed.dbtime.is_some(), (RecordType::EXTENT_FREED, RecordType::EXTENT_FREED2))
            }
            Self::ScanCheck(_) => RecordType::SCAN_CHECK,
            Self::ScanCheck2(_) => RecordType::SCAN_CHECK2,
            Self::PagePatchRequest { .. } => RecordType::PAGE_PATCH_REQUEST,
            Self::Backup2(_) => RecordType::BACKUP2,
            Self::Backup { .. } => RecordType::BACKUP,
            Self::ExtRestore { info } => {
                choose(info.is_utf16, (RecordType::EXT_RESTORE, RecordType::EXT_RESTORE2))
            }
            Self::JetOp { .. } => RecordType::JET_OP,
            Self::Trace { .. } => RecordType::TRACE,
            Self::ForceLogRollover { .. } => RecordType::FORCE_LOG_ROLLOVER,
            Self::ForceWriteLog { .. } => RecordType::FORCE_WRITE_LOG,
        }
    }

    /// The change of a node, where it is one.
    pub fn node_op(&self) -> Option<&NodeOp> {
        match self {
            Self::Insert { node, .. }
            | Self::FlagInsert { node, .. }
            | Self::FlagInsertAndReplaceData { node, .. }
            | Self::FlagDelete { node }
            | Self::Replace { node, .. }
            | Self::ReplaceD { node, .. }
            | Self::Delete { node }
            | Self::UndoInfo { node, .. }
            | Self::Delta { node, .. }
            | Self::SetExternalHeader { node, .. }
            | Self::Undo { node, .. }
            | Self::EmptyTree { node, .. }
            | Self::Scrub { node, .. } => Some(node),
            _ => None,
        }
    }

    /// The change of a page, where it is one. [`Self::UndoInfo`] has the fields but changes no page, and its update
    /// counters say nothing.
    pub fn page_op(&self) -> Option<&PageOp> {
        match self {
            Self::Split(split) => Some(&split.page),
            Self::Merge(merge) => Some(&merge.page),
            Self::PageMove(page_move) => Some(&page_move.page),
            Self::CreateMultipleExtentFdp(create) => Some(&create.page),
            Self::CreateSingleExtentFdp(create) => Some(&create.page),
            Self::ConvertFdp(convert) => Some(&convert.page),
            _ => self.node_op().map(|node| &node.page),
        }
    }

    /// The session, where the record names one.
    pub fn procid(&self) -> Option<u16> {
        match self {
            Self::CreateDb(create) => Some(create.procid),
            Self::AttachDb(attach) => Some(attach.procid),
            Self::DetachDb(detach) => Some(detach.procid),
            Self::NewPage(page) => Some(page.procid),
            Self::RootPageMove(root_move) => Some(root_move.procid),
            Self::CreateDbFinish { procid, .. }
            | Self::Begin { procid, .. }
            | Self::Commit { procid, .. }
            | Self::Rollback { procid, .. }
            | Self::Refresh { procid, .. }
            | Self::PrepCommit { procid, .. }
            | Self::PrepRollback { procid }
            | Self::CommitCtx { procid, .. }
            | Self::MacroBegin { procid, .. }
            | Self::MacroCommit { procid, .. }
            | Self::MacroAbort { procid, .. }
            | Self::JetOp { procid, .. }
            | Self::Trace { procid, .. }
            | Self::ForceLogRollover { procid, .. }
            | Self::ForceWriteLog { procid } => Some(*procid),
            _ => self.page_op().map(|page| page.procid),
        }
    }

    /// The database, where the record names one.
    pub fn dbid(&self) -> Option<u8> {
        match self {
            Self::CreateDb(create) => Some(create.dbid),
            Self::AttachDb(attach) => Some(attach.dbid),
            Self::DetachDb(detach) => Some(detach.dbid),
            Self::ReAttach(attach) => Some(attach.dbid),
            Self::ShrinkDb(shrink) => Some(shrink.dbid),
            Self::NewPage(page) => Some(page.dbid),
            Self::RootPageMove(root_move) => Some(root_move.dbid),
            Self::FreeFdp(free) => Some(free.dbid),
            Self::ExtentFreed(freed) => Some(freed.dbid),
            Self::ScanCheck(check) => Some(check.dbid),
            Self::ScanCheck2(check) => Some(check.dbid),
            Self::Backup2(backup) => Some(backup.dbid).filter(|dbid| *dbid != 0),
            Self::CreateDbFinish { dbid, .. }
            | Self::SignalAttachDb { dbid }
            | Self::SetDbVersion { dbid, .. }
            | Self::ExtendDb { dbid, .. }
            | Self::TrimDb { dbid, .. }
            | Self::PagePatchRequest { dbid, .. } => Some(*dbid),
            Self::MacroInfo { dbid, .. } => *dbid,
            _ => self.page_op().map(|page| page.dbid),
        }
    }

    /// The update counter that the record sets or that its macro has, where there is one.
    pub fn dbtime(&self) -> Option<u64> {
        match self {
            Self::MacroBegin { dbtime, .. }
            | Self::MacroCommit { dbtime, .. }
            | Self::MacroAbort { dbtime, .. } => Some(*dbtime),
            Self::NewPage(page) => Some(page.dbtime),
            Self::RootPageMove(root_move) => Some(root_move.dbtime),
            Self::ShrinkDb(shrink) => shrink.dbtime,
            Self::ExtentFreed(freed) => freed.dbtime,
            Self::UndoInfo { .. } => None,
            _ => self.page_op().map(|page| page.dbtime),
        }
    }
}

//! From bytes to a record.

use super::environment::{AttachDb, Backup2, CreateDb, DetachDb, EngineSettings, LoggedText, ReAttach, Term};
use super::length::{LENGTH_MASK, corrupt, record_len};
use super::page::NodeOp;
use super::space::{
    ConvertFdp, CreateMultipleExtentFdp, CreateSingleExtentFdp, ExtentFreed, FreeFdp, NewPage, RootPageMove,
    ScanCheck, ScanCheck2, ShrinkDb,
};
use super::structure::{Cursor, EmptiedPages, Merge, PageMove, PageNumbers, Split};
use super::{Record, RecordType};
use crate::error::Result;
use crate::le::Fields;

const EXTEND_DB_LEN: usize = 10;
const COMMIT_CTX_LEN: usize = 7;
const MACRO_INFO2_LEN: usize = 10;

impl<'a> Record<'a> {
    /// The record that `bytes` are: exactly one, its fragments put together. The error carries -501 for an unknown type, and
    /// for a length that is not that of `bytes`.
    pub fn parse(bytes: &'a [u8]) -> Result<Self> {
        let len = record_len(bytes)?;
        if len != bytes.len() {
            return Err(corrupt(format_args!("{} bytes", bytes.len()), format_args!("a record of {len}")));
        }
        let kind = RecordType(bytes.first().copied().unwrap_or_default());
        decode(kind, bytes)
            .ok_or_else(|| corrupt(format_args!("{kind} of {len} bytes"), "its fields inside it"))
    }
}

/// `None` where a field does not fit, which the length allows only for ignorable records.
fn decode(kind: RecordType, bytes: &[u8]) -> Option<Record<'_>> {
    if kind.is_ignorable() {
        return decode_ignorable(kind, bytes);
    }
    let fields = Fields(bytes);
    let fixed_len = kind.fixed_len()?;
    let rest = || bytes.get(fixed_len..);
    let trailing_text = |is_utf16| rest().map(|bytes| LoggedText { bytes, is_utf16 });
    let procid = || fields.u16(1);
    Some(match kind {
        RecordType::INSERT
        | RecordType::FLAG_INSERT
        | RecordType::FLAG_INSERT_AND_REPLACE_DATA
        | RecordType::FLAG_DELETE
        | RecordType::REPLACE
        | RecordType::REPLACE_D
        | RecordType::DELETE
        | RecordType::UNDO_INFO
        | RecordType::DELTA
        | RecordType::DELTA64
        | RecordType::SET_EXTERNAL_HEADER
        | RecordType::UNDO
        | RecordType::EMPTY_TREE
        | RecordType::SCRUB => return decode_node(kind, bytes, fixed_len),

        RecordType::BEGIN => begin(kind, fields, None),
        RecordType::BEGIN0 | RecordType::BEGIN_DT => begin(kind, fields, Some(fields.u32(4))),
        RecordType::COMMIT => Record::Commit { procid: procid(), to: fields.u8(3), trx: None },
        RecordType::COMMIT0 => {
            Record::Commit { procid: procid(), to: fields.u8(3), trx: Some(fields.u32(4)) }
        }
        RecordType::ROLLBACK => Record::Rollback { procid: procid(), levels: fields.u8(3) },
        RecordType::REFRESH => Record::Refresh { procid: procid(), trx: fields.u32(3) },
        RecordType::PREP_COMMIT => Record::PrepCommit { procid: procid(), data: rest()? },
        RecordType::PREP_ROLLBACK => Record::PrepRollback { procid: procid() },
        RecordType::MACRO_BEGIN => Record::MacroBegin { procid: procid(), dbtime: fields.u64(3) },
        RecordType::MACRO_COMMIT => Record::MacroCommit { procid: procid(), dbtime: fields.u64(3) },
        RecordType::MACRO_ABORT => Record::MacroAbort { procid: procid(), dbtime: fields.u64(3) },

        RecordType::SPLIT | RecordType::SPLIT2 => {
            Record::Split(Split::parse(bytes, fixed_len, kind == RecordType::SPLIT2)?)
        }
        RecordType::MERGE | RecordType::MERGE2 => {
            Record::Merge(Merge::parse(bytes, fixed_len, kind == RecordType::MERGE2)?)
        }
        RecordType::PAGE_MOVE => Record::PageMove(PageMove::parse(bytes, fixed_len)?),
        RecordType::ROOT_PAGE_MOVE => Record::RootPageMove(RootPageMove::parse(fields)),
        RecordType::CREATE_MULTIPLE_EXTENT_FDP => {
            Record::CreateMultipleExtentFdp(CreateMultipleExtentFdp::parse(fields))
        }
        RecordType::CREATE_SINGLE_EXTENT_FDP => {
            Record::CreateSingleExtentFdp(CreateSingleExtentFdp::parse(fields))
        }
        RecordType::CONVERT_FDP => Record::ConvertFdp(ConvertFdp::parse(fields, false)),
        RecordType::CONVERT_FDP2 => Record::ConvertFdp(ConvertFdp::parse(fields, true)),
        RecordType::NEW_PAGE => Record::NewPage(NewPage::parse(fields)),
        RecordType::EXTENT_FREED => Record::ExtentFreed(ExtentFreed::parse(fields, false)),
        RecordType::EXTENT_FREED2 => Record::ExtentFreed(ExtentFreed::parse(fields, true)),
        RecordType::SCAN_CHECK2 => Record::ScanCheck2(ScanCheck2::parse(fields)),
        RecordType::PAGE_PATCH_REQUEST => {
            Record::PagePatchRequest { dbid: fields.u8(1), pgno: fields.u32(2), dbtime: fields.u64(6) }
        }

        RecordType::INIT => Record::Init { settings: EngineSettings::parse(fields), time: None },
        RecordType::INIT2 => {
            Record::Init { settings: EngineSettings::parse(fields), time: Some(fields.logtime(568)) }
        }
        RecordType::TERM
        | RecordType::TERM2
        | RecordType::RECOVERY_QUIT
        | RecordType::RECOVERY_QUIT2
        | RecordType::RECOVERY_QUIT_KEEP_ATTACHMENTS => Record::Term(Term::parse(kind, fields)),
        RecordType::RECOVERY_UNDO => Record::RecoveryUndo { time: None },
        RecordType::RECOVERY_UNDO2 => Record::RecoveryUndo { time: Some(fields.logtime(1)) },
        RecordType::SHUT_DOWN_MARK => Record::ShutDownMark,
        RecordType::CREATE_DB => Record::CreateDb(CreateDb::parse(bytes, fixed_len)?),
        RecordType::CREATE_DB_FINISH => Record::CreateDbFinish { procid: procid(), dbid: fields.u8(3) },
        RecordType::ATTACH_DB => Record::AttachDb(AttachDb::parse(bytes, fixed_len)?),
        RecordType::DETACH_DB => Record::DetachDb(DetachDb::parse(bytes, fixed_len)?),
        RecordType::SIGNAL_ATTACH_DB => Record::SignalAttachDb { dbid: fields.u8(1) },
        RecordType::SET_DB_VERSION => Record::SetDbVersion {
            dbid: fields.u8(1),
            major: fields.u32(2),
            update_major: fields.u32(6),
            update_minor: fields.u32(10),
        },
        RecordType::SHRINK_DB | RecordType::SHRINK_DB2 | RecordType::SHRINK_DB3 => {
            Record::ShrinkDb(ShrinkDb::parse(kind, fields))
        }
        RecordType::TRIM_DB => {
            Record::TrimDb { dbid: fields.u8(1), first: fields.u32(2), pages: fields.u32(6) }
        }

        RecordType::BACKUP2 => Record::Backup2(Backup2::parse(bytes, fixed_len)?),
        RecordType::BACKUP => Record::Backup { backup_type: fields.u8(1), path: rest()? },
        RecordType::FULL_BACKUP | RecordType::INC_BACKUP => Record::BackupBegin { kind, path: rest()? },
        RecordType::EXT_RESTORE => Record::ExtRestore { info: trailing_text(false)? },
        RecordType::EXT_RESTORE2 => Record::ExtRestore { info: trailing_text(true)? },
        RecordType::JET_OP => Record::JetOp { procid: procid(), op: fields.u8(3) },
        RecordType::TRACE => Record::Trace { procid: procid(), text: trailing_text(false)? },
        RecordType::FORCE_LOG_ROLLOVER => {
            Record::ForceLogRollover { procid: procid(), text: trailing_text(false)? }
        }
        RecordType::FORCE_WRITE_LOG => Record::ForceWriteLog { procid: procid() },

        RecordType::NOP => Record::Nop,
        RecordType::END => Record::End,
        RecordType::MULTI_SECTOR => Record::MultiSector {
            forward_byte: fields.u16(1),
            forward_sector: fields.u16(7),
            checksum: fields.u32(3),
        },
        RecordType::CHECKSUM => Record::Checksum { bytes },
        RecordType::FRAGMENT_BEGIN => Record::FragmentBegin { total: fields.u32(1), piece: rest()? },
        RecordType::FRAGMENT => Record::Fragment { piece: rest()? },
        _ => return None,
    })
}

fn begin(kind: RecordType, fields: Fields<'_>, trx: Option<u32>) -> Record<'_> {
    let levels = fields.u8(3);
    Record::Begin { kind, procid: fields.u16(1), from: levels & 0xF, levels: levels >> 4, trx }
}

fn decode_node(kind: RecordType, bytes: &[u8], fixed_len: usize) -> Option<Record<'_>> {
    let fields = Fields(bytes);
    let node = NodeOp::parse(fields);
    let len = |at| usize::from(fields.u16(at));
    let mut rest = Cursor::new(bytes, fixed_len)?;
    Some(match kind {
        RecordType::INSERT => {
            Record::Insert { node, prefix: rest.take(len(46))?, suffix: rest.take(len(44))?, data: rest.rest }
        }
        RecordType::FLAG_INSERT => Record::FlagInsert { node, key: rest.take(len(44))?, data: rest.rest },
        RecordType::FLAG_INSERT_AND_REPLACE_DATA => Record::FlagInsertAndReplaceData {
            node,
            rceid_replace: fields.u32(48),
            key: rest.take(len(44))?,
            data: rest.rest,
        },
        RecordType::FLAG_DELETE => Record::FlagDelete { node },
        RecordType::REPLACE => {
            Record::Replace { node, old_len: fields.u16(46), new_len: fields.u16(48), data: rest.rest }
        }
        RecordType::REPLACE_D => Record::ReplaceD {
            node,
            old_len: fields.u16(46),
            new_len: fields.u16(48),
            diff: rest.rest,
            wide: fields.u16(44) & !LENGTH_MASK != 0,
        },
        RecordType::DELETE => Record::Delete { node },
        RecordType::UNDO_INFO => Record::UndoInfo {
            node,
            oper: fields.u16(48),
            max_size: fields.u16(50) as i16,
            delta: fields.u16(52) as i16,
            key: rest.take(len(44))?,
            bookmark_data: rest.take(len(46))?,
            data: rest.rest,
        },
        RecordType::DELTA => Record::Delta {
            node,
            delta: i64::from(fields.u32(48) as i32),
            offset: fields.u16(52),
            wide: false,
            key: rest.take(len(44))?,
            bookmark_data: rest.rest,
        },
        RecordType::DELTA64 => Record::Delta {
            node,
            delta: fields.u64(48) as i64,
            offset: fields.u16(56),
            wide: true,
            key: rest.take(len(44))?,
            bookmark_data: rest.rest,
        },
        RecordType::SET_EXTERNAL_HEADER => Record::SetExternalHeader { node, data: rest.rest },
        RecordType::UNDO => Record::Undo {
            node,
            oper: fields.u16(48),
            level: fields.u8(50),
            key: rest.take(len(44))?,
            bookmark_data: rest.rest,
        },
        RecordType::EMPTY_TREE => Record::EmptyTree { node, pages: EmptiedPages(rest.rest) },
        RecordType::SCRUB => Record::Scrub {
            node,
            unused_page: fields.u32(44) & 1 != 0,
            operations: fields.u32(48),
            data: rest.rest,
        },
        _ => return None,
    })
}

/// Records that say their own length: what stands in them may be shorter than what we know.
fn decode_ignorable(kind: RecordType, bytes: &[u8]) -> Option<Record<'_>> {
    let fields = Fields(bytes);
    let has = |len: usize| (bytes.len() >= len).then_some(());
    Some(match kind {
        RecordType::MACRO_INFO => Record::MacroInfo { dbid: None, pages: PageNumbers(bytes.get(5..)?) },
        RecordType::MACRO_INFO2 => {
            has(MACRO_INFO2_LEN)?;
            let len = (fields.u32(6) as usize).checked_mul(4)?;
            let pages = PageNumbers(bytes.get(MACRO_INFO2_LEN..)?.get(..len)?);
            Record::MacroInfo { dbid: Some(fields.u8(5)), pages }
        }
        RecordType::EXTEND_DB => {
            has(EXTEND_DB_LEN)?;
            Record::ExtendDb { dbid: fields.u8(5), last: fields.u32(6) }
        }
        RecordType::COMMIT_CTX => {
            Record::CommitCtx { procid: fields.u16(5), context: bytes.get(COMMIT_CTX_LEN..)? }
        }
        RecordType::SCAN_CHECK => {
            has(ScanCheck::LEN)?;
            Record::ScanCheck(ScanCheck::parse(fields))
        }
        RecordType::NOP2 => Record::Nop2 { len: bytes.len() },
        RecordType::RE_ATTACH => {
            has(ReAttach::LEN)?;
            Record::ReAttach(ReAttach::parse(fields))
        }
        RecordType::FREE_FDP => {
            has(FreeFdp::LEN)?;
            Record::FreeFdp(FreeFdp::parse(fields))
        }
        _ => Record::Ignorable { kind, bytes: bytes.get(5..)? },
    })
}

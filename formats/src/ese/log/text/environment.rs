//! Lines about the engine and its databases as a whole.

use super::{Moment, Plain, Short, Signed};
use crate::ese::log::record::{AttachDb, Backup2, CreateDb, LoggedText, Record};
use crate::ese::position::LogTime;
use std::fmt;

/// Writes the fields of such a record; answers whether it was one.
pub(super) fn write(f: &mut fmt::Formatter<'_>, record: &Record<'_>) -> Result<bool, fmt::Error> {
    match record {
        Record::Init { time, .. } | Record::RecoveryUndo { time } => write_time(f, *time)?,
        Record::Term(term) => write_time(f, term.time)?,
        Record::CreateDb(create) => write_create(f, create)?,
        Record::CreateDbFinish { procid, dbid } => write!(f, "({procid:x},{dbid})")?,
        Record::AttachDb(attach) => write_attach(f, attach)?,
        Record::DetachDb(detach) => {
            write!(f, "({:x},{},{})", detach.procid, Path(detach.path), detach.dbid)?;
        }
        Record::ReAttach(attach) => {
            write!(f, "[{}:], consistent:{} ", attach.dbid, Short(attach.consistent))?;
            write!(f, "attach:{} SigDb: {}", Short(attach.attached), Signed(&attach.signature))?;
        }
        Record::SignalAttachDb { dbid } => write!(f, "(dbid:{dbid})")?,
        Record::SetDbVersion { dbid, major, update_major, update_minor } => {
            write!(f, "(dbid:{dbid}, DB ver:{major}.{update_major}.{update_minor})")?;
        }
        Record::ExtendDb { dbid, last } => write!(f, "[{dbid}:{last}]")?,
        Record::TrimDb { dbid, first, pages } => write!(f, "[{dbid}:{first}+{pages}]")?,
        Record::ShrinkDb(shrink) => {
            if let Some(dbtime) = shrink.dbtime {
                write!(f, "{dbtime:x}")?;
            }
            write!(f, "[{}:{}:{}]", shrink.dbid, shrink.last, shrink.pages)?;
        }
        Record::Backup2(backup) => write_backup(f, backup)?,
        Record::Backup { path, .. } | Record::BackupBegin { path, .. } => {
            write!(f, "({})", Path(LoggedText { bytes: path, is_utf16: false }))?;
        }
        Record::ExtRestore { info } => write!(f, "({})", Path(*info))?,
        _ => return Ok(false),
    }
    Ok(true)
}

struct Path<'a>(LoggedText<'a>);

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Plain(&self.0.to_text()).fmt(f)
    }
}

fn write_time(f: &mut fmt::Formatter<'_>, time: Option<LogTime>) -> fmt::Result {
    time.map_or(Ok(()), |time| write!(f, "({})", Moment(time)))
}

fn write_create(f: &mut fmt::Formatter<'_>, create: &CreateDb<'_>) -> fmt::Result {
    write!(f, "({:x},{},{}) ", create.procid, Path(create.path), create.dbid)?;
    if let Some((version, update)) = create.version {
        write!(f, "Version: {version:#x},{update:#x} ")?;
    }
    write!(f, "cpgMax: {} Sig: {} ", create.max_pages, Signed(&create.signature))?;
    write!(f, "sparse: {}", u8::from(create.is_sparse))
}

fn write_attach(f: &mut fmt::Formatter<'_>, attach: &AttachDb<'_>) -> fmt::Result {
    write!(f, "({:x},{},{}) ", attach.procid, Path(attach.path), attach.dbid)?;
    write!(f, "cpgMax: {} consistent:{}   ", attach.max_pages, Short(attach.consistent))?;
    write!(f, "SigDb: {}   SigLog: {} ", Signed(&attach.signature), Signed(&attach.log_signature))?;
    write!(f, "sparse: {}", u8::from(attach.is_sparse))
}

fn write_backup(f: &mut fmt::Formatter<'_>, backup: &Backup2<'_>) -> fmt::Result {
    match backup.phase {
        1 => f.write_str("Begin")?,
        2 => f.write_str("PrepLogs")?,
        3 => f.write_str("Truncate")?,
        4 => f.write_str("Update")?,
        5 => f.write_str("Abort")?,
        6 => f.write_str("Stop")?,
        phase => write!(f, "Phase {phase}")?,
    }
    match backup.backup_type {
        0 => f.write_str("( External:")?,
        1 => f.write_str("( OSSnapshot:")?,
        kind => write!(f, "( Type {kind}:")?,
    }
    match backup.scope {
        1 => f.write_str("Full")?,
        2 => f.write_str("Incremental")?,
        5 => f.write_str("Copy")?,
        6 => f.write_str("Differential")?,
        scope => write!(f, "Scope {scope}")?,
    }
    let info = &backup.info;
    write!(f, ", dbid={}, phaseDetails[{},({}),", backup.dbid, Short(info.mark), Moment(info.time))?;
    write!(f, "({},{})] )", info.low_generation, info.high_generation)
}

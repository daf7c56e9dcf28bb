//! The walk along the records of a log: what each is about, in their order. Changes of pages become steps.

use super::attachments::Slot;
use super::check;
use super::counts::Skip;
use super::database::Rebuilt;
use super::plan::Planner;
use super::session::{Macro, Session};
use super::{Replay, undo};
use crate::error::{Error, Result};
use crate::ese::log::reader::{LogFile, LogRecord};
use crate::ese::log::record::{Record, RecordType};

const JET_BAD_LOG_VERSION: i32 = -514;

impl Replay<'_> {
    /// Follows the records of a log until one that `until` wants no more. Steps may be left waiting.
    pub(super) fn walk(
        &mut self,
        log: &LogFile,
        mut until: impl FnMut(&LogRecord<'_>) -> bool,
    ) -> Result<()> {
        let mut records = log.records();
        while let Some(logged) = records.next()? {
            if until(&logged) {
                self.log.stopped = true;
                self.stopped = true;
                break;
            }
            self.position = logged.position;
            self.log.records += 1;
            self.log.bytes += logged.bytes.len() as u64;
            self.batch.position = logged.position;
            self.batch.kind = RecordType(logged.bytes.first().copied().unwrap_or(0));
            self.record(logged.bytes)?;
        }
        Ok(())
    }

    /// The same error, met in the record that is being read.
    pub(super) fn located(&self, error: Error) -> Error {
        error.at_record(self.batch.position, self.batch.kind.name())
    }

    /// Follows a record. Errors say of which record they are.
    fn record(&mut self, bytes: &[u8]) -> Result<()> {
        let record = Record::parse(bytes).map_err(|error| self.located(error))?;
        if self.hold_back(&record, bytes).map_err(|error| self.located(error))? {
            return Ok(());
        }
        self.settle_before(&record)?;
        if let Record::MacroCommit { procid, dbtime } = record {
            self.clean_shutdown = false;
            let held = self.session(procid).close_macro(dbtime);
            return held.map_or(Ok(()), |held| self.commit_macro(procid, &held));
        }
        self.single(&record, bytes).map_err(|error| self.located(error))
    }

    /// Makes the steps that wait if the record needs to know what they came to, or if they are many.
    pub(super) fn settle_before(&mut self, record: &Record<'_>) -> Result<()> {
        let awaits = |procid| self.sessions.get(&procid).is_some_and(|session| session.versions.awaits());
        let must = match record {
            Record::Term(_)
            | Record::Init { .. }
            | Record::CreateDb(_)
            | Record::AttachDb(_)
            | Record::DetachDb(_)
            | Record::ExtendDb { .. }
            | Record::ShrinkDb(_) => true,
            Record::Rollback { procid, .. } => awaits(*procid),
            Record::Undo { node, .. } | Record::UndoInfo { node, .. } => awaits(node.page.procid),
            _ => false,
        };
        if must || self.batch.is_full() { self.settle() } else { Ok(()) }
    }

    fn single(&mut self, record: &Record<'_>, bytes: &[u8]) -> Result<()> {
        if !matches!(record, Record::Nop | Record::Nop2 { .. }) {
            self.clean_shutdown = matches!(record, Record::Term(_));
        }
        match *record {
            Record::Begin { procid, from, levels, trx, .. } => {
                let generation = self.position.generation;
                self.session(procid).begin(from, levels, trx, generation);
            }
            Record::Commit { procid, to, .. } => self.session(procid).commit(to),
            Record::Rollback { procid, levels } => self.session(procid).rollback(levels),
            Record::Refresh { procid, trx } => {
                let session = self.session(procid);
                (session.level, session.trx) = (1, trx);
            }
            Record::MacroBegin { procid, dbtime } => {
                let session = self.session(procid);
                session.macros.retain(|open| open.dbtime != dbtime);
                session.macros.push(Macro { dbtime, records: Vec::new(), bytes: 0 });
            }
            Record::MacroAbort { procid, dbtime } => {
                self.session(procid).close_macro(dbtime);
            }
            Record::ShutDownMark => self.shut_down_mark = Some(self.position),
            Record::Term(term) => self.terminate(&term)?,
            Record::Init { .. } => self.end_sessions()?,
            Record::CreateDb(create) => self.create(&create)?,
            Record::AttachDb(attach) => self.attach_record(&attach)?,
            Record::DetachDb(detach) => self.detach(detach.dbid, self.position)?,
            Record::ReAttach(again) => {
                let position = self.position;
                if let Some(database) = self.attached(again.dbid) {
                    database.header.reattached = position;
                }
            }
            Record::ExtendDb { dbid, last } => {
                let position = self.position;
                if let Some(database) = self.attached(dbid).filter(|database| database.check.is_none()) {
                    database.pages.extend_to(last)?;
                    database.last_resize = position;
                }
            }
            Record::ShrinkDb(shrink) => {
                let position = self.position;
                if let Some(database) = self.attached(shrink.dbid).filter(|database| database.check.is_none())
                {
                    database.note(shrink.dbtime.unwrap_or(0), 0);
                    if position.generation > database.max_required {
                        database.pages.set_last_page(shrink.last)?;
                    }
                    database.last_resize = position;
                }
            }
            Record::TrimDb { dbid, .. } => {
                if let Some(check) = self.attached(dbid).and_then(|database| database.check.as_mut()) {
                    check.refusals.push("a TrimDB record, which replay refuses".into());
                } else if self.attached(dbid).is_some() {
                    return Err(Error::format(
                        "transaction log",
                        0,
                        "a TrimDB record",
                        "a database that was never trimmed",
                    )
                    .with_jet(JET_BAD_LOG_VERSION));
                }
            }
            Record::SetDbVersion { dbid, update_major, update_minor, .. } => {
                if let Some(database) = self.attached(dbid) {
                    database.header.update_major = update_major;
                    database.header.update_minor = update_minor;
                }
            }
            Record::End => {}
            _ => self.page_record(record, bytes)?,
        }
        Ok(())
    }

    fn session(&mut self, procid: u16) -> &mut Session {
        self.sessions.entry(procid).or_default()
    }

    fn attached(&mut self, dbid: u8) -> Option<&mut Rebuilt> {
        match self.slots.get(usize::from(dbid)) {
            Some(Slot::Attached(index)) => self.databases.get_mut(*index),
            _ => None,
        }
    }

    /// A record of a page outside of a macro of splits, merges or moves of roots.
    pub(super) fn page_record(&mut self, record: &Record<'_>, bytes: &[u8]) -> Result<()> {
        let Some(procid) = record.procid() else { return Ok(()) };
        let (position, is_check) = (self.position, self.options.check);
        let Some(mut planner) = self.planner(procid, record)? else { return Ok(()) };
        if !is_check {
            planner.record(record, bytes);
            return Ok(());
        }
        let index = planner.database;
        let Some(db) = self.databases.get_mut(index) else { return Ok(()) };
        let Some(mut check) = db.check.take() else { return Ok(()) };
        let checked = check::record(db, &mut check, position, record);
        db.check = Some(check);
        checked
    }

    /// Where a record is to be redone; `None` where it is passed over, which is counted.
    pub(super) fn planner(&mut self, procid: u16, record: &Record<'_>) -> Result<Option<Planner<'_>>> {
        let page = record.page_op();
        let is_page_record = page.is_some() || matches!(record, Record::NewPage(_) | Record::RootPageMove(_));
        let Some(dbid) = record.dbid().filter(|_| is_page_record) else { return Ok(None) };
        if !self.options.check
            && matches!(record.kind(), RecordType::SPLIT | RecordType::MERGE | RecordType::CONVERT_FDP)
        {
            let found = format!("a {} record of Exchange 2000 or 2003", record.kind().name());
            return Err(Error::format("transaction log", 0, found, "logs of Exchange 2007 or later")
                .with_jet(JET_BAD_LOG_VERSION));
        }
        let index = match self.slots.get(usize::from(dbid)) {
            Some(Slot::Attached(index)) => *index,
            Some(Slot::Later(index)) => {
                if let Some(database) = self.databases.get_mut(*index) {
                    database.skip(Skip::BeforeAttach);
                }
                return Ok(None);
            }
            Some(Slot::Unknown(path)) => {
                *self.log.unknown.entry(path.clone()).or_default() += 1;
                return Ok(None);
            }
            _ => return Ok(None),
        };
        let Some(db) = self.databases.get_mut(index) else { return Ok(None) };
        let objid = record.node_op().map_or(0, |node| node.objid);
        db.note(record.dbtime().unwrap_or(0), objid);
        let session = self.sessions.entry(procid).or_default();
        if !session.begin_seen && !self.options.check {
            db.skip(Skip::BeginNotSeen);
            return Ok(None);
        }
        let earlier = self.earlier.get(&procid).unwrap_or(&self.none);
        Ok(Some(Planner { database: index, procid, session, earlier, batch: &mut self.batch }))
    }

    /// Sessions do not outlive the engine: what they left open is taken back.
    pub(super) fn end_sessions(&mut self) -> Result<()> {
        if !self.options.check && self.sessions.values().any(|session| session.level > 0) {
            undo::run(&mut self.databases, &mut self.sessions)?;
        }
        self.sessions.clear();
        Ok(())
    }
}

//! Databases come and go while logs are replayed: created, attached, detached, closed with the engine.

use super::Replay;
use super::attach::{self, Entry, Verdict};
use super::database::Rebuilt;
use super::finish;
use super::pages::RebuildFile;
use crate::error::{Error, Result};
use crate::ese::header::DatabaseState;
use crate::ese::log::record::{AttachDb, CreateDb, Term};
use crate::ese::position::{LgPos, Signature};

const JET_LOG_CORRUPT: i32 = -501;
const JET_ATTACHED_MISMATCH: i32 = -1216;

/// What a log attached under a number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Slot {
    /// Nothing.
    #[default]
    Empty,
    /// A base (by its place), attached.
    Attached(usize),
    /// A base that comes from later in the logs.
    Later(usize),
    /// A database that is not among the bases.
    Unknown(String),
}

/// A database that the logs create.
pub struct NewDatabase<'a> {
    /// Its path on the machine that wrote the logs.
    pub path: &'a str,
    /// Its page size, in bytes.
    pub page_size: u32,
}

/// Makes the file of a database that the logs create; `None` if it is not wanted.
pub type Create<'h> = Box<dyn FnMut(&NewDatabase<'_>) -> Result<Option<Box<dyn RebuildFile>>> + 'h>;

impl Replay<'_> {
    pub(super) fn create(&mut self, create: &CreateDb<'_>) -> Result<()> {
        let path = create.path.to_text();
        let position = self.position;
        let known = self.databases.iter().position(|database| database.header.signature == create.signature);
        let slot = match known {
            Some(index) => {
                let database = &mut self.databases[index];
                if let Some(check) = &mut database.check {
                    check.attached_at.push(position);
                }
                let header = &database.header;
                if self.options.check {
                    Slot::Attached(index)
                } else if header.attached == position && header.consistent.is_zero() {
                    attach::check_range(&database.name, header, position)?;
                    Slot::Attached(index)
                } else {
                    Slot::Later(index)
                }
            }
            None => self.create_new(&path, create)?,
        };
        self.take_slot(create.dbid, slot)
    }

    /// A database that begins in the logs.
    fn create_new(&mut self, path: &str, create: &CreateDb<'_>) -> Result<Slot> {
        let page_size = self.stream.page_size();
        let new = NewDatabase { path, page_size };
        let file = match &mut self.options.create {
            Some(make) => make(&new)?,
            None => None,
        };
        let Some(file) = file else { return Ok(Slot::Unknown(path.to_owned())) };
        if !matches!(create.version, Some((2.., _))) {
            let found = "a creation whose first pages are not in the logs (Exchange 2010 and older)";
            return Err(Error::format(path, 0, found, "a base, or logs that hold everything")
                .with_jet(JET_ATTACHED_MISMATCH));
        }
        let log_signature = self.stream.signature().unwrap_or_default();
        let (header, page) = finish::new_header(
            page_size,
            create.dbid,
            &create.signature,
            &log_signature,
            self.position,
            self.stream.created(),
        )?;
        let mut database = Rebuilt::new(path.to_owned(), file, header, page, self.options.memory);
        database.generation = self.position.generation;
        self.push(database).map(Slot::Attached)
    }

    pub(super) fn attach_record(&mut self, attach: &AttachDb<'_>) -> Result<()> {
        let entry = Entry {
            signature: attach.signature,
            consistent: attach.consistent,
            attached: self.position,
            log_signature: Some(attach.log_signature),
            is_record: true,
        };
        let current = self.stream.signature().unwrap_or_default();
        self.attach(attach.dbid, &attach.path.to_text(), &entry, &current)
    }

    pub(super) fn attach(&mut self, dbid: u8, path: &str, entry: &Entry, current: &Signature) -> Result<()> {
        let known = self.databases.iter().position(|database| database.header.signature == entry.signature);
        let slot = match known {
            None => Slot::Unknown(path.to_owned()),
            Some(index) => {
                let database = &mut self.databases[index];
                let verdict = attach::judge(&database.name, &database.header, entry, self.position, current);
                if let Some(check) = &mut database.check {
                    check.attached_at.push(entry.attached);
                    check.refusals.extend(verdict.err().map(|error| error.to_string()));
                    return self.take_slot(dbid, Slot::Attached(index));
                }
                match verdict? {
                    Verdict::Attach => {
                        database.header.attached = entry.attached;
                        database.header.log_signature = *current;
                        Slot::Attached(index)
                    }
                    Verdict::Later => {
                        database.was_ahead = true;
                        Slot::Later(index)
                    }
                    Verdict::Foreign => Slot::Unknown(path.to_owned()),
                }
            }
        };
        self.take_slot(dbid, slot)
    }

    fn take_slot(&mut self, dbid: u8, slot: Slot) -> Result<()> {
        if let Slot::Attached(index) = slot {
            let database = &mut self.databases[index];
            database.was_attached = true;
            database.header.dbid = u32::from(dbid);
            database.header.state = DatabaseState::DirtyShutdown;
        }
        match self.slots.get_mut(usize::from(dbid)) {
            Some(place) => *place = slot,
            None => {
                return Err(Error::format(
                    "transaction log",
                    0,
                    format_args!("database number {dbid}"),
                    "1 to 6",
                )
                .with_jet(JET_LOG_CORRUPT));
            }
        }
        Ok(())
    }

    /// A database was made consistent by the record at `position`.
    pub(super) fn detach(&mut self, dbid: u8, position: LgPos) -> Result<()> {
        let Some(slot) = self.slots.get_mut(usize::from(dbid)) else { return Ok(()) };
        if self.options.check
            && let Slot::Attached(index) = std::mem::take(slot)
        {
            let header = &mut self.databases[index].header;
            header.consistent = header.consistent.max(position);
        }
        if let Slot::Attached(index) = std::mem::take(slot) {
            let database = &mut self.databases[index];
            database.pages.flush()?;
            if let Some(last) = finish::last_owned(database)? {
                database.pages.set_last_page(last)?;
            }
            let header = &mut database.header;
            (header.consistent, header.detached) = (position, position);
            header.state = DatabaseState::CleanShutdown;
            header.dbtime = database.dbtime;
            header.last_objid = database.objid;
            // What follows begins from a clean file.
            if position.generation >= database.max_required {
                database.max_required = 0;
                header.max_committed = 0;
                header.min_required = 0;
            }
        }
        Ok(())
    }

    /// The engine, or a recovery, ended.
    pub(super) fn terminate(&mut self, term: &Term) -> Result<()> {
        self.end_sessions()?;
        let position = self.shut_down_mark.take().unwrap_or(self.position);
        if !term.keeps_attachments() {
            for dbid in 0..self.slots.len() as u8 {
                self.detach(dbid, position)?;
            }
        }
        Ok(())
    }
}

//! Replay: base databases and transaction logs make the databases as they were when the logs ended (reference, replay.md).
//!
//! The rules are here; where bytes come from and go to is the caller's: databases through [`RebuildFile`], logs as
//! [`LogFile`]s in order. A replay is [`Replay::begin`], then for each log [`Replay::log`], then [`Replay::finish`].
//!
//! One thread walks along the records and turns changes of pages into steps (`plan`, `macros`); several make them, each
//! step of a page after those before it (`window`).

mod attach;
mod attachments;
mod batch;
pub mod check;
pub mod counts;
mod database;
mod finish;
mod image;
mod lines;
mod macros;
mod merge;
mod moves;
mod pages;
mod pending;
mod plan;
mod reached;
mod redo;
mod report;
mod session;
mod site;
mod space;
mod split;
mod step;
mod stream;
mod undo;
mod version;
mod walk;
mod window;

pub use attach::check_listed;
pub use attachments::{Create, NewDatabase};
pub use pages::RebuildFile;
pub use report::{CheckReport, CheckedDatabase, DatabaseReport, LogReport, Report};

use crate::error::{Error, Result};
use crate::ese::attachment::Attachment;
use crate::ese::header::{BaseHeader, DatabaseState};
use crate::ese::log::reader::{LogFile, LogRecord};
use crate::ese::position::{LgPos, LogTime};
use attach::Entry;
use attachments::Slot;
use batch::Batch;
use check::Check;
use counts::RecordCounts;
use database::Rebuilt;
use finish::End;
use session::Session;
use std::collections::{BTreeMap, HashMap};
use version::Earlier;

/// How a replay is to be done.
pub struct Options<'h> {
    /// Memory for pages, in bytes, shared by all databases.
    pub memory: u64,
    /// Threads that change pages; any number gives the same databases.
    pub threads: usize,
    /// What databases that the logs create are made by; without it they are passed over.
    pub create: Option<Create<'h>>,
    /// Hard recovery: a base may be a streaming backup, whose trailer is taken into its header.
    pub hard: bool,
    /// Whether the changes of open transactions are taken back at the end. If not, the databases stay dirty and more
    /// logs can follow.
    pub undo: bool,
    /// Whether a database may be finished although logs with committed work for it are missing.
    pub allow_loss: bool,
    /// When the databases are closed, for their headers.
    pub closed: LogTime,
    /// What the new signatures in headers are made from.
    pub seed: u64,
    /// Change nothing: hold each page change against the page's update counter alone, whatever the attachments say. Such a
    /// replay is ended by [`Replay::finish_check`].
    pub check: bool,
}

/// A replay under way.
pub struct Replay<'h> {
    options: Options<'h>,
    databases: Vec<Rebuilt>,
    slots: [Slot; 8],
    sessions: BTreeMap<u16, Session>,
    /// Versions that an earlier replay left open, by session and number.
    earlier: HashMap<u16, Earlier>,
    none: Earlier,
    batch: Batch,
    stream: stream::Stream,
    position: LgPos,
    /// Where the last ShutDown mark stands that no end of the engine followed yet.
    shut_down_mark: Option<LgPos>,
    /// Whether the last record that is not fill ended the engine.
    clean_shutdown: bool,
    /// Whether the last log was left before its end.
    stopped: bool,
    log: LogReport,
}

impl<'h> Replay<'h> {
    /// A replay without databases.
    pub fn new(options: Options<'h>) -> Self {
        Self {
            options,
            databases: Vec::new(),
            slots: Default::default(),
            sessions: BTreeMap::new(),
            earlier: HashMap::new(),
            none: HashMap::new(),
            batch: Batch::new(),
            stream: stream::Stream::default(),
            position: LgPos::default(),
            shut_down_mark: None,
            clean_shutdown: false,
            stopped: false,
            log: LogReport::default(),
        }
    }

    /// Adds a base: `file` is a copy of it, which becomes the rebuilt database. Answers its place.
    pub fn add_base(&mut self, name: &str, file: Box<dyn RebuildFile>) -> Result<usize> {
        let BaseHeader { header, page, trailer } = BaseHeader::read(&*file, name, self.options.hard)?;
        if let Some(at) = trailer.filter(|_| !self.options.check) {
            // It is no page of the database: the next one that is added stands there.
            let write = |source| Error::Write { object: name.to_owned(), position: at, source };
            file.write_at(at, &vec![0; page.len()]).map_err(write)?;
        }
        let mut database = Rebuilt::new(name.to_owned(), file, header, page, self.options.memory);
        database.check = self.options.check.then(|| Check::new(self.options.memory / 2));
        self.push(database)
    }

    fn push(&mut self, database: Rebuilt) -> Result<usize> {
        if self.databases.iter().any(|other| other.header.signature == database.header.signature) {
            return Err(Error::format(&database.name, 24, "the signature of another base", "each base once"));
        }
        self.databases.push(database);
        let share = self.options.memory / self.databases.len() as u64;
        self.databases.iter_mut().for_each(|database| database.pages.set_memory(share));
        Ok(self.databases.len() - 1)
    }

    /// Goes on from a replay that ended without undo: `saved` is what [`DatabaseReport::pending`] was of the base in place
    /// `database`.
    pub fn resume(&mut self, database: usize, saved: &[u8]) -> Result<()> {
        for mut found in pending::from_bytes(saved)? {
            found.version.database = database;
            self.earlier.entry(found.procid).or_default().insert((database, found.version.id), found.version);
        }
        Ok(())
    }

    /// What the next replay needs to know of changes to a database that are open.
    fn pending(&self, database: usize) -> Vec<u8> {
        let open = self.sessions.iter().filter(|(_, session)| session.level > 0);
        let versions: Vec<_> = open
            .flat_map(|(procid, session)| session.versions.iter().map(|version| (*procid, version)))
            .filter(|(_, version)| version.database == database)
            .collect();
        if versions.is_empty() { Vec::new() } else { pending::to_bytes(versions.into_iter()) }
    }

    /// The generation that the next replay has to begin with: that of the oldest transaction that is open.
    fn next_generation(&self) -> u32 {
        let open = self.sessions.values().filter(|session| session.level > 0 || !session.macros.is_empty());
        let oldest = open.map(|session| session.began).min().unwrap_or(u32::MAX);
        oldest.min(self.stream.generation())
    }

    /// Begins at the first record of a log, with the databases that its header says were attached, or with the list of a
    /// checkpoint.
    pub fn begin(&mut self, first: &LogFile, attachments: &[Attachment]) -> Result<()> {
        let header = first.header();
        self.position = header.begin();
        for attachment in attachments {
            let entry = Entry::from(attachment);
            self.attach(attachment.dbid, &attachment.path, &entry, &header.signature)?;
        }
        Ok(())
    }

    /// Replays one log; `until` may end it before a record. Answers what became of its records.
    pub fn log(&mut self, log: &LogFile, until: impl FnMut(&LogRecord<'_>) -> bool) -> Result<LogReport> {
        let header = log.header();
        self.stream.follow(header, log.end())?;
        for database in &mut self.databases {
            database.generation = header.generation;
            database.counts = RecordCounts::default();
        }
        self.log = LogReport { generation: header.generation, ..LogReport::default() };
        let walked = self.walk(log, until);
        // Of what a record asks for and what was planned before, the latter failed first.
        self.settle()?;
        walked?;
        let mut report = std::mem::take(&mut self.log);
        report.databases = self.databases.iter().map(|database| database.counts.clone()).collect();
        Ok(report)
    }

    /// Checks what was reached against what each database needs, takes back open transactions, and writes everything.
    pub fn finish(mut self) -> Result<Report> {
        self.check_reached()?;
        let open = self.sessions.values().filter(|session| session.level > 0).count() as u64;
        let saved = |index| if self.options.undo { Vec::new() } else { self.pending(index) };
        let pending: Vec<_> = (0..self.databases.len()).map(saved).collect();
        let next_generation = self.next_generation();
        let undone = if self.options.undo { undo::run(&mut self.databases, &mut self.sessions)? } else { 0 };
        let (time, seed) = (self.options.closed, self.options.seed);
        let position = self.position;
        for (index, database) in self.databases.iter_mut().enumerate() {
            if !database.was_attached {
                // The logs hold nothing that it has not: it stays as it is.
                continue;
            }
            let attached = self.slots.contains(&Slot::Attached(index));
            let end = if !attached {
                let position = database.header.consistent;
                End::Clean { position, time: database.header.consistent_time }
            } else if self.options.undo {
                End::Clean { position, time }
            } else {
                End::Dirty {
                    first_generation: next_generation.max(database.header.attached.generation),
                    last_generation: self.stream.generation(),
                    last_created: self.stream.created(),
                }
            };
            finish::close(database, end, time, seed.wrapping_add(index as u64))?;
            database.header.state = match end {
                End::Clean { .. } => DatabaseState::CleanShutdown,
                End::Dirty { .. } => DatabaseState::DirtyShutdown,
            };
        }
        let databases = self.databases.iter().zip(pending).map(|(database, pending)| DatabaseReport {
            name: database.name.clone(),
            state: database.header.state,
            pages: database.pages.counts(),
            pending,
        });
        Ok(Report {
            databases: databases.collect(),
            undone,
            open_transactions: open,
            position,
            clean_shutdown: self.clean_shutdown,
        })
    }

    /// Ends a replay that changed nothing.
    pub fn finish_check(self) -> CheckReport {
        let reached = self.check_reached().err().map(|error| error.to_string());
        let databases = self.databases.into_iter().filter_map(|database| {
            let check = database.check?;
            Some(CheckedDatabase {
                name: database.name,
                attached_at: check.attached_at,
                refusals: check.refusals,
                misfits: check.misfits,
                misfit_count: check.misfit_count,
            })
        });
        CheckReport { databases: databases.collect(), refusal: reached, position: self.position }
    }
}

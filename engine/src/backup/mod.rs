//! Backup: from sources to a new set on the pool's newest volume.

mod claim;
mod long;
mod piece;
mod pieces;
mod pipeline;
mod report;
mod window;
mod writer;

pub use report::{BackupReport, DatabasePages};

use crate::chunk::gear::{Gear, Kernel};
use crate::chunk::pages::log_generation;
use crate::digest;
use crate::error::{Class, Error, Result};
use crate::frame::Compression;
use crate::index::previous::PreviousRecipes;
use crate::index::{self, Index, IndexedSets};
use crate::io::{Files, Io};
use crate::memory::Memory;
use crate::pool::catalog::CatalogWriter;
use crate::pool::shelf::PoolLock;
use crate::pool::{Catalogs, Pool, SetInfo, SetStatus, Shelf, Volume};
use crate::progress::Monitor;
use crate::source::{Item, Tree, TreeOptions};
use claim::Claim;
use pieces::Pieces;
use reel_tape::layout::block;
use reel_tape::layout::catalog::{CatalogHead, Foreign};
use reel_tape::layout::label::{Label, PoolParams, check_block_size};
use reel_tape::layout::record::{self, RecordKind};
use reel_tape::layout::set::{PoolState, SetHead, SetState, StateEntry};
use reel_tape::layout::trailer::Trailer;
use reel_tape::volume::reader;
use reel_tape::volume::writer::SetWriter;
use std::path::PathBuf;
use std::sync::Arc;
use uuid::Uuid;
use writer::{Ended, Writer};
use zerocopy::IntoBytes;

/// How a backup is made.
#[derive(Debug, Clone)]
pub struct BackupOptions {
    /// Name of the set; may be empty, but neither digits only nor `latest`.
    pub name: String,
    /// Name of a pool that is made by this backup.
    pub pool_name: String,
    /// How frames are compressed.
    pub compression: Compression,
    /// Workers, as far as the memory allows them.
    pub threads: usize,
    /// Bound on memory.
    pub memory: Memory,
    /// Block size in bytes of a volume that is made by this backup.
    pub block_size: u32,
    /// Stored bytes between checkpoints.
    pub checkpoint: u64,
    /// A bad page of a database ends the run.
    pub fail_on_bad_page: bool,
    /// The folder under which catalogs are cached.
    pub cache: Option<PathBuf>,
    /// The time, nanoseconds since 1970 UTC; `None`: what the clock says.
    pub clock: Option<i64>,
    /// What uuids and session ids are made from; `None`: random ones.
    pub seed: Option<u64>,
    /// How files are read ([`backup_tree`]) and an image file is written. The bytes are the same whatever it is.
    pub io: Io,
}

impl Default for BackupOptions {
    fn default() -> Self {
        BackupOptions {
            name: String::new(),
            pool_name: String::new(),
            compression: Compression::default(),
            threads: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            memory: Memory::DEFAULT,
            block_size: block::DEFAULT_BLOCK_SIZE,
            checkpoint: 4 << 30,
            fail_on_bad_page: false,
            cache: crate::pool::default_cache(),
            clock: None,
            seed: None,
            io: Io::Auto,
        }
    }
}

impl BackupOptions {
    fn now(&self) -> i64 {
        self.clock.unwrap_or_else(|| {
            let since =
                std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
            i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
        })
    }

    /// A uuid: random, or made from the seed.
    fn uuid(&self, what: &str, number: u32) -> Uuid {
        let Some(seed) = self.seed else { return Uuid::new_v4() };
        let digest = digest::of(format!("reelmover {what} {number} {seed}").as_bytes());
        uuid::Builder::from_random_bytes(*digest.first_chunk().expect("a digest has 32 bytes")).into_uuid()
    }

    fn check(&self) -> Result<()> {
        self.io.check()?;
        Kernel::chosen()?;
        check_block_size(self.block_size)
            .map_err(|m| Error::new(Class::Argument, "block size", m.to_string()))?;
        if let Compression::Zstd(level) = self.compression
            && !Compression::LEVELS.contains(&level)
        {
            return Err(Error::new(
                Class::Argument,
                "level",
                format!("zstd level {level}, expected -7 to 19, or none"),
            ));
        }
        let name = &self.name;
        if name == "latest" || (!name.is_empty() && name.bytes().all(|b| b.is_ascii_digit())) {
            return Err(Error::new(
                Class::Argument,
                "set name",
                format!("\"{name}\" could be taken for a set number or the newest set: choose another name"),
            ));
        }
        Ok(())
    }
}

/// Backs up what `items` deliver into the pool on `shelf`; makes the pool where there is none.
///
/// # Errors
/// When the pool cannot be opened or written, a source cannot be read on, the medium is full, or the run was cancelled. What
/// was written stays as an incomplete set, whose chunks the next run uses.
pub fn backup(
    shelf: &Arc<dyn Shelf>,
    items: Box<dyn Iterator<Item = Item> + Send + '_>,
    options: &BackupOptions,
    monitor: &Monitor,
) -> Result<BackupReport> {
    options.check()?;
    let made = Made::open(shelf, options)?;
    run(&made, items, options, monitor)
}

/// Backs up files and folders; what the pool itself stands in is left out, and reported.
///
/// # Errors
/// As [`backup`], and when a path is missing or two have the same last component.
pub fn backup_tree(
    shelf: &Arc<dyn Shelf>,
    paths: &[PathBuf],
    mut tree: TreeOptions,
    options: &BackupOptions,
    monitor: &Monitor,
) -> Result<BackupReport> {
    options.check()?;
    tree.classify = log_generation;
    tree.files = Files::new(options.io, options.memory)?;
    // A path that is wrong should not leave a new pool behind.
    Tree::new(paths, tree.clone())?;
    let made = Made::open(shelf, options)?;
    tree.skip.extend(shelf.inodes());
    run(&made, Box::new(Tree::new(paths, tree)?), options, monitor)
}

/// A pool that is locked for writing.
struct Made {
    pool: Arc<Pool>,
    _locks: [Option<PoolLock>; 2],
}

impl Made {
    /// Opens the pool, or makes it.
    fn open(shelf: &Arc<dyn Shelf>, options: &BackupOptions) -> Result<Made> {
        let lock = shelf.lock()?;
        let cache = options.cache.as_deref();
        if let Some(pool) = Pool::open_if_any(shelf.clone(), cache, Catalogs::Cached)? {
            return Ok(Made { pool: Arc::new(pool), _locks: [Some(lock), None] });
        }
        let label = Label {
            pool: options.uuid("pool", 0),
            volume: options.uuid("volume", 1),
            created: options.now(),
            sequence: 1,
            block_size: options.block_size,
            params: PoolParams::DRAFT,
            pool_name: options.pool_name.clone(),
            barcode: "RM0001".into(),
        };
        let (_, volume_lock) = shelf.create(&label, options.uuid("label", 1).as_u64_pair().0)?;
        let pool = Arc::new(Pool::open_shelf(shelf.clone(), cache, Catalogs::Cached)?);
        Ok(Made { pool, _locks: [Some(lock), Some(volume_lock)] })
    }
}

fn run(
    made: &Made,
    items: Box<dyn Iterator<Item = Item> + Send + '_>,
    options: &BackupOptions,
    monitor: &Monitor,
) -> Result<BackupReport> {
    let pool = &made.pool;
    let shelf = pool.shelf();
    let Some(volume) = pool.volumes.last() else {
        return Err(Error::new(Class::Internal, shelf.name(), "a pool without a volume"));
    };
    if volume.label_damaged {
        return Err(Error::new(
            Class::State,
            &volume.name,
            "its label block is damaged: it is read, but nothing is appended; back up to a new pool",
        ));
    }
    let gear = Gear::of_pool(Kernel::chosen()?);
    let set = pool.next_set();
    let index = Index::open(IndexedSets::from(&**pool), set, options.memory.index())?;
    let previous = PreviousRecipes::open(pool.clone(), options.memory.tables())?;
    let session = options.uuid("session", set).as_u64_pair().0;
    let torn = torn_entries(pool);

    let mut medium = pool.append_medium(volume, options.io)?;
    let label = reader::read_label(&mut *medium)?;
    if label.volume != volume.label.volume {
        return Err(Error::new(
            Class::Medium,
            &volume.name,
            "another volume than the one that was just read",
        ));
    }
    let started = options.now();
    let head = SetHead {
        set,
        part: 0,
        session,
        started,
        checkpoint: options.checkpoint.max(1),
        block_size: label.block_size,
        name: options.name.clone(),
        host: host_name(),
        software: concat!("reel ", env!("CARGO_PKG_VERSION")).to_owned(),
    };
    let is_first = !pool.sets().any(|c| c.info.volume == volume.name);
    let state = is_first.then(|| PoolState { next_set: set + 1, entries: all_entries(pool) });
    let tape = SetWriter::begin(medium, pool.uuid, label.volume, head.clone(), state.as_ref())?;
    let header_object = tape.header_object();
    let catalog = CatalogWriter::create(pool.cache(), set)?;
    let mut writer = Writer::new(set, tape, catalog, options.fail_on_bad_page);

    let workers = options.memory.workers(options.threads);
    let run = pipeline::run(
        Pieces::new(items, previous, gear),
        Claim::new(set, index),
        &mut writer,
        set,
        options.compression,
        workers,
        monitor,
    );
    let mut outcome = match run {
        Ok(outcome) => outcome,
        Err(error) => {
            writer.fail();
            return Err(error);
        }
    };
    if outcome.cancelled {
        let report = writer.abandon()?;
        let sentence = format!(
            "stopped at your request: set {set} is incomplete; its {} stored bytes are kept and used by the next run, \
             earlier sets are untouched",
            report.stored_bytes
        );
        return Err(Error::new(Class::Cancelled, shelf.name(), sentence));
    }
    let ended = writer.end()?;
    let (unindexed_chunks, unsure_bytes) = (outcome.claim.left_out(), outcome.claim.unsure_bytes());
    // The memory of the run's index is wanted for that of the next.
    drop(outcome.claim);
    let commit = Commit { pool, volume, head, header_object, finished: options.now(), torn };
    let mut report = commit.finish(ended)?;
    report.findings = outcome.pieces.take_findings();
    (report.unindexed_chunks, report.unsure_bytes) = (unindexed_chunks, unsure_bytes);
    Ok(report)
}

fn entry_of(pool: &Pool, info: &SetInfo) -> Option<StateEntry> {
    let volume = pool.volumes.iter().find(|v| v.name == info.volume)?;
    Some(StateEntry {
        set: info.head.set,
        state: if info.status == SetStatus::Torn { SetState::Torn } else { SetState::Complete },
        part: info.head.part,
        volume: volume.label.volume,
        header_object: info.header_object,
        last_object: info.end_object.saturating_sub(1),
        session: info.head.session,
    })
}

fn all_entries(pool: &Pool) -> Vec<StateEntry> {
    pool.sets().filter_map(|c| entry_of(pool, &c.info)).collect()
}

/// The sets without trailer behind the newest one that has one: no trailer lists them yet.
fn torn_entries(pool: &Pool) -> Vec<StateEntry> {
    let newest = pool.sets().rev().take_while(|c| c.info.status != SetStatus::Complete);
    let mut entries: Vec<_> = newest.filter_map(|c| entry_of(pool, &c.info)).collect();
    entries.reverse();
    entries
}

fn host_name() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname").map(|h| h.trim().to_owned()).unwrap_or_default()
}

/// What the end of a run needs to commit its set.
struct Commit<'a> {
    pool: &'a Pool,
    volume: &'a Volume,
    head: SetHead,
    header_object: u64,
    finished: i64,
    torn: Vec<StateEntry>,
}

impl Commit<'_> {
    /// Writes catalog and trailer, and puts the catalog into the cache.
    fn finish(self, ended: Ended) -> Result<BackupReport> {
        let Ended { mut tape, mut catalog, foreign, end, mut report } = ended;
        let set = self.head.set;
        let first_catalog_block = tape.next_index();
        let (segments, fragments, streams) = catalog.counts();
        let mut head_record = Vec::new();
        let catalog_head = CatalogHead::new(set, segments, fragments, streams);
        record::append_plain(&mut head_record, RecordKind::Catalog, &[catalog_head.as_bytes()]);
        let mut foreign_record = Vec::new();
        let foreign: Vec<Foreign> = foreign.iter().filter_map(|(s, g)| self.foreign(*s, *g)).collect();
        record::append_packed(&mut foreign_record, RecordKind::Foreign, &Foreign::encode_all(&foreign));

        let mut failed = None;
        let spooled = catalog.records()?.map_while(|record| match record {
            Ok(record) => Some(Ok(record)),
            Err(error) => {
                failed = Some(error);
                None
            }
        });
        let catalog_crc = tape.catalog(
            std::iter::once(Ok(head_record)).chain(spooled).chain(std::iter::once(Ok(foreign_record))),
        )?;
        if let Some(error) = failed {
            return Err(error);
        }
        let bad_pages = report.databases.iter().map(|d| d.pages.bad + d.pages.past_end).sum();
        let trailer = Trailer {
            set,
            part: 0,
            session: self.head.session,
            finished: self.finished,
            streams: report.streams,
            segments,
            catalog: first_catalog_block,
            catalog_crc,
            input: report.input_bytes,
            new: report.new_bytes,
            stored: report.stored_bytes,
            bad_pages,
            torn: self.torn.clone(),
        };
        let header_object = self.header_object;
        let medium = tape.finish(&trailer.encode())?;
        self.pool.keep_walk(self.volume, &*medium);
        let end_object = medium.position() - 1;
        report.medium_bytes = match (medium.byte_address(header_object), medium.byte_address(end_object)) {
            (Some(begin), Some(end)) => end + 4 - begin,
            _ => 0,
        };
        report.volume.clone_from(&self.volume.name);
        report.torn_sets = self.torn.iter().map(|t| t.set).collect();
        let info = SetInfo {
            head: self.head,
            volume: self.volume.name.clone(),
            header_object,
            end_object,
            status: SetStatus::Complete,
            end: Some(end),
            trailer: Some(trailer),
        };
        // The set is committed: a cache that cannot be written is made again by the next open.
        if let Ok(catalog) = catalog.finish(info) {
            let mut sets = IndexedSets::from(self.pool);
            sets.catalogs.push(Arc::new(catalog));
            if sets.folder.is_some() {
                index::renew(&sets);
            }
        }
        Ok(report)
    }

    fn foreign(&self, set: u32, segment: u32) -> Option<Foreign> {
        let catalog = self.pool.set(set)?;
        let line = catalog.segment_line(segment)?;
        let volume = self.pool.volume_of(catalog)?.label.volume;
        let (first, last) = line.blocks;
        Some(Foreign { set, segment, volume, part: 0, first, last })
    }
}

//! The runs: backup and restore of one generated store through the engine, each beside its model.

use crate::Result;
use crate::limits::Limits;
use crate::machine::{Span, timed};
use crate::model::Model;
use crate::table::Row;
use reel_engine::backup::{BackupOptions, BackupReport, backup};
use reel_engine::chunk::pages::log_generation;
use reel_engine::frame::Compression;
use reel_engine::memory::Memory;
use reel_engine::plan::Plan;
use reel_engine::pool::shelf::shelf;
use reel_engine::pool::{Catalogs, Pool};
use reel_engine::progress::Monitor;
use reel_engine::restore::pass::{self, Sink};
use reel_engine::restore::{RestoreOptions, restore};
use reel_engine::source::{Tree, TreeOptions};
use reel_workload::Store;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Runs of each case, the fastest of which counts.
const RUNS: u32 = 3;
/// Of 1,000 pages so many change in a day.
const CHANGED_PER_MILLE: u32 = 30;

/// What is run, and where.
pub struct Cases {
    folder: PathBuf,
    store: Store,
    threads: usize,
    limits: Limits,
}

/// The fastest run of a case, before it is held against anything.
struct Run {
    what: &'static str,
    bytes: u64,
    span: Span,
    share: Shares,
    model: fn(&Limits, &Shares) -> Model,
    must: Option<f64>,
}

/// Takes everything and keeps nothing.
struct Nowhere;

impl Sink for Nowhere {
    fn write(&self, _: u32, _: u64, _: &[u8]) -> reel_engine::Result<()> {
        Ok(())
    }
}

impl Cases {
    /// Writes a store of about `bytes` bytes into `folder` and measures the limits on it.
    pub fn new(folder: &Path, bytes: u64, threads: usize) -> Result<Cases> {
        let store = Store::new(1, bytes);
        let cases = Cases { folder: folder.to_owned(), store, threads, limits: Limits::default() };
        let file =
            File::options().read(true).write(true).create(true).truncate(true).open(cases.database())?;
        cases.store.write_to(&file)?;
        file.sync_all()?;
        let limits = cases.measure()?;
        Ok(Cases { limits, ..cases })
    }

    fn measure(&self) -> Result<Limits> {
        Limits::measure(&self.database(), self.store.page_size() as usize, &self.folder, self.threads)
    }

    /// The limits.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    fn database(&self) -> PathBuf {
        self.folder.join("mail.edb")
    }

    fn pool(&self) -> PathBuf {
        self.folder.join("pool")
    }

    /// Runs everything, then measures the limits once more: the higher ones count. `said` is told of each run when it is over.
    pub fn run(&mut self, mut said: impl FnMut(&str, Span)) -> Result<Vec<Row>> {
        let mut runs = Vec::new();
        let mut add = |run: Run| {
            said(run.what, run.span);
            runs.push(run);
        };
        add(self.first_full("first full, none", Compression::None, stored_model, None)?);
        add(self.first_full("first full, zstd 1", Compression::Zstd(1), pages_model, Some(0.6))?);
        add(self.restore_to_files()?);
        add(self.restore_to_nowhere()?);
        add(self.changed_days()?);
        let database = self.database();
        let unchanged = best(RUNS, || self.back_up(&database, Compression::Zstd(1)))?;
        add(Run::of_backup("incremental, 0 % changed", unchanged, pages_model, None));
        for run in self.content_defined()? {
            add(run);
        }
        self.limits = self.limits.best_of(self.measure()?);
        Ok(runs.into_iter().map(|run| run.beside(&self.limits)).collect())
    }

    fn back_up(&self, path: &Path, compression: Compression) -> Result<BackupReport> {
        let options = BackupOptions {
            compression,
            threads: self.threads,
            cache: Some(self.folder.join("cache")),
            ..BackupOptions::default()
        };
        let tree_options = TreeOptions { classify: log_generation, ..TreeOptions::default() };
        let tree = Tree::new(&[path.to_owned()], tree_options)?;
        let report = backup(&shelf(&self.pool())?, Box::new(tree), &options, &Monitor::default())?;
        if report.has_findings() {
            return Err(format!("a backup with findings: {report:?}").into());
        }
        Ok(report)
    }

    fn forget_pool(&self) -> Result<()> {
        for folder in [self.pool(), self.folder.join("cache")] {
            match std::fs::remove_dir_all(folder) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
                _ => {}
            }
        }
        Ok(())
    }

    fn first_full(
        &self,
        what: &'static str,
        compression: Compression,
        model: fn(&Limits, &Shares) -> Model,
        must: Option<f64>,
    ) -> Result<Run> {
        let mut fastest = None;
        for _ in 0..RUNS {
            self.forget_pool()?;
            fastest = Some(faster(fastest, timed(|| self.back_up(&self.database(), compression))?));
        }
        Ok(Run::of_backup(what, fastest.ok_or("no run")?, model, must))
    }

    /// Day after day a few pages change, and each day is backed up.
    fn changed_days(&mut self) -> Result<Run> {
        let mut fastest = None;
        for _ in 0..RUNS {
            let next = self.store.next_day(CHANGED_PER_MILLE, 0);
            let file = File::options().read(true).write(true).open(self.database())?;
            next.update_file(&self.store, &file)?;
            file.sync_all()?;
            self.store = next;
            let run = timed(|| self.back_up(&self.database(), Compression::Zstd(1)))?;
            fastest = Some(faster(fastest, run));
        }
        Ok(Run::of_backup("incremental, 3 % changed", fastest.ok_or("no run")?, pages_model, Some(0.5)))
    }

    /// The same bytes one byte further on: no database any more, so they are cut by content.
    fn content_defined(&self) -> Result<Vec<Run>> {
        let path = self.folder.join("shifted.bin");
        let (from, to) = (File::open(self.database())?, File::create(&path)?);
        let length = from.metadata()?.len();
        let mut buffer = vec![0; 4 << 20];
        to.write_all_at(&[0x5A], 0)?;
        for offset in (0..length).step_by(buffer.len()) {
            let now = (length - offset).min(buffer.len() as u64) as usize;
            from.read_exact_at(&mut buffer[..now], offset)?;
            to.write_all_at(&buffer[..now], offset + 1)?;
        }
        to.sync_all()?;
        let mut first = None;
        for _ in 0..RUNS {
            self.forget_pool()?;
            first = Some(faster(first, timed(|| self.back_up(&path, Compression::Zstd(1)))?));
        }
        let again = best(RUNS, || self.back_up(&path, Compression::Zstd(1)))?;
        let first = Run::of_backup("CDC file, first", first.ok_or("no run")?, content_model, None);
        Ok(vec![first, Run::of_backup("CDC file, unchanged", again, content_model, None)])
    }

    fn open_pool(&self) -> Result<Arc<Pool>> {
        let cache = self.folder.join("cache");
        Ok(Arc::new(Pool::open_shelf(shelf(&self.pool())?, Some(&cache), Catalogs::Cached)?))
    }

    fn restore_to_files(&self) -> Result<Run> {
        let target = self.folder.join("restored");
        let options = RestoreOptions { threads: self.threads, ..RestoreOptions::default() };
        let mut fastest = None;
        for _ in 0..RUNS {
            let run = timed(|| {
                let report = restore(&self.open_pool()?, &target, &options, &Monitor::default())?;
                if report.damaged.is_empty() { Ok(report.bytes) } else { Err("a damaged restore".into()) }
            })?;
            fastest = Some(faster(fastest, run));
            if !same(&target.join("mail.edb"), &self.database())? {
                return Err("the restored file differs".into());
            }
            std::fs::remove_dir_all(&target)?;
        }
        let (span, bytes) = fastest.ok_or("no run")?;
        let share = Shares::default();
        Ok(Run { what: "restore to a file", bytes, span, share, model: file_model, must: Some(0.6) })
    }

    fn restore_to_nowhere(&self) -> Result<Run> {
        let (span, bytes) = best(RUNS, || {
            let pool = self.open_pool()?;
            let plan = Plan::new(&pool, pool.choose("latest")?, Memory::DEFAULT, |_| true)?;
            let report =
                pass::run(&pool, &plan, &Nowhere, self.threads, Memory::DEFAULT, &Monitor::default())?;
            if report.lost.is_empty() { Ok(plan.bytes()) } else { Err("a damaged restore".into()) }
        })?;
        let share = Shares::default();
        Ok(Run { what: "restore to nowhere", bytes, span, share, model: nowhere_model, must: None })
    }
}

impl Run {
    fn of_backup(
        what: &'static str,
        (span, report): (Span, BackupReport),
        model: fn(&Limits, &Shares) -> Model,
        must: Option<f64>,
    ) -> Run {
        Run { what, bytes: report.input_bytes, span, share: Shares::of(&report), model, must }
    }

    fn beside(self, limits: &Limits) -> Row {
        let Run { what, bytes, span, share, model, must } = self;
        Row { what, bytes, span, model: model(limits, &share), must }
    }
}

/// Page files: read, hash, and compress what is new.
fn pages_model(limits: &Limits, share: &Shares) -> Model {
    let model = Model::default()
        .stage("read", limits.read, 1.0)
        .stage("hash", limits.hash, share.data)
        .stage("zstd", limits.zstd, share.new);
    capped(model, limits, share)
}

/// The same without compression: what is new is copied together and written.
fn stored_model(limits: &Limits, share: &Shares) -> Model {
    let model = Model::default()
        .stage("read", limits.read, 1.0)
        .stage("hash", limits.hash, share.data)
        .stage("copy", limits.copy, share.new)
        .stage("write", limits.write, share.stored);
    capped(model, limits, share)
}

/// Any other file: its cut points have to be found.
fn content_model(limits: &Limits, share: &Shares) -> Model {
    let model = Model::default()
        .stage("read", limits.read, 1.0)
        .stage("cdc", limits.cdc, share.data)
        .stage("hash", limits.hash_cdc, share.data)
        .stage("zstd", limits.zstd, share.new);
    capped(model, limits, share)
}

fn capped(model: Model, limits: &Limits, share: &Shares) -> Model {
    model.cap("read", limits.read_all, 1.0).cap("durable write", limits.write_durable, share.stored).cap(
        "copy",
        limits.copy_all,
        1.0,
    )
}

fn file_model(limits: &Limits, _: &Shares) -> Model {
    Model::default()
        .stage("decode", limits.decode, 1.0)
        .stage("hash", limits.hash, 1.0)
        .stage("write", limits.write, 1.0)
        .cap("durable write", limits.write_durable, 1.0)
}

fn nowhere_model(limits: &Limits, _: &Shares) -> Model {
    Model::default().stage("decode", limits.decode, 1.0).stage("hash", limits.hash, 1.0)
}

/// Which shares of the input went through the stages.
#[derive(Default)]
struct Shares {
    data: f64,
    new: f64,
    stored: f64,
}

impl Shares {
    fn of(report: &BackupReport) -> Shares {
        let share = |bytes: u64| bytes as f64 / report.input_bytes as f64;
        Shares {
            data: share(report.new_bytes + report.duplicate_bytes),
            new: share(report.new_bytes),
            stored: share(report.medium_bytes),
        }
    }
}

fn best<T>(runs: u32, mut work: impl FnMut() -> Result<T>) -> Result<(Span, T)> {
    let mut fastest = None;
    for _ in 0..runs {
        fastest = Some(faster(fastest, timed(&mut work)?));
    }
    fastest.ok_or_else(|| "no run".into())
}

fn faster<T>(before: Option<(Span, T)>, now: (Span, T)) -> (Span, T) {
    match before {
        Some(before) if before.0.wall <= now.0.wall => before,
        _ => now,
    }
}

fn same(a: &Path, b: &Path) -> Result<bool> {
    let (a, b) = (File::open(a)?, File::open(b)?);
    let length = a.metadata()?.len();
    if length != b.metadata()?.len() {
        return Ok(false);
    }
    let (mut one, mut other) = (vec![0; 4 << 20], vec![0; 4 << 20]);
    for offset in (0..length).step_by(one.len()) {
        let now = (length - offset).min(one.len() as u64) as usize;
        a.read_exact_at(&mut one[..now], offset)?;
        b.read_exact_at(&mut other[..now], offset)?;
        if one[..now] != other[..now] {
            return Ok(false);
        }
    }
    Ok(true)
}

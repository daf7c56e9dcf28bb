//! What the rows run on: one generated store as a file, one pool, and the engine with the options that are measured.

use crate::Result;
use crate::gauge::Place;
use crate::limits::Limits;
use crate::machine::{Span, timed};
use reel_engine::backup::{BackupOptions, BackupReport, backup_tree};
use reel_engine::frame::Compression;
use reel_engine::pool::shelf::shelf;
use reel_engine::pool::{Catalogs, Pool};
use reel_engine::progress::Monitor;
use reel_engine::restore::{RestoreOptions, RestoreReport, restore};
use reel_engine::source::TreeOptions;
use reel_workload::Store;
use std::cell::RefCell;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

/// Most bytes of the store that the kernels are run on.
const SAMPLE: u64 = 256 << 20;
/// Bytes that are copied or compared at a time.
const BUFFER: usize = 4 << 20;

/// The place where rows are measured. The file always holds [`Workbench::store`]; every row makes its own pool.
pub struct Workbench {
    folder: PathBuf,
    store: Store,
    threads: usize,
    limits: Rc<RefCell<Limits>>,
}

impl Workbench {
    /// Writes a store of about `bytes` bytes into `folder`.
    pub fn new(folder: &Path, bytes: u64, threads: usize) -> Result<Workbench> {
        let store = Store::new(1, bytes);
        let bench = Workbench { folder: folder.to_owned(), store, threads, limits: Rc::default() };
        let file = File::create_new(bench.database())?;
        bench.store.write_to(&file)?;
        file.sync_all()?;
        Ok(bench)
    }

    /// Where everything is.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The store as it is now.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Its file.
    pub fn database(&self) -> PathBuf {
        self.folder.join("mail.edb")
    }

    /// Bytes of its pages.
    pub fn page_size(&self) -> usize {
        self.store.page_size() as usize
    }

    /// Workers.
    pub fn threads(&self) -> usize {
        self.threads
    }

    /// What the stages of runs over a file are measured on that holds the bytes of the store.
    pub fn place(&self, input: &Path) -> Place {
        Place {
            input: input.to_owned(),
            unit: self.page_size(),
            folder: self.folder.clone(),
            threads: self.threads,
            best: self.limits.clone(),
        }
    }

    /// The same over a file of other bytes, whose limits are not those of the store.
    pub fn place_of_others(&self, input: &Path) -> Place {
        Place { best: Rc::default(), ..self.place(input) }
    }

    /// The best of all measurements on the bytes of the store so far.
    pub fn limits(&self) -> Limits {
        self.limits.borrow().clone()
    }

    /// The first bytes of the store.
    pub fn sample(&self, most: u64) -> Result<Vec<u8>> {
        let mut sample = vec![0; usize::try_from(self.store.len().min(SAMPLE).min(most))?];
        File::open(self.database())?.read_exact_at(&mut sample, 0)?;
        Ok(sample)
    }

    /// A day later: of 1,000 pages `changed_per_mille` are others.
    pub fn next_day(&mut self, changed_per_mille: u32) -> Result<()> {
        let next = self.store.next_day(changed_per_mille, 0);
        let file = File::options().read(true).write(true).open(self.database())?;
        next.update_file(&self.store, &file)?;
        file.sync_all()?;
        self.store = next;
        Ok(())
    }

    /// Where the pool is.
    pub fn pool(&self) -> PathBuf {
        self.folder.join("pool")
    }

    /// Where its catalogs are cached.
    pub fn cache(&self) -> PathBuf {
        self.folder.join("cache")
    }

    /// Opens the pool.
    pub fn open_pool(&self) -> Result<Arc<Pool>> {
        Ok(Arc::new(Pool::open_shelf(shelf(&self.pool())?, Some(&self.cache()), Catalogs::Cached)?))
    }

    /// Removes the pool, so that the next backup makes one.
    pub fn forget_pool(&self) -> Result<()> {
        for folder in [self.pool(), self.cache()] {
            match std::fs::remove_dir_all(folder) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
                _ => {}
            }
        }
        Ok(())
    }

    /// Backs up one file; nothing may be wrong with it.
    pub fn back_up(&self, path: &Path, compression: Compression) -> Result<BackupReport> {
        self.back_up_by(self.threads, path, compression)
    }

    /// The same by so many threads.
    pub fn back_up_by(&self, threads: usize, path: &Path, compression: Compression) -> Result<BackupReport> {
        let options =
            BackupOptions { compression, threads, cache: Some(self.cache()), ..BackupOptions::default() };
        let paths = [path.to_owned()];
        let shelf = shelf(&self.pool())?;
        let report = backup_tree(&shelf, &paths, TreeOptions::default(), &options, &Monitor::default())?;
        if report.has_findings() {
            return Err(format!("a backup with findings: {report:?}").into());
        }
        Ok(report)
    }

    /// A restore of the newest set, timed, which is compared with `original`, its only file.
    pub fn restore(&self, original: &Path) -> Result<(Span, RestoreReport)> {
        let target = self.folder.join("restored");
        let options = RestoreOptions { threads: self.threads, ..RestoreOptions::default() };
        let run = timed(|| {
            let report = restore(&self.open_pool()?, &target, &options, &Monitor::default())?;
            if report.damaged.is_empty() { Ok(report) } else { Err("a damaged restore".into()) }
        })?;
        let name = original.file_name().ok_or("a file without a name")?;
        if !same(&target.join(name), original)? {
            return Err("the restored file differs".into());
        }
        std::fs::remove_dir_all(&target)?;
        Ok(run)
    }

    /// Writes `prefix` and behind it the store's file to `path`.
    pub fn copy_behind(&self, prefix: &[u8], path: &Path) -> Result<()> {
        let (from, to) = (File::open(self.database())?, File::create(path)?);
        let length = from.metadata()?.len();
        let mut buffer = vec![0; BUFFER];
        to.write_all_at(prefix, 0)?;
        for offset in (0..length).step_by(buffer.len()) {
            let now = (length - offset).min(buffer.len() as u64) as usize;
            from.read_exact_at(&mut buffer[..now], offset)?;
            to.write_all_at(&buffer[..now], offset + prefix.len() as u64)?;
        }
        Ok(to.sync_all()?)
    }
}

fn same(a: &Path, b: &Path) -> Result<bool> {
    let (a, b) = (File::open(a)?, File::open(b)?);
    let length = a.metadata()?.len();
    if length != b.metadata()?.len() {
        return Ok(false);
    }
    let (mut one, mut other) = (vec![0; BUFFER], vec![0; BUFFER]);
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

//! What the rows run on: one generated store as a file, one pool, and the engine with the options that are measured.

use crate::Result;
use crate::machine::{Span, timed};
use reel_engine::backup::{BackupOptions, BackupReport, backup_tree};
use reel_engine::frame::Compression;
use reel_engine::pool::shelf::shelf;
use reel_engine::pool::{Catalogs, Pool};
use reel_engine::progress::Monitor;
use reel_engine::restore::{RestoreOptions, RestoreReport, restore};
use reel_engine::source::TreeOptions;
use reel_workload::Store;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
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
}

impl Workbench {
    /// Writes a store of about `bytes` bytes into `folder`.
    pub fn new(folder: &Path, bytes: u64, threads: usize) -> Result<Workbench> {
        let bench = Workbench { folder: folder.to_owned(), store: Store::new(1, bytes), threads };
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

    /// The fastest of `runs` first backups, each into a new pool.
    pub fn first_full(
        &self,
        runs: u32,
        path: &Path,
        compression: Compression,
    ) -> Result<(Span, BackupReport)> {
        fastest(runs, || {
            self.forget_pool()?;
            timed(|| self.back_up(path, compression))
        })
    }

    /// The fastest of `runs` restores of the newest set, each of which is compared with `original`, its only file.
    pub fn restore(&self, runs: u32, original: &Path) -> Result<(Span, RestoreReport)> {
        let target = self.folder.join("restored");
        let options = RestoreOptions { threads: self.threads, ..RestoreOptions::default() };
        fastest(runs, || {
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
        })
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

/// The run that took the least wall time, with the least CPU time of all.
pub fn fastest<T>(runs: u32, mut run: impl FnMut() -> Result<(Span, T)>) -> Result<(Span, T)> {
    let mut fastest = run()?;
    let mut cpu = fastest.0.cpu;
    for _ in 1..runs {
        let now = run()?;
        cpu = cpu.min(now.0.cpu);
        if now.0.wall < fastest.0.wall {
            fastest = now;
        }
    }
    fastest.0.cpu = cpu;
    Ok(fastest)
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

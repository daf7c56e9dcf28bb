//! The rebuilt databases: copies of their bases under temporary names, which get their own when all are complete.

use super::RebuildOptions;
use super::bases::Base;
use super::plan::RebuildPlan;
use crate::attributes::NodeKind;
use crate::database::LocalFile;
use crate::error::{Class, Error, Result};
use crate::restore::target::Folder;
use reel_formats::ese::database::DatabaseFile;
use reel_formats::ese::page::checksum;
use reel_formats::ese::replay::{Create, RebuildFile};
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

/// Fewest pages that are worth another thread.
const PAGES_A_THREAD: usize = 32;
/// Bytes written after which the disk is set to work on them, while more is being made.
const PUSH_BYTES: u64 = 64 << 20;

/// The databases that a run makes.
pub(super) struct Targets {
    folder: Arc<Folder>,
    threads: usize,
    made: Arc<Mutex<Vec<Made>>>,
}

struct Made {
    temporary: PathBuf,
    path: PathBuf,
    file: Arc<File>,
    copy: Arc<Background>,
    push: Arc<Background>,
}

/// Work on a file by a thread of its own: its base is copied, or what was written is put on the disk.
#[derive(Default)]
struct Background(Mutex<Option<JoinHandle<io::Result<()>>>>);

impl Background {
    /// Waits until the work is done. The error is given once.
    fn settle(&self) -> io::Result<()> {
        finished(self.work().take())
    }

    fn is_settled(&self) -> bool {
        self.work().is_none()
    }

    /// Begins work, unless some is under way; answers whether it did. The error is that of the work before.
    fn begin(&self, work: impl FnOnce() -> io::Result<()> + Send + 'static) -> io::Result<bool> {
        let mut thread = self.work();
        if thread.as_ref().is_some_and(|thread| !thread.is_finished()) {
            return Ok(false);
        }
        finished(thread.replace(thread::spawn(work))).map(|()| true)
    }

    fn work(&self) -> MutexGuard<'_, Option<JoinHandle<io::Result<()>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn finished(thread: Option<JoinHandle<io::Result<()>>>) -> io::Result<()> {
    thread.map_or(Ok(()), |thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
}

impl Targets {
    /// The folder that gets the databases, made if it is not there.
    pub fn open(options: &RebuildOptions) -> Result<Self> {
        let folder = Folder::open(&options.to, options.overwrite, u64::from(std::process::id()))?;
        Ok(Self { folder: Arc::new(folder), threads: options.threads, made: Arc::default() })
    }

    /// A copy of a base, to be rebuilt.
    pub fn copy(&self, base: &Base) -> Result<TargetFile> {
        let mut target = make(&self.folder, &self.made, &base.name, self.threads)?;
        let name = base.path.display().to_string();
        let open = || File::open(&base.path).map_err(|e| Error::io(&name, "cannot open", e));
        let (from, to, base) = (open()?, target.file.clone(), open()?);
        // The kernel copies, or shares the blocks where the file system can.
        let begun = target.copy.begin(move || io::copy(&mut &from, &mut &*to).map(drop));
        begun.map_err(|e| Error::io(&name, "cannot copy", e))?;
        target.base = Some(base);
        Ok(target)
    }

    /// What makes the files of databases that the logs create.
    pub fn creator<'h>(&self, plan: &RebuildPlan) -> Create<'h> {
        let (folder, made, threads) = (self.folder.clone(), self.made.clone(), self.threads);
        let taken: Vec<String> = plan.bases.iter().map(|base| base.name.clone()).collect();
        Box::new(move |new| {
            let name = new.path.rsplit(['\\', '/']).next().unwrap_or(new.path).to_owned();
            let failed = |error: Error| reel_formats::error::Error::Write {
                object: name.clone(),
                position: 0,
                source: io::Error::other(error.to_string()),
            };
            if taken.contains(&name) {
                let error =
                    Error::new(Class::Argument, &name, "the logs create a database with the name of a base");
                return Err(failed(error));
            }
            let target = make(&folder, &made, &name, threads).map_err(failed)?;
            Ok(Some(Box::new(target) as Box<dyn RebuildFile>))
        })
    }

    /// Where the databases will be, in the order in which they were made.
    pub fn paths(&self) -> Vec<PathBuf> {
        let made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        made.iter().map(|made| made.path.clone()).collect()
    }

    /// Gives the databases their names, once they are on the disk.
    pub fn commit(self) -> Result<()> {
        let made = std::mem::take(&mut *self.made.lock().unwrap_or_else(PoisonError::into_inner));
        for target in &made {
            let shown = || target.path.display().to_string();
            target.copy.settle().map_err(|e| Error::io(shown(), "cannot copy the base", e))?;
            target.push.settle().map_err(|e| Error::io(shown(), "cannot sync", e))?;
            target.file.sync_all().map_err(|e| Error::io(shown(), "cannot sync", e))?;
        }
        let mut waiting = Waiting(made);
        while let Some(target) = waiting.0.first() {
            self.folder.name(&target.temporary, &target.path)?;
            // The map tells which pages were written last; it is not that of the rebuilt file.
            let _ = fs::remove_file(target.path.with_extension("jfm"));
            waiting.0.remove(0);
        }
        self.folder.sync_folders()
    }
}

impl Drop for Targets {
    fn drop(&mut self) {
        drop(Waiting(std::mem::take(&mut *self.made.lock().unwrap_or_else(PoisonError::into_inner))));
    }
}

/// Files without a name of their own yet: if they get none they go.
struct Waiting(Vec<Made>);

impl Drop for Waiting {
    fn drop(&mut self) {
        for made in &self.0 {
            // Not while it is being written.
            let _ = made.copy.settle();
            let _ = made.push.settle();
            let _ = fs::remove_file(&made.temporary);
        }
    }
}

fn make(folder: &Folder, made: &Mutex<Vec<Made>>, name: &str, threads: usize) -> Result<TargetFile> {
    let path = folder.path_of(name.as_bytes())?;
    folder.check_free(&path, NodeKind::File)?;
    let mut made = made.lock().unwrap_or_else(PoisonError::into_inner);
    if made.iter().any(|other| other.path == path) {
        return Err(Error::new(Class::Argument, path.display().to_string(), "two databases have this name"));
    }
    let temporary = folder.temporary(&path, made.len() as u32);
    let shown = path.display().to_string();
    let opened = OpenOptions::new().read(true).write(true).create_new(true).open(&temporary);
    let file = Arc::new(opened.map_err(|e| Error::io(&shown, "cannot make the file", e))?);
    let (copy, push) = (Arc::<Background>::default(), Arc::<Background>::default());
    made.push(Made { temporary, path, file: file.clone(), copy: copy.clone(), push: push.clone() });
    Ok(TargetFile { file, threads, base: None, copy, push, waiting: AtomicU64::new(0) })
}

/// A database that is being rebuilt. While its base is still being copied it is read from there; the first write waits for
/// the copy.
pub(super) struct TargetFile {
    file: Arc<File>,
    threads: usize,
    base: Option<File>,
    copy: Arc<Background>,
    push: Arc<Background>,
    /// Bytes of pages written since the disk was last set to work.
    waiting: AtomicU64,
}

impl TargetFile {
    /// Sets the disk to work on what was written, if that is much: the sync at the end has less to wait for then.
    fn push(&self, bytes: u64) -> io::Result<()> {
        if self.waiting.fetch_add(bytes, Ordering::Relaxed) + bytes >= PUSH_BYTES {
            let file = self.file.clone();
            if self.push.begin(move || file.sync_data())? {
                self.waiting.store(0, Ordering::Relaxed);
            }
        }
        Ok(())
    }

    /// The file that has all that was written so far: the base until its copy is complete.
    fn current(&self) -> &File {
        self.base.as_ref().filter(|_| !self.copy.is_settled()).unwrap_or(&self.file)
    }
}

impl DatabaseFile for TargetFile {
    fn len(&self) -> u64 {
        self.current().metadata().map_or(0, |found| found.len())
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        LocalFile::read_fully(self.current(), offset, buffer)
    }
}

impl RebuildFile for TargetFile {
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.copy.settle()?;
        self.file.write_all_at(bytes, offset)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.copy.settle()?;
        self.file.set_len(len)
    }

    fn write_pages(&self, pages: &mut [(u32, &mut [u8])]) -> io::Result<()> {
        self.copy.settle()?;
        let share = pages.len().div_ceil(self.threads.max(1)).max(PAGES_A_THREAD);
        if share >= pages.len() {
            write_some(&self.file, pages)?;
        } else {
            thread::scope(|scope| {
                let writers: Vec<_> = pages
                    .chunks_mut(share)
                    .map(|some| scope.spawn(|| write_some(&self.file, some)))
                    .collect();
                writers.into_iter().try_for_each(|writer| match writer.join() {
                    Ok(written) => written,
                    Err(panic) => std::panic::resume_unwind(panic),
                })
            })?;
        }
        self.push(pages.iter().map(|(_, bytes)| bytes.len() as u64).sum())
    }
}

fn write_some(file: &File, pages: &mut [(u32, &mut [u8])]) -> io::Result<()> {
    for (pgno, bytes) in pages {
        checksum::store(bytes, *pgno).map_err(io::Error::other)?;
        file.write_all_at(bytes, (u64::from(*pgno) + 1) * bytes.len() as u64)?;
    }
    Ok(())
}

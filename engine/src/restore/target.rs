//! Targets of a restore: files under temporary names, which get their own when they are complete and verified.

use super::pass::{Sink, Stretch};
use crate::attributes::NodeKind;
use crate::error::{Class, Error, Result};
use crate::io::{OutputFile, Outputs, Piece, Room};
use crate::source::check_name;
use rustix::fs::{CWD, FallocateFlags, RenameFlags};
use rustix::io::Errno;
use std::collections::{HashMap, HashSet, VecDeque};
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::ops::Range;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Streams with at least so many bytes of data have their space reserved. Shorter ones come in few writes, for which the file
/// system finds as good a place by itself.
const RESERVED: u64 = 1 << 20;
/// Files that are open at once.
const OPEN_FILES: usize = 256;
/// Up to so many files are made durable one by one; more, by their file system.
const SYNC_ONE_BY_ONE: usize = 64;
/// Files that are made durable at once: each waits for the disk, and those that wait together share what it does.
const SYNC_AT_ONCE: usize = 16;

/// The folder that is restored into.
pub struct Folder {
    root: PathBuf,
    overwrite: bool,
    /// What temporary names begin with.
    prefix: String,
    known: Mutex<HashSet<PathBuf>>,
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

impl Folder {
    /// The folder `root`, made if it is not there.
    pub fn open(root: &Path, overwrite: bool, session: u64) -> Result<Folder> {
        fs::create_dir_all(root).map_err(|e| Error::io(shown(root), "cannot make the target folder", e))?;
        Ok(Folder {
            root: root.to_owned(),
            overwrite,
            prefix: format!(".reel-{:08x}-{:x}-", session as u32, std::process::id()),
            known: Mutex::new(HashSet::new()),
        })
    }

    /// Where a stream goes. Its name may come from a tape that we did not write.
    pub fn path_of(&self, name: &[u8]) -> Result<PathBuf> {
        check_name(name)?;
        Ok(self.root.join(OsStr::from_bytes(name)))
    }

    /// Makes the folders above `path`. None of them may be a symbolic link: it could lead out of the target.
    pub fn make_parents(&self, path: &Path) -> Result<()> {
        let Some(parent) = path.parent() else { return Ok(()) };
        self.make_folder(parent)
    }

    /// Makes a folder and those above it.
    pub fn make_folder(&self, folder: &Path) -> Result<()> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let below = folder.strip_prefix(&self.root).unwrap_or(Path::new(""));
        let mut path = self.root.clone();
        for component in below.components() {
            path.push(component);
            if known.contains(&path) {
                continue;
            }
            match fs::symlink_metadata(&path) {
                Ok(found) if found.is_dir() => {}
                Ok(_) => {
                    return Err(Error::new(
                        Class::Argument,
                        shown(&path),
                        "it is in the way: a folder of this name is to be restored; move it away first",
                    ));
                }
                Err(e) if e.kind() == io::ErrorKind::NotFound => {
                    fs::create_dir(&path)
                        .map_err(|e| Error::io(shown(&path), "cannot make the folder", e))?;
                }
                Err(e) => return Err(Error::io(shown(&path), "cannot look at the target", e)),
            }
            known.insert(path.clone());
        }
        Ok(())
    }

    /// Refuses what is in the way of a target, unless it may be replaced.
    pub fn check_free(&self, path: &Path, kind: NodeKind) -> Result<()> {
        // A folder above is missing, or is no folder, which making the folders will tell.
        let Ok(found) = fs::symlink_metadata(path) else { return Ok(()) };
        match (found.is_dir(), kind == NodeKind::Directory) {
            (true, true) => Ok(()),
            (false, false) if self.overwrite => Ok(()),
            (false, false) => Err(Error::new(
                Class::Argument,
                shown(path),
                "it exists already: --overwrite replaces existing files",
            )),
            _ => Err(Error::new(
                Class::Argument,
                shown(path),
                "it exists already and is of another kind: move it away first",
            )),
        }
    }

    /// A temporary name beside `path`.
    pub fn temporary(&self, path: &Path, number: u32) -> PathBuf {
        path.with_file_name(format!("{}{number}.part", self.prefix))
    }

    /// Gives what stands under a temporary name its own.
    pub fn name(&self, temporary: &Path, path: &Path) -> Result<()> {
        let renamed = if self.overwrite {
            fs::rename(temporary, path)
        } else {
            match rustix::fs::renameat_with(CWD, temporary, CWD, path, RenameFlags::NOREPLACE) {
                // Not every file system knows it; nothing was in the way when the restore began.
                Err(Errno::INVAL | Errno::NOSYS) => fs::rename(temporary, path),
                other => other.map_err(Into::into),
            }
        };
        renamed.map_err(|e| Error::io(shown(path), "cannot give the restored file its name", e))?;
        // Two links of one file: rename does nothing and leaves both names.
        if fs::symlink_metadata(temporary).is_ok() {
            let _ = fs::remove_file(temporary);
        }
        Ok(())
    }

    /// Makes names durable.
    pub fn sync_folders(&self) -> Result<()> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() > SYNC_ONE_BY_ONE {
            return sync_file_system(&self.root);
        }
        for folder in known.iter().chain(std::iter::once(&self.root)) {
            sync(folder)?;
        }
        Ok(())
    }
}

fn sync(path: &Path) -> Result<()> {
    File::open(path).and_then(|f| f.sync_all()).map_err(|e| Error::io(shown(path), "cannot make durable", e))
}

/// Makes files durable, several at once.
fn sync_side_by_side(paths: &[&Path]) -> Result<()> {
    let next = AtomicUsize::new(0);
    let work = || {
        while let Some(path) = paths.get(next.fetch_add(1, Ordering::Relaxed)) {
            sync(path)?;
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (1..paths.len().min(SYNC_AT_ONCE)).map(|_| scope.spawn(work)).collect();
        let first = work();
        let others = threads.into_iter().map(|t| t.join().unwrap_or_else(|e| std::panic::resume_unwind(e)));
        others.fold(first, Result::and)
    })
}

fn sync_file_system(path: &Path) -> Result<()> {
    let synced = File::open(path).and_then(|f| rustix::fs::syncfs(&f).map_err(Into::into));
    synced.map_err(|e| Error::io(shown(path), "cannot make the file system durable", e))
}

/// A file on its way.
pub struct TargetFile {
    /// Its temporary name.
    pub temporary: PathBuf,
    /// Its own name.
    pub path: PathBuf,
    /// Space for its data is reserved.
    reserved: bool,
}

/// Reserves space for ranges of a file: whether there is enough is known before the work begins, and writing costs less. `false`:
/// its file system cannot.
fn reserve(file: &File, ranges: &[Range<u64>]) -> io::Result<bool> {
    for range in ranges {
        let length = range.end - range.start;
        let reserved = rustix::io::retry_on_intr(|| {
            rustix::fs::fallocate(file, FallocateFlags::empty(), range.start, length)
        });
        match reserved {
            Ok(()) => {}
            Err(full @ (Errno::NOSPC | Errno::DQUOT)) => return Err(full.into()),
            // Not every file system can; writing will tell the rest.
            Err(_) => return Ok(false),
        }
    }
    Ok(true)
}

/// The files of a restore, by the stream's place in the plan.
pub struct Files {
    outputs: Outputs,
    targets: HashMap<u32, TargetFile>,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    files: HashMap<u32, Arc<OutputFile>>,
    order: VecDeque<u32>,
}

impl Files {
    /// No files yet; they will be written through `outputs`.
    pub(crate) fn new(outputs: Outputs) -> Self {
        Files { outputs, targets: HashMap::new(), open: Mutex::new(Open::default()) }
    }

    /// Makes the temporary file of a target, with its length, with space for the ranges that will get data and holes elsewhere.
    ///
    /// # Errors
    /// When there is no space for the data of a long stream: before any of them was read.
    pub fn make(
        &mut self,
        folder: &Folder,
        target: u32,
        path: PathBuf,
        length: u64,
        data: &[Range<u64>],
    ) -> Result<()> {
        folder.make_parents(&path)?;
        let temporary = folder.temporary(&path, target);
        let made = File::options().write(true).create_new(true).open(&temporary).and_then(|file| {
            let (temporary, path) = (temporary.clone(), path.clone());
            self.targets.insert(target, TargetFile { temporary, path, reserved: false });
            file.set_len(length).map(|()| file)
        });
        let file = made.map_err(|e| Error::io(shown(&path), "cannot make the target file", e))?;
        let bytes: u64 = data.iter().map(|range| range.end - range.start).sum();
        let reserved = bytes >= RESERVED
            && reserve(&file, data).map_err(|e| {
                Error::io(shown(&path), &format!("cannot reserve its {bytes} bytes of data"), e)
            })?;
        if let Some(entry) = self.targets.get_mut(&target) {
            entry.reserved = reserved;
        }
        self.keep_open(target, self.outputs.file(file, path, reserved));
        Ok(())
    }

    fn keep_open(&self, target: u32, file: Arc<OutputFile>) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.files.len() >= OPEN_FILES
            && let Some(oldest) = open.order.pop_front()
        {
            open.files.remove(&oldest);
        }
        open.files.insert(target, file);
        open.order.push_back(target);
    }

    fn file(&self, target: u32) -> Result<Arc<OutputFile>> {
        if let Some(file) = self.open.lock().unwrap_or_else(PoisonError::into_inner).files.get(&target) {
            return Ok(file.clone());
        }
        let Some(entry) = self.targets.get(&target) else {
            return Err(Error::new(Class::Internal, "restore", format!("no target file {target}")));
        };
        let file = File::options().write(true).open(&entry.temporary);
        let file = file.map_err(|e| Error::io(shown(&entry.path), "cannot open the target file", e))?;
        let file = self.outputs.file(file, entry.path.clone(), entry.reserved);
        self.keep_open(target, file.clone());
        Ok(file)
    }

    fn pieces(&self, stretches: &[Stretch]) -> Result<Vec<Piece>> {
        let piece = |stretch: &Stretch| {
            let file = self.file(stretch.target)?;
            Ok(Piece { file, offset: stretch.offset, range: stretch.range.clone() })
        };
        stretches.iter().map(piece).collect()
    }

    /// Makes the contents of the files durable.
    pub fn sync(&self, root: &Path) -> Result<()> {
        self.outputs.finish()?;
        let device = |path: &Path| fs::metadata(path).map(|m| m.dev()).ok();
        let (many, home) = (self.targets.len() > SYNC_ONE_BY_ONE, device(root));
        if many {
            sync_file_system(root)?;
        }
        let alone = self.targets.values().filter(|file| !many || device(&file.temporary) != home);
        let alone: Vec<&Path> = alone.map(|file| &*file.temporary).collect();
        sync_side_by_side(&alone)
    }

    /// Takes a file out: from now on its caller answers for it.
    pub fn take(&mut self, target: u32) -> Option<TargetFile> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).files.remove(&target);
        self.targets.remove(&target)
    }
}

impl Sink for Files {
    fn write(&self, target: u32, offset: u64, bytes: &[u8]) -> Result<()> {
        self.outputs.write(&self.file(target)?, bytes, offset)
    }

    fn room(&self, stretches: &[Stretch]) -> Result<Option<Room<'_>>> {
        self.outputs.room(&self.pieces(stretches)?)
    }

    fn send(&self, room: Room<'_>, stretches: &[Stretch]) -> Result<()> {
        room.write(&self.pieces(stretches)?)
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        // What nobody took is not complete.
        for file in self.targets.values() {
            let _ = fs::remove_file(&file.temporary);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::Io;
    use crate::memory::Memory;

    #[test]
    fn space_is_reserved_where_data_come_and_nowhere_else() {
        let folder = tempfile::tempdir().unwrap();
        let target = Folder::open(folder.path(), false, 1).unwrap();
        let mut files = Files::new(Outputs::new(Io::Plain, Memory::DEFAULT).unwrap());
        let data = [1 << 20..2 << 20, 6 << 20..7 << 20];
        let path = folder.path().join("a");
        files.make(&target, 0, path, 8 << 20, &data).unwrap();
        let made = fs::metadata(&files.targets[&0].temporary).unwrap();
        assert_eq!(made.len(), 8 << 20);
        let reserved = made.blocks() * 512;
        assert!((2 << 20..3 << 20).contains(&reserved), "{reserved} bytes are reserved");
    }

    #[test]
    fn what_cannot_be_reserved_is_left_to_the_writes() {
        // A pipe has no ranges, a file system without reservations answers no better.
        let (_end, pipe) = io::pipe().unwrap();
        let pipe = File::from(std::os::fd::OwnedFd::from(pipe));
        assert!(rustix::fs::fallocate(&pipe, FallocateFlags::empty(), 0, 4096).is_err());
        reserve(&pipe, &[0..4096, 8192..12_288]).unwrap();
    }
}

//! Where the volumes of a pool stand: a folder of images, one image, or memory.

use crate::error::{Class, Error, Result};
use crate::io::{ImageFile, Io, StoredImage};
use reel_tape::layout::label::Label;
use reel_tape::medium::simh::Store;
use reel_tape::medium::{Medium, SimhTape};
use reel_tape::volume::{self, probe, writer};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// Ending of an image's name.
const IMAGE: &str = "tap";

/// What a volume is opened for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    /// Reading only.
    Read,
    /// Appending, and how an image is written: a torn tail is cut off and the torn file closed with a filemark. With what
    /// was [walked](Medium::walked) over before, if that is known.
    Append(Io, Option<Vec<u8>>),
}

/// Held while a run may write to a pool; another run is refused meanwhile.
pub struct PoolLock(#[allow(dead_code, reason = "the lock lives as long as the file is open")] Option<File>);

/// Where the volumes of a pool stand.
pub trait Shelf: Send + Sync {
    /// A name for messages.
    fn name(&self) -> String;

    /// The volumes, by name.
    fn volumes(&self) -> Result<Vec<String>>;

    /// Opens a volume. An appendable one has its position at the end of data, behind a filemark.
    fn open(&self, volume: &str, access: Access) -> Result<Box<dyn Medium>>;

    /// Makes a new labelled volume, whole or not at all, and gives its name and what keeps others from writing to it.
    fn create(&self, label: &Label, session: u64) -> Result<(String, PoolLock)>;

    /// Makes sure that nobody else writes to what is there.
    fn lock(&self) -> Result<PoolLock>;

    /// Device and inode of every volume, so that no backup reads the pool that it writes.
    fn inodes(&self) -> Vec<(u64, u64)>;
}

/// The shelf for a path: a folder of images or one image. A name that does not exist yet becomes a folder unless it ends
/// in `.tap`; nothing is made before the first backup.
pub fn shelf(path: &Path) -> Result<Arc<dyn Shelf>> {
    shelf_read_by(path, Io::Auto)
}

/// The same, whose images are read in a way that was asked for.
pub fn shelf_read_by(path: &Path, io: Io) -> Result<Arc<dyn Shelf>> {
    let object = || path.display().to_string();
    let image = path.extension().is_some_and(|e| e == IMAGE);
    match fs::metadata(path) {
        Ok(found) if found.is_dir() => Ok(Arc::new(Folder(path.to_owned(), io))),
        Ok(found) if found.is_file() => Ok(Arc::new(OneImage(path.to_owned(), io))),
        Ok(_) => Err(no_device(path)),
        // The name of a drive that is not there must not become a folder among the devices.
        Err(_) if path.parent() == Some(Path::new("/dev")) => Err(no_device(path)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && image => {
            Ok(Arc::new(OneImage(path.to_owned(), io)))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Ok(Arc::new(Folder(path.to_owned(), io)))
        }
        Err(error) => Err(Error::io(object(), "cannot look at the pool", error)),
    }
}

fn no_device(path: &Path) -> Error {
    let sentence = "neither a folder nor an image file; tape drives and other devices are not supported yet";
    Error::new(Class::Argument, path.display().to_string(), sentence)
}

fn open_image(path: &Path, access: Access, io: Io) -> Result<Box<dyn Medium>> {
    match access {
        Access::Read => {
            let image = StoredImage::open(path, io)?;
            Ok(Box::new(SimhTape::over(path.display().to_string(), image, true)?))
        }
        Access::Append(io, known) => {
            let image = ImageFile::open(path, io)?;
            prepare_to_append(SimhTape::over(path.display().to_string(), image, false)?, known)
        }
    }
}

/// Passes over damage further in, cuts off what was never acknowledged, and closes a torn file.
fn prepare_to_append<S: Store + 'static>(
    mut tape: SimhTape<S>,
    known: Option<Vec<u8>>,
) -> Result<Box<dyn Medium>> {
    if let Some(known) = known {
        tape.recall(&known, &probe)?;
    }
    volume::files(&mut tape)?;
    tape.cut_torn_tail(&probe)?;
    close_torn_file(&mut tape)?;
    Ok(Box::new(tape))
}

/// Writes the filemark that a torn run did not come to.
fn close_torn_file(medium: &mut dyn Medium) -> Result<()> {
    let end = medium.locate_end()?;
    if end > 0 && medium.filemarks()?.last() != Some(&(end - 1)) {
        medium.locate_end()?;
        medium.write_filemark()?;
        medium.flush()?;
    }
    medium.locate_end()?;
    Ok(())
}

fn inode(path: &Path) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    fs::metadata(path).ok().map(|m| (m.dev(), m.ino()))
}

/// Makes an image beside its final name and gives it that when its labels are durable; it is locked before others see it.
fn create_image(path: &Path, label: &Label, session: u64) -> Result<PoolLock> {
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(".reel-new");
    let unfinished = PathBuf::from(unfinished);
    let io = |what: &'static str| {
        let object = path.display().to_string();
        move |e| Error::io(object, what, e)
    };
    let mut tape = SimhTape::create(&unfinished)?;
    writer::write_labels(&mut tape, label, session)?;
    drop(tape);
    let lock = lock_file(&unfinished);
    fs::hard_link(&unfinished, path).map_err(io("cannot give the new volume its name"))?;
    fs::remove_file(&unfinished).map_err(io("cannot remove the unfinished name of the new volume"))?;
    let folder = path.parent().filter(|f| !f.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder).and_then(|f| f.sync_all()).map_err(io("cannot make the new volume's name durable"))?;
    lock
}

fn lock_file(path: &Path) -> Result<PoolLock> {
    let object = || path.display().to_string();
    let file = File::open(path).map_err(|e| Error::io(object(), "cannot open the pool to lock it", e))?;
    match file.try_lock() {
        Ok(()) => Ok(PoolLock(Some(file))),
        Err(fs::TryLockError::WouldBlock) => Err(Error::new(
            Class::State,
            object(),
            "another run is writing to this pool: wait for its end, or stop it",
        )),
        Err(fs::TryLockError::Error(e)) => Err(Error::io(object(), "cannot lock the pool", e)),
    }
}

/// A folder of images.
struct Folder(PathBuf, Io);

impl Shelf for Folder {
    fn name(&self) -> String {
        self.0.display().to_string()
    }

    fn volumes(&self) -> Result<Vec<String>> {
        let entries = match fs::read_dir(&self.0) {
            Ok(entries) => entries,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(Error::io(self.name(), "cannot list the pool's folder", e)),
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|e| Error::io(self.name(), "cannot list the pool's folder", e))?;
            let path = entry.path();
            if path.extension().is_some_and(|e| e == IMAGE)
                && path.is_file()
                && let Ok(name) = entry.file_name().into_string()
            {
                names.push(name);
            }
        }
        names.sort();
        Ok(names)
    }

    fn open(&self, volume: &str, access: Access) -> Result<Box<dyn Medium>> {
        open_image(&self.0.join(volume), access, self.1)
    }

    fn create(&self, label: &Label, session: u64) -> Result<(String, PoolLock)> {
        let name = format!("{}.{IMAGE}", label.barcode);
        // The folder is locked already.
        create_image(&self.0.join(&name), label, session)?;
        Ok((name, PoolLock(None)))
    }

    fn lock(&self) -> Result<PoolLock> {
        fs::create_dir_all(&self.0)
            .map_err(|e| Error::io(self.name(), "cannot make the pool's folder", e))?;
        lock_file(&self.0)
    }

    fn inodes(&self) -> Vec<(u64, u64)> {
        self.volumes().unwrap_or_default().iter().filter_map(|v| inode(&self.0.join(v))).collect()
    }
}

/// One image file.
struct OneImage(PathBuf, Io);

impl Shelf for OneImage {
    fn name(&self) -> String {
        self.0.display().to_string()
    }

    fn volumes(&self) -> Result<Vec<String>> {
        Ok(if self.0.exists() { vec![self.name()] } else { Vec::new() })
    }

    fn open(&self, _: &str, access: Access) -> Result<Box<dyn Medium>> {
        open_image(&self.0, access, self.1)
    }

    fn create(&self, label: &Label, session: u64) -> Result<(String, PoolLock)> {
        Ok((self.name(), create_image(&self.0, label, session)?))
    }

    fn lock(&self) -> Result<PoolLock> {
        // An image may be there or not yet: its folder is locked in a name of its own.
        let folder = self.0.parent().filter(|f| !f.as_os_str().is_empty()).unwrap_or(Path::new("."));
        if self.0.exists() { lock_file(&self.0) } else { lock_file(folder) }
    }

    fn inodes(&self) -> Vec<(u64, u64)> {
        inode(&self.0).into_iter().collect()
    }
}

/// Images by name.
type Images = Arc<Mutex<Vec<(String, Vec<u8>)>>>;

/// Images in memory: for tests, fuzzing and damage.
#[derive(Clone, Default)]
pub struct MemoryShelf {
    images: Images,
}

impl MemoryShelf {
    /// A shelf with one image on it.
    pub fn with_image(bytes: Vec<u8>) -> Self {
        MemoryShelf { images: Arc::new(Mutex::new(vec![("memory".into(), bytes)])) }
    }

    /// The bytes of the images.
    pub fn images(&self) -> Vec<Vec<u8>> {
        self.lock_images().iter().map(|(_, bytes)| bytes.clone()).collect()
    }

    fn lock_images(&self) -> std::sync::MutexGuard<'_, Vec<(String, Vec<u8>)>> {
        self.images.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// An image of a [`MemoryShelf`]: what is written is put back on the shelf when it is flushed.
struct SharedImage {
    images: Images,
    name: String,
    bytes: Vec<u8>,
}

impl Store for SharedImage {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> std::io::Result<usize> {
        Store::read_at(&self.bytes, offset, buf)
    }

    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> std::io::Result<usize> {
        Store::write_at(&mut self.bytes, offset, bytes)
    }

    fn length(&self) -> std::io::Result<u64> {
        Ok(self.bytes.len() as u64)
    }

    fn truncate(&mut self, length: u64) -> std::io::Result<()> {
        self.bytes.truncate(length as usize);
        Ok(())
    }

    fn sync(&mut self) -> std::io::Result<()> {
        let mut images = self.images.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some((_, bytes)) = images.iter_mut().find(|(name, _)| *name == self.name) {
            bytes.clone_from(&self.bytes);
        }
        Ok(())
    }
}

impl Shelf for MemoryShelf {
    fn name(&self) -> String {
        "memory".into()
    }

    fn volumes(&self) -> Result<Vec<String>> {
        Ok(self.lock_images().iter().map(|(name, _)| name.clone()).collect())
    }

    fn open(&self, volume: &str, access: Access) -> Result<Box<dyn Medium>> {
        let found =
            self.lock_images().iter().find(|(name, _)| name == volume).map(|(_, bytes)| bytes.clone());
        let Some(bytes) = found else {
            return Err(Error::new(Class::Medium, volume, "no such volume on the shelf"));
        };
        let store = SharedImage { images: self.images.clone(), name: volume.to_owned(), bytes };
        let tape = SimhTape::over(volume, store, access == Access::Read)?;
        match access {
            Access::Read => Ok(Box::new(tape)),
            Access::Append(_, known) => prepare_to_append(tape, known),
        }
    }

    fn create(&self, label: &Label, session: u64) -> Result<(String, PoolLock)> {
        let mut tape = SimhTape::from_bytes(&label.barcode, Vec::new());
        writer::write_labels(&mut tape, label, session)?;
        self.lock_images().push((label.barcode.clone(), tape.into_bytes()));
        Ok((label.barcode.clone(), PoolLock(None)))
    }

    fn lock(&self) -> Result<PoolLock> {
        Ok(PoolLock(None))
    }

    fn inodes(&self) -> Vec<(u64, u64)> {
        Vec::new()
    }
}

impl From<reel_tape::error::Error> for Error {
    fn from(error: reel_tape::error::Error) -> Self {
        use reel_tape::error::Class as Tape;
        use reel_tape::error::Error as TapeError;
        let class = match error.class() {
            Tape::Argument => Class::Argument,
            Tape::State => Class::State,
            Tape::Io => Class::Io,
            Tape::Medium => Class::Medium,
            Tape::Format => Class::Format,
            Tape::Checksum => Class::Checksum,
            Tape::NoSpace => Class::NoSpace,
            _ => Class::Internal,
        };
        match error {
            TapeError::Io { medium, what, source } => Error::io(medium, &what, source),
            TapeError::Argument { what } => Error::new(class, "tape", what),
            other => {
                // The tape crate's message begins with the medium's name, which is the object here.
                let text = other.to_string();
                let (object, sentence) = text.split_once(": ").unwrap_or(("tape", text.as_str()));
                Error::new(class, object, sentence)
            }
        }
    }
}

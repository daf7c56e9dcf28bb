//! A tape in a SIMH image (`.tap`): records with their length before and behind, a zero word for a filemark
//! (`reference/tape/images.md` A1). A public format that other tools read.
//!
//! Reading follows the whole format; writing makes data records and filemarks only. Objects are found by walking from
//! word to word, once, as far as a request needs; what was walked over is remembered.

mod ahead;
mod append;
mod damage;
mod index;
mod item;
mod recall;
mod store;
mod walk;

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;

pub use store::Store;

use self::ahead::{ReadAhead, Strides};
use self::index::{Index, Place};
use self::walk::Window;
use super::{Damage, MAX_BLOCK, Medium, PROBE_BYTES, Probe, Read, block_length};
use crate::error::{Error, Result};

/// What stands behind the last object of the index.
#[derive(Debug)]
enum Ahead {
    /// Not looked at yet.
    Unknown,
    /// The end of data.
    End,
    /// Bytes that cannot be told apart into objects, and why.
    Damaged(String),
    /// The same, but it was searched and nothing was found: taken for the end of data by readers.
    Abandoned,
}

/// A SIMH image as a medium. See [`Medium`] for what it does.
///
/// What was written and not flushed is lost when the value is dropped.
pub struct SimhTape<S = File> {
    name: String,
    store: S,
    /// Bytes in the store.
    length: u64,
    index: Index,
    /// First byte behind the last object of the index: the walk goes on here, and the next object is written here.
    frontier: u64,
    ahead: Ahead,
    /// Objects of the index that were not walked over but recalled: their words may have changed.
    recalled: u64,
    /// Never above the end of the index.
    position: u64,
    /// Lengths of blocks whose leading word is broken.
    mended: BTreeMap<u64, u32>,
    damage: Vec<Damage>,
    /// Where the next search for a block begins if not at the frontier: inside a block whose trailing word is wrong, for
    /// bytes may have been lost within it.
    search_from: Option<u64>,
    window: Window,
    read_ahead: ReadAhead,
    strides: Strides,
    /// What was written and is not in the store yet; stands at `length`.
    pending: Vec<u8>,
    /// Bytes that the store was told about with [`Store::written`].
    told: u64,
    read_only: bool,
    append_only: bool,
    /// A flush failed: what is durable is not known any more.
    flush_failed: bool,
}

impl<S> fmt::Debug for SimhTape<S> {
    /// Where it stands, and nothing of what is on it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimhTape")
            .field("name", &self.name)
            .field("length", &self.length)
            .field("position", &self.position)
            .field("frontier", &self.frontier)
            .field("ahead", &self.ahead)
            .field("damage", &self.damage)
            .finish_non_exhaustive()
    }
}

impl SimhTape<File> {
    /// Makes a blank image, or empties the one that is there.
    pub fn create(path: impl AsRef<Path>) -> Result<Self> {
        Self::make(path.as_ref(), OpenOptions::new().read(true).write(true).create(true).truncate(true))
    }

    /// Makes a blank image where no file is yet.
    pub fn create_new(path: impl AsRef<Path>) -> Result<Self> {
        Self::make(path.as_ref(), OpenOptions::new().read(true).write(true).create_new(true))
    }

    /// Opens an image for reading.
    pub fn open_read(path: impl AsRef<Path>) -> Result<Self> {
        Self::open(path.as_ref(), OpenOptions::new().read(true), true)
    }

    /// Opens an image for reading and appending, and walks to its end; the position is object 0. Check
    /// [`torn_tail`](Self::torn_tail) before writing.
    pub fn open_write(path: impl AsRef<Path>) -> Result<Self> {
        let mut tape = Self::open(path.as_ref(), OpenOptions::new().read(true).write(true), false)?;
        tape.walk_to_end_or_damage()?;
        Ok(tape)
    }

    fn make(path: &Path, options: &OpenOptions) -> Result<Self> {
        let mut tape = Self::open(path, options, false)?;
        tape.ahead = Ahead::End;
        // The name of a new file is durable only when its folder is.
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let synced = File::open(folder.unwrap_or(Path::new("."))).and_then(|folder| folder.sync_all());
        synced.map_err(|source| tape.io("cannot make the new name durable", source))?;
        Ok(tape)
    }

    fn open(path: &Path, options: &OpenOptions, read_only: bool) -> Result<Self> {
        let name = path.display().to_string();
        let what = if read_only { "cannot open for reading" } else { "cannot open for writing" };
        let file = match options.open(path) {
            Ok(file) => file,
            Err(source) => return Err(Error::Io { medium: name, what: what.into(), source }),
        };
        match file.metadata() {
            Ok(metadata) if metadata.is_file() => Self::over(name, file, read_only),
            Ok(_) => Err(Error::State { medium: name, what: "not a regular file".into() }),
            Err(source) => Err(Error::Io { medium: name, what: what.into(), source }),
        }
    }
}

impl SimhTape<Vec<u8>> {
    /// An image in memory, open for reading and appending. Nothing is walked over yet.
    pub fn from_bytes(name: impl Into<String>, bytes: Vec<u8>) -> Self {
        let length = bytes.len() as u64;
        Self::with(name.into(), bytes, length, false)
    }

    /// The image, with all that was written.
    pub fn into_bytes(mut self) -> Vec<u8> {
        self.store.append(&mut self.pending);
        self.store
    }
}

impl<S: Store> SimhTape<S> {
    /// An image over any store, at object 0. Nothing is walked over yet.
    pub fn over(name: impl Into<String>, store: S, read_only: bool) -> Result<Self> {
        let name = name.into();
        match store.length() {
            Ok(length) => Ok(Self::with(name, store, length, read_only)),
            Err(source) => Err(Error::Io { medium: name, what: "cannot tell the length".into(), source }),
        }
    }

    /// Whether writing anywhere but at the end of data is refused, as it is unless told otherwise (ssc.md 6).
    pub fn append_only(mut self, yes: bool) -> Self {
        self.append_only = yes;
        self
    }

    fn with(name: String, store: S, length: u64, read_only: bool) -> Self {
        Self {
            name,
            store,
            length,
            index: Index::new(),
            frontier: 0,
            ahead: Ahead::Unknown,
            recalled: 0,
            position: 0,
            mended: BTreeMap::new(),
            damage: Vec::new(),
            search_from: None,
            window: Window::default(),
            read_ahead: ReadAhead::default(),
            strides: Strides::default(),
            pending: Vec::new(),
            told: length,
            read_only,
            append_only: true,
            flush_failed: false,
        }
    }

    fn io(&self, what: impl Into<String>, source: io::Error) -> Error {
        Error::Io { medium: self.name.clone(), what: what.into(), source }
    }

    fn state(&self, what: impl Into<String>) -> Error {
        Error::State { medium: self.name.clone(), what: what.into() }
    }

    fn unreadable(&self, object: u64, what: impl Into<String>) -> Error {
        Error::Medium { medium: self.name.clone(), object, what: what.into() }
    }

    /// Walks on until the object is in the index. `false`: data end before it. After an error the position is at the
    /// place where the walk stopped.
    fn reach(&mut self, object: u64) -> Result<bool> {
        while self.index.end() <= object {
            match self.step() {
                Ok(true) => {}
                Ok(false) => return Ok(false),
                Err(error) => {
                    self.position = self.index.end();
                    return Err(error);
                }
            }
        }
        Ok(true)
    }
}

impl<S: Store> Medium for SimhTape<S> {
    fn name(&self) -> &str {
        &self.name
    }

    fn position(&self) -> u64 {
        self.position
    }

    fn locate(&mut self, object: u64) -> Result<()> {
        self.drain()?;
        // The object before is enough: an end of data is a valid target.
        if let Some(before) = object.checked_sub(1)
            && !self.reach(before)?
        {
            self.position = self.index.end();
            return Err(Error::BeyondEnd { medium: self.name.clone(), object, end: self.position });
        }
        self.position = object;
        Ok(())
    }

    fn locate_end(&mut self) -> Result<u64> {
        self.drain()?;
        self.reach(u64::MAX)?;
        self.position = self.index.end();
        Ok(self.position)
    }

    fn read(&mut self, buf: &mut Vec<u8>) -> Result<Read> {
        let read = self.drain().and_then(|()| self.read_object(buf));
        match read {
            Ok(Read::Block(_)) => {}
            _ => buf.clear(),
        }
        read
    }

    fn skip_damage(&mut self, probe: Probe) -> Result<Option<u64>> {
        self.drain()?;
        self.resume(probe)
    }

    fn damage(&self) -> &[Damage] {
        &self.damage
    }

    fn walked(&self) -> Result<Option<Vec<u8>>> {
        self.told()
    }

    fn recall(&mut self, walked: &[u8], probe: Probe) -> Result<bool> {
        self.recall_told(walked, probe)
    }

    fn write(&mut self, block: &[&[u8]]) -> Result<()> {
        let length = block_length(block)?;
        self.append_record(length as u32, block)
    }

    fn write_filemark(&mut self) -> Result<()> {
        self.append_mark()
    }

    fn flush(&mut self) -> Result<()> {
        self.make_durable()
    }

    fn space_filemarks(&mut self, n: i64) -> Result<()> {
        self.drain()?;
        let mut missing = n.unsigned_abs();
        while missing > 0 {
            let found = if n > 0 {
                self.reach(self.position)?.then_some(self.position)
            } else {
                self.position.checked_sub(1)
            };
            let Some(object) = found else {
                return Err(Error::MarksMissing {
                    medium: self.name.clone(),
                    object: self.position,
                    missing,
                });
            };
            let place = self.index.get(object);
            missing -= u64::from(matches!(place, Some(Place::Mark(_))));
            self.position = match place {
                Some(Place::Lost { until }) if n > 0 => until,
                Some(Place::Lost { .. }) => self.index.lost_from(object),
                _ if n > 0 => object + 1,
                _ => object,
            };
        }
        Ok(())
    }

    fn filemarks(&mut self) -> Result<Vec<u64>> {
        self.drain()?;
        self.reach(u64::MAX)?;
        Ok(self.index.marks())
    }

    fn read_only(&self) -> bool {
        self.read_only
    }

    fn byte_address(&self, object: u64) -> Option<u64> {
        match self.index.get(object) {
            Some(Place::Block(offset) | Place::Mark(offset)) => Some(offset),
            Some(Place::Lost { .. }) => None,
            None => (object == self.index.end()).then_some(self.frontier),
        }
    }
}

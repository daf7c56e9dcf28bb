//! The walk over directory trees: one entry at a time, in the order in which they go on a volume.
//!
//! The order is fixed (design, section 3): depth first, the entries of a folder by the bytes of their names, except
//! ESE log files, which are known by their headers and come last in their folder, by generation. So a restore that
//! reads forward has a database before the logs that are replayed onto it.

use std::collections::{BTreeSet, HashMap, VecDeque, hash_map};
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::vec;

use rustix::fs::{Dir, OFlags};

use super::exclude::Excludes;
use super::file::open_quietly;
use super::{Entry, FileSource, Source};
use crate::attributes::{Accounts, AttributeIssue, Attributes, NodeKind, kind_of};
use crate::error::{Class, Error, Result};
use crate::io::Files;

/// Bytes of a file's head that tell whether it is an ESE log file; also the unit its size is a multiple of.
const LOG_HEAD_BYTES: usize = 4096;
/// The shortest ESE log file: its header and one unit of records.
const MIN_LOG_BYTES: u64 = 2 * LOG_HEAD_BYTES as u64;

/// What a [`Tree`] leaves out, and how it knows a log file.
#[derive(Debug, Clone)]
pub struct TreeOptions {
    /// Shell patterns of entries to leave out; `*` and `?` stand within a name, `**` for any number of folders, `[...]`
    /// and `{...}` for alternatives.
    ///
    /// A pattern without `/` matches the name of an entry at any depth, also that of a path given to [`Tree::new`]. One
    /// with `/`, at its start or within, matches the whole stream name from the top name on. A `/` at the end makes
    /// either match directories only. A directory that matches is left out with all that is in it. Nothing is
    /// reported for what is left out.
    pub excludes: Vec<String>,
    /// Keeps to the file system each given path is on: a directory on which another one is mounted is delivered, but
    /// not entered, and a single file mounted from elsewhere is left out.
    pub one_file_system: bool,
    /// Device and inode of what must never be backed up: the volumes of the pool that is written to.
    pub skip: Vec<(u64, u64)>,
    /// The generation of an ESE log file from the first 4,096 bytes of a file, `None` for any other file. Only asked
    /// about regular files of at least 8,192 bytes and a multiple of 4,096.
    pub classify: fn(&[u8]) -> Option<u32>,
    /// How files are read.
    pub files: Files,
}

impl Default for TreeOptions {
    /// Everything, read plainly, and no file is known as a log file.
    fn default() -> Self {
        Self {
            excludes: Vec::new(),
            one_file_system: false,
            skip: Vec::new(),
            classify: |_| None,
            files: Files::plain(),
        }
    }
}

/// What a [`Tree`] comes upon.
pub enum Item {
    /// Something to back up.
    Entry(Entry),
    /// Something that cannot be backed up, or not whole. The walk goes on.
    Finding(Finding),
}

/// Something that a [`Tree`] did not deliver, or not whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Where.
    pub path: PathBuf,
    /// What kind of thing.
    pub kind: FindingKind,
    /// What, as a sentence that does not name the path.
    pub what: String,
}

/// The kinds of [`Finding`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FindingKind {
    /// A file of a kind that has no contents to keep: named pipe, socket, character device, or a block device that was
    /// not itself given as a path.
    Refused,
    /// It could not be read.
    Unreadable,
    /// It was there when its folder was listed, and gone or replaced when its turn came.
    Vanished,
    /// One of [`TreeOptions::skip`].
    OwnVolume,
    /// The entry is delivered, but without this attribute.
    Attribute,
}

impl Finding {
    fn new(path: &Path, kind: FindingKind, what: impl Into<String>) -> Self {
        Self { path: path.to_path_buf(), kind, what: what.into() }
    }

    fn lost(path: &Path, error: &Error) -> Self {
        let kind = match error.io_kind() {
            Some(io::ErrorKind::NotFound) => FindingKind::Vanished,
            _ => FindingKind::Unreadable,
        };
        Self::new(path, kind, error.sentence())
    }

    fn replaced(path: &Path) -> Self {
        Self::new(path, FindingKind::Vanished, "was replaced by another file before it could be read")
    }
}

impl From<AttributeIssue> for Finding {
    fn from(issue: AttributeIssue) -> Self {
        let what = format!("{}: {}", issue.attribute, issue.why);
        Self { path: issue.path, kind: FindingKind::Attribute, what }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.what)
    }
}

/// The walk over one or more paths: an iterator that opens each entry when its turn comes.
///
/// Each path keeps its last component as its top name, the first component of all stream names below it, as
/// `cp -r` does; paths are walked in the order given. Symbolic links are kept as links, and never followed: neither a
/// path given nor anything below one (a path with a `/` at its end means what the link leads to, as everywhere).
/// Block devices are read only when given as a path. A further name of a file with several is a
/// [`NodeKind::HardLink`] to the first that was delivered.
///
/// Memory: the names of one folder at each depth, and for each file with more than one name, its first stream name.
/// Paths longer than the system's limit (4,096 bytes on Linux) are findings.
pub struct Tree {
    tops: vec::IntoIter<Place>,
    folders: Vec<Folder>,
    /// Findings on the next entry, and then the entry.
    ready: VecDeque<Item>,
    links: HashMap<(u64, u64), Vec<u8>>,
    excludes: Excludes,
    accounts: Accounts,
    options: TreeOptions,
}

/// Where an entry stands, and its stream name.
struct Place {
    path: PathBuf,
    name: Vec<u8>,
    /// The device number at the top of the walk; `None` at the top itself.
    device: Option<u64>,
    /// Seen to be a log file, and put off to the end of its folder.
    is_log: bool,
}

/// A directory whose entries are being delivered.
struct Folder {
    path: PathBuf,
    name: Vec<u8>,
    device: u64,
    names: vec::IntoIter<OsString>,
    logs: BTreeSet<(u32, OsString)>,
}

impl Folder {
    fn next(&mut self) -> Option<Place> {
        let (name, is_log) = match self.names.next() {
            Some(name) => (name, false),
            None => (self.logs.pop_first()?.1, true),
        };
        let mut stream = self.name.clone();
        stream.push(b'/');
        stream.extend_from_slice(name.as_bytes());
        Some(Place { path: self.path.join(name), name: stream, device: Some(self.device), is_log })
    }
}

impl Tree {
    /// Looks at every path of `paths`, so that a wrong one stops a run before it has written anything.
    ///
    /// # Errors
    /// When a path is missing or has no last component (`/`), when two have the same, when one is a symbolic link to a
    /// block device (a link would be kept, and the device be missed), or when an exclude pattern is wrong.
    pub fn new(paths: &[PathBuf], options: TreeOptions) -> Result<Self> {
        let excludes = Excludes::new(&options.excludes)?;
        let mut tops = Vec::<Place>::with_capacity(paths.len());
        let mut seen = HashMap::new();
        for path in paths {
            let top = top(path)?;
            if let Some(other) = seen.insert(top.name.clone(), path) {
                return Err(Error::new(
                    Class::Argument,
                    path.display().to_string(),
                    format!("has the same last component as {}, expected different ones", other.display()),
                ));
            }
            tops.push(top);
        }
        Ok(Self {
            tops: tops.into_iter(),
            folders: Vec::new(),
            ready: VecDeque::new(),
            links: HashMap::new(),
            excludes,
            accounts: Accounts::load(),
            options,
        })
    }

    /// The next place to look at, in order.
    fn next_place(&mut self) -> Option<Place> {
        while let Some(folder) = self.folders.last_mut() {
            if let Some(place) = folder.next() {
                return Some(place);
            }
            self.folders.pop();
        }
        self.tops.next()
    }

    /// Puts what stands at `place` into `ready`; nothing if it is left out or put off.
    fn visit(&mut self, place: Place) -> std::result::Result<(), Finding> {
        let path = place.path.as_path();
        let metadata = look_at(path).map_err(|e| Finding::lost(path, &e))?;
        if self.excludes.leaves_out(&place.name, metadata.is_dir()) {
            return Ok(());
        }
        if self.options.skip.contains(&identity(&metadata)) {
            let what = "left out: it is a volume of the pool that is written to";
            return Err(Finding::new(path, FindingKind::OwnVolume, what));
        }
        let elsewhere =
            self.options.one_file_system && place.device.is_some_and(|device| device != metadata.dev());
        match kind_of(&metadata).map_err(|what| Finding::new(path, FindingKind::Refused, what))? {
            NodeKind::Directory => self.enter(place, &metadata, elsewhere),
            _ if elsewhere => Ok(()),
            NodeKind::Symlink => self.keep_link(place, &metadata),
            NodeKind::BlockDevice if place.device.is_some() => {
                let what = "refused: a block device is read only when it is given as a path of its own";
                Err(Finding::new(path, FindingKind::Refused, what))
            }
            _ => self.open(place, &metadata),
        }
    }

    /// Delivers a directory, and its entries next unless it is on another file system.
    fn enter(
        &mut self,
        place: Place,
        metadata: &Metadata,
        elsewhere: bool,
    ) -> std::result::Result<(), Finding> {
        let Place { path, name, device, .. } = place;
        let attributes = self.attributes(&path, metadata)?;
        self.ready.push_back(Item::Entry(Entry::Meta { name: name.clone(), attributes }));
        if !elsewhere {
            let device = device.unwrap_or(metadata.dev());
            // The directory itself stays delivered even if its entries cannot be listed.
            let names = self.list(&path, metadata)?.into_iter();
            self.folders.push(Folder { path, name, device, names, logs: BTreeSet::new() });
        }
        Ok(())
    }

    fn keep_link(&mut self, place: Place, metadata: &Metadata) -> std::result::Result<(), Finding> {
        let mut attributes = self.attributes(&place.path, metadata)?;
        if let Some(first) = self.first_name(metadata, &place.name) {
            attributes = attributes.into_hard_link(first);
        }
        self.ready.push_back(Item::Entry(Entry::Meta { name: place.name, attributes }));
        Ok(())
    }

    /// Delivers a regular file or a block device, or puts it off if it is a log file.
    fn open(&mut self, place: Place, listed: &Metadata) -> std::result::Result<(), Finding> {
        let Place { path, name, device, is_log } = place;
        let mut issues = Vec::new();
        let source = FileSource::open(&path, name, &self.accounts, &mut issues)
            .map_err(|e| Finding::lost(&path, &e))?;
        if identity(source.metadata()) != identity(listed) {
            return Err(Finding::replaced(&path));
        }
        if device.is_some()
            && !is_log
            && let Some(generation) = self.generation(&source)
            && let (Some(folder), Some(name)) = (self.folders.last_mut(), path.file_name())
        {
            folder.logs.insert((generation, name.to_os_string()));
            return Ok(());
        }
        self.report(issues);
        let entry = match self.first_name(source.metadata(), source.name()) {
            Some(first) => {
                let (name, attributes) = source.into_parts();
                Entry::Meta { name, attributes: attributes.into_hard_link(first) }
            }
            None if source.is_empty() => {
                let (name, attributes) = source.into_parts();
                Entry::Meta { name, attributes }
            }
            None => Entry::Stream(Box::new(source.read_through(&self.options.files))),
        };
        self.ready.push_back(Item::Entry(entry));
        Ok(())
    }

    /// The names in a directory, sorted by their bytes.
    fn list(&mut self, path: &Path, metadata: &Metadata) -> std::result::Result<Vec<OsString>, Finding> {
        let lost = |e: io::Error| Finding::lost(path, &failed(path, "cannot list its entries", e));
        let directory = open_quietly(path, OFlags::DIRECTORY).map_err(lost)?;
        if identity(&directory.metadata().map_err(lost)?) != identity(metadata) {
            return Err(Finding::replaced(path));
        }
        let mut names = Vec::new();
        for entry in Dir::new(directory).map_err(|e| lost(e.into()))? {
            match entry {
                Ok(entry) => match entry.file_name().to_bytes() {
                    b"." | b".." => {}
                    name => names.push(OsStr::from_bytes(name).to_os_string()),
                },
                Err(e) => {
                    // What was listed so far is still backed up.
                    self.ready.push_back(Item::Finding(lost(e.into())));
                    break;
                }
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    fn attributes(&mut self, path: &Path, metadata: &Metadata) -> std::result::Result<Attributes, Finding> {
        let mut issues = Vec::new();
        let attributes = Attributes::read(path, metadata, &self.accounts, &mut issues)
            .map_err(|e| Finding::lost(path, &e))?;
        self.report(issues);
        Ok(attributes)
    }

    fn report(&mut self, issues: Vec<AttributeIssue>) {
        self.ready.extend(issues.into_iter().map(|issue| Item::Finding(issue.into())));
    }

    /// The stream name under which the same file was delivered before; else it is `name` from now on.
    fn first_name(&mut self, metadata: &Metadata, name: &[u8]) -> Option<Vec<u8>> {
        if metadata.nlink() < 2 {
            return None;
        }
        match self.links.entry(identity(metadata)) {
            hash_map::Entry::Occupied(first) => Some(first.get().clone()),
            hash_map::Entry::Vacant(vacant) => {
                vacant.insert(name.to_vec());
                None
            }
        }
    }

    /// The generation of a log file. An unreadable head is no reason to put a file off: reading it will fail later.
    fn generation(&self, source: &FileSource) -> Option<u32> {
        let size = source.len().filter(|&size| size >= MIN_LOG_BYTES)?;
        if size % LOG_HEAD_BYTES as u64 != 0 {
            return None;
        }
        let mut head = [0; LOG_HEAD_BYTES];
        let count = source.positioned()?.read_at(&mut head, 0).ok()?;
        (self.options.classify)(head.get(..count)?)
    }
}

impl Iterator for Tree {
    type Item = Item;

    fn next(&mut self) -> Option<Item> {
        loop {
            if let Some(item) = self.ready.pop_front() {
                return Some(item);
            }
            let place = self.next_place()?;
            if let Err(finding) = self.visit(place) {
                self.ready.push_back(Item::Finding(finding));
            }
        }
    }
}

/// A path given to [`Tree::new`], and the top name it keeps.
fn top(path: &Path) -> Result<Place> {
    let metadata = look_at(path).map_err(Error::argument_if_missing)?;
    if metadata.is_symlink() && fs::metadata(path).is_ok_and(|target| target.file_type().is_block_device()) {
        let what = "is a symbolic link to a block device, expected the device itself";
        return Err(Error::new(Class::Argument, path.display().to_string(), what));
    }
    let last = path.as_os_str().as_bytes().rsplit(|&byte| byte == b'/').find(|part| !part.is_empty());
    let (path, name) = match last {
        Some(name) if !matches!(name, b"." | b"..") => (path.to_path_buf(), name.to_vec()),
        _ => {
            let whole = path.canonicalize().map_err(|e| failed(path, "cannot find its full path", e))?;
            let Some(name) = whole.file_name() else {
                let what = "has no last component to be its top name, expected a path below it";
                return Err(Error::new(Class::Argument, path.display().to_string(), what));
            };
            let name = name.as_bytes().to_vec();
            (whole, name)
        }
    };
    Ok(Place { path, name, device: None, is_log: false })
}

fn look_at(path: &Path) -> Result<Metadata> {
    fs::symlink_metadata(path).map_err(|e| failed(path, "cannot read its attributes", e))
}

fn failed(path: &Path, doing: &str, error: io::Error) -> Error {
    Error::io(path.display().to_string(), doing, error)
}

/// What makes a file the same under every name: its device and inode numbers.
fn identity(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

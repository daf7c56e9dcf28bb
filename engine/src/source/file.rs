//! Regular files and block devices.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io;
use std::ops::Range;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{OFlags, SeekFrom};
use rustix::io::Errno;

use super::{PositionedRead, Source, check_name};
use crate::attributes::{Accounts, AttributeIssue, Attributes, NodeKind};
use crate::error::{Class, Error, Result};
use crate::io::{Files, PlainFile};

/// An open regular file or block device.
///
/// Its length is fixed when it is opened: bytes appended later belong to the next backup.
pub struct FileSource {
    name: Vec<u8>,
    attributes: Attributes,
    file: Arc<PlainFile>,
    bytes: Arc<dyn PositionedRead>,
    metadata: Metadata,
    position: u64,
}

impl FileSource {
    /// Opens the regular file or block device at `path`, not following a symbolic link there, as the stream `name`.
    ///
    /// Extended attributes that cannot be read are told in `issues`.
    ///
    /// # Errors
    /// When it cannot be opened, is neither a regular file nor a block device, or `name` is no stream name
    /// ([`check_name`]).
    pub fn open(
        path: &Path,
        name: Vec<u8>,
        accounts: &Accounts,
        issues: &mut Vec<AttributeIssue>,
    ) -> Result<Self> {
        check_name(&name)?;
        let object = || path.display().to_string();
        let file = open_quietly(path, OFlags::empty()).map_err(|e| Error::io(object(), "cannot open", e))?;
        let metadata = file.metadata().map_err(|e| Error::io(object(), "cannot read its attributes", e))?;
        let mut attributes = Attributes::read_open(&file, path, &metadata, accounts, issues)?;
        let size = match attributes.kind {
            NodeKind::File => metadata.len(),
            NodeKind::BlockDevice => rustix::fs::seek(&file, SeekFrom::End(0))
                .map_err(|e| Error::io(object(), "cannot find the size of the device", e.into()))?,
            _ => {
                let found = "expected a regular file or a block device, found another kind of file";
                return Err(Error::new(Class::Argument, object(), found));
            }
        };
        attributes.size = size;
        let file = Arc::new(PlainFile::new(file, path.to_path_buf(), size));
        Ok(Self { name, attributes, bytes: file.clone(), file, metadata, position: 0 })
    }

    /// From now on its bytes are read as `files` read them.
    pub fn read_through(mut self, files: &Files) -> Self {
        self.bytes = files.reader(self.file.clone());
        self
    }

    /// What the file system told when the file was opened.
    pub(super) fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// The entry's name and attributes, without its bytes.
    pub(super) fn into_parts(self) -> (Vec<u8>, Attributes) {
        (self.name, self.attributes)
    }
}

impl Source for FileSource {
    fn name(&self) -> &[u8] {
        &self.name
    }

    fn attributes(&self) -> &Attributes {
        &self.attributes
    }

    fn len(&self) -> Option<u64> {
        Some(self.file.size())
    }

    fn read(&mut self, buf: &mut [u8]) -> Result<usize> {
        let count = self.bytes.read_at(buf, self.position)?;
        self.position += count as u64;
        Ok(count)
    }

    fn positioned(&self) -> Option<Arc<dyn PositionedRead>> {
        Some(self.bytes.clone())
    }

    fn holes(&self, from: u64) -> Result<Option<Range<u64>>> {
        let size = self.file.size();
        if self.attributes.kind != NodeKind::File || from >= size {
            return Ok(None);
        }
        // Nobody reads at the file's own position, so moving it disturbs nothing. Behind the last data both calls give
        // the end of the file or say that there is nothing.
        let start = self.file.seek(SeekFrom::Hole(from), from)?.unwrap_or(size);
        if start >= size {
            return Ok(None);
        }
        let end = self.file.seek(SeekFrom::Data(start), start)?.map_or(size, |end| end.min(size));
        // A file written to between the two calls may have lost its hole.
        Ok((start < end).then_some(start..end))
    }

    fn changed(&mut self) -> Result<Option<String>> {
        let file = self.file.file();
        let object = || self.file.path().display().to_string();
        let before = &self.metadata;
        let now = file.metadata().map_err(|e| Error::io(object(), "cannot read its attributes", e))?;
        if self.attributes.kind == NodeKind::BlockDevice {
            // The times are those of the device's node; writing to the device does not move them.
            let size = rustix::fs::seek(file, SeekFrom::End(0))
                .map_err(|e| Error::io(object(), "cannot find the size of the device", e.into()))?;
            let differs = size != self.file.size();
            return Ok(differs.then(|| resized(self.file.size(), size)));
        }
        if now.len() != before.len() {
            return Ok(Some(resized(before.len(), now.len())));
        }
        if (now.mtime(), now.mtime_nsec()) != (before.mtime(), before.mtime_nsec()) {
            return Ok(Some("was written to while being read: its modification time moved".into()));
        }
        match fs::symlink_metadata(self.file.path()) {
            Ok(at_path) if (at_path.dev(), at_path.ino()) != (before.dev(), before.ino()) => {
                return Ok(Some("was replaced by another file while being read".into()));
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                return Ok(Some("was removed or renamed while being read".into()));
            }
            // Whatever else the path has become, the open file is what was read.
            Ok(_) | Err(_) => {}
        }
        if (now.ctime(), now.ctime_nsec()) != (before.ctime(), before.ctime_nsec()) {
            return Ok(Some("was changed while being read: its change time moved".into()));
        }
        Ok(None)
    }
}

fn resized(before: u64, now: u64) -> String {
    format!("changed its size while being read: {before} bytes when opened, {now} now")
}

/// Opens for reading what stands at `path` itself, without leaving a trace in its access time where that is permitted.
pub(super) fn open_quietly(path: &Path, flags: OFlags) -> io::Result<File> {
    // Not blocking matters if a named pipe has taken the file's place since it was looked at; it changes nothing for
    // files, directories and block devices.
    let flags = flags | OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let open =
        |flags: OFlags| OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path);
    // Only the owner of a file (and root) may read it without moving its access time.
    match open(flags | OFlags::NOATIME) {
        Err(e) if Errno::from_io_error(&e) == Some(Errno::PERM) => open(flags),
        opened => opened,
    }
}

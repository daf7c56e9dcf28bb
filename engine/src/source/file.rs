//! Regular files and block devices.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io;
use std::ops::Range;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{OFlags, SeekFrom};
use rustix::io::Errno;

use super::{PositionedRead, Source, check_name, fill};
use crate::attributes::{Accounts, AttributeIssue, Attributes, NodeKind};
use crate::error::{Class, Error, Result};

/// An open regular file or block device.
///
/// Its length is fixed when it is opened: bytes appended later belong to the next backup.
pub struct FileSource {
    name: Vec<u8>,
    attributes: Attributes,
    bytes: Arc<OpenFile>,
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
        let bytes = Arc::new(OpenFile { file, path: path.to_path_buf(), size });
        Ok(Self { name, attributes, bytes, metadata, position: 0 })
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
        Some(self.bytes.size)
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
        let size = self.bytes.size;
        if self.attributes.kind != NodeKind::File || from >= size {
            return Ok(None);
        }
        // Nobody reads at the file's own position, so moving it disturbs nothing. Behind the last data both calls give
        // the end of the file or say that there is nothing.
        let start = self.bytes.seek(SeekFrom::Hole(from), from)?.unwrap_or(size);
        if start >= size {
            return Ok(None);
        }
        let end = self.bytes.seek(SeekFrom::Data(start), start)?.map_or(size, |end| end.min(size));
        // A file written to between the two calls may have lost its hole.
        Ok((start < end).then_some(start..end))
    }

    fn changed(&mut self) -> Result<Option<String>> {
        let file = &self.bytes.file;
        let object = || self.bytes.path.display().to_string();
        let before = &self.metadata;
        let now = file.metadata().map_err(|e| Error::io(object(), "cannot read its attributes", e))?;
        if self.attributes.kind == NodeKind::BlockDevice {
            // The times are those of the device's node; writing to the device does not move them.
            let size = rustix::fs::seek(file, SeekFrom::End(0))
                .map_err(|e| Error::io(object(), "cannot find the size of the device", e.into()))?;
            let differs = size != self.bytes.size;
            return Ok(differs.then(|| resized(self.bytes.size, size)));
        }
        if now.len() != before.len() {
            return Ok(Some(resized(before.len(), now.len())));
        }
        if (now.mtime(), now.mtime_nsec()) != (before.mtime(), before.mtime_nsec()) {
            return Ok(Some("was written to while being read: its modification time moved".into()));
        }
        match fs::symlink_metadata(&self.bytes.path) {
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

/// A file of known size, read by position only.
struct OpenFile {
    file: File,
    path: PathBuf,
    size: u64,
}

impl OpenFile {
    /// Where the next hole or data is; `None` if there is none or the file system cannot tell.
    fn seek(&self, to: SeekFrom, from: u64) -> Result<Option<u64>> {
        match rustix::fs::seek(&self.file, to) {
            Ok(place) => Ok(Some(place)),
            Err(Errno::NXIO | Errno::INVAL | Errno::OPNOTSUPP) => Ok(None),
            Err(e) => {
                Err(Error::io(self.path.display().to_string(), "cannot look for holes", e.into()).at(from))
            }
        }
    }
}

impl PositionedRead for OpenFile {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> Result<usize> {
        let left = self.size.saturating_sub(offset);
        let wanted = buf.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let Some(buf) = buf.get_mut(..wanted) else { return Ok(0) };
        fill(buf, |rest, filled| self.file.read_at(rest, offset + filled as u64)).map_err(|(filled, e)| {
            Error::io(self.path.display().to_string(), "cannot read", e).at(offset + filled as u64)
        })
    }
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

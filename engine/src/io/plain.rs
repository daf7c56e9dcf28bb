//! `read(2)`: the way that always works, and whose bytes and errors count.

use super::PositionedRead;
use crate::error::{Error, Result};
use rustix::fs::SeekFrom;
use rustix::io::Errno;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

/// An open file or device of known size, read by position only.
pub(crate) struct PlainFile {
    file: File,
    path: PathBuf,
    size: u64,
}

impl PlainFile {
    /// `file`, which was opened at `path`, and of which `size` bytes are read at most.
    pub fn new(file: File, path: PathBuf, size: u64) -> Self {
        PlainFile { file, path, size }
    }

    /// The open file.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Where it was opened.
    pub fn path(&self) -> &std::path::Path {
        &self.path
    }

    /// Bytes that are read at most.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Where the next hole or data is; `None` if there is none or the file system cannot tell.
    pub fn seek(&self, to: SeekFrom, from: u64) -> Result<Option<u64>> {
        match rustix::fs::seek(&self.file, to) {
            Ok(place) => Ok(Some(place)),
            Err(Errno::NXIO | Errno::INVAL | Errno::OPNOTSUPP) => Ok(None),
            Err(e) => {
                Err(Error::io(self.path.display().to_string(), "cannot look for holes", e.into()).at(from))
            }
        }
    }
}

impl PositionedRead for PlainFile {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> Result<usize> {
        let buf = within(buf, offset, self.size);
        fill(buf, |rest, filled| self.file.read_at(rest, offset + filled as u64)).map_err(|(filled, e)| {
            Error::io(self.path.display().to_string(), "cannot read", e).at(offset + filled as u64)
        })
    }
}

/// Calls `read` with what is left of `buf` and the bytes had so far until `buf` is full or the end has come.
pub(crate) fn fill(
    buf: &mut [u8],
    mut read: impl FnMut(&mut [u8], usize) -> io::Result<usize>,
) -> std::result::Result<usize, (usize, io::Error)> {
    let mut filled = 0;
    while let Some(rest) = buf.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match read(rest, filled) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err((filled, e)),
        }
    }
    Ok(filled)
}

/// What of `buf` stands before `size` when it begins at `offset`.
pub(super) fn within(buf: &mut [u8], offset: u64, size: u64) -> &mut [u8] {
    let left = usize::try_from(size.saturating_sub(offset)).unwrap_or(usize::MAX);
    let wanted = buf.len().min(left);
    &mut buf[..wanted]
}

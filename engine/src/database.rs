//! Databases where they lie: the bytes that the readers of `reel-formats` want, from a file.

use crate::error::{Error, Result};
use reel_formats::ese::database::DatabaseFile;
use std::fs::File;
use std::io::{self, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::Path;

/// A database in a file or on a block device.
pub struct LocalFile {
    file: File,
    len: u64,
}

impl LocalFile {
    /// Opens a file to read. A name that is not there is an argument error.
    pub fn open(path: &Path) -> Result<Self> {
        let name = path.display().to_string();
        let mut file =
            File::open(path).map_err(|e| Error::io(&name, "cannot open", e).argument_if_missing())?;
        // A block device has no length in its metadata, but an end.
        let len = file.seek(SeekFrom::End(0)).map_err(|e| Error::io(&name, "cannot find the end", e))?;
        Ok(Self { file, len })
    }
}

impl LocalFile {
    /// Reads what stands at `offset`; less than the buffer is long only at the end.
    pub(crate) fn read_fully(file: &File, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match file.read_at(rest, offset.saturating_add(filled as u64)) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }
}

impl DatabaseFile for LocalFile {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        Self::read_fully(&self.file, offset, buffer)
    }
}

//! Reading through a mapping: for files that nobody changes, because a cut under the reader's feet ends the process.
#![allow(unsafe_code)]

use super::plain::within;
use super::{PlainFile, PositionedRead};
use crate::error::Result;
use memmap2::{Mmap, MmapOptions};
use std::sync::Arc;

/// A file that is read through a mapping of all of it.
pub(super) struct MappedFile {
    plain: Arc<PlainFile>,
    map: Mmap,
}

impl MappedFile {
    /// Maps `file`; `None` where it cannot be mapped, or has nothing to map.
    pub fn open(file: &Arc<PlainFile>) -> Option<MappedFile> {
        let length = usize::try_from(file.size()).ok().filter(|length| *length > 0)?;
        // SAFETY: the mapping is read-only and private to this type, which only copies out of it and keeps no reference
        // into it between two calls; that another process may write to the file meanwhile is the caller's choice
        // ([`Io::Mmap`](super::Io::Mmap)), and gives bytes of mixed age, as read(2) does.
        let map = unsafe { MmapOptions::new().len(length).map(file.file()) }.ok()?;
        let _ = map.advise(memmap2::Advice::Sequential);
        Some(MappedFile { plain: file.clone(), map })
    }

    /// Whether the file still goes as far as `end`, so that its pages are there. A device does not become shorter.
    fn reaches(&self, end: u64) -> bool {
        self.plain.file().metadata().is_ok_and(|found| !found.is_file() || found.len() >= end)
    }
}

impl PositionedRead for MappedFile {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> Result<usize> {
        let buf = within(buf, offset, self.plain.size());
        let end = offset + buf.len() as u64;
        let mapped = usize::try_from(offset).ok().and_then(|from| self.map.get(from..from + buf.len()));
        match mapped.filter(|_| self.reaches(end)) {
            Some(mapped) => {
                buf.copy_from_slice(mapped);
                Ok(buf.len())
            }
            None => self.plain.read_at(buf, offset),
        }
    }
}

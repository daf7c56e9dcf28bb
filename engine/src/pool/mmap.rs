//! Files of the cache, mapped into memory to be read. The only file of this crate's cache that holds `unsafe`.
//!
//! A mapped file must not shrink while it is read: the system answers the access with SIGBUS, which ends the process as a
//! kill does (what is on the volume stays as after any kill). Nothing of this project shrinks one: files of the cache are
//! written beside their place, renamed, and never changed again; who replaces or deletes one leaves the mapping whole. The
//! folder of the cache is the user's own (mode 0700 where this project makes it), so that only they could. Files that other
//! programs write are never mapped here. A disk that fails to read a page ends the process in the same way.
#![allow(unsafe_code)]

use memmap2::Mmap;
use std::borrow::Cow;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// Longest file that is fetched whole when it is mapped: the parts of a longer one may never be asked for.
const FETCHED: u64 = 8 << 20;

/// A file that no longer changes: mapped, or read piece by piece where the system does not map it.
pub(crate) struct MappedFile {
    file: File,
    map: Option<Mmap>,
    length: u64,
}

impl MappedFile {
    /// Maps a file of the cache.
    pub(crate) fn new(file: File) -> io::Result<MappedFile> {
        let length = file.metadata()?.len();
        if length <= FETCHED {
            // One request instead of one for each part that is touched. A refusal changes nothing but speed.
            let _ = rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::WillNeed);
        }
        // SAFETY: the bytes are shared, and nobody changes them: the file is one of the cache, which are complete when they
        // are mapped and never written again (see above for what a stranger could do).
        let map = unsafe { Mmap::map(&file) }.ok().filter(|map| map.len() as u64 == length);
        Ok(MappedFile { file, map, length })
    }

    /// The same without a mapping, as where the system refuses one.
    #[cfg(test)]
    pub(crate) fn unmapped(file: File) -> io::Result<MappedFile> {
        let length = file.metadata()?.len();
        Ok(MappedFile { file, map: None, length })
    }

    /// Length in bytes.
    pub(crate) fn len(&self) -> u64 {
        self.length
    }

    /// `length` bytes from byte `at`.
    pub(crate) fn read(&self, at: u64, length: usize) -> io::Result<Cow<'_, [u8]>> {
        if at.checked_add(length as u64).is_none_or(|end| end > self.length) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if let Some(map) = &self.map {
            let at = at as usize;
            return Ok(Cow::Borrowed(&map[at..at + length]));
        }
        let mut bytes = vec![0; length];
        self.file.read_exact_at(&mut bytes, at)?;
        Ok(Cow::Owned(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn a_mapped_file_and_one_that_is_not_read_alike() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"0123456789").unwrap();
        let mapped = MappedFile::new(file.try_clone().unwrap()).unwrap();
        let unmapped = MappedFile::unmapped(file).unwrap();
        assert!(matches!(mapped.read(0, 1).unwrap(), Cow::Borrowed(_)));
        for file in [&mapped, &unmapped] {
            assert_eq!(file.len(), 10);
            assert_eq!(*file.read(3, 4).unwrap(), *b"3456");
            assert_eq!(*file.read(10, 0).unwrap(), *b"");
            assert!(file.read(8, 3).is_err());
            assert!(file.read(u64::MAX, 3).is_err());
        }
        let empty = MappedFile::new(tempfile::tempfile().unwrap()).unwrap();
        assert_eq!(*empty.read(0, 0).unwrap(), *b"");
    }
}

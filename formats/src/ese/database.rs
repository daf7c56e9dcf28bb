//! A database by its pages: whoever has the bytes gives them through [`DatabaseFile`], and [`Database`] hands out pages
//! that were verified.

use super::header::{DatabaseHeader, HeaderCopies};
use super::page::Page;
use super::page::checksum::{self, PageState};
use crate::error::{Error, Result};
use std::collections::BTreeSet;
use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

/// Bytes at the beginning of a database file that hold both copies of its header, whatever the page size.
pub const HEAD_LEN: usize = 64 << 10;
/// Pages that are kept to be used again: mostly the upper levels of trees.
const CACHED_PAGES: usize = 256;
const JET_READ_VERIFY_FAILURE: i32 = -1018;
const JET_PAGE_NOT_INITIALIZED: i32 = -1019;
pub(super) const JET_BEYOND_EOF: i32 = -4001;

/// Where the bytes of a database file come from: a file, a stream inside a backup set, memory.
pub trait DatabaseFile: Send + Sync {
    /// Length of the file, in bytes.
    fn len(&self) -> u64;

    /// Whether there is nothing in it.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Reads what stands at byte `offset` and answers how many bytes it was: less than the buffer is long only at the
    /// end of the file.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize>;

    /// Says that these ranges of bytes will be read soon. A file that is slow to reach fetches them in its own order.
    fn expect(&self, ranges: &[Range<u64>]) -> io::Result<()> {
        let _ = ranges;
        Ok(())
    }
}

impl<T: DatabaseFile + ?Sized> DatabaseFile for &T {
    fn len(&self) -> u64 {
        (**self).len()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        (**self).read_at(offset, buffer)
    }

    fn expect(&self, ranges: &[Range<u64>]) -> io::Result<()> {
        (**self).expect(ranges)
    }
}

impl<T: DatabaseFile + ?Sized> DatabaseFile for Box<T> {
    fn len(&self) -> u64 {
        (**self).len()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        (**self).read_at(offset, buffer)
    }

    fn expect(&self, ranges: &[Range<u64>]) -> io::Result<()> {
        (**self).expect(ranges)
    }
}

impl<T: DatabaseFile + ?Sized> DatabaseFile for Arc<T> {
    fn len(&self) -> u64 {
        (**self).len()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        (**self).read_at(offset, buffer)
    }

    fn expect(&self, ranges: &[Range<u64>]) -> io::Result<()> {
        (**self).expect(ranges)
    }
}

impl DatabaseFile for [u8] {
    fn len(&self) -> u64 {
        <[u8]>::len(self) as u64
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let rest = usize::try_from(offset).ok().and_then(|at| self.get(at..)).unwrap_or(&[]);
        let len = rest.len().min(buffer.len());
        buffer[..len].copy_from_slice(&rest[..len]);
        Ok(len)
    }
}

impl DatabaseFile for Vec<u8> {
    fn len(&self) -> u64 {
        self.as_slice().len() as u64
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.as_slice().read_at(offset, buffer)
    }
}

/// A database whose header was read. Gives out pages by number, each verified once it is read.
pub struct Database<F> {
    file: F,
    header: DatabaseHeader,
    copies: HeaderCopies,
    cache: Mutex<Vec<Option<(u32, PageBytes)>>>,
    corrected: Mutex<BTreeSet<u32>>,
}

/// The bytes of a verified page.
#[derive(Clone, Debug)]
pub struct PageBytes {
    pgno: u32,
    bytes: Arc<[u8]>,
}

impl PageBytes {
    /// Its number.
    pub fn pgno(&self) -> u32 {
        self.pgno
    }

    /// The page.
    pub fn view(&self) -> Page<'_> {
        Page::new(&self.bytes, self.pgno)
            .expect("the database's page size was checked when its header was read")
    }
}

impl<F: DatabaseFile> Database<F> {
    /// Reads the header. The error carries -1018 if both copies are bad, or is what reading gave.
    pub fn open(file: F) -> Result<Self> {
        let mut head = vec![0; HEAD_LEN];
        let len = file.read_at(0, &mut head).map_err(|source| Error::Read {
            object: "database header".into(),
            position: 0,
            source,
        })?;
        let (header, copies) = DatabaseHeader::find(head.get(..len).unwrap_or(&head))?;
        Ok(Self {
            file,
            header,
            copies,
            cache: Mutex::new(vec![None; CACHED_PAGES]),
            corrected: Mutex::default(),
        })
    }

    /// What the header says.
    pub fn header(&self) -> &DatabaseHeader {
        &self.header
    }

    /// Which copies of the header are good.
    pub fn header_copies(&self) -> HeaderCopies {
        self.copies
    }

    /// The file.
    pub fn file(&self) -> &F {
        &self.file
    }

    /// Page size, in bytes.
    pub fn page_size(&self) -> u32 {
        self.header.page_size
    }

    /// Number of the last whole page that the file has room for; the two header pages are not counted.
    pub fn last_page_in_file(&self) -> u32 {
        let pages = self.file.len() / u64::from(self.page_size());
        u32::try_from(pages.saturating_sub(2)).unwrap_or(u32::MAX)
    }

    /// Page `pgno`, verified; one flipped bit is put right, and the page is then among [`Self::corrected`]. The error
    /// names the page and carries -1018 for a bad checksum or a wrong page number, -1019 for a page of zeros, -4001 for a
    /// page that the file does not have.
    pub fn page(&self, pgno: u32) -> Result<PageBytes> {
        let slot = pgno as usize % CACHED_PAGES;
        let cached = |cache: &[Option<(u32, PageBytes)>]| match cache.get(slot) {
            Some(Some((number, page))) if *number == pgno => Some(page.clone()),
            _ => None,
        };
        if let Some(page) = cached(&self.cache.lock().unwrap_or_else(PoisonError::into_inner)) {
            return Ok(page);
        }
        let page = PageBytes { pgno, bytes: self.read(pgno)?.into() };
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = cache.get_mut(slot) {
            *place = Some((pgno, page.clone()));
        }
        Ok(page)
    }

    /// Pages in which one flipped bit was put right since the database was opened, in ascending order.
    pub fn corrected(&self) -> Vec<u32> {
        self.corrected.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().collect()
    }

    /// Says which pages will be read soon (see [`DatabaseFile::expect`]).
    pub fn expect(&self, pages: impl IntoIterator<Item = u32>) -> Result<()> {
        let size = u64::from(self.page_size());
        let range = |pgno| (u64::from(pgno) + 1) * size..(u64::from(pgno) + 2) * size;
        let ranges: Vec<_> = pages.into_iter().map(range).collect();
        let position = ranges.first().map_or(0, |range: &Range<u64>| range.start);
        self.file.expect(&ranges).map_err(|source| Error::Read {
            object: "database".into(),
            position,
            source,
        })
    }

    fn read(&self, pgno: u32) -> Result<Vec<u8>> {
        let (bytes, was_corrected) = read_page(&self.file, self.page_size(), pgno)?;
        if was_corrected {
            self.corrected.lock().unwrap_or_else(PoisonError::into_inner).insert(pgno);
        }
        Ok(bytes)
    }
}

/// Reads page `pgno` of a file and verifies it; says whether one flipped bit was put right. The errors are those of
/// [`Database::page`].
pub(super) fn read_page(
    file: &(impl DatabaseFile + ?Sized),
    page_size: u32,
    pgno: u32,
) -> Result<(Vec<u8>, bool)> {
    let size = page_size as usize;
    let position = (u64::from(pgno) + 1) * u64::from(page_size);
    let object = || format!("page {pgno}");
    let mut bytes = vec![0; size];
    let len = file.read_at(position, &mut bytes).map_err(|source| Error::Read {
        object: object(),
        position,
        source,
    })?;
    if pgno == 0 || len < size {
        return Err(not_in_file(pgno));
    }
    match checksum::verify(&bytes, pgno) {
        PageState::Good => Ok((bytes, false)),
        PageState::Zero => Err(not_initialized(pgno)),
        PageState::Correctable { bit } => {
            checksum::flip(&mut bytes, bit);
            Ok((bytes, true))
        }
        PageState::Bad(bad) => Err(Error::format(object(), 0, bad, "a page that matches its checksum")
            .with_jet(JET_READ_VERIFY_FAILURE)),
    }
}

/// What reading a page behind the end of the file gives.
pub(super) fn not_in_file(pgno: u32) -> Error {
    Error::format(format_args!("page {pgno}"), 0, "no such page in the file", "a page inside the file")
        .with_jet(JET_BEYOND_EOF)
}

/// What reading a page of zeros gives.
pub(super) fn not_initialized(pgno: u32) -> Error {
    Error::format(format_args!("page {pgno}"), 0, "zeros only", "a page in use")
        .with_jet(JET_PAGE_NOT_INITIALIZED)
}

//! The pages of one database while it is being rebuilt: read when first wanted, changed in memory, written in the order of
//! their numbers. Memory is bounded; what was not used of late gives way.

use super::counts::PageCounts;
use crate::error::{Error, Result};
use crate::ese::database::{DatabaseFile, JET_BEYOND_EOF, read_page};
use crate::ese::page::checksum;
use crate::ese::page::edit::EditPage;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{BuildHasherDefault, Hasher};
use std::io;

/// Fewest pages that are held: more than any one record touches.
const MIN_PAGES: usize = 64;
/// Pages given to the file at a time.
const WRITE_BATCH: usize = 256;

/// A database file that can be written: the copy of the base that becomes the rebuilt database.
pub trait RebuildFile: DatabaseFile {
    /// Writes at byte `offset`; the file grows where that is past its end.
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()>;

    /// Makes the file `len` bytes long.
    fn set_len(&self, len: u64) -> io::Result<()>;

    /// Stores the checksum of each page (numbers with pages, in ascending order) and writes them. A file that can do
    /// this on several cores overrides it.
    fn write_pages(&self, pages: &mut [(u32, &mut [u8])]) -> io::Result<()> {
        for (pgno, bytes) in pages {
            checksum::store(bytes, *pgno).map_err(io::Error::other)?;
            self.write_at((u64::from(*pgno) + 1) * bytes.len() as u64, bytes)?;
        }
        Ok(())
    }
}

struct Cached {
    page: EditPage,
    is_dirty: bool,
    /// Used since the last time that pages gave way.
    is_recent: bool,
}

/// Page numbers need no defence against chosen keys: a table of them is bounded by the pages held.
#[derive(Default)]
pub(super) struct PgnoHasher(u64);

impl Hasher for PgnoHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u32(u32::from(*byte));
        }
    }

    fn write_u32(&mut self, number: u32) {
        // Both halves of a table's hash must spread: multiplied by the golden ratio, high bits folded down.
        let product = (self.0 ^ u64::from(number)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        self.0 = product ^ product >> 32;
    }
}

/// The pages of one database.
pub(super) struct Pages {
    file: Box<dyn RebuildFile>,
    page_size: u32,
    limit: usize,
    cached: HashMap<u32, Cached, BuildHasherDefault<PgnoHasher>>,
    pub counts: PageCounts,
}

impl Pages {
    /// The pages of `file`; at most `memory` bytes of them are held.
    pub fn new(file: Box<dyn RebuildFile>, page_size: u32, memory: u64) -> Self {
        let mut pages = Self {
            file,
            page_size,
            limit: MIN_PAGES,
            cached: HashMap::default(),
            counts: PageCounts::default(),
        };
        pages.set_memory(memory);
        pages
    }

    /// Holds at most `memory` bytes of pages from now on.
    pub fn set_memory(&mut self, memory: u64) {
        let pages = usize::try_from(memory / u64::from(self.page_size + 128)).unwrap_or(usize::MAX);
        self.limit = pages.max(MIN_PAGES);
    }

    pub fn file(&self) -> &dyn RebuildFile {
        &*self.file
    }

    pub fn page_size(&self) -> u32 {
        self.page_size
    }

    /// Page `pgno`. The errors are those of [`crate::ese::database::Database::page`].
    pub fn read(&mut self, pgno: u32) -> Result<&EditPage> {
        Ok(&self.hold(pgno)?.page)
    }

    /// Page `pgno`, to change.
    pub fn edit(&mut self, pgno: u32) -> Result<&mut EditPage> {
        let held = self.hold(pgno)?;
        held.is_dirty = true;
        Ok(&mut held.page)
    }

    /// Page `pgno`, to look at and then perhaps to change: `change` is told its update counter.
    pub fn edit_if(
        &mut self,
        pgno: u32,
        change: impl FnOnce(u64) -> Result<bool>,
    ) -> Result<Option<&mut EditPage>> {
        let held = self.hold(pgno)?;
        if !change(held.page.dbtime())? {
            return Ok(None);
        }
        held.is_dirty = true;
        Ok(Some(&mut held.page))
    }

    /// The update counter of page `pgno`, if it can be read as a page.
    pub fn dbtime_if_readable(&mut self, pgno: u32) -> Result<Option<u64>> {
        match self.read(pgno) {
            Ok(page) => Ok(Some(page.dbtime())),
            Err(error @ Error::Read { .. }) => Err(error),
            Err(_) => Ok(None),
        }
    }

    /// Puts a new page in its place.
    pub fn install(&mut self, page: EditPage) -> Result<()> {
        let pgno = page.pgno();
        self.make_room()?;
        self.cached.insert(pgno, Cached { page, is_dirty: true, is_recent: true });
        Ok(())
    }

    /// Writes what was changed.
    pub fn flush(&mut self) -> Result<()> {
        let mut dirty: Vec<_> = self.cached.iter_mut().filter(|(_, held)| held.is_dirty).collect();
        dirty.sort_unstable_by_key(|(pgno, _)| **pgno);
        for batch in dirty.chunks_mut(WRITE_BATCH) {
            let mut pages: Vec<_> =
                batch.iter_mut().map(|(pgno, held)| (**pgno, held.page.bytes_mut())).collect();
            write(&*self.file, &mut pages, self.page_size)?;
            self.counts.written += pages.len() as u64;
        }
        dirty.iter_mut().for_each(|(_, held)| held.is_dirty = false);
        Ok(())
    }

    /// Makes the file end behind page `last`. Pages held behind it are forgotten.
    pub fn set_last_page(&mut self, last: u32) -> Result<()> {
        let end = (u64::from(last) + 2) * u64::from(self.page_size);
        if end < self.file.len() {
            self.cached.retain(|pgno, _| *pgno <= last);
        }
        let set = |source| Error::Read { object: "database".into(), position: end, source };
        if end == self.file.len() { Ok(()) } else { self.file.set_len(end).map_err(set) }
    }

    /// Makes the file at least long enough for page `last`.
    pub fn extend_to(&mut self, last: u32) -> Result<()> {
        let end = (u64::from(last) + 2) * u64::from(self.page_size);
        if end > self.file.len() { self.set_last_page(last) } else { Ok(()) }
    }

    fn hold(&mut self, pgno: u32) -> Result<&mut Cached> {
        if self.cached.len() >= self.limit && !self.cached.contains_key(&pgno) {
            self.make_room()?;
        }
        match self.cached.entry(pgno) {
            Entry::Occupied(held) => {
                let held = held.into_mut();
                held.is_recent = true;
                Ok(held)
            }
            Entry::Vacant(place) => {
                let page = load(&*self.file, self.page_size, pgno, &mut self.counts)?;
                Ok(place.insert(Cached { page, is_dirty: false, is_recent: true }))
            }
        }
    }

    /// Lets pages that were not used since the last time give way, once there are too many.
    fn make_room(&mut self) -> Result<()> {
        if self.cached.len() < self.limit {
            return Ok(());
        }
        self.flush()?;
        let (mut kept, half) = (0, self.limit / 2);
        self.cached.retain(|_, held| {
            let keep = held.is_recent && kept < half;
            kept += usize::from(keep);
            held.is_recent = false;
            keep
        });
        Ok(())
    }
}

fn write(file: &dyn RebuildFile, pages: &mut [(u32, &mut [u8])], page_size: u32) -> Result<()> {
    let first = pages.first().map_or(0, |(pgno, _)| *pgno);
    file.write_pages(pages).map_err(|source| Error::Write {
        object: format!("page {first}"),
        position: (u64::from(first) + 1) * u64::from(page_size),
        source,
    })
}

fn load(file: &dyn RebuildFile, page_size: u32, pgno: u32, counts: &mut PageCounts) -> Result<EditPage> {
    let read = read_page(file, page_size, pgno);
    let was_there = match &read {
        Ok(_) => true,
        Err(error) => error.jet().is_some_and(|jet| jet != JET_BEYOND_EOF),
    };
    counts.read += u64::from(was_there);
    let (bytes, was_corrected) = read?;
    counts.corrected += u64::from(was_corrected);
    EditPage::new(bytes.into(), pgno)
}

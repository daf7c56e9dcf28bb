//! The pages of one database while it is being rebuilt: read when first wanted, changed in memory, written in the order of
//! their numbers. Memory is bounded; what was not used of late gives way.
//!
//! Whoever has the pages to himself asks for one after the other. Several threads at once change pages that were
//! [reserved](Pages::reserve) before, each under a lock of its own; nothing gives way and nothing is written meanwhile.

use super::counts::PageCounts;
use crate::error::{Error, Result};
use crate::ese::database::{DatabaseFile, JET_BEYOND_EOF, not_in_file, not_initialized, read_page};
use crate::ese::page::checksum;
use crate::ese::page::edit::EditPage;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// Fewest pages that are held: more than any one step touches.
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

/// Room for a page: empty until the page was wanted and could be read, or was made.
type Slot = Mutex<Option<Cached>>;

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
    slots: HashMap<u32, Slot, BuildHasherDefault<PgnoHasher>>,
    /// Where the file ended when it was opened, or what was written behind it ends, in bytes. What the file has beyond is
    /// zeros that need not be read.
    written_end: u64,
    read: AtomicU64,
    corrected: AtomicU64,
    written: u64,
}

impl Pages {
    /// The pages of `file`; at most `memory` bytes of them are held.
    pub fn new(file: Box<dyn RebuildFile>, page_size: u32, memory: u64) -> Self {
        let mut pages = Self {
            written_end: file.len(),
            file,
            page_size,
            limit: MIN_PAGES,
            slots: HashMap::default(),
            read: AtomicU64::new(0),
            corrected: AtomicU64::new(0),
            written: 0,
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

    /// How often pages were read and written so far.
    pub fn counts(&self) -> PageCounts {
        PageCounts {
            read: self.read.load(Ordering::Relaxed),
            written: self.written,
            corrected: self.corrected.load(Ordering::Relaxed),
        }
    }

    /// Most pages that can be reserved at once: half of those held, so that what was used of late need not give way.
    pub fn reservable(&self) -> usize {
        self.limit / 2
    }

    /// Gives these pages room, at most [`Self::reservable`], so that they can be used by several threads. Once there are
    /// too many, what was changed is written, and pages that were not used since the last time give way.
    pub fn reserve(&mut self, pgnos: impl Iterator<Item = u32> + Clone) -> Result<()> {
        let missing = pgnos.clone().filter(|pgno| !self.slots.contains_key(pgno)).count();
        if self.slots.len() + missing > self.limit {
            self.flush()?;
            let wanted: Vec<_> =
                pgnos.clone().filter_map(|pgno| Some((pgno, self.slots.remove(&pgno)?))).collect();
            let (mut kept, half) = (0, self.limit / 2);
            self.slots.retain(|_, slot| {
                let is_recent = in_slot(slot).is_some_and(|held| std::mem::take(&mut held.is_recent));
                let keep = is_recent && kept < half;
                kept += usize::from(keep);
                keep
            });
            self.slots.extend(wanted);
        }
        for pgno in pgnos {
            self.slots.entry(pgno).or_default();
        }
        Ok(())
    }

    /// Takes back the room of reserved pages that could not be read.
    pub fn release(&mut self, pgnos: impl Iterator<Item = u32>) {
        for pgno in pgnos {
            if self.slots.get_mut(&pgno).is_some_and(|slot| in_slot(slot).is_none()) {
                self.slots.remove(&pgno);
            }
        }
    }

    /// Gives reserved page `pgno` to `work`. The errors are those of [`crate::ese::database::Database::page`].
    pub fn with<T>(&self, pgno: u32, work: impl FnOnce(&EditPage) -> Result<T>) -> Result<T> {
        self.in_reserved(pgno, |held| work(&held.page))
    }

    /// Gives reserved page `pgno` to `change`, if `is_wanted` wants that when it is told the page's update counter.
    pub fn change_if<T>(
        &self,
        pgno: u32,
        is_wanted: impl FnOnce(u64) -> Result<bool>,
        change: impl FnOnce(&mut EditPage) -> Result<T>,
    ) -> Result<Option<T>> {
        self.in_reserved(pgno, |held| {
            if !is_wanted(held.page.dbtime())? {
                return Ok(None);
            }
            held.is_dirty = true;
            change(&mut held.page).map(Some)
        })
    }

    /// Puts a new page in the room that was reserved for it.
    pub fn install(&self, page: EditPage) -> Result<()> {
        let slot = self.reserved(page.pgno())?;
        *slot.lock().unwrap_or_else(PoisonError::into_inner) =
            Some(Cached { page, is_dirty: true, is_recent: true });
        Ok(())
    }

    fn in_reserved<T>(&self, pgno: u32, work: impl FnOnce(&mut Cached) -> Result<T>) -> Result<T> {
        let mut slot = self.reserved(pgno)?.lock().unwrap_or_else(PoisonError::into_inner);
        let held = match slot.take() {
            Some(held) => held,
            None => self.load(pgno)?,
        };
        let held = slot.insert(held);
        held.is_recent = true;
        work(held)
    }

    fn reserved(&self, pgno: u32) -> Result<&Slot> {
        self.slots.get(&pgno).ok_or_else(|| {
            Error::format(
                format_args!("page {pgno}"),
                0,
                "a page that was not reserved",
                "a page of the step",
            )
        })
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

    fn hold(&mut self, pgno: u32) -> Result<&mut Cached> {
        let held = match self
            .slots
            .get_mut(&pgno)
            .and_then(|slot| slot.get_mut().unwrap_or_else(PoisonError::into_inner).take())
        {
            Some(held) => held,
            None => {
                self.reserve(std::iter::once(pgno))?;
                self.load(pgno).inspect_err(|_| {
                    self.slots.remove(&pgno);
                })?
            }
        };
        let slot = self.slots.entry(pgno).or_default();
        let held = slot.get_mut().unwrap_or_else(PoisonError::into_inner).insert(held);
        held.is_recent = true;
        Ok(held)
    }

    /// Writes what was changed.
    pub fn flush(&mut self) -> Result<()> {
        let held = self.slots.iter_mut().filter_map(|(pgno, slot)| Some((*pgno, in_slot(slot)?)));
        let mut dirty: Vec<_> = held.filter(|(_, held)| held.is_dirty).collect();
        dirty.sort_unstable_by_key(|(pgno, _)| *pgno);
        for batch in dirty.chunks_mut(WRITE_BATCH) {
            let mut pages: Vec<_> =
                batch.iter_mut().map(|(pgno, held)| (*pgno, held.page.bytes_mut())).collect();
            write(&*self.file, &mut pages, self.page_size)?;
            self.written += pages.len() as u64;
            let last = pages.last().map_or(0, |(pgno, _)| *pgno);
            self.written_end = self.written_end.max(end_of(last, self.page_size));
        }
        dirty.iter_mut().for_each(|(_, held)| held.is_dirty = false);
        Ok(())
    }

    /// Makes the file end behind page `last`. Pages held behind it are forgotten.
    pub fn set_last_page(&mut self, last: u32) -> Result<()> {
        let end = end_of(last, self.page_size);
        if end < self.file.len() {
            self.slots.retain(|pgno, _| *pgno <= last);
        }
        let set = |source| Error::Read { object: "database".into(), position: end, source };
        if end == self.file.len() { Ok(()) } else { self.file.set_len(end).map_err(set) }
    }

    /// Makes the file at least long enough for page `last`.
    pub fn extend_to(&mut self, last: u32) -> Result<()> {
        let end = end_of(last, self.page_size);
        if end > self.file.len() { self.set_last_page(last) } else { Ok(()) }
    }

    fn load(&self, pgno: u32) -> Result<Cached> {
        let end = end_of(pgno, self.page_size);
        if end - u64::from(self.page_size) >= self.written_end {
            return Err(if end > self.file.len() { not_in_file(pgno) } else { not_initialized(pgno) });
        }
        let read = read_page(&*self.file, self.page_size, pgno);
        let was_there = match &read {
            Ok(_) => true,
            Err(error) => error.jet().is_some_and(|jet| jet != JET_BEYOND_EOF),
        };
        self.read.fetch_add(u64::from(was_there), Ordering::Relaxed);
        let (bytes, was_corrected) = read?;
        self.corrected.fetch_add(u64::from(was_corrected), Ordering::Relaxed);
        Ok(Cached { page: EditPage::new(bytes.into(), pgno)?, is_dirty: false, is_recent: true })
    }
}

/// The update counter of a page that was asked for, if it can be read as a page.
pub(super) fn if_readable(dbtime: Result<u64>) -> Result<Option<u64>> {
    match dbtime {
        Ok(dbtime) => Ok(Some(dbtime)),
        Err(error @ Error::Read { .. }) => Err(error),
        Err(_) => Ok(None),
    }
}

/// Where a page ends in the file, in bytes: two pages of header stand before page 1.
fn end_of(pgno: u32, page_size: u32) -> u64 {
    (u64::from(pgno) + 2) * u64::from(page_size)
}

fn in_slot(slot: &mut Slot) -> Option<&mut Cached> {
    slot.get_mut().unwrap_or_else(PoisonError::into_inner).as_mut()
}

fn write(file: &dyn RebuildFile, pages: &mut [(u32, &mut [u8])], page_size: u32) -> Result<()> {
    let first = pages.first().map_or(0, |(pgno, _)| *pgno);
    file.write_pages(pages).map_err(|source| Error::Write {
        object: format!("page {first}"),
        position: (u64::from(first) + 1) * u64::from(page_size),
        source,
    })
}

//! One of the two databases of a comparison, as digests of its pages.

use crate::database::LocalFile;
use crate::digest::{self, Digest};
use crate::error::{Class, Error, Result};
use crate::restore::read_at::{Promise, ReadAtStats, StoredStream};
use reel_formats::ese::database::{Database, DatabaseFile};
use reel_formats::ese::page::checksum::is_zero;
use reel_tape::layout::recipe::{Cut, Recognised};
use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Bytes that a thread reads and hashes at a time.
const STRETCH: u64 = 1 << 20;
/// Stands for a page of zeros.
const ZEROS: Digest = [0; 32];

/// A database that is compared: a file, or a stream of a set.
#[derive(Clone)]
pub struct Side {
    name: String,
    page_size: u32,
    source: Source,
}

#[derive(Clone)]
enum Source {
    File(Arc<LocalFile>),
    Stream(Arc<StoredStream>),
}

impl Side {
    /// A file.
    ///
    /// # Errors
    /// When it cannot be read, or both copies of its header are bad.
    pub fn file(path: &Path) -> Result<Side> {
        let name = path.display().to_string();
        let file = Arc::new(LocalFile::open(path)?);
        let database = Database::open(file.clone()).map_err(|e| Error::inside(&name, e))?;
        let page_size = database.page_size();
        Ok(Side { name, page_size, source: Source::File(file) })
    }

    /// A stream of a set. Nothing of it is read.
    ///
    /// # Errors
    /// When it was not recognised as an ESE database when it was backed up.
    pub fn stream(stream: Arc<StoredStream>) -> Result<Side> {
        let name = format!("{} in set {}", String::from_utf8_lossy(&stream.head().name), stream.set());
        let Recognised::EseDatabase(page_size) = stream.head().recognised else {
            let sentence = "it was not recognised as an ESE database when it was backed up";
            return Err(Error::new(Class::Argument, name, sentence));
        };
        Ok(Side { name, page_size, source: Source::Stream(stream) })
    }

    /// How messages name it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Page size in bytes.
    pub fn page_size(&self) -> u32 {
        self.page_size
    }

    /// What was read of it so far, where it is a stream of a set.
    pub fn stats(&self) -> Option<ReadAtStats> {
        match &self.source {
            Source::File(_) => None,
            Source::Stream(stream) => Some(stream.stats()),
        }
    }

    /// Its bytes.
    pub(super) fn bytes(&self) -> &dyn DatabaseFile {
        match &self.source {
            Source::File(file) => file,
            Source::Stream(stream) => stream,
        }
    }

    /// Pages that the file has room for, header pages and a part of a page at the end included.
    pub(super) fn file_pages(&self) -> u64 {
        self.bytes().len().div_ceil(u64::from(self.page_size))
    }

    /// Digests of pages, counted from the beginning of the file; `None` for a page that is lost. Those of a stream whose
    /// chunks are pages are in the catalogs; otherwise the pages are read, and hashed on `threads` threads.
    pub(super) fn digests(&self, pages: Range<u64>, threads: usize) -> Result<Vec<Option<Digest>>> {
        match &self.source {
            Source::Stream(stream) if stream.head().cut == Cut::Pages(self.page_size) => {
                self.promised(stream, &pages)
            }
            _ => self.hashed(pages, threads),
        }
    }

    fn promised(&self, stream: &StoredStream, pages: &Range<u64>) -> Result<Vec<Option<Digest>>> {
        let size = u64::from(self.page_size);
        let mut digests = vec![None; (pages.end - pages.start) as usize];
        let bytes = pages.start * size..(pages.end * size).min(stream.len());
        stream.promises(bytes, |at, length, promise| {
            let digest = match promise {
                // A chunk that is no page, of which there are none, says nothing of the pages in it.
                Promise::Chunk(digest) => {
                    let whole = length == size || at + length == stream.len();
                    Some(digest).filter(|_| at.is_multiple_of(size) && whole)
                }
                Promise::Zeros => Some(ZEROS),
                Promise::Unknown => None,
            };
            for page in at / size..(at + length).div_ceil(size) {
                let place = page.checked_sub(pages.start).and_then(|place| digests.get_mut(place as usize));
                if let Some(place) = place {
                    *place = digest;
                }
            }
            Ok(())
        })?;
        Ok(digests)
    }

    fn hashed(&self, pages: Range<u64>, threads: usize) -> Result<Vec<Option<Digest>>> {
        let size = u64::from(self.page_size);
        let mut digests = vec![None; (pages.end - pages.start) as usize];
        // What fails here fails again where it is read.
        let _ = self.bytes().expect(&[pages.start * size..pages.end * size]);
        let stretch = (STRETCH / size).max(1) as usize;
        let stretches: Vec<_> = digests.chunks_mut(stretch).map(Mutex::new).collect();
        let taken = AtomicUsize::new(0);
        let work = || -> Result<()> {
            let mut buffer = vec![0; stretch * size as usize];
            loop {
                let number = taken.fetch_add(1, Ordering::Relaxed);
                let Some(stretch_digests) = stretches.get(number) else { return Ok(()) };
                let mut places = stretch_digests.lock().unwrap_or_else(PoisonError::into_inner);
                let first = pages.start + (number * stretch) as u64;
                self.hash_stretch(first, &mut buffer, &mut places)?;
            }
        };
        std::thread::scope(|scope| {
            let workers: Vec<_> = (0..threads.max(1)).map(|_| scope.spawn(work)).collect();
            workers
                .into_iter()
                .try_for_each(|w| w.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
        })?;
        drop(stretches);
        Ok(digests)
    }

    fn hash_stretch(&self, first: u64, buffer: &mut [u8], places: &mut [Option<Digest>]) -> Result<()> {
        let size = self.page_size as usize;
        let buffer = buffer.get_mut(..places.len() * size).unwrap_or_default();
        let hash = |page: &[u8]| Some(if is_zero(page) { ZEROS } else { digest::of(page) });
        let at = first * u64::from(self.page_size);
        match self.bytes().read_at(at, buffer) {
            Ok(count) => {
                let pages = buffer.get(..count).unwrap_or_default().chunks(size);
                let data: Vec<&[u8]> = pages.clone().filter(|page| !is_zero(page)).collect();
                let mut digests = Vec::with_capacity(data.len());
                digest::of_each(&data, &mut digests);
                let mut digests = digests.into_iter();
                for (place, page) in places.iter_mut().zip(pages) {
                    *place = if is_zero(page) { Some(ZEROS) } else { digests.next() };
                }
                Ok(())
            }
            Err(error) if matches!(self.source, Source::File(_)) => {
                Err(Error::io(&self.name, "cannot read", error).at(at))
            }
            // Something of the stream is damaged: the pages one by one, so that only those are lost.
            Err(_) => {
                let mut page = vec![0; size];
                for (number, place) in (0..).zip(places.iter_mut()) {
                    let read = self.bytes().read_at(at + number * size as u64, &mut page);
                    *place = read.ok().and_then(|count| hash(page.get(..count)?));
                }
                Ok(())
            }
        }
    }
}

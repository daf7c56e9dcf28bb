//! An image that is read: what its medium expects to be read next is fetched by direct requests, if the image does not lie in the page
//! cache, and all else through the page cache.
//!
//! The medium says what comes next only where it is read in order, and how far. Whatever a direct request does not give, plain
//! reading gives, with plain reading's errors.

use super::uring::{Buffer, Pages, Ring};
use super::{Io, reopen, warm};
use crate::error::{Class, Error, Result};
use reel_tape::medium::simh::Store;
use rustix::fs::OFlags;
use std::cell::{OnceCell, RefCell};
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

/// Bytes of a block: one request. A multiple of every device's sector.
const BLOCK: u64 = 256 << 10;
/// Blocks that are fetched or wait to be read: the 8 MiB that a medium is ahead of its reader, those at both ends, and what it
/// reads. [`memory`](crate::memory) counts them among the medium's buffers.
const BLOCKS: u16 = 36;

/// An image file that is open for reading.
pub(crate) struct StoredImage {
    file: File,
    io: Io,
    /// Made when something is expected first. Behind a cell because a reader moves it on.
    fetching: OnceCell<Option<RefCell<Fetching>>>,
}

impl StoredImage {
    /// Opens the image at `path`.
    ///
    /// # Errors
    /// When it cannot be opened or is no regular file.
    pub fn open(path: &Path, io: Io) -> Result<StoredImage> {
        let object = || path.display().to_string();
        let failed = |e| Error::io(object(), "cannot open for reading", e);
        let file = File::open(path).map_err(failed)?;
        if !file.metadata().map_err(failed)?.is_file() {
            return Err(Error::new(Class::State, object(), "not a regular file"));
        }
        Ok(StoredImage { file, io, fetching: OnceCell::new() })
    }

    fn fetching(&self) -> Option<Fetching> {
        let wanted = match self.io {
            Io::Auto => !warm::is_warm(&self.file, self.file.metadata().ok()?.len()),
            Io::Uring => true,
            Io::Plain | Io::Mmap => false,
        };
        if !wanted {
            return None;
        }
        Fetching::new(reopen(&self.file, OpenOptions::new().read(true), OFlags::DIRECT).ok()?).ok()
    }
}

impl Store for StoredImage {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        let fetching = self.fetching.get().and_then(Option::as_ref);
        let fetched = fetching.map_or(0, |fetching| fetching.borrow_mut().read(offset, buf));
        if fetched > 0 { Ok(fetched) } else { FileExt::read_at(&self.file, buf, offset) }
    }

    fn write_at(&mut self, _: u64, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::PermissionDenied.into())
    }

    fn length(&self) -> io::Result<u64> {
        Store::length(&self.file)
    }

    fn truncate(&mut self, _: u64) -> io::Result<()> {
        Err(io::ErrorKind::PermissionDenied.into())
    }

    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn expected(&self, offset: u64, length: u64) {
        if length >= BLOCK
            && let Some(fetching) = self.fetching.get_or_init(|| self.fetching().map(RefCell::new))
        {
            fetching.borrow_mut().fetch(offset..offset.saturating_add(length));
        } else {
            self.file.expected(offset, length);
        }
    }
}

/// Blocks of an image that are fetched.
struct Fetching {
    ring: Ring<u64>,
    direct: Arc<File>,
    free: Vec<Buffer>,
    /// By number; those without a buffer are with the kernel.
    blocks: BTreeMap<u64, Option<(Buffer, usize)>>,
    /// The block that was read last.
    reading: u64,
    /// A direct request failed: nothing is fetched any more.
    refused: bool,
}

impl Fetching {
    fn new(direct: File) -> io::Result<Fetching> {
        let (ring, free) = Ring::new(BLOCKS, BLOCK as usize, Pages::Huge)?;
        let blocks = BTreeMap::new();
        Ok(Fetching { ring, direct: Arc::new(direct), free, blocks, reading: 0, refused: false })
    }

    /// Asks the kernel for the blocks of a range that are not here, as far as there are buffers. What lies before the reader or
    /// behind the range is expected no more.
    fn fetch(&mut self, range: Range<u64>) {
        let wanted = range.start / BLOCK..range.end.div_ceil(BLOCK);
        self.land();
        let reading = self.reading;
        self.forget(|block| block < reading || block >= wanted.end);
        for block in wanted {
            if self.refused || self.blocks.contains_key(&block) {
                continue;
            }
            let Some(buffer) = self.free.pop() else { break };
            match self.ring.read(buffer, self.direct.clone(), block * BLOCK, BLOCK as usize, block) {
                Ok(()) => drop(self.blocks.insert(block, None)),
                Err((buffer, _)) => self.free.push(buffer),
            }
        }
        self.ring.submit();
    }

    /// Reads what is here of a block that is fetched; 0: it is not.
    fn read(&mut self, offset: u64, buf: &mut [u8]) -> usize {
        let (block, inside) = (offset / BLOCK, (offset % BLOCK) as usize);
        self.reading = block;
        self.land();
        while let Some(None) = self.blocks.get(&block) {
            if self.ring.waiter().wait().is_err() {
                self.refused = true;
                return 0;
            }
            self.land();
        }
        let Some(Some((buffer, length))) = self.blocks.get(&block) else { return 0 };
        let here = buffer.bytes().get(inside..*length).unwrap_or_default();
        let taken = here.len().min(buf.len());
        buf[..taken].copy_from_slice(&here[..taken]);
        if inside + taken == BLOCK as usize {
            self.forget(|number| number == block);
        }
        taken
    }

    /// Takes what the kernel has done.
    fn land(&mut self) {
        let Fetching { ring, free, blocks, refused, .. } = self;
        ring.land(|landed| match landed.result {
            Ok(length) => drop(blocks.insert(landed.tag, Some((landed.buffer, length)))),
            Err(_) => {
                blocks.remove(&landed.tag);
                free.push(landed.buffer);
                *refused = true;
            }
        });
    }

    /// Frees the buffers of blocks that are here.
    fn forget(&mut self, which: impl Fn(u64) -> bool) {
        let gone = self.blocks.extract_if(.., |block, here| here.is_some() && which(*block));
        self.free.extend(gone.filter_map(|(_, here)| here.map(|(buffer, _)| buffer)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LENGTH: usize = (20 << 20) + 12_345;

    fn image(folder: &Path) -> (std::path::PathBuf, Vec<u8>) {
        let mut bytes = vec![0; LENGTH];
        blake3::Hasher::new().update(b"stored").finalize_xof().fill(&mut bytes);
        let path = folder.join("image");
        std::fs::write(&path, &bytes).unwrap();
        (path, bytes)
    }

    /// Reads as a medium does: some bytes at a place, in as many reads as it takes.
    fn check(image: &StoredImage, bytes: &[u8], offset: usize, length: usize) {
        let expected = &bytes[offset..LENGTH.min(offset + length)];
        let mut found = vec![0; expected.len()];
        let mut done = 0;
        while done < found.len() {
            match image.read_at((offset + done) as u64, &mut found[done..]).unwrap() {
                0 => panic!("nothing at {}", offset + done),
                taken => done += taken,
            }
        }
        assert!(found == expected, "{length} bytes at {offset}");
    }

    #[test]
    fn what_is_expected_and_what_is_not_reads_as_the_file_says_by_every_way() {
        let folder = tempfile::tempdir().unwrap();
        let (path, bytes) = image(folder.path());
        for io in [Io::Plain, Io::Auto, Io::Uring] {
            let image = StoredImage::open(&path, io).unwrap();
            for round in 0..3 {
                // In order, now and then over a gap, up to a place in the middle or to the end.
                let step = (100 << 10) * (round + 3);
                for offset in (0..LENGTH - round * 1_000_000).step_by(step + round * 5_000) {
                    image.expected((offset + step) as u64, 4 << 20);
                    check(&image, &bytes, offset, step);
                }
                // Here and there, and backwards.
                for place in [19 << 20, 3, (7 << 20) - 5, 6 << 20, LENGTH - 3] {
                    check(&image, &bytes, place, 70_001);
                    image.expected(place as u64, 12);
                }
            }
            assert_eq!(image.read_at(LENGTH as u64, &mut [0; 10]).unwrap(), 0);
        }
    }

    #[test]
    fn blocks_are_under_way_before_they_are_read_and_those_left_behind_are_freed() {
        let folder = tempfile::tempdir().unwrap();
        let (path, bytes) = image(folder.path());
        let image = StoredImage::open(&path, Io::Uring).unwrap();
        image.expected(0, 4 << 20);
        let Some(Some(fetching)) = image.fetching.get() else {
            eprintln!(
                "skipped: blocks_are_under_way_...: the system gives no io_uring or no direct requests"
            );
            return;
        };
        let here = || fetching.borrow().blocks.len();
        assert_eq!(here(), 16);
        check(&image, &bytes, 0, 1 << 20);
        assert_eq!(here(), 12);
        // The reader passes over a MiB, and goes on somewhere else.
        check(&image, &bytes, 2 << 20, 2 << 20);
        image.expected(4 << 20, 1 << 20);
        assert_eq!(here(), 4);
        check(&image, &bytes, 4 << 20, 1 << 20);
        assert_eq!(here(), 0);
        image.expected(5 << 20, 100 << 20);
        check(&image, &bytes, 12 << 20, 300_000);
        image.expected(13 << 20, 2 << 20);
        check(&image, &bytes, 13 << 20, 2 << 20);
        let fetching = fetching.borrow();
        assert_eq!(fetching.free.len() + fetching.blocks.len(), usize::from(BLOCKS));
    }

    #[test]
    fn what_a_direct_request_does_not_give_is_read_plainly() {
        let folder = tempfile::tempdir().unwrap();
        let (path, bytes) = image(folder.path());
        let image = StoredImage::open(&path, Io::Uring).unwrap();
        // Open for writing only: every direct read is refused.
        let refusing = File::options().write(true).open(&path).unwrap();
        let Ok(fetching) = Fetching::new(refusing) else {
            eprintln!("skipped: what_a_direct_request_does_not_give_...: the system gives no io_uring");
            return;
        };
        assert!(image.fetching.set(Some(RefCell::new(fetching))).is_ok());
        for offset in (0..LENGTH).step_by(1 << 20) {
            image.expected(offset as u64, 2 << 20);
            check(&image, &bytes, offset, 1 << 20);
        }
        let fetching = image.fetching.get().and_then(Option::as_ref);
        assert!(fetching.is_some_and(|fetching| fetching.borrow().refused));
    }
}

//! An image that grows: whole sectors go to the disk by direct requests behind the writer's back, the rest through the page
//! cache.
//!
//! One request is under way at a time, as long as what waits, so that the file is at every moment what a single `write(2)`
//! after the other would have made of it: a run that is killed leaves a beginning of its image, never a later part behind
//! a gap. Requests side by side could do that, for the file has its new length as soon as any of them is done.

use super::Io;
use super::uring::{Buffer, Landed, Pages, Ring};
use crate::error::{Class, Error, Result};
use reel_tape::medium::simh::Store;
use rustix::fs::OFlags;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;

/// Longest request, which a disk takes as several at once, and how many of them there is room for: one under way, one that
/// waits, one that is filled. [`memory`](crate::memory) counts them among the medium's buffers. Shorter ones than `LEAST` are
/// sent only when they are waited for.
const REQUEST: usize = 4 << 20;
const LEAST: usize = 1 << 20;
const REQUESTS: u16 = 3;
/// Places and lengths of direct requests are multiples of it.
const SECTOR: u64 = 4096;

/// An image file that is open for reading and appending.
pub(crate) struct ImageFile {
    file: File,
    /// Behind a cell because to read one must wait for what was written.
    queue: Option<RefCell<Queue>>,
}

impl ImageFile {
    /// Opens the image at `path`.
    ///
    /// # Errors
    /// When it cannot be opened or is no regular file.
    pub fn open(path: &Path, io: Io) -> Result<ImageFile> {
        let object = || path.display().to_string();
        let open = |flags: OFlags| {
            OpenOptions::new().read(true).write(true).custom_flags(flags.bits().cast_signed()).open(path)
        };
        let failed = |e| Error::io(object(), "cannot open for writing", e);
        let file = open(OFlags::empty()).map_err(failed)?;
        if !file.metadata().map_err(failed)?.is_file() {
            return Err(Error::new(Class::State, object(), "not a regular file"));
        }
        // A file system that knows no direct requests refuses to open, or else the first of them.
        let direct = match io {
            Io::Auto | Io::Uring => open(OFlags::DIRECT).ok(),
            Io::Plain | Io::Mmap => None,
        };
        let queue = direct.and_then(|direct| Queue::new(direct).ok()).map(RefCell::new);
        Ok(ImageFile { file, queue })
    }

    /// Waits until all that was taken is in the file.
    fn wait(&self) -> io::Result<()> {
        self.queue.as_ref().map_or(Ok(()), |queue| queue.borrow_mut().finish(&self.file))
    }
}

impl Store for ImageFile {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        self.wait()?;
        FileExt::read_at(&self.file, buf, offset)
    }

    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<usize> {
        if let Some(queue) = &mut self.queue
            && offset.is_multiple_of(SECTOR)
            && (bytes.len() as u64).is_multiple_of(SECTOR)
        {
            return queue.get_mut().take(&self.file, offset, bytes);
        }
        self.wait()?;
        FileExt::write_at(&self.file, bytes, offset)
    }

    fn length(&self) -> io::Result<u64> {
        let waited = self.wait();
        // Asked after a failure, it says how far the image goes.
        drop(waited);
        Store::length(&self.file)
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.wait()?;
        Store::truncate(&mut self.file, length)
    }

    fn settle(&mut self) -> io::Result<()> {
        self.wait()
    }

    fn sync(&mut self) -> io::Result<()> {
        self.wait()?;
        Store::sync(&mut self.file)
    }

    fn written(&mut self, offset: u64, length: u64) {
        if self.queue.as_ref().is_none_or(|queue| queue.borrow().plainly) {
            Store::written(&mut self.file, offset, length);
        }
    }
}

/// What was taken and is not in the file yet.
struct Queue {
    ring: Ring<()>,
    direct: Arc<File>,
    free: Vec<Buffer>,
    /// Filled from front to back; only the last one has room.
    waiting: VecDeque<(Buffer, usize)>,
    /// Where the first waiting byte goes.
    offset: u64,
    /// Length of the request that is under way.
    flying: Option<usize>,
    /// A direct request failed: everything goes through the page cache from there on.
    plainly: bool,
    /// What plain writing said then.
    failed: Option<io::Error>,
}

impl Queue {
    fn new(direct: File) -> io::Result<Queue> {
        let (ring, free) = Ring::new(REQUESTS, REQUEST, Pages::Huge)?;
        Ok(Queue {
            ring,
            direct: Arc::new(direct),
            free,
            waiting: VecDeque::new(),
            offset: 0,
            flying: None,
            plainly: false,
            failed: None,
        })
    }

    /// Where the next byte goes.
    fn end(&self) -> u64 {
        let waiting: usize = self.waiting.iter().map(|(_, filled)| filled).sum();
        self.offset + (self.flying.unwrap_or(0) + waiting) as u64
    }

    /// Takes whole sectors for `offset` and gives how many bytes of them, waiting for room.
    fn take(&mut self, file: &File, offset: u64, bytes: &[u8]) -> io::Result<usize> {
        self.land(file);
        if !self.plainly && self.end() != offset {
            self.finish(file)?;
            // What came before through the page cache must not reach the disk after this: a power cut would leave a gap.
            file.sync_data()?;
            self.offset = offset;
        }
        self.make_room(file)?;
        if self.plainly {
            return FileExt::write_at(file, bytes, offset);
        }
        if self.waiting.back().is_none_or(|(_, filled)| *filled == REQUEST) {
            let Some(buffer) = self.free.pop() else { return Err(io::ErrorKind::ResourceBusy.into()) };
            self.waiting.push_back((buffer, 0));
        }
        let mut taken = 0;
        if let Some((buffer, filled)) = self.waiting.back_mut() {
            let room = &mut buffer.bytes_mut()[*filled..];
            taken = room.len().min(bytes.len());
            room[..taken].copy_from_slice(&bytes[..taken]);
            *filled += taken;
        }
        self.start(file, LEAST);
        Ok(taken)
    }

    /// Waits until there is a buffer with room.
    fn make_room(&mut self, file: &File) -> io::Result<()> {
        while self.free.is_empty()
            && self.flying.is_some()
            && self.waiting.back().is_none_or(|(_, filled)| *filled == REQUEST)
        {
            self.wait(file);
        }
        self.failed.take().map_or(Ok(()), Err)
    }

    /// Sends what waits, however little, and waits until nothing is left.
    fn finish(&mut self, file: &File) -> io::Result<()> {
        loop {
            self.start(file, 0);
            if self.flying.is_none() {
                break;
            }
            self.wait(file);
        }
        self.failed.take().map_or(Ok(()), Err)
    }

    fn wait(&mut self, file: &File) {
        // Where the kernel does not answer, nothing more can be known of what it was given.
        if let Err(error) = self.ring.waiter().wait() {
            self.flying = None;
            self.give_up(error);
        }
        self.land(file);
    }

    /// Sends what waits, if it is at least so much and nothing is under way.
    fn start(&mut self, file: &File, least: usize) {
        if self.flying.is_some() || self.plainly {
            return;
        }
        let Some((buffer, filled)) = self.waiting.pop_front_if(|(_, filled)| *filled >= least) else {
            return;
        };
        match self.ring.write(buffer, self.direct.clone(), self.offset, 0..filled, ()) {
            Ok(()) => {
                self.flying = Some(filled);
                self.ring.submit();
            }
            Err((buffer, ())) => {
                self.waiting.push_front((buffer, filled));
                self.write_plainly(file);
            }
        }
    }

    /// Takes what is done, and sends what waits.
    fn land(&mut self, file: &File) {
        let mut done = None;
        self.ring.land(|landed| done = Some(landed));
        let Some(Landed { buffer, result, .. }) = done else { return };
        let length = self.flying.take().unwrap_or(0);
        let moved = result.unwrap_or(0).min(length);
        self.offset += moved as u64;
        if moved == length {
            self.free.push(buffer);
            self.start(file, LEAST);
            return;
        }
        // Plain writing takes the rest, or says what is wrong.
        let mut rest = buffer;
        rest.bytes_mut().copy_within(moved..length, 0);
        self.waiting.push_front((rest, length - moved));
        self.write_plainly(file);
    }

    /// Writes what waits through the page cache, as everything that comes after it.
    fn write_plainly(&mut self, file: &File) {
        self.plainly = true;
        while let Some((buffer, filled)) = self.waiting.pop_front() {
            let mut done = 0;
            while let Some(rest) = buffer.bytes().get(done..filled).filter(|rest| !rest.is_empty()) {
                match FileExt::write_at(file, rest, self.offset) {
                    Ok(0) => return self.give_up(io::ErrorKind::WriteZero.into()),
                    Ok(count) => {
                        done += count;
                        self.offset += count as u64;
                    }
                    Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                    Err(e) => return self.give_up(e),
                }
            }
            self.free.push(buffer);
        }
    }

    fn give_up(&mut self, error: io::Error) {
        self.plainly = true;
        self.waiting.clear();
        self.failed = Some(error);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(seed: u64, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof().fill(&mut bytes);
        bytes
    }

    fn append(image: &mut ImageFile, model: &mut Vec<u8>, bytes: &[u8]) {
        let mut done = 0;
        while done < bytes.len() {
            done += image.write_at(model.len() as u64 + done as u64, &bytes[done..]).unwrap();
        }
        model.extend_from_slice(bytes);
    }

    #[test]
    fn sectors_and_odd_ends_reads_and_cuts_leave_the_bytes_in_their_order() {
        for io in [Io::Plain, Io::Auto] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("image");
            std::fs::write(&path, noise(0, 5_000)).unwrap();
            let mut image = ImageFile::open(&path, io).unwrap();
            let mut model = noise(0, 5_000);
            for round in 1..40 {
                let to_border = (1 << 20) - model.len() % (1 << 20);
                append(&mut image, &mut model, &noise(round, to_border));
                for part in 0..round % 3 {
                    append(&mut image, &mut model, &noise(round + part, 16 << 10));
                }
                for part in 0..round % 5 {
                    append(&mut image, &mut model, &noise(round * part, 1 << 20));
                }
                match round % 4 {
                    0 => append(&mut image, &mut model, &noise(round, 12_345)),
                    1 => {
                        let mut found = vec![0; 70_000];
                        let at = model.len() - 70_000;
                        assert_eq!(image.read_at(at as u64, &mut found).unwrap(), 70_000);
                        assert!(found == model[at..], "round {round}");
                    }
                    2 => {
                        model.truncate(model.len() - 4_097);
                        Store::truncate(&mut image, model.len() as u64).unwrap();
                    }
                    _ => image.sync().unwrap(),
                }
                assert_eq!(image.length().unwrap(), model.len() as u64);
            }
            image.settle().unwrap();
            assert!(std::fs::read(&path).unwrap() == model, "{io:?}");
        }
    }

    #[test]
    fn a_direct_request_that_is_refused_is_written_plainly() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("image");
        std::fs::write(&path, []).unwrap();
        // Open for reading only: every direct write is refused.
        let Ok(queue) = Queue::new(File::open(&path).unwrap()) else {
            eprintln!(
                "skipped: a_direct_request_that_is_refused_is_written_plainly: the system gives no io_uring"
            );
            return;
        };
        let file = File::options().read(true).write(true).open(&path).unwrap();
        let mut image = ImageFile { file, queue: Some(RefCell::new(queue)) };
        let mut model = Vec::new();
        for part in 0..12 {
            append(&mut image, &mut model, &noise(part, 1 << 20));
        }
        append(&mut image, &mut model, &noise(99, 777));
        image.sync().unwrap();
        assert!(image.queue.as_ref().unwrap().borrow().plainly);
        assert!(std::fs::read(&path).unwrap() == model);
    }
}

//! Where the bytes of an image are: a file, or memory for tests and fuzzing.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// Bytes that are read and written by offset. What it promises of durability is what a file promises.
pub trait Store: Send {
    /// Reads at most `buf.len()` bytes at an offset; 0 only at or behind the end.
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize>;

    /// Writes at an offset and says how many bytes it took, at least 1 of a non-empty `bytes`. A store may write behind: then
    /// it fails in a later call, [`settle`](Self::settle) at the latest, and holds a beginning of what it took.
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<usize>;

    /// Length in bytes, below 2^63; after a failure, how far what was written goes at most.
    fn length(&self) -> io::Result<u64>;

    /// Cuts everything from an offset on.
    fn truncate(&mut self, length: u64) -> io::Result<()>;

    /// Returns when all that was taken is written, though not durable.
    fn settle(&mut self) -> io::Result<()> {
        Ok(())
    }

    /// Returns when all that was written is durable.
    fn sync(&mut self) -> io::Result<()>;

    /// Says that these bytes were written and are not wanted again soon: a good time to start their way to the disk.
    fn written(&mut self, offset: u64, length: u64) {
        let _ = (offset, length);
    }

    /// Says that these bytes will be read soon: a good time to start their way from the disk.
    fn expected(&self, offset: u64, length: u64) {
        let _ = (offset, length);
    }
}

/// What the system takes of one request to read ahead, by its usual settings; it ignores the rest of a longer one.
const REQUEST: u64 = 128 << 10;

impl Store for File {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        FileExt::read_at(self, buf, offset)
    }

    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<usize> {
        FileExt::write_at(self, bytes, offset)
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.set_len(length)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }

    fn written(&mut self, offset: u64, length: u64) {
        // On Linux this starts the writing of dirty pages without waiting and drops the clean ones. A refusal changes
        // nothing but speed.
        let length = std::num::NonZeroU64::new(length);
        let _ = rustix::fs::fadvise(&*self, offset, length, rustix::fs::Advice::DontNeed);
    }

    fn expected(&self, offset: u64, length: u64) {
        let end = offset.saturating_add(length);
        for at in (offset..end).step_by(REQUEST as usize) {
            let length = std::num::NonZeroU64::new(REQUEST.min(end - at));
            if rustix::fs::fadvise(self, at, length, rustix::fs::Advice::WillNeed).is_err() {
                return;
            }
        }
    }
}

impl Store for Vec<u8> {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        let from = usize::try_from(offset).unwrap_or(usize::MAX);
        let bytes = self.get(from..).unwrap_or_default();
        let taken = bytes.len().min(buf.len());
        buf[..taken].copy_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<usize> {
        // The tape writes at the end only; anything else would be a mistake of this crate.
        if offset != self.len() as u64 {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        self.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.len() as u64)
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        Vec::truncate(self, usize::try_from(length).unwrap_or(usize::MAX));
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }
}
